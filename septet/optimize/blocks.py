"""Products whose results are large and soon reduced, computed block by block of rows: attention.

softmax(q k^T) v multiplies small matrices, but what is between the two products has an element for each pair of
positions. Nobody needs all of it at once: a block of its rows follows from a block of the rows of q. So a first product
(a *source*), what is computed from it element by element and row by row, and the products that sum over its columns or
its rows (the *sinks*) become one node, `in_blocks`. A backend computes it for one block of rows after the other, while
the values of a block are in the cache. Where the large values are needed again, in the backward pass, they are computed
again: from q and k, in the same way, to the same bits.

It does not matter how the scores are scaled or masked, or how the softmax is written. Every axis of a value inside has
a label that says what it runs along: a number for an axis of the batch, `ROW` or `COLUMN`; or None, for an axis of size
1, and for those that the products of small matrices sum or keep. Labels follow from those of a result, backwards.

Source: the order of the work is that of Rabe and Staats 2021 (Self-attention Does Not Need O(n^2) Memory) and of Dao et
al. 2022 (FlashAttention); but a block has whole rows, so that sums and maxima are those of the graph as written.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from septet.base import dtypes
from septet.base.sizes import Size
from septet.graph.assemble import apart, has_effect, with_inputs
from septet.graph.graph import Graph
from septet.graph.node import CONSTANT, VARIABLE, Node, constant, symbol
from septet.graph.op import ELEMENTWISE, ITEM, REDUCTION, Op, as_node, item, ops, record
from septet.graph.rewrite import fill_value
from septet.graph.types import tensor_type
from septet.ops.shaping import broadcast_to, reshape
from septet.optimize.fuse import is_view

ROW, COLUMN = "row", "column"
Label = int | str | None
Labels = tuple[Label, ...]

LEAST = 64
"""Rows and columns of large values, at least: below, all of them stay in the cache anyhow."""
DEEPEST = 256
"""Elements of what the first product sums, at most: the rows and columns of a block must fit into the cache, too."""
SMALL_MASK = 1 << 16
"""Elements of a mask that is computed once for all matrices: up to this, it stays in the cache."""
MATRICES = 2
"""Matrices in a batch, at least, where products sum over rows: the blocks of a matrix add to the same sums, in turn."""


# Labels


def without_ones(labels: Sequence[Label], shape: Sequence[int | None]) -> Labels:
    """Take the labels off axes of size 1: they stand for any axis."""
    return tuple([None if size == 1 else label for label, size in zip(labels, shape, strict=True)])


def labels_of_inputs(node: Node, labels: Labels) -> list[Labels] | None:
    """Return the labels of a node's inputs for labels of its result; None where they do not follow."""
    name = node.op.name
    if not isinstance(node.op, Op):
        return [] if node.op.is_leaf else None
    if name == "dot_general":
        return _labels_of_factors(node, labels)
    if name == "transpose":
        own: list[Label] = [None] * node.ndim
        for axis, label in zip(node.param("axes"), labels, strict=True):
            own[axis] = label
        return [tuple(own)]
    if name == "reshape":
        return _labels_before_reshape(node, labels)
    if name == "band_part":
        return [labels] if set(labels[-2:]) <= {ROW, COLUMN, None} else None
    if node.op.kind == REDUCTION:
        return _labels_before_reduction(node, labels)
    if node.op.kind == ELEMENTWISE or name == "broadcast_to":
        return [without_ones(labels[node.ndim - source.ndim :], source.shape) for source in node.inputs]
    if name == "iota":
        label = labels[node.param("axis")]
        return [] if label in (ROW, COLUMN, None) and not node.inputs else None
    return None


def _labels_of_factors(node: Node, labels: Labels) -> list[Labels]:
    """A product: what is summed runs along the columns or rows that the result has not."""
    (left_sum, right_sum), (left_batch, right_batch) = node.param("contracting"), node.param("batch")
    summed: Label = None
    if (ROW in labels) != (COLUMN in labels):
        summed = COLUMN if ROW in labels else ROW
    found = []
    rest = iter(labels[len(left_batch) :])
    for source, contracted, batch in zip(node.inputs, (left_sum, right_sum), (left_batch, right_batch), strict=True):
        own: list[Label] = [None] * source.ndim
        for axis in range(source.ndim):
            if axis in contracted:
                own[axis] = summed
            elif axis in batch:
                own[axis] = labels[batch.index(axis)]
            else:
                own[axis] = next(rest)
        found.append(without_ones(own, source.shape))
    return found


