"""Neural networks' functions of the theano dialect, against NumPy."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import signal as scipy_signal

import septet.dialects.theano as theano
import septet.dialects.theano.tensor as T
from septet.dialects.theano.tensor import nnet
from septet.dialects.theano.tensor.nnet.abstract_conv import conv2d_grad_wrt_weights, get_conv_output_shape
from septet.dialects.theano.tensor.signal import downsample, pool

X = np.random.default_rng(0).standard_normal((2, 4, 7, 8))


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def test_cross_entropies_of_a_softmax_are_finite_where_it_underflows() -> None:
    x, y = T.dmatrix("x"), T.lvector("y")
    p = nnet.softmax(x)
    costs = [
        -T.mean(T.log(p)[T.arange(y.shape[0]), y]), -T.mean(T.log(p[T.arange(y.shape[0]), y])),
        nnet.categorical_crossentropy(p, y).mean(), nnet.crossentropy_softmax_1hot(x, y)[0].mean(),
        nnet.categorical_crossentropy(p, T.eq(y.dimshuffle(0, "x"), T.arange(3))).mean(),
    ]  # fmt: skip
    a, labels = np.array([[1000.0, 0, 3], [1, 2, -2000]]), [1, 2]
    expected = (softmax(a) - np.eye(3)[labels]) / 2
    for cost in costs:
        value, gradient = theano.function([x, y], [cost, T.grad(cost, x)])(a, labels)
        assert value == pytest.approx((1000 + 2002 + np.log1p(np.exp(-1))) / 2)
        np.testing.assert_allclose(gradient, expected, atol=1e-12)


def test_binary_cross_entropies_of_a_sigmoid_are_finite_where_it_underflows() -> None:
    x, t = T.dvector("x"), T.dvector("t")
    a, targets = np.array([-800.0, 800, 0.5]), np.array([1.0, 0, 0.25])
    for cost in (nnet.binary_crossentropy(nnet.sigmoid(x), t), nnet.sigmoid_binary_crossentropy(x, t)):
        value, gradient = theano.function([x, t], [cost, T.grad(cost.sum(), x)])(a, targets)
        np.testing.assert_allclose(value, np.logaddexp(0, a) - targets * a)
        np.testing.assert_allclose(gradient, 1 / (1 + np.exp(-np.maximum(a, -700))) - targets, atol=1e-12)


def test_activations() -> None:
    x = T.dvector("x")
    a = np.linspace(-4, 4, 9)
    expected = {
        nnet.relu: np.maximum(a, 0), nnet.elu: np.where(a > 0, a, np.expm1(a)), nnet.softsign: a / (1 + abs(a)),
        nnet.softplus: np.logaddexp(0, a), nnet.hard_sigmoid: np.clip(0.2 * a + 0.5, 0, 1),
    }  # fmt: skip
    found = theano.function([x], [function(x) for function in expected])(a)
    for value, wanted in zip(found, expected.values(), strict=True):
        np.testing.assert_allclose(value, wanted, atol=1e-12)
    assert nnet.softmax(T.fvector()).ndim == 2 and nnet.sigmoid(T.bvector()).dtype == "float32"
    np.testing.assert_allclose(nnet.ultra_fast_sigmoid(x).eval({x: a}), 1 / (1 + np.exp(-a)), atol=0.02)
    np.testing.assert_allclose(nnet.relu(x, 0.1).eval({x: a}), np.where(a > 0, a, 0.1 * a), rtol=1e-6)


@pytest.mark.parametrize("mode", ["valid", "full", "half", 1, (1, 2), ((1, 0), 2)])
@pytest.mark.parametrize("is_known", [True, False])
def test_convolutions(mode: object, is_known: bool) -> None:
    kernel = np.random.default_rng(1).standard_normal((3, 4, 3, 5))
    pads = {"valid": ((0, 0), (0, 0)), "full": ((2, 2), (4, 4)), "half": ((1, 1), (2, 2)), 1: ((1, 1), (1, 1)),
            (1, 2): ((1, 1), (2, 2)), ((1, 0), 2): ((1, 0), (2, 2))}  # fmt: skip
    x, w = T.dtensor4("x"), theano.shared(kernel)
    out = nnet.conv2d(x, w, filter_shape=kernel.shape if is_known else None, border_mode=mode, subsample=(2, 1))
    padded = np.pad(X, [(0, 0), (0, 0), *pads[mode]])  # type: ignore[index]
    expected = np.stack([[sum(scipy_signal.convolve2d(i, k, "valid") for i, k in zip(image, kernels, strict=True))
                          for kernels in kernel] for image in padded])[:, :, ::2]  # fmt: skip
    value, gradient = theano.function([x], [out, T.grad((out**2).sum(), w)])(X)
    np.testing.assert_allclose(value, expected)
    assert get_conv_output_shape(X.shape, kernel.shape, mode, (2, 1)) == value.shape
    again = conv2d_grad_wrt_weights(x, 2 * out, kernel.shape, None, mode, (2, 1))
    np.testing.assert_allclose(again.eval({x: X}), gradient)


def test_locally_connected_and_grouped_convolutions() -> None:
    places, w = np.random.default_rng(2).standard_normal((6, 5, 6, 2, 3, 3)), T.TensorType("float64", [False] * 6)("w")
    x = T.dtensor4("x")
    out = nnet.conv2d(x, w, num_groups=2, unshared=True)
    expected = np.zeros((2, 6, 5, 6))
    for o, i, j in itertools.product(range(6), range(5), range(6)):
        part = X[:, 2 * (o // 3) : 2 * (o // 3) + 2, i : i + 3, j : j + 3]
        expected[:, o, i, j] = (part * places[o, i, j, :, ::-1, ::-1]).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(out.eval({x: X, w: places}), expected)
    back = nnet.conv2d_transpose(out, w, (None, None, 7, 8), num_groups=2, unshared=True)
    gradient = T.grad((out**2).sum() / 2, x)
    np.testing.assert_allclose(*theano.function([x, w], [back, gradient])(X, places))


@pytest.mark.parametrize("mode", pool.MODES)
@pytest.mark.parametrize("ignore_border", [True, False])
def test_pooling(mode: str, ignore_border: bool) -> None:
    x, sizes, steps = T.dtensor4("x"), T.lvector("sizes"), T.lvector("steps")
    pad = (1, 2) if ignore_border else (0, 0)
    value = {"max": -np.inf, "average_inc_pad": 0}.get(mode, np.nan)
    padded = np.pad(X, [(0, 0), (0, 0), *[(p, p) for p in pad]], constant_values=value)
    reduce = {"max": np.max, "sum": np.nansum}.get(mode, np.nanmean)
    places = itertools.product(range(0, 8, 2), range(0, 10 if ignore_border else 8, 2))
    windows = [reduce(padded[:, :, i : i + 2, j : j + 3], axis=(2, 3)) for i, j in places]
    expected = np.stack(windows, axis=2).reshape(2, 4, 4, -1)
    out = pool.pool_2d(x, (2, 3), ignore_border, (2, 2), pad, mode)
    found = theano.function([x], [out, T.grad((out**2).sum(), x)])(X)
    np.testing.assert_allclose(found[0], expected)
    assert list(found[0].shape) == pool.Pool.out_shape(X.shape, (2, 3), ignore_border, (2, 2), pad)
    loose = pool.pool_2d(x, sizes, ignore_border, steps, pad, mode)
    again = theano.function([x, sizes, steps], [loose, T.grad((loose**2).sum(), x)])(X, [2, 3], [2, 2])
    np.testing.assert_allclose(again[0], found[0])
    np.testing.assert_allclose(again[1], found[1])


def test_old_names_of_pooling() -> None:
    x = T.dtensor4("x")
    with pytest.warns(UserWarning, match="'ds' parameter"):
        assert downsample.max_pool_2d(x, ds=(2, 2), ignore_border=True).eval({x: X}).shape == (2, 4, 3, 4)
    kept = pool.max_pool_2d_same_size(x, (2, 2)).eval({x: X[:, :, :6]})
    assert (kept != 0).sum() == 2 * 4 * 3 * 4 and kept.max() == X[:, :, :6].max()


def test_a_known_gradient_is_all_that_flows_through_a_variable() -> None:
    x, g = T.dvector("x"), T.dvector("g")
    y = x**2
    found = T.grad(y.sum() + x.sum(), x, known_grads={y: g})
    np.testing.assert_allclose(found.eval({x: [1.0, 2], g: [3.0, 5]}), [7, 21])


@pytest.mark.parametrize("mode", ["max", "sum", "average_exc_pad"])
def test_windows_larger_than_the_image_are_none(mode):
    x = T.tensor4()
    pooled = pool.pool_2d(x, (3, 2), ignore_border=True, stride=(1, 2), mode=mode)
    run = theano.function([x], [pooled, theano.grad((pooled**2).sum(), x)])
    for shape, count in (((2, 1, 2, 5), (0, 2)), ((1, 2, 4, 1), (2, 0)), ((1, 1, 3, 2), (1, 1))):
        found, gradient = run(np.ones(shape))
        assert found.shape == (*shape[:2], *count)
        assert gradient.shape == shape and gradient.any() == (found.size > 0)


def test_shapes_given_to_convolutions_are_asserted_on_request() -> None:
    g, w = T.dtensor4("g"), T.dtensor4("w")
    with theano.change_flags(conv__assert_shape=True):
        made = T.nnet.abstract_conv.conv2d_grad_wrt_inputs(
            g, w, input_shape=(None, None, 4, 4), filter_shape=(2, 1, 3, 3)
        )
    f = theano.function([g, w], made)
    assert f(np.ones((1, 2, 2, 2)), np.ones((2, 1, 3, 3))).shape == (1, 1, 4, 4)
    with pytest.raises(AssertionError, match="shape of kern does not match"):
        f(np.ones((1, 2, 2, 2)), np.ones((1, 2, 3, 3)))
