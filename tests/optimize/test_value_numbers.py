"""Equal numbers, equal values."""

from __future__ import annotations

import numpy as np

from septet.graph.graph import order
from septet.graph.node import constant
from septet.graph.op import ops
from septet.optimize.value_numbers import Numbers
from tests.optimize.support import sym


def number(numbers, node, known):
    return numbers.walk(order([node]), known)[node]


def test_values_of_two_graphs_are_compared():
    numbers = Numbers()
    x, y, u, v = sym(3), sym(3), sym(3), sym(3)
    known = {x: numbers.of("first"), u: numbers.of("first"), y: numbers.of("second"), v: numbers.of("second")}
    same = [
        (ops.exp(x + y), ops.exp(u + v)),
        (ops.exp(x + y), ops.exp(v + u)),
        (ops.sum(x, axis=0), ops.sum(u, axis=0)),
    ]
    same.append((x * constant(np.array([1.0, 2.0, 3.0])), u * constant(np.array([1.0, 2.0, 3.0]))))
    for a, b in same:
        assert number(numbers, a, known) == number(numbers, b, known)
    for a, b in [
        (x - y, v - u),
        (ops.exp(x), ops.exp(v)),
        (ops.sum(x, axis=0), ops.sum(u, axis=0, keepdims=True)),
        (x * 0.0, u * -0.0),
    ]:
        assert number(numbers, a, known) != number(numbers, b, known)


def test_unknown_symbols_and_large_constants_equal_themselves_only():
    numbers = Numbers()
    x, y = sym(3), sym(3)
    assert number(numbers, ops.exp(x), {}) == number(numbers, ops.exp(x), {}) != number(numbers, ops.exp(y), {})
    big, other = constant(np.ones(100)), constant(np.ones(100))
    assert number(numbers, big, {}) != number(numbers, other, {})