def _labels_before_reshape(node: Node, labels: Labels) -> list[Labels] | None:
    """A reshape that adds or drops axes of size 1."""
    (source,) = node.inputs
    kept = [(size, label) for size, label in zip(node.shape, labels, strict=True) if size != 1]
    if [size for size, _ in kept] != [size for size in source.shape if size != 1]:
        return None
    rest = iter(kept)
    return [tuple([None if size == 1 else next(rest)[1] for size in source.shape])]


def _labels_before_reduction(node: Node, labels: Labels) -> list[Labels] | None:
    """A reduction of rows."""
    if "axis" not in node.op.param_names or "keepdims" not in node.op.param_names:
        return None
    (source,) = node.inputs
    axes = node.param("axis")
    reduced = range(source.ndim) if axes is None else axes
    if [source.shape[axis] != 1 for axis in reduced].count(True) != 1:
        return None
    rest = iter(labels)
    own: list[Label] = []
    for axis, size in enumerate(source.shape):
        if axis in reduced:
            own.append(COLUMN if size != 1 else None)
            if node.param("keepdims"):
                next(rest)
        else:
            own.append(next(rest))
    return [tuple(own)] if COLUMN not in labels and own.count(COLUMN) == 1 else None


def labels_inside(outputs: Sequence[Node], labels: Sequence[Labels]) -> dict[Node, Labels] | None:
    """Return the labels of all nodes that some results need, for labels of these; None where they do not follow."""
    found: dict[Node, Labels] = {}
    for node, own in zip(outputs, labels, strict=True):
        if found.setdefault(node, own) != own:
            return None
    waiting = [(-node.serial, node) for node in found]
    heapq.heapify(waiting)
    while waiting:
        _, node = heapq.heappop(waiting)
        below = labels_of_inputs(node, found[node])
        if below is None:
            return None
        for source, own in zip(node.inputs, below, strict=False):
            if source not in found:
                found[source] = own
                heapq.heappush(waiting, (-source.serial, source))
            elif found[source] != own:
                if fill_value(source) is None:
                    return None
    return found


# Finding


class Chain:
    """What one or several sinks need, from the operands of the sources on.

    Attributes
    ----------
    sinks : list of Node
    results : list of tuple
        The labels of their results.
    inside : dict of Node to tuple
        What is computed for them, with labels; sinks are not among it.
    sources : set of Node
        The first products among it.
    operands : dict of (Node, tuple) to None
        What is read from memory, with labels.
    sizes : dict of label to int
    """

    def __init__(self, sink: Node, labels: Labels) -> None:
        self.sinks = [sink]
        self.results = [labels]
        self.inside: dict[Node, Labels] = {}
        self.sources: set[Node] = set()
        self.operands: dict[tuple[Node, Labels], None] = {}
        self.sizes: dict[Label, int] = {}

    def fits(self, other: Chain) -> bool:
        """Tell whether another chain computes the same values in part."""
        return (
            bool(self.sources & other.sources)
            and self.sizes == other.sizes
            and all(self.inside.get(node, labels) == labels for node, labels in other.inside.items())
            and not any(sink in self.inside for sink in other.sinks)
        )

    def take(self, other: Chain) -> None:
        """Compute another chain's sinks, too."""
        self.sinks += other.sinks
        self.results += other.results
        self.inside.update(other.inside)
        self.sources |= other.sources
        self.operands.update(other.operands)


