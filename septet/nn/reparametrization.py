"""Normalized weights: layers whose kernel is computed from other variables whenever it is used."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from septet.base.errors import ArgumentError, NotSupportedError
from septet.nn.initializers import outside_traces
from septet.nn.module import Module
from septet.nn.sizes import check_count
from septet.nn.updates import check_updates
from septet.tensor import random
from septet.tensor.functions import f
from septet.tensor.tensor import Tensor
from septet.tensor.variable import Variable


class _Reparametrized(Module):
    """A layer with one of its variables replaced by a tensor that is computed anew at each call.

    The variable moves from the layer to this module, so that optimizers see what is learned, and nothing twice.
    """

    layer: Module

    def __init__(self, layer: Module, name: str = "kernel") -> None:
        if not isinstance(layer, Module):
            raise ArgumentError(f"{type(self).__name__}: takes a layer, got {layer!r}")
        self.layer = layer
        self.name = name

    def make(self, weight: Variable) -> None:
        """Make the variables that the weight is computed from, given its first value."""
        raise NotImplementedError

    def weight(self) -> Tensor:
        """Compute the weight."""
        raise NotImplementedError

    def build(self, *inputs: Any) -> None:
        if not self.layer._is_built:
            with self.layer.evaluating():
                self.layer(*inputs)
        found = vars(self.layer).get(self.name)
        if not isinstance(found, Variable):
            raise ArgumentError(f"{self.label}: {self.layer.label} has no variable {self.name!r}")
        delattr(self.layer, self.name)
        self.make(found)

    def forward(self, *inputs: Any, **words: Any) -> Any:
        for value in inputs:
            if isinstance(value, Tensor) and self.is_training and self._updates:
                check_updates(self.label, value)
        object.__setattr__(self.layer, self.name, self.weight())
        try:
            return self.layer(*inputs, **words)
        finally:
            object.__delattr__(self.layer, self.name)

    _updates = False  # whether training changes statistics


def _output_axis(weight: Any) -> int:
    """Return the axis of the outputs: the last one of a matrix, the first one of a convolution's kernel."""
    return 1 if weight.ndim == 2 else 0


class WeightNorm(_Reparametrized):
    """Learn the length and the direction of the weights of each output of a layer separately.

    Parameters
    ----------
    layer : Module
        With a variable called `name`; it must not be used without this module from then on.
    name : str
    axis : int, optional
        The axis of the outputs; by default the last one of a matrix, and the first one of other kernels.

    Shape
    -----
    As the layer. direction as the variable, magnitude (outputs,).

    Source
    ------
    T. Salimans, D. P. Kingma, Weight normalization, 2016, equation 2.

    Examples
    --------
    >>> import septet as st
    >>> from septet import nn
    >>> layer = WeightNorm(nn.Dense(3))
    >>> layer(st.ones((2, 4))).shape, [path for path, _ in layer.named_parameters()]
    ((2, 3), ['direction', 'magnitude', 'layer.bias'])

    Elsewhere
    ---------
    PyTorch ``weight_norm``.
    """

    direction: Variable
    magnitude: Variable

    def __init__(self, layer: Module, name: str = "kernel", axis: int | None = None) -> None:
        super().__init__(layer, name)
        self.axis = axis

    def _others(self, ndim: int, axis: int) -> tuple[int, ...]:
        return tuple(other for other in range(ndim) if other != axis % ndim)

    def make(self, weight: Variable) -> None:
        array = weight.current()  # also while a function is traced
        axis = _output_axis(array) if self.axis is None else self.axis
        self.direction = Variable(array, f"{self.name}.direction", role=weight.role)
        lengths = np.sqrt(np.square(array.astype(np.float64)).sum(self._others(array.ndim, axis)))
        self.magnitude = Variable(lengths.astype(array.dtype), f"{self.name}.magnitude", role="scale")

    def weight(self) -> Tensor:
        v, axis = self.direction, self.axis
        axis = (_output_axis(v) if axis is None else axis) % v.ndim
        lengths = v.square().sum(axis=self._others(v.ndim, axis), keepdims=True).sqrt()
        shape = tuple(-1 if own == axis else 1 for own in range(v.ndim))
        return v * (self.magnitude.reshape(shape) / lengths)

    def extra(self) -> str:
        return f"{self.name!r}"


class SpectralNorm(_Reparametrized):
    """Divide the weights of a layer by their largest singular value, which a power iteration follows while training.

    Parameters
    ----------
    layer : Module
        With a variable called `name`; it must not be used without this module from then on.
    name : str
    iterations : int
        How often the power iteration runs at each call.
    epsilon : float
        The least length that is divided by.

    Shape
    -----
    As the layer. original as the variable; left (rows,), right (columns,), of the role "statistic": the first axis
    of the variable counts the rows.

    Source
    ------
    T. Miyato et al., Spectral normalization for generative adversarial networks, 2018, algorithm 1.

    Examples
    --------
    >>> import numpy as np, septet as st
    >>> from septet import nn
    >>> layer = SpectralNorm(nn.Dense(3), iterations=20)
    >>> y = layer(st.ones((2, 4)))
    >>> round(float(np.linalg.norm(layer.weight().numpy(), 2)), 3)
    1.0

    Elsewhere
    ---------
    Keras ``SpectralNormalization``, PyTorch ``spectral_norm``.
    """

    original: Variable
    left: Variable
    right: Variable
    _updates = True

    def __init__(self, layer: Module, name: str = "kernel", iterations: int = 1, epsilon: float = 1e-12) -> None:
        super().__init__(layer, name)
        self.iterations = check_count("SpectralNorm", "iterations", iterations)
        self.epsilon = float(epsilon)

    def make(self, weight: Variable) -> None:
        array = weight.current()  # also while a function is traced
        if array.ndim < 2:
            raise NotSupportedError(f"{self.label}: {self.name!r} has shape {array.shape}; it must be a matrix or more")
        rows, columns = array.shape[0], math.prod(array.shape[1:])
        self.original = Variable(array, f"{self.name}.original", role=weight.role)
        with outside_traces():
            drawn = [random.normal((size,)).value.astype(array.dtype) for size in (rows, columns)]
        for name, draw in zip(("left", "right"), drawn, strict=True):
            setattr(self, name, Variable(draw / np.linalg.norm(draw), f"{self.name}.{name}", role="statistic"))

    def _unit(self, x: Tensor) -> Tensor:
        return x / f.maximum(x.square().sum().sqrt(), self.epsilon)

    def weight(self) -> Tensor:
        matrix = self.original.reshape(self.original.shape[0], -1)
        left, right = self.left, self.right
        if self.is_training:
            fixed = matrix.detach()
            for _ in range(self.iterations):
                right = self._unit(left @ fixed)
                left = self._unit(fixed @ right)
            self.left.assign(left)
            self.right.assign(right)
        largest = (left.detach() * (matrix @ right.detach())).sum()
        return self.original / largest

    def extra(self) -> str:
        return f"{self.name!r}, iterations={self.iterations}"
