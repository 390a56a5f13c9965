"""The time from Python code to a program grows about linearly with the size of the graph."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

PATH = Path(__file__).resolve().parents[2] / "benchmarks" / "graph_size.py"


SIZES = (1000, 4000, 16000)


@pytest.fixture(scope="module")
def sweep():
    spec = importlib.util.spec_from_file_location("graph_size", PATH)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.budget
@pytest.mark.parametrize("name", ["chain", "wide", "perceptron"])
def test_the_slope_over_the_size_is_near_one(sweep, name):
    sweep.measure(sweep.SHAPES[name], 1000, 1)
    for _ in range(3):  # other work on the machine only ever adds time, at one size or another
        rows = [sweep.measure(sweep.SHAPES[name], size, 2) for size in SIZES]
        found = {column: sweep.slope(rows, column) for column in ("total_ms", "native_ms")}
        if max(found.values()) < 1.35:
            return
    assert max(found.values()) < 1.35, found
