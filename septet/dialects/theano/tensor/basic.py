"""`theano.tensor.basic`: everything of the namespace that is not in a module of its own, and the rest gathered."""

from __future__ import annotations

import builtins
import functools
import math
from typing import Any

import numpy as np

import septet as st
from septet.dialects.theano.configdefaults import config
from septet.dialects.theano.dtypes import (
    ALL,
    COMPLEXES,
    CONTINUOUS,
    DISCRETE,
    FLOATS,
    INTS,
    UINTS,
    as_dtype,
    tolerances,
    upcast,
)  # fmt: skip
from septet.dialects.theano.gof.graph import Apply, Constant, Variable
from septet.dialects.theano.gof.native import native
from septet.dialects.theano.gof.op import NativeOp, Op
from septet.dialects.theano.scalar import basic as scal
from septet.dialects.theano.tensor.convert import as_tensor_variable, constant, constant_cache, known_value
from septet.dialects.theano.tensor.creation import *
from septet.dialects.theano.tensor.creation import alloc, arange, eye, ones_like, tensor
from septet.dialects.theano.tensor.elemwise import FUNCTIONS, DimShuffle, Elemwise
from septet.dialects.theano.tensor.products import *
from septet.dialects.theano.tensor.reductions import *
from septet.dialects.theano.tensor.shaping import *
from septet.dialects.theano.tensor.subtensor import inc_subtensor, set_subtensor, take
from septet.dialects.theano.tensor.var import AsTensorError, TensorConstant, TensorVariable, _tensor_py_operators
from septet.dialects.theano.tensortype import TensorType

globals().update(FUNCTIONS)
python_all, python_any = builtins.all, builtins.any
as_tensor = _as_tensor_variable = as_tensor_variable
complex_dtypes, continuous_dtypes, float_dtypes, discrete_dtypes, all_dtypes, int_dtypes, uint_dtypes = map(
    list, (COMPLEXES, CONTINUOUS, FLOATS, DISCRETE, ALL, INTS, UINTS)
)
integer_dtypes = [*INTS, *UINTS]
where = FUNCTIONS["switch"]
square = FUNCTIONS["sqr"]
fill = FUNCTIONS["second"]
floor_div = FUNCTIONS["int_div"]
bitwise_and, bitwise_or, bitwise_xor, bitwise_not = (FUNCTIONS[name] for name in ("and_", "or_", "xor", "invert"))
tensor_copy = Elemwise(scal.OPS["identity"])
Tensor = tensor
join_ = _join
alloc_validate_shape = alloc.validate_shape
isnan_, isinf_ = FUNCTIONS["isnan"], FUNCTIONS["isinf"]
float16_atol = float16_rtol = 1e-3
float32_atol = float32_rtol = 1e-5
float64_atol, float64_rtol = 1e-8, 1.0000000000000001e-05


def _allclose(a: Any, b: Any, rtol: float | None = None, atol: float | None = None) -> builtins.bool:
    """Tell whether two arrays are equal up to the rounding of the coarser dtype."""
    a, b = np.asarray(a), np.asarray(b)
    relative, absolute = tolerances(str(a.dtype), str(b.dtype), finest=float64_atol)
    rtol, atol = relative if rtol is None else rtol, absolute if atol is None else atol
    return builtins.bool(np.allclose(a, b, rtol=rtol, atol=atol))


class NotScalarConstantError(Exception):
    """A value that is not one known number."""


class EmptyConstantError(NotScalarConstantError):
    """A known value without elements."""


class ShapeError(Exception):
    """Shapes that do not agree."""


