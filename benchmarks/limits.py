"""How far the machine allows: for each workload of the peer benchmark the time of its products and compulsory bytes.

python benchmarks/limits.py FOLDER [WORKLOAD=MILLISECONDS ...]

FOLDER holds the peer benchmark (`spec.py`). The limit is the operations of the products at the speed of a large product
of matrices, and the bytes that a step must read or write at the speed of copying; both are measured now, with all
threads: OpenBLAS called as our programs call it, and a compiled copy. Compulsory are, once a step, each input, each
parameter and each state of the optimizer, read and where training writes it written. What lies between, activations and
gradients, could stay in the caches, and other operations than products could hide behind them. Where a measured time is
given, the last column is how much of the limit it reaches.
"""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from septet.backends.cpu.ops import matmul, matmul_tiles
from septet.backends.cpu.program import Plan
from septet.base.threads import thread_count
from septet.graph.graph import Graph
from septet.graph.node import symbol
from septet.graph.op import ops
from septet.graph.types import tensor_type

SIDE = 2048  # of the large product
COPIED = 32_000_000  # elements that are copied: far more than the caches hold
SECONDS = 3.0
STATES = {"sgd": 0, "mom": 1, "adam": 2, "adamw": 2}
"""Tensors that an optimizer keeps for each parameter."""


# Multiplications of the products of one forward pass, by families of workloads. A step of training has as many for the
# gradients of the weights, and as many for those of the inputs except for the first layer's.


def mlp(spec: Any) -> tuple[int, int]:
    """Return the multiplications of a forward pass, and those of the first layer."""
    rows = len(spec.batches[0][0])
    layers = [rows * value.size for name, value in spec.params.items() if name.startswith("W")]
    return sum(layers), layers[0]


def lenet(spec: Any) -> tuple[int, int]:
    """Two convolutions, each of whose kernels is applied at every place of the image before it is halved."""
    p, (images, _, height, width) = spec.params, spec.batches[0][0].shape
    first, second = images * height * width * p["K1"].size, images * height * width // 4 * p["K2"].size
    return first + second + images * (p["W3"].size + p["W4"].size), first


def resnet(spec: Any) -> tuple[int, int]:
    """Convolutions, the images shrinking by the strides of the blocks."""
    p, (images, _, height, width) = spec.params, spec.batches[0][0].shape
    places = images * height * width
    first = total = places * p["stem.k"].size
    for name, _, _, stride, has_projection in spec.cfg["blocks"]:
        places //= stride * stride
        total += places * (p[name + "a.k"].size + p[name + "b.k"].size)
        total += places * p[name + "s.k"].size if has_projection else 0
    return total + images * p["fc.W"].size, first


def lstm(spec: Any) -> tuple[int, int]:
    """Every matrix but the table of embeddings is applied to every token."""
    p = spec.params
    return spec.batches[0][0].size * sum(p[name].size for name in p if name.startswith("W")), 0


def gpt(spec: Any) -> tuple[int, int]:
    """So it is here; and of attention's two products, the half below the diagonal is needed."""
    p, c, tokens = spec.params, spec.cfg, spec.batches[0][0].size
    dense = tokens * sum(value.size for name, value in p.items() if name.split(".")[-1].startswith("W"))
    return dense + c["L"] * tokens * (c["T"] + 1) * c["D"], 0


FAMILIES: dict[str, Callable[[Any], tuple[int, int]]] = {
    "mlp": mlp, "lenet": lenet, "resnet": resnet, "lstm": lstm, "gpt": gpt,
}  # fmt: skip


def operations(spec: Any) -> int:
    """Return the multiplications and additions of the products of a step."""
    forward, first = FAMILIES[spec.family](spec)
    return 2 * (3 * forward - first if spec.kind == "train" else forward)


def compulsory(spec: Any) -> int:
    """Return the bytes that a step must move.

    Of a table of which inference needs some rows, only these are read.
    """
    inputs = sum(array.nbytes for array in spec.batches[0])
    parameters = sum(value.nbytes for value in spec.params.values())
    if spec.kind == "train":
        return inputs + 2 * parameters * (1 + STATES[spec.opt["kind"]])
    if "E" in spec.params:
        table = spec.params["E"]
        parameters -= table.nbytes - min(table.nbytes, spec.batches[0][0].size * table[0].nbytes)
    return inputs + parameters


# The machine


def best(plan: Plan, arrays: list[np.ndarray], result: np.ndarray) -> float:
    """Return the seconds of the fastest of many runs: others can only slow it down."""
    plan.place(arrays, [], [], [result])
    rows = plan.rows(0, len(plan.steps))
    least, end = float("inf"), time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        start = time.perf_counter()
        rows()
        least = min(least, time.perf_counter() - start)
    return least


def speed_of_products() -> float:
    """Return operations a second of a large product by the library."""
    matmul_tiles.ROWS = 1 << 30
    x, y = (symbol(tensor_type("float32", (SIDE, SIDE))) for _ in range(2))
    plan = Plan(Graph([x, y], [ops.dot_general(x, y, contracting=((1,), (0,)))]))
    names = [getattr(arg, "name", "") for step in plan.steps for arg in step.args]
    assert matmul.SIDE < SIDE and "sgemm_task" in names, names
    random = np.random.default_rng(0)
    arrays = [random.standard_normal((SIDE, SIDE), dtype=np.float32) for _ in range(2)]
    return 2 * SIDE**3 / best(plan, arrays, np.zeros((SIDE, SIDE), np.float32))


def speed_of_copying() -> float:
    """Return bytes a second, read and written."""
    x = symbol(tensor_type("float32", (COPIED,)))
    plan = Plan(Graph([x], [ops.negative(x)]))
    return 8 * COPIED / best(plan, [np.ones(COPIED, np.float32)], np.zeros(COPIED, np.float32))


def main() -> None:
    """Print a table."""
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.path.insert(0, sys.argv[1])
    spec_module: Any = importlib.import_module("spec")
    given = {name: float(value) for name, value in (word.split("=") for word in sys.argv[2:])}
    products, copying = speed_of_products(), speed_of_copying()
    print(f"{thread_count()} threads: products {products / 1e9:.0f} GFLOP/s, copying {copying / 1e9:.1f} GB/s\n")
    print("| workload | operations, 10^9 | bytes, 10^6 | limit, ms | measured, ms | of the limit |")
    print("|---|---|---|---|---|---|")
    for name in spec_module.WORKLOADS:
        spec = spec_module.get(name)
        if spec.family not in FAMILIES:
            continue
        flops, moved = operations(spec), compulsory(spec)
        limit = 1e3 * (flops / products + moved / copying)
        own = given.get(name)
        measured, reached = (f"{own:.2f}", f"{limit / own:.0%}") if own else ("", "")
        print(f"| {name} | {flops / 1e9:.3f} | {moved / 1e6:.1f} | {limit:.2f} | {measured} | {reached} |")


if __name__ == "__main__":
    main()
