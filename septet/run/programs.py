"""From a graph to a program: optimize, verify where asked, hand to the backend."""

from __future__ import annotations

from typing import Any

from septet.backends.base import Backend, Program
from septet.backends.cpu.program import CpuBackend
from septet.backends.reference.program import ReferenceBackend
from septet.base.config import config
from septet.graph.graph import Graph
from septet.optimize.pipeline import optimize

REFERENCE = ReferenceBackend()
BACKENDS: dict[str, Backend] = {"reference": REFERENCE, "cpu": CpuBackend(REFERENCE)}


def make_program(graph: Graph, *, level: str | None = None, **options: Any) -> Program:
    """Return the program of a graph.

    Parameters
    ----------
    graph : Graph
    level : str, optional
        "full" or "none": which passes run; by default the setting ``optimize``.
    **options
        Passed on to the backend.
    """
    if (config.optimize if level is None else level) == "full":
        graph = optimize(graph)
    return BACKENDS[config.backend].compile(graph, **options)
