"""Running a cell along sequences: one loop of the graph, with masks and truncated gradients."""

from __future__ import annotations

from typing import Any

from septet.base import dtypes
from septet.base.errors import ArgumentError, DTypeError, ShapeError
from septet.base.text import shape_text
from septet.graph.op import ops
from septet.nn.recurrent.cell import Cell
from septet.ops.creation import arange, zeros
from septet.ops.shaping import transpose
from septet.tensor import tree
from septet.tensor.control import scan
from septet.tensor.creation import tensor
from septet.tensor.tensor import Tensor
from septet.tensor.wrap import unwrap


def swap(x: Tensor) -> Tensor:
    """Exchange the first two axes: (B, T, ...) to (T, B, ...) or back."""
    return Tensor(transpose(x.node, axes=(1, 0, *range(2, x.ndim))))


def steps(count: Any) -> Tensor:
    """Return 0, 1, 2 ... up to a number of steps, which may be a scalar tensor."""
    return Tensor(arange(unwrap(count)))


def mask_of(layer: Any, x: Tensor, mask: Any, lengths: Any) -> Tensor | None:
    """Return which steps count, (T, B), from a mask (B, T) or lengths (B,), or None where all do; x is (T, B, ...)."""
    if mask is not None and lengths is not None:
        raise ArgumentError(f"{layer.label}: takes a mask or lengths, got both")
    count, batch = x.type.shape[:2]
    if mask is not None:
        mask = mask if isinstance(mask, Tensor) else tensor(mask)
        if mask.dtype != dtypes.bool_:
            raise DTypeError(f"{layer.label}: a mask holds booleans, got {mask.dtype.name}", hint="mask.astype(bool)")
        _check_shape(layer, "the mask", mask, (batch, count))
        return swap(mask)
    if lengths is None:
        return None
    lengths = lengths if isinstance(lengths, Tensor) else tensor(lengths)
    if not dtypes.is_integer(lengths.dtype):
        raise DTypeError(f"{layer.label}: lengths are integers, got {lengths.dtype.name}")
    _check_shape(layer, "lengths", lengths, (batch,))
    known = lengths.node.value
    if known is not None and count is not None and known.size and (known.min() < 0 or known.max() > count):
        raise ArgumentError(
            f"{layer.label}: lengths must be from 0 to the number of steps, {count}; they are from {known.min()} to "
            f"{known.max()}"
        )
    return steps(x.shape[0]).reshape(-1, 1) < lengths  # (T, B)


def _check_shape(layer: Any, what: str, value: Tensor, shape: tuple[int | None, ...]) -> None:
    own = value.type.shape
    if len(own) != len(shape) or any(None not in (a, b) and a != b for a, b in zip(own, shape, strict=True)):
        raise ShapeError(f"{layer.label}: {what} must have shape {shape_text(shape)}, got {shape_text(own)}")


def choose(mask: Tensor, new: Tensor, old: Tensor | float) -> Tensor:
    """Return the new values of the examples (axis 0) that a mask allows, or of all, and the old ones of the others."""
    shaped = mask.reshape(-1, *(1,) * (new.ndim - 1)) if mask.ndim else mask
    return Tensor(ops.where(shaped.node, new.node, old.node if isinstance(old, Tensor) else old))


def run(
    cell: Cell, x: Tensor, state: Any, mask: Tensor | None = None, *, reverse: bool = False,
    truncate: int | None = None, keeps_all: bool = True, holds: bool = False,
) -> tuple[Tensor, Any]:  # fmt: skip
    """Run a cell over sequences.

    Parameters
    ----------
    cell : Cell
    x : Tensor
        (T, B, ...)
    state : tensor or tuple of them, optional
        Before the first step.
    mask : Tensor, optional
        (T, B): where it is False, the state stays.
    reverse : bool
        Whether to go from the last step to the first.
    truncate : int, optional
        After how many steps gradients are cut.
    keeps_all : bool
        Whether the outputs of all steps are returned, or that of the last step that counts.
    holds : bool
        Whether the output of a step that does not count is the one before, or zeros.

    Returns
    -------
    tuple of (Tensor, state)
        (T, B, ...) or (B, ...), and the last state.
    """
    with cell.entered(x):
        z = cell.project(x)
        first = cell.first_state(tuple(z.shape[1:]), z.dtype) if state is None or cell.learned_state else None
        if state is None:
            state = first
        else:
            cell.check_state(state)
            state = _tensors(state)
            _check_batch(cell, state, z)
        held = None  # the output before, where the state does not show it
        if mask is not None and not cell.output_is_state and (holds or not keeps_all):
            held = Tensor(zeros(unwrap(tuple(cell.step(z[0], state)[0].shape)), dtype=z.dtype))
        dropped = cell.recurrent_mask(state)
        cut = None
        if truncate is not None:
            number = steps(z.shape[0])
            number = z.shape[0] - 1 - number if reverse else number
            cut = (number % truncate == 0) & (number > 0)  # (T,)

    def step(carry: Any, inputs: Any) -> Any:
        before, output_before = carry
        now, is_there, is_cut = inputs
        with cell.entered():
            if is_cut is not None:
                leaves, structure = tree.flatten(before)
                loose = [choose(is_cut, leaf.detach(), leaf) for leaf in leaves]
                before = tree.unflatten(structure, loose)
            output, after = cell.go(now, before, dropped)
            if is_there is not None:
                news, structure = tree.flatten(after)
                olds, _ = tree.flatten(before)
                after = tree.unflatten(structure, [choose(is_there, a, b) for a, b in zip(news, olds, strict=True)])
                if output_before is not None:
                    output_before = choose(is_there, output, output_before)
                if not holds:
                    output = choose(is_there, output, 0.0)
                elif cell.output_is_state:
                    output = tree.flatten(after)[0][0]
                else:
                    output = output_before
        is_needed = keeps_all or not (cell.output_is_state or output_before is not None)
        return (after, output_before), output if is_needed else None

    (last, held), outputs = scan(step, (state, held), (z, mask, cut), reverse=reverse)
    if keeps_all:
        return outputs, last
    if cell.output_is_state:
        return tree.flatten(last)[0][0], last
    return held if held is not None else outputs[0 if reverse else -1], last


def _check_batch(cell: Cell, state: Any, z: Tensor) -> None:
    """Refuse a state of another number of examples, which would be broadcast."""
    batch = z.type.shape[1]
    for name, leaf in zip(cell.state_names, tree.flatten(state)[0], strict=False):
        shape = leaf.type.shape
        if not shape or (None not in (shape[0], batch) and shape[0] != batch):
            raise ShapeError(
                f"{cell.label}: the state {name} has shape {shape_text(shape)}, the input has {batch} examples"
            )


def _tensors(state: Any) -> Any:
    """Return a state whose parts are tensors, several of them in a tuple."""
    leaves, structure = tree.flatten(tuple(state) if isinstance(state, list) else state)
    return tree.unflatten(structure, [leaf if isinstance(leaf, Tensor) else tensor(leaf) for leaf in leaves])
