"""Numerical stability: the same function, written so that it does not overflow, underflow or cancel on the way.

The results differ from those of the graph as written where that one loses digits or breaks down: the rules are right in
exact arithmetic, at every point where the original is defined, and at least as accurate in floats. They are about real
numbers: the complex logarithm has branches.
"""

from __future__ import annotations

from septet.base.dtypes import DType
from septet.graph.graph import Graph
from septet.graph.node import Node
from septet.graph.op import as_node, ops
from septet.graph.rewrite import Match, Outcome, P, Rule, RuleSet, rewrite
from septet.optimize import canonicalize
from septet.optimize.build import fit
from septet.optimize.constants import FOLD
from septet.optimize.facts import MOVES, is_positive, is_real_float, is_shifted

QUARTER = {"float32": 22.0, "float64": 177.0}
"""A fourth of what exp takes before it overflows. Where the largest x lies between once this below zero and three times
this above, exp(x) / sum(exp(x)) is right as it is, and x - max(x) would round x. Short floats have no such room."""
LONGEST = 8  # factors or terms of one chain that a rule looks at


def _is_real(m: Match) -> bool:
    return is_real_float(m.root)


def _log_of_sum_of_exp(m: Match) -> Node | None:
    if not is_real_float(m.root) or is_shifted(m.x):
        return None
    return fit(ops.logsumexp(m.x, axis=m.s.param("axis"), keepdims=m.s.param("keepdims")), m.root)


def _log_of_quotient(m: Match) -> Node | None:
    if not is_real_float(m.root) or not is_positive(m.s):
        return None
    return fit(ops.subtract(m.x, ops.log(m.s)), m.root)


def _sum_behind(node: Node) -> Node:
    """Follow reshapes and repetitions down."""
    while node.op.name in MOVES:
        node = node.inputs[0]
    return node


def _softmax(m: Match) -> Node | None:
    """exp(x) / sum(exp(x)), for an x that was not shifted before: shifted where it has to be."""
    total = _sum_behind(m.s)
    if not is_real_float(m.root) or total.op.name != "sum" or total.inputs[0] is not m.e or is_shifted(m.x):
        return None
    axis = total.param("axis")
    top = ops.max(m.x, axis=axis, keepdims=True)
    quarter = QUARTER.get(m.x.dtype.name)
    if quarter is not None:
        is_moderate = ops.less_equal(ops.abs(ops.subtract(top, quarter)), 2 * quarter)
        top = ops.where(is_moderate, as_node(0, m.x.dtype), top)
    e = ops.exp(ops.subtract(m.x, top))
    result = ops.divide(e, ops.sum(e, axis=axis, keepdims=True))
    if m.s is not total or not total.param("keepdims"):
        if m.s.op.name not in ("reshape", "broadcast_to") or m.root.type is not result.type or not m.root.type.is_known:
            return None
        kept = tuple(1 if number in axis else size for number, size in enumerate(m.e.shape))
        if _aligned(m.s) not in (kept, m.e.shape):
            return None
    return fit(result, m.root)


def _aligned(node: Node) -> tuple[int | None, ...]:
    """The shape of a divisor before it is repeated."""
    return node.inputs[0].shape if node.op.name == "broadcast_to" else node.shape


class _Fraction:
    """A product taken apart: factors above and below the line, and the sign."""

    def __init__(self, root: Node) -> None:
        self.above: list[Node] = []
        self.below: list[Node] = []
        self.is_negative = False
        pending = [(root, True)]
        while pending:
            node, is_above = pending.pop()
            name = node.op.name
            room = len(self.above) + len(self.below) + len(pending) < LONGEST
            if name == "negative":
                self.is_negative = not self.is_negative
                pending.append((node.inputs[0], is_above))
            elif name == "multiply" and room:
                pending += [(source, is_above) for source in reversed(node.inputs)]
            elif name == "divide" and room and is_above:  # a quotient below the line stays one
                pending += [(node.inputs[1], False), (node.inputs[0], True)]
            elif is_above:
                self.above.append(node)
            else:
                self.below.append(node)

    def cancel(self) -> bool:
        """Strike out what is above and below the line, and above zero in exact arithmetic."""
        before = len(self.below)
        for node in list(self.below):
            if not is_positive(node):
                continue
            if node in self.above:
                self.above.remove(node)
                self.below.remove(node)
            elif node.op.name == "divide" and node.inputs[0] in self.above:  # e / (e / s) is s
                self.above.remove(node.inputs[0])
                self.below.remove(node)
                self.above.append(node.inputs[1])
        if len(self.below) == before:
            return False
        self.cancel()
        return True

    def node(self, dtype: DType) -> Node:
        """Put the product together again."""
        result = self.above[0] if self.above else as_node(1.0, dtype)
        for factor in self.above[1:]:
            result = ops.multiply(result, factor)
        for factor in self.below:
            result = ops.divide(result, factor)
        return ops.negative(result) if self.is_negative else result


def _cancel(m: Match) -> Node | None:
    """(g / p) * p, where p is above zero in exact arithmetic and may underflow in floats."""
    if not is_real_float(m.root):
        return None
    product = _Fraction(m.root)
    if not product.below or not product.cancel():
        return None
    return fit(product.node(m.root.dtype), m.root)


def _cancel_in_sum(m: Match) -> Node | None:
    """(g / p + h) * p and its like: multiply term by term, where that cancels."""
    if not is_real_float(m.root):
        return None
    for total in m.root.inputs:
        if total.op.name not in ("add", "subtract"):
            continue
        other = m.root.inputs[0] if total is m.root.inputs[1] else m.root.inputs[1]
        products = [_Fraction(ops.multiply(term, other)) for term in total.inputs]
        if not any([product.below and product.cancel() for product in products]):
            continue
        a, b = [product.node(m.root.dtype) for product in products]
        return fit(ops.add(a, b) if total.op.name == "add" else ops.subtract(a, b), m.root)
    return None


