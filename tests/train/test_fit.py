"""`fit`, `evaluate`, `predict` on small real data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import septet as st
from septet import nn
from septet.base.errors import ArgumentError, NonFiniteError, SeptetError
from septet.data import load_digits
from septet.train import Trainer, evaluate, fit, predict


def network() -> nn.Module:
    """A small network for digits."""
    st.random.seed(0)
    return nn.Sequential(nn.Flatten(), nn.Dense(32), nn.ReLU(), nn.Dense(10))


def test_fit_learns_digits_and_logs(capsys: pytest.CaptureFixture[str]) -> None:
    """The loss falls, the log has a row for each epoch, the output has no control characters."""
    train, test = load_digits(split="train"), load_digits(split="test")
    model = network()
    history = fit(model, train, 4, validation=test, learning_rate=5e-3)
    assert [row["epoch"] for row in history] == [1, 2, 3, 4]
    assert history[-1]["loss"] < 0.5 * history[0]["loss"]
    assert history[-1]["val_accuracy"] > 0.85
    out = capsys.readouterr().out
    assert out.count("epoch") == 4 and "\x1b" not in out and "\r" not in out
    result = evaluate(model, test)
    assert result["accuracy"] == pytest.approx(history[-1]["val_accuracy"], abs=1e-6)
    classes = predict(model, test[0]).argmax(1)
    assert np.mean(classes == test[1]) == pytest.approx(result["accuracy"], abs=1e-6)


def test_a_smaller_last_batch_is_one_more_compile() -> None:
    """Two shapes, two compiles, whatever the number of epochs."""
    images, labels = load_digits(split="train")
    trainer = Trainer(network(), "sgd")
    for _ in range(2):
        for size in (32, 32, 10):
            trainer.train_step(images[:size], labels[:size])
    assert len(trainer.train_step.compiles) == 2
    reason = "inputs: float32[32, 1, 8, 8] -> float32[10, 1, 8, 8]; targets: int64[32] -> int64[10]"
    assert trainer.train_step.compiles[1].reason == reason


def test_a_loss_that_is_not_finite_stops_with_the_batch() -> None:
    """NaN is said at once."""
    images, labels = load_digits(split="train")
    images = images.copy()
    images[5] = np.nan
    with pytest.raises(NonFiniteError, match="epoch 1, batch 1"):
        fit(network(), (images, labels), 1, shuffle=False, verbose=False)


@pytest.mark.parametrize("words", [{"loss": "cross_entropi"}, {"optimizer": "adm"}, {"metrics": ["acuracy"]}])
def test_misspelled_names(words: dict[str, Any]) -> None:
    """The message names what there is."""
    with pytest.raises(SeptetError):
        fit(network(), load_digits(split="train"), 1, verbose=False, **words)


def test_accuracy_is_for_losses_of_classes() -> None:
    """A regression has none, unless somebody asks for it; the outputs tell what a loss of one's own is of."""
    inputs, targets = np.ones((4, 3), np.float32), np.ones((4, 1), np.float32)
    model = nn.Sequential(nn.Dense(1))
    own = lambda outputs, labels: abs(outputs - labels).mean()
    for loss in ("mean_squared_error", nn.losses.mean_absolute_error, "binary_cross_entropy", own):
        rows = model.fit((inputs, targets), loss=loss, validation=(inputs, targets), verbose=False)
        assert {*rows[-1]} == {"epoch", "loss", "val_loss", "seconds"}
        assert {*model.evaluate((inputs, targets), loss=loss)} == {"loss"}
    assert "accuracy" in model.evaluate((inputs, targets), loss="mse", metrics=["accuracy"])
    assert "accuracy" in model.evaluate((inputs, targets), loss=own, metrics=["accuracy"])
    flat = nn.Sequential(nn.Dense(1), nn.Lambda(lambda x: x[:, 0]))
    assert {*flat.evaluate((inputs, targets[:, 0]), loss=own)} == {"loss"}
    of_classes = lambda outputs, labels: nn.losses.cross_entropy(outputs, labels)
    data = inputs, np.array([0, 1, 2, 0])
    rows = nn.Sequential(nn.Dense(3)).fit(data, loss=of_classes, validation=data, verbose=False)
    assert {"accuracy", "val_accuracy"} <= rows[-1].keys()