class _Search:
    """Looks for chains in one graph."""

    def __init__(self, graph: Graph, is_loop: Callable[[Node], bool]) -> None:
        self.graph = graph
        self.is_loop = is_loop
        self.derived: set[Node] = set()  # what is computed from sources, without another product
        self.sources: set[Node] = set()
        self.free: set[Node] = set()  # what is computed from numbers and positions alone
        for node in graph.nodes:
            self._mark(node)

    def _mark(self, node: Node) -> None:
        if isinstance(node.type, tuple) or node.op is ITEM:
            return
        if node.op is CONSTANT:
            if fill_value(node) is not None:
                self.free.add(node)
        elif node.op.name == "dot_general":
            if _is_source(node):
                self.sources.add(node)
                self.derived.add(node)
        elif isinstance(node.op, Op) and not node.op.is_leaf and (is_view(node) or self.is_loop(node)):
            if node.op.name == "iota" and not node.inputs:
                self.free.add(node)
            elif any(source in self.derived for source in node.inputs):
                self.derived.add(node)
            elif node.inputs and all(source in self.free for source in node.inputs):
                self.free.add(node)
        elif node.op.name == "iota" and not node.inputs and self.is_loop(node):
            self.free.add(node)

    def chains(self) -> list[Chain]:
        """Return the chains, those with sinks that may run together as one."""
        found: list[Chain] = []
        home: dict[Node, Chain] = {}
        for node in self.graph.nodes:
            if node.op.name != "dot_general":
                continue
            chain = self._chain(node)
            if chain is None:
                continue
            for other in found:
                if other.fits(chain) and not self._depends(chain, other, home):
                    other.take(chain)
                    home[node] = other
                    break
            else:
                found.append(chain)
                home[node] = chain
        return self._alone(found)

    def _chain(self, sink: Node) -> Chain | None:
        wide = [index for index, source in enumerate(sink.inputs) if source in self.derived]
        if len(wide) != 1 or sink.dtype.name not in ("float32", "float64"):
            return None
        (index,) = wide
        contracting, batch = sink.param("contracting"), sink.param("batch")
        source = sink.inputs[index]
        if len(contracting[0]) != 1 or source.ndim != len(batch[0]) + 2:
            return None
        for kept in (ROW, COLUMN):
            labels: list[Label] = [*range(len(batch[0])), *[None] * (sink.ndim - len(batch[0]))]
            labels[len(batch[0]) if index == 0 else sink.ndim - 1] = kept
            chain = self._follow(sink, without_ones(labels, sink.shape), index)
            if chain is not None:
                return chain
        return None

    def _follow(self, sink: Node, labels: Labels, wide: int) -> Chain | None:
        """Return what a sink needs, where that is a chain for these labels."""
        chain = Chain(sink, labels)
        inside = chain.inside
        waiting: list[tuple[int, Node]] = []

        def need(node: Node, own: Labels) -> bool:
            """Note that a node is needed; tell whether it can be."""
            for label, size in zip(own, node.shape, strict=True):
                if label is not None and chain.sizes.setdefault(label, size) != size:  # type: ignore[arg-type]
                    return False
            is_free = node in self.free and not _is_small_mask(node, own)
            if node not in self.derived and not is_free:
                chain.operands[node, own] = None
                return True
            if node not in inside:
                inside[node] = own
                heapq.heappush(waiting, (-node.serial, node))
                return True
            return inside[node] == own or fill_value(node) is not None

        factors = _labels_of_factors(sink, labels)
        if set(factors[wide]) & {ROW, COLUMN} != {ROW, COLUMN} or not all(map(need, sink.inputs, factors)):
            return None
        has_totals = False
        while waiting:
            _, node = heapq.heappop(waiting)
            own = inside[node]
            if node in self.sources:
                if not {ROW, COLUMN} <= set(own):
                    return None
                chain.sources.add(node)
            below = labels_of_inputs(node, own)
            if below is None or len(below) < len(node.inputs):
                return None
            if node in self.sources:
                for source, factor in zip(node.inputs, below, strict=True):
                    for label, size in zip(factor, source.shape, strict=True):
                        if label is not None and chain.sizes.setdefault(label, size) != size:  # type: ignore[arg-type]
                            return None
                    chain.operands[source, factor] = None
                continue
            has_totals = has_totals or (isinstance(node.op, Op) and node.op.kind == REDUCTION)
            if not all(map(need, node.inputs, below)):
                return None
        return chain if chain.sources and has_totals and _is_worth_it(chain) else None

    def _depends(self, chain: Chain, other: Chain, home: Mapping[Node, Chain]) -> bool:
        """Tell whether what a chain reads follows from what another one computes, whatever is computed together."""
        lowest = min(sink.serial for sink in home)
        pending = [node for node, _ in chain.operands]
        seen: set[Node] = set()
        while pending:
            node = pending.pop()
            if node in seen or node.serial < lowest or node.op is VARIABLE:
                continue
            seen.add(node)
            own = home.get(node)
            if own is other:
                return True
            pending.extend(node.inputs if own is None else [operand for operand, _ in own.operands])
        return False

    def _alone(self, chains: list[Chain]) -> list[Chain]:
        """Drop chains whose large values are needed elsewhere, too: they would be in memory all the same."""
        roots = set(self.graph.roots)
        users = self.graph.users()
        while True:
            own: set[Node] = set()
            for chain in chains:
                own.update(chain.sinks)
                own.update(chain.inside)
            kept = []
            for chain in chains:
                large = [node for node in chain.inside if node in self.derived]
                if not any(node in roots or any(user not in own for user in users[node]) for node in large):
                    kept.append(chain)
            if len(kept) == len(chains):
                return chains
            chains = kept


