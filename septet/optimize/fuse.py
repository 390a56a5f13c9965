"""Fusion: which nodes are computed together, in one pass over memory.

The result is a list of groups in an order in which they can run. A group of several nodes has one domain, a box of
points; each of its nodes has a value at every point, or one for each row of points. Three forms of reduction may end up
in a group:

- along its *inner* axes, where rows are short: what is computed from the totals stays in the group (softmax,
  normalization over features);
- along all axes but the inner or last ones, accumulated row by row (gradients of biases and scales, batch statistics):
  what is computed from the totals belongs to later groups;
- along long inner axes: likewise.

Nodes that only look at others in another way (`transpose`, `reshape`, `broadcast_to`, `slice`) belong to no group.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from septet.graph.assemble import has_effect
from septet.graph.graph import Graph
from septet.graph.node import Node
from septet.graph.op import ELEMENTWISE, ITEM, REDUCTION, Op
from septet.optimize.again import compute_again
from septet.optimize.costs import MOST_WORK, work_of
from septet.optimize.unite import unite

LONGEST_ROW = 1 << 14
"""Elements of a row that is still in the cache (64 KB of float32, of 512 KB of L2) when the next pass comes to it."""
ENOUGH_ROWS = 8
SMALL_DOMAIN = 1 << 15
"""Elements below which one thread computes everything, so that the number of rows does not matter."""

Axes = tuple[int | None, ...]


class Role(NamedTuple):
    """How a node takes part in a group.

    Attributes
    ----------
    joined : dict of int to tuple
        The inputs that may be computed in the same group: for each of their axes the axis of the node's domain.
    reduced : tuple of int or None
        The axes of the first input that are reduced; None for an op that keeps all points.
    is_sum : bool
        Whether the reduction may be taken in pieces, and the totals of pieces combined.
    """

    joined: Mapping[int, Axes]
    reduced: tuple[int, ...] | None = None
    is_sum: bool = True


class Group:
    """Nodes that are computed together.

    Attributes
    ----------
    nodes : list of Node
        In an order in which they can be computed.
    domain : tuple of int
        The sizes of the axes, each above 1.
    order : tuple of int
        The axes from the slowest to the fastest in memory.
    inner : tuple of int or None
        The axes along which rows are reduced.
    is_row : bool
        Whether values may be computed from totals along the inner axes in the same group.
    maps : dict of Node to tuple
        For each axis of a node the axis of the domain (None where it has size 1 and stands for none).
    points : dict of Node to tuple
        The axes of what a node is computed from: those of `maps`, and for a reduction those before it.
    accumulated : set of Node
        Reductions that are accumulated from row to row.
    kept : set of int
        The axes along which these have totals.
    closed : set of Node
        Reductions whose totals are known only when the group has run.
    after : Group or None
        A group that must run before, for its effects.
    again : set of Node
        Nodes that another group computes, too: nobody else reads them from here.
    work : int
        How long its code will be: see `costs.MOST_WORK`.
    """

    def __init__(self, number: int, domain: tuple[int, ...], order: tuple[int, ...], is_fused: bool) -> None:
        self.number = number
        self.domain = domain
        self.order = order
        self.is_fused = is_fused
        self.nodes: list[Node] = []
        self.inner: tuple[int, ...] | None = None
        self.is_row = True
        self.maps: dict[Node, Axes] = {}
        self.points: dict[Node, Axes] = {}
        self.closed: set[Node] = set()
        self.accumulated: set[Node] = set()
        self.kept: set[int] = set()
        self.after: Group | None = None
        self.again: set[Node] = set()
        self.work = 0

    @property
    def size(self) -> int:
        """The number of points."""
        return _product(self.domain)

    def __repr__(self) -> str:
        names = ", ".join(node.op.name for node in self.nodes)
        return f"<Group {self.number} {self.domain} inner {self.inner}: {names}>"


def default_role(node: Node) -> Role | None:
    """Return the role that the kind of a node's card gives it; None for a node that is computed by itself."""
    op = node.op
    if not isinstance(op, Op) or isinstance(node.type, tuple):
        return None
    if op.kind == ELEMENTWISE:
        return Role({index: aligned(source, node) for index, source in enumerate(node.inputs)})
    if op.kind == REDUCTION and "axis" in op.param_names and "keepdims" in op.param_names:
        axes = node.param("axis")
        own = tuple(range(node.inputs[0].ndim))
        return Role({0: own}, own if axes is None else tuple(axes))
    return None


