"""Random numbers by rejection: the gamma distribution with its gradient, what is made of it, and the Poisson
distribution.

An attempt is a draw of its own: attempt `k` of element `i` uses the four 64-bit elements from ``4 i`` on of the draw
that belongs to the state ``fold_in(state, k)``. So elements do not depend on each other, nor on how many attempts the
others need. The functions are those of `septet.ops.exact`, because a last bit decides whether an attempt counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from septet.base import dtypes
from septet.base import random as philox
from septet.base.dtypes import DType
from septet.base.errors import ArgumentError, DTypeError, ShapeError
from septet.base.shapes import Shape
from septet.base.text import shape_text
from septet.graph.node import Node
from septet.graph.op import ELEMENTWISE, BadCase, Case, Op, as_node, card, cast_to, ops
from septet.graph.types import TensorType
from septet.ops import exact
from septet.ops.exact import exact_exp, exact_sigmoid, exact_sum, of_arrays
from septet.ops.random import (
    STATE,
    check_state,
    float_dtype,
    fold_in,
    int_dtype,
    location_scale,
    parameter,
    sample_sizes,
    state_axes,
)  # fmt: skip
from septet.ops.rules import broadcasting, real_floating
from septet.ops.shaping import broadcast_to, sizes_of
from septet.ops.special import quadrature
from septet.ops.subgraph import fits

Array = np.ndarray


def _attempt(seed: Array, elements: Array, attempt: int) -> list[Array]:
    """Return four uniform numbers in (0, 1] for some elements of an attempt."""
    own = philox.fold_in(seed, attempt)
    key = [int(own[0]) & 0xFFFFFFFF, int(own[0]) >> 32]
    draw = [int(own[1]) & 0xFFFFFFFF, int(own[1]) >> 32]
    blocks = (2 * elements.astype(np.uint64))[:, None] + np.arange(2, dtype=np.uint64)  # (N, 2)
    counter = np.empty((*blocks.shape, 4), np.uint32)
    low: Any = blocks
    counter[..., 0], counter[..., 1] = low & np.uint64(0xFFFFFFFF), low >> np.uint64(32)
    counter[..., 2], counter[..., 3] = draw
    words = philox.philox4x32(counter, key).astype(np.uint64)  # (N, 2, 4)
    longs = (words[..., 0::2] | (words[..., 1::2] << np.uint64(32))).reshape(-1, 4)
    uniforms = ((longs >> np.uint64(11)) + np.uint64(1)).astype(np.float64) * 2.0**-53
    return list(uniforms.T)


def _log(x: Array) -> Array:
    return of_arrays(exact.log, x)


def _draw(state: Array, rate: Array, one: Callable[[Array, Array], Array], dtype: DType) -> Array:
    """Apply a sampler of flat arrays for each of a batch of states."""
    rows = state.reshape(-1, 2)
    flat = rate.astype(np.float64).reshape(len(rows), -1 if rate.size else 0)
    results = [one(own, values) for own, values in zip(rows, flat, strict=True)]
    return np.stack(results).reshape(rate.shape).astype(dtype) if results else np.zeros(rate.shape, dtype)


def _sample_shape(state: Shape, rate: Shape) -> Shape:
    axes = state_axes(state)
    if not fits(rate[: len(axes)], axes):
        raise ShapeError(
            f"states of shape {shape_text(state)} need parameters with axes {shape_text(axes)} in front, got "
            f"{shape_text(rate)}",
            marks=[(1, axis) for axis in range(len(rate))],
        )
    return rate


def _batch(op: Any) -> Any:
    """The batching rule: states and parameters both get the batch axis."""

    def rule(is_batched: Sequence[bool], state: Node, rate: Node, **params: Any) -> Node:
        if not is_batched[0]:
            state = broadcast_to(state, (sizes_of(rate)[0], *sizes_of(state)))
        if not is_batched[1]:
            rate = broadcast_to(rate, (sizes_of(state)[0], *sizes_of(rate)))
        return op()(state, rate, **params)

    return rule


# The gamma distribution.


def _log_gamma(seed: Array, alpha: Array) -> Array:
    """Draw logarithms of gamma variates by the method of Marsaglia and Tsang."""
    result = np.full(alpha.shape, np.nan)
    result[alpha == 0] = -np.inf
    result[alpha == np.inf] = np.inf
    pending = np.flatnonzero((alpha > 0) & (alpha < np.inf))
    attempt = 0
    while pending.size:
        own = alpha[pending]
        d = np.where(own < 1, own + 1, own) - 1 / 3
        c = 1 / np.sqrt(9 * d)
        u1, u2, u3, u4 = _attempt(seed, pending, attempt)
        x = np.sqrt(-2 * _log(u1)) * of_arrays(exact.sine_of_turn, 0.25 - np.abs(u2 - 0.5))
        root = 1 + c * x
        is_positive = root > 0
        log_v = 3 * _log(np.where(is_positive, root, 1.0))
        accepted = is_positive & (_log(u3) < 0.5 * x * x + d - d * of_arrays(exact.exp, log_v) + d * log_v)
        boost = np.where(own < 1, _log(u4) / own, 0.0)
        result[pending[accepted]] = (_log(d) + log_v + boost)[accepted]
        pending = pending[~accepted]
        attempt += 1
    return result


def _sample_dtype(state: DType, rate: DType, **_: Any) -> tuple[tuple[DType, ...], DType]:
    check_state(state)
    out: DType = real_floating(rate)[1]
    return (state, out), out


log_gamma_sample: Op = card(
    "log_gamma_sample", "state alpha", public=False, domain=(0.3, 4.0),
    summary="Draw logarithms of gamma variates with shape `alpha` and scale 1.",
    notes="The logarithm, because a small `alpha` gives variates below the smallest float. 0 gives -inf; a "
    "negative alpha, NaN.",
    source="Marsaglia and Tsang, A simple method for generating gamma variables, 2000; below alpha = 1 with the "
    "power of one "
    "more uniform number (their section 6). Gradient: Figurnov, Mohamed and Mnih, Implicit reparameterization "
    "gradients, 2018.",
    shape=_sample_shape, dtype=_sample_dtype,
    reference=lambda state, alpha: _draw(state, alpha, _log_gamma, dtypes.float64),
    gradient=lambda g, y, state, alpha: (None, g * log_gamma_slope(alpha, y)),
    tangent=lambda t, y, state, alpha: None if t[1] is None else t[1] * log_gamma_slope(alpha, y),
    batch=_batch(lambda: log_gamma_sample),
    cases=[Case(STATE, (3, 4), gradient=False), Case(STATE, (), gradient=False), Case(STATE, (0,), gradient=False)],
    bad=[BadCase(np.array([7, 0]), (3,), error=DTypeError, match="a state is uint64[2]"),
         BadCase(np.array([[7, 0], [7, 1]], np.uint64), (3,), error=ShapeError, match="need parameters with axes")],
)  # fmt: skip

# Where both methods of the slope are exact to about 1e-13.
SERIES_LIMIT = 2.0
_TAIL = 45.0  # exp(-45) = 3e-20: what lies beyond does not count


def _digamma(x: Array) -> Array:
    """Compute digamma of positive numbers: recurrence up to 10, then the asymptotic series."""
    x = x.copy()
    result = np.zeros_like(x)
    for _ in range(10):
        small = x < 10
        result = np.where(small, result - 1 / np.where(small, x, 1.0), result)
        x = np.where(small, x + 1, x)
    square = 1 / (x * x)
    series = square * (1 / 12 - square * (1 / 120 - square * (1 / 252 - square * (1 / 240 - square * (1 / 132)))))
    return result + np.log(x) - 0.5 / x - series


def _slope_series(alpha: Array, log_x: Array) -> Array:
    """Sum the power series of the incomplete gamma function, differentiated term by term; for x up to SERIES_LIMIT."""
    x = np.exp(log_x)
    digamma = _digamma(alpha + 1)
    factor = 1 / alpha
    total = factor * (digamma - log_x)
    for n in range(1, 40):
        factor = factor * x / (alpha + n)
        digamma = digamma + 1 / (alpha + n)
        total = total + factor * (digamma - log_x)
    return total


def _slope_integral(alpha: Array, log_x: Array) -> Array:
    """Integrate (log t - digamma(alpha)) p(t) / p(x) over the side of x where it decreases, by Gauss-Legendre."""
    x = np.exp(log_x)
    is_below = x < alpha
    gap = np.abs(alpha - x)
    # t = x exp(-v) below, x exp(v) above; the end of the range from an upper bound of the exponent.
    lower_end = 2 * _TAIL / (gap + np.sqrt(gap * gap + 4 / 3 * _TAIL * x))
    lower_end = np.where(lower_end <= 1, lower_end, (_TAIL + x) / alpha)
    upper_end = 2 * _TAIL / (gap + np.sqrt(gap * gap + 2 * _TAIL * x))
    end = np.where(is_below, lower_end, upper_end)
    sign = np.where(is_below, -1.0, 1.0)
    offset = log_x - _digamma(alpha)
    total = np.zeros_like(x)
    for node, weight in quadrature():
        v = sign * end * node
        total = total + weight * end * (offset + v) * np.exp(alpha * v - x * np.expm1(v))
    return sign * total


def _slope(alpha: Array, log_x: Array) -> Array:
    """d log x / d alpha at a fixed value of the distribution function."""
    alpha, log_x = np.broadcast_arrays(alpha.astype(np.float64), log_x.astype(np.float64))
    use_series = log_x <= np.log(SERIES_LIMIT)
    first = _slope_series(alpha, np.where(use_series, log_x, 0.0))
    second = _slope_integral(np.where(use_series, SERIES_LIMIT, alpha), np.where(use_series, 1.0, log_x))
    return np.where(use_series, first, second)


log_gamma_slope: Op = card(
    "log_gamma_slope", "alpha log_sample", kind=ELEMENTWISE, public=False, domain=(0.3, 4.0),
    summary="Return how a logarithm of a gamma variate moves with alpha while the distribution function stays.",
    notes="By the power series of the incomplete gamma function up to x = 2, beyond by an integral over the "
    "nearer tail; both in "
    "float64.",
    source="Figurnov, Mohamed and Mnih, Implicit reparameterization gradients, 2018, equation 5; the integral is ours.",
    shape=broadcasting, dtype=real_floating, reference=_slope,
    no_gradient="it is the derivative of a random gamma variate; a second one is not defined here",
    cases=[Case((3, 4), (3, 4), domain=[(0.3, 4.0), (-3.0, 2.0)]), Case((3,), (), domain=[(0.3, 4.0), (-3.0, 2.0)]),
           Case((0,), (0,))],
    properties=["transcendental"], bad=[BadCase((3,), (4,), error=ShapeError, match="do not broadcast")],
)  # fmt: skip


def log_gamma(state: Node, alpha: Any, shape: Any = None, dtype: Any = None) -> Node:
    """Draw logarithms of gamma variates: exact where the variates themselves would be too small for a float."""
    dtype = float_dtype(dtype, alpha)
    sizes = sample_sizes(shape, alpha)
    return log_gamma_sample(state, broadcast_to(as_node(parameter(alpha, sizes, dtype), dtype), sizes))


def _exp(x: Node) -> Node:
    """Powers of e with the same bits everywhere."""
    return _narrowed(exact_exp(x), x.dtype)


def _narrowed(x: Node, dtype: DType) -> Node:
    """Round float64 to a dtype: to a short one by way of float32, as every backend can."""
    return cast_to(cast_to(x, dtypes.accumulator_of(dtype)), dtype)


def gamma(state: Node, alpha: Any, scale: Any = 1.0, shape: Any = None, dtype: Any = None) -> Node:
    """Draw from the gamma distribution with shape `alpha`; its mean is ``alpha * scale``.

    Gradient
    --------
    With respect to `alpha` (implicit reparameterisation, first order) and `scale`.
    """
    dtype = float_dtype(dtype, alpha, scale)
    sizes = sample_sizes(shape, alpha, scale)
    return location_scale(_exp(log_gamma(state, alpha, sizes, dtype)), sizes, 0.0, scale)


def beta(state: Node, a: Any, b: Any, shape: Any = None, dtype: Any = None) -> Node:
    """Draw from the beta distribution: ``x / (x + y)`` of two gamma variates, worked out in logarithms."""
    dtype = float_dtype(dtype, a, b)
    sizes = sample_sizes(shape, a, b)
    first, second = [fold_in(state, as_node(index, dtypes.uint64)) for index in (0, 1)]
    x, y = log_gamma(first, a, sizes, dtype), log_gamma(second, b, sizes, dtype)
    wide = dtypes.float64
    return _narrowed(exact_sigmoid(cast_to(x, wide) - cast_to(y, wide)), dtype)


def dirichlet(state: Node, alpha: Node, shape: Any = None) -> Node:
    """Draw from the Dirichlet distribution along the last axis of `alpha`: gamma variates over their sum.

    Parameters
    ----------
    alpha : node of rank 1 or more
    shape : tuple of (int or node), optional
        The shape of the draw without the last axis; by default that of `alpha`.
    """
    if alpha.ndim == 0:
        raise ShapeError("dirichlet: alpha is a scalar; it must have the concentrations on its last axis")
    last = sizes_of(alpha)[-1]
    sizes = sizes_of(alpha) if shape is None else (*sample_sizes(shape), last)
    logs = log_gamma(state, alpha, sizes)
    weights = exact_exp(logs - ops.stop_gradient(ops.max(logs, axis=-1, keepdims=True)))
    return _narrowed(weights / exact_sum(weights), logs.dtype)


# The Poisson distribution.

SMALL_RATE = 10.0  # below, the distribution function is searched; from here on Hörmann's method is valid
LARGEST_RATE = 2.0**62


_HALF_LOG_TWO_PI = 0.9189385332046727


def _log_factorial(k: Array) -> Array:
    """log k!: Stirling's series of the gamma function, shifted up by 10 so that it holds for small numbers too."""
    x = k + 11.0
    shift = np.ones_like(x)
    for step in range(1, 11):
        shift = shift * ((k + step) / x)  # scaled, so that it stays in range
    square = 1 / (x * x)
    tail = (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square / 1680))) / x
    log_x = _log(x)
    return (x - 0.5) * log_x - x + _HALF_LOG_TWO_PI + tail - _log(shift) - 10 * log_x


