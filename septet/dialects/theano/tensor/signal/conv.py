"""`theano.tensor.signal.conv`: convolution of images without channels."""

from __future__ import annotations

from typing import Any

from septet.dialects.theano.tensor.convert import as_tensor_variable
from septet.dialects.theano.tensor.nnet import conv


def conv2d(
    input: Any, filters: Any, image_shape: Any = None, filter_shape: Any = None, border_mode: str = "valid",
    subsample: Any = (1, 1), **kargs: Any,
) -> Any:  # fmt: skip
    """Convolve an image, or a stack of them, with a filter or a stack of them.

    Shape
    -----
    input (rows, columns) or (images, rows, columns), filters likewise; result (images, filters, rows, columns), without
    the axes that the arguments do not have.
    """
    input, filters = as_tensor_variable(input), as_tensor_variable(filters)
    for name, one in (("input", input), ("filters", filters)):
        if one.ndim not in (2, 3):
            raise ValueError(f"{name} of signal.conv2d must have 2 or 3 dimensions, got {one.ndim}")
    is_stack = [one.ndim == 3 for one in (input, filters)]
    images, kernels = [
        one.dimshuffle(0, "x", 1, 2) if stacked else one.dimshuffle("x", "x", 0, 1)
        for one, stacked in zip((input, filters), is_stack, strict=True)
    ]
    shapes = [
        None if shape is None else (*shape[:-2], 1, *shape[-2:]) if len(shape) == 3 else (1, 1, *shape)
        for shape in (image_shape, filter_shape)
    ]
    found = conv.conv2d(images, kernels, *shapes, border_mode, subsample, **kargs)
    kept = [axis for axis, stacked in enumerate(is_stack) if stacked]
    return found if len(kept) == 2 else found[tuple(slice(None) if s else 0 for s in is_stack)]
