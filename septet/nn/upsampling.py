"""Images of other sizes: upsampling, resizing, pixels from channels and back, windows."""

from __future__ import annotations

from typing import Any

from septet.base.errors import ArgumentError, ShapeError
from septet.base.text import shape_text
from septet.nn.module import Module
from septet.nn.sizes import check_count
from septet.tensor.functions import f
from septet.tensor.tensor import Tensor

MODES = ("nearest", "linear", "cubic")


def _check_mode(layer: str, mode: Any) -> str:
    if mode not in MODES:
        raise ArgumentError(f"{layer}: mode {mode!r} does not exist; the modes are {', '.join(MODES)}")
    return str(mode)


class Upsample(Module):
    """Make images larger by whole factors.

    Parameters
    ----------
    factor : int or one int for each spatial axis
    mode : {"nearest", "linear", "cubic"}
        "nearest" repeats pixels; "linear" is bilinear on images.
    align_corners : bool
        Whether the centres of the corner pixels of both images lie on each other; else their outer edges do.

    Shape
    -----
    x (B, C, spatial ...), result the same with spatial sizes `factor` times as large.

    Examples
    --------
    >>> import septet as st
    >>> Upsample(2)(st.tensor([[[1.0, 2.0]]])).tolist()
    [[[1.0, 1.0, 2.0, 2.0]]]

    Elsewhere
    ---------
    Keras ``UpSampling1D``, ``UpSampling2D`` and ``UpSampling3D``, Lasagne ``Upscale1DLayer``, ``Upscale2DLayer`` and
    ``Upscale3DLayer``, PyTorch ``Upsample``.
    """

    def __init__(self, factor: Any = 2, mode: str = "nearest", *, align_corners: bool = False) -> None:
        many = factor if isinstance(factor, (tuple, list)) else (factor,)
        for each in many:
            check_count("Upsample", "factor", each)
        self.factor = tuple(factor) if isinstance(factor, (tuple, list)) else factor
        self.mode = _check_mode("Upsample", mode)
        self.align_corners = align_corners

    def forward(self, x: Tensor) -> Tensor:
        rank = x.ndim - 2
        factors = self.factor if isinstance(self.factor, tuple) else (self.factor,) * max(rank, 1)
        if rank != len(factors):
            takes = "(B, C, spatial ...)" if rank < 1 else f"{len(factors)} spatial axes"
            raise ShapeError(f"{self.label}: takes {takes}, got shape {shape_text(x.type.shape)}")
        if self.mode == "nearest":
            for axis, factor in enumerate(factors, 2):
                x = f.repeat(x, factor, axis=axis) if factor > 1 else x
            return x
        sizes = x.type.shape[2:]
        if None in sizes:
            raise ShapeError(f"{self.label}: spatial sizes must be known, got shape {shape_text(x.type.shape)}")
        wanted = tuple(size * factor for size, factor in zip(sizes, factors, strict=True))
        return f.resize(x, wanted, self.mode, align_corners=self.align_corners)

    def extra(self) -> str:
        return f"{self.factor}, mode={self.mode!r}"


class Resize(Module):
    """Give images a size.

    Parameters
    ----------
    size : int or one int for each spatial axis
    mode : {"nearest", "linear", "cubic"}
    align_corners : bool

    Shape
    -----
    x (B, C, spatial ...), result (B, C, *size).

    Examples
    --------
    >>> import septet as st
    >>> Resize((3, 5))(st.ones((1, 2, 8, 8))).shape
    (1, 2, 3, 5)

    Elsewhere
    ---------
    Keras ``Resizing``, PyTorch ``Upsample``.
    """

    def __init__(self, size: Any, mode: str = "linear", *, align_corners: bool = False) -> None:
        for each in size if isinstance(size, (tuple, list)) else (size,):
            check_count("Resize", "size", each)
        self.size = tuple(size) if isinstance(size, (tuple, list)) else size
        self.mode = _check_mode("Resize", mode)
        self.align_corners = align_corners

    def forward(self, x: Tensor) -> Tensor:
        return f.resize(x, self.size, self.mode, align_corners=self.align_corners)

    def extra(self) -> str:
        return f"{self.size}, mode={self.mode!r}"


