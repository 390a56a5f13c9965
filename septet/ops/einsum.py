"""Einstein summation: any product of tensors, summed over any axes, from one line of letters."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from septet.base import dtypes
from septet.base.errors import ArgumentError, SeptetError, ShapeError
from septet.base.shapes import Shape
from septet.graph.node import Node
from septet.graph.op import as_nodes, cast_to, explain_call, function, ops
from septet.ops.matmul import Labels, arrange, contract, drop_ones
from septet.ops.matrices import diagonal
from septet.ops.shaping import transpose

NOMINAL = 64
"""The size that an unknown one is taken to have when the order of contractions is chosen."""


class Plan(NamedTuple):
    """What to do for one text and one list of shapes.

    Attributes
    ----------
    operands : tuple of tuple
        The label of every axis of each operand; an axis under ``...`` has the number -1, -2 ..., from the right.
    kept : tuple of tuple
        The labels that each operand keeps when its diagonals are taken, what broadcasts is dropped and the rest summed.
    sizes : dict
        The size of each label, after broadcasting.
    out : tuple
        The labels of the result.
    order : tuple of (int, int, tuple)
        Which two of the remaining operands to contract, and the labels that must be left; the result goes to the end.
    """

    operands: tuple[Labels, ...]
    kept: tuple[Labels, ...]
    sizes: dict[Hashable, int | None]
    out: Labels
    order: tuple[tuple[int, int, Labels], ...]


def _terms(subscripts: str) -> tuple[list[str], str | None]:
    """Split the text into one term for each operand, and the result's term where there is one."""
    text = "".join(subscripts.split())
    left, arrow, right = text.partition("->")
    for character in left.replace("...", "").replace(",", "") + right.replace("...", ""):
        if not character.isalpha():
            raise ArgumentError(
                f"subscripts {subscripts!r} hold {character!r}",
                hint="letters name axes, ',' parts operands, '...' stands for other axes, '->' comes before the result",
            )
    for term in (*left.split(","), right):
        if term.count("...") > 1:
            raise ArgumentError(f"subscripts {subscripts!r} have more than one '...' in the term {term!r}")
    return left.split(","), right if arrow else None


def _label(term: str, rank: int, position: int) -> Labels:
    """Return one label for each axis of an operand."""
    before, dots, after = term.partition("...")
    rest = rank - len(before) - len(after)
    if rest < 0 or (rest > 0 and not dots):
        raise ShapeError(
            f"the term {term!r} of operand {position} names {len(before) + len(after)} axes, the operand has {rank}",
            marks=[(position, axis) for axis in range(rank)],
            hint="'...' stands for axes without a letter" if rest > 0 else None,
        )
    return (*before, *range(-rest, 0), *after)


def _result_labels(subscripts: str, operands: Sequence[Labels], term: str | None) -> Labels:
    """Return the labels of the result: as written, or else '...' and then the letters that occur once, by alphabet."""
    given = [label for labels in operands for label in labels]
    dots = tuple(sorted({label for label in given if isinstance(label, int)}))
    if term is None:
        letters = sorted({str(label) for label in given if isinstance(label, str) and given.count(label) == 1})
        return (*dots, *letters)
    before, ellipsis, after = term.partition("...")
    if dots and not ellipsis:
        raise ArgumentError(
            f"the result {term!r} of {subscripts!r} leaves out the {len(dots)} axes that '...' stands for",
            hint="write '...' in the result too; sum over its axes afterwards where that is meant",
        )
    for letter in before + after:
        if (before + after).count(letter) > 1:
            raise ArgumentError(f"the letter {letter!r} appears twice in the result {term!r}")
        if letter not in given:
            raise ArgumentError(f"the letter {letter!r} of the result {term!r} is in no operand")
    return (*before, *dots, *after)


def _sizes(operands: Sequence[Labels], shapes: Sequence[Shape]) -> dict[Hashable, int | None]:
    """Return the size of each label; a size of 1 broadcasts."""
    found: dict[Hashable, tuple[int | None, int, int]] = {}
    for position, (labels, shape) in enumerate(zip(operands, shapes, strict=True)):
        for axis, (label, size) in enumerate(zip(labels, shape, strict=True)):
            known, first, first_axis = found.get(label, (1, position, axis))
            if label in labels[:axis]:  # a diagonal, where nothing broadcasts
                first, first_axis = position, labels.index(label)
                known = shape[first_axis]
                is_wrong = size != known and size is not None and known is not None
            else:
                is_wrong = size not in (known, 1, None) and known not in (1, None)
            if is_wrong:
                name = f"the letter {label!r}" if isinstance(label, str) else f"axis {label} of '...'"
                raise ShapeError(
                    f"{name} has size {known} in operand {first} and size {size} in operand {position}",
                    marks=[(first, first_axis), (position, axis)],
                    hint="equal letters need equal sizes, or a size of 1, which broadcasts",
                )
            if found.get(label, (1,))[0] == 1 or size not in (1, None):
                found[label] = (size, position, axis)
    return {label: size for label, (size, _, _) in found.items()}


def _volume(labels: Sequence[Hashable], sizes: dict[Hashable, int | None]) -> int:
    total = 1
    for label in labels:
        size = sizes[label]
        total *= NOMINAL if size is None else size
    return total


