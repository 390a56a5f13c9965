"""Every result is the same to the last bit: from run to run, for any number of threads, wherever its operands lie."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import septet as st
from septet.backends.cpu import pool
from septet.base.config import config
from septet.base.threads import thread_count

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))


def gradients(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function's value with its gradients for all arguments that are floats."""

    def both(*arrays: Any) -> Any:
        floats = [n for n, x in enumerate(arrays) if x.dtype.name.startswith("float")]
        weights = st.cos(st.arange(7.0))

        def cost(*values: Any) -> Any:
            whole = list(arrays)
            for n, value in zip(floats, values, strict=True):
                whole[n] = value
            found = function(*whole)
            flat = found.reshape((-1,))
            return (flat * st.take(weights, st.arange(flat.shape[0]) % 7)).sum()

        return function(*arrays), st.grad(cost, tuple(range(len(floats))))(*[arrays[n] for n in floats])

    return both


def normal(*shape: int, dtype: str = "float32") -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(dtype)


def numbers(limit: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).integers(0, limit, shape)


def loop(x: Any) -> Any:
    """Rows that depend on those before them."""
    return st.scan(lambda carry, row: (st.tanh(carry * 0.5 + row), carry.sum()), st.zeros(x.shape[1]), x)


def draws() -> Any:
    state = st.asarray(np.array([5, 6], np.uint64))
    own = [f((300, 401), generator=state) for f in (st.random.uniform, st.random.normal, st.random.exponential)]
    return [*own, st.random.permutation(30_000, generator=state)]


CASES: dict[str, tuple[Callable[..., Any], list[np.ndarray]]] = {
    "sums": (
        lambda x: [x.sum(), x.sum(axis=0), x.sum(axis=1), x.mean(axis=0), st.prod(1 + 1e-4 * x, axis=1)],
        [normal(1999, 503)],
    ),
    "sums_double": (lambda x: [x.sum(), x.sum(axis=0), x.sum(axis=1)], [normal(1999, 503, dtype="float64")]),
    "sums_short": (lambda x: [y.astype("bfloat16").sum(axis=a) for y in (x,) for a in (0, 1)], [normal(999, 503)]),
    "statistics": (lambda x: [st.var(x, axis=0), st.std(x), st.logsumexp(x, axis=1)], [normal(1501, 302)]),
    "softmax": (gradients(lambda x: st.softmax(x, axis=-1)), [normal(901, 307)]),
    "cumulative": (lambda x: [st.cumsum(x, axis=0), st.cumsum(x, axis=1)], [normal(703, 509)]),
    "products": (gradients(lambda a, b: a @ b), [normal(257, 1031), normal(1031, 131)]),
    "products_double": (gradients(lambda a, b: a @ b), [normal(129, 517, dtype="float64"), normal(517, 65)]),
    "products_batched": (gradients(lambda a, b: a @ b), [normal(9, 65, 130), normal(9, 130, 33)]),
    "products_thin": (gradients(lambda a, b: a @ b), [normal(3, 20_001), normal(20_001)]),
    "convolution_3": (gradients(lambda x, k: st.conv(x, k, padding=1)), [normal(9, 16, 30, 31), normal(24, 16, 3, 3)]),
    "convolution_5": (gradients(lambda x, k: st.conv(x, k, stride=2)), [normal(17, 3, 29, 29), normal(20, 3, 5, 5)]),
    "convolution_groups": (
        gradients(lambda x, k: st.conv(x, k, groups=4, padding=1)), [normal(8, 8, 19, 19), normal(8, 2, 3, 3)],
    ),
    "convolution_line": (gradients(lambda x, k: st.conv(x, k)), [normal(8, 7, 601), normal(5, 7, 9)]),
    "pools": (gradients(lambda x: st.max_pool(x, (3, 3), stride=(2, 2))), [normal(8, 16, 31, 31)]),
    "scatter": (gradients(lambda x, i: st.take(x, i, axis=0)), [normal(300, 65), numbers(300, 20_000)]),
    "sorts": (lambda x: [st.sort(x, axis=0), st.argsort(x, axis=1), st.argmax(x, axis=0)], [normal(401, 303)]),
    "loops": (loop, [normal(200, 1003)]),
    "fused": (gradients(lambda x: st.exp(-x * x) * st.tanh(x) + st.erf(x)), [normal(1201, 402)]),
    "draws": (draws, []),
    "decompositions": (
        lambda x: [st.linalg.svd(x).S, st.linalg.qr(x).R, st.linalg.solve(x.mT @ x, x.mT[:, :3])], [normal(70, 40)],
    ),
    "fourier": (lambda x: [st.fft.rfft(x).real, st.fft.fft(x).imag], [normal(64, 1000)]),
}  # fmt: skip


