"""Reverse mode on recorded nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import septet as st
from septet.base import dtypes
from septet.base.errors import GradientError, ShapeError
from septet.graph.node import symbol
from septet.graph.op import items, ops
from septet.graph.types import tensor_type
from septet.ops.shaping import ones_like
from septet.run import eager
from septet.tensor.tensor import Tensor
from septet.transform.vjp import grad, pull, vjp

VECTOR = tensor_type(dtypes.float64, (3,))


def variable(*values: float) -> st.Variable:
    """A float64 variable."""
    return st.Variable(np.array(values), dtype="float64")


def test_what_does_not_depend_gets_none() -> None:
    """A node off the path has no gradient, and a None cotangent is zero."""
    x, y = variable(1.0, 2.0).node, variable(3.0, 4.0).node
    product = x * 2.0
    assert vjp([product], [ones_like(product)], [y]) == [None]
    assert vjp([product], [None], [x]) == [None]


def test_contributions_add_up() -> None:
    """A node that is used twice, and one that is an output itself."""
    x = variable(2.0, 3.0).node
    y = x * x
    (g,) = vjp([y, x], [ones_like(y), ones_like(x)], [x])
    eager.evaluate(g)
    np.testing.assert_array_equal(g.value, [5.0, 7.0])


def test_gradient_with_respect_to_what_is_on_the_way() -> None:
    """An inner node gets its own gradient, and its inputs theirs."""
    x = variable(2.0).node
    y = x * x
    z = y * y
    gx, gy = vjp([z], [ones_like(z)], [x, y])
    assert float(Tensor(gx)[0]) == 4 * 2.0**3
    assert float(Tensor(gy)[0]) == 2 * 4.0


def test_several_results() -> None:
    """An op with several results gets the cotangents of those that were used, zeros for the others."""
    x = st.Variable(np.eye(3) + 0.1, dtype="float64").node
    q, r = items(ops.qr(x))
    (g,) = vjp([r], [ones_like(r)], [x])
    assert g is not None and g.shape == (3, 3)
    (other,) = vjp([q], [ones_like(q)], [x])
    assert other is not None and other.shape == (3, 3)


def test_op_without_gradient_names_itself_and_its_line() -> None:
    """The error says which op, why, and where it was recorded."""
    x = symbol(VECTOR)
    y = ops.while_loop(
        x, condition=_graph_of(lambda v: ops.less(ops.sum(v), 10.0)), body=_graph_of(lambda v: v * 2.0), carries=1
    )
    out = items(y)[0]
    with pytest.raises(GradientError, match="while_loop has no gradient: the number of steps") as caught:
        vjp([out], [ones_like(out)], [x])
    assert "test_vjp.py:" in str(caught.value)


def _graph_of(call: object) -> st.Graph:
    v = symbol(VECTOR)
    return st.Graph([v], [call(v)])  # type: ignore[operator]


def test_untracked_paths_carry_nothing() -> None:
    """`no_grad` and `stop_gradient` cut a path; the other one stays."""
    x = variable(2.0, 3.0)
    with st.no_grad():
        cut = x * x
    y = (cut * x + st.stop_gradient(x) * x).sum()
    (g,) = vjp([y.node], [ones_like(y.node)], [x.node])
    np.testing.assert_array_equal(Tensor(g).numpy(), [4.0 + 2.0, 9.0 + 3.0])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda x: x * 2.0, r"needs a scalar cost, this one is float64\[2\]"),
        (lambda x: x.sum().astype("int64"), "needs a real floating-point cost, this one is int64"),
        (lambda x: (x * 1j).sum(), "needs a real floating-point cost, this one is complex128"),
    ],
)
def test_grad_needs_a_real_scalar(make: object, message: str) -> None:
    """The error names the type and the op."""
    x = variable(1.0, 2.0)
    with pytest.raises(GradientError, match=message):
        grad(make(x).node, [x.node])  # type: ignore[operator]


def test_grad_of_what_is_not_used() -> None:
    """An error, or zeros where that is asked for."""
    x, y = variable(1.0, 2.0), variable(3.0)
    cost = (x * x).sum().node
    with pytest.raises(GradientError, match="does not depend on variable number 1"):
        grad(cost, [x.node, y.node])
    found = grad(cost, [x.node, y.node], allow_unused=True)
    np.testing.assert_array_equal(Tensor(found[1]).numpy(), [0.0])


def test_broadcast_and_cast_are_undone() -> None:
    """A gradient has the shape and the dtype of its argument."""
    x = st.Variable(np.ones((2, 1)), dtype="float32")
    y = (x * np.ones((3, 2, 4)) * (1 + 2j)).real.sum()
    (g,) = grad(y.node, [x.node])
    assert g.dtype == dtypes.float32 and g.shape == (2, 1)
    np.testing.assert_array_equal(Tensor(g).numpy(), [[12.0], [12.0]])


def count_nodes(make: Callable[[], object]) -> int:
    """Return how many nodes a call makes."""
    before = symbol(VECTOR).serial
    make()
    return symbol(VECTOR).serial - before - 1


def test_nothing_is_made_for_inputs_that_nobody_asks_for() -> None:
    """Only a wanted cotangent is summed over broadcast axes and converted."""
    x = symbol(tensor_type(dtypes.float64, (4, 3)))
    row = symbol(VECTOR)
    short = symbol(tensor_type(dtypes.float64, (1, 3)))
    g = symbol(tensor_type(dtypes.float64, (4, 3)))
    for other in (row, short):
        y = x + other  # its rule makes no node: the cotangent is that of the sum
        assert count_nodes(lambda y=y: vjp([y], [g], [x])) == 0
        assert count_nodes(lambda y=y, other=other: vjp([y], [g], [other])) > 0


def test_pull_gives_only_what_is_needed() -> None:
    """Each cotangent that is not asked for is None, of elementwise and of other ops."""
    x, row = symbol(tensor_type(dtypes.float64, (4, 3))), symbol(VECTOR)
    g = symbol(tensor_type(dtypes.float64, (4, 3)))
    for node in (x * row, ops.concatenate(x, x, axis=0)):
        given = g if node.op.name == "multiply" else symbol(node.tensor_type)
        for needed in ([True, False], [False, True], [True, True]):
            pulled = pull(node, given, needed)
            assert [p is not None for p in pulled] == needed
            assert all(p is None or p.type is i.type for p, i in zip(pulled, node.inputs, strict=True))


@pytest.mark.parametrize("between", [lambda a: a, st.tanh, st.cumulative_sum], ids=["", "tanh", "cumulative_sum"])
def test_open_axes_that_turn_out_to_be_repeated_are_an_error_in_the_gradient(between: Any) -> None:
    """The gradient was recorded without the sum that it is over such an axis."""

    def cost(a: Any, b: Any) -> Any:
        return (between(a) * b).sum()

    def gradients(*given: Any) -> Any:
        return st.vjp(cost, *given)[1](st.ones((), dtype="float64"))

    open_axis, other = st.symbol("a", (None,), "float64"), st.symbol("b", (None,), "float64")
    data = np.arange(1.0, 4.0)
    call = st.function([open_axis, other], gradients(open_axis, other))
    np.testing.assert_allclose(call(data, data)[1].numpy(), between(st.asarray(data)).numpy())
    with pytest.raises(ShapeError, match=r"the gradient of multiply: the shape is \(3,\), it must be \(1,\)"):
        call(data[:1], data)
    forward = st.function([open_axis, other], cost(open_axis, other))
    assert forward(data[:1], data).numpy() == pytest.approx(6 * between(st.asarray(data[:1])).numpy().item())
    known = st.symbol("a", (1,), "float64")
    assert st.function([known, other], gradients(known, other)[0])(np.zeros(1), data).numpy() == [6]
