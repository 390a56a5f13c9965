"""Pooling in one, two and three dimensions, and over all of space: maxima, means, norms."""

from __future__ import annotations

from typing import Any

from septet.base.errors import ArgumentError
from septet.nn.activation import call
from septet.nn.module import Module
from septet.nn.padding import AXES, described
from septet.nn.sizes import check_rank
from septet.nn.windowed import spatial
from septet.tensor.functions import f
from septet.tensor.tensor import Tensor


class _Pool(Module):
    """What pooling of windows over the spatial axes shares."""

    rank = 0
    function = ""

    def __init__(self, window: Any = 2, stride: Any = None, padding: Any = "valid", *, ceil_mode: bool = False) -> None:
        name = type(self).__name__
        self.window = spatial(name, "window", window, self.rank)
        self.stride = self.window if stride is None else spatial(name, "stride", stride, self.rank)
        self.padding = padding
        self.ceil_mode = ceil_mode

    def forward(self, x: Tensor) -> Tensor:
        check_rank(x, self.rank + 2, self, AXES[self.rank])
        return call(self.function, x, **self._words())

    def _words(self) -> dict[str, Any]:
        words = {"window": self.window, "stride": self.stride, "padding": self.padding}
        return {**words, "ceil_mode": True} if self.ceil_mode else words

    def extra(self) -> str:
        parts = ["x".join(map(str, self.window))]
        parts += [f"stride={self.stride}"] if self.stride != self.window else []
        return ", ".join(parts + ([f"padding={self.padding!r}"] if self.padding != "valid" else []))


_PARAMETERS = """

    Parameters
    ----------
    window : int or one for each spatial axis
    stride : int or one for each spatial axis, optional
        By default the window: no overlap.
    padding : str, int or one int or pair (low, high) for each spatial axis
    ceil_mode : bool
        Whether a last window may hang over the edge.MORE

    Shape
    -----
    x {axes}, result the same with smaller spatial sizes.

    Examples
    --------
    >>> import septet as st
    >>> {layer}(FIRST2)(st.ones({image})).shape
    (2, 4{sizes[4]})

    Elsewhere
    ---------
    {elsewhere}
    """

_MAXIMUM = _PARAMETERS.replace("MORE", "").replace("FIRST", "")


class MaxPool1D(_Pool):
    """Take the maximum of windows over sequences."""

    __doc__ = described(
        __doc__, _MAXIMUM, __qualname__, 1, "Keras ``MaxPooling1D``, Lasagne ``MaxPool1DLayer``, PyTorch ``MaxPool1d``."
    )
    rank, function = 1, "max_pool"


class MaxPool2D(_Pool):
    """Take the maximum of windows over images."""

    __doc__ = described(
        __doc__, _MAXIMUM, __qualname__, 2, "Keras ``MaxPooling2D``, Lasagne ``MaxPool2DLayer``, PyTorch ``MaxPool2d``."
    )
    rank, function = 2, "max_pool"


class MaxPool3D(_Pool):
    """Take the maximum of windows over volumes."""

    __doc__ = described(
        __doc__, _MAXIMUM, __qualname__, 3, "Keras ``MaxPooling3D``, Lasagne ``MaxPool3DLayer``, PyTorch ``MaxPool3d``."
    )
    rank, function = 3, "max_pool"


