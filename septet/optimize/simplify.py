"""Algebra: fewer and cheaper ops for the same numbers.

A rule must hold for every value, NaN, infinities and minus zero included: ``x * 0`` is 0 only where x is known to be
finite, ``x + 0.0`` is x only where x is known not to be -0.0, ``x - x`` is 0 for integers only. What is reordered are
sums over several axes, whose order was never promised, nor the sign of a sum that is zero.
"""

from __future__ import annotations

import math
from typing import Any

from septet.base import dtypes
from septet.graph.graph import Graph
from septet.graph.node import Node
from septet.graph.op import as_node, ops
from septet.graph.rewrite import C, Match, Outcome, P, Rule, RuleSet, rewrite
from septet.ops.shaping import broadcast_to
from septet.optimize import canonicalize, parts, stabilize
from septet.optimize.build import again, drops_no_check, filled, fit, same_type, squeeze
from septet.optimize.constants import FOLD
from septet.optimize.facts import (
    is_finite_and_not_negative,
    is_minus_zero,
    is_never_minus_zero,
    is_positive,
    is_real_float,
    is_whole,
    number,
)

_ASSOCIATIVE = ("sum", "prod", "max", "min", "any", "all")
_REDUCTIONS = ("sum", "prod", "mean", "max", "min", "any", "all", "logsumexp")


def _plus_zero(m: Match) -> bool:
    return is_minus_zero(number(m.zero)) or is_never_minus_zero(m.x)


def _minus_zero(m: Match) -> bool:
    return not is_minus_zero(number(m.zero)) or is_never_minus_zero(m.x)


def _zero_constant(name: str) -> Any:
    """A rule's condition and binding: `m.zero` is the other input of the root."""

    def build(m: Match) -> Node | None:
        a, b = m.root.inputs
        m["zero"] = b if a is m.x else a
        if dtypes.is_complex(m.root.dtype):
            return None
        holds = _plus_zero(m) if name == "add" else _minus_zero(m)
        return fit(m.x, m.root) if holds else None

    return build


def _multiply_zero(m: Match) -> Node | None:
    a, b = m.root.inputs
    zero = b if a is m.x else a
    if not (is_whole(m.root) or (is_finite_and_not_negative(m.x) and not is_minus_zero(number(zero)))):
        return None
    return filled(0, m.root, m.x) if drops_no_check(m.root, m.x) else None


def _divide_by_power_of_two(m: Match) -> Node | None:
    value = number(m.c)
    if value is None or not is_real_float(m.root) or not math.isfinite(value) or value == 0:
        return None
    fraction, exponent = math.frexp(float(value))
    if abs(fraction) != 0.5 or not -10 <= exponent <= 10:
        return None
    return ops.multiply(m.x, as_node(1.0 / float(value), m.root.dtype))


def _where_constant(m: Match) -> Node | None:
    value = number(m.root.inputs[0])
    if value is None or not drops_no_check(m.root, m.x, m.y):
        return None
    return fit(m.x if value else m.y, m.root)


def _reduce_no_axes(m: Match) -> Node | None:
    if m.root.param("axis") != ():
        return None
    return m.x if m.x.type is m.root.type else None


def _reduce_single(m: Match) -> Node | None:
    axes = m.root.param("axis")
    if not axes or any(m.x.shape[axis] != 1 for axis in axes) or m.x.dtype != m.root.dtype:
        return None
    return m.x if m.root.param("keepdims") else squeeze(m.x, axes)


def _reduce_of_reduce(m: Match) -> Node | None:
    inner, outer = m.inner, m.root
    if inner.op is not outer.op or inner.param("keepdims") != outer.param("keepdims"):
        return None
    first = inner.param("axis")
    if not first or not outer.param("axis"):
        return None
    if inner.param("keepdims"):
        axes = {*first, *outer.param("axis")}
    else:
        rest = [axis for axis in range(m.x.ndim) if axis not in first]
        axes = {*first, *[rest[axis] for axis in outer.param("axis")]}
    if inner.op.name in ("max", "min") and 0 in m.x.shape:
        return None
    return again(outer_with(outer, tuple(sorted(axes))), m.x) if inner.dtype == outer.dtype else None


