"""One-dimensional convolutions. Lasagne had several ways to compute them, under names that all are one way here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from septet.dialects.theano.tensor import nnet


def conv1d_mc0(
    input: Any, filters: Any, image_shape: Any = None, filter_shape: Any = None, border_mode: Any = "valid",
    subsample: Sequence[int] = (1,), filter_flip: bool = True, num_groups: int = 1,
) -> Any:  # fmt: skip
    """Convolve sequences of shape (examples, channels, length) with filters of shape (filters, channels, length).

    `border_mode` is "valid", "half", "full", an int or ``(int,)``; `filter_flip` turns the filters around.
    """

    def widened(shape: Any) -> Any:
        return None if shape is None else (*shape[:2], 1, shape[2])

    border = border_mode[0] if isinstance(border_mode, tuple) else border_mode
    conved = nnet.conv2d(
        input.dimshuffle(0, 1, "x", 2), filters.dimshuffle(0, 1, "x", 2), widened(image_shape), widened(filter_shape),
        border_mode=(0, border) if isinstance(border, int) else border, subsample=(1, *subsample),
        filter_flip=filter_flip, **({"num_groups": num_groups} if num_groups > 1 else {}),
    )  # fmt: skip
    return conved[:, :, 0, :]


conv1d_mc1 = conv1d_mc0


def _without_border(name: str, takes_all_strides: bool = False) -> Callable[..., Any]:
    """Return a convolution without border, of whole strides where Lasagne's way of that name needed them."""

    def convolve(
        input: Any, filters: Any, image_shape: Any = None, filter_shape: Any = None, border_mode: Any = "valid",
        subsample: Sequence[int] = (1,), filter_flip: bool = True, implementation: Any = None,
    ) -> Any:  # fmt: skip
        if border_mode not in ("valid", 0, (0,)):
            raise RuntimeError(f"Unsupported border_mode for {name}: {border_mode}")
        if not takes_all_strides and filter_shape[2] % subsample[0]:
            raise RuntimeError(f"Filter length ({filter_shape[2]}) is not a multiple of the stride ({subsample[0]})")
        return conv1d_mc0(input, filters, image_shape, filter_shape, border_mode, subsample, filter_flip)

    convolve.__name__ = convolve.__qualname__ = name
    convolve.__doc__ = "Convolve as `conv1d_mc0`, without border."
    return convolve


conv1d_sc = _without_border("conv1d_sc", takes_all_strides=True)
conv1d_unstrided = _without_border("conv1d_unstrided")
conv1d_sd = _without_border("conv1d_sd")
conv1d_md = _without_border("conv1d_md")
