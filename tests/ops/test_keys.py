"""Reading keys: every kind against NumPy, with known and unknown sizes, symbols in the key, gradients, errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

import septet  # noqa: F401  (registers everything)
from septet.backends.reference.program import run_graph
from septet.base import dtypes
from septet.base.errors import ArgumentError, DTypeError, IndexOutOfRangeError, ShapeError
from septet.graph.context import TRACKED
from septet.graph.graph import Graph
from septet.graph.node import Node, constant, symbol
from septet.graph.op import as_node
from septet.graph.types import tensor_type
from septet.ops.elementwise import add
from septet.ops.keys import get_item, one_hot, take_rows
from septet.run import eager
from septet.transform.vjp import vjp
from tests.ops.random_keys import SHAPE, expected, keys

X = np.arange(24.0).reshape(SHAPE)
INDEX = tensor_type(dtypes.int64, ())


def value(node: Node) -> np.ndarray:
    """The value of a node, computed now."""
    if node.value is None:
        eager.evaluate(node)
    return node.value


def unknown(x: np.ndarray, key: Any) -> np.ndarray:
    """The same key on a tensor whose sizes are not known while it is recorded."""
    node = symbol(tensor_type(x.dtype, (None,) * x.ndim))
    return run_graph(Graph([node], [get_item(node, key)]), [x])[0]


@given(keys())
@settings(max_examples=300)
def test_every_key_is_numpys(key: Any) -> None:
    """Shape and elements."""
    want = expected(X, key)
    found = value(get_item(as_node(X), key))
    assert found.shape == want.shape
    np.testing.assert_array_equal(found, want)


@given(keys())
@settings(max_examples=150)
def test_every_key_with_unknown_sizes(key: Any) -> None:
    """The graph does not need to know the sizes."""
    want = expected(X, key)
    found = unknown(X, key)
    assert found.shape == want.shape
    np.testing.assert_array_equal(found, want)


@given(keys())
@settings(max_examples=100)
def test_gradient_counts_how_often_an_element_was_selected(key: Any) -> None:
    """The gradient of the sum is that count."""
    want = expected(X, key)
    x = constant(X)
    x.flags |= TRACKED
    y = get_item(x, key)
    (g,) = vjp([y], [constant(np.ones(want.shape))], [x])
    assert g is not None
    times = np.zeros(X.size)
    np.add.at(times, expected(np.arange(X.size).reshape(X.shape), key), 1)
    np.testing.assert_array_equal(value(g), times.reshape(X.shape))


CASES: list[Any] = [
    (), ..., None, 0, -1, [0, 2], [[0, 1], [1, 2]], ([0, 1], [1, 2]), (0, slice(None), [0, 1]), (0, [0, 1]),
    ([0, 1], slice(None), 1), (slice(None), [0, 1], None, [1, 0]), ([0], ..., [0]), (0, ..., [0, 1]), [], True, False,
    (True, 0), (slice(None), True), ([True, False, True], [0, 1]), np.ones((3, 4), bool), X > 5, np.array(True),
    (None, X[..., 0] > 9, None), (np.int32(1), np.uint8(0)), (slice(np.int64(1), None), 0), (0, 0, 0),
]  # fmt: skip


@pytest.mark.parametrize("key", CASES, ids=lambda key: str(key).replace("\n", "")[:40])
def test_notable_keys(key: Any) -> None:
    """Those on which implementations differ."""
    want = X[key]
    for found in (value(get_item(as_node(X), key)), unknown(X, key)):
        assert found.shape == want.shape
        np.testing.assert_array_equal(found, want)


def test_scalars() -> None:
    """A tensor of rank 0 has keys too."""
    x = np.array(3.0)
    for key in ((), ..., None, True, False, np.array(True), (None, ...)):
        assert value(get_item(as_node(x), key)).shape == x[key].shape


@pytest.mark.parametrize("step", [None, 1, 2, 3, -1, -2])
def test_bounds_that_are_symbols(step: int | None) -> None:
    """Every start and stop, beyond both ends too, with a rank-2 tensor of known and of unknown sizes."""
    x = np.arange(10.0).reshape(5, 2)
    for type_ in (tensor_type(x.dtype, (5, 2)), tensor_type(x.dtype, (None, None))):
        node, start, stop = symbol(type_), symbol(INDEX), symbol(INDEX)
        both = Graph([node, start, stop], [get_item(node, slice(start, stop, step))])
        first = Graph([node, start], [get_item(node, (slice(start, None, step), 1))])
        last = Graph([node, stop], [get_item(node, slice(None, stop, step))])
        for a in range(-7, 8):
            np.testing.assert_array_equal(run_graph(first, [x, np.array(a)])[0], x[a::step, 1])
            np.testing.assert_array_equal(run_graph(last, [x, np.array(a)])[0], x[:a:step])
            for b in range(-7, 8, 2):
                np.testing.assert_array_equal(run_graph(both, [x, np.array(a), np.array(b)])[0], x[a:b:step])


def test_steps_that_are_symbols() -> None:
    """Forward and back, with bounds that are known and that are not; a step of 0 is an error."""
    x = np.arange(10.0).reshape(5, 2)
    node, start, step = symbol(tensor_type(x.dtype, (None, 2))), symbol(INDEX), symbol(INDEX)
    keys = [slice(start, None, step), slice(None, start, step), slice(1, -1, step), slice(None, None, step)]
    graph = Graph([node, start, step], [get_item(node, key) for key in keys])
    for by in (-6, -3, -1, 1, 2, 7):
        for a in range(-7, 8):
            wanted = x[a::by], x[:a:by], x[1:-1:by], x[::by]
            for found, want in zip(run_graph(graph, [x, np.array(a), np.array(by)]), wanted, strict=True):
                np.testing.assert_array_equal(found, want)
    with pytest.raises(IndexOutOfRangeError):
        run_graph(graph, [x, np.array(0), np.array(0)])


def test_a_bound_that_many_paths_lead_to() -> None:
    """Each node that it follows from is looked at once, not on each path."""
    x, bound = symbol(tensor_type(X.dtype, (None,))), symbol(INDEX)
    for _ in range(64):
        bound = add(bound, bound)
    assert get_item(x, slice(bound)).shape == (None,)


def test_integers_and_tensors_that_are_symbols() -> None:
    """Indices that are known only when the graph runs, and an error for one out of range."""
    x, i, t = symbol(tensor_type(X.dtype, SHAPE)), symbol(INDEX), symbol(tensor_type(dtypes.int32, (None,)))
    graph = Graph([x, i, t], [get_item(x, i), get_item(x, (slice(None), i, t)), get_item(x, (t, slice(None), i))])
    index, line = np.array(-1), np.array([0, 1, 0], np.int32)
    found = run_graph(graph, [X, index, line])
    for one, want in zip(found, (X[-1], X[:, -1, line], X[line, :, -1]), strict=True):
        np.testing.assert_array_equal(one, want)
    with pytest.raises(IndexOutOfRangeError, match="index 3 is out of range for axis 0 with size 3"):
        run_graph(Graph([x, i], [get_item(x, i)]), [X, np.array(3)])


def test_masks_that_are_symbols() -> None:
    """The size of the result is not known before the graph runs; a mask of another shape is found then."""
    x, mask = symbol(tensor_type(X.dtype, SHAPE)), symbol(tensor_type(dtypes.bool_, (None, None)))
    node = get_item(x, mask)
    assert node.shape == (None, 2)
    graph = Graph([x, mask], [node])
    for given_mask in (X[..., 0] > 7, np.zeros((3, 4), bool)):
        np.testing.assert_array_equal(run_graph(graph, [X, given_mask])[0], X[given_mask])
    for shape in ((4, 3), (1, 12), (1, 1), (3, 1), (2, 4)):
        with pytest.raises(ShapeError):
            run_graph(graph, [X, np.ones(shape, bool)])


def test_a_pending_index_is_not_computed() -> None:
    """A key of known sizes does not ask for the value of an index."""
    pending = as_node(np.array([0, 1])) + as_node(np.array([1, 1]))
    y = get_item(as_node(X), pending)
    assert pending.value is None
    np.testing.assert_array_equal(value(y), X[[1, 2]])


def test_second_order() -> None:
    """The gradient of a gradient through repeated indices."""
    x = constant(np.array([1.0, 2.0, 3.0]))
    x.flags |= TRACKED
    y = get_item(x, np.array([0, 0, 2]))
    (g,) = vjp([y * y * y], [constant(np.ones(3))], [x])
    assert g is not None
    (h,) = vjp([g], [constant(np.ones(3))], [x])
    assert h is not None
    np.testing.assert_allclose(value(g), [6.0, 0.0, 27.0])
    np.testing.assert_allclose(value(h), [12.0, 0.0, 18.0])


def test_take() -> None:
    """Any rank of indices; the axis may be left out for a vector; an empty list takes nothing."""
    np.testing.assert_array_equal(value(take_rows(X, [[0, 2], [1, 1]], axis=0)), X[[[0, 2], [1, 1]]])
    np.testing.assert_array_equal(value(take_rows(X[:, 0, 0], -1)), X[-1, 0, 0])
    assert value(take_rows(X, [], axis=1)).shape == (3, 0, 2)
    with pytest.raises(ArgumentError, match="needs an axis for a tensor of rank 3"):
        take_rows(X, [0])


def test_one_hot() -> None:
    """Along any axis; outside the range there are zeros only; the number of classes may be a symbol."""
    np.testing.assert_array_equal(value(one_hot([2, 0, 5, -1], 3)), np.eye(3)[[2, 0, 0, 0]] * [[1], [1], [0], [0]])
    np.testing.assert_array_equal(value(one_hot([2, 0], 3, axis=0, dtype="int8")), np.eye(3, dtype=np.int8)[:, [2, 0]])
    assert value(one_hot([], 3)).shape == (0, 3)
    size = symbol(INDEX)
    np.testing.assert_array_equal(run_graph(Graph([size], [one_hot([1, 0], size)]), [np.array(2)])[0], np.eye(2)[::-1])
    with pytest.raises(DTypeError, match="indices must be integers, got float32"):
        one_hot([1.0], 3)
    with pytest.raises(ArgumentError, match="out of range"):
        one_hot([1], 3, axis=2)


FLAG = symbol(tensor_type(dtypes.bool_, ()))
ERRORS: list[tuple[Any, type[Exception], str]] = [
    (3, IndexOutOfRangeError, "index 3 is out of range for axis 0 with size 3 (allowed: -3 to 2)"),
    ((0, -5), IndexOutOfRangeError, "index -5 is out of range for axis 1 with size 4 (allowed: -4 to 3)"),
    ((0, 0, 0, 0), IndexOutOfRangeError, "4 indices for a tensor of rank 3"),
    ((..., ...), ArgumentError, "only one ..."),
    (1.5, DTypeError, "indices must be integers, slices, ..., None or tensors, got 1.5"),
    ("a", DTypeError, "got 'a'"),
    (np.ones(2), DTypeError, "indices must be integers or booleans, got float64"),
    (slice(0, 1.5), DTypeError, "the stop of a slice must be an integer, got 1.5"),
    (slice(None, None, 0), ArgumentError, "step cannot be 0"),
    (np.ones(4, bool), ShapeError, "a boolean mask of shape (4,) selects from axis 0 of shape (3,)"),
    ((0, np.ones((4, 3), bool)), ShapeError, "selects from axes 1 to 2 of shape (4, 2)"),
    (np.ones((3, 4, 2, 1), bool), IndexOutOfRangeError, "4 indices for a tensor of rank 3"),
    (([0, 1], [0, 1, 2]), ShapeError, "do not broadcast"),
    (FLAG, ArgumentError, "depends on a symbolic boolean"),
]


@pytest.mark.parametrize("row", ERRORS, ids=lambda row: row[2][:40])
def test_errors_say_what_is_wrong(row: tuple[Any, Any, str]) -> None:
    """The class, the values, and the tensor."""
    key, error, text = row
    with pytest.raises(error) as caught:
        get_item(as_node(X), key)
    assert text in str(caught.value)
    assert "float64[3, 4, 2]" in str(caught.value)
    assert "test_keys.py" in str(caught.value)


def test_an_index_out_of_range_in_a_tensor_names_its_position() -> None:
    """When the value is computed, at the latest."""
    call: Callable[[], Any] = lambda: value(get_item(as_node(X), (slice(None), np.array([[0, 1], [7, -9]]))))
    with pytest.raises(IndexOutOfRangeError) as caught:
        call()
    assert "index 7 at position (1, 0) is out of range for axis 1 with size 4" in str(caught.value)
