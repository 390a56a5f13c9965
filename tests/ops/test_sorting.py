"""Sorting and searching: stability, NaN, ties, batches of tables, unknown sizes, derivatives in both modes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies
from hypothesis.extra import numpy as arrays

import septet as st
from septet.base.errors import ArgumentError, DTypeError, ShapeError

SMALL = arrays.arrays(np.int32, arrays.array_shapes(max_dims=3, max_side=5), elements=strategies.integers(-3, 3))


@settings(max_examples=40)
@given(SMALL, strategies.data())
def test_order_is_stable(x, data):
    axis = data.draw(strategies.integers(-x.ndim, x.ndim - 1))
    np.testing.assert_array_equal(st.sort(st.asarray(x), axis=axis), np.sort(x, axis=axis))
    np.testing.assert_array_equal(st.argsort(st.asarray(x), axis=axis), np.argsort(x, axis=axis, kind="stable"))
    down = st.argsort(st.asarray(x), axis=axis, descending=True).numpy()
    np.testing.assert_array_equal(down, np.argsort(-x, axis=axis, kind="stable"))  # equal ones keep their order
    np.testing.assert_array_equal(st.sort(st.asarray(x), axis=axis, descending=True), -np.sort(-x, axis=axis))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_nan_counts_as_the_largest(dtype):
    x = st.asarray([2.0, np.nan, -np.inf, np.inf]).astype(dtype)
    np.testing.assert_array_equal(x.sort().astype("float64"), [-np.inf, 2, np.inf, np.nan])
    np.testing.assert_array_equal(st.sort(x, descending=True).astype("float64"), [np.nan, np.inf, 2, -np.inf])
    assert st.top_k(x, 2).indices.tolist() == [1, 3]
    assert st.top_k(x, 2, largest=False).indices.tolist() == [2, 0]


def test_unsigned_and_bool_sort_downwards():
    x = st.asarray(np.array([0, 255, 3], np.uint8))
    assert st.sort(x, descending=True).tolist() == [255, 3, 0]
    assert st.argsort(st.asarray([True, False, True]), descending=True).tolist() == [0, 2, 1]


def test_gradients_go_to_where_elements_came_from():
    w = st.Variable(np.array([[3.0, 1.0, 2.0], [5.0, 6.0, 4.0]]))
    weights = st.asarray(np.array([1.0, 10.0, 100.0]))
    (st.sort(w, axis=1) * weights).sum().backward()
    np.testing.assert_array_equal(w.grad, [[100, 1, 10], [10, 100, 1]])
    w.zero_grad()
    (st.top_k(w, 2, axis=1).values * weights[:2]).sum().backward()
    np.testing.assert_array_equal(w.grad, [[1, 0, 10], [10, 1, 0]])
    _, t = st.jvp(lambda x: st.top_k(x, 1, axis=1).values, (w,), (st.asarray(np.arange(6.0).reshape(2, 3)),))
    np.testing.assert_array_equal(t, [[0], [4]])


def test_top_k():
    x = np.random.default_rng(0).normal(size=(4, 6))
    values, indices = st.top_k(st.asarray(x), 3, axis=0)
    np.testing.assert_array_equal(values, -np.sort(-x, axis=0)[:3])
    np.testing.assert_array_equal(np.take_along_axis(x, indices.numpy(), 0), values)
    assert st.top_k(st.asarray([1, 2, 2, 2]), 2).indices.tolist() == [1, 2]
    with pytest.raises(ArgumentError, match=r"k=7 elements of axis 1, which has 6"):
        st.top_k(st.asarray(x), 7)
    call = st.function([n := st.symbol("n", (None,))], st.topk(n, 2).values)
    assert call(np.array([1, 5, 3], np.float32)).tolist() == [5, 3]
    with pytest.raises(ArgumentError, match="which has 1"):
        call(np.ones(1, np.float32))


@settings(max_examples=40)
@given(strategies.lists(strategies.integers(-4, 4), max_size=6), SMALL, strategies.sampled_from(["left", "right"]))
def test_searchsorted(table, values, side):
    table = np.sort(np.array(table, np.int32))
    found = st.searchsorted(st.asarray(table), st.asarray(values), side=side)
    np.testing.assert_array_equal(found, np.searchsorted(table, values, side))
    assert found.dtype == np.int64


def test_searchsorted_of_several_tables():
    tables = np.array([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]])
    values = np.array([[2.0, 9.0], [15.0, 30.0]])
    assert st.searchsorted(st.asarray(tables), st.asarray(values)).tolist() == [[1, 3], [1, 2]]
    shuffled, order = tables[:, [2, 0, 1]], np.array([[1, 2, 0]] * 2)
    assert st.searchsorted(st.asarray(shuffled), st.asarray(values), sorter=order).tolist() == [[1, 3], [1, 2]]
    assert st.searchsorted(st.asarray([1, 2, 3]), 2.5).item() == 2
    each = st.vmap(st.searchsorted)(st.asarray(tables), st.asarray(values[:, 0]))
    assert each.tolist() == [1, 1]
    with pytest.raises(ShapeError, match="axis 0 differs"):
        st.searchsorted(st.asarray(tables), st.ones((3, 2)))
    with pytest.raises(ArgumentError, match="'left' or 'right', got 'up'"):
        st.searchsorted(st.asarray(tables), st.ones((2, 2)), side="up")


@settings(max_examples=40)
@given(SMALL, strategies.lists(strategies.integers(-5, 5), max_size=20), strategies.booleans())
def test_isin(x, among, invert):
    among = np.array(among, np.int32)
    np.testing.assert_array_equal(
        st.isin(st.asarray(x), st.asarray(among), invert=invert), np.isin(x, among, invert=invert)
    )


def test_isin_of_mixed_dtypes_and_nan():
    many = np.linspace(0, 5, 21)
    assert st.isin(st.asarray([0, 1, 7]), st.asarray(many)).tolist() == [True, True, False]
    assert st.isin(st.asarray([np.nan, 1.0]), st.asarray([np.nan, *many])).tolist() == [False, True]
    assert st.isin(st.asarray([1j, 2.0]), [1j] * 10).tolist() == [True, False]
    n = st.symbol("n", (None,))
    assert st.function([n], st.isin(st.asarray([1.0, 2.0]), n))(np.array([2.0], np.float32)).tolist() == [False, True]


def test_complex_numbers_have_no_order():
    for call in (st.sort, st.argsort, lambda x: st.top_k(x, 1)):
        with pytest.raises(DTypeError, match="not defined for dtype complex64"):
            call(st.ones((2,), dtype="complex64"))
