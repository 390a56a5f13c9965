"""Operators and methods of tensor variables, set from the functions that do the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from septet.dialects.theano.scalar.basic import ComplexError
from septet.dialects.theano.tensor import basic, extra_ops, shaping, subtensor
from septet.dialects.theano.tensor.elemwise import FUNCTIONS
from septet.dialects.theano.tensor.var import AsTensorError, _tensor_py_operators


def _binary(function: Callable[..., Any], is_reflected: bool = False) -> Callable[..., Any]:
    def operator(self: Any, other: Any) -> Any:
        try:
            return function(other, self) if is_reflected else function(self, other)
        except ComplexError:
            raise
        except (NotImplementedError, AsTensorError):
            return NotImplemented

    return operator


def _compared(function: Callable[..., Any]) -> Callable[..., Any]:
    def operator(self: Any, other: Any) -> Any:
        found = function(self, other)
        found._is_nonzero = False
        return found

    return operator


_BINARY: dict[str, Callable[..., Any]] = {
    "add": FUNCTIONS["add"], "sub": FUNCTIONS["sub"], "mul": FUNCTIONS["mul"], "truediv": FUNCTIONS["true_div"],
    "floordiv": FUNCTIONS["int_div"], "mod": basic.mod_check, "pow": FUNCTIONS["pow"], "divmod": basic.divmod,
    "div": basic.div_proxy,
    "and": FUNCTIONS["and_"], "or": FUNCTIONS["or_"], "xor": FUNCTIONS["xor"], "matmul": basic.dot,
}  # fmt: skip
for _name, _function in _BINARY.items():
    setattr(_tensor_py_operators, f"__{_name}__", _binary(_function))
    setattr(_tensor_py_operators, f"__r{_name}__", _binary(_function, is_reflected=True))

for _name, _theano in {"lt": "lt", "le": "le", "gt": "gt", "ge": "ge"}.items():
    setattr(_tensor_py_operators, f"__{_name}__", _compared(FUNCTIONS[_theano]))

_UNARY: dict[str, Callable[..., Any]] = {
    "__neg__": FUNCTIONS["neg"], "__abs__": FUNCTIONS["abs_"], "__invert__": FUNCTIONS["invert"],
    "__ceil__": FUNCTIONS["ceil"], "__floor__": FUNCTIONS["floor"], "__trunc__": FUNCTIONS["trunc"],
}  # fmt: skip
for _name, _function in _UNARY.items():
    setattr(_tensor_py_operators, _name, lambda self, function=_function: function(self))

for _name in (
    "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctanh", "ceil", "cos", "cosh", "deg2rad", "exp", "exp2",
    "expm1", "floor", "log", "log10", "log1p", "log2", "rad2deg", "sin", "sinh", "sqrt", "tan", "tanh", "trunc", "conj",
):  # fmt: skip
    setattr(_tensor_py_operators, _name, lambda self, function=FUNCTIONS[_name]: function(self))


NUMPY = {
    "absolute": "abs_", "fabs": "abs_", "negative": "neg", "subtract": "sub", "multiply": "mul", "divide": "true_div",
    "true_divide": "true_div", "floor_divide": "int_div", "remainder": "mod", "power": "pow", "greater": "gt",
    "greater_equal": "ge", "less": "lt", "less_equal": "le", "sign": "sgn", "square": "sqr", "reciprocal": "inv",
    "bitwise_and": "and_", "bitwise_or": "or_", "bitwise_xor": "xor", "rint": "round_half_to_even",
    "conjugate": "conj", "radians": "deg2rad", "degrees": "rad2deg",
}  # fmt: skip
"""NumPy's functions that have another name in Theano."""


def _of_numpy(self: Any, ufunc: Any, method: str, *inputs: Any, **words: Any) -> Any:
    """Return ``np.exp(x)``, ``array + x`` and the like as variables."""
    name = ufunc.__name__
    if name in ("equal", "not_equal"):  # variables are equal to themselves only
        return name == "not_equal"
    call = basic.dot if name == "matmul" else FUNCTIONS.get(NUMPY.get(name, name))
    if words and words.get("out", (None,))[0] is inputs[0]:  # ``array += x`` makes the name one of a variable
        words.pop("out")
    if method != "__call__" or words or call is None:
        return NotImplemented
    return call(*inputs)


