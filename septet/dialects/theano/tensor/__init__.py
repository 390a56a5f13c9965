"""`theano.tensor`: tensors, and everything that is computed with them."""

from septet.dialects.theano.tensor import (
    basic,
    elemwise,
    extra_ops,
    operators,  # sets the operators of variables
    shaping,
    subtensor,
    type,
    var,
)
from septet.dialects.theano.tensor.basic import *
from septet.dialects.theano.tensor.elemwise import FUNCTIONS, DimShuffle, Elemwise
from septet.dialects.theano.tensor.extra_ops import cumprod, cumsum, repeat, squeeze
from septet.dialects.theano.tensor.reductions import CAReduce
from septet.dialects.theano.tensor.subtensor import inc_subtensor, set_subtensor
from septet.dialects.theano.tensor.var import AsTensorError, TensorConstant, TensorVariable, _tensor_py_operators
