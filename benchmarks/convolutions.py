"""Measure convolutions: our implementations, oneDNN and PyTorch, forward and both gradients, channels last.

The cases are the convolutions of LeNet (batch 128) and of a residual network (batch 64), and those of batch 1. For
each, the implementations take turns, and medians are kept: of processor time with one thread, so that other processes
matter less; of time with more, for which the machine must be quiet. Ours and oneDNN include putting the kernel into
their own order, and taking its gradient out of it, as each training step does. Prints a table; writes
benchmarks/results/convolutions.json.

Usage: python benchmarks/convolutions.py [--peer PYTHON] [--rounds N] [--threads N ...] [--only TEXT] [--output FILE]

PYTHON is an interpreter that has PyTorch; without it there is no column for it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from timing import timed

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

KINDS = ("conv", "conv_input", "conv_kernel")


class Case(NamedTuple):
    """A convolution of square images: batch, channels, size, channels of the result, window, stride, padding."""

    batch: int
    channels: int
    size: int
    outputs: int
    window: int
    stride: int
    padding: int

    @property
    def result(self) -> int:
        """The size of the result."""
        return (self.size + 2 * self.padding - self.window) // self.stride + 1

    @property
    def shapes(self) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        """Those of x, the kernel and y."""
        n, c, size, o, k = self[:5]
        return (n, c, size, size), (o, c, k, k), (n, o, self.result, self.result)

    @property
    def work(self) -> int:
        """Multiplications of a plain convolution."""
        return self.batch * self.result**2 * self.outputs * self.channels * self.window**2

    @property
    def name(self) -> str:
        """What is printed."""
        stride = f" stride {self.stride}" if self.stride > 1 else ""
        window = f"{self.window}x{self.window}"
        return f"{self.batch}x{self.channels}x{self.size}x{self.size} to {self.outputs}, {window}{stride}"


LENET = [Case(128, 1, 28, 32, 5, 1, 2), Case(128, 32, 14, 64, 5, 1, 2)]
RESIDUAL = [
    Case(64, 3, 32, 64, 3, 1, 1), Case(64, 64, 32, 64, 3, 1, 1), Case(64, 64, 32, 128, 3, 2, 1),
    Case(64, 128, 16, 128, 3, 1, 1), Case(64, 128, 16, 256, 3, 2, 1), Case(64, 256, 8, 256, 3, 1, 1),
    Case(64, 256, 8, 512, 3, 2, 1), Case(64, 512, 4, 512, 3, 1, 1), Case(64, 64, 32, 128, 1, 2, 0),
    Case(64, 128, 16, 256, 1, 2, 0), Case(64, 256, 8, 512, 1, 2, 0),
]  # fmt: skip
CASES = [*LENET, *RESIDUAL, *[case._replace(batch=1) for case in (*LENET, *RESIDUAL)]]


# Ours, and oneDNN as we call it.


def sizes_of(case: Case) -> Any:
    """Return the sizes of a case, channels last."""
    from septet.backends.cpu.layouts import Convolution, channels_first, channels_last

    (x, kernel, y), stride, pair = case.shapes, (case.stride,) * 2, (case.padding,) * 2
    return Convolution(channels_last(x), channels_first(kernel), channels_last(y), stride, (pair, pair), (1, 1))


def plan_of(kind: str, case: Case, implementation: str) -> Callable[[], object] | None:
    """Return a call that runs one of the three ops natively; None where an implementation does not serve it."""
    from septet.backends.cpu import dots, winograd
    from septet.backends.cpu.direct_tiles import machine
    from septet.backends.cpu.ops import conv as choice
    from septet.backends.cpu.program import Plan
    from septet.backends.cpu.steps import Host
    from septet.base import dtypes
    from septet.graph.graph import Graph
    from septet.graph.node import symbol
    from septet.graph.types import tensor_type
    from septet.ops.conv import conv, conv_input, conv_kernel
    from septet.ops.shaping import transpose

    _, c, size, o, k, stride, padding = case
    x, kernel, y = case.shapes
    if implementation == "winograd" and not winograd.is_possible(
        sizes_of(case), machine("float32", c if kind == "conv_input" else o)
    ):
        return None
    if implementation == "dots" and not dots.is_possible(kind, sizes_of(case), machine("float32", o).lanes):
        return None

    def images(shape: tuple[int, ...]) -> tuple[Any, Any]:
        leaf = symbol(tensor_type(dtypes.float32, (shape[0], shape[2], shape[3], shape[1])))
        return leaf, transpose(leaf, axes=(0, 3, 1, 2))

    weights = symbol(tensor_type(dtypes.float32, kernel))
    words = {"stride": stride, "padding": padding}
    if kind == "conv":
        leaf, seen = images(x)
        leaves, node = [leaf, weights], conv(seen, weights, **words)
    elif kind == "conv_input":
        leaf, seen = images(y)
        leaves, node = [leaf, weights], conv_input(seen, weights, size=(size, size), **words)
    else:
        (first, seen), (second, given) = images(x), images(y)
        leaves, node = [first, second], conv_kernel(seen, given, size=(k, k), **words)
    chosen = choice.choose
    choice.choose = lambda kind, sizes: implementation  # type: ignore[assignment]
    try:
        plan = Plan(Graph(leaves, [node if kind == "conv_kernel" else transpose(node, axes=(0, 2, 3, 1))]))
    finally:
        choice.choose = chosen
    numbers = np.random.default_rng(0)
    inputs = [numbers.standard_normal(leaf.shape).astype(np.float32) for leaf in leaves]
    outputs = [np.empty(node.shape, node.dtype) for node in plan.graph.outputs]
    plan.place(inputs, outputs)
    n_steps = len(plan.steps)
    assert not any(isinstance(step.code, Host) for step in plan.steps)
    own = n_steps if kind == "conv_kernel" else n_steps - 1  # the last one copies images into the order of results
    plan.rows(0, n_steps)()
    rows = plan.rows(0, own)

    def call() -> object:
        rows()
        return inputs, outputs

    return call


# PyTorch, in a process of its own interpreter.


def serve_torch(threads: int) -> None:
    """Answer each line, a kind and a case, with the seconds of a call."""
    import torch  # type: ignore[import-not-found]

    torch.set_num_threads(threads)
    calls: dict[str, Callable[[], object]] = {}
    for line in sys.stdin:
        if line not in calls:
            kind, numbers = json.loads(line)
            calls = {line: torch_call(torch, kind, Case(*numbers))}
            calls[line]()
        print(timed(calls[line], threads), flush=True)


def torch_call(torch: Any, kind: str, case: Case) -> Callable[[], object]:
    """Return a call that computes one of the three."""
    n, c, size, o, k, stride, padding = case

    def images(*shape: int) -> Any:
        return torch.randn(*shape).contiguous(memory_format=torch.channels_last)

    x, y = images(n, c, size, size), images(n, o, case.result, case.result)
    kernel = images(o, c, k, k)
    if kind == "conv":

        def call() -> object:
            with torch.inference_mode():
                return torch.nn.functional.conv2d(x, kernel, stride=stride, padding=padding)

        return call
    mask = [kind == "conv_input", kind == "conv_kernel", False]
    backward = torch.ops.aten.convolution_backward
    return lambda: backward(y, x, kernel, [0], [stride] * 2, [padding] * 2, [1, 1], False, [0, 0], 1, mask)


class Torch:
    """The process of PyTorch."""

    def __init__(self, python: str, threads: int) -> None:
        command = [python, __file__, "--serve", "--threads", str(threads)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def measure(self, kind: str, case: Case) -> float:
        """Return the seconds of a call."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps([kind, case]) + "\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()


