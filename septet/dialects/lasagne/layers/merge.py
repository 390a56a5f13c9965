"""Layers that join the outputs of several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import septet.dialects.theano.tensor as T
from septet.dialects.lasagne.layers.base import MergeLayer

__all__ = [
    "ConcatLayer", "ElemwiseMergeLayer", "ElemwiseSumLayer", "autocrop", "autocrop_array_shapes", "concat",
]  # fmt: skip


def _modes_for(cropping: Sequence[Any], ranks: Sequence[int]) -> list[Any]:
    """Return the way of cropping of each axis; all ranks must be the same."""
    if len(set(ranks)) != 1:
        raise ValueError(
            f"Not all inputs are of the same dimensionality. Got {len(ranks)} inputs of dimensionalities {list(ranks)}."
        )
    modes = [*cropping, *[None] * ranks[0]][: ranks[0]]
    for mode in modes:
        if mode not in (None, "lower", "center", "upper"):
            raise ValueError(f"Unknown crop mode '{mode}'")
    return modes


def autocrop(inputs: Sequence[Any], cropping: Sequence[Any] | None) -> Any:
    """Return variables cut to the smallest of their sizes along some axes."""
    if cropping is None:
        return inputs
    modes = _modes_for(cropping, [input.ndim for input in inputs])
    shapes = [input.shape for input in inputs]
    smallest = T.min(T.stack([T.stack([shape[axis] for axis in range(len(modes))]) for shape in shapes]), axis=0)
    slices: list[list[slice]] = [[] for _ in inputs]
    for axis, mode in enumerate(modes):
        size = smallest[axis]
        for shape, own in zip(shapes, slices, strict=True):
            offset = (shape[axis] - size) // 2
            center, upper = slice(offset, offset + size), slice(-size, None)
            own.append({None: slice(None), "lower": slice(None, size), "center": center, "upper": upper}[mode])
    return [input[tuple(own)] for input, own in zip(inputs, slices, strict=True)]


def autocrop_array_shapes(input_shapes: Sequence[Any], cropping: Sequence[Any] | None) -> Any:
    """Return the shapes that `autocrop` leaves."""
    if cropping is None:
        return input_shapes
    modes = _modes_for(cropping, [len(shape) for shape in input_shapes])
    columns: list[Any] = []
    for sizes, mode in zip(zip(*input_shapes, strict=True), modes, strict=True):
        smallest = None if None in sizes else min(sizes)
        columns.append(sizes if mode is None else [smallest] * len(sizes))
    return [tuple(shape) for shape in zip(*columns, strict=True)]


def _joint_shape(shapes: Sequence[Any], message: str, free: int | None = None) -> list[Any]:
    """Return for each axis the size that is known; all must agree but for one free axis."""
    joint = [next((size for size in sizes if size is not None), None) for sizes in zip(*shapes, strict=False)]
    for shape in shapes:
        if len(shape) != len(joint) or any(
            axis != free and None not in (size, own) and size != own
            for axis, (size, own) in enumerate(zip(joint, shape, strict=False))
        ):
            raise ValueError(message)
    return joint


class ConcatLayer(MergeLayer):
    """Puts its inputs one after the other along an axis."""

    def __init__(self, incomings: Any, axis: int = 1, cropping: Any = None, **kwargs: Any) -> None:
        super().__init__(incomings, **kwargs)
        self.axis = axis
        if cropping is not None:
            cropping = list(cropping)
            cropping[axis] = None
        self.cropping = cropping

    def get_output_shape_for(self, input_shapes: Any) -> Any:
        shapes = autocrop_array_shapes(input_shapes, self.cropping)
        axis = self.axis % len(shapes[0])
        joint = _joint_shape(
            shapes, "Mismatch: input shapes must be the same except in the concatenation axis", free=axis
        )
        sizes = [shape[axis] for shape in shapes]
        joint[axis] = None if any(size is None for size in sizes) else sum(sizes)
        return tuple(joint)

    def get_output_for(self, inputs: Any, **kwargs: Any) -> Any:
        return T.concatenate(autocrop(inputs, self.cropping), axis=self.axis)


concat = ConcatLayer


class ElemwiseMergeLayer(MergeLayer):
    """Combines its inputs, from left to right, by a function of two variables."""

    def __init__(
        self, incomings: Any, merge_function: Callable[[Any, Any], Any], cropping: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(incomings, **kwargs)
        self.merge_function = merge_function
        self.cropping = cropping

    def get_output_shape_for(self, input_shapes: Any) -> Any:
        shapes = autocrop_array_shapes(input_shapes, self.cropping)
        return tuple(_joint_shape(shapes, "Mismatch: not all input shapes are the same"))

    def get_output_for(self, inputs: Any, **kwargs: Any) -> Any:
        output, *others = autocrop(inputs, self.cropping)
        for other in others:
            output = self.merge_function(output, other)
        return output


class ElemwiseSumLayer(ElemwiseMergeLayer):
    """The sum of its inputs, each times a coefficient."""

    def __init__(self, incomings: Any, coeffs: Any = 1, cropping: Any = None, **kwargs: Any) -> None:
        super().__init__(incomings, T.add, cropping=cropping, **kwargs)
        if not isinstance(coeffs, list):
            coeffs = [coeffs] * len(incomings)
        if len(coeffs) != len(incomings):
            raise ValueError(f"Mismatch: got {len(coeffs)} coeffs for {len(incomings)} incomings")
        self.coeffs = coeffs

    def get_output_for(self, inputs: Any, **kwargs: Any) -> Any:
        scaled = [input if coeff == 1 else input * coeff for coeff, input in zip(self.coeffs, inputs, strict=True)]
        return super().get_output_for(scaled, **kwargs)
