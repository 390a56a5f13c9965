"""Control flow over sub-graphs against Python loops: values, gradients of first and second order, forward mode,
batches."""

from __future__ import annotations

import numpy as np
import pytest

import septet.run.eager as eager
from septet.base.errors import ArgumentError, DTypeError, GradientError, ShapeError
from septet.graph.graph import Graph
from septet.graph.node import Node, constant, symbol
from septet.graph.op import items, ops
from septet.graph.types import tensor_type
from septet.ops.control import cond, record_scan, while_loop
from septet.ops.io import callback
from septet.transform.transforms import TRANSFORMS
from septet.transform.vjp import vjp

RNG = np.random.default_rng(0)


def sym(shape: tuple, dtype: str = "float64") -> Node:
    return symbol(tensor_type(np.dtype(dtype), shape))


def const(value: object, dtype: str = "float64") -> Node:
    return constant(np.array(value, dtype))


def tracked(value: object, dtype: str = "float64") -> Node:
    """A leaf with a value that gradients flow to."""
    node = const(value, dtype)
    node.flags |= 1
    return node


def value(*nodes: Node) -> list:
    eager.evaluate(*nodes)
    return [node.value for node in nodes]


def step_graph() -> Graph:
    """(c, x, w) -> (sin(c w) + x, c x)."""
    c, x, w = sym((3,)), sym((3,)), sym((3,))
    return Graph([c, x, w], [ops.sin(c * w) + x, c * x], name="step")


def loop(c, xs, w):
    ys = []
    for x in xs:
        c, y = np.sin(c * w) + x, c * x
        ys.append(y)
    return c, np.array(ys)


C, XS, W = RNG.normal(size=3), RNG.normal(size=(4, 3)), RNG.normal(size=3)


def numeric(f, arrays: list, position: int, epsilon: float = 1e-6) -> np.ndarray:
    """Central differences of a scalar function of arrays."""
    result = np.zeros_like(arrays[position])
    for index in np.ndindex(result.shape):
        moved = [[a.copy() for a in arrays] for _ in range(2)]
        moved[0][position][index] += epsilon
        moved[1][position][index] -= epsilon
        result[index] = (f(*moved[0]) - f(*moved[1])) / (2 * epsilon)
    return result


@pytest.mark.parametrize("reverse", [False, True])
def test_scan_matches_a_loop(reverse):
    node = record_scan([const(C)], [const(XS)], [const(W)], step_graph(), None, reverse)
    last, ys = value(*node)
    expected_c, expected_y = loop(C, XS[::-1] if reverse else XS, W)
    np.testing.assert_allclose(last, expected_c)
    np.testing.assert_allclose(ys, expected_y[::-1] if reverse else expected_y)


def test_scan_of_no_steps_returns_the_first_carry():
    last, ys = value(*record_scan([const(C)], [const(np.zeros((0, 3)))], [const(W)], step_graph(), None, False))
    np.testing.assert_array_equal(last, C)
    assert ys.shape == (0, 3)


def test_scan_length_from_a_tensor():
    c = sym(())
    body = Graph([c], [c * 2.0, c + 0.0])
    n = sym((), "int64")
    found = record_scan([const(1.0)], [], [], body, n, False)
    assert found[1].shape == (None,)
    whole = Graph([n], found)
    last, ys = value(*whole(const(5, "int64")))
    assert last == 32
    np.testing.assert_array_equal(ys, [1, 2, 4, 8, 16])


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("is_saving", [False, True], ids=["second scan", "carries among the results"])
def test_scan_gradients(reverse, is_saving):
    body = step_graph()
    if is_saving:
        body = body.with_roots([*body.outputs, body.inputs[0]])
    weights = RNG.normal(size=(4, 3))

    def cost(c, xs, w):
        last, ys = loop(c, xs[::-1] if reverse else xs, w)
        ys = ys[::-1] if reverse else ys
        return (last * last).sum() + (ys * weights).sum()

    leaves = [tracked(C), tracked(XS), tracked(W)]
    last, ys, *_ = record_scan([leaves[0]], [leaves[1]], [leaves[2]], body, None, reverse)
    node = ops.sum(last * last) + ops.sum(ys * const(weights))
    for position, g in enumerate(value(*vjp([node], [const(1.0)], leaves))):
        np.testing.assert_allclose(g, numeric(cost, [C, XS, W], position), rtol=1e-6, atol=1e-8)


