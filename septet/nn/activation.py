"""Activations: as names that layers take, and as layers."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from septet.base.errors import ArgumentError
from septet.base.text import did_you_mean
from septet.graph.node import Node
from septet.graph.op import get, imported_functions
from septet.nn.module import Module
from septet.nn.notes import parameter_names
from septet.ops import load
from septet.ops.composite.activations import ACTIVATIONS
from septet.ops.index import NAMES as FAMILIES
from septet.tensor.tensor import Tensor

NAMES = ACTIVATIONS
"""The functions that can be an activation."""


@functools.cache
def find(name: str) -> Callable[..., Node]:
    """Return the published function of nodes, or the card, with a name; its family is imported first."""
    load(FAMILIES.get(name, ""))
    published = imported_functions().get(name)
    return get(name) if published is None else published.call


def call(name: str, x: Tensor, **words: Any) -> Tensor:
    """Apply a published function or a card to a tensor."""
    return Tensor(find(name)(x.node, **words))


def check(layer: str, activation: Any) -> Any:
    """Return an activation that exists: a name, a callable, or None."""
    if activation is None or callable(activation) or activation in NAMES:
        return activation
    raise ArgumentError(
        f"{layer}: activation {activation!r} does not exist.{did_you_mean(str(activation), NAMES)} "
        f"The activations are {', '.join(NAMES)}, or any function of a tensor"
    )


def apply(activation: Any, x: Tensor) -> Tensor:
    """Apply an activation that `check` returned."""
    if activation is None:
        return x
    return call(activation, x) if isinstance(activation, str) else activation(x)


class Activation(Module):
    """Apply a function: a name such as "relu", or any function of a tensor.

    Parameters
    ----------
    activation : str or callable

    Shape
    -----
    x (...), result the same.

    Examples
    --------
    >>> import septet as st
    >>> Activation("relu")(st.tensor([-2.0, 0.5, 8.0])).tolist()
    [0.0, 0.5, 8.0]

    Elsewhere
    ---------
    Keras ``Activation``, Lasagne ``NonlinearityLayer``.
    """

    def __init__(self, activation: str | Callable[[Tensor], Tensor]) -> None:
        if activation is None:
            raise ArgumentError("Activation: needs a name or a function, got None")
        self.activation = check("Activation", activation)

    def forward(self, x: Tensor) -> Tensor:
        return apply(self.activation, x)

    def extra(self) -> str:
        return repr(self.activation)


class _Named(Module):
    """A layer that applies one function, with the layer's attributes as its parameters."""

    function = ""

    def forward(self, x: Tensor) -> Tensor:
        return call(self.function, x, **vars_of(self))

    def extra(self) -> str:
        return ", ".join(f"{name}={value!r}" for name, value in vars_of(self).items())


def vars_of(layer: Module) -> dict[str, Any]:
    """Return the options that a layer was made with."""
    return {name: value for name, value in vars(layer).items() if name in parameter_names(type(layer))}


class ReLU(_Named):
    """max(x, 0).

    Shape
    -----
    x (...), result the same.

    Examples
    --------
    >>> import septet as st
    >>> ReLU()(st.tensor([-2.0, 0.5, 8.0])).tolist()
    [0.0, 0.5, 8.0]

    Elsewhere
    ---------
    Keras ``ReLU``, PyTorch ``ReLU``.
    """

    function = "relu"


class ReLU6(_Named):
    """min(max(x, 0), 6).

    Shape
    -----
    x (...), result the same.

    Examples
    --------
    >>> import septet as st
    >>> ReLU6()(st.tensor([-2.0, 0.5, 8.0])).tolist()
    [0.0, 0.5, 6.0]

    Elsewhere
    ---------
    PyTorch ``ReLU6``.
    """

    function = "relu6"


