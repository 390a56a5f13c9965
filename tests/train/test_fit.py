"""`fit`, `evaluate`, `predict` on small real data."""

from __future__ import annotations

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


def test_bad_epochs() -> None:
    """At least one."""
    with pytest.raises(ArgumentError, match="at least 1"):
        fit(network(), load_digits(split="train"), 0)


def test_interrupt_keeps_what_was_learned(capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C ends the training and loses nothing."""

    def stop(row: dict[str, float]) -> None:
        if row["epoch"] == 2:
            raise KeyboardInterrupt

    history = fit(network(), load_digits(split="train"), 5, on_epoch=stop)
    assert len(history) == 2
    assert "stopped by hand after 2 whole epochs" in capsys.readouterr().out
