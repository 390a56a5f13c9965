"""What is known about values before the graph runs: the conditions of rules.

Every answer holds for all inputs; False means that nothing is known. The walks are short: a rule must cost O(1).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from septet.base import dtypes
from septet.graph.node import CONSTANT, Node
from septet.graph.op import Op
from septet.graph.rewrite import fill_value

DEPTH = 6  # how far below a node the questions look
MOVES = frozenset({"broadcast_to", "reshape", "transpose", "identity", "stop_gradient", "positive"})
"""Ops whose elements are elements of the first input."""


def number(node: Node) -> Any:
    """Return the number that a constant is filled with, as a NumPy scalar, or None."""
    return fill_value(node)


def is_whole(node: Node) -> bool:
    """Tell whether the dtype is an integer or boolean one: arithmetic is exact, there is no NaN and no minus zero."""
    return dtypes.KIND[node.dtype] <= dtypes.INTEGER


def is_real_float(node: Node) -> bool:
    """Tell whether the dtype is a real floating-point one."""
    return dtypes.is_float(node.dtype)


def is_positive(node: Node, depth: int = DEPTH) -> bool:
    """Tell whether all elements are above zero in exact arithmetic (in floats they may underflow to it, or be NaN)."""
    value = number(node)
    if value is not None:
        return not dtypes.is_complex(node.dtype) and bool(value > 0)
    if depth == 0 or not isinstance(node.op, Op) or not is_real_float(node):
        return False
    name, inputs = node.op.name, node.inputs
    if "positive" in node.op.properties:
        return True
    if name in MOVES or name in ("sqrt", "sum", "mean", "max", "min", "prod", "reciprocal"):
        return is_positive(inputs[0], depth - 1)
    if name == "cast":
        return is_real_float(inputs[0]) and is_positive(inputs[0], depth - 1)
    if name in ("add", "multiply", "divide", "minimum"):
        return is_positive(inputs[0], depth - 1) and is_positive(inputs[1], depth - 1)
    if name == "maximum":
        return is_positive(inputs[0], depth - 1) or is_positive(inputs[1], depth - 1)
    if name == "subtract":
        one = number(inputs[0])
        return one is not None and bool(one == 1) and inputs[1].op.name == "sigmoid"
    return False


def is_never_minus_zero(node: Node, depth: int = DEPTH) -> bool:
    """Tell whether no element is -0.0, so that adding 0.0 changes nothing."""
    if is_whole(node):
        return True
    value = number(node)
    if value is not None:
        return dtypes.is_float(node.dtype) and not (value == 0 and math.copysign(1.0, float(value)) < 0)
    if depth == 0 or not isinstance(node.op, Op) or not is_real_float(node):
        return False
    name, inputs = node.op.name, node.inputs
    if "positive" in node.op.properties or name in ("abs", "square"):
        return True
    if name == "cast":
        return is_whole(inputs[0]) or (is_real_float(inputs[0]) and is_never_minus_zero(inputs[0], depth - 1))
    if name in MOVES or name == "sqrt":
        return is_never_minus_zero(inputs[0], depth - 1)
    if name == "add":
        return is_never_minus_zero(inputs[0], depth - 1) or is_never_minus_zero(inputs[1], depth - 1)
    if name in ("concatenate", "update_slice"):
        return all(is_never_minus_zero(source, depth - 1) for source in inputs)
    return False


def is_finite_and_not_negative(node: Node, depth: int = DEPTH) -> bool:
    """Tell whether all elements are finite numbers from +0.0 up, so that zero times them is +0.0."""
    if dtypes.KIND[node.dtype] == dtypes.BOOL or node.dtype in dtypes.UNSIGNED:
        return True
    value = number(node)
    if value is not None:
        if dtypes.is_complex(node.dtype):
            return False
        return bool(np.isfinite(value)) and bool(value >= 0) and is_never_minus_zero(node)
    if depth == 0 or not isinstance(node.op, Op):
        return False
    name, inputs = node.op.name, node.inputs
    if name in MOVES:
        return is_finite_and_not_negative(inputs[0], depth - 1)
    if name == "cast":
        source = inputs[0]
        kind = dtypes.KIND[source.dtype]
        if kind == dtypes.BOOL:
            return True
        return (
            kind == dtypes.INTEGER
            and node.dtype in (dtypes.float32, dtypes.float64)
            and (is_finite_and_not_negative(source, depth - 1))
        )
    if name == "where":
        return is_finite_and_not_negative(inputs[1], depth - 1) and is_finite_and_not_negative(inputs[2], depth - 1)
    return False


def is_minus_zero(value: Any) -> bool:
    """Tell whether a number is -0.0."""
    return isinstance(value, (float, np.floating)) and value == 0 and math.copysign(1.0, float(value)) < 0


def is_shifted(node: Node) -> bool:
    """Tell whether a node is something minus its own largest element, so that its exponential cannot overflow."""
    if node.op.name != "subtract":
        return False
    x, top = node.inputs
    pending = [top]
    for _ in range(16):
        if not pending:
            return False
        top = pending.pop()
        if top.op.name == "max" and top.inputs[0] is x:
            return True
        if top.op.name in MOVES:
            pending.append(top.inputs[0])
        elif top.op.name == "where":
            pending.extend(top.inputs[1:])
    return False


def holds_exactly(wide: Any, narrow: Any) -> bool:
    """Tell whether every value of one dtype is a value of the other."""
    return dtypes.PROMOTION[wide, narrow] == wide and not (
        dtypes.KIND[narrow] == dtypes.INTEGER and dtypes.KIND[wide] >= dtypes.FLOAT and not _fits_mantissa(wide, narrow)
    )


def _fits_mantissa(wide: Any, narrow: Any) -> bool:
    bits = {2: 8, 4: 24, 8: 53}[dtypes.real_of(wide).itemsize]  # bfloat16 has fewer than float16
    return 8 * narrow.itemsize <= bits


def is_constant(node: Node) -> bool:
    """Tell whether a node is a constant, or one that is broadcast or reshaped."""
    return node.op is CONSTANT or number(node) is not None
