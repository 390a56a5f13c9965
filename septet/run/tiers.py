"""Tiers of define-by-run code: a pending graph that comes again is compiled, off the thread that waits for it.

A graph is known by its signature: the structural keys of its nodes, how they are connected, and what of it must be
kept. The first times it is interpreted; when it is hot, a background thread compiles it, and some evaluations later it
is one native call. A graph that differs each time never gets hot.

The change comes with the same evaluation in every run of a program, whatever the machine is doing: native code and
NumPy differ in last bits, and a run must be repeatable to the last one. Where the compiler is not done by then, it is
waited for.
"""

from __future__ import annotations

import atexit
import os
import queue
import threading
from collections.abc import Sequence
from time import perf_counter
from typing import Any

import numpy as np

from septet.backends.base import Program
from septet.base.config import config
from septet.base.errors import SeptetError
from septet.graph.assemble import apart, with_inputs
from septet.graph.graph import Graph
from septet.graph.node import CONSTANT, SYMBOL, VARIABLE, Node, symbol
from septet.graph.op import ITEM
from septet.graph.types import tensor_type
from septet.run.compiles import Compile, Compiles, with_made
from septet.run.programs import make_program

HOT = 2  # times that a graph is seen before it is compiled
CHANGE = 4  # the time from which it runs natively
RECENT = 64  # evaluations within which it must come again to count: a cycle of 400 graphs is no loop worth compiling
MOST = 1024  # signatures that are remembered
FEWEST = 4  # nodes below which interpreting is as fast as calling a program
COMMON = frozenset((0.0, 1.0, -1.0, 2.0, 0.5, -2.0, 3.0))
"""Floats that stay numbers in the graph, because rules know them; others become inputs, so that they may change."""


class Entry:
    """What is known of a signature.

    Attributes
    ----------
    seen : int
        Times that it came within `RECENT` evaluations of the time before.
    last : int
        The evaluation in which it came last.
    program : Program or None
        Set by the compiling thread, when it is ready.
    is_asked : bool
        Whether it was handed to the compiling thread.
    is_done : Event
        Set when the compiling thread has done what it could.
    error : Exception or None
        Why it could not be compiled: interpreting goes on.
    """

    __slots__ = ("error", "is_asked", "is_done", "last", "program", "seen")

    def __init__(self) -> None:
        self.seen = 0
        self.last = -RECENT
        self.program: Any = None
        self.is_asked = False
        self.is_done = threading.Event()
        self.error: Exception | None = None


_entries: dict[Any, Entry] = {}
_clock = 0


def run(nodes: Sequence[Node], kept: set[Node]) -> bool:
    """Compute the nodes to keep with a compiled program, where there is one.

    Parameters
    ----------
    nodes : sequence of Node
        A pending graph, inputs before users; what is known are its leaves.
    kept : set of Node
        What must have a value afterwards.

    Returns
    -------
    bool
        False where the caller must interpret: no program yet, or the program found an error, whose report is the
        interpreter's part.
    """
    if len(nodes) < FEWEST or config.backend != "cpu" or config.tier == "interpret" or config.check_nan:
        return False  # every node is checked: where a check looks must not depend on how often a graph has come
    found = _signature(nodes, kept)
    if found is None:
        return False
    signature, leaves = found
    entry = _look_up(signature)
    is_at_once = config.tier == "compile"
    if not entry.is_asked and (is_at_once or entry.seen >= HOT):
        entry.is_asked = True
        compiler.ask(entry, _graph(nodes, kept, leaves), "the setting tier" if is_at_once else f"came {HOT} times")
    if not entry.is_asked or not (is_at_once or entry.seen >= CHANGE):
        return False
    entry.is_done.wait()
    if entry.program is None:
        return False
    try:
        values = entry.program([_array(leaf) for leaf in leaves])
    except SeptetError:
        return False
    for node, value in zip((n for n in nodes if n in kept), values, strict=True):
        node.value = value
    return True


