"""Choices of the theano dialect: values, laziness, gradients, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import septet.dialects.theano as theano
import septet.dialects.theano.tensor as T
from septet.dialects.theano.ifelse import ifelse


class Noted(theano.Op):
    """Twice its argument; notes its calls."""

    def __init__(self, calls: list[str], name: str) -> None:
        self.calls, self.name = calls, name

    def make_node(self, x: Any) -> Any:
        return theano.Apply(self, [x], [x.type()])

    def perform(self, node: Any, inputs: Any, output_storage: Any, params: Any = None) -> None:
        self.calls.append(self.name)
        output_storage[0][0] = inputs[0] * 2


def test_only_the_chosen_branch_is_computed() -> None:
    calls: list[str] = []
    c, x, y = T.iscalar("c"), T.dvector("x"), T.dvector("y")
    f = theano.function([c, x, y], ifelse(c, Noted(calls, "x")(x), Noted(calls, "y")(y + 1)))
    np.testing.assert_array_equal(f(1, [1, 2], [3]), [2, 4])
    np.testing.assert_array_equal(f(0, [1, 2], [3]), [8])
    assert calls == ["x", "y"]


def test_gradients_flow_through_the_chosen_branch() -> None:
    c, x, y = T.iscalar("c"), T.dvector("x"), T.dvector("y")
    (a, b) = ifelse(c, (x**2, x), (y, y**3))
    f = theano.function([c, x, y], T.grad(a.sum() + b.sum(), [x, y]))
    for choice, expected in ((1, [[3, 5], [0, 0, 0]]), (0, [[0, 0], [4, 13, 28]])):
        for own, wanted in zip(f(choice, [1, 2], [1, 2, 3]), expected, strict=True):
            np.testing.assert_array_equal(own, wanted)


def test_objects() -> None:
    c, x, y = T.iscalar("c"), theano.generic(), theano.generic()
    f = theano.function([c, x, y], ifelse(c, x, y))
    assert f(1, ["x"], ["y"]) == ["x"] and f(0, ["x"], ["y"]) == ["y"]


def test_what_is_refused() -> None:
    c, x, m = T.iscalar("c"), T.dvector("x"), T.dmatrix("m")
    with pytest.raises(TypeError, match="identical types"):
        ifelse(c, x, m)
    with pytest.raises(TypeError, match="scalar"):
        ifelse(x, x, x)
    with pytest.raises(ValueError, match="number of values"):
        ifelse(c, [x, x], [x])


@pytest.mark.parametrize("mode", [None, "NanGuardMode"])
def test_shapes_of_the_other_branch_are_not_looked_at(mode: Any) -> None:
    """As in a running maximum, whose first value has any shape."""
    x, best, started = T.dmatrix("x"), theano.shared(np.zeros((1, 2))), theano.shared(0)
    found = ifelse(T.gt(started, 0), T.maximum(T.unbroadcast(best, 0, 1), x), x)
    f = theano.function([x], found.sum(), updates=[(best, found), (started, started + 1)], mode=mode)
    assert f(np.eye(3)) == 3
    assert f(np.ones((3, 3))) == 9
    assert started.get_value() == 2 and best.get_value().shape == (3, 3)
    with pytest.raises(ValueError, match="broadcast"):
        f(np.ones((2, 2)))
    assert started.get_value() == 2
