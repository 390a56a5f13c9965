"""Losses of numbers, and what all losses share.

None of them broadcasts: predictions and targets have the shapes that the docstring says; else an error, also where the
sizes are known only when the graph runs.
"""

from __future__ import annotations

import math
from typing import Any

from septet.base import dtypes
from septet.base.errors import ArgumentError, DTypeError, ShapeError
from septet.base.shapes import check_axis
from septet.base.text import shape_text
from septet.graph.node import Node
from septet.graph.op import as_node, cast_to, explain_call, function, ops
from septet.ops.checks import ensure
from septet.ops.norms import vector_norm
from septet.ops.shaping import sizes_of

REDUCTIONS = ("mean", "sum", "none")


def reduce_loss(values: Node, reduction: str, weight: Node | None = None) -> Node:
    """Apply "mean", "sum" or "none" to the losses of the examples; `weight` is what a mean divides by, if given."""
    if reduction == "mean":
        return ops.mean(values) if weight is None else ops.sum(values) / weight
    if reduction == "sum":
        return ops.sum(values)
    if reduction == "none":
        return values
    raise ArgumentError(f"reduction {reduction!r} does not exist; the reductions are {', '.join(REDUCTIONS)}")


def same_shapes(
    name: str, predictions: Node, targets: Node, names: tuple[str, str] = ("predictions", "targets")
) -> Node:
    """Refuse shapes that differ: a loss never broadcasts. Return the targets, checked again when the graph runs."""
    a, b = predictions.shape, targets.shape
    if len(a) != len(b) or any(x != y and None not in (x, y) for x, y in zip(a, b, strict=True)):
        marks = [(0, i) for i in range(len(a))] + [(1, i) for i in range(len(b))]
        error = ShapeError(
            f"{names[0]} have shape {shape_text(a)}, {names[1]} {shape_text(b)}; a loss never broadcasts", marks=marks,
            hint="reshape or squeeze one of them",
        )  # fmt: skip
        raise explain_call(error, name, names, (predictions, targets))
    return ensure(targets, sizes_of(predictions), name)


def as_real(name: str, values: dict[str, Any]) -> list[Node]:
    """Return tensors as real floats of one dtype; integers and booleans take the dtype of the others.

    Raises
    ------
    DTypeError
        If one of them is complex.
    """
    first = next((v for v in values.values() if isinstance(v, Node) and dtypes.is_float(v.dtype)), None)
    nodes = [as_node(value, None if first is None else first.dtype) for value in values.values()]
    if any(dtypes.is_complex(node.dtype) for node in nodes):
        raise explain_call(DTypeError("takes real tensors"), name, list(values), nodes)
    floats = [node.dtype for node in nodes if dtypes.is_float(node.dtype)]
    common = dtypes.promote(*floats) if floats else dtypes.default_of_kind(dtypes.FLOAT)
    return [cast_to(node, common) for node in nodes]


def pair(name: str, predictions: Any, targets: Any, names: tuple[str, str] = ("predictions", "targets")) -> list[Node]:
    """Return predictions and targets: of one shape, real floats of one dtype."""
    p, t = as_real(name, {names[0]: predictions, names[1]: targets})
    return [p, same_shapes(name, p, t, names)]


def positive_part(x: Node) -> Node:
    """Return max(x, 0)."""
    return ops.maximum(x, as_node(0, x.dtype))


def check_at_least(name: str, what: str, value: float, least: float, *, is_open: bool = False) -> float:
    """Return an option that is a finite number, at least (with `is_open`: above) `least`."""
    if not dtypes.is_scalar(value) or isinstance(value, complex) or not math.isfinite(value):
        raise ArgumentError(f"{name}: {what} must be a finite number, got {value!r}")
    if value < least or (is_open and value == least):
        raise ArgumentError(f"{name}: {what} must be {'above' if is_open else 'at least'} {least}, got {value!r}")
    return value


