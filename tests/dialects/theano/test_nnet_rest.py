"""Batch normalization, patches, upsampling, older convolutions and cuDNN's names of the theano dialect."""

from __future__ import annotations

import numpy as np
import pytest

import septet.dialects.theano as theano
import septet.dialects.theano.tensor as T
from septet.dialects.theano.coverage import RefusedError
from septet.dialects.theano.gpuarray import dnn
from septet.dialects.theano.sandbox import cuda
from septet.dialects.theano.sandbox.cuda.type import CudaNdarrayType
from septet.dialects.theano.sandbox.cuda.var import CudaNdarraySharedVariable
from septet.dialects.theano.tensor.nnet import abstract_conv, bn, conv3d2d, corr, ctc, neighbours, nnet
from septet.dialects.theano.tensor.nnet.blocksparse import sparse_block_dot
from septet.dialects.theano.tensor.signal import pool

X = np.random.default_rng(0).standard_normal((2, 3, 6, 5))


def test_batch_normalization() -> None:
    x, gamma, beta, mean, var = T.dtensor4("x"), *T.dvectors("gamma", "beta", "mean", "var")
    values = np.random.default_rng(1).uniform(0.5, 2, (4, 3))
    found = bn.batch_normalization_train(x, gamma, beta, "spatial", 1e-3, 0.2, mean, var)
    out, m, inverse, new_mean, new_var = theano.function([x, gamma, beta, mean, var], list(found))(X, *values)
    own = X.mean(axis=(0, 2, 3)), X.var(axis=(0, 2, 3))
    np.testing.assert_allclose(m, own[0])
    np.testing.assert_allclose(inverse, 1 / np.sqrt(own[1] + 1e-3))
    np.testing.assert_allclose(new_mean, 0.8 * values[2] + 0.2 * own[0])
    np.testing.assert_allclose(new_var, 0.8 * values[3] + 0.2 * X.var(axis=(0, 2, 3), ddof=1))
    test = bn.batch_normalization_test(x, gamma, beta, mean, var, "spatial", 1e-3)
    again = theano.function([x, gamma, beta, mean, var], test)(X, values[0], values[1], *own)
    np.testing.assert_allclose(again, out)
    with pytest.raises(ValueError, match="at least 1e-5"):
        bn.batch_normalization_train(x, gamma, beta, "spatial", 1e-9)


@pytest.mark.parametrize("mode", neighbours.MODES)
def test_patches(mode: str) -> None:
    x = T.dtensor4("x")
    image = X[:, :, :, :5]
    shape, step = ((3, 3), (1, 2)) if mode in ("wrap_centered", "ignore_borders") else ((2, 3), (1, 2))
    found = neighbours.images2neibs(x, shape, step, mode).eval({x: image})
    pad = {"half": (1, 1), "full": (1, 2)}.get(mode, (0, 0))
    padded = np.pad(image, [(0, 0), (0, 0), *[(p, p) for p in pad]])
    if mode == "wrap_centered":
        padded = np.pad(image, [(0, 0), (0, 0), (1, 1), (1, 1)], mode="wrap")
    windows = np.lib.stride_tricks.sliding_window_view(padded, shape, axis=(2, 3))[:, :, :: step[0], :: step[1]]
    np.testing.assert_array_equal(found, windows.reshape(-1, shape[0] * shape[1]))


def test_patches_back_to_images() -> None:
    x = T.dtensor4("x")
    patches = neighbours.images2neibs(x, (3, 5))
    np.testing.assert_array_equal(neighbours.neibs2images(patches, (3, 5), x.shape).eval({x: X}), X)
    ragged = neighbours.images2neibs(x, (4, 2), mode="ignore_borders")
    back = neighbours.neibs2images(ragged, (4, 2), x.shape, "ignore_borders").eval({x: X})
    np.testing.assert_array_equal(back[:, :, :4, :4], X[:, :, :4, :4])
    assert not back[:, :, 4:].any() and not back[:, :, :, 4:].any()


def test_patches_that_do_not_fit_are_refused() -> None:
    x, rows, sizes = T.dtensor4("x"), T.dmatrix("rows"), T.lvector("sizes")
    f = theano.function([x], neighbours.images2neibs(x, (2, 2)))
    with pytest.raises(TypeError, match=r"neib_shape\[0\]"):
        f(np.ones((1, 1, 5, 4)))
    g = theano.function([rows, sizes], neighbours.neibs2images(rows, (2, 2), sizes))
    with pytest.raises(ValueError, match="do not cover"):
        g(np.ones((4, 4)), [1, 1, 5, 4])


def test_bilinear_upsampling() -> None:
    x = T.dtensor4("x")
    ways = [abstract_conv.bilinear_upsampling(x, 3, use_1D_kernel=way) for way in (True, False)]
    found = theano.function([x], ways)(X)
    np.testing.assert_allclose(*found, atol=1e-12)
    np.testing.assert_allclose(found[0][:, :, 1::3, 1::3], X, atol=1e-12)
    row = np.interp(np.arange(15) / 3 - 1 / 3, np.arange(5), X[0, 0, 0])
    np.testing.assert_allclose(found[0][0, 0, 1], row, atol=1e-12)
    fraction = abstract_conv.bilinear_upsampling(x, frac_ratio=(6, 2), use_1D_kernel=False)
    np.testing.assert_allclose(fraction.eval({x: X}), found[0], atol=1e-12)


