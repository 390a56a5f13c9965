"""What the ops of control flow share: checks of sub-graphs, and their pullbacks, pushforwards and batched forms."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from septet.base import dtypes
from septet.base.dtypes import DType
from septet.base.errors import ArgumentError, DTypeError, ShapeError
from septet.base.shapes import Shape
from septet.base.text import shape_text
from septet.graph.graph import Graph
from septet.graph.node import CONSTANT, Node, symbol
from septet.graph.op import ops
from septet.graph.types import TensorType, tensor_type
from septet.ops.shaping import broadcast_to, reshape, sizes_of, zeros_like


def check_graph(graph: Any, name: str) -> None:
    """Refuse what is not a closed graph without updates."""
    if not isinstance(graph, Graph):
        raise ArgumentError(f"{name} must be a Graph, got {graph!r}")
    if graph.updates:
        raise ArgumentError(f"{name} updates variables; a sub-graph returns new values as outputs")


def fits(a: Shape, b: Shape) -> bool:
    """Tell whether two shapes can be the same when the graph runs."""
    return len(a) == len(b) and all(s is None or t is None or s == t for s, t in zip(a, b, strict=True))


def types_of(nodes: Sequence[Node]) -> list[TensorType]:
    """Return the types of nodes with one result."""
    return [node.tensor_type for node in nodes]


def check_dtypes(graph: Graph, given: Sequence[DType], name: str, offset: int = 0) -> None:
    """Refuse operands of other dtypes than the graph's inputs; `offset` counts operands in front of them."""
    wanted = [type_.dtype for type_ in types_of(graph.inputs)]
    if len(given) != len(wanted):
        raise ArgumentError(f"{name} takes {len(wanted)} operands, got {len(given)}")
    for position, (dtype, own) in enumerate(zip(given, wanted, strict=True)):
        if dtype != own:
            raise DTypeError(f"operand {position + offset} is {dtype.name}, {name} takes {own.name} there")


def check_shapes(graph: Graph, given: Sequence[Shape], name: str, offset: int = 0) -> None:
    """Refuse operands whose shapes do not fit the graph's inputs."""
    for position, (shape, own) in enumerate(zip(given, types_of(graph.inputs), strict=True)):
        if not fits(shape, own.shape):
            raise ShapeError(
                f"operand {position + offset} has shape {shape_text(shape)}, {name} takes {shape_text(own.shape)} "
                f"there",
                marks=[(position + offset, axis) for axis in range(len(shape))],
            )


def out_dtypes(graph: Graph) -> tuple[DType, ...]:
    """Return the dtypes of a graph's outputs."""
    return tuple(type_.dtype for type_ in types_of(graph.outputs))


def is_smooth(node: Node) -> bool:
    """Tell whether a node's values can carry a gradient."""
    return dtypes.is_differentiable(node.dtype)


def wanted_inputs(inputs: Sequence[Node], first: int = 0) -> list[int]:
    """Return the positions of the inputs that a cotangent is worked out for: floats that a gradient can flow
    through."""
    return [index for index, node in enumerate(inputs) if index >= first and node.is_tracked and is_smooth(node)]


def is_zero(node: Node) -> bool:
    """Tell whether a node is zeros as `zeros_like` makes them."""
    while node.op is not CONSTANT and node.op.name == "broadcast_to":
        node = node.inputs[0]
    return node.op is CONSTANT and node.value is not None and node.value.ndim == 0 and not node.value


def pullback(graph: Graph, wanted: Sequence[int], transforms: Any) -> Graph:
    """Return the graph from inputs and cotangents (one for each differentiable output) to cotangents of wanted
    inputs."""
    seeds = [symbol(node.tensor_type) if is_smooth(node) else None for node in graph.outputs]
    targets = [graph.inputs[index] for index in wanted]
    found = transforms.vjp(graph.outputs, seeds, targets)
    results = [zeros_like(node) if g is None else g for node, g in zip(targets, found, strict=True)]
    return Graph([*graph.inputs, *[seed for seed in seeds if seed is not None]], results, name=f"pullback {graph.name}")


