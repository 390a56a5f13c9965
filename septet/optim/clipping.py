"""Clipping: gradients that are kept from being too large."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from septet.graph.node import constant
from septet.graph.op import ops
from septet.tensor.tensor import Tensor


def clip_by_value(gradients: Sequence[Tensor], limit: float) -> list[Tensor]:
    """Return gradients whose elements lie between ``-limit`` and ``limit``.

    Parameters
    ----------
    gradients : sequence of Tensor
    limit : float
    """
    return [g.clip(-limit, limit) for g in gradients]


def clip_by_norm(gradients: Sequence[Tensor], limit: float) -> list[Tensor]:
    """Return gradients of which each has a norm of at most `limit`; longer ones keep their direction.

    Parameters
    ----------
    gradients : sequence of Tensor
    limit : float
    """
    return [g * _shrink(_square_sum(g).sqrt(), limit).astype(g.dtype) for g in gradients]


def clip_by_global_norm(gradients: Sequence[Tensor], limit: float) -> list[Tensor]:
    """Return gradients multiplied by one number, such that the norm of all of them together is at most `limit`.

    Parameters
    ----------
    gradients : sequence of Tensor
    limit : float

    Source
    ------
    R. Pascanu, T. Mikolov, Y. Bengio, "On the difficulty of training recurrent neural networks", 2013, algorithm 1.
    """
    factor = _shrink(global_norm(gradients), limit)
    return [g * factor.astype(g.dtype) for g in gradients]


def global_norm(gradients: Sequence[Tensor]) -> Tensor:
    """Return the root of the sum of the squares of all elements, as a float64 scalar.

    Parameters
    ----------
    gradients : sequence of Tensor

    Examples
    --------
    >>> import septet as st
    >>> float(st.optim.global_norm([st.tensor([3.0]), st.tensor([4.0])]))
    5.0
    """
    total = Tensor(constant(np.float64(0)))
    for g in gradients:
        total = total + _square_sum(g)
    return total.sqrt()


def _square_sum(gradient: Tensor) -> Tensor:
    """Return the sum of squares as float64; elements of half precision are squared in float32."""
    wide = gradient.astype(np.float32) if gradient.dtype.itemsize < 4 else gradient
    return (wide * wide).sum().astype(np.float64)


def _shrink(norm: Tensor, limit: float) -> Tensor:
    """Return what brings a norm down to a limit: at most 1. The NaN of a gradient with NaN stays."""
    most = Tensor(constant(np.asarray(limit, norm.dtype)))
    return most / Tensor(ops.maximum(norm.node, most.node))
