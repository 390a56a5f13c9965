"""Rows that are computed in blocks have the bits that each has by itself; long ones are summed in runs."""

from __future__ import annotations

import numpy as np
import pytest

import septet as st
from septet.backends.cpu import regions
from septet.backends.cpu.loops import Kernel
from septet.backends.cpu.rows import BLOCK, RUN

pytestmark = pytest.mark.skipif(st.config.backend != "cpu", reason="kernels of the native backend")


def layer_norm(x, scale):
    difference = x - st.mean(x, -1, keepdims=True)
    return difference * st.rsqrt(st.mean(difference * difference, -1, keepdims=True) + 1e-5) * scale


def cost_of(w, x, y):
    z = x @ w
    return st.mean(st.softplus(z) - y * z)


def logistic(x, w):
    return st.grad(cost_of)(w, x, st.greater(x[:, 0], 0).astype(x.dtype))


def gradients_of_norm(x, scale):
    return st.grad(lambda x, scale: st.sum(st.sin(layer_norm(x, scale))), (0, 1))(x, scale)


def numbered(x, scale):
    """The number of a row is a number of it, too."""
    place = st.arange(x.shape[0]).astype(x.dtype)[:, None]
    return x * st.exp(-st.sum(x * scale, -1, keepdims=True) + place * 0.125) + place


def with_truth(x, scale):
    is_any = st.any(x > 2.0, -1, keepdims=True)
    size = st.log1p(st.sum(st.abs(x), -1, keepdims=True))
    return st.where(is_any, x / size, x * scale)


def twice_dear(x, scale):
    """What is dear along rows is kept from one pass to the next."""
    power = st.tanh(x * scale)
    total = st.sqrt(st.exp(st.mean(power, -1, keepdims=True)))
    return power * total, power - total


CASES = [layer_norm, logistic, gradients_of_norm, numbered, with_truth, twice_dear]


def kernels_of(function, *arguments):
    program = function.target(*arguments).program
    (plan,) = program.plans.values()
    return [step.code for step in plan.steps if isinstance(step.code, Kernel)]


def bits_of(results):
    return [np.asarray(result).tobytes() for result in (results if isinstance(results, tuple) else (results,))]


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
@pytest.mark.parametrize(("rows", "length"), [(BLOCK, 16), (5, 16), (37, 40), (131, 77), (9001, 64)])
@pytest.mark.parametrize("function", CASES)
def test_blocks_have_the_bits_of_rows(monkeypatch, function, rows, length, dtype):
    random = np.random.default_rng(rows * length)
    x = st.asarray(random.standard_normal((rows, length)).astype(np.float32)).astype(dtype)
    scale = st.asarray(random.standard_normal(length).astype(np.float32)).astype(dtype)
    together = st.compile(lambda x, scale: function(x, scale))
    found = bits_of(together(x, scale))
    blocks = [kernel.rows for kernel in kernels_of(together, x, scale)]
    monkeypatch.setattr(regions, "block_of", lambda kernel, sizes: 1)
    alone = st.compile(lambda x, scale: function(x, scale))
    assert bits_of(alone(x, scale)) == found
    assert max(kernel.rows for kernel in kernels_of(alone, x, scale)) == 1
    if dtype != "bfloat16":
        assert BLOCK in blocks


@pytest.mark.parametrize("function", CASES)
def test_any_number_of_rows_takes_the_same_kernels(function):
    """A last batch that is smaller, less than a block even, or more than a cache holds: nothing is compiled anew."""
    texts = []
    for rows in (5, 40, 20000):
        x, scale = st.ones((rows, 64)), st.ones((64,))
        call = st.compile(lambda x, scale: function(x, scale))
        call(x, scale)
        kernels = kernels_of(call, x, scale)
        texts.append({kernel.text() for kernel in kernels if kernel.rows > 1})
    assert texts[0] == texts[1] == texts[2] != set()


def test_rows_that_are_taken_from_a_table(monkeypatch):
    random = np.random.default_rng(0)
    table = st.asarray(random.standard_normal((50, 32)).astype(np.float32))
    numbers = st.asarray(random.integers(0, 50, 45))
    scale = st.ones((32,))
    call = lambda table, numbers: layer_norm(st.take(table, numbers, axis=0), scale)
    together = st.compile(call)
    found = bits_of(together(table, numbers))
    assert BLOCK in [kernel.rows for kernel in kernels_of(together, table, numbers)]
    monkeypatch.setattr(regions, "block_of", lambda kernel, sizes: 1)
    assert bits_of(st.compile(lambda *args: call(*args))(table, numbers)) == found


def test_long_rows_and_cheap_ones_stay_alone():
    wide, narrow = st.ones((64, 20000)), st.ones((64, 64))
    scale = st.ones((20000,))
    long = st.compile(layer_norm)
    long(wide, scale)
    cheap = st.compile(lambda x: x - st.mean(x, -1, keepdims=True))
    cheap(narrow)
    assert {kernel.rows for kernel in (*kernels_of(long, wide, scale), *kernels_of(cheap, narrow))} == {1}


@pytest.mark.parametrize("length", [1 << 20, 32 * RUN * 5, 32 * RUN * 5 + 1, 32 * RUN * 5 + 45])
@pytest.mark.parametrize("axis", [1, None])
def test_long_sums_lose_few_digits(axis, length):
    """Sizes differ much: with one total for each lane, the sum of 4 million is 335 units off."""
    x = np.exp(3 * np.random.default_rng(0).standard_normal((4, length))).astype(np.float32)
    total = st.compile(lambda x: st.sum(x, axis=axis))
    exact = x.astype(np.float64).sum(axis=axis)
    unit = np.spacing(exact.astype(np.float32)).astype(np.float64)
    assert (np.abs(total(x).numpy() - exact) / unit).max() <= 4
    whole = np.arange(2 * length, dtype=np.float64).reshape(2, -1) % 7  # exact whatever the order: nothing is left out
    np.testing.assert_array_equal(st.compile(lambda x: st.sum(x, axis=axis))(whole).numpy(), whole.sum(axis=axis))
