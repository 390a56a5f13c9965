"""Resolutions: what nodes of one kind have in common."""

from __future__ import annotations

import numpy as np

import septet as st


def test_nodes_of_one_kind_share_it() -> None:
    x, y = st.symbol("x", (2, 3)), st.symbol("y", (2, 3))
    a, b = (x + y).node, (y + x).node
    assert a.resolution is b.resolution
    assert a.resolution.op is a.op and a.resolution.type is a.type
    assert (x + st.ones(3)).node.resolution is not a.resolution
    assert st.sum(x, axis=0).node.resolution is not st.sum(x, axis=1).node.resolution


def test_operands_are_after_conversion() -> None:
    x = st.symbol("x", (2, 3))
    node = (x + st.asarray(np.ones((2, 3), np.int32))).node
    assert [t.dtype.name for t in node.resolution.operands] == [t.dtype.name for t in (i.type for i in node.inputs)]


def test_leaves_and_settled_nodes_have_none() -> None:
    x = st.ones((2, 3)) + 1.0
    x.numpy()
    assert x.node.resolution is None and st.symbol("x", (3,)).node.resolution is None
