"""Whole programs beside a folder of compiled code in every bad state: right results, no crash, no unbounded growth."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from septet.backends.cpu import objects
from septet.backends.cpu.objects import pack

ROOT = Path(__file__).resolve().parents[3]

PROGRAM = """
import hashlib, sys
import numpy as np, septet as st
from septet import nn
from septet.backends.cpu import jit, objects
st.random.seed(3)
model = nn.Sequential(nn.Dense(33), nn.Tanh(), nn.Dense(5))
x = st.tensor(np.random.default_rng(0).standard_normal((40, 20)).astype(np.float32))
y = st.tensor(np.arange(40) % 5)
model(x)
optimizer = st.optim.Adam(model.parameters(), learning_rate=0.01)
@st.compile
def step(x, y):
    loss = nn.losses.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    return loss
digest = hashlib.sha256()
for _ in range(3):
    digest.update(step(x, y).numpy().tobytes())
for parameter in model.parameters():
    digest.update(parameter.numpy().tobytes())
digest.update(st.compile(lambda x: st.cumsum(st.sort(st.exp(x)), axis=0).sum(axis=1))(x).numpy().tobytes())
new, loaded = jit.made_by_all.counts()
print(digest.hexdigest(), new, loaded, objects.current().status(), sep=chr(10))
"""


class Outcome:
    """What a process found: results, functions compiled and loaded, and what it says about its cache."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        out, error = process.communicate(timeout=300)
        assert process.returncode == 0, f"{process.returncode}\n{error}"
        assert error == ""
        self.digest, new, loaded, self.status = out.rstrip().split("\n")
        self.new, self.loaded = int(new), int(loaded)


def start(folder: Path, **environment: str) -> subprocess.Popen[str]:
    """Start a process that trains and evaluates."""
    variables = {**os.environ, "SEPTET_BACKEND": "cpu", "SEPTET_CACHE_DIR": str(folder), "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**variables, **environment}, cwd="/",
    )  # fmt: skip


def run(folder: Path, **environment: str) -> Outcome:
    return Outcome(start(folder, **environment))


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    """Return a folder with what a first process compiled, and what that process found."""
    folder = tmp_path_factory.mktemp("kept")
    first = run(folder)
    assert first.new > 10 and first.loaded == 0
    return folder, first


@pytest.fixture
def used(kept: tuple[Path, Outcome], tmp_path: Path) -> tuple[Path, Outcome]:
    """Return a copy of that folder, to be damaged."""
    folder = tmp_path / "used"
    shutil.copytree(kept[0], folder)
    return folder, kept[1]


def files(folder: Path) -> list[Path]:
    return sorted((folder / "objects").glob("*.object"))


def test_the_next_process_has_the_same_results_and_compiles_nothing(used: tuple[Path, Outcome]) -> None:
    found = run(used[0])
    assert (found.digest, found.new, found.loaded) == (used[1].digest, 0, used[1].new)


# Folders.


def test_a_folder_deep_in_folders_that_do_not_exist(kept: tuple[Path, Outcome], tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b" / "c"
    assert run(folder).digest == kept[1].digest
    assert len(files(folder)) == kept[1].new


@pytest.mark.parametrize("where", ["", "objects"])
def test_a_file_in_the_place_of_the_folder(kept: tuple[Path, Outcome], tmp_path: Path, where: str) -> None:
    (tmp_path / "x").mkdir()
    path = tmp_path / "x" / where if where else tmp_path / "y"
    path.write_text("a file")
    found = run(tmp_path / ("x" if where else "y"))
    assert (found.digest, found.new) == (kept[1].digest, kept[1].new)
    assert "nothing is kept: " in found.status
    assert path.read_text() == "a file"


def test_a_folder_that_leads_to_itself(kept: tuple[Path, Outcome], tmp_path: Path) -> None:
    (tmp_path / "objects").symlink_to(tmp_path / "objects")
    found = run(tmp_path)
    assert found.digest == kept[1].digest and "nothing is kept: " in found.status


@contextlib.contextmanager
def disk(folder: Path, size: str, options: str = "") -> Iterator[None]:
    """Mount a disk of a size, where this process may."""
    folder.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700{options}", "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True)
    except OSError:
        pytest.skip("there is no command mount")
    if done.returncode:
        pytest.skip("this user may not mount disks")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the administrator may write anywhere")
