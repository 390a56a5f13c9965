"""Where nodes come from, for tables: lines of the user's program, layers, forward or backward."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from septet.base.source import Source, place_text
from septet.graph.derived import derivation, layer_path


class Placed(Protocol):
    """Whatever knows where it was made, such as a node."""

    @property
    def source(self) -> Source | None:
        """The place in the user's program."""

    @property
    def layers(self) -> tuple[str, ...]:
        """The path of layers."""


def lines_of(nodes: Sequence[Placed]) -> list[str]:
    """Return the lines that made some nodes, each once; for a gradient, the line of the op that it belongs to."""
    found: dict[str, None] = {}
    for node in nodes:
        mark = derivation(node.layers)
        place = place_text(node.source if mark is None else mark.source)
        if place:
            found[place] = None
    return list(found)


def lines_text(nodes: Sequence[Placed]) -> str:
    """Return the first line and how many more there are: ``model.py:12 +2``."""
    lines = lines_of(nodes)
    return "" if not lines else lines[0] + (f" +{len(lines) - 1}" if len(lines) > 1 else "")


def layers_of(nodes: Sequence[Placed]) -> list[str]:
    """Return the paths of the layers of some nodes, each once."""
    return [path for path in dict.fromkeys([layer_path(node.layers) for node in nodes]) if path]


def layers_text(nodes: Sequence[Placed]) -> str:
    """Return the first layer, and how many more there are."""
    layers = layers_of(nodes)
    return "" if not layers else layers[0] + (f" +{len(layers) - 1}" if len(layers) > 1 else "")


def pass_of(nodes: Sequence[Placed]) -> str:
    """Return ``back`` where differentiation has made all of some nodes, ``both`` where it has made some of them."""
    marks = {derivation(node.layers) is not None for node in nodes}
    return "both" if len(marks) > 1 else "back" if True in marks else ""
