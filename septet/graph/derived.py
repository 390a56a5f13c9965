"""What differentiation leaves in layer paths: which op a node is the gradient of, and where that was recorded.

The nodes of a backward pass are all made by one line of the user's program (``loss.backward()``). What tells them apart
is the op of the forward pass that each belongs to. So their layer path is that of the forward node, with a `Derived` at
the end.
"""

from __future__ import annotations

from collections.abc import Sequence

from septet.base.source import Source, source_text
from septet.graph.node import Node


class Derived(str):
    """The end of a layer path: ``gradient of tanh``.

    Attributes
    ----------
    source : tuple or None
        Where the op of the forward pass was recorded.
    """

    __slots__ = ("source",)

    source: Source | None


def derived(node: Node, what: str = "gradient") -> tuple[str, ...]:
    """Return the layer path of what is made by differentiating a node."""
    return derived_of(node.op.name, node.layers, node.source, what)


def derived_of(
    name: str, layers: tuple[str, ...], source: Source | None, what: str = "gradient"
) -> tuple[str, ...]:  # fmt: skip
    """Return the layer path of what is made by differentiating a node of an op, for the path and the line of it."""
    mark = Derived(f"{what} of {name}")
    mark.source = source
    return (*layers, mark)


def derivation(layers: Sequence[str]) -> Derived | None:
    """Return what a layer path says about differentiation; None for a node of a forward pass."""
    last = layers[-1] if layers else None
    return last if isinstance(last, Derived) else None


def layer_path(layers: Sequence[str]) -> str:
    """Return the layers of a path as text, ``Sequential/0:Dense``, without what differentiation added."""
    return "/".join([name for name in layers if not isinstance(name, Derived)])


def lines_about(layers: Sequence[str]) -> list[str]:
    """Return the lines of a report about a layer path."""
    path = layer_path(layers)
    lines = [f"  in layer {path}"] if path else []
    for mark in layers:
        if isinstance(mark, Derived):
            place = source_text(mark.source)
            lines.append(f"  in the {mark}" + (f", at {place}" if place else ""))
    return lines
