"""Gradients of the user's own, and rematerialisation."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from septet.base import dtypes
from septet.base.errors import ArgumentError, ShapeError
from septet.base.text import shape_text
from septet.graph.context import TRACKED, context
from septet.graph.node import Node, symbol
from septet.graph.op import items, record
from septet.graph.types import tensor_type
from septet.ops import custom as ops_custom
from septet.ops.cast import cast
from septet.ops.gradient import identity, stop_gradient
from septet.tensor import tree
from septet.tensor.tensor import Tensor
from septet.transform.closing import close
from septet.transform.functional import check_function
from septet.transform.probe import node_of


class CustomGradient:
    """A function with a gradient of the user's own. Made by `custom_gradient`."""

    def __init__(self, call: Callable[..., Any]) -> None:
        functools.update_wrapper(self, call)
        self._call = call
        self._rules: tuple[Callable[..., Any], Callable[..., Any]] | None = None

    def defvjp(self, forward: Callable[..., Any], backward: Callable[..., Any]) -> None:
        """Define the gradient by two functions.

        Parameters
        ----------
        forward : callable
            ``forward(*args) -> (value, residuals)``, where the function itself returns the value alone.
        backward : callable
            ``backward(residuals, cotangent) -> gradients``, one for each argument, None for zero; the cotangent has the
            structure of the value.
        """
        check_function("defvjp", forward)
        check_function("defvjp", backward)
        self._rules = (forward, backward)

    def _run(self, args: Any, words: Any) -> tuple[Any, Callable[[Any], Any]]:
        """Return the value, and the function from its cotangent, in its structure, to gradients."""
        name = f"custom_gradient({self.__name__})"  # type: ignore[attr-defined]
        result = (self._rules[0] if self._rules else self._call)(*args, **words)
        if not isinstance(result, (tuple, list)) or len(result) != 2:
            what = "(value, residuals)" if self._rules else "(value, pull_back)"
            raise ArgumentError(f"{name}: the function must return a pair {what}, got {type(result).__name__}")
        value, second = result
        if self._rules:
            backward = self._rules[1]
            return value, lambda g: backward(second, g)
        check_function(f"{name}: the pull-back", second)
        return value, lambda g: second(*g) if isinstance(value, (tuple, list)) else second(g)

    def __call__(self, *args: Any, **words: Any) -> Any:
        """Call the function; gradients go the way that was defined."""
        name = f"custom_gradient({self.__name__})"  # type: ignore[attr-defined]
        arguments = [_Argument(arg, f"{name}: argument {number}") for number, arg in enumerate(args)]
        value, pull_back = self._run([argument.value for argument in arguments], words)
        leaves, structure = tree.flatten(value)
        paths = tree.paths(value)
        values = [node_of(v, f"{name}: the value{path}") for v, path in zip(leaves, paths, strict=True)]
        smooth = [node for argument in arguments for node in argument.nodes if dtypes.is_differentiable(node.dtype)]
        if not context.mask & TRACKED or not any(node.is_tracked for node in smooth):
            return tree.unflatten(structure, [Tensor(stop_gradient(node)) for node in values])
        seeds = [symbol(node.tensor_type) for node in values]
        start = min(seed.serial for seed in seeds) if seeds else 0
        handles = [Tensor(s) if dtypes.is_differentiable(s.dtype) else None for s in seeds]
        targets: list[Node] = []
        gradients: list[Node] = []
        found = _one_each(name, pull_back(tree.unflatten(structure, handles)), arguments)
        for argument, given in zip(arguments, found, strict=True):
            for node, g in argument.match(given):
                targets.append(node)
                gradients.append(g)
        seeds = [seed for seed in seeds if dtypes.is_differentiable(seed.dtype)]
        graph, residuals = close(gradients, seeds, start, f"pull-back of {name}")
        places = tuple(range(len(values), len(values) + len(targets)))
        node = record(ops_custom.custom_gradient, (*values, *targets, *residuals), (graph, len(values), places))
        return tree.unflatten(structure, [Tensor(part) for part in items(node)])


def _one_each(name: str, found: Any, arguments: Sequence[_Argument]) -> list[Any]:
    """Return what a pull-back gave as one gradient for each argument; for one argument it may stand alone."""
    count = len(arguments)
    is_row = isinstance(found, (tuple, list))
    if count == 1 and (not is_row or tree.flatten(found)[1] == arguments[0].structure):
        return [found]
    if not is_row or len(found) != count:
        given = len(found) if is_row else 1
        raise ArgumentError(f"{name}: the pull-back returned {given} gradients for {count} arguments")
    return list(found)