@function("mse")
def mean_squared_error(predictions: Any, targets: Any, *, reduction: str = "mean") -> Node:
    """Return the squared differences of two tensors of one shape, averaged.

    Parameters
    ----------
    predictions, targets : tensor of one shape
    reduction : str
        "mean" over all elements, "sum", or "none": a loss for each element.

    Dtype
    -----
    Real; integer targets take the dtype of the predictions. This holds for all losses.

    Raises
    ------
    ShapeError
        If the shapes differ.
    """
    p, t = pair("mean_squared_error", predictions, targets)
    return reduce_loss(ops.square(p - t), reduction)


@function("mae")
def mean_absolute_error(predictions: Any, targets: Any, *, reduction: str = "mean") -> Node:
    """Return the absolute differences of two tensors of one shape, averaged.

    Parameters
    ----------
    predictions, targets : tensor of one shape
    reduction : str

    Gradient
    --------
    The sign of the difference; 0 where there is none.
    """
    p, t = pair("mean_absolute_error", predictions, targets)
    return reduce_loss(ops.abs(p - t), reduction)


@function("mape")
def mean_absolute_percentage_error(
    predictions: Any, targets: Any, *, epsilon: float = 1e-7, reduction: str = "mean"
) -> Node:
    """Return 100 |target - prediction| / |target|, averaged.

    Parameters
    ----------
    predictions, targets : tensor of one shape
    epsilon : float
        The least |target| that is divided by.
    reduction : str
    """
    epsilon = check_at_least("mean_absolute_percentage_error", "epsilon", epsilon, 0)
    p, t = pair("mean_absolute_percentage_error", predictions, targets)
    return reduce_loss(ops.abs(t - p) / ops.maximum(ops.abs(t), as_node(epsilon, t.dtype)) * 100, reduction)


@function("msle")
def mean_squared_logarithmic_error(predictions: Any, targets: Any, *, reduction: str = "mean") -> Node:
    """Return (log(1 + target) - log(1 + prediction)) squared, averaged; for numbers above -1.

    Parameters
    ----------
    predictions, targets : tensor of one shape
    reduction : str
    """
    p, t = pair("mean_squared_logarithmic_error", predictions, targets)
    return reduce_loss(ops.square(ops.log1p(t) - ops.log1p(p)), reduction)


@function()
def huber_loss(predictions: Any, targets: Any, delta: float = 1.0, *, reduction: str = "mean") -> Node:
    """Return the Huber loss: half the square of a difference up to `delta`, beyond that linear.

    Parameters
    ----------
    predictions, targets : tensor of one shape
    delta : float
        Above 0.
    reduction : str

    Source
    ------
    Huber, Robust estimation of a location parameter, 1964.
    """
    delta = check_at_least("huber_loss", "delta", delta, 0, is_open=True)
    p, t = pair("huber_loss", predictions, targets)
    size = ops.abs(p - t)
    near = ops.square(size) * 0.5
    far = (size - 0.5 * delta) * delta
    return reduce_loss(ops.where(ops.less(size, as_node(delta, size.dtype)), near, far), reduction)


@function()
def smooth_l1_loss(predictions: Any, targets: Any, beta: float = 1.0, *, reduction: str = "mean") -> Node:
    """Return the Huber loss divided by where it becomes linear: the absolute error, rounded off below `beta`.

    Parameters
    ----------
    predictions, targets : tensor of one shape
    beta : float
        With 0 it is the absolute error.
    reduction : str

    Source
    ------
    Girshick, Fast R-CNN, 2015, equation 3.
    """
    beta = check_at_least("smooth_l1_loss", "beta", beta, 0)
    p, t = pair("smooth_l1_loss", predictions, targets)
    size = ops.abs(p - t)
    if beta == 0:
        return reduce_loss(size, reduction)
    near = ops.square(size) * (0.5 / beta)
    return reduce_loss(ops.where(ops.less(size, as_node(beta, size.dtype)), near, size - 0.5 * beta), reduction)


