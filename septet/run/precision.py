"""Nodes in float64, whatever their dtype: the arbiter between two results that differ in their last bits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from septet.base import dtypes
from septet.base.dtypes import DType
from septet.base.errors import SeptetError
from septet.graph.graph import Graph
from septet.graph.node import CONSTANT, SYMBOL, VARIABLE, Node
from septet.graph.op import ITEM

PRECISION: dict[DType, tuple[int, int]] = {
    dtypes.float16: (10, -24), dtypes.bfloat16: (7, -133), dtypes.float32: (23, -149), dtypes.float64: (52, -1074),
}  # fmt: skip
"""Bits of the fraction, and the exponent of the smallest number."""
PARTS = {dtypes.complex64: dtypes.float32, dtypes.complex128: dtypes.float64}


def spacing(dtype: DType, values: np.ndarray) -> np.ndarray:
    """Return the distance between neighbouring numbers of a dtype at the size of some values: one ULP.

    Parameters
    ----------
    dtype : dtype
        A float, or a complex one, of whose parts it is then.
    values : ndarray of float64 or complex128

    Returns
    -------
    ndarray of float64
        That of the smallest numbers for 0 and what is not finite.
    """
    bits, least = PRECISION[PARTS.get(dtype, dtype)]
    sizes = np.abs(values)
    sizes = np.where(np.isfinite(sizes), sizes, 0.0)
    exponents = np.frexp(sizes)[1].astype(np.int64) - 1
    return np.ldexp(1.0, np.maximum(np.where(sizes > 0, exponents - bits, least), least).astype(np.int32))


def wide(value: np.ndarray) -> np.ndarray:
    """Return floats as float64 and complex numbers as complex128; others stay."""
    if dtypes.is_complex(value.dtype):
        return value.astype(np.complex128)
    return value.astype(np.float64) if dtypes.is_float(value.dtype) else value


def exactly(node: Node, arrays: Sequence[Any]) -> Any:
    """Return the value of a node in float64, or None where its reference cannot be computed so.

    Parameters
    ----------
    node : Node
    arrays : sequence of ndarray
        Values of the inputs, floats among them as float64.
    """
    if node.op is ITEM:
        return arrays[0][node.params[0]]
    words = {name: _wide_parameter(value) for name, value in node.keywords().items()}
    if node.op.is_higher_order:
        words["run"] = _run
    try:
        with np.errstate(all="ignore"):
            found = node.op.reference(*arrays, **words)
    except (SeptetError, ValueError, TypeError, IndexError, AssertionError, ArithmeticError):
        return None
    return tuple([np.asarray(part) for part in found]) if isinstance(node.type, tuple) else np.asarray(found)


def _wide_parameter(value: Any) -> Any:
    if not isinstance(value, np.dtype) or value not in dtypes.KIND:
        return value
    if dtypes.is_complex(value):
        return dtypes.complex128
    return dtypes.float64 if dtypes.is_float(value) else value


def exact_values(graph: Graph, arrays: Sequence[np.ndarray], reference: Mapping[Node, Any]) -> dict[Node, Any]:
    """Return the values of all nodes of a graph in float64.

    What is not a float (comparisons, positions, bits) is taken from the reference, so that both go the same way where a
    rounding error decides.

    Parameters
    ----------
    graph : Graph
    arrays : sequence of ndarray
    reference : dict of Node to value
        The values by the reference; also used where an op has no float64.
    """
    found: dict[Node, Any] = {node: wide(array) for node, array in zip(graph.inputs, arrays, strict=True)}
    for node in graph.nodes:
        if node in found:
            continue
        if node.op is VARIABLE:
            found[node] = wide(node.params[0].current())
        elif node.op is CONSTANT or node.op is SYMBOL:
            found[node] = node.value if isinstance(node.value, tuple) else wide(node.value)
        else:
            own = reference.get(node)
            value = None
            if own is None or _has_floats(node):
                value = exactly(node, [found[source] for source in node.inputs])
            if own is not None and (value is None or _shapes(value) != _shapes(own)):
                value = tuple([wide(part) for part in own]) if isinstance(own, tuple) else wide(own)
            found[node] = value
    return found


def _has_floats(node: Node) -> bool:
    types = node.type if isinstance(node.type, tuple) else (node.type,)
    return any([dtypes.is_differentiable(type_.dtype) for type_ in types])


def _shapes(value: Any) -> Any:
    return [part.shape for part in value] if isinstance(value, tuple) else value.shape


def _run(graph: Graph, arrays: Sequence[Any]) -> list[Any]:
    """Run a sub-graph in float64."""
    values = exact_values(graph, [np.asarray(array) for array in arrays], {})
    return [values[node] for node in graph.roots]
