"""From a graph whose sizes are all known to steps over memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from septet.backends.cpu import elements, regions
from septet.backends.cpu.loops import OP, Kernel, is_element
from septet.backends.cpu.memory import (
    ARENA,
    CONSTANT,
    INPUT,
    OUTPUT,
    READ,
    WRITTEN,
    Memory,
    Strided,
    arena_of,
    strides_of,
)
from septet.backends.cpu.short_floats import SHORT
from septet.backends.cpu.steps import STATUS, Function, Host, Prepared, Step, Unit
from septet.base.dtypes import BY_NAME, NAMES
from septet.base.errors import NotSupportedError
from septet.base.sizes import Size, of_sizes, plain
from septet.base.threads import thread_count
from septet.graph.graph import Graph
from septet.graph.node import CONSTANT as CONSTANT_LEAF
from septet.graph.node import VARIABLE, Node
from septet.graph.op import ITEM
from septet.graph.rewrite import fill_value
from septet.optimize.fuse import Group, fuse, is_view
from septet.optimize.open_sizes import NUMBER, number_of

GRAIN = 1 << 14
"""Points that one thread takes at a time: some 5 microseconds of light work, against 1 for taking it."""
DEAR = 3
"""What a function of many instructions counts, in points of light work."""
LANES = 64
"""What a thread takes of a single axis is a multiple of this: of the widest vectors."""


class Library(NamedTuple):
    """What is known of ops that are computed by themselves.

    Attributes
    ----------
    table : dict
        Op -> ``plan(planner, node) -> bool``: False where it declines, so that the node is computed in Python.
    order : callable
        ``order(node, users)``: the axes of a result from slow to fast in memory; None for the order of its shape.
    adds : callable
        ``adds(node)``: whether what plans a node can add its result to a tensor.
    """

    table: Mapping[str, Callable[[Planner, Node], bool]]
    order: Callable[[Node, Sequence[Node]], tuple[int, ...] | None]
    adds: Callable[[Node], bool]


class Part(NamedTuple):
    """How the inputs and results of a plan lie in larger tensors.

    Attributes
    ----------
    inputs, outputs : tuple of tuple of int
        Strides, in elements.
    added : set of Node
        Products among the results that are added to what is there.
    columns : dict of int to (int, int)
        The inputs that are the same for all parts, or the beginning of the same columns: along which axis these lie, and
        how many there are in all.
    """

    inputs: tuple[tuple[int, ...], ...]
    outputs: tuple[tuple[int, ...], ...]
    added: frozenset[Node]
    columns: Mapping[int, tuple[int, int]]


class Planner:
    """Turns one graph into steps.

    Parameters
    ----------
    graph : Graph
        Of known sizes.
    library : Library
    unchanged : set of int
        The inputs that are the same each time the plan runs, inside of a loop: what is made of them can be `prepared`.
    stacked : set of int
        The outputs that nothing writes, because the loop around keeps what a carried value was.
    part : Part, optional
        For a plan that computes parts of larger tensors, in one thread.

    Attributes
    ----------
    graph : Graph
    steps : list of Step
    units : list of Unit
        How steps belong together.
    memories : list of Memory
        Everything that steps refer to.
    sums : dict of Node to (Node, Node)
        For a node that is added to something in the same step: the sum, and the other summand.
    arena_size : int
        Bytes.
    prepared : list of Prepared
        What the loop around must make of unchanged inputs, before it begins.
    """

    def __init__(
        self,
        graph: Graph,
        library: Library,
        unchanged: Collection[int] = (),
        stacked: Collection[int] = (),
        part: Part | None = None,
    ) -> None:
        self.graph = graph
        self.library = library
        self.unchanged = unchanged
        self.stacked = stacked
        self.part = part
        self.prepared: list[Prepared] = []
        self.parts: dict[Any, Any] = {}  # plans for parts of tensors, by what they compute
        self.threads = 1 if part else thread_count()
        self.steps: list[Step] = []
        self.units: list[Unit] = []
        self._under_way: tuple[Node, ...] = ()
        self.memories: list[Memory] = []
        self.places: dict[Node, Strided] = {}
        self._numbers: dict[tuple[Any, str], Strided] = {}
        self._goals: dict[Node, Memory] = {}
        self.inputs = [self._new(INPUT, node, number) for number, node in enumerate(graph.inputs)]
        self.variables: dict[Any, int] = {}  # those that are read, with the number of their memory
        self.reads: list[Memory] = []
        self.outputs: list[Memory] = []
        self.written: list[Memory] = []
        for node, memory in zip(graph.inputs, self.inputs, strict=True):
            self.places[node] = self._in_whole(memory, node)
        for node in graph.nodes:
            if node.op is VARIABLE:
                self._read(node)
            elif isinstance(node.value, np.ndarray) and not node.inputs and node.op is CONSTANT_LEAF:
                self._hold(node)
            elif node.op is NUMBER:
                self.places[node] = self._quotient(*node.params, NAMES[node.dtype])
        self._set_goals()
        self._users = graph.users()
        self._parts = self._find_parts()
        self.orders: dict[Node, tuple[int, ...]] = {}
        groups = fuse(graph, regions.role, self._order)
        self._needed = self._stored_nodes(groups)
        self.sums = self._find_sums(groups)
        later = {add: node for node, (add, _) in self.sums.items()}
        for group in self._updates_last(groups):
            if group.nodes[0] in self.sums:
                continue
            first = later.get(group.nodes[0])
            with self._unit((*([first] if first else []), *group.nodes)):
                if first:
                    self._alone(first)
                else:
                    self._take(group)
        self._reach_goals()
        self.arena_size = arena_of(self.memories)

    def _order(self, node: Node) -> tuple[int, ...] | None:
        order = self.library.order(node, self._users[node])
        if order is not None:
            self.orders[node] = order
        return order

    # Memory.

    def _new(
        self, kind: str, node: Node | None, number: int = -1, size: int | None = None, value: Any = None
    ) -> Memory:
        if size is None:
            assert node is not None
            size = (node.tensor_type.size or 0) * node.dtype.itemsize
        memory = Memory(kind, size, number, value, node)
        self.memories.append(memory)
        return memory

    def _read(self, node: Node) -> None:
        variable = node.params[0]
        number = self.variables.setdefault(variable, len(self.variables))
        if number == len(self.reads):
            self.reads.append(self._new(READ, node, number))
        memory = self.reads[number]
        self.places[node] = _natural(memory, node)

    def _hold(self, node: Node) -> None:
        filled = fill_value(node)
        if filled is not None and node.shape:  # a number, repeated by strides of 0
            self.places[node] = self.constant(filled, NAMES[node.dtype]).broadcast(node.shape)  # type: ignore[arg-type]
            return
        value = np.ascontiguousarray(node.value)
        memory = self._new(CONSTANT, node, value=value)
        self.places[node] = _natural(memory, node)

    def constant(self, value: Any, dtype: str) -> Strided:
        """Return a place that holds a number."""
        if type(value) is Size:
            return self._quotient(value, 1, dtype)
        slot = (repr(value), dtype)
        if slot not in self._numbers:
            array = np.array(value).astype(BY_NAME[dtype])
            self._numbers[slot] = self.held(array)
        return self._numbers[slot]

    def _quotient(self, numerator: Any, denominator: Any, dtype: str) -> Strided:
        """Return a place that holds a number that follows from sizes."""
        slot = (numerator, denominator, dtype)
        if slot not in self._numbers:
            there = self._numbers[slot] = self.held(number_of(BY_NAME[dtype], *plain((numerator, denominator))))
            there.memory.sizes = numerator, denominator
        return self._numbers[slot]

    def held(self, array: np.ndarray) -> Strided:
        """Return the place of an array that belongs to the plan."""
        memory = self._new(CONSTANT, None, size=array.nbytes, value=array)
        return Strided(memory, array.dtype, array.shape, strides_of(array.shape))

    def scratch(self, shape: tuple[int, ...], dtype: Any) -> Strided:
        """Return fresh memory of the arena."""
        own = np.dtype(dtype)
        size = math.prod(shape) * own.itemsize
        return Strided(self._new(ARENA, None, size=size), own, shape, strides_of(shape))

    def scratch_in(self, shape: tuple[int, ...], dtype: Any, order: tuple[int, ...]) -> Strided:
        """Return fresh memory of the arena for a tensor whose axes lie in a given order, from slow to fast."""
        return self.scratch(shape, dtype)._replace(strides=strides_of(shape, order))

    def allocate(self, node: Node, order: tuple[int, ...] | None = None) -> Strided:
        """Return the place where a node's value goes: a result's or a variable's own, where it is one."""
        goal = self._goals.get(node)
        if goal is not None:
            there = self._in_whole(goal, node)
        else:
            shape: Any = node.shape
            there = Strided(self._new(ARENA, node), node.dtype, shape, strides_of(shape, order))
        self.places[node] = there
        return there

    def _find_parts(self) -> dict[Node, tuple[Node, list[slice]]]:
        """Return what is only a part of a tensor that is joined of several: it can be computed where it will lie."""
        found: dict[Node, tuple[Node, list[slice]]] = {}
        for node in self.graph.nodes:
            if node.op.name != "concatenate" or not self.can_copy(node):
                continue
            axis, start = node.param("axis"), 0
            for source in node.inputs:
                part = [slice(None)] * node.ndim
                part[axis] = slice(start, start + source.shape[axis])
                start += source.shape[axis]  # type: ignore[operator]
                if source not in found and source not in self._goals:
                    found[source] = node, part
        return found

    def allocate_stored(self, node: Node, order: tuple[int, ...]) -> Strided:
        """Return the place of a value that a kernel computes, which may be a part of another one."""
        if node not in self._parts:
            return self.allocate(node, order)
        whole, part = self._parts[node]
        there = self.places.get(whole) or self.allocate(whole)
        self.places[node] = there.sliced(part)
        return self.places[node]

    def look(self, node: Node) -> Strided:
        """Return where a value lies; a view that needs its elements moved is copied first."""
        found = self.places.get(node)
        if found is not None:
            return found
        assert is_view(node), f"{node!r} has not been computed"
        source = self.look(node.inputs[0])
        view = _view(node, source)
        if view is None:
            view = self.copied(source)
            reshaped = view.reshaped(node.shape)  # type: ignore[arg-type]
            assert reshaped is not None
            view = reshaped
        self.places[node] = view
        return view

    def copied(self, source: Strided, there: Strided | None = None) -> Strided:
        """Copy a tensor, into memory without gaps where no place is given, and convert it to the dtype of that place."""
        if there is None:
            there = self.scratch(source.shape, source.dtype)
        if source.dtype == there.dtype and (NAMES[source.dtype] in SHORT or not is_element(NAMES[source.dtype])):
            call = copy_call(source.as_bits(), there.as_bits())
        else:
            call = copy_call(source, there)
        if call is not None:
            self.emit(call, "copy")
        return there

    def filled(self, there: Strided, value: Any) -> Strided:
        """Write a number everywhere in a tensor."""
        return self.copied(self.constant(value, NAMES[there.dtype]).broadcast(there.shape), there)

    def can_copy(self, *nodes: Node) -> bool:
        """Tell whether kernels can move the elements of some nodes, and there are any."""
        return all(is_element(NAMES[node.dtype]) and 0 not in node.shape for node in nodes)

    def reuse(self, source: Node, node: Node, user: Node | None = None) -> Strided | None:
        """Let a node take over the memory of an input that nobody needs afterwards; None where that cannot be.

        A result of a node with several takes over what that one (`user`) has as input.
        """
        place = self.places.get(source)
        if place is None or place.memory.kind != ARENA or node in self._goals or self._users[source] != [user or node]:
            return None
        if not place.is_contiguous or place.memory.node is not source or source in self.graph.roots:
            return None
        self.places[node] = place
        place.memory.node = node
        return place

    def argument(self, number: int) -> Strided:
        """Return the place of an input."""
        return _natural(self.inputs[number], self.graph.inputs[number])

    def prepare(self, source: Strided, size: int, make: Callable[..., None]) -> Strided:
        """Return one more input, which holds what a loop around makes of an unchanged one before it begins.

        Parameters
        ----------
        source : Strided
            A view of the unchanged input.
        size : int
            Elements of what is made.
        make : callable
            ``make(planner, loop, source, place)`` plans it in the plan around.
        """
        memory = self._new(INPUT, None, len(self.inputs), size=size * source.dtype.itemsize)
        self.inputs.append(memory)
        self.prepared.append(Prepared(source, Strided(memory, source.dtype, (size,), (1,)), make))
        return self.prepared[-1].there

    def result(self, number: int) -> Strided:
        """Return the place of an output."""
        return _natural(self.outputs[number], self.graph.outputs[number])

    # Goals: results and new values of variables.

    def _set_goals(self) -> None:
        for number, node in enumerate(self.graph.outputs):
            memory = self._new(OUTPUT, node, number)
            self.outputs.append(memory)
            self._aim(node, memory)
        for number, (_, node) in enumerate(self.graph.updates):
            memory = self._new(WRITTEN, node, number)
            self.written.append(memory)
            self._aim(node, memory)

    def _aim(self, node: Node, memory: Memory) -> None:
        if node not in self._goals and node not in self.places and not is_view(node):
            self._goals[node] = memory

    def is_goal(self, node: Node) -> bool:
        """Tell whether a node's value goes to a place that is given: a result's or a variable's own."""
        return node in self._goals

    def _reach_goals(self) -> None:
        """Copy results that are not where they belong: views, inputs, what is asked for twice."""
        pairs = enumerate(zip(self.graph.outputs, self.outputs, strict=True))
        rows = [pair for number, pair in pairs if number not in self.stacked]
        rows += [(node, memory) for (_, node), memory in zip(self.graph.updates, self.written, strict=True)]
        for node, memory in rows:
            if self._goals.get(node) is not memory:
                self._under_way = (node,)
                self.copied(self.look(node), self._in_whole(memory, node))

    def _in_whole(self, memory: Memory, node: Node) -> Strided:
        """Return where an input lies or a result goes: in memory of its own, or in a larger tensor."""
        there = _natural(memory, node)
        if self.part is None or memory.kind not in (INPUT, OUTPUT):
            return there
        strides = self.part.inputs if memory.kind == INPUT else self.part.outputs
        return there._replace(strides=strides[memory.number])

    def adds(self, node: Node) -> bool:
        """Tell whether a result is added to what is there."""
        return self.part is not None and node in self.part.added

    # Groups.

    def _stored_nodes(self, groups: list[Group]) -> set[Node]:
        """Return the nodes of fused groups that others need."""
        home = {node: group for group in groups for node in group.nodes if node not in group.again}
        needed: set[Node] = set()

        def base(node: Node) -> Node:
            while is_view(node):
                node = node.inputs[0]
            return node

        for group in groups:
            for node in group.nodes:
                for source in node.inputs:
                    origin = base(source)
                    if home.get(origin) is not group and origin not in group.again:
                        needed.add(origin)
        needed.update(base(node) for node in self.graph.roots)
        return needed

    def _updates_last(self, groups: list[Group]) -> list[Group]:
        """Return the groups with those last that make nothing but new values of variables: these may overwrite."""
        targets = {node for _, node in self.graph.updates} - set(self.graph.outputs)
        users: set[Node] = set()
        for group in groups:
            own = set(group.nodes)
            for node in group.nodes:
                users.update(n for n in _bases(node) if n not in own)
        last = [
            group
            for group in groups
            if all(
                n in group.again or (n not in users and (n in targets or n not in self._needed)) for n in group.nodes
            )
            and any(n in targets for n in group.nodes)
        ]
        chosen = set(last)
        return [group for group in groups if group not in chosen] + last

    def _find_sums(self, groups: list[Group]) -> dict[Node, tuple[Node, Node]]:
        """Return the nodes that are only added to something that is there by then, and nothing else happens to the sum.

        Their results never go through memory: what computes them adds them.
        """
        found: dict[Node, tuple[Node, Node]] = {}
        again = {node for group in groups for node in group.again}
        alone = {group.nodes[0] for group in groups if len(group.nodes) == 1} - again
        roots, new = set(self.graph.roots), {node for _, node in self.graph.updates}
        for add in alone:
            if add.op.name != "add" or add in new or add in self._parts:
                continue
            for node, other in (add.inputs, add.inputs[::-1]):
                if node not in alone or node is other or node in roots or node in found or self._users[node] != [add]:
                    continue
                if node.type is add.type and other.dtype == add.dtype and self.library.adds(node):
                    found[node] = add, other
                    break
        return found

    def _take(self, group: Group) -> None:
        if not group.is_fused:
            for node in group.nodes:
                self._alone(node)
            return
        stored: dict[Node, Strided] = {}
        for node in group.nodes:
            if node in self._needed and node not in group.again:
                place = {axis: index for index, axis in enumerate(group.order)}
                axes = group.maps[node]
                order = sorted(range(node.ndim), key=lambda a: -1 if axes[a] is None else place[axes[a]])  # type: ignore
                stored[node] = self.allocate_stored(node, tuple(order))
        for call in regions.lower_group(group, stored, self.look, self.constant, self.scratch):
            self.emit(call, "+".join(node.op.name for node in call.nodes))

    def _alone(self, node: Node) -> None:
        """Plan a node that is computed by itself: with a library, or in Python."""
        write = self.library.table.get(node.op.name)
        if write is not None and write(self, node):
            return
        self.host(node)

    def host(self, node: Node) -> None:
        """Plan a node that is computed in Python with the reference of its card."""
        if any(isinstance(source.type, tuple) for source in node.inputs):
            raise AssertionError(f"{node!r} is planned with its source")
        sources = [self.look(source) for source in node.inputs]
        parts = node.type if isinstance(node.type, tuple) else (node.type,)
        if not all(part.is_known for part in parts):
            raise NotSupportedError(f"{node.op.name}: the shape of the result depends on data")
        items = self.graph_items(node)
        there = [self.allocate(item) if item is not None else None for item in items]
        writes = tuple(place.memory for place in there if place is not None)
        step = Step(
            node.op.name, Host(node, sources, there), (), tuple(s.memory for s in sources), writes, (node,),
        )  # fmt: skip
        self.append(step)

    def graph_items(self, node: Node) -> list[Node | None]:
        """Return the node itself, or for one with several results the nodes that select them, None where unused."""
        if not isinstance(node.type, tuple):
            return [node]
        found: list[Node | None] = [None] * len(node.type)
        for other in self.graph.nodes:
            if other.op is ITEM and other.inputs[0] is node:
                found[other.params[0]] = other
        return found

    # Steps.

    def emit(self, call: regions.Call, name: str) -> None:
        """Add a kernel to the plan."""
        kernel: Kernel = call.kernel
        total = call.sizes[0] if kernel.outer else 1
        work = 1 + DEAR * sum(term.form == OP and term.data[0] in elements.DEAR for term in kernel.terms)
        args: list[Any] = [total, *_shares(call.sizes, *kernel[:4], kernel.rows, work, self.threads)]
        args += [there.place for there in call.buffers]
        args += call.sizes
        arguments = kernel.arguments()
        args += [call.strides[number][axis] for number, axis in arguments.strides]
        args += [call.index_strides[number][index] for number, index in arguments.index_strides]
        args += call.limits
        if kernel.split >= 0:
            args.append(call.piece)
        if call.limits:
            args.append(STATUS)
        written = {s.buffer for s in kernel.stores}
        reads = tuple(there.memory for n, there in enumerate(call.buffers) if n not in written)
        writes = tuple(there.memory for n, there in enumerate(call.buffers) if n in written)
        self.append(Step(name, kernel, tuple(args), reads, writes, call.nodes, call))

    def threads_for(self, work: int, small: int) -> int:
        """Return how many threads share some work: all of them where it is more than little."""
        return _threads_for(self.threads, work, small)  # type: ignore[no-any-return]

    def native(
        self, name: str, function: str, args: list[Any], reads: list[Strided], writes: list[Strided], node: Node
    ) -> None:
        """Add a call of a native function to the plan."""
        step = Step(
            name, function, tuple(args), tuple(s.memory for s in reads), tuple(s.memory for s in writes), (node,),
        )  # fmt: skip
        self.append(step)

    def tasks(
        self, name: str, kernel: str, args: list[Any], reads: list[Strided], writes: list[Strided], node: Node,
        added: Strided | None = None,
    ) -> None:  # fmt: skip
        """Add a native kernel that threads run in parallel: `args` begin with total, chunk and threads.

        `added`: the one of `reads` whose elements are read where those of the first of `writes` are written.
        """
        memories = tuple(s.memory for s in reads), tuple(s.memory for s in writes)
        nodes: tuple[Node, ...] = (node,)
        if node in self.sums and name == node.op.name:  # not what is only put into panels
            nodes = (node, self.sums[node][0])
            name = "+".join(own.op.name for own in nodes)
        step = Step(name, "parallel", (Function(kernel), *args), *memories, nodes)
        is_same = added is not None and (added.strides, added.offset) == (writes[0].strides, writes[0].offset)
        self.append(step._replace(added=added.memory) if added is not None and is_same else step)

    def may_overwrite(self, old: Memory, new: Memory) -> bool:
        """Tell whether an output may lie where an input lies: all that is read there is read before it is written."""
        writers = [number for number, step in enumerate(self.steps) if new in step.writes]
        if len(writers) != 1 or any(old in step.reads for step in self.steps[writers[0] + 1 :]):
            return False
        step = self.steps[writers[0]]
        return old not in step.reads or step.is_in_place(old, new)

    @contextmanager
    def _unit(self, nodes: tuple[Node, ...]) -> Iterator[None]:
        """Plan some nodes: the steps that are added inside belong together."""
        first = len(self.steps)
        self._under_way = nodes
        yield
        self.units.append(Unit(nodes, first, len(self.steps)))
        self._under_way = ()

    def append(self, step: Step) -> None:
        """Add a step, and note for every piece of memory when it is first and last used."""
        number = len(self.steps)
        self.steps.append(step if step.nodes else step._replace(nodes=self._under_way))
        for memory in (*step.reads, *step.writes):
            if memory.first < 0:
                memory.first = number
            memory.last = number


