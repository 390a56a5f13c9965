"""Random bits by native code are those of `base.random`, to the last bit."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from septet.backends.cpu.program import CpuProgram, Plan
from septet.base import random as philox
from septet.graph.graph import Graph
from septet.graph.node import symbol
from septet.graph.op import ops
from septet.graph.types import tensor_type
from septet.run.programs import REFERENCE

LARGE = 2**64 - 1
STATES = [(7, 0), (0, 0), (LARGE, LARGE), (2**32, 2**32 - 1), (123456789012345, 987654321)]


def run(name: str, *arrays: np.ndarray, **params: Any) -> np.ndarray:
    """The result of an op in a graph without Python."""
    inputs = [symbol(tensor_type(array.dtype, array.shape)) for array in arrays]
    graph = Graph(inputs, [getattr(ops, name)(*inputs, **params)])
    assert all(step.is_native for step in Plan(graph).steps)
    (found,) = CpuProgram(graph, REFERENCE)(arrays)
    return found


@pytest.mark.parametrize("width", [32, 64])
@pytest.mark.parametrize(
    "shape", [(), (1,), (3,), (4,), (31,), (32,), (33,), (16, 8), (7, 9, 11), (40_000,), (99_999,)]
)
def test_bits(shape: tuple[int, ...], width: int) -> None:
    for seed, draw in STATES:
        state = philox.make_state(seed, draw)
        expected = philox.random_bits(state, math.prod(shape), width).reshape(shape)
        found = run("random_bits", state, shape=shape, width=width)
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("width", [32, 64])
@pytest.mark.parametrize("count", [1, 30, 32, 1000, 20_000])
def test_bits_of_many_states(count: int, width: int) -> None:
    states = np.array([STATES[:3], STATES[2:]], np.uint64)  # (2, 3, 2)
    expected = np.stack([philox.random_bits(state, count, width) for state in states.reshape(-1, 2)])
    found = run("random_bits", states, shape=(count,), width=width)
    np.testing.assert_array_equal(found.reshape(-1, count), expected)


def test_bits_do_not_depend_on_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    state = philox.make_state(5, 6)
    expected = philox.random_bits(state, 300_001)
    for count in (1, 3):
        monkeypatch.setattr("septet.backends.cpu.planner.thread_count", lambda count=count: count)
        np.testing.assert_array_equal(run("random_bits", state, shape=(300_001,)), expected)


@pytest.mark.parametrize("data", [np.uint64(3), np.uint64(LARGE), np.arange(5, dtype=np.uint64)], ids=str)
def test_numbers_are_folded_in(data: Any) -> None:
    for state in STATES:
        own = np.array(state, np.uint64)
        np.testing.assert_array_equal(run("fold_in", own, np.asarray(data)), philox.fold_in(own, np.asarray(data)))
    own = np.array(STATES, np.uint64)
    np.testing.assert_array_equal(run("fold_in", own, np.asarray(data)), philox.fold_in(own, np.asarray(data)))


@pytest.mark.parametrize("count", [1, 2, 7])
def test_states_are_split(count: int) -> None:
    own = np.array(STATES, np.uint64)
    np.testing.assert_array_equal(run("split_state", own, count=count), philox.split(own, count))
    np.testing.assert_array_equal(run("split_state", own[0], count=count), philox.split(own[0], count))


def test_a_state_with_gaps_in_memory() -> None:
    own = np.array(STATES, np.uint64)
    x = symbol(tensor_type(own.dtype, (2, 5)))
    graph = Graph([x], [ops.random_bits(ops.transpose(x, axes=(1, 0)), shape=(9,))])
    (found,) = CpuProgram(graph, REFERENCE)([np.ascontiguousarray(own.T)])
    np.testing.assert_array_equal(found, np.stack([philox.random_bits(state, 9) for state in own]))
