"""Who made the first NaN or infinity, and what the error says about it."""

from __future__ import annotations

import numpy as np
import pytest

import septet as st
from septet.base.errors import NonFiniteError
from septet.graph.finite import check, find, is_finite, summary
from septet.graph.graph import order


def node_of(tensor, name):
    return next(node for node in order([tensor.node]) if node.op.name == name)


def test_nan_and_infinity_are_the_doing_of_who_had_neither():
    x, y = st.symbol("x", (2,)), st.symbol("y", (2,))
    node = (x + y).node
    one, inf, nan = (np.array([1, value], np.float32) for value in (1, np.inf, np.nan))
    assert find(node, [one, one], inf) == "infinity"
    assert find(node, [one, one], nan) == "NaN"
    assert find(node, [one, inf], inf) == ""
    assert find(node, [one, inf], nan) == "NaN"  # infinity minus infinity
    assert find(node, [nan, one], nan) == ""
    assert find(node, [nan, one], inf) == ""
    check(node, [one, nan], nan)
    check(node, [one, one], one)


def test_an_infinity_among_the_parameters_was_put_in():
    x = st.symbol("x", (2,))
    node = node_of(st.pad(x, 1, value=-np.inf), "pad")
    value = np.array([-np.inf, 1, 2, -np.inf], np.float32)
    check(node, [np.array([1, 2], np.float32)], value)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64", "complex64", "int64", "bool"])
def test_every_dtype(dtype):
    array = st.ones(3, dtype=dtype).numpy()
    assert is_finite(array) and is_finite((array, array))
    if dtype not in ("int64", "bool"):
        array[1] = np.nan
        assert not is_finite(array) and not is_finite((np.ones(2), array))


def test_the_message():
    x = st.symbol("x", (2, 3))
    y = st.log(x)
    array = np.array([[1, 2, 3], [4, -5, -6]], np.float32)
    with np.errstate(invalid="ignore"), pytest.raises(NonFiniteError) as caught:
        check(y.node, [array], np.log(array))
    text = str(caught.value)
    assert text.startswith("log: the result has NaN, and no input has NaN: 2 of 6 elements, the first at (1, 1)\n")
    assert "  x: float32[2, 3]   symbol 'x', test_finite.py:" in text
    assert "  there: log(x=-5.0) = nan\n" in text
    assert "  values of x: -6 to 4, mean -0.166667\n" in text
    assert "y = st.log(x)" in text
    assert text.endswith("[S702] septet errors S702")


def test_summaries():
    assert summary(np.array([1.0, 3.0])) == "1 to 3, mean 2"
    assert summary(np.array([1.0, np.inf, np.nan])) == "1, 2 not finite"
    assert summary(np.array([np.nan])) == "nothing finite"
    assert summary(np.zeros((0, 3))) == "empty"
    assert summary(np.array([True, False])) == "1 element of 2 true"
    assert summary(np.array([3 + 4j, 0])) == "absolute values 0 to 5, mean 2.5"
