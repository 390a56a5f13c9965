"""The spec of graphs: legal ones pass, and each rule has a graph that breaks it."""

from __future__ import annotations

import numpy as np
import pytest

import septet.ops  # noqa: F401  (registration)
from septet.base import dtypes
from septet.base.errors import GraphError
from septet.graph.assemble import assemble
from septet.graph.graph import Graph
from septet.graph.node import CONSTANT, constant, make_node, symbol
from septet.graph.op import ITEM, item, items, ops, record
from septet.graph.types import tensor_type
from septet.graph.verify import verify
from septet.tensor.variable import Variable

F = dtypes.float64


def sym(*shape, name="x", dtype=F):
    return symbol(tensor_type(dtype, shape), name)


def broken(node, match, *, inputs=None, stage="recorded"):
    found = inputs if inputs is not None else []
    with pytest.raises(GraphError, match=match) as caught:
        verify(Graph(found, [node]), stage)
    return str(caught.value)


def test_a_recorded_graph_is_legal_at_every_stage():
    x = sym(None, 3)
    y = ops.sum(ops.exp(x) * 2.0 + 1.0, axis=0)
    graph = Graph([x], [y])
    for stage in ("recorded", "closed", "optimized"):
        verify(graph, stage)


def test_the_type_must_be_what_the_rules_say():
    x = sym(3)
    bad = assemble(ops.exp, (x,), (), tensor_type(F, (4,)), x.flags)
    text = broken(bad, r"the rules of exp say float64\[3\], the node float64\[4\]", inputs=[x])
    assert "made at" in text


def test_the_message_names_the_place_and_the_pass():
    x = sym(3)
    good = ops.exp(x)
    bad = assemble(good.op, (x,), (), tensor_type(dtypes.float32, (3,)), x.flags, good.source, ("net", "layer"))
    with pytest.raises(GraphError, match="after the pass nonsense") as caught:
        verify(Graph([x], [bad]), after="the pass nonsense")
    assert "test_verify.py" in str(caught.value) and "net/layer" in str(caught.value)


def test_inputs_come_before_users():
    x = sym(3)
    y = ops.exp(x)
    late = sym(3, name="late")
    y.inputs = (late,)
    broken(y, "made after its user", inputs=[late])


def test_parameters_are_canonical():
    x = sym(3, 4)
    good = ops.sum(x, axis=1)
    bad = assemble(good.op, (x,), (-1, False), good.type, x.flags)
    broken(bad, "are not canonical", inputs=[x])


def test_parameters_are_hashable():
    x = sym(3, 4)
    good = ops.sum(x, axis=1)
    bad = ops.sum(x, axis=1)
    bad.params = ([1], False)
    assert good.params == ((1,), False)
    broken(bad, "not hashable", inputs=[x])


def test_inputs_need_no_conversion():
    x, n = sym(3), sym(3, name="n", dtype=dtypes.int32)
    good = ops.add(x, x)
    broken(assemble(good.op, (x, n), (), good.type, x.flags), "convert its inputs", inputs=[x, n])


def test_the_number_of_inputs_and_parameters():
    x = sym(3)
    good = ops.add(x, x)
    broken(assemble(good.op, (x,), (), good.type, x.flags), "takes 2 inputs, the node has 1", inputs=[x])
    broken(assemble(good.op, (x, x), (1,), good.type, x.flags), "has the parameters", inputs=[x])


def test_an_op_must_be_the_registered_one():
    x = sym(3)
    good = ops.exp(x)

    class Fake(type(good.op)):
        def __init__(self, like):
            self.__dict__.update(like.__dict__)

    broken(assemble(Fake(good.op), (x,), (), good.type, x.flags), "not the registered exp", inputs=[x])


def test_items_are_in_range_and_of_the_right_type():
    x, c = sym(3), sym(name="c")
    graph = Graph([x, c], [ops.multiply(x, c), c])
    results = record(ops.call, (x, c), (graph,))
    assert [node.shape for node in items(results)] == [(3,), ()]
    beyond = make_node(ITEM, (results,), (2,), tensor_type(F, ()), 0, results.flags, None, None)
    broken(beyond, "item 2 of 2 results", inputs=[x, c])
    wrong = item(results, 0)
    wrong.type = tensor_type(F, (5,))
    broken(wrong, "item 0 has type", inputs=[x, c])
    broken(results, "an output has several results", inputs=[x, c])
    broken(
        assemble(ops.exp, (results,), (), tensor_type(F, (3,)), results.flags), "select one with item", inputs=[x, c]
    )


def test_leaves_are_legal():
    bad = make_node(CONSTANT, (), (), tensor_type(F, (2,)), 0, 0, np.zeros(3), None)
    broken(bad, "holds float64")
    broken(make_node(CONSTANT, (), (), tensor_type(F, ()), 0, 0, 1.0, None), "not an array")
    x = sym(3)
    x.value = np.zeros(3)
    broken(ops.exp(x), "a symbol has inputs or a value", inputs=[x])
    y = sym(3)
    y.flags = 0
    broken(ops.exp(y), "not marked as symbolic", inputs=[y])


def test_what_depends_on_a_symbol_is_marked():
    x = sym(3)
    bad = ops.exp(x)
    bad.flags = 0
    broken(bad, "depends on a symbol", inputs=[x])


def test_types_are_of_the_table():
    x = sym(3)
    bad = ops.exp(x)
    bad.type = type(bad.type)(np.dtype("U3"), (3,))
    broken(bad, "is not one that tensors have", inputs=[x])
    worse = ops.sin(x)
    worse.type = type(bad.type)(F, (-3,))
    broken(worse, "a size that is none", inputs=[x])


def test_known_values_fit():
    x = constant(np.zeros(3))
    y = ops.exp(x)
    y.value = np.zeros(4)
    broken(y, "the known value is")


def test_free_symbols_are_for_recorded_graphs_only():
    x = sym(3)
    graph = Graph([], [ops.exp(x)])
    verify(graph)
    broken(graph.outputs[0], "not among the inputs", stage="closed")


def test_nothing_is_computed_twice_in_an_optimized_graph():
    x = sym(3)
    node = ops.exp(x) + ops.exp(x)
    verify(Graph([x], [node]), "closed")
    broken(node, "computed twice", inputs=[x], stage="optimized")


def test_updates_have_their_variables_type():
    w = Variable(np.zeros(3), "w", dtype="float64")
    verify(Graph([], [], [(w, constant(np.ones(3)))]))
    with pytest.raises(GraphError, match="the update of variable 'w'"):
        verify(Graph([], [], [(w, constant(np.ones(4)))]))


def test_sub_graphs_are_verified_too():
    x = sym(3)
    inner = sym(3, name="inner")
    free = sym(3, name="free")
    w = Variable(np.zeros(3), "w", dtype="float64")
    for output, match in (
        (inner + free, "not among the inputs"),
        (inner + w.new_leaf((), None, 2), "reads a variable"),
    ):
        results = record(ops.call, (x,), (Graph([inner], [output], name="part"),))
        text = broken(item(results, 0), match, inputs=[x])
        assert "call part" in text


def test_an_unknown_stage_is_refused():
    with pytest.raises(GraphError, match="there is no stage"):
        verify(Graph([], []), "polished")
