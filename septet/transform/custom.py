"""Gradients of the user's own, and rematerialisation."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from septet.base import dtypes
from septet.base.errors import GradientError, ShapeError
from septet.graph.context import TRACKED, recording
from septet.graph.node import Node
from septet.graph.op import REQUIRED, Case, as_node, card, item, ops
from septet.graph.types import TensorType
from septet.ops.shaping import zeros_like
from septet.tensor import tree
from septet.tensor.tensor import Tensor
from septet.transform.vjp import vjp


class PullBack:
    """The user's gradient, as a parameter of a node: equal only to itself."""

    def __init__(self, call: Callable[..., Any], count: int) -> None:
        self.call = call
        self.count = count  # how many of the node's inputs are values; the others are arguments


def _gradient(g: Any, y: Any, *inputs: Node, pull_back: PullBack) -> list[Node | None]:
    cotangents = g if isinstance(g, tuple) else (g,)
    found = pull_back.call(*[Tensor(part) for part in cotangents])
    found = found if isinstance(found, (tuple, list)) else (found,)
    arguments = inputs[pull_back.count :]
    if len(found) != len(arguments):
        raise GradientError(
            f"custom_gradient: the pull-back returned {len(found)} gradients for {len(arguments)} arguments"
        )
    result: list[Node | None] = [None] * pull_back.count
    for position, (part, argument) in enumerate(zip(found, arguments, strict=True)):
        node = None if part is None else as_node(part.node if isinstance(part, Tensor) else part, argument.dtype)
        if node is not None and node.shape != argument.shape:
            raise ShapeError(
                f"custom_gradient: gradient {position} has shape {node.shape}, its argument {argument.shape}"
            )
        result.append(node)
    return result


def _types(*types: Any, pull_back: PullBack) -> Any:
    values = types[: pull_back.count]
    return values[0] if pull_back.count == 1 else tuple(values)


def _halved(g: Any) -> Any:
    return g * 0.5


custom = card(
    "custom_gradient", "*values_and_arguments", params={"pull_back": REQUIRED}, public=False,
    param_docs={"pull_back": "The user's function from cotangents of the values to those of the arguments."},
    summary="Return values as they are, with a gradient of the user's own with respect to arguments.",
    shape=_types, dtype=lambda *given, pull_back: (given, _types(*given, pull_back=pull_back)),
    reference=lambda *arrays, pull_back: arrays[0].view() if pull_back.count == 1 else arrays[: pull_back.count],
    gradient=_gradient, no_batch="the user's gradient is a Python function of one example",
    cases=[Case((3,), (3,), pull_back=PullBack(_halved, 1), gradient=False)],
)  # fmt: skip


def custom_gradient(call: Callable[..., Any]) -> Callable[..., Any]:
    """Give a function a gradient of your own.

    Parameters
    ----------
    call : callable
        Returns ``(value, pull_back)``: a tensor or tuple of tensors, and a function from its cotangents to one cotangent for
        each argument (None for none).

    Examples
    --------
    >>> import septet as st
    >>> @st.custom_gradient
    ... def straight_through(x):
    ...     return st.round(x), lambda g: g
    >>> st.grad(lambda x: straight_through(x) * 3)(1.4)
    tensor(3., dtype=float32)
    """

    @functools.wraps(call)
    def function(*args: Any) -> Any:
        nodes = [as_node(arg.node if isinstance(arg, Tensor) else arg) for arg in args]
        with recording(False):
            value, pull_back = call(*[Tensor(ops.stop_gradient(node)) for node in nodes])
        values, structure = tree.flatten(value)
        node = custom(*[v.node for v in values], *nodes, pull_back=PullBack(pull_back, len(values)))
        if not isinstance(node.type, TensorType):
            return tree.unflatten(structure, [Tensor(item(node, i)) for i in range(len(values))])
        return tree.unflatten(structure, [Tensor(node)])

    return function


def remat(call: Callable[..., Any]) -> Callable[..., Any]:
    """Compute a function's inside again for its gradient, instead of keeping it (Chen et al. 2016, "sublinear memory").

    Parameters
    ----------
    call : callable
        Takes tensors, returns a tensor or a tuple of them. Variables that it reads get their gradients as usual if they are
        passed as arguments.
    """

    @functools.wraps(call)
    def function(*args: Any) -> Any:
        nodes = [as_node(arg.node if isinstance(arg, Tensor) else arg) for arg in args]
        with recording(False):
            value = call(*[Tensor(node) for node in nodes])
        values, structure = tree.flatten(value)

        def pull_back(*cotangents: Tensor) -> tuple[Any, ...]:
            with recording(True):
                probes = [ops.identity(node) for node in nodes]
                for probe in probes:
                    probe.flags |= TRACKED if dtypes.is_differentiable(probe.dtype) else 0
                again, _ = tree.flatten(call(*[Tensor(probe) for probe in probes]))
                found = vjp([t.node for t in again], [g.node for g in cotangents], probes)
            return tuple(Tensor(zeros_like(n) if f is None else f) for f, n in zip(found, nodes, strict=True))

        node = custom(*[v.node for v in values], *nodes, pull_back=PullBack(pull_back, len(values)))
        parts = [node] if isinstance(node.type, TensorType) else [item(node, i) for i in range(len(values))]
        return tree.unflatten(structure, [Tensor(part) for part in parts])

    return function
