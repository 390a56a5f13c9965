"""Gradient hooks: functions of the user that see the gradient of a tensor while it flows back, and may replace it.

They are kept with the node of a tensor, or with a variable (each value of which has a node of its own). Reverse mode
calls them when all parts of a node's gradient have arrived, before it goes on to the inputs, so whether the tensor was
used before or after does not matter. What a hook computes is recorded like anything else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from septet.base.errors import ArgumentError, GradientError
from septet.base.source import source_text
from septet.graph.context import context
from septet.graph.node import VARIABLE, Node
from septet.tensor.tensor import Tensor
from septet.tensor.trace import Note, note, note_change
from septet.tensor.variable import Variable, variables_text
from septet.transform.probe import vector_like


class Hooks(Note):
    """The functions that are registered for a variable."""

    __slots__ = ()

    def read(self) -> tuple[Callable[[Tensor], Any], ...]:
        return tuple([handle.function for handle in self.owner.hooks or ()])

    @classmethod
    def describe(cls, changed: Sequence[Hooks]) -> list[str]:
        return [f"gradient hooks of {variables_text([note.owner for note in changed])} have changed"]


class HookHandle:
    """A registered hook. Made by `Tensor.register_hook`; as a context manager it removes the hook at the end.

    Attributes
    ----------
    function : callable
    """

    def __init__(self, owner: Node | Variable, function: Callable[[Tensor], Any]) -> None:
        self.function = function
        self._variable = owner if isinstance(owner, Variable) else None
        self._note_before()
        if owner.hooks is None:
            owner.hooks = []
        self._entries = owner.hooks
        self._entries.append(self)
        self._note_after()

    def __call__(self, g: Node) -> Node:
        """Let the function see a gradient; return what goes on."""
        result = self.function(Tensor(g))
        if result is None:
            return g
        node = vector_like(result, g, f"the gradient returned by the hook {_name(self.function)}")
        assert node is not None
        return node

    def remove(self) -> None:
        """Take the hook off; once more does nothing."""
        if self in self._entries:
            self._note_before()
            self._entries.remove(self)
            self._note_after()

    def _note_before(self) -> None:
        """The hooks that a traced function finds count, although it changes them: it adds to them, or takes away."""
        if self._variable is not None:
            note(Hooks, self._variable)

    def _note_after(self) -> None:
        if self._variable is not None:
            note_change(Hooks, self._variable)

    def __enter__(self) -> HookHandle:
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()

    def __repr__(self) -> str:
        state = "" if self in self._entries else ", removed"
        return f"HookHandle({_name(self.function)}{state})"


def hooked(node: Node, g: Node) -> Node:
    """Let the hooks of a node, or of the variable that it reads, see its whole gradient, and replace it."""
    of_variable: Any = ()
    if node.op is VARIABLE:
        variable = node.params[0]
        note(Hooks, variable)
        of_variable = variable.hooks or ()
    for hook in (*of_variable, *(node.hooks or ())):
        g = hook(g)
    return g


def _name(function: Any) -> str:
    return getattr(function, "__name__", type(function).__name__)


def register_hook(self: Tensor, hook: Callable[[Tensor], Any]) -> HookHandle:
    """Have a function called with the gradient of this tensor, whenever reverse mode works it out.

    Parameters
    ----------
    hook : callable
        Takes the gradient, a tensor like this one. It may return another in its place, of the same shape and dtype,
        or None to leave it as it is. Several hooks are called in the order in which they were registered, each with
        what the one before made of the gradient.

    Returns
    -------
    HookHandle
        ``handle.remove()`` takes the hook off; ``with x.register_hook(f):`` does so at the end of the block.

    Raises
    ------
    GradientError
        If no gradient can flow through the tensor.
    ShapeError, DTypeError
        If what the hook returns is not like the gradient; when it returns.

    Notes
    -----
    `backward`, `st.grad`, `st.vjp`, optimizers and everything made of reverse mode call hooks; forward mode does not.

    The hook belongs to the value that the tensor has now: not to what ``x += 1`` makes of the handle, but to every
    handle of the same value (``x.astype`` of the same dtype). The hook of a variable is called for each value of it
    that was read, before the gradient is added to ``variable.grad``.

    Inside `st.compile`, and while a symbolic graph is differentiated, the hook is called once, with a symbolic tensor,
    and what it computes becomes part of the graph. A compiled function is compiled anew when hooks of its variables
    have changed; a hook of a variable that the traced function itself registers lasts as long as the trace. Graphs
    that are saved do not hold hooks.

    Source
    ------
    PyTorch, ``Tensor.register_hook``.

    Examples
    --------
    >>> import septet as st
    >>> w = st.Variable([1.0, 2.0])
    >>> y = w * 3
    >>> handle = y.register_hook(lambda g: st.clip(g, -1, 1))
    >>> (y * y).sum().backward()
    >>> w.grad
    tensor([3., 3.], dtype=float32)
    """
    if not callable(hook):
        raise ArgumentError(f"register_hook needs a function of the gradient, got {type(hook).__name__}")
    if isinstance(self, Variable):
        if not self.trainable:
            raise GradientError(
                f"register_hook: variable {self.name!r} ({self.role}) is not trainable, so it has no gradient"
            )
        handle = HookHandle(self, hook)
        if context.trace is not None:
            context.trace.keep(handle)
        return handle
    node = self.node
    if not node.is_tracked:
        raise GradientError(
            f"register_hook: no gradient flows through {node.op.name} {node.type!r}, made at "
            f"{source_text(node.source)}",
            hint="it must depend on a trainable st.Variable, a symbol, or an argument that is differentiated; no_grad, "
            "detach and integer conversions cut the path",
        )
    return HookHandle(node, hook)
