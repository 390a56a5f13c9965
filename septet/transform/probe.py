"""Probes: fresh nodes that stand for the arguments of a function while it is differentiated."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from septet.base import dtypes
from septet.base.errors import DTypeError, GradientError, ShapeError
from septet.base.text import shape_text
from septet.graph.context import SYMBOLIC, TRACKED, context, recording
from septet.graph.graph import order
from septet.graph.node import Node
from septet.graph.op import Op, as_node, cast_to, record
from septet.ops.gradient import identity
from septet.tensor import tree
from septet.tensor.tensor import Tensor


def node_of(value: Any, name: str) -> Node:
    """Return the node of a tensor, an array or a number.

    Raises
    ------
    DTypeError
        If the value is none of these; `name` says which one it is.
    """
    if isinstance(value, Tensor):
        return value.node
    try:
        return as_node(value)
    except DTypeError as error:
        raise DTypeError(f"{name} is no tensor: {error.message}", hint=error.hint) from None


def vector_like(value: Any, like: Node, what: str) -> Node | None:
    """Return the node of a tangent or a cotangent for another node, of its shape and dtype; None stays None."""
    if value is None:
        return None
    given = as_node(value.node if isinstance(value, Tensor) else value, like.dtype)
    if len(given.shape) != len(like.shape) or any(
        a is not None and b is not None and a != b for a, b in zip(given.shape, like.shape, strict=True)
    ):
        raise ShapeError(f"{what} has shape {shape_text(given.shape)}, it belongs to a tensor {like.type!r}")
    if given.dtype == like.dtype:
        return given
    if dtypes.KIND[given.dtype] > dtypes.KIND[like.dtype]:
        raise DTypeError(f"{what} is {given.dtype.name}, it belongs to a tensor {like.type!r}")
    return cast_to(given, like.dtype)


def make_probe(node: Node) -> Node:
    """Return a tracked identity of a node; a known value is known of the probe too."""
    probe = record(identity, (node,))
    probe.flags |= TRACKED
    probe.value = node.value
    return probe


def retire(probes: Sequence[Node], roots: Iterable[Node], keep: int = TRACKED) -> None:
    """Take back the flags that nodes have from the probes alone, so that results do not hold their graph for ever.

    Parameters
    ----------
    probes : sequence of Node
    roots : iterable of Node
        What was computed from them and still lives.
    keep : int
        0 where nothing that was recorded since may stay tracked: the caller does not track gradients.
    """
    if not probes:
        return
    first = min(probe.serial for probe in probes)
    for probe in probes:
        probe.flags = (probe.flags & ~TRACKED) | (probe.inputs[0].flags & keep & TRACKED if probe.inputs else 0)
    for node in order([*probes, *roots], stop=lambda n: n.serial < first):
        if node.serial < first or not isinstance(node.op, Op):
            continue
        if node.flags & TRACKED and not (keep and any(i.flags & TRACKED for i in node.inputs)):
            node.flags &= ~TRACKED
        if node.value is not None and not node.flags & (TRACKED | SYMBOLIC):
            node.settle(node.value)


class Run:
    """A function of tensors, run with probes in place of arguments.

    Parameters
    ----------
    name : str
        The transform that it is run for, for messages.
    call : callable
    args : sequence
    argnums : iterable of int
        The arguments that are differentiated; each may be a nested structure.
    words : dict
        Arguments by name, which are passed on.
    is_strict : bool
        Whether a leaf that carries no gradient (an integer, a text) is an error; otherwise it is passed on as it is.

    Attributes
    ----------
    result : Any
        What the function returned.
    probes : list of Node
    """

    def __init__(
        self, name: str, call: Callable[..., Any], args: Sequence[Any], argnums: Iterable[int], words: dict[str, Any],
        *, is_strict: bool = True,
    ) -> None:  # fmt: skip
        self.name = name
        self.probes: list[Node] = []
        self.slots: list[tuple[Any, list[bool]]] = []  # for each argument its structure, and which leaves have a probe
        self._keep = context.mask & TRACKED
        replaced = list(args)
        with recording(True):
            for argnum in argnums:
                leaves, structure = tree.flatten(args[argnum])
                paths = [f"{name}: argument {argnum}{path}" for path in tree.paths(args[argnum])]
                handles = [self._replace(leaf, path, is_strict) for leaf, path in zip(leaves, paths, strict=True)]
                marks = [new is not old for new, old in zip(handles, leaves, strict=True)]
                self.slots.append((structure, marks))
                replaced[argnum] = tree.unflatten(structure, handles)
            try:
                self.result = call(*replaced, **words)
            except BaseException:
                retire(self.probes, (), self._keep)
                raise

    def _replace(self, leaf: Any, path: str, is_strict: bool) -> Any:
        """Return a handle of a probe, or the leaf itself where it carries no gradient."""
        is_number = isinstance(leaf, Tensor) or hasattr(leaf, "__array__") or dtypes.is_scalar(leaf)
        if not is_number and not is_strict:
            return leaf
        node = node_of(leaf, path)
        if not dtypes.is_differentiable(node.dtype):
            if not is_strict:
                return leaf
            raise GradientError(
                f"{path} is {node.type!r}, which carries no gradient",
                hint="gradients are for floats and complex numbers: write 2.0 for 2, or convert with "
                ".astype('float32')",
            )
        probe = make_probe(node)
        self.probes.append(probe)
        return Tensor(probe)

    def per_argument(self, nodes: Iterable[Any]) -> tuple[Any, ...]:
        """Put one value for each probe into the structures of the arguments; None where there is no probe."""
        rest = iter(nodes)
        return tuple(
            [tree.unflatten(structure, [next(rest) if m else None for m in marks]) for structure, marks in self.slots]
        )

    def outputs(self, result: Any) -> tuple[list[Node], Any]:
        """Return the nodes of a function's result, and its structure."""
        leaves, structure = tree.flatten(result)
        paths = tree.paths(result)
        return [node_of(v, f"{self.name}: the result{p}") for v, p in zip(leaves, paths, strict=True)], structure

    def retire(self, *roots: Node | None) -> None:
        """Retire the probes; `roots` are results besides those of the function."""
        own = [leaf.node for leaf in tree.flatten(self.result)[0] if isinstance(leaf, Tensor)]
        retire(self.probes, [*own, *[root for root in roots if root is not None]], self._keep)
