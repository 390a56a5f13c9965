"""Networks of the lasagne dialect learn; update rules, losses and initial values against NumPy."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import pytest
from sklearn.datasets import load_digits

import septet.dialects.lasagne as lasagne
import septet.dialects.theano as theano
import septet.dialects.theano.tensor as T
from septet.dialects.lasagne import init, layers, objectives, regularization, updates, utils


def mlp(entry):
    network = layers.DropoutLayer(layers.DenseLayer(entry, 64), p=0.2)
    return layers.DenseLayer(network, 10, nonlinearity=lasagne.nonlinearities.softmax)


def cnn(entry):
    network = layers.MaxPool2DLayer(layers.batch_norm(layers.Conv2DLayer(entry, 8, 3, W=init.HeNormal("relu"))), 2)
    return layers.DenseLayer(network, 10, nonlinearity=lasagne.nonlinearities.softmax)


@pytest.mark.parametrize("build", [mlp, cnn])
def test_a_network_learns_digits(build) -> None:
    lasagne.random.set_rng(np.random.RandomState(1))
    digits = load_digits()
    images, labels = (digits.images[:, None] / 16).astype(theano.config.floatX), digits.target.astype("int32")
    x, t = T.tensor4("inputs"), T.ivector("targets")
    network = build(layers.InputLayer((None, 1, 8, 8), x))
    loss = objectives.categorical_crossentropy(layers.get_output(network), t).mean()
    loss += 1e-4 * regularization.regularize_network_params(network, regularization.l2)
    params = layers.get_all_params(network, trainable=True)
    train = theano.function([x, t], loss, updates=updates.nesterov_momentum(loss, params, 0.1, 0.9))
    accuracy = objectives.categorical_accuracy(layers.get_output(network, deterministic=True), t).mean()
    test = theano.function([x, t], accuracy)
    for epoch in range(4):
        order = np.random.RandomState(epoch).permutation(1500)
        losses = [train(images[order[i : i + 50]], labels[order[i : i + 50]]) for i in range(0, 1500, 50)]
    assert np.mean(losses) < 0.35 and test(images[1500:], labels[1500:]) > 0.87
    lasagne.random.set_rng(np.random)


def trained(build, dtype):
    """Return the parameters of a network after a step, for a batch whose size is open until then."""
    with theano.configparser.change_flags(floatX=dtype):
        lasagne.random.set_rng(np.random.RandomState(1))
        x = T.tensor4("x")
        network = layers.DenseLayer(build(layers.InputLayer((None, 4, 6, 6), x)), 3, nonlinearity=None)
        loss = T.sum(T.sqr(layers.get_output(network)))
        params = layers.get_all_params(network)
        step = theano.function([x], loss, updates=updates.sgd(loss, params, 0.01))
        step(np.random.RandomState(2).standard_normal((5, 4, 6, 6)).astype(dtype))
        lasagne.random.set_rng(np.random)
        return [param.get_value() for param in params]


@pytest.mark.parametrize(
    "build",
    [
        lambda entry: layers.FeaturePoolLayer(entry, 4),  # the gradient of a maximum has graphs of its own inside
        lambda entry: layers.Conv2DLayer(entry, 6, 3, num_groups=2),  # the filters lie backwards, in groups
    ],
    ids=["maxout", "groups"],
)
def test_single_precision_agrees_with_double(build) -> None:
    for single, double in zip(trained(build, "float32"), trained(build, "float64"), strict=True):
        assert single.dtype == np.float32
        np.testing.assert_allclose(single, double, rtol=1e-4, atol=1e-4)


def reference(name: str, g, steps: int):
    """Return where a parameter is that begins at 1, whose gradient is g times itself."""
    w, m, v, u = 1.0, 0.0, 0.0, 0.0
    for t in range(1, steps + 1):
        d = g * w
        if name == "sgd":
            w -= 0.1 * d
        elif name == "momentum":
            m = 0.9 * m - 0.1 * d
            w += m
        elif name == "nesterov_momentum":
            m = 0.9 * m - 0.1 * d
            w += 0.9 * m - 0.1 * d
        elif name == "adagrad":
            v += d * d
            w -= 0.1 * d / np.sqrt(v + 1e-6)
        elif name == "rmsprop":
            v = 0.9 * v + 0.1 * d * d
            w -= 0.1 * d / np.sqrt(v + 1e-6)
        elif name == "adadelta":
            v = 0.95 * v + 0.05 * d * d
            step = d * np.sqrt(u + 1e-6) / np.sqrt(v + 1e-6)
            u = 0.95 * u + 0.05 * step * step
            w -= 0.1 * step
        else:
            m = 0.9 * m + 0.1 * d
            if name == "adamax":
                v = max(0.999 * v, abs(d))
                w -= 0.1 / (1 - 0.9**t) * m / (v + 1e-8)
            else:
                v = 0.999 * v + 0.001 * d * d
                u = max(u, v) if name == "amsgrad" else v
                w -= 0.1 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t) * m / (np.sqrt(u) + 1e-8)
    return w


RULES = ["sgd", "momentum", "nesterov_momentum", "adagrad", "rmsprop", "adadelta", "adam", "adamax", "amsgrad"]


@pytest.mark.parametrize("name", RULES)
def test_update_rules(name: str) -> None:
    w = theano.shared(np.ones(2))
    loss = T.sum(T.constant([1.0, 3.0]) * w**2) / 2
    found = getattr(updates, name)(loss, [w], learning_rate=0.1)
    assert isinstance(found, OrderedDict)
    step = theano.function([], loss, updates=found)
    for _ in range(5):
        step()
    np.testing.assert_allclose(w.get_value(), [reference(name, g, 5) for g in (1.0, 3.0)])


def test_norm_constraints() -> None:
    w = np.random.default_rng(0).standard_normal((3, 4))
    found = updates.norm_constraint(T.constant(w), 0.5).eval()
    np.testing.assert_allclose(np.linalg.norm(found, axis=0), np.minimum(0.5, np.linalg.norm(w, axis=0)), rtol=1e-6)
    scaled, norm = updates.total_norm_constraint([T.constant(w), T.constant(2 * w)], 1, return_norm=True)
    assert norm.eval() == pytest.approx(np.sqrt(5) * np.linalg.norm(w))
    np.testing.assert_allclose(scaled[1].eval(), 2 * w / norm.eval(), rtol=1e-6)
    with pytest.raises(ValueError, match="shared variables only"):
        updates.sgd(T.sum(T.constant(w)), [T.constant(w)], 0.1)


def test_losses() -> None:
    rng = np.random.default_rng(1)
    p, t = rng.uniform(0.1, 0.9, (6, 4)), rng.integers(0, 4, 6)
    p /= p.sum(1, keepdims=True)
    chosen = p[np.arange(6), t]
    x, k = T.constant(p), T.constant(t.astype("int32"))
    np.testing.assert_allclose(objectives.categorical_crossentropy(x, k).eval(), -np.log(chosen))
    others = np.where(np.eye(4)[t] == 1, -np.inf, p).max(1)
    np.testing.assert_allclose(objectives.multiclass_hinge_loss(x, k).eval(), np.maximum(0, 1 + others - chosen))
    np.testing.assert_array_equal(
        objectives.categorical_accuracy(x, k, top_k=2).eval(), (p > chosen[:, None]).sum(1) < 2
    )
    a, b = rng.standard_normal((2, 6)) * 2
    d = np.abs(a - b)
    want = np.where(d <= 1, d * d / 2, d - 0.5)
    np.testing.assert_allclose(objectives.huber_loss(T.constant(a), T.constant(b)).eval(), want)
    weighted = objectives.aggregate(T.constant(d), T.constant(chosen), mode="normalized_sum").eval()
    assert weighted == pytest.approx(np.average(d, weights=chosen))


def test_initial_values() -> None:
    lasagne.random.set_rng(np.random.RandomState(3))
    assert init.GlorotUniform().sample((400, 100)).std() == pytest.approx(np.sqrt(2 / 500), rel=0.05)
    assert init.HeNormal("relu").sample((40, 20, 5)).std() == pytest.approx(np.sqrt(2 / 100), rel=0.05)
    assert (np.count_nonzero(init.Sparse(0.25).sample((40, 5)), axis=0) == 10).all()
    basis = init.Orthogonal().sample((4, 3, 5))
    np.testing.assert_allclose(basis.reshape(4, 15) @ basis.reshape(4, 15).T, np.eye(4), atol=1e-6)
    with pytest.raises(RuntimeError, match="length >= 2"):
        init.HeUniform().sample((3,))
    with pytest.raises(ValueError, match=r"has shape \(2,\), should be \(3,\)"):
        utils.create_param(np.ones(2), (3,), name="w")
    lasagne.random.set_rng(np.random)
