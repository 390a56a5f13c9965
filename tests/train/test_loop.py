"""The loop of all styles: means, callbacks, Ctrl-C, what happens to the model."""

import json
import os
import signal

import numpy as np
import pytest

import septet as st
from septet import nn
from septet.data.stream import Batches
from septet.io import load_weights
from septet.train import Callback, EarlyStopping, JsonLines, SaveWeights, fit, run_epochs
from septet.train.interrupt import Interrupt
from septet.train.loop import Means
from septet.train.progress import Quiet

DATA = (np.arange(10, dtype=np.float32)[:, None], np.zeros(10, np.int64))


def run(step, epochs=2, **words):
    model = nn.Dense(1)
    history = run_epochs(model, step, Batches(DATA, batch_size=4), epochs, progress=Quiet(), **words)
    assert not model.is_training
    return history


def test_means_weigh_batches_by_their_size():
    means = Means()
    means.add({"loss": 1.0}, 4)
    means.add({"loss": 4.0}, 2)
    assert means.values() == {"loss": 2.0} and means.last == {"loss": 4.0}


def test_rows_hold_means_of_the_epoch_and_of_held_out_data():
    history = run(lambda x, y: {"loss": x.mean()}, test=lambda: {"loss": 7.0})
    assert [row["epoch"] for row in history] == [1, 2] and not history.was_interrupted
    assert all(row["loss"] == 4.5 and row["val_loss"] == 7.0 and row["seconds"] >= 0 for row in history)


def test_ctrl_c_ends_after_the_batch_with_a_row_for_the_part():
    seen = []

    def step(x, y):
        seen.append(len(x))
        if len(seen) == 5:
            os.kill(os.getpid(), signal.SIGINT)
            seen.append("still in the step")
        return {"loss": 1.0}

    before = signal.getsignal(signal.SIGINT)
    history = run(step, epochs=9, test=lambda: {"loss": 0.0})
    assert seen == [4, 4, 2, 4, 4, "still in the step"]
    assert history.was_interrupted and len(history) == 2
    assert "val_loss" in history[0] and "val_loss" not in history[1]
    assert signal.getsignal(signal.SIGINT) is before


def test_the_second_ctrl_c_ends_at_once():
    with pytest.raises(KeyboardInterrupt), Interrupt() as interrupt:
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupt.is_set
        os.kill(os.getpid(), signal.SIGINT)


def test_callbacks_see_everything_and_may_stop():
    class Watch(Callback):
        def __init__(self):
            self.events = []

        def on_start(self, model):
            self.events.append("start")

        def on_batch(self, model, values):
            self.events.append("batch")

        def on_epoch(self, model, row):
            self.events.append("epoch")
            return True

        def on_end(self, model):
            self.events.append("end")

    watch = Watch()
    assert len(run(lambda x, y: {"loss": 1.0}, callbacks=[watch])) == 1
    assert watch.events == ["start", "batch", "batch", "batch", "epoch", "end"]


def test_early_stopping_waits_for_its_patience():
    losses = iter([3.0, 2.0, 2.5, 2.0, 2.1, 0.0])
    stopping = EarlyStopping(patience=2)
    history = run(lambda x, y: {"loss": 1.0}, 9, test=lambda: {"loss": next(losses)}, callbacks=[stopping])
    assert [row["val_loss"] for row in history] == [3.0, 2.0, 2.5, 2.0, 2.1]
    with pytest.raises(st.errors.ArgumentError, match="there is no 'val_loss' in the rows, only epoch, loss, seconds"):
        run(lambda x, y: {"loss": 1.0}, callbacks=[EarlyStopping()])


def test_logs_and_weights_are_on_disk_after_each_epoch(tmp_path):
    model, rows = nn.Sequential(nn.Dense(3)), []
    callbacks = [JsonLines(tmp_path / "log.jsonl"), SaveWeights(tmp_path / "best.safetensors", "loss"), rows.append]
    history = fit(model, DATA, 3, batch_size=5, learning_rate=0.1, verbose=False, callbacks=callbacks)
    assert [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()] == history == rows
    assert history[-1]["loss"] == min(row["loss"] for row in history)
    twin = nn.Sequential(nn.Dense(3))
    twin.build_for(DATA[0])
    load_weights(twin, tmp_path / "best.safetensors")
    assert np.array_equal(twin[0].kernel.value, model[0].kernel.value)
    with pytest.raises(st.errors.ArgumentError, match="must be Callback objects or functions, got 3"):
        fit(model, DATA, callbacks=[3])


def test_errors_in_a_step_leave_the_model_in_evaluation_and_tell_the_callbacks():
    ended = []

    class End(Callback):
        def on_end(self, model):
            ended.append(model.is_training)

    def fail(x, y):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(fail, callbacks=[End()])
    assert ended == [False]
    with pytest.raises(st.errors.ArgumentError, match=r"batches of \(inputs, targets\), got 1 arrays"):
        run_epochs(nn.Dense(1), fail, Batches(DATA[:1], batch_size=4), 1, progress=Quiet())
