"""Making variables and tensors: constructors by dtype and rank, zeros and ones, ranges, matrices with ones."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

import septet as st
from septet.dialects.theano.configdefaults import config
from septet.dialects.theano.dtypes import DISCRETE, as_dtype, upcast
from septet.dialects.theano.gof.graph import Variable
from septet.dialects.theano.gof.op import NativeOp
from septet.dialects.theano.tensor.convert import as_tensor_variable, known_value
from septet.dialects.theano.tensor.elemwise import FUNCTIONS
from septet.dialects.theano.tensor.shaping import as_sizes, element, elements_of
from septet.dialects.theano.tensortype import TensorType

LETTERS = {
    "c": "complex64", "z": "complex128", "f": "float32", "d": "float64", "b": "int8", "w": "int16", "i": "int32", "l": "int64",
}  # fmt: skip
PATTERNS: dict[str, tuple[bool, ...]] = {
    "scalar": (), "vector": (False,), "matrix": (False, False), "row": (True, False), "col": (False, True),
    **{f"tensor{n}": (False,) * n for n in range(3, 8)},
}  # fmt: skip


def tensor(*args: Any, **kwargs: Any) -> Any:
    """Return a variable: ``tensor(dtype, broadcastable, name=None)``."""
    name = kwargs.pop("name", None)
    return TensorType(*args, **kwargs)(name)


def _constructor(kind: str) -> Any:
    def constructor(name: str | None = None, dtype: Any = None) -> Any:
        if name is not None and not isinstance(name, str):
            raise TypeError(f"a variable's name is a string, got {name!r}")
        return TensorType(config.floatX if dtype is None else dtype, PATTERNS[kind])(name)

    constructor.__name__ = constructor.__qualname__ = kind
    constructor.__doc__ = f"Return a variable: a {kind}, of the dtype `config.floatX` unless another is given."
    return constructor


def _several(make: Any, kind: str) -> Any:
    def several(*names: Any) -> Any:
        if len(names) == 1 and isinstance(names[0], int):
            return [make() for _ in range(names[0])]
        given = names[0] if len(names) == 1 else names  # one string names a variable with each of its letters
        return make(*given) if len(given) == 1 else [make(name) for name in given]

    several.__name__ = several.__qualname__ = kind
    several.__doc__ = f"Return a variable for each name: ``x, y = {kind}('x', 'y')``."
    return several


CONSTRUCTORS: dict[str, Any] = {kind: _constructor(kind) for kind in PATTERNS}
CONSTRUCTORS |= {
    f"{letter}{kind}": TensorType(dtype, pattern)
    for letter, dtype in LETTERS.items()
    for kind, pattern in PATTERNS.items()
}
PLURALS = {"matrix": "matrices"}
for _kind in PATTERNS:
    for _letter in ("", *LETTERS):
        _name = _letter + PLURALS.get(_kind, _kind + "s")
        CONSTRUCTORS[_name] = _several(CONSTRUCTORS[_letter + _kind], _name)
globals().update(CONSTRUCTORS)

int_types = int_scalar_types = tuple(CONSTRUCTORS[letter + "scalar"] for letter in "bwil")
float_types = float_scalar_types = tuple(CONSTRUCTORS[letter + "scalar"] for letter in "fd")
complex_types = complex_scalar_types = tuple(CONSTRUCTORS[letter + "scalar"] for letter in "cz")
int_vector_types = tuple(CONSTRUCTORS[letter + "vector"] for letter in "bwil")
float_vector_types = tuple(CONSTRUCTORS[letter + "vector"] for letter in "fd")
complex_vector_types = tuple(CONSTRUCTORS[letter + "vector"] for letter in "cz")
int_matrix_types = tuple(CONSTRUCTORS[letter + "matrix"] for letter in "bwil")
float_matrix_types = tuple(CONSTRUCTORS[letter + "matrix"] for letter in "fd")
complex_matrix_types = tuple(CONSTRUCTORS[letter + "matrix"] for letter in "cz")


class Alloc(NativeOp):
    """A value repeated to a shape."""

    __props__ = ()
    inputs_with_gradient = slice(1)

    @staticmethod
    def validate_shape(shape: Any) -> tuple[list[Any], list[bool]]:
        """Return sizes as scalar variables of integers, and which are known to be 1."""
        given = [as_tensor_variable(size) for size in shape]
        for size in given:
            if size.type.ndim or size.type.dtype not in DISCRETE:
                raise TypeError(f"Shape arguments to Alloc must be integers, but argument {size} is not")
        return given, [bool(known_value(size) == 1) for size in given]

    def make_node(self, value: Any, *shape: Any) -> Any:
        given, _ = self.validate_shape(shape)
        value = as_tensor_variable(value)
        if value.type.ndim > len(given):
            raise TypeError(
                "The Alloc value to use has more dimensions than the specified dimensions", value.type.ndim, len(given)
            )
        return self.applied([value, *given])

    def compute(self, *tensors: Any) -> Any:
        value, *sizes = tensors
        return st.broadcast_to(value, tuple(element(size) for size in sizes))


alloc = Alloc()


class AllocEmpty(NativeOp):
    """A tensor whose elements are not given: here zeros."""

    __props__ = ("dtype",)
    inputs_with_gradient = slice(0)

    def __init__(self, dtype: Any) -> None:
        self.dtype = as_dtype(dtype)

    def compute(self, *tensors: Any) -> Any:
        return st.zeros(tuple(element(size) for size in tensors), dtype=self.dtype)


def _sizes(shape: Any) -> list[Any]:
    """Return sizes in a list."""
    if isinstance(shape, Variable):
        if shape.type.ndim == 0:
            return [shape]
        vector = as_sizes(shape)
        sizes = enumerate(elements_of(vector.tensor))
        return [as_tensor_variable(size) if isinstance(size, int) else vector[place] for place, size in sizes]
    return list(shape) if isinstance(shape, (list, tuple, np.ndarray)) else [shape]


def zeros(shape: Any, dtype: Any = None) -> Any:
    """Return zeros of a shape: a list of sizes, or a vector of known length."""
    return alloc(np.array(0, dtype=config.floatX if dtype is None else as_dtype(dtype)), *_sizes(shape))


def ones(shape: Any, dtype: Any = None) -> Any:
    """Return ones of a shape: a list of sizes, or a vector of known length."""
    return alloc(np.array(1, dtype=config.floatX if dtype is None else as_dtype(dtype)), *_sizes(shape))


def _like(model: Any, number: int, dtype: Any) -> Any:
    model = as_tensor_variable(model)
    return FUNCTIONS["second"](model, np.array(number, dtype=model.type.dtype if dtype is None else as_dtype(dtype)))


def ones_like(model: Any, dtype: Any = None, opt: bool = False) -> Any:
    """Return ones of the shape of a tensor, and of its dtype unless another is given."""
    return _like(model, 1, dtype)


def zeros_like(model: Any, dtype: Any = None, opt: bool = False) -> Any:
    """Return zeros of the shape of a tensor, and of its dtype unless another is given."""
    return _like(model, 0, dtype)


class ARange(NativeOp):
    """Numbers from a start up to, and without, a stop in steps."""

    __props__ = ("dtype",)

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype
        self.inputs_with_gradient = slice(0 if dtype in DISCRETE else None)

    def compute(self, *tensors: Any) -> Any:
        start, stop, step = [t if t.node.is_symbolic else t.numpy().item() for t in tensors]
        if self.dtype in DISCRETE:
            return st.arange(start, stop, step, dtype=self.dtype)
        start, stop, step = [st.asarray(t).astype(self.dtype) for t in tensors]
        count = st.maximum(st.ceil((stop - start) / step), 0).astype("int64")
        return start + st.arange(count).astype(self.dtype) * ((start + step) - start)  # NumPy takes this for the step


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = None) -> Any:
    """Return numbers from `start` (or 0) up to, and without, `stop` in steps.

    The dtype is what holds all arguments; Python's ints count as int64.
    """
    if stop is None:
        start, stop = 0, start
    given = [as_tensor_variable(value) for value in (start, stop, step)]
    if dtype is None:
        dtype = upcast(*[v.type.dtype for v in given])
        if dtype in DISCRETE and np.dtype(dtype).kind == "i":
            dtype = "int64"
        if (
            np.dtype(dtype).kind == "f"
            and config.cast_policy == "numpy+floatX"
            and config.floatX == "float32"
            and all(v.type.dtype != "float64" for v in given)
        ):
            dtype = config.floatX
    return ARange(as_dtype(dtype))(*given)


class _Diagonals(NativeOp):
    """Matrices with ones by the distance from a diagonal: of numbers of rows and columns, and the diagonal's offset."""

    __props__: tuple[str, ...] = ("dtype",)
    inputs_with_gradient = slice(0)
    compare: Any

    def __init__(self, dtype: Any = None) -> None:
        self.dtype = config.floatX if dtype is None else as_dtype(dtype)

    def filled(self, values: Any) -> Any:
        return [values[0] if place == 1 and value is None else value for place, value in enumerate(values)]

    def compute(self, *tensors: Any) -> Any:
        n, m, k = [element(t) for t in tensors]
        return self.compare(st.arange(m)[None, :] - st.arange(n)[:, None], k).astype(self.dtype)


