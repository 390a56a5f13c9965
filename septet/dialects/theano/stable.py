"""Logarithms of softmaxes: written without the softmax, also where some of its elements are picked first.

The compiler rewrites a logarithm that it sees on a softmax. Where elements are picked in between, the gradient would
have to be rewritten too, so the logarithm is recorded in the stable form from the start.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

import septet as st
from septet.graph.graph import rebuild

PICKS = frozenset({"gather", "take", "slice", "take_along_axis", "reshape", "transpose", "broadcast_to"})
"""Ops whose result is made of elements of their first input."""

_logarithms: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()
"""The nodes of softmaxes, and those of their logarithms."""


def softmax(x: Any) -> Any:
    """Return the softmax over the last axis, whose logarithm is known."""
    found = st.softmax(x, axis=-1)
    _logarithms[found.node] = st.log_softmax(x, axis=-1).node
    return found


def log(x: Any) -> Any:
    """Return the logarithm."""
    picks, node = [], x.node
    while node not in _logarithms and node.op.name in PICKS:
        picks.append(node)
        node = node.inputs[0]
    node = _logarithms.get(node)
    if node is None:
        return st.log(x)
    for pick in reversed(picks):
        node = rebuild(pick, (node, *pick.inputs[1:]))
    return st.Tensor(node)
