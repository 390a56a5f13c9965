"""Computing one node with the reference of its card, for the reference backend and for constant folding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter_ns
from typing import Any

import numpy as np

from septet.base.config import config
from septet.base.errors import SeptetError
from septet.base.watch import NODE, tell, watch
from septet.graph import finite
from septet.graph.node import Node
from septet.graph.report import report
from septet.graph.types import NodeType, TensorType, tensor_type


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
            check_sizes(node, arrays)  # the rule's own words come first
            explain_run(error, node, [_type_of(array) for array in arrays])
        raise
    except (ValueError, IndexError, TypeError):  # NumPy's: sizes that were not known before do not fit
        check_sizes(node, arrays)
        raise
    if isinstance(node.type, TensorType):
        return finish(result, node.type)
    return tuple([finish(r, t) for r, t in zip(result, node.type, strict=True)])


def compute_watched(node: Node, arrays: Sequence[Any], run: Any) -> Any:
    """Compute a node as `compute` does; tell observers how long it took, and check the result where that is asked for.

    Raises
    ------
    NonFiniteError
        With the setting ``check_nan``: if the result has NaN or infinity that the inputs do not have.
    """
    start = perf_counter_ns()
    value = compute(node, arrays, run)
    if watch.observers:
        tell(NODE, node.op.name, start, perf_counter_ns(), node)
    if config.check_nan:
        finite.check(node, arrays, value)
    return value


def computer() -> Callable[[Node, Sequence[Any], Any], Any]:
    """Return what computes nodes at present: `compute_watched` while somebody wants to know, else `compute`."""
    return compute_watched if watch.observers or config.check_nan else compute


def check_sizes(node: Node, arrays: Sequence[Any]) -> None:
    """Apply an op's shape rule to the sizes that its inputs have while a graph runs.

    Parameters
    ----------
    node : Node
    arrays : sequence of ndarray
        Values of the inputs; only their dtypes and shapes matter.

    Raises
    ------
    SeptetError
        As if all sizes had been known when the node was recorded.
    """
    try:
        node.op.shape(*[array.shape for array in arrays], **node.keywords())
    except SeptetError as error:
        if not error.is_located:
            explain_run(error, node, [_type_of(array) for array in arrays])
        raise error from None


def explain_run(error: SeptetError, node: Node, types: Sequence[NodeType]) -> SeptetError:
    """Give an error met while a graph runs the whole report, with the types that the inputs have then."""
    op = node.op
    text = report(error, op.name, op.input_names, node.inputs, node.keywords(), node.layers, node.source, types)
    return error.locate(text)


def _type_of(value: Any) -> NodeType:
    if isinstance(value, tuple):
        return tuple([tensor_type(part.dtype, part.shape) for part in value])
    return tensor_type(value.dtype, value.shape)


def finish(value: Any, type_: TensorType) -> np.ndarray:
    """Give a result the dtype that the card promised, and make it read-only."""
    array = np.asarray(value)
    if array.dtype != type_.dtype:
        array = array.astype(type_.dtype)
    if array.ndim != type_.ndim:
        raise AssertionError(f"reference made {array.shape} for {type_!r}")
    array.flags.writeable = False
    return array
