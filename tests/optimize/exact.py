"""The arbiter of the optimizer's tests: a graph run in arithmetic that is exact for all that floats can tell.

A finite number is mpmath's, with 2000 bits; zeros with their sign, infinities and NaN are Python's floats. Two numbers
that are equal in theory, such as x and log1p(expm1(x)), agree here to far more bits than any two that differ: so they
count as equal. A floating-point format, however wide, would let its last bit decide how such a comparison ends.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import mpmath
import numpy as np

from septet.graph.graph import Graph
from septet.graph.node import CONSTANT, SYMBOL, Node
from septet.graph.op import get

Number = Any  # mpmath.mpf, or a float: 0.0, -0.0, inf, -inf, nan

PRECISION = 2000  # bits
CLOSE = mpmath.mpf(2) ** -1500  # 1 + x - 1 keeps every x that float64 holds, of which the least is 2**-1074
STEEPEST = 10_000  # exp of more overflows, and of less underflows, as in the widest formats of processors


def run_exactly(graph: Graph, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return the exact results of a graph, rounded at the very end."""
    with mpmath.workprec(PRECISION), np.errstate(all="ignore"):
        values = {node: _each(number, array) for node, array in zip(graph.inputs, arrays, strict=True)}
        for node in graph.nodes:
            if node.op is CONSTANT:
                values[node] = _each(number, node.value)
            elif node.op is not SYMBOL:
                values[node] = _run(node, [values[source] for source in node.inputs])
        return [values[root].astype(np.float64) for root in graph.roots]


def _each(function: Callable[..., Any], *arrays: Any) -> np.ndarray:
    """Call a function on the elements of arrays that are broadcast together."""
    return np.asarray(np.frompyfunc(function, len(arrays), 1)(*arrays), dtype=object)


def number(value: Any) -> Number:
    """Return the exact number that a float is."""
    value = float(value)
    return mpmath.mpf(value) if value and math.isfinite(value) else value


def _run(node: Node, given: list[np.ndarray]) -> np.ndarray:
    """Run one op on arrays of numbers."""
    name, words = node.op.name, node.keywords()
    if name in MOVES:
        return np.asarray(node.op.reference(*given, **words), dtype=object)
    if name in CHOICES:
        return _each(CHOICES[name], *given)
    if name == "cast":
        return _each(lambda x: number(node.dtype.type(float(x))), *given)
    if name in REDUCTIONS:
        return _reduce(name, given[0], **words)
    if name == "dot_general":
        x, y = given
        assert words == {"contracting": ((x.ndim - 1,), (0,)), "batch": ((), ())}
        x = x.reshape(*x.shape, *[1] * (y.ndim - 1))  # (..., K, 1, ...)
        return _reduce("sum", _each(_elementwise("multiply"), x, y), axis=(given[0].ndim - 1,), keepdims=False)
    return _each(_elementwise(name), *given)


def _elementwise(name: str) -> Callable[..., Number]:
    reference, exact = get(name).reference, ELEMENTWISE[name]
    return lambda *items: _decide(items, exact, lambda *floats: reference(*map(np.float64, floats)))


def _reduce(name: str, x: np.ndarray, axis: tuple[int, ...], keepdims: bool) -> np.ndarray:
    """Reduce axes."""
    reference, exact = get(name).reference, REDUCTIONS[name]
    kept = [size for a, size in enumerate(x.shape) if a not in axis]
    rows = np.moveaxis(x, axis, range(x.ndim - len(axis), x.ndim)).reshape(*kept, -1 if x.size else 0)
    result = np.empty(kept, dtype=object)
    for index in np.ndindex(*kept):
        result[index] = _decide(
            tuple(rows[index]), exact, lambda *floats: reference(np.array(floats), axis=(0,), keepdims=False)
        )
    return result.reshape([1 if a in axis else size for a, size in enumerate(x.shape)]) if keepdims else result


def _decide(items: tuple[Number, ...], exact: Callable[..., Any], reference: Callable[..., Any]) -> Number:
    """Apply a function: exactly, but the card's reference knows about the sign of a zero, infinities and NaN."""
    plain = float(reference(*map(_within_range, items)))
    is_special = not items or any(type(item) is float for item in items)
    if is_special and not math.isfinite(plain):
        return plain
    value = exact(*map(mpmath.mpf, items))
    if isinstance(value, mpmath.mpc) or mpmath.isnan(value):  # mpmath has no -1 to the power of infinity
        return number(plain) if is_special else math.nan
    if value == 0:
        return plain if plain == 0 else 0.0
    return value if mpmath.isfinite(value) else float(value)


