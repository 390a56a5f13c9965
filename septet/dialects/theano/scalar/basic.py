"""The ops of single numbers: one table from Theano's names to Septet's functions, and those that programs define."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

import septet as st
from septet.dialects.theano import stable
from septet.dialects.theano.configdefaults import config
from septet.dialects.theano.dtypes import (
    ALL,
    DISCRETE,
    NAME_OF,
    NumpyAutocaster,
    autocast_float,
    autocast_float_as,
    autocast_int,
    convert,
    upcast,
)  # fmt: skip
from septet.dialects.theano.engine import replaced
from septet.dialects.theano.gof.graph import Apply
from septet.dialects.theano.gof.null_type import NullType
from septet.dialects.theano.gof.op import NativeOp
from septet.dialects.theano.gof.utils import MethodNotDefined
from septet.dialects.theano.missing import NullTypeGradError
from septet.dialects.theano.scalar import functions, rules
from septet.dialects.theano.scalar import types as scalar_types
from septet.dialects.theano.scalar.functions import as_dtype, round_half_away_from_zero_, round_half_away_from_zero_vec
from septet.dialects.theano.scalar.types import *
from septet.dialects.theano.scalar.types import (
    ComplexError,
    IntegerDivisionError,
    Scalar,
    _scalar_py_operators,
    as_scalar,
    constant,
    get_scalar_type,
)  # fmt: skip

# What result types programs ask for when they make an op of numbers: callables from types to a tuple of types.


class Preference:
    """A rule of dtypes as a callable of types."""

    def __init__(self, rule: rules.Rule) -> None:
        self.rule = rule

    def __call__(self, *types: Scalar) -> tuple[Scalar, ...]:
        return (get_scalar_type(self.rule(*[own.dtype for own in types])[1]),)


PREFERENCES = {
    name: Preference(getattr(rules, name))
    for name in (
        "same_out", "same_out_float_only", "same_out_nobool", "same_out_nocomplex", "upcast_out", "upcast_out_min8",
        "same_out_min8", "int_out_nocomplex", "float_out_nocomplex", "real_out", "upcast_out_no_complex",
        "upcast_out_nobool", "upgrade_to_float", "upgrade_to_float64", "upgrade_to_float_no_complex",
    )
}  # fmt: skip
globals().update(PREFERENCES)


class specific_out:
    """Always the same types."""

    def __init__(self, *spec: Scalar) -> None:
        self.spec = spec

    def __call__(self, *types: Scalar) -> tuple[Scalar, ...]:
        return self.spec


class transfer_type:
    """The types of given inputs (by number); what all can be cast to for None; other types as they are."""

    def __init__(self, *transfer: Any) -> None:
        self.transfer = transfer

    def __call__(self, *types: Scalar) -> tuple[Scalar, ...]:
        common = PREFERENCES["upcast_out"](*types)[0]
        return tuple([common if i is None else types[i] if isinstance(i, int) else i for i in self.transfer])


class unary_out_lookup(dict[Any, Any]):
    """A type for each type."""

    def __call__(self, *types: Scalar) -> tuple[Scalar, ...]:
        found = self[types[0]]
        return tuple(found) if isinstance(found, (list, tuple)) else (found,)


int_out, float_out = specific_out(scalar_types.int64), specific_out(scalar_types.float64)


class ScalarOp(NativeOp):
    """An op of single numbers. Those that programs define give `impl`, and `grad` where gradients are wanted.

    Parameters
    ----------
    output_types_preference : callable, optional
        From the types of the inputs to a tuple with those of the results.
    name : str, optional
    """

    nin = -1
    nout = 1
    function: Callable[..., Any] | None = None
    rule: Any = None
    name: str | None = None
    output_types_preference: Any = None

    def __init__(self, output_types_preference: Any = None, name: str | None = None) -> None:
        if output_types_preference is not None:
            self.output_types_preference = output_types_preference
        if name is not None:
            self.name = name

    def output_types(self, types: Sequence[Scalar]) -> list[Scalar]:
        """Return the types of the results."""
        if self.output_types_preference is not None:
            found = self.output_types_preference(*types)
            if not isinstance(found, (list, tuple)):
                raise TypeError("output_types_preference should return a list or a tuple of types", found)
            return list(found)
        if self.rule is None:
            raise NotImplementedError(f"{self} has neither output_types nor output_types_preference")
        return [get_scalar_type(self.rule(*[own.dtype for own in types])[1])]

    def compute(self, *tensors: Any) -> Any:
        dtypes = [NAME_OF[t.dtype] for t in tensors]
        if self.function is None:
            return self._called(dtypes, tensors)
        inner, outer = self.rule(*dtypes)
        if self.output_types_preference is not None:
            outer = self.output_types([get_scalar_type(dtype) for dtype in dtypes])[0].dtype
        return as_dtype(self.function(*[as_dtype(t, inner) for t in tensors]), outer)

    def _called(self, dtypes: Sequence[str], tensors: Sequence[Any]) -> Any:
        """Call `impl` for each element, from inside the graph."""
        results = [own.dtype for own in self.output_types([get_scalar_type(dtype) for dtype in dtypes])]
        tensors = st.broadcast_arrays(*tensors) if len(tensors) > 1 else tensors
        shape = tensors[0].type.shape
        call = np.vectorize(self.impl, otypes=results)
        declared = [(dtype, shape) for dtype in results]
        return st.callback(
            call if len(results) == 1 else lambda *arrays: list(call(*arrays)),
            declared[0] if len(results) == 1 else declared, *tensors, gradient=self._pulled_back,
        )  # fmt: skip

    def _pulled_back(self, g: Any, *tensors: Any) -> list[Any]:
        """Return the cotangents of tensors by the op's own gradient, which is written for numbers."""
        cotangents = g if isinstance(g, tuple) else (g,)
        inputs, seeds = [
            [get_scalar_type(NAME_OF[t.dtype])() for t in given] for given in (tensors, cotangents)
        ]  # fmt: skip
        found = self.L_op(inputs, self.make_node(*inputs).outputs, seeds)
        pairs = [(v.tensor, t) for v, t in zip([*inputs, *seeds], [*tensors, *cotangents], strict=True)]
        return [
            self._of_number(v, own, replaced([v.tensor], pairs)[0] if v.type.is_tensor else None, t)
            for v, own, t in zip(found, inputs, tensors, strict=True)
        ]

    def _of_number(self, gradient: Any, source: Any, found: Any, tensor: Any) -> Any:
        """Return a cotangent in the dtype and shape of its tensor; None for integers, and where no gradient flows."""
        if source.dtype in DISCRETE:
            return None
        if isinstance(gradient.type, NullType):
            raise NullTypeGradError(f"the gradient of {self} is not defined: {gradient.type.why_null}")
        return None if found is None else st.broadcast_to(as_dtype(found, source.dtype), tensor.shape)

    def make_node(self, *inputs: Any) -> Apply:
        given = [as_scalar(value) for value in inputs]
        if self.nin >= 0 and len(given) != self.nin:
            raise TypeError(f"Wrong number of inputs for {self}.make_node (got {len(given)}, expected {self.nin})")
        outputs = [get_scalar_type(NAME_OF[t.dtype]).holding(t) for t in self._tensors(given)]
        return Apply(self, given, outputs)

    def impl(self, *values: Any) -> Any:
        """Compute with numbers."""
        if self.function is None:
            raise NotImplementedError(f"{type(self).__name__} does not define impl")
        return self.compute(*[st.asarray(np.asarray(value)) for value in values]).numpy()[()]

    def grad(self, inputs: Sequence[Any], output_grads: Sequence[Any]) -> Any:
        if self.function is None:  # the op is a program's
            raise MethodNotDefined("grad", type(self), type(self).__name__)
        return super().grad(inputs, output_grads)

    def __eq__(self, other: object) -> Any:
        return type(self) is type(other) and (self.name, self.output_types_preference) == (
            other.name, other.output_types_preference,
        )  # fmt: skip

    def __hash__(self) -> int:
        return hash((type(self), self.name))

    def __str__(self) -> str:
        return self.name or type(self).__name__


