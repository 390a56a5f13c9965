"""Running a plan one step at a time, for those who want to know how long each takes, or who made the first NaN.

Times are taken in native code: steps run in a row as in any other run, with a stamp of the clock between each two. With
checks, and where there is no such clock, every native step is a call from Python. Kernels, memory and results are the
same, to the bit. Variables are not overwritten in place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from time import perf_counter_ns
from typing import Any

import numpy as np

from septet.backends.base_work import Tell
from septet.backends.cpu import jit, native, pool
from septet.backends.cpu.linking import Linked
from septet.backends.cpu.planner import Planner
from septet.backends.cpu.results import new
from septet.backends.cpu.steps import Host, Unit
from septet.base.errors import NonFiniteError
from septet.graph import finite
from septet.graph.assemble import has_effect
from septet.graph.graph import Graph, order
from septet.graph.node import CONSTANT, Node
from septet.graph.op import ITEM
from septet.graph.reference import compute
from septet.optimize.fuse import is_view

RunGraph = Callable[[Graph, Sequence[np.ndarray]], list[Any]]


def run(
    plan: Any, arguments: Sequence[np.ndarray], run_graph: RunGraph, tell: Tell | None, checks: bool
) -> list[Any] | None:
    """Run a plan step by step.

    Parameters
    ----------
    plan : Plan
        Locked by the caller.
    arguments : sequence of ndarray
    run_graph : callable
        Runs sub-graphs of nodes that are computed in Python.
    tell : callable, optional
        Is told the number of each step, and when it began and ended.
    checks : bool
        Whether results are checked for NaN and infinity.

    Returns
    -------
    list or None
        The values of the roots; None where a step has found an error, which the reference explains.

    Raises
    ------
    NonFiniteError
        With `checks`: about the first node whose result is not finite although its inputs are.
    """
    inputs = [np.ascontiguousarray(array) for array in arguments]
    values = [np.ascontiguousarray(variable.current()) for variable in plan.reads]
    news = [new(shape, dtype) for _, _, shape, dtype in plan.updates]
    outputs = [new(shape, dtype) for shape, dtype in plan.outputs]
    plan.place(inputs, values, news, outputs)
    plan.rows(0, 0)()  # addresses alone
    if checks or not pool.has_threads():
        is_done = _run_by_calls(plan, run_graph, tell, Check(plan, run_graph) if checks else None)
    else:
        is_done = _run_timed(plan, run_graph, tell)
    if not is_done:
        return None
    for array in (*outputs, *news):
        array.setflags(write=False)
    return [*outputs, *news, *plan.effects]


def _run_by_calls(plan: Any, run_graph: RunGraph, tell: Tell | None, check: Check | None) -> bool:
    """Run each step with a call from Python, and check what it has completed; False where a step has found an error."""
    native = 0
    for number, step in enumerate(plan.steps):
        start = perf_counter_ns()
        failed = 0
        if isinstance(step.code, Host):
            step.code(plan.view, run_graph)
        else:
            failed = plan.rows(native, native + 1)()
            native += 1
        if tell is not None:
            tell(number, start, perf_counter_ns())
        if failed:
            return False
        if check is not None:
            check.after(number)
    return True


def _run_timed(plan: Any, run_graph: RunGraph, tell: Tell | None) -> bool:
    """Run native steps in a row, and tell how long each took; False where a step has found an error."""
    if plan.stamped is None:
        plan.stamped = [s if isinstance(s, Host) else Stamped(plan.linked, *s) for s in plan.linked.segments]
    number = 0
    for segment in plan.stamped:
        start = perf_counter_ns()
        if isinstance(segment, Host):
            segment(plan.view, run_graph)
            times = [start, perf_counter_ns()]
        else:
            if plan.rows(0, len(segment.rows), segment.rows)():
                return False
            times = (segment.times + (start - segment.times[0])).tolist()
        for begin, end in pairwise(times):
            if tell is not None:
                tell(number, begin, end)
            number += 1
    return True


class Stamped:
    """Native steps in a row, with stamps of the clock before, between and after them.

    Parameters
    ----------
    linked : Linked
    first, end : int
        Which of its rows.

    Attributes
    ----------
    rows : ndarray of int64, (2 N + 1, 2)
        Steps as the native program takes them: every other one is a stamp.
    times : ndarray of int64, (N + 1,)
        What the stamps write: nanoseconds.
    """

    def __init__(self, linked: Linked, first: int, end: int) -> None:
        (stamp,) = jit.addresses([native.module("stamp")])
        self.times = np.zeros(end - first + 1, np.int64)
        self.rows = np.empty((2 * (end - first) + 1, 2), np.int64)
        self.rows[1::2] = linked.rows[first:end]
        self.rows[::2, 0] = stamp
        # Arguments are counted in words from the slots on; the times lie elsewhere in memory.
        self.rows[::2, 1] = (self.times.ctypes.data - linked.slots.ctypes.data) // 8 + np.arange(len(self.times))


class Check:
    """Looks for NaN and infinity in what the units of a plan leave in memory.

    A finding is traced to a node by computing the nodes of the unit one by one on the reference, from the very numbers
    that native code had. For that, values are copied for as long as a later unit needs them: the arena uses memory anew.

    Parameters
    ----------
    plan : Plan
    run_graph : callable
    """

    def __init__(self, plan: Any, run_graph: RunGraph) -> None:
        self.plan = plan
        self.planner: Planner = plan.planner
        self.run_graph = run_graph
        self.values: dict[Node, np.ndarray] = {}
        self.units = {unit.end - 1: unit for unit in self.planner.units if unit.end > unit.first}
        self.drops: dict[int, list[Node]] = {}
        last: dict[Node, int] = {}
        for number, unit in self.units.items():
            for source in self._sources(unit):
                last[source] = number
        for source, number in last.items():
            self.drops.setdefault(number, []).append(source)
        self.last = last

    def after(self, number: int) -> None:
        """Check what a step has completed."""
        unit = self.units.get(number)
        if unit is None:
            return
        results = {node: self._view(node) for node in self._results(unit)}
        if not all([finite.is_finite(array) for array in results.values()]):
            self._search(unit, results)
        for node, array in results.items():
            if self.last.get(node, -1) > number:
                self.values[node] = array.copy()
        for node in self.drops.get(number, ()):
            self.values.pop(node, None)

    def _view(self, node: Node) -> np.ndarray:
        return self.plan.view(self.planner.places[node])

    def _results(self, unit: Unit) -> list[Node]:
        """Return the nodes of a unit whose values are in memory."""
        found = []
        for node in unit.nodes:
            for part in self.planner.graph_items(node):
                if part is not None and part in self.planner.places and not is_view(part):
                    found.append(part)
        return found

    def _sources(self, unit: Unit) -> set[Node]:
        """Return what a unit takes from others."""
        own = set(unit.nodes)
        found: set[Node] = set()
        pending = [source for node in unit.nodes for source in node.inputs]
        while pending:
            node = pending.pop()
            if node in own:
                continue
            if is_view(node):
                pending.extend(node.inputs)
            else:
                found.add(node)
        return found

    def _search(self, unit: Unit, results: dict[Node, np.ndarray]) -> None:
        """Raise the error about the node of a unit that has made what is not finite; return if its inputs had it."""
        own: dict[Node, Any] = {}
        if len(unit.nodes) == 1:  # nothing is hidden: judge by what was computed natively
            (node,) = unit.nodes
            arrays = [self._value(source, own) for source in node.inputs]
            parts = [results.get(part) if part is not None else None for part in self.planner.graph_items(node)]
            value = parts[0] if len(parts) == 1 else tuple([part for part in parts if part is not None])
            problem = "" if value is None else finite.find(node, arrays, value)
            if problem and node.op.is_higher_order and not has_effect(node):
                compute(node, arrays, self.run_graph)  # which checks the nodes inside
            if problem:
                raise finite.explain(node, arrays, value, problem)
            return
        wrong = [node for node, array in results.items() if not finite.is_finite(array)]
        led_to_it = set(order(wrong, stop=lambda node: node not in unit.nodes))
        for node in unit.nodes:
            arrays = [self._value(source, own) for source in node.inputs]
            own[node] = compute(node, arrays, self.run_graph)
            if node in led_to_it:  # what `where` drops does no harm
                finite.check(node, arrays, own[node])
        for node in wrong:
            if finite.is_finite(own[node]):
                raise self._only_natively(node, results[node], own)

    def _value(self, node: Node, own: dict[Node, Any]) -> Any:
        """Return what a unit's node is computed from."""
        for known in (own, self.values):
            if node in known:
                return known[node]
        if node.op.is_leaf:
            return node.value if node.op is CONSTANT else self._view(node)
        if node.op is ITEM:
            return self._value(node.inputs[0], own)[node.params[0]]
        assert is_view(node), f"{node!r} is not kept"
        return compute(node, [self._value(source, own) for source in node.inputs], self.run_graph)

    def _only_natively(self, node: Node, array: np.ndarray, own: dict[Node, Any]) -> NonFiniteError:
        arrays = [self._value(source, own) for source in node.inputs]
        problem = "NaN" if np.isnan(array).any() else "infinity"
        return finite.explain(
            node, arrays, array, problem, "; computed by the reference it is finite",
            "this may be a defect of Septet: st.check.bisect compares both node by node",
        )  # fmt: skip
