"""Measure what `import septet` costs on top of `import numpy`, in fresh processes.

The two are measured in turn, so that a busy machine slows both. Prints milliseconds and writes
benchmarks/results/import_time.json.

Usage: python benchmarks/import_time.py [--runs N] [--output FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CODE = """
import sys, time
sys.path.insert(0, sys.argv[2])
start = time.process_time()
__import__(sys.argv[1])
print(time.process_time() - start)
"""


def measure(name: str) -> float:
    """Return the milliseconds of processor time that importing a module takes in a fresh process."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", CODE, name, str(ROOT)]  # as users run it: compiled modules are kept
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise RuntimeError(f"import {name} failed:\n{done.stderr}")
    return 1e3 * float(done.stdout.split()[-1])


def compare(runs: int) -> dict[str, object]:
    """Import numpy and septet in turn, `runs` times each, and return what was measured, in milliseconds."""
    names = ("numpy", "septet")
    for name in names:
        measure(name)  # writes the .pyc files and fills the file cache
    times: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(runs):
        for name in names:
            times[name].append(measure(name))
    median = {name: statistics.median(times[name]) for name in names}
    return {
        "runs": runs,
        "median_ms": {name: round(median[name], 2) for name in names},
        "min_ms": {name: round(min(times[name]), 2) for name in names},
        "difference_of_medians_ms": round(median["septet"] - median["numpy"], 2),
        "difference_of_minima_ms": round(min(times["septet"]) - min(times["numpy"]), 2),
        "python": platform.python_version(),
        "numpy": version("numpy"),
        "machine": f"{platform.system()} {platform.machine()}",
    }


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description="Measure what `import septet` costs on top of `import numpy`.")
    parser.add_argument("--runs", type=int, default=15, help="fresh processes for each of the two")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "results" / "import_time.json")
    options = parser.parse_args()
    result = compare(options.runs)
    median = result["median_ms"]
    print(f"import numpy   {median['numpy']:8.1f} ms   (median of {options.runs} fresh processes)")
    print(f"import septet  {median['septet']:8.1f} ms")
    print(f"difference     {result['difference_of_medians_ms']:8.1f} ms   (budget: 100 ms)")
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
