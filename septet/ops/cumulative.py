"""Cumulative sums, products, extrema and log-sums along an axis, and the linear recurrence that their gradients are.

The derivative of each of them is a linear recurrence ``y[t] = a[t] y[t-1] + b[t]``, whose own derivative is one too. So
nothing is ever divided: zeros, ties and minus infinity need no special care, in any order of differentiation.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from septet.base import dtypes
from septet.base.dtypes import BOOL, FLOAT, INTEGER, DType
from septet.base.errors import ArgumentError, AxisError, DTypeError, ShapeError
from septet.base.shapes import Shape, check_axis
from septet.base.text import shape_text
from septet.graph.node import Node
from septet.graph.op import OTHER, REQUIRED, BadCase, Case, Op, as_node, as_nodes, card, explain_call, function, ops
from septet.graph.types import TensorType
from septet.ops.reduce import conj, finite_or_zero_below, in_dtype, sum_dtype, wide
from septet.ops.resize import cut
from septet.ops.rules import floating, keeping, real_floating, same_shape
from septet.ops.shaping import broadcast_to, sizes_of

PARAMS: dict[str, Any] = {"axis": REQUIRED, "reverse": False, "exclusive": False}
PARAM_DOCS = {
    "axis": "The axis to run along.",
    "reverse": "Whether to run from the end to the beginning.",
    "exclusive": "Whether each result leaves out the element at its own position.",
}

# The recurrence


def previous(x: Node, axis: int, reverse: bool) -> Node:
    """Return what stands one place earlier in the order of running; zero at the first place."""
    return cut(x, axis, sizes_of(x)[axis], 1 if reverse else -1)


def following(x: Node, axis: int, reverse: bool) -> Node:
    """Return what stands one place later in the order of running; zero at the last place."""
    return previous(x, axis, not reverse)


def is_first(x: Node, axis: int, reverse: bool) -> Node:
    """Tell which place is the first in the order of running, in a shape that broadcasts with x."""
    sizes = tuple(size if i == axis else 1 for i, size in enumerate(sizes_of(x)))
    return ops.equal(previous(broadcast_to(as_node(1), sizes), axis, reverse), 0)


def _recurrence_shape(a: Shape, b: Shape, axis: int, reverse: bool) -> Shape:
    known = [i for i in range(min(len(a), len(b))) if None not in (a[i], b[i]) and a[i] != b[i]]
    if len(a) != len(b) or known:
        marks = [(k, i) for i in known for k in (0, 1)]
        raise ShapeError(
            f"coefficients and values must have one shape, got {shape_text(a)} and {shape_text(b)}", marks=marks
        )
    return tuple(size if size is not None else other for size, other in zip(a, b, strict=True))


def _recurrence(a: np.ndarray, b: np.ndarray, axis: int, reverse: bool) -> np.ndarray:
    if a.shape != b.shape:
        raise ShapeError(
            f"coefficients and values must have one shape, got {shape_text(a.shape)} and {shape_text(b.shape)}"
        )
    a, b = np.moveaxis(wide(a), axis, 0), np.moveaxis(wide(b), axis, 0)
    result = np.array(b)
    places = range(len(b))[::-1] if reverse else range(len(b))
    for before, here in itertools.pairwise(places):
        result[here] += a[here] * result[before]
    return np.moveaxis(result, 0, axis)


def _recurrence_gradient(g: Node, y: Node, a: Node, b: Node, axis: int, reverse: bool) -> tuple[Node, Node]:
    back = linear_recurrence(conj(following(a, axis, reverse)), g, axis=axis, reverse=not reverse)
    return ops.multiply(back, conj(previous(y, axis, reverse))), back


def _recurrence_tangent(
    tangents: Sequence[Node | None], y: Node, a: Node, b: Node, axis: int, reverse: bool
) -> Node | None:
    ta, tb = tangents
    source = tb if ta is None else ops.multiply(ta, previous(y, axis, reverse))
    if ta is not None and tb is not None:
        source = ops.add(source, tb)
    return None if source is None else linear_recurrence(a, source, axis=axis, reverse=reverse)


def _batch_recurrence(is_batched: Sequence[bool], a: Node, b: Node, axis: int, reverse: bool) -> Node:
    size = sizes_of(a if is_batched[0] else b)[0]
    pair = [x if was else broadcast_to(x, (size, *sizes_of(x))) for x, was in zip((a, b), is_batched, strict=True)]
    return linear_recurrence(*pair, axis=axis + 1, reverse=reverse)


def _axis_canonical(types: tuple[TensorType, ...], axis: Any, **flags: Any) -> dict[str, Any]:
    return {"axis": check_axis(axis, types[0].ndim), **{name: bool(flag) for name, flag in flags.items()}}


linear_recurrence: Op = card(
    "linear_recurrence", "coefficients values", params={"axis": -1, "reverse": False},
    param_docs={name: PARAM_DOCS[name] for name in ("axis", "reverse")},
    summary="Run y[t] = coefficients[t] * y[t - 1] + values[t] along an axis, from y = 0.",
    notes="Moving averages, discounted sums, linear state spaces have this form. The first coefficient has no effect.",
    canonical=_axis_canonical, shape=_recurrence_shape, dtype=floating, reference=_recurrence,
    gradient=_recurrence_gradient, tangent=_recurrence_tangent, batch=_batch_recurrence,
    cases=[Case((4,), (4,), axis=0), Case((2, 3), (2, 3)), Case((3, 2), (3, 2), axis=0, reverse=True),
           Case((2, 0), (2, 0)), Case((1, 2, 3), (1, 2, 3), axis=1)],
    bad=[BadCase((3,), (4,), error=ShapeError, match="must have one shape"),
         BadCase((3,), (3,), axis=1, error=AxisError, match="out of range")],
    tolerance=1e-5,
)  # fmt: skip


# The five cards


def running(call: Callable[[np.ndarray, int], np.ndarray], first: Callable[[DType], Any]) -> Callable[..., np.ndarray]:
    """Return the reference made of a NumPy function that runs along an axis, forward and inclusive.

    Parameters
    ----------
    call : callable
        ``call(x, axis)``.
    first : callable
        Gives, for a dtype, the result of no elements.
    """

    def reference(x: np.ndarray, axis: int, reverse: bool, exclusive: bool) -> np.ndarray:
        if reverse:
            x = np.flip(x, axis)
        y = call(wide(x), axis)
        if exclusive:
            lead = (slice(None),) * axis
            shifted = np.empty_like(y)
            shifted[(*lead, slice(1, None))] = y[(*lead, slice(None, -1))]
            shifted[(*lead, slice(0, 1))] = first(y.dtype)
            y = shifted
        return np.flip(y, axis) if reverse else y

    return reference


def _same_run(name: str) -> Callable[..., Any]:
    """The batching rule: the same axis, one further to the right."""

    def rule(is_batched: Any, x: Node, axis: int, reverse: bool, exclusive: bool) -> Any:
        return getattr(ops, name)(x, axis=axis + 1, reverse=reverse, exclusive=exclusive)

    return rule


CASES = [
    Case((4,), axis=0), Case((2, 3), axis=-1), Case((3, 2), axis=0, reverse=True), Case((2, 3), axis=1, exclusive=True),
    Case((2, 3, 2), axis=1, reverse=True, exclusive=True), Case((2, 0), axis=1), Case((0, 3), axis=1, exclusive=True),
    Case((1,), axis=0),
]  # fmt: skip
INFINITE_CASES = [  # where the result of no elements is infinite, differences of results have no meaning
    Case(*case.args, gradient=not case.params.get("exclusive"), **case.params) for case in CASES
]
BAD = [
    BadCase((3, 4), axis=2, error=AxisError, match="out of range"),
    BadCase((3, 4), axis=None, error=ArgumentError, match="must be an integer"),
    BadCase((), axis=0, error=AxisError, match="out of range"),
]
_COMPLEX = BadCase(np.array([1j]), axis=0, error=DTypeError, match="not defined for dtype complex128")


def _in_sum_dtype(call: Any) -> Callable[[np.ndarray, int], np.ndarray]:
    return lambda x, axis: call(x, axis=axis, dtype=sum_dtype(x.dtype)[1])


cumulative_sum: Op = card(
    "cumulative_sum", "x", params=PARAMS, param_docs=PARAM_DOCS, kind=OTHER, public=False, linear="all",
    summary="Sum all elements up to each one along an axis.",
    notes="Booleans and integers are summed in 64 bits; the short floats in float32.",
    canonical=_axis_canonical, shape=same_shape, dtype=sum_dtype,
    reference=running(_in_sum_dtype(np.cumsum), lambda dtype: 0), batch=_same_run("cumulative_sum"),
    gradient=lambda g, y, x, axis, reverse, exclusive: (
        cumulative_sum(g, axis=axis, reverse=not reverse, exclusive=exclusive),
    ),
    cases=CASES, bad=BAD,
)  # fmt: skip


def _prod_gradient(g: Node, y: Node, x: Node, axis: int, reverse: bool, exclusive: bool) -> tuple[Node]:
    before = cumulative_prod(x, axis=axis, reverse=reverse, exclusive=True)
    if exclusive:
        g = following(g, axis, reverse)
    later = linear_recurrence(conj(following(x, axis, reverse)), g, axis=axis, reverse=not reverse)
    return (ops.multiply(later, conj(before)),)


def _prod_tangent(tangents: Sequence[Node], y: Node, x: Node, axis: int, reverse: bool, exclusive: bool) -> Node:
    before = cumulative_prod(x, axis=axis, reverse=reverse, exclusive=True)
    t = linear_recurrence(x, ops.multiply(before, tangents[0]), axis=axis, reverse=reverse)
    return previous(t, axis, reverse) if exclusive else t


cumulative_prod: Op = card(
    "cumulative_prod", "x", params=PARAMS, param_docs=PARAM_DOCS, kind=OTHER, public=False,
    summary="Multiply all elements up to each one along an axis.",
    notes="Booleans and integers are multiplied in 64 bits; the short floats in float32.",
    canonical=_axis_canonical, shape=same_shape, dtype=sum_dtype,
    reference=running(_in_sum_dtype(np.cumprod), lambda dtype: 1), batch=_same_run("cumulative_prod"),
    gradient=_prod_gradient, tangent=_prod_tangent,
    cases=[*CASES, Case(np.array([2.0, 0.0, 3.0, 0.0, 4.0]), axis=0)], bad=BAD,
)  # fmt: skip


def _lowest(dtype: DType) -> Any:
    """The neutral element of max."""
    if dtypes.KIND[dtype] == FLOAT:
        return -np.inf
    return False if dtype == dtypes.bool_ else np.iinfo(dtype).min


def _highest(dtype: DType) -> Any:
    """The neutral element of min."""
    if dtypes.KIND[dtype] == FLOAT:
        return np.inf
    return True if dtype == dtypes.bool_ else np.iinfo(dtype).max


def _extremum(name: str, word: str, call: np.ufunc, first: Any, better: str) -> Op:
    """Make the card of the running maximum or minimum."""

    def records(x: Node, axis: int, reverse: bool) -> tuple[Node, Node]:
        """Return 1 where an element takes the lead and 0 elsewhere, and the reverse of that."""
        best = op(x, axis=axis, reverse=reverse, exclusive=True)
        takes = ops.logical_or(getattr(ops, better)(x, best), is_first(x, axis, reverse))
        takes = ops.cast(takes, dtype=x.dtype)
        return takes, ops.subtract(1, takes)

    def gradient(g: Node, y: Node, x: Node, axis: int, reverse: bool, exclusive: bool) -> tuple[Node]:
        takes, stays = records(x, axis, reverse)
        if exclusive:
            g = following(g, axis, reverse)
        led = linear_recurrence(following(stays, axis, reverse), g, axis=axis, reverse=not reverse)
        return (ops.multiply(takes, led),)

    def tangent(tangents: Sequence[Node], y: Node, x: Node, axis: int, reverse: bool, exclusive: bool) -> Node:
        takes, stays = records(x, axis, reverse)
        t = linear_recurrence(stays, ops.multiply(takes, tangents[0]), axis=axis, reverse=reverse)
        return previous(t, axis, reverse) if exclusive else t

    op = card(
        name, "x", params=PARAMS, param_docs=PARAM_DOCS, kind=OTHER, public=False,
        summary=f"Return the {word} element up to each one along an axis.",
        notes=f"From the first NaN on, all are NaN. The gradient goes to the first of equal elements. The {word} of no "
        "elements is the dtype's other end.",
        canonical=_axis_canonical, shape=same_shape, dtype=keeping(BOOL, INTEGER, FLOAT),
        reference=running(lambda x, axis: call.accumulate(x, axis=axis), first), batch=_same_run(name),
        gradient=gradient, tangent=tangent,
        cases=[*INFINITE_CASES, Case(np.array([-np.inf, -1.0, np.inf]), axis=0, gradient=False)], bad=[*BAD, _COMPLEX],
    )  # fmt: skip
    return op


cumulative_max = _extremum("cumulative_max", "largest", np.maximum, _lowest, "greater")
cumulative_min = _extremum("cumulative_min", "smallest", np.minimum, _highest, "less")


def _weights(x: Node, axis: int, reverse: bool) -> tuple[Node, Node]:
    """Return the derivatives of the running log-sum by its own element and by the log-sum one place earlier."""
    y = cumulative_logsumexp(x, axis=axis, reverse=reverse)
    shift = finite_or_zero_below(y)
    before = ops.where(is_first(x, axis, reverse), y, previous(y, axis, reverse))
    return ops.exp(ops.subtract(x, shift)), ops.exp(ops.subtract(before, shift))


def _logsumexp_gradient(g: Node, y: Node, x: Node, axis: int, reverse: bool, exclusive: bool) -> tuple[Node]:
    own, earlier = _weights(x, axis, reverse)
    if exclusive:
        g = following(g, axis, reverse)
    later = linear_recurrence(following(earlier, axis, reverse), g, axis=axis, reverse=not reverse)
    return (ops.multiply(own, later),)


def _logsumexp_tangent(tangents: Sequence[Node], y: Node, x: Node, axis: int, reverse: bool, exclusive: bool) -> Node:
    own, earlier = _weights(x, axis, reverse)
    t = linear_recurrence(earlier, ops.multiply(own, tangents[0]), axis=axis, reverse=reverse)
    return previous(t, axis, reverse) if exclusive else t


cumulative_logsumexp: Op = card(
    "cumulative_logsumexp", "x", params=PARAMS, param_docs=PARAM_DOCS, kind=OTHER, public=False,
    summary="Return log(sum(exp)) of all elements up to each one along an axis, without overflow.",
    notes="Minus infinity stands for a zero: it gives and takes no gradient.",
    canonical=_axis_canonical, shape=same_shape, dtype=real_floating,
    reference=running(lambda x, axis: np.logaddexp.accumulate(x, axis=axis), _lowest),
    batch=_same_run("cumulative_logsumexp"), gradient=_logsumexp_gradient, tangent=_logsumexp_tangent,
    cases=[*INFINITE_CASES, Case(np.array([-np.inf, -np.inf, 700.0, -700.0, 710.0]), axis=0, gradient=False)],
    bad=[*BAD, _COMPLEX],
)  # fmt: skip


# The functions


def _run(
    op: Op, x: Any, axis: Any, reverse: bool, exclusive: bool, include_initial: bool = False, dtype: Any = None
) -> Node:
    """Choose the only axis where none is given; put the result of no elements in front where it is asked for."""
    x = as_node(x)
    if axis is None:
        if x.ndim != 1:
            error = ArgumentError(
                f"needs an axis for a tensor of rank {x.ndim}", hint="reshape(x, -1) first runs through all elements"
            )
            raise explain_call(error, op.name, op.input_names, (x,))
        axis = 0
    if include_initial:
        if exclusive:
            error = ArgumentError("include_initial and exclusive exclude each other")
            raise explain_call(error, op.name, op.input_names, (x,))
        axis = check_axis(axis, x.ndim)
        x = cut(x, axis, sizes_of(x)[axis] + 1, -1 if reverse else 0)
    return in_dtype(op, x, dtype, axis, reverse, exclusive or include_initial)


@function("cumsum", name="cumulative_sum", methods=["cumulative_sum", "cumsum"])
def sum_along(
    x: Any, axis: int | None = None, dtype: Any = None, include_initial: bool = False, *, reverse: bool = False,
    exclusive: bool = False,
) -> Node:  # fmt: skip
    """Sum all elements up to each one along an axis.

    Parameters
    ----------
    x : tensor
    axis : int, optional
        The axis to run along; needed unless there is only one.
    dtype : dtype, optional
        The dtype to sum in, and of the result.
    include_initial : bool
        Whether the result begins with the sum of no elements, so that its axis is longer by one.
    reverse : bool
        Whether to run from the end to the beginning.
    exclusive : bool
        Whether each sum leaves out the element at its own position.

    Dtype
    -----
    As for `sum`: booleans and signed integers give int64, unsigned ones uint64.

    Gradient
    --------
    The cumulative sum of the cotangent in the other direction.

    Examples
    --------
    >>> import septet as st
    >>> st.cumulative_sum(st.asarray([1, 2, 3]), include_initial=True).tolist()
    [0, 1, 3, 6]
    """
    return _run(cumulative_sum, x, axis, reverse, exclusive, include_initial, dtype)


@function("cumprod", name="cumulative_prod", methods=["cumulative_prod", "cumprod"])
def prod_along(
    x: Any, axis: int | None = None, dtype: Any = None, include_initial: bool = False, *, reverse: bool = False,
    exclusive: bool = False,
) -> Node:  # fmt: skip
    """Multiply all elements up to each one along an axis.

    Parameters
    ----------
    x : tensor
    axis : int, optional
        The axis to run along; needed unless there is only one.
    dtype : dtype, optional
        The dtype to multiply in, and of the result.
    include_initial : bool
        Whether the result begins with the product of no elements, 1, so that its axis is longer by one.
    reverse : bool
        Whether to run from the end to the beginning.
    exclusive : bool
        Whether each product leaves out the element at its own position.

    Dtype
    -----
    As for `prod`.

    Gradient
    --------
    Right where elements are zero, in any order.
    """
    return _run(cumulative_prod, x, axis, reverse, exclusive, include_initial, dtype)


@function(name="cumulative_max")
def max_along(x: Any, axis: int | None = None, *, reverse: bool = False, exclusive: bool = False) -> Node:
    """Return the largest element up to each one along an axis.

    Parameters
    ----------
    x : tensor
    axis : int, optional
        The axis to run along; needed unless there is only one.
    reverse : bool
        Whether to run from the end to the beginning.
    exclusive : bool
        Whether each result leaves out the element at its own position; the first is then minus infinity, or the
        smallest integer.

    Gradient
    --------
    To the first of equal elements.
    """
    return _run(cumulative_max, x, axis, reverse, exclusive)


@function(name="cumulative_min")
def min_along(x: Any, axis: int | None = None, *, reverse: bool = False, exclusive: bool = False) -> Node:
    """Return the smallest element up to each one along an axis.

    Parameters
    ----------
    x : tensor
    axis : int, optional
        The axis to run along; needed unless there is only one.
    reverse : bool
        Whether to run from the end to the beginning.
    exclusive : bool
        Whether each result leaves out the element at its own position; the first is then infinity, or the largest
        integer.

    Gradient
    --------
    To the first of equal elements.
    """
    return _run(cumulative_min, x, axis, reverse, exclusive)


@function("logcumsumexp", name="cumulative_logsumexp")
def logsumexp_along(x: Any, axis: int | None = None, *, reverse: bool = False, exclusive: bool = False) -> Node:
    """Return log(sum(exp)) of all elements up to each one along an axis, without overflow.

    Parameters
    ----------
    x : tensor
    axis : int, optional
        The axis to run along; needed unless there is only one.
    reverse : bool
        Whether to run from the end to the beginning.
    exclusive : bool
        Whether each result leaves out the element at its own position; the first is then minus infinity.
    """
    return _run(cumulative_logsumexp, x, axis, reverse, exclusive)


@function()
def diff(x: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Node:
    """Subtract from each element the one before it along an axis.

    Parameters
    ----------
    x : tensor
    n : int
        How many times.
    axis : int
    prepend, append : tensor, optional
        What to put in front of and behind `x` first; a scalar, or a tensor like `x` but for the size of the axis.

    Shape
    -----
    The axis becomes shorter by `n` (down to 0).

    Dtype
    -----
    That of `x`; of booleans the result tells where neighbours differ.

    Raises
    ------
    ArgumentError
        If `n` is negative or `x` is a scalar.
    """
    x = as_node(x)
    axis = check_axis(axis, x.ndim)
    if isinstance(n, bool) or not isinstance(n, int) or n < 0:
        raise explain_call(ArgumentError(f"n must be an integer of at least 0, got {n!r}"), "diff", ("x",), (x,))
    if n == 0:
        return x
    around = [part for part in (prepend, x, append) if part is not None]
    if len(around) > 1:
        sizes = sizes_of(x)
        parts = [
            broadcast_to(part, (*sizes[:axis], 1, *sizes[axis + 1 :])) if part.ndim == 0 else part
            for part in as_nodes(around)
        ]
        x = ops.concatenate(*parts, axis=axis)
    subtract = ops.not_equal if x.dtype == dtypes.bool_ else ops.subtract
    for _ in range(n):
        size: Any = sizes_of(x)[axis]
        if size == 0:
            break
        shorter = size - 1
        x = subtract(cut(x, axis, shorter, 1), cut(x, axis, shorter))
    return x
