"""Recurrent layers: masks, states, directions, truncated gradients, cells of one's own, errors."""

import numpy as np
import pytest

import septet as st
from septet import nn

RNG = np.random.default_rng(0)
B, T, C, H = 3, 5, 2, 4
X = RNG.normal(size=(B, T, C)).astype(np.float32)
LENGTHS = [5, 2, 0]


class Counter(nn.Cell):
    """Outputs twice the sum of its inputs, and counts steps."""

    state_names = ("total", "count")

    def initial_state(self, shape, dtype):
        return st.zeros(shape, dtype=dtype), st.zeros(shape[:1], dtype="int64")

    def step(self, x, state):
        total, count = state[0] + x, state[1] + 1
        return 2 * total, (total, count)


@pytest.mark.parametrize("layer", [nn.RNN, nn.LSTM, nn.GRU])
def test_padding_does_not_matter(layer):
    model = layer(H, 2, return_sequences=True, return_state=True)
    y, state = model(X, lengths=LENGTHS)
    for example, length in enumerate(LENGTHS):
        alone, last = model(X[example : example + 1, :length])
        np.testing.assert_allclose(y[example, :length], alone[0], atol=1e-6)
        assert not y.numpy()[example, length:].any()
        for a, b in zip(nested(state), nested(last)):
            np.testing.assert_allclose(a[example], b[0], atol=1e-6)
    np.testing.assert_array_equal(y, model(X, mask=np.arange(T) < np.array(LENGTHS)[:, None])[0])


def nested(state):
    return [leaf for part in state for leaf in nested(part)] if isinstance(state, tuple) else [state]


def test_a_cell_of_ones_own():
    sums = 2 * np.cumsum(X, 1)
    y, (total, count) = nn.Recurrent(Counter(), return_sequences=True, return_state=True)(X, lengths=LENGTHS)
    np.testing.assert_allclose(y[0], sums[0], rtol=1e-5)
    np.testing.assert_allclose(y[1], np.where(np.arange(T)[:, None] < 2, sums[1], 0), rtol=1e-5)
    assert count.tolist() == LENGTHS and not total.numpy()[2].any()
    last = nn.Recurrent(Counter())(X, lengths=LENGTHS)
    np.testing.assert_allclose(last, [sums[0, 4], sums[1, 1], [0, 0]], rtol=1e-5)
    np.testing.assert_allclose(nn.Recurrent(Counter())(X), sums[:, -1], rtol=1e-5)
    held = nn.Recurrent(Counter(), return_sequences=True, masked="hold")(X, lengths=LENGTHS)
    np.testing.assert_allclose(held[1, 1:], np.repeat(sums[1, 1:2], 4, 0), rtol=1e-5)
    backwards = nn.Recurrent(Counter(), return_sequences=True, go_backwards=True)(X, lengths=LENGTHS)
    np.testing.assert_allclose(backwards[1, :2], 2 * np.cumsum(X[1, 1::-1], 0)[::-1], rtol=1e-5)


def test_a_cell_by_hand_is_a_step_of_the_layer():
    layer = nn.LSTM(H, return_sequences=True, peepholes=True)
    y, state = layer(X), None
    for t in range(T):
        output, state = layer.cells[0](st.tensor(X[:, t]), state)
        np.testing.assert_allclose(output, y[:, t], atol=1e-6)


def test_states_are_handed_on():
    model = nn.GRU(H, return_sequences=True, return_state=True)
    whole, _ = model(X)
    first, state = model(X[:, :2])
    second, _ = model(X[:, 2:], state)
    np.testing.assert_allclose(np.concatenate([first, second], 1), whole, atol=1e-6)


@pytest.mark.parametrize("is_compiled", [False, True])
def test_a_stateful_layer_continues(is_compiled):
    model = nn.Sequential(nn.LSTM(H, 2, stateful=True, return_sequences=True))
    model.build_for(X[:, :2])
    assert [v.role for v in model.variables()][:4] == ["state"] * 4
    assert not any(v.value.any() for v in model.variables("state"))
    call = st.compile(lambda x: model(x)) if is_compiled else model
    parts = [call(X[:, :2]).numpy(), call(X[:, 2:]).numpy()]
    model.reset_state()
    np.testing.assert_allclose(np.concatenate(parts, 1), model(X), atol=1e-6)
    with pytest.raises(st.errors.ShapeError, match=r"the state hidden has shape \(3, 4\), the input has 1 examples"):
        model(X[:1])


def test_gradients_end_where_they_are_cut():
    layer = nn.RNN(H, truncate=2, return_sequences=True)
    whole = nn.RNN(H, return_sequences=True)
    for model in (layer, whole):
        model.build_for(X)
    layer.load_state_dict(whole.state_dict())
    x = st.Variable(X, "x")
    y = layer(x)
    np.testing.assert_allclose(y, whole(X), atol=1e-6)
    y[:, 3].sum().backward()
    assert x.grad.numpy().any((0, 2)).tolist() == [False, False, True, True, False]
    x.zero_grad()
    backwards = nn.RNN(H, truncate=2, return_sequences=True, go_backwards=True)
    backwards(x)[:, 0].sum().backward()
    assert x.grad.numpy().any((0, 2)).tolist() == [True, False, False, False, False]


