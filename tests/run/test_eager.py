"""Evaluation on demand: what an error in a pending node does, and to whom."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import numpy as np
import pytest

import septet as st
from septet.base.errors import ArgumentError, IndexOutOfRangeError, LinearAlgebraError
from septet.graph import pending
from septet.graph.context import context
from septet.graph.graph import order
from septet.graph.node import Node
from septet.graph.pending import wanted


@pytest.fixture
def impatience() -> Iterator[int]:
    """Evaluate what is pending after 16 nodes at most."""
    before = context.limit
    with st.config.override(record_limit=16):
        context.limit = 0
        st.exp(st.tensor([0.0]))  # the first node sets the limit
        yield 16
    context.limit = before


def add_up(x: st.Tensor, count: int) -> st.Tensor:
    """Record more nodes than may be pending."""
    for _ in range(count):
        x = x + 1.0
    return x


def broken() -> st.Tensor:
    """Return a pending tensor whose value is an error."""
    return st.take(st.tensor(np.arange(5.0)), st.tensor([7]))  # the wrong line


LINE = "test_eager.py:{}: return st.take(st.tensor(np.arange(5.0)), st.tensor([7]))  # the wrong line"
HERE = LINE.format(broken.__code__.co_firstlineno + 2)


def test_an_error_names_the_line_that_is_wrong(impatience: int) -> None:
    """The operation that the limit fell on is not to blame, and is named as the place where the error was found."""
    waiting = broken()
    with pytest.raises(IndexOutOfRangeError, match="index 7") as caught:
        add_up(waiting, 40)
    assert HERE in str(caught.value) and "x = x + 1.0" not in str(caught.value)
    (note,) = caught.value.__notes__
    assert "record_limit" in note and "x = x + 1.0" in note
    with pytest.raises(IndexOutOfRangeError) as again:  # it is still wrong when it is asked for
        waiting.numpy()
    assert HERE in str(again.value)


def test_the_wrong_line_itself_needs_no_note() -> None:
    """Where the limit falls on the very operation that is wrong, the report says it all."""
    before = context.limit
    context.limit = 1
    try:
        with st.config.override(record_limit=1), pytest.raises(LinearAlgebraError) as caught:
            st.linalg.inv(st.tensor(np.zeros((2, 2))))
    finally:
        context.limit = before
    assert not getattr(caught.value, "__notes__", [])


def along_by_update() -> st.Tensor:
    """A variable whose new value is wrong goes along with the next request."""
    variable = st.Variable(np.zeros(1))
    variable.assign(broken())
    return variable


def along_by_loss() -> st.Tensor:
    """So does a loss that was differentiated."""
    variable = st.Variable(np.zeros(1))
    loss = (variable * broken()).sum()
    loss.backward()
    return loss


@pytest.mark.parametrize("make", [along_by_update, along_by_loss], ids=lambda make: make.__name__)
def test_unrelated_operations_stay_usable(make: Callable[[], st.Tensor], impatience: int) -> None:
    """Neither recording nor the value of a tensor fails because of another one; the other one fails when asked."""
    x = st.tensor(np.arange(3.0))
    context.limit = sys.maxsize
    wrong = make()
    assert len(wanted) == 1
    context.limit = 1  # the limit falls on the next operation
    with st.config.override(record_limit=1):
        found = x + 1.0
    assert found.node.value is not None and not wanted
    context.limit = sys.maxsize
    another = make()
    assert len(wanted) == 1
    np.testing.assert_array_equal((x * 2.0).numpy(), [0.0, 2.0, 4.0])
    assert not wanted
    context.limit = 1
    np.testing.assert_array_equal(add_up(found, 40).numpy(), [41.0, 42.0, 43.0])
    for tensor in (wrong, another):
        with pytest.raises(IndexOutOfRangeError) as caught:
            tensor.numpy()
        assert HERE in str(caught.value)


def test_what_goes_along_is_computed_along() -> None:
    """One request computes the new values of variables too."""
    variable = st.Variable(np.zeros(2))
    variable.assign(st.tensor(np.ones(2)) * 3.0)
    leaf = variable.node
    assert leaf.value is None
    (st.tensor([1.0]) + 1.0).numpy()
    np.testing.assert_array_equal(leaf.value, [3.0, 3.0])


@pytest.mark.parametrize("others", range(6))
def test_what_a_loop_adds_up_does_not_stay_pending(others: int, impatience: int) -> None:
    """However many other operations a loop does, the limit falls on the sum often enough to keep it short."""
    total, apart = st.tensor(np.zeros(2)), st.tensor(np.zeros(2))
    longest = 0
    for _ in range(1000):
        total = total + 1.0
        for _ in range(others):
            st.exp(apart)
        longest = max(longest, len(order([total.node], stop=lambda node: node.value is not None)))
    assert longest < 40 * impatience
    np.testing.assert_array_equal(total.numpy(), [1000.0, 1000.0])


def test_a_step_is_not_cut_in_two_by_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Graphs of less than half as many nodes as may be pending are computed as they are asked for, as a whole."""
    evaluated: list[Node] = []
    evaluate = pending._evaluate[0]

    def watched(node: Node) -> None:
        evaluated.append(node)
        evaluate(node)

    x = st.tensor(np.zeros(2))
    monkeypatch.setattr(pending, "_evaluate", [watched])
    with st.config.override(record_limit=64):
        context.limit = 1
        asked = []
        for _ in range(50):
            y = add_up(x, 30)
            asked.append(y.node)
            y.numpy()
        assert evaluated == asked
        y = add_up(x, 200)
        assert len(evaluated) > len(asked)


def test_evaluate_takes_nested_tensors_and_says_what_it_takes() -> None:
    a, b = st.tensor([1.0]) + 1, st.tensor([2.0]) + 1
    st.evaluate([a], {"b": (b, None)})
    assert a.node.value is not None and b.node.value is not None
    with pytest.raises(ArgumentError, match=r"evaluate takes tensors, also in lists, tuples and dicts; got float"):
        st.evaluate([a, 1.0])
