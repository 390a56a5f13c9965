"""Control flow over sub-graphs: cond, while_loop, scan.

A sub-graph is closed: everything that it needs comes in through its inputs, and it neither reads nor updates variables.
The functions of `septet.tensor.control` make such graphs of Python functions. Sizes that are None on one side fit any
size on the other; where they differ after all, the graph's own ops say so when it runs. The results of the two graphs
of `cond` may differ in size where that was not known when they were traced.

These cards work on results as a tuple: use `items(node)`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from septet.base import dtypes
from septet.base.dtypes import DType
from septet.base.errors import ArgumentError, DTypeError, ShapeError
from septet.base.shapes import Shape
from septet.base.sizes import Size
from septet.base.text import shape_text
from septet.graph import cost
from septet.graph.graph import Graph
from septet.graph.node import Node, symbol
from septet.graph.op import REQUIRED, BadCase, Case, SizeInputs, card, items, ops, record
from septet.graph.types import TensorType, tensor_type
from septet.ops.shaping import transpose, zeros_like
from septet.ops.subgraph import (
    batch_size,
    batched,
    batched_marks,
    check_carry,
    check_dtypes,
    check_graph,
    check_shapes,
    examples,
    is_smooth,
    is_zero,
    out_dtypes,
    pullback,
    pushforward,
    repeat,
    select,
    spread,
    types_of,
    wanted_inputs,
)  # fmt: skip

# cond


def _cond_dtype(
    predicate: DType, *given: DType, then_graph: Graph, else_graph: Graph
) -> tuple[tuple[DType, ...], tuple[DType, ...]]:
    check_graph(then_graph, "then_graph")
    check_graph(else_graph, "else_graph")
    check_dtypes(then_graph, given, "the graph of the true branch", 1)
    check_dtypes(else_graph, given, "the graph of the false branch", 1)
    first, second = out_dtypes(then_graph), out_dtypes(else_graph)
    if len(first) != len(second):
        raise ArgumentError(f"the true branch has {len(first)} results, the false branch {len(second)}")
    for index, (a, b) in enumerate(zip(first, second, strict=True)):
        if a != b:
            raise DTypeError(
                f"result {index} is {a.name} in the true branch and {b.name} in the false branch",
                hint="convert one of them with .astype",
            )
    return (dtypes.bool_, *given), first


def _cond_shape(predicate: Shape, *given: Shape, then_graph: Graph, else_graph: Graph) -> tuple[Shape, ...]:
    if predicate != ():
        raise ShapeError(
            f"the predicate has shape {shape_text(predicate)}; it decides between two branches, so it is a scalar",
            marks=[(0, axis) for axis in range(len(predicate))],
            hint="reduce it with .any() or .all(), or choose element by element with st.where",
        )
    check_shapes(then_graph, given, "the graph of the true branch", 1)
    check_shapes(else_graph, given, "the graph of the false branch", 1)
    shapes = []
    for index, (a, b) in enumerate(zip(types_of(then_graph.outputs), types_of(else_graph.outputs), strict=True)):
        if len(a.shape) != len(b.shape):
            raise ShapeError(f"result {index} is {a!r} in the true branch and {b!r} in the false branch")
        shapes.append(tuple(s if s == t else None for s, t in zip(a.shape, b.shape, strict=True)))
    return tuple(shapes)


def _cond_reference(predicate: Any, *operands: Any, then_graph: Graph, else_graph: Graph, run: Any) -> list[Any]:
    graph = then_graph if predicate else else_graph
    return run(graph, operands)[: len(graph.outputs)]


def _cond_gradient(
    g: Any, y: Any, predicate: Node, *inputs: Node, then_graph: Graph, else_graph: Graph, transforms: Any
) -> list[Node | None]:
    wanted = wanted_inputs(inputs)
    if not wanted:
        return [None] * (len(inputs) + 1)
    seeds = [part for part, node in zip(g, then_graph.outputs, strict=True) if is_smooth(node)]
    both = [pullback(graph, wanted, transforms) for graph in (then_graph, else_graph)]
    found = iter(items(cond(predicate, *inputs, *seeds, then_graph=both[0], else_graph=both[1])))
    return [None, *[next(found) if index in wanted else None for index in range(len(inputs))]]


def _cond_tangent(
    tangents: Any, y: Any, predicate: Node, *inputs: Node, then_graph: Graph, else_graph: Graph, transforms: Any
) -> tuple[Node | None, ...]:
    moving = [index for index, t in enumerate(tangents[1:]) if t is not None]
    both = [pushforward(graph, moving, transforms) for graph in (then_graph, else_graph)]
    given = [tangents[index + 1] for index in moving]
    return spread(then_graph.outputs, items(cond(predicate, *inputs, *given, then_graph=both[0], else_graph=both[1])))


def _cond_batch(
    is_batched: Sequence[bool], predicate: Node, *inputs: Node, then_graph: Graph, else_graph: Graph, transforms: Any
) -> tuple[Node, ...]:
    marks = list(is_batched[1:])
    if not is_batched[0]:
        both = [batched(graph, marks, None, transforms) for graph in (then_graph, else_graph)]
        return items(cond(predicate, *inputs, then_graph=both[0], else_graph=both[1]))
    size = batch_size([predicate], [True])
    if any(marks):
        both = [batched(graph, marks, None, transforms) for graph in (then_graph, else_graph)]
        results = [graph(*inputs) for graph in both]
    else:
        results = [tuple([repeat(node, size) for node in graph(*inputs)]) for graph in (then_graph, else_graph)]
    return tuple([select(predicate, a, b) for a, b in zip(*results, strict=True)])


def _cond_words() -> dict[str, Any]:
    return {"then_graph": examples()["product"], "else_graph": examples()["square"]}


cond = card(
    "cond", "predicate *operands", params={"then_graph": REQUIRED, "else_graph": REQUIRED}, public=False,
    bodies={"then_graph": 1, "else_graph": 1}, summary="Run one of two graphs.",
    param_docs={"then_graph": "Runs where the predicate is true.", "else_graph": "Runs where it is false."},
    notes="With a batch of predicates (in `vmap`) both graphs run, and the results are selected element by element.",
    shape=_cond_shape, dtype=_cond_dtype, reference=_cond_reference, gradient=_cond_gradient, tangent=_cond_tangent,
    batch=_cond_batch,
    flops=lambda y, *operands, then_graph, else_graph: max(cost.total(then_graph.nodes), cost.total(else_graph.nodes)),
    cases=lambda: [Case(predicate, (3,), (), **_cond_words()) for predicate in (np.True_, np.False_)],
    bad=lambda: [
        BadCase(np.ones(2, bool), (3,), (), **_cond_words(), error=ShapeError, match="scalar"),
        BadCase(np.True_, (3,), **_cond_words(), error=ArgumentError, match="takes 2 operands"),
    ],
)  # fmt: skip


# while_loop


def _while_dtype(
    *given: DType, condition: Graph, body: Graph, carries: int
) -> tuple[tuple[DType, ...], tuple[DType, ...]]:
    check_graph(condition, "condition")
    check_graph(body, "body")
    check_dtypes(condition, given, "the condition")
    check_dtypes(body, given, "the body")
    if types_of(condition.outputs) != [tensor_type(dtypes.bool_, ())]:
        raise ArgumentError(
            f"the condition gives {types_of(condition.outputs)!r}; it must give one scalar of dtype bool"
        )
    if len(body.outputs) != carries:
        raise ArgumentError(f"the body has {len(body.outputs)} results for {carries} carried values")
    check_carry(body, carries, "body")
    return given, given[:carries]


def _while_shape(*given: Shape, condition: Graph, body: Graph, carries: int) -> tuple[Shape, ...]:
    check_shapes(condition, given, "the condition")
    check_shapes(body, given, "the body")
    return tuple(
        tuple(s if s == t else None for s, t in zip(shape, node.shape, strict=True))
        for shape, node in zip(given[:carries], body.inputs, strict=False)
    )


def _while_reference(*operands: Any, condition: Graph, body: Graph, carries: int, run: Any) -> list[Any]:
    values, constants = list(operands[:carries]), operands[carries:]
    while run(condition, [*values, *constants])[0]:
        values = run(body, [*values, *constants])[:carries]
    return values


def _while_tangent(
    tangents: Any, y: Any, *inputs: Node, condition: Graph, body: Graph, carries: int, transforms: Any
) -> tuple[Node | None, ...]:
    moving = [index for index in range(carries) if is_smooth(inputs[index])]
    moving += [index for index in range(carries, len(inputs)) if tangents[index] is not None]
    n_carried = sum(index < carries for index in moving)
    forward = pushforward(body, moving, transforms)
    marks = forward.inputs[len(inputs) :]
    own = [*body.inputs[:carries], *marks[:n_carried], *body.inputs[carries:], *marks[n_carried:]]
    step = Graph(own, [*body.outputs, *forward.outputs])
    test_inputs = [symbol(node.tensor_type) for node in own]
    asked = [*test_inputs[:carries], *test_inputs[carries + n_carried :][: len(inputs) - carries]]
    test = Graph(test_inputs, condition(*asked))
    given = [zeros_like(inputs[i]) if tangents[i] is None else tangents[i] for i in moving]
    found = items(
        while_loop(
            *inputs[:carries], *given[:n_carried], *inputs[carries:], *given[n_carried:],
            condition=test, body=step, carries=carries + n_carried,
        )
    )  # fmt: skip
    return spread(inputs[:carries], found[carries:])


def _while_batch(
    is_batched: Sequence[bool], *inputs: Node, condition: Graph, body: Graph, carries: int, transforms: Any
) -> tuple[Node, ...]:
    size = batch_size(inputs, is_batched)
    marks = list(is_batched)
    while True:  # a carried value is batched where the body makes it so, or where examples stop at different times
        ends = batched_marks(condition, marks, transforms)[0]
        after = [True] * carries if ends else batched_marks(body, marks, transforms)
        grown = [a or b for a, b in zip(marks, after, strict=False)] + marks[carries:]
        if grown == marks:
            break
        marks = grown
    values = [repeat(x, size) if now and not was else x for x, now, was in zip(inputs, marks, is_batched, strict=True)]
    if any(marks):
        step = batched(body, marks, marks[:carries], transforms)
        test = transforms.vmap(condition, marks)[0]
    else:
        step, test = body, condition
    if ends:
        going = test(*step.inputs)[0]
        pairs = zip(step.outputs, step.inputs, strict=False)
        step = step.with_roots([select(going, new, old) for new, old in pairs])
        test = test.with_roots([ops.any(test.outputs[0])])
    found = items(while_loop(*values, condition=test, body=step, carries=carries))
    return tuple([node if mark else repeat(node, size) for node, mark in zip(found, marks, strict=False)])


def _while_words() -> dict[str, Any]:
    return {"condition": examples()["goes on"], "body": examples()["countdown"], "carries": 2}


while_loop = card(
    "while_loop", "*operands", params={"condition": REQUIRED, "body": REQUIRED, "carries": REQUIRED}, public=False,
    bodies={"body": 0, "condition": 0}, summary="Run a graph again and again, as long as another one says so.",
    param_docs={
        "condition": "From carried values and constants to a scalar of dtype bool.",
        "body": "From carried values and constants to the next carried values.",
        "carries": "How many of the operands are carried; the others are constants.",
    },
    shape=_while_shape, dtype=_while_dtype, reference=_while_reference, tangent=_while_tangent, batch=_while_batch,
    flops=lambda y, *operands, condition, body, **words: cost.total([*condition.nodes, *body.nodes]),  # of one step
    no_gradient="the number of steps is not known beforehand, so the values of each step cannot be kept; st.scan or "
    "st.fori_loop with fixed bounds has a gradient, and forward mode (st.jvp) goes through st.while_loop",
    cases=lambda: [Case(np.int64(steps), (3,), (), **_while_words()) for steps in (3, 0)],
    bad=lambda: [
        BadCase(np.int64(3), (4,), (), **_while_words(), error=ShapeError, match="operand 1 has shape"),
        BadCase(np.int64(3), (3,), **_while_words(), error=ArgumentError, match="takes 3 operands, got 2"),
    ],
)  # fmt: skip


# scan


def _scan_canonical(
    types: Sequence[TensorType], body: Any, carries: int, sequences: int, length: Any, reverse: Any
) -> dict[str, Any]:
    check_graph(body, "body")
    for position in range(carries, carries + sequences):
        type_ = types[position]
        if type_.ndim == 0:
            raise ShapeError(f"operand {position} is a scalar; a sequence has its steps on axis 0")
        size = type_.shape[0]
        if length is not None and size is not None and size != length:
            raise ShapeError(f"operand {position} has {size} steps, the scan {length}", marks=[(position, 0)])
        length = size if length is None else length
    return {
        "body": body, "carries": int(carries), "sequences": int(sequences),
        "length": length if length is None or type(length) is Size else int(length), "reverse": bool(reverse),
    }  # fmt: skip


def _has_length_input(sequences: int, length: int | None) -> bool:
    return sequences == 0 and length is None


class _Length(SizeInputs):
    """The number of steps, where no sequence tells it."""

    def count(self, words: dict[str, Any]) -> int:
        return int(_has_length_input(words["sequences"], words["length"]))


def _scan_dtype(
    *given: DType, body: Graph, carries: int, sequences: int, length: int | None, reverse: bool
) -> tuple[tuple[DType, ...], tuple[DType, ...]]:
    own = given[:-1] if _has_length_input(sequences, length) else given
    check_dtypes(body, own, "the body")
    check_carry(body, carries, "body")
    return given, out_dtypes(body)


def _scan_shape(
    *given: Shape, body: Graph, carries: int, sequences: int, length: int | None, reverse: bool
) -> tuple[Shape, ...]:
    own = list(given[:-1]) if _has_length_input(sequences, length) else list(given)
    for position in range(carries, carries + sequences):
        own[position] = own[position][1:]
    check_shapes(body, own, "the body")
    carried = [
        tuple(s if s == t else None for s, t in zip(shape, node.shape, strict=True))
        for shape, node in zip(own[:carries], body.inputs, strict=False)
    ]
    return (*carried, *[(length, *type_.shape) for type_ in types_of(body.outputs[carries:])])


def _scan_reference(
    *operands: Any, body: Graph, carries: int, sequences: int, length: int | None, reverse: bool, run: Any
) -> list[Any]:
    values = list(operands[:carries])
    xs = operands[carries : carries + sequences]
    constants = operands[carries + sequences :]
    if _has_length_input(sequences, length):
        length, constants = int(constants[-1]), constants[:-1]
        if length < 0:
            raise ArgumentError(f"the length is {length}")
    lengths = {len(x) for x in xs} | ({int(length)} if length is not None else set())
    if len(lengths) > 1:
        raise ShapeError(f"the sequences have {', '.join(str(len(x)) for x in xs)} steps; they must be equally long")
    steps = range(lengths.pop())
    rows: list[list[Any]] = []
    for step in reversed(steps) if reverse else steps:
        found = run(body, [*values, *[x[step] for x in xs], *constants])
        values = found[:carries]
        rows.append(found[carries : len(body.outputs)])
    if reverse:
        rows.reverse()
    stacks = []
    for index, type_ in enumerate(types_of(body.outputs[carries:])):
        if rows:
            stacks.append(np.stack([row[index] for row in rows]))
        else:
            stacks.append(np.zeros((0, *[size or 0 for size in type_.shape]), type_.dtype))
    return [*values, *stacks]


class Parts:
    """The operands of a scan, by what they are."""

    def __init__(self, inputs: Sequence[Node], carries: int, sequences: int, length: int | None) -> None:
        end = len(inputs) - _has_length_input(sequences, length)
        self.initial = list(inputs[:carries])
        self.sequences = list(inputs[carries : carries + sequences])
        self.constants = list(inputs[carries + sequences : end])
        self.length: Any = inputs[end] if end < len(inputs) else length
        self.first_constant = carries + sequences
        self.end = end


def record_scan(
    initial: Sequence[Node],
    sequences: Sequence[Node],
    constants: Sequence[Node],
    body: Graph,
    length: Any,
    reverse: bool,
) -> tuple[Node, ...]:
    """Record a scan and return its results; `length` is an int, a scalar node, or None where a sequence has it."""
    rest: list[Node] = []
    if isinstance(length, Node):
        if not sequences:
            rest.append(length)
        length = None
    inputs = (*initial, *sequences, *constants, *rest)
    return items(record(scan, inputs, (body, len(initial), len(sequences), length, reverse)))


def _saved_carries(y: Sequence[Node], parts: Parts, body: Graph, carries: int, reverse: bool) -> list[Node]:
    """Return the carried values before each step, stacked: results of the scan itself, or of one more."""
    place = {node: index for index, node in enumerate(body.outputs) if index >= carries}
    missing = [node for node in body.inputs[:carries] if node not in place]
    extra: dict[Node, Node] = {}
    if missing:
        keeping = Graph(body.inputs, [*body.outputs[:carries], *missing], name=f"save {body.name}")
        found = record_scan(parts.initial, parts.sequences, parts.constants, keeping, parts.length, reverse)
        extra = dict(zip(missing, found[carries:], strict=True))
    return [extra[node] if node in extra else y[place[node]] for node in body.inputs[:carries]]


def _scan_gradient(
    g: Any, y: Any, *inputs: Node, body: Graph, carries: int, sequences: int, length: int | None, reverse: bool,
    transforms: Any,
) -> list[Node | None]:  # fmt: skip
    parts = Parts(inputs, carries, sequences, length)
    wanted = set(wanted_inputs(inputs[: parts.end]))
    moving = [index for index in range(carries) if is_smooth(body.inputs[index])]
    steps = [index for index in range(carries, parts.first_constant) if index in wanted]
    fixed = [index for index in range(parts.first_constant, parts.end) if index in wanted]
    seeded = [
        index for index in range(carries, len(body.outputs)) if is_smooth(body.outputs[index]) and not is_zero(g[index])
    ]
    # The body backward: from the cotangents after a step to those before it, adding up what the constants receive.
    down = {index: symbol(body.inputs[index].tensor_type) for index in moving}
    sums = [symbol(body.inputs[index].tensor_type) for index in fixed]
    seeds = {index: symbol(body.outputs[index].tensor_type) for index in seeded}
    cotangents = [down.get(index, seeds.get(index)) for index in range(len(body.outputs))]
    targets = [body.inputs[index] for index in (*moving, *steps, *fixed)]
    pulled = transforms.vjp(body.outputs, cotangents, targets)
    found = {index: g_ for index, g_ in zip((*moving, *steps, *fixed), pulled, strict=True)}

    def result(index: int) -> Node:
        own = found[index]
        return zeros_like(body.inputs[index]) if own is None else own

    added = []
    for index, total in zip(fixed, sums, strict=True):
        own = found[index]
        added.append(total if own is None else total + own)
    backward = Graph(
        [
            *down.values(),
            *sums,
            *body.inputs[: parts.first_constant],
            *seeds.values(),
            *body.inputs[parts.first_constant :],
        ],
        [*[result(index) for index in moving], *added, *[result(index) for index in steps]],
        name=f"pullback {body.name}",
    )
    first = [*[g[index] for index in moving], *[zeros_like(inputs[index]) for index in fixed]]
    saved = _saved_carries(y, parts, body, carries, reverse)
    stacks = [*saved, *parts.sequences, *[g[index] for index in seeded]]
    results = record_scan(first, stacks, parts.constants, backward, parts.length, not reverse)
    by_index = dict(zip((*moving, *fixed, *steps), results, strict=True))
    return [by_index.get(index) if index in wanted else None for index in range(len(inputs))]


def _scan_tangent(
    tangents: Any, y: Any, *inputs: Node, body: Graph, carries: int, sequences: int, length: int | None, reverse: bool,
    transforms: Any,
) -> tuple[Node | None, ...]:  # fmt: skip
    parts = Parts(inputs, carries, sequences, length)
    first = parts.first_constant
    carried = [index for index in range(carries) if is_smooth(inputs[index])]
    steps = [index for index in range(carries, first) if tangents[index] is not None]
    fixed = [index for index in range(first, parts.end) if tangents[index] is not None]
    forward = pushforward(body, [*carried, *steps, *fixed], transforms)
    marks = list(forward.inputs[len(body.inputs) :])
    a, b = len(carried), len(carried) + len(steps)
    step = Graph(
        [
            *body.inputs[:carries],
            *marks[:a],
            *body.inputs[carries:first],
            *marks[a:b],
            *body.inputs[first:],
            *marks[b:],
        ],
        [*body.outputs[:carries], *forward.outputs],
        name=forward.name,
    )
    initial = [zeros_like(inputs[i]) if tangents[i] is None else tangents[i] for i in carried]
    found = record_scan(
        [*parts.initial, *initial], [*parts.sequences, *[tangents[i] for i in steps]],
        [*parts.constants, *[tangents[i] for i in fixed]], step, parts.length, reverse,
    )  # fmt: skip
    return spread(body.outputs, found[carries:])


def _swap(x: Node) -> Node:
    """Exchange the first two axes."""
    return transpose(x, axes=(1, 0, *range(2, x.ndim)))


def _scan_batch(
    is_batched: Sequence[bool], *inputs: Node, body: Graph, carries: int, sequences: int, length: int | None,
    reverse: bool, transforms: Any,
) -> tuple[Node, ...]:  # fmt: skip
    parts = Parts(inputs, carries, sequences, length)
    if any(is_batched[parts.end :]):
        raise ArgumentError("scan: the length cannot differ within a batch")
    size = batch_size(inputs, is_batched)
    marks = list(is_batched[: parts.end])
    while True:  # a carried value is batched if its first value is, or if the body makes it so
        after = batched_marks(body, marks, transforms)
        grown = [a or b for a, b in zip(marks[:carries], after, strict=False)] + marks[carries:]
        if grown == marks:
            break
        marks = grown
    values = [
        repeat(x, size) if now and not was else x for x, now, was in zip(parts.initial, marks, is_batched, strict=False)
    ]
    stacks = [_swap(x) if mark else x for x, mark in zip(parts.sequences, marks[carries:], strict=False)]
    outputs = [*marks[:carries], *after[carries:]]
    step = batched(body, marks, outputs, transforms)
    found = record_scan(values, stacks, parts.constants, step, parts.length, reverse)
    results = [node if mark else repeat(node, size) for node, mark in zip(found, outputs, strict=True)]
    return tuple([_swap(x) if i >= carries and outputs[i] else x for i, x in enumerate(results)])


def _scan_words() -> dict[str, Any]:
    return {"body": examples()["step"], "carries": 1, "sequences": 1}


def _scan_flops(
    y: Any, *operands: Any, body: Graph, carries: int, sequences: int, length: int | None, reverse: bool
) -> int:
    """As many steps as are known beforehand; else one."""
    return (operands[carries][0] if sequences else length or 1) * cost.total(body.nodes)


scan = card(
    "scan", "*operands", public=False, bodies={"body": 0}, sizes=_Length("length"),
    params={"body": REQUIRED, "carries": REQUIRED, "sequences": REQUIRED, "length": None, "reverse": False},
    summary="Run a graph once for each step of sequences, handing values on from step to step.",
    param_docs={
        "body": "From carried values, one element of each sequence, and constants to the next carried values and the "
        "results of the step, which are stacked.",
        "carries": "How many of the operands are carried.",
        "sequences": "How many of the operands after them are sequences, with their steps on axis 0; the rest is "
        "constant.",
        "length": "The number of steps, where no sequence tells it; None without sequences takes it as a last operand.",
        "reverse": "Whether to start with the last step; results are stacked in the order of the sequences all "
        "the same.",
    },
    flops=_scan_flops,
    notes="The gradient is a scan in the other direction over the carried values before each step. They are "
    "results of the "
    "scan, if its body returns them, or of a second one.",
    canonical=_scan_canonical, shape=_scan_shape, dtype=_scan_dtype, reference=_scan_reference, gradient=_scan_gradient,
    tangent=_scan_tangent, batch=_scan_batch,
    cases=lambda: [
        Case((3,), (5,), (), **_scan_words()), Case((3,), (5,), (), reverse=True, **_scan_words()),
        Case((3,), (0,), (), **_scan_words()),
    ],
    bad=lambda: [
        BadCase((3,), (), (), **_scan_words(), error=ShapeError, match="scalar"),
        BadCase((3,), (5,), (), length=4, **_scan_words(), error=ShapeError, match="5 steps"),
        BadCase((4,), (5,), (), **_scan_words(), error=ShapeError, match="operand 0 has shape"),
    ],
)  # fmt: skip
