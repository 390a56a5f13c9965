"""Batching of nodes and graphs."""

from __future__ import annotations

import numpy as np
import pytest

import septet as st
from septet.base import dtypes
from septet.base.errors import NotSupportedError
from septet.graph.context import TRACKED
from septet.graph.graph import Graph
from septet.graph.node import Node, constant, symbol
from septet.graph.op import items, ops
from septet.graph.types import tensor_type
from septet.run.programs import make_program
from septet.tensor.tensor import Tensor
from septet.tensor.trace import Trace
from septet.transform.batch import batch_graph, batch_nodes
from septet.transform.transforms import Transforms

VECTOR = tensor_type(dtypes.float64, (3,))


def batch_of(rows: int) -> Node:
    """A batch of vectors."""
    return constant(np.arange(3.0 * rows).reshape(rows, 3))


def test_ranks_are_aligned() -> None:
    """A batched operand of lower rank meets one of higher rank as before."""
    x = symbol(VECTOR)
    matrix = constant(np.arange(6.0).reshape(2, 3))
    (found,), (mark,) = batch_nodes([matrix * x], {x: batch_of(4)})
    assert mark and found.shape == (4, 2, 3)
    np.testing.assert_array_equal(
        Tensor(found).numpy(), np.arange(6.0).reshape(2, 3) * np.arange(12.0).reshape(4, 1, 3)
    )


def test_what_does_not_depend_is_shared() -> None:
    """A node that does not differ within the batch stays the same object."""
    x = symbol(VECTOR)
    other = ops.exp(constant(np.ones(3)))
    (found, same), marks = batch_nodes([x + other, other], {x: batch_of(2)})
    assert marks == [True, False] and same is other and other in found.inputs


def test_sizes_of_an_example_are_shared() -> None:
    """The size of an axis of an example is one number for the whole batch."""
    x = symbol(tensor_type(dtypes.float64, (None,)))
    y = ops.sum(x, axis=None) / ops.cast(ops.size_of(x, axis=0), dtype=dtypes.float64)
    (found,), marks = batch_nodes([y], {x: batch_of(2)})
    assert marks == [True]
    np.testing.assert_allclose(Tensor(found).numpy(), [1.0, 4.0])


def test_several_results() -> None:
    """The results of one op are batches each."""
    x = symbol(tensor_type(dtypes.float64, (2, 2)))
    values, vectors = items(ops.eigh(x))
    many = constant(np.stack([np.diag([1.0, 2.0]), np.diag([5.0, 3.0])]))
    (found, _), marks = batch_nodes([values, vectors], {x: many})
    assert marks == [True, True]
    np.testing.assert_allclose(Tensor(found).numpy(), [[1.0, 2.0], [3.0, 5.0]])


def test_op_without_rule() -> None:
    """The whole report, with the reason that the card gives."""
    x = symbol(VECTOR)
    y = ops.unique(x)
    with pytest.raises(NotSupportedError) as caught:
        batch_nodes([items(y)[0]], {x: batch_of(2)})
    text = str(caught.value)
    assert text.startswith("unique: vmap cannot batch it: each element of a batch")
    assert "float64[3]" in text and "test_batch.py:" in text and "st.map" in text and "[S501]" in text


def test_source_and_cut_paths_are_kept() -> None:
    """Errors and pictures of the batch show the line of the example; `no_grad` still cuts."""
    x = symbol(VECTOR)
    with st.no_grad():
        y = ops.exp(x)
    many = symbol(tensor_type(dtypes.float64, (2, 3)))
    (found,), _ = batch_nodes([y], {x: many})
    assert found.source == y.source
    assert many.flags & TRACKED and not found.flags & TRACKED


def test_graph_of_known_and_unknown_size() -> None:
    """The new inputs have the batch in front; what is not batched keeps its input."""
    x, c = symbol(VECTOR, "x"), symbol(VECTOR, "c")
    graph = Graph([x, c], [x * c, c], name="product")
    for size in (None, 2):
        many, marks = batch_graph(graph, [True, False], size)
        assert many.inputs[0].shape == (size, 3) and many.inputs[1] is c
        assert marks == [True, False]
        found = make_program(many, level="none")([np.ones((2, 3)), np.arange(3.0)])
        np.testing.assert_array_equal(found[0], [[0, 1, 2], [0, 1, 2]])
        np.testing.assert_array_equal(found[1], [0, 1, 2])


def test_effects_of_a_graph_stay(capsys: pytest.CaptureFixture[str]) -> None:
    """What a graph prints for one example, its batch prints once for all; nothing is printed when it is made."""
    x = symbol(VECTOR)
    with Trace() as trace:
        shown = ops.print_value(x, text="{}\n")
        ops.print_value(constant(np.array(7.0)), text="fixed {}\n")
    many, marks = batch_graph(Graph([x], [shown * 2.0], effects=trace.effects), [True], 2)
    assert marks == [True] and len(many.effects) == 2
    assert capsys.readouterr().out == ""
    make_program(many, level="none")([np.ones((2, 3))])
    assert capsys.readouterr().out == "[[1., 1., 1.],\n [1., 1., 1.]]\nfixed 7.0\n"


def test_transforms_know_the_size() -> None:
    """Rules of cards that hold graphs get graphs for a batch of the known size."""
    x = symbol(VECTOR)
    graph, _ = Transforms(5).vmap(Graph([x], [x * 2.0]), [True])
    assert graph.inputs[0].shape == (5, 3) and graph.outputs[0].shape == (5, 3)
