"""Printing, checking and calling Python from inside graphs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from septet.base.errors import ArgumentError, DTypeError
from septet.graph.node import Node
from septet.graph.op import as_node, cast_to, items, ops, record
from septet.graph.types import TensorType
from septet.ops import io as ops_io
from septet.ops.shaping import split_sizes
from septet.tensor.tensor import Tensor
from septet.tensor.wrap import unwrap, wrap


def print(*values: Any, format: str | None = None, sep: str = " ", end: str = "\n") -> Any:
    """Print tensors when they are computed: in define-by-run code at once, in compiled code at each run.

    Parameters
    ----------
    *values
        Tensors, and anything else, which is printed as its text of now.
    format : str, optional
        A format string with a field for each tensor, instead of the values in a row: ``"loss {:.3f} at {}"``.
    sep, end : str
        As in Python's print.

    Returns
    -------
    Tensor or None
        The first tensor. In a symbolic graph without a trace (``st.function``) it must be used instead of the one
        given, or nothing is printed, because nothing depends on it.

    Gradient
    --------
    yes: that of the first tensor, unchanged

    Examples
    --------
    >>> import septet as st
    >>> x = st.print("x is", st.tensor(2.5))
    x is 2.5
    """
    tensors = [unwrap(value) for value in values if isinstance(value, Tensor)]
    if format is None:
        text = sep.join("{}" if isinstance(value, Tensor) else _plain(value) for value in values)
    elif len(tensors) != len(values):
        raise ArgumentError("print: with a format, all values are tensors", hint="put the other text into the format")
    else:
        text = format
    if not tensors:
        record(ops_io.print_value, (as_node(False),), (text + _plain(end),))
        return None
    return Tensor(record(ops_io.print_value, tuple(tensors), (text + _plain(end),)))


def _plain(value: Any) -> str:
    """Return the text of a value, with the braces that a format string needs."""
    return str(value).replace("{", "{{").replace("}", "}}")


def check_that(condition: Any, message: str, *values: Any) -> Any:
    """Raise `UserFunctionError` when a condition does not hold; in compiled code at each run.

    Parameters
    ----------
    condition : tensor of dtype bool
        Must be true in every element.
    message : str
        What the error says; fields (``{}``, ``{:.3f}``) take the values in order, and values without a field follow it.
    *values : tensor

    Returns
    -------
    Tensor
        The first value, or the condition where there is none; to be used in its place in a symbolic graph
        (``st.function``).

    Raises
    ------
    UserFunctionError
        When the condition fails.
    DTypeError
        If the condition is not of dtype bool.

    Examples
    --------
    >>> import septet as st
    >>> x = st.tensor([1.0, 2.0])
    >>> x = st.check_that(x > 0, "x must be positive, got {}", x)
    """
    return _check(condition, message, values, "condition")


def check_finite(x: Any, message: str = "the value is not finite") -> Tensor:
    """Raise `NonFiniteError` when a tensor holds NaN or infinity; in compiled code at each run.

    Returns
    -------
    Tensor
        The tensor itself.
    """
    node = as_node(unwrap(x))
    return _check(ops.isfinite(node), message, (node,), "finite")


def _check(condition: Any, message: str, values: Any, kind: str) -> Tensor:
    test = as_node(unwrap(condition))
    if test.dtype.name != "bool":
        raise DTypeError(f"check_that: a condition has dtype bool, got {test.tensor_type!r}", hint="compare: x > 0")
    nodes = [as_node(unwrap(value)) for value in values]
    return Tensor(record(ops_io.check, (nodes[0] if nodes else test, test, *nodes), (message, kind)))


class _Gradient:
    """A user's gradient, written for tensors, as a rule for nodes; equal where the user's function is the same."""

    __slots__ = ("call", "is_single")

    def __init__(self, call: Callable[..., Any], is_single: bool) -> None:
        self.call = call
        self.is_single = is_single

    def __call__(self, g: Any, y: Any, *inputs: Node) -> list[Node | None]:
        cotangents = Tensor(g[0]) if self.is_single else wrap(tuple(g))
        found = self.call(cotangents, *[Tensor(node) for node in inputs])
        found = found if isinstance(found, (tuple, list)) else (found,)
        given = zip(found, (*inputs, *[None] * (len(found) - len(inputs))), strict=False)
        return [_cotangent(own, node) for own, node in given]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Gradient) and self.call == other.call and self.is_single == other.is_single

    def __hash__(self) -> int:
        return hash((self.call, self.is_single))

    @property
    def __name__(self) -> str:
        return getattr(self.call, "__name__", "gradient")


def _cotangent(value: Any, like: Node | None) -> Node | None:
    if value is None or like is None:
        return None if value is None else as_node(unwrap(value))
    node = as_node(unwrap(value), like.dtype)
    return node if node.dtype.kind != like.dtype.kind else cast_to(node, like.dtype)


def callback(
    fn: Callable[..., Any],
    result: Any,
    *args: Any,
    gradient: Callable[..., Any] | None = None,
    vectorized: bool = False,
    effect: bool | None = None,
) -> Any:
    """Call a Python function on arrays from inside a graph.

    Parameters
    ----------
    fn : callable
        Takes NumPy arrays (read-only) and returns arrays of the declared types.
    result : (dtype, shape), tensor, list of them, or None
        What the function returns; a list for several results, None for none. A size may be an integer scalar tensor, or
        None where it is not known before the function is called: then what depends on it is not compiled.
    *args : tensor
    gradient : callable, optional
        ``gradient(g, *args)``: from the cotangent of the result (a tuple for several) and the arguments, all tensors,
        to a cotangent or None for each argument. Without it nothing can be differentiated through the callback.
    vectorized : bool
        Whether ``st.vmap`` may call the function once with one more axis in front of all arguments and results;
        otherwise it is called for each example.
    effect : bool, optional
        Whether the function is called for what it does: then it runs exactly once each time, in order, even if nothing
        depends on it. By default only if there is no result.

    Returns
    -------
    Tensor, tuple of Tensor, or None

    Raises
    ------
    UserFunctionError
        If the function raises (its exception is chained), or returns something else than it declared.
    ArgumentError
        If a result is not declared as it should be.

    Examples
    --------
    >>> import septet as st
    >>> import numpy as np
    >>> st.callback(np.cumsum, ("float32", (3,)), st.tensor([1.0, 2.0, 3.0]))
    tensor([1., 3., 6.], dtype=float32)
    """
    is_single = result is not None and not isinstance(result, list)
    declared, sized, sizes = _declared([result] if is_single else (result or ()))
    rule = None if gradient is None else _Gradient(gradient, is_single)
    op = ops_io.effect_callback if (result is None if effect is None else effect) else ops_io.callback
    nodes = (*[as_node(unwrap(arg)) for arg in args], *sizes)
    found = tuple([Tensor(node) for node in items(record(op, nodes, (fn, declared, rule, vectorized, sized)))])
    if result is None:
        return None
    return found[0] if is_single else found


def _declared(results: Sequence[Any]) -> tuple[tuple[TensorType, ...], tuple[tuple[int, int], ...], list[Node]]:
    """Return the types of declared results; of the sizes in them that are tensors, where they stand, and these."""
    types: list[TensorType] = []
    places: list[tuple[int, int]] = []
    sizes: list[Node] = []
    for number, own in enumerate(results):
        if isinstance(own, tuple) and len(own) == 2 and isinstance(own[1], (tuple, list)):
            shape: list[Any] = []
            for axis, size in enumerate(own[1]):
                (static,), dynamic = split_sizes(unwrap(size), "result") if isinstance(size, Tensor) else ((size,), ())
                shape.append(static)
                places += [(number, axis)] * len(dynamic)
                sizes += dynamic
            own = own[0], tuple(shape)
        types.append(ops_io.as_type(own))
    return tuple(types), tuple(places), sizes


__all__ = ["callback", "check_finite", "check_that", "print"]
