"""Scalar types, and the ops of single numbers: one table from Theano's names to Septet's functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import septet as st
from septet.dialects.theano import stable
from septet.dialects.theano.configdefaults import config
from septet.dialects.theano.dtypes import (
    ALL,
    COMPLEXES,
    CONTINUOUS,
    DISCRETE,
    FLOATS,
    INTS,
    NAME_OF,
    UINTS,
    autocast_float,
    autocast_float_as,
    autocast_int,
    convert,
    lifted,
    upcast,
)  # fmt: skip
from septet.dialects.theano.gof.graph import Apply, Constant, Variable
from septet.dialects.theano.gof.op import NativeOp
from septet.dialects.theano.tensortype import TensorType


class ComplexError(NotImplementedError):
    """An operation that complex numbers do not have."""


class IntegerDivisionError(Exception):
    """``/`` between integers, where the setting ``int_division`` forbids it."""


class Scalar(TensorType):
    """The type of one number."""

    def __init__(self, dtype: Any) -> None:
        super().__init__(dtype, ())

    def clone(self, dtype: Any = None, broadcastable: Any = None) -> Any:
        return Scalar(self.dtype if dtype is None else dtype)

    def filter(self, data: Any, strict: bool = False, allow_downcast: bool | None = None) -> Any:
        return super().filter(np.asarray(data) if not strict else data, strict, allow_downcast)

    def __str__(self) -> str:
        return self.dtype


class ScalarVariable(Variable):
    """One number without a value of its own."""

    dtype = property(lambda self: self.type.dtype)
    ndim = 0

    def astype(self, dtype: Any) -> Any:
        return Cast(dtype)(self)


class ScalarConstant(Constant):
    """One known number."""

    dtype = property(lambda self: self.type.dtype)
    ndim = 0


Scalar.Variable = ScalarVariable
Scalar.Constant = ScalarConstant

_types: dict[str, Scalar] = {}


def get_scalar_type(dtype: Any) -> Scalar:
    """Return the scalar type of a dtype, always the same one."""
    name = str(np.dtype(dtype)) if str(dtype) != "floatX" else config.floatX
    if name not in _types:
        _types[name] = Scalar(name)
    return _types[name]


bool, int8, int16, int32, int64, uint8, uint16, uint32, uint64, float16, float32, float64, complex64, complex128 = map(
    get_scalar_type, ALL
)
int_types = tuple(map(get_scalar_type, INTS))
uint_types = tuple(map(get_scalar_type, UINTS))
integer_types = int_types + uint_types
discrete_types = tuple(map(get_scalar_type, DISCRETE))
float_types = tuple(map(get_scalar_type, FLOATS))
complex_types = tuple(map(get_scalar_type, COMPLEXES))
continuous_types = tuple(map(get_scalar_type, CONTINUOUS))
all_types = tuple(map(get_scalar_type, ALL))


def constant(x: Any, name: str | None = None, dtype: Any = None) -> ScalarConstant:
    """Return a known number."""
    array = convert(x, dtype)
    return ScalarConstant(get_scalar_type(array.dtype), array, name)


def as_scalar(x: Any, name: str | None = None) -> Any:
    """Return a number, or a tensor of rank 0, as a scalar variable."""
    if isinstance(x, Apply):
        x = x.out
    if isinstance(x, Variable):
        if isinstance(x.type, Scalar):
            return x
        if isinstance(x.type, TensorType) and x.type.ndim == 0:
            return get_scalar_type(x.type.dtype).holding(x.tensor)
        raise TypeError("Variable type field must be a Scalar.", x, x.type)
    return constant(x)


def as_common_dtype(*variables: Any) -> Any:
    """Return variables in the dtype that holds them all."""
    return tuple([v.astype(upcast(*[own.dtype for own in variables])) for v in variables])


# Dtypes of results. Each rule takes the dtypes of the inputs and returns that in which the op computes, and its own.

Rule = Callable[..., tuple[str, str]]


def upcast_out(*dtypes: str) -> tuple[str, str]:
    own = upcast(*dtypes)
    return own, own


def upcast_out_nobool(*dtypes: str) -> tuple[str, str]:
    own = upcast(*dtypes)
    if own == "bool":
        raise TypeError("bool output not supported")
    return own, own


def upcast_out_min8(*dtypes: str) -> tuple[str, str]:
    own = upcast(*dtypes)
    own = "int8" if own == "bool" else own
    return own, own


def upcast_out_no_complex(*dtypes: str) -> tuple[str, str]:
    _no_complex(dtypes)
    return upcast_out(*dtypes)


def upgrade_to_float(*dtypes: str) -> tuple[str, str]:
    own = upcast(*map(lifted, dtypes))
    return own, own


def upgrade_to_float_no_complex(*dtypes: str) -> tuple[str, str]:
    _no_complex(dtypes)
    return upgrade_to_float(*dtypes)


def upgrade_to_float64(*dtypes: str) -> tuple[str, str]:
    return "float64", "float64"


def same_out_nobool(*dtypes: str) -> tuple[str, str]:
    if dtypes[0] == "bool":
        raise TypeError("bool input not supported")
    return dtypes[0], dtypes[0]


def same_out_nocomplex(*dtypes: str) -> tuple[str, str]:
    _no_complex(dtypes)
    return dtypes[0], dtypes[0]


def same_out_float_only(*dtypes: str) -> tuple[str, str]:
    if dtypes[0] not in FLOATS:
        raise TypeError("only float type are supported")
    return dtypes[0], dtypes[0]


def same_out(*dtypes: str) -> tuple[str, str]:
    return dtypes[0], dtypes[0]


def comparison(*dtypes: str) -> tuple[str, str]:
    return upcast(*dtypes), "bool"


def bits(*dtypes: str) -> tuple[str, str]:
    if any(dtype not in DISCRETE for dtype in dtypes):
        raise TypeError("input to a bitwise op must have an integer or bool dtype", dtypes)
    return upcast_out(*dtypes)


def division(*dtypes: str) -> tuple[str, str]:
    if all(dtype in DISCRETE for dtype in dtypes):
        return str(config.floatX), str(config.floatX)
    return upcast_out(*dtypes)


def magnitude(*dtypes: str) -> tuple[str, str]:
    own = dtypes[0]
    return own, {"complex64": "float32", "complex128": "float64"}.get(own, own)


def to_angle(*dtypes: str) -> tuple[str, str]:
    return ("complex128" if dtypes[0] == "complex128" else dtypes[0]), "float64"


def to_complex(*dtypes: str) -> tuple[str, str]:
    for dtype in dtypes:
        if dtype not in ("float32", "float64", *DISCRETE):
            raise TypeError(f"a complex number is made of real ones, got {dtype}")
    own = upcast(*map(lifted, dtypes))
    return own, "complex64" if own == "float32" else "complex128"


def _no_complex(dtypes: Sequence[str]) -> None:
    if any(dtype in COMPLEXES for dtype in dtypes):
        raise TypeError("complex argument not supported")


class ScalarOp(NativeOp):
    """An op of single numbers.

    Parameters
    ----------
    name : str
        Theano's.
    function : callable
        What computes it on tensors, elementwise.
    rule : callable
        From the dtypes of the inputs to the dtype in which it computes, and that of the result.
    nin : int
        The number of inputs; -1 for any.
    symbol : str, optional
        How `pprint` writes it.
    """

    nout = 1

    def __init__(self, name: str, function: Callable[..., Any], rule: Rule = upcast_out, nin: int = 1) -> None:
        self.name = name
        self.function = function
        self.rule = rule
        self.nin = nin

    def output_dtype(self, *dtypes: str) -> str:
        """Return the dtype of the result."""
        return self.rule(*dtypes)[1]

    def output_types(self, types: Sequence[Scalar]) -> list[Scalar]:
        """Return the type of the result in a list."""
        return [get_scalar_type(self.output_dtype(*[own.dtype for own in types]))]

    def compute(self, *tensors: Any) -> Any:
        inner, outer = self.rule(*[NAME_OF[t.dtype] for t in tensors])
        return as_dtype(self.function(*[as_dtype(t, inner) for t in tensors]), outer)

    def make_node(self, *inputs: Any) -> Apply:
        given = [as_scalar(value) for value in inputs]
        if self.nin >= 0 and len(given) != self.nin:
            raise TypeError(f"Wrong number of inputs for {self}.make_node (got {len(given)}, expected {self.nin})")
        tensor = self.compute(*[v.tensor for v in given])
        return Apply(self, given, [get_scalar_type(NAME_OF[tensor.dtype]).holding(tensor)])

    def impl(self, *values: Any) -> Any:
        """Compute with numbers."""
        return self.compute(*[st.asarray(np.asarray(value)) for value in values]).numpy()[()]

    def __eq__(self, other: object) -> Any:
        return type(self) is type(other) and self.name == other.name

    def __hash__(self) -> int:
        return hash((type(self), self.name))


UnaryScalarOp = BinaryScalarOp = ScalarOp


def as_dtype(tensor: Any, dtype: str) -> Any:
    """Return a tensor in a dtype; a complex one loses its imaginary part on the way to a real one."""
    own = NAME_OF[tensor.dtype]
    if own == dtype:
        return tensor
    if own in COMPLEXES and dtype not in COMPLEXES:
        tensor = st.real(tensor)
    return tensor.astype(dtype)


class Cast(ScalarOp):
    """Conversion to a dtype."""

    def __init__(self, dtype: Any, name: str | None = None) -> None:
        self.o_type = dtype if isinstance(dtype, Scalar) else get_scalar_type(dtype)
        super().__init__(name or f"Cast{{{self.o_type.dtype}}}", lambda x: x, self._rule, 1)

    def _rule(self, dtype: str) -> tuple[str, str]:
        return dtype, self.o_type.dtype

    def compute(self, *tensors: Any) -> Any:
        return as_dtype(tensors[0], self.o_type.dtype)


class Switch(ScalarOp):
    """One of two numbers."""

    def output_dtype(self, *dtypes: str) -> str:
        return upcast(*dtypes[1:])

    def compute(self, *tensors: Any) -> Any:
        test, *rest = tensors
        own = upcast(*[NAME_OF[t.dtype] for t in rest])
        return st.where(as_dtype(test, "bool"), *[as_dtype(t, own) for t in rest])


class Second(ScalarOp):
    """The second number, with the shape of the first."""

    def output_dtype(self, *dtypes: str) -> str:
        return dtypes[1]

    def compute(self, *tensors: Any) -> Any:
        first, second = tensors
        if first.ndim == 0:
            return second
        return st.broadcast_to(second, st.broadcast_arrays(first, second)[0].shape)


def _product(*terms: Any) -> Any:
    total = terms[0]
    for term in terms[1:]:
        total = total * term if NAME_OF[total.dtype] != "bool" else total & term
    return total


def _sum(*terms: Any) -> Any:
    total = terms[0]
    for term in terms[1:]:
        total = total + term if NAME_OF[total.dtype] != "bool" else total | term
    return total


def _round_half_away(x: Any) -> Any:
    return st.sign(x) * st.floor(st.abs(x) + 0.5)


def round_half_away_from_zero_vec(a: Any) -> Any:
    """Return an array's elements rounded, those in the middle away from zero."""
    return np.sign(a) * np.floor(np.abs(a) + np.asarray(a).dtype.type(0.5))


