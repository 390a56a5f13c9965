"""Graphs, as Theano's programs see them: variables, applications of ops, types."""

from septet.dialects.theano.gof import graph, null_type, op, type, utils
from septet.dialects.theano.gof.graph import Apply, Constant, Variable, ancestors, clone, inputs
from septet.dialects.theano.gof.op import (
    COp,
    Op,
    OpenMPOp,
    PureOp,
    get_debug_values,
    missing_test_message,
)  # fmt: skip
from septet.dialects.theano.gof.type import CLinkerType, Generic, PureType, SingletonType, Type, generic
from septet.dialects.theano.gof.utils import MethodNotDefined, hashtype, object2, scratchpad

__all__ = [
    "Apply", "CLinkerType", "COp", "Constant", "Generic", "MethodNotDefined", "Op", "OpenMPOp", "PureOp", "PureType",
    "SingletonType", "Type", "Variable", "ancestors", "clone", "generic", "get_debug_values", "graph", "hashtype",
    "inputs", "missing_test_message", "null_type", "object2", "op", "scratchpad", "type", "utils",
]  # fmt: skip
