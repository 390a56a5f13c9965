"""Measure work that moves numbers and multiplies no matrices: chains, softmax, normalization, updates; peers beside it.

Cases are written once, with functions that each framework has. Each framework runs in a process of its own; they take
turns, and medians of some rounds count. With `--threads 1`, time is processor time, so
that other processes matter less; with more it is time on the clock, for which the machine must be quiet. Beside the
times stands what a copy of as many bytes takes as the case must read and write at least ("limit"). Prints a table;
writes benchmarks/results/elementwise.json.

Usage: python benchmarks/elementwise.py [--torch PYTHON] [--jax PYTHON] [--rounds N] [--threads N ...] [--only TEXT]
                                        [--output FILE]

PYTHON is an interpreter that has the framework.
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
MILLION = (1 << 20,)
ROWS = (4096, 768)  # of a transformer: tokens, features
CLASSES = (1024, 8000)
WIDTH = 256
LAYER = [(WIDTH,)] * 4 + [(WIDTH, 3 * WIDTH), (3 * WIDTH,), (WIDTH, WIDTH), (WIDTH,), (WIDTH, 4 * WIDTH)]
LAYER += [(4 * WIDTH,), (4 * WIDTH, WIDTH), (WIDTH,)]


class Case(NamedTuple):
    """A function of arrays, `f(F, *arrays)`, where F has the functions of a framework.

    Attributes
    ----------
    function : callable
    shapes : list of tuple
        Of its arguments, filled with normal numbers.
    traffic : float
        Arrays of the first shape that must be read and written.
    gradients : bool
        The result is a total; also return its gradients by all arguments.
    """

    function: Callable[..., Any]
    shapes: list[tuple[int, ...]]
    traffic: float
    gradients: bool = False


def chain(F: Any, x: Any) -> Any:
    """Three functions of many instructions."""
    return F.tanh(0.7 * x + 0.1) * F.sigmoid(1.3 * x) + F.exp(-x * x)


def total(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the sum of what a function computes with its other arguments, times its first one."""
    return lambda F, g, *arrays: (g * function(F, *arrays)).sum()


def softmax(F: Any, x: Any) -> Any:
    """Along rows."""
    return F.softmax(x)


def layer_norm(F: Any, x: Any, scale: Any, shift: Any) -> Any:
    """Along rows."""
    mean = x.mean(-1, keepdims=True)
    centred = x - mean
    variance = (centred * centred).mean(-1, keepdims=True)
    return centred / F.sqrt(variance + 1e-5) * scale + shift


def gelu(F: Any, x: Any) -> Any:
    """By the error function."""
    return 0.5 * x * (1.0 + F.erf(x * 0.7071067811865476))


def gelu_tanh(F: Any, x: Any) -> Any:
    """Its approximation."""
    return 0.5 * x * (1.0 + F.tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)))


FEATURES = [ROWS, (ROWS[1],), (ROWS[1],)]
TEN = [(10, *MILLION)]
CASES = {
    "scale and add": Case(lambda F, x: 2.5 * x + 1.0, TEN, 2),
    "ten light ops": Case(lambda F, x: abs((x * 2.0 - 1.0) * x + 0.5) / (x * x + 1.0) - x, TEN, 2),
    "chain": Case(chain, TEN, 2),
    "chain, mean": Case(lambda F, x: chain(F, x).mean(), TEN, 1),
    "chain, mean and gradient": Case(lambda F, x: chain(F, x).mean(), TEN, 2, gradients=True),
    "gelu": Case(gelu, [ROWS], 2),
    "gelu, gradients": Case(total(gelu), [ROWS, ROWS], 4, gradients=True),
    "gelu by tanh": Case(gelu_tanh, [ROWS], 2),
    "gelu by tanh, gradients": Case(total(gelu_tanh), [ROWS, ROWS], 4, gradients=True),
    "softmax": Case(softmax, [ROWS], 2),
    "softmax, gradients": Case(total(softmax), [ROWS, ROWS], 4, gradients=True),
    "softmax, long rows": Case(softmax, [CLASSES], 2),
    "layer norm": Case(layer_norm, FEATURES, 2),
    "layer norm, gradients": Case(total(layer_norm), [ROWS, *FEATURES], 4, gradients=True),
    "softplus": Case(lambda F, x: F.softplus(x), [ROWS], 2),
    "log and power": Case(lambda F, x: F.log(x * x + 1.0) * F.sin(x), [ROWS], 2),
}
UPDATES = {  # Adam, by the shapes of the parameters
    "adam, one parameter": [(4, *MILLION)],
    "adam, transformer": [(2000, WIDTH), (128, WIDTH), *LAYER * 4, (WIDTH,), (WIDTH,), (WIDTH, 2000)],
    "adam, 300 small": [(64,), (64, 8), (8,)] * 100,
}
RATE, FIRST, SECOND, EPSILON = 1e-3, 0.9, 0.999, 1e-8