def test_bad_epochs() -> None:
    """At least one."""
    with pytest.raises(ArgumentError, match="at least 1"):
        fit(network(), load_digits(split="train"), 0)


def test_weights_of_examples_and_classes_make_weighted_means() -> None:
    """As NumPy does, over batches of different weight; the gradient follows."""
    x = np.random.default_rng(0).normal(size=(10, 3)).astype(np.float32)
    y = np.array([0, 1, 2, 0, 1, 0, 0, 2, 1, 0])
    weights, of_classes = np.linspace(0, 2, 10).astype(np.float32), {0: 0.5, 2: 3.0}

    def loss_of(model: nn.Module) -> np.ndarray:
        return nn.losses.cross_entropy(model(x), st.tensor(y), reduction="none").numpy()

    for words, w in (
        ({"sample_weight": weights}, weights),
        ({"class_weight": of_classes}, np.array([0.5, 1, 3])[y]),
        ({"sample_weight": weights, "class_weight": [0.5, 1, 3]}, weights * np.array([0.5, 1, 3])[y]),
    ):
        st.random.seed(0)
        model = nn.Dense(3)
        model.build_for(x)
        expected = (loss_of(model) * w).sum() / w.sum()
        row = fit(model, (x, y), 1, batch_size=4, learning_rate=0.0, verbose=False, **words)[0]
        assert row["loss"] == pytest.approx(expected, rel=1e-5) and "weight" not in row
        fit(model, (x, y), 300, batch_size=10, learning_rate=0.1, verbose=False, sample_weight=(y == 1) * 1.0)
        assert set(predict(model, x).argmax(1)) == {1}  # the others count nothing
    for words, text in (
        ({"sample_weight": weights[:4]}, r"sample_weight has shape \(4,\)"),
        ({"class_weight": {7: 1.0}}, "there is no class 7; there are 0 to 2"),
        ({"class_weight": {0: 1.0}, "loss": lambda p, t: p.mean()}, 'must take reduction="none"'),
        ({"precision": "half"}, "precision 'half' does not exist"),
    ):
        with pytest.raises(ArgumentError, match=text):
            fit(nn.Dense(3), (x, y), verbose=False, **words)


