"""Pulls: gradient rules that are asked once for each kind of node."""

from __future__ import annotations

import numpy as np
import pytest

import septet as st
from septet.transform.pull import MOST, offset, pull_of


def tracked(*shape: int) -> st.Tensor:
    return st.Variable(np.ones(shape, np.float32), "x") * 1.0


def test_nodes_of_one_kind_share_a_pull() -> None:
    x, y = tracked(2, 3), tracked(2, 3)
    assert pull_of((x * y).node) is pull_of((y * x).node)
    assert pull_of((x * y).node) is not pull_of((x * st.ones((2, 3))).node)  # only one input receives a cotangent
    assert pull_of((x * y).node) is not pull_of((tracked(3) * tracked(3)).node)


def test_what_a_pull_says() -> None:
    x, y = tracked(2, 3), tracked(3)
    add = pull_of((x + y).node)
    assert add.gives == (0, 1) and add.passes == (0,) and add.takes == (0,)  # the bias takes a sum
    tanh = pull_of(st.tanh(x).node)
    assert tanh.gives == (0,) and tanh.passes == () and tanh.takes == (0, 1)  # from the result
    product = pull_of((x * y).node)
    assert product.takes == (0, 2, 3) and product.is_whole


def test_its_graph_is_the_rule() -> None:
    x = tracked(2, 3)
    own = pull_of(st.tanh(x).node)
    g, y = st.full((2, 3), 2.0), st.full((2, 3), 0.5)
    (found,) = own.write([g.node, y.node], None)
    np.testing.assert_allclose(st.Tensor(found).numpy(), np.full((2, 3), 2.0 * 0.75))


def test_numbers_that_rules_read_tell_pulls_apart_and_are_bounded() -> None:
    x = tracked(3)
    assert pull_of((x**2.0).node) is not pull_of((x**3.0).node)
    assert pull_of((x**2.0).node) is pull_of((x**2.0).node)
    for number in range(3 * MOST):
        pull_of((x ** (0.01 * number + 5)).node)
    assert len((x**2.0).node.resolution.pulls) <= MOST


def test_no_pull_where_the_rule_must_be_asked_each_time() -> None:
    x = tracked(3)
    body = st.scan(lambda total, part: (total + part, total), st.zeros(()), x)[0].node
    assert pull_of(body.inputs[0] if body.op.name == "item" else body) is None  # it holds graphs
    assert pull_of((x > 0).node) is None  # no gradient at all
    assert pull_of(x.node.inputs[0]) is None  # a leaf


KEYS = [
    (slice(2, 3),), (slice(1, 4),), (slice(0, 5), slice(0, 6)), (slice(3, 4), slice(2, 5)), (slice(1, 3), slice(2, 5)),
    (slice(4, 5), slice(1, 2), slice(1, 3)), (slice(0, 5), slice(2, 3)), (slice(0, 4, 2),), (slice(2, 2),),
]  # fmt: skip


@pytest.mark.parametrize("key", KEYS)
def test_where_a_slice_begins_in_memory(key: tuple[slice, ...]) -> None:
    x = np.arange(5 * 6 * 4, dtype=np.float32).reshape(5, 6, 4)
    part = x[key]
    is_whole = part.size > 0 and part.flags.c_contiguous
    found = offset(st.symbol("x", (5, 6, 4))[key].node.resolution)
    assert found == ((part.ctypes.data - x.ctypes.data) if is_whole else None)


def test_other_shapes_begin_where_the_input_does() -> None:
    x = st.symbol("x", (4, 6))
    assert offset(st.reshape(x, (3, 8)).node.resolution) == 0
    assert offset(st.tanh(x).node.resolution) is None
    assert offset(x.T.node.resolution) is None


def test_cotangents_that_are_parts_of_another() -> None:
    x, y = tracked(1, 3), tracked(1, 5)
    assert pull_of(st.concatenate((x, y), axis=1).node).views == (0, 12)
    assert pull_of(st.concatenate((tracked(2, 3), tracked(2, 5)), axis=1).node).views is None
    assert pull_of(st.concatenate((tracked(2, 3), tracked(4, 3))).node).views == (0, 24)
    assert pull_of(tracked(5, 3)[2:3].node).region == 24
    assert pull_of(tracked(5, 3)[:, 2:3].node).region is None
