"""Trainings that go on: after kills, Ctrl-C, damage, a full disk."""

import errno
import json
import os
import shutil
import signal

import numpy as np
import pytest

import septet as st
from septet import nn, optim
from septet.data import Batches, Stream
from septet.train import (
    Checkpoints,
    Extension,
    History,
    JsonLines,
    Loop,
    Trainer,
    checkpoints,
    fit,
    read_checkpoint,
    read_log,
)
from tests.train.kill_many import curve, kill_many
from tests.train.make_golden_run import FOLDER
from tests.train.make_golden_run import X as golden_inputs
from tests.train.make_golden_run import fit as go_on

X = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int64)


class Press(Extension):
    """Press Ctrl-C at a step."""

    def __init__(self, step, times):
        self.step, self.times = step, times

    def on_batch(self, loop):
        for _ in range(self.times * (loop.step == self.step)):
            signal.raise_signal(signal.SIGINT)


def train(folder, epochs=3, *extensions, rate=0.1, optimizer=optim.Adam, **words):
    """Train a small model; return history and weights."""
    st.random.seed(0)
    model = nn.Sequential(nn.Dense(4), nn.Dropout(0.5), nn.Dense(2))
    history = fit(
        model, (X, Y), epochs, batch_size=8, optimizer=optimizer(model, rate), verbose=False, validation_split=0.2,
        callbacks=list(extensions), checkpoints=folder, log=folder / "log.jsonl" if folder else None, **words,
    )  # fmt: skip
    return history, model.state_dict()


def without_times(history):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in history]


def names(folder):
    return sorted(path.name for path in folder.iterdir() if path.is_dir())


def test_a_training_killed_again_and_again_ends_to_the_same_bits(tmp_path):
    assert len(kill_many(8, tmp_path)) == 8


@pytest.mark.parametrize("times", [1, 2])
def test_after_ctrl_c_a_training_goes_on_as_if_nothing_had_been(tmp_path, times):
    expected, weights = train(tmp_path / "whole")
    part, _ = train(tmp_path / "part", 3, Press(3, times))
    assert part.was_interrupted and len(part) == 2 and names(tmp_path / "part")[-1] == f"step-{5 - times:010d}"
    history, found = train(tmp_path / "part", 3, Press(3, times), resume=True)
    assert without_times(history) == without_times(expected)
    assert curve(tmp_path / "part") == curve(tmp_path / "whole")
    assert all(np.array_equal(found[name], value) for name, value in weights.items())
    longer, _ = train(tmp_path / "part", 5, resume=True)
    assert without_times(longer)[:3] == without_times(expected) and len(longer) == 5
    events = [record["event"] for record in read_log(tmp_path / "part" / "log.jsonl")]
    assert events.count("resume") == 2 and events.count("epoch") == 5 and events.count("end") == 1


def test_a_loop_that_is_run_again_goes_on(tmp_path):
    trainer = Trainer(nn.Sequential(nn.Dense(2)), "sgd")
    extensions = [Checkpoints(tmp_path / "run"), JsonLines(tmp_path / "log.jsonl")]
    loop = Loop(trainer.train, Batches((X, Y), batch_size=8), model=trainer.model, extensions=extensions)
    loop.run(1)
    history = loop.run(3)
    assert [row["epoch"] for row in history] == [1, 2, 3] and history == History.read(tmp_path / "log.jsonl")
    assert len(names(tmp_path / "run")) == 3


def test_the_last_and_the_best_are_kept(tmp_path):
    values = iter([3.0, 1.0, 2.0, 2.0, 4.0])
    model = nn.Dense(2)
    model.build_for(X)

    class Measure(Extension):
        def measure(self, loop, row):
            row["val_loss"] = next(values)

    saving = Checkpoints(tmp_path, keep=2, best="val_loss")
    Loop(lambda x, y: {"loss": 1.0}, Batches((X, Y), batch_size=20), model=model, extensions=[saving, Measure()]).run(5)
    assert names(tmp_path) == [f"step-{step:010d}" for step in (2, 4, 5)]
    state = read_checkpoint(tmp_path / "step-0000000002").state
    assert state["records"][-1]["val_loss"] == 1.0


def test_the_best_before_stays_where_a_better_one_cannot_be_written(tmp_path, monkeypatch):
    values, write = iter([3.0, 1.0, 2.0, 2.0]), checkpoints.write_checkpoint

    class Measure(Extension):
        def measure(self, loop, row):
            row["val_loss"] = next(values)

    def full(folder, step, arrays, state):
        if step == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(folder, step, arrays, state)

    monkeypatch.setattr(checkpoints, "write_checkpoint", full)
    saving = Checkpoints(tmp_path, keep=1, best="val_loss")
    with pytest.warns(RuntimeWarning, match="no checkpoint of step 2: No space left on device"):
        Loop(lambda x, y: {"loss": 1.0}, Batches((X, Y), batch_size=20), extensions=[saving, Measure()]).run(4)
    assert names(tmp_path) == [f"step-{step:010d}" for step in (1, 4)]


