"""What a picture of a graph shows: items and edges, in groups that are the layers of the user's model.

Pictures are drawn of a `Diagram` alone: by `dot` with some groups folded, by `page` with groups that the reader folds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from septet.base.source import place_text, source_text
from septet.base.text import shape_text
from septet.graph.derived import Derived, derivation
from septet.graph.graph import Graph
from septet.graph.literals import literal
from septet.graph.node import CONSTANT, SYMBOL, VARIABLE, Node
from septet.graph.op import ITEM
from septet.graph.types import TensorType

__all__ = ["BACKWARD", "UPDATE", "Diagram", "Edge", "Group", "Item", "Path"]

Path = tuple[str, ...]

BACKWARD, UPDATE = "backward", "update"
"""The groups that hold what differentiation has made, and what becomes new values of variables."""

_FROM_ONE_LINE = 4  # so many ops of one call of a function outside of layers (a loss, say) are a group
_LONGEST = 40  # characters of a parameter


class Item(NamedTuple):
    """One box: an op, an input, a variable, an output.

    Attributes
    ----------
    group : tuple of str
        The path of the group that it is in.
    kind : {"input", "parameter", "state", "constant", "op", "output", "update"}
        A state is a variable that is not trained.
    label : str
    type : str
        Dtype and shape of its result: ``float32[64, 10]``.
    parameters : int
        How many numbers are trained in it.
    about : tuple of (str, str)
        What else there is to tell, in words.
    """

    group: Path
    kind: str
    label: str
    type: str
    parameters: int = 0
    about: tuple[tuple[str, str], ...] = ()


class Edge(NamedTuple):
    """A tensor on its way from one item to another, as positions in the list of items."""

    source: int
    target: int
    type: str


class Group(NamedTuple):
    """A layer, or another part of the graph that can be folded.

    Attributes
    ----------
    path : tuple of str
    ops : int
        In it and in the groups in it.
    parameters : int
    """

    path: Path
    ops: int
    parameters: int


class Diagram:
    """The items of a graph, the edges between them, and the groups that they are in.

    Parameters
    ----------
    graph : Graph

    Attributes
    ----------
    name : str
    items : list of Item
    edges : list of Edge
        From earlier items to later ones.
    groups : dict of tuple to Group
        By path, outer groups before inner ones; the whole, with path (), is one of them.
    """

    def __init__(self, graph: Graph) -> None:
        self.name = graph.name or "graph"
        self.items: list[Item] = []
        self.edges: list[Edge] = []
        self._add(graph, ())
        self.groups = _groups(self.items)

    def _add(self, graph: Graph, outside: Path) -> dict[Node, int]:
        """Add the items of a graph inside of a group; return their positions."""
        nodes = [node for node in graph.nodes if node.op is not ITEM and not _is_number(node)]
        nodes = [*[node for node in graph.inputs if node not in set(nodes)], *nodes]  # what nothing depends on, too
        places = _places(graph, nodes)
        at: dict[Node, int] = {}
        for node in nodes:
            group = (*outside, *places[node])
            inner = [value for value in node.params if isinstance(value, Graph)] if node.op is not VARIABLE else []
            if inner:  # a loop, a branch: a group with the op's name, in which each graph has its own
                group = (*group, f"{node.op.name} {len(self.items)}")
            at[node] = len(self.items)
            self.items.append(_item(node, group))
            for source in node.inputs:
                self._connect(at, source, at[node])
            for number, body in enumerate(inner):
                self._add(body, group if len(inner) == 1 else (*group, body.name or f"part {number + 1}"))
        for number, node in enumerate(graph.outputs):
            name = "output" if len(graph.outputs) == 1 else f"output {number + 1}"
            self._end(at, node, Item(outside, "output", name, _type(node)))
        for variable, node in graph.updates:
            group = places.get(node, ())
            group = group if group[:1] == (UPDATE,) else (UPDATE,)
            self._end(at, node, Item((*outside, *group), "update", f"new {variable.name or 'variable'}", _type(node)))
        return at

    def _connect(self, at: dict[Node, int], source: Node, target: int) -> None:
        text = _type(source)
        while source.op is ITEM:
            source = source.inputs[0]
        if source in at:
            self.edges.append(Edge(at[source], target, text))

    def _end(self, at: dict[Node, int], node: Node, item: Item) -> None:
        self.items.append(item)
        self._connect(at, node, len(self.items) - 1)

    def children(self, path: Path) -> Iterator[Path]:
        """Go through the groups directly inside of one."""
        return (inner for inner in self.groups if len(inner) == len(path) + 1 and inner[:-1] == path)

    def unfolded(self, most: int) -> set[Path]:
        """Return the groups to show unfolded, so that at most so many boxes are seen.

        Everything, where it fits. Otherwise groups that have groups in them, those of one group together: outer ones
        and few ones first, and the backward pass and new values of variables last. So the layers are seen, and what
        they consist of is not.
        """
        if len(self.items) <= most:
            return set(self.groups)
        inside = Counter(item.group for item in self.items)
        inner = {path: list(self.children(path)) for path in self.groups}
        families = {path: [child for child in inner[path] if inner[child]] for path in self.groups}
        found: set[Path] = {()}
        seen, waiting = inside[()] + len(inner[()]), [[child] for child in families[()]]

        def size(family: list[Path]) -> int:
            return sum(inside[path] + len(inner[path]) - 1 for path in family)

        while True:
            fitting = [family for family in waiting if seen + size(family) <= most]
            if not fitting:
                return found
            family = min(fitting, key=lambda family: (family[0][0] in (BACKWARD, UPDATE), len(family[0]), size(family)))
            found.update(family)
            seen += size(family)
            waiting = [other for other in waiting if other is not family]
            waiting += [families[path] for path in family if families[path]]


def _groups(items: Sequence[Item]) -> dict[Path, Group]:
    """Return all groups with what they hold, in the order of their first items, outer ones first."""
    ops: Counter[Path] = Counter()
    parameters: Counter[Path] = Counter()
    order: dict[Path, None] = {(): None}
    for item in items:
        for end in range(len(item.group) + 1):
            path = item.group[:end]
            order[path] = None
            ops[path] += item.kind == "op"
            parameters[path] += item.parameters
    return {path: Group(path, ops[path], parameters[path]) for path in sorted(order, key=len)}


def _item(node: Node, group: Path) -> Item:
    """Return the box of a node."""
    if node.op is SYMBOL:
        return Item(group, "input", str(node.params[0] or "input"), _type(node), 0, _about(node))
    if node.op is VARIABLE:
        variable = node.params[0]
        size = int(np.prod(variable.variable_type.shape)) if variable.trainable else 0
        kind = "parameter" if variable.trainable else "state"
        about = (("name", variable.name), ("role", variable.role), *_about(node))
        return Item(group, kind, (variable.name or "variable").rpartition(".")[2], _type(node), size, about)
    if node.op is CONSTANT:
        return Item(group, "constant", "constant", _type(node), 0, _about(node))
    numbers = [f"{source.value[()]:.6g}" if _is_number(source) else "·" for source in node.inputs]
    label = node.op.name
    if any(_is_number(source) for source in node.inputs):
        label += f"({', '.join(numbers)})"
    return Item(group, "op", label, _type(node), 0, _about(node))


def _about(node: Node) -> tuple[tuple[str, str], ...]:
    mark = derivation(node.layers)
    found = []
    if node.op.__class__.__name__ == "Op":
        for name, value in zip(node.op.param_names, node.params, strict=True):
            if not isinstance(value, Graph):
                found.append((name, _short(value)))
    layers = "/".join(label for label in node.layers if not isinstance(label, Derived))
    if layers:
        found.append(("layer", layers))
    if mark is not None:
        found.append(("made by", str(mark)))
    place = source_text(node.source if mark is None else mark.source)
    if place:
        found.append(("line", place))
    return tuple(found)


def _short(value: Any) -> str:
    try:
        text = literal(value, lambda graph: "graph")
    except Exception:  # a parameter that has no text, such as a function of the user
        text = getattr(value, "__name__", None) or repr(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def _type(node: Node) -> str:
    types = (node.type,) if isinstance(node.type, TensorType) else node.type
    return ", ".join(f"{t.dtype.name} {shape_text(t.shape)}" for t in types)


def _is_number(node: Node) -> bool:
    """Tell whether a node is a number that stands in the box of its user."""
    return (
        node.op is CONSTANT
        and isinstance(node.value, np.ndarray)
        and node.value.ndim == 0
        and node.value.dtype.kind != "V"
    )


def _places(graph: Graph, nodes: Iterable[Node]) -> dict[Node, Path]:
    """Return the group of each node: its layers; for gradients those of what they are gradients of, in `BACKWARD`."""
    nodes = list(nodes)
    calls = _Calls()
    before = _ancestors(graph.outputs)
    owners = _owners(graph, before)
    lines = Counter(_line(node) for node in nodes if not _labels(node))
    found: dict[Node, Path] = {}
    for node in nodes:
        mark, labels = derivation(node.layers), _labels(node)
        if not labels and lines[_line(node)] >= _FROM_ONE_LINE and _line(node) is not None:
            labels = (f"line {place_text(node.source if mark is None else mark.source)}",)
        if node in owners and mark is None:
            found[node] = owners[node]
        elif mark is not None:
            found[node] = (BACKWARD, *labels)
        else:
            found[node] = labels if node.op in (CONSTANT, SYMBOL, VARIABLE) else calls.enter(labels)
    users = graph.users()
    for node in reversed(nodes):  # what is only read is where it is read first
        if node.op in (CONSTANT, VARIABLE) and users.get(node):
            forward = [user for user in users[node] if user in found]
            if forward:
                found[node] = found[min(forward, key=lambda user: user.serial)]
    return found


def _labels(node: Node) -> Path:
    return tuple(str(label) for label in node.layers if not isinstance(label, Derived))


def _line(node: Node) -> Any:
    """What is the same for nodes of the same pass that one call in the user's program made outside of layers."""
    mark = derivation(node.layers)
    source = node.source if mark is None else mark.source
    if source is None or node.op in (CONSTANT, SYMBOL, VARIABLE):
        return None
    return mark is None, source


