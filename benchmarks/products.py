"""Products of matrices by our own tiles beside OpenBLAS: microseconds on one thread, by sizes.

python benchmarks/products.py [dtype] [turned]

With `turned` the first matrix is transposed, as in the gradient of a layer's weights.
"""

from __future__ import annotations

import sys
import time

import numpy as np

from septet.backends.cpu.ops import matmul, matmul_tiles
from septet.backends.cpu.program import Plan
from septet.base.config import config
from septet.graph.graph import Graph
from septet.graph.node import symbol
from septet.graph.op import ops
from septet.graph.types import tensor_type

SIZES = [(m, n, k) for m in (16, 32, 64, 128, 512, 2048) for n in (32, 64, 256, 1024) for k in (32, 128, 512, 2048)]


def plan_of(m: int, n: int, k: int, dtype: str, is_own: bool, is_turned: bool) -> Plan:
    """Return the plan of a product, by our own tiles or by OpenBLAS."""
    matmul_tiles.ROWS, matmul_tiles.WIDTH = 1 if is_own else 1 << 30, 1 << 30
    matmul.DEPTH, matmul.TALL, matmul.LEAST = (1 << 30, 0, 1) if is_own else (0, 1 << 30, 1)
    a, b = symbol(tensor_type(dtype, (k, m) if is_turned else (m, k))), symbol(tensor_type(dtype, (k, n)))
    return Plan(Graph([a, b], [ops.dot_general(a, b, contracting=((0 if is_turned else 1,), (0,)))]))


def main() -> None:
    """Print a table."""
    is_turned = "turned" in sys.argv
    dtype = next((word for word in sys.argv[1:] if word != "turned"), "float32")
    random = np.random.default_rng(0)
    print("    m     n     k   OpenBLAS        own     ratio")
    with config.override(threads=1):
        for m, n, k in SIZES:
            arrays = [
                random.standard_normal(shape).astype(dtype) for shape in ((k, m) if is_turned else (m, k), (k, n))
            ]
            result = np.zeros((m, n), dtype)
            plans = [plan_of(m, n, k, dtype, is_own, is_turned) for is_own in (False, True)]
            times: list[list[float]] = [[], []]
            count = max(1, int(2e7 / (m * n * k)))
            for _ in range(15):
                for plan, own in zip(plans, times, strict=True):
                    plan.place(arrays, [], [], [result])
                    rows = plan.rows(0, len(plan.steps))
                    start = time.thread_time()
                    for _ in range(count):
                        rows()
                    own.append((time.thread_time() - start) / count * 1e6)
            library, tiles = (sorted(own)[len(own) // 4] for own in times)
            print(f"{m:5d} {n:5d} {k:5d} {library:10.1f} {tiles:10.1f} {library / tiles:9.2f}")


if __name__ == "__main__":
    main()
