"""`theano.tensor`: tensors, and everything that is computed with them."""

from septet.dialects.theano.tensor import (
    basic,
    blas,
    elemwise,
    extra_ops,
    inplace,
    nlinalg,
    operators,  # sets the operators of variables
    opt,
    shaping,
    subtensor,
    type,
    type_other,
    utils,
    var,
    xlogx,
)
from septet.dialects.theano.tensor.basic import *
from septet.dialects.theano.tensor.elemwise import FUNCTIONS, DimShuffle, Elemwise
from septet.dialects.theano.tensor.extra_ops import *
from septet.dialects.theano.tensor.reductions import Any_, CAReduce
from septet.dialects.theano.tensor.sort import argsort, argtopk, sort, topk, topk_and_argtopk
from septet.dialects.theano.tensor.subtensor import *
from septet.dialects.theano.tensor.type_other import *
from septet.dialects.theano.tensor.var import (
    AsTensorError,
    TensorConstant,
    TensorConstantSignature,
    TensorVariable,
    _tensor_py_operators,
)
from septet.dialects.theano.tensortype import TensorType

Tensor = TensorType
elemwise.Any = Any_  # not the one of typing
