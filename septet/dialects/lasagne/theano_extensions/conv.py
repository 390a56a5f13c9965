"""One-dimensional convolutions made of other operations; all compute the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import septet.dialects.theano.tensor as T
from septet.dialects.theano.tensor import nnet


def _as_images(
    input: Any, filters: Any, image_shape: Any, filter_shape: Any, axis: int, border: Any, stride: int, flip: bool,
    groups: int = 1,
) -> Any:  # fmt: skip
    """Return a two-dimensional convolution of what gets an axis of size 1, which is taken off again."""

    def widened(shape: Any) -> Any:
        return None if shape is None else (*shape[:axis], 1, *shape[axis:])

    pattern = [0, 1, 2]
    pattern.insert(axis, "x")  # type: ignore[arg-type]
    is_row = axis == 2
    conved = nnet.conv2d(
        input.dimshuffle(pattern), filters.dimshuffle(pattern), widened(image_shape), widened(filter_shape),
        subsample=(1, stride) if is_row else (stride, 1), border_mode=border, filter_flip=flip,
        **({"num_groups": groups} if groups > 1 else {}),
    )  # fmt: skip
    return conved[:, :, 0, :] if is_row else conved[:, :, :, 0]


def conv1d_sc(
    input: Any, filters: Any, image_shape: Any = None, filter_shape: Any = None, border_mode: Any = "valid",
    subsample: Sequence[int] = (1,), filter_flip: bool = True,
) -> Any:  # fmt: skip
    """Convolve images of one channel whose rows are the input's channels.

    Parameters
    ----------
    input : tensor3
        (examples, channels, length).
    filters : tensor3
        (filters, channels, length).
    image_shape, filter_shape : tuple, optional
    border_mode : "valid" or 0
    subsample : (int,)
    filter_flip : bool
    """
    _check_border("conv1d_sc", border_mode)

    def as_image(shape: Any) -> Any:
        return None if shape is None else (shape[0], 1, *shape[1:])

    images, kernels = input.dimshuffle(0, "x", 1, 2), filters.dimshuffle(0, "x", 1, 2)
    if filter_flip:
        kernels = kernels[:, :, ::-1, :]  # channels are matched, not turned around
    conved = nnet.conv2d(
        images, kernels, as_image(image_shape), as_image(filter_shape), subsample=(1, subsample[0]), filter_flip=filter_flip
    )
    return conved[:, :, 0, :]


def _border(border_mode: Any) -> Any:
    return border_mode[0] if isinstance(border_mode, tuple) else border_mode


def conv1d_mc0(
    input: Any, filters: Any, image_shape: Any = None, filter_shape: Any = None, border_mode: Any = "valid",
    subsample: Sequence[int] = (1,), filter_flip: bool = True, num_groups: int = 1,
) -> Any:  # fmt: skip
    """Convolve images of one row.

    Parameters
    ----------
    input, filters, image_shape, filter_shape, subsample, filter_flip
        As for `conv1d_sc`.
    border_mode : "valid", "half", "full", int or (int,)
    num_groups : int
    """
    border = _border(border_mode)
    border = border if isinstance(border, str) or border is None else (0, border)
    return _as_images(
        input, filters, image_shape, filter_shape, 2, border, subsample[0], filter_flip, num_groups
    )  # fmt: skip


def conv1d_mc1(
    input: Any, filters: Any, image_shape: Any = None, filter_shape: Any = None, border_mode: Any = "valid",
    subsample: Sequence[int] = (1,), filter_flip: bool = True, num_groups: int = 1,
) -> Any:  # fmt: skip
    """Convolve images of one column; the parameters are those of `conv1d_mc0`."""
    border = _border(border_mode)
    border = border if isinstance(border, str) or border is None else (border, 0)
    return _as_images(
        input, filters, image_shape, filter_shape, 3, border, subsample[0], filter_flip, num_groups
    )  # fmt: skip


def _check_border(name: str, border_mode: Any) -> None:
    if border_mode not in ("valid", 0, (0,)):
        raise RuntimeError(f"Unsupported border_mode for {name}: {border_mode}")


def _steps(name: str, filter_shape: Any, border_mode: Any, stride: int) -> int:
    """Return how many strides make a filter, for the ways that need a whole number of them."""
    _check_border(name, border_mode)
    length = filter_shape[2]
    if length % stride:
        raise RuntimeError(f"Filter length ({length}) is not a multiple of the stride ({stride})")
    return length // stride


def conv1d_unstrided(
    input: Any, filters: Any, image_shape: Any, filter_shape: Any, border_mode: Any = "valid",
    subsample: Sequence[int] = (1,), filter_flip: bool = True, implementation: Callable[..., Any] = conv1d_sc,
) -> Any:  # fmt: skip
    """Convolve with stride 1 what has the places of a stride as channels.

    Parameters
    ----------
    input, filters, image_shape, filter_shape, border_mode, subsample, filter_flip
        As for `conv1d_sc`, with known shapes; filters are a multiple of the stride long.
    implementation : callable
        What convolves with stride 1.
    """
    stride = subsample[0]
    steps = _steps("conv1d_unstrided", filter_shape, border_mode, stride)
    examples, channels, length = image_shape

    def folded(x: Any, rows: int, count: int) -> tuple[Any, tuple[int, int, int]]:
        shape = (rows, channels * stride, count)
        return x.reshape((rows, channels, count, stride)).dimshuffle(0, 1, 3, 2).reshape(shape), shape

    whole = length // stride
    given, given_shape = folded(input[:, :, : whole * stride], examples, whole)
    # within a stride, channels are matched: filters are put into the order of a correlation, then back
    turned = filters[:, :, ::-1] if filter_flip else filters
    kernels, kernel_shape = folded(turned, filter_shape[0], steps)
    if filter_flip:
        kernels = kernels[:, :, ::-1]
    return implementation(given, kernels, given_shape, kernel_shape, border_mode, subsample=(1,), filter_flip=filter_flip)


def conv1d_sd(
    input: Any, filters: Any, image_shape: Any, filter_shape: Any, border_mode: Any = "valid",
    subsample: Sequence[int] = (1,), filter_flip: bool = True,
) -> Any:  # fmt: skip
    """Convolve by one product of all places' windows, side by side; the parameters are those of `conv1d_unstrided`."""
    stride = subsample[0]
    _steps("conv1d_sd", filter_shape, border_mode, stride)
    length = filter_shape[2]
    count = (image_shape[2] - length) // stride + 1
    windows = T.stack([input[:, :, shift : shift + (count - 1) * stride + 1 : stride] for shift in range(length)])
    turned = filters[:, :, ::-1] if filter_flip else filters
    return T.tensordot(windows, turned, [[0, 2], [2, 1]]).dimshuffle(0, 2, 1)


def conv1d_md(
    input: Any, filters: Any, image_shape: Any, filter_shape: Any, border_mode: Any = "valid",
    subsample: Sequence[int] = (1,), filter_flip: bool = True,
) -> Any:  # fmt: skip
    """Convolve by a product for each tap of the filters; the parameters are those of `conv1d_unstrided`."""
    stride = subsample[0]
    _steps("conv1d_md", filter_shape, border_mode, stride)
    length = filter_shape[2]
    count = (image_shape[2] - length) // stride + 1
    turned = filters[:, :, ::-1] if filter_flip else filters
    total: Any = 0
    for shift in range(length):
        part = input[:, :, shift : shift + (count - 1) * stride + 1 : stride]
        total = total + T.tensordot(part, turned[:, :, shift], [[1], [1]])
    return total.dimshuffle(0, 2, 1)
