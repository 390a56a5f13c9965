"""`theano.tensor.nnet`: functions for neural networks."""

from __future__ import annotations

import warnings
from typing import Any

from septet.dialects.theano.tensor.nnet import (
    abstract_conv,
    blocksparse,
    bn,
    conv,
    conv3d2d,
    corr,
    corr3d,
    ctc,
    neighbours,
    nnet,
    opt,
    sigm,
    upsampling,
)
from septet.dialects.theano.tensor.nnet.abstract_conv import (
    causal_conv1d,
    conv2d_grad_wrt_inputs,
    conv2d_grad_wrt_weights,
    conv3d,
    separable_conv2d,
    separable_conv3d,
)
from septet.dialects.theano.tensor.nnet.abstract_conv import conv2d as abstract_conv2d
from septet.dialects.theano.tensor.nnet.bn import batch_normalization
from septet.dialects.theano.tensor.nnet.conv import ConvOp
from septet.dialects.theano.tensor.nnet.nnet import *
from septet.dialects.theano.tensor.nnet.sigm import *


def conv2d(
    input: Any, filters: Any, input_shape: Any = None, filter_shape: Any = None, border_mode: Any = "valid",
    subsample: Any = (1, 1), filter_flip: bool = True, image_shape: Any = None, filter_dilation: Any = (1, 1),
    num_groups: int = 1, unshared: bool = False, **kwargs: Any,
) -> Any:  # fmt: skip
    """Convolve images with filters: see `abstract_conv.conv2d`; `image_shape` is the old name of `input_shape`."""
    if "imshp_logical" in kwargs or "kshp_logical" in kwargs:
        raise ValueError("Keyword arguments 'imshp_logical' and 'kshp_logical' for conv2d are not supported anymore.")
    if kwargs:
        warnings.warn(f"conv2d: {', '.join(kwargs)} are deprecated and will be ignored.", stacklevel=2)
    if image_shape is not None:
        warnings.warn(
            "The `image_shape` keyword argument to `tensor.nnet.conv2d` is deprecated, it has been renamed to `input_shape`.",
            stacklevel=2,
        )
        if input_shape is not None:
            raise ValueError("input_shape and image_shape should not be provided at the same time.")
        input_shape = image_shape
    settings = (border_mode, subsample, filter_flip, filter_dilation, num_groups, unshared)
    return abstract_conv2d(input, filters, input_shape, filter_shape, *settings)


def conv2d_transpose(
    input: Any, filters: Any, output_shape: Any, filter_shape: Any = None, border_mode: Any = "valid",
    input_dilation: Any = (1, 1), filter_flip: bool = True, filter_dilation: Any = (1, 1), num_groups: int = 1,
    unshared: bool = False,
) -> Any:  # fmt: skip
    """Convolve transposed: the gradient of the `conv2d` with these parameters in its images, of shape `output_shape`."""
    return conv2d_grad_wrt_inputs(
        input, filters, output_shape, filter_shape, border_mode, input_dilation, filter_flip, filter_dilation, num_groups,
        unshared,
    )  # fmt: skip


for _name in ("bilinear_kernel_1D", "bilinear_kernel_2D", "bilinear_upsampling", "frac_bilinear_upsampling"):
    setattr(abstract_conv, _name, getattr(upsampling, _name))  # where Theano has them
