"""Where nodes come from, in a few characters."""

from __future__ import annotations

import septet as st
from septet import nn
from septet.run.places import layers_text, lines_of, lines_text, pass_of


def test_lines_and_layers():
    x = st.symbol("x", (2, 3))
    y = st.tanh(x)
    z, same = st.exp(y), st.log(y)
    first, second = [int(text.rpartition(":")[2]) for text in lines_of([y.node, z.node, same.node])]
    assert second == first + 1
    assert lines_text([y.node, z.node]) == f"test_places.py:{first} +1" and lines_text([]) == ""
    assert layers_text([y.node]) == "" and pass_of([y.node]) == ""
    inside = nn.Sequential(nn.Dense(2), nn.Tanh())(x)
    assert layers_text([inside.node]) == "Sequential/1:Tanh"
    assert layers_text([inside.node, *inside.node.inputs]) == "Sequential/1:Tanh +1"


def test_gradients_belong_to_the_op_of_the_forward_pass():
    x = st.symbol("x", (3,))
    y = st.tanh(x)
    (line,) = lines_of([y.node])

    gradient = st.grad(y.sum(), x)
    assert lines_of([gradient.node]) == [line]
    assert pass_of([gradient.node]) == "back" and pass_of([gradient.node, y.node]) == "both"