class _AvgPool(_Pool):
    """What averages of windows share."""

    function = "average_pool"

    def __init__(
        self, window: Any = 2, stride: Any = None, padding: Any = "valid", *, ceil_mode: bool = False,
        count_padding: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(window, stride, padding, ceil_mode=ceil_mode)
        self.count_padding = count_padding

    def _words(self) -> dict[str, Any]:
        return {**super()._words(), "count_include_pad": self.count_padding}


_COUNT = """
    count_padding : bool
        Whether padding counts as elements that are 0 (PyTorch, Lasagne's "average_inc_pad"), or not at all (Keras)."""
_AVERAGE = _PARAMETERS.replace("MORE", _COUNT).replace("FIRST", "")


class AvgPool1D(_AvgPool):
    """Average windows over sequences."""

    __doc__ = described(
        __doc__,
        _AVERAGE,
        __qualname__,
        1,
        "Keras ``AveragePooling1D``, Lasagne ``Pool1DLayer``, PyTorch ``AvgPool1d``.",
    )
    rank = 1


class AvgPool2D(_AvgPool):
    """Average windows over images."""

    __doc__ = described(
        __doc__,
        _AVERAGE,
        __qualname__,
        2,
        "Keras ``AveragePooling2D``, Lasagne ``Pool2DLayer``, PyTorch ``AvgPool2d``.",
    )
    rank = 2


class AvgPool3D(_AvgPool):
    """Average windows over volumes."""

    __doc__ = described(
        __doc__,
        _AVERAGE,
        __qualname__,
        3,
        "Keras ``AveragePooling3D``, Lasagne ``Pool3DLayer``, PyTorch ``AvgPool3d``.",
    )
    rank = 3


class _LpPool(_Pool):
    """What norms of windows share."""

    function = "sum_pool"

    def __init__(
        self, p: float = 2.0, window: Any = 2, stride: Any = None, padding: Any = "valid", *, ceil_mode: bool = False
    ) -> None:
        super().__init__(window, stride, padding, ceil_mode=ceil_mode)
        if isinstance(p, bool) or not isinstance(p, (int, float)) or not p >= 1:
            raise ArgumentError(f"{type(self).__name__}: p must be a number of at least 1, got {p!r}")
        self.p = float(p)

    def forward(self, x: Tensor) -> Tensor:
        sums = super().forward(x.abs() ** self.p)
        is_zero = sums <= 0.0  # there the root has no slope
        return f.where(is_zero, 0.0, f.where(is_zero, 1.0, sums) ** (1.0 / self.p))

    def extra(self) -> str:
        return f"{self.p}, {super().extra()}"


_P = """
    p : float
        At least 1; the parameter before `window`."""
_NORM = _PARAMETERS.replace("MORE", _P).replace("FIRST", "2, ")


class LpPool1D(_LpPool):
    """Take the p-norm of windows over sequences: with p = 1 their sums of |x|, with large p nearly the maxima."""

    __doc__ = described(__doc__, _NORM, __qualname__, 1, "PyTorch ``LPPool1d``.")
    rank = 1


class LpPool2D(_LpPool):
    """Take the p-norm of windows over images: with p = 1 their sums of |x|, with large p nearly the maxima."""

    __doc__ = described(__doc__, _NORM, __qualname__, 2, "PyTorch ``LPPool2d``.")
    rank = 2


class LpPool3D(_LpPool):
    """Take the p-norm of windows over volumes: with p = 1 their sums of |x|, with large p nearly the maxima."""

    __doc__ = described(__doc__, _NORM, __qualname__, 3, "PyTorch ``LPPool3d``.")
    rank = 3


class _GlobalPool(Module):
    """What pooling over all of space shares."""

    function = ""

    def __init__(self, keepdims: bool = False) -> None:
        self.keepdims = keepdims

    def forward(self, x: Tensor) -> Tensor:
        return call(self.function, x, keepdims=self.keepdims)

    def extra(self) -> str:
        return "keepdims=True" if self.keepdims else ""


_GLOBAL = """

    Parameters
    ----------
    keepdims : bool
        Whether the spatial axes stay, with size 1.

    Shape
    -----
    x (B, C, spatial ...), result (B, C).

    Examples
    --------
    >>> import septet as st
    >>> {layer}()(st.ones((2, 3, 8, 8))).shape
    (2, 3)

    Elsewhere
    ---------
    {names}
    """


class GlobalAveragePool(_GlobalPool):
    """Average over all spatial axes."""

    __doc__ = __doc__ + _GLOBAL.format(
        layer=__qualname__,
        names="Keras ``GlobalAveragePooling1D``, ``GlobalAveragePooling2D`` and ``GlobalAveragePooling3D``, Lasagne "
        "``GlobalPoolLayer``.",
    )
    function = "global_average_pool"


class GlobalMaxPool(_GlobalPool):
    """Take the maximum over all spatial axes."""

    __doc__ = __doc__ + _GLOBAL.format(
        layer=__qualname__, names="Keras ``GlobalMaxPooling1D``, ``GlobalMaxPooling2D`` and ``GlobalMaxPooling3D``."
    )
    function = "global_max_pool"
