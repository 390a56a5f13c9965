"""Where the time of a first compiled step goes, with nothing compiled before.

python benchmarks/first_step.py FOLDER [--times N] [WORKLOAD ...]

FOLDER holds the peer benchmark (`spec.py`, `adapters`). Each time is that of a process of its own with an empty cache:
medians over N of them. "imports" is what the step takes less when another process has told which modules it needs,
and they are imported before; the phases are measured so. "LLVM" is what the step waits for machine code; what threads
compile beside is not in it.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
WORKLOADS = ("elementwise", "logreg", "mlp", "resnet18")
PHASES = {
    "optimize": ("septet.backends.cpu.program", "optimize"),
    "fuse": ("septet.backends.cpu.planner", "fuse"),
    "plan": ("septet.backends.cpu.planner", "Planner.__init__"),
    "write kernels": ("septet.backends.cpu.jit", "_text"),
    "LLVM": ("septet.backends.cpu.jit", "compile_texts"),
    "load code": ("septet.backends.cpu.llvm", "link"),
}
INNER = {"plan": ("fuse",)}
"""What is measured within another phase, and taken off it."""


def watched(seconds: dict[str, float]) -> None:
    """Have the functions of the phases add their time on the main thread."""
    import threading

    main = threading.main_thread()
    for name, (module_name, path) in PHASES.items():
        owner: Any = importlib.import_module(module_name)
        *classes, attribute = path.split(".")
        for part in classes:
            owner = getattr(owner, part)
        own = getattr(owner, attribute)

        def timed(*args: Any, own: Any = own, name: str = name, **words: Any) -> Any:
            start = time.perf_counter()
            try:
                return own(*args, **words)
            finally:
                if threading.current_thread() is main:
                    seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - start

        setattr(owner, attribute, timed)


def child(folder: str, workload: str, modules: list[str]) -> None:
    """Take the first step, and print its phases."""
    sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks"), folder]
    specs: Any = importlib.import_module("spec")
    adapter: Any = importlib.import_module("peer_adapter")
    import septet as st

    peer = adapter.Peer.__new__(adapter.Peer)
    peer.threads, peer.variant = int(st.config.threads), "ours-compile"
    peer.load()
    spec = specs.get(workload)
    seconds: dict[str, float] = {}
    for module in modules:
        importlib.import_module(module)
    if modules:
        watched(seconds)
    before = set(sys.modules)
    start = time.perf_counter()
    session = peer.build(spec)
    session.run(0, 1)
    first = time.perf_counter() - start
    found = dict(seconds)
    start = time.perf_counter()
    session.run(1, 1)
    found["run"] = time.perf_counter() - start
    new = sorted(name for name in set(sys.modules) - before if name.startswith("septet") or name.startswith("llvmlite"))
    print(json.dumps({"first": first, "seconds": found, "modules": new}))


def run(options: argparse.Namespace, workload: str, modules: list[str]) -> dict[str, Any]:
    """Return what a process of its own has measured."""
    with tempfile.TemporaryDirectory() as cache:
        command = [sys.executable, __file__, options.folder, workload, "--child", json.dumps(modules)]
        environment = os.environ | {"SEPTET_CACHE_DIR": cache}
        found = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if found.returncode:
        raise SystemExit(found.stderr)
    return json.loads(found.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def main() -> None:
    """Print a row for each workload, in milliseconds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("workloads", nargs="*", default=WORKLOADS)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--child")
    options = parser.parse_intermixed_args()
    if options.child is not None:
        child(options.folder, options.workloads[0], json.loads(options.child))
        return
    print("| workload | first step | imports |", " | ".join(PHASES), "| run | tracing, rest |")
    for workload in options.workloads:
        pairs = []
        for _ in range(options.times):
            whole = run(options, workload, [])
            pairs.append((whole, run(options, workload, whole["modules"])))
        first = statistics.median(1e3 * whole["first"] for whole, _ in pairs)
        rest = statistics.median(1e3 * own["first"] for _, own in pairs)
        phases = {}
        for name in (*PHASES, "run"):
            phases[name] = statistics.median(1e3 * own["seconds"].get(name, 0.0) for _, own in pairs)
        for name, inner in INNER.items():
            phases[name] -= sum(phases[other] for other in inner)
        row = [first, first - rest, *phases.values(), rest - sum(phases.values())]
        print(f"| {workload} |", " | ".join(f"{value:.0f}" for value in row), "|", flush=True)


if __name__ == "__main__":
    main()