class UnaryScalarOp(ScalarOp):
    """An op of one number."""

    nin = 1


class BinaryScalarOp(ScalarOp):
    """An op of two numbers."""

    nin = 2


FAMILIES = {
    (rules.comparison, 1): "FixedLogicalComparison", (rules.comparison, 2): "LogicalComparison",
    (rules.bits, 1): "UnaryBitOp", (rules.bits, 2): "BinaryBitOp",
}  # fmt: skip
"""Rule of dtypes and number of inputs to the name of the class between such ops and those of as many inputs."""
BASES: dict[Any, Any] = {
    (rule, nin): type(name, (UnaryScalarOp if nin == 1 else BinaryScalarOp,), {"rule": staticmethod(rule)})
    for (rule, nin), name in FAMILIES.items()
}
globals().update({own.__name__: own for own in BASES.values()})


def scalar_op(
    name: str, function: Callable[..., Any], rule: Any, nin: int = 1, kind: str | None = None,
    base: type[ScalarOp] = ScalarOp,
) -> ScalarOp:  # fmt: skip
    """Return an op that a function of tensors computes.

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
    kind : str, optional
        The name of its class.
    """
    if name in _made and _made[name].function is function:
        return _made[name]
    if base is ScalarOp:
        base = BASES.get((rule, nin)) or {1: UnaryScalarOp, 2: BinaryScalarOp}.get(nin, ScalarOp)
    words = {
        "function": staticmethod(function), "rule": staticmethod(getattr(rule, "rule", rule)), "nin": nin, "name": name,
        "__module__": __name__, "__doc__": f"{name} of numbers.",
        "__reduce__": lambda self: (_made_op, (name, self.output_types_preference)),
    }  # fmt: skip
    _made[name] = type(kind or name, (base,), words)()
    return _made[name]