def test_scan_second_order():
    def gradient_node(leaves):
        last, ys = record_scan([leaves[0]], [leaves[1]], [leaves[2]], step_graph(), None, False)
        node = ops.sum(last * last * last) + ops.sum(ys * ys)
        return vjp([node], [const(1.0)], [leaves[2]])[0]

    def cost(c, xs, w):
        leaves = [tracked(a) for a in (c, xs, w)]
        return value(ops.sum(gradient_node(leaves) * const([1.0, -2.0, 0.5])))[0]

    leaves = [tracked(C), tracked(XS), tracked(W)]
    directional = ops.sum(gradient_node(leaves) * const([1.0, -2.0, 0.5]))
    for position, g in enumerate(value(*vjp([directional], [const(1.0)], leaves))):
        np.testing.assert_allclose(g, numeric(cost, [C, XS, W], position, 1e-5), rtol=1e-5, atol=1e-7)


def test_scan_with_integer_carry_and_unused_outputs():
    n, c, x = sym((), "int64"), sym(()), sym(())
    body = Graph([n, c, x], [n + 1, c * x + ops.cast(n, dtype="float64"), n, ops.sin(x)])
    xs = tracked([0.5, -1.0, 2.0])
    count, last, numbers, _ = record_scan([const(0, "int64"), const(2.0)], [xs], [], body, None, False)
    (g,) = vjp([last], [const(1.0)], [xs])
    found = value(count, last, numbers, g)
    np.testing.assert_array_equal(found[0], 3)
    np.testing.assert_array_equal(found[2], [0, 1, 2])
    # ((2 a + 0) b + 1) d + 2
    a, b, d = 0.5, -1.0, 2.0
    np.testing.assert_allclose(found[3], [2 * b * d, 2 * a * d, 2 * a * b + 1])


def nested(rows: Node, w: Node) -> Node:
    """Outer scan over rows, inner scan over columns: c <- sin(c w + x)."""
    c, x, v = sym(()), sym(()), sym(())
    inner = Graph([c, x, v], [ops.sin(c * v + x), c * x])
    c2, row, v2 = sym(()), sym((3,)), sym(())
    last, ys = record_scan([c2], [row], [v2], inner, None, True)
    outer = Graph([c2, row, v2], [last, ops.sum(ys)])
    last, sums = record_scan([const(0.3)], [rows], [w], outer, None, False)
    return last * 2.0 + ops.sum(sums * sums)


def nested_loop(rows, w):
    c, sums = 0.3, []
    for row in rows:
        total = 0.0
        for x in row[::-1]:
            total += c * x
            c = np.sin(c * w + x)
        sums.append(total)
    return 2 * c + np.square(sums).sum()


def test_scan_in_scan():
    rows, w = RNG.normal(size=(2, 3)), np.array(0.7)
    leaves = [tracked(rows), tracked(w)]
    node = nested(*leaves)
    found = vjp([node], [const(1.0)], leaves)
    second = vjp([found[1]], [const(1.0)], leaves)
    got = value(node, *found, *second)
    np.testing.assert_allclose(got[0], nested_loop(rows, w))
    for position in range(2):
        np.testing.assert_allclose(got[1 + position], numeric(nested_loop, [rows, w], position), rtol=1e-6, atol=1e-8)

    def first(r, v):
        own = [tracked(r), tracked(v)]
        return value(vjp([nested(*own)], [const(1.0)], [own[1]])[0])[0]

    for position in range(2):
        expected = numeric(first, [rows, w], position, 1e-5)
        np.testing.assert_allclose(got[3 + position], expected, rtol=1e-5, atol=1e-7)


def test_scan_forward_mode_agrees_with_reverse_mode():
    leaves = [tracked(C), tracked(XS), tracked(W)]
    tangents = [const(RNG.normal(size=a.shape)) for a in (C, XS, W)]
    last, ys = record_scan([leaves[0]], [leaves[1]], [leaves[2]], step_graph(), None, True)
    node = ops.sum(last * last) + ops.sum(ys * ys)
    (forward,) = TRANSFORMS.jvp([node], leaves, tangents)
    gradients = vjp([node], [const(1.0)], leaves)
    got = value(forward, *gradients)
    np.testing.assert_allclose(got[0], sum((g * t.value).sum() for g, t in zip(got[1:], tangents)), rtol=1e-12)
    (partial,) = TRANSFORMS.jvp([node], leaves[2:], tangents[2:])
    np.testing.assert_allclose(value(partial)[0], (got[3] * tangents[2].value).sum(), rtol=1e-12)


