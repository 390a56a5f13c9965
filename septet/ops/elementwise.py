"""Arithmetic, element by element, with broadcasting."""

from __future__ import annotations

import numpy as np

from septet.base.errors import ShapeError
from septet.graph.op import ELEMENTWISE, BadCase, Case, card
from septet.ops.rules import arithmetic, broadcasting, floating, numeric, same_shape

_PAIRS = [Case((3, 4), (3, 4)), Case((3, 1), (4,)), Case((), (2, 3)), Case((0, 3), (3,))]
_BAD_PAIRS = [BadCase((3, 4), (5,), error=ShapeError, match="do not broadcast")]

add = card(
    "add", "a b", kind=ELEMENTWISE, summary="Add two tensors.", shape=broadcasting, dtype=arithmetic,
    reference=np.add, gradient=lambda g, y, a, b: (g, g), linear="all", identity=0,
    properties=["commutative", "associative"], operators=["__add__", "__radd__"], methods=["add"],
    cases=_PAIRS, bad=_BAD_PAIRS,
)  # fmt: skip

multiply = card(
    "multiply", "a b", kind=ELEMENTWISE, summary="Multiply two tensors.", shape=broadcasting, dtype=arithmetic,
    reference=np.multiply, gradient=lambda g, y, a, b: (g * conj(b), g * conj(a)), linear="each", identity=1,
    properties=["commutative", "associative"], operators=["__mul__", "__rmul__"], aliases=["mul"],
    cases=_PAIRS, bad=_BAD_PAIRS,
)  # fmt: skip

negative = card(
    "negative", "x", kind=ELEMENTWISE, summary="Negate.", shape=same_shape, dtype=numeric, reference=np.negative,
    gradient=lambda g, y, x: (-g,), linear="all", properties=["odd", "involution"], operators=["__neg__"],
    aliases=["neg"], cases=[Case((3, 4)), Case((0,))],
)  # fmt: skip

conj = card(
    "conj", "x", kind=ELEMENTWISE, summary="Conjugate; a real tensor is its own conjugate.", shape=same_shape,
    dtype=numeric, reference=np.conj, gradient=lambda g, y, x: (conj(g),), tangent=lambda t, y, x: conj(t[0]),
    properties=["involution"], cases=[Case((3, 4))],
)  # fmt: skip

exp = card(
    "exp", "x", kind=ELEMENTWISE, summary="Raise e to the power of each element.", shape=same_shape, dtype=floating,
    reference=np.exp, gradient=lambda g, y, x: (g * conj(y),), properties=["monotone", "positive"],
    methods=["exp"], cases=[Case((3, 4))],
)  # fmt: skip
