"""Random tensors: what ``st.random`` holds.

Every function takes `generator`: a `Generator`, or a state (a tensor uint64[2], for code without side effects: equal
states give equal numbers); without it the default generator draws, which `seed` resets. Inside ``st.vmap`` all examples
of a batch see the numbers of the one draw; for numbers of their own give them states: ``st.random.split_state`` or
``st.random.fold_in(state, index)``.

Parameters of distributions are numbers or tensors that broadcast to `shape`; without a shape, the result has the shape
that they broadcast to. Continuous results have the dtype of the parameters or the default float, and are differentiable
with respect to the parameters.
"""

from __future__ import annotations

from typing import Any

from septet.base import dtypes
from septet.base.errors import ArgumentError
from septet.graph.node import Node
from septet.graph.op import as_node, cast_to
from septet.ops import gamma as gammas
from septet.ops import random as draws
from septet.tensor.generator import Generator, default_generator, state_of
from septet.tensor.tensor import Tensor
from septet.tensor.wrap import explained, unwrap


def _value(value: Any) -> Any:
    """Return a parameter as a number or a node."""
    return value if dtypes.is_scalar(value) else as_node(unwrap(value))


def _shape(shape: Any) -> Any:
    return shape if shape is None else unwrap(shape)


# The state.


@explained
def seed(n: int | None = None) -> None:
    """Set the seed of the default generator; without a number, a fresh one from the operating system.

    Examples
    --------
    >>> import septet as st
    >>> st.random.seed(7)
    >>> st.random.randint((4,), 10)
    tensor([7, 0, 7, 9], dtype=int64)
    """
    default_generator.reseed(n)


@explained
def get_state() -> Any:
    """Return the state of the default generator: an array uint64[2]."""
    return default_generator.get_state()


@explained
def set_state(state: Any) -> None:
    """Set the state of the default generator to one that `get_state` returned."""
    default_generator.set_state(state)


@explained
def split(count: int = 2, generator: Generator | None = None) -> list[Generator]:
    """Return independent generators made from one (the default one, if not given)."""
    return (default_generator if generator is None else generator).split(count)


@explained
def next_state(generator: Any = None) -> Tensor:
    """Return the state of the next draw, a tensor uint64[2], and move the generator on."""
    return Tensor(state_of(generator))


@explained
def fold_in(state: Any, data: Any) -> Tensor:
    """Derive a state from a state and an integer (of a step, a layer, an example); different integers, different
    states.

    Shape
    -----
    state ``(2,)``, data ``S`` -> ``(*S, 2)``
    """
    return Tensor(draws.fold_in(unwrap(state), unwrap(data)))


@explained
def split_state(state: Any, count: int = 2) -> Tensor:
    """Derive independent states from a state.

    Shape
    -----
    ``(2,)`` -> ``(count, 2)``
    """
    return Tensor(draws.split_state(unwrap(state), count=count))


@explained
def bits(shape: Any = (), width: int = 32, generator: Any = None) -> Tensor:
    """Draw random bits: uint32 or, with ``width=64``, uint64."""
    return Tensor(draws.bits(state_of(generator), _shape(shape), width))


# Continuous distributions.


@explained
def uniform(shape: Any = None, low: Any = 0.0, high: Any = 1.0, dtype: Any = None, generator: Any = None) -> Tensor:
    """Draw from `low` to below `high`.

    Between 0 and 1 the results are multiples of 2**-24 in float32, of 2**-53 in float64. Other intervals are
    ``low + (high - low) u``, and rounding may give `high` itself.

    Parameters
    ----------
    shape : tuple of (int or integer scalar tensor), optional
    low, high : float or tensor
    dtype : dtype, optional
    generator : Generator or state, optional

    Returns
    -------
    Tensor

    Raises
    ------
    DTypeError
        If the dtype is not a real float.
    ShapeError
        If a bound does not broadcast to the shape.

    Gradient
    --------
    With respect to `low` and `high`.
    """
    return Tensor(draws.uniform(state_of(generator), _shape(shape), _value(low), _value(high), dtype))


