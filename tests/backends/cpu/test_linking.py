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
