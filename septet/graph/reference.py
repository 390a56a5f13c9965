"""Computing one node with the reference of its card, for the reference backend and for constant folding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from septet.base.errors import SeptetError
from septet.graph.node import Node
from septet.graph.report import report
from septet.graph.types import TensorType


def compute(node: Node, arrays: Sequence[Any], run: Any) -> Any:
    """Return the value of a node for given values of its inputs.

    Parameters
    ----------
    node : Node
    arrays : sequence of ndarray
        Values of the inputs.
    run : callable
        ``run(graph, arrays) -> arrays``: runs sub-graphs for control flow.

    Raises
    ------
    SeptetError
        With the whole report, where the reference finds a rule broken by values (an index out of range ...).
    """
    op = node.op
    words = dict(zip(op.param_names, node.params, strict=True)) if node.params else {}
    if op.is_higher_order:
        words["run"] = run
    try:
        with np.errstate(all="ignore"):
            result = op.reference(*arrays, **words)
    except SeptetError as error:
        if not error.is_located:
            error.locate(report(error, op.name, op.input_names, node.inputs, node.keywords(), node.layers, node.source))
        raise
    if isinstance(node.type, TensorType):
        return finish(result, node.type)
    return tuple([finish(r, t) for r, t in zip(result, node.type, strict=True)])


def finish(value: Any, type_: TensorType) -> np.ndarray:
    """Give a result the dtype that the card promised, and make it read-only."""
    array = np.asarray(value)
    if array.dtype != type_.dtype:
        array = array.astype(type_.dtype)
    if array.ndim != type_.ndim:
        raise AssertionError(f"reference made {array.shape} for {type_!r}")
    array.flags.writeable = False
    return array
