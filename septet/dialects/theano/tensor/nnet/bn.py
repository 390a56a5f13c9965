"""`theano.tensor.nnet.bn`: batch normalization."""

from __future__ import annotations

from typing import Any

import numpy as np

from septet.dialects.theano.configdefaults import config
from septet.dialects.theano.tensor import basic
from septet.dialects.theano.tensor.convert import as_tensor_variable
from septet.dialects.theano.tensor.shaping import addbroadcast, patternbroadcast


def batch_normalization(inputs: Any, gamma: Any, beta: Any, mean: Any, std: Any, mode: str = "low_mem") -> Any:
    """Return ``(inputs - mean) * gamma / std + beta``; `mode` only says how Theano saved memory."""
    if mode == "low_mem":
        return (inputs - mean) * gamma / std + beta
    if mode == "high_mem":
        return (inputs - mean) * (gamma / std) + beta
    raise ValueError('mode must be either "low_mem", "high_mem"')


def _axes(axes: Any, ndim: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the axes to normalize over, and the others."""
    if isinstance(axes, str) and axes in ("per-activation", "spatial"):
        axes = (0,) if axes == "per-activation" else (0, *range(2, ndim))
    elif not isinstance(axes, (tuple, list, np.ndarray)):
        raise ValueError(f"invalid axes: {axes}")
    axes = tuple(sorted(int(axis) for axis in axes))
    if not axes:
        raise ValueError("there should be at least one normalization axis")
    if min(axes) < 0 or max(axes) >= ndim:
        raise ValueError(f"axes should be less than ndim (<{ndim}), but {axes} given")
    return axes, tuple(axis for axis in range(ndim) if axis not in axes)


class _Parameters:
    """How parameters are spread over the axes of what is normalized."""

    def __init__(self, inputs: Any, axes: Any, epsilon: Any, given: dict[str, Any]) -> None:
        self.ndim = inputs.ndim
        self.axes, self.kept = _axes(axes, inputs.ndim)
        self.is_full = next(iter(given.values())).ndim == self.ndim
        rank = self.ndim if self.is_full else len(self.kept)
        wrong = {name: one.ndim for name, one in given.items() if one.ndim != rank}
        if wrong:
            raise ValueError(
                f"the dimensionality of {', '.join(given)} must match the number of non-normalized axes, or be that of the inputs; got {wrong} instead of {rank}"
            )
        self.epsilon = np.asarray(epsilon, config.floatX)
        if self.epsilon < 1e-5:
            raise ValueError(f"epsilon must be at least 1e-5, got {self.epsilon}")

    def spread(self, x: Any) -> Any:
        if self.is_full:
            return addbroadcast(x, *self.axes)
        return x.dimshuffle(*[self.kept.index(axis) if axis in self.kept else "x" for axis in range(self.ndim)])

    def gathered(self, x: Any) -> Any:
        return x if self.is_full else x.dimshuffle(*self.kept)


def batch_normalization_train(
    inputs: Any, gamma: Any, beta: Any, axes: Any = "per-activation", epsilon: Any = 1e-4,
    running_average_factor: Any = 0.1, running_mean: Any = None, running_var: Any = None,
) -> tuple[Any, ...]:  # fmt: skip
    """Normalize with the mean and variance of the inputs.

    Parameters
    ----------
    inputs : tensor
    gamma, beta : tensor
        Scale and shift, of the rank of the inputs or of the axes that are kept.
    axes : "per-activation" (the first), "spatial" (all but the second), or tuple of int
    epsilon : float
        At least 1e-5.
    running_average_factor : float
    running_mean, running_var : tensor, optional
        Averages, whose next values are returned then.

    Returns
    -------
    tuple
        The result, the mean, the inverse standard deviation; the next averages where they are kept.
    """
    inputs, gamma, beta = [as_tensor_variable(one) for one in (inputs, gamma, beta)]
    if (running_mean is None) != (running_var is None):
        raise ValueError("running_mean and running_var must either both be given or both be None")
    averages = [] if running_mean is None else [as_tensor_variable(one) for one in (running_mean, running_var)]
    given = dict(zip(("gamma", "beta", "running_mean", "running_var"), (gamma, beta, *averages), strict=False))
    own = _Parameters(inputs, axes, epsilon, given)
    mean = inputs.mean(own.axes, keepdims=True)
    var = inputs.var(own.axes, keepdims=True)
    inverse = basic.inv(basic.sqrt(var + own.epsilon))
    result = (inputs - mean) * (own.spread(gamma) * inverse) + own.spread(beta)
    found = [mean, inverse]
    if averages:
        count = basic.cast(basic.prod(inputs.shape) / basic.prod(mean.shape), config.floatX)
        new = [mean, count / (count - 1) * var]
        for average, now in zip(averages, new, strict=True):
            old = own.spread(average)
            mixed = old * (1 - running_average_factor) + now * running_average_factor
            found.append(patternbroadcast(mixed, old.broadcastable))
    return (result, *[own.gathered(one) for one in found])


def batch_normalization_test(
    inputs: Any, gamma: Any, beta: Any, mean: Any, var: Any, axes: Any = "per-activation", epsilon: Any = 1e-4
) -> Any:
    """Normalize with a given mean and variance; parameters as for `batch_normalization_train`."""
    inputs, gamma, beta, mean, var = [as_tensor_variable(one) for one in (inputs, gamma, beta, mean, var)]
    own = _Parameters(inputs, axes, epsilon, {"gamma": gamma, "beta": beta, "mean": mean, "var": var})
    scale = own.spread(gamma) / basic.sqrt(own.spread(var) + own.epsilon)
    return (inputs - own.spread(mean)) * scale + own.spread(beta)
