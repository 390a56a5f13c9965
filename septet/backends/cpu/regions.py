"""From a fused group to kernels of the loop IR, and from these to steps of a plan."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from septet.backends.cpu import elements
from septet.backends.cpu.loops import (
    CHECK,
    DYNAMIC,
    LOAD,
    NUMBER,
    OP,
    POSITION,
    REDUCE,
    Buffer,
    Kernel,
    Store,
    Term,
    is_element,
    kind_of,
)
from septet.backends.cpu.memory import Strided
from septet.backends.cpu.rows import BLOCK, block_of
from septet.base.dtypes import BY_NAME, NAMES, accumulator_of
from septet.base.sizes import of_sizes
from septet.graph.node import CONSTANT, Node
from septet.graph.op import ELEMENTWISE, Op
from septet.graph.rewrite import fill_value
from septet.optimize.fuse import LONGEST_ROW, Axes, Group, Role, default_role

PIECE = 1 << 15
"""Points of a piece of a split axis: enough to be worth waking a thread for."""
MOST_PIECES = 64
LONGEST_TOTAL = 4096
"""Terms that are added up one after the other: the error grows with their number."""


class Call(NamedTuple):
    """A kernel and what it is called with.

    Attributes
    ----------
    kernel : Kernel
    buffers : list of Strided
    sizes : tuple of int
        Of the kernel's axes.
    strides : list of tuple of int
        Of each buffer along the kernel's axes.
    index_strides : list of tuple of int
        Of each buffer along its indices.
    limits : list of int
        Sizes that indices are checked against.
    piece : int
    nodes : tuple of Node
        What it computes, to tell users.
    domain : tuple of int
        The sizes before axes were merged, to tell users.
    """

    kernel: Kernel
    buffers: list[Strided]
    sizes: tuple[int, ...]
    strides: list[tuple[int, ...]]
    index_strides: list[tuple[int, ...]]
    limits: list[int]
    piece: int
    nodes: tuple[Node, ...]
    domain: tuple[int, ...]


# Roles


def role(node: Node) -> Role | None:
    """Return how a node takes part in fused kernels, or None where it is computed by itself."""
    op = node.op
    if isinstance(node.type, tuple) or not isinstance(op, Op):
        return None
    if op.kind != ELEMENTWISE and op.name not in REDUCTIONS and op.name not in ROLES:
        return None
    slot = (op, node.params, node.type, *[source.type for source in node.inputs])
    try:
        return _roles[slot]
    except KeyError:
        if len(_roles) >= MOST_ROLES:
            _roles.clear()
        found = _roles[slot] = _role(node)
        return found


def is_loop(node: Node) -> bool:
    """Tell whether kernels compute a node."""
    return role(node) is not None


MOST_ROLES = 8192
_roles: dict[Any, Role | None] = {}
"""The role of a node depends on its op, its parameters and on types; it is asked for several times in each plan."""


def _role(node: Node) -> Role | None:
    names = [NAMES[source.dtype] for source in node.inputs if not isinstance(source.type, tuple)]
    if len(names) < len(node.inputs) or not all(is_element(name) for name in (NAMES[node.dtype], *names)):
        return None
    if 0 in node.shape or any(0 in source.shape for source in node.inputs):
        return None
    special = ROLES.get(node.op.name)
    if special is not None:
        return special(node)
    if node.op.kind == ELEMENTWISE:
        if not elements.supports(node.op.name, names, NAMES[node.dtype]):
            return None
    own = default_role(node)
    return own if own is None or own.reduced is None else own._replace(is_sum=REDUCTIONS[node.op.name][0] != "")


def _along_role(node: Node) -> Role | None:
    """Picking one element of each row: a reduction, since all but that one are passed over."""
    x, indices = node.inputs
    axis = node.param("axis")
    fits = all(a == axis or n == m for a, (n, m) in enumerate(zip(x.shape, indices.shape, strict=True)))
    if indices.shape[axis] != 1 or x.shape[axis] == 1 or not fits:
        return None
    own = tuple(range(x.ndim))
    return Role({0: own, 1: own}, (axis,), is_sum=False)


def _position_role(node: Node) -> Role:
    """The position of an extremum: a reduction over one axis, or all."""
    own, axis = tuple(range(node.inputs[0].ndim)), node.param("axis")
    return Role({0: own}, own if axis is None else (axis,), is_sum=False)


def _scatter_along_role(node: Node) -> Role | None:
    """Changing one element of each row: at every point, a choice."""
    x, indices, updates = node.inputs
    axis = node.param("axis")
    if node.param("mode") not in ("add", "set") or indices.shape[axis] != 1 or x.shape[axis] == 1:
        return None
    if updates.ndim != x.ndim or updates.shape[axis] != 1:
        return None
    if any(a != axis and not (n == m == k) for a, (n, m, k) in enumerate(zip(x.shape, indices.shape, updates.shape))):
        return None
    own = tuple(range(x.ndim))
    return Role({0: own, 1: own, 2: own})


def _take_role(node: Node) -> Role | None:
    """Rows of a table: the table is read from memory, the indices may be computed here."""
    indices = node.inputs[1]
    axis = node.param("axis")
    return Role({1: tuple(range(axis, axis + indices.ndim))})


def _gather_role(node: Node) -> Role:
    """Places of a tensor, by an index for each of some axes: they may be computed here, and broadcast together."""
    indices = node.inputs[1:]
    rank = max([index.ndim for index in indices])
    return Role({1 + number: tuple(range(rank - index.ndim, rank)) for number, index in enumerate(indices)})


def _block_role(node: Node) -> Role | None:
    """A block of known sizes: where it begins is read from memory."""
    return None if None in node.param("sizes") else Role({})


def _classes_role(node: Node) -> Role | None:
    """Labels that are checked where they are needed; their number is known."""
    return Role({0: tuple(range(node.ndim))}) if node.param("count") is not None else None


def _iota_role(node: Node) -> Role | None:
    return Role({}) if not node.inputs and NAMES[node.dtype] in ("int64", "int32", "float32", "float64") else None


def _band_role(node: Node) -> Role:
    """A band of each matrix: at every point, a choice by its position."""
    return Role({0: tuple(range(node.ndim))})


ROLES: dict[str, Callable[[Node], Role | None]] = {
    "argmax": _position_role, "argmin": _position_role,
    "take_along_axis": _along_role, "scatter_along_axis": _scatter_along_role, "take": _take_role, "iota": _iota_role,
    "gather": _gather_role, "dynamic_slice": _block_role, "check_classes": _classes_role, "band_part": _band_role,
}  # fmt: skip


# Regions


class Region:
    """A kernel under construction: the values of a group over its domain.

    Parameters
    ----------
    group : Group
    look : callable
        ``look(node) -> Strided``: where a value from outside the group lies.
    constant : callable
        ``constant(value, dtype) -> Strided``: a place that holds a number.
    """

    def __init__(self, group: Group, look: Callable[[Node], Strided], constant: Callable[[Any, str], Strided]) -> None:
        self.group = group
        self.look = look
        self.constant = constant
        self.terms: list[Term] = []
        self.known: dict[Term, int] = {}
        self.buffers: list[tuple[Strided, tuple[int, ...], bool, tuple[int, ...]]] = []
        self.numbers: dict[Any, int] = {}
        self.values: dict[Node, int] = {}
        self.limits: dict[int, int] = {}
        self.posts: dict[Node, tuple[int, str]] = {}  # closed reduction -> value that is reduced, kind
        self.stores: list[Store] = []

    # Terms.

    def add(self, form: str, args: tuple[int, ...], data: Any, dtype: str) -> int:
        """Return the position of a term; equal ones are shared."""
        term = Term(form, args, data, dtype)
        slot = term if form != NUMBER else Term(form, args, repr(data), dtype)
        found = self.known.get(slot)
        if found is None:
            found = self.known[slot] = len(self.terms)
            self.terms.append(term)
        return found

    def op(self, name: str, *args: int, dtype: str | None = None, params: tuple[Any, ...] = ()) -> int:
        """Return an elementwise op of terms."""
        return self.add(OP, args, (name, params), dtype or self.terms[args[0]].dtype)

    def cast(self, value: int, dtype: str) -> int:
        """Return a value in another dtype."""
        return value if self.terms[value].dtype == dtype else self.op("cast", value, dtype=dtype)

    def number(self, value: Any, dtype: str) -> int:
        """Return a number: a literal where it is a common one, otherwise an argument, so that kernels are shared."""
        is_common = (value == value and abs(value) in (0, 1, 2, 0.5, float("inf"))) or kind_of(dtype) != "f"
        if is_common:
            return self.add(NUMBER, (), BY_NAME[dtype].type(value).item(), dtype)
        return self.load(self.constant(value, dtype), (0,) * len(self.group.domain))

    def load(self, there: Strided, strides: tuple[int, ...], *indices: tuple[int, int]) -> int:
        """Return an element of a tensor: strides along the domain, and indices with theirs."""
        number = self.buffer(there, strides, False, tuple(stride for _, stride in indices))
        return self.add(LOAD, tuple(term for term, _ in indices), number, NAMES[there.dtype])

    def buffer(self, there: Strided, strides: tuple[int, ...], is_written: bool, index_strides: Any = ()) -> int:
        """Return the number of a buffer."""
        row = (there._replace(shape=(), strides=()), strides, is_written, index_strides)
        found = self.numbers.get(row)
        if found is None:
            found = self.numbers[row] = len(self.buffers)
            self.buffers.append(row)
        return found

    def reduce(self, kind: str, value: int) -> int:
        """Return a total along the inner axes."""
        if not self.group.inner:  # every axis that is reduced has size 1
            return value
        return self.add(REDUCE, (value,), kind, self.terms[value].dtype)

    def position(self, axis: int) -> int:
        """Return where the loop along an axis of the domain stands."""
        return self.add(POSITION, (), axis, "int64")

    def check(self, index: int, size: int) -> int:
        """Return an index, brought into range."""
        term = self.add(CHECK, (self.cast(index, "int64"),), size, "int64")
        self.limits[term] = size
        return term

    # Nodes.

    def axes_of_input(self, node: Node, index: int) -> Axes:
        """Return for each axis of an input the axis of the domain."""
        own = role(node)
        points = self.group.points[node]
        if own is not None and index in own.joined:
            return tuple(points[a] if a is not None else None for a in own.joined[index])
        source = node.inputs[index]
        return points[len(points) - source.ndim :]

    def input(self, node: Node, index: int) -> int:
        """Return an input of a node at the present point."""
        source = node.inputs[index]
        base = source
        while base not in self.values and base.op.name in ("transpose", "broadcast_to", "reshape") and base.inputs:
            base = base.inputs[0]
        if base in self.values:
            return self.values[base]
        filled = fill_value(source)
        if filled is not None:
            return self.number(filled.item(), NAMES[source.dtype])
        there = self.look(source)
        strides = [0] * len(self.group.domain)
        for axis, size, stride in zip(self.axes_of_input(node, index), there.shape, there.strides, strict=True):
            if size != 1 and axis is not None:
                strides[axis] = stride
        return self.load(there, tuple(strides))

    def compute(self, node: Node) -> None:
        """Add the terms of a node."""
        name = node.op.name
        if name in REDUCTIONS:
            kind, before, after = REDUCTIONS[name]
            if node in self.group.closed:
                self.posts[node] = (before(self, node), kind)
            elif kind == "":
                self.values[node] = before(self, node)
            else:
                self.values[node] = after(self, node, self.reduce(kind, before(self, node)))
        elif name in WRITERS:
            self.values[node] = WRITERS[name](self, node)
        else:
            args = tuple(self.input(node, index) for index in range(len(node.inputs)))
            self.values[node] = self.op(name, *args, dtype=NAMES[node.dtype], params=_params(node))

    def store(self, value: int, there: Strided, axes: Axes, how: str = "") -> None:
        """Write a value."""
        strides = [0] * len(self.group.domain)
        for axis, size, stride in zip(axes, there.shape, there.strides, strict=True):
            if size != 1 and axis is not None:
                strides[axis] = stride
        self.stores.append(Store(self.buffer(there, tuple(strides), True), value, how))

    def put(
        self, value: int, there: Strided, strides: tuple[int, ...], how: str, places: Sequence[tuple[int, int]]
    ) -> None:
        """Write a value at computed places: indices, with their strides."""
        number = self.buffer(there, strides, True, tuple(stride for _, stride in places))
        self.stores.append(Store(number, value, how, tuple(term for term, _ in places)))

    # The kernel.

    def call(self, nodes: tuple[Node, ...], split: tuple[int, int] | None, piece_strides: dict[int, int]) -> Call:
        """Return the kernel and its arguments.

        Parameters
        ----------
        nodes : tuple of Node
        split : (int, int), optional
            The axis of the domain that is cut into pieces, and their length.
        piece_strides : dict of int to int
            The strides of written buffers from piece to piece.
        """
        group = self.group
        has_reduce = any(term.form == REDUCE for term in self.terms) or any(s.indices for s in self.stores)
        inner = set(group.inner or ()) if has_reduce else set()
        outer_axes = [a for a in group.order if a not in inner]
        inner_axes = [a for a in group.order if a in inner]
        if split is not None:
            side = inner_axes if split[0] in inner else outer_axes
            side.remove(split[0])
            side.insert(0, split[0])
        keep = {term.data for term in self.terms if term.form == POSITION} | ({split[0]} if split else set())
        outer = self._merged(outer_axes, keep)
        merged_inner = self._merged(inner_axes, keep)
        lane_is_inner = bool(inner_axes) and group.order[-1] in inner
        if lane_is_inner and outer and _is_long(outer[-1][1]) and split is None:
            lane_is_inner = _is_long(merged_inner[-1][1]) and not self._runs_across(merged_inner, outer[-1][0])
        if not inner and not split and len(outer) > 2 and outer[0][1] < 4:
            largest = max(range(len(outer) - 1), key=lambda i: outer[i][1])
            outer.insert(0, outer.pop(largest))
        rows = [*outer, *merged_inner]
        numbers = {axis: index for index, (axis, _) in enumerate(rows)}
        first = 0
        if split is not None:
            first = 1
            numbers = {axis: index + 1 for axis, index in numbers.items()}
        sizes = [size for _, size in rows]
        piece = 0
        if split is not None:
            piece = split[1]
            sizes.insert(0, -(-group.domain[split[0]] // piece))
        buffers, strides, index_strides = [], [], []
        for number, (there, own, is_written, indices) in enumerate(self.buffers):
            along = [own[axis] for axis, _ in rows]
            if split is not None:
                along.insert(0, piece_strides.get(number, 0))
            lane = len(rows) + first - 1 if lane_is_inner else len(outer) + first - 1
            static = [_static(stride, axis == lane) for axis, stride in enumerate(along)]
            buffers.append(Buffer(NAMES[there.dtype], tuple(static), is_written, len(indices)))
            strides.append(tuple(along))
            index_strides.append(tuple(indices))
        terms = []
        for term in self.terms:
            if term.form == POSITION:
                terms.append(term._replace(data=numbers[term.data]))
            elif term.form == CHECK:
                terms.append(term._replace(data=None))
            else:
                terms.append(term)
        is_short = bool(inner_axes) and merged_inner[-1][1] <= LONGEST_ROW
        kernel = Kernel(
            len(outer) + first, len(merged_inner), lane_is_inner, numbers[split[0]] if split else -1, is_short,
            tuple(buffers), tuple(terms), tuple(self.stores),
        )  # fmt: skip
        kernel = _in_blocks(kernel, sizes, strides)
        limits = [self.limits[number] for number, term in enumerate(terms) if term.form == CHECK]
        places = [there for there, *_ in self.buffers]
        return Call(kernel, places, tuple(sizes), strides, index_strides, limits, piece, nodes, group.domain)

    def _runs_across(self, inner: Sequence[tuple[int, int]], outer: int) -> bool:
        """Whether vectors are better filled along an outer axis than along the last inner one: a matrix is read whose
        rows lie across, and none that lies along. A total is then taken one term after the other: not of too many."""
        if math.prod([size for _, size in inner]) > LONGEST_TOTAL:
            return False
        last = inner[-1][0]
        is_across = [
            own[last] not in (0, 1) and own[outer] in (0, 1) for _, own, _, indices in self.buffers if not indices
        ]
        is_along = [own[outer] not in (0, 1) for _, own, _, _ in self.buffers]
        return any(is_across) and not any(is_along)

    def _merged(self, axes: Sequence[int], keep: set[int]) -> list[tuple[int, int]]:
        """Merge neighbouring axes along which every buffer runs on: rows of (axis that gives the stride, size)."""
        rows: list[tuple[int, int]] = []
        for axis in axes:
            size = self.group.domain[axis]
            if rows and axis not in keep and rows[-1][0] not in keep:
                before, length = rows[-1]
                if all(own[before] == own[axis] * size for _, own, _, _ in self.buffers):
                    rows[-1] = (axis, length * size)
                    continue
            rows.append((axis, size))
        return rows


def _is_long(size: int) -> bool:
    """Whether vectors can be filled along an axis."""
    return size >= 16


def _static(stride: int, is_lane: bool) -> int:
    """Strides that kernels know: none; 1, where neighbours are loaded together."""
    if stride == 0 or (stride == 1 and is_lane):
        return stride
    return DYNAMIC


def _in_blocks(kernel: Kernel, sizes: list[int], strides: list[tuple[int, ...]]) -> Kernel:
    """Let a kernel compute blocks of rows where that is worth it; numbers of rows that are neighbours are then known to be."""
    rows = block_of(kernel, sizes)
    if rows == 1:
        return kernel
    axis = kernel.outer - 1
    buffers = []
    for buffer, along in zip(kernel.buffers, strides, strict=True):
        if along[axis] == 1 and not any(along[kernel.outer :]):
            static = tuple(1 if a == axis else stride for a, stride in enumerate(buffer.strides))
            buffer = buffer._replace(strides=static)
        buffers.append(buffer)
    return kernel._replace(buffers=tuple(buffers), rows=rows)


def _params(node: Node) -> tuple[Any, ...]:
    """Parameters that the way of writing an op depends on (a dtype is in the term already)."""
    return tuple(p for p in node.params if not isinstance(p, np.dtype))


# Reductions: kind, the value that is reduced, and what becomes of the total.


def _plain(kind: str) -> Any:
    return kind, lambda region, node: region.input(node, 0), lambda region, node, total: total


def _sum_input(region: Region, node: Node) -> int:
    """The short floats are added up in float32."""
    return region.cast(region.input(node, 0), accumulator_of(node.dtype).name)


def _total(region: Region, node: Node, total: int) -> int:
    return region.cast(total, NAMES[node.dtype])


def count_of(node: Node) -> int:
    """Return how many elements are reduced to one."""
    total = 1
    for axis in node.param("axis"):
        total *= node.inputs[0].shape[axis]  # type: ignore[operator]
    return total


def _divided(region: Region, node: Node, total: int) -> int:
    dtype = region.terms[total].dtype
    count = region.load(region.constant(count_of(node), dtype), (0,) * len(region.group.domain))
    return _total(region, node, region.op("divide", total, count))


def _truth(region: Region, node: Node) -> int:
    return region.cast(region.input(node, 0), "bool")


def _logsumexp(region: Region, node: Node) -> int:
    dtype = accumulator_of(node.dtype).name
    x = region.cast(region.input(node, 0), dtype)
    top = region.reduce("max", x)
    zero = region.number(0.0, dtype)
    shift = region.op("where", region.op("isfinite", top, dtype="bool"), top, zero, dtype=dtype)
    total = region.reduce("add", region.op("exp", region.op("subtract", x, shift)))
    return _total(region, node, region.op("add", region.op("log", total), shift))


def _position_of(kind: str) -> Callable[[Region, Node], int]:
    """The position of the first element that is the largest or smallest, or NaN."""

    def write(region: Region, node: Node) -> int:
        x = region.input(node, 0)
        source = node.inputs[0]
        axis = node.param("axis")
        here, count = region.number(0, "int64"), 1
        for number in range(source.ndim) if axis is None else (axis,):
            size: Any = source.shape[number]
            count *= size
            place = region.group.points[node][number]
            if place is not None and size != 1:
                here = region.op("multiply", here, region.number(size, "int64"))
                here = region.op("add", here, region.position(place))
        top = region.reduce(kind, x)
        is_hit = region.op("equal", x, top, dtype="bool")
        is_hit = region.op("logical_or", is_hit, region.op("isnan", x, dtype="bool"), dtype="bool")
        return region.reduce("min", region.op("where", is_hit, here, region.number(count, "int64"), dtype="int64"))

    return write


def _picked(region: Region, node: Node) -> int:
    """The element of a row at an index, as bits of the only element that is not passed over."""
    x, indices = region.input(node, 0), region.input(node, 1)
    axis = region.group.points[node][node.param("axis")]
    assert axis is not None
    index = region.check(indices, region.group.domain[axis])
    here = region.op("equal", region.position(axis), index, dtype="bool")
    dtype = NAMES[node.dtype]
    if dtype == "bool":
        return region.reduce("or", region.op("logical_and", here, x, dtype="bool"))
    return region.reduce("add", region.op("where", here, x, region.number(-0.0, dtype), dtype=dtype))


REDUCTIONS: dict[str, tuple[str, Callable[..., int], Callable[..., int]]] = {
    "sum": ("add", _sum_input, _total),
    "prod": ("multiply", _sum_input, _total),
    "max": _plain("max"),
    "min": _plain("min"),
    "mean": ("add", _sum_input, _divided),
    "any": ("or", _truth, lambda region, node, total: total),
    "all": ("and", _truth, lambda region, node, total: total),
    "logsumexp": ("", _logsumexp, lambda region, node, total: total),
    "argmax": ("", _position_of("max"), lambda region, node, total: total),
    "argmin": ("", _position_of("min"), lambda region, node, total: total),
    "take_along_axis": ("", _picked, lambda region, node, total: total),
}


# Other ops that are written in a way of their own


def _scatter_along(region: Region, node: Node) -> int:
    x, indices, updates = (region.input(node, index) for index in range(3))
    axis = region.group.points[node][node.param("axis")]
    assert axis is not None
    index = region.check(indices, region.group.domain[axis])
    here = region.op("equal", region.position(axis), index, dtype="bool")
    dtype = NAMES[node.dtype]
    changed = region.op("add", x, updates) if node.param("mode") == "add" else updates
    return region.op("where", here, changed, x, dtype=dtype)


def _take(region: Region, node: Node) -> int:
    table, axis = node.inputs[0], node.param("axis")
    there = region.look(table)
    rank = node.inputs[1].ndim
    points = region.group.points[node]
    own = [*range(axis), None, *range(axis + rank, node.ndim)]  # for each axis of the table that of the result
    strides = [0] * len(region.group.domain)
    for place, size, stride in zip(own, there.shape, there.strides, strict=True):
        if place is not None and size != 1 and points[place] is not None:
            strides[points[place]] = stride  # type: ignore[index]
    index = region.check(region.input(node, 1), there.shape[axis])
    return region.load(there, tuple(strides), (index, there.strides[axis]))


def _gather(region: Region, node: Node) -> int:
    table, axes = node.inputs[0], node.param("axes")
    there = region.look(table)
    points = region.group.points[node]
    others = [axis for axis in range(table.ndim) if axis not in axes]
    strides = [0] * len(region.group.domain)
    for axis, place in zip(others, points[node.ndim - len(others) :], strict=True):
        if there.shape[axis] != 1 and place is not None:
            strides[place] = there.strides[axis]
    indices = []
    for number, axis in enumerate(axes):
        indices.append((region.check(region.input(node, 1 + number), there.shape[axis]), there.strides[axis]))
    return region.load(there, tuple(strides), *indices)


def start_of(region: Region, start: int, whole: int, size: int) -> int:
    """Return where a block begins on an axis, checked: it must lie inside as a whole."""
    start = region.cast(start, "int64")
    end = region.load(region.constant(whole, "int64"), (0,) * len(region.group.domain))
    zero = region.number(0, "int64")
    is_negative = region.op("less", start, zero, dtype="bool")
    first = region.op("where", is_negative, region.op("add", start, end), start, dtype="int64")
    return region.check(_unless_negative(region, first), whole - size + 1)


def _block(region: Region, node: Node) -> int:
    source, *starts = node.inputs
    there = region.look(source)
    points = region.group.points[node]
    strides = [0] * len(region.group.domain)
    indices = []
    for axis, (whole, size) in enumerate(zip(there.shape, node.shape, strict=True)):
        place = points[axis]
        if size != 1 and place is not None:
            strides[place] = there.strides[axis]
        if starts[axis].op is CONSTANT and starts[axis].value == 0:
            continue
        start = region.load(region.look(starts[axis]), (0,) * len(region.group.domain))
        indices.append((start_of(region, start, whole, size), there.strides[axis]))
    return region.load(there, tuple(strides), *indices)


def _unless_negative(region: Region, index: int) -> int:
    """Return an index that is not counted from the end: a negative one is out of range like those beyond the last."""
    is_negative = region.op("less", index, region.number(0, "int64"), dtype="bool")
    return region.op("where", is_negative, region.number((1 << 63) - 1, "int64"), index, dtype="int64")


def _classes(region: Region, node: Node) -> int:
    label = region.cast(region.input(node, 0), "int64")
    return region.cast(region.check(_unless_negative(region, label), node.param("count")), NAMES[node.dtype])


def _iota(region: Region, node: Node) -> int:
    axis = region.group.points[node][node.param("axis")]
    if axis is None:
        return region.number(0, NAMES[node.dtype])
    return region.cast(region.position(axis), NAMES[node.dtype])


def _band(region: Region, node: Node) -> int:
    result = region.input(node, 0)
    dtype = NAMES[node.dtype]
    row, column = (
        region.number(0, "int64") if axis is None else region.position(axis) for axis in region.group.points[node][-2:]
    )
    distance = region.op("subtract", column, row)
    for limit, is_outside in (node.param("lower"), "less"), (node.param("upper"), "greater"):
        if limit is not None:
            bound = region.number(-limit if is_outside == "less" else limit, "int64")
            outside = region.op(is_outside, distance, bound, dtype="bool")
            result = region.op("where", outside, region.number(0, dtype), result, dtype=dtype)
    return result


WRITERS: dict[str, Callable[[Region, Node], int]] = {
    "scatter_along_axis": _scatter_along, "take": _take, "gather": _gather, "dynamic_slice": _block, "iota": _iota,
    "check_classes": _classes, "band_part": _band,
}  # fmt: skip


# From groups to calls


def lower_group(
    group: Group, stored: dict[Node, Strided], look: Callable[[Node], Strided],
    constant: Callable[[Any, str], Strided], scratch: Callable[[tuple[int, ...], np.dtype[Any]], Strided],
) -> list[Call]:  # fmt: skip
    """Return the kernels that compute a group.

    Parameters
    ----------
    group : Group
    stored : dict of Node to Strided
        The values that others need, and where they go.
    look, constant : callable
        See `Region`.
    scratch : callable
        ``scratch(shape, dtype) -> Strided``: memory for partial results.
    """
    region = Region(group, look, constant)
    for node in group.nodes:
        region.compute(node)
    for node in group.nodes:
        if node in stored and node not in region.posts:
            region.store(region.values[node], stored[node], group.maps[node])
    if not region.posts:
        return [region.call(tuple(group.nodes), None, {})]
    split = _split(group)
    if split is None:  # short rows: the totals are taken in one go
        for node, (value, kind) in region.posts.items():
            total = value if kind == "" else REDUCTIONS[node.op.name][2](region, node, region.reduce(kind, value))
            region.store(total, stored[node], group.maps[node])
        return [region.call(tuple(group.nodes), None, {})]
    axis, length = split
    pieces = -(-group.domain[axis] // length)
    partials: list[tuple[Node, str, Strided]] = []
    piece_strides: dict[int, int] = {}
    for node, (value, kind) in region.posts.items():
        is_accumulated = node in group.accumulated
        kept = tuple(a for a in group.order if a in _kept(group, node))
        shape = tuple(group.domain[a] for a in kept)
        partial = scratch((pieces, *shape), BY_NAME[region.terms[value].dtype])
        partials.append((node, kind, partial))
        row = partial._replace(shape=shape, strides=partial.strides[1:])
        if is_accumulated:
            region.store(value, row, kept, kind)
        else:
            region.store(region.reduce(kind, value), row, kept)
        piece_strides[region.stores[-1].buffer] = partial.strides[0]
    calls = [region.call(tuple(group.nodes), split, piece_strides)]
    for node, kind, partial in partials:
        calls.append(_combine(group, node, kind, partial, stored[node], constant))
    return calls


def _kept(group: Group, node: Node) -> set[int]:
    """The axes of the domain along which a closed reduction has totals."""
    return {axis for axis, size in zip(group.maps[node], node.shape, strict=True) if size != 1 and axis is not None}


def _split(group: Group) -> tuple[int, int] | None:
    """Return the axis that is cut into pieces, and their length; None where the group is computed in one go."""
    if group.accumulated:
        axis = next(a for a in group.order if a not in _kept(group, next(iter(group.accumulated))))
    else:
        if not group.inner or any(REDUCTIONS[node.op.name][0] == "" for node in group.closed):
            return None
        rows = 1
        for a, size in enumerate(group.domain):
            rows *= 1 if a in group.inner else size
        if rows >= 4 * ENOUGH or group.size <= 2 * PIECE:
            return None
        axis = next(a for a in group.order if a in group.inner)
    return axis, _length_of_piece(group.domain[axis], group.size, bool(group.accumulated))


@of_sizes
def _length_of_piece(size: int, points: int, is_accumulated: bool) -> int:
    pieces = max(1, min(MOST_PIECES, points // PIECE, size))
    length = -(-size // pieces)
    if is_accumulated and length >= 2 * BLOCK:
        length = -(-length // BLOCK) * BLOCK
    return length


ENOUGH = 8  # rows that keep all threads busy


def _combine(
    group: Group, node: Node, kind: str, partial: Strided, there: Strided, constant: Callable[[Any, str], Strided]
) -> Call:
    """Return the kernel that adds up partial results."""
    kept = tuple(a for a in group.order if a in _kept(group, node))
    domain = partial.shape
    last = Group(-1, domain, tuple(range(len(domain))), True)
    last.inner = (0,)
    last.order = (*range(1, len(domain)), 0) if len(domain) == 1 else (0, *range(1, len(domain)))
    region = Region(last, lambda n: there, constant)
    value = region.load(partial, partial.strides)
    total = REDUCTIONS[node.op.name][2](region, node, region.reduce(kind, value))
    numbers = {axis: index + 1 for index, axis in enumerate(kept)}
    region.store(total, there, tuple(None if a is None else numbers.get(a) for a in group.maps[node]))
    return region.call((node,), None, {})