def _log_of_one_minus(m: Match) -> Node | None:
    return fit(ops.log1p(ops.negative(m.x)), m.root)


def _root_of_square(m: Match) -> Node | None:
    return fit(ops.abs(m.x), m.root)


_ONE_PLUS_EXP_NEGATIVE = P("add", P("exp", P("negative", "x")), 1)

RULES = [
    # sigmoid and softplus
    Rule("reciprocal_to_sigmoid", P("reciprocal", _ONE_PLUS_EXP_NEGATIVE), lambda m: fit(ops.sigmoid(m.x), m.root),
         "1 / (1 + exp(-x)) overflows inside for large negative x", _is_real),
    Rule("quotient_to_sigmoid", P("divide", 1, _ONE_PLUS_EXP_NEGATIVE), lambda m: fit(ops.sigmoid(m.x), m.root),
         "1 / (1 + exp(-x)) overflows inside for large negative x", _is_real),
    Rule("exp_quotient_to_sigmoid", P("divide", P("exp", "x", as_="e"), P("add", "e", 1)),
         lambda m: fit(ops.sigmoid(m.x), m.root), "exp(x) / (1 + exp(x)) is NaN for large x", _is_real),
    Rule("one_minus_sigmoid", P("subtract", 1, P("sigmoid", "x")),
         lambda m: fit(ops.sigmoid(ops.negative(m.x)), m.root), "1 - sigmoid(x) cancels for large x", _is_real),
    Rule("log_one_plus_exp", P("log", P("add", P("exp", "x"), 1)), lambda m: fit(ops.softplus(m.x), m.root),
         "log(1 + exp(x)) overflows for large x and cancels for small", _is_real),
    Rule("log1p_of_exp", P("log1p", P("exp", "x")), lambda m: fit(ops.softplus(m.x), m.root),
         "log1p(exp(x)) overflows for large x", _is_real),
    Rule("log_of_sigmoid", P("log", P("sigmoid", "x")),
         lambda m: fit(ops.negative(ops.softplus(ops.negative(m.x))), m.root),
         "sigmoid(x) underflows for large negative x; its logarithm is about x there", _is_real),
    Rule("log1p_of_negative_sigmoid", P("log1p", P("negative", P("sigmoid", "x"))),
         lambda m: fit(ops.negative(ops.softplus(m.x)), m.root),
         "log(1 - sigmoid(x)) is minus infinity for large x", _is_real),
    # softmax
    Rule("log_of_sum_of_exp", P("log", P("sum", P("exp", "x"), as_="s")), _log_of_sum_of_exp,
         "log(sum(exp(x))) overflows; where x was shifted before, it is left as it is"),
    Rule("log_of_exps", P("log", P("add", P("exp", "x"), P("exp", "y"))),
         lambda m: fit(ops.logaddexp(m.x, m.y), m.root), "log(exp(x) + exp(y)) overflows", _is_real),
    Rule("log_of_softmax", P("log", P("divide", P("exp", "x"), "s")), _log_of_quotient,
         "the quotient underflows; log(exp(x) / s) is x - log(s)"),
    Rule("softmax", P("divide", P("exp", "x", as_="e"), "s"), _softmax, "exp(x) / sum(exp(x)) overflows"),
    Rule("log_of_exp", P("log", P("exp", "x")), lambda m: fit(m.x, m.root),
         "exp(x) overflows and underflows", _is_real),
    # what gradients of the above leave behind
    Rule("multiply_reciprocal", P("multiply", "x", P("reciprocal", "y")), lambda m: fit(ops.divide(m.x, m.y), m.root),
         "a quotient is rounded once; the reciprocal may overflow", _is_real),
    Rule("cancel_quotient", P("multiply"), _cancel,
         "(g / p) * p is g, where p is above zero in exact arithmetic; in floats p may underflow, and give NaN"),
    Rule("cancel_quotient_in_sum", P("multiply"), _cancel_in_sum,
         "(g / p + h) * p is g + h * p, where p is above zero in exact arithmetic; so the gradient of log(softmax(x))"),
    # near one, near zero
    Rule("log_of_one_plus", P("log", P("add", "x", 1)), lambda m: fit(ops.log1p(m.x), m.root),
         "1 + x loses the digits of a small x", _is_real),
    Rule("log_of_one_minus", P("log", P("subtract", 1, "x")), _log_of_one_minus,
         "1 - x loses the digits of a small x", _is_real),
    Rule("exp_minus_one", P("subtract", P("exp", "x"), 1), lambda m: fit(ops.expm1(m.x), m.root),
         "exp(x) - 1 cancels for small x", _is_real),
    Rule("exp_plus_minus_one", P("add", P("exp", "x"), -1), lambda m: fit(ops.expm1(m.x), m.root),
         "exp(x) - 1 cancels for small x", _is_real),
    Rule("log1p_of_expm1", P("log1p", P("expm1", "x")), lambda m: fit(m.x, m.root), "exp(x) overflows", _is_real),
    # roots
    Rule("root_of_square", P("sqrt", P("square", "x")), _root_of_square,
         "the square overflows and underflows, and its root has no gradient at 0", _is_real),
    Rule("reciprocal_twice", P("reciprocal", P("reciprocal", "x")), lambda m: fit(m.x, m.root),
         "the quotient in between rounds and overflows", _is_real),
]  # fmt: skip

_SET = RuleSet([FOLD, *canonicalize.RULES, *RULES])


def stabilize(graph: Graph) -> Outcome:
    """Apply the rules of this file, together with the canonical spelling."""
    return rewrite(graph, _SET)
