"""Models joined by placeholders: inputs, outputs, shared layers, nesting, configurations; and their summaries."""

import copy
import io
import json

import numpy as np
import pytest
import rich.console

import septet as st
from septet import metrics, nn

RNG = np.random.default_rng(0)


def data(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def two_branches():
    image, age = nn.Input((1, 6, 6), name="image"), nn.Input(1, name="age")
    features = nn.Flatten()(nn.Conv2D(2, 3, "relu")(image))
    both = st.concatenate([nn.Dense(4)(features), age * 0.1], axis=-1)
    scores = nn.Dense(3).named("scores")(both)
    return nn.Model([image, age], {"scores": scores, "features": features})


def test_inputs_and_outputs_are_nested_as_they_were_given():
    model = two_branches()
    image, age = data(2, 1, 6, 6), data(2, 1)
    found = model([image, age])
    assert found["scores"].shape == (2, 3) and found["features"].shape == (2, 32)
    for other in (model(image, age), model(image=image, age=age), model(image, age=age)):
        assert np.array_equal(other["scores"], found["scores"])
    features = np.maximum(found["features"].numpy(), 0)
    hidden = features @ model.dense.kernel.value + model.dense.bias.value
    both = np.concatenate([hidden, age * np.float32(0.1)], -1)
    assert np.allclose(found["scores"], both @ model.scores.kernel.value, atol=1e-5)


def test_parameters_are_named_by_layers():
    model = two_branches()
    names = ["conv2d.kernel", "conv2d.bias", "dense.kernel", "dense.bias", "scores.kernel", "scores.bias"]
    assert [path for path, _ in model.named_parameters()] == names == [v.name for v in model.parameters()]
    x = nn.Input(3)
    model = nn.Model(x, nn.Dense(2)(nn.Dense(2)(x)))
    assert [name for name, _ in model.named_children()] == ["dense", "dense_1"]


def test_a_layer_that_is_applied_twice_is_shared():
    a, b, tower = nn.Input(3), nn.Input(3), nn.Dense(2)
    model = nn.Model((a, b), tower(a) - tower(b))
    x, y = data(4, 3), data(4, 3)
    assert np.allclose(model(x, y), (x - y) @ tower.kernel.value, atol=1e-6)
    assert len(model.parameters()) == 2 and len(list(model.named_children())) == 1


def test_models_are_layers_and_gradients_reach_all_of_them():
    inner = two_branches()
    image = nn.Input((1, 6, 6))
    gain = st.Variable(np.full(3, 2, np.float32), "gain", role="scale")
    model = nn.Model(image, nn.Dense(2)(inner(image, st.ones((1, 1)))["scores"] * gain))
    x = data(1, 1, 6, 6)
    model(x).sum().backward()
    assert "model.scores.kernel" in dict(model.named_parameters()) and "gain" in dict(model.named_parameters())
    assert all(v.grad is not None for v in model.parameters())
    before = model(x).numpy()
    gain.assign(gain * 2)
    assert not np.allclose(model(x), before)  # the variable is read anew


def test_layers_change_modes_and_are_exchanged_in_models():
    x = nn.Input(4)
    model = nn.Model(x, nn.Dropout(0.5)(nn.BatchNorm()(x)))
    values = data(8, 4)
    assert (model(values).numpy() == 0).any()
    assert not np.array_equal(model.batch_norm.mean.value, np.zeros(4))
    assert not (model.eval()(values).numpy() == 0).any()
    model.dropout = nn.Activation(lambda t: t * 0)
    assert not model(values).numpy().any()


def test_models_train_compiled():
    x = nn.Input(4)
    model = nn.Model(x, nn.Dense(2)(nn.Dense(8, "tanh")(x)))
    inputs = data(64, 4)
    labels = (inputs.sum(1) > 0).astype(np.int64)
    history = model.fit((inputs, labels), epochs=15, learning_rate=0.03, verbose=False)
    assert history[-1]["accuracy"] > 0.9 and model.predict(inputs).shape == (64, 2)


def test_copies_have_variables_of_their_own():
    x = nn.Input(3)
    gain = st.Variable(np.ones(2, np.float32), "gain")
    model = nn.Model(x, nn.Dense(2)(x) * gain)
    twin = copy.deepcopy(model)
    values = data(4, 3)
    assert np.array_equal(twin(values), model(values))
    twin.dense.kernel.assign(np.zeros((3, 2)))
    twin.gain.assign(np.zeros(2))
    assert model(values).numpy().any() and not twin(values).numpy().any()
    assert [v.name for v in twin.parameters()] == [v.name for v in model.parameters()]
    assert twin.parameters("weight")[0].trainable and twin.dense is not model.dense


def test_models_with_several_outputs_have_a_loss_of_each():
    x = nn.Input(3)
    hidden = nn.Dense(4, "tanh")(x)
    model = nn.Model(x, {"class": nn.Dense(2)(hidden), "size": nn.Dense(1)(hidden)})
    targets = {"class": np.array([0, 1, 1]), "size": data(3, 1)}
    loss = nn.losses.get({"class": "cross_entropy", "size": "mse"})
    values = data(3, 3)
    found = model(values)
    parts = [
        nn.losses.cross_entropy(found["class"], targets["class"]),
        nn.losses.mean_squared_error(found["size"], targets["size"]),
    ]
    assert np.isclose(float(loss(found, targets)), sum(map(float, parts)))
    heavy = nn.losses.combined(["mse", "mae"], [2.0, 0.5])
    pairs = [values, values], [values * 0, values * 0]
    assert np.isclose(float(heavy(*pairs)), 2 * (values**2).mean() + abs(values).mean() / 2)
    rows = loss(found, targets, reduction="none")
    assert rows.shape == (3,) and np.isclose(float(rows.mean()), float(loss(found, targets)))

    @st.compile
    def step(x, targets):
        loss_value = loss(model(x), targets)
        loss_value.backward()
        optimizer.step()
        return loss_value

    optimizer = st.optim.SGD(model.parameters(), learning_rate=0.1)
    first = float(step(values, targets))
    assert float(step(values, targets)) < first
    for call, text in (
        (lambda: nn.losses.combined({"a": "mse"}, {"b": 1.0}), "weights of a and b"),
        (lambda: loss(found, {"class": targets["class"]}), "the targets have no 'size'"),
        (lambda: loss(found["class"], targets), "the outputs have no 'class', they are Tensor"),
        (lambda: nn.losses.get({"a": "msee"}), "Did you mean 'mse'"),
    ):
        with pytest.raises(st.errors.ArgumentError, match=text):
            call()


def test_fit_takes_several_inputs_and_outputs():
    model = two_branches().regularize("l2")
    inputs = {"image": data(12, 1, 6, 6), "age": data(12, 1)}
    targets = {"scores": RNG.integers(0, 3, 12), "features": data(12, 32)}
    wanted = [metrics.Of("scores", metrics.Accuracy()), metrics.Of("features", metrics.get("mae"))]
    losses = {"scores": "cross_entropy", "features": "mse"}
    history = model.fit((inputs, targets), epochs=2, loss=losses, metrics=wanted, verbose=False)
    assert history[1]["loss"] < history[0]["loss"]
    found = model.predict(inputs)
    assert found["scores"].shape == (12, 3)
    shown = model.evaluate((inputs, targets), loss=losses, metrics=wanted)
    assert np.isclose(shown["scores_accuracy"], (found["scores"].argmax(1) == targets["scores"]).mean())
    assert np.isclose(shown["features_mae"], abs(found["features"] - targets["features"]).mean(), rtol=1e-5)


def test_subclasses_may_define_forward_or_join_layers():
    class Forward(nn.Model):
        def __init__(self):
            super().__init__()
            self.dense = nn.Dense(2)

        def forward(self, x):
            return self.dense(x)

    class Joined(nn.Model):
        def __init__(self):
            x = nn.Input(3)
            super().__init__(x, nn.Dense(2)(x))

    x = data(5, 3)
    assert Forward()(x).shape == Joined()(x).shape == (5, 2)
    assert nn.Sequential(nn.Dense(3), Joined())(x).shape == (5, 2)
    with pytest.raises(st.errors.NotSupportedError, match="neither inputs and outputs nor a forward"):
        nn.Model()(x)


def test_mistakes_are_explained():
    a, b = nn.Input(3, name="a"), nn.Input(3, name="b")
    y = nn.Dense(2)(a + b)
    with pytest.raises(st.errors.GraphError, match=r"the placeholder 'b' of shape .* not among the inputs"):
        nn.Model(a, y)
    with pytest.raises(st.errors.GraphError, match="the symbol"):
        nn.Model(a, nn.Dense(2)(a * st.symbol("s", ())))
    with pytest.raises(st.errors.GraphError, match="is not a placeholder"):
        nn.Model(st.symbol("x", (None, 3)), y)
    with pytest.raises(st.errors.ArgumentError, match="inputs must be tensors"):
        nn.Model(3, y)
    model = nn.Model([a, b], y)
    with pytest.raises(st.errors.ShapeError, match=r"input 'b' was declared with shape \(\?, 3\), got shape \(2, 4\)"):
        model(data(2, 3), data(2, 4))
    with pytest.raises(st.errors.ArgumentError, match=r"takes 2 inputs \(a, b\), got 1"):
        model(data(2, 3))
    with pytest.raises(st.errors.ArgumentError, match="there is no input 'c'"):
        model(data(2, 3), c=data(2, 3))
    with pytest.raises(st.errors.NotSupportedError, match="inside of traced functions"):
        st.compile(lambda x: nn.Input(3))(data(2, 3))
    with pytest.raises(st.errors.ShapeError, match=r"takes \(B, C, H, W\)"):
        nn.Conv2D(2, 3)(nn.Input((5, 5)))


def test_configurations_bring_models_back():
    a, b, shared = nn.Input(3, name="a"), nn.Input(3), nn.Dense(2, "tanh").named("shared")
    model = nn.Model([a, b], [shared(a), nn.Sequential(nn.Dense(4), nn.ReLU())(shared(b))])
    twin = nn.from_config(json.loads(json.dumps(nn.to_config(model))))
    twin.load_state_dict(model.state_dict())
    x = data(2, 3), data(2, 3)
    assert all(np.array_equal(p, q) for p, q in zip(model(*x), twin(*x)))
    with pytest.raises(st.errors.NotSupportedError, match="applies 'add'"):
        nn.to_config(nn.Model([a, b], nn.Dense(2)(a + b)))
    with pytest.raises(st.errors.FileFormatError, match="cannot be used"):
        nn.from_config({"class": "Model", "entries": []})


def test_summaries():
    model = two_branches()
    rows = {row.path: row for row in model.summary().rows}
    assert rows["conv2d"].output == "(*, 2, 4, 4)" and rows["conv2d"].trainable == 20
    assert rows["conv2d"].flops == 2 * 32 * 9 + 3 * 32 and rows["conv2d"].memory == 4 * (20 + 32)
    assert rows["-"].flops == 1  # age * 0.1
    assert rows["all"].trainable == 20 + 132 + 18 and rows["all"].flops == sum(
        row.flops for path, row in rows.items() if path != "all"
    )
    plain = nn.Sequential(nn.Dense(3), nn.BatchNorm(), nn.Sequential(nn.ReLU()))
    assert "?" in str(plain.summary())
    assert plain.summary(input_shape=(5,)).rows[1][2:6] == ("(*, 3)", 6, 6, 60)
    assert plain.summary().rows[2].path == "2.0" and plain.is_built and plain[1].is_training
    file = io.StringIO()
    plain.summary().show(file)
    assert file.getvalue() == f"{plain.summary()}\n" and "│" not in file.getvalue()

    assert [row.flops for row in model.summary(input_shape=[(1, 6, 6), (1,)]).rows] == [
        row.flops for row in rows.values()
    ]
    drawn = io.StringIO()
    rich.console.Console(file=drawn, width=100).print(plain.summary())
    assert "BatchNorm" in drawn.getvalue() and "│" in drawn.getvalue()

    class Twice(nn.Module):
        def __init__(self):
            self.towers = [nn.ModuleList([nn.Dense(2)]), nn.ModuleList([nn.Dense(2)])]

        def forward(self, x):
            return self.towers[0][0](x) + self.towers[1][0](x)

    twice = Twice()
    twice(data(2, 3))
    assert [row.flops for row in twice.summary().rows] == [2, 14, 14, 30]
