"""Theano's public interface over Septet's graph: programs written for Theano 0.6 to 1.0 run on it.

``import septet.dialects.theano as theano`` in new code; `septet run` maps the name ``theano`` for old programs.
"""

import inspect
import logging
import pickle
import sys
import warnings

import numpy as np

from septet.dialects.theano.configdefaults import change_flags, config

from septet.dialects.theano import gof, scalar, tensor  # isort: skip
from septet.dialects.theano import compat, compile, coverage, gradient, ifelse, numeric, printing, scan_module
from septet.dialects.theano.compile import (
    Function,
    FunctionMaker,
    In,
    Mode,
    OpFromGraph,
    Out,
    Param,
    ProfileStats,
    SharedVariable,
    SymbolicInput,
    SymbolicOutput,
    as_op,
    clone,
    function,
    predefined_linkers,
    predefined_modes,
    predefined_optimizers,
    shared,
)  # fmt: skip
from septet.dialects.theano.containers import Container
from septet.dialects.theano.gof import Apply, Constant, Generic, Op, OpenMPOp, Type, Variable, generic, object2
from septet.dialects.theano.gof.fg import FunctionGraph, InconsistencyError
from septet.dialects.theano.gradient import Lop, Rop, grad, subgraph_grad
from septet.dialects.theano.misc.safe_asarray import _asarray
from septet.dialects.theano.printing import pp, pprint
from septet.dialects.theano.scan_module import foldl, foldr, map, reduce, scan, scan_checkpoints

from septet.dialects.theano import typed_list  # isort: skip
from septet.dialects.theano.tensor import nnet, raw_random, shared_randomstreams, sharedvar
from septet.dialects.theano.tensor.basic import dot, get_scalar_constant_value
from septet.dialects.theano.updates import OrderedUpdates
from septet.dialects.theano.version import version as __version__

__api_version__ = 1
theano = sys.modules[__name__]  # its sources import themselves, so that programs do: ``from theano import theano``
theano_logger = logging.getLogger("theano")
logging_default_handler = logging.NullHandler()
tensor._shared = sharedvar.tensor_constructor
tensor.RandomStreams = shared_randomstreams.RandomStreams
for _module in (tensor, tensor.basic, tensor.extra_ops, tensor.subtensor, raw_random, gradient):
    # what ``from theano.tensor import *`` brings beside the module's own names, because its sources import it
    vars(_module).update(theano=theano, gof=gof, printing=printing, numpy=np, sys=sys)
    vars(_module).update(compile=compile, config=config, logging=logging, warnings=warnings, np=np)


def has_handlers(logger: logging.Logger) -> bool:
    """Tell whether anything is done with what a logger is told."""
    return logger.hasHandlers()


def disable_log_handler(
    logger: logging.Logger = theano_logger, handler: logging.Handler = logging_default_handler
) -> None:
    """Have a logger leave a handler: the theano logger has none of its own here."""
    logger.removeHandler(handler)


def function_dump(filename: str, *args: object, extra_tag_to_remove: object = None, **words: object) -> None:
    """Write the arguments of a call of `function`: ``theano.function(**pickle.load(file))`` makes it elsewhere."""
    with open(filename, "wb") as file:
        pickle.dump(inspect.signature(function).bind(*args, **words).arguments, file)


def sparse_grad(var: Variable) -> Variable:
    """Return rows taken from a matrix; their gradient has the size of the matrix, as others have."""
    return var


coverage.install()
for _name in ("grad", "Rop", "Lop", "jacobian", "hessian", "consider_constant", "numeric_grad", "verify_grad"):
    setattr(tensor, _name, getattr(gradient, _name))
for _name in ("SpecifyShape", "specify_shape"):
    setattr(tensor, _name, getattr(compile, _name))