def test_a_damaged_checkpoint_is_passed_over_and_said_so(tmp_path):
    expected, _ = train(tmp_path / "a")
    train(tmp_path / "b", 2)
    newest = tmp_path / "b" / "step-0000000004"
    data = (newest / "optimizer.safetensors").read_bytes()
    (newest / "optimizer.safetensors").write_bytes(data[:-5] + b"wrong")
    with pytest.warns(RuntimeWarning, match=r"optimizer.safetensors is damaged.*going on from .*step-0000000002"):
        history, _ = train(tmp_path / "b", 3, resume=True)
    assert without_times(history) == without_times(expected)
    assert any(name.startswith("damaged-step-0000000004") for name in names(tmp_path / "b"))
    for path in (tmp_path / "b").glob("step-*"):
        (path / "state.json").write_bytes(b"{")
    with pytest.raises(st.errors.FileFormatError, match=r"no checkpoint in .* can be read: .*step-0000000006"):
        train(tmp_path / "b", 3, resume=True)


@pytest.mark.filterwarnings("ignore:no checkpoint of step 6")
def test_a_full_disk_is_a_warning_and_the_training_goes_on(tmp_path, monkeypatch):
    expected, weights = train(tmp_path / "a")
    fsync, count = os.fsync, 0

    def full(handle):
        nonlocal count
        count += 1
        if 10 < count < 16:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.warns(RuntimeWarning, match="no checkpoint of step 4: No space left on device: .*step-0000000004"):
        history, found = train(tmp_path / "b")
    assert without_times(history) == without_times(expected) and names(tmp_path / "b")[0] == "step-0000000002"
    assert all(np.array_equal(found[name], value) for name, value in weights.items())


def test_a_folder_that_cannot_be_written_to_is_found_out_at_the_start(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(st.errors.ArgumentError, match="cannot be written to: Not a directory"):
        train(tmp_path / "file" / "folder")
    if os.geteuid():
        (tmp_path / "locked").mkdir(mode=0o500)
        with pytest.raises(st.errors.ArgumentError, match="cannot be written to: Permission denied"):
            train(tmp_path / "locked" / "folder")


def test_what_belongs_to_another_training_is_refused(tmp_path):
    train(tmp_path, 1)
    with pytest.raises(st.errors.ArgumentError, match="holds 1 checkpoint of another training"):
        train(tmp_path, 1)
    with pytest.raises(st.errors.FileFormatError, match="its optimizer is Adam, this one is SGD"):
        train(tmp_path, 2, optimizer=optim.SGD, resume=True)
    with pytest.raises(st.errors.FileFormatError, match=r"belongs to another training: .*(batch_size|another stream)"):
        fit(nn.Sequential(nn.Dense(4), nn.Dropout(0.5), nn.Dense(2)), (X, Y), 2, batch_size=4, verbose=False,
            checkpoints=tmp_path, resume=True)  # fmt: skip
    with pytest.raises(st.errors.FileFormatError, match="shape"):
        fit(nn.Sequential(nn.Dense(5), nn.Dense(2)), (X, Y), 2, verbose=False, checkpoints=tmp_path, resume=True)
    with pytest.raises(st.errors.ArgumentError, match="resume=True goes on from checkpoints"):
        fit(nn.Dense(2), (X, Y), resume=True)


def test_streams_of_unknown_length_go_on_in_the_middle_and_at_the_end_of_an_epoch(tmp_path):
    def run(folder, *extensions, **words):
        st.random.seed(0)
        trainer = Trainer(nn.Sequential(nn.Dense(2)), "sgd")
        stream = Stream((X, Y), shuffle=True, seed=1).filter(lambda value: True).batch(8)
        extensions = [Checkpoints(folder, every_steps=1, **words), JsonLines(folder.with_suffix(".log")), *extensions]
        loop = Loop(trainer.train, stream, optimizer=trainer.optimizer, model=trainer.model, extensions=extensions)
        return loop.run(2), trainer.model.state_dict()

    expected, weights = run(tmp_path / "whole")
    for step in (2, 3, 4):
        run(tmp_path / str(step), Press(step, 2))
        if step == 4:
            (tmp_path / "4.log").unlink()
        history, found = run(tmp_path / str(step), resumes=True)
        assert without_times(history) == without_times(expected)
        assert all(np.array_equal(found[name], value) for name, value in weights.items())
        assert without_times(History.read(tmp_path / f"{step}.log")) == without_times(expected)


def test_batches_that_cannot_say_where_they_stand_are_gone_through_again(tmp_path):
    class Lines:
        def __iter__(self):
            return iter([(X[i : i + 8], Y[i : i + 8]) for i in range(0, 20, 8)])

    def run(folder, *extensions, **words):
        st.random.seed(0)
        trainer = Trainer(nn.Sequential(nn.Dense(2)), "sgd")
        saving = Checkpoints(folder, every_steps=1, **words)
        loop = Loop(
            trainer.train, Lines(), model=trainer.model, optimizer=trainer.optimizer, metrics=trainer.metrics,
            extensions=[saving, *extensions],
        )  # fmt: skip
        return loop.run(2)

    expected = run(tmp_path / "a")
    run(tmp_path / "b", Press(2, 2))
    assert without_times(run(tmp_path / "b", resumes=True)) == without_times(expected)


def test_runs_and_models_of_earlier_releases_are_read(tmp_path):
    """What version 1 wrote loads ever after, and goes on as it did."""
    expected = json.loads((FOLDER / "expected.json").read_text())
    model = nn.Module.load(FOLDER / "model.safetensors")
    assert np.allclose(model.predict(golden_inputs[:4]), expected["predictions"], atol=1e-5)
    shutil.copytree(FOLDER / "run", tmp_path / "run")
    _, history = go_on(tmp_path / "run", 3, resumes=True)
    assert np.allclose([row["loss"] for row in history], expected["losses"], atol=1e-4)
