"""Steps as data: which code a kernel gets."""

from __future__ import annotations

import numpy as np
import pytest

import septet as st

pytestmark = pytest.mark.skipif(st.config.backend != "cpu", reason="kernels of the native backend")


@pytest.mark.parametrize("is_one_program", [True, False])
def test_kernels_that_differ_in_the_sign_of_a_zero_are_two(is_one_program):
    """To Python 0.0 == -0.0: a kernel as a key of a dict would find the other one's code."""
    x, y = np.ones((3, 5), np.float32), np.ones((4, 7), np.float32)
    if is_one_program:
        plus, minus = st.compile(lambda x, y: (st.copysign(x, 0.0), st.copysign(y, -0.0)))(x, y)
    else:
        plus, minus = [st.compile(lambda x, zero=zero: st.copysign(x, zero))(x) for zero in (0.0, -0.0)]
    assert not np.signbit(plus.numpy()).any()
    assert np.signbit(minus.numpy()).all()


def test_the_second_use_of_a_kernel_writes_no_code(monkeypatch):
    """The address of a kernel is known from the first program that had it."""
    from septet.backends.cpu import linking

    x = np.arange(35, dtype=np.float32).reshape(5, 7)
    first = st.compile(lambda x: st.sqrt(x * 2 + 1))(x).numpy()

    def fail(*_):
        raise AssertionError("written once more")

    monkeypatch.setattr(linking, "lower", fail)
    second = st.compile(lambda y: st.sqrt(y * 2 + 1))(x).numpy()
    assert (first == second).all()


CHAINS = {
    "exponentials": lambda x, y: st.tanh(x) * st.exp(-y * y) + st.sigmoid(x - y),
    "logarithms": lambda x, y: st.log(st.abs(x) + 0.5) / (y * y + 0.25) - st.log1p(y * y),
    "trigonometry": lambda x, y: st.sin(3 * x) * st.cos(y) + st.arctan2(x, y),
    "powers": lambda x, y: st.sqrt(st.abs(x)) + st.power(st.abs(y), 1.7) + st.erf(x),
    "choices": lambda x, y: st.where(x > y, st.maximum(x, 0.1), st.minimum(y, x * y)),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", CHAINS)
def test_kernels_that_are_compiled_lightly_give_the_same_bits(monkeypatch, name, dtype):
    """How much the compiler does for a kernel depends on its number of points; its results do not."""
    from septet.backends.cpu import linking

    rng = np.random.default_rng(3)
    x, y = (rng.standard_normal(linking.FEW).astype(dtype) for _ in range(2))
    results = []
    for few in (linking.FEW, 0):
        monkeypatch.setattr(linking, "FEW", few)
        monkeypatch.setattr(linking, "_addresses", {})
        results.append(st.compile(lambda x, y: CHAINS[name](x, y))(x, y).numpy())
        assert any(key.endswith(linking.LIGHT) for key in linking._addresses) == (few > 0)
    np.testing.assert_array_equal(*results, strict=True)


def test_addresses_are_forgotten_beyond_a_number_and_found_again(monkeypatch):
    from septet.backends.cpu import linking

    monkeypatch.setattr(linking, "MOST_ADDRESSES", 5)
    monkeypatch.setattr(linking, "_addresses", {})
    x = np.arange(35, dtype=np.float32).reshape(5, 7)
    for _ in range(2):
        for number in range(6):
            found = st.compile(lambda x, number=number: st.sqrt(x * 2 + number))(x).numpy()
            np.testing.assert_allclose(found, np.sqrt(x * 2 + number), rtol=1e-6)
            assert 0 < len(linking._addresses) <= 5