def pushforward(graph: Graph, moving: Sequence[int], transforms: Any) -> Graph:
    """Return the graph from inputs and tangents of the moving ones to tangents of all differentiable outputs."""
    tangents = [symbol(graph.inputs[index].tensor_type) for index in moving]
    found = transforms.jvp(graph.outputs, [graph.inputs[index] for index in moving], tangents)
    results = [
        zeros_like(node) if t is None else t for node, t in zip(graph.outputs, found, strict=True) if is_smooth(node)
    ]
    return Graph([*graph.inputs, *tangents], results, name=f"pushforward {graph.name}")


def spread(outputs: Sequence[Node], found: Sequence[Node]) -> tuple[Node | None, ...]:
    """Give every differentiable output its tangent, the others None."""
    rest = iter(found)
    return tuple([next(rest) if is_smooth(node) else None for node in outputs])


def batch_size(inputs: Sequence[Node], is_batched: Sequence[bool]) -> Any:
    """Return the size of the batch axis: an int, or a node where it is not known."""
    return next(sizes_of(node)[0] for node, mark in zip(inputs, is_batched, strict=True) if mark)


def repeat(x: Node, size: Any) -> Node:
    """Repeat along a new first axis."""
    return broadcast_to(x, (size, *sizes_of(x)))


def batched(graph: Graph, is_batched: Sequence[bool], wanted: Sequence[bool] | None, transforms: Any) -> Graph:
    """Return the graph for batches, with the wanted outputs (None: all) batched even where they are the same in the
    batch."""
    found, marks = transforms.vmap(graph, list(is_batched))
    size = batch_size(found.inputs, is_batched)
    wanted = [True] * len(marks) if wanted is None else wanted
    outputs = [
        repeat(node, size) if want and not mark else node
        for node, mark, want in zip(found.outputs, marks, wanted, strict=True)
    ]
    return found.with_roots(outputs)


def align(predicate: Node, value: Node) -> Node:
    """Bring a batch of predicates to the rank of a value with the batch on axis 0."""
    return reshape(predicate, (sizes_of(predicate)[0], *[1] * (value.ndim - 1)))


def select(predicate: Node, a: Node, b: Node) -> Node:
    """Choose example by example between two batches."""
    return ops.where(align(predicate, a), a, b)


def check_carry(body: Graph, carries: int, name: str) -> None:
    """Refuse a body that changes the type of what it hands from step to step."""
    if len(body.outputs) < carries:
        raise ArgumentError(f"the {name} has {len(body.outputs)} results for {carries} carried values")
    for index in range(carries):
        before, after = body.inputs[index].tensor_type, body.outputs[index].tensor_type
        if before.dtype != after.dtype:
            raise DTypeError(f"the {name} changes carried value {index} from {before!r} to {after!r}")
        if not fits(before.shape, after.shape):
            raise ShapeError(f"the {name} changes carried value {index} from {before!r} to {after!r}")


def batched_marks(graph: Graph, marks: Sequence[bool], transforms: Any) -> list[bool]:
    """Return which outputs of a graph are batched for given batched inputs."""
    return list(transforms.vmap(graph, list(marks))[1]) if any(marks) else [False] * len(graph.outputs)


@functools.cache
def examples() -> dict[str, Graph]:
    """Small graphs for the cases of these cards."""
    x = symbol(tensor_type(dtypes.float64, (3,)))
    c = symbol(tensor_type(dtypes.float64, ()))
    e = symbol(tensor_type(dtypes.float64, ()))
    n = symbol(tensor_type(dtypes.int64, ()))
    product = ops.multiply(x, c)
    graphs = {
        "product": ([x, c], [product, ops.add(x, c)]),
        "square": ([x, c], [ops.multiply(x, x), ops.multiply(c, x)]),
        "step": ([x, e, c], [ops.add(product, e), ops.multiply(x, e)]),  # carry, element, constant -> carry, result
        "goes on": ([n, x, c], [ops.cast(n, dtype=dtypes.bool_)]),
        "countdown": ([n, x, c], [ops.add(n, -1), product]),
    }
    return {name: Graph(*graph, name=name) for name, graph in graphs.items()}
