"""`vmap`: a function of one example becomes a function of batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from septet.base.errors import ArgumentError, NotSupportedError, ShapeError
from septet.base.shapes import check_axis
from septet.base.text import type_text
from septet.graph.context import context
from septet.graph.graph import order
from septet.graph.node import Node, symbol
from septet.graph.types import tensor_type
from septet.ops.shaping import broadcast_to, sizes_of, transpose
from septet.tensor import tree
from septet.tensor.tensor import Tensor
from septet.tensor.trace import Trace
from septet.transform.batch import batch_nodes
from septet.transform.functional import check_function, named
from septet.transform.probe import node_of


class _Examples(Trace):
    """What happens while a function runs on one example: effects wait for the batch, variables do not vary."""

    def __init__(self) -> None:
        super().__init__()
        self.symbols: set[Node] = set()

    def read(self, variable: Any) -> Node:
        """Return the node that a variable has outside."""
        with _Outside(self):
            return variable.node

    def assign(self, variable: Any, node: Node) -> None:
        """Assign outside; a value for each example is refused."""
        if self.depends(node):
            raise NotSupportedError(
                f"vmap: the function assigns {node.type!r} to the variable {variable.name!r}, a value for each example",
                hint="return the value, and assign a reduction of the batch outside",
            )
        with _Outside(self):
            variable.assign(Tensor(node))

    def keep(self, handle: Any) -> None:
        """Leave a hook on a variable to the trace around; without one, it stays."""
        if self.outer is not None:
            self.outer.keep(handle)

    def depends(self, node: Node) -> bool:
        """Tell whether a node differs from example to example."""
        return any(found in self.symbols for found in order([node]))


class _Outside:
    """Leave a trace for a moment."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace

    def __enter__(self) -> None:
        context.trace = self._trace.outer

    def __exit__(self, *error: object) -> None:
        context.trace = self._trace


def _axes_of(axes: Any, value: Any, what: str) -> list[Any]:
    """Return one axis (or None) for each leaf of a value; an axis stands for everything nested in its place."""
    if axes is None or (isinstance(axes, int) and not isinstance(axes, bool)):
        return [axes] * len(tree.flatten(value)[0])
    if isinstance(axes, dict) and isinstance(value, dict) and set(axes) == set(value):
        keys = sorted(value, key=repr)
        return [axis for key in keys for axis in _axes_of(axes[key], value[key], f"{what}[{key!r}]")]
    if isinstance(axes, (tuple, list)) and isinstance(value, (tuple, list)) and len(axes) == len(value):
        pairs = enumerate(zip(axes, value, strict=True))
        return [axis for i, (own, part) in pairs for axis in _axes_of(own, part, f"{what}[{i}]")]
    nested = repr(tree.flatten(value)[1])
    raise ArgumentError(f"vmap: {what} is {axes!r}; it must be an int, None, or nested like {nested}")


def _to_front(node: Node, axis: int, what: str) -> Node:
    """Bring the batch axis to the front."""
    if node.ndim == 0:
        raise ShapeError(f"vmap: {what} is a scalar {node.type!r}; it has no batch axis", hint="in_axes=None shares it")
    place = check_axis(axis, node.ndim, f"vmap: in_axes of {what}")
    return transpose(node, axes=(place, *[i for i in range(node.ndim) if i != place])) if place else node


def _from_front(node: Node, axis: int) -> Node:
    """Bring the batch axis from the front to its place."""
    place = check_axis(axis, node.ndim, "vmap: out_axes")
    return transpose(node, axes=(*range(1, place + 1), 0, *range(place + 1, node.ndim))) if place else node


def _check_sizes(batches: Iterable[tuple[str, Node, Any]]) -> None:
    """Refuse batches of different sizes."""
    first: tuple[str, int] | None = None
    for what, node, _ in batches:
        size = node.shape[0]
        if size is not None and first is not None and size != first[1]:
            raise ShapeError(
                f"vmap: {first[0]} is a batch of {first[1]}, {what} of {size} "
                f"({type_text(node)} with "
                f"the batch in front)"
            )
        if size is not None and first is None:
            first = (what, size)


