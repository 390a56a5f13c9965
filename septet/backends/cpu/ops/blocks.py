"""Graphs that are computed block by block of rows: a plan for the blocks, which threads run for one after the other.

The blocks are cut by sizes alone, and those of a matrix that add to the same sums are computed in turn by one thread: so
results do not depend on the number of threads.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from septet.backends.cpu.blocks import FIELDS, NESTED, OPERAND, PREPARE_FIELDS, bound_name
from septet.backends.cpu.direct_tiles import machine
from septet.backends.cpu.held import Held
from septet.backends.cpu.memory import INPUT, OUTPUT, Strided
from septet.backends.cpu.ops.control import base_of
from septet.backends.cpu.planner import Part, Planner
from septet.backends.cpu.steps import Function, Nested, Prepared
from septet.base.sizes import Made, decided, make
from septet.graph.graph import Graph
from septet.graph.node import Node
from septet.graph.op import ITEM
from septet.optimize.blocks import COLUMN, ROW, Block, Label, Labels, labels_inside
from septet.optimize.hidden import Hidden, find_hidden, is_fixed, values_of

BYTES = 1 << 17
"""Of a large value for the rows of a block: two of them, panels and operands share the second cache."""
HEIGHTS = (32, 128)
"""Rows of a block, at least and at most: the panels that a block makes of its operands are used for each of them."""
MATRIX, THREAD = "matrix", "thread"
"""The labels of axes that run along all matrices of the batch, and along the threads."""
TASKS = 16
"""Tasks wanted, where blocks are tall enough: threads get even shares."""
ENOUGH = 16
"""Matrices from which a task is a whole one, for which what is prepared stays in the cache of its thread."""
WIDTHS, STEP = 8, 16
"""How many numbers of columns there are at most where a mask hides some, and what all but the last are multiples of."""
SMALL = 1 << 14
"""Large elements below which one thread does everything."""


def plan_blocks(planner: Planner, node: Node) -> bool:
    """Plan `in_blocks`."""
    body: Graph = node.param("body")
    labels: tuple[Labels, ...] = node.param("labels")
    inside = labels_inside(body.outputs, labels)
    if inside is None or any(0 in own.shape for own in body.nodes):
        return False
    operands = [planner.look(source) for source in node.inputs]
    work = _Work(planner, node, body, inside, operands, _results(planner, node))
    return work.plan()


class _Work:
    """One node under way.

    Attributes
    ----------
    sizes : dict of label to int
    batch : list of int
        The labels of the batch.
    blocks : list of (int, int, int)
        Of each block, in the order in which those of a matrix are computed: first row, the row behind the last, and the
        columns that it needs.
    hidden : Hidden or None
    """

    def __init__(
        self, planner: Planner, node: Node, body: Graph, inside: dict[Node, Labels], operands: list[Strided],
        results: list[Strided],
    ) -> None:  # fmt: skip
        self.planner = planner
        self.node = node
        self.body = body
        self.inside = inside
        self.operands = operands
        self.results = results
        self.sizes = _sizes(inside)
        self.rows, self.columns = self.sizes.get(ROW, 1), self.sizes.get(COLUMN, 1)
        self.batch = sorted(label for label in self.sizes if isinstance(label, int))
        self.matrices = math.prod(self.sizes[label] for label in self.batch)
        self.is_sum = any(ROW not in inside[own] for own in body.outputs)  # blocks add to the same result
        self.is_whole = self.is_sum or self.matrices >= ENOUGH  # whether tasks are whole matrices
        self.threads = planner.threads if self.matrices * self.rows * self.columns > SMALL else 1
        self.hidden = self._find_hidden()
        self.blocks = self._cut()

    def _find_hidden(self) -> Hidden | None:
        """Return what needs not be computed, where the operands can be looked at."""
        fixed = {
            symbol: source
            for symbol, source in zip(self.body.inputs, self.node.inputs, strict=True)
            if is_fixed(source)
        }
        slot = self.body, "hidden", *fixed.values()
        if slot not in self.planner.parts:
            known = dict(zip(fixed, values_of([*fixed.values()]), strict=True))
            self.planner.parts[slot] = find_hidden(self.body, self.inside, known)
        flat = all(len(self._own_axes(symbol)) <= 2 for symbol in self.body.inputs)
        return self.planner.parts[slot] if flat else None

    def _own_axes(self, symbol: Node) -> list[int]:
        """Return the axes of an operand that run along no batch, and are not of size 1."""
        labels = zip(self.inside[symbol], symbol.shape, strict=True)
        return [axis for axis, (label, size) in enumerate(labels) if size != 1 and not isinstance(label, int)]

    def _cut(self) -> list[tuple[int, int, int]]:
        item = max(own.dtype.itemsize for own in self.body.outputs)
        most = HEIGHTS[1] if self.hidden is None else self.rows // WIDTHS
        if not self.is_whole:
            most = decided(min, most, self.rows * self.matrices // TASKS)
        height = decided(height_of, self.rows, self.columns, item, most)
        found = []
        step = -(-self.columns // (WIDTHS * STEP)) * STEP
        for start in range(0, self.rows, height):
            end = min(start + height, self.rows)
            needed = self.columns if self.hidden is None else self.hidden.columns(start, end)
            found.append((start, end, min(-(-needed // step) * step, self.columns)))
        found.sort(key=lambda own: -own[2])  # the longest first: threads finish at about the same time
        if self.is_sum:  # the first one writes what the others add to
            found[0] = (*found[0][:2], self.columns)
        return found

    def plan(self) -> bool:
        """Add the steps; False where a part of the node would have to run in Python."""
        planner, node, blocks = self.planner, self.node, self.blocks
        is_some_hidden = any(columns < self.columns for _, _, columns in blocks)
        parts = [self._part(end - start, columns, n > 0) for n, (start, end, columns) in enumerate(blocks)]
        if is_some_hidden:
            parts += [self._part(end - start, self.columns, n > 0) for n, (start, end, _) in enumerate(blocks)]
        if any(part is None for part in parts):
            return False
        plans = list(dict.fromkeys(parts))
        size = -(-max(1, *[plan.arena_size for plan in plans]) // 64) * 64
        memory = planner.scratch((self.threads, size), np.dtype(np.uint8))
        nested = [Nested(plan, _row(memory, thread)) for plan in plans for thread in range(self.threads)]
        places = self._places(plans[0])
        reads, writes = [bind.there for bind in places if bind.kind == INPUT], [*self.results, memory]
        calls = []
        for prepared in plans[0].prepared:
            bind, call = self._panels(prepared, places[prepared.source.memory.number])
            places.append(bind)
            (writes if self.is_whole else reads).append(bind.there)
            calls.append(call)
        moves = self._moves(places)
        within: Any = 0
        if is_some_hidden:
            there = planner.scratch((self.matrices,), np.dtype(np.int64))
            (writes if self.is_whole else reads).append(there)
            calls.insert(0, self._look_at_operands(moves, there))  # it fetches rows ahead into the cache
            within = there.place
        if calls and not self.is_whole:
            args = [self.matrices * len(calls), 1, self.threads, len(calls), *_table(calls, 1, len(PREPARE_FIELDS))]
            made = [call.there for call in calls]
            planner.tasks(f"{node.op.name}: panels", "blocks_prepare", args, self.operands, made, node)
            calls = []
        binds: list[Any] = []
        for thread in range(self.threads):
            for bind in places:
                there = _row(bind.there, thread) if bind.labels[:1] == (THREAD,) else bind.there
                binds += [base_of(plans[0], bind.kind, bind.number), there.place]
        some = len(blocks) if self.is_whole else 1
        first = len(FIELDS) + len(NESTED) * len(nested)
        values = {
            "threads": self.threads, "n_blocks": len(blocks), "blocks_of_task": some, "n_binds": len(places),
            "variants": _held(np.array([plans.index(part) for part in parts])),
            "of_matrix": moves.later(lambda own: _held(own[0])), "of_block": moves.later(lambda own: _held(own[1])), "binds": first, "within": within, "n_calls": len(calls),
            "calls": first + len(binds),
        }  # fmt: skip
        tasks = self.matrices * -(-len(blocks) // some)
        args = [tasks, 1, self.threads, *[values[name] for name in FIELDS], *nested, *binds]
        args += _table(calls, self.threads, first + len(binds))
        planner.tasks(node.op.name, "blocks", args, reads, writes, node)
        return True

    def _part(self, rows: int, columns: int, is_later: bool) -> Planner | None:
        """Return the plan of a block; None where a part of it would have to run in Python."""
        planner, body, inside = self.planner, self.body, self.inside
        is_later = is_later and self.is_sum
        strides = tuple(there.strides for there in self.operands), tuple(there.strides for there in self.results)
        whole = {}
        if len(self.blocks) > 1:
            own = {n: inside[symbol] for n, symbol in enumerate(body.inputs)}
            whole = {n: (own[n].index(COLUMN), self.columns) for n in own if COLUMN in own[n] and ROW not in own[n]}
        slot = body, rows, columns, strides, is_later, tuple(whole)
        if slot not in planner.parts:
            block = Block(body, inside, rows, columns)
            inputs = (*strides[0], ()) if block.has_position else strides[0]
            outputs = zip(block.graph.outputs, body.outputs, strict=True)
            added = [own for own, result in outputs if is_later and ROW not in inside[result]]
            plan = Planner(block.graph, planner.library, part=Part(inputs, strides[1], frozenset(added), whole))
            is_native = all(step.is_native and not step.may_fail for step in plan.steps) and not plan.reads
            planner.parts[slot] = plan if is_native else None
        found: Planner | None = planner.parts[slot]
        return found

    def _places(self, plan: Planner) -> list[_Bind]:
        """Return what the plans read and write, but for what is prepared."""
        body, inside = self.body, self.inside
        pairs = [*zip(self.operands, body.inputs, strict=True)]
        places = [_Bind(INPUT, n, there, inside[symbol]) for n, (there, symbol) in enumerate(pairs)]
        pairs = [*zip(self.results, body.outputs, strict=True)]
        places += [_Bind(OUTPUT, n, there, inside[own]) for n, (there, own) in enumerate(pairs)]
        if len(plan.inputs) > len(body.inputs) + len(plan.prepared):  # the position of the first row
            places.append(_Bind(INPUT, len(body.inputs), self.planner.held(np.arange(self.rows)), (ROW,)))
        return places

    def _panels(self, prepared: Prepared, operand: _Bind) -> tuple[_Bind, _Call]:
        """Return where the panels of an operand will be, and the kernel that makes them."""
        size = prepared.there.shape[0]
        count, label, step = (self.threads, THREAD, 0) if self.is_whole else (self.matrices, MATRIX, size)
        made = self.planner.scratch((count, size), prepared.there.dtype)
        moves = self._moves([operand]).later(lambda own: _held(own[0][:, 0]))
        both = [prepared.make(operand.there.place, _row(made, thread).place, step, moves) for thread in self._rows()]
        call = _Call(both[0][0], [args for _, args in both], made)
        return _Bind(INPUT, prepared.there.memory.number, made, (label, None)), call

    def _rows(self) -> range:
        return range(self.threads if self.is_whole else 1)

    def _moves(self, places: Sequence[_Bind]) -> Made:
        """Return the bytes from the first matrix to each one, and from the first row to each block, for all addresses."""
        batch = tuple([self.sizes[label] for label in self.batch])
        rows = tuple([
            tuple([
                (self.batch.index(label) if isinstance(label, int) else label, stride * bind.there.dtype.itemsize)
                for label, stride in zip(bind.labels, bind.there.strides, strict=True)
            ])
            for bind in places
        ])  # fmt: skip
        return make(_moves, batch, tuple([start for start, _, _ in self.blocks]), rows)

    def _look_at_operands(self, moves: Made, within: Strided) -> _Call:
        """Return the kernel that says for each matrix whether its operands are within the bound."""
        assert self.hidden is not None
        dtype = self.body.outputs[0].dtype
        rows: list[Any] = []
        for number, (symbol, there) in enumerate(zip(self.body.inputs, self.operands, strict=True)):
            if symbol.dtype.kind != "f":
                continue
            axes = sorted(self._own_axes(symbol), key=lambda axis: abs(there.strides[axis]), reverse=True)
            sizes = [1, 1, *[there.shape[axis] for axis in axes]][-2:]
            steps = [0, 0, *[there.strides[axis] * dtype.itemsize for axis in axes]][-2:]
            own_moves = moves.later(lambda made, number=number: _held(made[0][:, number]))
            rows += [there.place, own_moves, sizes[0], steps[0], sizes[1], steps[1]]
        own = machine(dtype.name, 1 << 10)
        bound = int(np.array(self.hidden.bound, dtype).view(f"int{8 * dtype.itemsize}"))
        args = [within.place, bound, len(rows) // len(OPERAND), *rows]
        return _Call(bound_name(own.kind, own.lanes), [args] * self.threads, within)


def _moves(
    batch: tuple[int, ...], blocks: tuple[int, ...], places: Sequence[Sequence[tuple[Any, int]]]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the bytes from the first matrix to each one, and from the first row to each block, for all addresses.

    Parameters
    ----------
    batch : tuple of int
        Sizes.
    blocks : tuple of int
        First rows.
    places : sequence of sequences of (label, int)
        For each address the labels of its axes (for one of the batch, which), and the bytes along them.

    Returns
    -------
    ndarray (matrices, places), ndarray (blocks, places)
    """
    matrices = math.prod(batch)
    indices = np.indices(batch).reshape(len(batch), matrices)
    of_matrix = np.zeros((matrices, len(places)), np.int64)
    of_block = np.zeros((len(blocks), len(places)), np.int64)
    for column, axes in enumerate(places):
        for label, step in axes:
            if label == MATRIX:
                of_matrix[:, column] += np.arange(matrices) * step
            elif isinstance(label, int):
                of_matrix[:, column] += indices[label] * step
            elif label == ROW:
                of_block[:, column] += np.array(blocks) * step
    return of_matrix, of_block


