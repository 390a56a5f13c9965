"""Activation functions: of variables, elementwise but for `softmax`."""

from __future__ import annotations

from typing import Any

import septet.dialects.theano.tensor as T
from septet.dialects.theano.tensor import nnet


def sigmoid(x: Any) -> Any:
    """Return ``1 / (1 + exp(-x))``."""
    return nnet.sigmoid(x)


def softmax(x: Any) -> Any:
    """Return the exponentials of each row of a matrix, divided by their sum."""
    return nnet.softmax(x)


def tanh(x: Any) -> Any:
    """Return the hyperbolic tangent."""
    return T.tanh(x)


class ScaledTanH:
    """``scale_out * tanh(scale_in * x)`` (LeCun et al. 1998, with scales of 2/3 and 1.7159)."""

    def __init__(self, scale_in: float = 1, scale_out: float = 1) -> None:
        self.scale_in = scale_in
        self.scale_out = scale_out

    def __call__(self, x: Any) -> Any:
        return T.tanh(x * self.scale_in) * self.scale_out


ScaledTanh = ScaledTanH


def rectify(x: Any) -> Any:
    """Return ``max(0, x)``."""
    return nnet.relu(x)


class LeakyRectify:
    """``x`` where it is positive, and ``leakiness * x`` elsewhere."""

    def __init__(self, leakiness: float = 0.01) -> None:
        self.leakiness = leakiness

    def __call__(self, x: Any) -> Any:
        return nnet.relu(x, self.leakiness)


leaky_rectify = LeakyRectify()
very_leaky_rectify = LeakyRectify(1 / 3.0)


def elu(x: Any) -> Any:
    """Return ``x`` where it is positive, and ``exp(x) - 1`` elsewhere."""
    return T.switch(x > 0, x, T.expm1(x))


class SELU:
    """``scale * x`` where x is positive, ``scale * scale_neg * (exp(x) - 1)`` elsewhere (Klambauer et al. 2017)."""

    def __init__(self, scale: float = 1, scale_neg: float = 1) -> None:
        self.scale = scale
        self.scale_neg = scale_neg

    def __call__(self, x: Any) -> Any:
        return self.scale * T.switch(x > 0.0, x, self.scale_neg * T.expm1(x))


selu = SELU(scale=1.0507009873554804934193349852946, scale_neg=1.6732632423543772848170429916717)


def softplus(x: Any) -> Any:
    """Return ``log(1 + exp(x))``."""
    return nnet.softplus(x)


def linear(x: Any) -> Any:
    """Return the argument."""
    return x


identity = linear
