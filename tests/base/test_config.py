"""Tests of the settings."""

from __future__ import annotations

import asyncio
import contextvars
import doctest
import os
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from septet.base import config as module
from septet.base.config import Config, cache_folder
from septet.base.errors import SettingError


@pytest.fixture
def config() -> Config:
    return Config({})


def test_examples() -> None:
    failed, tried = doctest.testmod(module)
    assert tried >= 5
    assert failed == 0


def test_rows_are_complete_and_do_not_hide_methods(config: Config) -> None:
    rows = list(config.rows())
    methods = {"set", "reset", "override", "row", "rows", "origin", "table", "lookup"}
    assert not methods & {row.name for row in rows}
    assert len({row.variable for row in rows}) == len(rows)
    for row in rows:
        assert getattr(Config, row.name) is row is config.row(row.name)
        assert row.variable.startswith("SEPTET_")
        assert row.doc.endswith(".")
        assert row.kind
        assert row.allowed
        assert row.check(row.default) == row.parse(row.write(row.default)) == row.default == getattr(config, row.name)
        assert config.origin(row.name) == "default"


# --- the environment


def test_values_come_from_the_environment() -> None:
    config = Config(
        {"SEPTET_NUM_THREADS": " 3 ", "SEPTET_CHECK_NAN": "Yes", "SEPTET_DEFAULT_FLOAT": "bfloat16", "HOME": "x"}
    )
    assert (config.threads, config.check_nan, config.default_float, config.verify) == (3, True, "bfloat16", False)
    assert config.origin("threads") == "the environment variable SEPTET_NUM_THREADS"
    assert config.origin("verify") == "default"


@pytest.mark.parametrize(
    ("variable", "text", "parts"),
    [
        ("SEPTET_NUM_THREADS", "many", ["setting threads", "'many'", "SEPTET_NUM_THREADS", "an integer, at least 0"]),
        ("SEPTET_NUM_THREADS", "-1", ["setting threads", "'-1'", "at least 0"]),
        ("SEPTET_CHECK_NAN", "maybe", ["setting check_nan", "'maybe'", "True or False"]),
        ("SEPTET_DEFAULT_FLOAT", "float23", ["'float16', 'bfloat16', 'float32' or 'float64'", "Did you mean 'float"]),
        ("SEPTET_CACHE_DIR", " ", ["setting cache_dir", "a folder"]),
        ("SEPTET_PRINT_WIDTH", "7", ["at least 20"]),
    ],
)
def test_a_bad_variable_is_an_error_that_says_where(variable: str, text: str, parts: list[str]) -> None:
    with pytest.raises(SettingError) as caught:
        Config({variable: text})
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "hint"),
    [
        ("SEPTET_THREADS", "Did you mean SEPTET_NUM_THREADS?"),
        ("SEPTET_NUM_THREAD", "Did you mean SEPTET_NUM_THREADS?"),
        ("SEPTET_CHECKNAN", "Did you mean SEPTET_CHECK_NAN?"),
        ("SEPTET_ZZZZ", "belongs to no setting of Septet."),
    ],
)
def test_an_unknown_variable_warns(variable: str, hint: str) -> None:
    with pytest.warns(UserWarning, match=variable) as caught:
        Config({variable: "1"})
    assert len(caught) == 1
    assert str(caught[0].message).endswith(hint)


def test_other_variables_do_not_warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Config({"SEPTETS": "1", "septet_threads": "1"}).threads == 0