@function()
def log_cosh_loss(predictions: Any, targets: Any, *, reduction: str = "mean") -> Node:
    """Return log(cosh(prediction - target)), computed without overflow: a square near 0, linear far away.

    Parameters
    ----------
    predictions, targets : tensor of one shape
    reduction : str
    """
    p, t = pair("log_cosh_loss", predictions, targets)
    size = ops.abs(p - t)
    # log cosh d = |d| + log1p(exp(-2|d|)) - log 2; near 0 that cancels, and log1p(2 sinh^2(d/2)) does not
    near = ops.log1p(ops.square(ops.sinh(ops.minimum(size, as_node(1.0, size.dtype)) * 0.5)) * 2)
    far = size + ops.log1p(ops.exp(size * -2)) - math.log(2)
    return reduce_loss(ops.where(ops.less(size, as_node(1.0, size.dtype)), near, far), reduction)


@function("pinball_loss")
def quantile_loss(predictions: Any, targets: Any, q: float = 0.5, *, reduction: str = "mean") -> Node:
    """Return the loss whose best constant prediction is a quantile of the targets.

    Parameters
    ----------
    predictions, targets : tensor of one shape
    q : float
        Which quantile, between 0 and 1: an error below the target costs q, one above it 1 - q.
    reduction : str

    Source
    ------
    Koenker and Bassett, Regression quantiles, 1978.
    """
    if not 0 <= check_at_least("quantile_loss", "q", q, 0) <= 1:
        raise ArgumentError(f"quantile_loss: q must be between 0 and 1, got {q!r}")
    p, t = pair("quantile_loss", predictions, targets)
    below = t - p
    return reduce_loss(ops.maximum(below * q, below * (q - 1)), reduction)


@function("poisson_nll_loss")
def poisson_loss(
    predictions: Any, targets: Any, *, is_log: bool = True, has_constant: bool = False, reduction: str = "mean"
) -> Node:
    """Return minus the log-likelihood of counts from Poisson distributions.

    Parameters
    ----------
    predictions, targets : tensor of one shape
        Rates, or their logarithms; and counts.
    is_log : bool
        Whether the predictions are logarithms of the rates.
    has_constant : bool
        Whether log(target!) is added, which does not depend on the predictions.
    reduction : str
    """
    p, t = pair("poisson_loss", predictions, targets)
    losses = ops.exp(p) - t * p if is_log else p - ops.xlogy(t, p)
    if has_constant:
        losses = losses + ops.gammaln(t + 1)
    return reduce_loss(losses, reduction)


@function("gaussian_nll_loss")
def gaussian_loss(
    predictions: Any, targets: Any, variance: Any, *, has_constant: bool = False, epsilon: float = 1e-6,
    reduction: str = "mean",
) -> Node:  # fmt: skip
    """Return minus the log-likelihood of targets from normal distributions.

    Parameters
    ----------
    predictions, targets, variance : tensor of one shape
        Means, and what came out; and the variances, not negative.
    has_constant : bool
        Whether log(2 pi) / 2 is added.
    epsilon : float
        The least variance.
    reduction : str

    Source
    ------
    Nix and Weigend, Estimating the mean and variance of the target probability distribution, 1994.
    """
    name = "gaussian_loss"
    epsilon = check_at_least(name, "epsilon", epsilon, 0)
    p, t, v = as_real(name, {"predictions": predictions, "targets": targets, "variance": variance})
    t, v = same_shapes(name, p, t), same_shapes(name, p, v, ("predictions", "variances"))
    v = ops.maximum(v, as_node(epsilon, v.dtype))
    losses = (ops.log(v) + ops.square(t - p) / v) * 0.5
    return reduce_loss(losses + 0.5 * math.log(2 * math.pi) if has_constant else losses, reduction)


