"""Running a graph natively: plans for combinations of shapes, and the call."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from time import perf_counter_ns
from typing import Any, NamedTuple

import numpy as np

from septet.backends.base import Backend, Program, owned
from septet.backends.base_work import Change, Description, Made, Tell, Work
from septet.backends.cpu import calling, interrupts, jit, native, regions
from septet.backends.cpu.arenas import Arena
from septet.backends.cpu.calling import address_of
from septet.backends.cpu.families import Family, Model, Source, surroundings
from septet.backends.cpu.linking import begin, link
from septet.backends.cpu.memory import ARENA, CONSTANT, Memory, Strided
from septet.backends.cpu.native import EVERY
from septet.backends.cpu.ops.library import LIBRARY
from septet.backends.cpu.planner import Planner
from septet.backends.cpu.results import new
from septet.backends.cpu.steps import Host
from septet.base import forks
from septet.base.config import config
from septet.base.errors import SeptetError
from septet.base.sizes import Carried, Numbers, Scope, plain
from septet.base.watch import PLAN, RUN, span, tell, watch
from septet.graph.graph import Graph
from septet.graph.rewrite import rewrite
from septet.optimize.open_sizes import Opened, carried, closed, open_sizes
from septet.optimize.pipeline import optimize
from septet.optimize.sizes import has_open_sizes, with_shapes
from septet.tensor.variable import Variable, go_through, storing

Keep = Callable[[list[Any]], Iterable[Any]]


class Plan:
    """A graph of known sizes, ready to run: steps as data, compiled kernels, a place in an arena.

    Parameters
    ----------
    graph : Graph
    planner : Planner, optional
    arena : Arena, optional
        Where plans run that never do so at the same time; by default, one of its own.
    model : (Plan, Numbers), optional
        A plan of the same graph for other sizes, and the numbers that it has for these: the steps are the same.
    """

    def __init__(
        self, graph: Graph, planner: Planner | None = None, arena: Arena | None = None,
        model: tuple[Plan, Numbers] | None = None,
    ) -> None:  # fmt: skip
        self.graph = graph
        self.status = np.zeros(interrupts.WORDS, np.int64)
        self.is_adapted = model is not None
        self.nodes = len(graph) if model is None else model[0].nodes
        if model is None:
            self.planner = planner or Planner(graph, LIBRARY)
            self.linked = link(self.planner, self.status)
        else:
            self.planner = model[0].planner
            self.linked = model[0].linked.for_sizes(self.status, model[1])
        self.steps = self.planner.steps
        self.bases = self.linked.bases
        place = arena and arena.take_in(self.linked.arena_size, self.bases)
        if place is None:
            place = Arena().take_in(self.linked.arena_size, self.bases)
        assert place is not None
        self._place, self.arena = place, place.arena
        self._words = (ctypes.c_int64 * len(self.bases)).from_address(self.bases.ctypes.data)
        if model is None:
            self._note_uses()
        self.segments: list[Any] = [
            segment if isinstance(segment, Host) else self.rows(*segment) for segment in self.linked.segments
        ] or [self.rows(0, 0)]
        self._first_rows: dict[Memory, int] = {}
        if model is None:
            self._find_in_place()
        else:
            self.in_place = model[0].in_place
        if any(old >= 0 for old in self.in_place):  # a child has no use for anything else that another thread computes
            self.arena.wait_in_forks()
        self.lock = self.arena.lock
        self.nested: Plan | None = None  # runs where the thread that has the lock comes again meanwhile
        self.reads = tuple(self.planner.variables)
        self.updates = [
            (variable, old, plain(node.shape), node.dtype)
            for (variable, node), old in zip(graph.updates, self.in_place, strict=True)
        ]
        self.changed = [variable for variable, _ in graph.updates]
        self.outputs = [(plain(node.shape), node.dtype) for node in graph.outputs]
        self.effects = [None] * len(graph.effects)
        self.is_native = all(isinstance(segment, Rows) for segment in self.segments)  # then it is one segment
        writers = [self.planner.written[number] for number, old in enumerate(self.in_place) if old >= 0]
        # How many steps run before the first that writes over a variable.
        self.safe = (
            min([len(self.linked.rows), *[self.first_row(m) for m in writers]]) if model is None else model[0].safe
        )
        self._takes: dict[tuple[int, int], int] = {}
        self.made: Made | None = None  # set by the program
        self.stamped: list[Any] | None = None  # set by `stepwise`
        self._works: list[Work] | None = None
        self._caller: calling.Caller | None = None
        self.was_called = False

    @property
    def is_busy(self) -> bool:
        """Whether a plan runs in the same memory, in the thread that has the lock."""
        return self.arena.is_busy

    @property
    def works(self) -> list[Work]:
        """What each step does."""
        if self._works is None:
            from septet.backends.cpu import describing

            self._works = describing.works_of(self.planner)
        return self._works

    def tell(self, number: int, start: int, end: int) -> None:
        """Tell those who watch how long a step took."""
        work = self.works[number]
        tell(work.kind, work.name, start, end, work)

    def place(self, *groups: list[np.ndarray]) -> None:
        """Tell native code where inputs, variables, their new values and results lie, in this order."""
        self._words[1:] = [address_of(array) for group in groups for array in group]

    def caller(self) -> calling.Caller | None:
        """Return the native function that makes a call; None where this Python has none, or steps need Python."""
        if self._caller is None and self.is_native and calling.is_supported():
            shapes = [plain(node.shape) for node in self.graph.inputs]
            self._caller = calling.caller(
                self, self.linked.addresses(), self.safe, shapes, self.reads, self.updates, self.outputs,
                len(self.effects),
            )  # fmt: skip
        return self._caller

    def take_back(self) -> None:
        """Give variables the values back that they have lent, where nothing was written over them."""
        for variable in self.changed:
            variable.take_back(self)

    def rows(self, first: int, end: int, table: np.ndarray | None = None) -> Rows:
        """Return some native steps in a row."""
        return Rows(self, first, end, table)

    def first_row(self, new: Memory) -> int:
        """Return the number of the native step that first writes to some memory."""
        found = self._first_rows.get(new)
        if found is None:
            first = min(self._writers.get(new, [len(self.steps)]))
            found = sum([not isinstance(step.code, Host) for step in self.steps[:first]])
            self._first_rows[new] = found
        return found

    def _note_uses(self) -> None:
        """Note for each piece of memory the steps that read it and write it, and the last step that can find an error."""
        self._readers: dict[Memory, list[int]] = {}
        self._writers: dict[Memory, list[int]] = {}
        self._last_that_may_fail = -1
        for number, step in enumerate(self.steps):
            for memory in {*step.reads}:
                self._readers.setdefault(memory, []).append(number)
            for memory in {*step.writes}:
                self._writers.setdefault(memory, []).append(number)
            if step.may_fail:
                self._last_that_may_fail = number

    def _find_in_place(self) -> None:
        """Find the variables whose new value may overwrite the old one: nothing needs the old one afterwards."""
        planner = self.planner
        self.in_place: list[int] = []  # for each update the number of the variable that is read, or -1
        for number, (variable, _) in enumerate(self.graph.updates):
            found = -1
            index = planner.variables.get(variable, -1)
            if index >= 0 and self._may_overwrite(planner.reads[index], planner.written[number]):
                found = index
            self.in_place.append(found)

    def safe_if_taken(self, output: int, argument: int) -> int:
        """Return how many native steps run before an output is written over an argument; -1 where it must not be."""
        pair = output, argument
        found = self._takes.get(pair)
        if found is None:
            old, new = self.planner.inputs[argument], self.planner.outputs[output]
            is_possible = old.size == new.size and self._may_overwrite(old, new)
            found = self._takes[pair] = self.first_row(new) if is_possible else -1
        return found

    def _may_overwrite(self, old: Memory, new: Memory) -> bool:
        writers, readers = self._writers.get(new, ()), self._readers.get(old, ())
        if len(writers) != 1 or self._last_that_may_fail >= writers[0]:
            return False  # after an error everything is as it was before
        if any(n > writers[0] for n in readers):
            return False
        step = self.steps[writers[0]]
        if old not in step.reads:
            return True
        if step.call is None or step.call.kernel.inner:
            return False
        places = [
            (strides, there.offset)
            for there, strides in zip(step.call.buffers, step.call.strides, strict=True)
            if there.memory in (old, new)
        ]
        return len(set(places)) == 1

    def view(self, there: Strided) -> np.ndarray:
        """Return a tensor in memory as an array."""
        memory = there.memory
        if memory.kind == CONSTANT:
            base = memory.value.ctypes.data
        elif memory.kind == ARENA:
            base = int(self.bases[0]) + memory.offset
        else:
            base = int(self.bases[self.linked.first[memory.kind] + memory.number])
        raw = (ctypes.c_char * max(plain(memory.size), 1)).from_address(base)
        shape, strides, offset = plain((there.shape, there.strides, there.offset))
        each = there.dtype.itemsize
        return np.ndarray(shape, there.dtype, raw, offset * each, tuple([stride * each for stride in strides]))


def _with_products(graph: Graph, changes: list[Change]) -> Graph:
    """Return a graph with its products as they are planned."""
    from septet.optimize import products
    from septet.optimize.blocks import in_blocks

    start = perf_counter_ns()
    outcome = rewrite(graph, products.RULES)
    changes.append(_change("products", outcome.graph, outcome.fired, start))
    start = perf_counter_ns()
    graph, count = in_blocks(outcome.graph, regions.is_loop)
    changes.append(_change("blocks", graph, {"in_blocks": count} if count else {}, start))
    return graph


def _change(name: str, graph: Graph, fired: dict[str, int], start: int) -> Change:
    return Change(name, len(graph), fired, 1e-9 * (perf_counter_ns() - start))


class Rows:
    """Native steps in a row.

    Parameters
    ----------
    plan : Plan
    first, end : int
        Which of its steps; where they begin with the first one, addresses are filled in before.
    table : ndarray, optional
        What has the steps as native code reads them, if not the plan's own.

    Attributes
    ----------
    address : int
        Of what `start` takes.
    """

    __slots__ = ("_record", "_safe", "_table", "address", "first", "start")

    def __init__(self, plan: Plan, first: int, end: int, table: np.ndarray | None = None) -> None:
        self._table = plan.linked.rows if table is None else table
        bases, moves, n_moves, slots, _, _, status = plan.linked.addresses()
        rows = int(self._table.ctypes.data) + 16 * first
        record = [bases, moves, 0 if first else n_moves, slots, rows, end - first, status, EVERY]
        self._record = (ctypes.c_int64 * len(record))(*record)
        self.address = ctypes.addressof(self._record)
        self.start = native.callable_start()
        self.first = first

    def until(self, safe: int) -> int:
        """Let signals stop it up to the plan's step `safe`, and return the address of what `start` takes."""
        self._record[7] = safe - self.first
        return self.address

    def __call__(self, safe: int = EVERY) -> int:
        """Run; return 0, or a number where a step found an error. Signals may stop it up to the plan's step `safe`.

        Raises
        ------
        BaseException
            What the handler of a signal raises.
        """
        failed: int = self.start(self.until(safe))
        return failed


