"""The bridge to Septet's graph: replacing tensors in what was recorded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from septet.graph.graph import substitute
from septet.tensor.tensor import Tensor


def replaced(results: Sequence[Any], pairs: Iterable[tuple[Any, Any]]) -> list[Any]:
    """Return tensors computed from others than they were: each pair is (old, new)."""
    nodes = substitute([tensor.node for tensor in results], {old.node: new.node for old, new in pairs})
    return [Tensor(node) for node in nodes]
