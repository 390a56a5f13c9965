"""Products that are added to something by what computes them: when, and the values."""

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
from septet.ops.control import record_scan
from septet.tensor.variable import Variable

TILES, DENSE, LIBRARY = "product_task", "dense", "gemm_task"
RUN = 576  # elements that `direct` sums at a time


def sym(*shape, dtype="float32"):
    return symbol(tensor_type(dtype, shape))


def names(graph):
    return [step.name for step in Plan(graph).steps]


def functions(graph):
    return [arg.name.split("-")[0] for step in Plan(graph).steps for arg in step.args if hasattr(arg, "name")]


def draw(graph):
    random = np.random.default_rng(0)
    return [random.standard_normal(node.shape).astype(node.dtype) for node in graph.inputs]


def values(graph, arrays):
    """Run with one thread and with several, whose results must be the same."""
    results = []
    for threads in (1, 2):
        with config.override(threads=threads):
            results.append(CpuProgram(graph, ReferenceBackend())(arrays))
    for one, two in zip(*results, strict=True):
        assert one.tobytes() == two.tobytes()
    return results[0]


def summands(m, n):
    """What is added, by name: a shape, and how its axes are turned."""
    return {"matrix": ((m, n), (0, 1)), "row": ((n,), (0,)), "column": ((m, 1), (0, 1)), "turned": ((n, m), (1, 0))}


KINDS = {
    "tiles": (TILES, 320, 84, 40), "tiles in runs": (TILES, 260, 100, 2 * RUN + 3), "dense": (DENSE, 37, 90, 65),
    "dense in pieces": (DENSE, 33, 50, matmul_dense.LONG + 5), "library": (LIBRARY, 130, 80, matmul.DEPTH + 9),
}  # fmt: skip


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("summand", ["matrix", "row", "column", "turned"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-13)])
def test_values(kind, summand, first, dtype, tolerance):
    function, m, n, k = KINDS[kind]
    is_turned = function == LIBRARY
    shape, axes = summands(m, n)[summand]
    a, b, c = sym(*((k, m) if is_turned else (m, k)), dtype=dtype), sym(k, n, dtype=dtype), sym(*shape, dtype=dtype)
    product = ops.dot_general(a, b, contracting=((0 if is_turned else 1,), (0,)))
    other = c if axes != (1, 0) else ops.transpose(c, axes=axes)
    graph = Graph([a, b, c], [other + product if first else product + other])
    assert "dot_general+add" in names(graph)
    assert "add" not in names(graph)
    assert functions(graph)[-1].endswith(function)
    arrays = draw(graph)
    wide = [array.astype(np.float64) for array in arrays]
    expected = (wide[0].T if is_turned else wide[0]) @ wide[1] + (wide[2].T if axes == (1, 0) else wide[2])
    (found,) = values(graph, arrays)
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * 8 * np.sqrt(k))


def test_several_axes():
    """The inputs of a recurrent network, for all steps at once: a bias is added to every row."""
    x, w, b = sym(5, 16, 32), sym(32, 64), sym(64)
    graph = Graph([x, w, b], [ops.dot_general(x, w, contracting=((2,), (0,))) + b])
    assert names(graph)[-1] == "dot_general+add"
    arrays = draw(graph)
    np.testing.assert_allclose(values(graph, arrays)[0], arrays[0] @ arrays[1] + arrays[2], atol=1e-4)


def test_batches():
    a, b, c = sym(3, 40, 33), sym(3, 33, 50), sym(3, 40, 50)
    batch = ((0,), (0,))
    graph = Graph([a, b, c], [ops.dot_general(a, b, contracting=((2,), (1,)), batch=batch) + c])
    assert names(graph) == ["copy", "dot_general+add"]
    arrays = draw(graph)
    np.testing.assert_allclose(values(graph, arrays)[0], arrays[0] @ arrays[1] + arrays[2], atol=1e-4)


def test_a_sum_that_is_written_column_by_column():
    a, b, c = sym(40, 33), sym(33, 50), sym(40, 50)
    product = ops.dot_general(a, b, contracting=((1,), (0,)))
    total = ops.transpose(product + c, axes=(1, 0))
    graph = Graph([a, b, c], [total])
    arrays = draw(graph)
    np.testing.assert_allclose(values(graph, arrays)[0], (arrays[0] @ arrays[1] + arrays[2]).T, atol=1e-4)


def test_two_products():
    """One of them is added to the other, which must be there first."""
    a, b = sym(64, 64), sym(64, 64)
    one, two = (ops.dot_general(x, y, contracting=((1,), (0,))) for x, y in ((a, b), (b, a)))
    graph = Graph([a, b], [one + two])
    assert names(graph).count("dot_general+add") == 1
    x, y = draw(graph)
    np.testing.assert_allclose(values(graph, [x, y])[0], x @ y + y @ x, atol=1e-4)


def test_a_loop_whose_matrix_is_in_panels():
    h, xs, w = sym(5, 32), sym(4, 5, 64), sym(32, 64)
    own, x, matrix = sym(5, 32), sym(5, 64), sym(32, 64)
    after = x + ops.dot_general(own, matrix, contracting=((1,), (0,)))
    gate = ops.slice(after, slices=((0, 5, 1), (32, 64, 1)))
    body = Graph([own, x, matrix], [ops.tanh(gate), after])
    last, stack = record_scan([h], [xs], [w], body, 4, False)
    graph = Graph([h, xs, w], [last, stack])
    (nested,) = [arg for step in Plan(graph).steps for arg in step.args if hasattr(arg, "arena")]
    assert "dot_general+add" in [step.name for step in nested.planner.steps]
    arrays = [0.2 * array for array in draw(graph)]
    state, rows = arrays[0].astype(np.float64), []
    for row in arrays[1]:
        rows.append(row + state @ arrays[2])
        state = np.tanh(rows[-1][:, 32:])
    found = values(graph, arrays)
    np.testing.assert_allclose(found[0], state, atol=1e-5)
    np.testing.assert_allclose(found[1], np.array(rows), atol=1e-5)


def near_misses():
    a, b, c, d = sym(64, 64), sym(64, 64), sym(64, 64), sym(2, 64, 64)
    product = ops.dot_general(a, b, contracting=((1,), (0,)))
    variable = Variable(np.zeros((64, 64), np.float32))
    return {
        "used twice": Graph([a, b, c], [product + c, ops.tanh(product)]),
        "a result": Graph([a, b, c], [product + c, product]),
        "added to itself": Graph([a, b], [product + product]),
        "part of a kernel": Graph([a, b, c], [ops.tanh(product + c)]),
        "a new value": Graph([a, b, c], [], [(variable, product + c)]),
        "a larger sum": Graph([a, b, d], [product + d]),
        "a product of elements": Graph([a, b, c], [product * c]),
    }


@pytest.mark.parametrize("name", near_misses())
def test_near_misses(name):
    assert "dot_general+add" not in names(near_misses()[name])


def test_integers_are_added_elsewhere():
    a, b, c = sym(4, 4, dtype="int32"), sym(4, 4, dtype="int32"), sym(4, 4, dtype="int32")
    graph = Graph([a, b, c], [ops.dot_general(a, b, contracting=((1,), (0,))) + c])
    assert "dot_general+add" not in names(graph)
    x, y, z = arrays = [np.arange(16, dtype=np.int32).reshape(4, 4) + i for i in range(3)]
    np.testing.assert_array_equal(CpuProgram(graph, ReferenceBackend())(arrays)[0], x @ y + z)
