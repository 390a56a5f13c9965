"""Locally connected layers: convolutions whose filters differ from place to place."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from septet.base.errors import ShapeError
from septet.base.text import shape_text
from septet.nn import initializers
from septet.nn.padding import described
from septet.nn.sizes import static_size
from septet.nn.windowed import Windowed
from septet.ops.windows import output_size, resolve_padding
from septet.tensor.functions import f
from septet.tensor.tensor import Tensor
from septet.tensor.variable import Variable


class _LocallyConnected(Windowed):
    """What locally connected layers share."""

    shown = ("stride", "padding")
    kernel: Variable

    def __init__(
        self, filters: int, kernel_size: Any, activation: Any = None, *, stride: Any = 1, padding: Any = "valid",
        use_bias: bool = True, kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros",
    ) -> None:  # fmt: skip
        self.configure(
            kernel_size, activation, filters=filters, stride=stride, padding=padding, use_bias=use_bias,
            kernel_initializer=kernel_initializer, bias_initializer=bias_initializer,
        )  # fmt: skip

    def _windows(self, x: Tensor) -> list[int]:
        """Return how many windows lie along each spatial axis."""
        sizes = [static_size(x, axis + 2, self) for axis in range(self.rank)]
        ones = (1,) * self.rank
        pairs = resolve_padding(self.padding, tuple(sizes), self.kernel_size, self.stride, ones)
        counts = [output_size(*each, 1) or 0 for each in zip(sizes, self.kernel_size, self.stride, pairs, strict=True)]
        if min(counts) < 1:
            raise ShapeError(f"{self.label}: the kernel is larger than the input of shape {shape_text(x.type.shape)}")
        return counts

    def build(self, x: Tensor) -> None:
        channels, counts = self.channels(x), self._windows(x)
        self.variable("kernel", (self.filters, channels, *self.kernel_size, *counts), self._initialize)
        self.make_bias(self.filters, *counts)

    def _initialize(self, shape: tuple[int, ...], dtype: Any) -> Any:
        """Draw the filters of each place like those of a convolution: their fans count, not the number of places."""
        draw = initializers.get(self.kernel_initializer)
        parts = [draw(shape[: 2 + self.rank], dtype) for _ in range(math.prod(shape[2 + self.rank :]))]
        return np.stack(parts, axis=-1).reshape(shape)

    def forward(self, x: Tensor) -> Tensor:
        self.check(x)
        counts = self._windows(x)
        windows = f.unfold(x, self.kernel_size, self.stride, self.padding)  # (B, C, K, L)
        places, size = math.prod(counts), math.prod(self.kernel_size)
        expected = self.kernel.type.shape
        if list(expected[2 + self.rank :]) != counts:
            raise ShapeError(
                f"{self.label}: was made for {expected[2 + self.rank :]} windows, the input of shape "
                f"{shape_text(x.type.shape)} has {tuple(counts)}"
            )
        kernel = self.kernel.reshape(self.filters, expected[1], size, places)  # (O, C, K, L)
        y = f.einsum("bckl,ockl->bol", windows, kernel)
        return self.finish(y.reshape(x.shape[0], self.filters, *counts))


_PARAMETERS = """

    Parameters
    ----------
    filters : int
        The channels of the result.
    kernel_size : int or one for each spatial axis
    activation : str or callable, optional
    stride : int or one for each spatial axis
    padding : str, int or one int or pair (low, high) for each spatial axis
    use_bias : bool
    kernel_initializer, bias_initializer : str or callable

    Shape
    -----
    x {axes} with the spatial sizes of the first input, result the same with `filters` channels; kernel (filters, C,
    *kernel_size, *windows), bias (filters, *windows).

    Raises
    ------
    ShapeError
        If the spatial sizes are not those of the first input, or not known.

    Examples
    --------
    >>> import septet as st
    >>> {layer}(5, 3)(st.ones({image})).shape
    (2, 5{sizes[6]})

    Elsewhere
    ---------
    {elsewhere}
    """


class LocallyConnected1D(_LocallyConnected):
    """Correlate sequences with filters that differ from place to place."""

    __doc__ = described(
        __doc__, _PARAMETERS, __qualname__, 1, "Keras ``LocallyConnected1D``, Lasagne ``LocallyConnected1DLayer``."
    )
    rank = 1


class LocallyConnected2D(_LocallyConnected):
    """Correlate images with filters that differ from pixel to pixel."""

    __doc__ = described(
        __doc__, _PARAMETERS, __qualname__, 2, "Keras ``LocallyConnected2D``, Lasagne ``LocallyConnected2DLayer``."
    )
    rank = 2


class LocallyConnected3D(_LocallyConnected):
    """Correlate volumes with filters that differ from place to place."""

    __doc__ = described(__doc__, _PARAMETERS, __qualname__, 3, "Lasagne ``LocallyConnected3DLayer``.")
    rank = 3