def test_three_styles_and_unknown_sizes():
    model = nn.Sequential(nn.Bidirectional(nn.LSTM(H, truncate=2, return_sequences=True)), nn.GRU(3, time_major=False))
    expected = model(X)
    np.testing.assert_allclose(st.compile(model)(X), expected, atol=1e-6)
    x, lengths = st.symbol("x", (None, None, C)), st.symbol("lengths", (None,), "int64")
    layer = nn.LSTM(H, masked="hold")
    call = st.function([x, lengths], layer(x, lengths=lengths))
    np.testing.assert_allclose(call(X, LENGTHS), layer(X, lengths=LENGTHS), atol=1e-6)
    np.testing.assert_allclose(call(X[:2, :3], [1, 3]), layer(X[:2, :3], lengths=[1, 3]), atol=1e-6)


def test_time_may_come_first():
    model = nn.GRU(H, return_sequences=True, time_major=True)
    twin = nn.GRU(H, return_sequences=True)
    model(X.transpose(1, 0, 2)), twin(X)
    twin.load_state_dict(model.state_dict())
    y = model(X.transpose(1, 0, 2), lengths=LENGTHS)
    np.testing.assert_allclose(y.numpy().transpose(1, 0, 2), twin(X, lengths=LENGTHS), atol=1e-6)


def test_dropout_stands_between_cells():
    st.random.seed(0)
    model = nn.LSTM(H, 2, dropout=0.5)
    first, second = model(X).numpy(), model(X).numpy()
    assert not np.array_equal(first, second)
    model.eval()
    np.testing.assert_array_equal(model(X), model(X))


def test_wrappers():
    for merge, expected in (("sum", H), ("average", H), ("product", H), ("concat", 2 * H)):
        y, (forward, backward) = nn.Bidirectional(nn.RNN(H, return_state=True), merge=merge)(X)
        assert y.shape == (B, expected) and forward.shape == backward.shape == (B, H)
    a, b = nn.Bidirectional(nn.ConvLSTM1D(H, 3, padding="same", layers=2), merge=None)(X[..., None].repeat(6, -1))
    assert a.shape == b.shape == (B, H, 6)
    dense = nn.TimeDistributed(nn.Sequential(nn.Dense(3), nn.ReLU()))
    np.testing.assert_allclose(dense(X), dense.layer(X), atol=1e-6)
    assert nn.TimeDistributed(nn.Conv2D(2, 3))(np.ones((2, 3, 1, 5, 5), np.float32)).shape == (2, 3, 2, 3, 3)


def test_configurations_go_round():
    model = nn.Sequential(
        nn.Bidirectional(nn.LSTM(4, 2, peepholes=True, return_sequences=True, truncate=3), merge="sum"),
        nn.TimeDistributed(nn.Dense(3)), nn.Recurrent([nn.GRUCell(2), nn.RNNCell(3, "relu")], masked="hold"),
    )  # fmt: skip
    twin = nn.from_config(nn.to_config(model))
    model.build_for(X), twin.build_for(X)
    assert repr(twin) == repr(model)
    twin.load_state_dict(model.state_dict())
    np.testing.assert_array_equal(twin(X), model(X))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: nn.LSTM(0), "LSTM: units must be an integer of at least 1"),
        (lambda: nn.GRU(3, activation="tahn"), r"activation 'tahn' does not exist\. Did you mean 'tanh'"),
        (lambda: nn.RNN(3, masked="zero"), "masked must be one of zeros, hold, got 'zero'"),
        (lambda: nn.Recurrent(nn.Dense(3)), "needs a cell"),
        (lambda: nn.Bidirectional(nn.Dense(3)), "takes recurrent layers"),
        (lambda: nn.Bidirectional(nn.RNN(3).build_for(X)), "has variables already"),
        (lambda: nn.Bidirectional(nn.RNN(3), nn.RNN(3)), "other directions"),
        (lambda: nn.GRU(3, recurrent_dropout=1.0), "recurrent_dropout must be at least 0 and below 1"),
        (lambda: nn.GRU(3, stateful=True, learned_state=True), "two beginnings of a batch"),
        (lambda: nn.LSTM(3, truncate=0), "truncate must be an integer of at least 1"),
        (lambda: nn.LSTM(3)(X, lengths=[6, 1, 1]), "lengths must be from 0 to the number of steps, 5; they are from 1"),
        (lambda: nn.LSTM(3)(X, np.zeros((B, 3), np.float32)), r"the state \(hidden, cell\) is a tuple of 2 tensors"),
        (lambda: nn.GRU(3, 2)(X, np.zeros((B, 3), np.float32)), "the state of a stack is a tuple of 2"),
        (lambda: nn.GRU(3)(X, lengths=[1], mask=[[True]]), "takes a mask or lengths, got both"),
    ],
)  # fmt: skip
def test_mistakes_are_named(call, text):
    with pytest.raises(st.errors.ArgumentError, match=text):
        call()


