"""Uniting fused groups: what was begun in two places, but could run in one pass over memory.

Nodes join groups one by one, in the order in which they were recorded, and a node that reads nothing that a group reads
begins a new one. Later nodes then need both: an optimizer's two running means are begun apart, and the new value of a
parameter needs both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from septet.graph.node import Node
from septet.optimize.costs import MOST_WORK

if TYPE_CHECKING:
    from septet.optimize.fuse import Axes, Group, Role


def unite(
    groups: list[Group],
    home: dict[Node, Group],
    seen_as: dict[Node, tuple[Group, Axes]],
    role: Callable[[Node], Role | None],
    base: Callable[[Node], Node],
) -> None:
    """Let groups take in groups that they need, where both compute every point of one domain and reduce nothing.

    Parameters
    ----------
    groups : list of Group
        A group that has been taken in has no nodes afterwards.
    home : dict of Node to Group
        Where each node is computed.
    seen_as : dict of Node to (Group, tuple)
        Nodes and views of them, with the axes of the group's domain.
    role, base : callable
        What `fuse` was given, and the node that a view shows.
    """
    needs = {group: _needs(group, home, base) for group in groups if group.nodes}
    if not any(_is_plain(group) and any(map(_is_plain, found)) for group, found in needs.items()):
        return
    reach = _reach(needs)
    needed_by: dict[Group, set[Group]] = {group: set() for group in needs}
    for group, found in needs.items():
        for other in found:
            needed_by[other].add(group)
    views: dict[Group, list[Node]] = {}
    for node, (group, _) in seen_as.items():
        views.setdefault(group, []).append(node)
    for group in [*needs]:
        if not _is_plain(group):
            continue
        for other in sorted(needs[group], key=lambda g: -g.number):
            bit = 1 << other.number
            if group.work + other.work > MOST_WORK:
                continue
            if not _is_plain(other) or any(reach[z] & bit for z in needs[group] if z is not other):
                continue  # something in between needs the other one's values in memory
            moved = _axes_between(other, group, home, seen_as, role, base)
            if moved is None:
                continue
            _take_in(group, other, moved, home, seen_as, views)
            _replace(other, group, needs, needed_by, reach)


def _replace(
    other: Group, group: Group, needs: dict[Group, set[Group]], needed_by: dict[Group, set[Group]],
    reach: dict[Group, int],
) -> None:  # fmt: skip
    """Note that a group does what another one did."""
    for found in needs[other]:
        needed_by[found].discard(other)
        needed_by[found].add(group)
    needs[group] = (needs[group] | needs.pop(other)) - {group, other}
    for found in needed_by.pop(other) - {group}:
        needs[found].discard(other)
        needs[found].add(group)
        needed_by[group].add(found)
    own, pending = reach[group], [*needed_by[group]]
    while pending:
        found = pending.pop()
        if own & ~reach[found]:
            reach[found] |= own
            pending += needed_by[found]


def _is_plain(group: Group) -> bool:
    return group.is_fused and group.inner is None and not group.accumulated


def _needs(group: Group, home: Mapping[Node, Group], base: Callable[[Node], Node]) -> set[Group]:
    found = {home[base(source)] for node in group.nodes for source in node.inputs if base(source) in home}
    if group.after is not None:
        found.add(group.after)
    return found - {group}


def _reach(needs: Mapping[Group, set[Group]]) -> dict[Group, int]:
    """Return for each group the bits of those that it depends on, itself among them."""
    reach: dict[Group, int] = {}
    for start in needs:
        stack = [start]
        while stack:
            group = stack[-1]
            waiting = [other for other in needs[group] if other not in reach]
            if waiting and group not in reach:
                stack.extend(waiting)
                continue
            stack.pop()
            if group not in reach:
                bits = 1 << group.number
                for other in needs[group]:
                    bits |= reach[other]
                reach[group] = bits
    return reach


def _axes_between(
    other: Group, group: Group, home: Any, seen_as: Any, role: Callable[[Node], Role | None], base: Any
) -> tuple[int, ...] | None:
    """Return for each axis of the other group's domain that of the group; None where points do not fit."""
    moved: dict[int, int] = {}
    for node in group.nodes:
        own = None
        for index, source in enumerate(node.inputs):
            if home.get(base(source)) is not other:
                continue
            own = own or role(node)
            if own is None or index not in own.joined or source not in seen_as:
                return None
            for there, axis in zip(seen_as[source][1], own.joined[index], strict=True):
                here = None if axis is None else group.points[node][axis]
                if (there is None) != (here is None) or (there is not None and moved.setdefault(there, here) != here):
                    return None
    axes = tuple(moved.get(axis, -1) for axis in range(len(other.domain)))
    if sorted(axes) != [*range(len(group.domain))] or any(
        group.domain[here] != size for here, size in zip(axes, other.domain, strict=True)
    ):
        return None
    return axes if tuple(axes[axis] for axis in other.order) == group.order else None


def _take_in(
    group: Group, other: Group, moved: tuple[int, ...], home: Any, seen_as: Any, views: dict[Group, list[Node]]
) -> None:
    """Move all nodes of a group into one that needs them."""

    def renamed(axes: Axes) -> Axes:
        return tuple(None if axis is None else moved[axis] for axis in axes)

    group.nodes[:0] = other.nodes
    for node in other.nodes:
        home[node] = group
        group.maps[node], group.points[node] = renamed(other.maps[node]), renamed(other.points[node])
    for node in views.pop(other, ()):
        if seen_as[node][0] is other:  # not where it has sunk into another group since
            seen_as[node] = group, renamed(seen_as[node][1])
            views.setdefault(group, []).append(node)
    group.work += other.work
    other.nodes = []
