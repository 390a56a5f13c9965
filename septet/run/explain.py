"""`explain`: what a function does when it runs: passes, fused kernels, library calls, Python, memory, time per step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter_ns
from typing import Any, NamedTuple

from septet.backends.base_work import Change, Work
from septet.base.text import plural, seconds_text
from septet.base.watch import LIBRARY, NODE, PYTHON
from septet.graph.assemble import has_effect
from septet.graph.node import Node
from septet.run.compile import compile
from septet.run.compiles import Compiles
from septet.run.memory import Memory
from septet.run.places import layers_of, layers_text, lines_of, lines_text, pass_of
from septet.run.programs import history
from septet.run.runnable import target_of
from septet.run.sheets import Sheet, Shown
from septet.run.target import Target

MOST, LEAST = 50, 3  # runs that are measured
ENOUGH = 300_000_000  # nanoseconds after which there are enough of them


class Step(NamedTuple):
    """One step of a compiled function.

    Attributes
    ----------
    number : int
    kind : str
        "kernel" (machine code of Septet's own), "library", "python" (the reference of an op's card, from a compiled
        function) or "node" (the same, on the reference backend).
    name : str
        The ops of a fused group, ``add+tanh+sum``, or the op.
    domain : tuple of int
        The loops of a kernel, or the shape of the result.
    form : str
        How it is computed.
    reason : str
        For what runs in Python, why.
    seconds : float
        The median over the measured runs.
    share : float
        Of the time of all steps.
    lines, layers : list of str
        The user's lines and layers; for gradients, those of the op that they belong to.
    direction : str
        ``back`` for what differentiation has made, ``both`` where it has made a part of it.
    nodes : tuple of Node
    inside : tuple of Work
        The steps of a loop or branch.
    """

    number: int
    kind: str
    name: str
    domain: tuple[int, ...]
    form: str
    reason: str
    seconds: float
    share: float
    lines: list[str]
    layers: list[str]
    direction: str
    nodes: tuple[Node, ...]
    inside: tuple[Work, ...]


class Explanation(Shown):
    """What a function does; made by `explain`, shown by ``print``, written as a page by `to_html`.

    Attributes
    ----------
    call : str
        The function and the types of its arguments.
    backend : str
    threads : int
    passes : list of Change
        What each pass made of the graph: nodes afterwards, rules that fired, seconds. The first is the graph as given.
    steps : list of Step
        In the order in which they run.
    seconds : float
        The median time of a run, step by step.
    runs : int
        How many were measured.
    memory : Memory
    compiles : Compiles
        Of this function, so far.
    """

    def __init__(self, target: Target) -> None:
        found = target.describe()
        self.call = target.call
        self.backend = found.backend
        self.threads = found.threads
        if found.is_optimized:
            self.passes = [Change("given", len(target.graph), {}, 0.0)]
        else:
            own = history(target.graph, level=target.level)
            self.passes = [Change(step.name or "given", len(step.graph), step.fired, step.seconds) for step in own]
        self.passes += found.changes
        self.memory = Memory(target, found)
        self.compiles: Compiles = target.compiles
        times, totals = _measure(target, len(found.works))
        self.runs = len(totals)
        self.seconds = 1e-9 * _median(totals)
        whole = sum(times) or 1.0
        self.steps = [
            Step(
                number, work.kind, work.name, work.domain, work.form, work.reason, 1e-9 * time, time / whole,
                lines_of(work.nodes), layers_of(work.nodes), pass_of(work.nodes), work.nodes, work.inside,
            )
            for number, (work, time) in enumerate(zip(found.works, times, strict=True))
        ]  # fmt: skip

    def heading(self) -> str:
        """Return the call, its steps and its time."""
        where = f"{self.backend}, {plural(self.threads, 'thread')}"
        return f"{self.call}\n{plural(len(self.steps), 'step')} on {where}: {self._time()}"

    def _time(self) -> str:
        runs = f"median of {self.runs} runs" if self.runs > 1 else "one run"
        return f"{seconds_text(self.seconds)} ({runs}, step by step)"

    def sheets(self) -> list[Sheet]:
        """Return passes, steps, what runs in Python, memory and compiles."""
        found = [self._passes(), self._steps()]
        python = self._python()
        if python.rows:
            found.append(python)
        found += [self.memory.totals(), self.memory.tensors()]
        compiles = self.compiles.sheets()
        return [*found, *[sheet._replace(title="compiles") for sheet in compiles]]

    def _passes(self) -> Sheet:
        rows = [
            (own.name, own.nodes, seconds_text(own.seconds) if index else "",
             ", ".join(f"{name} {count}" for name, count in sorted(own.fired.items())))
            for index, own in enumerate(self.passes)
        ]  # fmt: skip
        return Sheet("", ("pass", "nodes", "time", "rules that fired"), rows, "lrrl", {3: "end"})

    def _steps(self) -> Sheet:
        rows: list[tuple[Any, ...]] = []
        for step in self.steps:
            share = f"{100 * step.share:.1f} %"
            lines, layers = lines_text(step.nodes), layers_text(step.nodes)
            form = "Python" if step.kind == PYTHON else "NumPy" if step.kind == NODE else step.form
            rows.append(
                (
                    step.number, step.name, _sizes(step.domain), form, seconds_text(step.seconds), share, lines,
                    step.direction, layers,
                )
            )  # fmt: skip
            rows += _inside(step.inside, 1)
        counts = {
            kind: sum(step.kind == kind for step in self.steps) for kind in dict.fromkeys(s.kind for s in self.steps)
        }
        words = {LIBRARY: "library call", PYTHON: "step in Python", NODE: "node in NumPy"}
        many = {PYTHON: "steps in Python", NODE: "nodes in NumPy"}
        note = ", ".join(plural(count, words.get(kind, kind), many.get(kind)) for kind, count in counts.items())
        headers = ("", "step", "over", "how", "time", "share", "line", "pass", "layer")
        flexible = {1: "end", 2: "end", 3: "end", 6: "start", 8: "start"}
        return Sheet("", headers, rows, "rlllrrlll", flexible, note, spare=(2, 7, 8))

    def _python(self) -> Sheet:
        rows = [
            (step.number, step.name, step.reason, lines_text(step.nodes)) for step in self.steps if step.kind == PYTHON
        ]
        return Sheet("in Python", ("", "step", "why", "line"), rows, "rlll", {2: "end"})


def _sizes(domain: Sequence[int]) -> str:
    return "x".join(["?" if size is None else str(size) for size in domain])


def _inside(works: Sequence[Work], depth: int) -> list[tuple[Any, ...]]:
    """Return the rows of what a loop or branch consists of."""
    rows: list[tuple[Any, ...]] = []
    for work in works:
        name = "  " * depth + work.name
        rows.append(
            (
                "", name, _sizes(work.domain), work.form, "", "", lines_text(work.nodes), pass_of(work.nodes),
                layers_text(work.nodes),
            )
        )  # fmt: skip
        rows += _inside(work.inside, depth + 1)
    return rows


def _median(times: Sequence[int]) -> float:
    return float(sorted(times)[len(times) // 2])


def _measure(target: Target, count: int) -> tuple[list[float], list[int]]:
    """Run step by step, some times; return the median of each step, and all times of whole runs, in nanoseconds."""
    times: list[list[int]] = [[] for _ in range(count)]
    totals: list[int] = []

    def tell(number: int, start: int, end: int) -> None:
        times[number].append(end - start)

    if any([has_effect(node) for node in target.graph.nodes]):
        most = 1
    else:
        most = MOST
        target.program.observe(target.arrays, lambda *event: None)  # caches are warm, memory is there
    begin = perf_counter_ns()
    while len(totals) < most and (len(totals) < LEAST or perf_counter_ns() - begin < ENOUGH):
        start = perf_counter_ns()
        target.program.observe(target.arrays, tell)
        totals.append(perf_counter_ns() - start)
    return [_median(own) for own in times], totals


def explain(fn: Callable[..., Any], *args: Any, **words: Any) -> Explanation:
    """Explain what a function does when it runs with some arguments.

    Shows the passes that its graph went through, the steps that run (fused kernels with their ops, loops and lines of
    your program; calls of libraries; what runs in Python, and why), memory, and the time of each step, measured on the
    given arguments. No variable changes: what a training step would store is computed and dropped. What a graph prints
    or calls happens, once.

    Parameters
    ----------
    fn : callable
        What `compile` or `function` returned; or a function of tensors or a model, which is compiled for this.
    *args, **words
        Arguments of a call.

    Returns
    -------
    Explanation
        ``print`` shows it; `Explanation.steps`, `.passes` and `.memory` hold the numbers; ``to_html(path)`` writes a
        page.

    Raises
    ------
    ArgumentError
        If `fn` is no function.
    CallError
        If it does not take the arguments.

    Examples
    --------
    >>> import septet as st
    >>> found = st.explain(lambda x: st.tanh(x * 2 + 1).sum(), st.ones((100, 100)))
    >>> [step.kind for step in found.steps][0]
    'kernel'
    """
    return Explanation(target_of(fn, args, words, compile))
