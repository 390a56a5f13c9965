"""The bridge to Septet's graph: replacing tensors in what was recorded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from weakref import WeakKeyDictionary

from septet.graph.graph import order, substitute
from septet.graph.node import CONSTANT, constant
from septet.tensor.tensor import Tensor

_cuts: WeakKeyDictionary[Any, tuple[Any, Any]] = WeakKeyDictionary()

SMALL = 64
"""Elements up to which constants are made anew; larger ones are shared."""


def replaced(results: Sequence[Any], pairs: Iterable[tuple[Any, Any]]) -> list[Any]:
    """Return tensors computed from others than they were: each pair is (old, new)."""
    nodes = substitute([tensor.node for tensor in results], {old.node: new.node for old, new in pairs})
    return [Tensor(node) for node in nodes]


def constants_anew(results: Sequence[Any]) -> list[tuple[Any, Any]]:
    """Return pairs of the small constants that tensors depend on and copies of them: in the body of a loop they are the
    body's own, no operands through which gradients could flow."""
    nodes = order([tensor.node for tensor in results])
    found = [n for n in nodes if n.op is CONSTANT and n.value is not None and n.value.size <= SMALL]
    return [(Tensor(node), Tensor(constant(node.value))) for node in found]


def cut(rows: Any, count: Any) -> Any:
    """Return the first rows of a tensor, as many as a value says that is only known when the graph runs.

    The size of the result is not known before. What asks `cut_of` can do with the tensor itself, whose size is known.
    """
    found = rows[:count]
    _cuts[found.node] = rows, count
    return found


def cut_of(tensor: Any) -> tuple[Any, Any] | None:
    """Return the tensor and the number of rows that another one was cut from; None where it was not made by `cut`."""
    return _cuts.get(tensor.node)