def _poisson(seed: Array, rate: Array) -> Array:
    """Draw Poisson variates."""
    result = np.zeros(rate.shape)
    is_small = rate < SMALL_RATE
    small = np.flatnonzero(is_small & (rate > 0))
    if small.size:
        result[small] = _search(rate[small], _attempt(seed, small, 0)[0])
    pending = np.flatnonzero(~is_small)
    attempt = 0
    while pending.size:
        own = rate[pending]
        u, v = _attempt(seed, pending, attempt)[:2]
        u = u - 0.5
        log_rate = _log(own)
        b = 0.931 + 2.53 * np.sqrt(own)
        a = -0.059 + 0.02483 * b
        inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
        v_r = 0.9277 - 3.6224 / (b - 2)
        us = 0.5 - np.abs(u)
        k = np.floor((2 * a / np.where(us > 0, us, 1.0) + b) * u + own + 0.43)
        is_valid = (k >= 0) & (us > 0) & ~((us < 0.013) & (v > us))
        safe = np.where(is_valid, k, 0.0)
        left = _log(v * inverse_alpha / (a / np.where(us > 0, us * us, 1.0) + b))
        right = safe * log_rate - own - _log_factorial(safe)
        accepted = is_valid & (((us >= 0.07) & (v <= v_r)) | (left <= right))
        result[pending[accepted]] = k[accepted]
        pending = pending[~accepted]
        attempt += 1
    return result


