"""Graphs as text and back."""

from __future__ import annotations

import math

import numpy as np
import pytest

import septet.ops  # noqa: F401  (registration)
from septet.base import dtypes
from septet.base.errors import GraphError, NotSupportedError
from septet.graph.context import TRACKED, layer, recording
from septet.graph.graph import Graph
from septet.graph.node import constant, symbol
from septet.graph.op import all_ops, items, ops
from septet.graph.printing import parse, print_graph, to_text
from septet.graph.types import tensor_type
from septet.tensor.trace import Trace
from septet.tensor.variable import Variable
from tests.optimize.random_graphs import random_graph

F = dtypes.float64


def sym(*shape, name="x", dtype=F):
    return symbol(tensor_type(dtype, shape), name)


def round_trip(graph):
    text = to_text(graph)
    found = parse(text.text, constants=text.constants, variables=text.variables)
    assert found == graph
    assert to_text(found).text == text.text
    return text.text


def test_the_text_of_a_small_graph():
    w = Variable(np.ones(3), "w", dtype="float64")
    x = sym(None, 3)
    with Trace():
        scaled = ops.multiply(x, w.node)
        half = constant(np.array(1.5))
        cost = ops.sum(scaled, axis=(0, 1)) + half
        new = w.node - ops.sum(scaled, axis=0)
    graph = Graph([x], [cost], [(w, new)], name="cost")
    assert print_graph(graph) == (
        "graph cost(%0 x: float64[?, 3]) -> (%5) {\n"
        "  %1 = variable @w: float64[3]\n"
        "  %2 = multiply(%0, %1): float64[?, 3]\n"
        "  %3 = constant 1.5: float64[]\n"
        "  %4 = sum(%2, axis=(0, 1), keepdims=False): float64[]\n"
        "  %5 = add(%4, %3): float64[]\n"
        "  %6 = sum(%2, axis=(0,), keepdims=False): float64[3]\n"
        "  %7 = subtract(%1, %6): float64[3]\n"
        "  update @w = %7\n"
        "}\n"
    )
    round_trip(graph)


@pytest.mark.parametrize("seed", range(60))
def test_random_graphs_come_back(seed):
    round_trip(random_graph(seed)[0])


@pytest.mark.parametrize("op", all_ops(), ids=lambda op: op.name)
def test_every_card_comes_back(op):
    if op.has_effect:
        pytest.skip("an effect is recorded in a trace")
    for case in op.cases:
        node = op(*case.arrays(op), **case.params)
        if not node.inputs:
            continue  # it was evaluated at once
        graph = Graph([], list(items(node)) if isinstance(node.type, tuple) else [node])
        text = to_text(graph)
        if "opaque(" in text.text:
            with pytest.raises(NotSupportedError, match="Python object"):
                parse(text.text, constants=text.constants)
        else:
            round_trip(graph)


@pytest.mark.parametrize("dtype", dtypes.ALL, ids=lambda d: d.name)
def test_constants_of_every_dtype_come_back_bit_by_bit(dtype):
    values = np.array([0, 1, 1, 0]).astype(dtype)
    if dtypes.is_float(dtype):
        values = np.array([-0.0, 1 / 3, math.inf, -math.inf]).astype(dtype)
    elif dtypes.is_complex(dtype):
        values = np.array([complex(-0.0, 1 / 3), complex(math.inf, -0.0), 2, 3]).astype(dtype)
    for array in (values, values[:1].reshape(()), values[:0].reshape(0, 2), values.reshape(2, 2)):
        graph = Graph([], [constant(array.copy())])
        text = to_text(graph)
        assert not text.constants
        assert parse(text.text).outputs[0].value.tobytes() == array.tobytes()


def test_large_constants_and_nans_are_references():
    large, nan = np.zeros(100), np.array([math.nan])
    graph = Graph([], [constant(large), constant(nan), constant(large)])
    text = to_text(graph)
    assert [a is b for a, b in zip(text.constants, (large, nan), strict=True)] == [True, True]
    assert "constant @0: float64[100]" in text.text and "constant @1: float64[1]" in text.text
    round_trip(graph)


