"""Update rules: each returns an ordered dict from shared variables to their new values, for `theano.function`.

Arguments are a loss and parameters, or a list of gradients and parameters. What a rule remembers from step to step
is kept in shared variables that it makes.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

import septet.dialects.theano as theano
import septet.dialects.theano.tensor as T
from septet.dialects.lasagne import utils

__all__ = [
    "adadelta", "adagrad", "adam", "adamax", "amsgrad", "apply_momentum", "apply_nesterov_momentum", "momentum",
    "nesterov_momentum", "norm_constraint", "rmsprop", "sgd", "total_norm_constraint",
]  # fmt: skip

Updates = OrderedDict[Any, Any]


def get_or_compute_grads(loss_or_grads: Any, params: Sequence[Any]) -> Any:
    """Return the gradients of a loss, or the list of gradients that was given in its place."""
    if any(not isinstance(param, theano.compile.SharedVariable) for param in params):
        raise ValueError(
            "params must contain shared variables only. If it contains arbitrary parameter expressions, then lasagne.utils.collect_shared_vars() may help you."
        )
    if not isinstance(loss_or_grads, list):
        return theano.grad(loss_or_grads, params)
    if len(loss_or_grads) != len(params):
        raise ValueError(f"Got {len(loss_or_grads)} gradient expressions for {len(params)} parameters")
    return loss_or_grads


def zeros_for(param: Any) -> Any:
    """Return a new shared variable that holds zeros of a parameter's shape and dtype."""
    value = param.get_value(borrow=True)
    return theano.shared(np.zeros(value.shape, dtype=value.dtype), broadcastable=param.broadcastable)


def _by(step: Callable[[Updates, Any, Any], Any], loss_or_grads: Any, params: Any) -> Updates:
    """Return the updates of a rule.

    `step` gets the updates (to which it adds what it remembers), a parameter and its gradient, and returns what is
    taken off the parameter.
    """
    updates: Updates = OrderedDict()
    for param, grad in zip(params, get_or_compute_grads(loss_or_grads, params), strict=False):
        updates[param] = param - step(updates, param, grad)
    return updates


def sgd(loss_or_grads: Any, params: Any, learning_rate: Any) -> Updates:
    """Go down the gradient: ``param - learning_rate * gradient``."""
    return _by(lambda updates, param, grad: learning_rate * grad, loss_or_grads, params)


def apply_momentum(updates: Any, params: Iterable[Any] | None = None, momentum: Any = 0.9) -> Updates:
    """Return updates in which a share of each step is added to the next one: for some parameters, or for all."""
    updates = OrderedDict(updates)
    for param in list(updates) if params is None else params:
        velocity = zeros_for(param)
        moved = momentum * velocity + updates[param]
        updates[velocity] = moved - param
        updates[param] = moved
    return updates


def momentum(loss_or_grads: Any, params: Any, learning_rate: Any, momentum: Any = 0.9) -> Updates:
    """`sgd` with momentum: ``velocity = momentum * velocity - learning_rate * gradient``, added to the parameter."""
    return apply_momentum(sgd(loss_or_grads, params, learning_rate), momentum=momentum)


def apply_nesterov_momentum(updates: Any, params: Iterable[Any] | None = None, momentum: Any = 0.9) -> Updates:
    """Return updates with Nesterov's momentum: the gradient is that at the place where the momentum leads.

    As by Y. Bengio et al. (2012), the parameters are those after the momentum.
    """
    updates = OrderedDict(updates)
    for param in list(updates) if params is None else params:
        velocity = zeros_for(param)
        step = momentum * velocity + updates[param] - param
        updates[velocity] = step
        updates[param] = momentum * step + updates[param]
    return updates


def nesterov_momentum(loss_or_grads: Any, params: Any, learning_rate: Any, momentum: Any = 0.9) -> Updates:
    """`sgd` with Nesterov's momentum."""
    return apply_nesterov_momentum(sgd(loss_or_grads, params, learning_rate), momentum=momentum)


def _kept(updates: Updates, param: Any, after: Callable[[Any], Any]) -> Any:
    """Return the next value of a new shared variable for a parameter, given as a function of the one before."""
    before = zeros_for(param)
    updates[before] = after(before)
    return updates[before]


def _averaged(updates: Updates, param: Any, share: Any, value: Any) -> Any:
    """Return a moving average, to which each step's value contributes ``1 - share``."""
    return _kept(updates, param, lambda before: share * before + (T.constant(1) - share) * value)


def adagrad(loss_or_grads: Any, params: Any, learning_rate: Any = 1.0, epsilon: Any = 1e-6) -> Updates:
    """Divide steps by the root of the sum of all squared gradients so far (Duchi et al. 2011)."""

    def step(updates: Updates, param: Any, grad: Any) -> Any:
        total = _kept(updates, param, lambda before: before + grad**2)
        return learning_rate * grad / T.sqrt(total + epsilon)

    return _by(step, loss_or_grads, params)


