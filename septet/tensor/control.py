"""Control flow inside graphs: Python functions of tensors, traced into sub-graphs of `call`, `cond`, `while_loop` and
`scan`.

What a function takes from outside (tensors of the enclosing scope, variables) becomes a further input of the op, so
gradients flow to it. A variable that the function assigns to is handed on like a carried value, and assigned to after
the op.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from septet.base import dtypes
from septet.base.errors import ArgumentError, DTypeError, NotSupportedError, ShapeError
from septet.base.text import type_text
from septet.graph.context import SYMBOLIC
from septet.graph.node import Node
from septet.graph.op import as_node, cast_to
from septet.graph.types import tensor_type
from septet.ops import control as ops_control
from septet.ops.call import call as ops_call
from septet.ops.subgraph import fits
from septet.tensor import tree
from septet.tensor.capture import (
    Capture,
    assign,
    carried_nodes,
    check_callable,
    check_carried,
    check_structure,
    finish,
    handles,
    lift_numbers,
    name_of,
    returned_nodes,
    run,
)  # fmt: skip
from septet.tensor.tensor import Tensor
from septet.tensor.wrap import unwrap

RETRIES = 4  # a first value that is a Python number may rise from integer to float32 to float64, which is then checked

# call and cond: the arguments may hold anything; tensors become inputs, the rest is fixed.


class _Arguments:
    """The arguments of a function: tensors as nodes, everything else as it is."""

    def __init__(self, args: Any, capture: Capture) -> None:
        leaves, self._structure = tree.flatten(args)
        self._rest = leaves
        self.operands = [leaf.node for leaf in leaves if isinstance(leaf, Tensor)]
        self.symbols = [capture.argument(node.tensor_type) for node in self.operands]

    def handles(self) -> Any:
        """Return the arguments with symbols in place of the tensors."""
        rest = iter(self.symbols)
        leaves = [Tensor(next(rest)) if isinstance(leaf, Tensor) else leaf for leaf in self._rest]
        return tree.unflatten(self._structure, leaves)


def call(fn: Callable[..., Any], *args: Any) -> Any:
    """Call a function as one op of the graph: a boundary that stays visible in pictures, profiles and compiled code.

    Parameters
    ----------
    fn : callable
        Function of tensors; traced once for each call.
    *args
        Tensors, or tuples, lists and dicts of them; anything else is passed on as it is.

    Returns
    -------
    Whatever the function returns.

    Gradient
    --------
    yes, of any order

    Examples
    --------
    >>> import septet as st
    >>> st.call(lambda x: x * 2, st.tensor([1.0, 2.0]))
    tensor([2., 4.], dtype=float32)
    """
    check_callable("call", fn=fn)
    capture = Capture("call")
    arguments = _Arguments(args, capture)
    result, trace = run(fn, arguments.handles())
    leaves, structure = tree.flatten(result)
    outputs = returned_nodes("call", "the result", leaves, tree.paths(result), None)
    variables = list(trace.updates)
    carried = [capture.carry(variable) for variable in variables]
    first = [variable.node for variable in variables]
    roots = [*outputs, *trace.updates.values()]
    capture.follow([*roots, *trace.effects])
    graph = capture.graph([*arguments.symbols, *carried], roots, trace.effects, name_of(fn))
    found = finish(ops_call, [*arguments.operands, *first, *capture.operands], (graph,), [graph])
    assign(variables, found[len(outputs) :])
    return handles(structure, found[: len(outputs)])


def cond(pred: Any, true_fn: Callable[..., Any], false_fn: Callable[..., Any], *args: Any) -> Any:
    """Compute one of two functions.

    A predicate that has a value (define-by-run code) decides at once, and only that function is called. A symbolic one,
    inside ``st.compile``, ``st.function`` or a transform, becomes part of the graph: both functions are traced, and one
    of them is computed when the graph runs.

    Parameters
    ----------
    pred : bool or scalar tensor
    true_fn, false_fn : callable
        Functions of `args`; their results have the same structure, dtypes and shapes.
    *args
        Tensors, or tuples, lists and dicts of them; anything else is passed on as it is.

    Returns
    -------
    What the function returned.

    Raises
    ------
    ArgumentError
        If the results have different structures.
    DTypeError, ShapeError
        If a result has different types in the two functions; the message says which.

    Gradient
    --------
    yes, of any order, through the branch that was computed

    Examples
    --------
    >>> import septet as st
    >>> st.cond(st.tensor(2.0) > 1, lambda x: x + 1, lambda x: x - 1, st.tensor(5.0))
    tensor(6., dtype=float32)
    """
    check_callable("cond", true_fn=true_fn, false_fn=false_fn)
    predicate = as_node(unwrap(pred))
    if predicate.shape != ():
        raise ShapeError(
            f"cond: the predicate is {predicate.tensor_type!r}; it decides between two functions, so it is a scalar",
            hint="reduce it with .any() or .all(), or choose element by element with st.where",
        )
    if not predicate.flags & SYMBOLIC:
        return (true_fn if Tensor(predicate) else false_fn)(*args)
    capture = Capture("cond")
    arguments = _Arguments(args, capture)
    results, traces = zip(*[run(fn, arguments.handles()) for fn in (true_fn, false_fn)], strict=True)
    flat = [tree.flatten(result) for result in results]
    structure = flat[0][1]
    check_structure("cond", "the result of false_fn", structure, flat[1][1], ("true_fn returns", "false_fn returns"))
    outputs = _branch_outputs([leaves for leaves, _ in flat], tree.paths(results[0]))
    variables = list(dict.fromkeys([*traces[0].updates, *traces[1].updates]))
    carried = [capture.carry(variable) for variable in variables]
    first = [variable.node for variable in variables]
    roots = [
        [*own, *[trace.updates.get(variable, before) for variable, before in zip(variables, carried, strict=True)]]
        for own, trace in zip(outputs, traces, strict=True)
    ]
    for own, trace in zip(roots, traces, strict=True):
        capture.follow([*own, *trace.effects])
    graphs = [
        capture.graph([*arguments.symbols, *carried], own, trace.effects, name_of(fn))
        for own, trace, fn in zip(roots, traces, (true_fn, false_fn), strict=True)
    ]
    inputs = [cast_to(predicate, dtypes.bool_), *arguments.operands, *first, *capture.operands]
    found = finish(ops_control.cond, inputs, tuple(graphs), graphs)
    count = len(outputs[0])
    assign(variables, found[count:])
    return handles(structure, found[:count])


def _branch_outputs(leaves: Sequence[Sequence[Any]], paths: Sequence[str]) -> list[list[Node]]:
    """Return the nodes of both branches; a Python number takes its dtype from the other branch."""
    result: list[list[Node]] = [[], []]
    for a, b, path in zip(*leaves, paths, strict=True):
        like = [unwrap(x).dtype if isinstance(x, Tensor) else None for x in (b, a)]
        pair = [returned_nodes("cond", "the result", [x], [path], None)[0] for x in (a, b) if isinstance(x, Tensor)]
        pair = [
            pair.pop(0) if isinstance(x, Tensor) else as_node(unwrap(x), dtype)
            for x, dtype in zip((a, b), like, strict=True)
        ]
        types = [node.tensor_type for node in pair]
        message = f"cond: the result{path} is {types[0]!r} from true_fn and {types[1]!r} from false_fn"
        if types[0].dtype != types[1].dtype:
            raise DTypeError(message, hint="convert one of them with .astype")
        if not fits(types[0].shape, types[1].shape):
            raise ShapeError(message, hint="both functions return the same shapes; broadcast or reshape one of them")
        for own, node in zip(result, pair, strict=True):
            own.append(node)
    return result


# while_loop and scan: what is carried is tensors only.


def while_loop(cond_fn: Callable[..., Any], body_fn: Callable[..., Any], *init: Any) -> Any:
    """Repeat a function as long as a condition on its values holds.

    Parameters
    ----------
    cond_fn : callable
        ``cond_fn(*values) -> scalar tensor of dtype bool``.
    body_fn : callable
        ``body_fn(*values) -> values``: the next ones, of the same structure and types (one value alone, several as a
        tuple).
    *init
        The first values: tensors, numbers, or tuples, lists and dicts of them.

    Returns
    -------
    The last values: one alone, several as a tuple.

    Raises
    ------
    DTypeError, ShapeError, ArgumentError
        If the body changes dtype, shape or structure of a value, or the condition is not a scalar bool.

    Gradient
    --------
    Forward mode only (``st.jvp``). `scan`, and `fori_loop` with fixed bounds, have both.

    Examples
    --------
    >>> import septet as st
    >>> st.while_loop(lambda n: n < 100, lambda n: n * 3, st.tensor(1))
    tensor(243, dtype=int64)
    """
    check_callable("while_loop", cond_fn=cond_fn, body_fn=body_fn)
    if not init:
        raise ArgumentError("while_loop needs at least one first value", hint="st.while_loop(condition, body, x)")
    leaves, structure = tree.flatten(init)
    paths = [f"value{path}" for path in tree.paths(init)]
    nodes = carried_nodes("while_loop", leaves, paths)
    for _ in range(RETRIES):
        capture = Capture("while_loop")
        symbols = [capture.argument(node.tensor_type) for node in nodes]
        tests, asked = run(cond_fn, handles(structure, symbols))
        result, trace = run(body_fn, handles(structure, symbols))
        result = result if len(init) != 1 else (result,)
        result = tuple(result) if isinstance(result, list) else result
        found, after = tree.flatten(result)
        check_structure("while_loop", "what body_fn returns", structure, after, ("init is", "body_fn returns"))
        outputs = returned_nodes("while_loop", "value", found, tree.paths(result), nodes)
        if not lift_numbers(nodes, leaves, outputs):
            break
    check_carried("while_loop", "body_fn", nodes, outputs, paths)
    test = as_node(unwrap(tests))
    if test.tensor_type is not tensor_type(dtypes.bool_, ()):
        raise ArgumentError(
            f"while_loop: cond_fn returns {test.tensor_type!r}; it must return a scalar of dtype bool",
            hint="compare, or reduce with .any() or .all()",
        )
    if asked.updates:
        names = ", ".join(repr(variable.name) for variable in asked.updates)
        raise NotSupportedError(f"while_loop: cond_fn assigns to {names}", hint="assign in body_fn")
    variables = list(trace.updates)
    carried = [capture.carry(variable) for variable in variables]
    first = [variable.node for variable in variables]
    roots = [*outputs, *trace.updates.values()]
    capture.follow([*roots, *trace.effects, test, *asked.effects])
    own = [*symbols, *carried]
    condition = capture.graph(own, [test], asked.effects, name_of(cond_fn))
    body = capture.graph(own, roots, trace.effects, name_of(body_fn))
    inputs = [*nodes, *first, *capture.operands]
    last = finish(ops_control.while_loop, inputs, (condition, body, len(own)), [condition, body])
    assign(variables, last[len(nodes) :])
    values = handles(structure, last[: len(nodes)])
    return values[0] if len(init) == 1 else values


def scan(
    fn: Callable[..., Any], init: Any, xs: Any = None, length: Any = None, reverse: bool = False
) -> tuple[Any, Any]:
    """Run a function over the steps of sequences, handing a state on from step to step.

    The same as this Python loop, as one op of the graph::

        carry, ys = init, []
        for x in xs:
            carry, y = fn(carry, x)
            ys.append(y)
        return carry, stack(ys)

    Parameters
    ----------
    fn : callable
        ``fn(carry, x) -> (carry, y)``; the carry keeps its structure, dtypes and shapes.
    init : tensor, number, or tuple, list or dict of them
        The first carry; None where nothing is carried.
    xs : tensor, or tuple, list or dict of tensors, optional
        Sequences of equal length, with the steps on axis 0.
    length : int or integer scalar tensor, optional
        The number of steps, where there are no sequences.
    reverse : bool
        Whether to go from the last step to the first; ``y[i]`` belongs to ``x[i]`` all the same.

    Returns
    -------
    carry
        The last one.
    ys
        The results of the steps, stacked on axis 0.

    Shape
    -----
    init ``S``, xs ``(T, ...)`` -> carry ``S``, ys ``(T, ...)``

    Raises
    ------
    DTypeError, ShapeError, ArgumentError
        If `fn` changes dtype, shape or structure of the carry (the message names the part), if sequences differ in
        length, or if there are neither sequences nor a length.

    Gradient
    --------
    yes, of any order: a scan in the other direction over the carries before each step, which are kept

    Examples
    --------
    >>> import septet as st
    >>> total, sums = st.scan(lambda s, x: (s + x, s + x), 0.0, st.tensor([1.0, 2.0, 3.0]))
    >>> sums
    tensor([1., 3., 6.], dtype=float32)
    """
    check_callable("scan", fn=fn)
    leaves, structure = tree.flatten(init)
    paths = [f"carry{path}" for path in tree.paths(init)]
    nodes = carried_nodes("scan", leaves, paths)
    x_leaves, x_structure = tree.flatten(xs)
    sequences = carried_nodes("scan", x_leaves, [f"xs{path}" for path in tree.paths(xs)])
    steps = _steps(sequences, [f"xs{path}" for path in tree.paths(xs)], unwrap(length))
    for _ in range(RETRIES):
        capture = Capture("scan")
        symbols = [capture.argument(node.tensor_type) for node in nodes]
        elements = [capture.argument(tensor_type(node.dtype, node.shape[1:])) for node in sequences]
        result, trace = run(fn, (handles(structure, symbols), handles(x_structure, elements)))
        if not isinstance(result, (tuple, list)) or len(result) != 2:
            raise ArgumentError(f"scan: {name_of(fn)} must return a pair (carry, y), got {type(result).__name__}")
        found, after = tree.flatten(result[0])
        check_structure("scan", f"the carry that {name_of(fn)} returns", structure, after, ("init is", "it returns"))
        carried = returned_nodes("scan", "carry", found, tree.paths(result[0]), nodes)
        if not lift_numbers(nodes, leaves, carried):
            break
    check_carried("scan", name_of(fn), nodes, carried, paths)
    y_leaves, y_structure = tree.flatten(result[1])
    ys = returned_nodes("scan", "y", y_leaves, tree.paths(result[1]), None)
    variables = list(trace.updates)
    states = [capture.carry(variable) for variable in variables]
    first = [variable.node for variable in variables]
    roots = [*carried, *trace.updates.values()]
    capture.follow([*roots, *ys, *trace.effects])
    initial, own = [*nodes, *first], [*symbols, *states]
    outputs = [*roots, *ys]
    if any(node.is_tracked for node in (*initial, *sequences, *capture.operands)):
        outputs += [node for node in own if node not in ys]  # the gradient wants the carries before each step
    body = capture.graph([*own, *elements], outputs, trace.effects, name_of(fn))
    inputs = [*initial, *sequences, *capture.operands]
    if isinstance(steps, Node):
        inputs.append(steps)
    params = (body, len(own), len(sequences), None if isinstance(steps, Node) else steps, bool(reverse))
    last = finish(ops_control.scan, inputs, params, [body])
    assign(variables, last[len(nodes) : len(own)])
    stacks = last[len(own) : len(own) + len(ys)]
    return handles(structure, last[: len(nodes)]), handles(y_structure, stacks)


def _steps(sequences: Sequence[Node], paths: Sequence[str], length: Any) -> Any:
    """Return the number of steps: an int, a scalar node where only a tensor tells it, None where a sequence does."""
    if isinstance(length, Node):
        if length.shape != () or not dtypes.is_integer(length.dtype):
            raise ArgumentError(f"scan: length must be an integer scalar, got {length.tensor_type!r}")
        if length.flags & SYMBOLIC:
            if sequences:
                raise ArgumentError("scan: the sequences tell the length; leave length out where it is symbolic")
            return length
        length = int(Tensor(length))
    if length is not None and (not isinstance(length, int) or isinstance(length, bool) or length < 0):
        raise ArgumentError(f"scan: length must be an integer that is not negative, got {length!r}")
    if not sequences and length is None:
        raise ArgumentError("scan needs sequences xs or a length", hint="st.scan(fn, init, length=10)")
    known, origin = length, "length"
    for node, path in zip(sequences, paths, strict=True):
        if node.ndim == 0:
            raise ShapeError(f"scan: {path} is a scalar; a sequence has its steps on axis 0")
        size = node.shape[0]
        if size is not None and known is not None and size != known:
            raise ShapeError(
                f"scan: {path} has {size} steps ({type_text(node)}), {origin} has {known}"
                if origin != "length"
                else f"scan: {path} has {size} steps ({type_text(node)}), length is {known}"
            )
        if size is not None and known is None:
            known, origin = size, path
    return known


def fori_loop(low: Any, high: Any, body_fn: Callable[..., Any], init: Any) -> Any:
    """Repeat a function for the integers from `low` to `high` (not included), handing a value on.

    Parameters
    ----------
    low, high : int or integer scalar tensor
        With two ints the loop is a `scan`, which has a gradient; otherwise it is a `while_loop`, which has none in
        reverse mode.
    body_fn : callable
        ``body_fn(i, value) -> value`` of the same structure and types.
    init : tensor, number, or tuple, list or dict of them

    Returns
    -------
    The last value.

    Examples
    --------
    >>> import septet as st
    >>> st.fori_loop(0, 5, lambda i, x: x + i, st.tensor(0))
    tensor(10, dtype=int64)
    """
    check_callable("fori_loop", body_fn=body_fn)
    if isinstance(low, int) and isinstance(high, int):

        def step(carry: Any, _: Any) -> Any:
            i, value = carry
            return (i + 1, body_fn(i, value)), None

        (_, last), _ = scan(step, (Tensor(as_node(low, dtypes.int64)), init), length=max(high - low, 0))
        return last
    end = as_node(unwrap(high), dtypes.int64)
    begin = cast_to(as_node(unwrap(low), dtypes.int64), end.dtype)
    if end.shape != () or begin.shape != () or not dtypes.is_integer(end.dtype):
        raise ArgumentError(f"fori_loop: bounds are integer scalars, got {begin.tensor_type!r} and {end.tensor_type!r}")
    limit = Tensor(end)
    _, last = while_loop(lambda i, value: i < limit, lambda i, value: (i + 1, body_fn(i, value)), Tensor(begin), init)
    return last


def map(fn: Callable[..., Any], xs: Any) -> Any:
    """Apply a function to each element along axis 0, one after the other, and stack the results.

    It computes what ``st.vmap(fn)(xs)`` computes, with the memory of one element.

    Parameters
    ----------
    fn : callable
    xs : tensor, or tuple, list or dict of tensors of equal length
        `fn` receives the same structure, without axis 0.

    Returns
    -------
    The results, stacked on axis 0.

    Gradient
    --------
    yes, of any order

    Examples
    --------
    >>> import septet as st
    >>> st.map(lambda x: x.sum(), st.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor([3., 7.], dtype=float32)
    """
    check_callable("map", fn=fn)
    return scan(lambda _, x: (None, fn(x)), None, xs)[1]


__all__ = ["call", "cond", "fori_loop", "map", "scan", "while_loop"]
