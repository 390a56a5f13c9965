"""Attention as graphs, written in the ways in which users write it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import septet as st

FORMS = ("where", "added", "einsum", "function", "plain")


def attend(form: str, query: Any, key: Any, value: Any, mask: Any = None, fill: float = -1e30) -> Any:
    """Return causal attention (but for the form ``plain``) for tensors of axes (B, T, heads, D)."""
    times, places, depth = query.shape[1], key.shape[1], query.shape[3]
    scale = 1 / math.sqrt(depth)
    if mask is None:
        mask = st.tril(st.ones((times, places), dtype="bool"))
    if form in ("einsum", "plain"):
        scores = st.einsum("bthd,bshd->bhts", query, key) * scale
        if form == "einsum":
            scores = scores + st.where(mask, 0, -np.inf)
        return st.einsum("bhts,bshd->bthd", st.softmax(scores), value)
    query, key, value = (x.transpose((0, 2, 1, 3)) for x in (query, key, value))
    if form == "function":
        return st.scaled_dot_product_attention(query, key, value, is_causal=True).transpose((0, 2, 1, 3))
    scores = query @ key.transpose((0, 1, 3, 2)) * scale
    if form == "where":
        scores = st.where(mask, scores, fill)
    else:
        scores = scores + st.asarray(np.where(np.tril(np.ones((times, places), bool)), 0, -1e9).astype(query.dtype))
    return (st.softmax(scores) @ value).transpose((0, 2, 1, 3))


def draw(shapes: Any, dtype: str = "float32", seed: int = 0) -> list[np.ndarray]:
    """Return random arrays."""
    random = np.random.default_rng(seed)
    return [random.standard_normal(shape).astype(dtype) for shape in shapes]


def expected(
    arrays: list[np.ndarray], upstream: np.ndarray | None = None, *, is_causal: bool = True
) -> list[np.ndarray]:
    """Return attention in float64, and where `upstream` is given the gradients of sum(attention * upstream)."""
    query, key, value = (x.astype(np.float64).transpose(0, 2, 1, 3) for x in arrays)
    scale = 1 / math.sqrt(query.shape[-1])
    scores = query @ key.swapaxes(-1, -2) * scale
    if is_causal:
        scores = np.where(np.tril(np.ones(scores.shape[-2:], bool)), scores, -np.inf)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    found = [weights @ value]
    if upstream is not None:
        g = upstream.astype(np.float64).transpose(0, 2, 1, 3)
        into = g @ value.swapaxes(-1, -2)
        into = weights * (into - (into * weights).sum(-1, keepdims=True)) * scale
        found += [into @ key, into.swapaxes(-1, -2) @ query, weights.swapaxes(-1, -2) @ g]
    return [x.transpose(0, 2, 1, 3) for x in found]