class _Argument:
    """One argument: its tensors, and what else it holds."""

    def __init__(self, value: Any, name: str) -> None:
        self.name = name
        leaves, self.structure = tree.flatten(value)
        is_tensor = [isinstance(x, Tensor) or hasattr(x, "__array__") or dtypes.is_scalar(x) for x in leaves]
        self.slots = [node_of(x, name) if mark else None for x, mark in zip(leaves, is_tensor, strict=True)]
        handles = [x if node is None else Tensor(node) for x, node in zip(leaves, self.slots, strict=True)]
        self.value = tree.unflatten(self.structure, handles)

    @property
    def nodes(self) -> list[Node]:
        """The nodes of the tensors."""
        return [node for node in self.slots if node is not None]

    def match(self, gradient: Any) -> list[tuple[Node, Node]]:
        """Return pairs (node, gradient) for what a pull-back gave for this argument."""
        if gradient is None:
            return []
        leaves, structure = tree.flatten(gradient)
        if structure != self.structure:
            raise ArgumentError(
                f"{self.name} is nested like {self.structure!r}, its gradient like {structure!r}",
                hint="None stands for the gradient of a whole argument that has none",
            )
        pairs = []
        for node, leaf in zip(self.slots, leaves, strict=True):
            if node is None or not dtypes.is_differentiable(node.dtype):
                continue
            g = node_of(leaf, f"the gradient of {self.name}")
            if g.dtype != node.dtype:
                g = cast(g, dtype=node.dtype)
            if g.ndim != node.ndim or any(
                a is not None and b is not None and a != b for a, b in zip(g.shape, node.shape, strict=True)
            ):
                raise ShapeError(
                    f"{self.name} has shape {shape_text(node.shape)}, its gradient {shape_text(g.shape)}",
                    hint="sum over the axes along which the argument was broadcast",
                )
            pairs.append((node, g))
        return pairs


def custom_gradient(call: Callable[..., Any]) -> CustomGradient:
    """Give a function a gradient of your own.

    Parameters
    ----------
    call : callable
        Returns ``(value, pull_back)``: a tensor, or tuples, lists and dicts of them; and a function from one cotangent
        for each part of the value to one gradient for each argument (None for none). Arguments by name carry no
        gradient. Without the pull-back, `CustomGradient.defvjp` defines the gradient.

    Returns
    -------
    CustomGradient
        Called like the function.

    Raises
    ------
    ArgumentError, ShapeError
        If the gradients do not fit the arguments; when the function is called, not when its gradient is asked for.

    Gradient
    --------
    The one given. It can be differentiated again where it is made of differentiable functions; forward mode follows
    from it, and so does batching. Tensors that the function takes from outside get no gradient.

    Examples
    --------
    >>> import septet as st
    >>> @st.custom_gradient
    ... def straight_through(x):
    ...     return st.round(x), lambda g: g
    >>> st.grad(lambda x: straight_through(x) * 3)(1.4)
    tensor(3., dtype=float32)

    >>> @st.custom_gradient
    ... def clipped(x):
    ...     return x * x
    >>> clipped.defvjp(lambda x: (x * x, x), lambda x, g: st.clip(2 * x * g, -1, 1))
    >>> st.grad(clipped)(5.0)
    tensor(1., dtype=float32)
    """
    check_function("custom_gradient", call)
    return CustomGradient(call)


def remat(call: Callable[..., Any]) -> Callable[..., Any]:
    """Compute the inside of a function again for its gradient, instead of keeping it.

    Only the arguments, the results, and what the function takes from outside (variables too, which get their gradients)
    live until the gradient is computed. This saves memory and costs time: one more run of the function.

    Parameters
    ----------
    call : callable
        Returns a tensor, or tuples, lists and dicts of them.

    Returns
    -------
    callable
        Called like the function.

    Gradient
    --------
    yes, of any order

    Source
    ------
    Chen et al. 2016, "Training deep nets with sublinear memory cost".

    Examples
    --------
    >>> import septet as st
    >>> st.grad(lambda x: st.remat(lambda y: st.exp(st.exp(y)))(x))(0.0)
    tensor(2.7182817, dtype=float32)
    """
    check_function("remat", call)

    @functools.wraps(call)
    def function(*args: Any, **words: Any) -> Any:
        name = getattr(call, "__name__", type(call).__name__)
        leaves, structure = tree.flatten((args, words))
        before: list[Node] = []
        probes: list[Node] = []
        handles = []
        for leaf in leaves:
            if isinstance(leaf, Tensor):
                before.append(leaf.node)
                probe = record(identity, (leaf.node,))
                probe.value = before[-1].value
                probes.append(probe)
                leaf = Tensor(probe)
            handles.append(leaf)
        start = symbol(tensor_type(dtypes.bool_, ())).serial  # what is made from here on is the function's
        given, named = tree.unflatten(structure, handles)
        result = call(*given, **named)
        found, shape = tree.flatten(result)
        outputs = [node_of(v, f"remat({name}): the result{p}") for v, p in zip(found, tree.paths(result), strict=True)]
        graph, operands = close(outputs, probes, start, name)
        node = record(ops_custom.remat, (*before, *operands), (graph,))
        return tree.unflatten(shape, [Tensor(part) for part in items(node)])

    return function
