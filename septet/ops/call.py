"""A sub-graph as one op: a backward pass is recorded so, and what is traced by itself.

A sub-graph is closed: everything that it needs comes in through its inputs, and it neither reads nor updates variables.

The card works on results as a tuple: use `items(node)`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from septet.base.dtypes import DType
from septet.base.errors import ArgumentError, ShapeError
from septet.base.shapes import Shape
from septet.graph.cost import total
from septet.graph.graph import Graph
from septet.graph.node import Node
from septet.graph.op import REQUIRED, BadCase, Case, card, items
from septet.ops.subgraph import (
    batched,
    check_dtypes,
    check_graph,
    check_shapes,
    examples,
    is_smooth,
    out_dtypes,
    pullback,
    pushforward,
    spread,
    types_of,
    wanted_inputs,
)


def _call_shape(*given: Shape, graph: Graph) -> tuple[Shape, ...]:
    check_shapes(graph, given, "the graph")
    return tuple(type_.shape for type_ in types_of(graph.outputs))


def _call_dtype(*given: DType, graph: Graph) -> tuple[tuple[DType, ...], tuple[DType, ...]]:
    check_graph(graph, "graph")
    check_dtypes(graph, given, "the graph")
    return given, out_dtypes(graph)


def _call_gradient(g: Any, y: Any, *inputs: Node, graph: Graph, transforms: Any) -> list[Node | None]:
    wanted = wanted_inputs(inputs)
    seeds = [part for part, node in zip(g, graph.outputs, strict=True) if is_smooth(node)]
    found = iter(items(call(*inputs, *seeds, graph=pullback(graph, wanted, transforms))) if wanted else ())
    return [next(found) if index in wanted else None for index in range(len(inputs))]


def _call_tangent(tangents: Any, y: Any, *inputs: Node, graph: Graph, transforms: Any) -> tuple[Node | None, ...]:
    moving = [index for index, t in enumerate(tangents) if t is not None]
    forward = pushforward(graph, moving, transforms)
    return spread(graph.outputs, items(call(*inputs, *[tangents[index] for index in moving], graph=forward)))


def _call_batch(is_batched: Sequence[bool], *inputs: Node, graph: Graph, transforms: Any) -> tuple[Node, ...]:
    return items(call(*inputs, graph=batched(graph, is_batched, None, transforms)))


def _call_words() -> dict[str, Any]:
    return {"graph": examples()["product"]}


call = card(
    "call", "*operands", params={"graph": REQUIRED}, public=False, bodies={"graph": 0},
    param_docs={"graph": "The graph to run; its results are those of the op."},
    summary="Run a graph as one op.",
    shape=_call_shape, dtype=_call_dtype,
    reference=lambda *operands, graph, run: run(graph, operands)[: len(graph.outputs)],
    gradient=_call_gradient, tangent=_call_tangent, batch=_call_batch,
    flops=lambda y, *operands, graph: total(graph.nodes),
    cases=lambda: [Case((3,), (), graph=examples()[name]) for name in ("product", "square")],
    bad=lambda: [
        BadCase((4,), (), **_call_words(), error=ShapeError, match="operand 0 has shape"),
        BadCase((3,), **_call_words(), error=ArgumentError, match="takes 2 operands, got 1"),
    ],
)  # fmt: skip
