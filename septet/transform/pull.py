"""Pulls: what the gradient rule of an op records, kept for all nodes with the same parameters and input types.

A rule is a Python function that records several nodes, and what it records follows from parameters and types alone
(but for the inputs that its card names in `gradient_reads`). So it is asked once, about symbols, and the graph that
comes out is used for every node of that kind.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from septet.base import dtypes
from septet.base.source import Source
from septet.graph.assemble import apart
from septet.graph.context import TRACKED
from septet.graph.graph import Graph, order
from septet.graph.node import CONSTANT, Node, constant, symbol
from septet.graph.op import ELEMENTWISE, ITEM, Op, item, ops, record
from septet.graph.resolution import Resolution
from septet.graph.types import TensorType
from septet.ops.cast import cast
from septet.ops.shaping import sum_to

MOST = 64  # pulls that are kept for one resolution: more than two or three only differ in the numbers that rules read


class Pull:
    """The gradient rule of an op for given types, as a graph.

    Attributes
    ----------
    gives : tuple of int
        The inputs of the op that receive a cotangent.
    passes : tuple of int
        Those of them that receive the very cotangent of the node.
    graph : Graph or None
        From what `takes` says to the cotangents of the other inputs that receive one; None where there are none.
    takes : tuple of int
        What the graph needs: 0 for the cotangent of the node, 1 for its value, 2 ... for its inputs.
    is_whole : bool
        Whether every input that was asked for receives a cotangent.
    number : int
        Another one for each pull.
    unit : object or None
        How the graph is computed: see `run.units`.
    views : tuple of int, or None
        Where the results begin in the cotangent, in bytes, if all of them are parts of it in one piece.
    region : int or None
        For a slice: where the part that receives the cotangent begins in the input, in bytes, if it is in one piece.
    """

    __slots__ = ("gives", "graph", "is_whole", "number", "passes", "region", "takes", "unit", "views")

    _numbers = itertools.count(1)

    def __init__(
        self, gives: tuple[int, ...], passes: tuple[int, ...], graph: Graph | None, takes: tuple[int, ...],
        is_whole: bool,
    ) -> None:  # fmt: skip
        self.gives = gives
        self.passes = passes
        self.graph = graph
        self.takes = takes
        self.is_whole = is_whole
        self.number = next(self._numbers)
        self.unit: Any = None
        self.views = None if graph is None or takes != (0,) else _views(graph)
        self.region: int | None = None

    def spread(self, g: object, results: Sequence[object]) -> list[object]:
        """Return the cotangents of the inputs in `gives`, given what the graph returned."""
        rest = iter(results)
        return [g if i in self.passes else next(rest) for i in self.gives]

    def write(self, values: Sequence[Node], source: Source | None) -> tuple[Node, ...]:
        """Record the nodes of the graph for what it takes, in the layer under way; `source` is the user's line."""
        assert self.graph is not None
        moved = dict(zip(self.graph.inputs, values, strict=True))
        for node in self.graph.nodes:
            if node in moved:
                continue
            if node.op is CONSTANT:
                moved[node] = node
            elif node.op is ITEM:
                moved[node] = item(moved[node.inputs[0]], node.params[0])
            else:
                moved[node] = fresh = record(node.op, tuple([moved[i] for i in node.inputs]), node.params)
                fresh.source = source
        return tuple([moved[node] for node in self.graph.outputs])


def pull_of(node: Node) -> Pull | None:
    """Return the pull of a node with one result, for its tracked inputs; None where the rule has to be asked itself."""
    resolution = node.resolution
    if resolution is None:
        return None
    mask, bit = 0, 1
    for source in node.inputs:
        if source.flags & TRACKED:
            mask |= bit
        bit <<= 1
    slot: object = mask
    op = resolution.op
    if op.gradient_reads:
        slot = (mask, *[_number(node.inputs[i]) for i in op.gradient_reads])
    try:
        return resolution.pulls[slot]
    except KeyError:
        return _record(resolution, mask, slot, node.inputs)


def _number(node: Node) -> object:
    """Return what a gradient rule can see of an input whose value it looks at."""
    is_number = node.op is CONSTANT and node.type.shape == () and not node.flags  # type: ignore[union-attr]
    return repr(node.value.item()) if is_number else None


