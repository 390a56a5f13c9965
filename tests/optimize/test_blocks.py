"""What becomes a node of its own that is computed block by block, what does not, and its parts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from septet.backends.cpu.regions import is_loop
from septet.base.config import config
from septet.graph.node import constant
from septet.graph.op import ops
from septet.ops.gradient import stop_gradient
from septet.ops.shaping import broadcast_to, reshape, transpose
from septet.optimize.blocks import COLUMN, ROW, Block, find, in_blocks, labels_inside, labels_of_inputs
from septet.optimize.pipeline import optimize
from septet.transform.vjp import vjp
from tests.optimize.support import draw, graph_of, names, run, sym


@pytest.fixture(autouse=True)
def _verified():
    with config.override(verify=True):
        yield


B, H, T, S, D = 2, 3, 65, 70, 8


def product(a, b, summed, batch=2):
    axes = tuple(range(batch))
    return ops.dot_general(a, b, contracting=((summed[0],), (summed[1],)), batch=(axes, axes))


def softmax(scores, axis=-1):
    axis = axis % scores.ndim
    e = ops.exp(ops.subtract(scores, stop_gradient(ops.max(scores, axis=(axis,), keepdims=True))))
    return ops.divide(e, ops.sum(e, axis=(axis,), keepdims=True))


def operands(times=T, places=S, depth=D):
    return sym(B, H, times, depth, name="q"), sym(B, H, places, depth, name="k"), sym(B, H, places, D + 1, name="v")


def attention(q, k, v, change=lambda scores: scores):
    return product(softmax(change(product(q, k, (3, 3)))), v, (3, 2))


def masked(scores):
    mask = ops.band_part(broadcast_to(constant(np.array(True)), scores.shape[-2:]), lower=None, upper=0)
    return ops.where(mask, scores, constant(np.array(-1e30)))


def rewritten(*roots):
    """The graph with its chains as nodes, how many there are, and a check of its values."""
    graph = graph_of(*roots)
    found, count = in_blocks(graph, is_loop)
    arrays = draw(graph)
    for a, b in zip(run(found, arrays), run(graph, arrays), strict=True):
        np.testing.assert_array_equal(a, b)
    return found, count


def large(graph):
    """The nodes of a graph with an element for each pair of rows and columns."""
    return [n for n in graph.nodes if not isinstance(n.type, tuple) and n.shape[-2:] in ((T, S), (S, T))]


def test_attention_is_a_node():
    graph, count = rewritten(attention(*operands(), masked))
    assert count == 1
    assert set(names(graph)) <= {"in_blocks", "item", "band_part", "broadcast_to"}
    (node,) = [node for node in graph.nodes if node.op.name == "in_blocks"]
    assert node.param("labels") == ((0, 1, ROW, None),)


def test_backward_passes_are_another_one_and_compute_large_values_again():
    q, k, v = operands()
    y = attention(q, k, v, masked)
    g = ops.multiply(y, y)
    graph = optimize(graph_of(y, *vjp([y], [g], [q, k, v])))
    found, count = in_blocks(graph, is_loop)
    assert count == 2
    assert {n.op.name for n in large(found)} <= {"band_part", "broadcast_to"}
    both = [node for node in found.nodes if node.op.name == "in_blocks"]
    assert [len(node.type) for node in both] == [1, 3]
    assert sorted(map(str, both[1].param("labels"))) == sorted(
        map(str, [(0, 1, ROW, None), (0, 1, COLUMN, None), both[1].param("labels")[0]])
    )
    arrays = draw(graph)
    for a, b in zip(run(found, arrays), run(graph, arrays), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


def test_the_other_way_round():
    """Scores with the keys as rows: what is summed by the softmax are the columns all the same."""
    q, k, v = operands()
    weights = softmax(product(k, q, (3, 3)), axis=-2)
    _, count = rewritten(product(weights, v, (2, 2)))
    assert count == 1


def test_axes_of_size_1_and_transposed_operands():
    q, k, v = sym(1, T, H, D), sym(1, S, H, D), sym(1, S, H, 1)
    q, k, v = (transpose(x, axes=(0, 2, 1, 3)) for x in (q, k, v))
    _, count = rewritten(attention(q, k, v))
    assert count == 1


def test_two_layers_are_two_nodes():
    q, k, v = sym(B, H, T, D), sym(B, H, T, D), sym(B, H, T, D)
    y = attention(q, k, v)
    _, count = rewritten(attention(ops.tanh(y), y, y))
    assert count == 2


def with_weights():
    q, k, v = operands()
    weights = softmax(product(q, k, (3, 3)))
    return product(weights, v, (3, 2)), weights


def with_sums_of_scores():
    q, k, v = operands()
    scores = product(q, k, (3, 3))
    return product(softmax(scores), v, (3, 2)), ops.sum(scores, axis=None)


def shuffled(scores):
    pairs = reshape(scores, (B, H, T, 2, S // 2))
    return reshape(transpose(pairs, axes=(0, 1, 2, 4, 3)), scores.shape)


NEAR_MISSES = {
    "the weights are wanted": with_weights,
    "something else is made of the scores": with_sums_of_scores,
    "no total is taken": lambda: [product(ops.tanh(product(*operands()[:2], (3, 3))), operands()[2], (3, 2))],
    "few rows": lambda: [attention(*operands(times=63))],
    "much to sum": lambda: [attention(*operands(depth=300))],
    "a view moves elements": lambda: [attention(*operands(), shuffled)],
    "a total over both axes": lambda: [
        attention(*operands(), lambda s: ops.subtract(s, ops.max(s, axis=(2, 3), keepdims=True)))
    ],
}  # fmt: skip


@pytest.mark.parametrize("why", NEAR_MISSES)
def test_near_misses(why):
    graph = graph_of(*NEAR_MISSES[why]())
    found, count = in_blocks(graph, is_loop)
    assert count == 0 and found is graph


def test_a_single_matrix_only_where_blocks_are_apart():
    q, k, v = sym(T, D), sym(S, D), sym(S, D)
    y = product(softmax(product(q, k, (1, 1), 0)), v, (1, 0), 0)
    assert len(find(graph_of(y), is_loop)) == 1
    graph = optimize(graph_of(*vjp([y], [ops.multiply(y, y)], [q, k, v])))
    assert all(ROW in labels for chain in find(graph, is_loop) for labels in chain.results)


def test_labels():
    x = sym(4, 5, 6)
    assert labels_of_inputs(transpose(x, axes=(2, 0, 1)), (COLUMN, 0, ROW)) == [(0, ROW, COLUMN)]
    assert labels_of_inputs(ops.sum(x, axis=(2,), keepdims=True), (0, ROW, None)) == [(0, ROW, COLUMN)]
    assert labels_of_inputs(ops.sum(x, axis=(2,), keepdims=False), (0, ROW)) == [(0, ROW, COLUMN)]
    assert labels_of_inputs(ops.sum(x, axis=(1,), keepdims=False), (0, COLUMN)) is None
    assert labels_of_inputs(reshape(x, (4, 1, 5, 6)), (0, None, ROW, COLUMN)) == [(0, ROW, COLUMN)]
    assert labels_of_inputs(reshape(x, (20, 6)), (ROW, COLUMN)) is None
    assert labels_of_inputs(ops.add(x, sym(5, 1)), (0, ROW, COLUMN)) == [(0, ROW, COLUMN), (ROW, None)]
    assert labels_of_inputs(ops.sort(x, axis=2), (0, ROW, COLUMN)) is None
    a, b = sym(4, 5, 7), sym(4, 6, 7)
    assert labels_of_inputs(product(a, b, (2, 2), 1), (0, ROW, COLUMN)) == [(0, ROW, None), (0, COLUMN, None)]
    b = sym(4, 7, 6)
    assert labels_of_inputs(product(a, b, (2, 1), 1), (0, ROW, None)) == [(0, ROW, COLUMN), (0, COLUMN, None)]


@given(rows=some.integers(1, 65), start=some.integers(0, 64), lower=some.one_of(some.none(), some.integers(-3, 70)),
       upper=some.one_of(some.none(), some.integers(-3, 70)))  # fmt: skip
@settings(max_examples=30, deadline=None)
def test_blocks_are_parts_of_the_whole(rows, start, lower, upper):
    """With masks by bands of numbers and of truth values, and by positions."""
    rows = min(rows, T - start)

    def change(scores):
        down = reshape(ops.iota(shape=(T,), axis=0, dtype="int64"), (T, 1))
        scores = ops.where(
            ops.less(ops.iota(shape=(S,), axis=0, dtype="int64"), ops.add(down, 5)), scores, constant(-3.0)
        )
        ones = broadcast_to(constant(np.array(1.5)), (T, S))
        return ops.multiply(scores, ops.add(ops.band_part(ones, lower=lower, upper=upper), constant(2.0)))

    with config.override(verify=False):
        (chain,) = find(graph_of(attention(*operands(), change)), is_loop)
        graph, _ = in_blocks(graph_of(attention(*operands(), change)), is_loop)
    node = next(node for node in graph.nodes if node.op.name == "in_blocks")
    assert chain.results == list(node.param("labels"))
    body = node.param("body")
    inside = labels_inside(body.outputs, node.param("labels"))
    block = Block(body, inside, rows, S)
    arrays = draw(body)
    (whole,) = run(body, arrays)
    for b in range(B):
        for h in range(H):
            parts = []
            for symbol, array in zip(body.inputs, arrays, strict=True):
                own = inside[symbol]
                cut = [
                    slice(b, b + 1) if label == 0 else slice(h, h + 1) if label == 1
                    else slice(start, start + rows) if label == ROW else slice(None)
                    for label in own
                ]  # fmt: skip
                parts.append(array[tuple(cut)])
            if block.has_position:
                parts.append(np.array(start))
            (found,) = run(block.graph, parts)
            np.testing.assert_allclose(found[0, 0], whole[b, h, start : start + rows], rtol=1e-13, atol=1e-13)