class LeakyReLU(_Named):
    """x where it is positive, else slope * x.

    Parameters
    ----------
    slope : float

    Shape
    -----
    x (...), result the same.

    Examples
    --------
    >>> import septet as st
    >>> LeakyReLU()(st.tensor([-2.0, 0.5, 8.0])).tolist()
    [-0.019999999552965164, 0.5, 8.0]

    Elsewhere
    ---------
    Keras ``LeakyReLU``, PyTorch ``LeakyReLU``.
    """

    function = "leaky_relu"

    def __init__(self, slope: float = 0.01) -> None:
        self.slope = float(slope)


class ThresholdedReLU(Module):
    """x where it is above a threshold, else 0.

    Parameters
    ----------
    theta : float

    Source
    ------
    K. Konda, R. Memisevic, D. Krueger, Zero-bias autoencoders and the benefits of co-adapting features, 2015.

    Shape
    -----
    x (...), result the same.

    Examples
    --------
    >>> import septet as st
    >>> ThresholdedReLU()(st.tensor([-2.0, 0.5, 8.0])).tolist()
    [0.0, 0.0, 8.0]

    Elsewhere
    ---------
    Keras ``ThresholdedReLU``.
    """

    def __init__(self, theta: float = 1.0) -> None:
        self.theta = float(theta)

    def forward(self, x: Tensor) -> Tensor:
        return call("threshold", x, limit=self.theta, value=0.0)

    def extra(self) -> str:
        return f"theta={self.theta}"


class Threshold(_Named):
    """x where it is above a limit, else a value.

    Parameters
    ----------
    limit, value : float

    Shape
    -----
    x (...), result the same.

    Examples
    --------
    >>> import septet as st
    >>> Threshold(1.0, 20.0)(st.tensor([-2.0, 0.5, 8.0])).tolist()
    [20.0, 20.0, 8.0]

    Elsewhere
    ---------
    PyTorch ``Threshold``.
    """

    function = "threshold"

    def __init__(self, limit: float, value: float) -> None:
        self.limit = float(limit)
        self.value = float(value)


class ELU(_Named):
    """x where it is positive, else alpha * (exp(x) - 1).

    Parameters
    ----------
    alpha : float

    Shape
    -----
    x (...), result the same.

    Examples
    --------
    >>> import septet as st
    >>> ELU()(st.tensor([-2.0, 0.5, 8.0])).numpy().round(3)
    array([-0.865,  0.5  ,  8.   ], dtype=float32)

    Elsewhere
    ---------
    Keras ``ELU``, PyTorch ``ELU``.
    """

    function = "elu"

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = float(alpha)


class CELU(_Named):
    """x where it is positive, else alpha * (exp(x / alpha) - 1).

    Parameters
    ----------
    alpha : float

    Shape
    -----
    x (...), result the same.

    Examples
    --------
    >>> import septet as st
    >>> CELU()(st.tensor([-2.0, 0.5, 8.0])).numpy().round(3)
    array([-0.865,  0.5  ,  8.   ], dtype=float32)

    Elsewhere
    ---------
    PyTorch ``CELU``.
    """

    function = "celu"

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = float(alpha)


class SELU(_Named):
    """The self-normalizing exponential unit.

    Shape
    -----
    x (...), result the same.

    Examples
    --------
    >>> import septet as st
    >>> SELU()(st.tensor([-2.0, 0.5, 8.0])).numpy().round(3)
    array([-1.52 ,  0.525,  8.406], dtype=float32)

    Elsewhere
    ---------
    PyTorch ``SELU``.
    """

    function = "selu"


class GELU(_Named):
    """x times the normal distribution function of x.

    Parameters
    ----------
    approximate : bool
        Whether by a hyperbolic tangent.

    Shape
    -----
    x (...), result the same.

    Examples
    --------
    >>> import septet as st
    >>> GELU()(st.tensor([-2.0, 0.5, 8.0])).numpy().round(3)
    array([-0.046,  0.346,  8.   ], dtype=float32)

    Elsewhere
    ---------
    PyTorch ``GELU``.
    """

    function = "gelu"

    def __init__(self, approximate: bool = False) -> None:
        self.approximate = bool(approximate)


