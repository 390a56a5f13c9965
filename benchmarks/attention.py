"""Attention block by block of rows, beside the same graphs with all scores in memory.

    python benchmarks/attention.py [SECONDS]

Both run in turns, since the speed of a machine changes from one second to the next.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np

import septet as st
from septet.backends.cpu import program

SIZES = [(1, 128, 4, 64), (8, 128, 4, 64), (2, 512, 4, 64), (1, 2048, 4, 64)]


def attention(sizes: tuple[int, ...], *, is_training: bool, is_causal: bool, in_blocks: bool) -> Callable[[], Any]:
    """Return a function that computes attention, or its gradients, once."""
    batch, times, heads, depth = sizes
    random = np.random.default_rng(0)
    x = st.asarray(random.standard_normal((batch, times, 3, heads, depth)).astype(np.float32))
    upstream = st.asarray(random.standard_normal((batch, times, heads, depth)).astype(np.float32))
    mask = st.tril(st.ones((times, times), dtype="bool"))

    def attend(x: Any) -> Any:
        query, key, value = (x[:, :, n].transpose((0, 2, 1, 3)) for n in range(3))
        scores = query @ key.transpose((0, 1, 3, 2)) / depth**0.5
        weights = st.softmax(st.where(mask, scores, -1e30) if is_causal else scores)
        return (weights @ value).transpose((0, 2, 1, 3))

    call = st.compile(st.value_and_grad(lambda x: (attend(x) * upstream).sum()) if is_training else attend)
    before = program.in_blocks
    if not in_blocks:
        program.in_blocks = lambda graph, is_loop: (graph, 0)
    try:
        st.evaluate(call(x))
    finally:
        program.in_blocks = before
    return lambda: st.evaluate(call(x))


def measure(calls: list[Callable[[], Any]], seconds: float) -> list[float]:
    """Return the median milliseconds of calls that take turns."""
    times: list[list[float]] = [[] for _ in calls]
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times[0]) < 5:
        for call, own in zip(calls, times, strict=True):
            start = time.perf_counter()
            call()
            own.append(1e3 * (time.perf_counter() - start))
    return [median(own) for own in times]


def main(seconds: float) -> None:
    """Print a table."""
    print("batch, positions, heads, features        scores in memory, ms   in blocks, ms   ratio")
    for sizes in SIZES:
        for is_causal in (True, False):
            for is_training in (False, True):
                both = [
                    attention(sizes, is_training=is_training, is_causal=is_causal, in_blocks=own)
                    for own in (False, True)
                ]
                whole, blocks = measure(both, seconds)
                name = f"{sizes} {'causal' if is_causal else 'full'} {'gradient' if is_training else 'forward'}"
                print(f"{name:44}{whole:17.2f}{blocks:16.2f}{whole / blocks:8.2f}", flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 2.0)