PRODUCT = "dot_general"
"""The op that the last passes are about: graphs without it do without them."""
OPEN_SIZES = "sizes in this graph depend on values"


class Settled(NamedTuple):
    """Where a graph comes from whose sizes are known, because values have decided them.

    Attributes
    ----------
    graph : Graph
        With open sizes.
    decided : tuple of int
        The sizes that values have decided.
    seconds : float
        What that took.
    """

    graph: Graph
    decided: tuple[int, ...]
    seconds: float = 0.0


class CpuProgram:
    """A graph made ready to run natively.

    Attributes
    ----------
    graph : Graph
    plans : dict
        One for each combination of shapes so far.

    Parameters
    ----------
    graph : Graph
    reference : Backend
    beside : Program, optional
        See `CpuBackend.compile`.
    is_resized : bool
        Whether the same graph is likely to come with other sizes.
    settled : Settled, optional
        What the graph was made from, where values have decided sizes.
    """

    deciding: Sequence[int] = ()
    tell: Callable[[Made], None] | None = None

    def __init__(
        self, graph: Graph, reference: Backend, beside: Program | None = None, is_resized: bool = False,
        settled: Settled | None = None,
    ) -> None:  # fmt: skip
        self.graph = graph
        self.reference = reference
        self._is_resized = is_resized  # then it is optimized when it is planned, unless there is a plan to be adapted
        self._settled = settled or Settled(self.graph, ())
        self._family = beside._family if isinstance(beside, CpuProgram) else Family()
        self.plans: dict[Any, Plan | Program] = {}
        self._last: tuple[Plan, calling.Caller] | None = None  # the plan of the last call, and its native function
        self._programs: dict[int, tuple[Graph, Program]] = {}  # of graphs inside of nodes that Python computes
        self._begun: dict[Any, tuple[Graph, Planner]] = {}

    @property
    def made(self) -> list[Made]:
        """What each plan took."""
        found: list[Made] = []
        for plan in self.plans.values():
            found += plan.made if not isinstance(plan, Plan) else [plan.made] if plan.made is not None else []
        return found

    def make_ready(self, shapes: Sequence[tuple[int, ...]]) -> Made | None:
        """Make the plan for inputs of some shapes."""
        plan = self.prepare(shapes)
        return plan.made if isinstance(plan, Plan) else plan.make_ready(shapes)

    def prepare(self, shapes: Sequence[tuple[int, ...]]) -> Plan | Program:
        """Return the plan for inputs of some shapes, and make it first where there is none."""
        key = tuple(shapes)
        plan = self.plans.get(key)
        if plan is None:
            with forks.work:
                plan = self.plans[key] = self._plan(key)
        return plan

    def begin(self, shapes: Sequence[tuple[int, ...]]) -> None:
        """Do what `prepare` begins with, and have another thread compile kernels; this one does not wait for them."""
        key = tuple(shapes)
        with forks.work:
            graph = self._graph_for(key)
            if graph is not None:
                planner = Planner(graph, LIBRARY)
                begin(planner)
                self._begun[key] = graph, planner

    def __call__(self, arguments: Sequence[np.ndarray]) -> list[Any]:
        """Run, and return the values of the roots; variables keep their values."""
        return self._make_call(arguments, False)

    def step(self, arguments: Sequence[np.ndarray]) -> list[Any]:
        """Run, give variables their new values, and return the values of the roots."""
        return self._make_call(arguments, True)

    def _make_call(self, arguments: Sequence[np.ndarray], is_step: bool) -> list[Any]:
        if self._last is not None and type(arguments) is list and not (watch.observers or config.check_nan):
            plan, caller = self._last
            arena = plan.arena
            with arena.lock:
                if not arena.is_busy:
                    try:
                        arena.is_busy = True
                        results = caller.call(arguments, is_step)
                        if type(results) is list:
                            return results
                        if results is not None:
                            plan.take_back()
                            self._explain(arguments)
                    except BaseException:
                        plan.take_back()
                        raise
                    finally:
                        arena.is_busy = False
        plan = self.prepare([array.shape for array in arguments])
        if not isinstance(plan, Plan):
            return plan.step(arguments) if is_step else owned(plan(arguments), arguments)
        if plan.is_adapted and (watch.observers or config.check_nan):
            full = self._in_full([array.shape for array in arguments])
            assert isinstance(full, Plan)
            plan = full
        # The first result does not wait for the function that makes calls.
        caller = plan.caller() if plan.was_called or calling.is_ready() else None
        if caller is not None:
            self._last = plan, caller
        plan.was_called = True
        return self._execute(plan, arguments, is_step)

    def replace(
        self, arguments: Sequence[np.ndarray], given: Sequence[tuple[int, int]], keep: Keep, gone: Iterable[Any]
    ) -> None:
        """Run a graph without updates, and hand over the values of its outputs: all, or none where something is raised.

        Parameters
        ----------
        arguments : sequence of ndarray
        given : sequence of (int, int)
            An output and an argument that nobody reads any more: the output may be written over it, if nothing fails.
        keep : callable
            Takes the outputs before they are computed, and returns an iterator of C functions that hands them over.
        gone : iterable
            What else is gone through then.
        """
        plan = self._in_full([array.shape for array in arguments])
        if isinstance(plan, Plan):
            self._execute(plan, arguments, False, given, lambda outputs: chain(keep(outputs), gone))
        else:
            go_through(chain(keep(owned(plan(arguments), arguments)), gone))

    def _execute(
        self, plan: Plan, arguments: Sequence[np.ndarray], is_step: bool, given: Sequence[tuple[int, int]] = (),
        keep: Keep | None = None,
    ) -> list[Any]:  # fmt: skip
        """Run a plan, and let its results take effect: all of them, or none where something is raised.

        Parameters
        ----------
        plan : Plan
        arguments : sequence of ndarray
        is_step : bool
            Whether variables take their new values.
        given, keep
            As for `replace`.
        """
        arena = plan.arena
        with arena.lock:
            if arena.is_busy:  # in this very thread: by the handler of a signal, or a callback
                plan.nested = plan.nested or self._beside(plan)
                return self._execute(plan.nested, arguments, is_step, given, keep)
            try:
                arena.is_busy = True
                if watch.observers or config.check_nan:
                    return self._execute_by_steps(plan, arguments, is_step, keep)
                return self._run(plan, arguments, is_step, given, keep)
            except BaseException:
                plan.take_back()
                raise
            finally:
                arena.is_busy = False

    def _execute_by_steps(
        self, plan: Plan, arguments: Sequence[np.ndarray], is_step: bool, keep: Keep | None
    ) -> list[Any]:
        with span(RUN, self.graph.name or "graph"):
            results = self._run_by_steps(plan, arguments, plan.tell if watch.observers else None, config.check_nan)
        count = len(plan.outputs)
        if is_step and plan.changed:
            go_through(storing(plan.changed, results[count : count + len(plan.changed)]))
        if keep is not None:
            go_through(keep(results[:count]))
        return results

    def observe(self, arguments: Sequence[np.ndarray], tell: Tell) -> list[Any]:
        """Run step by step; variables are not overwritten."""
        plan = self._in_full([array.shape for array in arguments])
        if not isinstance(plan, Plan):
            return plan.observe(arguments, tell)
        with plan.lock:
            if plan.is_busy:
                plan = self._beside(plan)
            arena = plan.arena
            try:
                arena.is_busy = True
                return self._run_by_steps(plan, arguments, tell, False)
            finally:
                arena.is_busy = False

    def describe(self, arguments: Sequence[np.ndarray]) -> Description:
        """Return what runs for some inputs, and what memory it takes."""
        shapes = [array.shape for array in arguments]
        plan = self._in_full(shapes)
        changes: list[Change] = []
        self._graph_for(tuple(shapes), changes)
        if self._settled.graph is not self.graph:
            changes.insert(0, Change("sizes", len(self.graph), {}, self._settled.seconds))
        if not isinstance(plan, Plan):
            found = plan.describe(arguments)
            if found.backend == "cpu":  # a part of it
                return found
            works = [work._replace(reason=OPEN_SIZES) for work in found.works]
            return found._replace(works=works, changes=changes)
        from septet.backends.cpu import describing

        pieces = describing.pieces_of(plan.planner, plan.in_place)
        arena = plan.linked.arena_size
        return Description("cpu", plan.planner.threads, plan.works, pieces, arena, changes, plan.made, self._is_resized)

    def _graph_for(self, shapes: tuple[tuple[int, ...], ...], changes: list[Change] | None = None) -> Graph | None:
        """Return the graph for some shapes, as it is planned; None where sizes depend on values.

        `changes` takes what was done to the graph on the way.
        """
        start = perf_counter_ns()
        graph = with_shapes(self.graph, shapes)
        if has_open_sizes(graph):
            return None
        if changes is not None and graph is not self.graph:
            changes.append(_change("sizes", graph, {}, start))
        return self._improved(graph, changes)

    def _improved(self, graph: Graph, changes: list[Change] | None = None) -> Graph:
        """Return a graph as it is planned."""
        noted: list[Change] = []
        if self._is_resized or graph is not self.graph:
            steps: list[Any] = []
            graph = optimize(graph, None, steps)
            noted += [Change(own.name, len(own.graph), own.fired, own.seconds) for own in steps[1:]]
        if any(node.op.name == PRODUCT for node in graph.nodes):
            graph = _with_products(graph, noted)
        if changes is not None:
            changes += noted
        return graph

    def _plan(self, shapes: tuple[tuple[int, ...], ...]) -> Plan | Program:
        """Return the plan for some shapes; where sizes depend on values, there is only the reference."""
        start, before = perf_counter_ns(), jit.made.counts()
        graph, planner = self._begun.pop(shapes, None) or (None, None)
        plan: Plan | None = None
        how = ""
        if graph is not None:
            plan = Plan(graph, planner, self._family.arena)
        else:
            with span(PLAN, self.graph.name or "graph"):
                source = with_shapes(self.graph, shapes)
                if has_open_sizes(source):
                    return self._split(source) or self.reference.compile(
                        optimize(self.graph) if self._is_resized else self.graph
                    )
                if self._is_resized:
                    plan, how = self._from_others(source)
                if plan is None and self._is_resized:
                    plan = self._open_plan(source, shapes)
                if plan is None:
                    plan = Plan(self._improved(source), None, self._family.arena)
        new, loaded = (after - own for after, own in zip(jit.made.counts(), before))
        seconds = 1e-9 * (perf_counter_ns() - start)
        plan.made = Made(shapes, plan.nodes, seconds, new + loaded, new, how)
        return plan

    def _open_plan(self, source: Graph, shapes: tuple[tuple[int, ...], ...]) -> Plan | None:
        """Return the plan for a graph of known sizes, and keep it for others; None where it can only be for these."""
        for axes in self._family.open_axes(self._settled.graph, shapes):
            opened = open_sizes(source, axes, self._settled.decided, self._settled.graph)
            plan = None if opened is None else self._plan_of(opened)
            if plan is not None:
                return plan
        return None

    def _plan_of(self, opened: Opened) -> Plan | None:
        """Return the plan for a graph of open sizes, and keep it; None where they lead to an error."""
        try:
            graph = self._improved(opened.graph)
            until = opened.scope.formulas.mark()
            plan = Plan(graph, None, self._family.arena)
        except SeptetError:  # of sizes that are what they are by chance: without open ones it is another
            if config.verify:
                raise
            return None
        finally:
            formulas = opened.scope.close()
        self._family.add(Model(Source(opened, formulas, until, graph, surroundings()), formulas, plan))
        return plan

    def _split(self, source: Graph) -> Program | None:
        """Return the program of a graph of which some sizes are not known; None where there is only the reference."""
        from septet.backends.cpu.split import SplitProgram, split

        parts = split(optimize(source) if self._is_resized else source)
        if parts is None:
            return None
        first = CpuProgram(parts.first, self.reference, None, self._is_resized)
        return SplitProgram(source, first, self.reference.compile(parts.rest), OPEN_SIZES)

    def _from_others(self, source: Graph) -> tuple[Plan | None, str]:
        """Return the plan of a graph that is another one's but for its sizes, and how it was made; None if there is none."""
        found = self._family.find(source, self._settled.decided)
        if found.plan is not None and found.numbers is not None:
            return Plan(source, None, self._family.arena, (found.plan, found.numbers)), found.how
        if found.source is None:
            return None, found.how
        scope = Scope()
        try:
            graph = carried(found.source.graph, Carried(found.source.formulas, scope, found.values))
            plan = Plan(graph, None, self._family.arena)
        finally:
            formulas = scope.close()
        self._family.add(Model(found.source, formulas, plan))
        return plan, found.how

    def _in_full(self, shapes: Sequence[tuple[int, ...]]) -> Plan | Program:
        """Return the plan for inputs of some shapes, made for just these: then everything about it is known."""
        plan = self.prepare(shapes)
        if not isinstance(plan, Plan) or not plan.is_adapted:
            return plan
        key = tuple(shapes)
        with forks.work:
            full = Plan(self._improved(plan.graph), None, self._family.arena)
        full.made = plan.made
        self.plans[key] = full
        self._last = None
        return full

    def _beside(self, plan: Plan) -> Plan:
        """Return another plan for the same, with memory of its own."""
        return Plan(self._improved(plan.graph) if plan.is_adapted else plan.graph)

    def _run_by_steps(self, plan: Plan, arguments: Sequence[np.ndarray], tell: Tell | None, checks: bool) -> list[Any]:
        from septet.backends.cpu import stepwise

        results = stepwise.run(plan, arguments, self._run_graph, tell, checks)
        if results is None:
            self._explain(arguments)
        return results  # type: ignore[return-value]

    def _run(
        self, plan: Plan, arguments: Sequence[np.ndarray], is_step: bool, given: Sequence[tuple[int, int]],
        keep: Keep | None,
    ) -> list[Any]:  # fmt: skip
        inputs = [array if array.flags.c_contiguous else np.ascontiguousarray(array) for array in arguments]
        values = []
        for variable in plan.reads:
            array = variable.current()
            values.append(array if array.flags.c_contiguous else np.ascontiguousarray(array))
        array = None  # type: ignore[assignment]  # nobody but `values` and the variable itself has the last one
        outputs: list[Any] = [None] * len(plan.outputs)
        safe = EVERY
        for number, own in given:
            before = plan.safe_if_taken(number, own)
            if before >= 0 and inputs[own] is arguments[own]:
                outputs[number] = inputs[own]
                safe = min(safe, before)
        for number, (shape, dtype) in enumerate(plan.outputs):
            if outputs[number] is None:
                outputs[number] = array = new(shape, dtype)
                array.setflags(write=False)
        if plan.updates:
            return self._run_with_updates(plan, inputs, values, outputs, is_step)
        plan.place(inputs, values, outputs)
        if plan.is_native and keep is None:
            failed = plan.segments[0](safe)
        else:
            failed = self._run_segments(plan, safe, () if keep is None else keep(outputs))
        if failed:
            self._explain(arguments)
        return [*outputs, *plan.effects]

    def _run_with_updates(
        self, plan: Plan, inputs: list[np.ndarray], values: list[np.ndarray], outputs: list[np.ndarray], is_step: bool
    ) -> list[Any]:
        """Run a plan that has new values for variables; they are written over the old ones where nobody sees these."""
        news: list[np.ndarray] = []
        lent: list[Variable] = []
        for variable, old, shape, dtype in plan.updates:
            if is_step and old >= 0 and variable.lend(values[old], 1, plan):
                lent.append(variable)
                news.append(values[old])
            else:
                array = new(shape, dtype)
                array.setflags(write=False)
                news.append(array)
        plan.place(inputs, values, news, outputs)
        effect = storing(plan.changed, news, lent) if is_step else ()
        if self._run_segments(plan, plan.safe if lent else EVERY, effect):
            self._explain(inputs)
        return [*outputs, *news, *plan.effects]

    def _run_segments(self, plan: Plan, safe: int, effect: Iterable[Any]) -> bool:
        """Run the steps of a plan; tell whether one has found an error.

        Parameters
        ----------
        plan : Plan
        safe : int
            The native step from which on a signal must not stop it: nothing may fail from there on, and no Python runs.
        effect : iterable
            Gone through when all is done: nothing comes between the last step and that, neither signals nor threads.
        """
        *firsts, last = plan.segments
        for segment in firsts:
            if isinstance(segment, Host):
                segment(plan.view, self._run_graph)
            elif segment(safe):
                return True
        if isinstance(last, Host):
            last(plan.view, self._run_graph)
            return go_through(effect)
        return go_through(chain(map(last.start, (last.until(safe),)), effect))

    def _explain(self, arguments: Sequence[np.ndarray]) -> None:
        """Raise the error that the reference finds for the same arguments."""
        self.reference.compile(self.graph)(arguments)
        raise AssertionError("a kernel reported an error that the reference does not find")

    def _run_graph(self, graph: Graph, arrays: Sequence[np.ndarray]) -> list[Any]:
        """Run a sub-graph of a node that is computed in Python."""
        found = self._programs.get(id(graph))
        if found is None:
            is_open = has_open_sizes(graph, is_deep=True)
            program = self.reference.compile(graph) if is_open else CpuProgram(closed(graph), self.reference)
            found = self._programs[id(graph)] = graph, program
        return found[1]([np.asarray(array, order="C") for array in arrays])


class CpuBackend:
    """Runs graphs natively.

    Parameters
    ----------
    reference : Backend
        Computes what has no native form, and explains errors.
    """

    name = "cpu"

    def __init__(self, reference: Backend) -> None:
        self.reference = reference

    def compile(self, graph: Graph, **options: Any) -> Program:
        """Return the program of a graph.

        Parameters
        ----------
        graph : Graph
        beside : Program, optional
            Another one, in whose memory it runs: the two never do so at the same time.
        """
        if has_open_sizes(graph, is_deep=True):
            from septet.backends.cpu.sized import SizedProgram
            from septet.optimize.size_values import deciding

            leaves = deciding(graph)
            if leaves:
                return SizedProgram(graph, leaves, self.reference, **options)
        return CpuProgram(graph, self.reference, **options)