def get_scalar_constant_value(
    orig_v: Any, elemwise: bool = True, only_process_constants: bool = False, max_recur: int = 10
) -> np.ndarray:
    """Return the one number that a variable consists of, where that is known before anything is computed.

    Raises
    ------
    NotScalarConstantError
        If it is not known, or there are several numbers.
    """
    if orig_v is None:
        raise NotScalarConstantError
    if only_process_constants and isinstance(orig_v, Variable) and not isinstance(orig_v, Constant):
        raise NotScalarConstantError(orig_v)
    value = known_value(orig_v)
    if value is None and isinstance(orig_v, Variable):
        value = _behind(orig_v)
    if value is None or value.dtype.kind not in "biufc":
        raise NotScalarConstantError(orig_v)
    if value.size == 0:
        raise EmptyConstantError(orig_v)
    if np.all(value == value.flat[0]):
        return np.array(value.flat[0], value.dtype)
    raise NotScalarConstantError("v.data is non-numeric, non-scalar, or has more than one unique value", orig_v)


def _behind(v: Any) -> np.ndarray | None:
    """Return the number that is repeated or moved to make a variable of unknown shape."""
    while v.owner is not None:
        if isinstance(v.owner.op, Elemwise) and v.owner.op.scalar_op.name == "second":
            v = v.owner.inputs[1]
        elif isinstance(v.owner.op, (DimShuffle, Rebroadcast, type(alloc))):
            v = v.owner.inputs[0]
        else:
            return None
        value = known_value(v)
        if value is not None:
            return value
    return None


def extract_constant(x: Any, elemwise: bool = True, only_process_constants: bool = False) -> Any:
    """Return the one number that a variable consists of, or the variable where that is not known."""
    try:
        return get_scalar_constant_value(x, elemwise, only_process_constants)
    except NotScalarConstantError:
        return x


def numpy_scalar(data: np.ndarray) -> np.ndarray:
    """Return an array that holds one number."""
    if data.size == 0:
        raise EmptyConstantError
    if data.size > 1 or data.dtype.kind not in "biufc":
        raise NotScalarConstantError("v.data is non-numeric, non-scalar, or has more than one unique value", data)
    return data


def check_equal_numpy(x: Any, y: Any) -> builtins.bool:
    """Tell whether two values are equal, also where they are arrays."""
    if isinstance(x, np.ndarray) and isinstance(y, np.ndarray):
        return x.dtype == y.dtype and x.shape == y.shape and np.array_equal(x, y)
    return builtins.bool(x == y)


def cast(x: Any, dtype: Any) -> Any:
    """Return a tensor in another dtype; ``"floatX"`` is the setting's.

    Raises
    ------
    TypeError
        For a complex tensor that is to become a real one: `real`, `imag`, `abs` or `angle` say what is meant.
    """
    x = as_tensor_variable(x)
    if dtype is None:
        raise TypeError("cast takes a dtype, got None")
    name = as_dtype(dtype)
    if x.type.dtype == name:
        return x
    if x.type.dtype in COMPLEXES and name not in COMPLEXES:
        raise TypeError("Casting from complex to real is ambiguous: consider real(), imag(), angle() or abs()")
    return FUNCTIONS[f"convert_to_{name}"](x)


for _dtype in ALL:
    globals()[f"_convert_to_{_dtype}"] = FUNCTIONS[f"convert_to_{_dtype}"]
_cast_mapping = {_dtype: FUNCTIONS[f"convert_to_{_dtype}"] for _dtype in ALL}


def div_proxy(x: Any, y: Any) -> Any:
    """Return ``x / y`` as in Python 2: between integers as the setting ``int_division`` says."""
    x, y = as_tensor_variable(x), as_tensor_variable(y)
    return FUNCTIONS[str(scal.int_or_true_div(x.type.dtype in DISCRETE, y.type.dtype in DISCRETE))](x, y)


def divmod(x: Any, y: Any) -> tuple[Any, Any]:
    """Return the quotient, rounded down, and the remainder."""
    return floor_div(x, y), mod_check(x, y)


