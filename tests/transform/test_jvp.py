"""Forward mode on recorded nodes."""

from __future__ import annotations

import time

import numpy as np
import pytest

import septet as st
from septet.base import dtypes
from septet.base.errors import GradientError
from septet.graph.graph import order
from septet.graph.node import SYMBOL, Node, constant, symbol
from septet.graph.op import ops
from septet.graph.types import tensor_type
from septet.tensor.tensor import Tensor
from septet.transform.jvp import jvp


def variable(*values: float) -> st.Variable:
    """A float64 variable."""
    return st.Variable(np.array(values), dtype="float64")


def push(y: st.Tensor, x: st.Tensor, *tangent: float) -> np.ndarray | None:
    """The tangent of `y` for one of `x`, as an array."""
    (t,) = jvp([y.node], [x.node], [constant(np.array(tangent))])
    return None if t is None else Tensor(t).numpy()


def test_zero_is_none() -> None:
    """No dependence, a None tangent, an integer result: no tangent."""
    x, y = variable(1.0, 2.0), variable(3.0, 4.0)
    assert push(y * 2.0, x, 1.0, 1.0) is None
    assert jvp([(x * 2.0).node], [x.node], [None]) == [None]
    assert push(st.argmax(x), x, 1.0, 1.0) is None
    assert push((x * 2.0).astype("int32"), x, 1.0, 1.0) is None


def test_each_rule() -> None:
    """A linear op, one that is linear in each input, an elementwise one, one by transposing twice."""
    x = variable(0.5, 2.0)
    np.testing.assert_allclose(push(x.sum(), x, 1.0, 3.0), 4.0)
    np.testing.assert_allclose(push(x @ x, x, 1.0, 0.0), 1.0)
    np.testing.assert_allclose(push(st.exp(x), x, 1.0, 2.0), np.exp([0.5, 2.0]) * [1.0, 2.0])
    np.testing.assert_allclose(push(st.cumulative_sum(x * x), x, 1.0, 1.0), [1.0, 5.0])
    np.testing.assert_allclose(push(st.sort(-x), x, 1.0, 2.0), [-2.0, -1.0])


def test_partly_moving_inputs() -> None:
    """Inputs without a tangent stay; the tangent has the result's shape all the same."""
    x, y = variable(1.0, 2.0), variable(3.0)
    np.testing.assert_allclose(push(x + y, y, 1.0), [1.0, 1.0])
    np.testing.assert_allclose(push(st.concat([x, y]), y, 5.0), [0.0, 0.0, 5.0])
    np.testing.assert_allclose(push(st.where(st.tensor([True, False]), x, y), y, 5.0), [0.0, 5.0])


def test_untracked_paths_carry_nothing() -> None:
    """`no_grad` and `stop_gradient` cut forward mode as they cut reverse mode."""
    x = variable(2.0, 3.0)
    with st.no_grad():
        cut = x * x
    np.testing.assert_allclose(push(cut * x + st.stop_gradient(x) * x, x, 1.0, 1.0), [6.0, 12.0])


def test_what_only_feeds_integers_needs_no_derivative() -> None:
    """An op without a derivative is no obstacle where nothing differentiable comes of it."""
    x = variable(1.0, 2.0)
    np.testing.assert_allclose(push(st.where(st.nextafter(x, x * 2) > 1.5, x * x, x), x, 1.0, 1.0), [1.0, 4.0])


def test_op_without_derivative() -> None:
    """The error names the op and its line."""
    x = variable(1.0, 2.0)
    no_derivative = st.nextafter(x, x * 2)
    if no_derivative.node.op.gradient is not None:
        pytest.skip("nextafter has a derivative")
    with pytest.raises(GradientError, match="nextafter has no derivative") as caught:
        push(no_derivative, x, 1.0, 1.0)
    assert "test_jvp.py:" in str(caught.value)


def test_wrt_are_independent() -> None:
    """A node on the way is moved by its own tangent only."""
    x = variable(2.0)
    y = x * x
    z = y * x
    (t,) = jvp([z.node], [x.node, y.node], [constant(np.array([1.0])), constant(np.array([10.0]))])
    np.testing.assert_allclose(Tensor(t).numpy(), [4.0 + 10.0 * 2.0])


def test_complex_results_of_real_inputs() -> None:
    """A complex direction comes of a real one."""
    x = variable(1.0, 2.0)
    np.testing.assert_allclose(push(st.exp(x * 1j), x, 1.0, 0.5), 1j * np.exp([1j, 2j]) * [1.0, 0.5])
    np.testing.assert_allclose(push(abs(x * (3 + 4j)), x, 1.0, -1.0), [5.0, -5.0])


def test_nothing_of_the_dummies_is_left() -> None:
    """Transposing twice with unknown sizes leaves no foreign symbol behind."""
    x = symbol(tensor_type(dtypes.float64, (None, 2)))
    y = st.cumulative_prod(Tensor(ops.concatenate(x, x, axis=0)), axis=0).node
    (t,) = jvp([y], [x], [x])
    assert t is not None
    assert [n for n in order([t]) if n.op is SYMBOL] == [x]


@pytest.mark.budget
def test_cost_is_linear_in_the_graph() -> None:
    """A chain that is transposed twice at each step, eight times as long, takes well under 64 times as long."""

    def seconds(length: int) -> float:
        x = symbol(tensor_type(dtypes.float64, (4,)))
        y: Node = x
        for _ in range(length):
            y = st.cumulative_prod(Tensor(y)).node
        start = time.process_time()
        jvp([y], [x], [x])
        return time.process_time() - start

    def best(length: int) -> float:  # what a collection of garbage or a neighbour costs is in some runs only
        return min(seconds(length) for _ in range(7))

    assert best(320) < 24 * best(40)