_tensor_py_operators.__array_ufunc__ = _of_numpy


def _method_of(call: Callable[..., Any], name: str) -> None:
    setattr(_tensor_py_operators, name, lambda self, *args, **words: call(self, *args, **words))


for _source, _names in (
    (basic, ("sum", "prod", "mean", "var", "std", "min", "max", "argmin", "argmax", "any", "all", "ptp", "round",
             "nonzero_values", "zeros_like", "ones_like", "diagonal", "get_scalar_constant_value", "choose", "norm")),
    (shaping, ("dimshuffle", "swapaxes")),
    (extra_ops, ("repeat", "cumsum", "cumprod", "squeeze", "searchsorted", "compress")),
    (subtensor, ("take",)),
):  # fmt: skip
    for _name in _names:
        _method_of(getattr(_source, _name), _name)


def _method(function: Callable[..., Any]) -> Callable[..., Any]:
    """Set a function as the method of its name."""
    setattr(_tensor_py_operators, function.__name__, function)
    return function


def _property(function: Callable[..., Any]) -> Callable[..., Any]:
    """Set a function as the property of its name."""
    setattr(_tensor_py_operators, function.__name__, property(function))
    return function


@_property
def T(self: Any) -> Any:
    return shaping.transpose(self)


@_property
def ndim(self: Any) -> int:
    return int(self.type.ndim)


@_property
def dtype(self: Any) -> str:
    return str(self.type.dtype)


@_property
def broadcastable(self: Any) -> tuple[bool, ...]:
    return tuple(self.type.broadcastable)


@_property
def shape(self: Any) -> Any:
    return shaping.shape(self)


@_property
def size(self: Any) -> Any:
    return self.shape[0] if self.type.ndim == 1 else basic.prod(self.shape)


@_property
def real(self: Any) -> Any:
    return FUNCTIONS["real"](self)


@_property
def imag(self: Any) -> Any:
    return FUNCTIONS["imag"](self)


@_method
def __getitem__(self: Any, key: Any) -> Any:
    return subtensor.get_item(self, key)


@_method
def __dot__(self: Any, other: Any) -> Any:
    return basic.dot(self, other)


@_method
def __rdot__(self: Any, other: Any) -> Any:
    return basic.dot(other, self)


_tensor_py_operators.dot = _tensor_py_operators.__dot__


@_method
def transpose(self: Any, *axes: Any) -> Any:
    if len(axes) == 1 and isinstance(axes[0], (list, tuple)):
        axes = tuple(axes[0])
    return shaping.transpose(self, axes or None)


@_method
def reshape(self: Any, shape: Any, ndim: int | None = None) -> Any:
    return shaping.reshape(self, shape, ndim)


@_method
def flatten(self: Any, ndim: int = 1) -> Any:
    return shaping.flatten(self, ndim)


@_method
def ravel(self: Any) -> Any:
    return shaping.flatten(self)


@_method
def astype(self: Any, dtype: Any) -> Any:
    return basic.cast(self, dtype)


@_method
def copy(self: Any, name: str | None = None) -> Any:
    found = basic.tensor_copy(self)
    found.name = name
    return found


@_method
def clip(self: Any, a_min: Any, a_max: Any) -> Any:
    return FUNCTIONS["clip"](self, a_min, a_max)


_tensor_py_operators.conjugate = _tensor_py_operators.conj


@_method
def fill(self: Any, value: Any) -> Any:
    return FUNCTIONS["second"](self, value)


@_method
def trace(self: Any) -> Any:
    from septet.dialects.theano.tensor.nlinalg import trace as own

    return own(self)


@_method
def nonzero(self: Any, return_matrix: bool = False) -> Any:
    return basic.nonzero(self, return_matrix)


@_method
def sort(self: Any, axis: Any = -1, kind: str = "quicksort", order: Any = None) -> Any:
    from septet.dialects.theano.tensor.sort import sort as own

    return own(self, axis, kind, order)


@_method
def argsort(self: Any, axis: Any = -1, kind: str = "quicksort", order: Any = None) -> Any:
    from septet.dialects.theano.tensor.sort import argsort as own

    return own(self, axis, kind, order)


@_method
def transfer(self: Any, target: Any) -> Any:
    return basic.transfer(self, target)
