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
    "adadelta",
    "adagrad",
    "adam",
    "adamax",
    "amsgrad",
    "apply_momentum",
    "apply_nesterov_momentum",
    "momentum",
    "nesterov_momentum",
    "norm_constraint",
    "rmsprop",
    "sgd",
    "total_norm_constraint",
]


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


def sgd(loss_or_grads: Any, params: Any, learning_rate: Any) -> OrderedDict[Any, Any]:
    """Go down the gradient: ``param - learning_rate * gradient``."""
    grads = get_or_compute_grads(loss_or_grads, params)
    return OrderedDict((param, param - learning_rate * grad) for param, grad in zip(params, grads, strict=False))


def apply_momentum(updates: Any, params: Iterable[Any] | None = None, momentum: Any = 0.9) -> OrderedDict[Any, Any]:
    """Return updates in which a share of each step is added to the next one.

    Parameters
    ----------
    updates : dict of shared variable to expression
    params : iterable of shared variable, optional
        The parameters that get momentum; all that are updated if not given.
    momentum : number or variable
    """
    updates = OrderedDict(updates)
    for param in list(updates) if params is None else params:
        velocity = zeros_for(param)
        moved = momentum * velocity + updates[param]
        updates[velocity] = moved - param
        updates[param] = moved
    return updates


def momentum(loss_or_grads: Any, params: Any, learning_rate: Any, momentum: Any = 0.9) -> OrderedDict[Any, Any]:
    """`sgd` with momentum: ``velocity = momentum * velocity - learning_rate * gradient``, added to the parameter."""
    return apply_momentum(sgd(loss_or_grads, params, learning_rate), momentum=momentum)


def apply_nesterov_momentum(
    updates: Any, params: Iterable[Any] | None = None, momentum: Any = 0.9
) -> OrderedDict[Any, Any]:
    """Return updates with Nesterov's momentum: the gradient is that at the place where the momentum leads.

    Source
    ------
    Y. Bengio et al., "Advances in optimizing recurrent networks", 2012 (the parameters are those after the momentum).
    """
    updates = OrderedDict(updates)
    for param in list(updates) if params is None else params:
        velocity = zeros_for(param)
        step = momentum * velocity + updates[param] - param
        updates[velocity] = step
        updates[param] = momentum * step + updates[param]
    return updates


def nesterov_momentum(
    loss_or_grads: Any, params: Any, learning_rate: Any, momentum: Any = 0.9
) -> OrderedDict[Any, Any]:
    """`sgd` with Nesterov's momentum."""
    return apply_nesterov_momentum(sgd(loss_or_grads, params, learning_rate), momentum=momentum)


def adagrad(loss_or_grads: Any, params: Any, learning_rate: Any = 1.0, epsilon: Any = 1e-6) -> OrderedDict[Any, Any]:
    """Divide steps by the root of the sum of all squared gradients so far.

    Source
    ------
    J. Duchi et al., "Adaptive subgradient methods for online learning and stochastic optimization", 2011.
    """
    updates: OrderedDict[Any, Any] = OrderedDict()
    for param, grad in zip(params, get_or_compute_grads(loss_or_grads, params), strict=False):
        total = zeros_for(param)
        updates[total] = total + grad**2
        updates[param] = param - (learning_rate * grad / T.sqrt(updates[total] + epsilon))
    return updates


def rmsprop(
    loss_or_grads: Any, params: Any, learning_rate: Any = 1.0, rho: Any = 0.9, epsilon: Any = 1e-6
) -> OrderedDict[Any, Any]:
    """Divide steps by the root of a moving average of the squared gradients.

    Source
    ------
    T. Tieleman and G. Hinton, "Neural networks for machine learning", lecture 6.5, 2012.
    """
    one = T.constant(1)
    updates: OrderedDict[Any, Any] = OrderedDict()
    for param, grad in zip(params, get_or_compute_grads(loss_or_grads, params), strict=False):
        average = zeros_for(param)
        updates[average] = rho * average + (one - rho) * grad**2
        updates[param] = param - (learning_rate * grad / T.sqrt(updates[average] + epsilon))
    return updates


def adadelta(
    loss_or_grads: Any, params: Any, learning_rate: Any = 1.0, rho: Any = 0.95, epsilon: Any = 1e-6
) -> OrderedDict[Any, Any]:
    """Scale gradients by the ratio of moving averages of the squared steps and of the squared gradients.

    Source
    ------
    M. Zeiler, "Adadelta: an adaptive learning rate method", 2012.
    """
    one = T.constant(1)
    updates: OrderedDict[Any, Any] = OrderedDict()
    for param, grad in zip(params, get_or_compute_grads(loss_or_grads, params), strict=False):
        gradients, steps = zeros_for(param), zeros_for(param)
        updates[gradients] = rho * gradients + (one - rho) * grad**2
        step = grad * T.sqrt(steps + epsilon) / T.sqrt(updates[gradients] + epsilon)
        updates[param] = param - learning_rate * step
        updates[steps] = rho * steps + (one - rho) * step**2
    return updates