def bits(value: Any) -> list[str]:
    """Return what tells results apart that differ in a bit."""
    if isinstance(value, (list, tuple)):
        return [text for part in value for text in bits(part)]
    return [hashlib.sha256(np.ascontiguousarray(value.numpy()).tobytes()).hexdigest()[:16]]


def found() -> dict[str, Any]:
    """Return the bits of everything: compiled, and in define-by-run code as it comes again and again."""
    result: dict[str, Any] = {"threads": thread_count()}
    for name, (function, arrays) in CASES.items():
        result[name] = bits(st.compile(function)(*arrays))
        result[f"{name}, define by run"] = [bits(function(*[st.asarray(x) for x in arrays])) for _ in range(3)]
    x = st.asarray(normal(99, 301))
    result["tiers"] = [bits(st.tanh(x * 1.1 + 0.3).sum(axis=0) * st.exp(x).mean()) for _ in range(20)]
    result["workers"] = pool.worker_count()
    return result


def in_process(**variables: str) -> dict[str, Any]:
    environment = {**os.environ, "PYTHONPATH": ROOT, "SEPTET_BACKEND": "cpu", **variables}
    done = subprocess.run(
        [sys.executable, "-m", "tests.backends.cpu.test_deterministic"], env=environment, cwd=ROOT, check=True,
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_runs_and_numbers_of_threads() -> None:
    """The setting changes nothing either: this backend has no faster kernels that are not deterministic."""
    first = in_process(SEPTET_NUM_THREADS="1")
    assert (first.pop("threads"), first.pop("workers")) == (1, 0) and len(first) == 2 * len(CASES) + 1
    for threads, deterministic in ((1, "1"), (2, "1"), (2, "0"), (3, "1")):
        again = in_process(SEPTET_NUM_THREADS=str(threads), SEPTET_DETERMINISTIC=deterministic)
        assert (again.pop("threads"), again.pop("workers")) == (threads, threads - 1 if pool.has_threads() else 0)
        assert {name for name, own in again.items() if own != first[name]} == set()


@pytest.mark.skipif(not pool.has_threads(), reason="no pool on this system")
@pytest.mark.parametrize("name", [name for name, (_, arrays) in CASES.items() if arrays])
def test_where_operands_lie(name: str) -> None:
    """Memory at any address that the dtype allows, not only at those that suit the processor."""
    function, arrays = CASES[name]
    call = st.compile(function)
    results = []
    for offset in (0, 1, 3):
        moved = []
        for array in arrays:
            place = np.empty(array.size + 64, array.dtype)
            start = -place.ctypes.data % 64 // array.itemsize + offset
            moved.append(place[start : start + array.size].reshape(array.shape))
            moved[-1][...] = array
        results.append(bits(call(*moved)))
    assert results[0] == results[1] == results[2]


def test_the_setting_says_so() -> None:
    text = config.row("deterministic").doc
    assert "the same to the last bit" in text and "False changes nothing" in text


if __name__ == "__main__":
    print(json.dumps(found()))
