"""A sub-graph as one op: values, gradients and forward mode are those of its nodes."""

from __future__ import annotations

import numpy as np

import septet.run.eager as eager
from septet.graph.graph import Graph
from septet.graph.node import Node, constant, symbol
from septet.graph.op import items, ops
from septet.graph.types import tensor_type
from septet.ops.call import call
from septet.transform.transforms import TRANSFORMS
from septet.transform.vjp import vjp

RNG = np.random.default_rng(0)
X, W = RNG.normal(size=3), RNG.normal(size=3)


def tracked(value: np.ndarray) -> Node:
    """A leaf with a value that gradients flow to."""
    node = constant(value.copy())
    node.flags |= 1
    return node


def test_call_gradients_and_forward_mode():
    x, w = symbol(tensor_type(X.dtype, (3,))), symbol(tensor_type(W.dtype, (3,)))
    graph = Graph([x, w], [ops.sin(x * w), ops.sum(x)])
    leaves = [tracked(X), tracked(W)]
    y, z = items(call(*leaves, graph=graph))
    cost = ops.sum(y * y) + z * z
    by_x, by_w = vjp([cost], [constant(np.array(1.0))], leaves)
    (forward,) = TRANSFORMS.jvp([cost], leaves, [constant(W), constant(X)])
    eager.evaluate(cost, by_x, by_w, forward)
    slope = 2 * np.sin(X * W) * np.cos(X * W)
    np.testing.assert_allclose(cost.value, np.square(np.sin(X * W)).sum() + X.sum() ** 2)
    np.testing.assert_allclose(by_x.value, slope * W + 2 * X.sum())
    np.testing.assert_allclose(by_w.value, slope * X)
    np.testing.assert_allclose(forward.value, (by_x.value * W).sum() + (by_w.value * X).sum())
