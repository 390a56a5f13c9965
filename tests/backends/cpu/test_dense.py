"""Products whose tasks put their operands into panels themselves: when they are used, and the values."""

from __future__ import annotations

import numpy as np
import pytest

from septet.backends.cpu.ops import matmul, matmul_dense
from septet.backends.cpu.program import CpuProgram, Plan
from septet.backends.reference.program import ReferenceBackend
from septet.base.config import config
from septet.graph.graph import Graph
from septet.graph.node import symbol
from septet.graph.op import ops
from septet.graph.types import tensor_type


def sym(*shape, dtype="float32"):
    return symbol(tensor_type(dtype, shape))


def functions(graph):
    """The native functions of a plan."""
    return [arg.name.split("-")[0] for step in Plan(graph).steps for arg in step.args if hasattr(arg, "name")]


def product(batch, m, n, k, *, a_turned=False, b_turned=False, dtype="float32"):
    a = sym(*batch, *((k, m) if a_turned else (m, k)), dtype=dtype)
    b = sym(*batch, *((n, k) if b_turned else (k, n)), dtype=dtype)
    first = len(batch)
    contracting = ((first if a_turned else first + 1,), (first + 1 if b_turned else first,))
    axes = tuple(range(first))
    return Graph([a, b], [ops.dot_general(a, b, contracting=contracting, batch=(axes, axes))])


def draw(graph):
    random = np.random.default_rng(0)
    return [random.standard_normal(node.shape).astype(node.dtype) for node in graph.inputs]


def expected(graph, arrays):
    a, b = (array.astype(np.float64) for array in arrays)
    node = graph.outputs[0]
    (left,), (right,) = node.param("contracting")
    a = a if left == a.ndim - 1 else a.swapaxes(-1, -2)
    b = b if right == b.ndim - 2 else b.swapaxes(-1, -2)
    return a @ b


SIZES = [
    ((3,), 32, 32, 32), ((2, 3), 33, 50, 37), ((1, 2), 130, 129, 193), ((5,), 40, 35, 400), ((), 130, 300, 64),
    ((), 64, 35, 128), ((), 1024, 40, 500), ((2,), 300, 32, 40), ((4,), 37, 600, 35),
]  # fmt: skip


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-13)])
@pytest.mark.parametrize(("a_turned", "b_turned"), [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize(("batch", "m", "n", "k"), SIZES)
def test_values(batch, m, n, k, a_turned, b_turned, dtype, tolerance):
    graph = product(batch, m, n, k, a_turned=a_turned, b_turned=b_turned, dtype=dtype)
    is_short = m <= matmul_dense.FEW and min(m, n // 2, k) >= matmul.SLIM
    is_wide = not batch and a_turned and matmul.BROAD <= m <= min(n, matmul_dense.FEW) and k >= matmul.DEPTH
    goal = ["turn", "dense"] if is_wide else ["dense"]
    assert (functions(graph) == goal) is bool(batch or a_turned or is_short)
    arrays = draw(graph)
    (found,) = CpuProgram(graph, ReferenceBackend())(arrays)
    np.testing.assert_allclose(found, expected(graph, arrays), rtol=0, atol=tolerance * 8 * np.sqrt(k))


@pytest.mark.parametrize(
    ("m", "n", "k"),
    [(32, 50, 1025), (100, 2000, 40), (matmul_dense.FEW, 33, 2100), (37, 32, 32), (8, 16, 8), (9, 70, 513)],
)
@pytest.mark.parametrize("b_turned", [False, True])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-13)])
def test_few_rows(m, n, k, b_turned, dtype, tolerance):
    graph = product((), m, n, k, b_turned=b_turned, dtype=dtype)
    assert functions(graph) == ["dense"]
    arrays = draw(graph)
    results = []
    for threads in (1, 2):
        with config.override(threads=threads):
            (found,) = CpuProgram(graph, ReferenceBackend())(arrays)
        np.testing.assert_allclose(found, expected(graph, arrays), rtol=0, atol=tolerance * 8 * np.sqrt(k))
        results.append(found.tobytes())
    assert results[0] == results[1]


@pytest.mark.parametrize(
    ("m", "n", "k"), [(matmul.BROAD, 64, matmul.DEPTH), (100, 130, 1025), (matmul_dense.FEW, 300, 263), (77, 600, 2050)]
)
@pytest.mark.parametrize("b_turned", [False, True])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-13)])
def test_few_rows_that_are_turned(m, n, k, b_turned, dtype, tolerance):
    graph = product((), m, n, k, a_turned=True, b_turned=b_turned, dtype=dtype)
    assert functions(graph) == ["turn", "dense"]
    arrays = draw(graph)
    results = []
    for threads in (1, 2, 5):
        with config.override(threads=threads):
            (found,) = CpuProgram(graph, ReferenceBackend())(arrays)
        np.testing.assert_allclose(found, expected(graph, arrays), rtol=0, atol=tolerance * 8 * np.sqrt(k))
        results.append(found.tobytes())
    assert len(set(results)) == 1


