"""Measure what a call costs beside the work: compiled and symbolic functions of a few small tensors.

Each call is made some dozens of times in a row, and the least processor time counts; "program" is what the backend
takes of it, for arrays that are checked already. Prints microseconds and writes benchmarks/results/calls.json.

Usage: python benchmarks/calls.py [--rounds N] [--output FILE]
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import septet as st  # noqa: E402

CALLS = 50  # in a row; short enough that a switch to another process spoils few of them


def calls() -> dict[str, Callable[[], Any]]:
    """Return the calls by what they are."""
    array = np.ones(4, np.float32)
    x, y = st.tensor(array), st.tensor(array)
    compiled = st.compile(lambda x, y: x * y + x)
    scaled = st.compile(lambda x, scale: x * scale)
    named = st.compile(lambda x, *, scale: x * scale)
    nested = st.compile(lambda batch: batch["x"] * batch["y"])
    a, b = st.symbol("a", (None,)), st.symbol("b", (None,))
    function = st.function([a, b], a * b + a)
    variables = [st.Variable(array, f"v{number}") for number in range(4)]

    @st.compile
    def step(x: Any, y: Any) -> Any:
        for variable in variables:
            variable.assign(variable + x)
        return (variables[0] * y).sum()

    (plan,) = (compiled(x, y), next(iter(compiled._plans._plans.values())))[1]
    return {
        "program": lambda: plan.program([array, array]),
        "compiled(tensor, tensor)": lambda: compiled(x, y),
        "compiled(array, array)": lambda: compiled(array, array),
        "compiled(tensor, 3)": lambda: scaled(x, 3),
        "compiled(tensor, scale=3)": lambda: named(x, scale=3),
        "compiled({tensor, tensor})": lambda: nested({"x": x, "y": y}),
        "compiled step, 4 updates": lambda: step(x, y),
        "function(tensor, tensor)": lambda: function(x, y),
        "function(array, array)": lambda: function(array, array),
    }


def measure(rounds: int) -> dict[str, float]:
    """Return the microseconds of each call."""
    found = {}
    gc.collect()
    gc.disable()  # what a collection costs depends on what else the process holds
    try:
        for name, call in calls().items():
            best = float("inf")
            for _ in range(rounds):
                start = time.thread_time()
                for _ in range(CALLS):
                    call()
                best = min(best, time.thread_time() - start)
            found[name] = round(1e6 * best / CALLS, 2)
    finally:
        gc.enable()
    return found


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description="Measure what a call costs beside the work.")
    parser.add_argument("--rounds", type=int, default=400, help="runs of each call, of which the fastest counts")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "results" / "calls.json")
    options = parser.parse_args()
    found = measure(options.rounds)
    for name, microseconds in found.items():
        print(f"{name:30} {microseconds:7.2f} us")
    result = {
        "us": found,
        "rounds": options.rounds,
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "machine": f"{platform.system()} {platform.machine()}",
    }
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
