"""Who records operations and walks over pending ones: Python, and native functions when there are many."""

from __future__ import annotations

from functools import lru_cache

from septet.backends.cpu import recorder
from septet.graph.op import set_recorder
from septet.run import backward, gradients, units, walk
from septet.run.backward import NativePull
from septet.run.evaluation import Evaluation
from septet.tensor.namespace import use_operators
from septet.tensor.tensor import Tensor
from septet.tensor.variable import Variable
from septet.transform import pullback


@lru_cache(maxsize=1)
def _functions() -> recorder.Functions:
    given = {
        "Tensor": Tensor, "Variable": Variable, "number_of": walk.number_of, "cheap": walk.CHEAP,
        "sums": units.sums, "MOST_SHARED": backward.MOST_SHARED,
    }  # fmt: skip
    return recorder.native(given, (Tensor, Variable, units.Unit, Evaluation, NativePull))


def use_native() -> None:
    """Record and walk natively from now on, where this Python is one that native functions know."""
    if not recorder.is_supported():
        return
    functions = _functions()
    walk.use(functions.pending, functions.held, functions.signature)
    pullback.use(functions.rows)
    gradients.use(functions.tracked)
    Evaluation.quick = functions.units
    Evaluation.count = functions.count
    NativePull.quick = functions.pull
    set_recorder(functions.record)
    use_operators(functions.operator)


def use_python() -> None:
    """Record and walk in Python."""
    use_operators(None)
    set_recorder(None)
    NativePull.quick = None
    Evaluation.quick = None
    Evaluation.count = None
    gradients.use()
    pullback.use()
    walk.use()