def test_a_folder_that_cannot_be_written_to(used: tuple[Path, Outcome]) -> None:
    files(used[0])[0].unlink()
    (used[0] / "objects").chmod(0o500)
    try:
        _check_read_only(*used, "Permission denied")
    finally:
        (used[0] / "objects").chmod(0o700)


@pytest.mark.skipif(sys.platform != "linux", reason="disks in memory are made for Linux")
def test_a_disk_that_is_read_only(used: tuple[Path, Outcome], tmp_path: Path) -> None:
    with disk(tmp_path / "disk", "8m"):
        shutil.copytree(used[0], tmp_path / "disk", dirs_exist_ok=True)
        files(tmp_path / "disk")[0].unlink()
        subprocess.run(["mount", "-o", "remount,ro", str(tmp_path / "disk")], check=True)
        _check_read_only(tmp_path / "disk", used[1], "Read-only file system")


def _check_read_only(folder: Path, first: Outcome, reason: str) -> None:
    """Check that what is there is loaded, while what is not is compiled each time."""
    for _ in range(2):
        found = run(folder)
        assert (found.digest, found.new, found.loaded) == (first.digest, 1, first.new - 1)
        assert f"nothing is kept: {reason}" in found.status
    assert len(files(folder)) == first.new - 1


@pytest.mark.skipif(sys.platform != "linux", reason="disks in memory are made for Linux")
@pytest.mark.parametrize("size", ["4k", "16k", "40k"])
def test_a_disk_that_is_full(kept: tuple[Path, Outcome], tmp_path: Path, size: str) -> None:
    with disk(tmp_path / "disk", size):
        for _ in range(2):
            found = run(tmp_path / "disk")
            assert found.digest == kept[1].digest and found.new + found.loaded == kept[1].new
            assert "nothing is kept: No space left on device" in found.status
        for path in (tmp_path / "disk").rglob("*.object"):  # what is there is whole
            assert objects.unpack(path.stem, path.read_bytes())
        assert not list((tmp_path / "disk").rglob("*.tmp"))


@pytest.mark.skipif(sys.platform != "linux", reason="limits of processes as on Linux")
def test_files_that_can_be_written_only_in_part(kept: tuple[Path, Outcome], tmp_path: Path) -> None:
    """The system refuses all that is beyond 1,500 bytes of a file: a real write that fails half-way."""
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500))\n"
    command = [sys.executable, "-c", limit + PROGRAM]
    environment = {**os.environ, "SEPTET_BACKEND": "cpu", "SEPTET_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    for _ in range(2):
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd="/"
        )
        found = Outcome(process)
        assert found.digest == kept[1].digest
        assert "nothing is kept: File too large" in found.status
    assert not list(tmp_path.rglob("*.tmp"))
    assert run(tmp_path).digest == kept[1].digest


# Files.