class PixelShuffle(Module):
    """Turn channels into pixels: factor x factor channels become one of a larger image.

    Parameters
    ----------
    factor : int

    Shape
    -----
    x (B, C * factor^2, H, W), result (B, C, H * factor, W * factor).

    Source
    ------
    W. Shi et al., Real-time single image and video super-resolution using an efficient sub-pixel convolutional neural
    network, 2016, equation 4.

    Examples
    --------
    >>> import septet as st
    >>> PixelShuffle(2)(st.ones((1, 8, 3, 3))).shape
    (1, 2, 6, 6)

    Elsewhere
    ---------
    PyTorch ``PixelShuffle``.
    """

    def __init__(self, factor: int) -> None:
        self.factor = check_count("PixelShuffle", "factor", factor)

    def forward(self, x: Tensor) -> Tensor:
        return f.pixel_shuffle(x, self.factor)

    def extra(self) -> str:
        return f"{self.factor}"


class PixelUnshuffle(Module):
    """Turn pixels into channels: the reverse of `PixelShuffle`.

    Parameters
    ----------
    factor : int

    Shape
    -----
    x (B, C, H * factor, W * factor), result (B, C * factor^2, H, W).

    Examples
    --------
    >>> import septet as st
    >>> PixelUnshuffle(2)(st.ones((1, 2, 6, 6))).shape
    (1, 8, 3, 3)

    Elsewhere
    ---------
    PyTorch ``PixelUnshuffle``.
    """

    def __init__(self, factor: int) -> None:
        self.factor = check_count("PixelUnshuffle", "factor", factor)

    def forward(self, x: Tensor) -> Tensor:
        return f.pixel_unshuffle(x, self.factor)

    def extra(self) -> str:
        return f"{self.factor}"


class ChannelShuffle(Module):
    """Deal the channels of groups out in turn, so that the next grouped convolution sees all of them.

    Parameters
    ----------
    groups : int

    Shape
    -----
    x (B, C, ...), result the same.

    Source
    ------
    X. Zhang et al., ShuffleNet, 2018, figure 1.

    Examples
    --------
    >>> import septet as st
    >>> ChannelShuffle(2)(st.tensor([[1.0, 2.0, 3.0, 4.0]]).reshape(1, 4, 1)).reshape(-1).tolist()
    [1.0, 3.0, 2.0, 4.0]

    Elsewhere
    ---------
    PyTorch ``ChannelShuffle``.
    """

    def __init__(self, groups: int) -> None:
        self.groups = check_count("ChannelShuffle", "groups", groups)

    def forward(self, x: Tensor) -> Tensor:
        return f.channel_shuffle(x, self.groups)

    def extra(self) -> str:
        return f"{self.groups}"


class Fold(Module):
    """Put windows together to images; where they overlap, they are added: the transpose of `Unfold`.

    Parameters
    ----------
    size : int or one for each spatial axis
        Of the images.
    window, stride, dilation : int or one for each spatial axis
    padding : str, int or one int or pair (low, high) for each spatial axis

    Shape
    -----
    x (B, C, K, L), result (B, C, *size).

    Examples
    --------
    >>> import septet as st
    >>> Fold((4, 4), 2)(st.ones((1, 3, 4, 9))).shape
    (1, 3, 4, 4)

    Elsewhere
    ---------
    PyTorch ``Fold``.
    """

    def __init__(self, size: Any, window: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1) -> None:
        self.size = size
        self.window = window
        self.stride = stride
        self.padding = padding
        self.dilation = dilation

    def forward(self, x: Tensor) -> Tensor:
        return f.fold(x, self.size, self.window, self.stride, self.padding, self.dilation)

    def extra(self) -> str:
        return f"{self.size}, {self.window}"


class Unfold(Module):
    """Take images apart into the windows that slide over them.

    Parameters
    ----------
    window, stride, dilation : int or one for each spatial axis
    padding : str, int or one int or pair (low, high) for each spatial axis

    Shape
    -----
    x (B, C, spatial ...), result (B, C, K, L): K elements of each window, and L windows, both in row-major order.

    Examples
    --------
    >>> import septet as st
    >>> Unfold(2)(st.ones((1, 3, 4, 4))).shape
    (1, 3, 4, 9)

    Elsewhere
    ---------
    PyTorch ``Unfold``.
    """

    def __init__(self, window: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1) -> None:
        self.window = window
        self.stride = stride
        self.padding = padding
        self.dilation = dilation

    def forward(self, x: Tensor) -> Tensor:
        return f.unfold(x, self.window, self.stride, self.padding, self.dilation)

    def extra(self) -> str:
        return f"{self.window}"
