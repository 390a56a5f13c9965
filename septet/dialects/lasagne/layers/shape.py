"""Layers that change how values are laid out, pad them, or take a part."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import septet.dialects.theano.tensor as T
from septet.dialects.lasagne.layers.base import Layer
from septet.dialects.lasagne.theano_extensions import padding
from septet.dialects.lasagne.utils import int_types

__all__ = [
    "DimshuffleLayer", "FlattenLayer", "PadLayer", "ReshapeLayer", "SliceLayer", "dimshuffle", "flatten", "pad",
    "reshape",
]  # fmt: skip


def _size_of(sizes: Iterable[Any]) -> Any:
    """Return the product of sizes, None where one is not known."""
    sizes = list(sizes)
    return None if None in sizes else math.prod(sizes)


class FlattenLayer(Layer):
    """Joins the last axes into one, such that `outdim` remain."""

    def __init__(self, incoming: Any, outdim: int = 2, **kwargs: Any) -> None:
        super().__init__(incoming, **kwargs)
        self.outdim = outdim
        if outdim < 1:
            raise ValueError(f"Dim must be >0, was {outdim}")

    def get_output_shape_for(self, input_shape: Any) -> Any:
        kept = self.outdim - 1
        return (*input_shape[:kept], _size_of(input_shape[kept:]))

    def get_output_for(self, input: Any, **kwargs: Any) -> Any:
        return input.flatten(self.outdim)


flatten = FlattenLayer


class ReshapeLayer(Layer):
    """Gives its input another shape of the same total size.

    For each axis `shape` has a size; or ``[i]`` for the size of the input's axis i; or a scalar variable; or -1, once,
    for what is left.
    """

    def __init__(self, incoming: Any, shape: Iterable[Any], **kwargs: Any) -> None:
        super().__init__(incoming, **kwargs)
        shape = tuple(shape)
        for size in shape:
            if isinstance(size, int_types):
                if size == 0 or size < -1:
                    raise ValueError("`shape` integers must be positive or -1")
            elif isinstance(size, list):
                if len(size) != 1 or not isinstance(size[0], int_types) or size[0] < 0:
                    raise ValueError("`shape` input references must be single-element lists of int >= 0")
            elif isinstance(size, T.TensorVariable):
                if size.ndim != 0:
                    raise ValueError(
                        f"A symbolic variable in a shape specification must be a scalar, but had {size.ndim} dimensions"
                    )
            else:
                raise ValueError("`shape` must be a tuple of int and/or [int]")
        if sum(isinstance(size, int_types) and size == -1 for size in shape) > 1:
            raise ValueError("`shape` cannot contain multiple -1")
        self.shape = shape
        self.get_output_shape_for(self.input_shape)  # raises what is wrong now

    def get_output_shape_for(self, input_shape: Any, **kwargs: Any) -> Any:
        given = list(input_shape)  # with 1 for sizes that are not known but stay what they are
        known = list(self.shape)
        result: list[Any] = list(self.shape)
        for axis, size in enumerate(self.shape):
            if isinstance(size, list):
                source = size[0]
                if source >= len(input_shape):
                    raise ValueError(
                        f"specification contains [{source}], but input shape has {len(input_shape)} dimensions only"
                    )
                result[axis] = known[axis] = input_shape[source]
                if input_shape[source] is None and given[source] is None:
                    given[source] = known[axis] = 1
            if isinstance(result[axis], T.TensorVariable):
                result[axis] = known[axis] = None
        total = _size_of(given)
        others = _size_of(known)
        if -1 in result:
            axis = result.index(-1)
            if total is None or others is None:
                result[axis] = others = None
            else:
                result[axis] = total // -others
                others = -others * result[axis]
        if total is not None and others is not None and total != others:
            raise ValueError(
                f"{input_shape} cannot be reshaped to specification {self.shape}. The total size mismatches."
            )
        return tuple(result)

    def get_output_for(self, input: Any, **kwargs: Any) -> Any:
        return input.reshape(tuple(input.shape[size[0]] if isinstance(size, list) else size for size in self.shape))


reshape = ReshapeLayer


class DimshuffleLayer(Layer):
    """Reorders axes, adds axes of size 1 ("x"), and drops those of size 1 that are not named."""

    def __init__(self, incoming: Any, pattern: Any, **kwargs: Any) -> None:
        super().__init__(incoming, **kwargs)
        used: set[int] = set()
        for axis in pattern:
            if isinstance(axis, int_types):
                if axis in used:
                    raise ValueError(f"pattern contains dimension {axis} more than once")
                used.add(axis)
            elif axis != "x":
                raise ValueError(f"pattern should only contain dimensionindices or 'x', not {axis}")
        self.pattern = pattern
        self.get_output_shape_for(self.input_shape)  # raises what is wrong now

    def get_output_shape_for(self, input_shape: Any) -> Any:
        for axis in self.pattern:
            if axis != "x" and not 0 <= axis < len(input_shape):
                raise ValueError(f"pattern contains {axis}, but input shape has {len(input_shape)} dimensions only")
        for axis, size in enumerate(input_shape):
            if axis not in self.pattern and size not in (1, None):
                raise ValueError(
                    f"pattern attempted to collapse dimension {axis} of size {size}; dimensions with size != 1/None are not broadcastable and cannot be collapsed"
                )
        return tuple(1 if axis == "x" else input_shape[axis] for axis in self.pattern)

    def get_output_for(self, input: Any, **kwargs: Any) -> Any:
        return input.dimshuffle(self.pattern)


dimshuffle = DimshuffleLayer


class PadLayer(Layer):
    """Adds a border of one value.

    Its width is the same on all sides, or one for each axis after the first `batch_ndim`, or a pair for its two ends.
    """

    def __init__(self, incoming: Any, width: Any, val: Any = 0, batch_ndim: int = 2, **kwargs: Any) -> None:
        super().__init__(incoming, **kwargs)
        self.width = width
        self.val = val
        self.batch_ndim = batch_ndim

    def get_output_shape_for(self, input_shape: Any) -> Any:
        ends = padding.widths_of(self.width, len(input_shape), self.batch_ndim)
        return tuple(
            None if size is None else size + low + high for size, (low, high) in zip(input_shape, ends, strict=True)
        )

    def get_output_for(self, input: Any, **kwargs: Any) -> Any:
        return padding.pad(input, self.width, self.val, self.batch_ndim)


pad = PadLayer


class SliceLayer(Layer):
    """Takes a part along an axis: with an integer the axis goes away, with a slice it stays."""

    def __init__(self, incoming: Any, indices: Any, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(incoming, **kwargs)
        self.slice = indices
        self.axis = axis

    def get_output_shape_for(self, input_shape: Any) -> Any:
        shape = list(input_shape)
        if isinstance(self.slice, int_types):
            del shape[self.axis]
        elif shape[self.axis] is not None:
            shape[self.axis] = len(range(*self.slice.indices(shape[self.axis])))
        return tuple(shape)

    def get_output_for(self, input: Any, **kwargs: Any) -> Any:
        return input[(slice(None),) * (self.axis % input.ndim) + (self.slice,)]
