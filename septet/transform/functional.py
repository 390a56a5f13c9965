"""Derivatives of Python functions: `grad`, `value_and_grad`, `vjp`, `jvp`, `jacobian`, `hessian`, `hvp`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from septet.base import dtypes
from septet.base.errors import ArgumentError, GradientError, ShapeError
from septet.graph.context import recording
from septet.graph.node import Node
from septet.graph.op import as_node, ops
from septet.ops.shaping import reshape, zeros_like
from septet.tensor import tree
from septet.tensor.tensor import Tensor
from septet.transform.jvp import jvp as push_forward
from septet.transform.probe import Run
from septet.transform.vjp import grad as grad_nodes
from septet.transform.vjp import vjp as pull_back


def _argnums(argnums: int | Sequence[int], count: int) -> tuple[tuple[int, ...], bool]:
    is_single = isinstance(argnums, int)
    wanted = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    for argnum in wanted:
        if not -count <= argnum < count:
            raise ArgumentError(f"argnums {argnum}: the function was called with {count} positional arguments")
    return tuple(argnum % count for argnum in wanted), is_single


def _scalar(result: Any) -> Node:
    if not isinstance(result, Tensor):
        raise GradientError(f"grad needs a function that returns a scalar tensor, it returned {type(result).__name__}")
    return result.node


def value_and_grad(
    call: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """Return a function that returns the value of `call` and its gradients.

    Parameters
    ----------
    call : callable
        Returns a real scalar tensor, or with `has_aux` a pair (scalar, anything).
    argnums : int or sequence of int
        Which positional arguments to differentiate; each may be a nested structure of tensors.
    has_aux : bool

    Returns
    -------
    callable
        Returns ``(value, gradients)``; the gradients have the structure of the argument (a tuple of them for several).
    """

    def function(*args: Any, **words: Any) -> Any:
        wanted, is_single = _argnums(argnums, len(args))
        run = Run(call, args, wanted, words)
        cost = _scalar(run.result[0] if has_aux else run.result)
        with recording(True):
            grads = grad_nodes(cost, run.probes, allow_unused=True)
        leaves, _ = tree.flatten(run.result)
        run.retire([*grads, *[leaf.node for leaf in leaves if isinstance(leaf, Tensor)]])
        found = run.per_argument(grads)
        return run.result, found[0] if is_single else found

    function.__name__ = f"value_and_grad({getattr(call, '__name__', 'function')})"
    return function


def grad(target: Any, wrt: Any = 0, has_aux: bool = False, *, allow_unused: bool = False) -> Any:
    """Return the gradient function of a function, or the gradients of a recorded cost.

    Parameters
    ----------
    target : callable or Tensor
        A function that returns a real scalar, or such a scalar itself.
    wrt : int, sequence of int, tensor or sequence of tensor
        For a function the positional arguments to differentiate (0 by default), for a cost the variables, symbols or
        other tensors that it was computed from.
    has_aux : bool
        Whether the function returns a pair (scalar, anything); then the gradient function returns (gradients, anything).
    allow_unused : bool
        For a cost: zeros instead of an error where it does not depend on a tensor.

    Returns
    -------
    callable, Tensor or list of Tensor

    Raises
    ------
    GradientError
        If the cost is not a real scalar, or no gradient reaches a tensor.

    Examples
    --------
    >>> import septet as st
    >>> st.grad(lambda x: x ** 3)(2.0)
    tensor(12., dtype=float32)
    >>> x = st.symbol("x")
    >>> st.grad(x ** 2, x).eval({x: 3.0})
    tensor(6., dtype=float32)
    """
    if isinstance(target, Tensor):
        if isinstance(wrt, int):
            raise ArgumentError("grad(cost, wrt) needs the tensors to differentiate with respect to")
        return _grad_of_cost(target, wrt, allow_unused)
    both = value_and_grad(target, wrt, has_aux)

    def function(*args: Any, **words: Any) -> Any:
        value, grads = both(*args, **words)
        return (grads, value[1]) if has_aux else grads

    function.__name__ = f"grad({getattr(target, '__name__', 'function')})"
    return function


def _grad_of_cost(cost: Tensor, wrt: Any, allow_unused: bool) -> Any:
    is_single = isinstance(wrt, Tensor)
    tensors = [wrt] if is_single else list(wrt)
    with recording(True):
        found = grad_nodes(cost.node, [t.node for t in tensors], allow_unused=allow_unused)
    grads = [Tensor(node) for node in found]
    return grads[0] if is_single else grads


def vjp(call: Callable[..., Any], *args: Any) -> tuple[Any, Callable[..., tuple[Any, ...]]]:
    """Return the value of a function and its pull-back.

    Parameters
    ----------
    call : callable
    *args : tensors or nested structures of tensors

    Returns
    -------
    value : as `call` returns it
    pull_back : callable
        Takes cotangents in the structure of the value; returns one cotangent for each argument.
    """
    run = Run(call, args, range(len(args)), {})
    leaves, structure = tree.flatten(run.result)
    outputs = [leaf.node for leaf in leaves]

    def pull(cotangents: Any) -> tuple[Any, ...]:
        given, own = tree.flatten(cotangents)
        if own != structure:
            raise ShapeError(f"vjp: the value has the structure {structure!r}, the cotangents {own!r}")
        gs = [_like(g, output, "vjp") for g, output in zip(given, outputs, strict=True)]
        with recording(True):
            found = pull_back(outputs, gs, run.probes)
        return run.per_argument([zeros_like(p) if f is None else f for f, p in zip(found, run.probes, strict=True)])

    return run.result, pull


def _like(value: Any, node: Node, name: str) -> Node:
    given = as_node(value.node if isinstance(value, Tensor) else value, node.dtype)
    if given.shape != node.shape:
        raise ShapeError(f"{name}: a tangent or cotangent of shape {given.shape} for a tensor of shape {node.shape}")
    return ops.cast(given, dtype=node.dtype)


def jvp(call: Callable[..., Any], args: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """Return the value of a function and its directional derivative.

    Parameters
    ----------
    call : callable
    args : sequence of tensors or nested structures
    tangents : sequence
        The direction, in the structure of `args`.
    """
    if len(args) != len(tangents):
        raise ArgumentError(f"jvp: {len(args)} arguments but {len(tangents)} tangents")
    run = Run(call, args, range(len(args)), {})
    leaves, structure = tree.flatten(run.result)
    directions = [_like(t, p, "jvp") for t, p in zip(tree.flatten(tuple(tangents))[0], run.probes, strict=True)]
    with recording(True):
        found = push_forward([leaf.node for leaf in leaves], run.probes, directions)
    results = [zeros_like(leaf.node) if f is None else f for f, leaf in zip(found, leaves, strict=True)]
    run.retire([*results, *[leaf.node for leaf in leaves]])
    return run.result, tree.unflatten(structure, [Tensor(node) for node in results])


def jacobian(call: Callable[..., Any], argnums: int = 0) -> Callable[..., Tensor]:
    """Return a function that returns the Jacobian, of shape (*output shape, *argument shape).

    Parameters
    ----------
    call : callable
        Returns one tensor.
    argnums : int
        The positional argument, one tensor.
    """

    def function(*args: Any, **words: Any) -> Tensor:
        (argnum,), _ = _argnums(argnums, len(args))
        run = Run(call, args, (argnum,), words)
        y, x = _one(run.result), run.probes[0]
        if not (y.type.is_known and x.type.is_known):
            raise ShapeError("jacobian needs known sizes")
        rows, columns = y.type.size or 0, x.type.size or 0
        with recording(True):
            if rows <= columns:
                flat = reshape(y, (-1,))
                parts = [pull_back([flat], [_unit(i, rows, y)], [x])[0] for i in range(rows)]
                full = [reshape(zeros_like(x) if p is None else p, (1, -1)) for p in parts]
                matrix = ops.concatenate(*full, axis=0) if full else reshape(zeros_like(x), (0, columns))
            else:
                pushed = [push_forward([y], [x], [reshape(_unit(j, columns, x), x.shape)])[0] for j in range(columns)]
                full = [reshape(zeros_like(y) if p is None else p, (-1, 1)) for p in pushed]
                matrix = ops.concatenate(*full, axis=1) if full else reshape(zeros_like(y), (rows, 0))
            result = reshape(matrix, (*y.shape, *x.shape))
        run.retire([result])
        return Tensor(result)

    function.__name__ = f"jacobian({getattr(call, '__name__', 'function')})"
    return function


def _one(result: Any) -> Node:
    if not isinstance(result, Tensor):
        raise GradientError(f"jacobian needs a function that returns one tensor, it returned {type(result).__name__}")
    return result.node


def _unit(index: int, size: int, like: Node) -> Node:
    line = ops.equal(ops.iota(shape=(size,)), as_node(index, dtypes.int64))
    return ops.cast(line, dtype=like.dtype)


def hessian(call: Callable[..., Any], argnums: int = 0) -> Callable[..., Tensor]:
    """Return a function that returns the matrix of second derivatives of a scalar function."""
    return jacobian(grad(call, argnums), argnums)


def hvp(call: Callable[..., Any], args: Sequence[Any], tangents: Sequence[Any]) -> Any:
    """Return the product of the Hessian of a scalar function with a vector: forward over reverse (Pearlmutter 1994).

    Parameters
    ----------
    call : callable
        Returns a real scalar.
    args, tangents : sequence
        Where, and in which direction.
    """
    numbers = tuple(range(len(args)))
    result = jvp(grad(call, numbers), args, tangents)[1]
    return result[0] if len(args) == 1 else result


def _aligned(name: str, outputs: Any, wrt: Any, vectors: Any) -> tuple[list[Node], list[Node], list[Any], bool]:
    is_single = isinstance(outputs if name == "rop" else wrt, Tensor)
    lists = [
        [v] if isinstance(v, Tensor) or not isinstance(v, (list, tuple)) else list(v) for v in (outputs, wrt, vectors)
    ]
    return [t.node for t in lists[0]], [t.node for t in lists[1]], lists[2], is_single


def rop(outputs: Any, wrt: Any, directions: Any) -> Any:
    """Return the Jacobian of recorded tensors times a vector (Theano's Rop)."""
    ys, xs, vectors, is_single = _aligned("rop", outputs, wrt, directions)
    with recording(True):
        found = push_forward(ys, xs, [_like(v, x, "rop") for v, x in zip(vectors, xs, strict=True)])
    results = [Tensor(zeros_like(y) if f is None else f) for f, y in zip(found, ys, strict=True)]
    return results[0] if is_single else results


def lop(outputs: Any, wrt: Any, cotangents: Any) -> Any:
    """Return a vector times the Jacobian of recorded tensors (Theano's Lop)."""
    ys, xs, vectors, is_single = _aligned("lop", outputs, wrt, cotangents)
    with recording(True):
        found = pull_back(ys, [_like(v, y, "lop") for v, y in zip(vectors, ys, strict=True)], xs)
    results = [Tensor(zeros_like(x) if f is None else f) for f, x in zip(found, xs, strict=True)]
    return results[0] if is_single else results
