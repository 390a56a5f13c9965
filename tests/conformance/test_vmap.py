"""Batching against a loop: all float inputs batched, and each of them alone."""

from __future__ import annotations

import numpy as np
import pytest

from septet.base import dtypes
from septet.graph.node import Node, symbol
from septet.graph.op import Case, Op
from septet.transform.batch import batch_nodes
from tests.conformance.support import CASES, case_id, leaf, outputs_of, value

SIZE = 3
PAIRS = [(op, case) for op, case in CASES if (op.batch is not None or op.kind == "elementwise") and not op.has_effect]


@pytest.mark.parametrize("pair", PAIRS, ids=case_id)
def test_vmap_agrees_with_a_loop(pair: tuple[Op, Case]) -> None:
    """The batched graph gives, example by example, what the graph gives."""
    op, case = pair
    draws = [case.arrays(op, dtypes.float64, seed) for seed in range(SIZE)]
    floats = [
        i for i, a in enumerate(draws[0]) if np.asarray(a).dtype == np.float64 and isinstance(case.args[i], tuple)
    ]
    subsets = [floats] if len(floats) < 2 else [floats, *[[i] for i in floats]]
    for chosen in subsets:
        if not chosen:
            continue
        nodes: list[Node] = [leaf(a) for a in draws[0]]
        for i in chosen:  # a symbol, so that nothing is computed before it is batched
            nodes[i] = symbol(nodes[i].tensor_type)
        mapping = {nodes[i]: leaf(np.stack([draw[i] for draw in draws])) for i in chosen}
        outputs, marks = batch_nodes(outputs_of(op(*nodes, **case.params)), mapping)
        for number, draw in enumerate(draws):
            mixed = [draw[i] if i in chosen else a for i, a in enumerate(draws[0])]
            expected = outputs_of(op(*[leaf(a) for a in mixed], **case.params))
            for output, is_batched, want in zip(outputs, marks, expected, strict=True):
                found = value(output)[number] if is_batched else value(output)
                assert found.dtype == value(want).dtype
                np.testing.assert_allclose(found, value(want), rtol=1e-9, atol=1e-9)