def aligned(source: Node, node: Node) -> Axes:
    """Return for each axis of an input the axis of the result, where shapes broadcast."""
    return tuple(range(node.ndim - source.ndim, node.ndim))


def is_view(node: Node) -> bool:
    """Tell whether a node shows the elements of its input in another way, without computing."""
    return len(node.inputs) == 1 and isinstance(node.op, Op) and "view" in node.op.properties


def fuse(
    graph: Graph,
    role: Callable[[Node], Role | None] = default_role,
    order: Callable[[Node], tuple[int, ...] | None] = lambda node: None,
) -> list[Group]:
    """Return the groups of a graph whose sizes are all known, in an order in which they can run.

    Parameters
    ----------
    graph : Graph
    role : callable
        What may be computed together, and how: a backend knows what its kernels can do.
    order : callable
        The axes of the result of a node that is computed by itself, from slow to fast in memory; None for the order of
        its shape.
    """
    fusion = _Fusion(role, order)
    for node in graph.nodes:
        fusion.take(node)
    fusion.sink(graph)
    unite(fusion.groups, fusion.home, fusion.seen_as, role, _root)
    compute_again(fusion.groups, fusion.home, role, _root, graph.roots)
    return fusion.sorted()


class _Fusion:
    """The state of fusing one graph."""

    def __init__(self, role: Callable[[Node], Role | None], order: Callable[[Node], tuple[int, ...] | None]) -> None:
        self.role = role
        self.order_of = order
        self.groups: list[Group] = []
        self.home: dict[Node, Group] = {}  # node -> the group that computes it
        self.seen_as: dict[Node, tuple[Group, Axes]] = {}  # node or view of one -> group, axes of its domain
        self.reach: list[int] = []  # group -> bits of the groups that it depends on, itself among them
        self.needed_by: list[set[int]] = []  # group -> those that it was noted for
        self.orders: dict[Node, tuple[int, ...]] = {}
        self.last_effect: Group | None = None
        self.uses: dict[Node, list[Node]] = {}  # node -> those that read it, or a view of it
        self.readers: dict[Node, list[Group]] = {}  # what is read from memory -> fused groups that read it

    # Taking nodes, inputs before users.

    def take(self, node: Node) -> None:
        if not isinstance(node.op, Op) or (node.value is not None and not node.inputs):
            return
        if is_view(node):
            self._take_view(node)
            return
        if node.op is ITEM:
            self.home[node] = self.home[node.inputs[0]]
            self._note_order(node)
            return
        role = self.role(node)
        if role is None:
            self._alone(node)
            return
        for group in self._candidates(node, role):
            axes = self._fit(node, role, group)
            if axes is not None and not self._would_cycle(node, role, group):
                self._join(node, role, group, axes)
                return
        self._found(node, role)

    def _take_view(self, node: Node) -> None:
        (source,) = node.inputs
        if source in self.seen_as:
            group, axes = self.seen_as[source]
            moved = _view_axes(node, axes)
            if moved is not None:
                self.seen_as[node] = group, moved
        order = self._order(source)
        moved_order = _view_order(node, order)
        if moved_order is not None:
            self.orders[node] = moved_order

    def _alone(self, node: Node) -> None:
        group = self._new((), (), False)
        group.nodes.append(node)
        self.home[node] = group
        self._depend(group, node.inputs)
        if has_effect(node):  # effects happen in the order in which they were recorded
            if self.last_effect is not None:
                group.after = self.last_effect
                self._need(group, self.last_effect)
            self.last_effect = group
        if not isinstance(node.type, tuple):
            self._note_order(node)

    def _note_order(self, node: Node) -> None:
        own = self.order_of(node)
        if own is not None:
            self.orders[node] = own

    def _new(self, domain: tuple[int, ...], order: tuple[int, ...], is_fused: bool) -> Group:
        group = Group(len(self.groups), domain, order, is_fused)
        self.groups.append(group)
        self.reach.append(1 << group.number)
        self.needed_by.append(set())
        return group

    def _found(self, node: Node, role: Role) -> None:
        """Start a group with a node."""
        shaped = node if role.reduced is None else node.inputs[0]
        shape = shaped.shape
        big = [axis for axis, size in enumerate(shape) if size != 1]
        numbers = {axis: index for index, axis in enumerate(big)}
        order = [axis for axis in self._wanted_order(node, role, shaped) if axis in numbers]
        group = self._new(tuple(shape[a] for a in big), tuple(numbers[a] for a in order), True)  # type: ignore[misc]
        self._join(node, role, group, tuple(numbers.get(axis) for axis in range(len(shape))))

    def _wanted_order(self, node: Node, role: Role, shaped: Node) -> tuple[int, ...]:
        """The order in memory of the largest thing that a group starts with."""
        natural = tuple(range(shaped.ndim))
        if shaped is not node:
            return self._order(shaped)
        for source in sorted(node.inputs, key=lambda n: -(n.tensor_type.size or 0)):
            if source.shape == node.shape:
                return self._order(source)
        return natural

    def _order(self, node: Node) -> tuple[int, ...]:
        if node in self.orders:
            return self.orders[node]
        if node in self.seen_as:
            group, axes = self.seen_as[node]
            place = {axis: index for index, axis in enumerate(group.order)}
            own = [a for a in range(node.ndim) if axes[a] is not None]
            rest = [a for a in range(node.ndim) if axes[a] is None]
            return (*rest, *sorted(own, key=lambda a: place[axes[a]]))  # type: ignore[index]
        return tuple(range(node.ndim))

    # Joining.

    def _candidates(self, node: Node, role: Role) -> list[Group]:
        found: dict[Group, None] = {}
        for index in role.joined:
            source = node.inputs[index]
            if source in self.seen_as and self._base(source) not in self.seen_as[source][0].closed:
                found[self.seen_as[source][0]] = None
        own = sorted(found, key=lambda group: (-group.size, -group.number))
        for index in role.joined:
            for group in self.readers.get(_root(node.inputs[index]), ())[-4:]:
                if group not in found:
                    found[group] = None
                    own.append(group)
        return [group for group in own if group.work < MOST_WORK]

    def _base(self, node: Node) -> Node:
        while is_view(node):
            node = node.inputs[0]
        return node

    def _fit(self, node: Node, role: Role, group: Group) -> Axes | None:
        """Return the axes in a group's domain of what a node is computed from, or None where it does not belong."""
        shape = node.shape if role.reduced is None else node.inputs[0].shape
        axes: list[int | None] = [None] * len(shape)
        bound: dict[int, int] = {}  # axes along which values of the group differ
        for index, own in role.joined.items():
            source = node.inputs[index]
            place = self.seen_as.get(source)
            if place is None or place[0] is not group or self._base(source) in group.closed:
                continue
            for axis, domain_axis, size in zip(own, place[1], source.shape, strict=True):
                if axis is None or domain_axis is None:
                    continue
                if axes[axis] is not None and axes[axis] != domain_axis:
                    return None
                axes[axis] = domain_axis
                if size != 1:
                    bound[axis] = domain_axis
        if all(axis is None for axis in axes) or not self._complete(axes, shape, group):
            matched = self._match_by_position(shape, group)
            if matched is None or any(matched[axis] != domain_axis for axis, domain_axis in bound.items()):
                return None
            axes = matched
        used = [axis for axis, size in zip(axes, shape, strict=True) if size != 1]
        if len(set(used)) != len(used):
            return None
        if role.reduced is None:
            return tuple(axes) if self._has_level(set(used), group) else None
        if len(used) != len(group.domain):
            return None
        reduced = tuple(sorted(axes[a] for a in role.reduced if shape[a] != 1))  # type: ignore[type-var]
        if not self._can_reduce(group, reduced, role.is_sum):  # type: ignore[arg-type]
            return None
        return tuple(axes)

    def _complete(self, axes: list[int | None], shape: tuple[int | None, ...], group: Group) -> bool:
        """Fill in the one axis that inputs from outside must lie along; tell whether all axes are known."""
        taken = {axis for axis, size in zip(axes, shape, strict=True) if size != 1}
        free = [a for a in range(len(group.domain)) if a not in taken]
        for index, size in enumerate(shape):
            if size == 1:
                continue
            if axes[index] is None:
                fits = [a for a in free if group.domain[a] == size]
                if len(fits) != 1:
                    return False
                axes[index] = fits[0]
                free.remove(fits[0])
            elif group.domain[axes[index]] != size:  # type: ignore[index]
                return False
        return True

    def _match_by_position(self, shape: tuple[int | None, ...], group: Group) -> list[int | None] | None:
        """Lay a shape over a domain of the same sizes in the same order."""
        big = [size for size in shape if size != 1]
        if tuple(big) != group.domain:
            return None
        numbers = iter(range(len(big)))
        return [next(numbers) if size != 1 else None for size in shape]

    def _has_level(self, used: set[int | None], group: Group) -> bool:
        everything = set(range(len(group.domain)))
        if used == everything:
            return True
        return group.is_row and group.inner is not None and used == everything - set(group.inner)

    def _can_reduce(self, group: Group, reduced: tuple[int, ...], is_sum: bool) -> bool:
        if group.inner == reduced:
            return True
        if is_sum and self._is_accumulated(group, reduced):
            return True
        if group.inner is not None:
            return False
        return not group.accumulated or (set(reduced) == group.kept and self._are_rows(group, reduced))

    def _is_accumulated(self, group: Group, reduced: tuple[int, ...]) -> bool:
        """Tell whether totals along some axes can be taken row by row: the axes that are kept are the fastest."""
        kept = {axis for axis in range(len(group.domain)) if axis not in reduced}
        if not kept or not reduced or set(group.order[-len(kept) :]) != kept:
            return False
        if group.accumulated and group.kept != kept:
            return False
        return group.inner is None or (group.is_row and set(group.inner) == kept)

    def _are_rows(self, group: Group, reduced: tuple[int, ...]) -> bool:
        """Tell whether rows along some axes are short enough, and enough of them, to be computed one by one."""
        length = _product([group.domain[a] for a in reduced])
        return length <= LONGEST_ROW and (group.size >= ENOUGH_ROWS * length or group.size <= SMALL_DOMAIN)

    def _would_cycle(self, node: Node, role: Role, group: Group) -> bool:
        """Tell whether an input that a node takes from outside a group needs that group."""
        bit = 1 << group.number
        for index, source in enumerate(node.inputs):
            base = self._base(source)
            home = self.home.get(base)
            if home is None or (
                home is group and index in role.joined and source in self.seen_as and base not in group.closed
            ):
                continue
            if home is group:
                return True
            if self.reach[home.number] & bit:
                return True
        return False

    def _join(self, node: Node, role: Role, group: Group, points: Axes) -> None:
        group.nodes.append(node)
        group.work += work_of(node)
        group.points[node] = points
        axes = points
        if role.reduced is not None:
            shape = node.inputs[0].shape
            reduced = tuple(sorted(points[a] for a in role.reduced if shape[a] != 1))  # type: ignore[type-var]
            self._reduce(node, group, reduced, role.is_sum)  # type: ignore[arg-type]
            axes = _reduced_axes(node, points, role.reduced)
        group.maps[node] = axes
        self.home[node] = group
        self.seen_as[node] = group, axes
        self._depend(group, node.inputs)
        for source in node.inputs:
            root = _root(source)
            if self.home.get(root) is not group:
                readers = self.readers.setdefault(root, [])
                if group not in readers:
                    readers.append(group)

    def _reduce(self, node: Node, group: Group, reduced: tuple[int, ...], is_sum: bool) -> None:
        """Note the form of a reduction that joins a group."""
        if group.inner is None or group.inner != reduced:
            is_fast = not reduced or set(group.order[-len(reduced) :]) == set(reduced)
            if not is_fast and is_sum and self._is_accumulated(group, reduced):
                group.accumulated.add(node)
                group.kept = {axis for axis in range(len(group.domain)) if axis not in reduced}
                group.closed.add(node)
                return
            group.inner = reduced
            group.is_row = self._are_rows(group, reduced)
        if not group.is_row:
            group.closed.add(node)

    def _depend(self, group: Group, sources: tuple[Node, ...]) -> None:
        """Note what a group needs, for it and for all that need it."""
        for source in sources:
            home = self.home.get(self._base(source))
            if home is not None and home is not group:
                self._need(group, home)

    def _need(self, group: Group, other: Group) -> None:
        """Note that a group needs another one."""
        self.needed_by[other.number].add(group.number)
        fresh = self.reach[other.number]
        pending = [group.number]
        while pending:
            number = pending.pop()
            known = self.reach[number]
            if fresh & ~known:
                self.reach[number] = known | fresh
                pending += self.needed_by[number]

    # Afterwards.

    def sink(self, graph: Graph) -> None:
        """Move nodes that only one other group needs into it, where all that they need lies in memory anyway."""
        users: dict[Node, set[Group | None]] = {}
        for node in graph.nodes:
            if is_view(node):
                continue
            home = self.home.get(node)
            for base in {self._base(source) for source in node.inputs}:
                users.setdefault(base, set()).add(home)
                self.uses.setdefault(base, []).append(node)
        for root in graph.roots:
            users.setdefault(self._base(root), set()).add(None)
        for group in self.groups:
            if not group.is_fused:
                continue
            for node in reversed(list(group.nodes)):
                self._try_to_sink(node, group, users)

    def _try_to_sink(self, node: Node, group: Group, users: dict[Node, set[Group | None]]) -> None:
        own = users.get(node, set())
        if len(own) != 1:
            return
        (target,) = own
        if target is None or target is group or not target.is_fused or node in group.closed:
            return
        role = self.role(node)
        if role is None or role.reduced is not None:
            return
        for source in node.inputs:
            base = self._base(source)
            home = self.home.get(base)
            if home is group and users[base] == {group}:
                return  # it would have to be stored for this
        user_places = [n for n in self.uses[node] if self.home.get(n) is target]
        axes = None
        for user in user_places:
            index = next(i for i, s in enumerate(user.inputs) if self._base(s) is node)
            user_role = self.role(user)
            if user_role is None or index not in user_role.joined or user.inputs[index] is not node:
                return
            places = target.points[user]
            found = tuple(
                places[a] if size != 1 else None  # type: ignore[index]
                for a, size in zip(user_role.joined[index], node.shape, strict=True)
            )
            if axes is not None and found != axes:
                return
            axes = found
        if axes is None or {a for a in axes if a is not None} != set(range(len(target.domain))):
            return
        group.nodes.remove(node)
        group.work -= work_of(node)
        target.work += work_of(node)
        del group.maps[node], group.points[node]
        first = min(target.nodes.index(user) for user in user_places)
        target.nodes.insert(first, node)
        target.maps[node] = target.points[node] = axes
        self.home[node] = target
        self.seen_as[node] = target, axes
        for source in node.inputs:
            base = self._base(source)
            if base in users:
                users[base].add(target)
                if not any(self.home.get(n) is group for n in self.uses[base]):
                    users[base].discard(group)

    def sorted(self) -> list[Group]:
        """Return the groups in an order in which they can run, close to that in which they were recorded."""
        needs: dict[Group, set[Group]] = {}
        for group in self.groups:
            if not group.nodes:
                continue
            found: set[Group] = set() if group.after is None else {group.after}
            for node in group.nodes:
                for source in node.inputs:
                    base = self._base(source)
                    home = self.home.get(base)
                    if home is not None and home is not group and base not in group.again:
                        found.add(home)
            needs[group] = found
        done: set[Group] = set()
        result: list[Group] = []
        for start in needs:
            stack = [start]
            while stack:
                group = stack[-1]
                if group in done:
                    stack.pop()
                    continue
                waiting = [other for other in needs[group] if other not in done]
                if waiting:
                    stack.extend(sorted(waiting, key=lambda g: -g.number))
                    continue
                done.add(group)
                result.append(group)
                stack.pop()
        return result


