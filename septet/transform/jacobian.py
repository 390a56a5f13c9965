"""Whole matrices of derivatives: one pass of forward or reverse mode, batched over the directions of a basis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from septet.base import dtypes
from septet.base.errors import ArgumentError
from septet.base.shapes import count
from septet.graph.node import Node, symbol
from septet.graph.op import ops, record
from septet.ops.cast import cast
from septet.ops.shaping import broadcast_to, reshape, sizes_of, transpose, zeros_like
from septet.tensor import tree
from septet.tensor.tensor import Tensor
from septet.transform.batch import batch_nodes
from septet.transform.functional import check_argnums, check_function, grad, jvp, named, sources
from septet.transform.jvp import jvp as push_nodes
from septet.transform.probe import Run
from septet.transform.vjp import grad as grad_nodes
from septet.transform.vjp import vjp as pull_nodes

MODES = ("auto", "forward", "reverse")


def basis(like: Node) -> Node:
    """Return the tensors of a node's shape with a single 1, stacked on a new first axis."""
    sizes = sizes_of(like)
    total: Any = count(like.shape)
    if total is None:
        total = count([size for size in like.shape if size is not None])
        for size in sizes:
            total = ops.multiply(size, total) if isinstance(size, Node) else total
    is_open = isinstance(total, Node)
    given = (total, total) if is_open else ()
    shape = (None, None) if is_open else (total, total)
    rows, columns = (record(ops.iota, given, (shape, axis, dtypes.int64)) for axis in (0, 1))
    return reshape(cast(ops.equal(rows, columns), dtype=like.dtype), (total, *sizes))


def _along_basis(found: Sequence[Node | None], seed: Node, moved: Node, like: Sequence[Node]) -> list[Node]:
    """Evaluate nodes that are linear in a seed, which stands for directions of `moved`, for all of them at once."""
    directions = basis(moved)
    size = sizes_of(directions)[0]
    outputs, marks = batch_nodes([node for node in found if node is not None], {seed: directions})
    rest = iter(zip(outputs, marks, strict=True))
    result = []
    for node, y in zip(found, like, strict=True):
        out, mark = (zeros_like(y), False) if node is None else next(rest)
        result.append(out if mark else broadcast_to(out, (size, *sizes_of(out))))
    return result


def _reverse(y: Node, xs: Sequence[Node]) -> list[Node]:
    """Return the derivatives of `y` with respect to some nodes, one row for each element of `y` at a time."""
    seed = symbol(y.tensor_type, "cotangent")
    found = _along_basis(pull_nodes([y], [seed], xs), seed, y, xs)
    results = []
    for node, x in zip(found, xs, strict=True):
        matrix = reshape(node, (*sizes_of(y), *sizes_of(x)))
        both = dtypes.is_complex(y.dtype) and dtypes.is_complex(x.dtype)
        results.append(ops.conj(matrix) if both else matrix)  # a cotangent is multiplied by the conjugate derivative
    return results


def _forward(ys: Sequence[Node], x: Node) -> list[Node]:
    """Return the derivatives of some nodes with respect to `x`, one column for each element of `x` at a time."""
    seed = symbol(x.tensor_type, "tangent")
    found = _along_basis(push_nodes(ys, [x], [seed]), seed, x, ys)
    results = []
    for node, y in zip(found, ys, strict=True):
        last = transpose(node, axes=(*range(1, y.ndim + 1), 0))  # (*y, size of x)
        results.append(reshape(last, (*sizes_of(y), *sizes_of(x))))
    return results


def jacobian_nodes(ys: Sequence[Node], xs: Sequence[Node], mode: str) -> list[list[Node]]:
    """Return the derivative of each of `ys` (rows) with respect to each of `xs` (columns), of shape (*y, *x).

    Where one side is complex and the other real, only one mode determines the derivative, and that one is used.
    """
    if mode == "auto":
        rows, columns = ([node.tensor_type.size for node in nodes] for nodes in (ys, xs))
        is_known = None not in rows and None not in columns
        mode = "forward" if is_known and sum(rows) > sum(columns) else "reverse"  # type: ignore[arg-type]

    def mode_of(y: Node, x: Node) -> str:
        if dtypes.is_complex(y.dtype) != dtypes.is_complex(x.dtype):
            return "forward" if dtypes.is_complex(y.dtype) else "reverse"
        return mode

    table: list[list[Any]] = [[None] * len(xs) for _ in ys]
    for row, y in enumerate(ys):
        columns_ = [c for c, x in enumerate(xs) if mode_of(y, x) == "reverse"]
        if columns_:
            for c, node in zip(columns_, _reverse(y, [xs[c] for c in columns_]), strict=True):
                table[row][c] = node
    for column, x in enumerate(xs):
        rows_ = [r for r, y in enumerate(ys) if mode_of(y, x) == "forward"]
        if rows_:
            for r, node in zip(rows_, _forward([ys[r] for r in rows_], x), strict=True):
                table[r][column] = node
    return table