class outer_with:
    """A reduction with other axes, as `build.again` takes it."""

    def __init__(self, node: Node, axes: tuple[int, ...]) -> None:
        self.op = node.op
        self._words = {"axis": axes, "keepdims": node.param("keepdims")}

    def keywords(self) -> dict[str, Any]:
        """The parameters."""
        return self._words


def _reduce_of_broadcast(m: Match) -> Node | None:
    """Reduce before repeating: over a repeated axis a maximum is the element itself, a sum a multiple of it."""
    root, wide = m.root, m.wide
    name = root.op.name
    x = wide.inputs[0]
    if (
        not wide.type.is_known
        or not x.type.is_known
        or 0 in wide.shape
        or name not in ("sum", "mean", "max", "min", "any", "all")
    ):
        return None
    if x.dtype != root.dtype or (name == "sum" and not is_real_float(x)):
        return None
    offset = wide.ndim - x.ndim
    repeated = [a for a in root.param("axis") if a < offset or (x.shape[a - offset] == 1 and wide.shape[a] != 1)]
    if not repeated:
        return None
    own = tuple(a - offset for a in root.param("axis") if a >= offset)
    result = again(outer_keeping(root, own), x) if own else x  # of rank x.ndim
    if name == "sum":
        times = math.prod(wide.shape[a] for a in repeated)
        result = ops.multiply(result, as_node(float(times), root.dtype))
    kept = [1 if a in root.param("axis") else size for a, size in enumerate(wide.shape)]
    result = broadcast_to(result, tuple(kept))
    return result if root.param("keepdims") else squeeze(result, root.param("axis"))


class outer_keeping(outer_with):
    """A reduction with other axes that keeps the rank."""

    def __init__(self, node: Node, axes: tuple[int, ...]) -> None:
        super().__init__(node, axes)
        self._words["keepdims"] = True


def _reduce_of_transpose(m: Match) -> Node | None:
    root, axes = m.root, m.inner.param("axes")
    if len(root.param("axis")) != len(axes) or root.param("keepdims"):
        return None
    return again(root, m.x)


def _slice_all(m: Match) -> Node | None:
    if m.x.type is not m.root.type:
        return None
    for size, (start, stop, step) in zip(m.x.shape, m.root.param("slices"), strict=True):
        if start not in (None, 0) or step not in (None, 1) or not (stop is None or (size is not None and stop >= size)):
            return None
    return m.x


def _not_of_comparison(m: Match) -> Node | None:
    a, b = m.inner.inputs
    if m.inner.dtype != dtypes.bool_:
        return None
    opposite = {"equal": "not_equal", "not_equal": "equal"}
    if is_whole(a) and is_whole(b):
        opposite |= {"less": "greater_equal", "greater_equal": "less", "greater": "less_equal", "less_equal": "greater"}
    name = opposite.get(m.inner.op.name)
    return None if name is None else getattr(ops, name)(a, b)


def _power_zero(m: Match) -> Node | None:
    return filled(1, m.root, m.x) if drops_no_check(m.root, m.x) else None