_made: dict[str, ScalarOp] = {}
"""The ops that `scalar_op` has made by name: how they are pickled."""


def _made_op(name: str, preference: Any = None) -> ScalarOp:
    return _made[name] if preference is None else type(_made[name])(preference)


class Cast(UnaryScalarOp):
    """Conversion to a dtype."""

    function = staticmethod(lambda x: x)

    def __init__(self, o_type: Any, name: str | None = None) -> None:
        self.o_type = o_type if isinstance(o_type, Scalar) else get_scalar_type(o_type)
        super().__init__(None, name or f"Cast{{{self.o_type.dtype}}}")

    def rule(self, dtype: str) -> tuple[str, str]:
        return dtype, self.o_type.dtype

    def compute(self, *tensors: Any) -> Any:
        return as_dtype(tensors[0], self.o_type.dtype)


class _Switch(ScalarOp):
    def compute(self, *tensors: Any) -> Any:
        test, *rest = tensors
        own = upcast(*[NAME_OF[t.dtype] for t in rest])
        return st.where(as_dtype(test, "bool"), *[as_dtype(t, own) for t in rest])


class _Second(ScalarOp):
    inputs_with_gradient = slice(1, None)

    def compute(self, *tensors: Any) -> Any:
        first, second = tensors
        if first.ndim == 0:
            return second
        return st.broadcast_to(second, st.broadcast_arrays(first, second)[0].shape)


