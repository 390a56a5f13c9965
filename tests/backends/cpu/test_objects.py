"""Tests of object code on disk."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from septet.backends.cpu import objects
from septet.backends.cpu.objects import BLOCK, HEADER, ObjectCache, pack, unpack
from septet.base.config import config

SCRIPT = """
import ctypes, sys
from septet.backends.cpu import jit, objects
def module(number):
    return jit.Module("f", f"define i64 @f(i64 %x) {{\\n %y = add i64 %x, {number}\\n ret i64 %y\\n}}")
found = jit.addresses([module(number) for number in range(int(sys.argv[1]))])
kind = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)
assert [kind(address)(1) for address in found] == [number + 1 for number in range(int(sys.argv[1]))]
print(jit.made.new, objects.current().status())
"""


def start(folder: Path, count: int = 6, **environment: str) -> subprocess.Popen[str]:
    """Start a process that uses `count` functions, and prints how many it compiled and the status of its cache."""
    variables = {**os.environ, "SEPTET_CACHE_DIR": str(folder), **environment}
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", SCRIPT, str(count)], stdout=subprocess.PIPE, text=True, env=variables
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Return how many functions a process compiled, and the status of its cache."""
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    number, status = out.split(maxsplit=1)
    return int(number), status


def files(folder: Path) -> list[Path]:
    return sorted((folder / "objects").glob("*"))


def test_the_next_process_compiles_nothing(tmp_path: Path) -> None:
    compiled, status = finish(start(tmp_path))
    assert compiled == 6
    assert "6 functions" in status
    assert finish(start(tmp_path))[0] == 0
    assert finish(start(tmp_path, 8))[0] == 2


def test_two_processes_at_once(tmp_path: Path) -> None:
    both = [start(tmp_path, 12), start(tmp_path, 12)]
    assert all(0 <= finish(process)[0] <= 12 for process in both)
    assert len(files(tmp_path)) == 12  # no temporary file is left
    assert finish(start(tmp_path, 12))[0] == 0


def truncate(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flip(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 4]) + content[middle + 1 :]


def age(content: bytes) -> bytes:
    return content.replace(objects.MAGIC, b"septet-0", 1)


def empty(content: bytes) -> bytes:
    return b""


