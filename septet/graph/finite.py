"""Finding the node that makes the first NaN or infinity: its result has what none of its inputs has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from septet.base import dtypes
from septet.base.errors import NonFiniteError
from septet.base.text import plural
from septet.graph.node import Node
from septet.graph.op import ELEMENTWISE, Op
from septet.graph.report import argument_names, report
from septet.graph.types import tensor_type

HINT = (
    "look for a division by zero, the logarithm or root of what is not positive, or an overflow; clip or scale the "
    "inputs, or add a small number"
)


def is_finite(value: Any) -> bool:
    """Tell whether a value (an array, or a tuple of them) holds neither NaN nor infinity."""
    return all([bool(np.isfinite(part).all()) for part in _floats([value])])


def check(node: Node, arrays: Sequence[Any], value: Any) -> None:
    """Raise if the value of a node has what the values of its inputs do not have.

    NaN is the node's doing where no input has NaN; infinity, where all inputs are finite. So infinities that were put
    in on purpose (masks) pass, and what becomes NaN because of them does not.

    Parameters
    ----------
    node : Node
    arrays : sequence of ndarray
        Values of the inputs.
    value : ndarray or tuple of ndarray

    Raises
    ------
    NonFiniteError
        With the whole report, the first place and the values that led to it.
    """
    if not is_finite(value):
        problem = find(node, arrays, value)
        if problem:
            raise explain(node, arrays, value, problem)


def find(node: Node, arrays: Sequence[Any], value: Any) -> str:
    """Return what a node has made, ``NaN`` or ``infinity``; an empty string where its inputs had it."""
    inputs = [*_floats(arrays), *_parameters(node.params)]
    if any([np.isnan(part).any() for part in inputs]):
        return ""
    results = list(_floats([value]))
    if any([np.isnan(part).any() for part in results]):
        return "NaN"
    if any([np.isinf(part).any() for part in inputs]):
        return ""
    return "infinity" if any([np.isinf(part).any() for part in results]) else ""


def explain(
    node: Node, arrays: Sequence[Any], value: Any, problem: str, note: str = "", hint: str = HINT
) -> NonFiniteError:
    """Return the error about a node, with the whole report.

    Parameters
    ----------
    node : Node
    arrays : sequence of ndarray
    value : ndarray or tuple of ndarray
    problem : str
        What `find` returns.
    note : str
        Added to the first line.
    hint : str
    """
    bad = next(part for part in _floats([value]) if not np.isfinite(part).all())
    wrong = np.isnan(bad) if problem == "NaN" else ~np.isfinite(bad)
    count = int(wrong.sum())
    place = tuple(int(i) for i in np.argwhere(wrong)[0])
    where = "" if not place else f", the first at {place if len(place) > 1 else place[0]}"
    amount = "" if bad.size == 1 else f": {count:,} of {plural(bad.size, 'element')}{where}"
    inputs = "no input has NaN" if problem == "NaN" else "all inputs are finite"
    error = NonFiniteError(f"the result has {problem}, and {inputs}{amount}{note}", hint=hint)
    error.details = (*_at_the_place(node, arrays, bad, place), *_ranges(node, arrays))
    op: Any = node.op
    types: list[Any] = [_type_of(array) for array in arrays]
    text = report(error, op.name, op.input_names, node.inputs, node.keywords(), node.layers, node.source, types)
    error.locate(text)
    return error


def summary(array: np.ndarray) -> str:
    """Say what values an array holds: ``-2.1 to 3.4, mean 0.2``."""
    if array.dtype not in dtypes.KIND or array.size == 0:
        return "empty" if array.size == 0 else array.dtype.name
    if array.dtype == bool:
        return f"{plural(int(array.sum()), 'element')} of {array.size} true"
    wide = np.abs(array) if dtypes.is_complex(array.dtype) else array
    finite = wide[np.isfinite(wide)].astype(np.float64)
    size = "absolute values " if dtypes.is_complex(array.dtype) else ""
    if finite.size == 0:
        return "nothing finite"
    text = f"{size}{finite.min():.6g} to {finite.max():.6g}, mean {finite.mean():.6g}" if finite.size > 1 else (
        f"{size}{finite[0]:.9g}"
    )  # fmt: skip
    rest = array.size - finite.size
    return text + (f", {rest} not finite" if rest else "")


def _at_the_place(node: Node, arrays: Sequence[Any], bad: np.ndarray, place: tuple[int, ...]) -> Iterator[str]:
    """Say what the first wrong element was computed from, where that is one element of each input."""
    if not isinstance(node.op, Op) or node.op.kind != ELEMENTWISE or not arrays:
        return
    words = []
    for name, array in zip(argument_names(node.op.input_names, len(arrays)), arrays, strict=True):
        wide = np.broadcast_to(array, np.broadcast_shapes(array.shape, bad.shape))
        words.append(f"{name}={wide[place].item()!r}")
    yield f"  there: {node.op.name}({', '.join(words)}) = {bad[place].item()!r}"


def _ranges(node: Node, arrays: Sequence[Any]) -> Iterator[str]:
    names = argument_names(node.op.input_names, len(arrays)) if isinstance(node.op, Op) else []
    for name, array in zip(names, arrays, strict=False):
        if isinstance(array, np.ndarray) and array.ndim:
            yield f"  values of {name}: {summary(array)}"


def _floats(values: Sequence[Any]) -> Iterator[np.ndarray]:
    """Go through the arrays whose dtype has NaN."""
    for value in values:
        if isinstance(value, tuple):
            yield from _floats(value)
        elif dtypes.KIND.get(value.dtype, 0) >= dtypes.FLOAT:
            yield value


def _parameters(params: tuple[Any, ...]) -> Iterator[np.ndarray]:
    """Go through the numbers among parameters: what an op fills in counts like an input."""
    for value in params:
        if isinstance(value, tuple):
            yield from _parameters(value)
        elif isinstance(value, (float, complex)):
            yield np.asarray(value)


def _type_of(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple([tensor_type(part.dtype, part.shape) for part in value])
    return tensor_type(value.dtype, value.shape)