TABLE: dict[str, tuple[Callable[..., Any], rules.Rule, int]] = {
    # name: function, dtypes, number of inputs
    "lt": (functions.in_order(st.less, st.less), rules.comparison, 2),
    "gt": (functions.in_order(st.greater, st.greater), rules.comparison, 2),
    "le": (functions.in_order(st.less, st.less_equal), rules.comparison, 2),
    "ge": (functions.in_order(st.greater, st.greater_equal), rules.comparison, 2),
    "eq": (st.equal, rules.comparison, 2),
    "neq": (st.not_equal, rules.comparison, 2),
    "isnan": (st.isnan, rules.comparison, 1),
    "isinf": (st.isinf, rules.comparison, 1),
    "or_": (st.bitwise_or, rules.bits, 2),
    "and_": (st.bitwise_and, rules.bits, 2),
    "xor": (st.bitwise_xor, rules.bits, 2),
    "invert": (st.bitwise_invert, rules.bits, 1),
    "maximum": (functions.larger, rules.upcast_out, 2),
    "minimum": (functions.smaller, rules.upcast_out, 2),
    "add": (functions.add_up, rules.upcast_out, -1),
    "mul": (functions.multiply_up, rules.upcast_out, -1),
    "sub": (st.subtract, rules.upcast_out_nobool, 2),
    "true_div": (st.divide, rules.division, 2),
    "int_div": (st.floor_divide, rules.quotient, 2),
    "mod": (st.remainder, rules.quotient, 2),
    "pow": (st.power, rules.upcast_out_min8, 2),
    "clip": (functions.clip, rules.upcast_out_no_complex, 3),
    "identity": (lambda x: x, rules.same_out, 1),
    "abs_": (st.abs, rules.real_out, 1),
    "sgn": (functions.sign, rules.same_out_nocomplex, 1),
    "ceil": (st.ceil, rules.upgrade_to_float_no_complex, 1),
    "floor": (st.floor, rules.upgrade_to_float_no_complex, 1),
    "trunc": (st.trunc, rules.upgrade_to_float_no_complex, 1),
    "round_half_to_even": (st.round, rules.same_out_float_only, 1),
    "round_half_away_from_zero": (functions.round_half_away, rules.same_out_float_only, 1),
    "neg": (st.negative, rules.same_out_nobool, 1),
    "inv": (st.reciprocal, rules.upgrade_to_float, 1),
    "log": (stable.log, rules.upgrade_to_float, 1),
    "log2": (st.log2, rules.upgrade_to_float, 1),
    "log10": (st.log10, rules.upgrade_to_float, 1),
    "log1p": (st.log1p, rules.upgrade_to_float, 1),
    "exp": (st.exp, rules.upgrade_to_float, 1),
    "exp2": (st.exp2, rules.upgrade_to_float, 1),
    "expm1": (st.expm1, rules.upgrade_to_float, 1),
    "sqr": (st.square, rules.same_out, 1),
    "sqrt": (st.sqrt, rules.upgrade_to_float, 1),
    "deg2rad": (st.deg2rad, rules.upgrade_to_float_no_complex, 1),
    "rad2deg": (st.rad2deg, rules.upgrade_to_float_no_complex, 1),
    "cos": (st.cos, rules.upgrade_to_float, 1),
    "arccos": (st.acos, rules.upgrade_to_float, 1),
    "sin": (st.sin, rules.upgrade_to_float, 1),
    "arcsin": (st.asin, rules.upgrade_to_float, 1),
    "tan": (st.tan, rules.upgrade_to_float, 1),
    "arctan": (st.atan, rules.upgrade_to_float, 1),
    "arctan2": (st.atan2, rules.upgrade_to_float_no_complex, 2),
    "cosh": (st.cosh, rules.upgrade_to_float, 1),
    "arccosh": (st.acosh, rules.upgrade_to_float, 1),
    "sinh": (st.sinh, rules.upgrade_to_float, 1),
    "arcsinh": (st.asinh, rules.upgrade_to_float, 1),
    "tanh": (st.tanh, rules.upgrade_to_float, 1),
    "arctanh": (st.atanh, rules.upgrade_to_float, 1),
    "real": (st.real, rules.real_out, 1),
    "imag": (st.imag, rules.real_out, 1),
    "angle": (st.angle, rules.to_angle, 1),
    "complex": (st.complex, rules.to_complex, 2),
    "conj": (st.conj, rules.same_out, 1),
    "complex_from_polar": (functions.complex_from_polar, rules.to_complex, 2),
    "erf": (st.erf, rules.upgrade_to_float_no_complex, 1),
    "erfc": (st.erfc, rules.upgrade_to_float_no_complex, 1),
    "erfcx": (functions.erfcx, rules.upgrade_to_float_no_complex, 1),
    "erfinv": (st.erfinv, rules.upgrade_to_float_no_complex, 1),
    "erfcinv": (lambda x: st.erfinv(1 - x), rules.upgrade_to_float_no_complex, 1),
    "gamma": (functions.gamma, rules.upgrade_to_float_no_complex, 1),
    "gammaln": (st.gammaln, rules.upgrade_to_float_no_complex, 1),
    "psi": (st.digamma, rules.upgrade_to_float_no_complex, 1),
    "tri_gamma": (st.trigamma, rules.upgrade_to_float_no_complex, 1),
    "chi2sf": (functions.chi2sf, rules.upgrade_to_float64, 2),
    "gammainc": (st.gammainc, rules.upgrade_to_float_no_complex, 2),
    "gammaincc": (st.gammaincc, rules.upgrade_to_float_no_complex, 2),
    "gammau": (lambda k, x: st.gammaincc(k, x) * functions.gamma(k), rules.upgrade_to_float_no_complex, 2),
    "gammal": (lambda k, x: st.gammainc(k, x) * functions.gamma(k), rules.upgrade_to_float_no_complex, 2),
    **{name: (getattr(functions, name), rules.upgrade_to_float_no_complex, 1) for name in ("j0", "j1", "i0", "i1")},
    **{name: (getattr(functions, name), rules.upgrade_to_float_no_complex, 2) for name in ("jv", "iv")},
}  # fmt: skip