def mod_check(x: Any, y: Any) -> Any:
    """Return the remainder of a division that is rounded down."""
    if as_tensor_variable(x).type.dtype in COMPLEXES or as_tensor_variable(y).type.dtype in COMPLEXES:
        raise scal.ComplexError(
            "Theano does not support the mod operator (%) on complex numbers, since numpy deprecated it."
        )
    return FUNCTIONS["mod"](x, y)


def ceil_intdiv(a: Any, b: Any) -> Any:
    """Return the quotient of integers, rounded up."""
    found = FUNCTIONS["int_div"](a, b)
    return cast(FUNCTIONS["neq"](a % b, 0), found.dtype) + found


def power(x: Any, y: Any) -> Any:
    """Return ``x ** y``."""
    return FUNCTIONS["pow"](x, y)


def _of_floats(test: Any, a: Any) -> Any:
    """Return a test of floats, which is false for integers."""
    a = as_tensor_variable(a)
    return alloc(np.asarray(False), *[a.shape[i] for i in range(a.ndim)]) if a.dtype in DISCRETE else test(a)


def isnan(a: Any) -> Any:
    """Return where a tensor is NaN; integers never are."""
    return _of_floats(isnan_, a)


def isinf(a: Any) -> Any:
    """Return where a tensor is infinite; integers never are."""
    return _of_floats(isinf_, a)


def isclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: builtins.bool = False) -> Any:
    """Return where two tensors are equal up to ``atol + rtol |b|``; infinities are equal to themselves only."""
    a, b = as_tensor_variable(a), as_tensor_variable(b)
    close = FUNCTIONS["le"](abs(a - b), atol + rtol * abs(b))
    infinite = FUNCTIONS["or_"](isinf(a), isinf(b))
    found = FUNCTIONS["switch"](infinite, FUNCTIONS["eq"](a, b), close)
    if equal_nan:
        found = FUNCTIONS["or_"](found, FUNCTIONS["and_"](isnan(a), isnan(b)))
    return found


def allclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: builtins.bool = False) -> Any:
    """Return whether two tensors are equal everywhere; see `isclose`."""
    return all(isclose(a, b, rtol, atol, equal_nan))


def round(a: Any, mode: str | None = None) -> Any:
    """Return the nearest integers.

    Parameters
    ----------
    mode : "half_to_even" or "half_away_from_zero"
        Where what lies in the middle goes.
    """
    mode = "half_to_even" if mode is None else mode
    if mode not in ("half_to_even", "half_away_from_zero"):
        raise Exception(f"round mode {mode} is not implemented.")
    return FUNCTIONS[f"round_{mode}"](a)


def iround(a: Any, mode: str | None = None) -> Any:
    """Return the nearest integers, as int64."""
    return cast(round(a, mode), "int64")


class Nonzero(NativeOp):
    """The indices of the elements that are not zero."""

    __props__ = ()
    inputs_with_gradient = slice(0)

    def compute(self, *tensors: Any) -> Any:
        return tuple(st.nonzero(tensors[0]))

    def __call__(self, *inputs: Any, **words: Any) -> Any:
        return super().__call__(*inputs, return_list=True, **words)


_nonzero = Nonzero()


def nonzero(a: Any, return_matrix: builtins.bool = False) -> Any:
    """Return the indices of the elements that are not zero: a vector for each axis, or the rows of a matrix."""
    a = as_tensor_variable(a)
    if a.ndim == 0:
        raise ValueError("Nonzero only supports non-scalar arrays.")
    found = _nonzero(a)
    return stack(found, 0) if return_matrix else tuple(found)


def flatnonzero(a: Any) -> Any:
    """Return the indices of the elements that are not zero, in the flattened tensor."""
    a = as_tensor_variable(a)
    if a.ndim == 0:
        raise ValueError("Nonzero only supports non-scalar arrays.")
    return nonzero(a.flatten(), return_matrix=False)[0]


def nonzero_values(a: Any) -> Any:
    """Return the elements that are not zero."""
    a = as_tensor_variable(a)
    return a.flatten()[flatnonzero(a)]


