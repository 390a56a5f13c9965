"""Sources that take arrays of one element for numbers."""

from __future__ import annotations

import ast
import traceback
from typing import Any

import numpy as np
import pytest

from septet.dialects.running.one_element import SHIM, OneElement, helpers

SOURCE = """
import math
one, costs, table = np.array([2.5]), np.zeros(2), {}
numbers = float(one), int(one[None]), round(one), math.sqrt(one * 10), float("1"), int("11", 2)
texts = "%.1f" % one, "%d of %s" % (one, "x"), "%s" % [1], "%(a)s" % {"a": one}
costs[0] = one
costs[-1], costs[1:] = 7, one
table["one"] = one
"""


def translated(source: str, asked: list[str]) -> dict[str, Any]:
    """Return the names of a source that has run."""
    names = {"np": np, **helpers(asked.append)}
    exec(compile(OneElement().visit(ast.parse(source)), "old.py", "exec"), names)
    return names


def test_they_are_converted_formatted_and_stored() -> None:
    asked: list[str] = []
    names = translated(SOURCE, asked)
    assert names["numbers"] == (2.5, 2, 2, 5.0, 1.0, 3)
    assert names["texts"] == ("2.5", "2 of x", "[1]", "[2.5]")
    assert names["costs"].tolist() == [2.5, 2.5]
    assert names["table"]["one"] is names["one"]
    assert set(asked) == {SHIM}


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("float(np.ones(2))", TypeError),
        ("'%d' % np.ones(2)", TypeError),
        ("'%d %d' % np.ones(1)", TypeError),
        ("np.zeros(3)[0] = np.ones(2)", ValueError),
        ("np.zeros(3)[9] = np.ones(1)", IndexError),
    ],
)
def test_what_was_wrong_before_is_wrong(line: str, error: type[Exception]) -> None:
    asked: list[str] = []
    with pytest.raises(error) as caught:
        translated(f"\n\n{line}", asked)
    assert [frame.lineno for frame in traceback.extract_tb(caught.tb) if frame.filename == "old.py"] == [3]
