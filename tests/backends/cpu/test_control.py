"""Loops in plans: stacks of carried values are where the loop carries them, and are not copied."""

from __future__ import annotations

import numpy as np
import pytest

from septet.backends.cpu.memory import ARENA
from septet.backends.cpu.program import CpuProgram, Plan
from septet.backends.cpu.steps import Nested
from septet.backends.reference.program import ReferenceBackend
from septet.graph.graph import Graph
from septet.graph.node import symbol
from septet.graph.op import ops
from septet.graph.types import tensor_type
from septet.ops.control import record_scan

SHAPE = (3, 4)


def sym(*shape):
    return symbol(tensor_type("float32", shape))


def walk(steps, is_reverse, *, outside=True):
    """h' = tanh(h + x), c' = c h'; the results: last values, and stacks of h, h', c, h' and c + x.

    Where something `outside` uses the stacks, they are no results of the graph themselves.
    """
    h, c, x = sym(*SHAPE), sym(*SHAPE), sym(*SHAPE)
    after = ops.tanh(h + x)
    body = Graph([h, c, x], [after, c * after, h, after, c, after, c + x])
    inputs = sym(*SHAPE), sym(*SHAPE), sym(steps, *SHAPE)
    found = list(record_scan(list(inputs[:2]), [inputs[2]], [], body, steps, is_reverse))
    return Graph(list(inputs), [found[0], found[1], *[node * 2.0 if outside else node for node in found[2:]]])


def expected(h, c, xs, is_reverse):
    rows = []
    for x in xs[::-1] if is_reverse else xs:
        after = np.tanh(h + x)
        rows.append((h, after, c, after, c + x))
        h, c = after, c * after
    if is_reverse:
        rows.reverse()
    return h, c, *[np.array(stack) for stack in zip(*rows, strict=True)]


def steps_of(graph):
    """The names of the steps of the loop in a plan."""
    (nested,) = [arg for step in Plan(graph).steps for arg in step.args if isinstance(arg, Nested)]
    return [step.name for step in nested.planner.steps]


def draw(graph):
    random = np.random.default_rng(3)
    return [random.standard_normal(node.shape).astype(np.float32) for node in graph.inputs]