def _record(resolution: Resolution, mask: int, slot: object, inputs: Sequence[Node]) -> Pull | None:
    """Ask the gradient rule about symbols, and keep what it recorded."""
    reads = dtypes.reads_of_defaults.count
    pull = _ask(resolution, mask, inputs)
    if dtypes.reads_of_defaults.count != reads:  # it holds for the present settings only
        return None
    if len(resolution.pulls) >= MOST:
        resolution.pulls.clear()
    resolution.pulls[slot] = pull
    return pull


def _ask(resolution: Resolution, mask: int, given: Sequence[Node]) -> Pull | None:
    op, type_ = resolution.op, resolution.type
    known = isinstance(type_, TensorType) and type_.is_known and all(t.is_known for t in resolution.operands)
    if op.gradient is None or op.is_higher_order or op.has_effect or not known or resolution.given is None:
        return None
    with apart():
        g, y = symbol(type_), symbol(type_)  # type: ignore[arg-type]
        inputs = [symbol(t) for t in resolution.operands]
        for i in op.gradient_reads:
            if _number(given[i]) is not None:
                inputs[i] = constant(given[i].value)
        words = dict(zip(op.param_names, resolution.params, strict=True))
        found = apply(op, g, y, inputs, words, [bool(mask >> i & 1) for i in range(len(inputs))])
        gives = tuple([i for i, part in enumerate(found) if part is not None])
        passes = tuple([i for i in gives if found[i] is g])
        results = [part for part in found if part is not None and part is not g]
        is_whole = len(gives) == mask.bit_count()
        if not results:
            return Pull(gives, passes, None, (), is_whole)
        needed = set(order(results))
        own = [g, y, *inputs]
        takes = tuple([i for i, node in enumerate(own) if node in needed and node.op is not CONSTANT])
        for node in needed:
            node.source = None  # it belongs to no line of the user
        pull = Pull(gives, passes, Graph([own[i] for i in takes], results, name=op.name), takes, is_whole)
        pull.region = offset(resolution)
        return pull


def _views(graph: Graph) -> tuple[int, ...] | None:
    """Return where the outputs begin in the one input, if all are parts of it in one piece."""
    found = []
    for node in graph.outputs:
        start = 0
        while node is not graph.inputs[0]:
            own = None if node.resolution is None else offset(node.resolution)
            if own is None:
                return None
            start += own
            (node,) = node.inputs
        found.append(start)
    return tuple(found)


def offset(resolution: Resolution) -> int | None:
    """Return where the result begins in the input, in bytes, if it is a part of it in one piece as it lies in memory.

    None for what is neither a slice nor in another shape only.
    """
    name = resolution.op.name
    if name == "reshape":
        return 0 if len(resolution.operands) == 1 else None
    if name != "slice":
        return None
    (source,), result = resolution.operands, resolution.type
    assert isinstance(result, TensorType)
    start, stride, is_part = 0, source.dtype.itemsize, False
    slices = resolution.params[0]
    for (first, _, step), size, own in reversed(list(zip(slices, source.shape, result.shape, strict=True))):
        if size is None or own is None or own == 0 or step != 1 or (is_part and own != 1):
            return None
        start += first * stride
        stride *= size
        is_part = is_part or own != size
    return start


def apply(
    op: Op, g: Any, y: Any, inputs: Sequence[Node], words: dict[str, Any], needed: Sequence[bool]
) -> list[Node | None]:
    """Apply the gradient rule of an op.

    Parameters
    ----------
    op : Op
    g, y : Node
        Cotangent and value; tuples of nodes for an op with several results.
    inputs : sequence of Node
    words : dict
        The parameters by name, and what the rules of ops that hold graphs are given besides.
    needed : sequence of bool
        Which inputs' cotangents are asked for.

    Returns
    -------
    list of (Node or None)
        One cotangent for each input; None where it is zero or not needed.
    """
    assert op.gradient is not None
    pulled = op.gradient(g, y, *inputs, **words)
    if op.kind != ELEMENTWISE:
        return [p if need else None for p, need in zip(pulled, needed, strict=True)]
    return [
        fit(p, source) if need and p is not None else None
        for p, source, need in zip(pulled, inputs, needed, strict=True)
    ]


def fit(g: Node, like: Node) -> Node | None:
    """Bring a cotangent to the shape and the dtype of the input that was broadcast or converted."""
    if not dtypes.is_differentiable(like.dtype):
        return None
    if g.type is like.type:
        return g
    g = sum_to(g, like)
    if dtypes.is_complex(g.dtype) and not dtypes.is_complex(like.dtype):
        g = ops.real(g)
    return g if g.dtype == like.dtype else cast(g, dtype=like.dtype)
