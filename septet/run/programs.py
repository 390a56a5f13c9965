"""From a graph to a program: optimize, verify where asked, hand to the backend.

The optimizer and the native backend are loaded with the first program that they are for: `import septet` does not wait
for them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from septet.backends.base import Backend, Program
from septet.backends.reference.program import ReferenceBackend
from septet.base.config import config
from septet.base.forks import work
from septet.base.garbage import paused
from septet.graph.graph import Graph

if TYPE_CHECKING:
    from septet.optimize.pipeline import History

REFERENCE = ReferenceBackend()


@lru_cache(maxsize=1)
def cpu() -> Backend:
    """Return the native backend."""
    with paused:
        from septet.backends.cpu.program import CpuBackend

    return CpuBackend(REFERENCE)


@lru_cache(maxsize=1)
def _begin_native() -> None:
    """Have another thread make what runs native programs, while this one imports what makes them."""
    from septet.backends.cpu import starting

    starting.begin()


@lru_cache(maxsize=1)
def optimizer() -> Callable[[Graph], Graph]:
    """Return what optimizes graphs."""
    with paused:
        from septet.optimize.pipeline import optimize

    return optimize


def history(graph: Graph, *, level: str | None = None) -> History:
    """Return what the passes do to a graph, step by step; `level` as for `make_program`."""
    from septet.optimize import pipeline

    return pipeline.history(graph, None if _is_full(level) else ())


def _is_full(level: str | None) -> bool:
    return (config.optimize if level is None else level) == "full"


def make_program(
    graph: Graph, *, level: str | None = None, beside: Program | None = None, is_resized: bool = False, **options: Any
) -> Program:
    """Return the program of a graph.

    Parameters
    ----------
    graph : Graph
    level : str, optional
        "full" or "none": which passes run; by default the setting ``optimize``.
    beside : Program, optional
        Another one, which never runs at the same time: native programs take turns in the same memory, and where it is
        that of the same graph for other sizes, its plan is adapted.
    is_resized : bool
        Whether the same graph is likely to come with other sizes.
    **options
        Passed on to the backend.
    """
    is_full = _is_full(level)
    with work:
        if config.backend != "cpu":
            return REFERENCE.compile(optimizer()(graph) if is_full else graph, **options)
        _begin_native()
        if is_full and not is_resized:  # otherwise the backend does it, unless there is a plan to be adapted
            graph = optimizer()(graph)
        return cpu().compile(graph, beside=beside, is_resized=is_resized and is_full, **options)


@lru_cache(maxsize=1)
def get_ready() -> None:
    """Import what makes programs, for another thread that will make some.

    A thread that imports lets go of Python's lock for each file, and one that runs Python beside keeps it for
    milliseconds each time: the other one would import four times as long, and slow this one down meanwhile.
    """
    if config.backend == "cpu" and not work.is_lost:
        with work:
            _begin_native()
            optimizer()
            cpu()
            with paused:
                from septet.backends.cpu import pieces  # noqa: F401


def begin_piece(graph: Graph) -> Callable[[], Any]:
    """Begin to make a graph of known sizes a piece of programs that are put together while they run.

    Returns
    -------
    callable
        Returns the piece, and waits for the compiler where it must; None where the graph has no native form.
    """
    from septet.backends.cpu.pieces import begin, piece_of

    begin()
    program = make_program(graph)
    program.begin([node.shape for node in graph.inputs])
    return lambda: piece_of(program)


def native_calls() -> Any:
    """Return an empty list of calls of pieces: one that an earlier evaluation has given back, or a new one."""
    try:
        return _spare.pop()
    except IndexError:
        from septet.backends.cpu.pieces import Calls

        return Calls()


def give_back(calls: Any) -> None:
    """Empty a list of calls, and keep it for the next evaluation; where Ctrl-C comes on the way, it is dropped."""
    calls.end()
    if not _spare:
        _spare.append(calls)


_spare: list[Any] = []
