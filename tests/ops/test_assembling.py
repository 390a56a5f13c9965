"""Putting together and taking apart, against NumPy; every function also with sizes that are not known beforehand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import septet  # noqa: F401  (registers everything)
from septet.backends.reference.program import run_graph
from septet.base.errors import ArgumentError, ShapeError
from septet.graph.context import TRACKED
from septet.graph.graph import Graph
from septet.graph.node import Node, constant, symbol
from septet.graph.op import as_node
from septet.graph.types import tensor_type
from septet.ops import assembling as a
from septet.run import eager
from septet.transform.vjp import vjp

X = np.random.default_rng(0).normal(size=(3, 4, 5))


def value(node: Node) -> np.ndarray:
    """The value of a node, computed now."""
    if node.value is None:
        eager.evaluate(node)
    return node.value


def unknown(call: Callable[..., Any], *arrays: np.ndarray) -> list[np.ndarray]:
    """The results of a function recorded for inputs without known sizes, then run."""
    symbols = [symbol(tensor_type(x.dtype, (None,) * x.ndim)) for x in arrays]
    found = call(*symbols)
    outputs = list(found) if isinstance(found, (tuple, list)) else [found]
    return run_graph(Graph(symbols, outputs), list(arrays))


def same(found: Any, expected: Any) -> None:
    """The same dtype, shape and elements."""
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    np.testing.assert_array_equal(found, expected)


SAME: list[tuple[str, Callable[[Any], Any], Callable[[Any], Any]]] = [
    ("roll flat", lambda x: a.roll(x, 7), lambda x: np.roll(x, 7)),
    ("roll negative", lambda x: a.roll(x, -2, axis=1), lambda x: np.roll(x, -2, axis=1)),
    ("roll far", lambda x: a.roll(x, 11, axis=-1), lambda x: np.roll(x, 11, axis=-1)),
    ("roll several", lambda x: a.roll(x, (1, 2), axis=(0, 2)), lambda x: np.roll(x, (1, 2), axis=(0, 2))),
    ("roll one axis twice", lambda x: a.roll(x, (1, 1), axis=0), lambda x: np.roll(x, (1, 1), axis=0)),
    ("roll one shift", lambda x: a.roll(x, 1, axis=(0, 1)), lambda x: np.roll(x, 1, axis=(0, 1))),
    ("flip", lambda x: a.flip(x), np.flip),
    ("flip one", lambda x: a.flip(x, axis=1), lambda x: np.flip(x, 1)),
    ("flip two", lambda x: a.flip(x, axis=(0, -1)), lambda x: np.flip(x, (0, -1))),
    ("tile", lambda x: a.tile(x, (2, 1, 3)), lambda x: np.tile(x, (2, 1, 3))),
    ("tile fewer", lambda x: a.tile(x, 2), lambda x: np.tile(x, 2)),
    ("tile more", lambda x: a.tile(x, (2, 1, 1, 2)), lambda x: np.tile(x, (2, 1, 1, 2))),
    ("tile none", lambda x: a.tile(x, (0, 1, 1)), lambda x: np.tile(x, (0, 1, 1))),
    ("repeat", lambda x: a.repeat(x, 3, axis=1), lambda x: np.repeat(x, 3, axis=1)),
    ("repeat flat", lambda x: a.repeat(x, 2), lambda x: np.repeat(x, 2)),
    ("repeat no times", lambda x: a.repeat(x, 0, axis=0), lambda x: np.repeat(x, 0, axis=0)),
    ("pad", lambda x: a.pad(x, ((1, 0), (0, 2), (0, 0)), value=2.5),
     lambda x: np.pad(x, ((1, 0), (0, 2), (0, 0)), constant_values=2.5)),
    ("pad edge", lambda x: a.pad(x, 2, "edge"), lambda x: np.pad(x, 2, "edge")),
    ("pad reflect", lambda x: a.pad(x, (1, 2), "reflect"), lambda x: np.pad(x, (1, 2), "reflect")),
    ("pad reflect wide", lambda x: a.pad(x, 7, "reflect"), lambda x: np.pad(x, 7, "reflect")),
    ("pad wrap", lambda x: a.pad(x, ((0, 1), 2, (3, 0)), "wrap"),
     lambda x: np.pad(x, ((0, 1), (2, 2), (3, 0)), "wrap")),
    ("pad wrap wide", lambda x: a.pad(x, 9, "wrap"), lambda x: np.pad(x, 9, "wrap")),
    ("tril", lambda x: a.tril(x, k=1), lambda x: np.tril(x, 1)),
    ("triu", lambda x: a.triu(x, k=-2), lambda x: np.triu(x, -2)),
    ("triu far", lambda x: a.triu(x, k=9), lambda x: np.triu(x, 9)),
    ("flatten", lambda x: a.flatten(x), lambda x: x.reshape(-1)),
    ("expand_dims", lambda x: a.expand_dims(x, (0, -1)), lambda x: np.expand_dims(x, (0, -1))),
    ("moveaxis", lambda x: a.moveaxis(x, (0, 1), (-1, 0)), lambda x: np.moveaxis(x, (0, 1), (-1, 0))),
    ("swapaxes", lambda x: a.swapaxes(x, 0, -1), lambda x: np.swapaxes(x, 0, -1)),
    ("matrix_transpose", lambda x: a.matrix_transpose(x), lambda x: x.swapaxes(-1, -2)),
    ("permute_dims", lambda x: a.permute_dims(x, (2, 0, 1)), lambda x: x.transpose(2, 0, 1)),
    ("concatenate", lambda x: a.concatenate([x, x], axis=1), lambda x: np.concatenate([x, x], axis=1)),
    ("concatenate flat", lambda x: a.concatenate([x, x], axis=None), lambda x: np.concatenate([x, x], axis=None)),
    ("stack", lambda x: a.stack([x, x], axis=-1), lambda x: np.stack([x, x], axis=-1)),
]  # fmt: skip


@pytest.mark.parametrize("row", SAME, ids=lambda row: row[0])
def test_same_as_numpy(row: tuple[str, Any, Any]) -> None:
    """With sizes known while recording, and with none of them known."""
    _, call, expected = row
    same(value(call(as_node(X))), expected(X))
    same(unknown(call, X)[0], expected(X))


@pytest.mark.parametrize("count", [1, 2, 4])
def test_split_into_equal_parts(count: int) -> None:
    """Known and unknown sizes give the parts of NumPy."""
    expected = np.split(X, count, axis=1)
    for found in ([value(n) for n in a.split(as_node(X), count, axis=1)], unknown(lambda x: a.split(x, count, 1), X)):
        assert len(found) == count
        for part, other in zip(found, expected, strict=True):
            same(part, other)


def test_split_by_sizes() -> None:
    """Sizes of the parts, empty ones too."""
    parts = [value(n) for n in a.split(as_node(X), [1, 0, 3], axis=1)]
    for part, other in zip(parts, np.split(X, [1, 1], axis=1), strict=True):
        same(part, other)


def test_split_of_an_unknown_size_that_does_not_divide() -> None:
    """The graph says so when it runs."""
    with pytest.raises(ShapeError, match="do not fill the shape"):
        unknown(lambda x: a.split(x, 3, 1), X)


def test_unstack_undoes_stack() -> None:
    """One result for each place on the axis."""
    parts = a.unstack(as_node(X), axis=1)
    assert len(parts) == 4
    same(value(a.stack(parts, axis=1)), X)


def test_repeat_with_one_count_for_each() -> None:
    """Counts as a list, as a tensor, and 0 among them."""
    for counts in ([1, 0, 2, 3], as_node(np.array([1, 0, 2, 3]))):
        same(value(a.repeat(as_node(X), counts, axis=1)), np.repeat(X, [1, 0, 2, 3], axis=1))


def test_roll_by_a_tensor() -> None:
    """A shift that is known only when the graph runs."""
    shift = symbol(tensor_type(np.dtype(np.int64), ()))
    x = symbol(tensor_type(X.dtype, X.shape))
    graph = Graph([x, shift], [a.roll(x, shift, axis=1)])
    for by in (-5, 0, 3):
        same(run_graph(graph, [X, np.array(by)])[0], np.roll(X, by, axis=1))


def test_pad_crops() -> None:
    """Negative widths, also beyond the tensor, where only padding is left."""
    same(value(a.pad(as_node(X), ((-1, 0), (0, -2), (1, -1)))), np.pad(X[1:, :-2, :-1], ((0, 0), (0, 0), (1, 0))))
    same(value(a.pad(as_node(np.array([1.0, 2.0])), (-3, 4), value=9.0)), np.array([9.0, 9.0, 9.0]))
    same(value(a.pad(as_node(np.arange(5.0)), (-2, 1), "edge")), np.array([2.0, 3.0, 4.0, 4.0]))


def test_squeeze() -> None:
    """All axes of size 1, or those named."""
    x = X[:1, :, None]
    same(value(a.squeeze(as_node(x))), x.squeeze())
    same(value(a.squeeze(as_node(x), (0, -2))), x.squeeze((0, -2)))
    same(unknown(lambda n: a.squeeze(n, 0), x)[0], x.squeeze(0))


def test_empty_tensors() -> None:
    """Nothing to move is no error."""
    empty = as_node(np.zeros((0, 3)))
    assert value(a.roll(empty, 2, axis=0)).shape == (0, 3)
    assert value(a.tile(empty, (2, 2))).shape == (0, 6)
    assert value(a.repeat(empty, 2, axis=0)).shape == (0, 3)
    assert value(a.concatenate([empty, empty])).shape == (0, 3)
    assert [value(n).shape for n in a.split(empty, 3)] == [(0, 3)] * 3
    assert a.unstack(empty) == ()


def test_concatenate_promotes() -> None:
    """The common dtype, as in arithmetic."""
    found = a.concatenate([as_node(np.ones(2, np.int32)), as_node(np.ones(2, np.float32))])
    assert found.dtype == np.result_type(np.int32, np.float32)


def test_gradient_of_concatenate_with_unknown_sizes() -> None:
    """Each part receives its own piece, where the pieces' places are known only when the graph runs."""
    x, y = (symbol(tensor_type(X.dtype, (None, 2))) for _ in range(2))
    joined = a.concatenate([x, y, x])
    seed = symbol(tensor_type(X.dtype, (None, 2)))
    gx, gy = vjp([joined], [seed], [x, y])
    assert gx is not None and gy is not None
    g = np.random.default_rng(1).normal(size=(8, 2))
    found = run_graph(Graph([x, y, seed], [gx, gy]), [np.zeros((3, 2)), np.zeros((2, 2)), g])
    np.testing.assert_array_equal(found[0], g[:3] + g[5:])
    np.testing.assert_array_equal(found[1], g[3:5])


