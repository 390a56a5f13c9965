"""Compiling the pending graphs of define-by-run code that are hot, and the list of what was compiled."""

from __future__ import annotations

from time import perf_counter

from septet.backends.base import Program
from septet.base.heap import give_back
from septet.graph.graph import Graph
from septet.run.compiles import Compile, Compiles, with_made
from septet.run.programs import make_program

MOST = 1000  # compiles that are remembered
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


def compile_pending(graph: Graph, reason: str) -> tuple[Program | None, Exception | None]:
    """Return the program of a graph, ready for the shapes that its inputs have, or why there is none.

    Parameters
    ----------
    graph : Graph
    reason : str
        Why it is compiled, for the list.
    """
    start = perf_counter()
    types = [repr(node.type) for node in graph.inputs]
    arguments = ", ".join(types[:4]) + (f" and {len(types) - 4} more" if len(types) > 4 else "")
    note = Compile(arguments, reason, len(graph))
    program: Program | None = None
    failure: Exception | None = None
    try:
        give_back()  # what NumPy has used for the graph before; compiler and program have memory of their own
        program = _prepare(graph)
        note = with_made(note, program.made[-1] if program.made else None)
    except Exception as error:  # interpreting goes on, and reports what is wrong when it meets it
        program, failure = None, error
        note = note._replace(error=f"{type(error).__name__}: {str(error).partition(chr(10))[0]}")
    _compiles.append(note._replace(seconds=perf_counter() - start))
    del _compiles[:-MOST]
    return program, failure
