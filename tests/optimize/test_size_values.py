"""What decides sizes: the tree of values, and what is computed on the way down."""

from __future__ import annotations

import numpy as np
import pytest

import septet as st
from septet.graph.graph import Graph
from septet.optimize.open_sizes import open_sizes
from septet.optimize.size_values import Branch, Undecided, Walk, deciding, find
from septet.optimize.sizes import has_open_sizes, with_shapes

n = st.symbol("n", (), dtype="int32")
x = st.symbol("x", (None, 3))


def graph_of(inputs, *outputs):
    return Graph([own.node for own in inputs], [own.node for own in outputs])


def settled(graph, root, *values):
    """Make a graph one of known sizes; return it and where its values lead to."""
    arrays = [np.asarray(value, node.dtype) for value, node in zip(values, graph.inputs, strict=True)]
    walk = Walk(root, arrays)
    made = with_shapes(graph, [array.shape for array in arrays], walk)
    return made, walk.branch, arrays


def test_an_open_input_that_is_not_used_gets_its_shape():
    held = st.Variable(np.ones((2, 3)))
    call = st.function([x], -held, allow_unused=True)
    np.testing.assert_array_equal(call(np.ones((4, 3), "float32")).numpy(), -np.ones((2, 3)))


@pytest.mark.parametrize(
    ("inputs", "result", "expected"),
    [
        ([n], lambda: st.zeros((n,)), True),
        ([x, n], lambda: x[:n], True),
        ([x], lambda: st.zeros((x.shape[0] * 2,)) + x.sum(), False),
        ([x], lambda: x[x.shape[0] // 2 :], False),
        ([x, n], lambda: x * n, False),
        ([x], lambda: st.scan(lambda s, r: (s + r, s), st.zeros((3,)), x)[1], False),
        ([x, n], lambda: st.scan(lambda s, r: (s + r[:n].sum(), s), st.tensor(0.0), x)[1], True),
        ([n], lambda: st.scan(lambda s, _: (s + 1, s), st.tensor(0.0), None, length=n)[0], True),
    ],
)
def test_graphs_that_take_values(inputs, result, expected):
    assert deciding(graph_of(inputs, result())) == ({n.node} if expected else set())


def test_the_tree_grows_by_what_was_not_there():
    graph = graph_of([n], st.zeros((n * 2, st.where(n > 3, 3, n))))
    root = Branch({})
    made, branch, arrays = settled(graph, root, 4)
    assert made.outputs[0].shape == (8, 3)
    assert [size for _, size in branch.decided()] == [8, 3]
    assert find(root, arrays) == (branch, None)
    other, reached, arrays = settled(graph, root, 2)
    assert other.outputs[0].shape == (4, 2) and find(root, arrays) == (reached, None)
    assert find(root, [np.int32(5)]) == (root, 10)
    branch.remove()
    assert list(root.following) == [4]


def test_equal_sizes_are_decided_once():
    graph = graph_of([n], st.zeros((n + 1, n + 1)), st.ones((n + 1,)))
    _, branch, _ = settled(graph, Branch({}), 4)
    assert [size for _, size in branch.decided()] == [5]


def test_a_size_behind_a_size():
    """The second slice is cut from what the first has left."""
    graph = graph_of([n], st.arange(n)[: n - 2][: n - 4])
    root = Branch({})
    for value in (9, 3, 5, 9):
        made, branch, arrays = settled(graph, root, value)
        assert made.outputs[0].shape == np.arange(value)[: value - 2][: value - 4].shape
        assert find(root, arrays) == (branch, None)


def test_what_no_size_can_be():
    graph = graph_of([n], st.zeros((n - 3,)))
    with pytest.raises(Undecided):
        settled(graph, Branch({}), 2)
    graph = graph_of([n], st.zeros((n * 65536,)))
    with pytest.raises(Undecided):
        settled(graph, Branch({}), 40000)
    graph = graph_of([n], st.zeros((12 // n,)))
    with pytest.raises(Undecided):
        settled(graph, Branch({}), 0)


def test_data_decides_nothing():
    y = st.symbol("y", (2000,), dtype="int64")
    made, branch, _ = settled(graph_of([y], st.zeros((y.max(),))), root := Branch({}), np.ones(2000))
    assert has_open_sizes(made) and branch is root


def test_numbers_are_not_sought_along_a_size_that_nobody_knows():
    """One axis has an open size, another one that a value decides when it runs."""
    rows = st.symbol("rows", (6, 7))
    wide = st.broadcast_to(rows.sum(), (n, 7)) * 0.37
    opened = open_sizes(graph_of([rows, n], wide), [{1}, ()])
    assert opened is not None and opened.graph.outputs[0].shape[0] is None
