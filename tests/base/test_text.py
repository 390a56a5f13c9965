"""Tests of the text helpers."""

from __future__ import annotations

import doctest
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from septet.base import dtypes, text

words = some.text("abcdef_", max_size=8)


def test_examples() -> None:
    failed, tried = doctest.testmod(text)
    assert tried >= 12
    assert failed == 0


@given(words, words, words)
def test_edit_distance_is_symmetric_and_bounded(first: str, second: str, third: str) -> None:
    distance = text.edit_distance(first, second)
    assert distance == text.edit_distance(second, first)
    assert (distance == 0) == (first == second)
    assert abs(len(first) - len(second)) <= distance <= max(len(first), len(second))
    assert text.edit_distance(third + first, third + second) <= distance


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("learning_rat", "learning_rate"),
        ("learningRate", "learning_rate"),
        ("momentun", "momentum"),
        ("nestervo", "nesterov"),
        ("learn", "learning_rate"),
        ("NESTEROV", "nesterov"),
    ],
)
def test_nearest_finds_the_misspelled_name(written: str, meant: str) -> None:
    assert text.nearest(written, ["momentum", "learning_rate", "nesterov"]) == meant


@pytest.mark.parametrize("written", ["", "x", "epsilon", "le"])
def test_nearest_stays_silent_when_nothing_is_near(written: str) -> None:
    assert text.nearest(written, ["momentum", "learning_rate", "nesterov", "y"]) is None
    assert text.did_you_mean(written, ["momentum", "learning_rate", "nesterov", "y"]) == ""


def test_nearest_takes_the_first_of_equals_and_no_choices() -> None:
    assert text.nearest("conv", ["conv1", "conv2"]) == "conv1"
    assert text.nearest("conv", []) is None


@given(some.sampled_from(["momentum", "learning_rate", "nesterov"]), some.data())
def test_nearest_undoes_one_deletion(name: str, data: some.DataObject) -> None:
    place = data.draw(some.integers(0, len(name) - 1))
    assert text.nearest(name[:place] + name[place + 1 :], ["momentum", "learning_rate", "nesterov"]) == name


@pytest.mark.parametrize(
    ("count", "expected"),
    [(1024, "1.00 KiB"), (10239, "10.0 KiB"), (1024**2 - 1, "1.00 MiB"), (-2048, "-2.00 KiB"), (1024**5, "1.00 PiB"),
     (1000 * 1024, "1000 KiB"), (2**80, "1048576 EiB")],
)  # fmt: skip
def test_bytes_text(count: int, expected: str) -> None:
    assert text.bytes_text(count) == expected


@pytest.mark.parametrize(
    ("count", "expected"),
    [(0, "0"), (1000, "1.00 k"), (999_949, "1.00 M"), (999_499, "999 k"), (-1500, "-1.50 k"), (10**9, "1.00 G")],
)
def test_count_text(count: int, expected: str) -> None:
    assert text.count_text(count) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0, "0 s"), (1e-12, "0.00 ns"), (1.5e-6, "1.50 us"), (9.999e-4, "1.00 ms"), (0.9996, "1.00 s"), (59.9, "59.9 s"),
     (125, "2 min 5 s"), (90_000, "1 d 1 h"), (-0.5, "-500 ms"), (float("inf"), "inf s"), (float("nan"), "nan s")],
)  # fmt: skip
def test_seconds_text(seconds: float, expected: str) -> None:
    assert text.seconds_text(seconds) == expected


@given(some.floats(1e-9, 59.9))
def test_seconds_text_keeps_three_digits(seconds: float) -> None:
    number, unit = text.seconds_text(seconds).split()
    value = float(number) * {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}[unit]
    assert value == pytest.approx(seconds, rel=5.1e-3)


def test_plural_forms() -> None:
    assert text.plural(2, "class") == "2 classes"
    assert text.plural(2, "epoch") == "2 epochs"
    assert text.plural(2, "day") == "2 days"
    assert text.plural(-1, "step") == "-1 step"
    assert text.plural(3, "axis", "axes") == "3 axes"


def test_a_type_is_written_in_one_way() -> None:
    assert text.type_text(np.zeros((2, 0), np.float32)) == "float32[2, 0]"
    assert text.type_text(SimpleNamespace(dtype=dtypes.bfloat16, shape=(None, 3))) == "bfloat16[?, 3]"


def test_listing_of_nothing() -> None:
    assert text.listing([]) == ""


def test_indent_with_a_prefix() -> None:
    assert text.indent("a\n  b", "> ") == "> a\n>   b"


def test_table_aligns_by_content_and_on_request() -> None:
    rows = [("a", 5, "-1.5", "x\ny"), ("bbb", 10, "", "z")]
    assert text.table(rows) == "a     5  -1.5  x y\nbbb  10        z"
    assert text.table(rows, ["n", "#", "v", "w"], align="rl").splitlines()[2] == "  a  5   -1.5  x y"
    assert text.table([("ab",), ("abcd",)], align="c") == " ab\nabcd"


def test_table_fills_short_rows_and_takes_nothing() -> None:
    assert text.table([("a",), ("b", "c")], ["x"]) == "x\n-  -\na\nb  c"
    assert text.table([]) == ""
    assert text.table([], ["name"]) == "name\n----"


@given(some.lists(some.lists(some.text(max_size=6), max_size=4), max_size=5))
def test_table_has_one_line_per_row(rows: list[list[str]]) -> None:
    expected = len(rows) if any(rows) else max(len(rows), 1)
    lines = text.table(rows).split("\n")
    assert len(lines) == expected
    assert all(line == line.rstrip() for line in lines)
