"""Mixed precision: products in a short float, everything else in float32."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from septet.base import dtypes
from septet.base.errors import ArgumentError
from septet.graph.context import TRACKED
from septet.graph.graph import Graph, order, rebuild
from septet.graph.node import Node, symbol
from septet.graph.op import CONTRACTION, Op, record
from septet.graph.types import TensorType, tensor_type
from septet.ops.cast import cast
from septet.tensor import tree
from septet.tensor.tensor import Tensor
from septet.tensor.trace import Trace
from septet.transform.functional import check_function

SHORT = {"bfloat16": dtypes.bfloat16, "float16": dtypes.float16}


def amp(call: Callable[..., Any], *, dtype: Any = "bfloat16") -> Callable[..., Any]:
    """Compute matrix products and convolutions of a function in a short float, and everything else as it was.

    The function is traced, its graph is rewritten (the operands of contractions of float32 are rounded to the short
    float, and the results are float32 again), and recorded in the place of the call. So parameters, reductions, losses
    and updates stay float32. Gradients that are taken of the result go the same way; and a whole training step may be
    the function, with ``backward`` and the optimizer in it. It works inside of ``st.compile`` and define by run.

    Where there is fast code for short floats, products take less time and half of the memory bandwidth. Others
    convert, and are slower than with float32: there it serves to try whether a model bears it.

    Parameters
    ----------
    call : callable
        Returns tensors, or tuples, lists and dicts of them. It may read and assign variables, and not ask Python for
        values that depend on these (see `TracedValueError`).
    dtype : str or dtype
        "bfloat16", which has the range of float32, or "float16", whose range ends at 65504: gradients may vanish in it.

    Returns
    -------
    callable
        Called like the function.

    Gradient
    --------
    That of the rewritten graph: contractions in the short float, all else in float32.

    Source
    ------
    P. Micikevicius et al., "Mixed Precision Training", 2018, section 3; without the scaling of losses, which bfloat16
    does not need.

    Examples
    --------
    >>> import septet as st
    >>> x = st.tensor([[1.0, 1.001]])
    >>> st.amp(lambda x: x @ st.tensor([[0.0], [1.0]]))(x).item()
    1.0
    """
    check_function("amp", call)
    short = _short(dtype)

    @functools.wraps(call)
    def function(*args: Any, **words: Any) -> Any:
        start = symbol(tensor_type(dtypes.bool_, ())).serial  # what is made from here on is the function's
        with Trace() as trace:
            leaves, structure = tree.flatten(call(*args, **words))
        moved: dict[Node, Node] = {leaf: variable.node for variable, leaf in trace.leaves.items()}
        outputs = [leaf.node if isinstance(leaf, Tensor) else None for leaf in leaves]
        updated = dict(trace.updates)
        gradients = {variable: g.node for variable, g in trace.gradients.items() if g is not None}
        roots = [node for node in outputs if node is not None] + [*updated.values(), *gradients.values()]
        _lower([*roots, *trace.effects], moved, start, short, frozenset(trace.effects))
        for variable, node in gradients.items():
            before = variable.grad
            variable.grad = Tensor(moved[node]) if before is None else before + Tensor(moved[node])
        for variable, node in updated.items():
            variable.assign(Tensor(moved[node]))
        found = [old if node is None else Tensor(moved[node]) for old, node in zip(leaves, outputs, strict=True)]
        return tree.unflatten(structure, found)

    return function


def lower(graph: Graph, dtype: Any = "bfloat16") -> Graph:
    """Return a graph whose contractions of float32 are computed in a short float.

    Parameters
    ----------
    graph : Graph
    dtype : str or dtype
    """
    moved: dict[Node, Node] = {node: node for node in graph.inputs}
    with Trace():  # effects that are rebuilt are this graph's
        _lower(graph.roots, moved, 0, _short(dtype))
    found = [moved[node] for node in graph.roots]
    count, updates = len(graph.outputs), len(graph.updates)
    return graph.with_roots(found[:count], found[count : count + updates], found[count + updates :])


def _lower(
    roots: Sequence[Node], moved: dict[Node, Node], start: int, short: Any, effects: frozenset[Node] = frozenset()
) -> None:
    """Find what nodes that were made since `start` become; put it into `moved`. Effects have not happened yet."""
    rounded: dict[Node, Node] = {}
    for node in order(roots, stop=lambda n: n in moved or n.serial < start):
        if node in moved:
            continue
        if node.serial < start:
            moved[node] = node
            continue
        inputs = tuple([moved[each] for each in node.inputs])
        if _is_contraction(node):
            fresh = _rounded_contraction(node, inputs, rounded, short)
        elif any(isinstance(param, Graph) for param in node.params):
            params = tuple(lower(param, short) if isinstance(param, Graph) else param for param in node.params)
            fresh = _like(node, record(node.op, inputs, params))
        elif node in effects:
            fresh = _like(node, record(node.op, inputs, node.params))
        else:
            fresh = rebuild(node, inputs)
        moved[node] = fresh


def _is_contraction(node: Node) -> bool:
    return isinstance(node.op, Op) and node.op.kind == CONTRACTION and node.dtype == dtypes.float32


def _rounded_contraction(node: Node, inputs: Sequence[Node], rounded: dict[Node, Node], short: Any) -> Node:
    """Return a contraction of operands that are rounded, each once, with its result in float32."""
    operands = []
    for each in inputs:
        if isinstance(each.type, TensorType) and each.dtype == dtypes.float32:
            if each not in rounded:
                rounded[each] = cast(each, dtype=short)
            each = rounded[each]
        operands.append(each)
    product = _like(node, record(node.op, tuple(operands), node.params))
    return _like(node, cast(product, dtype=dtypes.float32))


def _like(node: Node, fresh: Node) -> Node:
    """Give a node what says where another one comes from, and cut the path of gradients where it was cut."""
    fresh.source, fresh.layers = node.source, node.layers
    if not node.flags & TRACKED:
        fresh.flags &= ~TRACKED
    return fresh


def _short(dtype: Any) -> Any:
    name = dtype if isinstance(dtype, str) else np.dtype(dtype).name
    if name not in SHORT:
        raise ArgumentError(f"amp: dtype {dtype!r} is no short float; there are {', '.join(SHORT)}")
    return SHORT[name]
