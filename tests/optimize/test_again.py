"""What is computed again instead of kept: the groups of `fuse`, and values and memory on the CPU."""

from __future__ import annotations

import numpy as np
import pytest

import septet as st
from septet import nn
from septet.backends.cpu.program import CpuProgram, Plan
from septet.backends.reference.program import ReferenceBackend
from septet.base.errors import NonFiniteError
from septet.graph.op import ops
from septet.ops.shaping import transpose
from septet.optimize import again
from septet.optimize.fuse import fuse
from tests.optimize.support import graph_of, sym

SIZE = 300  # SIZE * SIZE elements are enough


def x(name="x", rows=SIZE, columns=SIZE, dtype="float32"):
    return sym(rows, columns, name=name, dtype=np.dtype(dtype))


def product(a, b):
    return ops.dot_general(a, b, contracting=((1,), (0,)))


def groups_of(*roots):
    """The names of the ops of each group, the fused ones sorted; what is computed again is marked."""
    return [
        sorted(node.op.name + ("!" if node in group.again else "") for node in group.nodes)
        for group in fuse(graph_of(*roots))
    ]


def forward_and_backward(a, w):
    """A product, an activation, a product of it, and what the gradient of the activation could look like."""
    u = product(a, w)
    half = u * 0.5
    y = half * half + u
    return half, product(y, w) * half, y


def test_what_costs_little_is_computed_again():
    _, after, y = forward_and_backward(x("a"), x("w"))
    found = groups_of(after)
    assert found == [["dot_general"], ["add", "multiply", "multiply"], ["dot_general"], ["multiply", "multiply!"]]
    again_and_kept = groups_of(after, y)
    assert again_and_kept == found


def test_what_is_stored_anyway_is_read():
    half, after, _ = forward_and_backward(x("a"), x("w"))
    assert not any("!" in name for own in groups_of(after, half) for name in own)


def test_small_values_are_kept():
    rows = int(np.sqrt(again.LEAST)) - 1
    _, after, _ = forward_and_backward(x("a", rows, rows), x("w", rows, rows))
    assert not any("!" in name for own in groups_of(after) for name in own)


def test_what_others_look_at_in_another_way_is_kept():
    u = product(x("a"), x("w"))
    half = u * 0.5
    y = half + u
    after = product(y, x("v")) * transpose(half)
    assert not any("!" in name for own in groups_of(after) for name in own)


def test_what_takes_long_is_kept():
    u = product(x("a"), x("w"))
    dear = ops.tanh(ops.exp(ops.sin(u)))
    after = product(dear * u, x("v")) * dear
    assert not any("!" in name for own in groups_of(after) for name in own)


def test_what_nobody_needs_any_more_goes():
    """One that is needed in two later groups, and in its own no more, is computed in these alone."""
    u = product(x("a"), x("w"))
    y = u + 1.0
    half = y * 0.5
    v = x("v")
    first = product(y, v) * half
    second = product(first, v) * half
    found = groups_of(second)
    assert [own for own in found if "dot_general" not in own] == [
        ["add"], ["multiply", "multiply"], ["multiply", "multiply!"],
    ]  # fmt: skip


def test_groups_come_in_any_order(monkeypatch):
    """The one that becomes the first to compute a value may be looked at after the one that no longer does."""
    monkeypatch.setattr(again, "_drop", lambda groups, *rest, drop=again._drop: drop(groups[::-1], *rest))
    y = product(x("a"), x("w")) + 1.0
    half = y * 0.5
    first = product(y, x("v")) * half
    found = groups_of(product(first, x("v")) * half)
    assert [own for own in found if "dot_general" not in own] == [
        ["add"], ["multiply", "multiply!"], ["multiply", "multiply"],
    ]  # fmt: skip