class SiLU(_Named):
    """x * sigmoid(x).

    Shape
    -----
    x (...), result the same.

    Examples
    --------
    >>> import septet as st
    >>> SiLU()(st.tensor([-2.0, 0.5, 8.0])).numpy().round(3)
    array([-0.238,  0.311,  7.997], dtype=float32)

    Elsewhere
    ---------
    PyTorch ``SiLU``.
    """

    function = "silu"


class HardSiLU(_Named):
    """x * min(max(x + 3, 0), 6) / 6.

    Shape
    -----
    x (...), result the same.

    Examples
    --------
    >>> import septet as st
    >>> HardSiLU()(st.tensor([-2.0, 0.5, 8.0])).numpy().round(3)
    array([-0.333,  0.292,  8.   ], dtype=float32)

    Elsewhere
    ---------
    PyTorch ``Hardswish``.
    """

    function = "hard_silu"


class Mish(_Named):
    """x * tanh(softplus(x)).

    Shape
    -----
    x (...), result the same.

    Examples
    --------
    >>> import septet as st
    >>> Mish()(st.tensor([-2.0, 0.5, 8.0])).numpy().round(3)
    array([-0.253,  0.375,  8.   ], dtype=float32)

    Elsewhere
    ---------
    PyTorch ``Mish``.
    """

    function = "mish"


class Sigmoid(_Named):
    """1 / (1 + exp(-x)).

    Shape
    -----
    x (...), result the same.

    Examples
    --------
    >>> import septet as st
    >>> Sigmoid()(st.tensor([-2.0, 0.5, 8.0])).numpy().round(3)
    array([0.119, 0.622, 1.   ], dtype=float32)

    Elsewhere
    ---------
    PyTorch ``Sigmoid``.
    """

    function = "sigmoid"


class HardSigmoid(_Named):
    """min(max(x + 3, 0), 6) / 6.

    Shape
    -----
    x (...), result the same.

    Examples
    --------
    >>> import septet as st
    >>> HardSigmoid()(st.tensor([-2.0, 0.5, 8.0])).numpy().round(3)
    array([0.167, 0.583, 1.   ], dtype=float32)

    Elsewhere
    ---------
    PyTorch ``Hardsigmoid``.
    """

    function = "hard_sigmoid"


class LogSigmoid(_Named):
    """log(1 / (1 + exp(-x))).

    Shape
    -----
    x (...), result the same.

    Examples
    --------
    >>> import septet as st
    >>> LogSigmoid()(st.tensor([-2.0, 0.5, 8.0])).numpy().round(3)
    array([-2.127, -0.474, -0.   ], dtype=float32)

    Elsewhere
    ---------
    PyTorch ``LogSigmoid``.
    """

    function = "log_sigmoid"


class Tanh(_Named):
    """The hyperbolic tangent.

    Shape
    -----
    x (...), result the same.

    Examples
    --------
    >>> import septet as st
    >>> Tanh()(st.tensor([-2.0, 0.5, 8.0])).numpy().round(3)
    array([-0.964,  0.462,  1.   ], dtype=float32)

    Elsewhere
    ---------
    PyTorch ``Tanh``.
    """

    function = "tanh"


class HardTanh(_Named):
    """x between two bounds, else the bound.

    Parameters
    ----------
    low, high : float

    Shape
    -----
    x (...), result the same.

    Examples
    --------
    >>> import septet as st
    >>> HardTanh()(st.tensor([-2.0, 0.5, 8.0])).tolist()
    [-1.0, 0.5, 1.0]

    Elsewhere
    ---------
    PyTorch ``Hardtanh``.
    """

    function = "hard_tanh"

    def __init__(self, low: float = -1.0, high: float = 1.0) -> None:
        self.low = float(low)
        self.high = float(high)


class TanhShrink(_Named):
    """x - tanh(x).

    Shape
    -----
    x (...), result the same.

    Examples
    --------
    >>> import septet as st
    >>> TanhShrink()(st.tensor([-2.0, 0.5, 8.0])).numpy().round(3)
    array([-1.036,  0.038,  7.   ], dtype=float32)

    Elsewhere
    ---------
    PyTorch ``Tanhshrink``.
    """

    function = "tanh_shrink"


