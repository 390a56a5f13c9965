"""docs/ulp.md: it has every function and range, and what it says is measured again at the worst places."""

from __future__ import annotations

import re

import numpy as np
import pytest

from tests.backends.cpu.elementwise import DTYPES
from tests.backends.cpu.vectormath_cases import CASES, Case

pytestmark = pytest.mark.skipif(np.finfo(np.longdouble).nmant < 63, reason="long double is no wider than double here")
KINDS = {"float32": "float", "float64": "double"}


@pytest.fixture(scope="module")
def tool(load_tool):
    return load_tool("measure_ulp")


@pytest.fixture(scope="module")
def rows(tool):
    """The rows of the page by function: dtype, arguments, how many, largest, mean, largest at."""
    found: dict[str, list[list[str]]] = {}
    for name, lines in tool.written().items():
        for line in lines:
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if len(cells) == 7 and cells[1] in KINDS:
                found.setdefault(name, []).append(cells[1:])
    return found


def test_the_page_has_every_function_and_range(tool, rows):
    for case in CASES:
        found = [(row[0], row[1]) for row in rows[case.name]]
        expected = [(tool.NAMES[kind], text) for kind in KINDS.values() for text in tool.texts(case, kind)]
        assert found == expected, case.name
    assert list(rows) == [case.name for case in CASES]
    assert tool.PAGE.read_text(encoding="utf-8").startswith(tool.HEAD)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_errors_are_those_of_the_page(case: Case, tool, rows):
    """A change of a function moves them: then run tools/measure_ulp.py with its name."""
    for dtype, text, count, largest, mean, place in rows[case.name]:
        kind = KINDS[dtype]
        numbers = [np.array([float(number)], DTYPES[kind]) for number in place.split(", ")]
        (far,) = tool.measured(case, kind, numbers)
        assert abs(float(far) - float(largest)) < 0.01, (dtype, text, place, far)
        assert 0 < float(mean) < float(largest) and int(re.sub(",", "", count)) >= 20_000