def _search(rate: Array, u: Array) -> Array:
    """Invert the distribution function by adding up probabilities until they reach u."""
    k = np.zeros_like(rate)
    p = of_arrays(exact.exp, -rate)
    total = p.copy()
    for step in range(1, 100):  # at a rate of 10, more than 100 has a probability of 1e-63
        more = u > total
        if not more.any():
            break
        k = np.where(more, step, k)
        p = p * rate / step
        total = np.where(more, total + p, total)
    return k


def _poisson_canonical(types: tuple[TensorType, ...], dtype: Any) -> dict[str, Any]:
    return {"dtype": int_dtype(dtype)}


def _poisson_dtype(state: DType, rate: DType, dtype: DType) -> tuple[tuple[DType, ...], DType]:
    check_state(state)
    real_floating(rate)
    return (state, dtypes.float64), dtype


def _poisson_reference(state: Array, rate: Array, dtype: DType) -> Array:
    bad = ~((rate >= 0) & (rate <= LARGEST_RATE))
    if bad.any():
        raise ArgumentError(f"a rate is between 0 and 2**62, got {rate[bad].flat[0]!r}")
    return _draw(state, rate, _poisson, dtype)


poisson_sample: Op = card(
    "poisson_sample", "state rate", params={"dtype": None}, public=False, domain=(0.5, 30.0),
    summary="Draw from the Poisson distribution.", param_docs={"dtype": "Integer dtype of the result."},
    source="Rates from 10 on: Hörmann, The transformed rejection method for generating Poisson random variables, "
    "1993 (PTRS); "
    "below, by searching the distribution function.",
    canonical=_poisson_canonical, shape=lambda state, rate, dtype: _sample_shape(state, rate), dtype=_poisson_dtype,
    reference=_poisson_reference, no_gradient="the result is an integer", batch=_batch(lambda: poisson_sample),
    cases=[Case(STATE, (3, 4)), Case(STATE, ()), Case(STATE, (0,))],
    bad=[BadCase(np.array([7, 0]), (3,), error=DTypeError, match="a state is uint64[2]"),
         BadCase(STATE, (3,), dtype="float32", error=DTypeError, match="have an integer dtype")],
)  # fmt: skip


def poisson(state: Node, rate: Any, shape: Any = None, dtype: Any = None) -> Node:
    """Draw from the Poisson distribution with mean `rate`."""
    sizes = sample_sizes(shape, rate)
    if dtypes.is_scalar(rate) and not 0 <= rate <= LARGEST_RATE:
        raise ArgumentError(f"poisson: a rate is between 0 and 2**62, got {rate!r}")
    own = broadcast_to(cast_to(as_node(rate, dtypes.float64), dtypes.float64), sizes)
    return poisson_sample(state, own, dtype=dtype)