def test_errors_name_the_path():
    model = nn.Sequential(nn.LSTM(3))
    for given, words, text in (
        (X[0], {}, r"takes \(B, T, ...\) with 3 axes, got shape \(5, 2\)"),
        (X, {"lengths": [1, 2]}, r"lengths must have shape \(3,\), got \(2,\)"),
        (X, {"mask": np.ones((5, 3), bool)}, r"the mask must have shape \(3, 5\), got \(5, 3\)"),
        (X, {"state": (np.zeros((B, 4), np.float32),) * 2}, "the last axis of hidden|axis"),
    ):
        with pytest.raises(st.errors.ShapeError, match=text) as caught:
            model[0](given, **words)
        assert "LSTM" in str(caught.value)
    model(X)
    with pytest.raises(st.errors.ShapeError, match=r"Sequential/0:LSTM/cells.0:LSTMCell"):
        model(X[..., :1])


def steps_of(layer, mask, first):
    """Run an RNN or a GRU with NumPy in float64: what the products see of the state is multiplied by a mask."""
    cell, hidden = layer.cells[0], first.astype(np.float64)
    kernel, recurrent, bias = (v.value.astype(np.float64) for v in (cell.kernel, cell.recurrent_kernel, cell.bias))
    for x in X.swapaxes(0, 1):
        own, seen = x @ kernel + bias, (hidden * mask) @ recurrent
        if isinstance(layer, nn.RNN):
            hidden = np.tanh(own + seen)
            continue
        seen = seen + cell.recurrent_bias.value
        z, r = np.split(1 / (1 + np.exp(-(own + seen)[:, : 2 * H])), 2, axis=1)
        hidden = z * hidden + (1 - z) * np.tanh(own[:, 2 * H :] + r * seen[:, 2 * H :])
    return hidden


@pytest.mark.parametrize("layer", [nn.RNN, nn.GRU])
def test_recurrent_dropout_is_the_same_at_all_steps(layer):
    model = layer(H, recurrent_dropout=0.5)
    model.build_for(X)
    st.random.seed(3)
    mask = nn.Dropout(0.5)(st.ones((B, H))).numpy()
    assert set(mask.flat) == {0.0, 2.0}
    first = np.random.default_rng(1).normal(size=(B, H)).astype(np.float32)
    st.random.seed(3)
    np.testing.assert_allclose(model(X, first), steps_of(model, mask, first), atol=1e-5)
    np.testing.assert_allclose(model.eval()(X, first), steps_of(model, 1.0, first), atol=1e-5)


@pytest.mark.parametrize(
    "layer",
    [nn.LSTM(H, recurrent_dropout=0.5, peepholes=True), nn.GRU(H, reset_after=False, recurrent_dropout=0.5),
     nn.ConvLSTM1D(H, 3, padding="same", recurrent_dropout=0.5)],
)  # fmt: skip
def test_recurrent_dropout_of_other_cells(layer):
    x = X if layer.cells[0].rank == 1 else X[..., None].repeat(3, -1)
    model = nn.Sequential(layer)
    call = st.compile(lambda x: model(x))
    assert not np.array_equal(call(x), call(x))
    first, cell = x[:, 0], layer.cells[0]
    np.testing.assert_allclose(model(x[:, :1]), cell(st.tensor(first))[0], atol=1e-6)  # a state of zeros: no difference
    model.eval()
    np.testing.assert_allclose(call(x), model(x), atol=1e-6)


def test_the_first_state_is_learned():
    model = nn.Sequential(nn.LSTM(H, 2, learned_state=True, return_sequences=True), nn.GRU(3, learned_state=True))
    model.build_for(X)
    firsts = [path for path, v in model.named_parameters() if v.role == "parameter"]
    assert firsts == [f"0.cells.{i}.first_{part}" for i in (0, 1) for part in ("hidden", "cell")] + [
        "1.cells.0.first_hidden"
    ]
    gru = model[1]
    y = model[0](X)
    gru.cells[0].first_hidden.assign([1.0, -2.0, 0.5])
    given = np.tile(np.float32([1.0, -2.0, 0.5]), (B, 1))
    np.testing.assert_allclose(gru(y), gru(y, given), atol=1e-6)
    np.testing.assert_allclose(gru(y, lengths=[0, 0, 0]), given, atol=1e-6)
    model(X).sum().backward()
    assert all(v.grad.numpy().any() for v in model.parameters("parameter"))
    x = st.symbol("x", (None, None, C))
    np.testing.assert_allclose(st.function([x], model(x))(X[:2, :3]), model(X[:2, :3]), atol=1e-6)
    twin = nn.from_config(nn.to_config(model))
    twin.build_for(X)
    twin.load_state_dict(model.state_dict())
    np.testing.assert_array_equal(twin(X), model(X))
    counted = nn.Recurrent(Counter(), learned_state=True, return_state=True)
    assert counted(X)[1][1].tolist() == [T] * B and [v.shape for v in counted.parameters()] == [(C,)]
    assert len(counted.variables()) == 1