def jacobian(target: Any, argnums: Any = 0, mode: str = "auto") -> Any:
    """Return the Jacobian of a function as a function, or of a recorded tensor.

    Parameters
    ----------
    target : callable or Tensor
        A function that returns a tensor, or tuples, lists and dicts of them; or a recorded tensor.
    argnums : int or sequence of int; or tensor, or tuple, list or dict of tensors
        For a function the positional arguments to differentiate, for a tensor those that it was computed from.
    mode : str
        "forward" (one pass for each element of the arguments), "reverse" (for each element of the results), or "auto":
        the one with fewer passes. All passes run as one batch.

    Returns
    -------
    callable, or tensors
        The structure of the result, with that of the argument in place of each tensor.

    Shape
    -----
    result ``Y``, argument ``X`` -> ``(*Y, *X)``

    Gradient
    --------
    yes, of any order

    Examples
    --------
    >>> import septet as st
    >>> st.jacobian(lambda x: x * x)(st.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]], dtype=float32)
    """
    if mode not in MODES:
        raise ArgumentError(f"jacobian: mode {mode!r} does not exist; the modes are {', '.join(MODES)}")
    if isinstance(target, Tensor):
        return _of_tensor(target, argnums, mode)
    check_function("jacobian", target)

    def function(*args: Any, **words: Any) -> Any:
        wanted, is_single = check_argnums("jacobian", argnums, len(args))
        run = Run("jacobian", target, args, wanted, words)
        outputs, structure = run.outputs(run.result)
        table = jacobian_nodes(outputs, run.probes, mode)
        run.retire(*[node for row in table for node in row])
        rows = [run.per_argument([Tensor(node) for node in row]) for row in table]
        return tree.unflatten(structure, [row[0] if is_single else row for row in rows])

    return named("jacobian", target, function)


def _of_tensor(target: Tensor, wrt: Any, mode: str) -> Any:
    tensors, structure = tree.flatten(wrt)
    root = target.node
    groups = [sources(t, [root], "jacobian") for t in tensors]
    row = iter(jacobian_nodes([root], [node for group in groups for node in group], mode)[0])
    totals = []
    for group in groups:
        total = next(row)
        for _ in group[1:]:
            total = ops.add(total, next(row))
        totals.append(Tensor(total))
    return tree.unflatten(structure, totals)


def jacfwd(call: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """Return the Jacobian of a function by forward mode; see `jacobian`."""
    return jacobian(call, argnums, "forward")


def jacrev(call: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """Return the Jacobian of a function by reverse mode; see `jacobian`."""
    return jacobian(call, argnums, "reverse")


def hessian(target: Any, argnums: Any = 0) -> Any:
    """Return the second derivatives of a real scalar function as a function, or of a recorded cost.

    Parameters
    ----------
    target : callable or Tensor
    argnums : int or sequence of int; or tensor, or tuple, list or dict of tensors
        As for `jacobian`.

    Returns
    -------
    callable, or tensors
        The structure of the argument, with the same structure once more in place of each tensor.

    Shape
    -----
    argument ``X`` -> ``(*X, *X)``

    Notes
    -----
    Forward mode over reverse mode: one backward pass, pushed forward in all directions as one batch.

    Examples
    --------
    >>> import septet as st
    >>> st.hessian(lambda x: (x ** 3).sum())(st.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]], dtype=float32)
    """
    if not isinstance(target, Tensor):
        check_function("hessian", target)
        return named("hessian", target, jacobian(grad(target, argnums), argnums, "forward"))
    tensors, structure = tree.flatten(argnums)
    nodes = [sources(t, [target.node], "hessian") for t in tensors]
    if any(len(group) > 1 for group in nodes):
        raise ArgumentError("hessian: a variable was read several times for this cost", hint="use st.hessian(function)")
    xs = [group[0] for group in nodes]
    table = jacobian_nodes(grad_nodes(target.node, xs), xs, "forward")
    rows = [tree.unflatten(structure, [Tensor(node) for node in row]) for row in table]
    return tree.unflatten(structure, rows)


def hvp(call: Callable[..., Any], args: Any, vectors: Any) -> Any:
    """Return the product of the Hessian of a real scalar function with a vector, without making the matrix.

    Parameters
    ----------
    call : callable
        Returns a real scalar tensor.
    args : tensor, or sequence with one entry for each argument
        Where.
    vectors : tensor, or sequence
        In which direction, like `args`; None for an argument that is not differentiated.

    Returns
    -------
    tensor, or tuple with one entry for each argument

    Source
    ------
    Pearlmutter 1994, "Fast exact multiplication by the Hessian": forward mode over reverse mode.

    Examples
    --------
    >>> import septet as st
    >>> st.hvp(lambda x: (x ** 3).sum(), st.tensor([1.0, 2.0]), st.tensor([1.0, 1.0]))
    tensor([ 6., 12.], dtype=float32)
    """
    if not isinstance(args, (tuple, list)):
        return jvp(grad(call), (args,), (vectors,))[1]
    if not isinstance(vectors, (tuple, list)) or len(vectors) != len(args):
        raise ArgumentError(f"hvp: there are {len(args)} arguments; vectors has one entry for each, got {vectors!r}")
    moving = tuple([index for index, vector in enumerate(vectors) if vector is not None])
    if not moving:
        raise ArgumentError("hvp: every vector is None")
    found = iter(jvp(grad(call, moving), args, vectors)[1])
    return tuple([next(found) if index in moving else None for index in range(len(args))])