def measure(case: Case, kind: str, threads: int, rounds: int, peer: Torch | None) -> dict[str, float]:
    """Return the milliseconds of all implementations."""
    calls = {name: plan_of(kind, case, name) for name in ("direct", "winograd", "dots", "onednn")}
    seconds: dict[str, list[float]] = {}
    for number in range(rounds + 1):
        for name, call in calls.items():
            if call is not None:
                found = timed(call, threads)
                if number:
                    seconds.setdefault(name, []).append(found)
        if peer is not None:
            found = peer.measure(kind, case)
            if number:
                seconds.setdefault("torch", []).append(found)
    return {name: round(statistics.median(own) * 1e3, 4) for name, own in seconds.items()}


def main() -> None:
    """Measure everything."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--peer", help="an interpreter that has PyTorch")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, len(os.sched_getaffinity(0))])
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "results" / "convolutions.json")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve_torch(options.threads[0])
        return
    from septet.backends.cpu.ops.conv import choose
    from septet.base.config import config
    from septet.base.text import table

    found: list[dict[str, Any]] = []
    for threads in options.threads:
        config.set(threads=threads)
        peer = Torch(options.peer, threads) if options.peer else None
        try:
            for case in [case for case in CASES if options.only in case.name]:
                for kind in KINDS:
                    row = measure(case, kind, threads, options.rounds, peer)
                    chosen = choose(kind, sizes_of(case))
                    found.append({"threads": threads, "case": case.name, "op": kind, "chosen": chosen, **row})
                    speed = 2e-6 * case.work / row[chosen]
                    print(table([[*found[-1].values(), f"{speed:.0f} GFLOP/s"]], []), flush=True)
        finally:
            if peer is not None:
                peer.close()
    options.output.parent.mkdir(parents=True, exist_ok=True)
    result = {"unit": "ms", "machine": platform.platform(), "rows": found}
    options.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
