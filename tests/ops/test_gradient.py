"""Ops that change only the flow of gradients."""

from __future__ import annotations

import numpy as np
import pytest

import septet as st
from septet.base.errors import GradientError
from septet.graph.node import constant
from septet.graph.op import ops
from septet.ops.gradient import stop_gradient
from septet.transform.jvp import jvp
from septet.transform.vjp import grad, vjp


def tracked(data: object):
    node = constant(np.array(data, np.float64))
    node.flags |= 1
    return node


@pytest.mark.parametrize("stop", [stop_gradient, ops.stop_gradient])
def test_stop_gradient(stop):
    x = tracked([1.0, 2.0])
    y = stop(x)
    assert not y.is_tracked
    assert vjp([y], [constant(np.ones(2))], [x]) == [None]
    assert jvp([y], [x], [constant(np.ones(2))]) == [None]
    np.testing.assert_array_equal(st.Tensor(y).numpy(), [1.0, 2.0])
    (g,) = grad(ops.sum(x * y), [x])
    np.testing.assert_array_equal(st.Tensor(g).numpy(), [1.0, 2.0])
    with pytest.raises(GradientError, match="does not depend"):
        grad(ops.sum(stop(x)), [x])


def test_detach_lets_go_of_the_past():
    w = st.Variable(np.ones(2))
    x = (w * 2).detach()
    assert not x.is_tracked
    x.numpy()
    assert x.node.inputs == ()  # the node has settled: nothing behind it is kept


def test_identity_passes_the_gradient():
    x = tracked([1.0, 2.0])
    y = ops.identity(x)
    assert y is not x and y.is_tracked
    (g,) = grad(ops.sum(y * y), [x])
    np.testing.assert_array_equal(st.Tensor(g).numpy(), [2.0, 4.0])
    (t,) = jvp([y], [x], [constant(np.array([3.0, 4.0]))])
    np.testing.assert_array_equal(st.Tensor(t).numpy(), [3.0, 4.0])
