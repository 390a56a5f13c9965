import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from septet.backends.reference.program import ReferenceProgram
from septet.base import dtypes
from septet.base.errors import ArgumentError, DTypeError, ShapeError
from septet.graph.graph import Graph
from septet.graph.node import symbol
from septet.graph.types import tensor_type
from septet.ops.pool import (
    adaptive_average_pool,
    adaptive_max_pool,
    average_pool,
    global_average_pool,
    global_max_pool,
    max_pool,
    max_pool_gather,
    max_pool_gradient,
    sum_pool,
    sum_pool_transpose,
)
from septet.run import eager
from septet.transform.vjp import vjp


def value(node):
    eager.evaluate(node)
    return node.value


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def windows_of(x, window, stride, padding, dilation, fill):
    """Yield (index of the window, its elements) over the last axes of a padded array."""
    rank, lead = len(window), x.ndim - len(window)
    padded = np.pad(x, [(0, 0)] * lead + list(padding), constant_values=fill)
    counts = [(padded.shape[lead + a] - dilation[a] * (window[a] - 1) - 1) // stride[a] + 1 for a in range(rank)]
    for at in itertools.product(*map(range, counts)):
        index = tuple(
            slice(i * s, i * s + d * (k - 1) + 1, d) for i, s, d, k in zip(at, stride, dilation, window, strict=True)
        )
        yield counts, at, padded[(..., *index)]


@settings(max_examples=40)
@given(st.data())
def test_pooling_is_its_definition(data):
    rank = data.draw(st.integers(1, 3))
    axes = lambda low, high: tuple(data.draw(st.integers(low, high)) for _ in range(rank))
    window, stride, dilation, low, high = axes(1, 3), axes(1, 3), axes(1, 2), axes(0, 1), axes(0, 1)
    spatial = tuple(d * (k - 1) + 1 + more for d, k, more in zip(dilation, window, axes(0, 3), strict=True))
    words = {"window": window, "stride": stride, "padding": tuple(zip(low, high, strict=True)), "dilation": dilation}
    x = np.round(draw(2, *spatial))  # with ties
    highest, total = value(max_pool(x, **words)), value(sum_pool(x, **words))
    for (counts, at, seen), (_, _, summed) in zip(
        windows_of(x, fill=-np.inf, **words), windows_of(x, fill=0, **words), strict=True
    ):
        assert highest.shape == total.shape == (2, *counts)
        every = tuple(range(1, rank + 1))
        np.testing.assert_array_equal(highest[(slice(None), *at)], seen.max(axis=every))
        np.testing.assert_allclose(total[(slice(None), *at)], summed.sum(axis=every), atol=1e-12)
    g = draw(*total.shape, seed=1)
    np.testing.assert_allclose(
        np.sum(x * value(sum_pool_transpose(g, size=spatial, **words))), np.sum(total * g), atol=1e-10
    )
    spread = value(max_pool_gradient(g, x, **words))
    t = draw(*x.shape, seed=2)
    np.testing.assert_allclose(np.sum(spread * t), np.sum(value(max_pool_gather(t, x, **words)) * g), atol=1e-10)
    np.testing.assert_allclose(value(max_pool_gather(x, x, **words)), np.where(np.isinf(highest), 0, highest))


def test_the_first_maximum_gets_the_gradient():
    x = np.array([[[1.0, 3.0, 3.0, 2.0]]])
    assert value(max_pool_gradient(np.array([[[5.0]]]), x, window=4)).tolist() == [[[0, 5, 0, 0]]]


def test_nan_is_a_maximum():
    x = np.array([[[1.0, np.nan, 3.0, np.nan]]])
    assert np.isnan(value(max_pool(x, window=4))).all()
    assert value(max_pool_gradient(np.array([[[5.0]]]), x, window=4)).tolist() == [[[0, 5, 0, 0]]]


def test_infinite_elements_are_told_from_padding():
    x = np.full((1, 1, 2), -np.inf)
    y = max_pool(x, window=2, stride=1, padding=1)
    assert value(y).tolist() == [[[-np.inf] * 3]]
    g = np.array([[[1.0, 2.0, 4.0]]])
    assert value(max_pool_gradient(g, x, window=2, stride=1, padding=1)).tolist() == [[[3, 4]]]


def test_integers_are_padded_with_their_smallest():
    x = np.array([[[-5, -7, -9]]], np.int8)
    y = max_pool(x, window=2, padding=1)
    assert y.dtype == np.int8
    assert value(y).tolist() == [[[-5, -7]]]
    with pytest.raises(DTypeError, match="complex64"):
        max_pool(x.astype(np.complex64), window=2)


@pytest.mark.parametrize(
    "size,window,stride,padding,count",
    [(5, 2, 2, 0, 3), (6, 2, 2, 0, 3), (7, 3, 2, 1, 4), (5, 2, 3, 1, 2), (4, 1, 3, 0, 2)],
)
def test_ceil_mode_lets_a_window_hang_over_if_it_begins_inside(size, window, stride, padding, count):
    x = np.arange(1.0, size + 1).reshape(1, 1, size)
    y = value(max_pool(x, window=window, stride=stride, padding=padding, ceil_mode=True))
    starts = [i * stride - padding for i in range(count)]
    assert y[0, 0].tolist() == [x[0, 0, max(s, 0) : s + window].max() for s in starts]
    assert starts[-1] + stride >= size or starts[-1] + window >= size + padding


def test_average_counts_padding_or_not():
    x = np.ones((1, 1, 3, 3))
    words = {"window": 2, "stride": 2, "padding": 1}
    assert value(average_pool(x, **words)).tolist() == [[[[0.25, 0.5], [0.5, 1.0]]]]
    assert value(average_pool(x, **words, count_include_pad=False)).tolist() == [[[[1, 1], [1, 1]]]]
    # what hangs over by ceil_mode never counts: windows begin at -1, 1 and 3
    y = value(average_pool(np.ones((1, 1, 4)), window=2, padding=1, stride=2, ceil_mode=True))
    assert y.tolist() == [[[0.5, 1, 0.5]]]
    y = value(average_pool(np.ones((1, 1, 5)), window=2, ceil_mode=True))
    assert y.tolist() == [[[1, 1, 1]]]


def test_average_of_integers_and_short_floats():
    assert value(average_pool(np.array([[[1, 2, 3, 4]]]), window=2)).tolist() == [[[1.5, 3.5]]]
    y = average_pool(np.ones((1, 1, 4), dtypes.bfloat16), window=2, padding=1, count_include_pad=False)
    assert y.dtype == dtypes.bfloat16
    assert value(y).astype(float).tolist() == [[[1, 1, 1]]]


def test_global_pooling():
    x = draw(2, 3, 4, 5)
    np.testing.assert_allclose(value(global_average_pool(x)), x.mean((2, 3)))
    np.testing.assert_allclose(value(global_max_pool(x, keepdims=True)), x.max((2, 3), keepdims=True))
    with pytest.raises(ShapeError, match="at least 3"):
        global_average_pool(x[0, 0])


@pytest.mark.parametrize("wanted", [1, 2, 3, 4, 7, 9])
def test_adaptive_pooling(wanted):
    x = draw(2, 3, 7, 5)
    parts = [x[:, :, i * 7 // wanted : -(-(i + 1) * 7 // wanted)] for i in range(wanted)]
    for pool, reduce in ((adaptive_average_pool, np.mean), (adaptive_max_pool, np.max)):
        y = value(pool(x, (wanted, None)))
        np.testing.assert_allclose(y, np.stack([reduce(part, axis=2) for part in parts], 2), atol=1e-12)
    with pytest.raises(ArgumentError, match="one entry for each of 2"):
        adaptive_max_pool(x, (1, 2, 3))


def test_sizes_may_be_unknown():
    x = symbol(tensor_type(dtypes.float64, (None, 2, None, 6)))
    y = max_pool(x, window=2)
    mean = average_pool(x, window=3, stride=2, padding=1, count_include_pad=False)
    assert y.shape == (None, 2, None, 3)
    gradients = []
    for result in (y, mean):
        gradients += vjp([result], [result], [x])
    assert gradients[0].shape == (None, 2, None, 6)
    run = ReferenceProgram(Graph([x], [y, mean, *gradients]))
    data = draw(2, 2, 5, 6)
    found = run([data])
    np.testing.assert_array_equal(found[0], value(max_pool(data, window=2)))
    np.testing.assert_allclose(
        found[1], value(average_pool(data, window=3, stride=2, padding=1, count_include_pad=False))
    )
    np.testing.assert_allclose(np.sum(found[2] * data), np.sum(found[0] ** 2))
    np.testing.assert_allclose(np.sum(found[3] * data), np.sum(found[1] ** 2))
    with pytest.raises(ArgumentError, match="sizes that are known"):
        max_pool(x, window=2, ceil_mode=True)


def test_the_message_marks_the_axis():
    with pytest.raises(ShapeError) as caught:
        max_pool(np.zeros((1, 8, 2, 2), "float32"), window=3)
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("max_pool: the window is larger than the padded input on axis 2: 3 against 2 + 0 + 0")
    assert lines[2].rstrip() == " " * (lines[1].index("8, 2") + 3) + "^"