def _is_small_mask(node: Node, labels: Labels) -> bool:
    """Tell whether what follows from positions is rather computed once, and read for each matrix."""
    size = node.tensor_type.size
    return {ROW, COLUMN} <= set(labels) and size is not None and size <= SMALL_MASK and fill_value(node) is None


def _is_source(node: Node) -> bool:
    """Tell whether a product could be the first one of a chain: small matrices, large results."""
    if node.dtype.name not in ("float32", "float64"):
        return False
    contracting, batch = node.param("contracting"), node.param("batch")
    a, b = node.inputs
    if len(contracting[0]) != 1 or a.ndim != len(batch[0]) + 2 or b.ndim != len(batch[0]) + 2:
        return False
    rows, columns = node.shape[-2:]
    depth = a.shape[contracting[0][0]]
    if None in node.shape or depth is None:
        return False
    limits: list[tuple[Any, int, int | None]] = [(rows, LEAST, None), (columns, LEAST, None), (depth, 1, DEEPEST)]
    limits.sort(key=lambda own: type(own[0]) is Size)  # those that are the same for all batches say no first
    return all(size >= low and (most is None or size <= most) for size, low, most in limits) and 0 not in node.shape


def _is_worth_it(chain: Chain) -> bool:
    matrices = math.prod(size for label, size in chain.sizes.items() if isinstance(label, int))
    return matrices >= MATRICES or all(ROW in labels for labels in chain.results)


# Rewriting


def find(graph: Graph, is_loop: Callable[[Node], bool]) -> list[Chain]:
    """Return the chains of a graph whose sizes are all known.

    Parameters
    ----------
    graph : Graph
    is_loop : callable
        Whether a backend computes a node in the loops of its kernels.
    """
    if sum(node.op.name == "dot_general" for node in graph.nodes) < 2 or any(map(has_effect, graph.nodes)):
        return []
    return _Search(graph, is_loop).chains()


def in_blocks(graph: Graph, is_loop: Callable[[Node], bool]) -> tuple[Graph, int]:
    """Return a graph whose chains are nodes of their own, and how many there are.

    A graph with effects stays as it is.

    Parameters
    ----------
    graph : Graph
    is_loop : callable
        See `find`.
    """
    chains = find(graph, is_loop)
    if not chains:
        return graph, 0
    with apart():
        roots = _Moving(graph, chains).roots()
    n_out, n_up = len(graph.outputs), len(graph.updates)
    return graph.with_roots(roots[:n_out], roots[n_out : n_out + n_up], roots[n_out + n_up :]), len(chains)


class _Moving:
    """The state of one rewriting."""

    def __init__(self, graph: Graph, chains: Sequence[Chain]) -> None:
        self.graph = graph
        self.home = {sink: chain for chain in chains for sink in chain.sinks}
        self.moved: dict[Node, Node] = {}

    def roots(self) -> list[Node]:
        """Return what stands for the roots."""
        stack = list(self.graph.roots)
        while stack:
            node = stack[-1]
            if node in self.moved:
                stack.pop()
                continue
            chain = self.home.get(node)
            needed = self._inputs(node) if chain is None else [operand for operand, _ in chain.operands]
            waiting = [source for source in needed if source not in self.moved]
            if waiting:
                stack.extend(waiting)
            elif chain is None:
                inputs = tuple([self.moved[source] for source in needed])
                self.moved[node] = with_inputs(node, inputs) if needed else node
            else:
                self._make(chain)
        return [self.moved[node] for node in self.graph.roots]

    @staticmethod
    def _inputs(node: Node) -> Sequence[Node]:
        return () if node.op is VARIABLE else node.inputs

    def _make(self, chain: Chain) -> None:
        operands = [self.moved[operand] for operand, _ in chain.operands]
        made = record(ops.in_blocks, tuple(operands), (_body(chain), tuple(chain.results)))
        made.source, made.layers = chain.sinks[0].source, chain.sinks[0].layers
        for index, sink in enumerate(chain.sinks):
            self.moved[sink] = one = item(made, index)
            one.source, one.layers = sink.source, sink.layers