def cut(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def flip(path: Path) -> None:
    """Change one bit of the machine code itself."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def zero(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def noise(path: Path) -> None:
    path.write_bytes(random.Random(path.name).randbytes(path.stat().st_size))


def empty(path: Path) -> None:
    path.write_bytes(b"")


def longer(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"more")


def older(path: Path) -> None:
    """A file of another version, whole in its own terms."""
    path.write_bytes(b"septet-0" + path.read_bytes()[8:])


def text(path: Path) -> None:
    path.write_text("notes of somebody else\n")


def folder_there(path: Path) -> None:
    path.unlink()
    path.mkdir()


def loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


def useless(path: Path) -> None:
    """A file that is whole, checksum and all, around what is no machine code."""
    path.write_bytes(pack(path.stem, b"\0this is no object file" * 30))


def of_nothing(path: Path) -> None:
    path.write_bytes(pack(path.stem, b""))


def pipe(path: Path) -> None:
    """Reading it would wait until somebody writes to it."""
    path.unlink()
    os.mkfifo(path)


def device(path: Path) -> None:
    """Reading it would never end."""
    path.unlink()
    path.symlink_to("/dev/zero")


def huge(path: Path) -> None:
    """A file with a hole: it takes no disk, and would take 64 GB of memory."""
    with open(path, "r+b") as file:
        file.truncate(1 << 36)


def writable(path: Path) -> None:
    """Everybody may have put other code there, with a checksum that fits."""
    path.chmod(0o666)


DAMAGES = [cut, flip, zero, noise, empty, longer, older, text, folder_there, loop, useless, of_nothing, pipe, device]
DAMAGES += [huge, writable]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_damaged_files(used: tuple[Path, Outcome], damage: Callable[[Path], None]) -> None:
    folder, first = used
    every = files(folder)
    for path in every:
        damage(path)
    found = run(folder)
    assert (found.digest, found.new, found.loaded) == (first.digest, first.new, 0)
    again = run(folder)
    assert again.digest == first.digest
    if damage is not folder_there:  # which only its owner can remove
        assert (again.new, again.loaded) == (0, first.new)  # mended


def test_files_are_for_their_owner_to_write_whatever_the_process_gives_to_new_ones(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        objects.ObjectCache(str(tmp_path), 10**6).write({"one": b"code"})
    finally:
        os.umask(before)
    assert (tmp_path / "one.object").stat().st_mode & 0o022 == 0


def test_every_byte_matters(used: tuple[Path, Outcome]) -> None:
    path = files(used[0])[0]
    content = path.read_bytes()
    for place in {*range(0, len(content), 7), *range(objects.HEADER.size + 70)}:
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        assert objects.unpack(path.stem, bytes(damaged)) is None
    for length in range(0, len(content), 11):
        assert objects.unpack(path.stem, content[:length]) is None
    assert objects.unpack(path.stem, content)


def test_files_under_each_others_names(used: tuple[Path, Outcome]) -> None:
    folder, first = used
    every = files(folder)
    contents = [path.read_bytes() for path in every]
    for path, content in zip(every, contents[1:] + contents[:1], strict=True):
        path.write_bytes(content)
    found = run(folder)
    assert (found.digest, found.loaded) == (first.digest, 0)
    assert f"{len(every)} damaged files left aside" in found.status


# Several processes.


def test_processes_that_begin_at_once(kept: tuple[Path, Outcome], tmp_path: Path) -> None:
    found = [Outcome(process) for process in [start(tmp_path) for _ in range(3)]]
    assert {own.digest for own in found} == {kept[1].digest}
    assert len(files(tmp_path)) == kept[1].new and not list(tmp_path.rglob("*.tmp"))


def test_a_limit_holds_with_several_processes(kept: tuple[Path, Outcome], tmp_path: Path) -> None:
    """Files of others that are used no more, to the limit and beyond, make room."""
    (tmp_path / "objects").mkdir(mode=0o700)
    for number in range(300):
        path = tmp_path / "objects" / f"old{number}.object"
        path.write_bytes(pack(path.stem, bytes(8000)))
        os.utime(path, (number, number))
    found = [Outcome(process) for process in [start(tmp_path, SEPTET_CACHE_SIZE="1") for _ in range(3)]]
    assert {own.digest for own in found} == {kept[1].digest}
    size = sum(-(-path.stat().st_size // 4096) * 4096 for path in files(tmp_path))
    assert size <= 1_000_000 * (1 + 3 * objects.SHARE_WRITTEN)
    assert run(tmp_path, SEPTET_CACHE_SIZE="1").new == 0  # what is in use stays


def test_files_that_change_and_vanish_meanwhile(used: tuple[Path, Outcome]) -> None:
    folder, first = used
    is_over = threading.Event()

    def harm() -> None:
        numbers = random.Random(1)
        while not is_over.is_set():
            for path in files(folder):
                with contextlib.suppress(OSError, IndexError):
                    numbers.choice((cut, flip, zero, empty, Path.unlink))(path)
            time.sleep(0.001)

    thread = threading.Thread(target=harm)
    thread.start()
    try:
        found = [Outcome(process) for process in [start(folder) for _ in range(2)]]
    finally:
        is_over.set()
        thread.join()
    assert {own.digest for own in found} == {first.digest}


def test_a_process_that_is_killed_while_it_compiles(kept: tuple[Path, Outcome], tmp_path: Path) -> None:
    for seconds in (0.4, 0.6, 0.8, 1.0, 1.2):
        process = start(tmp_path)
        time.sleep(seconds)
        process.kill()
        process.communicate()
    assert run(tmp_path).digest == kept[1].digest
