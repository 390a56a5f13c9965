"""Numerical stability: the same function, written so that it does not overflow, underflow or cancel on the way.

The results differ from those of the graph as written where that one loses digits or breaks down: the rules are right in
exact arithmetic, at every point where the original is defined, and at least as accurate in floats. They are about real
numbers: the complex logarithm has branches.
"""

from __future__ import annotations

from septet.graph.graph import Graph
from septet.graph.node import Node
from septet.graph.op import ops
from septet.graph.rewrite import Match, Outcome, P, Rule, RuleSet, rewrite
from septet.optimize import canonicalize, simplify
from septet.optimize.build import fit
from septet.optimize.constants import FOLD
from septet.optimize.facts import MOVES, is_positive, is_real_float, is_shifted

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
    """exp(x) / sum(exp(x)), for an x that was not shifted before."""
    total = _sum_behind(m.s)
    if not is_real_float(m.root) or total.op.name != "sum" or total.inputs[0] is not m.e or is_shifted(m.x):
        return None
    log_total = ops.logsumexp(m.x, axis=total.param("axis"), keepdims=True)
    result = ops.exp(ops.subtract(m.x, log_total))
    if m.s is not total or not total.param("keepdims"):
        if m.s.op.name not in ("reshape", "broadcast_to") or m.root.type is not result.type or not m.root.type.is_known:
            return None
        kept = tuple(1 if axis in total.param("axis") else size for axis, size in enumerate(m.e.shape))
        if _aligned(m.s) not in (kept, m.e.shape):
            return None
    return fit(result, m.root)


def _aligned(node: Node) -> tuple[int | None, ...]:
    """The shape of a divisor before it is repeated."""
    return node.inputs[0].shape if node.op.name == "broadcast_to" else node.shape


def _factors(root: Node) -> tuple[list[Node], bool]:
    """Split a product into its factors and its sign."""
    found: list[Node] = []
    pending = [root]
    is_negative = False
    while pending:
        node = pending.pop()
        if node.op.name == "negative":
            is_negative = not is_negative
            pending.append(node.inputs[0])
        elif node.op.name == "multiply" and len(found) + len(pending) < LONGEST:
            pending.extend(node.inputs)
        else:
            found.append(node)
    return found, is_negative


def _cancel(m: Match) -> Node | None:
    """(g / p) * p, where p is above zero in exact arithmetic and may underflow in floats."""
    if not is_real_float(m.root):
        return None
    factors, is_negative = _factors(m.root)
    for quotient in factors:
        if quotient.op.name != "divide":
            continue
        g, p = quotient.inputs
        if p not in factors or not is_positive(p) or g.shape != quotient.shape:
            continue
        rest = list(factors)
        rest.remove(quotient)
        rest.remove(p)
        result = g
        for factor in rest:
            result = ops.multiply(result, factor)
        result = ops.negative(result) if is_negative else result
        return fit(result, m.root)
    return None


def _cancel_in_sum(m: Match) -> Node | None:
    """(g / (e / s) / s + b) * e, the gradient of log(e / s) with respect to log(e): g + b * e."""
    for total, e in (m.root.inputs, m.root.inputs[::-1]):
        if total.op.name not in ("add", "subtract") or not is_real_float(m.root) or not is_positive(e):
            continue
        for own, other in (total.inputs, total.inputs[::-1]):
            if own.op.name != "divide" or own.shape != m.root.shape or other.type != total.type:
                continue
            inner, s = own.inputs
            if inner.op.name != "divide" or inner.inputs[0].type is not m.root.type:
                continue
            g, p = inner.inputs
            if p.op.name != "divide" or p.inputs[0] is not e or p.inputs[1] is not s:
                continue
            rest = ops.multiply(other, e)
            if total.op.name == "add":
                return fit(ops.add(g, rest), m.root)
            return fit(ops.subtract(g, rest) if own is total.inputs[0] else ops.subtract(rest, g), m.root)
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
    Rule("cancel_quotient", P("multiply"), _cancel,
         "(g / p) * p is g, where p is above zero in exact arithmetic; in floats p may underflow, and give NaN"),
    Rule("cancel_quotient_in_sum", P("multiply"), _cancel_in_sum,
         "the gradient of log(e / s): the quotient may underflow, and give NaN"),
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

_SET = RuleSet([FOLD, *canonicalize.RULES, *RULES, *[rule for rule in simplify.RULES if rule.name == "multiply_self"]])


def stabilize(graph: Graph) -> Outcome:
    """Apply the rules of this file, together with the canonical spelling."""
    return rewrite(graph, _SET)