def bytes_of(name: str) -> float:
    """Return the bytes that a case has to read and write at least."""
    if name in CASES:
        return 4 * CASES[name].traffic * float(np.prod(CASES[name].shapes[0]))
    # Parameters and both moments are read and written, gradients read.
    return 4 * 7 * float(sum(np.prod(shape) for shape in UPDATES[name]))


def arrays_of(shapes: list[tuple[int, ...]]) -> list[np.ndarray]:
    """Return normal numbers."""
    numbers = np.random.default_rng(0)
    return [numbers.standard_normal(shape, dtype=np.float32) for shape in shapes]


# The frameworks: each returns a call that is done when it returns.


class Ours:
    """Septet, compiled."""

    def __init__(self, threads: int) -> None:
        import septet as st

        st.config.set(threads=threads)
        self.st = st

    def call(self, case: Case) -> Callable[[], Any]:
        """Return a call of a function."""
        st = self.st

        def function(*arrays: Any) -> Any:
            return case.function(st, *arrays)

        count = len(case.shapes)
        compiled = st.compile(st.value_and_grad(function, argnums=tuple(range(count))) if case.gradients else function)
        arguments = [st.asarray(array) for array in arrays_of(case.shapes)]

        def run() -> Any:
            found = compiled(*arguments)
            st.evaluate(*([found[0], *found[1]] if case.gradients else [found]))
            return found

        return run

    def update(self, shapes: list[tuple[int, ...]]) -> Callable[[], Any]:
        """Return a call of an update of parameters by gradients that are given."""
        st = self.st
        parameters = [st.Variable(array) for array in arrays_of(shapes)]
        gradients = [st.asarray(array) for array in arrays_of(shapes)]
        optimizer = st.optim.Adam(parameters, learning_rate=RATE)

        @st.compile
        def step(gradients: Any) -> None:
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.grad = gradient
            optimizer.step()

        def run() -> Any:
            step(gradients)
            st.evaluate(*parameters)

        return run


class Torch:
    """PyTorch, eager."""

    def __init__(self, threads: int) -> None:
        import torch  # type: ignore[import-not-found]

        torch.set_num_threads(threads)
        self.torch = torch
        names = ("tanh", "sigmoid", "exp", "sqrt", "erf", "log", "sin")
        self.functions = type("F", (), {name: staticmethod(getattr(torch, name)) for name in names})
        self.functions.softmax = staticmethod(lambda x: torch.softmax(x, -1))
        self.functions.softplus = staticmethod(torch.nn.functional.softplus)

    def call(self, case: Case) -> Callable[[], Any]:
        """Return a call of a function."""
        torch = self.torch
        arguments = [torch.from_numpy(array).requires_grad_(case.gradients) for array in arrays_of(case.shapes)]
        if case.gradients:
            return lambda: torch.autograd.grad(case.function(self.functions, *arguments), arguments)

        def run() -> Any:
            with torch.inference_mode():
                return case.function(self.functions, *arguments)

        return run

    def update(self, shapes: list[tuple[int, ...]]) -> Callable[[], Any]:
        """Return a call of an update of parameters by gradients that are given."""
        torch = self.torch
        parameters = [torch.nn.Parameter(torch.from_numpy(array)) for array in arrays_of(shapes)]
        for parameter, array in zip(parameters, arrays_of(shapes), strict=True):
            parameter.grad = torch.from_numpy(array)
        optimizer = torch.optim.Adam(parameters, lr=RATE, betas=(FIRST, SECOND), eps=EPSILON, fused=True)
        return optimizer.step


