"""What a compiled step costs more when it first meets a batch of another size, as the last one of an epoch.

python benchmarks/batch_sizes.py FOLDER [--output FILE] [WORKLOAD ...]

FOLDER holds the peer benchmark (`spec.py`, `adapters`). For each size a new function takes a whole batch, then the
smaller one: the processor time of that call, less that of later ones. All in one process, so that there is machine code
for everything; medians over sizes. The first step is that of the function: tracing, planning, and running once.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import platform
import statistics
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
WORKLOADS = ("mlp", "lenet", "lstm", "gpt")
AGAIN = 3  # calls with the same size: the fastest one counts


def sizes_below(whole: int) -> list[int]:
    """Return sizes of a last batch, from the largest to small ones."""
    parts = [
        whole - 1,
        7 * whole // 8,
        3 * whole // 4,
        5 * whole // 8,
        whole // 2,
        3 * whole // 8,
        whole // 4,
        whole // 8,
    ]
    return sorted({max(part, 2) for part in parts}, reverse=True)


def timed(call: Any, batch: tuple[Any, ...]) -> float:
    """Return the processor time of a step in milliseconds."""
    import septet as st

    start = time.process_time()
    st.evaluate(call(*batch))
    return 1e3 * (time.process_time() - start)


def measure(peer: Any, spec: Any) -> dict[str, Any]:
    """Return what the sizes of one workload cost."""
    import septet as st

    whole = len(spec.batches[0][0])
    rows, firsts = [], []
    for number, size in enumerate([whole - 1, *sizes_below(whole)]):
        gc.collect()
        peer.build(spec)  # the first one of all makes machine code, and does not count
        function = peer.function
        arrays = [tuple([st.asarray(array[:n]) for array in spec.batches[0]]) for n in (whole, size)]
        first = timed(function, arrays[0])
        for _ in range(AGAIN):
            timed(function, arrays[0])
        extra = timed(function, arrays[1]) - min([timed(function, arrays[1]) for _ in range(AGAIN)])
        if number:
            rows.append({"size": size, "extra_ms": round(extra, 1), "how": function.compiles[-1].how})
            firsts.append(first)
    extras = [row["extra_ms"] for row in rows]
    adapted = [row["extra_ms"] for row in rows if row["how"] == "adapted"]
    return {
        "whole": whole, "median_ms": round(statistics.median(extras), 1), "most_ms": max(extras),
        "median_adapted_ms": round(statistics.median(adapted), 1) if adapted else None,
        "first_step_ms": round(statistics.median(firsts), 1), "sizes": rows,
    }  # fmt: skip


def main() -> None:
    """Print a table, and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("workloads", nargs="*", default=WORKLOADS)
    parser.add_argument("--output", default=str(ROOT / "benchmarks" / "results" / "batch_sizes.json"))
    options = parser.parse_args()
    sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks"), options.folder]
    specs: Any = importlib.import_module("spec")
    adapter: Any = importlib.import_module("peer_adapter")

    class Peer(adapter.Peer):  # type: ignore[misc]
        """Keeps the compiled function."""

        function: Any = None

        def _compiled(self, call: Any) -> Any:
            self.function = super()._compiled(call)
            return self.function

    peer = Peer("ours-compile", 1)
    peer.load()
    found = {}
    print("| workload | batch | extra ms, median (most) | adapted: sizes, median ms | sizes planned anew |")
    print("|---|---|---|---|---|")
    for name in options.workloads:
        own = found[name] = measure(peer, specs.get(name))
        adapted = [str(row["size"]) for row in own["sizes"] if row["how"] == "adapted"]
        others = [f"{row['size']} ({row['extra_ms']})" for row in own["sizes"] if row["how"] != "adapted"]
        print(
            f"| {name} | {own['whole']} | {own['median_ms']} ({own['most_ms']}) | {', '.join(adapted)}: "
            f"{own['median_adapted_ms']} | {', '.join(others)} |",
            flush=True,
        )
    machine = {"machine": platform.machine(), "python": platform.python_version()}
    Path(options.output).write_text(json.dumps(machine | {"workloads": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