@explained
def normal(shape: Any = None, mean: Any = 0.0, std: Any = 1.0, dtype: Any = None, generator: Any = None) -> Tensor:
    """Draw from the normal distribution.

    Parameters
    ----------
    shape : tuple of (int or integer scalar tensor), optional
    mean, std : float or tensor
    dtype : dtype, optional
    generator : Generator or state, optional

    Returns
    -------
    Tensor

    Gradient
    --------
    With respect to `mean` and `std`.

    Source
    ------
    Box and Muller, 1958; the cosine only, so that every element has its own bits.
    """
    return Tensor(draws.normal(state_of(generator), _shape(shape), _value(mean), _value(std), dtype))


@explained
def truncated_normal(
    shape: Any = None, low: Any = -2.0, high: Any = 2.0, mean: Any = 0.0, std: Any = 1.0, dtype: Any = None,
    generator: Any = None,
) -> Tensor:  # fmt: skip
    """Draw from the normal distribution between `low` and `high` standard deviations from the mean.

    Parameters
    ----------
    shape : tuple of (int or integer scalar tensor), optional
    low, high : float or tensor
        In standard deviations; up to 8 make sense.
    mean, std : float or tensor
    dtype : dtype, optional
    generator : Generator or state, optional

    Raises
    ------
    ArgumentError
        If `low` is not below `high` (where both are numbers).
    """
    low, high, mean, std = _value(low), _value(high), _value(mean), _value(std)
    return Tensor(draws.truncated_normal(state_of(generator), _shape(shape), low, high, mean, std, dtype))


@explained
def exponential(shape: Any = None, scale: Any = 1.0, dtype: Any = None, generator: Any = None) -> Tensor:
    """Draw from the exponential distribution with mean `scale`."""
    return Tensor(draws.exponential(state_of(generator), _shape(shape), _value(scale), dtype))


@explained
def gumbel(shape: Any = None, loc: Any = 0.0, scale: Any = 1.0, dtype: Any = None, generator: Any = None) -> Tensor:
    """Draw from the Gumbel distribution of largest values."""
    return Tensor(draws.gumbel(state_of(generator), _shape(shape), _value(loc), _value(scale), dtype))


@explained
def laplace(shape: Any = None, loc: Any = 0.0, scale: Any = 1.0, dtype: Any = None, generator: Any = None) -> Tensor:
    """Draw from the Laplace distribution."""
    return Tensor(draws.laplace(state_of(generator), _shape(shape), _value(loc), _value(scale), dtype))


@explained
def logistic(shape: Any = None, loc: Any = 0.0, scale: Any = 1.0, dtype: Any = None, generator: Any = None) -> Tensor:
    """Draw from the logistic distribution."""
    return Tensor(draws.logistic(state_of(generator), _shape(shape), _value(loc), _value(scale), dtype))


@explained
def gamma(alpha: Any, scale: Any = 1.0, shape: Any = None, dtype: Any = None, generator: Any = None) -> Tensor:
    """Draw from the gamma distribution with shape parameter `alpha`; the mean is ``alpha * scale``.

    Parameters
    ----------
    alpha : float or tensor
        Positive; a negative one gives NaN.
    scale : float or tensor
    shape : tuple of (int or integer scalar tensor), optional
    dtype : dtype, optional
    generator : Generator or state, optional

    Gradient
    --------
    With respect to `alpha` by implicit reparameterisation (first order only), and `scale`.

    Source
    ------
    Marsaglia and Tsang, 2000; Figurnov, Mohamed and Mnih, 2018.
    """
    return Tensor(gammas.gamma(state_of(generator), _value(alpha), _value(scale), _shape(shape), dtype))


@explained
def beta(a: Any, b: Any, shape: Any = None, dtype: Any = None, generator: Any = None) -> Tensor:
    """Draw from the beta distribution; gradients as in `gamma`."""
    return Tensor(gammas.beta(state_of(generator), _value(a), _value(b), _shape(shape), dtype))


@explained
def dirichlet(alpha: Any, shape: Any = None, generator: Any = None) -> Tensor:
    """Draw from the Dirichlet distribution along the last axis of `alpha`; gradients as in `gamma`.

    Shape
    -----
    alpha ``(..., K)``, shape ``S`` -> ``(*S, K)``; without `shape`, that of `alpha`.
    """
    return Tensor(gammas.dirichlet(state_of(generator), _floats(alpha), _shape(shape)))


def _floats(value: Any) -> Node:
    node = as_node(unwrap(value))
    return node if dtypes.is_float(node.dtype) else cast_to(node, dtypes.default_of_kind(dtypes.FLOAT))


# Discrete distributions.


