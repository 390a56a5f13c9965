"""Tensors that are what a function takes them for: ops that return their input, and raise where a value breaks a rule.

Shapes and dtypes are checked while a graph is built. What only the data can say, a size that was left open or a class
number, is checked by these when the graph runs; the error names the function that asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from septet.base import dtypes
from septet.base.dtypes import DType
from septet.base.errors import ArgumentError, DTypeError, IndexOutOfRangeError, ShapeError
from septet.base.shapes import Shape, as_shape
from septet.base.text import shape_text
from septet.graph.node import Node
from septet.graph.op import OTHER, REQUIRED, BadCase, Case, Op, as_node, card, explain_call, function, record
from septet.graph.report import CALLER
from septet.ops.shaping import fill_sizes, sized_dtype, sizes_of, split_sizes

CALLER_DOCS = {CALLER: "The function that asks, for the error; empty for the op itself."}

# ensure_shape


def _compare(x: Shape, wanted: Shape) -> None:
    """Refuse a shape that differs from the wanted one, where both are known; -1 in the wanted one is any size."""
    pairs = enumerate(zip(x, wanted, strict=False))
    bad = [axis for axis, (a, b) in pairs if b != -1 and None not in (a, b) and a != b]
    if len(x) != len(wanted) or bad:
        text = shape_text(tuple([None if size == -1 else size for size in wanted]))
        axes = bad if len(x) == len(wanted) else range(len(x))
        raise ShapeError(f"the shape is {shape_text(x)}, it must be {text}", marks=[(0, axis) for axis in axes])


def _ensured_shape(x: Shape, *sizes: Shape, shape: Shape, caller: str) -> Shape:
    _compare(x, shape)
    return tuple([a if b in (None, -1) else b for a, b in zip(x, shape, strict=True)])


def _ensure_reference(x: np.ndarray, *sizes: Any, shape: Shape, caller: str) -> np.ndarray:
    _compare(x.shape, fill_sizes(shape, sizes))
    return x.view()


def _batch_ensure(is_batched: Sequence[bool], x: Node, *sizes: Node, shape: Shape, caller: str) -> Node:
    if any(is_batched[1:]):
        raise ArgumentError("ensure_shape: sizes cannot differ within a batch")
    return ensure_shape_op(x, *sizes, shape=(-1, *shape), caller=caller)


ensure_shape_op: Op = card(
    "ensure_shape", "x *sizes", params={"shape": REQUIRED, CALLER: ""}, kind=OTHER, public=False, sizes="shape",
    linear="first",
    param_docs={"shape": "The shape that x must have; -1 is any size, None takes a size input.", **CALLER_DOCS},
    summary="Return the tensor itself, whose shape must be the given one.",
    notes="Sizes that are not known before the graph runs are checked then, and known from here on.",
    canonical=lambda types, shape, caller: {"shape": tuple(shape), CALLER: caller},
    shape=_ensured_shape, dtype=sized_dtype, reference=_ensure_reference, batch=_batch_ensure,
    gradient=lambda g, y, x, *sizes, **_: (g, *[None] * len(sizes)),
    tangent=lambda t, y, x, *sizes, **params: t[0],
    cases=[Case((3, 4), shape=(3, 4)), Case((3, 4), shape=(-1, 4)), Case((0, 2), np.array(0), shape=(None, 2)),
           Case((), shape=())],
    bad=[BadCase((3, 4), shape=(3, 5), error=ShapeError, match="the shape is (3, 4), it must be (3, 5)"),
         BadCase((3, 4), np.array(2), shape=(None, 4), error=ShapeError, match="it must be (2, 4)"),
         BadCase((3,), shape=(-1, 3), error=ShapeError, match="it must be (?, 3)")],
)  # fmt: skip


@function()
def ensure_shape(x: Any, shape: Any) -> Node:
    """Return the tensor itself, whose shape must be the given one.

    It tells the graph sizes that it does not know, and refuses data of another shape; known sizes cost nothing.

    Parameters
    ----------
    x : tensor
    shape : tuple of (int, integer scalar tensor or None)
        None stands for any size.

    Raises
    ------
    ShapeError
        If the rank or a size differs: while the graph is built where that is known then, else when it runs.

    Gradient
    --------
    That of the identity.

    Source
    ------
    TensorFlow's ``ensure_shape``, Theano's ``specify_shape``.

    Examples
    --------
    >>> import septet as st
    >>> x = st.symbol("x", (None, None))
    >>> st.ensure_shape(x, (None, 3)).type
    float32[?, 3]
    """
    sizes = shape if isinstance(shape, (tuple, list)) else (shape,)
    return ensure(as_node(x), [-1 if size is None else size for size in sizes])


def ensure(x: Node, sizes: Sequence[Any], caller: str = "") -> Node:
    """Return the node itself where it is known to have the sizes (-1 is any size), else a node that checks them."""
    static, dynamic = split_sizes(sizes)
    if not dynamic and len(static) == x.ndim and all(a in (b, -1) for a, b in zip(static, x.shape, strict=True)):
        return x
    return record(ensure_shape_op, (x, *dynamic), (static, caller))


# check_classes


def _classes_dtype(labels: DType, *count: DType, caller: str, **_: Any) -> tuple[tuple[DType, ...], DType]:
    if not dtypes.is_integer(labels):
        raise DTypeError(f"classes are integers, got {labels.name}", hint="convert with .astype(int)")
    return (labels, *count), labels


def _classes_reference(labels: np.ndarray, *sizes: Any, count: int | None, caller: str) -> np.ndarray:
    (total,) = fill_sizes((count,), sizes)
    wrong = labels >= total  # compared in the labels' own dtype: a uint64 may not fit int64
    if labels.dtype in dtypes.SIGNED:
        wrong |= labels < 0
    if wrong.any():
        position = tuple(int(i) for i in np.argwhere(wrong)[0])
        at = f" at position {position if len(position) > 1 else position[0]}" if position else ""
        exist = f"there are {total} classes, 0 to {total - 1}"
        if total < 2:
            exist = "there is only class 0" if total else "there is none"
        raise IndexOutOfRangeError(f"class {int(labels[position])}{at} does not exist: {exist}")
    return labels.view()


def _batch_classes(is_batched: Sequence[bool], labels: Node, *sizes: Node, count: int | None, caller: str) -> Node:
    if any(is_batched[1:]):
        raise ArgumentError("check_classes: the number of classes cannot differ within a batch")
    return check_classes(labels, *sizes, count=count, caller=caller)


def _classes_canonical(types: Any, count: Any, caller: str) -> dict[str, Any]:
    return {"count": as_shape((count,), "count")[0], CALLER: caller}


check_classes: Op = card(
    "check_classes", "labels *count", params={"count": None, CALLER: ""}, kind=OTHER, public=False, sizes="count",
    param_docs={"count": "The number of classes; None takes a size input.", **CALLER_DOCS},
    summary="Return integer labels, each of which must be a class: from 0 to below their number.",
    notes="Classes are not counted from the end, as indices are: a negative one is a mistake, often a marker for "
    "examples without a label.",
    canonical=_classes_canonical, shape=lambda labels, *sizes, **_: labels, dtype=_classes_dtype,
    reference=_classes_reference, batch=_batch_classes, no_gradient="a class is an integer",
    cases=[Case(np.array([0, 2, 1]), count=3), Case(np.array([[1], [0]], np.uint8), np.array(2), count=None),
           Case(np.array(4), count=5), Case(np.zeros((0,), np.int64), count=0)],
    bad=[BadCase(np.array([0, 3]), count=3, error=IndexOutOfRangeError, match="class 3 at position 1 does not exist"),
         BadCase(np.array([[0, -1]]), count=3, error=IndexOutOfRangeError, match="class -1 at position (0, 1)"),
         BadCase(np.array(2), np.array(1), error=IndexOutOfRangeError, match="there is only class 0"),
         BadCase(np.array([0]), count=0, error=IndexOutOfRangeError, match="there is none"),
         BadCase((2,), count=3, error=DTypeError, match="classes are integers"),
         BadCase(np.array([0]), count=-1, error=ArgumentError, match="negative size")],
)  # fmt: skip


def classes(labels: Node, logits: Node, axis: int, caller: str) -> Node:
    """Return labels that are classes: an axis of the logits says how many there are.

    Parameters
    ----------
    labels : node of an integer dtype
    logits : node
    axis : int
        The axis of the classes, counted from the front.
    caller : str
        The loss, for the error.

    Raises
    ------
    ShapeError
        If the labels have not the shape of the logits without that axis.
    IndexOutOfRangeError
        If a class does not exist; when the labels are known.
    """
    expected = tuple([size for i, size in enumerate(logits.shape) if i != axis])
    if len(labels.shape) != len(expected) or any(
        a != b and None not in (a, b) for a, b in zip(labels.shape, expected, strict=True)
    ):
        error = ShapeError(
            f"integer labels must have the shape of the logits without the class axis, {shape_text(expected)}, got "
            f"{shape_text(labels.shape)}",
            marks=[(0, i) for i in range(logits.ndim) if i != axis] + [(1, i) for i in range(labels.ndim)],
        )
        raise explain_call(error, caller, ("logits", "labels"), (logits, labels))
    sizes = sizes_of(logits)
    labels = ensure(labels, (*sizes[:axis], *sizes[axis + 1 :]), caller)
    static, dynamic = split_sizes((sizes[axis],))
    return record(check_classes, (labels, *dynamic), (static[0], caller))
