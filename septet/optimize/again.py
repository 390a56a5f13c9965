"""Computing values again: a fused group that needs what another one has computed may compute it itself.

Gradients need values of the forward pass. Where these cost little, given what lies in memory anyway, computing them
again takes less time than writing and reading them, and less memory: of an activation function only its argument is
kept, of a normalization its input and the totals of its rows, and a row of zeros with a single one is never stored.

Which values are kept is a cheapest cut (`septet.optimize.cut`) of what a group computes and what it is computed from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from septet.graph.node import Node
from septet.graph.op import ELEMENTWISE
from septet.optimize.costs import KEEP, NEVER, bytes_of, cost_of
from septet.optimize.cut import values_to_keep

if TYPE_CHECKING:
    from septet.optimize.fuse import Axes, Group, Role

RoleOf: TypeAlias = "Callable[[Node], Role | None]"
Base: TypeAlias = "Callable[[Node], Node]"
Readers: TypeAlias = "dict[Node, list[tuple[Group, Node, int]]]"
LEAST = 1 << 16
"""Elements from which computing again is looked into: smaller values stay in the cache."""


def compute_again(groups: Sequence[Group], home: dict[Node, Group], role: RoleOf, base: Base,
                  roots: Sequence[Node]) -> None:  # fmt: skip
    """Let groups compute again what they need of others, where that is cheaper than keeping it.

    Parameters
    ----------
    groups : sequence of Group
        A node that is computed again is in `nodes` of each group that does, and in `again` of all but the first.
    home : dict of Node to Group
        Where each node is computed first.
    role, base : callable
        What `fuse` was given, and the node that a view shows.
    roots : sequence of Node
        What the graph must give.
    """
    readers: Readers = {}
    for group in groups:
        for node in group.nodes:
            for index, source in enumerate(node.inputs):
                own = base(source)
                if own in home:
                    readers.setdefault(own, []).append((group, node, index))
    stored = {base(root) for root in roots}
    for group in groups:
        if group.is_fused:
            _Choice(group, home, role, base, readers, stored).make()
    changed = [group for group in groups if group.again]
    if changed:
        _drop(groups, home, base, stored)
    for group in changed:
        group.nodes = _in_order(group.nodes, base)


def _in_order(nodes: Sequence[Node], base: Base) -> list[Node]:
    """Return nodes with inputs before users, otherwise as they are."""
    own = set(nodes)
    found: dict[Node, None] = {}
    for start in nodes:
        stack = [start]
        while stack:
            node = stack[-1]
            waiting = [source for source in map(base, node.inputs) if source in own and source not in found]
            if waiting:
                stack.extend(reversed(waiting))
            else:
                found[stack.pop()] = None
    return list(found)


def _drop(groups: Sequence[Group], home: dict[Node, Group], base: Base, stored: set[Node]) -> None:
    """Take nodes out of the groups where nobody needs them any more.

    A group that computes a node again has its own users of it, also where it becomes the first to compute it: groups
    come in no order.
    """
    uses: dict[Node, int] = dict.fromkeys(stored, 1)
    places: dict[Node, list[Group]] = {}
    again = {group: frozenset(group.again) for group in groups}
    for group in groups:
        for node in group.again:
            places.setdefault(node, []).append(group)
        for node in group.nodes:
            _count(uses, node, again[group], base, 1)
    for group in reversed(groups):
        for node in reversed(group.nodes[:]):
            if not group.is_fused or node in again[group] or uses.get(node, 0) or node not in places:
                continue
            group.nodes.remove(node)
            del group.maps[node], group.points[node]
            _count(uses, node, again[group], base, -1)
            home[node] = places[node].pop(0)
            home[node].again.discard(node)


def _count(uses: dict[Node, int], node: Node, again: frozenset[Node], base: Base, change: int) -> None:
    """Count the uses of what a group does not compute again."""
    for source in node.inputs:
        own = base(source)
        if own not in again:
            uses[own] = uses.get(own, 0) + change


class _Choice:
    """What to keep of one group's values."""

    def __init__(
        self, group: Group, home: dict[Node, Group], role: RoleOf, base: Base,
        readers: Readers, stored: set[Node],
    ) -> None:  # fmt: skip
        self.group = group
        self.home = home
        self.role = role
        self.base = base
        self.readers = readers
        self.own = group.nodes[:]
        self.mine = set(self.own)
        self.kept = {node for node in self.own if node in stored or self._is_stored(node)}

    def _outside(self, node: Node) -> list[tuple[Group, Node, int]]:
        """Return who reads a value from outside of the group."""
        return [row for row in self.readers.get(node, ()) if row[0] is not self.group]

    def _is_stored(self, node: Node) -> bool:
        """Tell whether somebody needs a value in memory: what is no loop, or looks at it in another way."""
        for group, user, index in self._outside(node):
            own = self.role(user) if group.is_fused else None
            if own is None or index not in own.joined or user.inputs[index] is not node:
                return True
        return False

    def _can(self, node: Node) -> bool:
        """Tell whether a value can be computed in another group: a value at each point, from such."""
        own = self.role(node)
        if own is None or own.reduced is not None:
            return False
        if {axis for axis in self.group.maps[node] if axis is not None} != set(range(len(self.group.domain))):
            return False  # one for each row
        return all(  # a view within the group could be mistaken for the value itself
            user.inputs[index] is node for _, user, index in self.readers.get(node, ())
        )

    def _is_choice(self, node: Node) -> bool:
        """Tell whether a value need not be in memory, if those who need it compute it themselves."""
        if self.home[node] is not self.group or node in self.kept or (node.tensor_type.size or 0) < LEAST:
            return False
        return self._can(node) and bool(self._outside(node))

    def make(self) -> None:
        """Choose, and change the groups."""
        wanted = [node for node in self.own if self._is_choice(node)]
        if not wanted:
            return
        inputs: dict[Node, list[Node]] = {}
        again: dict[Node, int] = {}
        keep: dict[Node, int] = {}
        for node in self.own:
            sources = [self.base(source) for source in node.inputs]
            for source in sources:  # from outside: in memory, or from a group that has chosen
                if source not in inputs:
                    inputs[source], again[source], keep[source] = [], NEVER, bytes_of(source)
            inputs[node] = sources
            again[node] = _cost(node) if self._can(node) else NEVER
            keep[node] = bytes_of(node) * (1 if node in self.kept else KEEP)
        chosen = set(values_to_keep(inputs, again, keep, wanted))
        for node in reversed(wanted):
            if node not in chosen:
                self._move(node, chosen)

    def _move(self, node: Node, chosen: set[Node]) -> None:
        """Compute a value, and what it needs, in the groups that read it."""
        plans = []
        for group in dict.fromkeys(group for group, _, _ in self._outside(node)):
            plan: dict[Node, Axes] = {}
            if not self._lay(node, group, plan, chosen):
                return  # somebody would need it in memory
            plans.append((group, plan))
        for group, plan in plans:
            self._add(group, plan)

    def _lay(self, node: Node, group: Group, plan: dict[Node, Axes], chosen: set[Node]) -> bool:
        """Find the axes of a value, and of what it is computed from, in the domain of another group."""
        users = [(user, index) for own, user, index in self.readers[node] if own is group]
        users += [(user, i) for user in plan for i, source in enumerate(user.inputs) if source is node]
        found = {self._axes(user, index, node, group, plan) for user, index in users}
        if len(found) != 1 or None in found:
            return False
        (axes,) = found
        if {axis for axis in axes if axis is not None} != set(range(len(group.domain))):  # type: ignore[union-attr]
            return False
        if group.maps.get(node, axes) != axes or plan.get(node, axes) != axes:
            return False
        plan[node] = axes  # type: ignore[assignment]
        for source in node.inputs:
            if source not in self.mine or source in self.kept or source in chosen or source in group.maps:
                continue
            if not self._can(source) or not self._lay(source, group, plan, chosen):
                return False
        return True

    def _axes(self, user: Node, index: int, node: Node, group: Group, plan: dict[Node, Axes]) -> Axes | None:
        own = self.role(user)
        points = plan.get(user) or group.points.get(user)
        if own is None or points is None or index not in own.joined or user.inputs[index] is not node:
            return None
        places = zip(own.joined[index], node.shape, strict=True)
        return tuple(points[axis] if size != 1 and axis is not None else None for axis, size in places)

    def _add(self, group: Group, plan: dict[Node, Axes]) -> None:
        """Put values into a group."""
        for node in self.own:
            if node in plan and node not in group.maps:
                group.nodes.append(node)
                group.maps[node] = group.points[node] = plan[node]
                group.again.add(node)


def _cost(node: Node) -> int:
    """Return what computing a value again costs."""
    return cost_of(node) if node.op.kind == ELEMENTWISE else bytes_of(node)
