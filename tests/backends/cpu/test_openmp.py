"""Tests of loading OpenMP's library, each in a process of its own: how threads wait is decided once, at loading."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys

import pytest

from septet.backends.cpu import openmp
from septet.base.errors import LibraryError


def has_library() -> bool:
    try:
        openmp.library()
    except LibraryError:
        return False
    return True


needs_library = pytest.mark.skipif(not has_library(), reason="no libgomp on this system")

LOAD = "from septet.backends.cpu import openmp; openmp.library(); print(openmp.status())"


def run(code: str, **variables: str) -> tuple[str, str]:
    """Run code; return what it prints, and what libgomp says about itself at loading."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "GOMP_"))} | variables
    environment["OMP_DISPLAY_ENV"] = "verbose"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=120
    )
    return done.stdout, done.stderr


@needs_library
def test_idle_threads_sleep() -> None:
    out, settings = run(LOAD)
    assert "GOMP_SPINCOUNT = '0'" in settings
    assert "its threads sleep when they have nothing to do" in out


@needs_library
def test_the_environment_is_as_it_was_afterwards() -> None:
    out, _ = run(LOAD + "; import os; print([name for name in openmp.VARIABLES if name in os.environ])")
    assert out.splitlines()[-1] == "[]"


@needs_library
@pytest.mark.parametrize(
    ("variable", "value", "count"),
    [("OMP_WAIT_POLICY", "active", "30000000000"), ("GOMP_SPINCOUNT", "1234", "1234")],
)
def test_what_the_user_has_set_stays(variable: str, value: str, count: str) -> None:
    out, settings = run(LOAD, **{variable: value})
    assert f"GOMP_SPINCOUNT = '{count}'" in settings
    assert f"{variable}={value}" in out


@needs_library
def test_a_library_that_was_loaded_before_is_taken_as_it_is() -> None:
    out, settings = run(f"import ctypes; first = ctypes.CDLL({openmp.NAME!r}); " + LOAD)
    assert settings.count("GOMP_SPINCOUNT") == 1
    assert "was loaded by another package" in out


@needs_library
def test_the_library_is_the_one_that_onednn_uses() -> None:
    from septet.backends.cpu import onednn

    try:
        loaded = onednn.library()
    except LibraryError:
        pytest.skip("no oneDNN on this system")
    assert loaded.openmp is openmp.library()
    with open("/proc/self/maps", encoding="utf-8") as file:
        maps = file.read()
    assert len({line.split()[-1] for line in maps.splitlines() if "libgomp.so.1" in line}) == 1


@needs_library
def test_what_is_needed_of_it_is_there() -> None:
    for name in ("omp_get_max_threads", "omp_set_num_threads"):
        assert ctypes.cast(getattr(openmp.library(), name), ctypes.c_void_p).value


def test_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openmp, "_found", [])
    monkeypatch.setattr(openmp, "NAME", "libgomp-of-nowhere.so.1")
    with pytest.raises(LibraryError, match=r"the library libgomp-of-nowhere\.so\.1 cannot be loaded") as caught:
        openmp.library()
    assert "install the package libgomp1" in str(caught.value)
    assert openmp.HINT in openmp.status()


@needs_library
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_has_threads_of_its_own() -> None:
    """The threads that its parent has had wait for work are not there."""
    code = """if True:
    import ctypes, os, signal
    from septet.backends.cpu import openmp
    library = openmp.library()
    numbers = []
    own = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda argument: numbers.append(library.omp_get_thread_num()))

    def work():
        numbers.clear()
        library.GOMP_parallel(own, None, 2, 0)
        return sorted(numbers) == [0, 1]

    assert work()
    child = os.fork()
    if not child:
        signal.alarm(200)
        os._exit(not work())
    assert os.waitpid(child, 0)[1] == 0
    assert work()
    print("right")"""
    assert run(code)[0].split() == ["right"]