round_half_away_from_zero_ = round_half_away_from_zero_vec


def _sign(x: Any) -> Any:
    return x.astype("int8") if NAME_OF[x.dtype] == "bool" else st.sign(x)


def _larger(x: Any, y: Any) -> Any:
    """The larger number; of equal ones the first, which the whole gradient goes to."""
    return _first_where(st.maximum, st.greater_equal, st.less, x, y)


def _smaller(x: Any, y: Any) -> Any:
    return _first_where(st.minimum, st.less_equal, st.greater, x, y)


def _first_where(plain: Any, is_first: Any, is_second: Any, x: Any, y: Any) -> Any:
    if NAME_OF[x.dtype] in DISCRETE:
        return plain(x, y)
    if NAME_OF[x.dtype] in COMPLEXES:  # in the order of the real parts, then of the imaginary ones
        a, b = st.real(x), st.real(y)
        is_tie = (a == b) & is_first(st.imag(x), st.imag(y))
        return st.where((is_first(a, b) & (a != b)) | is_tie | (x != x), x, y)
    if _is_number(x):
        return st.where(is_first(x, y), x, y)
    if _is_number(y):
        return st.where(is_second(x, y), y, x)
    return st.where(is_first(x, y) | (x != x), x, y)  # NaN wins


def _is_number(x: Any) -> Any:
    """Tell whether a tensor is one known number, and not NaN."""
    return x.ndim == 0 and not x.node.is_symbolic and not np.isnan(x.numpy())