def test_inputs_and_outputs_of_several_arrays(tmp_path: Path) -> None:
    """In a tuple or a list, and by name; predictions are nested as the outputs are; checkpoints build the model."""
    rng = np.random.default_rng(0)
    left, right = rng.normal(size=(2, 30, 3)).astype(np.float32)
    targets = (left.sum(1) > right.sum(1)).astype(np.int64)

    def make() -> nn.Module:
        st.random.seed(0)
        a, b = nn.Input(3, name="a"), nn.Input(3, name="b")
        return nn.Model([a, b], nn.Dense(2)(a) + nn.Dense(2)(b))

    words: dict[str, Any] = {"batch_size": 7, "learning_rate": 0.1, "verbose": False}
    histories = [fit(make(), (inputs, targets), 3, **words) for inputs in ([left, right], {"b": right, "a": left})]
    assert fit(make(), ([left, right], targets.tolist()), 1, **words)[0]["loss"] == histories[0][0]["loss"]
    histories.append(fit(Pair(make()), ((left, right), targets), 3, checkpoints=tmp_path, **words))
    assert [[row["loss"] for row in history] for history in histories[1:]] == [
        [row["loss"] for row in histories[0]]
    ] * 2
    model = Pair(make())
    longer = fit(model, ((left, right), targets), 9, checkpoints=tmp_path, resume=True, **words)
    assert longer[2]["loss"] == histories[0][2]["loss"] and longer[-1]["accuracy"] > 0.9
    found = predict(model, (left, right), batch_size=11)
    assert np.array_equal(found, model.eval()(left, right).numpy())
    assert evaluate(model, ([left, right], targets))["accuracy"] == np.mean(found.argmax(1) == targets)
    weighted = {**words, "validation_split": 0.2, "sample_weight": np.ones(30)}
    rows = [fit(make(), (inputs, targets), 1, **weighted)[0] for inputs in ([left, right], {"a": left, "b": right})]
    assert rows[0]["val_loss"] == rows[1]["val_loss"] and rows[0]["loss"] == rows[1]["loss"]
    of_rows = [fit(nn.Dense(2), (x, targets), 1, shuffle=False, **words)[0]["accuracy"] for x in (left, list(left))]
    assert 0 <= of_rows[0] <= 1 and len(of_rows) == 2  # a list of the examples is an array
    two = predict(nn.Model(a := nn.Input(3), {"x": a * 2, "y": a}), left, batch_size=11)
    assert np.array_equal(two["x"], left * 2) and np.array_equal(two["y"], left)
    with pytest.raises(ArgumentError, match="at least one example"):
        predict(model, (left[:0], right[:0]))


class Pair(nn.Module):
    """Calls another model; takes its inputs one by one."""

    def __init__(self, inner: nn.Module) -> None:
        self.inner = inner

    def forward(self, first: st.Tensor, second: st.Tensor) -> st.Tensor:
        return self.inner(first, second)


def test_a_share_of_the_arrays_is_held_out() -> None:
    """The last ones, whatever the order of training."""
    x, y = np.arange(10, dtype=np.float32)[:, None], np.zeros(10, np.int64)

    def last(predictions: st.Tensor, targets: st.Tensor) -> st.Tensor:
        return predictions.max()

    history = fit(Same(), (x, y), 1, loss=lambda p, t: p.mean(), metrics=[last], validation_split=0.3, verbose=False)
    assert (history[0]["last"], history[0]["val_last"], history[0]["val_loss"]) == (6, 9, 8)
    for words in (
        {"validation_split": 1.5},
        {"validation_split": 0.01},
        {"validation_split": 0.5, "validation": (x, y)},
    ):
        with pytest.raises(ArgumentError, match="validation_split"):
            fit(Same(), (x, y), verbose=False, **words)


class Same(nn.Module):
    """Returns its input, with something to train."""

    def __init__(self) -> None:
        self.scale = st.Variable(np.float32(1), role="scale")

    def forward(self, x: st.Tensor) -> st.Tensor:
        return x * (self.scale * 0 + 1)


def test_metrics_are_exact_over_an_epoch() -> None:
    """Of all examples at once, not means of batches; a model that stays as it is shows it."""
    x, y = load_digits(split="test")
    st.random.seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Dense(10))
    model.build_for(x[:1])
    wanted = ["accuracy", "f1", "top_3_accuracy"]
    row = fit(model, (x, y), 1, batch_size=50, learning_rate=0.0, metrics=wanted, verbose=False)[0]
    for name in wanted:
        metric = st.metrics.get(name)
        metric.update(predict(model, x), y)
        assert row[name] == pytest.approx(float(metric.result()), abs=1e-9)
    assert evaluate(model, (x, y), metrics=wanted)["f1"] == row["f1"]


def test_interrupt_keeps_what_was_learned(capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C ends the training and loses nothing."""

    def stop(row: dict[str, float]) -> None:
        if row["epoch"] == 2:
            raise KeyboardInterrupt

    history = fit(network(), load_digits(split="train"), 5, on_epoch=stop)
    assert len(history) == 2
    assert "stopped by hand after 2 whole epochs" in capsys.readouterr().out
