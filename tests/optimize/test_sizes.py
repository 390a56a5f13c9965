"""Sizes that become known: where the cards say that they are, and graphs that are made for known shapes."""

from __future__ import annotations

import numpy as np
import pytest

import septet as st
from septet.graph.graph import Graph
from septet.graph.node import constant, symbol
from septet.graph.op import all_ops, as_node, record
from septet.optimize.sizes import bodies_of, has_open_sizes, sizes_taken, with_shapes

x = st.symbol("x", (None, 3))


def graph_of(inputs, *outputs):
    return Graph([own.node for own in inputs], [own.node for own in outputs])


def test_a_parameter_that_takes_size_inputs_is_the_one_of_the_card():
    documented = {
        (op.name, name) for op in all_ops() for name, text in op.param_docs.items() if "takes a size input" in text
    }
    documented |= {("scan", "length"), ("callback", "results"), ("effect_callback", "results")}
    assert documented == {(op.name, op.sizes.name) for op in all_ops() if op.sizes is not None}


def listed(value):
    return value if isinstance(value, tuple) else (value,)


CASES = [
    pytest.param(op, case, id=f"{op.name}-{number}")
    for op in all_ops()
    if op.sizes is not None
    for number, case in enumerate(op.cases)
    if all(type(size) is int for size in listed(case.params.get(op.sizes.name)))
]


@pytest.mark.parametrize(("op", "case"), CASES)
def test_sizes_that_are_inputs_go_into_the_parameter(op, case):
    given = tuple([symbol(as_node(array).tensor_type) for array in case.arrays(op)])
    closed = record(op, given, op.bind(case.params))
    name, value = op.sizes.name, closed.param(op.sizes.name)
    sizes = tuple([constant(np.array(size)) for size in listed(value) if size != -1])
    left = None if isinstance(value, int) else tuple([size if size == -1 else None for size in value])
    node = record(op, (*given, *sizes), tuple({**closed.keywords(), name: left}.values()))
    assert sizes_taken(node) == sizes
    graph = Graph([*given, x.node], [node])
    made = with_shapes(graph, [own.shape for own in given] + [(5, 3)]).outputs[0]
    assert made.params == closed.params and made.type == closed.type and len(made.inputs) == len(given)


@pytest.mark.parametrize("op", [op for op in all_ops() if op.is_higher_order], ids=lambda op: op.name)
def test_the_inputs_of_graphs_inside_are_operands(op):
    node = record(op, tuple([as_node(array) for array in op.cases[0].arrays(op)]), op.bind(op.cases[0].params))
    for body in bodies_of(node):
        assert node.param(body.name) is body.graph
        assert body.first + len(body.graph.inputs) == len(node.inputs)
        for number, (own, operand) in enumerate(zip(body.graph.inputs, node.inputs[body.first :], strict=True)):
            is_row = body.carries <= number < body.carries + body.sequences
            assert own.shape == (operand.shape[1:] if is_row else operand.shape)
    assert {name for name, value in node.keywords().items() if isinstance(value, Graph)} == set(op.bodies)


def test_the_number_of_classes_is_a_size():
    logits, labels = st.symbol("logits", (None, None)), st.symbol("labels", (None,), dtype="int64")
    loss = st.function([logits, labels], st.nn.losses.cross_entropy(logits, labels))
    assert "Python" not in str(st.explain(loss, np.ones((4, 3), "float32"), [0, 2, 1, 0]))


def test_a_carried_size_that_changes_stays_open():
    state = st.symbol("state", (None,))
    grown = st.while_loop(lambda s: s.shape[0] < 9, lambda s: st.concat([s, s]), state)
    made = with_shapes(graph_of([state], grown), [(2,)])
    assert made.outputs[0].shape == (None,)


def test_sizes_inside_of_loops_are_settled():
    last, rows = st.scan(lambda s, r: (st.tanh(s + r), s * 2), st.zeros((x.shape[1],)), x * st.ones((x.shape[0], 1)))
    made = with_shapes(graph_of([x], last, rows), [(5, 3)])
    assert not has_open_sizes(made, is_deep=True)
    assert [node.shape for node in made.outputs] == [(3,), (5, 3)]
