"""`backward`: gradients of a recorded loss, accumulated in the variables that it was computed from."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from septet.base import dtypes
from septet.base.config import config
from septet.base.errors import GradientError, ShapeError
from septet.base.source import source_text
from septet.base.text import shape_text
from septet.base.watch import DIFFERENTIATE, span
from septet.graph.context import SPENT, TRACKED, context, recording
from septet.graph.node import VARIABLE, Node
from septet.graph.op import as_node
from septet.graph.pending import wanted
from septet.ops.shaping import ones_like
from septet.tensor.tensor import Tensor
from septet.tensor.variable import Variable, is_replaced, replaced_error
from septet.transform.pullback import defer
from septet.transform.vjp import vjp


def backward(self: Tensor, gradient: Any = None, *, create_graph: bool = False) -> None:
    """Add the gradients of this tensor to ``grad`` of every trainable variable that it depends on.

    Parameters
    ----------
    gradient : tensor, optional
        The cotangent of this tensor; a scalar needs none.
    create_graph : bool
        Whether the gradients can be differentiated again.

    Raises
    ------
    GradientError
        If the tensor is not a real scalar (and no `gradient` is given), or no path leads to a trainable variable.
    """
    node = self.node
    if gradient is None:
        if node.ndim > 0 or not dtypes.is_float(node.dtype):
            raise GradientError(
                f"backward needs a real scalar, this tensor is {node.type!r} ({node.op.name}, made at "
                f"{source_text(node.source)})",
                hint="reduce it with .sum() or .mean(), or pass the cotangent: y.backward(gradient)",
            )
        cotangent = ones_like(node)
    else:
        cotangent = as_node(gradient.node if isinstance(gradient, Tensor) else gradient, node.dtype)
        if cotangent.shape != node.shape:
            raise ShapeError(
                f"backward: the tensor has shape {shape_text(node.shape)}, the given gradient "
                f"{shape_text(cotangent.shape)}"
            )
    if not node.flags & TRACKED:
        raise GradientError(
            f"backward: {node.op.name} {node.type!r} does not depend on a trainable variable",
            hint="no_grad, detach and integer conversions cut the path; parameters must be st.Variable",
        )
    leaves: dict[Variable, list[Node]] = {}
    reached = _tracked(node)
    path = sorted(reached, key=attrgetter("serial"))
    for own in reversed(reached):
        if own.op is VARIABLE:
            if is_replaced(own):
                raise replaced_error(own, "backward")
            leaves.setdefault(own.params[0], []).append(own)
    flat = [leaf for group in leaves.values() for leaf in group]
    with recording(create_graph), span(DIFFERENTIATE, "backward"):
        deferred = None if create_graph or config.check_nan else defer(path, cotangent, flat)
        found = iter(vjp([node], [cotangent], flat) if deferred is None else deferred)
        for variable, group in leaves.items():
            for _ in group:
                g = next(found)
                if g is not None:
                    _accumulate(variable, Tensor(g))
    if context.trace is None and not create_graph:
        for own in path:
            own.flags |= SPENT
    if context.trace is None and node.value is None:
        wanted.add(node)


def _tracked(root: Node) -> dict[Node, None]:
    """Return the tracked nodes that a tracked node depends on, itself included, in an order that depends on nothing but
    how they are connected."""
    seen: dict[Node, None] = {root: None}
    _follow(seen, [root])
    return seen


def _follow_in_python(seen: dict[Node, None], stack: list[Node]) -> None:
    while stack:
        for source in stack.pop().inputs:
            if source.flags & TRACKED and source not in seen:
                seen[source] = None
                stack.append(source)


_follow: Any = _follow_in_python


def use(follow: Any = _follow_in_python) -> None:
    """Have another function follow tracked nodes; without an argument, it is done in Python."""
    global _follow
    _follow = follow


def _accumulate(variable: Variable, g: Tensor) -> None:
    before = variable.grad
    variable.grad = g if before is None else Tensor(before.node + g.node)  # type: ignore[operator]


class grad_mode:
    """Switch the tracking of gradients for a block or a function; see `no_grad` and `enable_grad`."""

    def __init__(self, is_on: bool) -> None:
        self._is_on = is_on
        self._stack: list[Any] = []

    def __enter__(self) -> None:
        manager = recording(self._is_on)
        self._stack.append(manager)
        manager.__enter__()

    def __exit__(self, *error: Any) -> None:
        self._stack.pop().__exit__(*error)

    def __call__(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def function(*args: Any, **words: Any) -> Any:
            with recording(self._is_on):
                return call(*args, **words)

        function.__name__ = getattr(call, "__name__", "function")
        function.__doc__ = call.__doc__
        function.__wrapped__ = call  # type: ignore[attr-defined]
        return function


def no_grad(call: Callable[..., Any] | None = None) -> Any:
    """Record without tracking gradients: ``with st.no_grad():`` or ``@st.no_grad``."""
    mode = grad_mode(False)
    return mode if call is None else mode(call)


def enable_grad(call: Callable[..., Any] | None = None) -> Any:
    """Track gradients again inside a `no_grad` block."""
    mode = grad_mode(True)
    return mode if call is None else mode(call)


def is_grad_enabled() -> bool:
    """Tell whether gradients are tracked in this thread."""
    return bool(context.mask & TRACKED)