def _in_order(strict: Any, loose: Any) -> Callable[..., Any]:
    """Return a comparison; complex numbers are in the order of their real parts, then of their imaginary ones."""

    def compared(x: Any, y: Any) -> Any:
        if NAME_OF[x.dtype] not in COMPLEXES:
            return loose(x, y)
        a, b = st.real(x), st.real(y)
        return strict(a, b) | ((a == b) & loose(st.imag(x), st.imag(y)))

    return compared


def _clip(x: Any, low: Any, high: Any) -> Any:
    return st.where(x < low, low, st.where(x > high, high, x))


def _complex_from_polar(radius: Any, angle: Any) -> Any:
    return st.complex(radius * st.cos(angle), radius * st.sin(angle))


def _floor_divide(a: Any, b: Any) -> Any:
    return st.floor_divide(a, b)


def _chi2sf(x: Any, k: Any) -> Any:
    return st.gammaincc(k / 2, x / 2)


def _erfcx(x: Any) -> Any:
    """exp(x^2) erfc(x): by a continued fraction where erfc underflows (Lentz; DLMF 7.9.2)."""
    large = st.maximum(x, 1.0)
    fraction = large
    for k in range(60, 0, -1):
        fraction = large + (k / 2) / fraction
    small = st.minimum(x, 5.0)
    return st.where(x > 5.0, 1.0 / (np.sqrt(np.pi) * fraction), st.exp(small * small) * st.erfc(small))


