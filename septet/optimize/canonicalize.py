"""One spelling for things that can be written in several ways, so that other rules need to know one only.

All rules here are exact: not a bit of a result changes (an approximation is allowed nowhere, a rounding here).
"""

from __future__ import annotations

from collections.abc import Callable

from septet.base import dtypes
from septet.graph.graph import Graph
from septet.graph.node import Node
from septet.graph.op import ELEMENTWISE, Op, ops, record
from septet.graph.rewrite import SAME, Match, Outcome, P, Rule, RuleSet, rewrite
from septet.graph.types import TensorType
from septet.ops.shaping import broadcast_op, reshape_op
from septet.optimize.build import again, fit, same_type
from septet.optimize.constants import FOLD
from septet.optimize.facts import holds_exactly, is_constant


# Properties of cards make rules: a new card with one of them needs no line here.
def _unary(name: str) -> Callable[[Op], bool]:
    """Return what tells whether an op has one input and a property."""

    def is_of_kind(op: Op) -> bool:
        return len(op.input_names) == 1 and not op.is_variadic and name in op.properties

    return is_of_kind


def _binary(name: str) -> Callable[[Op], bool]:
    """Return what tells whether an op has two inputs and a property."""

    def is_of_kind(op: Op) -> bool:
        return len(op.input_names) == 2 and not op.is_variadic and name in op.properties

    return is_of_kind


def _is_exact_involution(op: Op) -> bool:
    return op.name != "reciprocal" and _unary("involution")(op)


def _broadcasts(op: Op) -> bool:
    return op.kind == ELEMENTWISE and not op.has_effect


def _constant_right(m: Match) -> Node | None:
    a, b = m.root.inputs
    return again(m.root, b, a) if is_constant(a) and not is_constant(b) else None


def _is_signed(m: Match) -> bool:
    return m.x.dtype not in dtypes.UNSIGNED


def _cast_of_cast(m: Match) -> Node | None:
    if m.x.dtype == m.root.dtype and holds_exactly(m.inner.dtype, m.x.dtype):
        return m.x
    if holds_exactly(m.inner.dtype, m.x.dtype):
        return ops.cast(m.x, dtype=m.root.dtype)
    return None


def _transpose_of_transpose(m: Match) -> Node:
    inner, outer = m.inner.param("axes"), m.root.param("axes")
    return ops.transpose(m.x, axes=tuple(inner[axis] for axis in outer))


def _reshape_of_reshape(m: Match) -> Node | None:
    inner, *sizes = m.root.inputs
    if inner.op is not reshape_op or not (inner.type.is_known and inner.inputs[0].type.is_known):
        return None  # an unknown size would not be checked any more
    return record(reshape_op, (inner.inputs[0], *sizes), m.root.params)


def _reshape_to_own(m: Match) -> Node | None:
    x = m.root.inputs[0]
    return x if x.type is m.root.type and x.type.is_known else None


def _broadcast_of_broadcast(m: Match) -> Node | None:
    inner, *sizes = m.root.inputs
    if inner.op is not broadcast_op or not inner.type.is_known or len(inner.inputs) > 1:
        return None
    return record(broadcast_op, (inner.inputs[0], *sizes), m.root.params)


def _elementwise_of_broadcast(m: Match) -> Node | None:
    """An op that broadcasts by itself takes what was broadcast before."""
    root = m.root
    if root.op.kind != ELEMENTWISE or not isinstance(root.type, TensorType) or not root.type.is_known:
        return None
    inputs = list(root.inputs)
    if len(inputs) == 1:
        (source,) = inputs
        if source.op is not broadcast_op or not source.inputs[0].type.is_known:
            return None
        inner = again(root, source.inputs[0])
        return record(broadcast_op, (inner, *source.inputs[1:]), source.params)
    changed = False
    for position, source in enumerate(inputs):
        if source.op is not broadcast_op or not source.inputs[0].type.is_known:
            continue
        trial = [node.shape for node in inputs]
        trial[position] = source.inputs[0].shape
        if _broadcast_shape(trial) == root.shape:
            inputs[position] = source.inputs[0]
            changed = True
    return again(root, *inputs) if changed else None


def _broadcast_shape(shapes: list[tuple[int | None, ...]]) -> tuple[int | None, ...] | None:
    """The shape that shapes, known to fit together, broadcast to; None if one is not known."""
    rank = max(map(len, shapes))
    result: list[int | None] = [1] * rank
    for shape in shapes:
        for axis, size in enumerate(shape, rank - len(shape)):
            if size is None:
                return None
            if size != 1:
                result[axis] = size
    return tuple(result)


def _first_of_same_type(m: Match) -> Node | None:
    return m.x if m.x.type is m.root.type else None


