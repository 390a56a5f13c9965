"""What is known about values must hold for all of them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from septet.base import dtypes
from septet.graph.node import constant
from septet.graph.op import as_node, ops
from septet.ops.shaping import broadcast_to
from septet.optimize.facts import (
    holds_exactly,
    is_finite_and_not_negative,
    is_minus_zero,
    is_never_minus_zero,
    is_positive,
    is_shifted,
)
from tests.optimize.random_graphs import random_graph
from tests.optimize.support import sym


def test_the_table_of_exact_conversions():
    for wide, narrow in itertools.product(dtypes.ALL, repeat=2):
        if not holds_exactly(wide, narrow):
            continue
        values = extremes(narrow)
        with np.errstate(all="ignore"):
            back = (
                values.astype(wide).astype(narrow)
                if not dtypes.is_complex(wide) or dtypes.is_complex(narrow)
                else (values.astype(wide).real.astype(narrow))
            )
        assert back.tobytes() == values.tobytes(), (wide, narrow)
    assert holds_exactly(dtypes.float32, dtypes.float16) and holds_exactly(dtypes.float32, dtypes.int16)
    assert not holds_exactly(dtypes.float32, dtypes.int32) and not holds_exactly(dtypes.float16, dtypes.bfloat16)
    assert not holds_exactly(dtypes.int64, dtypes.uint64) and not holds_exactly(dtypes.float16, dtypes.int16)


def extremes(dtype):
    if dtype == dtypes.bool_:
        return np.array([True, False])
    if dtypes.is_integer(dtype):
        info = np.iinfo(dtype)
        return np.array([info.min, info.max, info.max - 1, 1, 0], dtype)
    values = np.array([0.0, -0.0, 1 / 3, np.inf, 1.0, -1e-3])
    return values.astype(dtype)


@pytest.mark.parametrize("first", range(0, 1200, 400))
def test_the_facts_hold_on_random_graphs(first):
    """Every node of random graphs, whatever the inputs."""
    from septet.backends.reference.program import ReferenceProgram
    from septet.graph.graph import Graph

    known = {is_positive: 0, is_never_minus_zero: 0, is_finite_and_not_negative: 0}
    for seed in range(first, first + 400):
        graph, arrays = random_graph(seed)
        nodes = [node for node in graph.nodes if node.op.name not in ("symbol", "constant")]
        values = ReferenceProgram(Graph(graph.inputs, nodes))(arrays)
        for node, value in zip(nodes, values, strict=True):
            if value.dtype.kind != "f":
                continue
            if is_positive(node):
                known[is_positive] += 1
                assert ((value >= 0) | np.isnan(value)).all(), (seed, node)
            if is_never_minus_zero(node):
                known[is_never_minus_zero] += 1
                assert not ((value == 0) & np.signbit(value)).any(), (seed, node)
            if is_finite_and_not_negative(node):
                known[is_finite_and_not_negative] += 1
                assert (np.isfinite(value) & ~np.signbit(value)).all(), (seed, node)
    assert known[is_positive] > 20 and known[is_never_minus_zero] > 20


def test_positive():
    x = sym(3)
    for node in (ops.exp(x), ops.sum(ops.exp(x)), 1 - ops.sigmoid(x), ops.exp(x) / ops.sum(ops.exp(x)), as_node(2.0)):
        assert is_positive(node)
    for node in (x, ops.square(x), ops.abs(x), ops.exp(x) - 1, 2 - ops.sigmoid(x), as_node(0.0), sym(3, dtype="int8")):
        assert not is_positive(node)


def test_minus_zero():
    assert is_minus_zero(np.float32(-0.0)) and not is_minus_zero(0.0) and not is_minus_zero(np.int64(0))
    x = sym(3)
    assert is_never_minus_zero(ops.square(x)) and is_never_minus_zero(sym(3, dtype="int32"))
    assert is_never_minus_zero(broadcast_to(as_node(0.0), (3,)))
    assert not is_never_minus_zero(x) and not is_never_minus_zero(constant(np.array(-0.0)))
    whole = x + as_node(0.0)
    assert is_never_minus_zero(ops.concatenate(whole, ops.square(x), axis=0))
    assert not is_never_minus_zero(ops.concatenate(whole, x, axis=0))
    assert is_never_minus_zero(ops.update_slice(whole, ops.square(sym(1)), slices=((0, 1, 1),)))
    assert not is_never_minus_zero(ops.update_slice(x, ops.square(sym(1)), slices=((0, 1, 1),)))


def test_shifted():
    x, y = sym(3), sym(3, name="y")
    top = ops.max(x, axis=0, keepdims=True)
    assert is_shifted(x - top) and is_shifted(x - ops.where(ops.isfinite(top), top, 0.0)) and is_shifted(x - ops.max(x))
    assert not is_shifted(x - ops.max(y)) and not is_shifted(x - y) and not is_shifted(x + top)
