"""What a mask hides: proofs that succeed, those that must not, and what is then needed."""

from __future__ import annotations

import numpy as np
import pytest

from septet.backends.cpu.regions import is_loop
from septet.graph.node import constant
from septet.graph.op import ops
from septet.ops.shaping import broadcast_to
from septet.optimize.blocks import find, in_blocks, labels_inside
from septet.optimize.hidden import Interval, _product, _quotient, find_hidden, is_fixed, values_of
from septet.optimize.pipeline import optimize
from septet.transform.vjp import vjp
from tests.optimize.support import graph_of, sym
from tests.optimize.test_blocks import B, D, H, attention, product, softmax

T = 300  # so that masks are not small


def operands():
    return [sym(B, H, T, D, name=name, dtype="float32") for name in "qkv"]


def number(value):
    return constant(np.array(value, np.float32))


def band(upper=0):
    return ops.band_part(broadcast_to(constant(np.array(True)), (T, T)), lower=None, upper=upper)


def causal(scores, fill=-1e30, upper=0):
    return ops.where(band(upper), ops.multiply(scores, number(0.25)), number(fill))


def added(scores):
    return ops.add(scores, ops.where(band(), number(0), number(-np.inf)))


def hidden(*roots, known=False):
    """What is hidden in each of the nodes of a graph."""
    graph, _ = in_blocks(optimize(graph_of(*roots)), is_loop)
    found = []
    for node in graph.nodes:
        if node.op.name == "in_blocks":
            body = node.param("body")
            fixed = {s: n for s, n in zip(body.inputs, node.inputs, strict=True) if is_fixed(n)} if known else {}
            values = dict(zip(fixed, values_of(list(fixed.values())), strict=True))
            found.append(find_hidden(body, labels_inside(body.outputs, node.param("labels")), values))
    assert found
    return found


@pytest.mark.parametrize("mask", [causal, added, lambda s: causal(s, -1e4), lambda s: causal(s, -np.inf)])
def test_causal_masks_hide_what_is_above_the_diagonal(mask):
    (found,) = hidden(attention(*operands(), mask))
    np.testing.assert_array_equal(found.mask, np.tril(np.ones((T, T), bool)))
    assert found.columns(0, 10) == 10 and found.columns(290, 300) == 300


def test_a_smaller_bound_where_the_mask_is_written_with_smaller_numbers():
    large, small = (
        hidden(attention(*operands(), causal))[0],
        hidden(attention(*operands(), lambda s: causal(s, -1e4)))[0],
    )
    assert large.bound > small.bound


def test_backward_passes():
    q, k, v = operands()
    y = attention(q, k, v, causal)
    g = sym(B, H, T, D, dtype="float32")
    both = hidden(y, *vjp([y], [ops.multiply(g, y)], [q, k, v]))
    assert len(both) == 2 and all(found is not None for found in both)


def test_masks_of_another_offset():
    (found,) = hidden(attention(*operands(), lambda s: causal(s, upper=7)))
    assert found.columns(0, 10) == 17


def test_a_mask_that_is_data():
    mask = constant(np.tril(np.ones((T, T), bool)))
    roots = attention(*operands(), lambda s: ops.where(mask, s, number(-1e30)))
    assert hidden(roots, known=True)[0] is not None
    assert hidden(roots)[0] is None  # nobody has looked at it


def not_of_zeros(q, k, v):
    """Weights that are not zero behind the mask."""
    weights = softmax(causal(product(q, k, (3, 3))))
    return product(ops.add(weights, number(0.1)), v, (3, 2))


def of_exponentials(q, k, v):
    """Nothing holds the maximum below 0, so that sums could be zero."""
    e = ops.exp(causal(product(q, k, (3, 3))))
    return product(ops.divide(e, ops.sum(e, axis=(3,), keepdims=True)), v, (3, 2))


REFUSED = {
    "no mask": lambda: attention(*operands()),
    "a number that is not small enough": lambda: attention(*operands(), lambda s: causal(s, -20.0)),
    "a number that is not known": lambda: attention(
        *operands(), lambda s: ops.where(band(), s, sym(dtype="float32", name="fill"))
    ),
    "a row that sees nothing": lambda: attention(*operands(), lambda s: causal(s, upper=-1)),
    "the other side": lambda: attention(
        *operands(), lambda s: ops.where(ops.logical_not(band(-1)), s, number(-1e30))
    ),
    "an op without a rule": lambda: attention(*operands(), lambda s: causal(ops.digamma(s))),
    "what could be 0 is divided by": lambda: attention(
        *operands(), lambda s: causal(ops.divide(s, sym(dtype="float32")))
    ),
    "weights that are not 0": lambda: not_of_zeros(*operands()),
    "sums that could be 0": lambda: of_exponentials(*operands()),
}  # fmt: skip


@pytest.mark.parametrize("why", REFUSED)
def test_no_proof(why):
    root = REFUSED[why]()
    assert find(optimize(graph_of(root)), is_loop)
    assert hidden(root) == [None]


def test_arithmetic_of_intervals():
    assert _product(Interval(-2.0, 3.0), Interval(-1.0, 4.0)) == Interval(-8.0, 12.0)
    assert _product(Interval(0.0, 0.0), Interval(-1.0, 4.0)) == Interval(0.0, 0.0)
    assert _product(Interval(0.0, 0.0), Interval(-np.inf, 4.0)) is None
    assert _quotient(Interval(-2.0, 3.0), Interval(0.5, 2.0)) == Interval(-4.0, 6.0)
    assert _quotient(Interval(-2.0, 3.0), Interval(0.0, 2.0)) is None


def test_what_is_fixed():
    assert is_fixed(band()) and not is_fixed(ops.logical_and(band(), sym(T, dtype="bool")))
    (value,) = values_of([band()])
    np.testing.assert_array_equal(value, np.tril(np.ones((T, T), bool)))