KINDS: dict[str, str] = {
    "or_": "OR", "and_": "AND", "xor": "XOR", "lt": "LT", "gt": "GT", "le": "LE", "ge": "GE", "eq": "EQ", "neq": "NEQ",
    "isnan": "IsNan", "isinf": "IsInf", "abs_": "Abs", "arccos": "ArcCos", "arcsin": "ArcSin", "arctan": "ArcTan",
    "arctan2": "ArcTan2", "arccosh": "ArcCosh", "arcsinh": "ArcSinh", "arctanh": "ArcTanh", "gammaln": "GammaLn",
    "chi2sf": "Chi2SF", "deg2rad": "Deg2Rad", "rad2deg": "Rad2Deg", "gammainc": "GammaInc", "gammaincc": "GammaIncC", "gammau": "GammaU", "gammal": "GammaL",
}  # fmt: skip
"""Names of classes that are not those of their ops with capitals for underscores."""


def _kind(name: str) -> str:
    return KINDS.get(name) or "".join(part.capitalize() for part in name.split("_"))


OPS: dict[str, ScalarOp] = {name: scalar_op(name, *entry, _kind(name)) for name, entry in TABLE.items()}
OPS["switch"] = scalar_op("switch", st.where, lambda test, *rest: rules.upcast_out(*rest), 3, "Switch", _Switch)
OPS["second"] = scalar_op("second", lambda a, b: b, lambda a, b: (b, b), 2, "Second", _Second)
CLASSES: dict[str, type[ScalarOp]] = {type(op).__name__: type(op) for op in OPS.values()}
OPS |= {f"convert_to_{dtype}": Cast(dtype, f"convert_to_{dtype}") for dtype in ALL}
globals().update(OPS)
globals().update(CLASSES)
_cast_mapping = {get_scalar_type(dtype): OPS[f"convert_to_{dtype}"] for dtype in ALL}


def cast(x: Any, dtype: Any) -> Any:
    """Return a number in another dtype."""
    return Cast(dtype)(x)


def InRange(openlow: Any, openhi: Any) -> ScalarOp:
    """Return the op that tells whether a number lies between two others, which may count (closed) or not (open)."""
    above, below = (st.less if is_open else st.less_equal for is_open in (openlow, openhi))
    name = f"InRange{{{openlow}, {openhi}}}"
    return scalar_op(name, lambda x, low, high: above(low, x) & below(x, high), rules.comparison, 3, "InRange")


inopenrange, inclosedrange = InRange(True, True), InRange(False, False)


def int_or_true_div(x_discrete: bool, y_discrete: bool) -> ScalarOp:
    """Return the op that ``/`` was in Python 2: between integers as the setting ``int_division`` says."""
    if not (x_discrete and y_discrete) or config.int_division == "floatX":
        return OPS["true_div"]
    if config.int_division == "raise":
        raise IntegerDivisionError(
            "With `config.int_division` set to 'raise', dividing two integer types with '/' is forbidden to avoid "
            "confusion between integer and floating point divisions. Use // for integer division, or cast one of the "
            "arguments to a floating point type, or call true_div, for float division."
        )
    return OPS["int_div"]


def div_proxy(x: Any, y: Any) -> Any:
    """Return ``x / y``."""
    x, y = as_scalar(x), as_scalar(y)
    return int_or_true_div(x.dtype in DISCRETE, y.dtype in DISCRETE)(x, y)


