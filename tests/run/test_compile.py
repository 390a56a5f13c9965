"""Compiled functions: what counts as the same static argument."""

import numpy as np
import pytest

import septet as st


@pytest.mark.parametrize(
    "values", [(0.0, -0.0), (1, 1.0, True), ((1, 0.0), (1, -0.0), (True, 0.0))], ids=["zeros", "ones", "tuples"]
)
def test_static_arguments_are_told_apart_to_the_bit(values):
    calls = []

    @st.compile
    def f(x, static):
        calls.append(repr(static))
        number = static[1] if isinstance(static, tuple) else static
        return st.pad(x, 1, value=number)

    x = st.ones(2)
    for _ in range(2):
        for value in values:
            number = value[1] if isinstance(value, tuple) else value
            assert np.signbit(f(x, value).numpy()[0]) == np.signbit(number)
    assert calls == [repr(value) for value in values]
