"""The vector mathematics against more exact results: distances in units in the last place, edges, lanes."""

from __future__ import annotations

import numpy as np
import pytest

from septet.backends.cpu import vectormath
from septet.backends.cpu.vectormath import exponential
from tests.backends.cpu.elementwise import DTYPES, distance, edges, kernel, random_bits
from tests.backends.cpu.vectormath_cases import CASES, EXACT, WIDE, Array, Case

pytestmark = pytest.mark.skipif(np.finfo(np.longdouble).nmant < 63, reason="long double is no wider than double here")
KINDS = ("float", "double")
LANES = {"float": 16, "double": 8}


def samples(case: Case, kind: str, count: int) -> list[Array]:
    """Return, for each argument, edges, random bits, and dense numbers in the ranges of a case."""
    rng = np.random.default_rng(7)
    columns = []
    for position in range(case.arity):
        corner = edges(kind)
        if case.arity == 2:  # every edge with every edge
            corner = np.repeat(corner, corner.size) if position == 0 else np.tile(corner, corner.size)
        dense = [rng.uniform(low, high, count).astype(DTYPES[kind]) for low, high in case.ranges]
        columns.append(np.concatenate([corner, random_bits(kind, count, seed=position), *dense]))
    return columns


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_distance(case: Case, kind: str) -> None:
    is_slow = kind == "double" and case.slow is not None
    arguments = samples(case, kind, 4_000 if is_slow else 60_000)
    result = kernel(getattr(vectormath, case.name), kind, LANES[kind], case.arity)(*arguments)
    with np.errstate(all="ignore"):
        exact = case.slow(*arguments) if is_slow else case.exact(*(x.astype(WIDE[kind]) for x in arguments))
    far = distance(result, exact)
    if case.absolute:
        with np.errstate(invalid="ignore"):
            is_near = np.abs(result - exact) <= case.absolute * np.finfo(result.dtype).eps
        far = np.where(is_near, 0, far)
    worst = int(np.argmax(far))
    assert far[worst] <= case.limits[KINDS.index(kind)], ([x[worst] for x in arguments], result[worst], exact[worst])
    zeros = (result == 0) & (exact == 0)
    with np.errstate(all="ignore"):
        signs = case.exact(*(x[zeros] for x in arguments))  # mpmath has no negative zero
    assert np.array_equal(np.signbit(result[zeros]), np.signbit(signs))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_scalars_and_lanes_give_the_same_bits(case: Case, kind: str) -> None:
    arguments = samples(case, kind, 5_000)
    write = getattr(vectormath, case.name)
    scalar = kernel(write, kind, 1, case.arity)(*arguments)
    numbers = ~np.isnan(scalar)
    for lanes in (4, 8, 16):
        vector = kernel(write, kind, lanes, case.arity)(*arguments)
        assert np.array_equal(np.isnan(vector), ~numbers)
        assert vector[numbers].tobytes() == scalar[numbers].tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_exponentials_of_what_is_not_positive_have_the_bits_of_all_others(kind: str) -> None:
    x = samples(next(case for case in CASES if case.name == "exp"), kind, 60_000)[0]
    x = x[~(x > 0)]  # NaN too
    expected = kernel(vectormath.exp, kind, LANES[kind])(x)
    result = kernel(exponential.exp_of_negative, kind, LANES[kind])(-x)
    numbers = ~np.isnan(expected)
    assert np.array_equal(np.isnan(result), ~numbers)
    assert result[numbers].tobytes() == expected[numbers].tobytes()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", EXACT)
def test_division_with_a_remainder_is_numpys(name: str, kind: str) -> None:
    case = Case(name, EXACT[name], [(-1, 1), (-1e6, 1e6), (-9, 9)], (0.0, 0.0), arity=2)
    arguments = samples(case, kind, 40_000)
    arguments[0][-5_000:] = np.rint(arguments[0][-5_000:]) * arguments[1][-5_000:]  # whole quotients, but for rounding
    result = kernel(getattr(vectormath, name), kind, LANES[kind], 2)(*arguments)
    with np.errstate(all="ignore"):
        expected = case.exact(*arguments)
    assert np.array_equal(np.isnan(result), np.isnan(expected))
    numbers = ~np.isnan(expected)
    assert result[numbers].tobytes() == expected[numbers].tobytes()


def test_every_function_has_a_case() -> None:
    assert sorted([*EXACT, *(case.name for case in CASES)]) == vectormath.__all__
