"""Pieces: compiled graphs of a few nodes, run in a row."""

from __future__ import annotations

import numpy as np
import pytest

import septet as st
from septet.backends.cpu.pieces import KEPT, Calls, piece_of
from septet.backends.cpu.program import CpuProgram
from septet.graph.graph import Graph
from septet.run.programs import REFERENCE

X = np.random.default_rng(0).normal(size=(5, 7)).astype(np.float32)
W = np.random.default_rng(1).normal(size=(7, 3)).astype(np.float32)


def piece(function: object, *shapes: tuple[int, ...]):
    inputs = [st.symbol(f"x{n}", shape) for n, shape in enumerate(shapes)]
    found = function(*inputs)  # type: ignore[operator]
    outputs = found if isinstance(found, tuple) else (found,)
    return piece_of(CpuProgram(Graph([x.node for x in inputs], [y.node for y in outputs]), REFERENCE))


def test_pieces_run_in_a_row_on_working_memory_and_arrays() -> None:
    product, tanh = piece(lambda x, w: x @ w, (5, 7), (7, 3)), piece(st.tanh, (5, 3))
    calls = Calls()
    place = calls.take(product.sizes[0])
    calls.list += [product.address, calls.address(X), calls.address(W), place]
    calls.arena = max(product.arena, tanh.arena)
    calls.list += [tanh.address, place]
    (result,) = calls.arrays(tanh)
    kept = calls.filled(place, (5, 3), np.dtype(np.float32))
    assert calls.run()
    np.testing.assert_allclose(result, np.tanh(X @ W), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(kept, X @ W, rtol=1e-5, atol=1e-6)
    assert not result.flags.writeable and not kept.flags.writeable and not calls.list


def test_operands_in_any_layout() -> None:
    total = piece(lambda x: st.sum(x, axis=0), (5, 7))
    calls = Calls()
    calls.arena = total.arena
    calls.list += [total.address, calls.address(np.asfortranarray(X))]
    (result,) = calls.arrays(total)
    assert calls.run()
    np.testing.assert_allclose(result, X.sum(axis=0), rtol=1e-5, atol=1e-6)


def test_several_results() -> None:
    both = piece(lambda x: (x + 1.0, st.sum(x)), (5, 7))
    calls = Calls()
    calls.arena = both.arena
    calls.list += [both.address, calls.address(X)]
    results = calls.arrays(both)
    assert calls.run()
    np.testing.assert_allclose(results[0], X + 1, rtol=1e-6)
    assert float(results[1]) == pytest.approx(float(X.sum()), rel=1e-4)


def test_an_error_in_values_stops_the_list_and_the_next_list_is_fine() -> None:
    inputs = st.symbol("x", (5, 7)), st.symbol("i", (2,), "int64")
    graph = Graph([x.node for x in inputs], [st.take(*inputs, axis=0).node])
    look_up = piece_of(CpuProgram(graph, REFERENCE))
    assert look_up is not None
    calls = Calls()
    for index, is_right in (((0, 9), False), ((4, 1), True)):
        calls.arena = look_up.arena
        calls.list += [look_up.address, calls.address(X), calls.address(np.array(index))]
        (result,) = calls.arrays(look_up)
        assert calls.run() is is_right
        calls.end()
    np.testing.assert_array_equal(result, X[[4, 1]])


def test_memory_is_used_again_and_given_up() -> None:
    calls = Calls()
    first = calls.take(128)
    calls.give(first, 128)
    assert calls.take(128) == first
    assert calls.take(128) != first
    calls.take(2 * KEPT)
    calls.end()
    assert sum(chunk.nbytes for chunk in calls._chunks) <= KEPT


def test_zeros_are_apart_from_what_calls_on_the_list_use() -> None:
    double = piece(lambda x: x * 2.0, (5, 7))
    calls = Calls()
    place = calls.take(double.size)
    calls.list += [double.address, calls.address(X), place]
    calls.give(place, double.size)
    zeros, size = calls.zeros(X.nbytes)
    assert zeros != place and size == double.size
    kept, none = (calls.filled(where, X.shape, X.dtype) for where in (place, zeros))
    assert calls.run()
    np.testing.assert_array_equal(kept, 2 * X)
    np.testing.assert_array_equal(none, 0 * X)


def test_what_needs_python_is_no_piece() -> None:
    assert piece(lambda x: st.linalg.svd(x).S, (5, 5)) is None