def scipy_special(name: str, derivative: Callable[..., Any] | None = None) -> Callable[..., Any]:
    """Return a function that SciPy computes, called from inside the graph."""

    def function(*tensors: Any) -> Any:
        from scipy import special

        own = getattr(special, name)
        tensors = tuple(st.broadcast_arrays(*tensors)) if len(tensors) > 1 else tensors
        dtype = tensors[-1].dtype.name
        types = tensors[-1].type
        gradient = None
        if derivative is not None:
            gradient = lambda g, *args: (*[None] * (len(args) - 1), g * derivative(*args))
        return st.callback(
            lambda *arrays: np.asarray(own(*arrays), dtype), (dtype, types.shape), *tensors, gradient=gradient
        )

    return function


TABLE: dict[str, tuple[Callable[..., Any], Rule, int]] = {
    # name: function, dtypes, number of inputs
    "lt": (_in_order(st.less, st.less), comparison, 2),
    "gt": (_in_order(st.greater, st.greater), comparison, 2),
    "le": (_in_order(st.less, st.less_equal), comparison, 2),
    "ge": (_in_order(st.greater, st.greater_equal), comparison, 2),
    "eq": (st.equal, comparison, 2),
    "neq": (st.not_equal, comparison, 2),
    "isnan": (st.isnan, comparison, 1),
    "isinf": (st.isinf, comparison, 1),
    "or_": (st.bitwise_or, bits, 2),
    "and_": (st.bitwise_and, bits, 2),
    "xor": (st.bitwise_xor, bits, 2),
    "invert": (st.bitwise_invert, bits, 1),
    "maximum": (_larger, upcast_out, 2),
    "minimum": (_smaller, upcast_out, 2),
    "add": (_sum, upcast_out, -1),
    "mul": (_product, upcast_out, -1),
    "sub": (st.subtract, upcast_out_nobool, 2),
    "true_div": (st.divide, division, 2),
    "int_div": (_floor_divide, upcast_out_no_complex, 2),
    "mod": (st.remainder, upcast_out_no_complex, 2),
    "pow": (st.power, upcast_out_min8, 2),
    "clip": (_clip, upcast_out_no_complex, 3),
    "identity": (lambda x: x, same_out, 1),
    "abs_": (st.abs, magnitude, 1),
    "sgn": (_sign, same_out_nocomplex, 1),
    "ceil": (st.ceil, upgrade_to_float_no_complex, 1),
    "floor": (st.floor, upgrade_to_float_no_complex, 1),
    "trunc": (st.trunc, upgrade_to_float_no_complex, 1),
    "round_half_to_even": (st.round, same_out_float_only, 1),
    "round_half_away_from_zero": (_round_half_away, same_out_float_only, 1),
    "neg": (st.negative, same_out_nobool, 1),
    "inv": (st.reciprocal, upgrade_to_float, 1),
    "log": (stable.log, upgrade_to_float, 1),
    "log2": (st.log2, upgrade_to_float, 1),
    "log10": (st.log10, upgrade_to_float, 1),
    "log1p": (st.log1p, upgrade_to_float, 1),
    "exp": (st.exp, upgrade_to_float, 1),
    "exp2": (st.exp2, upgrade_to_float, 1),
    "expm1": (st.expm1, upgrade_to_float, 1),
    "sqr": (st.square, same_out, 1),
    "sqrt": (st.sqrt, upgrade_to_float, 1),
    "deg2rad": (st.deg2rad, upgrade_to_float_no_complex, 1),
    "rad2deg": (st.rad2deg, upgrade_to_float_no_complex, 1),
    "cos": (st.cos, upgrade_to_float, 1),
    "arccos": (st.acos, upgrade_to_float, 1),
    "sin": (st.sin, upgrade_to_float, 1),
    "arcsin": (st.asin, upgrade_to_float, 1),
    "tan": (st.tan, upgrade_to_float, 1),
    "arctan": (st.atan, upgrade_to_float, 1),
    "arctan2": (st.atan2, upgrade_to_float_no_complex, 2),
    "cosh": (st.cosh, upgrade_to_float, 1),
    "arccosh": (st.acosh, upgrade_to_float, 1),
    "sinh": (st.sinh, upgrade_to_float, 1),
    "arcsinh": (st.asinh, upgrade_to_float, 1),
    "tanh": (st.tanh, upgrade_to_float, 1),
    "arctanh": (st.atanh, upgrade_to_float, 1),
    "real": (st.real, magnitude, 1),
    "imag": (st.imag, magnitude, 1),
    "angle": (st.angle, to_angle, 1),
    "complex": (st.complex, to_complex, 2),
    "conj": (st.conj, same_out, 1),
    "complex_from_polar": (_complex_from_polar, to_complex, 2),
    "erf": (st.erf, upgrade_to_float_no_complex, 1),
    "erfc": (st.erfc, upgrade_to_float_no_complex, 1),
    "erfcx": (_erfcx, upgrade_to_float_no_complex, 1),
    "erfinv": (st.erfinv, upgrade_to_float_no_complex, 1),
    "erfcinv": (lambda x: st.erfinv(1 - x), upgrade_to_float_no_complex, 1),
    "gamma": (lambda x: _gamma(x), upgrade_to_float_no_complex, 1),
    "gammaln": (st.gammaln, upgrade_to_float_no_complex, 1),
    "psi": (st.digamma, upgrade_to_float_no_complex, 1),
    "tri_gamma": (st.trigamma, upgrade_to_float_no_complex, 1),
    "chi2sf": (_chi2sf, upgrade_to_float64, 2),
    "gammainc": (st.gammainc, upgrade_to_float_no_complex, 2),
    "gammaincc": (st.gammaincc, upgrade_to_float_no_complex, 2),
    "gammau": (lambda k, x: st.gammaincc(k, x) * _gamma(k), upgrade_to_float_no_complex, 2),
    "gammal": (lambda k, x: st.gammainc(k, x) * _gamma(k), upgrade_to_float_no_complex, 2),
    "j0": (scipy_special("j0", lambda x: -scipy_special("j1")(x)), upgrade_to_float_no_complex, 1),
    "j1": (scipy_special("j1", lambda x: (_bessel("jv", 0, x) - _bessel("jv", 2, x)) / 2), upgrade_to_float_no_complex, 1),
    "jv": (scipy_special("jv", lambda v, x: (scipy_special("jv")(v - 1, x) - scipy_special("jv")(v + 1, x)) / 2), upgrade_to_float_no_complex, 2),
    "i0": (scipy_special("i0", lambda x: scipy_special("i1")(x)), upgrade_to_float_no_complex, 1),
    "i1": (scipy_special("i1", lambda x: (_bessel("iv", 0, x) + _bessel("iv", 2, x)) / 2), upgrade_to_float_no_complex, 1),
    "iv": (scipy_special("iv", lambda v, x: (scipy_special("iv")(v - 1, x) + scipy_special("iv")(v + 1, x)) / 2), upgrade_to_float_no_complex, 2),
}  # fmt: skip