def _body(chain: Chain) -> Graph:
    """Return the graph from a chain's operands to the results of its sinks."""
    symbols = {key: symbol(key[0].tensor_type) for key in chain.operands}
    made: dict[Node, Node] = {}

    def rebuilt(node: Node, labels: Labels) -> Node:
        below = labels_of_inputs(node, labels)
        assert below is not None
        inputs = [
            made[source] if node not in chain.sources and source in made else symbols[source, own]
            for source, own in zip(node.inputs, below, strict=True)
        ]
        return with_inputs(node, tuple(inputs))

    for node in sorted(chain.inside, key=lambda n: n.serial):
        made[node] = rebuilt(node, chain.inside[node]) if node.inputs else node
    results = [rebuilt(sink, labels) for sink, labels in zip(chain.sinks, chain.results, strict=True)]
    return Graph(list(symbols.values()), results, name="blocks")


# Blocks


class Block:
    """A body for some of the rows, and the first of the columns.

    Attributes
    ----------
    graph : Graph
        The inputs are those of the body, and, where something depends on the position of a row, the position of the
        first row.
    has_position : bool
    """

    def __init__(self, body: Graph, inside: Mapping[Node, Labels], rows: int, columns: int) -> None:
        self._sizes: dict[Label, int] = {ROW: rows, COLUMN: columns}
        self._inside = inside
        self._made: dict[Node, Node] = {}
        with apart():
            self._first = symbol(tensor_type(dtypes.int64, ()))
            self._uses_position = False
            inputs = [symbol(node.tensor_type.with_shape(self.shape(node)), node.params[0]) for node in body.inputs]
            self._made.update(zip(body.inputs, inputs, strict=True))
            for node in body.nodes:
                if node not in self._made:
                    self._made[node] = self._rebuilt(node)
        self.has_position = self._uses_position
        if self.has_position:
            inputs.append(self._first)
        self.graph = Graph(inputs, [self._made[node] for node in body.outputs], name=body.name)

    def shape(self, node: Node) -> tuple[int, ...]:
        """Return the shape of a node's part."""
        return tuple(
            1 if isinstance(label, int) else self._sizes.get(label, size)  # type: ignore[misc]
            for label, size in zip(self._inside[node], node.shape, strict=True)
        )

    def _rebuilt(self, node: Node) -> Node:
        name, shape = node.op.name, self.shape(node)
        inputs = tuple([self._made[source] for source in node.inputs])
        if node.op is CONSTANT:
            if node.shape == shape:
                return node
            return broadcast_to(constant(fill_value(node)), shape)
        if name == "iota":
            counted = ops.iota(shape=shape, axis=node.param("axis"), dtype=node.param("dtype"))
            if self._inside[node][node.param("axis")] != ROW:
                return counted
            return ops.add(counted, ops.cast(self._position(len(shape)), dtype=node.dtype))
        if name == "broadcast_to":
            return broadcast_to(inputs[0], shape)
        if name == "reshape":
            return reshape(inputs[0], shape)
        if name == "band_part":
            return self._band(node, inputs[0], shape)
        made = record(node.op, inputs, node.params)
        made.source, made.layers = node.source, node.layers
        return made

    def _position(self, rank: int) -> Node:
        """Return the position of the first row, for adding to something."""
        self._uses_position = True
        return reshape(self._first, (1,) * rank)

    def _band(self, node: Node, x: Node, shape: tuple[int, ...]) -> Node:
        """A band of a matrix, by positions."""
        n, m = shape[-2:]
        down = ops.iota(shape=(n, 1), axis=0, dtype="int32")
        across = ops.iota(shape=(1, m), axis=1, dtype="int32")
        first = ops.cast(self._position(2), dtype="int32")
        labels = self._inside[node]
        down, across = (ops.add(down, first), across) if labels[-2] == ROW else (down, across)
        across = ops.add(across, first) if labels[-1] == ROW else across
        inside = None
        for bound, compare in ((node.param("lower"), ops.greater_equal), (node.param("upper"), ops.less_equal)):
            if bound is not None:
                edge = ops.add(down, -bound if compare is ops.greater_equal else bound)
                own = compare(across, edge)
                inside = own if inside is None else ops.logical_and(inside, own)
        if inside is None:
            return x
        if node.dtype.kind == "b":
            return ops.logical_and(inside, x)
        return ops.where(inside, x, as_node(0, x.dtype))
