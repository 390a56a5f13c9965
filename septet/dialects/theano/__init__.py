"""Theano's public interface over Septet's graph: programs written for Theano 0.6 to 1.0 run on it.

``import septet.dialects.theano as theano`` in new code; `septet run` maps the name ``theano`` for old programs.
"""

from septet.dialects.theano.configdefaults import change_flags, config

from septet.dialects.theano import gof, scalar, tensor  # isort: skip
from septet.dialects.theano import compile, gradient, scan_module
from septet.dialects.theano.compile import (
    Function,
    In,
    Mode,
    Out,
    Param,
    SharedVariable,
    SymbolicInput,
    SymbolicOutput,
    clone,
    function,
    predefined_linkers,
    predefined_modes,
    predefined_optimizers,
    shared,
)  # fmt: skip
from septet.dialects.theano.gof import Apply, Constant, Generic, Op, Type, Variable, generic
from septet.dialects.theano.gof.fg import FunctionGraph, InconsistencyError
from septet.dialects.theano.gradient import grad
from septet.dialects.theano.scan_module import foldl, foldr, map, reduce, scan, scan_checkpoints
from septet.dialects.theano.tensor import sharedvar
from septet.dialects.theano.tensor.basic import dot
from septet.dialects.theano.updates import OrderedUpdates

__version__ = "1.0.5"
tensor.grad = grad
tensor._shared = sharedvar.tensor_constructor
