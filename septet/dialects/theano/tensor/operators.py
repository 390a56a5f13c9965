"""Operators and methods of tensor variables, set from the functions that do the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from septet.dialects.theano.scalar.basic import ComplexError
from septet.dialects.theano.tensor import basic, extra_ops, nlinalg, shaping, subtensor
from septet.dialects.theano.tensor.elemwise import FUNCTIONS
from septet.dialects.theano.tensor.sort import argsort, sort
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
             "nonzero_values", "zeros_like", "ones_like", "diagonal", "get_scalar_constant_value", "choose", "norm",
             "nonzero")),
    (shaping, ("dimshuffle", "swapaxes", "flatten")),
    (extra_ops, ("repeat", "cumsum", "cumprod", "squeeze", "searchsorted", "compress")),
    (subtensor, ("take",)),
    (nlinalg, ("trace",)),
):  # fmt: skip
    for _name in _names:
        _method_of(getattr(_source, _name), _name)
for _name, _function in {
    "__getitem__": subtensor.get_item, "__dot__": basic.dot, "astype": basic.cast,
    "ravel": shaping.flatten, "sort": sort, "argsort": argsort,
}.items():  # fmt: skip
    _method_of(_function, _name)


for _name, _function in {
    "T": shaping.transpose, "shape": shaping.shape, "real": FUNCTIONS["real"], "imag": FUNCTIONS["imag"],
    "ndim": lambda self: self.type.ndim, "dtype": lambda self: self.type.dtype,
    "broadcastable": lambda self: self.type.broadcastable,
    "size": lambda self: self.shape[0] if self.type.ndim == 1 else basic.prod(self.shape),
}.items():  # fmt: skip
    setattr(_tensor_py_operators, _name, property(_function))


def _method(function: Callable[..., Any]) -> Callable[..., Any]:
    """Set a function as the method of its name."""
    setattr(_tensor_py_operators, function.__name__, function)
    return function


@_method
def reshape(self: Any, shape: Any, ndim: int | None = None) -> Any:
    return shaping.reshape(self, shape, ndim)


@_method
def fill(self: Any, value: Any) -> Any:
    return FUNCTIONS["second"](self, value)


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
def copy(self: Any, name: str | None = None) -> Any:
    found = basic.tensor_copy(self)
    found.name = name
    return found


@_method
def clip(self: Any, a_min: Any, a_max: Any) -> Any:
    return FUNCTIONS["clip"](self, a_min, a_max)


_tensor_py_operators.conjugate = _tensor_py_operators.conj


@_method
def transfer(self: Any, target: Any) -> Any:
    return basic.transfer(self, target)