@pytest.mark.parametrize("marks", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1)])
def test_scan_batched(marks):
    arrays = [RNG.normal(size=(2, *a.shape)) if mark else a for a, mark in zip((C, XS, W), marks)]
    inputs = [sym(a.shape) for a in (C, XS, W)]
    graph = Graph(inputs, record_scan([inputs[0]], [inputs[1]], [inputs[2]], step_graph(), None, False))
    batched, out = TRANSFORMS.vmap(graph, [bool(mark) for mark in marks])
    found = value(*batched(*[const(a) for a in arrays]))
    for example in range(2):
        expected = loop(*[a[example] if mark else a for a, mark in zip(arrays, marks)])
        for got, mark, want in zip(found, out, expected):
            np.testing.assert_allclose(got[example] if mark else got, want)


# cond


def branches() -> dict:
    x, c = sym((3,)), sym(())
    a, b = sym((3,)), sym(())
    return {"then_graph": Graph([x, c], [x * x * c, c * c]), "else_graph": Graph([a, b], [ops.sin(a), b * 0.5])}


@pytest.mark.parametrize("predicate", [True, False])
def test_cond_gradients(predicate):
    def cost(x, c):
        y, z = (x * x * c, c * c) if predicate else (np.sin(x), c * 0.5)
        return (y * y).sum() + z

    leaves = [tracked(C), tracked(1.5)]
    y, z = items(cond(const(predicate, "bool"), *leaves, **branches()))
    node = ops.sum(y * y) + z
    found = vjp([node], [const(1.0)], leaves)
    second = vjp([ops.sum(found[0] * found[0])], [const(1.0)], leaves)
    got = value(node, *found, second[0])
    np.testing.assert_allclose(got[0], cost(C, 1.5))
    for position in range(2):
        np.testing.assert_allclose(got[1 + position], numeric(cost, [C, np.array(1.5)], position), rtol=1e-6, atol=1e-8)

    def square(x):
        return np.square(numeric(cost, [x, np.array(1.5)], 0, 1e-4)).sum()

    np.testing.assert_allclose(got[3], numeric(square, [C], 0, 1e-4), rtol=1e-4, atol=1e-4)


def test_cond_gradient_of_an_operand_that_one_branch_ignores():
    x, y = sym(()), sym(())
    graphs = {"then_graph": Graph([x], [x * 3.0]), "else_graph": Graph([y], [const(1.0) + 1.0])}
    for predicate, expected in ((True, 3.0), (False, 0.0)):
        leaf = tracked(2.0)
        (out,) = items(cond(const(predicate, "bool"), leaf, **graphs))
        assert value(vjp([out], [const(1.0)], [leaf])[0])[0] == expected


def test_cond_forward_mode():
    for predicate in (True, False):
        leaves = [tracked(C), tracked(1.5)]
        y, z = items(cond(const(predicate, "bool"), *leaves, **branches()))
        node = ops.sum(y) + z
        (forward,) = TRANSFORMS.jvp([node], leaves, [const(W), const(2.0)])
        got = value(forward, *vjp([node], [const(1.0)], leaves))
        np.testing.assert_allclose(got[0], (got[1] * W).sum() + got[2] * 2, rtol=1e-12)


@pytest.mark.parametrize("marks", [(1, 0, 0), (0, 1, 0), (1, 1, 1), (0, 0, 1)])
def test_cond_batched(marks):
    arrays = [np.array([True, False]) if marks[0] else np.array(True)]
    arrays += [
        RNG.normal(size=(2, *shape)) if mark else RNG.normal(size=shape) for shape, mark in zip(((3,), ()), marks[1:])
    ]
    inputs = [sym((), "bool"), sym((3,)), sym(())]
    graph = Graph(inputs, items(cond(*inputs, **branches())))
    batched, out = TRANSFORMS.vmap(graph, [bool(mark) for mark in marks])
    found = value(*batched(*[constant(a) for a in arrays]))
    for example in range(2):
        p, x, c = [a[example] if mark else a for a, mark in zip(arrays, marks)]
        expected = (x * x * c, c * c) if p else (np.sin(x), c * 0.5)
        for got, mark, want in zip(found, out, expected):
            np.testing.assert_allclose(got[example] if mark else got, want)


def test_cond_runs_one_branch_only():
    x, y = sym((2,)), sym((2,))
    calls = []
    bad = callback(x, function=lambda a: calls.append(1) or a.sum(), results=[tensor_type(x.dtype, ())])
    graphs = {"then_graph": Graph([x], items(bad)), "else_graph": Graph([y], [ops.sum(y * 2.0)])}
    for predicate, expected, count in ((False, 6.0, 0), (True, 3.0, 1)):
        (node,) = items(cond(const(predicate, "bool"), const([1.0, 2.0]), **graphs))
        assert value(node)[0] == expected
        assert len(calls) == count