def _same_params(m: Match) -> bool:
    return m.root.params == m.inner.params


def _own_gradient(m: Match) -> Node | None:
    return m.root.inputs[0] if isinstance(m.root.type, TensorType) else None


RULES = [
    Rule(
        "constant_right", P(_binary("commutative")), _constant_right,
        "the op is commutative: constants stand on the right",
    ),
    Rule(
        "no_op", P(("identity", "positive", "stop_gradient"), "x"), _first_of_same_type,
        "it changes the flow of gradients at most, and these have been taken already",
    ),
    Rule("shape_known", P("ensure_shape", "x"), _first_of_same_type, "it has the shape that it must have"),
    Rule("own_gradient", P("custom_gradient"), _own_gradient,
         "the values are the first inputs; gradients have been taken already"),
    Rule("item_of_own_gradient", P("item", P("custom_gradient", as_="values")),
         lambda m: m["values"].inputs[m.root.param("index")],
         "the values are the first inputs; gradients have been taken already"),
    Rule("{op}_twice", P(_is_exact_involution, P(SAME, "x", as_="inner")), _first_of_same_type,
         "it is its own inverse", _same_params),
    Rule("{op}_again", P(_unary("idempotent"), P(SAME, "x", as_="inner")), lambda m: fit(m.inner, m.root),
         "it changes nothing the second time", _same_params),
    Rule("{op}_of_equals", P(_binary("idempotent"), "x", "x"), _first_of_same_type, "of x and x it is x"),
    Rule("{op}_of_negative", P(_unary("even"), P("negative", "x")), lambda m: again(m.root, m.x),
         "it is an even function", _is_signed),
    Rule("add_negative", P("add", "x", P("negative", "y")), lambda m: ops.subtract(m.x, m.y), "x + -y is x - y"),
    Rule("subtract_negative", P("subtract", "x", P("negative", "y")), lambda m: ops.add(m.x, m.y), "x - -y is x + y"),
    Rule("multiply_negatives", P("multiply", P("negative", "x"), P("negative", "y")),
         lambda m: ops.multiply(m.x, m.y), "the signs cancel"),
    Rule("divide_negatives", P("divide", P("negative", "x"), P("negative", "y")),
         lambda m: ops.divide(m.x, m.y), "the signs cancel"),
    Rule("multiply_minus_one", P("multiply", "x", -1),
         lambda m: fit(ops.negative(m.x), m.root), "x * -1 is -x, with less work",
         lambda m: m.x.dtype == m.root.dtype and m.x.dtype != dtypes.bool_),
    Rule("divide_minus_one", P("divide", "x", -1), lambda m: fit(ops.negative(m.x), m.root), "x / -1 is -x",
         lambda m: m.x.dtype == m.root.dtype),
    Rule("multiply_self", P("multiply", "x", "x"), lambda m: ops.square(m.x), "one input is read instead of two",
         lambda m: m.x.dtype != dtypes.bool_),
    Rule("conj_of_real", P(("conj", "real"), "x"), _first_of_same_type,
         "a real number is its own conjugate and real part", lambda m: not dtypes.is_complex(m.x.dtype)),
    Rule("cast_to_own", P("cast", "x"), _first_of_same_type, "the dtype is what it was"),
    Rule("cast_of_cast", P("cast", P("cast", "x", as_="inner")), _cast_of_cast,
         "the dtype in between holds every value of the first one, so it changes nothing"),
    Rule("transpose_of_transpose", P("transpose", P("transpose", "x", as_="inner")), _transpose_of_transpose,
         "two permutations are one"),
    Rule("transpose_in_order", P("transpose", "x"), same_type("x"), "the axes stay where they are",
         lambda m: m.root.param("axes") == tuple(range(m.x.ndim))),
    Rule("reshape_of_reshape", P("reshape"), _reshape_of_reshape, "only the last shape counts"),
    Rule("reshape_to_own", P("reshape"), _reshape_to_own, "the shape is what it was"),
    Rule("broadcast_to_own", P("broadcast_to"), _reshape_to_own, "the shape is what it was"),
    Rule("broadcast_of_broadcast", P("broadcast_to"), _broadcast_of_broadcast, "only the last shape counts"),
    Rule(
        "elementwise_of_broadcast",
        P(_broadcasts),
        _elementwise_of_broadcast,
        "the op broadcasts by itself, and one input is cheaper to work on before it is repeated",
    ),
]  # fmt: skip


_SET = RuleSet([FOLD, *RULES])


def canonicalize(graph: Graph) -> Outcome:
    """Bring a graph to the spelling that the other passes expect, and fold constants."""
    return rewrite(graph, _SET)