def test_sub_graphs_are_indented():
    x, c = sym(3), sym(name="c")
    body = Graph([x, c], [ops.multiply(x, c)], name="body")
    a, b = sym(3, name="a"), sym(name="b")
    graph = Graph([a, b], list(items(ops.call(a, b, graph=body))), name="outer")
    text = round_trip(graph)
    assert "  %2 = call(%0, %1, graph=graph body(%0 x: float64[3], %1 c: float64[]) -> (%2) {\n" in text
    assert "\n    %2 = multiply(%0, %1): float64[3]\n  }): (float64[3])\n" in text


def test_names_of_all_sorts():
    w, v = (Variable(np.ones(3), "w", dtype="float64") for _ in range(2))
    n = Variable(np.ones(3), "net/dense 1.weight", dtype="float64")
    x = sym(3, name="an 'odd' name, ünd \u4e2d\n")
    with Trace():
        node = x + w.node + v.node + n.node
    graph = Graph([x], [node], name="my graph")
    text = to_text(graph)
    assert set(text.variables) == {"w", "w_2", "net/dense 1.weight"}
    assert parse(text.text, variables=text.variables) == graph


def test_where_gradients_flow_is_part_of_the_text():
    x = symbol(tensor_type(F, (3,)), "x")
    y = symbol(tensor_type(F, (3,)), "y", is_tracked=False)
    with recording(False):
        cut = ops.exp(x)
    graph = Graph([x, y], [cut + y])
    text = round_trip(graph)
    assert "%1 y: float64[3] untracked" in text and "exp(%0): float64[3] untracked" in text
    assert not parse(text).outputs[0].flags & TRACKED


def test_sources_and_layers_are_comments():
    x = sym(3)
    with layer("net"), layer("head"):
        node = ops.exp(x)
    text = print_graph(Graph([x], [node]), sources=True, layers=True)
    assert "# net/head at test_printing.py:" in text
    assert parse(text) == Graph([x], [node])
    assert "#" not in print_graph(Graph([x], [node]))


def test_effects_are_kept():
    x = sym(3)
    with Trace() as trace:
        node = ops.print_value(x)
    assert "  effect %1\n" in round_trip(trace.graph([x], [node]))


GOOD = "graph(%0 x: float64[3]) -> (%1) {\n  %1 = exp(%0): float64[3]\n}\n"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("exp", "expo", "line 2, column 8: there is no op 'expo'"),
        ("(%0)", "(%7)", "line 2, column 12: expected a node that was made before, got '%7'"),
        ("(%0)", "(%0, %0)", "line 2, column 8: expected 1 inputs of exp, not 2"),
        ("(%0)", "(%0, axis=1)", "line 2, column 16: expected a parameter of exp"),
        ("float64[3]\n", "float64[4]\n", r"line 2, column 17: expected the type float64\[3\]"),
        ("float64[3]\n", "floaty[4]\n", "line 2, column 17: expected a dtype, got 'floaty'"),
        ("float64[3]\n", "float64[-4]\n", "line 2, column 25: expected a size"),
        ("-> (%1)", "-> (%9)", "line 1, column 29: expected a node that is made in this graph"),
        ("}\n", "", "line 3, column 1: expected a node such as %0, 'update', 'effect' or '}', got the end"),
        ("}\n", "} more", "line 3, column 3: expected the end, got 'more'"),
        ("%1 = ", "%0 = ", "line 2, column 3: expected a number that is not taken"),
        ("exp", "&exp", "line 2, column 8: '&' belongs to nothing"),
        ("exp(%0)", "variable @w", "line 2, column 17: variable 'w' was not given; given: none"),
        ("exp(%0)", "constant @0", "line 2, column 17: expected one of the 0 constants given"),
        ("exp(%0)", "constant [1.0, 2.0]", "the 3 elements of"),
        ("exp(%0)", "sum(%0)", "expected the parameters axis, keepdims of sum"),
        ("exp(%0)", "sum(%0, axis=(5,), keepdims=False)", "line 2, column 8: axis 5 is out of range"),
        ("graph", "grape", "line 1, column 1: expected 'graph', got 'grape'"),
    ],
)  # fmt: skip
def test_errors_name_line_and_column(old, new, message):
    parse(GOOD)
    assert old in GOOD
    with pytest.raises(GraphError, match=message):
        parse(GOOD.replace(old, new, 1))
