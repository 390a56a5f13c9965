"""Functions with the same bits everywhere: how close they are to what they stand for, and that their bits stay."""

from __future__ import annotations

import hashlib

import mpmath
import numpy as np
import pytest

from septet.base import random as philox
from septet.ops import exact

GENERATOR = np.random.default_rng(3)


def errors(function, x, true, dtype=None):
    """The largest distance from the true values, in units in the last place."""
    found = exact.of_arrays(function, x)
    with mpmath.workprec(120):
        wanted = [true(mpmath.mpf(float(value))) for value in x]
        own = [
            float(
                abs(mpmath.mpf(float(value)) - right) / float(np.spacing(found.dtype.type(abs(float(right)) or 1e-300)))
            )
            for value, right in zip(found, wanted, strict=True)
        ]
    return max(own)


UNITS = [
    np.ldexp(GENERATOR.integers(1, 2**24, 600), -24),
    1 - np.ldexp(np.arange(1, 40), -24),
    np.ldexp(1.0, -np.arange(24)),
]
POSITIVE = np.concatenate([*UNITS, GENERATOR.uniform(0.6, 1.6, 600), np.exp(GENERATOR.uniform(-80, 80, 300))])


@pytest.mark.parametrize("function", [exact.log, exact.log_of_normal])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_log(function, dtype):
    assert errors(function, POSITIVE.astype(dtype), mpmath.log) < (1.6 if dtype == "float32" else 1.1)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_log_at_the_edges(dtype):
    tiny = np.finfo(dtype).smallest_subnormal
    x = np.array([0.0, -0.0, -1.0, -np.inf, np.inf, np.nan, 1.0, tiny, 5 * tiny], dtype)
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(exact.of_arrays(exact.log, x), np.log(x), rtol=1e-6 if dtype == "float32" else 1e-15)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sine_of_turn(dtype):
    """Close also in terms of small results, where a cosine computed from its angle would lose its places."""
    r = np.concatenate([GENERATOR.uniform(-0.25, 0.25, 800), 2.0 ** -np.arange(2.0, 50.0), [0.25, -0.25]]).astype(dtype)
    assert errors(exact.sine_of_turn, r, lambda r: mpmath.sin(2 * mpmath.pi * r)) < 2.6


def test_exp():
    x = np.concatenate(
        [GENERATOR.uniform(-700, 700, 500), GENERATOR.uniform(-1, 1, 500), GENERATOR.uniform(-744, -708, 50)]
    )
    assert errors(exact.exp, x, mpmath.exp) < 1.1
    edges = np.array([-np.inf, -1e300, -746.0, 0.0, 709.7, 709.8, 1e300, np.inf, np.nan])
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(exact.of_arrays(exact.exp, edges), np.exp(edges), rtol=1e-15)


def test_sigmoid():
    x = np.concatenate([GENERATOR.uniform(-700, 700, 300), GENERATOR.uniform(-5, 5, 500)])
    assert errors(exact.sigmoid, x, lambda x: 1 / (1 + mpmath.exp(-x))) < 2.1


def test_erf():
    x = np.concatenate(
        [GENERATOR.uniform(-6, 6, 800), GENERATOR.uniform(-1, 1, 500), [0.0, 0.875, -0.875, 50.0, -1e300]]
    )
    assert errors(exact.erf, x, mpmath.erf) < 2.1
    assert np.isnan(exact.of_arrays(exact.erf, np.array([np.nan]))).all()


def test_quantile():
    """In units of the result, as far as its argument is worth: a last bit of x near 1 is many of z."""
    near = 1 - 2.0 ** -np.arange(4.0, 50.0)
    x = np.concatenate([GENERATOR.uniform(-0.999, 0.999, 200), GENERATOR.uniform(-1e-3, 1e-3, 50), near, -near])
    assert errors(exact.quantile, x, lambda x: mpmath.sqrt(2) * mpmath.erfinv(x)) < 6.0
    ends = exact.of_arrays(exact.quantile, np.array([1.0, -1.0, np.nan]))
    np.testing.assert_allclose(ends[:2], [8.2923611, -8.2923611], rtol=1e-6)
    assert np.isnan(ends[2])


def test_normal():
    """Against Box and Muller's formula, worked out in many digits from the same bits."""
    raw = philox.random_bits(philox.make_state(5), 400, 64)
    other = philox.random_bits(philox.make_state(6), 400, 64)
    single = exact.of_arrays(exact.normal_single, raw, dtype=np.float32)
    double = exact.of_arrays(exact.normal_double, raw, other, dtype=np.float64)
    with mpmath.workprec(120):
        for i in range(400):
            radius = mpmath.mpf((int(raw[i]) >> 32) + 1) / 2**32
            angle = 2 * mpmath.pi * mpmath.mpf(int(raw[i]) & 0xFFFFFFFF) / 2**32
            wanted = mpmath.sqrt(-2 * mpmath.log(radius)) * mpmath.cos(angle)
            sensitivity = 1 + float(1 / abs(mpmath.log(radius)))  # the radius is rounded to float32
            assert abs(single[i] - wanted) < 5 * sensitivity * np.spacing(np.float32(abs(float(wanted))))
            radius = (2**53 - mpmath.mpf(int(raw[i]) >> 11)) / 2**53
            angle = 2 * mpmath.pi * mpmath.mpf(int(other[i]) >> 11) / 2**53
            wanted = mpmath.sqrt(-2 * mpmath.log(radius)) * mpmath.cos(angle)
            assert abs(double[i] - wanted) < 5 * np.spacing(abs(float(wanted)))


def test_chunks_are_no_borders():
    count = exact.CHUNK + 77
    x = GENERATOR.uniform(0.1, 1.0, (1, count)).astype(np.float32)
    whole = exact.of_arrays(exact.log, x)
    assert whole.shape == x.shape
    for part in (slice(0, 5), slice(exact.CHUNK - 3, exact.CHUNK + 9), slice(count - 1, count)):
        assert whole[:, part].tobytes() == exact.of_arrays(exact.log, x[:, part]).tobytes()
    assert exact.of_arrays(exact.log, x[::-1, ::-1]).tobytes() == whole[:, ::-1].tobytes()


GOLDEN = {
    "log": "d99dcc76a24d6b2d",
    "log_of_normal": "d99dcc76a24d6b2d",
    "exp": "eceaa7af04a782f4",
    "sigmoid": "4c6dc3107657a2a0",
    "erf": "a406649e774c6fcd",
    "quantile": "99de6f90c8dd39d3",
    "normal_single": "f2995a3fd718716b",
    "normal_double": "5933310727509bbe",
}


def inputs(name):
    """Random numbers in the range of a function, made without one."""
    bits = [philox.random_bits(philox.make_state(2, n), 4000, 64) for n in range(2)]
    units = ((bits[0] >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52
    if name.startswith("normal"):
        return bits[: 1 if name == "normal_single" else 2]
    scale, shift = {"exp": (1400, -700), "sigmoid": (80, -40), "erf": (8, -4), "quantile": (2, -1)}.get(name, (1, 0))
    return [units * scale + shift]


@pytest.mark.parametrize("name", GOLDEN)
def test_the_bits_stay(name):
    """On any machine, with any NumPy: they are what seeds stand for."""
    found = exact.of_arrays(
        getattr(exact, name), *inputs(name), dtype="float32" if name == "normal_single" else "float64"
    )
    assert hashlib.blake2b(found.tobytes(), digest_size=8).hexdigest() == GOLDEN[name]
