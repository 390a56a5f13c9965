"""Sizes that know how they follow from others."""

import math

import numpy as np
import pytest

from septet.base.shapes import cut
from septet.base.sizes import Numbers, Scope, Size, decided, make, of_sizes, plain


def opened(*values):
    scope = Scope()
    return scope, [scope.symbol(value) for value in values]


def expressions(b, t):
    """What is worked out with sizes."""
    return [
        b + 3, 3 + b, b - t, 10 - b, -b, b * t, 7 * b, b * t * 4 // t, (b * t + t) // t, b // 4, -(-b // 4), 100 // b,
        b % 4, (b * 6) % 3, divmod(b, 5)[1], abs(b - 100), b**2, b << 3, (b * 8) >> 3,
        math.prod((b, 2, t)), sum((b, t, 1)), b * 2 - b - b, np.int64(3) * b, b + np.int32(2),
        *cut(None, b - 1, 2, b), *cut(b, None, -1, b), *cut(1, None, 1, t),
    ]  # fmt: skip


@pytest.mark.parametrize("others", [(5, 9), (128, 3), (2, 2), (31, 64)])
def test_what_is_computed_is_known_for_other_sizes(others):
    scope, (b, t) = opened(30, 7)
    found = expressions(b, t)
    assert plain(tuple(found)) == tuple(expressions(30, 7))
    formulas = scope.close()
    numbers = Numbers(formulas, others)
    if formulas.holds(numbers):
        assert [numbers(size) for size in found] == expressions(*others)
    else:  # abs, or a slice, has decided otherwise
        assert others != (31, 64)


def test_equal_formulas_are_one_size():
    _, (b, t) = opened(30, 7)
    assert b * t is t * b and (b + 1) * 2 is 2 * b + 2 and b - b == 0 and type(b * 4 // b) is int
    assert {b * t: "x"}[t * b] == "x"
    assert isinstance(b, int) and type(b) is Size


@pytest.mark.parametrize(
    ("decide", "same", "other"),
    [
        (lambda b: b == 30, [30], [29, 31]),
        (lambda b: b != 12, [30, 5], [12]),
        (lambda b: b < 64, [63, 2], [64, 65]),
        (lambda b: b >= 16, [16, 99], [15]),
        (lambda b: max(b, 20), [20, 40], [19]),
        (lambda b: bool(b - 10), [11, 9], [10]),
        (lambda b: b // 8 == 3, [24, 31], [23, 32]),
        (lambda b: b in (1, 2, 30), [30], [2, 3]),
        (lambda b: (b, 5) == (30, 5), [30], [31]),
        (lambda b: 60 / b, [30], [31]),
        (lambda b: range(b), [30], [29]),
        (lambda b: np.zeros((b, 2)), [30], [31]),
        (lambda b: np.array([b, 2], np.int64), [30], [31]),
        (lambda b: f"{b}", [30], [31]),
        (lambda b: [0] * b, [30], [31]),
        (lambda b: "abc"[b - 29], [30], [29]),
        (lambda b: math.isqrt(b), [30], [29]),
        (lambda b: slice(0, 40).indices(b), [30], [29]),
        (lambda b: b == 30.0, [30], [29]),
        (lambda b: b.bit_length(), [30], [29]),
        (lambda b: int(b), [30], [29]),
        (lambda b: np.float32(2) * b, [30], [29]),
        (lambda b: b & 1, [30], [28]),
    ],
)
def test_what_decides_must_decide_the_same(decide, same, other):
    scope, (b,) = opened(30)
    decide(b)
    formulas = scope.close()
    assert formulas.guards
    for size in same:
        assert formulas.holds(Numbers(formulas, [size]))
    for size in other:
        assert not formulas.holds(Numbers(formulas, [size]))


def test_what_is_so_for_all_sizes_is_no_decision():
    scope, (b, t) = opened(30, 7)
    assert b != 1 and b > 0 and b * t + 1 > 1 and not 0 >= b and -b < 0 and b == b and b * 2 - b == b
    assert not scope.close().guards


def test_functions_are_called_again():
    calls = []

    @of_sizes
    def halves(size, most):
        calls.append(size)
        return min(size // 2, most), -(-size // 2)

    assert halves(9, 3) == (3, 5)
    scope, (b,) = opened(30)
    low, high = halves(b, 12)
    table = make(np.arange, b)
    assert decided(lambda size: size > 20, b) is True
    total, later = table.number(lambda own: own.sum()), table.later(lambda own: own[-1])
    assert (plain(low), plain(high), plain(total)) == (12, 15, 435)
    both = low + high
    formulas = scope.close()
    numbers = Numbers(formulas, [22])
    assert formulas.holds(numbers) and not formulas.holds(Numbers(formulas, [20]))
    assert [numbers(size) for size in (low, high, both, total)] == [11, 11, 22, 231]
    assert later.of(numbers) == 21 and calls == [9, 30, 22]


def test_sizes_of_a_closed_scope_are_numbers():
    scope, (b,) = opened(30)
    size = b * 2 + 1
    scope.close()
    assert size == 61 and size + 1 == 62 and size // 2 == 30 and f"{size}" == "61" and np.zeros(size).shape == (61,)
    assert not scope.formulas.guards
