"""Products by our own tiles: when they are used, what is put into panels before a loop, and the values."""

from __future__ import annotations

import numpy as np
import pytest

from septet.backends.cpu.direct_tiles import machine
from septet.backends.cpu.ops import matmul_tiles
from septet.backends.cpu.program import CpuProgram, Plan
from septet.backends.reference.program import ReferenceBackend
from septet.graph.graph import Graph
from septet.graph.node import symbol
from septet.graph.op import ops
from septet.graph.types import tensor_type
from septet.ops.control import record_scan
from septet.ops.shaping import transpose

OWN, LIBRARY = "product_task", "gemm_task"


def sym(*shape, dtype="float32"):
    return symbol(tensor_type(dtype, shape))


def tasks(plan):
    """The native functions that the steps of a plan and of its loops run, in order."""
    found = []
    for step in plan.steps:
        found += [arg.name.split("-")[0] for arg in step.args if hasattr(arg, "name")]
        for arg in step.args:
            if hasattr(arg, "arena"):
                found.append(tasks(arg.planner))
    return found


def product(m, n, k, *, a_turned=False, b_turned=False, dtype="float32"):
    a = sym(*((k, m) if a_turned else (m, k)), dtype=dtype)
    b = sym(*((n, k) if b_turned else (k, n)), dtype=dtype)
    contracting = ((0 if a_turned else 1,), (1 if b_turned else 0,))
    return Graph([a, b], [ops.dot_general(a, b, contracting=contracting)])


def recurrent(batch, inputs, width, *, dtype="float32", turned=False, changes=False, steps=3):
    """h' = tanh(h W) over some steps; W is carried too where it changes."""
    h, w = sym(batch, inputs, dtype=dtype), sym(*((width, inputs) if turned else (inputs, width)), dtype=dtype)
    own, matrix = sym(*h.shape, dtype=dtype), sym(*w.shape, dtype=dtype)
    after = ops.tanh(ops.dot_general(own, matrix, contracting=((1,), (1 if turned else 0,))))
    if changes:
        body = Graph([own, matrix], [after, matrix * 0.5])
        return Graph([h, w], list(record_scan([h, w], [], [], body, steps, False)))
    return Graph([h, w], list(record_scan([h], [], [w], Graph([own, matrix], [after]), steps, False)))


def check(graph, tolerance):
    """Compare with NumPy in float64."""
    random = np.random.default_rng(0)
    arrays = [random.standard_normal(node.shape).astype(node.dtype) / 4 for node in graph.inputs]
    found = CpuProgram(graph, ReferenceBackend())(arrays)
    wide = [array.astype(np.float64) for array in arrays]
    if graph.outputs[0].op.name == "dot_general":
        (left,), (right,) = graph.outputs[0].param("contracting")
        expected = (wide[0].T if left == 0 else wide[0]) @ (wide[1].T if right == 1 else wide[1])
    else:
        h, w = wide
        for _ in range(3):
            h = np.tanh(h @ w)
            w = w * 0.5 if len(graph.outputs) == 2 else w
        expected = h
    np.testing.assert_allclose(found[0], expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("m", "n", "k"), [(320, 84, 64), (67, 100, 3), (512, 40, 700), (264, 17, 1100), (64, 256, 1)])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-4), ("float64", 1e-12)])
@pytest.mark.parametrize("b_turned", [False, True])
def test_products_of_many_rows(m, n, k, dtype, tolerance, b_turned):
    if n == 17:  # a panel, and one column over: panels are as wide as the processor's vectors allow
        n = max(n, machine(dtype, n).panel + 1)
    graph = product(m, n, k, b_turned=b_turned, dtype=dtype)
    assert tasks(Plan(graph)) == ["pack_task", OWN]
    check(graph, tolerance)


@pytest.mark.parametrize(
    "words",
    [
        {"m": matmul_tiles.ROWS - 1, "n": 20, "k": 7},
        {"m": 64, "n": matmul_tiles.WIDTH * 64 + 1, "k": 7},
        {"m": 128, "n": 80, "k": 300, "a_turned": True},
        {"m": 128, "n": 3, "k": 64},
    ],
)
def test_near_misses(words):
    graph = product(**words)
    assert [name[1:] for name in tasks(Plan(graph))] == [LIBRARY]
    check(graph, 1e-4)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(("batch", "dtype"), [(5, "float32"), (1, "float64")])
def test_a_matrix_is_put_into_panels_before_the_loop(turned, batch, dtype):
    graph = recurrent(batch, 32, 32, dtype=dtype, turned=turned)
    assert tasks(Plan(graph)) == ["pack_task", [OWN]]


@pytest.mark.parametrize(("batch", "dtype", "tolerance"), [(5, "float32", 1e-5), (1, "float64", 1e-12)])
def test_values_of_loops(batch, dtype, tolerance):
    check(recurrent(batch, 32, 32, dtype=dtype), tolerance)
    check(recurrent(batch, 32, 32, dtype=dtype, changes=True), tolerance)


def test_a_matrix_that_changes_in_the_loop_is_not():
    (inner,) = tasks(Plan(recurrent(5, 32, 32, changes=True)))
    assert [name[1:] for name in inner] == [LIBRARY]


def test_a_part_of_a_matrix_in_a_loop_inside_of_a_loop():
    """Panels are made where the matrix is known: here in each step of the outer loop."""
    h, w = sym(2, 32), sym(40, 64)
    inner_h, inner_w = sym(2, 32), sym(40, 64)
    part = ops.slice(inner_w, slices=((8, 40, 1), (32, 64, 1)))
    body = Graph([inner_h, inner_w], [ops.tanh(ops.dot_general(inner_h, part, contracting=((1,), (0,))))])
    outer_h, outer_w = sym(2, 32), sym(40, 64)
    (after,) = record_scan([outer_h], [], [outer_w], body, 2, False)
    outer = Graph([outer_h, outer_w], [after])
    (result,) = record_scan([h], [], [w], outer, 3, False)
    graph = Graph([h, w], [result])
    assert tasks(Plan(graph)) == [["pack_task", [OWN]]]
    random = np.random.default_rng(1)
    a, b = (random.standard_normal(node.shape).astype(np.float32) / 4 for node in (h, w))
    expected = a.astype(np.float64)
    for _ in range(6):
        expected = np.tanh(expected @ b[8:, 32:].astype(np.float64))
    (found,) = CpuProgram(graph, ReferenceBackend())([a, b])
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_transposes_are_views():
    w = sym(48, 32)
    h, own, matrix = sym(3, 32), sym(3, 32), sym(48, 32)
    back = ops.dot_general(ops.dot_general(own, transpose(matrix), contracting=((1,), (0,))), matrix,
                           contracting=((1,), (0,)))  # fmt: skip
    (result,) = record_scan([h], [], [w], Graph([own, matrix], [back]), 2, False)
    graph = Graph([h, w], [result])
    assert tasks(Plan(graph)) == ["pack_task", "pack_task", [OWN, OWN]]
    random = np.random.default_rng(2)
    a, b = (random.standard_normal(node.shape).astype(np.float32) / 8 for node in (h, w))
    wide = b.astype(np.float64)
    (found,) = CpuProgram(graph, ReferenceBackend())([a, b])
    np.testing.assert_allclose(found, a @ (wide.T @ wide) @ (wide.T @ wide), atol=1e-5)
