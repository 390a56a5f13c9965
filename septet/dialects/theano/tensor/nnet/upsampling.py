"""Bilinear upsampling by transposed convolutions with pyramids."""

from __future__ import annotations

from math import gcd
from typing import Any

import numpy as np

from septet.dialects.theano.configdefaults import config
from septet.dialects.theano.tensor import basic
from septet.dialects.theano.tensor.convert import as_tensor_variable
from septet.dialects.theano.tensor.nnet.abstract_conv import conv2d, conv2d_grad_wrt_inputs
from septet.dialects.theano.tensor.shaping import concatenate


def bilinear_kernel_1D(ratio: Any, normalize: bool = True) -> Any:
    """Return ``1, 2 ... ratio ... 2, 1``, divided by `ratio` where it is normalized."""
    half = basic.arange(1, ratio + 1, dtype=config.floatX)
    kernel = concatenate([half, half[-2::-1]])
    return kernel / basic.cast(ratio, config.floatX) if normalize else kernel


def bilinear_kernel_2D(ratio: Any, normalize: bool = True) -> Any:
    """Return the outer product of two such kernels, for the ratios of rows and columns."""
    rows, columns = ratio if isinstance(ratio, tuple) else (ratio, ratio)
    vertical, horizontal = [bilinear_kernel_1D(own, normalize) for own in (rows, columns)]
    return vertical.dimshuffle(0, "x") * horizontal.dimshuffle("x", 0)


def _with_borders(images: Any) -> Any:
    """Repeat the first and last row and column."""
    rows = concatenate((images[:, :, :1, :], images, images[:, :, -1:, :]), axis=2)
    return concatenate((rows[:, :, :, :1], rows, rows[:, :, :, -1:]), axis=3)


def frac_bilinear_upsampling(input: Any, frac_ratio: Any) -> Any:
    """Return images enlarged by one fraction (numerator, denominator), or by one for rows and one for columns."""
    if not isinstance(frac_ratio, tuple):
        raise ValueError("frac_ratio must be a tuple")
    pairs = frac_ratio if isinstance(frac_ratio[0], tuple) else (frac_ratio, frac_ratio)
    pairs = [(p // gcd(p, q), q // gcd(p, q)) for p, q in pairs]
    ratio, subsample = tuple(p for p, _ in pairs), tuple(q for _, q in pairs)
    rows, columns = input.shape[2:]
    images = _with_borders(input.reshape((-1, 1, rows, columns)))
    # the images are the dilated kernel that a padded pyramid is convolved with
    kernel = bilinear_kernel_2D(ratio).dimshuffle("x", "x", 0, 1)
    for axis, (size, step) in enumerate(zip((rows, columns), ratio, strict=True), start=2):
        total = (2 * size - 1) * step + 1
        low = total // 2
        shape = list(kernel.shape)
        parts = [
            basic.zeros((*shape[:axis], width, *shape[axis + 1 :]), dtype=config.floatX) for width in (low, total - low)
        ]
        kernel = concatenate((parts[0], kernel, parts[1]), axis=axis)
    found = conv2d(kernel, images, filter_dilation=ratio, subsample=subsample)
    return found.reshape((input.shape[0], input.shape[1], found.shape[2], found.shape[3]))


def bilinear_upsampling(
    input: Any, ratio: Any = None, frac_ratio: Any = None, batch_size: int | None = None,
    num_input_channels: int | None = None, use_1D_kernel: bool = True,
) -> Any:  # fmt: skip
    """Return images (batch, channels, rows, columns) enlarged by bilinear interpolation.

    Parameters
    ----------
    input : tensor
    ratio : int, optional
    frac_ratio : pair of int, or two pairs, optional
        Numerator and denominator, instead of `ratio`.
    batch_size, num_input_channels : int, optional
    use_1D_kernel : bool
        Whether rows and columns are enlarged one after the other.
    """
    if ratio and frac_ratio:
        raise ValueError("can't use ratio and frac_ratio together")
    if not (ratio or frac_ratio):
        raise ValueError("No ratio (or frac_ratio) provided")
    input = as_tensor_variable(input)
    if frac_ratio:
        if use_1D_kernel:
            raise ValueError("For fractional ratios 1D kernel method not implemented; pass use_1D_kernel as False")
        return frac_bilinear_upsampling(input, frac_ratio)
    count = None if None in (batch_size, num_input_channels) else np.prod([batch_size, num_input_channels])
    rows, columns = input.shape[2:]
    found = _with_borders(input.reshape((-1, 1, rows, columns)))
    pad = 2 * ratio - (ratio - 1) // 2 - 1
    if use_1D_kernel:
        kernel, length = bilinear_kernel_1D(ratio), 2 * ratio - 1
        found = conv2d_grad_wrt_inputs(
            found, kernel.dimshuffle("x", "x", 0, "x"), (count, 1, rows * ratio, columns + 2), (1, 1, length, 1), (pad, 0),
            (ratio, 1),
        )  # fmt: skip
        found = conv2d_grad_wrt_inputs(
            found, kernel.dimshuffle("x", "x", "x", 0), (count, 1, rows * ratio, columns * ratio), (1, 1, 1, length),
            (0, pad), (1, ratio),
        )  # fmt: skip
    else:
        kernel = bilinear_kernel_2D(ratio).dimshuffle("x", "x", 0, 1)
        shape = (count, 1, rows * ratio, columns * ratio)
        found = conv2d_grad_wrt_inputs(found, kernel, shape, (1, 1, *[2 * ratio - 1] * 2), (pad, pad), (ratio, ratio))
    return found.reshape((input.shape[0], input.shape[1], rows * ratio, columns * ratio))