def _within_range(item: Number) -> float:
    """Return a float of the same sign whose products with others do not overflow."""
    if type(item) is float:
        return item
    return math.copysign(min(max(float(abs(item)), 1e-4), 1e4), item)


# Functions of mpmath's numbers. What rounds, compares or cancels takes what is as good as equal for equal.


def _is_close(a: Number, b: Number) -> bool:
    return a == b or bool(mpmath.isfinite(a) and mpmath.isfinite(b) and abs(a - b) <= CLOSE * max(abs(a), abs(b)))


def _total(*items: Any) -> Any:
    total = mpmath.fsum(items)
    return mpmath.mpf(0) if abs(total) <= CLOSE * mpmath.fsum(items, absolute=True) else total


def _to_half(x: Any) -> Any:
    """Return the nearest multiple of one half, where that is as good as equal."""
    half = mpmath.nint(2 * x) / 2
    return half if _is_close(x, half) else x


def _exp(x: Any) -> Any:
    if abs(x) > STEEPEST:
        return mpmath.mpf("inf") if x > 0 else mpmath.mpf(0)
    return mpmath.exp(x)


def _log_total_exp(*items: Any) -> Any:
    top = max(items)
    return _total(top, mpmath.log(mpmath.fsum([_exp(item - top) for item in items])))


def _power(x: Any, y: Any) -> Any:
    if y == 0 or x == 1:
        return mpmath.mpf(1)
    y = _to_half(y)
    if x == 0 or not mpmath.isfinite(x) or not mpmath.isfinite(y) or (x < 0 and not mpmath.isint(y)):
        return mpmath.power(x, y) if mpmath.isfinite(x) and mpmath.isfinite(y) else mpmath.mpf("nan")
    size = _exp(y * mpmath.log(abs(x)))
    return -size if x < 0 and mpmath.isint((y - 1) / 2) else size


ELEMENTWISE: dict[str, Callable[..., Any]] = {
    "abs": abs,
    "add": _total,
    "atan": mpmath.atan,
    "conj": lambda x: x,
    "cos": mpmath.cos,
    "divide": lambda x, y: x / y,
    "exp": _exp,
    "expm1": lambda x: _total(_exp(x), mpmath.mpf(-1)) if abs(x) > 1 else mpmath.expm1(x),
    "floor": lambda x: mpmath.floor(_to_half(x)),
    "hypot": mpmath.hypot,
    "log": mpmath.log,
    "log1p": lambda x: mpmath.log(_total(x, mpmath.mpf(1))) if abs(x) > 0.5 else mpmath.log1p(x),
    "logaddexp": _log_total_exp,
    "maximum": max,
    "minimum": min,
    "multiply": lambda x, y: x * y,
    "negative": lambda x: -x,
    "positive": lambda x: x,
    "power": _power,
    "reciprocal": lambda x: 1 / x,
    "round": lambda x: mpmath.nint(_to_half(x)),
    "sigmoid": lambda x: 1 / (1 + _exp(-x)) if x > 0 else _exp(x) / (1 + _exp(x)),
    "sign": mpmath.sign,
    "sin": mpmath.sin,
    "softplus": lambda x: _log_total_exp(mpmath.mpf(0), x),
    "sqrt": mpmath.sqrt,
    "square": lambda x: x * x,
    "stop_gradient": lambda x: x,
    "subtract": lambda x, y: _total(x, -y),
    "tanh": lambda x: mpmath.sign(x) if abs(x) > STEEPEST else mpmath.tanh(x),
}

REDUCTIONS: dict[str, Callable[..., Any]] = {
    "logsumexp": _log_total_exp,
    "max": lambda *items: max(items),
    "mean": lambda *items: _total(*items) / len(items),
    "min": lambda *items: min(items),
    "prod": lambda *items: mpmath.fprod(items),
    "sum": _total,
}

CHOICES: dict[str, Callable[..., Any]] = {
    "equal": _is_close,
    "greater": lambda a, b: a > b and not _is_close(a, b),
    "greater_equal": lambda a, b: a > b or _is_close(a, b),
    "less": lambda a, b: a < b and not _is_close(a, b),
    "logical_not": lambda a: not a,
    "not_equal": lambda a, b: not _is_close(a, b),
    "where": lambda condition, a, b: a if condition else b,
}

MOVES = frozenset({"broadcast_to", "reshape", "transpose"})