def test_other_forms_of_convolution_agree() -> None:
    x, w = T.dtensor4("x"), T.dtensor4("w")
    kernel = np.random.default_rng(2).standard_normal((4, 3, 3, 2))
    expected = abstract_conv.conv2d(x, w, border_mode="half", filter_flip=False).eval({x: X, w: kernel})
    flipped = T.dtensor4("w")[:, :, ::-1, ::-1]
    for out in (corr.CorrMM("half")(x, w), dnn.dnn_conv(x, w, "half", conv_mode="cross")):
        np.testing.assert_allclose(out.eval({x: X, w: kernel}), expected)
    assert flipped.ndim == 4
    back = corr.CorrMM_gradInputs("half")(w, out, shape=x.shape[2:])
    assert back.eval({x: X, w: kernel}).shape == X.shape
    films, filters = T.TensorType("float64", [False] * 5)("films"), T.TensorType("float64", [False] * 5)("filters")
    movie = np.random.default_rng(3).standard_normal((2, 4, 3, 6, 5))  # (B, T, C, H, W)
    short = np.random.default_rng(4).standard_normal((2, 3, 3, 2, 2))
    found = conv3d2d.conv3d(films, filters).eval({films: movie, filters: short})
    cut = np.lib.stride_tricks.sliding_window_view(movie, (3, 2, 2), axis=(1, 3, 4))
    np.testing.assert_allclose(found, np.einsum("btchwijk,oicjk->btohw", cut, short[:, ::-1, :, ::-1, ::-1]))
    pooled = dnn.dnn_pool(x, (2, 2), (2, 1), "average_exc_pad", (1, 1)).eval({x: X})
    np.testing.assert_allclose(pooled, pool.pool_2d(x, (2, 2), True, (2, 1), (1, 1), "average_exc_pad").eval({x: X}))


def test_a_gpu_is_refused() -> None:
    assert not cuda.cuda_available and not dnn.dnn_available()
    with pytest.raises(RefusedError, match="runs on the CPU"):
        cuda.use("gpu0")
    with pytest.raises(RefusedError, match=r"theano\.gpuarray\.dnn\.GpuDnnConv is not supported"):
        dnn.GpuDnnConv


def test_ctc_of_labels_with_padding() -> None:
    x, labels, lengths = T.ftensor3("x"), T.imatrix("labels"), T.ivector("lengths")
    cost = ctc.ctc(x, labels, lengths)
    logits = np.zeros((2, 2, 3), "float32")  # two steps, three classes, all alike
    value = theano.function([x, labels, lengths], cost)(logits, [[1, -1], [1, 2]], [2, 2])
    np.testing.assert_allclose(np.exp(-value), [3 / 9, 1 / 9], rtol=1e-6)


def test_blocks_and_a_softmax_in_two_levels() -> None:
    rng = np.random.default_rng(5)
    w, h, b = rng.standard_normal((3, 4, 2, 5)), rng.standard_normal((2, 2, 2)), rng.standard_normal((4, 5))
    source, target = np.array([[0, 2], [1, 0]]), np.array([[3], [1]])
    found = sparse_block_dot(*map(theano.shared, (w, h, source, b, target))).eval()
    expected = [
        [b[t[0]] + sum(h[i, k] @ w[s[k], t[0]] for k in range(2))]
        for i, (s, t) in enumerate(zip(source, target, strict=True))
    ]
    np.testing.assert_allclose(found, expected)
    x, weights = T.dmatrix("x"), [rng.standard_normal(s) for s in ((4, 3), (3,), (3, 4, 3), (3, 3))]
    y = T.lvector("y")
    every = nnet.h_softmax(x, 2, 8, 3, 3, *map(theano.shared, weights))
    some = nnet.h_softmax(x, 2, 8, 3, 3, *map(theano.shared, weights), target=y)
    value, picked = theano.function([x, y], [every, some])(rng.standard_normal((2, 4)), [7, 2])
    np.testing.assert_allclose(picked, value[[0, 1], [7, 2]])


def test_rows_begin_with_a_number_and_what_is_no_matrix_is_refused() -> None:
    x = T.dmatrix()
    found = theano.function([x], nnet.prepend_1_to_each_row(x))(np.arange(6.0).reshape(2, 3))
    assert found.tolist() == [[1.0, 0.0, 1.0, 2.0], [1.0, 3.0, 4.0, 5.0]]
    with pytest.raises(TypeError, match="a matrix"):
        nnet.prepend_0_to_each_row(T.dvector())
    with pytest.raises(TypeError, match="integer vector"):
        nnet.crossentropy_categorical_1hot(x, T.dvector())
    with pytest.raises(TypeError, match="matrix required"):
        nnet.crossentropy_categorical_1hot(T.dvector(), T.lvector())


def test_nothing_is_on_a_gpu() -> None:
    """Programs ask types and variables; ``theano.sandbox.cuda`` is there without an import."""
    assert theano.sandbox.cuda is cuda and not cuda.cuda_enabled
    assert not isinstance(T.matrix().type, CudaNdarrayType)
    assert not isinstance(theano.shared(1.0), CudaNdarraySharedVariable)
    with pytest.raises(RefusedError, match="runs on the CPU"):
        CudaNdarrayType([False])
