"""The loop: means, extensions, Ctrl-C, what happens to the model."""

import csv
import json
import os
import signal

import numpy as np
import pytest

import septet as st
from septet import nn
from septet.data.stream import Batches
from septet.io import load_weights
from septet.train import (
    CSV,
    Checkpoints,
    EarlyStopping,
    Extension,
    History,
    JsonLines,
    LearningRate,
    Loop,
    Memory,
    SaveWeights,
    Timing,
    Validation,
    fit,
    read_log,
)
from septet.train.interrupt import Interrupt
from septet.train.values import Means

DATA = (np.arange(10, dtype=np.float32)[:, None], np.zeros(10, np.int64))


def run(step, epochs=2, extensions=(), batches=None, **words):
    model = nn.Dense(1)
    batches = Batches(DATA, batch_size=4) if batches is None else batches
    history = Loop(step, batches, model=model, extensions=extensions, **words).run(epochs)
    assert not model.is_training
    return history


def test_means_weigh_batches_by_their_size_or_their_weight():
    means = Means()
    means.add({"loss": 1.0, "other": 1.0}, 4)
    means.add({"loss": 4.0, "other": 4.0}, 2)
    assert means.values() == {"loss": 2.0, "other": 2.0} and means.last == {"loss": 4.0, "other": 4.0}
    means = Means()
    means.add({"loss": 1.0, "weight": 1.0, "other": 1.0}, 4)
    means.add({"loss": 4.0, "weight": 3.0, "other": 4.0}, 2)
    assert means.values() == pytest.approx({"loss": 3.25, "other": 2.0})


def test_rows_hold_means_of_the_epoch_and_of_held_out_data():
    history = run(lambda x, y: {"loss": x.mean()}, extensions=[Validation(lambda: {"loss": 7.0})])
    assert [row["epoch"] for row in history] == [1, 2] and not history.was_interrupted
    assert all(row["loss"] == 4.5 and row["val_loss"] == 7.0 and row["seconds"] >= 0 for row in history)


def test_batches_may_come_from_anything_that_can_be_gone_through_again():
    batches = [(DATA[0][i : i + 4], DATA[1][i : i + 4]) for i in (0, 4, 8)]

    class Anew:
        def __iter__(self):
            return iter(batches)

    for given in (batches, Anew()):
        assert [row["loss"] for row in run(lambda x, y: {"loss": x.mean()}, batches=given)] == [4.5, 4.5]
    with pytest.raises(st.errors.ArgumentError, match="gave no batches"):
        run(lambda x, y: {"loss": 1.0}, batches=[])
    with pytest.raises(st.errors.ArgumentError, match="generator gives its batches only once"):
        fit(nn.Dense(1), (batch for batch in batches))


@pytest.mark.parametrize(("presses", "sizes"), [(1, [4, 4, 2, 4, 4, 2]), (2, [4, 4, 2, 4, 4])])
def test_the_first_ctrl_c_ends_after_the_epoch_the_second_after_the_batch(presses, sizes, capsys):
    seen = []

    def step(x, y):
        seen.append(len(x))
        if len(seen) == 5:
            for _ in range(presses):
                signal.raise_signal(signal.SIGINT)
        return {"loss": 1.0}

    class Notes(Extension):
        def on_record(self, loop, record):
            notes.append(record.get("text", record["event"]))

    notes = []
    before = signal.getsignal(signal.SIGINT)
    history = run(step, epochs=9, extensions=[Validation(lambda: {"loss": 0.0}), Notes()])
    assert seen == sizes and history.was_interrupted and len(history) == 2
    assert "val_loss" in history[0] and ("val_loss" in history[1]) == (presses == 1)
    assert signal.getsignal(signal.SIGINT) is before
    whole = "2 whole epochs" if presses == 1 else "1 whole epoch"
    if presses == 1:
        assert notes[2] == "stopping after this epoch (Ctrl-C again: after this batch)"
    assert notes[-2:] == [f"stopped by hand after {whole}; the model keeps what it learned", "end"]


def test_the_third_ctrl_c_ends_at_once_and_sigterm_after_the_batch():
    with pytest.raises(KeyboardInterrupt), Interrupt() as interrupt:
        for level in (1, 2, 3):
            os.kill(os.getpid(), signal.SIGINT)
            assert interrupt.level == level
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        with Interrupt() as interrupt:
            os.kill(os.getpid(), signal.SIGTERM)
            assert interrupt.level == 2
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before)


def test_extensions_see_everything_and_may_stop():
    class Watch(Extension):
        events = []

        def on_start(self, loop):
            self.events.append("start")

        def on_batch(self, loop):
            self.events.append(f"batch {loop.batch} of {loop.steps}")
            if loop.step == 5:
                loop.stop("enough")

        def measure(self, loop, row):
            row["measured"] = 3.0

        def on_epoch(self, loop, row):
            self.events.append(f"epoch {row['measured']}")

        def on_end(self, loop):
            self.events.append("end")

    history = run(lambda x, y: {"loss": 1.0}, extensions=[Watch()])
    batches = [f"batch {i} of 3" for i in (1, 2, 3)]
    assert Watch.events == ["start", *batches, "epoch 3.0", *batches[:2], "end"]
    assert len(history) == 2 and history.reason == "enough" and "measured" not in history[1]
    rows = []
    assert (
        len(fit(nn.Dense(1), DATA, 3, verbose=False, callbacks=lambda row: rows.append(row) or True)) == 1 == len(rows)
    )