def test_gradient_of_pad_edge_adds_up() -> None:
    """An element that was repeated receives the gradient of every copy."""
    x = constant(np.arange(3.0))
    x.flags |= TRACKED
    padded = a.pad(x, (2, 1), "edge")
    (g,) = vjp([padded], [constant(np.array([1.0, 10.0, 100.0, 1000.0, 1e4, 1e5]))], [x])
    assert g is not None
    np.testing.assert_array_equal(value(g), [111.0, 1000.0, 110000.0])


ERRORS: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: a.concatenate([]), ArgumentError, "at least one"),
    (lambda: a.stack([]), ArgumentError, "at least one"),
    (lambda: a.stack([np.ones((2, 3)), np.ones((2, 4))]), ShapeError, "sizes differ on axis 1: 3 in argument 0, 4 in"),
    (lambda: a.stack([np.ones(2), np.ones((2, 4))]), ShapeError, "ranks differ"),
    (lambda: a.split(X, 3, axis=1), ShapeError, "size 4 on axis 1 does not divide into 3"),
    (lambda: a.split(X, 0), ShapeError, "does not divide into 0"),
    (lambda: a.split(X, [1, 1], axis=1), ShapeError, "add up to 2, axis 1 has size 4"),
    (lambda: a.split(X, [5, -1], axis=1), ShapeError, "[5, -1]"),
    (lambda: a.unstack(symbol(tensor_type(X.dtype, (None,)))), ShapeError, "must be known"),
    (lambda: a.squeeze(X, 0), ShapeError, "axis 0 has size 3"),
    (lambda: a.pad(X, 1, "mirror"), ArgumentError, "mode 'mirror' does not exist"),
    (lambda: a.pad(np.zeros((0,)), 1, "edge"), ShapeError, "nothing to repeat on axis 0"),
    (lambda: a.pad(np.zeros(2), (-2, -1), "wrap"), ShapeError, "less than nothing"),
    (lambda: a.pad(X, ((1, 1),)), ArgumentError, "each of the 3 axes"),
    (lambda: a.roll(X, (1, 2, 3), axis=(0, 1)), ArgumentError, "3 shifts for 2 axes"),
    (lambda: a.repeat(X, -1, axis=0), ShapeError, "must not be negative, got -1"),
    (lambda: a.repeat(X, [1, 2], axis=0), ShapeError, "2 counts for axis 0 of size 3"),
    (lambda: a.repeat(X, 1.5, axis=0), ArgumentError, "counts are an int"),
    (lambda: a.repeat(X, symbol(tensor_type(np.dtype(np.int64), (2,)))), ShapeError, "depend on a symbol"),
    (lambda: a.moveaxis(X, (0, 0), (1, 2)), ArgumentError, "distinct axes"),
    (lambda: a.matrix_transpose(np.ones(3)), ShapeError, "at least two axes"),
    (lambda: a.expand_dims(X, 4), ArgumentError, "out of range"),
]  # fmt: skip


@pytest.mark.parametrize("row", ERRORS, ids=lambda row: row[2])
def test_errors_say_what_is_wrong(row: tuple[Any, Any, str]) -> None:
    """The class and the values."""
    call, error, text = row
    with pytest.raises(error) as caught:
        call()
    assert text in str(caught.value)
