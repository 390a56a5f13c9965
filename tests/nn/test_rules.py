"""Constraints and regularizers: of tensors, of the variables of a model by their roles, in a compiled step."""

import numpy as np
import pytest

import septet as st
from septet import nn

W = np.random.default_rng(2).normal(size=(4, 3)).astype(np.float32)
K = np.random.default_rng(3).normal(size=(4, 3, 2)).astype(np.float32)


def columns(array):
    return np.linalg.norm(array, axis=0)


def test_constraints_of_matrices_and_kernels():
    limit = float(columns(W).mean())
    short = nn.constraints.MaxNorm(limit)(st.tensor(W)).numpy()
    assert np.allclose(columns(short), np.minimum(columns(W), limit), rtol=1e-5)
    assert np.allclose(columns(nn.constraints.UnitNorm()(st.tensor(W))), 1)
    filters = nn.constraints.UnitNorm()(st.tensor(K)).numpy()
    assert np.allclose(np.linalg.norm(filters.reshape(4, -1), axis=1), 1)
    rows = nn.constraints.UnitNorm(axes=1)(st.tensor(W)).numpy()
    assert np.allclose(np.linalg.norm(rows, axis=1), 1)
    assert np.array_equal(nn.constraints.NonNegative()(st.tensor(W)), np.maximum(W, 0))
    half = nn.constraints.MinMaxNorm(5.0, 6.0, rate=0.5)(st.tensor(W)).numpy()
    assert np.allclose(columns(half), (columns(W) + 5) / 2, rtol=1e-5)
    assert not nn.constraints.MaxNorm(1.0)(st.zeros((3, 2))).numpy().any()


def test_regularizers():
    x = st.tensor(W)
    assert np.isclose(float(nn.regularizers.L1(0.1)(x)), 0.1 * abs(W).sum())
    assert np.isclose(float(nn.regularizers.L2(0.1)(x)), 0.1 * (W**2).sum())
    assert np.isclose(float(nn.regularizers.L1L2(0.1, 0.2)(x)), 0.1 * abs(W).sum() + 0.2 * (W**2).sum())
    for mode, matrix in (("rows", W), ("columns", W.T)):
        unit = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
        count = len(unit)
        expected = abs(unit @ unit.T - np.eye(count)).sum() / (count * (count - 1))
        assert np.isclose(float(nn.regularizers.Orthogonal(1.0, mode)(x)), expected, rtol=1e-5)


def test_roles_say_which_variables_are_meant():
    model = nn.Sequential(nn.Dense(3), nn.BatchNorm(), nn.Dense(2))
    model.build_for(np.zeros((2, 4), np.float32))
    assert float(nn.regularization_loss(model)) == 0.0
    model.regularize(nn.regularizers.L2(0.5))
    model[0].regularize("l1", "bias")
    model[0].bias.assign([1.0, -2.0, 0.0])
    weights = sum((v.value**2).sum() for v in model.variables("weight"))
    loss = nn.regularization_loss(model)
    assert np.isclose(float(loss), 0.5 * weights + 0.01 * 3)
    loss.backward()
    assert np.allclose(model[2].kernel.grad, model[2].kernel.value)
    assert model[1].scale.grad is None
    assert nn.LeakyReLU(0.5).regularize("l2")(st.tensor([-2.0])).tolist() == [-1.0]


def test_a_compiled_step_trains_under_rules():
    model = nn.Dense(1, use_bias=False, kernel_initializer="zeros").constrain("non_negative")
    model.constrain(nn.constraints.MaxNorm(1.5)).regularize(nn.regularizers.L2(0.1))
    x = np.random.default_rng(0).normal(size=(64, 2)).astype(np.float32)
    y = x @ np.float32([[3.0], [-2.0]])
    optimizer = st.optim.SGD(model.parameters(), learning_rate=0.1)

    @st.compile
    def step(x, y):
        loss = nn.losses.mean_squared_error(model(x), y) + nn.regularization_loss(model)
        loss.backward()
        optimizer.step()
        nn.apply_constraints(model)
        return loss

    for _ in range(30):
        step(x, y)
    assert model.kernel.value[1] == 0 and np.isclose(model.kernel.value[0], 1.5, atol=1e-3)
    model.constrain(nn.constraints.MaxNorm(0.5))  # a change of the rules is seen by the compiled step
    step(x, y)
    assert np.isclose(np.linalg.norm(model.kernel.value), 0.5, atol=1e-3)


def test_penalties_on_activities_count_once_and_only_while_training():
    layer = nn.ActivityRegularization(nn.regularizers.L1(0.5))
    model = nn.Sequential(nn.Dense(3), layer)
    y = model(W.T)
    loss = nn.regularization_loss(model)
    assert np.isclose(float(loss), 0.5 * abs(y.numpy()).sum() / 3, rtol=1e-5)
    loss.backward()
    assert model[0].kernel.grad is not None and float(nn.regularization_loss(model)) == 0.0
    model.eval()(W.T)
    assert float(nn.regularization_loss(model)) == 0.0
    model.zero_grad()
    history = model.fit((W.T, np.array([0, 1, 2])), epochs=1, verbose=False)
    plain = nn.Sequential(model[0]).evaluate((W.T, np.array([0, 1, 2])))
    assert history[-1]["loss"] > plain["loss"]
    symbol = st.symbol("x", (None, 4))
    assert layer.train()(symbol).type.shape == (None, 4)


def test_fit_follows_the_rules():
    model = nn.Sequential(nn.Dense(2, use_bias=False)).regularize(nn.regularizers.L2(0.5)).constrain("unit_norm")
    x = np.random.default_rng(0).normal(size=(32, 3)).astype(np.float32)
    labels = (x[:, 0] > 0).astype(np.int64)
    history = model.fit((x, labels), epochs=2, metrics=["accuracy"], verbose=False)
    assert np.allclose(np.linalg.norm(model[0].kernel.value, axis=0), 1, atol=1e-5)
    found = model.evaluate((x, labels))
    plain = float(nn.losses.cross_entropy(model(x), labels))
    assert np.isclose(found["loss"], plain + 0.5 * 2, rtol=1e-4) and history[-1]["loss"] > 0.9


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: nn.Dense(2).constrain("max_nrom"), "Did you mean 'max_norm'"),
        (lambda: nn.Dense(2).regularize("l3"), "regularizer 'l3' does not exist"),
        (lambda: nn.Dense(2).regularize("l2", "weights"), "role 'weights' does not exist"),
        (lambda: nn.constraints.MaxNorm(0), "limit must be a number above 0"),
        (lambda: nn.constraints.MinMaxNorm(2, 1), "0 <= low <= high"),
        (lambda: nn.constraints.UnitNorm(axes=2)(st.tensor(W)), "do not all exist"),
        (lambda: nn.regularizers.L1(-1), "l1 must be a number of at least 0"),
        (lambda: nn.regularizers.Orthogonal(mode="both"), "'rows' or 'columns'"),
        (lambda: nn.regularizers.Orthogonal()(st.ones(3)), "takes matrices"),
    ],
)
def test_mistakes_are_named(call, text):
    with pytest.raises(st.errors.ArgumentError, match=text):
        call()
