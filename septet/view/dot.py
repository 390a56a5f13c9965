"""Graphs as still pictures, laid out by Graphviz."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from septet.base.errors import NotSupportedError
from septet.base.text import count_text, plural
from septet.view.canvas import BLUE, GRAY, INK, TINTS, needs
from septet.view.diagram import Diagram, Edge, Item, Path

__all__ = ["FORMATS", "render", "to_dot"]

FORMATS = ("svg", "png", "pdf")

_SHAPES = {"input": "oval", "output": "oval", "parameter": "cylinder", "state": "cylinder", "constant": "plain"}
_FONT = "Helvetica,Arial,sans-serif"


def to_dot(diagram: Diagram, unfolded: Collection[Path], title: str = "") -> str:
    """Return a diagram in the language of Graphviz.

    Parameters
    ----------
    diagram : Diagram
    unfolded : collection of paths
        The groups whose items are shown; others are one box each.
    title : str
    """
    seen = Seen(diagram, unfolded)
    font = f"fontname={_text(_FONT)}, fontcolor={_text(INK)}"
    lines = [
        "digraph {",
        f"  graph [label={_text(title)}, labelloc=t, labeljust=l, {font}, fontsize=16, nodesep=0.25, ranksep=0.45,"
        " newrank=true]",  # without it, dot gives up on some graphs with clusters: "trouble in init_rank"
        f'  node [{font}, fontsize=11, color={_text(GRAY)}, style=filled, margin="0.12,0.05"]',
        f"  edge [{font}, fontsize=9, color={_text(GRAY)}, arrowsize=0.6]",
    ]
    lines += _box_lines(seen, (), "  ")
    for (source, target), edges in seen.edges.items():
        lines.append(f"  {source} -> {target} [label={_text(edge_text(edges))}]")
    return "\n".join([*lines, "}"]) + "\n"


class Seen:
    """What is seen of a diagram when some groups are folded.

    Attributes
    ----------
    edges : dict of (str, str) to list of Edge
        The tensors between two boxes.
    """

    def __init__(self, diagram: Diagram, unfolded: Collection[Path]) -> None:
        self.diagram = diagram
        self.unfolded = unfolded
        self.numbers = {path: number for number, path in enumerate(diagram.groups)}
        self.inside: dict[Path, list[tuple[int, Item]]] = {path: [] for path in diagram.groups}
        for number, item in enumerate(diagram.items):
            self.inside[item.group].append((number, item))
        self.edges: dict[tuple[str, str], list[Edge]] = {}
        for edge in diagram.edges:
            pair = self.box(edge.source), self.box(edge.target)
            if pair[0] != pair[1]:
                self.edges.setdefault(pair, []).append(edge)

    def box(self, number: int) -> str:
        """Return the name of the box in which an item is seen."""
        group = self.diagram.items[number].group
        for end in range(1, len(group) + 1):
            if group[:end] not in self.unfolded:
                return f"g{self.numbers[group[:end]]}"
        return f"n{number}"


def edge_text(edges: list[Edge]) -> str:
    """Return the type of what goes along an edge, or how many tensors do."""
    types = {edge.type for edge in edges}
    if len({(edge.source, edge.type) for edge in edges}) > 1 or len(types) > 1:
        return plural(len({(edge.source, edge.type) for edge in edges}), "tensor")
    return types.pop()


def _box_lines(seen: Seen, path: Path, pad: str) -> Iterator[str]:
    for number, item in seen.inside[path]:
        text = item.label if item.kind not in ("parameter", "state", "input") else f"{item.label}\n{item.type}"
        if item.parameters:
            text += f"\n{plural(item.parameters, 'parameter')}"
        shape = _SHAPES.get(item.kind, "box")
        style = "filled,rounded" if item.kind == "op" else "filled"
        values = {"label": text, "shape": shape, "fillcolor": TINTS[item.kind], "style": style, "tooltip": _tip(item)}
        yield f"{pad}n{number} [{', '.join(f'{name}={_text(value)}' for name, value in values.items())}]"
    for inner in seen.diagram.children(path):
        name, title = f"g{seen.numbers[inner]}", group_text(seen.diagram, inner)
        if inner not in seen.unfolded:
            yield f"{pad}{name} [label={_text(title)}, shape=box3d, fillcolor={_text(TINTS['group'])}]"
            continue
        yield f"{pad}subgraph cluster_{name} {{"
        yield f"{pad}  label={_text(title)}; color={_text(BLUE)}; style=rounded; fontsize=11"
        yield from _box_lines(seen, inner, pad + "  ")
        yield f"{pad}}}"


def group_text(diagram: Diagram, path: Path) -> str:
    """Return the name of a group, with its ops and parameters."""
    group = diagram.groups[path]
    parts = [plural(group.ops, "op")] if group.ops else []
    if group.parameters:
        parts.append(f"{count_text(group.parameters)} parameters")
    return path[-1] + (f"\n{', '.join(parts)}" if parts else "")


def _tip(item: Item) -> str:
    return "\n".join([f"{item.label}  {item.type}", *[f"{name}: {value}" for name, value in item.about]])


def _text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def render(source: str, form: str, function: str = "graph") -> bytes:
    """Return a picture of what is written in the language of Graphviz.

    Parameters
    ----------
    source : str
    form : {"svg", "png", "pdf"}
    function : str
        For messages.

    Raises
    ------
    NotSupportedError
        If the Python package or the program is missing.
    """
    with needs("graphviz", function):
        import graphviz
    drawing: Any = graphviz.Source(source)
    try:
        found: bytes = drawing.pipe(format=form)
    except graphviz.ExecutableNotFound:
        raise NotSupportedError(
            f"{function} needs the program dot of Graphviz, which is not on the PATH",
            hint="apt-get install graphviz, or brew install graphviz; a page, save('graph.html'), needs nothing",
        ) from None
    return found
