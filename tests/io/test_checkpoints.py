"""Checkpoints in files: whole or not there, and every damage is found."""

import json
import os
import resource
import signal
import subprocess

import numpy as np
import pytest

from septet.base.errors import FileFormatError
from septet.io import checkpoints
from septet.io.checkpoints import checkpoints_in, read_checkpoint, remove_remains, write_checkpoint

ARRAYS = {"model": {"w": np.arange(6.0).reshape(2, 3), "b": np.zeros((0, 2), np.float32)}, "more": {"n": np.int64(7)}}
STATE = {"epoch": 3, "values": [0.1, None, float("inf")]}
CALLS = ("mkdir", "open", "fsync", "rename", "replace", "unlink", "rmdir")
"""What the system is asked for while a checkpoint is written."""


def child(work):
    """Run something in a process of its own; return how it ended."""
    process = os.fork()
    if process:
        return os.waitpid(process, 0)[1]
    try:
        work()
        os._exit(0)
    except BaseException:
        os._exit(1)


def test_a_checkpoint_comes_back_bit_for_bit(tmp_path):
    path = write_checkpoint(tmp_path / "new" / "folder", 12, ARRAYS, STATE)
    found = read_checkpoint(path)
    assert path.name == "step-0000000012" and found.state == STATE and set(found.arrays) == {"model", "more"}
    for file, arrays in ARRAYS.items():
        for name, value in arrays.items():
            back = found.arrays[file][name]
            assert back.dtype == value.dtype and back.shape == value.shape and back.tobytes() == value.tobytes()
    manifest = json.loads((path / "manifest.json").read_text())
    assert manifest["format"] == "septet-checkpoint" and manifest["version"] == 1
    digest = subprocess.run(["sha256sum", path / "state.json"], capture_output=True, text=True).stdout.split()[0]
    assert manifest["files"]["state.json"]["sha256"] == digest


def test_a_process_killed_at_any_call_of_the_system_leaves_whole_checkpoints(tmp_path, monkeypatch):
    """Each call in turn is the last; a half written file, too. The one before stays, and is read."""
    write_checkpoint(tmp_path, 1, ARRAYS, STATE)

    def work(number):
        count = 0

        def counted(call):
            def called(*args, **words):
                nonlocal count
                count += 1
                if count == number:
                    os.kill(os.getpid(), signal.SIGKILL)
                return call(*args, **words)

            return called

        for name in CALLS:
            monkeypatch.setattr(os, name, counted(getattr(os, name)))
        for turn in (1, 2):  # the second replaces the first
            write_checkpoint(tmp_path, 2, ARRAYS, {**STATE, "number": number, "turn": turn})
        checkpoints.remove_checkpoint(tmp_path / "step-0000000002")

    killed, seen = 0, set()
    for number in range(1, 200):
        status = child(lambda number=number: work(number))
        if not os.WIFSIGNALED(status):
            assert status == 0
            break
        killed += 1
        found = checkpoints_in(tmp_path)
        states = [read_checkpoint(path).state for path in found]
        assert states[-1] == STATE and all(state["number"] == number for state in states[:-1])
        seen.add(tuple(state["turn"] for state in states[:-1]))
        remove_remains(tmp_path)
        left = checkpoints_in(tmp_path)
        assert left == found[:1] + found[-1:] or left == found
        assert sorted(os.listdir(tmp_path)) == sorted(path.name for path in left)
        for path in left[:-1]:
            checkpoints.remove_checkpoint(path)
    assert killed >= 20 and seen == {(), (1,), (2, 1), (2,)}


def test_a_full_disk_leaves_nothing_half_written(tmp_path):
    """Files may not grow beyond a limit here; where the limit lies is where the disk is full."""
    write_checkpoint(tmp_path, 1, ARRAYS, STATE)
    large = {"model": {"w": np.zeros(5000)}}

    def work():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20000, resource.RLIM_INFINITY))
        try:
            write_checkpoint(tmp_path, 2, large, STATE)
        except OSError as error:
            assert error.filename.endswith("step-0000000002") and error.errno
            os._exit(7)

    assert os.waitstatus_to_exitcode(child(work)) == 7
    assert os.listdir(tmp_path) == ["step-0000000001"]


def test_every_damage_is_found_and_named(tmp_path):
    path = write_checkpoint(tmp_path, 5, ARRAYS, STATE)
    for name in sorted(os.listdir(path)):
        whole = (path / name).read_bytes()
        other = bytes([whole[len(whole) // 2] ^ 1])
        flipped = whole[: len(whole) // 2] + other + whole[len(whole) // 2 + 1 :]
        for damaged in (b"", whole[:-1], whole + b" ", flipped):
            (path / name).write_bytes(damaged)
            if name == "manifest.json" and damaged in (whole + b" ", flipped):
                continue  # says the same, or is about another file
            with pytest.raises(FileFormatError, match=name):
                read_checkpoint(path)
        (path / name).unlink()
        with pytest.raises(FileFormatError, match="cannot be read: No such file"):
            read_checkpoint(path)
        (path / name).write_bytes(whole)
    manifest = json.loads((path / "manifest.json").read_text())
    for change, text in (
        ({"version": 9}, "format version 9; this release reads up to 1"),
        ({"format": "zip"}, "is not the manifest"),
        ({"files": {"../x": {"bytes": 1, "sha256": ""}}}, "is not the manifest"),
    ):
        (path / "manifest.json").write_text(json.dumps({**manifest, **change}))
        with pytest.raises(FileFormatError, match=text):
            read_checkpoint(path)


def test_only_checkpoints_are_listed_the_latest_first(tmp_path):
    for step in (5, 100, 20):
        write_checkpoint(tmp_path, step, {}, {})
    (tmp_path / "step-best").mkdir()
    (tmp_path / "step-0000000007").touch()
    assert [path.name for path in checkpoints_in(tmp_path)] == [f"step-{step:010d}" for step in (100, 20, 5)]
    assert checkpoints_in(tmp_path / "nothing") == []