def _by_moments(
    loss_or_grads: Any, params: Any, beta1: Any, rate: Callable[[Any, Any], Any], scale: Callable[..., Any]
) -> OrderedDict[Any, Any]:
    """Return the updates of Adam and its relatives.

    Parameters
    ----------
    beta1 : number or variable
        The decay of the average of the gradients.
    rate : callable
        Returns the learning rate, given the constant 1 and the number of the step.
    scale : callable
        Returns what steps are divided by, given the updates (to which it adds its own), a parameter and its gradient.
    """
    grads = get_or_compute_grads(loss_or_grads, params)
    before = theano.shared(utils.floatX(0.0))
    one = T.constant(1)
    count = before + 1
    step = rate(one, count)
    updates: OrderedDict[Any, Any] = OrderedDict()
    for param, grad in zip(params, grads, strict=False):
        average = zeros_for(param)
        updates[average] = beta1 * average + (one - beta1) * grad
        divisor = scale(updates, param, grad)
        updates[param] = param - step * updates[average] / divisor
    updates[before] = count
    return updates


def adam(
    loss_or_grads: Any,
    params: Any,
    learning_rate: Any = 0.001,
    beta1: Any = 0.9,
    beta2: Any = 0.999,
    epsilon: Any = 1e-8,
) -> OrderedDict[Any, Any]:
    """Divide an average of the gradients by the root of an average of their squares, both corrected for their start.

    Source
    ------
    D. Kingma and J. Ba, "Adam: a method for stochastic optimization", ICLR 2015; as in the remark at the end of
    section 2, epsilon is added to the uncorrected root.
    """

    def scale(updates: Any, param: Any, grad: Any) -> Any:
        squares = zeros_for(param)
        updates[squares] = beta2 * squares + (T.constant(1) - beta2) * grad**2
        return T.sqrt(updates[squares]) + epsilon

    def rate(one: Any, count: Any) -> Any:
        return learning_rate * T.sqrt(one - beta2**count) / (one - beta1**count)

    return _by_moments(loss_or_grads, params, beta1, rate, scale)


def adamax(
    loss_or_grads: Any,
    params: Any,
    learning_rate: Any = 0.002,
    beta1: Any = 0.9,
    beta2: Any = 0.999,
    epsilon: Any = 1e-8,
) -> OrderedDict[Any, Any]:
    """Divide an average of the gradients by a decaying maximum of their sizes.

    Source
    ------
    D. Kingma and J. Ba, "Adam: a method for stochastic optimization", ICLR 2015, section 7.1.
    """

    def scale(updates: Any, param: Any, grad: Any) -> Any:
        largest = zeros_for(param)
        updates[largest] = T.maximum(beta2 * largest, abs(grad))
        return updates[largest] + epsilon

    def rate(one: Any, count: Any) -> Any:
        return learning_rate / (one - beta1**count)

    return _by_moments(loss_or_grads, params, beta1, rate, scale)


def amsgrad(
    loss_or_grads: Any,
    params: Any,
    learning_rate: Any = 0.001,
    beta1: Any = 0.9,
    beta2: Any = 0.999,
    epsilon: Any = 1e-8,
) -> OrderedDict[Any, Any]:
    """`adam` with the largest average of squares so far in place of the average.

    Source
    ------
    S. Reddi et al., "On the convergence of Adam and beyond", ICLR 2018.
    """

    def scale(updates: Any, param: Any, grad: Any) -> Any:
        squares, largest = zeros_for(param), zeros_for(param)
        updates[squares] = beta2 * squares + (T.constant(1) - beta2) * grad**2
        updates[largest] = T.maximum(largest, updates[squares])
        return T.sqrt(updates[largest]) + epsilon

    def rate(one: Any, count: Any) -> Any:
        return learning_rate * T.sqrt(one - beta2**count) / (one - beta1**count)

    return _by_moments(loss_or_grads, params, beta1, rate, scale)


def norm_constraint(
    tensor_var: Any, max_norm: Any, norm_axes: Sequence[int] | None = None, epsilon: float = 1e-7
) -> Any:
    """Return weights, those of each unit scaled down where their norm exceeds a maximum."""
    if norm_axes is None:
        norm_axes = utils.axes_of_units(
            tensor_var.ndim, "Unsupported tensor dimensionality {}. Must specify `norm_axes`"
        )
    dtype = np.dtype(theano.config.floatX).type
    norms = T.sqrt(T.sum(T.sqr(tensor_var), axis=tuple(norm_axes), keepdims=True))
    return tensor_var * (T.clip(norms, 0, dtype(max_norm)) / (dtype(epsilon) + norms))


def total_norm_constraint(tensor_vars: Any, max_norm: Any, epsilon: float = 1e-7, return_norm: bool = False) -> Any:
    """Return variables, usually gradients, all scaled down by one factor where their joint norm exceeds a maximum.

    Source
    ------
    I. Sutskever et al., "Sequence to sequence learning with neural networks", NIPS 2014.
    """
    norm = T.sqrt(sum(T.sum(tensor**2) for tensor in tensor_vars))
    dtype = np.dtype(theano.config.floatX).type
    factor = T.clip(norm, 0, dtype(max_norm)) / (dtype(epsilon) + norm)
    scaled = [tensor * factor for tensor in tensor_vars]
    return (scaled, norm) if return_norm else scaled
