"""Masks of attention: which query may look at which key, brought into one shape."""

from __future__ import annotations

from typing import Any

from septet.base import dtypes
from septet.base.errors import DTypeError, ShapeError
from septet.base.text import shape_text
from septet.graph.op import ops
from septet.ops.creation import arange
from septet.tensor.creation import tensor
from septet.tensor.tensor import Tensor
from septet.tensor.wrap import unwrap


def combine(layer: Any, mask: Any, key_mask: Any, rank: int, allowed: Tensor | None = None) -> Tensor | None:
    """Return one mask that broadcasts to scores (B, ..., T, S), or None where every query may look at every key.

    Parameters
    ----------
    layer : Module
        For messages.
    mask : tensor of bool or float, optional
        (T, S), (B, T, S), or with axes of heads between: (B, heads, T, S).
    key_mask : tensor of bool, optional
        (B, S): which keys there are.
    rank : int
        The axes of the scores.
    allowed : Tensor of bool, optional
        (T, S): what else must hold.
    """
    if mask is not None:
        mask = mask if isinstance(mask, Tensor) else tensor(mask)
        if mask.ndim not in (2, 3, 4):
            shape = shape_text(mask.type.shape)
            raise ShapeError(f"{layer.label}: a mask has shape (T, S), (B, T, S) or (B, heads, T, S), got {shape}")
        if mask.ndim == 4 and rank == 5:  # heads that share keys: (B, key heads, group, T, S)
            groups = layer.key_value_heads
            mask = mask.reshape(mask.shape[0], *((1, 1) if mask.shape[1] == 1 else (groups, -1)), *mask.shape[2:])
        elif mask.ndim == 3:
            mask = mask.reshape(mask.shape[0], *(1,) * (rank - 3), *mask.shape[1:])
    if key_mask is not None:
        keys = check_key_mask(layer, key_mask)
        keys = keys.reshape(keys.shape[0], *(1,) * (rank - 2), keys.shape[1])
        allowed = keys if allowed is None else keys & allowed
    if mask is None or allowed is None:
        return allowed if mask is None else mask
    if mask.dtype == dtypes.bool_:
        return mask & allowed
    return Tensor(ops.where(allowed.node, mask.node, float("-inf")))


def check_key_mask(layer: Any, key_mask: Any) -> Tensor:
    """Return a mask of keys (B, S) as a tensor."""
    key_mask = key_mask if isinstance(key_mask, Tensor) else tensor(key_mask)
    if key_mask.dtype != dtypes.bool_ or key_mask.ndim != 2:
        what = f"{key_mask.dtype.name}{shape_text(key_mask.type.shape)}"
        raise DTypeError(f"{layer.label}: a mask of keys holds booleans (B, S), True where there is one, got {what}")
    return key_mask


def causal_from(position: Any, count: Any, length: Any) -> Tensor:
    """Return which of the keys 0 to below `length` the queries at `position` and after may look at: (T, S)."""
    times = Tensor(arange(unwrap(count))).reshape(-1, 1) + position
    return times >= Tensor(arange(unwrap(length)))
