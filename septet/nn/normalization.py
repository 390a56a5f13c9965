"""Batch and layer normalization."""

from __future__ import annotations

import math

from septet.base.errors import ArgumentError, ShapeError
from septet.base.text import shape_text
from septet.nn.module import Module
from septet.nn.sizes import check_count, static_size
from septet.nn.updates import check_updates
from septet.ops.composite.normalization import layer_norm, moments, normalize
from septet.tensor.tensor import Tensor
from septet.tensor.variable import assign_all


class BatchNorm(Module):
    """Normalize each channel (axis 1) over the batch and space, then scale and shift.

    While training, mean and variance are those of the batch, and running averages of them are kept, in variables of the
    role "statistic", for evaluation.

    Parameters
    ----------
    momentum : float
        How much of the running averages stays at each batch.
    epsilon : float
        Added to the variance.
    has_scale, has_shift : bool
        Whether `scale` and `shift` are learned.

    Shape
    -----
    x (B, C, ...), result the same; scale, shift, mean, variance (C,).

    Raises
    ------
    ShapeError
        If x has no axis 1, or a batch has one value for each channel, so that it has no variance.

    Source
    ------
    S. Ioffe, C. Szegedy, "Batch Normalization", 2015, algorithms 1 and 2. As there, the running variance is the
    unbiased one, and the batch is normalized with the biased one.

    Examples
    --------
    >>> import septet as st
    >>> BatchNorm()(st.tensor([[1.0, 5.0], [3.0, 9.0]])).numpy().round(3)
    array([[-1., -1.],
           [ 1.,  1.]], dtype=float32)

    Elsewhere
    ---------
    Keras ``BatchNormalization``, Lasagne ``BatchNormLayer`` and ``batch_norm``, PyTorch ``BatchNorm1d``,
    ``BatchNorm2d`` and ``BatchNorm3d``.
    """

    def __init__(
        self, momentum: float = 0.9, epsilon: float = 1e-5, *, has_scale: bool = True, has_shift: bool = True
    ) -> None:
        if not 0 <= momentum < 1:
            raise ArgumentError(f"BatchNorm: momentum must be at least 0 and below 1, got {momentum!r}")
        self.momentum = float(momentum)
        self.epsilon = float(epsilon)
        self.has_scale = has_scale
        self.has_shift = has_shift

    def build(self, x: Tensor) -> None:
        channels = static_size(x, 1, self)
        if self.has_scale:
            self.variable("scale", (channels,), "ones", role="scale")
        if self.has_shift:
            self.variable("shift", (channels,), "zeros", role="bias")
        self.variable("mean", (channels,), "zeros", role="statistic")
        self.variable("variance", (channels,), "ones", role="statistic")

    def forward(self, x: Tensor) -> Tensor:
        sizes = (-1, *(1,) * (x.ndim - 2))  # (C, 1, 1)
        if self.is_training:
            mean, variance = self._batch_moments(x)
        else:
            mean, variance = self.mean.reshape(sizes), self.variance.reshape(sizes)
        scale = self.scale.reshape(sizes).node if self.has_scale else None
        shift = self.shift.reshape(sizes).node if self.has_shift else None
        return Tensor(normalize(x.node, mean.node, variance.node, scale, shift, self.epsilon))

    def _batch_moments(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and variance of the batch, broadcasting against it, and move the running averages."""
        check_updates(self.label, x)
        axes = (0, *range(2, x.ndim))
        known = [size for axis, size in enumerate(x.type.shape) if axis != 1]
        if None not in known and math.prod(known) < 2:
            raise ShapeError(
                f"{self.label}: a batch of shape {shape_text(x.type.shape)} has {math.prod(known)} values for each "
                "channel; the variance needs at least 2",
                hint="model.eval() uses the running statistics",
            )
        mean, variance = (Tensor(node) for node in moments(x.node, axes, keepdims=True))
        count = 1
        for axis in axes:
            count = count * x.shape[axis]
        count = count.astype(x.dtype) if isinstance(count, Tensor) else float(count)
        unbiased = variance.reshape(-1).detach() * (count / (count - 1))
        keep = self.momentum
        assign_all(
            {
                self.mean: self.mean * keep + mean.reshape(-1).detach() * (1 - keep),
                self.variance: self.variance * keep + unbiased * (1 - keep),
            }
        )
        return mean.reshape(mean.shape[1:]), variance.reshape(variance.shape[1:])  # (C, 1, 1)

    def extra(self) -> str:
        return f"momentum={self.momentum}, epsilon={self.epsilon}"


class LayerNorm(Module):
    """Normalize each example over its last axes, then scale and shift.

    Parameters
    ----------
    axes : int
        How many of the last axes are normalized together.
    epsilon : float
    has_scale, has_shift : bool

    Source
    ------
    J. L. Ba, J. R. Kiros, G. E. Hinton, "Layer Normalization", 2016, equation 4.

    Shape
    -----
    x (..., C), result the same; scale, shift of the sizes of the last axes.

    Examples
    --------
    >>> import septet as st
    >>> LayerNorm()(st.tensor([[1.0, 5.0], [3.0, 9.0]])).numpy().round(3)
    array([[-1.,  1.],
           [-1.,  1.]], dtype=float32)

    Elsewhere
    ---------
    Keras ``LayerNormalization``, Lasagne ``layer_norm``, PyTorch ``LayerNorm``.
    """

    def __init__(self, axes: int = 1, epsilon: float = 1e-5, *, has_scale: bool = True, has_shift: bool = True) -> None:
        self.axes = check_count("LayerNorm", "axes", axes)
        self.epsilon = float(epsilon)
        self.has_scale = has_scale
        self.has_shift = has_shift

    def build(self, x: Tensor) -> None:
        shape = tuple(static_size(x, axis, self) for axis in range(-self.axes, 0))
        if self.has_scale:
            self.variable("scale", shape, "ones", role="scale")
        if self.has_shift:
            self.variable("shift", shape, "zeros", role="bias")

    def forward(self, x: Tensor) -> Tensor:
        axes = tuple(range(-self.axes, 0))
        scale = self.scale.node if self.has_scale else None
        shift = self.shift.node if self.has_shift else None
        return Tensor(layer_norm(x.node, scale, shift, axes, self.epsilon))

    def extra(self) -> str:
        return f"axes={self.axes}, epsilon={self.epsilon}"
