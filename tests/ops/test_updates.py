"""Updates by keys: every kind against NumPy, in every mode, with unknown sizes and symbols, and their gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import septet  # noqa: F401  (registers everything)
from septet.backends.reference.program import run_graph
from septet.base import dtypes
from septet.base.errors import ArgumentError, DTypeError, IndexOutOfRangeError, ShapeError
from septet.graph.context import TRACKED
from septet.graph.graph import Graph
from septet.graph.node import Node, constant, symbol
from septet.graph.op import as_node
from septet.graph.types import tensor_type
from septet.ops import updates as u
from septet.run import eager
from septet.transform.vjp import vjp
from tests.ops.random_keys import SHAPE, expected, keys

X = np.arange(1.0, 25.0).reshape(SHAPE)
INDEX = tensor_type(dtypes.int64, ())
MODES: dict[str, Any] = {
    "set": (u.set_item, None), "add": (u.index_add, np.add), "multiply": (u.index_multiply, np.multiply),
    "max": (u.index_max, np.maximum), "min": (u.index_min, np.minimum),
}  # fmt: skip


def value(node: Node) -> np.ndarray:
    """The value of a node, computed now."""
    if node.value is None:
        eager.evaluate(node)
    return node.value


def updated(x: np.ndarray, key: Any, v: Any, mode: str) -> np.ndarray:
    """What NumPy gives."""
    result = x.copy()
    ufunc = MODES[mode][1]
    if ufunc is None:
        result[key] = v
    else:
        ufunc.at(result, key, v)
    return result


@given(keys(), st.sampled_from(sorted(MODES)), st.integers(0, 3), st.booleans())
@settings(max_examples=400)
def test_every_key_in_every_mode(key: Any, mode: str, drop: int, is_unknown: bool) -> None:
    """With values of the selected shape and of lower ranks, which are broadcast."""
    shape = expected(X, key).shape[drop:]
    v = np.random.default_rng(0).uniform(-30, 30, shape)
    want = updated(X, key, v, mode)
    call = MODES[mode][0]
    if is_unknown:
        x, new = (symbol(tensor_type(a.dtype, (None,) * a.ndim)) for a in (X, v))
        found = run_graph(Graph([x, new], [call(x, key, new)]), [X, v])[0]
    else:
        found = value(call(as_node(X), key, v))
    assert found.dtype == X.dtype
    np.testing.assert_allclose(found, want, rtol=1e-13)


@given(keys(), st.sampled_from(sorted(MODES)), st.booleans())
@settings(max_examples=80)
def test_gradients_of_every_key_and_mode(key: Any, mode: str, is_unknown: bool) -> None:
    """Against central differences, with respect to the tensor and to the values."""
    generator = np.random.default_rng(1)
    arrays = [generator.uniform(1, 2, SHAPE), generator.uniform(1, 2, expected(X, key).shape)]
    weight = generator.uniform(1, 2, SHAPE)
    if is_unknown:
        x, v = (symbol(tensor_type(a.dtype, (None,) * a.ndim)) for a in arrays)
        gradients = vjp([MODES[mode][0](x, key, v)], [constant(weight)], [x, v])
        left = iter(run_graph(Graph([x, v], [g for g in gradients if g is not None]), arrays))
        found = [None if g is None else next(left) for g in gradients]
    else:
        x, v = (constant(a.copy()) for a in arrays)
        x.flags |= TRACKED
        v.flags |= TRACKED
        found = [g if g is None else value(g) for g in vjp([MODES[mode][0](x, key, v)], [constant(weight)], [x, v])]
    step = 1e-6
    for position, g in enumerate(found):
        direction = generator.uniform(-1, 1, arrays[position].shape)
        ends = [updated(*[a + s * step * direction if i == position else a for i, a in enumerate(arrays)][:1], key,
                        *[a + s * step * direction if i == position else a for i, a in enumerate(arrays)][1:], mode)
                for s in (1, -1)]  # fmt: skip
        slope = float(np.sum(weight * (ends[0] - ends[1]))) / (2 * step)
        own = 0.0 if g is None else float(np.sum(g * direction))
        assert own == pytest.approx(slope, rel=1e-5, abs=1e-5)


def test_a_value_that_was_overwritten_has_no_gradient() -> None:
    """Of repeated indices the last one counts; ties of max share evenly; add gives all of them theirs."""
    for mode, own, new in (
        ("set", [1.0, 0.0, 1.0], [0.0, 1.0]),
        ("max", [1.0, 0.0, 1.0], [0.5, 0.5]),
        ("add", [1.0, 1.0, 1.0], [1.0, 1.0]),
    ):
        x, v = constant(np.array([1.0, 2.0, 3.0])), constant(np.array([5.0, 5.0]))
        x.flags |= TRACKED
        v.flags |= TRACKED
        gx, gv = vjp([MODES[mode][0](x, np.array([1, 1]), v)], [constant(np.ones(3))], [x, v])
        assert gx is not None and gv is not None
        np.testing.assert_array_equal(value(gx), own)
        np.testing.assert_array_equal(value(gv), new)


def test_products_with_zeros_have_the_right_gradient() -> None:
    """The derivative for a factor is the product of the others, whichever of them are 0."""
    for zeros in ((), (0,), (0, 1)):
        factors = np.array([2.0, 3.0, 5.0])
        factors[list(zeros)] = 0.0
        x, v = constant(np.array([7.0])), constant(factors)
        x.flags |= TRACKED
        v.flags |= TRACKED
        gx, gv = vjp([u.index_multiply(x, np.array([0, 0, 0]), v)], [constant(np.ones(1))], [x, v])
        assert gx is not None and gv is not None
        np.testing.assert_allclose(value(gx), [factors.prod()])
        np.testing.assert_allclose(value(gv), [7 * np.delete(factors, i).prod() for i in range(3)])


MASKED: list[tuple[Any, tuple[int, ...]]] = [
    (X > 7, ()), (X > 7, (1,)), (X[..., 0] > 7, (2,)), (X[..., 0] > 7, (1, 1)), (X[:, 0, 0] > 7, (4, 2)),
    ((slice(None), X[0] > 4), ()), ((..., X[0, 0] > 1), (1,)), ((X[:, 0, 0] > 7, ...), ()), (True, (3, 4, 2)),
    (False, ()), (np.array(True), (1, 3, 4, 2)),
]  # fmt: skip


@pytest.mark.parametrize("mode", sorted(MODES))
@pytest.mark.parametrize("row", MASKED, ids=lambda row: str(row[1]))
def test_masks(row: tuple[Any, tuple[int, ...]], mode: str) -> None:
    """A mask, known or a symbol, with a value that is the same for each selected place."""
    key, shape = row
    v = np.random.default_rng(0).uniform(-30, 30, shape)
    result = X.copy()
    ufunc = MODES[mode][1]
    result[key] = v if ufunc is None else ufunc(result[key], v)
    np.testing.assert_allclose(value(MODES[mode][0](as_node(X), key, v)), result, rtol=1e-13)
    items = key if isinstance(key, tuple) else (key,)
    masks = [i for i, item in enumerate(items) if isinstance(item, np.ndarray)]
    if not masks:
        return
    mask = symbol(tensor_type(dtypes.bool_, (None,) * items[masks[0]].ndim))
    later = tuple(mask if i == masks[0] else item for i, item in enumerate(items))
    x = symbol(tensor_type(X.dtype, (None,) * 3))
    found = run_graph(Graph([x, mask], [MODES[mode][0](x, later, v)]), [X, items[masks[0]]])[0]
    np.testing.assert_allclose(found, result, rtol=1e-13)


def test_a_mask_with_one_row_of_values_for_each_place() -> None:
    """The rows go to the selected places in order; with a symbolic mask that is refused, not guessed."""
    mask = X[..., 0] > 7
    rows = np.arange(2.0 * mask.sum()).reshape(-1, 2)
    want = X.copy()
    want[mask] = rows
    np.testing.assert_array_equal(value(u.set_item(as_node(X), mask, rows)), want)
    with pytest.raises(ArgumentError, match="which row of the value goes where"):
        u.set_item(as_node(X), symbol(tensor_type(dtypes.bool_, (3, 4))), rows)


def test_a_symbolic_mask_of_another_shape_is_found() -> None:
    """Never broadcast."""
    x, mask = symbol(tensor_type(X.dtype, (None, None, None))), symbol(tensor_type(dtypes.bool_, (None, None, None)))
    graph = Graph([x, mask], [u.set_item(x, mask, 0.0)])
    for shape in ((1, 1, 1), (3, 1, 2), (4, 3, 2)):
        with pytest.raises(ShapeError):
            run_graph(graph, [X, np.ones(shape, bool)])


def test_a_mask_that_selects_one_place_broadcasts() -> None:
    """The places of two masks that are known when the graph runs: one of the first, none or several of the second."""
    x = symbol(tensor_type(X.dtype, (None,) * 3))
    first, second = (symbol(tensor_type(dtypes.bool_, (None,))) for _ in range(2))
    graph = Graph([x, first, second], [u.set_item(x, (first, second), 0.0)])
    one, none, several = np.arange(3) == 1, np.zeros(4, bool), np.arange(4) % 2 == 1
    for a, b in ((one, none), (one, several), (np.ones(3, bool), np.arange(4) > 0), (~one, several)):
        want = X.copy()
        want[a, b] = 0.0
        np.testing.assert_array_equal(run_graph(graph, [X, a, b])[0], want)
    with pytest.raises(ShapeError):
        run_graph(graph, [X, ~one, np.arange(4) > 0])


@pytest.mark.parametrize("mode", sorted(MODES))
def test_bounds_that_are_symbols(mode: str) -> None:
    """A range that is known only when the graph runs."""
    x, start, stop = symbol(tensor_type(X.dtype, SHAPE)), symbol(INDEX), symbol(INDEX)
    graph = Graph([x, start, stop], [MODES[mode][0](x, (1, slice(start, stop)), 9.0)])
    for a, b in ((0, 2), (-3, 9), (3, 1), (-9, -1)):
        want = X.copy()
        ufunc = MODES[mode][1]
        want[1, a:b] = 9.0 if ufunc is None else ufunc(want[1, a:b], 9.0)
        np.testing.assert_array_equal(run_graph(graph, [X, np.array(a), np.array(b)])[0], want)


@pytest.mark.parametrize("mode", sorted(MODES))
def test_steps_that_are_symbols(mode: str) -> None:
    """Also with bounds that are symbols, forward and back."""
    x, start, step = symbol(tensor_type(X.dtype, SHAPE)), symbol(INDEX), symbol(INDEX)
    value = np.arange(8.0).reshape(1, 4, 2)[..., :1]
    graph = Graph([x, start, step], [MODES[mode][0](x, (slice(start, None, step), slice(None), slice(None)), value)])
    ufunc = MODES[mode][1]
    for a, by in ((0, 2), (2, -1), (-1, -2), (1, 5), (3, 1)):
        want = X.copy()
        want[a::by] = value if ufunc is None else ufunc(want[a::by], value)
        np.testing.assert_array_equal(run_graph(graph, [X, np.array(a), np.array(by)])[0], want)


def test_a_slice_is_replaced_without_index_tensors() -> None:
    """Static slices and integers record one update and no indices."""
    x = symbol(tensor_type(dtypes.float32, (8, 9)))
    node = u.set_item(x, (slice(1, 5), 3), 1.0)
    assert node.op.name == "update_slice"
    seen, pending = set(), [node]
    while pending:
        found = pending.pop()
        seen.add(found.op.name)
        pending.extend(found.inputs)
    assert not seen & {"scatter", "gather", "take", "iota", "scatter_along_axis"}


def test_values_take_the_dtype_of_the_tensor() -> None:
    """As in NumPy; what has an order only is refused for complex numbers."""
    assert value(u.set_item(np.zeros(2, np.int32), 0, 2.7)).tolist() == [2, 0]
    assert u.set_item(np.zeros(2, np.float32), 0, np.float64(1)).dtype == dtypes.float32
    with pytest.raises(DTypeError, match="max needs an order"):
        u.index_max(np.zeros(2, np.complex64), 0, 1.0)


def test_an_update_does_not_touch_the_tensor() -> None:
    """It is a function."""
    x = as_node(np.zeros(3))
    value(u.set_item(x, 0, 1.0))
    np.testing.assert_array_equal(value(x), np.zeros(3))


ERRORS: list[tuple[Any, Any, type[Exception], str]] = [
    (5, 0.0, IndexOutOfRangeError, "index 5 is out of range for axis 0 with size 3"),
    ((0, slice(0, 2)), np.ones(3), ShapeError, "shape (3,) does not broadcast to the selected shape (2, 2)"),
    (0, np.ones((2, 4, 2)), ShapeError, "shape (2, 4, 2) does not broadcast to the selected shape (4, 2)"),
    ([0, 1], np.ones((3, 4, 2)), ShapeError, "does not broadcast to the selected shape (2, 4, 2)"),
    (X > 7, np.ones(2), ShapeError, "does not broadcast to the selected shape (17,)"),
    (np.ones(4, bool), 0.0, ShapeError, "a boolean mask of shape (4,) selects from axis 0 of shape (3,)"),
    (1.5, 0.0, DTypeError, "got 1.5"),
]


@pytest.mark.parametrize("row", ERRORS, ids=lambda row: row[3][:40])
def test_errors_say_what_is_wrong(row: tuple[Any, Any, Any, str]) -> None:
    """The class, the values, and both tensors."""
    key, v, error, text = row
    with pytest.raises(error) as caught:
        u.set_item(as_node(X), key, v)
    assert text in str(caught.value)
    assert "float64[3, 4, 2]" in str(caught.value)
    assert str(caught.value).startswith("x[key] = value: ")


def test_a_repeated_index_out_of_range_is_an_error_when_it_runs() -> None:
    """Never clamped, never dropped."""
    with pytest.raises(IndexOutOfRangeError, match="index 3 at position 1"):
        value(u.index_add(as_node(X), np.array([0, 3]), 1.0))
