"""Measure how far the vector mathematics is from exact results, and write docs/ulp.md.

Distances are in units in the last place of the result (ULP): 0.5 is the best that rounding allows. Functions of one
float are measured on every float there is, by kernels that compare with the same function in double. Double is compared
with the C library's long double of 64 bits, or with mpmath where that has no such function, and functions of two floats
with NumPy in double.

Usage: python tools/measure_ulp.py [NAME ...]      (with names: only these, the other rows of the page stay)

All of it takes about half an hour on one core; it needs the packages of the extra `test`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from septet.backends.cpu import vectormath  # noqa: E402
from septet.backends.cpu.builder import Builder, Value  # noqa: E402
from septet.backends.cpu.vectormath.steps import INFINITY, Term, magnitude, where  # noqa: E402
from tests.backends.cpu.elementwise import DTYPES, distance, kernel, random_bits  # noqa: E402
from tests.backends.cpu.vectormath_cases import CASES, WIDE, Array, Case  # noqa: E402

PAGE = ROOT / "docs" / "ulp.md"
LANES = {"float": 16, "double": 8}
NAMES = {"float": "float32", "double": "float64"}
CHUNK = 1 << 20
SAMPLES = {"float": 1 << 22, "double": 1 << 20}
SLOW_SAMPLES = 20_000  # of mpmath

HEAD = """\
# Errors of the vector mathematics

*Written by `tools/measure_ulp.py`.*

How far `septet.backends.cpu.vectormath` is from exact results, in units in the last place of the result (ULP); 0.5 is
the best that rounding allows. "All" means every float32 there is, against the same function in float64. "Random bits"
are numbers of all magnitudes, a range stands for numbers spread evenly over it (for two arguments: both); the largest
value is then that of the measurement and no proven bound. For functions marked with a star, whose results pass through
zero where terms cancel, the unit is that of the larger of the result and 1.

| function | dtype | arguments | how many | largest | mean | largest at |
|---|---|---|---|---|---|---|
"""


@dataclass
class Tally:
    """The largest distance with its place, and the sum of all."""

    count: int = 0
    largest: float = 0.0
    total: float = 0.0
    place: tuple[float, ...] = ()

    def add(self, far: Array, arguments: list[Array]) -> None:
        """Take in a chunk."""
        worst = int(np.argmax(far))
        if far[worst] > self.largest:
            self.largest, self.place = float(far[worst]), tuple(float(x[worst]) for x in arguments)
        self.count += far.size
        self.total += float(np.sum(far))


def measured(case: Case, kind: str, arguments: list[Array]) -> Array:
    """Return the distances of a function's results."""
    is_slow = kind == "double" and case.slow is not None
    result = kernel(getattr(vectormath, case.name), kind, LANES[kind], case.arity)(*arguments)
    with np.errstate(all="ignore"):
        if is_slow:
            exact = case.slow(*arguments)
        else:
            exact = case.exact(*(x.astype(WIDE[kind]) for x in arguments))
        if case.absolute:
            error = np.abs(result - exact) / np.finfo(result.dtype).eps
            return np.where((np.abs(exact) < 1) & np.isfinite(error), error, distance(result, exact))
    return distance(result, exact)


def difference(case: Case) -> Callable[[Builder, Value], Value]:
    """Return what writes the distance between a function of a float and the same function in double."""
    function = getattr(vectormath, case.name)

    def write(b: Builder, value: Value) -> Value:
        x = Term(b, value)
        result = Term(b, function(b, value))
        exact = Term(b, function(b, x.convert("fpext", "double").value))
        rounded = exact.convert("fptrunc", "float")
        exponent = (rounded.convert("fpext", "double").bits() >> 52) & 2047
        lowest = 1023 if case.absolute else 1023 - 126  # that of 1, or of the smallest normal float
        exponent = where(exponent < lowest, lowest, exponent)
        per_unit = (((2046 + 23) - exponent) << 52).real()
        far = magnitude(result.convert("fpext", "double") - exact) * per_unit
        far = where(far.is_nan(), INFINITY, far)
        is_same = (rounded.is_nan() & result.is_nan()) | (result.equals(rounded) & magnitude(result).equals(INFINITY))
        return where(is_same, 0.0, far).convert("fptrunc", "float").value

    return write


def every_float(case: Case) -> Tally:
    """Measure a function on all floats."""
    tally = Tally()
    apply = kernel(difference(case), "float", 8)
    for start in range(0, 1 << 32, CHUNK):
        x = np.arange(start, start + CHUNK, dtype=np.uint32).view(np.float32)
        tally.add(apply(x), [x])
    return tally


def random_chunks(case: Case, kind: str, low: float, high: float) -> Iterator[list[Array]]:
    """Yield numbers from a range in chunks; with NaN as its ends, random bits."""
    rng = np.random.default_rng(11)
    count = SLOW_SAMPLES if kind == "double" and case.slow is not None else SAMPLES[kind]
    for start in range(0, count, CHUNK):
        size = min(CHUNK, count - start)
        if np.isnan(low):
            yield [random_bits(kind, size, seed=start + position) for position in range(case.arity)]
        else:
            yield [rng.uniform(low, high, size).astype(DTYPES[kind]) for _ in range(case.arity)]


def sampled(case: Case, kind: str, low: float, high: float) -> Tally:
    """Measure a function on random numbers."""
    tally = Tally()
    for arguments in random_chunks(case, kind, low, high):
        tally.add(measured(case, kind, arguments), arguments)
    return tally


def texts(case: Case, kind: str) -> dict[str, tuple[float, float]]:
    """Return the ranges in which a function is measured, by what the page calls them."""
    if kind == "float" and case.arity == 1:
        return {"all": (-np.inf, np.inf)}
    return {"random bits": (np.nan, np.nan)} | {f"{low:g} to {high:g}": (low, high) for low, high in case.ranges}


def rows_of(case: Case) -> Iterator[str]:
    """Measure a function and yield the rows of the table."""
    for kind in ("float", "double"):
        for text, (low, high) in texts(case, kind).items():
            tally = every_float(case) if np.isinf(low) else sampled(case, kind, low, high)
            place = ", ".join(f"{x:.9g}" if kind == "float" else f"{x:.17g}" for x in tally.place)
            name = case.name + ("*" if case.absolute else "")
            mean = tally.total / tally.count
            yield f"| {name} | {NAMES[kind]} | {text} | {tally.count:,} | {tally.largest:.3f} | {mean:.3f} | {place} |"


def written() -> dict[str, list[str]]:
    """Return the rows of the page as it is, by function."""
    rows: dict[str, list[str]] = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines() if PAGE.exists() else []:
        name = line.strip("| ").split(" ")[0].rstrip("*")
        rows.setdefault(name, []).append(line)
    return rows


def main(names: list[str]) -> int:
    """Measure all functions, or the named ones, and write the page."""
    if unknown := set(names) - {case.name for case in CASES}:
        print(f"no such function: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    rows = written() if names else {}
    for case in CASES:
        if not names or case.name in names:
            rows[case.name] = list(rows_of(case))
            print("\n".join(rows[case.name]), flush=True)
            lines = [line for known in CASES for line in rows.get(known.name, [])]
            PAGE.write_text(HEAD + "\n".join(lines) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
