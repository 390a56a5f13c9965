"""Gradients op by op, as the ops themselves give them: where programs define ops, and for what has no gradient elsewhere.

Graphs of Septet's ops alone are differentiated as a whole (`gradient`). Here each application is pulled back by itself,
so that what an op of a program returns is exactly what arrives: also gradients that are not defined, or of integers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import septet as st
from septet.dialects.theano.configdefaults import config
from septet.dialects.theano.dtypes import DISCRETE
from septet.dialects.theano.engine import replaced
from septet.dialects.theano.gof.graph import Apply, Variable, io_toposort
from septet.dialects.theano.gof.null_type import NullType
from septet.dialects.theano.missing import DisconnectedType, disconnected_type
from septet.dialects.theano.tensor.creation import ones_like, zeros_like
from septet.tensor.tensor import Tensor
from septet.transform.vjp import vjp


def float_dtype(variable: Variable) -> str:
    """Return the dtype of a variable's gradient: its own, and `floatX` for integers."""
    dtype = str(variable.type.dtype)
    return str(config.floatX) if dtype in DISCRETE else dtype


def is_missing(gradient: Any) -> bool:
    """Tell whether there is no gradient."""
    return gradient is None or isinstance(gradient.type, DisconnectedType)


def pulled_back(
    cost: Variable | None,
    variables: Sequence[Variable],
    known: Mapping[Variable, Variable],
    constants: Sequence[Variable],
) -> list[Any]:
    """Return the gradients of variables; None where none arrives, a variable of NullType where it is not defined."""
    collected: dict[Variable, Any] = {}
    starts = [*([] if cost is None else [cost]), *known]
    if cost is not None and cost not in known:
        collected[cost] = ones_like(cost, dtype=float_dtype(cost))
    for variable, gradient in known.items():
        _collect(collected, variable, gradient)
    stops = set(constants)
    order = io_toposort([], starts)
    leading = set(variables)  # and what depends on them: the other ops are not asked for gradients
    for node in order:
        if any(v in leading for v in node.inputs):
            leading.update(node.outputs)
    for node in reversed(order):
        if not any(v in leading for v in node.inputs):
            continue
        given = [None if output in stops else collected.get(output) for output in node.outputs]
        if all(is_missing(one) for one in given):
            continue
        for variable, gradient in zip(node.inputs, _pull(node, given), strict=True):
            if not is_missing(gradient):
                _collect(collected, variable, gradient)
    return [collected.get(variable) for variable in variables]


def _collect(collected: dict[Variable, Any], variable: Variable, gradient: Any) -> None:
    """Add to what a variable has received; what is not defined stays so."""
    before = collected.get(variable)
    if before is None or isinstance(gradient.type, NullType):
        collected[variable] = gradient
    elif not isinstance(before.type, NullType):
        collected[variable] = before + gradient


def _pull(node: Apply, given: Sequence[Any]) -> list[Any]:
    """Return the gradients of the inputs of an application, given those of its outputs."""
    flowing = [
        [one for is_connected, one in zip(row, given, strict=True) if is_connected and not is_missing(one)]
        for row in node.op.connection_pattern(node)
    ]
    connected = [bool(row) for row in flowing]
    if not any(connected):
        return [None] * len(node.inputs)
    nulls = [next((one for one in row if isinstance(one.type, NullType)), None) for row in flowing]
    if any(own is not None for own in nulls):
        return nulls
    given = [None if not is_missing(one) and isinstance(one.type, NullType) else one for one in given]
    if node.op.is_native:
        return _pull_native(node, given, connected)
    return _pull_own(node, given, connected)


def _pull_own(node: Apply, given: Sequence[Any], connected: Sequence[bool]) -> list[Any]:
    """Return what the op of a program says, checked."""
    op = node.op
    cotangents = [
        disconnected_type() if one is None else _of_dtype(one, output)
        for one, output in zip(given, node.outputs, strict=True)
    ]
    result: list[Any] = []
    gradients = op.gradients(node.inputs, node.outputs, cotangents)
    for place, (gradient, source) in enumerate(zip(gradients, node.inputs, strict=True)):
        if not connected[place]:
            result.append(None)
            continue
        if gradient.type.is_tensor and gradient.type.dtype in DISCRETE:
            raise TypeError(f"{op}.grad returned integers ({gradient.type}) for input {place}")
        result.append(
            gradient if source.type.is_tensor and source.type.dtype in DISCRETE else _of_dtype(gradient, source)
        )
    return result


def _of_dtype(gradient: Any, like: Variable) -> Any:
    """Return a gradient in the dtype of what it belongs to, where that is a float."""
    if gradient.type.is_tensor and like.type.is_tensor and like.type.dtype not in DISCRETE:
        return gradient.astype(like.type.dtype)
    return gradient


def _pull_native(node: Apply, given: Sequence[Any], connected: Sequence[bool]) -> list[Any]:
    """Return what Septet makes of one of its own ops; integers are taken for floats of the same values."""
    from septet.dialects.theano.gradient import transformed

    inputs = [v.tensor for v in node.inputs]
    if node.op.is_flat_on_integers and all(v.type.dtype in DISCRETE for v in node.outputs):
        return [
            zeros_like(v, dtype=float_dtype(v)) if is_reached else None
            for v, is_reached in zip(node.inputs, connected, strict=True)
        ]
    symbols = [st.symbol("", v.tensor.type.shape, float_dtype(v)) for v in node.inputs]
    made = node.op.compute(*[s if connected[place] else inputs[place] for place, s in enumerate(symbols)])
    made = list(made) if isinstance(made, (tuple, list)) else [made]
    pairs = [
        (m, one.tensor.astype(m.dtype))
        for m, one in zip(made, given, strict=True)
        if not is_missing(one) and np.dtype(m.dtype).kind in "fc"
    ]
    back = [(s, t.astype(s.dtype)) for s, t in zip(symbols, inputs, strict=True)]
    places = [place for place, is_reached in enumerate(connected) if is_reached]
    found: list[Any] = [None] * len(inputs)
    nodes = vjp([m.node for m, _ in pairs], [g.node for _, g in pairs], [symbols[place].node for place in places])
    reached = [(place, n) for place, n in zip(places, nodes, strict=True) if n is not None]
    if reached:
        tensors = replaced([Tensor(n) for _, n in reached], back)
        sources = [*node.inputs, *[one for one in given if not is_missing(one)]]
        for (place, _), variable in zip(reached, transformed("Gradient", tensors, sources), strict=True):
            found[place] = variable
    for place in places:
        if found[place] is None:
            found[place] = zeros_like(node.inputs[place], dtype=float_dtype(node.inputs[place]))
    return found
