"""Patterns, rules and the driver."""

from __future__ import annotations

import gc
import time

import numpy as np
import pytest

import septet.ops  # noqa: F401  (registration)
from septet.base import dtypes
from septet.base.config import config
from septet.base.errors import GraphError
from septet.graph.assemble import assemble
from septet.graph.context import context
from septet.graph.graph import Graph
from septet.graph.node import constant, symbol
from septet.graph.op import as_node, ops
from septet.graph.rewrite import SAME, C, P, Rule, RuleSet, fill_value, match, rewrite
from septet.graph.types import tensor_type
from septet.ops.shaping import broadcast_to
from septet.tensor.trace import Trace

F = dtypes.float64


def sym(*shape, name="x", dtype=F):
    return symbol(tensor_type(dtype, shape), name)


def fires(pattern, node):
    return any(match(variant, node) is not None for variant in pattern.variants())


def test_strings_bind_and_repeat():
    x, y = sym(3), sym(3, name="y")
    assert match(P("subtract", "a", "b"), ops.subtract(x, y)) == {"root": ANY, "a": x, "b": y}
    assert fires(P("subtract", "a", "a"), ops.subtract(x, x))
    assert not fires(P("subtract", "a", "a"), ops.subtract(x, y))


class _Any:
    def __eq__(self, other):
        return True

    __hash__ = None


ANY = _Any()


def test_commutative_ops_match_in_both_orders_everywhere():
    x, y = sym(3), sym(3, name="y")
    pattern = P("multiply", P("add", P("exp", "a"), "b"), P("log", "c"))
    for node in (
        ops.multiply(ops.add(ops.exp(x), y), ops.log(x)),
        ops.multiply(ops.log(x), ops.add(ops.exp(x), y)),
        ops.multiply(ops.log(x), ops.add(y, ops.exp(x))),
    ):
        assert fires(pattern, node)
    assert len(pattern.variants()) == 4
    assert not fires(P("subtract", 1, "a"), ops.subtract(x, 1.0))


def test_ops_of_a_kind_are_asked_for_when_they_are_met():
    asked = []

    def is_unary(op):
        asked.append(op.name)
        return len(op.input_names) == 1

    x = sym(3)
    rule = Rule("{op}_again", P(is_unary, P(SAME, "x")), lambda m: m.x, "for this test")
    rules = RuleSet([rule])
    outcome = rewrite(Graph([x], [ops.exp(ops.exp(x)), ops.exp(ops.tanh(x))]), rules)
    assert outcome.fired == {"exp_again": 1} and outcome.graph.outputs[0] is x
    assert [node.op.name for node in outcome.graph.outputs[1].inputs] == ["tanh"]
    assert sorted(asked) == ["exp", "tanh"]
    assert repr(rule.pattern) == "is_unary(=('x'))" and rule.pattern.begins_with("sin")
    assert not rule.pattern.begins_with("add")


def test_numbers_match_constants_filled_with_them():
    x = sym(2, 3)
    assert fires(P("add", "a", 1), x + 1.0)
    assert fires(P("add", "a", 1), x + constant(np.ones((2, 3))))
    assert fires(P("add", "a", 1), x + broadcast_to(as_node(1.0, F), (2, 3)))
    assert not fires(P("add", "a", 1), x + constant(np.array([1.0, 1.0, 2.0])))
    assert not fires(P("add", "a", 1), x + sym(3, name="y"))
    assert fill_value(constant(np.zeros((0, 3)))) is None


def test_several_ops_any_op_any_constant_and_names():
    x = sym(3)
    assert fires(P(("exp", "log"), "a"), ops.log(x)) and not fires(P(("exp", "log"), "a"), ops.sin(x))
    assert fires(P("*"), ops.sin(x))
    found = match(P("add", P("exp", as_="e"), C("c")), ops.exp(x) + 2.0)
    assert found is not None and found.e.op.name == "exp" and found.c.value == 2.0
    with pytest.raises(AttributeError):
        found.nothing


def test_rules_come_to_a_fixed_point_from_below():
    x = sym(3)
    node = x
    for _ in range(10):
        node = ops.negative(ops.negative(node))
    rule = Rule("twice", P("negative", P("negative", "x")), lambda m: m.x, "")
    outcome = rewrite(Graph([x], [node]), [rule])
    assert outcome.graph.outputs == (x,) and outcome.fired == {"twice": 1} and outcome.is_complete


def test_what_a_rule_builds_is_rewritten_too():
    x = sym(3)
    rules = [
        Rule("square", P("power", "x", 2), lambda m: ops.multiply(ops.negative(m.x), ops.negative(m.x)), ""),
        Rule("signs", P("multiply", P("negative", "x"), P("negative", "y")), lambda m: ops.multiply(m.x, m.y), ""),
    ]
    outcome = rewrite(Graph([x], [x**2]), rules)
    (node,) = outcome.graph.outputs
    assert node.op.name == "multiply" and node.inputs == (x, x)


def test_the_order_of_rules_is_their_priority_and_conditions_count():
    x = sym(3)
    first = Rule("first", P("exp", "x"), lambda m: ops.sin(m.x), "", lambda m: m.x.ndim == 2)
    second = Rule("second", P("exp", "x"), lambda m: ops.cos(m.x), "")
    assert rewrite(Graph([x], [ops.exp(x)]), [first, second]).graph.outputs[0].op.name == "cos"
    assert rewrite(Graph([x], [ops.exp(x)]), [second, first]).fired == {"second": 1}
    y = sym(3, 4)
    assert rewrite(Graph([y], [ops.exp(y)]), [first, second]).graph.outputs[0].op.name == "sin"


