"""What only one branch needs is computed in it, and nothing else is."""

from __future__ import annotations

from typing import Any

import numpy as np

import septet as st
from septet.graph.graph import Graph
from septet.optimize.pipeline import optimize

CALLS: list[str] = []


def noted(name: str, x: Any) -> Any:
    """Return twice the values, and note when that is computed."""

    def run(value: np.ndarray) -> np.ndarray:
        CALLS.append(name)
        return value * 2

    return st.callback(run, (x.dtype, x.type.shape), x)


def names(graph: Graph) -> list[str]:
    return [node.op.name for node in graph.nodes]


def test_the_other_branch_is_not_computed() -> None:
    p, x = st.symbol("p", (), "bool"), st.symbol("x", (3,), "float64")
    a, b, both = noted("a", x + 1), noted("b", x * 3), noted("both", x)
    second = noted("a2", a)
    f = st.function([p, x], [st.cond(p, lambda: second + both, lambda: b - both)])
    for value, called in ((True, ["a", "a2", "both"]), (False, ["b", "both"])):
        CALLS.clear()
        (found,) = f(value, np.arange(3.0))
        base = np.arange(3.0)
        np.testing.assert_array_equal(found, 4 * (base + 1) + 2 * base if value else 6 * base - 2 * base)
        assert sorted(CALLS) == called


def test_what_others_use_stays_outside() -> None:
    p, x = st.symbol("p", (), "bool"), st.symbol("x", (3,), "float64")
    a = st.exp(x)
    graph = st.function([p, x], [st.cond(p, lambda: a, lambda: x), a]).graph
    assert "exp" in names(optimize(graph))
    graph = st.function([p, x], [st.cond(p, lambda: a, lambda: x)]).graph
    assert "exp" not in names(optimize(graph))


def test_one_choice_inside_of_another() -> None:
    p, q, x = st.symbol("p", (), "bool"), st.symbol("q", (), "bool"), st.symbol("x", (2,), "float64")
    own = noted("inner", st.tanh(x))
    inner = st.cond(q, lambda: own, lambda: x)
    f = st.function([p, q, x], [st.cond(p, lambda: inner, lambda: -x)])
    given = np.array([0.5, 1.0])
    for choice, expected, called in (
        ((True, True), 2 * np.tanh(given), ["inner"]), ((True, False), given, []), ((False, True), -given, []),
    ):  # fmt: skip
        CALLS.clear()
        np.testing.assert_allclose(f(*choice, given)[0], expected)
        assert called == CALLS


def test_loops_keep_what_does_not_change_outside() -> None:
    xs, w = st.symbol("xs", (4,), "float64"), st.symbol("w", (3, 3), "float64")

    def step(total: Any, x: Any) -> Any:
        own = st.exp(w).sum()
        return st.cond(x > 0, lambda: total + own * x, lambda: total), None

    graph = st.function([xs, w], [st.scan(step, st.tensor(0.0, dtype="float64"), xs)[0]]).graph
    assert "exp" in names(optimize(graph))
    f = st.function([xs, w], [st.scan(step, st.tensor(0.0, dtype="float64"), xs)[0]])
    assert float(f(np.array([1.0, -1, 2, 0]), np.zeros((3, 3)))[0]) == 27


def test_results_of_different_sizes() -> None:
    p, x, y = st.symbol("p", (), "bool"), st.symbol("x", (None,), "float64"), st.symbol("y", (None,), "float64")
    f = st.function([p, x, y], [st.cond(p, lambda: x * 2, lambda: y) + 1])
    np.testing.assert_array_equal(f(True, np.ones(2), np.ones(3))[0], [3, 3])
    np.testing.assert_array_equal(f(False, np.ones(2), np.ones(3))[0], [2, 2, 2])