def test_early_stopping_waits_for_its_patience_and_brings_back_the_best():
    losses = iter([3.0, 2.0, 2.5, 2.0, 2.1, 0.0])
    model, kept = nn.Dense(1, bias_initializer="zeros"), {}
    model.build_for(DATA[0])

    def step(x, y):
        model.bias.assign(model.bias + 1)
        return {"loss": 1.0}

    def test():
        kept[len(kept) + 1] = model.bias.numpy()
        return {"loss": next(losses)}

    stopping = EarlyStopping(patience=2, restores_best=True)
    history = Loop(step, Batches(DATA), model=model, extensions=[Validation(test), stopping]).run(9)
    assert [row["val_loss"] for row in history] == [3.0, 2.0, 2.5, 2.0, 2.1]
    assert history.reason == "val_loss has not improved for 3 epochs" and np.array_equal(model.bias.value, kept[2])
    with pytest.raises(st.errors.ArgumentError, match="there is no 'val_loss' in the rows, only epoch, loss, seconds"):
        run(lambda x, y: {"loss": 1.0}, extensions=[EarlyStopping()])


def test_values_that_are_measured_after_some_epochs_are_waited_for(tmp_path):
    """By early stopping, checkpoints of the best, and plateaus."""
    rate = st.optim.schedules.Plateau(0.1, 0.5, patience=0)
    history = fit(
        nn.Dense(2), DATA, 20, validation=DATA, validation_every=2, verbose=False, learning_rate=rate,
        callbacks=[EarlyStopping(patience=2, min_change=1e9), SaveWeights(tmp_path / "w.safetensors", "val_loss")],
        checkpoints=Checkpoints(tmp_path / "run", best="val_loss"),
    )  # fmt: skip
    assert [row["epoch"] for row in history if "val_loss" in row] == [2, 4, 6, 8] and len(history) == 8
    assert history.reason == "val_loss has not improved for 3 measurements" and rate(0) <= 0.1
    with pytest.raises(st.errors.ArgumentError, match="every must be an integer of at least 1, got 0"):
        fit(nn.Dense(2), DATA, validation=DATA, validation_every=0)


def test_logs_and_weights_are_on_disk_after_each_epoch(tmp_path):
    model, rows = nn.Sequential(nn.Dense(3)), []
    callbacks = [
        CSV(tmp_path / "log.csv"), SaveWeights(tmp_path / "best.safetensors", "loss"), rows.append, Timing(), Memory(),
        LearningRate(),
    ]  # fmt: skip
    history = fit(
        model, DATA, 3, batch_size=5, learning_rate=st.optim.schedules.Exponential(0.1, 0.5), verbose=False,
        callbacks=callbacks, log=tmp_path / "log.jsonl", log_every=2,
    )  # fmt: skip
    records = read_log(tmp_path / "log.jsonl")
    epochs = [r for r in records if r["event"] == "epoch"]
    assert History.read(tmp_path / "log.jsonl") == history == rows and len(epochs) == 3
    assert [r["event"] for r in records] == ["start", *["batch", "epoch"] * 3, "end"]
    assert [r["step"] for r in records] == [0, 2, 2, 4, 4, 6, 6, 6]
    with open(tmp_path / "log.csv", newline="") as file:
        assert [float(row["loss"]) for row in csv.DictReader(file)] == [row["loss"] for row in history]
    assert [row["learning_rate"] for row in history] == pytest.approx([0.05, 0.0125, 0.003125])
    assert all(0 <= r["waited"] < 1 and r["seconds_per_step"] > 0 and r["memory"] > 2**20 for r in history)
    assert history[-1]["loss"] == min(row["loss"] for row in history)
    twin = nn.Sequential(nn.Dense(3))
    twin.build_for(DATA[0])
    load_weights(twin, tmp_path / "best.safetensors")
    assert np.array_equal(twin[0].kernel.value, model[0].kernel.value)
    with pytest.raises(st.errors.ArgumentError, match="must be Extension objects or functions, got 3"):
        fit(model, DATA, callbacks=[3])


def test_a_log_holds_numbers_that_json_has_no_word_for(tmp_path):
    path = tmp_path / "log.jsonl"

    class Strange(Extension):
        def on_epoch(self, loop, row):
            loop.log.write("note", text="x", values=[np.float32(0.5)], nothing=float("nan"), much=-np.inf)

    run(lambda x, y: {"loss": 1.0}, 1, [JsonLines(path), Strange()])
    lines = path.read_text().splitlines()
    assert not any("NaN" in json.dumps(json.loads(line, parse_constant=pytest.fail)) for line in lines[:2])
    with open(path, "a") as file:
        file.write('{"event": "cut o')
    record = read_log(path)[2]
    assert record["values"] == [0.5] and record["nothing"] != record["nothing"] and record["much"] == -np.inf
    path.write_text("[]\n")
    with pytest.raises(st.errors.FileFormatError, match="line 1: this is no record"):
        read_log(path)


def test_errors_in_a_step_leave_the_model_in_evaluation_and_tell_the_extensions():
    ended = []

    class End(Extension):
        def on_stop(self, loop):
            ended.append("stopped")

        def on_end(self, loop):
            ended.append((loop.model.is_training, type(loop.error)))

    def fail(x, y):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(fail, extensions=[End()])
    assert ended == [(False, ZeroDivisionError)]
    with pytest.raises(st.errors.ArgumentError, match=r"\(inputs, targets, weights\), got 1 arrays"):
        run(fail, 1, batches=Batches(DATA[:1], batch_size=4))
