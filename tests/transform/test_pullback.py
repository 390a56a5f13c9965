"""Backward passes that are recorded as one node: the same gradients as node by node, and when they are not used."""

from __future__ import annotations

import numpy as np
import pytest

import septet as st
from septet import nn
from septet.graph.graph import order
from septet.ops.call import call
from septet.transform.pullback import Pullback


def deferred(gradient: st.Tensor) -> bool:
    """Tell whether a gradient comes from a backward pass that is one node."""
    return any(node.op is call and isinstance(node.params[0], Pullback) for node in order([gradient.node]))


def variables() -> list[st.Variable]:
    random = np.random.default_rng(5)
    shapes = {"a": (3, 4), "b": (4,), "c": (4, 2), "d": ()}
    return [st.Variable(random.uniform(0.3, 1.2, shape), name) for name, shape in shapes.items()]


LOSSES = {
    "broadcasting": lambda a, b, c, d: ((a * b + d) / (b + 1.0)).sum(),
    "products": lambda a, b, c, d: st.tanh(a @ c).mean() * d,
    "one value used often": lambda a, b, c, d: (lambda x: (x * x + x).sum() + x.max())(st.exp(a) * d),
    "a variable read often": lambda a, b, c, d: (a + a * 2.0 + st.sqrt(a)).sum() + (a * b).sum(),
    "the same input twice": lambda a, b, c, d: (d * d * d) + (b * b).sum(),
    "powers": lambda a, b, c, d: (a**3.0).sum() + (a**0.5).sum() + (b**d).sum(),
    "shapes": lambda a, b, c, d: st.concatenate((a.T, c), axis=1)[1:, ::2].reshape((-1,)).sum() * d,
    "indices": lambda a, b, c, d: st.take(c, st.asarray([0, 2, 2]), axis=0).sum() + a[1, 2] + a[-1].sum(),
    "choices": lambda a, b, c, d: st.where(a > 0.7, a * b, a - d).sum() + st.maximum(a, 0.8).sum(),
    "normalizing": lambda a, b, c, d: st.softmax(a, axis=-1)[:, 1].sum() + st.log_softmax(a * d, axis=0).mean(),
    "a part cut off": lambda a, b, c, d: (a * st.stop_gradient(b) + b).sum() * d,
    "several results": lambda a, b, c, d: sum((part**2.0).sum() for part in st.split(a, 2, axis=1)) * d,
}


def gradients(loss: object, own: list[st.Variable], create_graph: bool) -> list[st.Tensor | None]:
    for variable in own:
        variable.zero_grad()
    loss(*own).backward(create_graph=create_graph)  # type: ignore[operator]
    return [variable.grad for variable in own]


@pytest.mark.parametrize("name", LOSSES)
def test_the_gradients_of_a_backward_pass_recorded_node_by_node(name: str) -> None:
    own = variables()
    with st.config.override(tier="interpret"):
        once, whole = gradients(LOSSES[name], own, False), gradients(LOSSES[name], own, True)
        for one, other in zip(once, whole, strict=True):
            assert (one is None) == (other is None)
            if one is not None and other is not None:
                np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", LOSSES)
def test_the_same_compiled(name: str) -> None:
    own = variables()
    with st.config.override(tier="compile"):
        compiled = [g.numpy() for g in gradients(LOSSES[name], own, False) if g is not None]
    with st.config.override(tier="interpret"):
        plain = [g.numpy() for g in gradients(LOSSES[name], own, False) if g is not None]
    for one, other in zip(compiled, plain, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-13)


def test_when_it_is_one_node() -> None:
    a, b, *_ = variables()
    (st.tanh(a) * b).sum().backward()
    assert a.grad is not None and deferred(a.grad)
    a.zero_grad()
    (st.tanh(a) * b).sum().backward(create_graph=True)
    assert not deferred(a.grad)
    a.zero_grad()
    x = st.tanh(a)
    x.register_hook(lambda g: g * 2)
    x.sum().backward()
    assert not deferred(a.grad)


def test_cotangents_of_a_tensor() -> None:
    a, *_ = variables()
    (a * 3.0).backward(st.full((3, 4), 2.0, dtype="float64"))
    assert a.grad is not None and deferred(a.grad)
    np.testing.assert_array_equal(a.grad.numpy(), np.full((3, 4), 6.0))


def test_gradients_add_up() -> None:
    a, *_ = variables()
    for _ in range(3):
        (a * 2.0).sum().backward()
    np.testing.assert_array_equal(a.grad.numpy(), np.full((3, 4), 6.0))


def test_a_number_that_the_rule_reads_is_part_of_it() -> None:
    """`x ** 2` and `x ** 3` have one resolution and two gradients."""
    (x,) = [st.Variable(np.float64([2.0, -1.0]), "x")]
    for power in (2.0, 3.0, 0.0, 1.0, 2.0):
        x.zero_grad()
        (x**power).sum().backward()
        np.testing.assert_allclose(x.grad.numpy(), power * np.float64([2.0, -1.0]) ** (power - 1.0))


def test_layers_and_lines_of_the_forward_pass_are_known_when_it_is_written_out() -> None:
    model = nn.Sequential(nn.Dense(3), nn.Tanh())
    model(st.ones((2, 4))).sum().backward()
    gradient = model.parameters()[0].grad
    (node,) = [n for n in order([gradient.node]) if n.op is call and isinstance(n.params[0], Pullback)]
    layers = {own.layers for own in order(node.params[0].outputs) if own.op.name == "dot_general"}
    assert layers and all("Dense" in "/".join(path) and path[-1] == "gradient of dot_general" for path in layers)


def test_memory_of_values_is_not_held_by_the_backward_pass() -> None:
    import weakref

    a, *_ = variables()
    x = st.tanh(a)
    seen = weakref.ref(x.node)
    x.sum().backward()
    del x
    a.grad.numpy()
    assert seen() is None