def _root(node: Node) -> Node:
    """The node whose memory a view shows."""
    while is_view(node):
        node = node.inputs[0]
    return node


def _reduced_axes(node: Node, axes: Axes, reduced: tuple[int, ...]) -> Axes:
    """The axes of a reduction's result: those that were reduced stand for their axis still, where they are kept."""
    if node.ndim == len(axes):
        return axes
    return tuple(axis for index, axis in enumerate(axes) if index not in reduced)


def _view_axes(node: Node, axes: Axes) -> Axes | None:
    """Return the axes of a view of a value in a group, where it only moves, adds or drops axes."""
    name = node.op.name
    (source,) = node.inputs
    if name == "transpose":
        return tuple(axes[a] for a in node.param("axes"))
    if name == "broadcast_to":
        return (*[None] * (node.ndim - source.ndim), *axes)
    if name == "reshape":
        kept = [(size, axis) for size, axis in zip(source.shape, axes, strict=True) if size != 1]
        if [size for size, _ in kept] != [size for size in node.shape if size != 1]:
            return None
        rest = iter(kept)
        return tuple(next(rest)[1] if size != 1 else None for size in node.shape)
    return None


def _view_order(node: Node, order: tuple[int, ...]) -> tuple[int, ...] | None:
    name = node.op.name
    if name == "transpose":
        axes = node.param("axes")
        return tuple(axes.index(a) for a in order)
    if name == "slice" and node.ndim == len(order):
        return order
    return None


def _product(sizes: object) -> int:
    total = 1
    for size in sizes:  # type: ignore[attr-defined]
        total *= size
    return total
