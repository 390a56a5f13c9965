"""Graphs that are computed block by block of rows: what the optimizer makes of products whose results are large.

The results of such a graph are those of the graph as a whole. That its largest values need never be in memory all at
once is a matter of backends: see `septet.optimize.blocks`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from septet.base.dtypes import DType
from septet.base.errors import ArgumentError, ShapeError
from septet.base.shapes import Shape
from septet.graph.graph import Graph
from septet.graph.op import REQUIRED, BadCase, Case, card
from septet.graph.types import TensorType
from septet.ops.subgraph import check_dtypes, check_graph, check_shapes, examples, out_dtypes, types_of


def _canonical(types: Sequence[TensorType], body: Any, labels: Any) -> dict[str, Any]:
    check_graph(body, "body")
    labels = tuple([tuple(own) for own in labels])
    if len(labels) != len(body.outputs):
        raise ArgumentError(f"the body has {len(body.outputs)} results, there are labels for {len(labels)}")
    for index, (own, node) in enumerate(zip(labels, body.outputs, strict=True)):
        if len(own) != node.ndim:
            raise ShapeError(f"result {index} of the body has {node.ndim} axes, there are {len(own)} labels for it")
    return {"body": body, "labels": labels}


def _dtype(*given: DType, body: Graph, labels: Any) -> tuple[tuple[DType, ...], tuple[DType, ...]]:
    check_dtypes(body, given, "the body")
    return given, out_dtypes(body)


def _shape(*given: Shape, body: Graph, labels: Any) -> tuple[Shape, ...]:
    check_shapes(body, given, "the body")
    return tuple([type_.shape for type_ in types_of(body.outputs)])


def _reference(*operands: Any, body: Graph, labels: Any, run: Any) -> list[Any]:
    return list(run(body, list(operands))[: len(body.outputs)])


in_blocks = card(
    "in_blocks", "*operands", params={"body": REQUIRED, "labels": REQUIRED}, public=False, bodies={"body": 0},
    summary="Run a graph, block by block of the rows of its largest values.",
    param_docs={
        "body": "From operands to results.",
        "labels": "For each axis of each result what it runs along: a number for an axis of the batch, 'row' or "
        "'column' for those of the largest values, None for another one.",
    },
    canonical=_canonical, shape=_shape, dtype=_dtype, reference=_reference,
    no_gradient="the optimizer makes it, and gradients are taken of what users have written",
    no_batch="the optimizer makes it, and batches are made of what users have written",
    cases=lambda: [Case((3,), (), body=examples()["product"], labels=(("row",), ("row",)))],
    bad=lambda: [
        BadCase((3,), (), body=examples()["product"], labels=(("row",),), error=ArgumentError, match="labels for 1"),
        BadCase((3,), (), body=examples()["product"], labels=((), ()), error=ShapeError, match="has 1 axes"),
        BadCase((3,), body=examples()["product"], labels=(("row",), ("row",)), error=ArgumentError, match="operands"),
    ],
)  # fmt: skip