def mod_check(x: Any, y: Any) -> Any:
    """Return the remainder; complex numbers have none."""
    if any(as_scalar(value).dtype.startswith("complex") for value in (x, y)):
        raise ComplexError(
            "Theano does not support the mod operator (%) on complex numbers, since numpy deprecated it."
        )
    return OPS["mod"](x, y)


floor_div = OPS["int_div"]
imported_scipy_special = find_spec("scipy") is not None


class Composite(ScalarOp):
    """An op made of others: from inputs to outputs of a graph of scalars."""

    def __init__(self, inputs: Sequence[Any], outputs: Sequence[Any]) -> None:
        self.inputs, self.outputs = list(inputs), list(outputs)
        self.nin, self.nout = len(self.inputs), len(self.outputs)
        super().__init__(None, f"Composite{{{', '.join(map(str, outputs))}}}")

    def output_types(self, types: Sequence[Scalar]) -> list[Scalar]:
        return [v.type for v in self.outputs]

    def compute(self, *tensors: Any) -> Any:
        pairs = [(v.tensor, as_dtype(t, v.dtype)) for v, t in zip(self.inputs, tensors, strict=True)]
        found = replaced([v.tensor for v in self.outputs], pairs)
        return found[0] if self.nout == 1 else tuple(found)

    def impl(self, *values: Any) -> Any:
        found = self.compute(*[st.asarray(np.asarray(value)) for value in values])
        return found.numpy()[()] if self.nout == 1 else [t.numpy()[()] for t in found]


# Operators and methods of scalar variables.


def _operator(function: Callable[..., Any], is_reflected: bool = False) -> Callable[..., Any]:
    if is_reflected:
        return lambda self, other: function(other, self)
    return lambda self, *others: function(self, *others)


def _astype(self: Any, dtype: Any) -> Any:
    return cast(self, dtype)


def _zeros_like(self: Any, dtype: Any = None) -> Any:
    return OPS["second"](self, constant(0, dtype=dtype or self.type.dtype))


_scalar_py_operators.astype = _astype
_scalar_py_operators.zeros_like = _zeros_like
for _name, _own in {
    "add": OPS["add"], "sub": OPS["sub"], "mul": OPS["mul"], "truediv": div_proxy, "floordiv": floor_div,
    "mod": mod_check, "pow": OPS["pow"], "and": OPS["and_"], "or": OPS["or_"], "xor": OPS["xor"],
}.items():  # fmt: skip
    setattr(_scalar_py_operators, f"__{_name}__", _operator(_own))
    setattr(_scalar_py_operators, f"__r{_name}__", _operator(_own, is_reflected=True))
_scalar_py_operators.__div__, _scalar_py_operators.__rdiv__ = _operator(div_proxy), _operator(div_proxy, True)
for _name, _own in {
    "lt": OPS["lt"], "le": OPS["le"], "gt": OPS["gt"], "ge": OPS["ge"], "neg": OPS["neg"], "abs": OPS["abs_"],
    "invert": OPS["invert"],
}.items():  # fmt: skip
    setattr(_scalar_py_operators, f"__{_name}__", _operator(_own))


def _several(type_: Scalar) -> Callable[..., Any]:
    def several(*names: Any) -> Any:
        given = names[0] if len(names) == 1 else names
        return type_(given) if len(given) == 1 else [type_(name) for name in given]

    return several


ints, floats, complexs = map(_several, (scalar_types.int64, scalar_types.float64, scalar_types.complex128))
complexs64, complexs128 = _several(scalar_types.complex64), _several(scalar_types.complex128)

__all__ = [
    "BinaryScalarOp", "Cast", "Composite", "InRange", "ScalarOp", "UnaryScalarOp",
    "autocast_float", "autocast_float_as", "autocast_int", "cast", "complexs", "complexs128", "complexs64", "convert",
    "div_proxy", "float_out", "floats", "floor_div", "inclosedrange", "inopenrange", "int_or_true_div", "int_out", "ints", "mod_check",
    "round_half_away_from_zero_", "round_half_away_from_zero_vec", "specific_out", "transfer_type", "unary_out_lookup",
    "upcast", "NumpyAutocaster", "imported_scipy_special", *scalar_types.__all__, *CLASSES,
    *FAMILIES.values(), *OPS, *PREFERENCES,
]  # fmt: skip
