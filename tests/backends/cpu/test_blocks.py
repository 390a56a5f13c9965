"""Attention block by block of rows: when it is, the values, what is left out behind a mask, and memory."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

import septet as st
from septet.backends.cpu.ops import blocks
from septet.backends.cpu.ops.blocks import height_of
from septet.backends.cpu.ops.library import LIBRARY
from septet.backends.cpu.planner import Planner
from septet.backends.cpu.program import CpuProgram
from septet.backends.reference.program import ReferenceBackend
from septet.base.config import config
from septet.graph.graph import Graph
from septet.graph.node import symbol
from septet.graph.op import item, ops
from septet.graph.types import tensor_type
from tests.optimize.attention import FORMS, attend, draw, expected

LIMITS = {"float32": 2e-5, "float64": 1e-12}


def native(function, arrays):
    """The results of a compiled function, and the names of the steps that computed them."""
    with config.override(backend="cpu"), st.profile() as profile:
        found = st.compile(function)(*map(st.asarray, arrays))
        found = found if isinstance(found, tuple) else (found,)
        return [np.asarray(x) for x in found], [row.name for row in profile.rows() for _ in range(row.calls)]


def close(found, wanted, dtype):
    for a, b in zip(found, wanted, strict=True):
        assert a.dtype == dtype
        np.testing.assert_allclose(a, b, rtol=LIMITS[dtype], atol=LIMITS[dtype] * max(1, np.abs(b).max()))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("form", FORMS)
def test_forward(form, dtype):
    arrays = draw([(2, 130, 3, 20)] * 3, dtype)
    found, steps = native(lambda *own: attend(form, *own), arrays)
    assert "in_blocks" in steps and not any("max" in name for name in steps)
    close(found, expected(arrays, is_causal=form != "plain"), dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("form", FORMS)
def test_backward(form, dtype):
    *arrays, upstream = draw([(2, 100, 3, 20)] * 4, dtype)

    def gradients(query, key, value, g):
        loss = lambda *own: (attend(form, *own) * g).sum()
        return st.grad(loss, argnums=(0, 1, 2))(query, key, value)

    found, steps = native(gradients, [*arrays, upstream])
    assert "in_blocks" in steps and not any("max" in name or "exp" in name for name in steps)
    close(found, expected(arrays, upstream, is_causal=form != "plain")[1:], dtype)


def test_forward_and_backward_are_two_nodes():
    *arrays, upstream = draw([(2, 70, 2, 8)] * 4)

    def both(query, key, value, y):
        def loss(*own):
            return ((attend("where", *own) - y) ** 2).sum()

        return st.grad(loss, argnums=(0, 1, 2))(query, key, value)

    found, steps = native(both, [*arrays, upstream])
    assert steps.count("in_blocks") == 2 and not any("exp" in name for name in steps)
    (y,) = expected(arrays)
    close(found, expected(arrays, 2 * (y - upstream))[1:], "float32")


@given(
    batch=some.integers(1, 3), heads=some.integers(1, 3), times=some.integers(64, 150), places=some.integers(64, 150),
    depth=some.integers(1, 40), out=some.integers(1, 40), dtype=some.sampled_from(["float32", "float64"]),
    threads=some.integers(1, 3), is_split=some.booleans(),
)  # fmt: skip
@settings(max_examples=12, deadline=None)
def test_any_sizes(batch, heads, times, places, depth, out, dtype, threads, is_split):
    """Of one array or several, with any number of queries, keys, features and threads."""
    rows, columns = (batch, times, heads), (batch, places, heads)
    query, key, value, g = draw([(*rows, depth), (*columns, depth), (*columns, out), (*rows, out)], dtype)
    mask = np.tril(np.ones((times, places), bool))

    def both(joined, query, value, g):
        key = joined[:, :, 1] if is_split else joined

        def loss(query, key, value):
            return (attend("where", query, key, value, st.asarray(mask)) * g).sum()

        return (
            attend("where", query, key, value, st.asarray(mask)),
            *st.grad(loss, argnums=(0, 1, 2))(query, key, value),
        )

    joined = np.stack([query[:, :1] + 0 * key, key], axis=2) if is_split else key
    with config.override(threads=threads):
        found, _ = native(both, [joined, query, value, g])
    close(found, expected([query, key, value], g), dtype)


@pytest.mark.parametrize("which", [0, 1, 2])
@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf, 1e30, 2000.0])
def test_what_is_not_finite_or_large_comes_out_as_without_blocks(which, number):
    """A product with a zero is NaN where the other factor is not finite: also behind the mask."""
    arrays = draw([(2, 128, 2, 16)] * 3)
    arrays[which][0, 100, 1, 3] = number
    with config.override(backend="reference"):
        wanted = np.asarray(st.compile(lambda *own: attend("where", *own))(*map(st.asarray, arrays)))
    found, steps = native(lambda *own: attend("where", *own), arrays)
    assert "in_blocks" in steps
    np.testing.assert_allclose(found[0], wanted, rtol=1e-4, atol=1e-5, equal_nan=True)
    clean = np.isfinite(wanted[1]).all() and np.isfinite(wanted[0, :, 0]).all()
    assert clean, "another matrix is not touched"


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_gradients_where_something_is_not_finite(number):
    *arrays, g = draw([(1, 96, 2, 16)] * 4)
    arrays[2][0, 90, 1, 3] = number

    def gradients(query, key, value, g):
        return st.grad(lambda *own: (attend("where", *own) * g).sum(), argnums=(0, 1, 2))(query, key, value)

    with config.override(backend="reference"):
        wanted = [np.asarray(x) for x in st.compile(gradients)(*map(st.asarray, [*arrays, g]))]
    found, _ = native(gradients, [*arrays, g])
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5, equal_nan=True)


def test_rows_that_see_nothing():
    """As the graph says: with minus infinity in every place, `softmax` has nothing to divide."""
    arrays = draw([(2, 70, 1, 8)] * 3)
    mask = np.tril(np.ones((70, 70), bool))
    mask[:5] = False
    for fill in (-np.inf, -1e30):
        function = lambda *own, fill=fill: attend("where", *own, st.asarray(mask), fill)
        with config.override(backend="reference"):
            wanted = np.asarray(st.compile(function)(*map(st.asarray, arrays)))
        found, steps = native(function, arrays)
        assert "in_blocks" in steps
        np.testing.assert_allclose(found[0], wanted, rtol=1e-4, atol=1e-5, equal_nan=True)


def test_a_mask_that_is_an_argument():
    arrays = draw([(2, 90, 2, 8)] * 3)
    mask = np.tril(np.ones((90, 90), bool))
    found, steps = native(lambda mask, *own: attend("where", *own, mask), [mask, *arrays])
    assert "in_blocks" in steps
    close(found, expected(arrays), "float32")


def test_equal_for_any_number_of_threads():
    *arrays, g = draw([(3, 150, 2, 24)] * 4)

    def both(query, key, value, g):
        loss = lambda *own: (attend("where", *own) * g).sum()
        return (attend("where", query, key, value), *st.grad(loss, argnums=(0, 1, 2))(query, key, value))

    results = []
    for threads in (1, 2, 3):
        with config.override(threads=threads):
            results.append(native(both, [*arrays, g])[0])
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize("enough", [1, 1000])
def test_tasks_are_matrices_or_blocks(monkeypatch, enough):
    monkeypatch.setattr(blocks, "ENOUGH", enough)
    arrays = draw([(2, 130, 2, 17)] * 3)
    found, steps = native(lambda *own: attend("where", *own), arrays)
    assert ("in_blocks: panels" in steps) == (enough > 4)
    close(found, expected(arrays), "float32")


def test_no_array_of_all_pairs_in_memory():
    size = 2048
    pairs = 4 * size * size
    shapes = [st.symbol(shape=(1, size, 4, 32)) for _ in range(4)]

    def gradients(query, key, value, g):
        return st.grad(lambda *own: (attend("where", *own) * g).sum(), argnums=(0, 1, 2))(query, key, value)

    with config.override(backend="cpu", threads=2):
        forward = st.compile(lambda *own: attend("where", *own)).memory(*shapes[:3])
        backward = st.compile(gradients).memory(*shapes)
    for found in (forward, backward):  # each of 4 heads would need one of them, and the backward pass several
        assert found.peak < pairs
        assert max(alive.size for alive in found.largest) < pairs


def test_a_graph_of_the_card_alone():
    """What the optimizer would not write runs, too: rows of a vector."""
    x, c = (symbol(tensor_type("float32", shape)) for shape in ((70,), ()))
    body = Graph([x, c], [ops.multiply(x, c), ops.add(x, c)])
    a, b = (symbol(node.tensor_type) for node in body.inputs)
    node = ops.in_blocks(a, b, body=body, labels=(("row",), ("row",)))
    graph = Graph([a, b], [item(node, 0), item(node, 1)])
    assert all(step.is_native for step in Planner(graph, LIBRARY).steps)
    arrays = [np.arange(70, dtype=np.float32), np.float32(3)]
    found = CpuProgram(graph, ReferenceBackend())([np.asarray(array) for array in arrays])
    np.testing.assert_array_equal(found[0], arrays[0] * 3)
    np.testing.assert_array_equal(found[1], arrays[0] + 3)


def test_heights():
    assert height_of(128, 128, 4) == 128
    assert height_of(130, 128, 4) == 72
    assert height_of(128, 128, 4, 32) == 32
    assert height_of(4096, 100_000, 4) == 32
    assert height_of(1, 1, 8) == 8
