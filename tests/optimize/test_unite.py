"""Groups that could run in one pass over memory do."""

from __future__ import annotations

import numpy as np

import septet as st
from septet.graph.op import ops
from septet.optimize.fuse import fuse, is_view
from tests.optimize.support import graph_of, sym


def base(node):
    """What a view shows."""
    while is_view(node):
        node = node.inputs[0]
    return node


def fused(*roots):
    """The names of the ops of each fused group, and whether inputs come before users in all of them."""
    groups = fuse(graph_of(*roots))
    seen = set()
    for group in groups:
        assert group.nodes
        for node in group.nodes:
            assert all(base(source) in seen or not base(source).inputs for source in node.inputs), node
            seen.add(node)
            assert not group.is_fused or len(group.maps[node]) == node.ndim
    return [sorted(node.op.name for node in group.nodes) for group in groups]


def test_means_that_begin_apart_end_in_one_loop():
    gradient, mean, square, x = (sym(40, 30, name=name) for name in ("g", "m", "v", "x"))
    new_mean = mean * 0.9 + gradient * 0.1
    new_square = square * 0.99 + gradient * gradient * 0.01
    assert len(fused(new_mean, new_square, x - new_mean / ops.sqrt(new_square))) == 1


def test_values_of_two_chains_that_a_third_needs():
    a, b, c = (sym(5, 7, name=name) for name in "abc")
    first = a * 2.0 + 1.0
    other = ops.exp(b) * 3.0
    assert len(fused(first, other, c - first * other)) == 1


def test_what_needs_all_of_a_value_first_stays_apart():
    a, b = sym(6, 6, name="a"), sym(6, 6, name="b")
    first = ops.exp(a)
    between = ops.sort(first, axis=0)
    other = ops.sin(b)
    names = fused(first, other, first * other + between)
    assert ["sort"] in names
    assert not any("exp" in own and "add" in own for own in names)


def test_one_view_straight_and_one_across():
    a, b = sym(6, 6, name="a"), sym(6, 6, name="b")
    first = ops.exp(a)
    other = ops.sin(b)
    assert not any(
        "exp" in own and "add" in own for own in fused(first, other, other + first + ops.transpose(first, axes=(1, 0)))
    )


def test_an_update_of_an_optimizer_is_one_kernel_for_each_parameter():
    variables = [st.Variable(np.ones(shape, np.float32)) for shape in ((30, 20), (20,), (7, 3))]
    optimizer = st.optim.Adam(variables, learning_rate=0.1)

    @st.compile
    def step(gradients):
        for variable, gradient in zip(variables, gradients, strict=True):
            variable.grad = gradient
        optimizer.step()

    gradients = [st.asarray(np.full(variable.shape, 0.5, np.float32)) for variable in variables]
    step(gradients)
    kernels = [line for line in str(st.explain(step, gradients)).splitlines() if "multiply+" in line]
    assert len(kernels) == 3, kernels