def _ancestors(roots: Iterable[Node]) -> set[Node]:
    seen: set[Node] = set()
    pending = list(roots)
    while pending:
        node = pending.pop()
        if node not in seen:
            seen.add(node)
            if node.op is not VARIABLE:
                pending.extend(node.inputs)
    return seen


def _owners(graph: Graph, before: set[Node]) -> dict[Node, Path]:
    """Return the groups of what is computed for new values of variables alone, by an optimizer mostly."""
    found: dict[Node, Path] = {}
    for variable, root in graph.updates:
        pending, own = [root], (UPDATE, variable.name or "variable")
        seen: set[Node] = set()
        while pending:
            node = pending.pop()
            if node in seen or node in before or node.layers or node.op is VARIABLE:
                continue
            seen.add(node)
            found[node] = own if found.get(node, own) == own else (UPDATE,)
            pending.extend(node.inputs)
    return found


class _Calls:
    """Calls of layers: one that is left and applied again is another group, or what is between would make a circle."""

    def __init__(self) -> None:
        self._counts: Counter[Path] = Counter()
        self._now: list[tuple[str, str]] = []  # labels, and the names of their groups

    def enter(self, labels: Path) -> Path:
        """Return the groups of a node in the layers of a path; nodes come in the order of recording."""
        same = 0
        while same < min(len(labels), len(self._now)) and labels[same] == self._now[same][0]:
            same += 1
        del self._now[same:]
        for label in labels[same:]:
            outer = tuple(name for _, name in self._now)
            self._counts[(*outer, label)] += 1
            count = self._counts[(*outer, label)]
            self._now.append((label, label if count == 1 else f"{label} ({count})"))
        return tuple(name for _, name in self._now)