class HardShrink(_Named):
    """x where |x| is above a limit, else 0.

    Parameters
    ----------
    limit : float

    Shape
    -----
    x (...), result the same.

    Examples
    --------
    >>> import septet as st
    >>> HardShrink()(st.tensor([-2.0, 0.5, 8.0])).tolist()
    [-2.0, 0.0, 8.0]

    Elsewhere
    ---------
    PyTorch ``Hardshrink``.
    """

    function = "hard_shrink"

    def __init__(self, limit: float = 0.5) -> None:
        self.limit = float(limit)


class SoftShrink(_Named):
    """x moved towards 0 by a limit, at most to 0.

    Parameters
    ----------
    limit : float

    Shape
    -----
    x (...), result the same.

    Examples
    --------
    >>> import septet as st
    >>> SoftShrink()(st.tensor([-2.0, 0.5, 8.0])).tolist()
    [-1.5, 0.0, 7.5]

    Elsewhere
    ---------
    PyTorch ``Softshrink``.
    """

    function = "soft_shrink"

    def __init__(self, limit: float = 0.5) -> None:
        self.limit = float(limit)


class Softplus(_Named):
    """log(1 + exp(x)).

    Shape
    -----
    x (...), result the same.

    Examples
    --------
    >>> import septet as st
    >>> Softplus()(st.tensor([-2.0, 0.5, 8.0])).numpy().round(3)
    array([0.127, 0.974, 8.   ], dtype=float32)

    Elsewhere
    ---------
    PyTorch ``Softplus``.
    """

    function = "softplus"


class Softsign(_Named):
    """x / (1 + |x|).

    Shape
    -----
    x (...), result the same.

    Examples
    --------
    >>> import septet as st
    >>> Softsign()(st.tensor([-2.0, 0.5, 8.0])).numpy().round(3)
    array([-0.667,  0.333,  0.889], dtype=float32)

    Elsewhere
    ---------
    PyTorch ``Softsign``.
    """

    function = "softsign"


class Softmax(_Named):
    """exp(x) / sum(exp(x)) along an axis.

    Parameters
    ----------
    axis : int

    Shape
    -----
    x (...), result the same.

    Examples
    --------
    >>> import septet as st
    >>> Softmax()(st.tensor([-2.0, 0.5, 8.0])).numpy().round(3)
    array([0.   , 0.001, 0.999], dtype=float32)

    Elsewhere
    ---------
    Keras ``Softmax``, PyTorch ``Softmax``.
    """

    function = "softmax"

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis


class Softmin(_Named):
    """softmax(-x) along an axis.

    Parameters
    ----------
    axis : int

    Shape
    -----
    x (...), result the same.

    Examples
    --------
    >>> import septet as st
    >>> Softmin()(st.tensor([-2.0, 0.5, 8.0])).numpy().round(3)
    array([0.924, 0.076, 0.   ], dtype=float32)

    Elsewhere
    ---------
    PyTorch ``Softmin``.
    """

    function = "softmin"

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis


class LogSoftmax(_Named):
    """log(softmax(x)) along an axis.

    Parameters
    ----------
    axis : int

    Shape
    -----
    x (...), result the same.

    Examples
    --------
    >>> import septet as st
    >>> LogSoftmax()(st.tensor([-2.0, 0.5, 8.0])).numpy().round(3)
    array([-1.0001e+01, -7.5010e+00, -1.0000e-03], dtype=float32)

    Elsewhere
    ---------
    PyTorch ``LogSoftmax``.
    """

    function = "log_softmax"

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis


class Sparsemax(_Named):
    """The probabilities nearest to x along an axis: many of them are 0.

    Parameters
    ----------
    axis : int

    Source
    ------
    A. F. T. Martins, R. F. Astudillo, From softmax to sparsemax, 2016.

    Shape
    -----
    x (...), result the same.

    Examples
    --------
    >>> import septet as st
    >>> Sparsemax()(st.tensor([-2.0, 0.5, 8.0])).tolist()
    [0.0, 0.0, 1.0]
    """

    function = "sparsemax"

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis
