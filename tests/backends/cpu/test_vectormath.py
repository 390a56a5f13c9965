"""The vector mathematics against more exact results: distances in units in the last place, edges, lanes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from septet.backends.cpu import vectormath
from tests.backends.cpu.elementwise import DTYPES, distance, edges, kernel, random_bits

Array = np.ndarray
WIDE = {"float": np.dtype(np.float64), "double": np.dtype(np.longdouble)}
pytestmark = pytest.mark.skipif(np.finfo(np.longdouble).nmant < 63, reason="long double is no wider than double here")


def sigmoid(x: Array) -> Array:
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + small), small / (1 + small))


def softplus(x: Array) -> Array:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


@dataclass(frozen=True)
class Case:
    """A function, a more exact one, where it is sampled densely, and the largest distance that is allowed."""

    name: str
    exact: Callable[..., Array]
    ranges: Sequence[tuple[float, float]]
    limits: tuple[float, float]  # float, double


CASES = [
    Case("exp", np.exp, [(-1, 1), (-104, 89), (-746, 710)], (1.1, 1.0)),
    Case("exp2", np.exp2, [(-1, 1), (-151, 129), (-1076, 1025)], (0.9, 0.9)),
    Case("expm1", np.expm1, [(-1, 1), (-20, 89), (-40, 710)], (1.6, 1.9)),
    Case("log", np.log, [(0.5, 2), (0, 10)], (0.9, 0.9)),
    Case("log1p", np.log1p, [(-1, 1), (-1, 10)], (1.6, 1.6)),
    Case("tanh", np.tanh, [(-1, 1), (-10, 10), (-20, 20)], (2.5, 2.5)),
    Case("sigmoid", sigmoid, [(-4, 4), (-104, 20), (-746, 40)], (2.5, 2.5)),
    Case("softplus", softplus, [(-4, 4), (-104, 20), (-746, 40)], (1.8, 1.8)),
]
KINDS = ("float", "double")
LANES = {"float": 16, "double": 8}


def samples(case: Case, kind: str) -> Array:
    """Return edges, random bits, and dense numbers in the ranges of a case."""
    rng = np.random.default_rng(7)
    dense = [rng.uniform(low, high, 60_000).astype(DTYPES[kind]) for low, high in case.ranges]
    return np.concatenate([edges(kind), random_bits(kind, 60_000), *dense])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_distance(case: Case, kind: str) -> None:
    x = samples(case, kind)
    result = kernel(getattr(vectormath, case.name), kind, LANES[kind])(x)
    with np.errstate(all="ignore"):
        exact = case.exact(x.astype(WIDE[kind]))
    far = distance(result, exact)
    worst = int(np.argmax(far))
    assert far[worst] <= case.limits[KINDS.index(kind)], (x[worst], result[worst], exact[worst])
    zeros = (x == 0) & (exact == 0)
    assert np.array_equal(np.signbit(result[zeros]), np.signbit(exact[zeros]))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_scalars_and_lanes_give_the_same_bits(case: Case, kind: str) -> None:
    x = samples(case, kind)[:20_000]
    write = getattr(vectormath, case.name)
    scalar = kernel(write, kind, 1)(x)
    numbers = ~np.isnan(scalar)
    for lanes in (4, 8, 16):
        vector = kernel(write, kind, lanes)(x)
        assert np.array_equal(np.isnan(vector), ~numbers)
        assert vector[numbers].tobytes() == scalar[numbers].tobytes()


def test_every_function_has_a_case() -> None:
    assert {case.name for case in CASES} == set(vectormath.__all__)
