"""Keep what a run of the peer benchmark measured, and write it as tables.

The benchmark's `compare.py` appends a JSON object per framework and workload to the file that its `--out` names. Of
each framework and workload the last one counts. They go into benchmarks/results/peers.json, and as tables
into peers.md. A workload that was measured anew loses its older rows, which may come from another machine.

Usage: python benchmarks/peers.py [FILE ...]     (without files: the tables of what is kept)
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"
PEERS = ("torch", "torch-compile", "jax", "tf", "tf-xla", "onnxruntime", "ours-compile", "ours")
FRAMEWORKS = PEERS[:-2]
ORDER = (
    *("mlp", "lenet", "resnet18", "lstm", "gpt", "gpt-infer", "elementwise", "logreg"),
    *("dyntree", "tiny-ops", "tiny-ops-rec", "tiny-ops-bwd"),
)

Row = dict[str, Any]
Rows = dict[tuple[str, str], Row]


def read(files: Sequence[str]) -> Rows:
    """Return the last row of each workload and framework, of those that have been kept and those in some files."""
    kept = RESULTS / "peers.json"
    old: list[Row] = json.loads(kept.read_text()) if kept.exists() else []
    new: list[Row] = [json.loads(line) for name in files for line in Path(name).read_text().splitlines()]
    is_new = {row["workload"] for row in new}
    rows = [row for row in old if row["workload"] not in is_new] + new
    return {(row["workload"], row["peer"]): row for row in rows if "ratio" in row}


def table(rows: Rows, title: str, text: Callable[[Row], str]) -> str:
    """Return a table with a row per workload and a column per framework."""
    workloads = [name for name in ORDER if any((name, peer) in rows for peer in PEERS)]
    lines = [f"## {title}", "", "| workload | " + " | ".join(PEERS) + " |", "|---" * (len(PEERS) + 1) + "|"]
    for name in workloads:
        cells = [text(rows[name, peer]) if (name, peer) in rows else "" for peer in PEERS]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def ratios(rows: Rows, own: str, others: Iterable[str]) -> dict[str, float]:
    """Return how many times as fast as the best of some frameworks Septet is, by workload."""
    found = {}
    for name in ORDER:
        best = max([rows[name, peer]["ratio"] for peer in others if (name, peer) in rows], default=0)
        if best and (name, own) in rows:
            found[name] = rows[name, own]["ratio"] / best
    return found


def page(rows: Rows) -> str:
    """Return everything as a page."""
    parts = [
        "# Septet and its peers",
        "Written by `python benchmarks/peers.py` from `peers.json`; two threads, all frameworks in turns on one "
        "machine. `ours` is define-by-run code without a decorator, `ours-compile` the whole step compiled.",
        table(rows, "Speed, as a ratio to PyTorch (higher is faster)", lambda row: f"{row['ratio']:.2f}"),
        table(rows, "First step, cold, in seconds: build, compile, one step", lambda row: f"{row['first_step_s']:.2f}"),
        table(rows, "Peak memory, MB", lambda row: f"{row['peak_rss_mb']}"),
        table(rows, "Processor milliseconds per step, of all threads", lambda row: f"{row['cpu_ms']:.3g}"),
    ]
    for own, others in (("ours-compile", FRAMEWORKS), ("ours", ("torch",))):
        found = ratios(rows, own, others)
        if not found:
            continue
        mean = math.exp(sum(map(math.log, found.values())) / len(found))
        each = ", ".join([f"{name} {value:.2f}" for name, value in found.items()])
        parts.append(f"**{own}** against the best of {', '.join(others)}: {each}; geometric mean {mean:.2f}.")
    return "\n\n".join(parts) + "\n"


def main(files: Sequence[str]) -> None:
    """Keep rows, and write the tables."""
    rows = read(files)
    if files:
        text = json.dumps([rows[key] for key in sorted(rows)], sort_keys=True)
        (RESULTS / "peers.json").write_text(text.replace("}, {", "},\n{") + "\n")
    (RESULTS / "peers.md").write_text(page(rows))


if __name__ == "__main__":
    main(sys.argv[1:])