def test_a_process_reads_its_environment() -> None:
    environment = {
        **os.environ,
        "SEPTET_NUM_THREADS": "5",
        "SEPTET_TREADS": "1",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    command = [sys.executable, "-c", "from septet.base.config import config; print(config.threads)"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "5\n"
    assert "SEPTET_TREADS" in done.stderr
    assert "Did you mean SEPTET_NUM_THREADS?" in done.stderr


# --- set and reset


def test_set_changes_and_reset_restores() -> None:
    config = Config({"SEPTET_NUM_THREADS": "3"})
    config.set(threads=np.int32(7), verify=True)
    assert (config.threads, type(config.threads), config.verify) == (7, int, True)
    assert config.origin("threads") == "a call"
    config.reset("threads")
    assert (config.threads, config.verify) == (3, True)
    assert config.origin("threads") == "the environment variable SEPTET_NUM_THREADS"
    config.reset()
    assert (config.verify, config.origin("verify")) == (False, "default")


def test_an_assignment_is_checked_like_set(config: Config) -> None:
    setattr(config, "threads", 2)  # noqa: B010 (type checkers rightly see no setter)
    assert (config.threads, config.origin("threads")) == (2, "a call")
    with pytest.raises(SettingError, match="at least 0"):
        setattr(config, "threads", -2)  # noqa: B010
    with pytest.raises(SettingError, match="no setting 'thread'"):
        setattr(config, "thread", 2)  # noqa: B010
    with pytest.raises(SettingError, match="reset"):
        del config.threads
    assert config.threads == 2


@pytest.mark.parametrize(
    "values",
    [
        {"threads": -1}, {"threads": 1.0}, {"threads": True}, {"threads": "2"}, {"threads": None}, {"verify": 1},
        {"verify": "yes"}, {"optimize": "Full"}, {"optimize": True}, {"default_float": np.float32}, {"cache_dir": ""},
        {"cache_dir": 3}, {"cache_dir": b"x"}, {"cache_dir": "a\0b"}, {"record_limit": 0},
    ],
)  # fmt: skip
def test_bad_values_name_the_setting_the_value_and_what_is_allowed(config: Config, values: dict[str, object]) -> None:
    [(name, value)] = values.items()
    for change in (config.set, config.override):
        with pytest.raises(SettingError) as caught:
            change(**values)
        text = str(caught.value)
        assert text.startswith(
            f"setting {name}: {value!r} (from a call) is not allowed; expected {config.row(name).allowed}."
        )
        assert getattr(config, name) == config.row(name).default


def test_a_wrong_word_gets_the_nearest_one(config: Config) -> None:
    with pytest.raises(SettingError, match=r"Did you mean 'full'\?"):
        config.set(optimize="ful")


def test_set_is_all_or_nothing(config: Config) -> None:
    with pytest.raises(SettingError):
        config.set(verify=True, threads=-1)
    assert config.verify is False


def test_unknown_names_get_the_nearest_one(config: Config) -> None:
    for attempt in (
        lambda: config.set(thread=1),
        lambda: config.override(thread=1),
        lambda: config.reset("thread"),
        lambda: config.row("thread"),
        lambda: config.origin("thread"),
    ):
        with pytest.raises(SettingError, match=r"there is no setting 'thread'\. Did you mean 'threads'\?"):
            attempt()
    with pytest.raises(SettingError, match="The settings are default_float, default_int, "):
        config.set(banana=1)


def test_reading_a_misspelled_name_is_an_attribute_error(config: Config) -> None:
    with pytest.raises(AttributeError, match="no attribute '_rows'"):
        Config.__new__(Config)._rows  # what copy and pickle see
    with pytest.raises(AttributeError, match=r"there is no setting 'thread'\. Did you mean 'threads'\?"):
        config.thread  # type: ignore[attr-defined]
    assert not hasattr(config, "seeds")


def test_folders_are_written_in_full(config: Config, tmp_path: Path) -> None:
    config.set(cache_dir=tmp_path / "a" / ".." / "b")
    assert config.cache_dir == str(tmp_path / "b")
    config.set(cache_dir="~/kernels")
    assert config.cache_dir == os.path.join(os.path.expanduser("~"), "kernels")
    config.set(cache_dir="auto")
    assert config.cache_dir == "auto"


# --- override


def test_override_holds_for_the_block_and_nests(config: Config) -> None:
    with config.override(threads=2, verify=True):
        assert (config.threads, config.verify, config.print_width) == (2, True, 80)
        assert config.origin("threads") == "an override"
        with config.override(threads=3):
            assert (config.threads, config.verify) == (3, True)
        assert config.threads == 2
    assert (config.threads, config.verify, config.origin("threads")) == (0, False, "default")
    assert "threads" in vars(config)  # reads are plain again


def test_override_restores_after_an_exception(config: Config) -> None:
    with pytest.raises(ZeroDivisionError), config.override(threads=2), config.override(threads=3):
        1 / 0
    assert config.threads == 0


def test_set_within_an_override_shows_after_it(config: Config) -> None:
    with config.override(threads=2):
        config.set(threads=5)
        assert config.threads == 2
    assert config.threads == 5


def test_an_override_can_be_entered_again_even_within_itself(config: Config) -> None:
    block = config.override(threads=2)
    with block, config.override(threads=4), block:
        assert config.threads == 2
    assert config.threads == 0
    with block:
        assert config.threads == 2
    assert config.threads == 0


def test_configs_do_not_mix(config: Config) -> None:
    other = Config({})
    with config.override(threads=2):
        assert (other.threads, other.origin("threads")) == (0, "default")


def test_override_is_seen_only_by_its_thread(config: Config) -> None:
    inside, done = threading.Event(), threading.Event()
    seen = []

    def enter() -> None:
        with config.override(threads=7):
            inside.set()
            assert done.wait(10)
            seen.append(config.threads)

    worker = threading.Thread(target=enter)
    worker.start()
    assert inside.wait(10)
    assert config.threads == 0
    with config.override(threads=8):
        assert config.threads == 8
    config.set(threads=1)
    assert config.threads == 1
    done.set()
    worker.join(10)
    assert seen == [7]
    assert config.threads == 1
    assert "threads" in vars(config)


def test_override_can_be_handed_to_a_thread(config: Config) -> None:
    seen = []
    with config.override(threads=7):
        context = contextvars.copy_context()
        plain = threading.Thread(target=lambda: seen.append(config.threads))
        copied = threading.Thread(target=lambda: seen.append(context.run(lambda: config.threads)))
        for worker in (plain, copied):
            worker.start()
            worker.join(10)
    assert seen == [0, 7]


def test_override_is_seen_only_by_its_asyncio_task(config: Config) -> None:
    async def read(width: int) -> list[int]:
        seen = []
        with config.override(print_width=width):
            for _ in range(3):
                await asyncio.sleep(0)
                seen.append(config.print_width)
        return seen

    async def both() -> list[list[int]]:
        return await asyncio.gather(read(30), read(40))

    assert asyncio.run(both()) == [[30] * 3, [40] * 3]
    assert config.print_width == 80


def test_generators_may_leave_out_of_order(config: Config) -> None:
    def block(threads: int) -> Iterator[None]:
        with config.override(threads=threads):
            yield

    first, second = block(1), block(2)
    next(first)
    next(second)
    first.close()
    assert config.threads == 2
    second.close()
    assert config.threads == 0
    third = block(3)
    contextvars.copy_context().run(next, third)
    assert config.threads == 0
    third.close()  # in another context than the one that entered
    assert config.threads == 0
    assert "threads" in vars(config)


@given(
    some.lists(
        some.tuples(some.sampled_from(["threads", "record_limit", "print_width"]), some.integers(20, 99)), max_size=6
    )
)
def test_nested_overrides_behave_like_a_stack(changes: list[tuple[str, int]]) -> None:
    config = Config({})
    names = ["threads", "record_limit", "print_width"]

    def values() -> dict[str, object]:
        return {name: getattr(config, name) for name in names}

    expected = [values()]
    blocks = []
    for name, value in changes:
        blocks.append(config.override(**{name: value}))
        blocks[-1].__enter__()
        expected.append({**expected[-1], name: value})
        assert values() == expected[-1]
    while blocks:
        blocks.pop().__exit__(None, None, None)
        expected.pop()
        assert values() == expected[-1]


def test_many_threads_overriding_at_once_leave_nothing_behind(config: Config) -> None:
    wrong: list[int] = []

    def work(number: int) -> None:
        for _ in range(300):
            with config.override(threads=number):
                if config.threads != number:
                    wrong.append(number)
            if config.threads != 0:
                wrong.append(-number)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(1, 5)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    assert not wrong
    assert config.threads == 0
    assert "threads" in vars(config)


# --- text and cost


def test_table_shows_values_and_origins() -> None:
    config = Config({"SEPTET_VERIFY": "on"})
    config.set(threads=2)
    lines = config.table().splitlines()
    assert len(lines) == 2 + len(list(config.rows()))
    cells = {line.split()[0]: line for line in lines[2:]}
    assert cells["verify"].split()[1:6] == ["1", "the", "environment", "variable", "SEPTET_VERIFY"]
    assert cells["threads"].split()[1:4] == ["2", "a", "call"]
    assert repr(config) == "Config(threads=2, verify=True)"


@pytest.mark.budget
def test_reading_costs_about_as_much_as_an_attribute(config: Config) -> None:
    def cost() -> float:
        start = time.perf_counter()
        for _ in range(20_000):
            config.threads
        return (time.perf_counter() - start) / 20_000

    assert min(cost() for _ in range(10)) < 2e-7  # 40 ns where it was measured


@pytest.mark.budget
def test_reading_the_environment_costs_nothing_measurable() -> None:
    environment = {f"VARIABLE_{number}": "x" for number in range(100)}

    def cost() -> float:
        start = time.perf_counter()
        Config(environment)
        return time.perf_counter() - start

    assert min(cost() for _ in range(20)) < 5e-4  # 30 us where it was measured


# --- the cache folder


@pytest.mark.skipif(os.name == "nt", reason="paths as POSIX writes them")
def test_cache_folder_follows_the_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    assert cache_folder("/data/kernels", {}, "linux") == "/data/kernels"
    assert cache_folder("auto", {}, "linux") == "/home/ada/.cache/septet"
    assert cache_folder("auto", {"XDG_CACHE_HOME": "/fast"}, "linux") == "/fast/septet"
    assert cache_folder("auto", {"XDG_CACHE_HOME": "relative"}, "linux") == "/home/ada/.cache/septet"
    assert cache_folder("auto", {}, "darwin") == "/home/ada/Library/Caches/septet"
    assert cache_folder("auto", {"LOCALAPPDATA": "/local"}, "win32") == "/local/septet/cache"
    assert cache_folder("auto", {}, "win32") == "/home/ada/AppData/Local/septet/cache"


@pytest.mark.skipif(os.name == "nt", reason="users as POSIX has them")
def test_a_user_without_a_home_has_a_cache_folder_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container may run as a user that no table lists; the folder must not come to be wherever the program runs."""
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(os, "getuid", lambda: 54321)
    assert os.path.expanduser("~") == "~"
    found = cache_folder("auto", {}, "linux")
    assert os.path.isabs(found) and found.endswith("/septet-54321/.cache/septet")


# --- the page


def test_the_page_of_settings_is_up_to_date() -> None:
    script = Path(__file__).parents[2] / "tools" / "generate_settings.py"
    environment = {**os.environ, "PYTHONPATH": str(script.parents[1])}
    command = [sys.executable, str(script), "--check"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