def _order(
    operands: Sequence[Labels], sizes: dict[Hashable, int | None], out: Labels
) -> tuple[tuple[int, int, Labels], ...]:
    """Choose, again and again, the two operands whose product adds least to what must be held, then the cheapest."""
    left = list(operands)
    steps: list[tuple[int, int, Labels]] = []
    while len(left) > 1:
        best: Any = None
        for i in range(len(left)):
            for j in range(i + 1, len(left)):
                others = {label for k, labels in enumerate(left) if k not in (i, j) for label in labels}
                both = tuple(dict.fromkeys((*left[i], *left[j])))
                kept = tuple(label for label in both if label in out or label in others)
                held = _volume(kept, sizes) - _volume(left[i], sizes) - _volume(left[j], sizes)
                rank = (held, _volume(both, sizes), i, j)
                if best is None or rank < best[0]:
                    best = (rank, i, j, kept)
        _, i, j, kept = best
        if len(left) == 2:
            kept = out  # in the order that is wanted
        left = [labels for k, labels in enumerate(left) if k not in (i, j)] + [kept]
        steps.append((i, j, kept))
    return tuple(steps)


@lru_cache(maxsize=1024)
def plan(subscripts: str, shapes: tuple[Shape, ...]) -> Plan:
    """Read the text and choose the order of the contractions.

    Raises
    ------
    ArgumentError, ShapeError
        If the text cannot be read, or does not fit the shapes.
    """
    terms, result = _terms(subscripts)
    if len(terms) != len(shapes):
        raise ArgumentError(f"subscripts {subscripts!r} describe {len(terms)} operands, got {len(shapes)}")
    operands = tuple(_label(term, len(shape), i) for i, (term, shape) in enumerate(zip(terms, shapes, strict=True)))
    out = _result_labels(subscripts, operands, result)
    sizes = _sizes(operands, shapes)
    present = [
        tuple(dict.fromkeys(label for label, size in zip(labels, shape, strict=True) if size != 1 or sizes[label] == 1))
        for labels, shape in zip(operands, shapes, strict=True)
    ]
    reduced = []
    for i, labels in enumerate(present):
        others = {label for k, more in enumerate(present) if k != i for label in more}
        reduced.append(tuple(label for label in labels if label in others or label in out))
    return Plan(operands, tuple(reduced), sizes, out, _order(reduced, sizes, out))


def _take_diagonals(x: Node, labels: Labels) -> tuple[Node, Labels]:
    """Leave one axis of each label that appears several times in one operand."""
    while len(set(labels)) < len(labels):
        label = next(label for label in labels if labels.count(label) > 1)
        i = labels.index(label)
        j = labels.index(label, i + 1)
        rest = tuple(k for k in range(x.ndim) if k not in (i, j))
        x = diagonal(transpose(x, axes=(*rest, i, j)))
        labels = (*[labels[k] for k in rest], label)
    return x, labels


def _sum_over(x: Node, labels: Labels, kept: Labels) -> tuple[Node, Labels]:
    """Sum over the labels that nothing asks for any more."""
    axes = tuple(i for i, label in enumerate(labels) if label not in kept)
    if not axes:
        return x, labels
    return cast_to(ops.sum(x, axis=axes), x.dtype), tuple(label for label in labels if label in kept)


@function()
def einsum(subscripts: str, /, *operands: Any) -> Node:
    """Multiply tensors and sum the products, as a line of letters says.

    Parameters
    ----------
    subscripts : str
        One letter for each axis of each operand, the operands parted by commas: ``"ij,jk->ik"``. What has the same
        letter runs together, what is not in the result is summed. A letter twice in one operand takes the diagonal.
        ``...`` stands for further axes, which broadcast. Without ``->`` the result has the axes of ``...`` and then
        those whose letter occurs once, in alphabetical order.
    *operands : tensor

    Returns
    -------
    tensor
        Several operands are contracted two at a time, each time those whose product takes the least memory.

    Shape
    -----
    Equal letters need equal sizes, or a size of 1, which broadcasts.

    Dtype
    -----
    The common type of all operands, also for integers.

    Raises
    ------
    ArgumentError
        If the text cannot be read, or describes another number of operands.
    ShapeError
        If it does not fit the shapes; the message names the letter and the sizes.

    Source
    ------
    NumPy, ``einsum``; the order is the greedy one of opt_einsum (D. G. A. Smith and J. Gray, 2018).

    Examples
    --------
    >>> import septet as st
    >>> a = st.asarray([[1, 2], [3, 4]])
    >>> st.einsum("ii", a).item(), st.einsum("ij->j", a).tolist(), st.einsum("ij,kj->ik", a, a).tolist()
    (5, [4, 6], [[5, 11], [11, 25]])
    """
    if not isinstance(subscripts, str):
        raise ArgumentError(f"einsum takes the subscripts first, as text; got {type(subscripts).__name__}")
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)) and any(isinstance(x, Node) for x in operands[0]):
        operands = tuple(operands[0])
    nodes = as_nodes(operands) if operands else ()
    try:
        found = plan(subscripts, tuple(x.shape for x in nodes))
    except SeptetError as error:
        error = type(error)(error.message, marks=error.marks, hint=error.hint)
        raise explain_call(error, "einsum", ("*operands",), nodes, {"subscripts": subscripts}) from None
    common = dtypes.promote(*[x.dtype for x in nodes])
    left: list[tuple[Node, Labels]] = []
    for x, labels, kept in zip(nodes, found.operands, found.kept, strict=True):
        x = cast_to(x, common)
        if labels != kept:
            x, labels = drop_ones(*_take_diagonals(x, labels), found.sizes)
            x, labels = _sum_over(x, labels, kept)
        left.append((x, labels))
    for i, j, kept in found.order:
        pair = contract(*left[i], *left[j], kept)
        left = [entry for k, entry in enumerate(left) if k not in (i, j)]
        left.append(pair)
    x, labels = left[0]
    return x if labels == found.out else arrange(x, labels, found.out)