@pytest.mark.parametrize("outside", [True, False])
@pytest.mark.parametrize("is_reverse", [False, True])
@pytest.mark.parametrize("steps", [1, 2, 5])
def test_values(steps, is_reverse, outside):
    graph = walk(steps, is_reverse, outside=outside)
    arrays = draw(graph)
    wanted = expected(*[array.astype(np.float64) for array in arrays], is_reverse)
    program = CpuProgram(graph, ReferenceBackend())
    for _ in range(2):  # what the first call leaves in memory does not matter
        found = program(arrays)
        for index, (own, value) in enumerate(zip(found, wanted, strict=True)):
            factor = 2 if outside and index > 1 else 1
            np.testing.assert_allclose(own, factor * value, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("is_reverse", [False, True])
def test_stacks_of_carried_values_are_not_copied(is_reverse):
    assert "copy" not in steps_of(walk(4, is_reverse))


def test_results_of_the_graph_are_written_where_they_belong():
    assert steps_of(walk(4, False, outside=False)).count("copy") == 4


def test_values_that_go_from_one_carry_to_the_next():
    a, b, x = sym(*SHAPE), sym(*SHAPE), sym(*SHAPE)
    body = Graph([a, b, x], [b, a + x, a, b, b])
    inputs = sym(*SHAPE), sym(*SHAPE), sym(3, *SHAPE)
    stacks = list(record_scan(list(inputs[:2]), [inputs[2]], [], body, 3, False))[2:]
    graph = Graph(list(inputs), [node + 1.0 for node in stacks])
    arrays = draw(graph)
    first, second, xs = arrays
    rows = []
    for own in xs:
        rows.append((first, second, second))
        first, second = second, first + own
    found = CpuProgram(graph, ReferenceBackend())(arrays)
    for own, value in zip(found, zip(*rows, strict=True), strict=True):
        np.testing.assert_allclose(own, np.array(value) + 1.0, rtol=1e-6)


def test_memory_of_both_stacks_is_shared():
    size = 4 * int(np.prod(SHAPE))
    both = [own.size for own in Plan(walk(6, False)).planner.memories]
    assert 7 * size in both


def gates(steps, *, changes=None):
    """z' = z + h W, kept; h' = tanh of its first half + its last half: as in recurrent networks."""
    x, bias, h, w = sym(steps, 5, 48), sym(48), sym(5, 24), sym(24, 48)
    z = x + bias
    own, row, matrix = sym(5, 24), sym(5, 48), sym(24, 48)
    total = row + ops.dot_general(own, matrix, contracting=((1,), (0,)))
    halves = [ops.slice(total, slices=((0, 5, 1), (start, start + 24, 1))) for start in (0, 24)]
    after = ops.tanh(halves[0]) + halves[1]
    if changes == "reads again":
        after = after + ops.slice(row, slices=((0, 5, 1), (3, 27, 1)))
    last, stack = record_scan([h], [z], [w], Graph([own, row, matrix], [after, total]), steps, False)
    results = [last, stack if changes == "a result" else stack * 2.0]
    return Graph([x, bias, h, w], [*results, *([z * 3.0] if changes == "another user" else [])])


def memories(graph, size):
    """How many pieces of memory of as many elements as the stack are in use."""
    found = Plan(graph).planner.memories
    return sum(own.size == 4 * size and own.kind == ARENA and own.first >= 0 for own in found)


@pytest.mark.parametrize("changes", [None, "reads again", "a result", "another user"])
def test_a_stack_takes_over_the_memory_of_a_sequence(changes):
    graph = gates(3, changes=changes)
    assert memories(graph, 3 * 5 * 48) == {None: 1, "reads again": 2, "a result": 1, "another user": 2}[changes]
    arrays = draw(graph)
    x, bias, h, w = (array.astype(np.float64) for array in arrays)
    rows = []
    for row in x + bias:
        total = row + h @ w
        h = np.tanh(total[:, :24]) + total[:, 24:] + (row[:, 3:27] if changes == "reads again" else 0)
        rows.append(total)
    found = CpuProgram(graph, ReferenceBackend())(arrays)
    np.testing.assert_allclose(found[0], h, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found[1], np.array(rows) * (1 if changes == "a result" else 2), rtol=1e-4, atol=1e-4)


def parts(first, second):
    """A body that reads parts of a row of eight columns and writes the same number of columns elsewhere in it."""
    x, h = sym(4, 3, 8), sym(3, 4)
    own, row = sym(3, 4), sym(3, 8)
    low, high = (ops.slice(row, slices=((0, 3, 1), (start, start + 4, 1))) for start in (first, second))
    joined = ops.concatenate(ops.sin(low) + high, own * low, axis=1)
    z = x + 1.0
    last, stack = record_scan([h], [z], [], Graph([own, row], [own + high, joined]), 4, False)
    return Graph([h, x], [last, stack * 2.0])


@pytest.mark.parametrize(("first", "second", "count"), [(0, 4, 1), (4, 0, 1), (0, 0, 1), (1, 3, 2), (2, 4, 2)])
def test_parts_of_rows_that_overlap_are_not_written_over(first, second, count):
    graph = parts(first, second)
    assert memories(graph, 4 * 3 * 8) == count
    arrays = draw(graph)
    h, x = (array.astype(np.float64) for array in arrays)
    rows = []
    for row in x + 1:
        low, high = row[:, first : first + 4], row[:, second : second + 4]
        rows.append(np.concatenate([np.sin(low) + high, h * low], 1))
        h = h + high
    found = CpuProgram(graph, ReferenceBackend())(arrays)
    np.testing.assert_allclose(found[0], h, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found[1], 2 * np.array(rows), rtol=1e-5, atol=1e-5)