def test_a_graph_that_no_rule_touches_is_returned_as_it_is():
    x = sym(3)
    graph = Graph([x], [ops.exp(x)])
    assert rewrite(graph, [Rule("no", P("sin", "x"), lambda m: m.x, "")]).graph is graph


def test_equal_nodes_become_one():
    x, y = sym(3), sym(3, name="y")
    graph = Graph([x, y], [ops.exp(x + y), ops.exp(x + y), ops.exp(y + x), ops.exp(x - y), ops.exp(y - x)])
    a, b, c, d, e = rewrite(graph, []).graph.outputs
    assert a is b is c and len({a, d, e}) == 3


def test_constants_are_merged_bit_by_bit():
    x = sym(3)
    values = [np.array([0.0, 1.0, 2.0]), np.array([-0.0, 1.0, 2.0]), np.array([0.0, 1.0, 2.0])]
    graph = Graph([x], [x + constant(value) for value in values])
    a, b, c = rewrite(graph, []).graph.outputs
    assert a is c and a is not b


def test_parameters_are_compared_exactly():
    x = sym(3)
    card = ops.pad(x, widths=((1, 1),)).op
    padded = [assemble(card, (x,), (((1, 1),), value), tensor_type(F, (5,)), x.flags) for value in (0.0, -0.0, 0)]
    assert len(set(rewrite(Graph([x], padded), []).graph.outputs)) == 3


def test_a_replacement_of_another_type_is_refused():
    x = sym(3)
    rule = Rule("wrong", P("exp", "x"), lambda m: ops.sum(m.x), "")
    with pytest.raises(GraphError, match="the rule wrong replaces"):
        rewrite(Graph([x], [ops.exp(x)]), [rule])


def test_rules_without_end_stop_at_the_budget():
    x = sym(3)
    rules = [
        Rule("there", P("sin", "x"), lambda m: ops.cos(ops.negative(m.x)), ""),
        Rule("back", P("cos", "x"), lambda m: ops.sin(ops.negative(m.x)), ""),
    ]
    graph = Graph([x], [ops.sin(x)])
    with config.override(verify=False):
        assert not rewrite(graph, rules).is_complete
    with config.override(verify=True), pytest.raises(GraphError, match="does not come to an end"):
        rewrite(graph, rules)


def test_two_rules_of_one_name_are_refused():
    rule = Rule("same", P("exp", "x"), lambda m: m.x, "")
    with pytest.raises(ValueError, match="same"):
        RuleSet([rule, rule])


def test_replacements_keep_the_source_and_the_layer():
    from septet.graph.context import layer

    x = sym(3)
    with layer("head"):
        node = ops.exp(x)
    rule = Rule("expand", P("exp", "x"), lambda m: ops.multiply(ops.sin(m.x), 2.0), "")
    (found,) = rewrite(Graph([x], [node]), [rule]).graph.outputs
    for made in (found, found.inputs[0]):
        assert made.source == node.source and made.layers == ("head",)


def test_effects_happen_once_each_and_in_order(capsys):
    x = sym()
    with Trace() as trace:
        first = ops.print_value(ops.negative(ops.negative(x)), text="first {}\n")
        ops.print_value(x, text="second {}\n")
        ops.print_value(x, text="second {}\n")
    graph = trace.graph([x], [first])
    rule = Rule("twice", P("negative", P("negative", "x")), lambda m: m.x, "")
    changed = rewrite(graph, [rule]).graph
    assert capsys.readouterr().out == "" and len(changed.effects) == 3
    from septet.backends.reference.program import ReferenceProgram

    ReferenceProgram(changed)([np.array(1.0)])
    assert capsys.readouterr().out == "first 1.0\nsecond 1.0\nsecond 1.0\n"


def test_rewriting_leaves_the_user_s_recording_alone():
    x = sym(3)
    before = context.limit, context.trace, context.layers, context.mask
    with Trace() as trace:
        rewrite(Graph([x], [ops.exp(x)]), [Rule("a", P("exp", "x"), lambda m: ops.sin(m.x), "")])
        assert trace.effects == []
    assert (context.limit, context.trace, context.layers, context.mask) == before


def test_a_deep_chain_needs_no_recursion_and_linear_time():
    rule = Rule("twice", P("negative", P("negative", "x")), lambda m: m.x, "")

    def seconds(length):
        x = sym(3)
        node = x
        for index in range(length):
            node = ops.negative(node) if index % 3 else ops.sin(node)
        graph = Graph([x], [node])
        len(graph)
        start = time.process_time()  # not the clock on the wall: other processes use the cores too
        rewrite(graph, [rule])
        return time.process_time() - start

    gc.collect()
    gc.freeze()  # the collector looks at the nodes of these graphs, not at all that the tests before have left
    try:
        seconds(1000)
        small, large = min(seconds(4000) for _ in range(3)), min(seconds(64000) for _ in range(2))
    finally:
        gc.unfreeze()
    assert large / small < 16 * 2.5