@pytest.mark.parametrize("damage", [truncate, flip, age, empty])
def test_a_damaged_file_is_compiled_again_and_mended(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    finish(start(tmp_path))
    victim = files(tmp_path)[2]
    victim.write_bytes(damage(victim.read_bytes()))
    compiled, status = finish(start(tmp_path))
    assert compiled == 1
    assert "1 damaged file left aside" in status
    assert finish(start(tmp_path))[0] == 0


def test_a_file_under_the_key_of_another_is_not_used(tmp_path: Path) -> None:
    finish(start(tmp_path))
    first, second = files(tmp_path)[:2]
    first.write_bytes(second.read_bytes())
    assert finish(start(tmp_path))[0] == 1


def test_the_setting_of_the_size_turns_it_off(tmp_path: Path) -> None:
    for _ in range(2):
        compiled, status = finish(start(tmp_path, SEPTET_CACHE_SIZE="0"))
        assert compiled == 6
        assert "nothing is kept: the setting cache_size is 0" in status
    assert not files(tmp_path)


def test_a_folder_that_cannot_be_made_or_written_to(tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("no folder")
    compiled, status = finish(start(in_the_way))
    assert compiled == 6
    assert "nothing is kept: Not a directory" in status


def test_reading_goes_on_where_writing_cannot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = ObjectCache(str(tmp_path), 10**6)
    cache.write({"one": b"code"})

    def refuse(*args: object, **kwargs: object) -> None:
        raise OSError(30, "Read-only file system", "here")

    monkeypatch.setattr(objects.os, "replace", refuse)
    cache.write({"two": b"code"})
    assert cache.read("one") == b"code"
    assert cache.read("two") is None
    assert cache.status().endswith("nothing is kept: Read-only file system: here")
    assert [path.name for path in tmp_path.iterdir()] == ["one.object"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the administrator may write anywhere")
def test_a_read_only_folder(tmp_path: Path) -> None:
    finish(start(tmp_path))
    (tmp_path / "objects").chmod(0o500)
    try:
        compiled, status = finish(start(tmp_path, 8))
        assert compiled == 2
        assert "nothing is kept: Permission denied" in status
    finally:
        (tmp_path / "objects").chmod(0o700)


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(objects, "pack", full)
    cache = ObjectCache(str(tmp_path), 10**6)
    cache.write({"one": b"code"})
    assert cache.status().endswith(f"nothing is kept: No space left on device: {tmp_path}")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="no owners of files on this system")
def test_a_folder_that_others_may_write_to_is_not_trusted(tmp_path: Path) -> None:
    cache = ObjectCache(str(tmp_path), 10**6)
    cache.write({"one": b"code"})
    tmp_path.chmod(0o777)
    for other in (ObjectCache(str(tmp_path), 10**6), ObjectCache(str(tmp_path), 10**6)):
        assert other.read("one") is None
        other.write({"two": b"code"})
        assert f"everybody may write to {tmp_path}" in other.status()
    tmp_path.chmod(0o700)
    assert ObjectCache(str(tmp_path), 10**6).read("one") == b"code"


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="no owners of files on this system")
def test_a_folder_of_somebody_else_is_not_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ObjectCache(str(tmp_path), 10**6).write({"one": b"code"})
    owner = tmp_path.stat().st_uid
    if owner == 0:
        os.chown(tmp_path, 12345, -1)
    else:
        monkeypatch.setattr(objects.os, "geteuid", lambda: owner + 1)
    cache = ObjectCache(str(tmp_path), 10**6)
    assert cache.read("one") is None
    assert "belongs to another user" in cache.status()


def test_a_new_folder_is_for_the_user_alone(tmp_path: Path) -> None:
    ObjectCache(str(tmp_path / "a" / "b"), 10**6).write({"one": b"code"})
    if hasattr(os, "geteuid"):
        assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700


def test_what_was_used_least_recently_goes_first(tmp_path: Path) -> None:
    cache = ObjectCache(str(tmp_path), 16 * BLOCK)
    for number in range(16):
        cache.write({f"old{number:02}": b"code"})
        os.utime(tmp_path / f"old{number:02}.object", (number, number))
    assert cache.read("old00") == b"code"  # used now
    cache.write({"new0": bytes(2 * BLOCK - HEADER.size), "new1": b"code"})
    left = {path.stem for path in tmp_path.iterdir()}
    assert {"old00", "new0", "new1"} <= left
    assert left - {"old00", "new0", "new1"} == {f"old{number:02}" for number in range(8, 16)}
    assert "11 functions" in cache.status()


def test_more_than_the_limit_at_once(tmp_path: Path) -> None:
    cache = ObjectCache(str(tmp_path), 4 * BLOCK)
    cache.write({f"{number}": bytes(BLOCK) for number in range(20)})
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 4 * BLOCK


def test_leftovers_of_processes_that_died_are_removed(tmp_path: Path) -> None:
    old, young = tmp_path / "a-1-1.tmp", tmp_path / "b-1-1.tmp"
    foreign = tmp_path / "notes.txt"
    for path in (old, young, foreign):
        path.write_bytes(b"half")
    long_ago = time.time() - 2 * objects.LEFTOVER_AFTER
    os.utime(old, (long_ago, long_ago))
    os.utime(foreign, (long_ago, long_ago))
    cache = ObjectCache(str(tmp_path), 10**6)
    cache.write({"one": b"code"})
    cache.shrink()
    assert {path.name for path in tmp_path.iterdir()} == {"b-1-1.tmp", "notes.txt", "one.object"}


def test_files_that_vanish_while_others_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = ObjectCache(str(tmp_path), 3 * BLOCK)
    unlink = os.unlink

    def slow(path: str) -> None:
        unlink(path)  # as if another process had been first
        unlink(path)

    monkeypatch.setattr(objects.os, "unlink", slow)
    cache.write({f"{number}": b"code" for number in range(9)})
    assert 1 <= len(list(tmp_path.iterdir())) <= 3


def test_the_content_of_a_file() -> None:
    content = pack("key", b"code")
    assert unpack("key", content) == b"code"
    assert unpack("other", content) is None
    assert unpack("key", content + b"x") is None
    assert unpack("key", content[:10]) is None


def test_the_settings_choose_the_folder(tmp_path: Path) -> None:
    with config.override(cache_dir=tmp_path, cache_size=3):
        cache = objects.current()
        assert cache is objects.current()
        assert (cache.folder, cache.limit) == (tmp_path / "objects", 3_000_000)
    assert objects.current() is not cache


def test_many_short_processes_stay_within_the_limit_and_seldom_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = []
    shrink = ObjectCache.shrink
    monkeypatch.setattr(ObjectCache, "shrink", lambda cache: (counts.append(1), shrink(cache)))
    limit = 64 * BLOCK
    for number in range(1000):  # each writes a function
        ObjectCache(str(tmp_path), limit).write({f"{number:04}": bytes(100)})
        assert len(list(tmp_path.iterdir())) <= 64 + 40
    assert 150 < len(counts) < 350


def test_few_files_are_listed_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = ObjectCache(tmp_path / "objects", 1_000_000)
    keys = [f"key{number}" for number in range(8)]
    assert list(cache.those_there(keys)) == []
    cache.write({key: b"code" for key in keys[::2]})
    assert list(cache.those_there(keys)) == keys[::2]
    assert list(cache.those_there(keys[:3])) == keys[:3]  # so few are looked for one by one
    monkeypatch.setattr(objects, "MOST_LISTED", 4)
    assert list(cache.those_there(keys)) == keys  # and so are those that may be among very many
