"""Derivatives of Python functions and of recorded tensors, in both modes."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from septet.base import dtypes
from septet.base.errors import ArgumentError, GradientError
from septet.graph.context import TRACKED
from septet.graph.graph import order
from septet.graph.node import VARIABLE, Node
from septet.ops.shaping import zeros_like
from septet.tensor import tree
from septet.tensor.tensor import Tensor
from septet.tensor.variable import Variable
from septet.transform.jvp import jvp as push_nodes
from septet.transform.probe import Run, vector_like
from septet.transform.vjp import grad as grad_nodes
from septet.transform.vjp import vjp as pull_nodes

# What the functions of this file and of `jacobian` share.


def check_argnums(name: str, argnums: int | Sequence[int], count: int) -> tuple[tuple[int, ...], bool]:
    """Return the positions of the arguments to differentiate, counted from the front, and whether it is one alone."""
    is_single = isinstance(argnums, int) and not isinstance(argnums, bool)
    wanted: Any = (argnums,) if is_single else argnums
    if not isinstance(wanted, (tuple, list)) or not all(type(argnum) is int for argnum in wanted) or not wanted:
        raise ArgumentError(f"{name}: argnums must be an int or several ints, got {argnums!r}")
    for argnum in wanted:
        if not -count <= argnum < count:
            raise ArgumentError(
                f"{name}: argnums {argnum}, but the function was called with {count} positional arguments"
            )
    found = tuple([argnum % count for argnum in wanted])
    if len(set(found)) != len(found):
        raise ArgumentError(f"{name}: argnums {argnums!r} names an argument twice")
    return found, is_single


def check_function(name: str, call: Any) -> None:
    """Refuse what is not a function."""
    if not callable(call):
        raise ArgumentError(f"{name} needs a function, got {type(call).__name__}")


def named(name: str, call: Any, function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a derived function a name and a docstring that say what it is."""
    own = getattr(call, "__name__", type(call).__name__)
    function.__name__ = function.__qualname__ = f"{name}({own})"
    function.__doc__ = f"The {name} of {own}.\n\n{getattr(call, '__doc__', None) or ''}"
    return function


def sources(value: Any, roots: Iterable[Node], name: str) -> list[Node]:
    """Return the nodes that a tensor stands for in recorded roots: a variable may have been read several times."""
    if isinstance(value, Variable):
        nodes = order(roots, stop=lambda n: not n.flags & TRACKED)
        leaves = [n for n in nodes if n.op is VARIABLE and n.params[0] is value]
        own = value.node
        return leaves if leaves and own.op is VARIABLE else [own, *[leaf for leaf in leaves if leaf is not own]]
    if not isinstance(value, Tensor):
        raise ArgumentError(
            f"{name}: differentiate with respect to tensors that the cost was computed from, got {value!r}"
        )
    return [value.node]


def dense(found: Sequence[Node | None], like: Sequence[Node]) -> list[Node]:
    """Put zeros where no gradient flows."""
    return [zeros_like(y) if node is None else node for node, y in zip(found, like, strict=True)]


# grad


