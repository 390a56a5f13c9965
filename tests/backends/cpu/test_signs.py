"""What is known of the signs of a kernel's values, and that nothing changes where it is used."""

from __future__ import annotations

import numpy as np
import pytest

import septet as st
from septet.backends.cpu.loops import LOAD, NUMBER, OP, REDUCE, Term
from septet.backends.cpu.signs import Sign, signs
from tests.backends.cpu.elementwise import DTYPES, edges, random_bits

LOADS = [Term(LOAD, (), 0, "float32"), Term(LOAD, (), 1, "float32")]


def op(name: str, *args: int, dtype: str = "float32") -> Term:
    return Term(OP, args, (name, ()), dtype)


def number(value: float) -> Term:
    return Term(NUMBER, (), value, "float32")


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ([], Sign()),
        ([number(-2.0)], Sign(True, False)),
        ([number(0.0)], Sign(True, True)),
        ([number(float("nan"))], Sign(False, False)),
        ([op("multiply", 0, 0)], Sign(False, True)),
        ([op("multiply", 0, 1)], Sign()),
        ([op("negative", 0), op("multiply", 2, 0)], Sign(True, False)),
        ([op("negative", 0), op("multiply", 0, 2)], Sign(True, False)),
        ([op("negative", 0), op("multiply", 1, 2)], Sign()),
        ([op("square", 0), op("negative", 2)], Sign(True, False)),
        ([op("abs", 0), number(-3.0), op("multiply", 2, 3)], Sign(True, False)),
        ([op("abs", 0), op("sigmoid", 1), op("multiply", 2, 3)], Sign(False, True)),
        ([op("abs", 0), op("negative", 2), op("negative", 3)], Sign(False, True)),
        ([op("abs", 0, dtype="int32")], Sign()),  # that of the lowest integer is negative
        ([Term(REDUCE, (0,), "max", "float32"), op("subtract", 0, 2)], Sign()),  # inf - 0 in a softmax
    ],
)
def test_signs(terms: list[Term], expected: Sign) -> None:
    assert signs([*LOADS, *terms])[-1] == (expected if terms else Sign())


@pytest.mark.skipif(st.config.backend != "cpu", reason="kernels of the native backend")
@pytest.mark.parametrize("kind", ["float", "double"])
def test_exponentials_have_the_same_bits_whether_or_not_the_sign_is_known(kind: str) -> None:
    values = np.concatenate([edges(kind), random_bits(kind, 20_000), np.linspace(-30, 30, 20_001).astype(DTYPES[kind])])
    known = st.compile(lambda x: (st.exp(-x * x), st.exp(-abs(x)), st.exp(-2.0 * x * x)))(values)
    with np.errstate(all="ignore"):
        arguments = [-values * values, -abs(values), DTYPES[kind].type(-2) * values * values]
    unknown = [st.compile(st.exp)(argument).numpy() for argument in arguments]
    for a, b in zip(known, unknown, strict=True):
        a, is_number = a.numpy(), ~np.isnan(b)
        assert np.array_equal(np.isnan(a), ~is_number)
        assert a[is_number].tobytes() == b[is_number].tobytes()
