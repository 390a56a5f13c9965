"""Closing what was recorded into a graph and its operands."""

from __future__ import annotations

import numpy as np
import pytest

import septet as st
from septet.base import dtypes
from septet.base.errors import GraphError
from septet.graph.node import constant, symbol
from septet.graph.op import items, ops
from septet.graph.types import tensor_type
from septet.run import eager
from septet.run.programs import make_program
from septet.transform.closing import close

VECTOR = tensor_type(dtypes.float64, (3,))


def test_operands_are_what_comes_from_outside() -> None:
    """Nodes from before, variables and large constants; small constants made inside stay inside."""
    before = ops.exp(constant(np.ones(3)))
    w = st.Variable(np.full(3, 2.0))
    x = symbol(VECTOR)
    large = constant(np.zeros((100, 3)))
    y = ops.sum(x * before + w.node * constant(np.arange(3.0)) + 1.0 + large, axis=0)
    graph, operands = close([y], [x], x.serial, "test")
    assert operands == [before, w.node, large] or set(operands) == {before, w.node, large}
    assert len(graph.inputs) == 4 and not graph.variables() and not graph.free_symbols()
    eager.evaluate(before)
    found = make_program(graph, level="none")([np.ones(3), *[node.value for node in operands]])
    np.testing.assert_allclose(found[0], 100 * (np.exp(1) + 2 * np.arange(3.0) + 1))


def test_results_of_an_op_from_before() -> None:
    """Selecting from an op that was recorded before is not done inside."""
    values = ops.eigh(constant(np.eye(3)))
    x = symbol(VECTOR)
    chosen = items(values)[0]
    graph, operands = close([x * chosen], [x], x.serial, "test")
    assert operands == [chosen] and [node.op.name for node in graph] == ["symbol", "symbol", "multiply"]


def test_an_output_may_be_an_argument_or_an_operand() -> None:
    """Nothing has to be computed."""
    x, before = symbol(VECTOR), constant(np.ones((30, 3)))
    graph, operands = close([x, before, x], [x], x.serial, "test")
    assert operands == [before]
    assert graph.outputs == (graph.inputs[0], graph.inputs[1], graph.inputs[0])


def test_a_foreign_symbol() -> None:
    """A symbol that is neither an argument nor from before belongs to a transform that is over."""
    x = symbol(VECTOR)
    other = symbol(VECTOR, "other")
    with pytest.raises(GraphError, match="belongs to a transform that is over"):
        close([x + other], [x], x.serial, "test")