class ExtractDiag(NativeOp):
    """The diagonals over two axes."""

    __props__ = ("offset", "axis1", "axis2")

    def __init__(self, offset: int = 0, axis1: int = 0, axis2: int = 1, view: builtins.bool = False) -> None:
        self.offset, self.axis1, self.axis2, self.view = offset, axis1, axis2, view

    def check(self, x: Any) -> None:
        if x.ndim < 2:
            raise ValueError("ExtractDiag needs an input with 2 or more dimensions", x)

    def compute(self, *tensors: Any) -> Any:
        return st.diagonal(tensors[0], self.offset, self.axis1, self.axis2)


def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """Return the diagonals over two axes, along a last axis."""
    return ExtractDiag(offset, axis1, axis2)(a)


class AllocDiag(NativeOp):
    """Matrices with given diagonals."""

    __props__ = ("offset", "axis1", "axis2")

    def __init__(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> None:
        self.offset, self.axis1, self.axis2 = offset, axis1, axis2

    def compute(self, *tensors: Any) -> Any:
        (x,) = tensors
        count = x.shape[-1] + builtins.abs(self.offset)
        rows = st.arange(x.shape[-1]) + builtins.max(0, -self.offset)
        columns = st.arange(x.shape[-1]) + builtins.max(0, self.offset)
        empty = st.zeros((*x.shape[:-1], count, count), dtype=x.dtype)
        found = st.index_set(empty, (Ellipsis, rows, columns), x)
        return st.moveaxis(found, (-2, -1), (self.axis1, self.axis2))


def diag(v: Any, k: int = 0) -> Any:
    """Return the k-th diagonal of a matrix, or a matrix with a vector as its k-th diagonal."""
    v = as_tensor_variable(v)
    if v.ndim == 1:
        return AllocDiag(k)(v)
    if v.ndim >= 2:
        return diagonal(v, offset=k)
    raise ValueError("Input must has v.ndim >= 1.")


def norm(x: Any, L: Any, axis: Any = None, keepdims: builtins.bool = False) -> Any:
    """Return the L-norm over axes."""
    if L == 0:
        raise NotImplementedError()
    if np.isinf(L):
        raise NotImplementedError()
    return FUNCTIONS["pow"](sum(FUNCTIONS["pow"](abs(x), L), axis=axis, keepdims=keepdims), 1.0 / L)


def cov(
    m: Any, y: Any = None, rowvar: builtins.bool = True, bias: builtins.bool = False, ddof: int | None = None, fweights: Any = None, aweights: Any = None
) -> Any:  # fmt: skip
    """Return the covariances of variables, which are rows (or, without `rowvar`, columns) of a matrix."""
    if fweights is not None or aweights is not None:
        raise NotImplementedError("cov: weights are not supported; scale the observations instead")
    if ddof is not None and int(ddof) != ddof:
        raise ValueError("ddof must be integer")
    if m.ndim > 2 or (y is not None and y.ndim > 2):
        raise ValueError("m and y have one or two axes")
    x = m if m.ndim == 2 else m.dimshuffle("x", 0)
    if not rowvar and m.ndim == 2:
        x = x.T
    if y is not None:
        other = y if y.ndim == 2 else y.dimshuffle("x", 0)
        x = concatenate((x, other.T if not rowvar and y.ndim == 2 else other), axis=0)
    ddof = (0 if bias else 1) if ddof is None else ddof
    x = x - x.mean(axis=1, keepdims=True)
    found = dot(x, x.T.conj()) / (x.shape[1] - ddof)
    return found.dimshuffle([axis for axis in (0, 1) if not found.broadcastable[axis]])


class PermuteRowElements(NativeOp):
    """The rows of a tensor with their elements in the orders that the rows of another give."""

    __props__ = ()
    inputs_with_gradient = slice(1)

    def make_node(self, x: Any, y: Any, inverse: Any = 0) -> Any:
        return super().make_node(x, y, inverse)

    def check(self, x: Any, y: Any, inverse: Any) -> None:
        if y.type.dtype not in DISCRETE:
            raise TypeError(f"PermuteRowElements: an order is made of integers, got {y.type}")

    def compute(self, *tensors: Any) -> Any:
        x, y, inverse = tensors
        undone = st.argsort(y, axis=-1).astype(y.dtype)
        y = st.where(inverse != 0, undone, y) if inverse.node.is_symbolic else undone if inverse.numpy() else y
        sizes = st.broadcast_arrays(x[..., :1], y[..., :1])[0].shape[:-1]
        return st.take_along_axis(
            st.broadcast_to(x, (*sizes, x.shape[-1])), st.broadcast_to(y, (*sizes, y.shape[-1])), axis=-1
        )


permute_row_elements = _permute_row_elements = PermuteRowElements()


def inverse_permutation(perm: Any) -> Any:
    """Return the permutations that undo permutations (vectors, or rows of a matrix)."""
    perm = as_tensor_variable(perm)
    return permute_row_elements(arange(perm.shape[-1], dtype=perm.dtype), perm, inverse=1)


class _Grid:
    """``mgrid[0:3, 0:4]`` and ``ogrid[0:3, 0:4]``."""

    def __init__(self, sparse: builtins.bool = False) -> None:
        self.sparse = sparse

    def __getitem__(self, *args: Any) -> Any:
        cuts = args[0] if isinstance(args[0], tuple) else args
        for cut in cuts:
            if isinstance(cut.step, builtins.complex):
                raise NotImplementedError("Not implemented for slices whose step is complex")
        ranges = [arange(cut.start or 0, cut.stop, cut.step or 1) for cut in cuts]
        count = len(ranges)
        grids = [r.dimshuffle(*["x"] * i, 0, *["x"] * (count - i - 1)) for i, r in enumerate(ranges)]
        if self.sparse:
            return grids
        ones = [ones_like(grid) for grid in grids]
        return [math.prod([*ones[:i], *ones[i + 1 :]], start=grids[i]) for i in range(count)]


mgrid = _Grid()
ogrid = _Grid(sparse=True)


class Choose(NativeOp):
    """Elements of one of several tensors each."""

    __props__ = ("mode",)

    def __init__(self, mode: str) -> None:
        if mode not in ("raise", "wrap", "clip"):
            raise ValueError(f"mode is 'raise', 'wrap' or 'clip', got {mode!r}")
        self.mode = mode

    def compute(self, *tensors: Any) -> Any:
        which, choices = scal.as_dtype(tensors[0], "int64"), tensors[1]
        count = choices.shape[0]
        if self.mode == "wrap":
            which = st.remainder(which, count)
        elif self.mode == "clip":
            which = st.clip(which, 0, count - 1)
        rank = builtins.max(which.ndim, choices.ndim - 1)
        choices = st.reshape(choices, (count, *[1] * (rank - choices.ndim + 1), *choices.shape[1:]))
        shape = _common_shape(which, choices[0])
        choices = st.broadcast_to(choices, (count, *shape))
        return st.take_along_axis(choices, st.broadcast_to(which, shape)[None], axis=0)[0]


def _common_shape(*tensors: Any) -> tuple[Any, ...]:
    """Return the shape that tensors broadcast to; sizes that are not known yet may turn out to be 1."""
    shape = []
    for axis in range(-builtins.max(t.ndim for t in tensors), 0):
        sizes = [t.shape[axis] for t in tensors if t.ndim >= -axis]
        known = [size for size in sizes if isinstance(size, int) and size != 1]
        unknown = [size for size in sizes if not isinstance(size, int)]
        shape.append(known[0] if known else functools.reduce(st.maximum, unknown) if unknown else 1)
    return tuple(shape)


@native(name="StackAlike")
def _stack_alike(*tensors: Any) -> Any:
    own = upcast(*[t.dtype.name for t in tensors])
    shape = _common_shape(*tensors)
    return st.stack([st.broadcast_to(t.astype(own), shape) for t in tensors])


def choose(a: Any, choices: Any, out: Any = None, mode: str = "raise") -> Any:
    """Return for each element of `a` that of the tensor among `choices` that it names."""
    if out is not None:
        raise ValueError("choose: out is not supported; use the result")
    if isinstance(choices, (list, tuple)):
        choices = _stack_alike(*choices)
    if as_tensor_variable(a).type.dtype not in DISCRETE:
        raise TypeError("choose first argument must be of integers")
    return Choose(mode)(a, choices)


class Default(Op):
    """A value, or another where there is none (None was given)."""

    __props__ = ()

    def make_node(self, *inputs: Any) -> Any:
        x, other = [as_tensor_variable(value) for value in inputs]
        if x.type != other.type:
            raise TypeError("Both default() arguments must have same type", x, other)
        return Apply(self, [x, other], [x.type()])

    def perform(self, node: Any, inputs: Any, output_storage: Any, params: Any = None) -> None:
        output_storage[0][0] = inputs[1] if inputs[0] is None else inputs[0]

    def grad(self, inputs: Any, output_grads: Any) -> Any:
        raise NotImplementedError("default has no gradient; use switch")


default = setdefault = Default()


class TensorFromScalar(NativeOp):
    """A scalar variable as a tensor of rank 0."""

    __props__ = ()

    def make_node(self, s: Any) -> Any:
        if not isinstance(s.type, scal.Scalar):
            raise AssertionError(f"TensorFromScalar takes a scalar variable, got one of type {s.type}")
        return self.applied([s])

    def compute(self, *tensors: Any) -> Any:
        return tensors[0]


class ScalarFromTensor(NativeOp):
    """A tensor of rank 0 as a scalar variable."""

    __props__ = ()

    def make_node(self, t: Any) -> Any:
        if not isinstance(t.type, TensorType) or t.type.ndim:
            raise AssertionError(f"a scalar is made of a tensor of rank 0, got {t.type}")
        return Apply(self, [t], [scal.get_scalar_type(t.type.dtype).holding(t.tensor)])

    def compute(self, *tensors: Any) -> Any:
        return tensors[0]


tensor_from_scalar, scalar_from_tensor = TensorFromScalar(), ScalarFromTensor()
scal._scalar_py_operators._as_TensorVariable = lambda self: tensor_from_scalar(self)


class Flatten(NativeOp):
    """A tensor with its last axes made one."""

    __props__ = ("outdim",)

    def __init__(self, outdim: int = 1) -> None:
        self.outdim = int(outdim)

    def check(self, x: Any) -> None:
        if self.outdim < 1 or (x.ndim and self.outdim > x.ndim):
            raise ValueError(f"invalid output ndimensions ({self.outdim}) for tensor of rank {x.ndim}")

    def compute(self, *tensors: Any) -> Any:
        return st.reshape(tensors[0], (*tensors[0].shape[: self.outdim - 1], -1))


def check_and_normalize_axes(x: Any, axis: Any) -> list[int]:
    """Return axes as a list of non-negative ints; None stands for all, the empty list."""
    found = axes_of(axis, as_tensor_variable(x).type.ndim)
    return [] if axis is None else list(range(x.type.ndim) if found is None else found)


def register_transfer(fn: Any) -> None:
    """Register a function ``fn(var, target)`` that moves variables to other devices: a variable, or None."""
    _transfers.append(fn)


_transfers: list[Any] = []


def transfer(var: Any, target: Any) -> Any:
    """Return a variable on a device: all are on the CPU, unless a registered function knows the target."""
    for fn in () if target == "cpu" else _transfers:
        found = fn(var, target)
        if found is not None:
            return found
    if target != "cpu":
        raise ValueError(f"Can't transfer to target {target}")
    return var