def _look_up(signature: Any) -> Entry:
    """Return the entry of a signature, and note that it came."""
    global _clock
    _clock += 1
    entry = _entries.get(signature)
    if entry is None:
        if len(_entries) >= MOST:
            for old in sorted(_entries, key=lambda s: _entries[s].last)[: MOST // 4]:
                del _entries[old]
        entry = _entries[signature] = Entry()
    entry.seen = entry.seen + 1 if _clock - entry.last <= RECENT else 1
    entry.last = _clock
    return entry


def _array(leaf: Node) -> np.ndarray:
    if leaf.value is None:  # one of several results that are known
        return leaf.inputs[0].value[leaf.params[0]]
    return leaf.value


def _is_leaf(node: Node) -> bool:
    return node.value is not None or (node.op is ITEM and node.inputs[0].value is not None)


def _is_number(node: Node) -> bool:
    """Tell whether a leaf stays a number in the compiled graph."""
    if node.op is not CONSTANT or node.value.ndim or node.flags:
        return False
    return node.value.dtype.kind not in "fc" or node.value.item() in COMMON


def _signature(nodes: Sequence[Node], kept: set[Node]) -> tuple[Any, list[Node]] | None:
    """Return what tells graphs apart that need different programs, and the leaves that are inputs of it."""
    numbers: dict[Node, int] = {}
    leaves: list[Node] = []
    rows: list[Any] = []
    for node in nodes:
        if node.value is not None or (node.op is ITEM and node.inputs[0].value is not None):
            if isinstance(node.value, tuple):
                continue
            numbers[node] = len(numbers)
            if node.value is not None and _is_number(node):
                rows.append((node.type, node.value.item()))
            else:
                leaves.append(node)
                rows.append(node.type)
            continue
        if node.op is SYMBOL or (node.op is VARIABLE and not node.inputs):
            return None
        numbers[node] = len(numbers)
        rows.append((node.key, node in kept, *[numbers[source] for source in node.inputs]))
    return tuple(rows), leaves


def _graph(nodes: Sequence[Node], kept: set[Node], leaves: Sequence[Node]) -> Graph:
    """Return a pending graph with its leaves as inputs, apart from the nodes that users hold."""
    moved: dict[Node, Node] = {}
    with apart():
        for leaf in leaves:
            array = _array(leaf)
            moved[leaf] = symbol(tensor_type(array.dtype, array.shape))
        for node in nodes:
            if node in moved or isinstance(node.value, tuple):
                continue
            if _is_leaf(node):
                moved[node] = node
            elif node.op is VARIABLE:
                moved[node] = moved[node.inputs[0]]
            else:
                moved[node] = with_inputs(node, tuple([moved[source] for source in node.inputs]))
    return Graph(
        [moved[leaf] for leaf in leaves], [moved[node] for node in nodes if node in kept], name="define by run"
    )


MOST_COMPILES = 1000  # that are remembered
_compiles = Compiles("define by run")


def compiles() -> Compiles:
    """Return what was compiled of define-by-run code, the last thousand; ``print`` shows it as a table.

    Functions made by `compile` and `function` have their own: ``f.compiles``.

    Returns
    -------
    Compiles
        For each the reason, nodes, seconds, kernels, and the error of what could not be compiled (it is interpreted).
    """
    return Compiles(_compiles.name, _compiles)


def _prepare(graph: Graph) -> Program:
    """Return the program of a graph, ready for the shapes that its inputs have."""
    program = make_program(graph)
    program.make_ready([node.shape for node in graph.inputs])
    return program


def _compile(entry: Entry, graph: Graph, reason: str) -> None:
    """Compile the graph of an entry, and note what that took."""
    start = perf_counter()
    types = [repr(node.type) for node in graph.inputs]
    arguments = ", ".join(types[:4]) + (f" and {len(types) - 4} more" if len(types) > 4 else "")
    note = Compile(arguments, reason, len(graph))
    try:
        program = entry.program = _prepare(graph)
        note = with_made(note, program.made[-1] if program.made else None)
    except Exception as error:  # interpreting goes on, and reports what is wrong when it meets it
        entry.error = error
        note = note._replace(error=f"{type(error).__name__}: {str(error).partition(chr(10))[0]}")
    _compiles.append(note._replace(seconds=perf_counter() - start))
    del _compiles[:-MOST_COMPILES]


class Compiler:
    """The thread that compiles hot graphs, one after the other; it starts with the first of them."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[tuple[Entry, Graph, str] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._is_over = False
        self.open = 0

    def ask(self, entry: Entry, graph: Graph, reason: str) -> None:
        """Have a graph compiled; its program appears in the entry, and the reason in `compiles`."""
        self.open += 1
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="septet-compiler", daemon=True)
            self._thread.start()
        self._jobs.put((entry, graph, reason))

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            if job is None or self._is_over:
                return
            entry, graph, reason = job
            try:
                _compile(entry, graph, reason)
            finally:
                self.open -= 1
                entry.is_done.set()

    def stop(self) -> None:
        """End the thread, after what it is compiling now."""
        self._is_over = True
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join()


compiler = Compiler()


def _forget() -> None:
    """Start anew in a forked child: the thread is not there."""
    global compiler
    compiler = Compiler()
    for entry in _entries.values():
        entry.is_asked = entry.program is not None
        if entry.is_asked:
            entry.is_done.set()


atexit.register(lambda: compiler.stop())
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
