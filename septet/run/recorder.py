"""Who records operations and walks over pending ones: Python, and native functions when there are many."""

from __future__ import annotations

from septet.backends.cpu import recorder
from septet.graph.op import set_recorder
from septet.run import walk
from septet.run.evaluation import Evaluation
from septet.run.units import Unit
from septet.tensor.namespace import use_operators
from septet.tensor.tensor import Tensor
from septet.tensor.variable import Variable


def use_native() -> None:
    """Record and walk natively from now on, where this Python is one that native functions know."""
    if not recorder.is_supported():
        return
    functions = recorder.native(walk.number_of, walk.CHEAP, Tensor, Variable, Unit)
    walk.use(functions.pending, functions.held, functions.signature)
    Evaluation.units = functions.units
    set_recorder(functions.record)
    use_operators(functions.operator)


def use_python() -> None:
    """Record and walk in Python."""
    use_operators(None)
    set_recorder(None)
    Evaluation.units = None
    walk.use()