@explained
def poisson(rate: Any, shape: Any = None, dtype: Any = None, generator: Any = None) -> Tensor:
    """Draw from the Poisson distribution with mean `rate`; the result has an integer dtype.

    Raises
    ------
    ArgumentError
        If a rate is negative, NaN or above 2**62.
    """
    return Tensor(gammas.poisson(state_of(generator), _value(rate), _shape(shape), dtype))


@explained
def bernoulli(p: Any = 0.5, shape: Any = None, generator: Any = None) -> Tensor:
    """Draw True with probability `p`, else False."""
    return Tensor(draws.bernoulli(state_of(generator), _value(p), _shape(shape)))


@explained
def randint(shape: Any = (), low: Any = 0, high: Any = None, dtype: Any = None, generator: Any = None) -> Tensor:
    """Draw integers from `low` to `high`, not included; ``randint(shape, n)`` draws from 0 to below n.

    Parameters
    ----------
    shape : tuple of (int or integer scalar tensor), optional
    low, high : int or integer tensor
    dtype : dtype, optional
        An integer dtype; the default integer if not given.
    generator : Generator or state, optional

    Raises
    ------
    ArgumentError
        If there is no integer between the bounds, or the dtype does not hold them (where both are numbers).

    Source
    ------
    Lemire, 2019, without rejection: probabilities differ by at most 2**-64.
    """
    low, high = [bound if bound is None or isinstance(bound, int) else as_node(unwrap(bound)) for bound in (low, high)]
    return Tensor(draws.randint(state_of(generator), _shape(shape), low, high, dtype))


@explained
def categorical(logits: Any, shape: Any = None, axis: int = -1, generator: Any = None) -> Tensor:
    """Draw indices with probabilities ``softmax(logits)`` along an axis.

    Parameters
    ----------
    logits : tensor
        Logarithms of probabilities, up to a constant; -inf for what is never drawn.
    shape : tuple of (int or integer scalar tensor), optional
        Shape of the result, to which the shape of the logits without `axis` broadcasts.
    axis : int
    generator : Generator or state, optional

    Returns
    -------
    Tensor
        Indices of dtype int64.
    """
    return Tensor(draws.categorical(state_of(generator), _floats(logits), _shape(shape), axis))


# Orders.


@explained
def permutation(x: Any, axis: int = 0, generator: Any = None) -> Tensor:
    """Return the integers below `x` in random order, or the slices of a tensor `x` along an axis.

    Raises
    ------
    ArgumentError
        If a number is negative, or the axis does not exist.
    """
    if isinstance(x, int) and not isinstance(x, bool):
        if x < 0:
            raise ArgumentError(f"permutation: a number of elements is not negative, got {x}")
        return Tensor(draws.permutation(state_of(generator), x))
    node = as_node(unwrap(x))
    if node.ndim == 0:
        return Tensor(draws.permutation(state_of(generator), node))
    return Tensor(draws.shuffle(state_of(generator), node, axis))


@explained
def shuffle(x: Any, axis: int = 0, generator: Any = None) -> Tensor:
    """Return the slices of a tensor along an axis in random order; the tensor itself stays as it is."""
    return Tensor(draws.shuffle(state_of(generator), as_node(unwrap(x)), axis))


@explained
def choice(
    a: Any, shape: Any = (), replace: bool = True, p: Any = None, axis: int = 0, generator: Any = None
) -> Tensor:
    """Draw from the integers below `a`, or slices of a tensor `a` along an axis.

    Parameters
    ----------
    a : int or tensor
    shape : tuple of int
    replace : bool
        Whether an element can be drawn more than once.
    p : tensor, optional
        Probabilities of the elements, or numbers proportional to them.
    axis : int
    generator : Generator or state, optional

    Raises
    ------
    ArgumentError
        If more elements are drawn without replacement than there are, or `p` has another length.
    """
    own = a if isinstance(a, int) else as_node(unwrap(a))
    weights = None if p is None else _floats(p)
    return Tensor(draws.choice(state_of(generator), own, _shape(shape), replace, weights, axis))


__all__ = [
    "Generator", "bernoulli", "beta", "bits", "categorical", "choice", "default_generator", "dirichlet", "exponential",
    "fold_in", "gamma", "get_state", "gumbel", "laplace", "logistic", "next_state", "normal", "permutation", "poisson",
    "randint", "seed", "set_state", "shuffle", "split", "split_state", "truncated_normal", "uniform",
]  # fmt: skip
