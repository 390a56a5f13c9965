"""Batching against a loop: all float inputs batched, each of them alone, and a batch of unknown size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from septet.base import dtypes
from septet.base.errors import SeptetError
from septet.graph.graph import Graph
from septet.graph.node import Node, symbol
from septet.graph.op import Case, Op
from septet.graph.types import tensor_type
from septet.run.programs import make_program
from septet.transform.batch import batch_nodes
from tests.conformance.support import CASES, case_id, floats_of, leaf, outputs_of, value

SIZE = 3
PAIRS = [
    (op, case)
    for op, case in CASES
    if (op.batch is not None or op.kind == "elementwise") and not op.has_effect and floats_of(op, case)
]


class Batches:
    """A case drawn several times, and the results of each."""

    def __init__(self, op: Op, case: Case, chosen: list[int]) -> None:
        self.op, self.case, self.chosen = op, case, chosen
        draws = [case.arrays(op, dtypes.float64, seed) for seed in range(SIZE)]
        self.rows = [[row[i] if i in chosen else a for i, a in enumerate(draws[0])] for row in draws]
        self.expected = [
            [value(y) for y in outputs_of(op(*[leaf(a) for a in row], **case.params))] for row in self.rows
        ]

    def symbols(self) -> tuple[list[Node], list[Node]]:
        """The arguments, those that are batched as symbols of one example; and the results."""
        nodes = [leaf(a) for a in self.rows[0]]
        for i in self.chosen:
            nodes[i] = symbol(nodes[i].tensor_type)
        return nodes, outputs_of(self.op(*nodes, **self.case.params))

    def stack(self, position: int) -> np.ndarray:
        """The batch of one argument."""
        return np.stack([row[position] for row in self.rows])

    def check(self, found: list[Any], marks: list[bool]) -> None:
        """Compare the batches of results with the results of the examples."""
        for index, (batch, mark) in enumerate(zip(found, marks, strict=True)):
            for number, row in enumerate(self.expected):
                own = batch[number] if mark else batch
                assert own.dtype == row[index].dtype
                np.testing.assert_allclose(own, row[index], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("pair", PAIRS, ids=case_id)
def test_vmap_agrees_with_a_loop(pair: tuple[Op, Case]) -> None:
    """The batched graph gives, example by example, what the graph gives."""
    floats = floats_of(*pair)
    for chosen in [floats] if len(floats) < 2 else [floats, *[[i] for i in floats][:3]]:
        batches = Batches(*pair, chosen)
        nodes, outputs = batches.symbols()
        found, marks = batch_nodes(outputs, {nodes[i]: leaf(batches.stack(i)) for i in chosen})
        for node, mark, output in zip(found, marks, outputs, strict=True):
            assert node.ndim == output.ndim + mark
        batches.check([value(node) for node in found], marks)


NEEDS_KNOWN_SIZE = {
    "conv": "the batch of kernels becomes groups, whose number is a parameter",
    "conv_input": "the batch of kernels becomes groups, whose number is a parameter",
    "conv_kernel": "the batch of kernels becomes groups, whose number is a parameter",
    "bincount": "the batch becomes a range of numbers to count, whose length is a parameter",
}


@pytest.mark.parametrize("pair", PAIRS, ids=case_id)
def test_batch_of_unknown_size(pair: tuple[Op, Case]) -> None:
    """The size of the batch may come with the data; an op that cannot do with that says so."""
    op, case = pair
    floats = floats_of(op, case)
    if op.name == "scan" and (0,) in case.args:
        pytest.skip("no step was made, so nothing tells the unknown size of the results")
    if op.name in NEEDS_KNOWN_SIZE:
        nodes, outputs = Batches(op, case, floats).symbols()
        inputs = [symbol(tensor_type(nodes[i].dtype, (None, *nodes[i].shape))) for i in floats]
        with pytest.raises(SeptetError, match=r"batch of (un)?known size"):
            batch_nodes(outputs, {nodes[i]: x for i, x in zip(floats, inputs, strict=True)})
        return
    batches = Batches(*pair, floats)
    nodes, outputs = batches.symbols()
    inputs = [symbol(tensor_type(nodes[i].dtype, (None, *nodes[i].shape))) for i in floats]
    found, marks = batch_nodes(outputs, {nodes[i]: x for i, x in zip(floats, inputs, strict=True)})
    program = make_program(Graph(inputs, found), level="none")
    batches.check(program([batches.stack(i) for i in floats]), marks)
