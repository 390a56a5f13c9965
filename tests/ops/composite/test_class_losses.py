"""Losses of classes against float64 NumPy; gradients; classes that do not exist, in every mode."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special

import septet as st
from septet import nn
from septet.base.errors import ArgumentError, DTypeError, IndexOutOfRangeError, ShapeError
from tests.ops.composite.support import check_gradients, draw, in_all_modes

Z = draw(4, 3, seed=1)
Y = np.array([2, 0, 1, 2])
W = np.array([0.5, 2.0, 1.0])
LOG_P = scipy.special.log_softmax(Z, -1)
PICKED = LOG_P[np.arange(4), Y]
SIGNS = np.sign(draw(4, 3, seed=5))
BITS = (SIGNS + 1) / 2
SOFT = scipy.special.softmax(draw(4, 3, seed=6), -1)
MODES = {
    "define-by-run": lambda call, *arrays: call(*arrays).numpy(),
    "compile": lambda call, *arrays: st.compile(call)(*arrays),
    "function": lambda call, *arrays: _function(call, arrays, known=True),
    "function of unknown sizes": lambda call, *arrays: _function(call, arrays, known=False),
}


def _function(call, arrays, known):
    shapes = [a.shape if known else (None,) * a.ndim for a in arrays]
    symbols = [st.symbol(f"x{n}", s, a.dtype.name) for n, (s, a) in enumerate(zip(shapes, arrays, strict=True))]
    return st.function(symbols, call(*symbols), allow_unused=True)(*arrays)


def sigmoid_bce(z, t, w=1.0):
    return -(w * t * scipy.special.log_expit(z) + (1 - t) * scipy.special.log_expit(-z))


def focal(z, t, gamma, alpha):
    p = scipy.special.expit(z)
    right = np.where(t == 1, p, 1 - p)
    return -np.where(t == 1, alpha, 1 - alpha) * (1 - right) ** gamma * np.log(right)


def crammer_singer(z, y, margin):
    others = np.where(np.arange(3) == y[:, None], -np.inf, z).max(-1)
    return np.maximum(margin + others - z[np.arange(4), y], 0)


# name -> (loss, arguments, what it must be for each example)
LOSSES = {
    "cross_entropy": (st.cross_entropy, (Z, Y), -PICKED),
    "cross_entropy of probabilities": (st.cross_entropy, (Z, SOFT), -(SOFT * LOG_P).sum(-1)),
    "cross_entropy, smooth": (
        lambda z, y, **w: st.cross_entropy(z, y, label_smoothing=0.1, **w), (Z, Y),
        -0.9 * PICKED - 0.1 * LOG_P.mean(-1),
    ),
    "cross_entropy of probabilities, smooth": (
        lambda z, y, **w: st.cross_entropy(z, y, label_smoothing=0.1, **w), (Z, SOFT),
        -((0.9 * SOFT + 0.1 / 3) * LOG_P).sum(-1),
    ),
    "negative_log_likelihood": (st.negative_log_likelihood, (LOG_P, Y), -PICKED),
    "binary_cross_entropy": (st.binary_cross_entropy, (Z, BITS), sigmoid_bce(Z, BITS)),
    "binary_cross_entropy of shares": (st.binary_cross_entropy, (Z, SOFT), sigmoid_bce(Z, SOFT)),
    "binary_cross_entropy, weighted": (
        lambda z, t, **w: st.binary_cross_entropy(z, t, positive_weight=3.0, **w), (Z, SOFT), sigmoid_bce(Z, SOFT, 3.0)
    ),
    "binary_cross_entropy, smooth": (
        lambda z, t, **w: st.binary_cross_entropy(z, t, label_smoothing=0.2, **w), (Z, BITS),
        sigmoid_bce(Z, BITS * 0.8 + 0.1),
    ),
    "binary_focal_loss": (
        lambda z, t, **w: st.binary_focal_loss(z, t, 1.5, 0.25, **w), (Z, BITS), focal(Z, BITS, 1.5, 0.25)
    ),
    "hinge_loss": (st.hinge_loss, (Z, SIGNS), np.maximum(1 - Z * SIGNS, 0)),
    "squared_hinge_loss": (st.squared_hinge_loss, (Z, SIGNS), np.maximum(1 - Z * SIGNS, 0) ** 2),
    "multiclass_hinge_loss": (
        lambda z, y, **w: st.multiclass_hinge_loss(z, y, 0.7, **w), (Z, Y), crammer_singer(Z, Y, 0.7)
    ),
}  # fmt: skip
OF_CLASSES = [name for name, (_, arrays, _) in LOSSES.items() if arrays[1].dtype.kind == "i"]


@pytest.mark.parametrize("name", LOSSES)
def test_values(name):
    loss, arrays, exact = LOSSES[name]
    found = in_all_modes(lambda *a: loss(*a, reduction="none"), *arrays)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, exact, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(loss(*arrays), exact.mean(), rtol=1e-10)
    np.testing.assert_allclose(loss(*arrays, reduction="sum"), exact.sum(), rtol=1e-10)
    short = loss(arrays[0].astype(np.float32), *arrays[1:], reduction="none")
    np.testing.assert_allclose(short, exact, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_gradients(name):
    loss, arrays, _ = LOSSES[name]
    check_gradients(lambda *a: loss(*a, reduction="none"), *arrays, wrt=[0])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", OF_CLASSES)
@pytest.mark.parametrize("wrong", [-1, 3, -100, 2**40])
def test_a_class_that_does_not_exist(name, mode, wrong):
    loss, (logits, _), _ = LOSSES[name]
    labels = np.array([2, 0, wrong, 1])
    with pytest.raises(IndexOutOfRangeError) as caught:
        MODES[mode](loss, logits, labels)
    text = str(caught.value)
    assert text.startswith(f"{name.split(',')[0]}: class {wrong} at position 2 does not exist: there are 3 classes")
    assert "  labels" in text and "int64[" in text and "test_class_losses.py" in text


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", OF_CLASSES)
def test_a_gradient_alone_refuses_the_class_too(name, mode):
    loss, (logits, _), _ = LOSSES[name]
    call = lambda z, y: st.grad(lambda logits: loss(logits, y, reduction="sum"))(z)
    with pytest.raises(IndexOutOfRangeError, match=rf"{name.split(',')[0]}: class -1 at position 3 does not exist"):
        MODES[mode](call, logits, np.array([2, 0, 1, -1]))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "uint64", "int32"])
def test_labels_of_any_integer_dtype(dtype):
    np.testing.assert_allclose(st.cross_entropy(Z, Y.astype(dtype)), -PICKED.mean(), rtol=1e-10)
    with pytest.raises(IndexOutOfRangeError, match="class 3 at position 0"):
        st.cross_entropy(Z, np.array([3, 0, 0, 0], dtype)).numpy()
    big = np.iinfo(dtype).max
    with pytest.raises(IndexOutOfRangeError, match=f"class {big} at position 1"):
        st.cross_entropy(Z, np.array([0, big, 0, 0], dtype)).numpy()


def test_the_position_in_several_axes_and_of_a_scalar():
    logits = draw(2, 3, 5)
    with pytest.raises(IndexOutOfRangeError, match=r"class 3 at position \(1, 4\) does not exist"):
        st.cross_entropy(logits, np.array([[0] * 5, [0, 1, 2, 0, 3]]), axis=1).numpy()
    with pytest.raises(IndexOutOfRangeError, match="cross_entropy: class 7 does not exist"):
        st.cross_entropy(Z[0], np.array(7)).numpy()
    with pytest.raises(IndexOutOfRangeError, match="there is only class 0"):
        st.cross_entropy(Z[:, :1], Y).numpy()


@pytest.mark.parametrize("axis", [1, -2])
def test_the_class_axis_may_be_anywhere(axis):
    logits, labels = draw(2, 3, 5), np.random.default_rng(2).integers(0, 3, (2, 5))
    log_p = scipy.special.log_softmax(logits, 1)
    exact = -np.take_along_axis(log_p, labels[:, None], 1)[:, 0]
    for loss, scores in ((st.cross_entropy, logits), (st.negative_log_likelihood, log_p)):
        found = in_all_modes(lambda z, y, loss=loss: loss(z, y, axis=axis, reduction="none"), scores, labels)
        np.testing.assert_allclose(found, exact, rtol=1e-10)
    one_hot = np.moveaxis(np.eye(3)[labels], -1, 1)
    found = in_all_modes(lambda z, y: st.cross_entropy(z, y, axis=axis, reduction="none"), logits, one_hot)
    np.testing.assert_allclose(found, exact, rtol=1e-10)


def test_weights_of_classes():
    own = W[Y]
    call = lambda z, y, w, **words: st.cross_entropy(z, y, class_weights=w, **words)
    found = in_all_modes(lambda *a: call(*a, reduction="none"), Z, Y, W)
    np.testing.assert_allclose(found, -own * PICKED, rtol=1e-10)
    np.testing.assert_allclose(in_all_modes(call, Z, Y, W), -(own * PICKED).sum() / own.sum(), rtol=1e-10)
    np.testing.assert_allclose(st.negative_log_likelihood(LOG_P, Y, class_weights=W), call(Z, Y, W), rtol=1e-10)
    smooth = -0.9 * own * PICKED - 0.1 * (W * LOG_P).mean(-1)
    np.testing.assert_allclose(call(Z, Y, W, label_smoothing=0.1), smooth.sum() / own.sum(), rtol=1e-10)
    soft = -(W * SOFT * LOG_P).sum(-1)
    np.testing.assert_allclose(in_all_modes(call, Z, SOFT, W), soft.mean(), rtol=1e-10)
    check_gradients(call, Z, Y, W)


def test_a_label_to_ignore():
    labels = np.array([2, -100, 1, -100])
    kept = np.array([True, False, True, False])
    call = lambda z, y, **words: st.cross_entropy(z, y, ignore_index=-100, **words)
    found = in_all_modes(lambda *a: call(*a, reduction="none"), Z, labels)
    exact = np.where(kept, -LOG_P[np.arange(4), np.where(kept, labels, 0)], 0)
    np.testing.assert_allclose(found, exact, rtol=1e-10)
    np.testing.assert_allclose(in_all_modes(call, Z, labels), exact.sum() / 2, rtol=1e-10)
    weighted = call(Z, labels, class_weights=W, label_smoothing=0.1)
    own = W[labels[kept]]
    smooth = 0.9 * own * exact[kept] - 0.1 * (W * LOG_P[kept]).mean(-1)
    np.testing.assert_allclose(weighted, smooth.sum() / own.sum(), rtol=1e-10)
    g = st.grad(call)(st.asarray(Z), labels).numpy()
    assert (g[~kept] == 0).all() and (g[kept] != 0).all()
    with pytest.raises(IndexOutOfRangeError, match="class -1 at position 1"):
        call(Z, np.array([0, -1, 0, 0])).numpy()
    assert np.isnan(call(Z, np.full(4, -100)).numpy())  # the mean of nothing


def test_logits_far_apart_neither_overflow_nor_underflow():
    z = np.float32([[1e4, 0, -1e4]])
    for label, exact in ((0, 0), (1, 1e4), (2, 2e4)):
        np.testing.assert_allclose(st.cross_entropy(z, np.array([label])), exact)
    np.testing.assert_allclose(
        st.binary_cross_entropy(z, np.float32([[1, 0, 1]]), reduction="none"), [[0, np.log(2), 1e4]]
    )
    focal_loss = lambda z: st.binary_focal_loss(z, np.float32([[1, 0, 1]]), 0.5)
    assert np.isfinite(st.grad(focal_loss)(st.asarray(z)).numpy()).all()


def test_a_focal_loss_with_gamma_0_is_the_cross_entropy():
    found = st.binary_focal_loss(Z, BITS, 0.0, reduction="none")
    np.testing.assert_allclose(found, sigmoid_bce(Z, BITS), rtol=1e-10)


def test_shapes_that_do_not_fit():
    for labels in (np.zeros((4, 1), int), np.zeros(3, int), np.zeros((4, 3), int), np.array(0)):
        with pytest.raises(ShapeError, match="integer labels must have the shape of the logits without the class axis"):
            st.cross_entropy(Z, labels)
    with pytest.raises(ShapeError, match="a loss never broadcasts"):
        st.cross_entropy(Z, np.ones((1, 3)))
    with pytest.raises(ShapeError, match=r"class_weights has shape \(2,\), one weight for each class is \(3,\)"):
        st.cross_entropy(Z, Y, class_weights=[1.0, 2.0])
    z, y = st.symbol("z", (None, None)), st.symbol("y", (None,), "int64")
    f = st.function([z, y], st.cross_entropy(z, y))
    with pytest.raises(ShapeError, match=r"cross_entropy: the shape is \(1,\), it must be \(4,\)"):
        f(Z.astype(np.float32), Y[:1])
    for loss in (st.binary_cross_entropy, st.binary_focal_loss, st.hinge_loss, st.squared_hinge_loss):
        with pytest.raises(ShapeError, match="a loss never broadcasts"):
            loss(Z, BITS[:1])


def test_bad_arguments():
    with pytest.raises(DTypeError, match="cross_entropy: labels must be integers or floats, got bool"):
        st.cross_entropy(Z, Y > 0)
    with pytest.raises(DTypeError, match="takes floats and integer labels"):
        st.negative_log_likelihood(LOG_P, SOFT)
    with pytest.raises(ArgumentError, match="label_smoothing must be between 0 and 1"):
        st.cross_entropy(Z, Y, label_smoothing=1.5)
    with pytest.raises(ArgumentError, match="ignore_index is for integer labels"):
        st.cross_entropy(Z, SOFT, ignore_index=-100)
    with pytest.raises(ArgumentError, match="cross_entropy: axis 2 is out of range"):
        st.cross_entropy(Z, Y, axis=2)
    with pytest.raises(ArgumentError, match="cross_entropy: axis -1 is out of range"):
        st.cross_entropy(1.0, 0)


def test_vmap_over_examples():
    found = st.vmap(lambda z, y: st.cross_entropy(z, y))(Z, Y)
    np.testing.assert_allclose(found, -PICKED, rtol=1e-10)
    with pytest.raises(IndexOutOfRangeError, match="cross_entropy: class 3 at position 2"):
        st.vmap(lambda z, y: st.cross_entropy(z, y))(Z, np.array([0, 0, 3, 0])).numpy()


def test_an_embedding_and_take_count_from_the_end_and_one_hot_gives_zeros():
    table = nn.Embedding(4, 2)
    rows = table(np.array([3, -1])).numpy()
    np.testing.assert_array_equal(rows[0], rows[1])
    for bad in (4, -5):
        with pytest.raises(IndexOutOfRangeError, match=f"index {bad} at position 1 is out of range"):
            table(np.array([0, bad])).numpy()
        with pytest.raises(IndexOutOfRangeError, match=f"index {bad}"):
            st.take(np.arange(4), np.array([bad])).numpy()
    np.testing.assert_array_equal(st.one_hot([0, 2, 3, -1], 3), [[1, 0, 0], [0, 0, 1], [0, 0, 0], [0, 0, 0]])
