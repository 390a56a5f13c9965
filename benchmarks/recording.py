"""Measure what recording costs: from the user's call to the handle of a node, types checked, gradients on, no value.

Each operation is called some hundred times in a row, between two runs of a piece of plain Python that does work of the
same sort, and counts by the median of its ratio to that: a busy machine slows both. Prints processor microseconds (the
median ratio times the best time of the plain Python) and writes benchmarks/results/recording.json.

Usage: python benchmarks/recording.py [--rounds N] [--output FILE]
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import septet as st  # noqa: E402
from septet import nn  # noqa: E402
from septet.graph.assemble import apart  # noqa: E402

CALLS = 100  # in a row; short enough that a switch to another process spoils few of them


class Record:
    """An object like those that recording makes."""

    __slots__ = ("first", "second", "third")

    def __init__(self, first: object, second: object, third: object) -> None:
        self.first = first
        self.second = second
        self.third = third


TABLE = {("add", 3): Record(1, 2, 3)}


def _find(first: object, second: object) -> Record:
    return Record(first, second, TABLE["add", 3])


def plain_python() -> int:
    """Do the reference work: calls, objects, attributes, a look-up in a table, a hash."""
    one = _find(1, 2)
    two = _find(one.first, one.third)
    return hash((one.first, (two.second, two.third)))


def calls() -> dict[str, Callable[[], Any]]:
    """Return the operations by the text of their call; what is computed with is tracked."""
    v = st.Variable(np.ones((4, 4), np.float32))
    x = v * 1.0
    y = v * 2.0
    mask = x > 0
    dense = nn.Dense(4)
    model = nn.Sequential(nn.Dense(4, activation="relu"), nn.Dense(4))
    dense(x)
    model(x)
    return {
        "x.exp()": lambda: x.exp(),
        "st.exp(x)": lambda: st.exp(x),
        "st.sigmoid(x)": lambda: st.sigmoid(x),
        "x + y": lambda: x + y,
        "v + y": lambda: v + y,
        "x * 2.0": lambda: x * 2.0,
        "2.0 - x": lambda: 2.0 - x,
        "st.maximum(x, y)": lambda: st.maximum(x, y),
        "st.maximum(x, 0.0)": lambda: st.maximum(x, 0.0),
        "st.where(mask, x, y)": lambda: st.where(mask, x, y),
        'x.astype("float64")': lambda: x.astype("float64"),
        "st.clip(x, 0.0, 1.0)": lambda: st.clip(x, 0.0, 1.0),
        "st.relu(x)": lambda: st.relu(x),
        "x.mean()": lambda: x.mean(),
        "st.sum(x, axis=1)": lambda: st.sum(x, axis=1),
        "x.reshape(16)": lambda: x.reshape(16),
        "x[0]": lambda: x[0],
        "x @ y": lambda: x @ y,
        "nn.Dense": lambda: dense(x),
        "nn.Sequential of two": lambda: model(x),
    }


def _seconds(call: Callable[[], Any], count: int) -> float:
    """Return the processor time of one call."""
    start = time.thread_time()
    for _ in range(count):
        call()
    return (time.thread_time() - start) / count


def measure(rounds: int, names: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return, for each operation, the ratio to the reference work and microseconds.

    Parameters
    ----------
    rounds : int
    names : tuple of str
        The operations; all where empty.
    """
    chosen = {name: call for name, call in calls().items() if not names or name in names}
    ratios: dict[str, list[float]] = {name: [] for name in chosen}
    best = float("inf")
    gc.collect()
    gc.disable()  # what a collection costs depends on what else the process holds
    try:
        with apart():  # no evaluation in between
            for call in chosen.values():
                _seconds(call, CALLS)
            for _ in range(rounds):
                for name, call in chosen.items():
                    before = _seconds(plain_python, CALLS)
                    own = _seconds(call, CALLS)
                    after = _seconds(plain_python, CALLS)
                    ratios[name].append(2 * own / (before + after))
                    best = min(best, before, after)
    finally:
        gc.enable()
    medians = {name: statistics.median(found) for name, found in ratios.items()}
    return {
        "rounds": rounds,
        "plain_python_us": round(1e6 * best, 3),
        "ratio": {name: round(ratio, 3) for name, ratio in medians.items()},
        "us": {name: round(1e6 * best * ratio, 2) for name, ratio in medians.items()},
    }


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description="Measure what recording an operation costs.")
    parser.add_argument("--rounds", type=int, default=200, help="runs of each operation, of which the median counts")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "results" / "recording.json")
    options = parser.parse_args()
    result = measure(options.rounds)
    print(f"plain Python             {result['plain_python_us']:7.2f} us   (the reference work)")
    for name, microseconds in result["us"].items():
        print(f"{name:24} {microseconds:7.2f} us")
    result |= {
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "machine": f"{platform.system()} {platform.machine()}",
    }
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
