"""`theano.tensor.nnet.conv`: the older convolution of Theano."""

from __future__ import annotations

import warnings
from typing import Any

from septet.dialects.theano.tensor.convert import as_tensor_variable
from septet.dialects.theano.tensor.nnet.abstract_conv import AbstractConv2d
from septet.dialects.theano.tensor.nnet.conv_shapes import get_conv_output_shape


def _known(name: str, shape: Any) -> tuple[Any, ...] | None:
    if shape is None:
        return None
    if len(shape) != 4:
        raise ValueError(f"{name} must have four entries, got {shape}")
    return tuple(None if one is None else int(getattr(one, "data", one)) for one in shape)


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
    image, kernel = _known("image_shape", image_shape), _known("filter_shape", filter_shape)
    if image and kernel and None not in (image[1], kernel[1]) and image[1] != kernel[1]:
        raise ValueError(f"image_shape has {image[1]} channels, filter_shape takes {kernel[1]}")
    op = AbstractConv2d(image, kernel, border_mode, tuple(subsample))
    return op(as_tensor_variable(input), as_tensor_variable(filters))


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
