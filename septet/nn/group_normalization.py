"""Normalizations of single examples: over groups of channels, over space, by size."""

from __future__ import annotations

from septet.base.errors import ArgumentError, ShapeError
from septet.base.text import shape_text
from septet.nn.module import Module
from septet.nn.sizes import check_count, static_size
from septet.tensor.functions import f
from septet.tensor.tensor import Tensor
from septet.tensor.variable import Variable


class _ChannelNorm(Module):
    """What normalizations with a scale and a shift for each channel share."""

    scale: Variable
    shift: Variable

    def __init__(self, epsilon: float, has_scale: bool, has_shift: bool) -> None:
        self.epsilon = float(epsilon)
        self.has_scale = has_scale
        self.has_shift = has_shift

    def groups_of(self, channels: int, x: Tensor) -> int:
        """Return into how many groups the channels are divided."""
        raise NotImplementedError

    def build(self, x: Tensor) -> None:
        channels = static_size(x, 1, self)
        self.groups_of(channels, x)
        if self.has_scale:
            self.variable("scale", (channels,), "ones", role="scale")
        if self.has_shift:
            self.variable("shift", (channels,), "zeros", role="bias")

    def forward(self, x: Tensor) -> Tensor:
        groups = self.groups_of(static_size(x, 1, self), x)
        scale = self.scale if self.has_scale else None
        return f.group_norm(x, groups, scale, self.shift if self.has_shift else None, self.epsilon)


class GroupNorm(_ChannelNorm):
    """Normalize each example over space and over the channels of a group, then scale and shift each channel.

    Parameters
    ----------
    groups : int
        It divides the channels.
    epsilon : float
    has_scale, has_shift : bool
        Whether `scale` and `shift` are learned.

    Shape
    -----
    x (B, C, ...), result the same; scale, shift (C,).

    Raises
    ------
    ShapeError
        If `groups` does not divide the channels.

    Source
    ------
    Y. Wu, K. He, Group normalization, 2018.

    Examples
    --------
    >>> import septet as st
    >>> GroupNorm(2)(st.ones((3, 4, 5, 5))).shape
    (3, 4, 5, 5)

    Elsewhere
    ---------
    Keras ``GroupNormalization``, PyTorch ``GroupNorm``.
    """

    def __init__(self, groups: int, epsilon: float = 1e-5, *, has_scale: bool = True, has_shift: bool = True) -> None:
        super().__init__(epsilon, has_scale, has_shift)
        self.groups = check_count("GroupNorm", "groups", groups)

    def groups_of(self, channels: int, x: Tensor) -> int:
        if channels % self.groups:
            raise ShapeError(
                f"{self.label}: groups={self.groups} does not divide the {channels} channels of "
                f"{shape_text(x.type.shape)}"
            )
        return self.groups

    def extra(self) -> str:
        return f"{self.groups}, epsilon={self.epsilon}"


class InstanceNorm(_ChannelNorm):
    """Normalize each channel of each example over space, then scale and shift it.

    Parameters
    ----------
    epsilon : float
    has_scale, has_shift : bool
        Whether `scale` and `shift` are learned.

    Shape
    -----
    x (B, C, spatial ...), result the same; scale, shift (C,).

    Source
    ------
    D. Ulyanov, A. Vedaldi, V. Lempitsky, Instance normalization: The missing ingredient for fast stylization, 2016.

    Examples
    --------
    >>> import septet as st
    >>> InstanceNorm()(st.ones((2, 3, 8, 8))).shape
    (2, 3, 8, 8)

    Elsewhere
    ---------
    Lasagne ``instance_norm``, PyTorch ``InstanceNorm1d``, ``InstanceNorm2d`` and ``InstanceNorm3d``.
    """

    def __init__(self, epsilon: float = 1e-5, *, has_scale: bool = True, has_shift: bool = True) -> None:
        super().__init__(epsilon, has_scale, has_shift)

    def groups_of(self, channels: int, x: Tensor) -> int:
        if x.ndim < 3:
            raise ShapeError(f"{self.label}: takes (B, C, spatial ...), got shape {shape_text(x.type.shape)}")
        return channels

    def extra(self) -> str:
        return f"epsilon={self.epsilon}"


class RMSNorm(Module):
    """Divide each example by the root mean square over its last axes, then scale it.

    Parameters
    ----------
    axes : int
        How many of the last axes are normalized together.
    epsilon : float
    has_scale : bool

    Shape
    -----
    x (..., C), result the same; scale of the sizes of the last axes.

    Source
    ------
    B. Zhang, R. Sennrich, Root mean square layer normalization, 2019, equation 4.

    Examples
    --------
    >>> import septet as st
    >>> RMSNorm()(st.tensor([[3.0, 3.0]])).round().tolist()
    [[1.0, 1.0]]

    Elsewhere
    ---------
    Keras ``RMSNormalization``, PyTorch ``RMSNorm``.
    """

    scale: Variable

    def __init__(self, axes: int = 1, epsilon: float = 1e-6, *, has_scale: bool = True) -> None:
        self.axes = check_count("RMSNorm", "axes", axes)
        self.epsilon = float(epsilon)
        self.has_scale = has_scale

    def build(self, x: Tensor) -> None:
        if self.has_scale:
            shape = tuple(static_size(x, axis, self) for axis in range(-self.axes, 0))
            self.variable("scale", shape, "ones", role="scale")

    def forward(self, x: Tensor) -> Tensor:
        axes = tuple(range(-self.axes, 0))
        return f.rms_norm(x, self.scale if self.has_scale else None, axes, self.epsilon)

    def extra(self) -> str:
        return f"axes={self.axes}, epsilon={self.epsilon}"


class LocalResponseNorm(Module):
    """Divide by a power of the mean square over neighbouring channels.

    Parameters
    ----------
    size : int
        How many channels: `size` // 2 before and the rest after each.
    alpha, beta, k : float
        The result is ``x / (k + alpha * mean of squares) ** beta``, where missing neighbours count as 0.

    Shape
    -----
    x (B, C, ...), result the same.

    Source
    ------
    A. Krizhevsky, I. Sutskever, G. E. Hinton, ImageNet classification with deep convolutional neural networks, 2012,
    section 3.3, with alpha divided by the size.

    Examples
    --------
    >>> import septet as st
    >>> LocalResponseNorm()(st.ones((2, 3, 8, 8))).shape
    (2, 3, 8, 8)

    Elsewhere
    ---------
    Lasagne ``LocalResponseNormalization2DLayer`` (which does not divide alpha), PyTorch ``LocalResponseNorm``.
    """

    def __init__(self, size: int = 5, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        self.size = check_count("LocalResponseNorm", "size", size)
        if not k > 0 and not alpha > 0:
            raise ArgumentError(f"LocalResponseNorm: k or alpha must be above 0, got k={k!r}, alpha={alpha!r}")
        self.alpha, self.beta, self.k = float(alpha), float(beta), float(k)

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim < 3:
            raise ShapeError(f"{self.label}: takes (B, C, spatial ...), got shape {shape_text(x.type.shape)}")
        return f.local_response_norm(x, self.size, self.alpha, self.beta, self.k)

    def extra(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"