def vmap(call: Callable[..., Any], in_axes: Any = 0, out_axes: Any = 0) -> Callable[..., Any]:
    """Return a function of batches, made of a function of one example.

    The function is run once, on symbols of the type of one example; then each op that it recorded is replaced by one
    for the whole batch. Python control flow on values of an example is therefore an error; `septet.where` and
    `septet.cond` are not.

    Parameters
    ----------
    call : callable
        Takes and returns tensors, or tuples, lists and dicts of them; other arguments are passed on as they are.
    in_axes : int, None, or sequence of them with one for each positional argument
        The batch axis; None for what all examples share. For a nested argument an entry may be nested alike. Arguments
        by name have the batch on axis 0.
    out_axes : int, None, or nested like the result
        Where the batch axis goes; None for a result that is the same for all examples.

    Returns
    -------
    callable

    Raises
    ------
    ShapeError
        If batch sizes differ, or a mapped argument is a scalar.
    TracedValueError
        If the function asks Python for the value of an example.
    NotSupportedError
        If an op has no batching rule, or the function assigns a value of one example to a variable.

    Gradient
    --------
    yes, of any order; `grad` and the other transforms may be used inside and outside

    Notes
    -----
    Random numbers drawn inside come from one generator and are the same for all examples; map over keys, or draw them
    outside, to have different ones.

    Examples
    --------
    >>> import septet as st
    >>> st.vmap(lambda a, b: (a * b).sum())(st.ones((4, 3)), st.ones((4, 3)))
    tensor([3., 3., 3., 3.], dtype=float32)
    >>> st.vmap(st.grad(lambda x: x ** 2))(st.tensor([1.0, 2.0]))
    tensor([2., 4.], dtype=float32)
    """
    check_function("vmap", call)

    def function(*args: Any, **words: Any) -> Any:
        if isinstance(in_axes, (tuple, list)) and len(in_axes) != len(args):
            raise ArgumentError(f"vmap: in_axes has {len(in_axes)} entries, the call {len(args)} positional arguments")
        leaves, structure = tree.flatten((args, words))
        axes = _axes_of(in_axes if args else (), args, "in_axes") + [0] * len(tree.flatten(words)[0])
        texts = [path[len("[0]") :] for path in tree.paths((args, words))]
        batches: list[tuple[str, Node, Node]] = []
        trace = _Examples()
        handles = []
        for leaf, axis, text in zip(leaves, axes, texts, strict=True):
            if axis is not None:
                what = f"argument {text}"
                node = _to_front(node_of(leaf, f"vmap: {what}"), axis, what)
                one = symbol(tensor_type(node.dtype, node.shape[1:]), f"example of {what}", is_tracked=node.is_tracked)
                batches.append((what, node, one))
                trace.symbols.add(one)
                leaf = Tensor(one)
            handles.append(leaf)
        if not batches:
            raise ArgumentError("vmap: no argument has a batch axis; in_axes must name one")
        _check_sizes(batches)
        own_args, own_words = tree.unflatten(structure, handles)
        with trace:
            result = call(*own_args, **own_words)
        if any(gradient is not None for gradient in trace.gradients.values()):
            raise NotSupportedError(
                "vmap: backward() inside leaves a gradient for each example in variables",
                hint="use st.grad inside, and return the gradients",
            )
        found, nested = tree.flatten(result)
        paths = tree.paths(result)
        nodes = [node_of(v, f"vmap: the result{path}") for v, path in zip(found, paths, strict=True)]
        out = _axes_of(out_axes, result, "out_axes")
        outputs, marks = batch_nodes([*nodes, *trace.effects], {one: node for _, node, one in batches})
        known = [node for _, node, _ in batches if node.shape[0] is not None]
        size = sizes_of(known[0] if known else batches[0][1])[0]
        results = []
        for node, mark, axis, path in zip(outputs, marks, out, paths, strict=False):
            if axis is None:
                if mark:
                    raise ArgumentError(f"vmap: out_axes of the result{path} is None, but it differs within the batch")
                results.append(Tensor(node))
                continue
            full = node if mark else broadcast_to(node, (size, *sizes_of(node)))
            results.append(Tensor(_from_front(full, axis)))
        return tree.unflatten(nested, results)

    return named("vmap", call, function)
