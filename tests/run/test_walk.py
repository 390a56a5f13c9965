"""Walks over pending nodes: what an evaluation computes, what it keeps, and by what a graph is known again."""

from __future__ import annotations

import numpy as np
import pytest

import septet as st
from septet.graph.node import Node
from septet.run import walk


@pytest.fixture(autouse=True)
def in_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """The definitions; `tests/backends/cpu/test_recorder.py` compares the native forms with them."""
    for name in ("_collect", "_keep_held", "_sign", "_own"):
        monkeypatch.setattr(walk, name, getattr(walk, name))  # to be put back
    walk.use()


def nodes_of(*tensors: st.Tensor) -> tuple[list[Node], dict[Node, int]]:
    return walk.pending([tensor.node for tensor in tensors])


def sign(*tensors: st.Tensor):
    nodes, _ = nodes_of(*tensors)
    return walk.signature(nodes, {tensor.node for tensor in tensors})


def test_pending_nodes_come_inputs_first_with_their_uses() -> None:
    x = st.tensor([1.0, 2.0])
    y = st.exp(x)
    z = y * y
    nodes, uses = nodes_of(z)
    assert nodes == [x.node, y.node, z.node]
    assert [uses[node] for node in nodes] == [1, 2, 0]


def test_what_is_known_ends_the_walk() -> None:
    x = st.tensor([1.0, 2.0])
    y = st.exp(x)
    y.numpy()
    nodes, _ = nodes_of(y + 1.0)
    assert x.node not in nodes and y.node in nodes


def test_what_somebody_holds_is_kept() -> None:
    x = st.tensor([1.0, 2.0])
    held = st.exp(x)
    z = st.sin(held) * 2.0
    nodes, uses = nodes_of(z)
    kept = {z.node}
    walk.keep_held(nodes, uses, kept, True)
    assert kept == {z.node, held.node}


def test_costly_values_of_a_tracked_path_are_kept_for_the_backward_pass() -> None:
    w = st.Variable(np.ones((3, 3), np.float32))
    product = w @ w
    loss = st.sum(st.tanh(product))
    matrix = product.node
    del product
    nodes, uses = nodes_of(loss)
    uses[matrix] += 1  # held by this test
    with_tracked, without = {loss.node}, {loss.node}
    walk.keep_held(nodes, uses, without, False)
    walk.keep_held(nodes, uses, with_tracked, True)
    assert matrix in with_tracked and matrix not in without


def test_graphs_that_are_built_alike_have_one_signature() -> None:
    a, b = st.tensor([1.0, 2.0]), st.tensor([3.0, 4.0])
    first, second = sign(st.exp(a) + a), sign(st.exp(b) + b)
    assert first is not None and second is not None
    assert first[0] == second[0]
    assert first[1] == [a.node] and second[1] == [b.node]
    assert sign(st.exp(a) + b)[0] != first[0]


def test_the_order_in_which_leaves_were_made_does_not_count() -> None:
    a, b = st.tensor([1.0, 2.0]), st.tensor([3.0, 4.0])
    assert sign(st.sin(a) * b)[0] == sign(st.sin(b) * a)[0]
    assert sign(st.sin(b) * a)[1] == [b.node, a.node]


def test_common_numbers_are_part_of_the_signature_and_others_are_inputs() -> None:
    x = st.tensor([1.0, 2.0])
    assert sign(st.exp(x) * 2.0)[0] != sign(st.exp(x) * 0.5)[0]
    one, two = sign(st.exp(x) * 1.7), sign(st.exp(x) * 1.8)
    assert one[0] == two[0] and len(one[1]) == len(two[1]) == 2


def test_what_is_kept_is_part_of_the_signature() -> None:
    x = st.tensor([1.0, 2.0])
    y = st.exp(x)
    z = st.sin(y)
    nodes, _ = nodes_of(z)
    assert walk.signature(nodes, {z.node})[0] != walk.signature(nodes, {y.node, z.node})[0]


def test_symbols_have_no_signature() -> None:
    found = []

    def look(x: st.Tensor) -> st.Tensor:
        y = st.exp(x)
        nodes, _ = nodes_of(y)
        found.append(walk.signature(nodes, {y.node}))
        return y

    st.compile(look)(st.tensor([1.0]))
    assert found == [None]