def rmsprop(loss_or_grads: Any, params: Any, learning_rate: Any = 1.0, rho: Any = 0.9, epsilon: Any = 1e-6) -> Updates:
    """Divide steps by the root of a moving average of the squared gradients (Tieleman and Hinton 2012)."""

    def step(updates: Updates, param: Any, grad: Any) -> Any:
        return learning_rate * grad / T.sqrt(_averaged(updates, param, rho, grad**2) + epsilon)

    return _by(step, loss_or_grads, params)


def adadelta(
    loss_or_grads: Any, params: Any, learning_rate: Any = 1.0, rho: Any = 0.95, epsilon: Any = 1e-6
) -> Updates:
    """Scale gradients by the ratio of moving averages of squared steps and squared gradients (Zeiler 2012)."""

    def step(updates: Updates, param: Any, grad: Any) -> Any:
        squares = _averaged(updates, param, rho, grad**2)
        steps = zeros_for(param)
        found = grad * T.sqrt(steps + epsilon) / T.sqrt(squares + epsilon)
        updates[steps] = rho * steps + (T.constant(1) - rho) * found**2
        return learning_rate * found

    return _by(step, loss_or_grads, params)


def _by_moments(
    loss_or_grads: Any, params: Any, beta1: Any, rate: Callable[[Any], Any], scale: Callable[[Updates, Any, Any], Any]
) -> Updates:
    """Return the updates of Adam and its relatives: an average of the gradients over a scale, times a rate.

    `rate` gets the number of the step; `scale` gets what `_by` gives to rules.
    """
    before = theano.shared(utils.floatX(0.0))
    count = before + 1
    learning_rate = rate(count)

    def step(updates: Updates, param: Any, grad: Any) -> Any:
        return learning_rate * _averaged(updates, param, beta1, grad) / scale(updates, param, grad)

    updates = _by(step, loss_or_grads, params)
    updates[before] = count
    return updates


def _corrected(learning_rate: Any, beta1: Any, beta2: Any) -> Callable[[Any], Any]:
    """Return Adam's rate: both averages begin with zeros, which it corrects for."""
    one = T.constant(1)
    return lambda count: learning_rate * T.sqrt(one - beta2**count) / (one - beta1**count)


def adam(
    loss_or_grads: Any, params: Any, learning_rate: Any = 0.001, beta1: Any = 0.9, beta2: Any = 0.999,
    epsilon: Any = 1e-8,
) -> Updates:  # fmt: skip
    """Divide an average of the gradients by the root of an average of their squares (Kingma and Ba 2015).

    As in the remark at the end of section 2 there, epsilon is added to the root that is not corrected.
    """

    def scale(updates: Updates, param: Any, grad: Any) -> Any:
        return T.sqrt(_averaged(updates, param, beta2, grad**2)) + epsilon

    return _by_moments(loss_or_grads, params, beta1, _corrected(learning_rate, beta1, beta2), scale)


def adamax(
    loss_or_grads: Any, params: Any, learning_rate: Any = 0.002, beta1: Any = 0.9, beta2: Any = 0.999,
    epsilon: Any = 1e-8,
) -> Updates:  # fmt: skip
    """Divide an average of the gradients by a decaying maximum of their sizes (Kingma and Ba 2015, section 7.1)."""

    def scale(updates: Updates, param: Any, grad: Any) -> Any:
        return _kept(updates, param, lambda before: T.maximum(beta2 * before, abs(grad))) + epsilon

    return _by_moments(
        loss_or_grads, params, beta1, lambda count: learning_rate / (T.constant(1) - beta1**count), scale
    )


def amsgrad(
    loss_or_grads: Any, params: Any, learning_rate: Any = 0.001, beta1: Any = 0.9, beta2: Any = 0.999,
    epsilon: Any = 1e-8,
) -> Updates:  # fmt: skip
    """`adam` with the largest average of squares so far in place of the average (Reddi et al. 2018)."""

    def scale(updates: Updates, param: Any, grad: Any) -> Any:
        squares = _averaged(updates, param, beta2, grad**2)
        return T.sqrt(_kept(updates, param, lambda before: T.maximum(before, squares))) + epsilon

    return _by_moments(loss_or_grads, params, beta1, _corrected(learning_rate, beta1, beta2), scale)


def norm_constraint(
    tensor_var: Any, max_norm: Any, norm_axes: Sequence[int] | None = None, epsilon: float = 1e-7
) -> Any:
    """Return weights, those of each unit scaled down where their norm exceeds a maximum."""
    norm_axes = utils.axes_of_units(tensor_var.ndim) if norm_axes is None else norm_axes
    norms = T.sqrt(T.sum(T.sqr(tensor_var), axis=tuple(norm_axes), keepdims=True))
    return tensor_var * (T.clip(norms, 0, utils.floatX(max_norm)) / (utils.floatX(epsilon) + norms))


def total_norm_constraint(tensor_vars: Any, max_norm: Any, epsilon: float = 1e-7, return_norm: bool = False) -> Any:
    """Return variables, usually gradients, all scaled down by one factor where their joint norm exceeds a maximum."""
    norm = T.sqrt(sum(T.sum(tensor**2) for tensor in tensor_vars))
    factor = T.clip(norm, 0, utils.floatX(max_norm)) / (utils.floatX(epsilon) + norm)
    scaled = [tensor * factor for tensor in tensor_vars]
    return (scaled, norm) if return_norm else scaled