class Jax:
    """JAX, compiled by XLA; the number of threads is what the process may use."""

    def __init__(self, threads: int) -> None:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-threads:])
        import jax  # type: ignore[import-not-found]

        self.jax = jax
        names = ("tanh", "exp", "sqrt", "log", "sin")
        self.functions = type("F", (), {name: staticmethod(getattr(jax.numpy, name)) for name in names})
        for name in ("softmax", "softplus", "sigmoid"):
            setattr(self.functions, name, staticmethod(getattr(jax.nn, name)))
        self.functions.erf = staticmethod(jax.lax.erf)

    def call(self, case: Case) -> Callable[[], Any]:
        """Return a call of a function."""
        jax = self.jax

        def function(*arrays: Any) -> Any:
            return case.function(self.functions, *arrays)

        count = len(case.shapes)
        compiled = jax.jit(jax.value_and_grad(function, argnums=tuple(range(count))) if case.gradients else function)
        arguments = [jax.numpy.asarray(array) for array in arrays_of(case.shapes)]
        return lambda: jax.block_until_ready(compiled(*arguments))

    def update(self, shapes: list[tuple[int, ...]]) -> Callable[[], Any]:
        """Return a call of an update of parameters by gradients that are given; their memory is given over."""
        jax = self.jax

        def one(p: Any, m: Any, v: Any, g: Any, t: Any) -> Any:
            m = FIRST * m + (1 - FIRST) * g
            v = SECOND * v + (1 - SECOND) * g * g
            step = RATE * (m / (1 - FIRST**t)) / (jax.numpy.sqrt(v / (1 - SECOND**t)) + EPSILON)
            return p - step, m, v

        def step(state: Any, gradients: Any, t: Any) -> Any:
            return [one(*row, g, t) for row, g in zip(state, gradients, strict=True)]

        compiled = jax.jit(step, donate_argnums=0)
        asarray = jax.numpy.asarray
        holder = [[(asarray(a), asarray(0 * a), asarray(0 * a)) for a in arrays_of(shapes)], 0]
        gradients = [asarray(array) for array in arrays_of(shapes)]

        def run() -> Any:
            holder[1] += 1
            holder[0] = jax.block_until_ready(compiled(holder[0], gradients, np.float32(holder[1])))

        return run


class Copy:
    """NumPy's copy of as many bytes as a case has to move, one thread."""

    def __init__(self, threads: int) -> None:
        self.threads = threads

    def copy(self, size: float) -> Callable[[], Any]:
        """Return a call that reads half of the bytes and writes the other half, each thread its part."""
        from concurrent.futures import ThreadPoolExecutor

        parts = [np.ones(max(1, int(size) // 2 // self.threads), np.uint8) for _ in range(self.threads)]
        targets = [np.empty_like(part) for part in parts]
        if self.threads == 1:
            return lambda: np.copyto(targets[0], parts[0])
        pool = ThreadPoolExecutor(self.threads)
        return lambda: list(pool.map(np.copyto, targets, parts))


PEERS: dict[str, type[Any]] = {"septet": Ours, "torch": Torch, "jax": Jax, "limit": Copy}


def serve(name: str, threads: int) -> None:
    """Answer each line, the name of a case, with the seconds of a call."""
    peer = PEERS[name](threads)
    known: dict[str, Callable[[], Any]] = {}
    for line in sys.stdin:
        case = line.strip()
        if case not in known:
            known.clear()
            if name == "limit":
                known[case] = peer.copy(bytes_of(case))
            else:
                known[case] = peer.call(CASES[case]) if case in CASES else peer.update(UPDATES[case])
            known[case]()
            timed(known[case], threads)
        print(timed(known[case], threads), flush=True)


class Process:
    """A framework in a process of its own interpreter."""

    def __init__(self, python: str, name: str, threads: int) -> None:
        command = [python, __file__, "--serve", name, "--threads", str(threads)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def measure(self, case: str) -> float:
        """Return the seconds of a call."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(case + "\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()


def measure(case: str, processes: dict[str, Process], rounds: int) -> dict[str, float]:
    """Return the milliseconds of a case for each framework, and how many times as long as ours each takes."""
    seconds: dict[str, list[float]] = {name: [] for name in processes}
    for _ in range(rounds):
        for name, process in processes.items():
            seconds[name].append(process.measure(case))
    row = {name: round(1e3 * statistics.median(own), 4) for name, own in seconds.items()}
    for name in processes:
        if name != "septet":
            ratios = [a / b for a, b in zip(seconds[name], seconds["septet"], strict=True)]
            row[f"{name} / septet"] = round(statistics.median(ratios), 2)
    return row


def main() -> None:
    """Measure everything."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--torch", help="an interpreter that has PyTorch")
    parser.add_argument("--jax", help="an interpreter that has JAX")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, len(os.sched_getaffinity(0))])
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "results" / "elementwise.json")
    parser.add_argument("--serve", choices=PEERS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve, options.threads[0])
        return
    pythons = {"septet": sys.executable, "torch": options.torch, "jax": options.jax, "limit": sys.executable}
    found: list[dict[str, Any]] = []
    for threads in options.threads:
        processes = {name: Process(python, name, threads) for name, python in pythons.items() if python}
        try:
            for case in [case for case in (*CASES, *UPDATES) if options.only in case]:
                found.append({"threads": threads, "case": case, **measure(case, processes, options.rounds)})
                print(*[f"{key} {value};" for key, value in found[-1].items()], flush=True)
        finally:
            for process in processes.values():
                process.close()
    options.output.parent.mkdir(parents=True, exist_ok=True)
    result = {"unit": "ms", "machine": platform.platform(), "rounds": options.rounds, "rows": found}
    options.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
