"""Measure how the time from Python code to a program grows with the size of the graph.

Three shapes of graphs, of 1,000 to 64,000 nodes: a chain (each op on the last one), a wide one (one sum of many
products), and a multi-layer perceptron with its gradients and updates. Each is recorded, optimized and made a program:
for the reference backend, and (once, with nothing on disk) a native one. Prints milliseconds and the slope of log(time)
over log(nodes): 1 is linear. The wish is a slope under 1.2. Writes benchmarks/results/graph_size.json.

Usage: python benchmarks/graph_size.py [--largest N] [--repeat N] [--output FILE]
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import septet.ops  # noqa: E402, F401  (registration)
from septet.backends.cpu.program import CpuProgram  # noqa: E402
from septet.backends.reference.program import ReferenceBackend, ReferenceProgram  # noqa: E402
from septet.base import dtypes  # noqa: E402
from septet.base.config import config  # noqa: E402
from septet.graph.assemble import apart  # noqa: E402
from septet.graph.graph import Graph  # noqa: E402
from septet.graph.node import Node, symbol  # noqa: E402
from septet.graph.op import ops  # noqa: E402
from septet.graph.types import tensor_type  # noqa: E402
from septet.optimize.pipeline import optimize  # noqa: E402
from septet.transform.vjp import grad  # noqa: E402

UNARY = ("tanh", "exp", "negative", "sigmoid", "sin", "abs")


def symbols(count: int, *shape: int) -> list[Node]:
    """Make some float32 symbols."""
    return [symbol(tensor_type(dtypes.float32, shape), f"x{index}") for index in range(count)]


def chain(size: int) -> Graph:
    """Make a graph in which each op takes the result of the one before."""
    (x,) = symbols(1, 16)
    node = x
    for index in range(size // 2):
        node = getattr(ops, UNARY[index % len(UNARY)])(node) * (1.0 + index % 3)
    return Graph([x], [node], name="chain")


def wide(size: int) -> Graph:
    """Make a graph that adds up many products, pair by pair."""
    inputs = symbols(16, 16)
    terms = [inputs[index % 16] * float(index + 2) for index in range(size // 2)]
    while len(terms) > 1:
        pairs = [a + b for a, b in zip(terms[::2], terms[1::2], strict=False)]
        terms = pairs + terms[len(pairs) * 2 :]
    return Graph(inputs, terms, name="wide")


def perceptron(size: int) -> Graph:
    """Make the training step of a perceptron with as many layers as give about `size` nodes."""
    layers = max(size // 26, 1)
    (x,) = symbols(1, 8, 16)
    weights = [symbols(1, 16, 16)[0] for _ in range(layers)]
    biases = [symbols(1, 16)[0] for _ in range(layers)]
    hidden = x
    for weight, bias in zip(weights, biases, strict=True):
        product = ops.dot_general(hidden, weight, contracting=((1,), (0,)))
        hidden = ops.tanh(product + bias)
    cost = ops.mean(ops.square(hidden))
    parameters = [*weights, *biases]
    news = [p - g * 0.1 for p, g in zip(parameters, grad(cost, parameters), strict=True)]
    return Graph([x, *parameters], [cost, *news], name="perceptron")


SHAPES: dict[str, Callable[[int], Graph]] = {"chain": chain, "wide": wide, "perceptron": perceptron}


def measure(make: Callable[[int], Graph], size: int, repeat: int) -> dict[str, float]:
    """Return the nodes of a graph and the best milliseconds of recording, optimizing and making the program."""
    best: dict[str, float] = {}
    native = 0.0
    for _ in range(repeat):
        gc.collect()
        gc.disable()
        try:
            start = time.perf_counter()
            with apart():
                graph = make(size)
            nodes = len(graph)
            recorded = time.perf_counter()
            smaller = optimize(graph)
            optimized = time.perf_counter()
            ReferenceProgram(smaller)
            end = time.perf_counter()
        finally:
            gc.enable()
        if not native:
            CpuProgram(smaller, ReferenceBackend()).make_ready([node.shape for node in smaller.inputs])
            native = 1e3 * (time.perf_counter() - end)
        row = {
            "nodes": nodes, "record_ms": 1e3 * (recorded - start), "optimize_ms": 1e3 * (optimized - recorded),
            "program_ms": 1e3 * (end - optimized), "total_ms": 1e3 * (end - start),
        }  # fmt: skip
        best = {name: min(value, best.get(name, value)) for name, value in row.items()}
    return {name: round(value, 3) for name, value in {**best, "native_ms": native}.items()}


def slope(rows: list[dict[str, float]], name: str = "total_ms") -> float:
    """Return the slope of the line through log(time) over log(nodes)."""
    nodes = np.log([row["nodes"] for row in rows])
    return round(float(np.polyfit(nodes, np.log([row[name] for row in rows]), 1)[0]), 3)


def sweep(largest: int, repeat: int) -> dict[str, Any]:
    """Measure all shapes from 1,000 nodes up, doubling."""
    sizes = [1000]
    while sizes[-1] * 2 <= largest:
        sizes.append(sizes[-1] * 2)
    found: dict[str, Any] = {}
    for name, make in SHAPES.items():
        measure(make, 1000, 1)
        rows = [measure(make, size, repeat) for size in sizes]
        slopes = {
            "slope": slope(rows),
            "slope_optimize": slope(rows, "optimize_ms"),
            "slope_native": slope(rows, "native_ms"),
        }
        found[name] = {"rows": rows, **slopes}
    return found


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description="Measure how the time to a program grows with the size of the graph.")
    parser.add_argument("--largest", type=int, default=64000, help="nodes of the largest graph")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each, of which the best counts")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "results" / "graph_size.json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, config.override(cache_dir=folder):
        found = sweep(options.largest, options.repeat)
    for name, result in found.items():
        print(
            f"{name}: slope {result['slope']}, of optimizing alone {result['slope_optimize']}, "
            f"of making it native {result['slope_native']} (wish: under 1.2)"
        )
        print("     nodes   record ms  optimize ms  program ms   total ms  native ms")
        for row in result["rows"]:
            print(
                f"  {row['nodes']:8.0f} {row['record_ms']:11.1f} {row['optimize_ms']:12.1f} {row['program_ms']:11.1f} "
                f"{row['total_ms']:10.1f} {row['native_ms']:10.1f}"
            )
    record = {
        "shapes": found,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
    }
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
