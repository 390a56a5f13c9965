"""`profile`: how long everything took that ran in a ``with`` block, op by op, and what went before it could run."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from time import perf_counter_ns
from typing import Any, NamedTuple

from septet.backends.base_work import Work
from septet.base import watch
from septet.base.errors import ArgumentError
from septet.base.files import open_atomic
from septet.base.source import Source, source_text
from septet.base.text import did_you_mean, listing, plural, seconds_text
from septet.base.watch import (
    CODE,
    DIFFERENTIATE,
    EVALUATE,
    KERNEL,
    LIBRARY,
    NODE,
    OPTIMIZE,
    PLAN,
    PYTHON,
    RUN,
    TRACE,
    Event,
)
from septet.graph.derived import derivation, layer_path
from septet.graph.node import Node
from septet.graph.types import NodeType
from septet.run.places import layers_text, lines_text, pass_of
from septet.run.sheets import Sheet, Shown, terminal_width

WORK = {KERNEL: "kernels", LIBRARY: "libraries", PYTHON: "Python in compiled code", NODE: "NumPy, node by node"}
AROUND = {EVALUATE: "preparing evaluations", RUN: "starting programs"}
BEFORE = {
    TRACE: "tracing Python", DIFFERENTIATE: "differentiating", OPTIMIZE: "optimizing graphs", PLAN: "planning",
    CODE: "machine code",
}  # fmt: skip
KINDS = {**WORK, **AROUND, **BEFORE}


class Row(NamedTuple):
    """What one op of one line took.

    Attributes
    ----------
    name : str
        The op, or the ops of a fused kernel.
    kind : str
        "kernel", "library", "python" or "node": see `septet.base.watch`.
    calls : int
    seconds : float
        In all.
    share : float
        Of everything that ran.
    line, layer : str
        The first, and how many more there are. For a gradient, those of the op that it belongs to.
    direction : str
        ``back`` for what differentiation has made.
    """

    name: str
    kind: str
    calls: int
    seconds: float
    share: float
    line: str
    layer: str
    direction: str

    @property
    def mean(self) -> float:
        """Seconds of one call."""
        return self.seconds / self.calls


class Origin(NamedTuple):
    """What is kept of a node."""

    op: Any
    type: NodeType
    source: Source | None
    layers: tuple[str, ...]


class Profile(Shown):
    """What happened in a ``with`` block; made by `profile`.

    Attributes
    ----------
    events : list of Event
        Everything, in the order in which it ended: see `septet.base.watch.Event`.
    seconds : float
        From beginning to end of the block.
    """

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.seconds = 0.0
        self._start = 0
        self._thread = 0
        self._is_open = False

    def __enter__(self) -> Profile:
        self.events.clear()
        self._thread = threading.get_ident()
        self._start = perf_counter_ns()
        self._is_open = True
        watch.add(self)
        return self

    def __exit__(self, *error: object) -> None:
        watch.remove(self)
        self._is_open = False  # a thread that is telling just now may know the observers of before
        self.seconds = 1e-9 * (perf_counter_ns() - self._start)

    def take(self, event: Event) -> None:
        """Take an event; called by the thread in which it happened."""
        if not self._is_open:
            return
        if event.start < self._start:  # a compile in another thread may have begun before the block
            event = event._replace(start=self._start)
        node = event.detail
        if isinstance(node, Node):  # which is not to be kept alive, nor its value
            event = event._replace(detail=Origin(node.op, node.type, node.source, node.layers))
        self.events.append(event)

    # Rows.

    def rows(self, by: str = "op") -> list[Row]:
        """Return what ran, summed up, the longest first.

        Parameters
        ----------
        by : str
            "op": a row for each op (or fused kernel) of each line; "line" or "layer": for each of those; "kind": for
            kernels, libraries and Python.

        Raises
        ------
        ArgumentError
            If there is no such way.
        """
        if by not in GROUPS:
            raise ArgumentError(f"rows by {by!r}; there are {listing(GROUPS)}.{did_you_mean(by, GROUPS)}")
        group = GROUPS[by]
        sums: dict[Any, list[Any]] = {}
        whole = 0
        for event, own in zip(self.events, self._own_times(), strict=True):
            if event.kind not in WORK:
                continue
            nodes = _nodes(event.detail)
            slot = group(event, nodes)
            entry = sums.setdefault(slot, [event, nodes, 0, 0])
            entry[2] += 1
            entry[3] += own
            whole += own
        found = [
            _row(by, slot, event, nodes, calls, 1e-9 * total, total / max(whole, 1))
            for slot, (event, nodes, calls, total) in sums.items()
        ]
        return sorted(found, key=lambda row: -row.seconds)

    def _own_times(self) -> list[int]:
        """Return the time of each event without those inside of it."""
        own = [event.end - event.start for event in self.events]
        by_thread: dict[int, list[int]] = {}
        for index, event in enumerate(self.events):
            by_thread.setdefault(event.thread, []).append(index)
        for indices in by_thread.values():
            indices.sort(key=lambda i: (self.events[i].start, -self.events[i].end, -i))  # what is around comes first
            around: list[int] = []
            for index in indices:
                event = self.events[index]
                while around and self.events[around[-1]].end <= event.start:
                    around.pop()
                if around:
                    own[around[-1]] -= event.end - event.start
                around.append(index)
        return own

    def times(self, *, others: bool = False) -> dict[str, float]:
        """Return seconds by what they were spent on.

        Parameters
        ----------
        others : bool
            Whether of the other threads (which compile in the background), or of the one that profiled.
        """
        found: dict[str, float] = {}
        for event, own in zip(self.events, self._own_times(), strict=True):
            if (event.thread != self._thread) == others:
                found[event.kind] = found.get(event.kind, 0.0) + 1e-9 * own
        return {kind: found[kind] for kind in KINDS if kind in found}

    # What is shown.

    def heading(self) -> str:
        """Return how long it took, and how much of that was work."""
        times = self.times()
        work = sum(times.get(kind, 0.0) for kind in WORK)
        return f"profile of {seconds_text(self.seconds)}: {seconds_text(work)} of work in {self._steps()}"

    def _steps(self) -> str:
        return plural(sum(event.kind in WORK for event in self.events), "step")

    def sheets(self) -> list[Sheet]:
        """Return where the time went, and the table by op."""
        return [self._parts(), self._table("op", 30)]

    def table(self, by: str = "op", most: int = 1000) -> str:
        """Return one table as text; see `rows`."""
        return self._table(by, most).text(terminal_width())

    def _parts(self) -> Sheet:
        own, others = self.times(), self.times(others=True)
        rest = max(self.seconds - sum(own.values()), 0.0)
        rows = [(KINDS[kind], *_amount(own.get(kind), self.seconds), *_amount(others.get(kind), 0.0)[:1])
                for kind in KINDS if kind in own or kind in others]  # fmt: skip
        rows.append(("the rest: Python, recording", *_amount(rest, self.seconds), ""))
        return Sheet("", ("spent on", "time", "share", "other threads"), rows, "lrrr", spare=(3,))

    def _table(self, by: str, most: int) -> Sheet:
        found = self.rows(by)
        rows = [
            (
                row.name, row.kind, row.calls, seconds_text(row.seconds), seconds_text(row.mean),
                f"{100 * row.share:.1f} %", row.line, row.direction, row.layer,
            )
            for row in found[:most]
        ]  # fmt: skip
        left = len(found) - len(rows)
        note = f"and {plural(left, 'row')} more" if left else "" if found else "nothing ran"
        headers = ({"line": "code"}.get(by, by), "kind", "calls", "total", "mean", "share", "line", "pass", "layer")
        return Sheet("", headers, rows, "llrrrrlll", {0: "end", 6: "start", 8: "start"}, note, spare=(1, 7, 8, 6))

    # The trace.

    def to_chrome_trace(self, path: str | os.PathLike[str]) -> None:
        """Write all events for ``chrome://tracing`` and https://ui.perfetto.dev, in Chrome's trace event format.

        Parameters
        ----------
        path : path-like
            A JSON file.
        """
        import json

        process = os.getpid()
        threads = {event.thread: event.thread_name for event in self.events}
        numbers = {thread: number for number, thread in enumerate(threads, 1)}  # own ones: viewers expect few digits
        events: list[dict[str, Any]] = [
            {"name": "thread_name", "ph": "M", "pid": process, "tid": numbers[thread], "args": {"name": name}}
            for thread, name in threads.items()
        ]
        for event in self.events:
            events.append(
                {
                    "name": event.name, "cat": event.kind, "ph": "X", "pid": process, "tid": numbers[event.thread],
                    "ts": (event.start - self._start) / 1000, "dur": (event.end - event.start) / 1000,
                    "args": _arguments(event),
                }
            )  # fmt: skip
        with open_atomic(path) as file:
            file.write(json.dumps({"traceEvents": events, "displayTimeUnit": "ms"}).encode("utf-8"))


def _nodes(detail: Any) -> tuple[Any, ...]:
    """Return the nodes that an event was about, or what is kept of them."""
    if isinstance(detail, Work):
        return detail.nodes
    return (detail,) if isinstance(detail, Origin) else ()


GROUPS: dict[str, Callable[[Event, Sequence[Any]], Any]] = {
    "op": lambda event, nodes: (event.name, event.kind, lines_text(nodes), layers_text(nodes), pass_of(nodes)),
    "line": lambda event, nodes: lines_text(nodes),
    "layer": lambda event, nodes: (layers_text(nodes), pass_of(nodes)),
    "kind": lambda event, nodes: event.kind,
}


def _row(by: str, slot: Any, event: Event, nodes: Sequence[Any], calls: int, seconds: float, share: float) -> Row:
    if by == "op":
        return Row(event.name, event.kind, calls, seconds, share, slot[2], slot[3], slot[4])
    if by == "line":
        text = source_text(nodes[0].source) if nodes and derivation(nodes[0].layers) is None else ""
        return Row(text.partition(": ")[2], "", calls, seconds, share, slot, "", "")
    if by == "layer":
        return Row(slot[0] or "no layer", "", calls, seconds, share, "", "", slot[1])
    return Row(WORK[event.kind], event.kind, calls, seconds, share, "", "", "")


def _amount(seconds: float | None, whole: float) -> tuple[str, str]:
    if seconds is None:
        return "", ""
    return seconds_text(seconds), f"{100 * seconds / whole:.1f} %" if whole else ""


def _arguments(event: Event) -> dict[str, Any]:
    """Return what a trace says about an event besides its time."""
    nodes = _nodes(event.detail)
    found: dict[str, Any] = {}
    if isinstance(event.detail, Work):
        found["form"] = event.detail.form
    if nodes:
        found["ops"] = [node.op.name for node in nodes]
        found["types"] = [repr(node.type) for node in nodes]
        found["lines"] = list(dict.fromkeys([source_text(node.source) for node in nodes]))
        found["layers"] = list(dict.fromkeys([layer_path(node.layers) for node in nodes]))
        found["gradient of"] = [str(mark) for node in nodes if (mark := derivation(node.layers)) is not None]
    return {name: value for name, value in found.items() if value not in ("", [], [""])}


def profile() -> Profile:
    """Profile a ``with`` block: everything that runs in it, compiled or define-by-run, in all threads.

    While it is on, native programs stamp the clock between steps, and do not write new values of variables over the old
    ones. Tracing, differentiating, optimizing, planning and machine code are timed too. Define-by-run code computes
    when a value is asked for: what is still pending at the end of the block was not computed in it (`septet.evaluate`
    asks for it).

    Returns
    -------
    Profile
        ``print`` shows it; `Profile.rows` and `Profile.table` give it by op, line, layer or kind;
        `Profile.to_chrome_trace` writes a timeline.

    Examples
    --------
    >>> import septet as st
    >>> with st.profile() as p:
    ...     y = float(st.exp(st.ones((100, 100))).sum())
    >>> sorted({row.name for row in p.rows()})
    ['broadcast_to', 'exp', 'sum']
    """
    return Profile()
