"""Ops that replace the gradient of what they contain: the user's own gradients, and rematerialisation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from septet.base import dtypes
from septet.base.dtypes import DType
from septet.base.errors import ArgumentError, DTypeError, ShapeError
from septet.base.shapes import Shape
from septet.base.text import shape_text
from septet.graph.graph import Graph
from septet.graph.node import Node, symbol
from septet.graph.op import REQUIRED, BadCase, Case, card, items, ops
from septet.graph.types import tensor_type
from septet.ops.call import call
from septet.ops.elementwise import multiply
from septet.ops.subgraph import (
    batch_size,
    batched,
    check_graph,
    is_smooth,
    pullback,
    pushforward,
    repeat,
    spread,
    wanted_inputs,
)

# custom_gradient: operands are values, arguments, and what the pull-back takes besides cotangents.


def _custom_dtype(
    *given: DType, pullback: Graph, values: int, targets: tuple[int, ...]
) -> tuple[tuple[DType, ...], tuple[DType, ...]]:
    check_graph(pullback, "pullback")
    if not 0 < values <= len(given):
        raise ArgumentError(f"there are {values} values among {len(given)} operands")
    for target, node in zip(targets, pullback.outputs, strict=False):
        if target < len(given) and node.dtype != given[target]:
            raise DTypeError(f"the gradient of operand {target} is {node.dtype.name}, the operand {given[target].name}")
    seeds = [dtype for dtype in given[:values] if dtypes.is_differentiable(dtype)]
    rest = len(pullback.inputs) - len(seeds)
    if rest < 0 or values + len(targets) + rest > len(given) or len(pullback.outputs) != len(targets):
        raise ArgumentError(
            f"the pull-back has {len(pullback.inputs)} inputs and {len(pullback.outputs)} results for {len(seeds)} "
            f"cotangents and {len(targets)} arguments"
        )
    return given, given[:values]


def _custom_shape(*given: Shape, pullback: Graph, values: int, targets: tuple[int, ...]) -> tuple[Shape, ...]:
    for target, node in zip(targets, pullback.outputs, strict=True):
        if len(node.shape) != len(given[target]):
            raise ShapeError(
                f"the gradient of operand {target} has shape {shape_text(node.shape)}, the operand "
                f"{shape_text(given[target])}"
            )
    return given[:values]


def _residuals(inputs: Sequence[Any], pullback: Graph, values: int, y: Sequence[Node]) -> list[Any]:
    """Return the operands that the pull-back takes after the cotangents: the last ones."""
    taken = len(pullback.inputs) - sum(is_smooth(node) for node in y)
    return list(inputs[len(inputs) - taken :])


def _custom_gradient(
    g: Any, y: Any, *inputs: Node, pullback: Graph, values: int, targets: tuple[int, ...], transforms: Any
) -> list[Node | None]:
    seeds = [part for part, node in zip(g, y, strict=True) if is_smooth(node)]
    found: list[Node | None] = [None] * len(inputs)
    for target, node in zip(targets, pullback(*seeds, *_residuals(inputs, pullback, values, y)), strict=True):
        found[target] = node
    return found


def _custom_batch(
    is_batched: Sequence[bool], *inputs: Node, pullback: Graph, values: int, targets: tuple[int, ...], transforms: Any
) -> Node:
    size = batch_size(inputs, is_batched)
    full = [x if mark else repeat(x, size) for x, mark in zip(inputs[:values], is_batched, strict=False)]
    taken = len(pullback.inputs) - sum(is_smooth(node) for node in full)
    marks = [True] * (len(pullback.inputs) - taken) + list(is_batched[len(inputs) - taken :])
    many = batched(pullback, marks, None, transforms)
    outputs = [
        node if is_batched[target] or target < values else ops.sum(node, axis=0)
        for node, target in zip(many.outputs, targets, strict=True)
    ]
    return custom_gradient(*full, *inputs[values:], pullback=many.with_roots(outputs), values=values, targets=targets)


def _scaled() -> Graph:
    """The pull-back of the cases: the cotangent times a number that is an operand."""
    g = symbol(tensor_type(dtypes.float64, (3,)))
    factor = symbol(tensor_type(dtypes.float64, ()))
    return Graph([g, factor], [multiply(g, factor)], name="scaled")


_SCALED = _scaled()

custom_gradient = card(
    "custom_gradient", "*operands", params={"pullback": REQUIRED, "values": REQUIRED, "targets": REQUIRED},
    public=False,
    bodies={"pullback": None}, summary="Return the first operands as they are, with a gradient of the user's own.",
    param_docs={
        "pullback": "The graph from cotangents of the float values, and the last operands, to gradients of "
        "the targets.",
        "values": "How many operands, from the first, are returned.",
        "targets": "The positions of the operands that receive the gradients.",
    },
    canonical=lambda types, pullback, values, targets: {
        "pullback": pullback, "values": int(values), "targets": tuple(targets)
    },
    shape=_custom_shape, dtype=_custom_dtype,
    reference=lambda *arrays, pullback, values, targets, run: [array.view() for array in arrays[:values]],
    gradient=_custom_gradient, batch=_custom_batch,
    cases=[Case((3,), (3,), (), pullback=_SCALED, values=1, targets=(1,), gradient=False)],
    bad=[BadCase((3,), (3,), (), pullback=_SCALED, values=1, targets=(1, 2), error=ArgumentError, match="2 arguments"),
         BadCase((3,), (), (), pullback=_SCALED, values=1, targets=(1,), error=ShapeError, match="operand 1")],
)  # fmt: skip


# remat: `call`, under a name that no pass opens, so that what is computed again is not merged with the first time.


def _remat_gradient(g: Any, y: Any, *inputs: Node, graph: Graph, transforms: Any) -> list[Node | None]:
    wanted = wanted_inputs(inputs)
    if not wanted:
        return [None] * len(inputs)
    seeds = [part for part, node in zip(g, graph.outputs, strict=True) if is_smooth(node)]
    found = iter(items(remat(*inputs, *seeds, graph=pullback(graph, wanted, transforms))))
    return [next(found) if index in wanted else None for index in range(len(inputs))]


def _remat_tangent(tangents: Any, y: Any, *inputs: Node, graph: Graph, transforms: Any) -> tuple[Node | None, ...]:
    moving = [index for index, t in enumerate(tangents) if t is not None]
    forward = pushforward(graph, moving, transforms)
    return spread(graph.outputs, items(remat(*inputs, *[tangents[index] for index in moving], graph=forward)))


def _remat_batch(is_batched: Sequence[bool], *inputs: Node, graph: Graph, transforms: Any) -> Node:
    return remat(*inputs, graph=batched(graph, is_batched, None, transforms))


remat = card(
    "remat", "*operands", params={"graph": REQUIRED}, public=False, bodies={"graph": 0},
    param_docs={"graph": "The graph to run; its results are those of the op."},
    summary="Run a graph whose inside is computed again for the gradient, not kept.",
    source="Chen et al. 2016, Training deep nets with sublinear memory cost",
    shape=call.shape, dtype=call.dtype, reference=call.reference,
    gradient=_remat_gradient, tangent=_remat_tangent, batch=_remat_batch, flops=call.flops,
    cases=lambda: call.cases, bad=lambda: call.bad_cases,
)  # fmt: skip
