"""`theano.tensor.nnet.conv`: the older convolution of Theano."""

from __future__ import annotations

import warnings
from typing import Any

import septet as st
from septet.dialects.theano.gof.graph import Variable
from septet.dialects.theano.gof.native import native
from septet.dialects.theano.tensor.basic import get_scalar_constant_value
from septet.dialects.theano.tensor.convert import as_tensor_variable
from septet.dialects.theano.tensor.nnet.abstract_conv import AbstractConv2d
from septet.dialects.theano.tensor.nnet.conv_shapes import get_conv_output_shape
from septet.dialects.theano.tensor.shaping import get_vector_length

imported_scipy_signal = True
"""Whether "full" and "valid" work without a C compiler: always."""


def _known(shape: Any) -> tuple[int | None, ...] | None:
    """Return a shape in numbers; None for what is not known."""
    if shape is None:
        return None
    if isinstance(shape, Variable):
        shape = [shape[axis] for axis in range(get_vector_length(shape))]
    return tuple(None if size is None else int(get_scalar_constant_value(size)) for size in shape)


def _checked(tensor: Any, shape: Any) -> Any:
    """Return a tensor whose shape is known now; it is checked when the function runs."""
    return tensor if shape is None else native_shape(tensor, shape=shape)


@native(name="KnownShape")
def native_shape(x: Any, *, shape: Any) -> Any:
    return st.ensure_shape(x, shape)


def conv2d(
    input: Any, filters: Any, image_shape: Any = None, filter_shape: Any = None, border_mode: str = "valid",
    subsample: Any = (1, 1), **kargs: Any,
) -> Any:  # fmt: skip
    """Convolve images (batch, channels, rows, columns) with filters (out channels, channels, rows, columns).

    Parameters
    ----------
    input, filters : tensor
    image_shape, filter_shape : tuple, optional
    border_mode : "valid" or "full"
    subsample : pair of int
    **kargs
        How Theano unrolled its loops; of no effect.
    """
    if border_mode not in ("valid", "full"):
        raise ValueError(f"invalid border_mode {border_mode}, which must be either 'valid' or 'full'")
    for name in ("imshp_logical", "kshp_logical"):
        if kargs.pop(name, None) is not None:
            raise NotImplementedError(
                f"conv2d: {name} is not supported; repeat the pixels with T.repeat before convolving"
            )
    image, kernel = _known(image_shape), _known(filter_shape)
    if image and kernel and None not in (image[1], kernel[1]) and image[1] != kernel[1]:
        raise AssertionError(f"image_shape has {image[1]} channels, filter_shape takes {kernel[1]}")
    op = AbstractConv2d(image, kernel, border_mode, tuple(subsample))
    return op(_checked(as_tensor_variable(input), image), _checked(as_tensor_variable(filters), kernel))


class ConvOp(AbstractConv2d):
    """The older convolution as an op: shapes without the batch, strides `dx` and `dy`."""

    def __init__(
        self, imshp: Any = None, kshp: Any = None, nkern: int | None = None, bsize: int | None = None, dx: int = 1,
        dy: int = 1, output_mode: str = "valid", **kargs: Any,
    ) -> None:  # fmt: skip
        if output_mode not in ("valid", "full"):
            raise Exception(f"Mode {output_mode} not implemented")
        if imshp is not None and len(imshp) == 2:
            imshp = (1, *imshp)
        image = None if imshp is None else (bsize, *imshp)
        kernel = None if kshp is None else (nkern, image[1] if image else None, *kshp)
        if kargs:
            warnings.warn(f"ConvOp: {', '.join(kargs)} have no effect here", stacklevel=2)
        super().__init__(image, kernel, output_mode, (int(dx or 1), int(dy or 1)))
        self.dx, self.dy, self.out_mode = int(dx or 1), int(dy or 1), output_mode

    @staticmethod
    def getOutputShape(inshp: Any, kshp: Any, stride: Any = (1, 1), mode: str = "valid") -> tuple[int, ...]:
        """Return the spatial shape of what a convolution gives."""
        return get_conv_output_shape((0, 0, *inshp), (0, 0, *kshp), mode, stride)[2:]