def _gamma(x: Any) -> Any:
    """The gamma function, from its logarithm and its sign."""
    negative = (x < 0) & (st.remainder(st.floor(x), 2.0) == 1)
    return st.where(negative, -1.0, 1.0).astype(x.dtype) * st.exp(st.gammaln(x))


def _bessel(name: str, order: int, x: Any) -> Any:
    return scipy_special(name)(st.full_like(x, order), x)


CLASSES = {
    "and_": "AND", "or_": "OR", "xor": "XOR", "lt": "LT", "gt": "GT", "le": "LE", "ge": "GE", "eq": "EQ", "neq": "NEQ",
    "isnan": "IsNan", "isinf": "IsInf", "abs_": "Abs", "chi2sf": "Chi2SF", "complex_from_polar": "ComplexFromPolar",
    "deg2rad": "Deg2Rad", "rad2deg": "Rad2Deg", "gammainc": "GammaInc", "gammaincc": "GammaIncC", "gammal": "GammaL",
    "gammau": "GammaU", "gammaln": "GammaLn", "int_div": "IntDiv", "true_div": "TrueDiv", "tri_gamma": "TriGamma",
    "round_half_to_even": "RoundHalfToEven", "round_half_away_from_zero": "RoundHalfAwayFromZero",
    **{name: "Arc" + name[3:].capitalize() for name in ("arccos", "arcsin", "arctan", "arctan2")},
    **{name: "Arc" + name[3:].capitalize() for name in ("arccosh", "arcsinh", "arctanh")},
}  # fmt: skip
"""Names of classes that are not the op's own with a capital; programs ask for them with ``isinstance``."""
_classes = {name: type(CLASSES.get(name, name.capitalize()), (ScalarOp,), {"__module__": __name__}) for name in TABLE}
globals().update({own.__name__: own for own in _classes.values()})
OPS: dict[str, ScalarOp] = {name: _classes[name](name, *entry) for name, entry in TABLE.items()}
OPS["switch"] = Switch("switch", st.where, upcast_out, 3)
OPS["second"] = Second("second", lambda a, b: b, same_out, 2)
OPS |= {f"convert_to_{dtype}": Cast(dtype, f"convert_to_{dtype}") for dtype in ALL}
globals().update(OPS)