class _Bind(NamedTuple):
    """An input or result of the plans of blocks: kind and number, the whole of it, and the labels of its axes."""

    kind: str
    number: int
    there: Strided
    labels: Labels


class _Call(NamedTuple):
    """A kernel that runs for each matrix before its blocks, its arguments for each thread, and what it writes."""

    kernel: str
    args: list[list[Any]]
    there: Strided


def _row(there: Strided, number: int) -> Strided:
    """Return a row of a matrix."""
    return there._replace(
        shape=there.shape[1:], strides=there.strides[1:], offset=there.offset + number * there.strides[0]
    )


def _table(calls: Sequence[_Call], threads: int, first: int) -> list[Any]:
    """Return the words of the table of kernels, which begins at word `first`, and their arguments behind it."""
    table: list[Any] = []
    args: list[Any] = []
    for thread in range(threads):
        for call in calls:
            table += [Function(call.kernel), first + 2 * threads * len(calls) + len(args)]
            args += call.args[thread]
    return table + args


def height_of(rows: int, columns: int, item: int, most: int = HEIGHTS[1]) -> int:
    """Return the rows of a block: a multiple of 8, so that the last one is not much smaller."""
    most = max(HEIGHTS[0], min(BYTES // (columns * item), most))
    share = math.ceil(rows / math.ceil(rows / most))
    return math.ceil(share / 8) * 8


def _sizes(inside: Mapping[Node, Labels]) -> dict[Label, int]:
    """Return the sizes of the axes that have labels."""
    found: dict[Label, int] = {}
    for node, own in inside.items():
        for label, size in zip(own, node.shape, strict=True):
            if label is not None:
                found[label] = size  # type: ignore[assignment]
    return found


def _results(planner: Planner, node: Node) -> list[Strided]:
    """Return places for the results, also for those that nobody needs."""
    assert isinstance(node.type, tuple)
    found = []
    for item, type_ in zip(planner.graph_items(node), node.type, strict=True):
        if item is None:
            found.append(planner.scratch(type_.shape, type_.dtype))
        else:
            found.append(planner.allocate(item, planner.orders.get(item)))
    return found


def _held(array: np.ndarray) -> Held:
    array = np.ascontiguousarray(array, np.int64)
    return Held(array.ctypes.data, array)


def order_of_result(node: Node, users: Sequence[Node]) -> tuple[int, ...] | None:
    """Store a result in the order in which its one user looks at it, where the elements of a row or a column of a matrix
    stay neighbours."""
    if node.op is not ITEM or len(users) != 1 or users[0].op.name != "transpose":
        return None
    order = tuple(users[0].param("axes"))
    return order if order[-1] >= node.ndim - 2 else None


TABLE = {"in_blocks": plan_blocks}
ORDERS = {"in_blocks": order_of_result}
