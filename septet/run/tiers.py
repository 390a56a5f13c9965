"""Tiers of define-by-run code: a pending graph that comes again is compiled, off the thread that waits for it.

A graph is known by its signature: the structural keys of its nodes, how they are connected, and what of it must be
kept. The first times it is computed unit by unit (see `run.evaluation`); when it is hot, a background thread compiles
it, and some evaluations later it is one native call. Of a graph that differs each time only the structural keys of its
ends are looked at, so that it costs nothing here.

The change comes with the same evaluation in every run of a program, whatever the machine is doing: native code and
NumPy differ in last bits, and a run must be repeatable to the last one. Where the compiler is not done by then, it is
waited for. A graph for which NumPy would take longer than compiling takes, as estimated from its ops and sizes, is
compiled at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import repeat
from typing import Any

import numpy as np

from septet.base.config import config
from septet.base.errors import LibraryError, SeptetError
from septet.base.forks import work
from septet.graph.assemble import apart, with_inputs
from septet.graph.graph import Graph
from septet.graph.node import VARIABLE, Node, symbol
from septet.graph.op import ITEM, items
from septet.graph.types import tensor_type
from septet.ops.call import call
from septet.run import compiler, effort
from septet.run.evaluation import ALONE, COMPILE
from septet.run.programs import get_ready
from septet.run.walk import by_serial, signature

HOT = 2  # times that a graph is seen before it is compiled
CHANGE = 4  # the time from which it runs natively
RECENT = 64  # evaluations within which it must come again to count: a cycle of 400 graphs is no loop worth compiling
MOST = 1024  # signatures that are remembered
MANY = 8  # evaluations of a program from which recording is done natively
FEWEST = 4  # nodes below which a program is no faster than its units


class Entry:
    """What is known of a signature.

    Attributes
    ----------
    seen : int
        Times that it came within `RECENT` evaluations of the time before.
    last : int
        The evaluation in which it came last.
    job : Job or None
        The compiling thread's, when it was asked.
    change : int
        The time from which it runs natively.
    program : Program or None
        Set by the compiling thread, when it is ready.
    error : Exception or None
        Why it could not be compiled: interpreting goes on.
    has_several : bool
        Whether a node to keep has several results.
    """

    __slots__ = ("change", "error", "has_several", "job", "last", "program", "seen")

    def __init__(self) -> None:
        self.seen = 1  # the first time only the ends were looked at
        self.last = _clock
        self.change = CHANGE
        self.job: compiler.Job | None = None
        self.program: Any = None
        self.error: Exception | None = None
        self.has_several = False


_entries: dict[Any, Entry] = {}
_ends: dict[Any, int] = {}  # keys of the ends of graphs, and the evaluation in which they came last
_clock = 0
_large = 0  # large graphs that came for the first time: the first few are those with which loops begin


def run(targets: Sequence[Node], nodes: Sequence[Node], kept: set[Node], replaced: Mapping[Node, Node]) -> bool | None:
    """Compute the nodes to keep with a compiled program, where there is one.

    Parameters
    ----------
    targets : sequence of Node
        What is asked for.
    nodes : sequence of Node
        The pending graph, inputs before users; what is known are its leaves.
    kept : set of Node
        What must have a value afterwards.
    replaced : mapping of Node to Node
        For some leaves that nobody reads afterwards, the node to keep that may be written over it.

    Returns
    -------
    bool or None
        Something false where the caller must interpret: no program yet, or the program found an error, whose report is
        the interpreter's part. None where there may be a program some time.
    """
    if len(nodes) < FEWEST or config.backend != "cpu" or config.tier == "interpret" or config.check_nan:
        return False  # every node is checked: where a check looks must not depend on how often a graph has come
    is_at_once = config.tier == "compile"
    if not _comes_again(targets, nodes) and not is_at_once:
        return False
    return _run(nodes, kept, replaced, "the setting tier" if is_at_once else "")


def judge(nodes: Sequence[Node], state: bool | None) -> Callable[[], str | None] | None:
    """Return what says how to compute a graph that is not compiled: see `evaluation.Evaluation`.

    Parameters
    ----------
    nodes : sequence of Node
    state : bool or None
        What `run` has returned: a graph that is being compiled is not computed with NumPy beside, if it is large.
    """
    if len(nodes) < FEWEST:
        return None

    def verdict() -> str | None:
        global _large
        work = effort.of_nodes(nodes)
        if work < effort.WORTH_WAITING:
            return None
        if state is None or work > effort.of_compiling(len(nodes)):
            return COMPILE
        _large += 1
        return ALONE if _large < CHANGE else None

    return verdict


def run_now(nodes: Sequence[Node], kept: set[Node], replaced: Mapping[Node, Node]) -> bool:
    """Compute the nodes to keep with a program that is compiled now; False where the caller must interpret."""
    return bool(_run(nodes, kept, replaced, "it is large"))


def _run(nodes: Sequence[Node], kept: set[Node], replaced: Mapping[Node, Node], at_once: str) -> bool | None:
    """Compute the nodes to keep with a compiled program; `at_once` is the reason for which it must not be waited for
    that the graph comes again."""
    found = signature(nodes, kept)
    if found is None:
        return False
    sign, leaves = found
    entry = _look_up(sign)
    if at_once:
        entry.change = 0
    if entry.job is None and (at_once or entry.seen >= HOT):
        entry.has_several = tuple in [type(node.type) for node in kept]
        graph = _graph(nodes, kept, leaves)
        reason = at_once or f"came {HOT} times"
        get_ready()
        entry.job = compiler.ask(lambda: _compile(entry, graph, reason))
    if entry.job is None or entry.seen < entry.change:
        return None
    entry.job.wait()
    if entry.program is None:
        if isinstance(entry.error, LibraryError):
            entry.error.warn("define-by-run code is computed with NumPy, op by op")
        return False
    arrays = [_array(leaf) for leaf in leaves]
    owners = sorted(kept, key=by_serial)
    try:
        if replaced:
            keep = partial(_hand_over, owners) if entry.has_several else partial(map, _set_value, owners)
            gone = map(_set_value, replaced, repeat(None))
            entry.program.replace(arrays, _given(owners, leaves, replaced), keep, gone)
            return True
        outputs = entry.program(arrays)
    except SeptetError:
        return False
    if entry.has_several:
        outputs = _values(owners, outputs)
    for node, value in zip(owners, outputs, strict=True):
        node.value = value
    return True


def _values(owners: Sequence[Node], outputs: Sequence[Any]) -> list[Any]:
    """Return the values of nodes that some outputs of a program are, of which a node may have several."""
    rest = iter(outputs)
    return [tuple([next(rest) for _ in node.type]) if type(node.type) is tuple else next(rest) for node in owners]


def _hand_over(owners: Sequence[Node], outputs: Sequence[Any]) -> Iterator[None]:
    """Return an iterator of C functions that gives nodes their values."""
    return map(_set_value, owners, _values(owners, outputs))


_set_value = vars(Node)["value"].__set__  # without a line of Python: see `septet.tensor.variable`


def _given(owners: Sequence[Node], leaves: Sequence[Node], replaced: Mapping[Node, Node]) -> list[tuple[int, int]]:
    """Return the numbers of outputs and inputs of a program, for the nodes and the leaves that these may replace."""
    outputs: dict[Node, int] = {}
    count = 0
    for node in owners:
        outputs[node] = count
        count += len(node.type) if type(node.type) is tuple else 1
    return [(outputs[replaced[leaf]], number) for number, leaf in enumerate(leaves) if leaf in replaced]


def _comes_again(targets: Sequence[Node], nodes: Sequence[Node]) -> bool:
    """Tell whether a graph with the same ends came lately."""
    global _clock
    _clock += 1
    if _clock == MANY:
        compiler.ask(_record_natively)
    ends = len(nodes), *[(node.inputs[0] if node.op is VARIABLE and node.inputs else node).key for node in targets]
    before = _ends.get(ends)
    if before is None and len(_ends) >= MOST:
        for old in [key for key, last in _ends.items() if last < _clock - RECENT]:
            del _ends[old]
    _ends[ends] = _clock
    return before is not None and _clock - before <= RECENT


def _look_up(signature: Any) -> Entry:
    """Return the entry of a signature, and note that it came."""
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


def _graph(nodes: Sequence[Node], kept: set[Node], leaves: Sequence[Node]) -> Graph:
    """Return a pending graph with its leaves as inputs, apart from the nodes that users hold; calls are written out."""
    moved: dict[Node, Any] = {}
    with apart():
        for leaf in leaves:
            array = _array(leaf)
            moved[leaf] = symbol(tensor_type(array.dtype, array.shape))
        for node in nodes:
            if node in moved or isinstance(node.value, tuple):
                continue
            inputs = tuple([moved[source] for source in node.inputs]) if node.value is None else ()
            if node.value is not None:
                moved[node] = node
            elif node.op is VARIABLE:
                moved[node] = inputs[0]
            elif node.op is call and not node.params[0].effects:
                moved[node] = node.params[0](*inputs)
            elif node.op is ITEM and isinstance(inputs[0], tuple):
                moved[node] = inputs[0][node.params[0]]
            else:
                moved[node] = with_inputs(node, inputs)
        outputs: list[Node] = []
        for node in nodes:
            if node in kept:
                own = moved[node]
                if isinstance(own, Node):
                    own = items(own) if isinstance(own.type, tuple) else (own,)
                outputs += own
        return Graph([moved[leaf] for leaf in leaves], outputs, name="define by run")


def _compile(entry: Entry, graph: Graph, reason: str) -> None:
    """Compile the graph of an entry; what makes programs is loaded with the first one."""
    with work:
        from septet.run.hot import compile_pending

        entry.program, entry.error = compile_pending(graph, reason)


def _record_natively() -> None:
    """Have operations recorded by native functions; what makes these is loaded now."""
    with work:
        from septet.run.recorder import use_native

        use_native()