def test_cond_refuses_branches_that_differ():
    x, y = sym((3,)), sym((3,))
    with pytest.raises(ArgumentError, match="true branch has 2 results, the false branch 1"):
        cond(const(True, "bool"), const(C), then_graph=Graph([x], [x, x]), else_graph=Graph([y], [y]))
    with pytest.raises(DTypeError, match="result 0 is float64 in the true branch and float32"):
        cast = ops.cast(y, dtype="float32")
        cond(const(True, "bool"), const(C), then_graph=Graph([x], [x]), else_graph=Graph([y], [cast]))
    with pytest.raises(ShapeError, match=r"result 0 is float64\[3\] in the true branch and float64\[\]"):
        cond(const(True, "bool"), const(C), then_graph=Graph([x], [x]), else_graph=Graph([y], [ops.sum(y)]))


# while_loop


def power_loop(n: Node, x: Node, w: Node) -> tuple[Node, ...]:
    """While n > 0: x <- sin(x w)."""
    a, b, c = sym((), "int64"), sym(x.shape), sym(w.shape)
    d, e, f = sym((), "int64"), sym(x.shape), sym(w.shape)
    condition, body = Graph([a, b, c], [a > 0]), Graph([d, e, f], [d + -1, ops.sin(e * f)])
    return items(while_loop(n, x, w, condition=condition, body=body, carries=2))


def power(n, x, w):
    for _ in range(int(n)):
        x = np.sin(x * w)
    return x


@pytest.mark.parametrize("n", [0, 1, 5])
def test_while_matches_a_loop(n):
    left, x = value(*power_loop(const(n, "int64"), const(C), const(W)))
    assert left == 0
    np.testing.assert_allclose(x, power(n, C, W))


def test_while_has_no_reverse_gradient_and_says_what_has():
    leaf = tracked(C)
    _, x = power_loop(const(2, "int64"), leaf, const(W))
    with pytest.raises(GradientError, match="scan"):
        vjp([x], [const(np.ones(3))], [leaf])


@pytest.mark.parametrize("which", [(0,), (1,), (0, 1)])
def test_while_forward_mode(which):
    leaves = [tracked(C), tracked(W)]
    directions = [RNG.normal(size=3), RNG.normal(size=3)]
    _, x = power_loop(const(3, "int64"), *leaves)
    (forward,) = TRANSFORMS.jvp([x], [leaves[i] for i in which], [const(directions[i]) for i in which])
    moved = [a + (d * 1e-6 if i in which else 0) for i, (a, d) in enumerate(zip((C, W), directions))]
    back = [a - (d * 1e-6 if i in which else 0) for i, (a, d) in enumerate(zip((C, W), directions))]
    np.testing.assert_allclose(value(forward)[0], (power(3, *moved) - power(3, *back)) / 2e-6, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("marks", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1)])
def test_while_batched(marks):
    arrays = [np.array([1, 4]) if marks[0] else np.array(3)]
    arrays += [RNG.normal(size=(2, 3)) if mark else RNG.normal(size=3) for mark in marks[1:]]
    inputs = [sym((), "int64"), sym((3,)), sym((3,))]
    batched, out = TRANSFORMS.vmap(Graph(inputs, power_loop(*inputs)), [bool(mark) for mark in marks])
    found = value(*batched(*[constant(a) for a in arrays]))
    for example in range(2):
        own = [a[example] if mark else a for a, mark in zip(arrays, marks)]
        for got, mark, want in zip(found, out, (0, power(*own))):
            np.testing.assert_allclose(got[example] if mark else got, want)


def test_while_refuses_a_body_that_changes_types():
    a, b = sym((3,)), sym((3,))
    condition = Graph([a], [ops.any(a > 0)])
    with pytest.raises(DTypeError, match=r"carried value 0 from float64\[3\] to float32\[3\]"):
        body = Graph([b], [ops.cast(b, dtype="float32")])
        while_loop(const(C), condition=condition, body=body, carries=1)
    with pytest.raises(ShapeError, match=r"carried value 0 from float64\[3\] to float64\[\]"):
        while_loop(const(C), condition=condition, body=Graph([b], [ops.sum(b)]), carries=1)
    with pytest.raises(ArgumentError, match="one scalar of dtype bool"):
        while_loop(const(C), condition=Graph([a], [a > 0]), body=Graph([b], [b]), carries=1)


# keys


def test_equal_graphs_make_equal_keys():
    first, second = step_graph(), step_graph()
    assert first == second
    keys = {record_scan([const(C)], [const(XS)], [const(W)], graph, None, False)[0].key for graph in (first, second)}
    assert len(keys) == 1