def value_and_grad(
    call: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """Return a function that returns the value of another one, and its gradients.

    Parameters
    ----------
    call : callable
        Returns a real scalar tensor, or with `has_aux` a pair (scalar, anything).
    argnums : int or sequence of int
        The positional arguments to differentiate; each may be a tensor or tuples, lists and dicts of tensors.
    has_aux : bool
        Whether `call` returns a pair.

    Returns
    -------
    callable
        Returns ``(value, gradients)``: what `call` returns, and gradients in the structure of the argument (a tuple of
        them for several `argnums`); zeros where the value does not depend on a tensor.

    Raises
    ------
    GradientError
        If the result is not a real scalar, or an argument is of an integer dtype.

    Examples
    --------
    >>> import septet as st
    >>> st.value_and_grad(lambda x: (x * x).sum())(st.tensor([1.0, 2.0]))
    (tensor(5., dtype=float32), tensor([2., 4.], dtype=float32))
    """
    check_function("value_and_grad", call)

    def function(*args: Any, **words: Any) -> Any:
        wanted, is_single = check_argnums("grad", argnums, len(args))
        run = Run("grad", call, args, wanted, words)
        cost = run.result
        if has_aux:
            if not isinstance(cost, (tuple, list)) or len(cost) != 2:
                raise ArgumentError(f"grad: with has_aux the function returns a pair (scalar, anything), got {cost!r}")
            cost = cost[0]
        if not isinstance(cost, Tensor):
            raise GradientError(f"grad: the function must return a scalar tensor, it returned {type(cost).__name__}")
        grads = grad_nodes(cost.node, run.probes, allow_unused=True)
        run.retire(*grads)
        found = run.per_argument([Tensor(g) for g in grads])
        return run.result, found[0] if is_single else found

    return named("value_and_grad", call, function)


def grad(
    target: Any, wrt: Any = None, has_aux: bool = False, *, argnums: Any = None, allow_unused: bool = False
) -> Any:
    """Return the gradient of a function as a function, or the gradients of a recorded cost.

    Parameters
    ----------
    target : callable or Tensor
        A function that returns a real scalar, or such a scalar itself.
    wrt : int, sequence of int; or tensor, or tuple, list or dict of tensors
        For a function: the positional arguments to differentiate (0 by default; `argnums` is another name for it). For
        a cost: variables, symbols or other tensors that it was computed from.
    has_aux : bool
        Whether the function returns a pair (scalar, anything); then the gradient function returns (gradients,
        anything).
    allow_unused : bool
        For a cost: zeros instead of an error where it does not depend on a tensor. (A function gives zeros always.)

    Returns
    -------
    callable, or tensors in the structure of `wrt`

    Raises
    ------
    GradientError
        If the cost is not a real scalar, or no gradient reaches a tensor.

    Gradient
    --------
    yes, of any order

    Examples
    --------
    >>> import septet as st
    >>> st.grad(lambda x: x ** 3)(2.0)
    tensor(12., dtype=float32)
    >>> st.grad(st.grad(lambda x: x ** 3))(2.0)
    tensor(12., dtype=float32)
    >>> x = st.symbol("x")
    >>> st.grad(x ** 2, x).eval({x: 3.0})
    tensor(6., dtype=float32)
    """
    if argnums is not None:
        if wrt is not None:
            raise ArgumentError("grad: give wrt or argnums, not both")
        wrt = argnums
    if isinstance(target, Tensor):
        return _grad_of_cost(target, wrt, allow_unused)
    check_function("grad", target)
    both = value_and_grad(target, 0 if wrt is None else wrt, has_aux)

    def function(*args: Any, **words: Any) -> Any:
        value, grads = both(*args, **words)
        return (grads, value[1]) if has_aux else grads

    return named("grad", target, function)


def _grad_of_cost(cost: Tensor, wrt: Any, allow_unused: bool) -> Any:
    if wrt is None or isinstance(wrt, int):
        raise ArgumentError(
            "grad(cost, wrt) needs the tensors to differentiate with respect to", hint="st.grad(cost, [w, b])"
        )
    if not isinstance(wrt, (Tensor, tuple, list, dict)):
        wrt = list(wrt)
    tensors, structure = tree.flatten(wrt)
    root = cost.node
    groups = [sources(t, [root], "grad") for t in tensors]
    found = iter(grad_nodes(root, [node for group in groups for node in group], allow_unused=allow_unused))
    return tree.unflatten(structure, [Tensor(functools.reduce(_add, [next(found) for _ in g])) for g in groups])


def _add(a: Any, b: Any) -> Any:
    """Add two gradients, either of which may be None."""
    return b if a is None else a if b is None else a + b


# Both modes, of functions.


class PullBack:
    """The function from cotangents of results to cotangents of arguments; it holds what was recorded.

    Made by `vjp`. Call it as often as you like: with one cotangent for each result, in the structure of the results.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._outputs, self._structure = run.outputs(run.result)
        self._found: weakref.WeakSet[Node] = weakref.WeakSet()

    def __call__(self, cotangents: Any) -> tuple[Any, ...]:
        """Return one cotangent for each argument, in its structure; None for what carries no gradient."""
        given = _match(cotangents, self._structure, self._run.result, "vjp: the cotangent")
        vectors = [
            vector_like(v, y, f"vjp: the cotangent{path}") if dtypes.is_differentiable(y.dtype) else None
            for v, y, path in zip(given, self._outputs, tree.paths(self._run.result), strict=True)
        ]
        found = dense(pull_nodes(self._outputs, vectors, self._run.probes), self._run.probes)
        self._found.update(found)
        return self._run.per_argument([Tensor(g) for g in found])

    def __del__(self) -> None:
        run = getattr(self, "_run", None)
        if run is not None:
            run.retire(*self._found)


def _match(given: Any, structure: Any, like: Any, what: str) -> list[Any]:
    """Return the leaves of something that must be nested like something else."""
    leaves, own = tree.flatten(given)
    if own != structure:
        raise ArgumentError(f"{what} must be nested like {structure!r}, got {own!r}")
    return leaves


def vjp(call: Callable[..., Any], *args: Any) -> tuple[Any, PullBack]:
    """Return the value of a function, and the function from cotangents of the value to cotangents of the arguments.

    Parameters
    ----------
    call : callable
        Returns a tensor, or tuples, lists and dicts of them.
    *args
        Tensors, or tuples, lists and dicts of them; what is no float or complex tensor is passed on as it is.

    Returns
    -------
    value
        What `call` returns.
    pull_back : callable
        ``pull_back(cotangent) -> tuple``, one for each argument.

    Raises
    ------
    ShapeError, DTypeError, ArgumentError
        If a cotangent does not fit its result.

    Examples
    --------
    >>> import septet as st
    >>> value, pull_back = st.vjp(lambda x, y: x * y, 2.0, 3.0)
    >>> pull_back(1.0)
    (tensor(3., dtype=float32), tensor(2., dtype=float32))
    """
    check_function("vjp", call)
    run = Run("vjp", call, args, range(len(args)), {}, is_strict=False)
    return run.result, PullBack(run)


def _directions(run: Run, tangents: Sequence[Any], name: str) -> list[Node | None]:
    """Return a tangent for each probe; None (alone, or as a leaf) is zero."""
    directions: list[Node | None] = []
    probes = iter(run.probes)
    for position, ((structure, marks), tangent) in enumerate(zip(run.slots, tangents, strict=True)):
        if tangent is None:
            directions += [None for m in marks if m and next(probes)]
            continue
        leaves = _leaves_or_none(tangent, structure, f"{name}: the tangent of argument {position}")
        for leaf, mark in zip(leaves, marks, strict=True):
            if mark:
                directions.append(vector_like(leaf, next(probes), f"{name}: the tangent of argument {position}"))
    return directions


def _leaves_or_none(value: Any, structure: Any, what: str) -> list[Any]:
    """Return the leaves of a value nested like a structure, where None may stand for any part."""
    if value is None:
        return [None] * structure.count
    if structure.kind is None:
        return [value]
    own = tree.flatten(value)[1]
    if own.kind is not structure.kind or own.keys != structure.keys or len(own.children) != len(structure.children):
        raise ArgumentError(f"{what} must be nested like {structure!r}, got {own!r}")
    parts = [value[key] for key in structure.keys] if structure.kind is dict else value
    if structure.kind is type(None):
        return []
    found = [_leaves_or_none(part, child, what) for part, child in zip(parts, structure.children, strict=True)]
    return [leaf for part in found for leaf in part]


def jvp(call: Callable[..., Any], args: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """Return the value of a function, and its derivative in one direction (forward mode).

    Parameters
    ----------
    call : callable
        Returns a tensor, or tuples, lists and dicts of them.
    args : sequence
        Tensors, or tuples, lists and dicts of them; what is no float or complex tensor is passed on as it is.
    tangents : sequence
        The direction: one for each argument, nested like it; None for an argument that stays.

    Returns
    -------
    value
        What `call` returns.
    tangent
        The derivative, in the structure of the value; zeros where it does not move.

    Raises
    ------
    ShapeError, DTypeError, ArgumentError
        If a tangent does not fit its argument.

    Examples
    --------
    >>> import septet as st
    >>> st.jvp(lambda x, y: x * y, (2.0, 3.0), (1.0, 10.0))
    (tensor(6., dtype=float32), tensor(23., dtype=float32))
    """
    run, directions = _start_forward("jvp", call, args, tangents)
    outputs, structure = run.outputs(run.result)
    found = dense(push_nodes(outputs, run.probes, directions), outputs)
    run.retire(*found)
    return run.result, tree.unflatten(structure, [Tensor(node) for node in found])


def _start_forward(
    name: str, call: Callable[..., Any], args: Sequence[Any], tangents: Sequence[Any]
) -> tuple[Run, list[Node | None]]:
    check_function(name, call)
    for what, given in (("args", args), ("tangents", tangents)):
        if not isinstance(given, (tuple, list)):
            raise ArgumentError(
                f"{name}: {what} is a tuple with one entry for each argument, got {type(given).__name__}"
            )
    if len(args) != len(tangents):
        raise ArgumentError(f"{name}: there are {len(args)} arguments and {len(tangents)} tangents")
    run = Run(name, call, args, range(len(args)), {}, is_strict=False)
    try:
        return run, _directions(run, tangents, name)
    except BaseException:
        run.retire()
        raise


class PushForward:
    """The function from tangents of arguments to tangents of results; it holds the record. Made by `linearize`."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._outputs, self._structure = run.outputs(run.result)
        self._found: weakref.WeakSet[Node] = weakref.WeakSet()

    def __call__(self, *tangents: Any) -> Any:
        """Return the derivative in a direction: one tangent for each argument, nested like it."""
        if len(tangents) != len(self._run.slots):
            raise ArgumentError(f"linearize: there are {len(self._run.slots)} arguments and {len(tangents)} tangents")
        directions = _directions(self._run, tangents, "linearize")
        found = dense(push_nodes(self._outputs, self._run.probes, directions), self._outputs)
        self._found.update(found)
        return tree.unflatten(self._structure, [Tensor(node) for node in found])

    def __del__(self) -> None:
        run = getattr(self, "_run", None)
        if run is not None:
            run.retire(*self._found)


def linearize(call: Callable[..., Any], *args: Any) -> tuple[Any, PushForward]:
    """Return the value of a function, and its derivative at that place as a function of the direction.

    The function is run once; the derivative can be called for many directions.

    Parameters
    ----------
    call : callable
    *args
        Tensors, or tuples, lists and dicts of them.

    Examples
    --------
    >>> import septet as st
    >>> value, push = st.linearize(lambda x: x ** 2, 3.0)
    >>> push(1.0), push(2.0)
    (tensor(6., dtype=float32), tensor(12., dtype=float32))
    """
    check_function("linearize", call)
    return (run := Run("linearize", call, args, range(len(args)), {}, is_strict=False)).result, PushForward(run)


# Both modes, of recorded tensors.


def _lists(*values: Any) -> list[list[Any]]:
    return [list(v) if isinstance(v, (tuple, list)) else [v] for v in values]


def _check_counts(name: str, what: str, values: Sequence[Any], vectors: Sequence[Any]) -> None:
    if len(values) != len(vectors):
        raise ArgumentError(f"{name}: there are {len(values)} {what} and {len(vectors)} vectors")


def rop(outputs: Any, wrt: Any, directions: Any) -> Any:
    """Return the Jacobian of recorded tensors times a vector: forward mode (Theano's ``Rop``).

    Parameters
    ----------
    outputs : tensor or list of tensors
    wrt : tensor or list of tensors
        Variables, symbols or other tensors that the outputs were computed from.
    directions : tensor or list of tensors
        One for each of `wrt`, of its shape.

    Returns
    -------
    tensor or list of tensors
        One for each output, of its shape.

    Examples
    --------
    >>> import septet as st
    >>> x = st.symbol("x", (2,))
    >>> st.rop(x * x, x, st.tensor([1.0, 1.0])).eval({x: [3.0, 4.0]})
    tensor([6., 8.], dtype=float32)
    """
    ys, xs, vectors = _lists(outputs, wrt, directions)
    _check_counts("rop", "tensors to differentiate with respect to", xs, vectors)
    roots = [y.node for y in ys]
    nodes: list[Node] = []
    tangents: list[Node | None] = []
    for position, (x, vector) in enumerate(zip(xs, vectors, strict=True)):
        for node in sources(x, roots, "rop"):
            nodes.append(node)
            tangents.append(vector_like(vector, node, f"rop: direction {position}"))
    results = [Tensor(node) for node in dense(push_nodes(roots, nodes, tangents), roots)]
    return results if isinstance(outputs, (tuple, list)) else results[0]


def lop(outputs: Any, wrt: Any, cotangents: Any) -> Any:
    """Return a vector times the Jacobian of recorded tensors: reverse mode (Theano's ``Lop``).

    Parameters
    ----------
    outputs : tensor or list of tensors
    wrt : tensor or list of tensors
        Variables, symbols or other tensors that the outputs were computed from.
    cotangents : tensor or list of tensors
        One for each output, of its shape.

    Returns
    -------
    tensor or list of tensors
        One for each of `wrt`, of its shape.

    Examples
    --------
    >>> import septet as st
    >>> x = st.symbol("x", (2,))
    >>> st.lop(x * x, x, st.tensor([1.0, 1.0])).eval({x: [3.0, 4.0]})
    tensor([6., 8.], dtype=float32)
    """
    ys, xs, vectors = _lists(outputs, wrt, cotangents)
    _check_counts("lop", "outputs", ys, vectors)
    roots = [y.node for y in ys]
    given = [vector_like(v, y, f"lop: cotangent {i}") for i, (v, y) in enumerate(zip(vectors, roots, strict=True))]
    groups = [sources(x, roots, "lop") for x in xs]
    found = iter(pull_nodes(roots, given, [node for group in groups for node in group]))
    totals = [functools.reduce(_add, [next(found) for _ in group]) for group in groups]
    results = [Tensor(node) for node in dense(totals, [group[0] for group in groups])]
    return results if isinstance(wrt, (tuple, list)) else results[0]
