"""Units: when they are compiled, and that they compute what the cards say."""

from __future__ import annotations

import numpy as np
import pytest

import septet as st
from septet.graph.graph import Graph
from septet.run.units import CHANGE, HOT, RECENT, Unit, sum_of, unit_of

pytestmark = pytest.mark.skipif(st.config.backend != "cpu", reason="only the native backend compiles units")


def doubling() -> Graph:
    x = st.symbol("x", (3,))
    return Graph([x.node], [(x * 2.0).node], name="doubling")


def uses(unit: Unit, evaluations: range) -> list[bool]:
    return [unit.want(number) is not None for number in evaluations]


def test_the_change_comes_with_the_same_evaluation() -> None:
    unit = Unit(doubling)
    assert uses(unit, range(1, CHANGE + 3)) == [False] * (CHANGE - 1) + [True] * 3
    assert unit.piece is not None and unit.error is None


def test_many_uses_in_one_evaluation_count_once() -> None:
    unit = Unit(doubling)
    for _ in range(100):
        assert unit.want(1) is None
    assert HOT > 1 and unit._job is None


def test_what_comes_seldom_is_not_compiled() -> None:
    unit = Unit(doubling)
    assert not any(uses(unit, range(1, 40 * (RECENT + 1), RECENT + 1)))
    assert unit._job is None


def test_what_cannot_be_compiled_stays_interpreted() -> None:
    unit = Unit(lambda: 1 // 0)  # type: ignore[arg-type, return-value]
    assert not any(uses(unit, range(1, 3 * CHANGE)))
    assert isinstance(unit.error, ZeroDivisionError)


def test_the_unit_of_a_node_and_of_a_sum() -> None:
    x = st.symbol("x", (3,))
    unit = unit_of((x + x).node.resolution)
    assert unit is unit_of((x + 1.0 * x).node.resolution)
    assert unit.run([np.float32([1, 2, 3]), np.float32([4, 5, 6])])[0].tolist() == [5, 7, 9]
    type_ = x.node.tensor_type
    assert sum_of(type_) is sum_of(type_)
    assert sum_of(type_).run([np.float32([1, 2, 3]), np.float32([1, 1, 1])])[0].tolist() == [2, 3, 4]