class Eye(_Diagonals):
    """Ones on a diagonal."""

    compare = staticmethod(operator.eq)


class Tri(_Diagonals):
    """Ones at and below a diagonal."""

    compare = staticmethod(operator.le)


def eye(n: Any, m: Any = None, k: Any = 0, dtype: Any = None) -> Any:
    """Return an n x m matrix (square by default) with ones on the k-th diagonal."""
    return Eye(dtype)(n, n if m is None else m, k)


def identity_like(x: Any) -> Any:
    """Return the identity matrix of the shape and dtype of a matrix."""
    x = as_tensor_variable(x)
    return eye(x.shape[0], x.shape[1], k=0, dtype=x.dtype)


def tri(N: Any, M: Any = None, k: Any = 0, dtype: Any = None) -> Any:
    """Return an N x M matrix (square by default) with ones at and below the k-th diagonal."""
    return Tri(dtype)(N, N if M is None else M, k)


def tril(m: Any, k: Any = 0) -> Any:
    """Return a matrix with zeros above the k-th diagonal."""
    return FUNCTIONS["switch"](tri(m.shape[0], m.shape[1], k=k, dtype="bool"), m, np.zeros((), m.dtype))


def triu(m: Any, k: Any = 0) -> Any:
    """Return a matrix with zeros below the k-th diagonal."""
    return FUNCTIONS["switch"](tri(m.shape[0], m.shape[1], k=k - 1, dtype="bool"), np.zeros((), m.dtype), m)


__all__ = [
    "ARange", "Alloc", "AllocEmpty", "Eye", "Tri", "alloc", "arange", "complex_matrix_types",
    "complex_scalar_types", "complex_types", "complex_vector_types", "eye", "float_matrix_types", "float_scalar_types",
    "float_types", "float_vector_types", "identity_like", "int_matrix_types", "int_scalar_types", "int_types",
    "int_vector_types", "ones", "ones_like", "tensor", "tri", "tril", "triu", "zeros", "zeros_like",
    *CONSTRUCTORS,
]  # fmt: skip