RULES = [
    Rule("add_zero", P("add", "x", 0), _zero_constant("add"),
         "x + 0 is x, unless the zero is +0.0 and x may be -0.0"),
    Rule("subtract_zero", P("subtract", "x", 0), _zero_constant("subtract"),
         "x - 0 is x, unless the zero is -0.0 and x may be -0.0"),
    Rule("multiply_one", P("multiply", "x", 1), same_type("x"), "x * 1 is x"),
    Rule("divide_one", P("divide", "x", 1), same_type("x"), "x / 1 is x"),
    Rule("power_one", P("power", "x", 1), same_type("x"), "x to the power of 1 is x"),
    Rule("power_two", P("power", "x", 2), lambda m: fit(ops.square(m.x), m.root), "a product is cheaper than a power"),
    Rule("power_zero", P("power", "x", 0), _power_zero, "anything to the power of 0 is 1, NaN too"),
    Rule("power_minus_one", P("power", "x", -1), lambda m: fit(ops.reciprocal(m.x), m.root),
         "a quotient is cheaper than a power", lambda m: is_real_float(m.root)),
    Rule("power_half", P("power", "x", 0.5), lambda m: fit(ops.sqrt(m.x), m.root),
         "a root is cheaper than a power; they differ at -0.0 and minus infinity, which x cannot be",
         lambda m: is_real_float(m.root) and is_positive(m.x)),
    Rule("multiply_zero", P("multiply", "x", 0), _multiply_zero,
         "x * 0 is 0, unless x may be infinite, NaN, or (for the sign of the zero) negative"),
    Rule("divide_by_power_of_two", P("divide", "x", C("c")), _divide_by_power_of_two,
         "the reciprocal is exact, and a product is cheaper than a quotient"),
    Rule("subtract_self", P("subtract", "x", "x"), lambda m: filled(0, m.root, m.x),
         "x - x is 0, unless x may be infinite or NaN", lambda m: is_whole(m.root)),
    Rule("xor_self", P("bitwise_xor", "x", "x"), lambda m: filled(0, m.root, m.x), "equal bits cancel"),
    Rule("and_true", P("logical_and", "x", True), lambda m: fit(m.x, m.root), "true changes nothing in a conjunction",
         lambda m: m.x.dtype == dtypes.bool_),
    Rule("or_false", P("logical_or", "x", False), lambda m: fit(m.x, m.root), "false changes nothing in a disjunction",
         lambda m: m.x.dtype == dtypes.bool_),
    Rule("not_not", P("logical_not", P("logical_not", "x")), same_type("x"), "two negations cancel",
         lambda m: m.x.dtype == dtypes.bool_),
    Rule("not_of_comparison",
         P("logical_not", P(("equal", "not_equal", "less", "less_equal", "greater", "greater_equal"), as_="inner")),
         _not_of_comparison, "the opposite comparison; with NaN, only equal and not_equal have one"),
    Rule("where_same", P("where", "c", "x", "x"), lambda m: fit(m.x, m.root), "both sides are the same",
         lambda m: drops_no_check(m.root, m.c)),
    Rule("where_constant", P("where", C("c"), "x", "y"), _where_constant, "the condition is the same everywhere"),
    Rule("where_not", P("where", P("logical_not", "c"), "x", "y"), lambda m: ops.where(m.c, m.y, m.x),
         "the sides change places", lambda m: m.c.dtype == dtypes.bool_),
    Rule("reduce_no_axes", P(("sum", "prod", "mean", "max", "min", "any", "all"), "x"), _reduce_no_axes,
         "nothing is reduced"),
    Rule("reduce_single", P(_REDUCTIONS, "x"), _reduce_single, "there is one element on the reduced axes"),
    Rule("reduce_of_reduce",
         P(_ASSOCIATIVE, P(_ASSOCIATIVE, "x", as_="inner")),
         _reduce_of_reduce, "one reduction over all the axes"),
    Rule("reduce_of_broadcast", P(_REDUCTIONS, P("broadcast_to", as_="wide")), _reduce_of_broadcast,
         "reduce before repeating"),
    Rule("reduce_of_transpose", P(_REDUCTIONS, P("transpose", "x", as_="inner")), _reduce_of_transpose,
         "all axes are reduced, so their order does not matter"),
    Rule("concatenate_one", P("concatenate", "x"), same_type("x"), "there is nothing to join it with"),
    Rule("slice_all", P("slice", "x"), _slice_all, "everything is selected"),
    Rule("pad_nothing", P("pad", "x"), same_type("x"), "nothing is put around it",
         lambda m: all(pair == (0, 0) for pair in m.root.param("widths"))),
    *parts.RULES,
]  # fmt: skip

_SET = RuleSet([FOLD, *canonicalize.RULES, *RULES, *stabilize.RULES])


def simplify(graph: Graph) -> Outcome:
    """Apply the algebra of this file, together with all other rules, to what that leaves for them."""
    return rewrite(graph, _SET)
