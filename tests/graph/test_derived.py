"""Layer paths of what differentiation makes: which op of the forward pass it belongs to, and where that was written."""

from __future__ import annotations

import pytest

import septet as st
from septet import nn
from septet.graph.context import context
from septet.graph.derived import derivation, layer_path
from septet.graph.graph import order


def gradient_nodes(tensor):
    return [node for node in order([tensor.node]) if derivation(node.layers) is not None]


class Box(nn.Module):
    def __init__(self):
        self.w = st.Variable([1.0, 2.0], "w")

    def forward(self, x):
        return st.tanh(x * self.w)


def test_the_nodes_of_a_backward_pass_name_their_op_and_its_layer():
    box = Box()
    x = st.symbol("x", (2,))
    cost = box(x).sum()
    gradient = st.grad(cost, box.w)
    nodes = gradient_nodes(gradient)
    marks = {str(derivation(node.layers)): layer_path(node.layers) for node in nodes}
    assert marks["gradient of tanh"] == "Box"
    assert marks["gradient of multiply"] == "Box"
    line = {str(derivation(n.layers)): derivation(n.layers).source for n in nodes}["gradient of tanh"]
    assert line[0].co_name == "forward"
    assert all(derivation(node.layers) is None for node in order([cost.node]))


def test_forward_mode_and_second_derivatives():
    x = st.symbol("x", (2,))
    _, tangent = st.jvp(lambda v: st.sin(v) * v, [x], [st.ones(2)])
    assert any(str(derivation(node.layers)) == "tangent of sin" for node in gradient_nodes(tangent))
    second = st.grad(st.grad(st.sin(x).sum(), x).sum(), x)
    paths = {node.layers for node in gradient_nodes(second)}
    assert any(len(path) == 2 for path in paths)  # the gradient of what is itself a gradient


def called(x, gradient):
    return st.callback(lambda array: array * 2, ("float32", (2,)), x, gradient=gradient)


def test_the_path_of_layers_under_way_comes_back():
    def rule(g, x):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        called(st.Variable([1.0, 2.0]), rule).sum().backward()
    assert context.layers == ()


def test_errors_of_a_backward_pass_say_whose_gradient_it_was():
    w = st.Variable([1.0, 2.0], "w")
    with pytest.raises(st.errors.ShapeError) as caught:
        called(w, lambda g, x: g + st.ones(7)).sum().backward()
    assert "  in the gradient of callback, at " in str(caught.value)
    assert 'st.callback(lambda array: array * 2, ("float32", (2,)), x, gradient=gradient)' in str(caught.value)
