"""Kill a real training again and again at random moments, let it go on, and compare it with one that was left alone.

python tests/train/kill_many.py 100          100 kills; prints where they came
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

import numpy as np

import septet as st
from septet import nn, optim
from septet.data import Batches
from septet.train import Checkpoints, EarlyStopping, Extension, JsonLines, Loop, Trainer, Validation, read_log

TIMES = ("seconds", "path")  # what may differ
EVENTS = ("start", "batch", "epoch")
EPOCHS = 3


class Slow(Extension):
    """Spread the moments of a short training over some time."""

    def on_batch(self, loop: Loop) -> None:
        time.sleep(0.008)


def noisy(batch: Any) -> Any:
    """Change a batch by NumPy's own generator, whose state must be kept, too."""
    inputs, targets = batch
    return inputs + np.random.normal(scale=0.01, size=inputs.shape).astype(np.float32), targets


def train(folder: Path) -> None:
    """Train with everything that has a state, or go on; write a digest of the end."""
    st.random.seed(3)
    np.random.seed(3)
    data = np.random.default_rng(0)
    inputs = data.normal(size=(60, 6)).astype(np.float32)
    targets = (inputs[:, 0] > inputs[:, 1]).astype(np.int64) + (inputs[:, 2] > 0)
    model = nn.Sequential(nn.Dense(8), nn.BatchNorm(), nn.ReLU(), nn.Dropout(0.3), nn.Dense(3))
    rate = optim.schedules.Warmup(3, optim.schedules.Plateau(0.03, 0.5, patience=0))
    optimizer = optim.Adam(model, rate, clip_global_norm=1.0, accumulate=2, average=0.9, weight_decay=1e-3)
    trainer = Trainer(model, optimizer, "cross_entropy", ["accuracy", "f1"])
    held_out = Batches((inputs[48:], targets[48:]), batch_size=12)
    loop = Loop(
        trainer.train, Batches((inputs[:48], targets[:48]), batch_size=7, shuffle=True, seed=5, transform=noisy),
        model=model, optimizer=optimizer, metrics=trainer.metrics, log_every=1,
        extensions=[
            Validation(lambda: trainer.test(held_out)), EarlyStopping("val_loss", 50, restores_best=True), Slow(),
            JsonLines(folder / "log.jsonl"),
            Checkpoints(folder / "checkpoints", every_steps=3, keep=2, best="val_loss", resumes=True),
        ],
    )  # fmt: skip
    loop.run(EPOCHS)
    state = {**model.state_dict(), **optimizer.state_dict(), "seed": st.random.get_state()}
    digest = hashlib.sha256(b"".join(np.ascontiguousarray(value).tobytes() for value in state.values())).hexdigest()
    (folder / "end").write_text(digest)


def start(folder: Path) -> int:
    """Train in a process of its own; return its number."""
    process = os.fork()
    if process:
        return process
    try:
        os.dup2(os.open(folder / "errors", os.O_CREAT | os.O_APPEND | os.O_WRONLY), 2)
        train(folder)
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)


def until(process: int, seconds: float) -> bool:
    """Let a process run so long, and kill it; tell whether it had to be killed."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if os.waitpid(process, os.WNOHANG)[0]:
            return False
        time.sleep(0.001)
    os.kill(process, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(process, 0)[1])


def curve(folder: Path) -> list[dict[str, Any]]:
    """Return what the log says of steps and epochs, without times."""
    records = [record for record in read_log(folder / "log.jsonl") if record["event"] in EVENTS]
    return [{key: value for key, value in record.items() if key not in TIMES} for record in records]


def kill_many(kills: int, root: Path, seed: int = 0) -> list[str]:
    """Kill trainings so often; return where each kill came, and what happened.

    Raises
    ------
    AssertionError
        If a training that was killed ends in another way than one that was not.
    """
    randomness, told, done, number = random.Random(seed), [], 0, 0
    whole = root / "whole"
    whole.mkdir(parents=True)
    train(whole)  # here, so that those that are killed find everything imported
    began = time.monotonic()
    (root / "alone").mkdir()
    assert not until(start(root / "alone"), 120), "the training that is left alone takes too long"
    length = time.monotonic() - began
    expected, end = curve(whole), (whole / "end").read_text()
    assert len(expected) == 1 + EPOCHS * 8 and curve(root / "alone") == expected
    while done < kills:
        folder = root / f"killed-{number}"
        folder.mkdir()
        number += 1
        is_first = True
        while not (folder / "end").exists():
            began = time.monotonic()
            is_killed = until(start(folder), randomness.uniform(0.2, 1.0) * length if done < kills else 120)
            errors = (folder / "errors").read_text()
            assert "Error" not in errors, errors
            if is_first and not is_killed:  # the machine has become faster, or the first one had to wait
                length = min(length, time.monotonic() - began)
            is_first = False
            if is_killed:
                done += 1
                found = sorted(path.name for path in (folder / "checkpoints").glob("*"))
                told.append(f"kill {done}, training {number}: {', '.join(found) or 'before the first checkpoint'}")
        assert curve(folder) == expected, f"{folder}: the log differs"
        assert (folder / "end").read_text() == end, f"{folder}: the weights differ"
    return told


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as root:
        began = time.monotonic()
        told = kill_many(int(sys.argv[1]), Path(root), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
        print(*told, sep="\n")
        print(f"{len(told)} kills, the same losses and weights to the last bit; {time.monotonic() - began:.0f} s")
