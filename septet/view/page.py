"""Graphs as pages that need nothing else: the data of a diagram, and the program beside it that draws and folds."""

from __future__ import annotations

import html
import json
from collections.abc import Collection
from importlib import resources
from typing import Any

from septet.view.canvas import TINTS
from septet.view.diagram import Diagram, Path

__all__ = ["data", "page"]


def data(diagram: Diagram, unfolded: Collection[Path]) -> dict[str, Any]:
    """Return a diagram as what JSON can hold: texts once, items and edges as rows of numbers.

    Parameters
    ----------
    diagram : Diagram
    unfolded : collection of paths
        The groups that are open when the page is.
    """
    numbers = {path: number for number, path in enumerate(diagram.groups)}
    types: dict[str, int] = {}

    def number_of(text: str) -> int:
        return types.setdefault(text, len(types))

    return {
        "groups": [
            {
                "name": path[-1] if path else diagram.name,
                "parent": numbers[path[:-1]] if path else -1,
                "ops": group.ops,
                "parameters": group.parameters,
                "open": path in unfolded,
            }
            for path, group in diagram.groups.items()
        ],
        "items": [
            {
                "group": numbers[item.group],
                "kind": item.kind,
                "label": item.label,
                "type": number_of(item.type),
                "parameters": item.parameters,
                "about": [list(pair) for pair in item.about],
            }
            for item in diagram.items
        ],
        "edges": [[edge.source, edge.target, number_of(edge.type)] for edge in diagram.edges],
        "types": list(types),
    }


def page(diagram: Diagram, title: str, unfolded: Collection[Path]) -> str:
    """Return a whole page in HTML, with style and program inside."""
    files = resources.files("septet.view") / "files"
    found = {name: (files / name).read_text(encoding="utf-8") for name in ("graph.html", "graph.css", "graph.js")}
    colours = "".join(f"--{name}: {value};" for name, value in TINTS.items())
    text = json.dumps(data(diagram, unfolded), ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    parts = {
        "TITLE": html.escape(title),
        "STYLE": f":root {{{colours}}}\n{found['graph.css']}",
        "DATA": text,
        "PROGRAM": found["graph.js"],
    }
    whole = found["graph.html"]
    for name, part in parts.items():
        whole = whole.replace("{{" + name + "}}", part)
    return whole