def cast(x: Any, dtype: Any) -> Any:
    """Return a number in another dtype."""
    return Cast(dtype)(x)


class Composite(ScalarOp):
    """An op made of others: from inputs to outputs of a graph of scalars."""

    def __init__(self, inputs: Sequence[Any], outputs: Sequence[Any]) -> None:
        self.inputs, self.outputs = list(inputs), list(outputs)
        super().__init__(f"Composite{{{', '.join(map(str, outputs))}}}", self._replay, upcast_out, len(self.inputs))

    def _replay(self, *tensors: Any) -> Any:
        from septet.dialects.theano.engine import replaced

        return replaced([v.tensor for v in self.outputs], zip([v.tensor for v in self.inputs], tensors, strict=True))[0]


__all__ = [
    "Cast", "ComplexError", "Composite", "IntegerDivisionError", "Scalar", "ScalarConstant", "ScalarOp", "ScalarVariable",
    "BinaryScalarOp", "UnaryScalarOp", "all_types", "as_common_dtype", "as_scalar", "autocast_float",
    "autocast_float_as", "autocast_int", "bool", "cast", "complex128", "complex64", "complex_types", "constant",
    "continuous_types", "convert", "discrete_types", "float16", "float32", "float64", "float_types", "get_scalar_type",
    "int16", "int32", "int64", "int8", "int_types", "integer_types", "uint16", "uint32", "uint64", "uint8", "uint_types",
    "upcast", *OPS, *[own.__name__ for own in _classes.values()],
]  # fmt: skip