@function("kl_div")
def kl_divergence(log_predictions: Any, targets: Any, *, reduction: str = "mean") -> Node:
    """Return target * (log(target) - log_prediction), with 0 log 0 = 0.

    Parameters
    ----------
    log_predictions, targets : tensor of one shape
        Logarithms of probabilities, and probabilities.
    reduction : str
        "mean" is over all elements; the divergence itself is the sum over the classes.

    Source
    ------
    Kullback and Leibler, On information and sufficiency, 1951.
    """
    p, t = pair("kl_divergence", log_predictions, targets, ("log_predictions", "targets"))
    zero = as_node(0, t.dtype)
    is_positive = ops.greater(t, zero)
    log_t = ops.log(ops.where(is_positive, t, as_node(1, t.dtype)))
    return reduce_loss(ops.where(is_positive, t * (log_t - p), zero), reduction)


# Losses of directions and distances.


@function()
def cosine_similarity(a: Any, b: Any, axis: int = -1, epsilon: float = 1e-8) -> Node:
    """Return the cosine of the angle between vectors along an axis; other axes broadcast.

    Parameters
    ----------
    a, b : tensor
    axis : int
    epsilon : float
        The least length that is divided by: the cosine with a zero vector is 0, and so is its gradient.

    Shape
    -----
    The shapes of `a` and `b`, broadcast, without the axis.
    """
    a, b = as_real("cosine_similarity", {"a": a, "b": b})
    dtype = a.dtype
    wide = dtypes.accumulator_of(dtype)
    a, b = cast_to(a, wide), cast_to(b, wide)
    least = as_node(epsilon * epsilon, wide)
    squares = [ops.maximum(ops.sum(ops.square(x), axis=axis), least) for x in (a, b)]
    return cast_to(ops.sum(a * b, axis=axis) * ops.rsqrt(squares[0]) * ops.rsqrt(squares[1]), dtype)


@function()
def cosine_loss(predictions: Any, targets: Any, axis: int = -1, *, reduction: str = "mean") -> Node:
    """Return 1 minus the cosine of the angle between predictions and targets along an axis.

    Parameters
    ----------
    predictions, targets : tensor of one shape
    axis : int
        With reduction "none" the result has the other axes.
    reduction : str
    """
    p, t = pair("cosine_loss", predictions, targets)
    return reduce_loss(1 - cosine_similarity(p, t, axis), reduction)


@function()
def triplet_loss(
    anchor: Any, positive: Any, negative: Any, margin: float = 1.0, axis: int = -1, *, reduction: str = "mean"
) -> Node:
    """Return max(0, |anchor - positive| - |anchor - negative| + margin), with lengths along an axis.

    Parameters
    ----------
    anchor, positive, negative : tensor of one shape
    margin : float
    axis : int
        With reduction "none" the result has the other axes.
    reduction : str

    Gradient
    --------
    Taken as 0 at a distance of 0.

    Source
    ------
    Schroff, Kalenichenko and Philbin, FaceNet, 2015, equation 1; distances are not squared here.
    """
    a, p, n = as_real("triplet_loss", {"anchor": anchor, "positive": positive, "negative": negative})
    p = same_shapes("triplet_loss", a, p, ("anchor", "positive"))
    n = same_shapes("triplet_loss", a, n, ("anchor", "negative"))
    axis = check_axis(axis, a.ndim)
    near, far = [vector_norm(a - x, axis=axis) for x in (p, n)]
    return reduce_loss(positive_part(near - far + margin), reduction)


@function()
def margin_ranking_loss(a: Any, b: Any, targets: Any, margin: float = 0.0, *, reduction: str = "mean") -> Node:
    """Return max(0, margin - target * (a - b)): the target is 1 where `a` should be the larger one, else -1.

    Parameters
    ----------
    a, b, targets : tensor of one shape
    margin : float
    reduction : str
    """
    a, b, t = as_real("margin_ranking_loss", {"a": a, "b": b, "targets": targets})
    b = same_shapes("margin_ranking_loss", a, b, ("a", "b"))
    t = same_shapes("margin_ranking_loss", a, t, ("a", "targets"))
    return reduce_loss(positive_part(margin - t * (a - b)), reduction)