def test_totals_of_rows_are_kept_and_rows_are_not():
    a = x("a") * 2.0
    top = ops.max(a, axis=(1,), keepdims=True)
    shifted = a - top
    y = ops.exp(shifted)
    after = product(y, x("w")) * shifted
    last = next(group for group in reversed(fuse(graph_of(after))) if group.is_fused)
    names = [node.op.name for node in last.nodes]
    assert "max" not in names and "subtract" in names and "exp" not in names


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values(dtype):
    a, w, v = (x(name, dtype=dtype) for name in "awv")
    u = product(a, w)
    mean = ops.mean(u, axis=(1,), keepdims=True)
    y = ops.maximum(u - mean, 0)
    z = product(y, v)
    graph = graph_of(z * (u - mean) + ops.where(u > mean, z, 0), ops.sum((u - mean) * z, axis=(0,)))
    last = [group for group in fuse(Plan(graph).graph) if group.is_fused][-1]
    assert "subtract" in [node.op.name for node in last.nodes]
    random = np.random.default_rng(0)
    arrays = [random.standard_normal(node.shape).astype(dtype) for node in graph.inputs]
    found = CpuProgram(graph, ReferenceBackend())(arrays)
    expected = ReferenceBackend().compile(graph)(arrays)
    tolerance = 2e-3 if dtype == "float32" else 1e-10
    for own, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(own, other, rtol=tolerance, atol=tolerance * 300)


def test_values_that_several_ask_for_come_before_all_of_them():
    """Batch normalization and its gradient: what is computed again needs others of that kind, and totals."""
    st.random.seed(0)  # with other weights, rounding may move a value to the other side of 0, and its gradient with it
    model = nn.Sequential(
        nn.Dense(256), nn.BatchNorm(), nn.ReLU(), nn.Dense(256), nn.BatchNorm(), nn.ReLU(), nn.Dense(1)
    )
    random = np.random.default_rng(0)
    x = st.asarray(random.standard_normal((700, 40)).astype(np.float32))
    model(x)

    def gradients():
        loss = st.square(model(x)).mean()
        loss.backward()
        found = [parameter.grad for parameter in model.parameters()]
        for parameter in model.parameters():
            parameter.zero_grad()
        return [loss, *found]

    for own, other in zip(st.compile(gradients)(), gradients(), strict=True):
        np.testing.assert_allclose(own.numpy(), other.numpy(), rtol=1e-3, atol=1e-4)


def step_of(rows):
    """A training step of two layers with gelu."""
    weights = [st.Variable(np.full((256, 256), 0.01, np.float32), f"w{n}") for n in range(2)]
    optimizer = st.optim.SGD(weights, learning_rate=0.1)

    @st.compile
    def step(x):
        for weight in weights:
            x = st.gelu(x @ weight, approximate=True)
        loss = (x * x).mean()
        loss.backward()
        optimizer.step()
        return loss

    return step, st.asarray(np.random.default_rng(0).standard_normal((rows, 256)).astype(np.float32))


def test_an_activation_keeps_little(monkeypatch):
    """Memory between the passes: with all values kept, a third more at least."""
    sizes = []
    for least in (again.LEAST, 1 << 40):
        monkeypatch.setattr(again, "LEAST", least)
        step, inputs = step_of(2048)
        losses = [float(step(inputs)) for _ in range(3)]
        sizes.append((step.memory(inputs).arena, losses))
    np.testing.assert_allclose(sizes[0][1], sizes[1][1], rtol=1e-6)
    assert sizes[1][0] > 1.3 * sizes[0][0]


def test_a_check_for_nan_finds_what_was_computed_again():
    a = x("a") * 2.0
    shifted = a - 1.0
    after = ops.sqrt(product(shifted, x("w")) * ops.square(shifted) * -1.0)
    graph = graph_of(after)
    assert "square" in [node.op.name for node in fuse(graph)[-1].nodes]
    arrays = [np.ones(node.shape, np.float32) for node in graph.inputs]
    with st.config.override(check_nan=True), pytest.raises(NonFiniteError, match="sqrt"):
        CpuProgram(graph, ReferenceBackend())(arrays)
