"""Functions as layers: any function, nothing at all, and the inverse of another layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from septet.base.errors import ArgumentError, ShapeError
from septet.base.text import shape_text
from septet.nn.module import Module
from septet.tensor.tensor import Tensor
from septet.transform.functional import vjp


class Lambda(Module):
    """Apply any function of tensors.

    Parameters
    ----------
    function : callable
        Variables that it uses are not the layer's: write a `Module` for that.
    **words
        What it is called with besides the inputs.

    Shape
    -----
    What the function takes and returns.

    Examples
    --------
    >>> import septet as st
    >>> Lambda(lambda x, y, scale: x + y * scale, scale=2.0)(st.ones(2), st.ones(2)).tolist()
    [3.0, 3.0]

    Elsewhere
    ---------
    Keras ``Lambda``, Lasagne ``ExpressionLayer``.
    """

    def __init__(self, function: Callable[..., Any], **words: Any) -> None:
        if not callable(function):
            raise ArgumentError(f"Lambda: takes a function, got {function!r}")
        self.function = function
        self.words = words

    def forward(self, *inputs: Any, **words: Any) -> Any:
        return self.function(*inputs, **{**self.words, **words})

    def extra(self) -> str:
        return getattr(self.function, "__name__", type(self.function).__name__)


class Identity(Module):
    """Return what comes in: a place that another layer may take.

    Shape
    -----
    Any; result the same.

    Examples
    --------
    >>> import septet as st
    >>> Identity()(st.ones(2)).tolist()
    [1.0, 1.0]

    Elsewhere
    ---------
    Keras ``Identity``, PyTorch ``Identity``.
    """

    def forward(self, x: Any) -> Any:
        return x


class Inverse(Module):
    """Lead values back through a layer, as gradients go: the transpose of a linear layer, unpooling of a maximum.

    What comes back is the pullback of the layer at its own input, so weights are shared with it: an autoencoder with
    tied weights, or a picture of what a unit sees.

    Parameters
    ----------
    layer : Module
        Used, not owned: its variables belong to wherever it is part of.

    Shape
    -----
    y as the result of the layer, x as its input; result as x.

    Source
    ------
    M. D. Zeiler, R. Fergus, Visualizing and understanding convolutional networks, 2014, section 2.1.

    Examples
    --------
    >>> import septet as st
    >>> from septet import nn
    >>> pool = nn.MaxPool1D(2)
    >>> x = st.tensor([[[1.0, 5.0, 7.0, 3.0]]])
    >>> Inverse(pool)(pool(x), x).tolist()
    [[[0.0, 5.0, 7.0, 0.0]]]

    Elsewhere
    ---------
    Lasagne ``InverseLayer``, PyTorch ``MaxUnpool2d``.
    """

    def __init__(self, layer: Module) -> None:
        if not isinstance(layer, Module):
            raise ArgumentError(f"Inverse: takes a layer, got {layer!r}")
        self.layer = _Borrowed(layer)

    def forward(self, y: Tensor, x: Tensor) -> Tensor:
        result, pull_back = vjp(self.layer.module, x)
        a, b = result.type.shape, y.type.shape
        if len(a) != len(b) or any(p != q and None not in (p, q) for p, q in zip(a, b, strict=True)):
            raise ShapeError(
                f"{self.label}: the layer makes {shape_text(a)} of {shape_text(x.type.shape)}, got {shape_text(b)}"
            )
        return pull_back(y)[0]

    def extra(self) -> str:
        return self.layer.module.label


class _Borrowed:
    """A module that is used, but is no part of who uses it."""

    __slots__ = ("module",)

    def __init__(self, module: Module) -> None:
        self.module = module