def test_operands_and_results_that_lie_in_parts_of_others():
    """Heads of attention: every operand is a view of one tensor, the result is stored in the order of its user."""
    x = sym(2, 40, 3, 4, 32)
    query, key, value = (
        ops.transpose(ops.reshape(ops.slice(x, slices=((0, 2, 1), (0, 40, 1), (n, n + 1, 1), (0, 4, 1), (0, 32, 1))),
                                  shape=(2, 40, 4, 32)), axes=(0, 2, 1, 3))
        for n in range(3)
    )  # fmt: skip
    batch = ((0, 1), (0, 1))
    scores = ops.dot_general(query, key, contracting=((3,), (3,)), batch=batch)
    mixed = ops.dot_general(scores, value, contracting=((3,), (2,)), batch=batch)
    graph = Graph([x], [ops.transpose(mixed, axes=(0, 2, 1, 3))])
    assert functions(graph) == ["dense", "dense"]
    (array,) = draw(graph)
    (found,) = CpuProgram(graph, ReferenceBackend())([array])
    q, k, v = (array[:, :, n].transpose(0, 2, 1, 3).astype(np.float64) for n in range(3))
    np.testing.assert_allclose(found, (q @ k.swapaxes(-1, -2) @ v).transpose(0, 2, 1, 3), atol=1e-3)


def test_threads_change_nothing():
    graph = product((6,), 70, 90, 300, a_turned=True)
    arrays = draw(graph)
    results = []
    for threads in (1, 2, 5):
        with config.override(threads=threads):
            results.append(CpuProgram(graph, ReferenceBackend())(arrays)[0].tobytes())
    assert len(set(results)) == 1


@pytest.mark.parametrize(
    "words",
    [
        {"batch": (), "m": matmul.TALL - 1, "n": 40, "k": matmul.DEPTH + 1, "a_turned": True},
        {"batch": (), "m": matmul.TALL, "n": 600, "k": matmul.DEPTH + 1, "a_turned": True},
        {"batch": (4,), "m": matmul.LEAST - 1, "n": 64, "k": 64},
        {"batch": (4,), "m": 64, "n": 64, "k": matmul.LEAST - 1},
        {"batch": (1,), "m": 20, "n": 64, "k": 640, "a_turned": True},
        {"batch": (), "m": matmul.BROAD - 1, "n": 64, "k": matmul.DEPTH + 1, "a_turned": True},
        {"batch": (), "m": matmul.BROAD + 6, "n": matmul.BROAD, "k": matmul.DEPTH + 1, "a_turned": True},
        {"batch": (), "m": matmul_dense.FEW + 1, "n": 300, "k": matmul.DEPTH + 1, "a_turned": True},
        {"batch": (), "m": matmul.SLIM - 1, "n": 640, "k": 64},
        {"batch": (), "m": 64, "n": 2 * matmul.SLIM - 1, "k": 64},
        {"batch": (), "m": 16, "n": 640, "k": matmul.SLIM - 1},
    ],
)
def test_near_misses(words):
    assert functions(product(**words)) == ["sgemm_task"]


@pytest.mark.parametrize(("m", "n", "k"), [(128, 512, 784), (256, 2000, 32), (32, 40, 32), (64, 4096, 4096)])
@pytest.mark.parametrize("panel", [8, 16, 32])
def test_columns_beside_all_rows_are_whole_panels_and_worth_a_thread(m, n, k, panel):
    columns = matmul_dense.narrow(m, n, k, panel)
    assert columns == n or (columns % panel == 0 and m * columns * k >= matmul_dense.SLIGHT)
    assert columns >= min(matmul_dense.NARROW, n)


@pytest.mark.parametrize(("m", "n", "k", "batch"), [(1000, 40, 64, 1), (20, 3000, 500, 2), (128, 128, 64, 32)])
def test_tiles_are_enough_tasks_and_fit_into_the_cache(m, n, k, batch):
    rows, columns = matmul_dense.tile(m, n, k, batch, 16)
    assert rows <= matmul_dense.ROWS and columns <= matmul_dense.COLUMNS
    tasks = batch * -(-m // rows) * -(-n // columns)
    assert tasks >= min(matmul_dense.TASKS, batch * m * n * k // matmul_dense.LEAST) * 0.9
