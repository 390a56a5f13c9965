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
from septet.dialects.theano.tensor.extra_ops import (
    DiffOp,
    bartlett,
    bincount,
    cumprod,
    cumsum,
    fill_diagonal,
    fill_diagonal_offset,
    ravel_multi_index,
    repeat,
    squeeze,
    unravel_index,
)
from septet.dialects.theano.tensor.reductions import Any_, CAReduce
from septet.dialects.theano.tensor.sort import argsort, argtopk, sort, topk, topk_and_argtopk
from septet.dialects.theano.tensor.subtensor import (
    AdvancedBooleanIncSubtensor,
    AdvancedBooleanIndexingError,
    AdvancedBooleanSubtensor,
    AdvancedIncSubtensor,
    AdvancedIncSubtensor1,
    AdvancedIndexingError,
    AdvancedSubtensor,
    AdvancedSubtensor1,
    BaseAdvancedIncSubtensor,
    BaseAdvancedSubtensor,
    IncSubtensor,
    Subtensor,
    advanced_boolean_inc_subtensor,
    advanced_boolean_set_subtensor,
    advanced_boolean_subtensor,
    advanced_inc_subtensor,
    advanced_inc_subtensor1,
    advanced_set_subtensor,
    advanced_set_subtensor1,
    advanced_subtensor,
    advanced_subtensor1,
    get_canonical_form_slice,
    get_idx_list,
    inc_subtensor,
    set_subtensor,
)
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
