"""Graphs, as Theano's programs see them: variables, applications of ops, types."""

from septet.dialects.theano.gof import fg, graph, link, null_type, op, opt, type, utils
from septet.dialects.theano.gof.fg import FunctionGraph, InconsistencyError, MissingInputError
from septet.dialects.theano.gof.graph import Apply, Constant, Variable, ancestors, clone, inputs
from septet.dialects.theano.gof.link import (
    CLinker,
    DualLinker,
    Linker,
    LocalLinker,
    OpWiseCLinker,
    PerformLinker,
    WrapLinker,
    WrapLinkerMany,
)  # fmt: skip
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
