"""Dropout in its forms: of elements, of whole channels, and such that self-normalizing networks stay normalized."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from septet.base.errors import ArgumentError, ShapeError
from septet.base.text import shape_text
from septet.graph.op import ops
from septet.nn.module import Module
from septet.nn.sizes import check_share
from septet.nn.updates import check_updates
from septet.tensor import random
from septet.tensor.tensor import Tensor

ALPHA = -1.7580993408473766
"""What alpha dropout sets dropped elements to: -scale * alpha of `selu` (Klambauer et al. 2017, appendix)."""


class Dropout(Module):
    """Set a random share of the elements to 0 while training, and scale the others up so that sums keep their mean.

    Parameters
    ----------
    rate : float
        The share, at least 0 and below 1.
    generator : Generator, optional
        What draws; the default generator if not given.
    shared_axes : sequence of int
        Axes along which all elements are dropped or kept together.

    Shape
    -----
    x (...), result the same.

    Source
    ------
    N. Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting", 2014; scaled while
    training ("inverted"), so that evaluation changes nothing.

    Examples
    --------
    >>> import septet as st
    >>> Dropout(0.5).eval()(st.ones(3)).tolist()
    [1.0, 1.0, 1.0]

    Elsewhere
    ---------
    Keras ``Dropout``, Lasagne ``DropoutLayer`` and ``dropout_locations``, PyTorch ``Dropout``.
    """

    def __init__(self, rate: float = 0.5, generator: Any = None, *, shared_axes: Sequence[int] = ()) -> None:
        self.rate = check_share(type(self).__name__, "rate", rate)
        self.generator = generator
        self.shared_axes = tuple(shared_axes)

    def forward(self, x: Tensor) -> Tensor:
        if not self.is_training or not self.rate:
            return x
        check_updates(self.label, x)
        is_kept = random.uniform(self._mask_shape(x), generator=self.generator) >= self.rate
        return self._keep(x, is_kept)

    def _mask_shape(self, x: Tensor) -> tuple[Any, ...]:
        """Return the shape of what is drawn; it has size 1 along the axes that are dropped together."""
        shared = self.shared_axes
        if any(not -x.ndim <= axis < x.ndim for axis in shared):
            raise ShapeError(f"{self.label}: shared_axes {shared} do not all exist in shape {shape_text(x.type.shape)}")
        together = {axis % x.ndim for axis in shared}
        return tuple(1 if axis in together else size for axis, size in enumerate(x.shape))

    def _keep(self, x: Tensor, is_kept: Tensor) -> Tensor:
        scaled = x * (1.0 / (1.0 - self.rate))
        return Tensor(ops.where(is_kept.node, scaled.node, 0.0))

    def extra(self) -> str:
        return f"{self.rate}" + (f", shared_axes={self.shared_axes}" if self.shared_axes else "")


class SpatialDropout(Dropout):
    """Set a random share of the channels to 0 while training: neighbouring pixels say much the same.

    Parameters
    ----------
    rate : float
        The share, at least 0 and below 1.
    generator : Generator, optional

    Shape
    -----
    x (B, C, spatial ...), result the same.

    Source
    ------
    J. Tompson et al., Efficient object localization using convolutional networks, 2015, section 3.2.

    Examples
    --------
    >>> import septet as st
    >>> SpatialDropout(0.2)(st.ones((2, 3, 8, 8))).shape
    (2, 3, 8, 8)

    Elsewhere
    ---------
    Keras ``SpatialDropout1D``, ``SpatialDropout2D`` and ``SpatialDropout3D``, Lasagne ``spatial_dropout`` and
    ``dropout_channels``, PyTorch ``Dropout1d``, ``Dropout2d`` and ``Dropout3d``.
    """

    def __init__(self, rate: float = 0.5, generator: Any = None) -> None:
        super().__init__(rate, generator)

    def _mask_shape(self, x: Tensor) -> tuple[Any, ...]:
        if x.ndim < 3:
            raise ShapeError(f"{self.label}: takes (B, C, spatial ...), got shape {shape_text(x.type.shape)}")
        return (*x.shape[:2], *(1,) * (x.ndim - 2))


class AlphaDropout(Dropout):
    """Drop elements such that mean 0 and variance 1 stay: for networks of `selu` units.

    Parameters
    ----------
    rate : float
        The share, at least 0 and below 1.
    generator : Generator, optional

    Shape
    -----
    x (...), result the same.

    Source
    ------
    G. Klambauer et al., Self-normalizing neural networks, 2017, section 2.

    Examples
    --------
    >>> import septet as st
    >>> AlphaDropout(0.5).eval()(st.ones(3)).tolist()
    [1.0, 1.0, 1.0]

    Elsewhere
    ---------
    Keras ``AlphaDropout``, PyTorch ``AlphaDropout``.
    """

    def __init__(self, rate: float = 0.5, generator: Any = None) -> None:
        super().__init__(rate, generator)

    def _keep(self, x: Tensor, is_kept: Tensor) -> Tensor:
        kept = 1.0 - self.rate
        a = 1.0 / math.sqrt(kept * (1.0 + self.rate * ALPHA**2))
        b = -a * ALPHA * self.rate
        return Tensor(ops.where(is_kept.node, x.node, ALPHA)) * a + b


class GaussianDropout(Module):
    """Multiply by normal noise around 1 while training, with the variance of what `Dropout` multiplies by.

    Parameters
    ----------
    rate : float
        The noise has the variance rate / (1 - rate).
    generator : Generator, optional

    Shape
    -----
    x (...), result the same.

    Source
    ------
    N. Srivastava et al., Dropout, 2014, section 10.

    Examples
    --------
    >>> import septet as st
    >>> GaussianDropout(0.5).eval()(st.ones(3)).tolist()
    [1.0, 1.0, 1.0]

    Elsewhere
    ---------
    Keras ``GaussianDropout``.
    """

    def __init__(self, rate: float = 0.5, generator: Any = None) -> None:
        self.rate = check_share("GaussianDropout", "rate", rate)
        self.generator = generator

    def forward(self, x: Tensor) -> Tensor:
        if not self.is_training or not self.rate:
            return x
        check_updates(self.label, x)
        std = math.sqrt(self.rate / (1.0 - self.rate))
        return x * random.normal(x.shape, 1.0, std, x.dtype, self.generator)

    def extra(self) -> str:
        return f"{self.rate}"


class GaussianNoise(Module):
    """Add normal noise around 0 while training.

    Parameters
    ----------
    std : float
    generator : Generator, optional

    Shape
    -----
    x (...), result the same.

    Source
    ------
    C. M. Bishop, Training with noise is equivalent to Tikhonov regularization, 1995.

    Examples
    --------
    >>> import septet as st
    >>> GaussianNoise(0.5).eval()(st.ones(3)).tolist()
    [1.0, 1.0, 1.0]

    Elsewhere
    ---------
    Keras ``GaussianNoise``, Lasagne ``GaussianNoiseLayer``.
    """

    def __init__(self, std: float = 0.1, generator: Any = None) -> None:
        if isinstance(std, bool) or not isinstance(std, (int, float)) or not std >= 0:
            raise ArgumentError(f"GaussianNoise: std must be a number of at least 0, got {std!r}")
        self.std = float(std)
        self.generator = generator

    def forward(self, x: Tensor) -> Tensor:
        if not self.is_training or not self.std:
            return x
        check_updates(self.label, x)
        return x + random.normal(x.shape, 0.0, self.std, x.dtype, self.generator)

    def extra(self) -> str:
        return f"{self.std}"