@of_sizes
def _shares(
    sizes: tuple[int, ...], outer: int, inner: int, lane_is_inner: bool, split: int, rows: int, work: int, threads: int
) -> tuple[int, int]:
    """Return how much of its first axis a thread takes of a kernel at a time, and how many threads share it."""
    total = sizes[0] if outer else 1
    points = 1
    for size in sizes:
        points *= size
    if split == outer:
        points = max(points // max(sizes[0], 1), 1)
    elif split == 1:
        points = points // max(sizes[0], 1)
    points *= work
    chunk = max(1, -(-total * GRAIN // max(points, 1)))
    if outer == 1 and not lane_is_inner:
        chunk = -(-chunk // LANES) * LANES
    elif outer == 1 and chunk < total:
        chunk = -(-chunk // rows) * rows
    return chunk, threads if points >= 2 * GRAIN else 1


@of_sizes
def _threads_for(threads: int, work: int, small: int) -> int:
    return threads if work > small else 1


def _bases(node: Node) -> list[Node]:
    found = []
    for source in node.inputs:
        while is_view(source):
            source = source.inputs[0]
        found.append(source)
    return found


def _natural(memory: Memory, node: Node) -> Strided:
    shape: Any = node.shape
    return Strided(memory, node.dtype, shape, strides_of(shape))


def _view(node: Node, source: Strided) -> Strided | None:
    """Return a view, or None where a reshape would have to move elements."""
    name = node.op.name
    if name == "transpose":
        return source.transposed(node.param("axes"))
    if name == "broadcast_to":
        return source.broadcast(node.shape)  # type: ignore[arg-type]
    if name == "slice":
        return source.sliced([as_slice(s) for s in node.param("slices")])
    return source.reshaped(node.shape)  # type: ignore[arg-type]


def as_slice(value: Any) -> slice:
    """Return a slice for what a card holds."""
    return value if isinstance(value, slice) else slice(*value)


def copy_call(source: Strided, there: Strided) -> regions.Call | None:
    """Return the kernel that copies one tensor to another of the same shape, and converts it where its dtype differs.

    None where there is nothing to copy.
    """
    if 0 in source.shape:
        return None
    big = [a for a, size in enumerate(source.shape) if size != 1]
    order = sorted(big, key=lambda a: -abs(there.strides[a]))
    group = Group(-1, tuple(source.shape[a] for a in big), tuple(big.index(a) for a in order), True)
    region = regions.Region(group, lambda node: source, lambda value, dtype: source)
    value = region.load(source, tuple(source.strides[a] for a in big))
    if there.dtype != source.dtype:
        value = region.op("cast", value, dtype=NAMES[there.dtype])
    axes = tuple(big.index(a) if a in big else None for a in range(len(source.shape)))
    region.store(value, there, axes)
    return region.call((), None, {})
