"""Rules about loops: what is computed before a loop or after it, once or for all steps at once."""

from __future__ import annotations

from collections.abc import Callable

from septet.graph.graph import order, substitute
from septet.graph.node import Node
from septet.graph.op import CONTRACTION, ITEM, Op, ops
from septet.ops.batching import has_batch
from septet.ops.shaping import reshape, sizes_of
from septet.optimize.costs import bytes_of, cost_of, elements_of
from septet.optimize.facts import number
from septet.optimize.fuse import is_view
from septet.optimize.loop_parts import CARRIED, FIXED, STEPWISE, Loop, Scan, may_move

LARGEST = 1 << 28
"""Bytes of a stack, beyond which it is not made for the sake of one large product instead of many small ones."""
GROWTH = 16
"""How much larger than the elements of the loop's sequences and results a value may be of which a stack is made."""
AFTER = 8
"""How much larger than the results that they spare the stacks may be that a loop keeps for a product after it."""


# Once, before the loop


def hoist(loop: Loop) -> int:
    """Compute what depends on constants only before the loop."""
    fixed = {node for node, level in loop.levels().items() if level == FIXED}
    found = _invariants(loop.nodes(), loop.roots, fixed, loop.steps)
    if not found:
        return 0
    outer = substitute(found, dict(zip(loop.fixed, loop.constants, strict=True)))
    loop.replace({own: loop.constant(value) for own, value in zip(found, outer, strict=True)})
    return len(found)


def _invariants(nodes: list[Node], roots: list[Node], fixed: set[Node], steps: int | None) -> list[Node]:
    """Return the nodes whose values are worth computing before a loop: those that nodes which vary take as inputs."""
    may: dict[Node, bool] = {}
    sizes: dict[Node, int] = {}  # of the inputs of the body that a node needs; none: it is as good as a constant
    cost: dict[Node, float] = {}
    for node in nodes:
        if node not in fixed:
            continue
        may[node] = not node.inputs or (may_move(node, steps) and all(may[source] for source in node.inputs))
        is_input = node.op.name == "symbol"
        sizes[node] = elements_of(node) if is_input else sum(sizes[source] for source in dict.fromkeys(node.inputs))
        cost[node] = cost_of(node) + sum(cost[source] for source in dict.fromkeys(node.inputs))
    edge: dict[Node, None] = {}
    for node in nodes:
        if node not in fixed:
            edge.update(dict.fromkeys(source for source in node.inputs if source in fixed))
    edge.update(dict.fromkeys(root for root in roots if root in fixed))
    found: dict[Node, None] = {}
    for node in edge:
        while is_view(node):
            (node,) = node.inputs
        if not node.inputs or not may[node] or isinstance(node.type, tuple) or not sizes[node]:
            continue
        if elements_of(node) <= sizes[node] or cost[node] > bytes_of(node):
            found[node] = None
    return list(found)


# For all steps at once, before the loop


def _may_be_stacked(scan: Scan) -> Callable[[Node], bool]:
    """Return what tells whether a stack of a value is not too large to be made."""
    most = GROWTH * sum(bytes_of(n) for n in (*scan.elements, *scan.results))

    def is_small(node: Node) -> bool:
        size = bytes_of(node)
        return size <= most and (not scan.steps or size <= LARGEST // scan.steps)

    return is_small


def _is_tensor_op(node: Node) -> bool:
    return isinstance(node.op, Op) and not isinstance(node.type, tuple) and node.op is not ITEM and has_batch(node.op)


def push_before(scan: Scan) -> int:
    """Compute products of what is known before the loop, and results that need no loop, for all steps at once."""
    levels, users, nodes = scan.levels(), scan.users(), scan.nodes()
    elements, is_small = set(scan.elements), _may_be_stacked(scan)
    can: dict[Node, bool] = {}
    for node in nodes:
        level = levels[node]
        if level == CARRIED:
            can[node] = False
        elif level == FIXED:
            can[node] = not node.inputs or (may_move(node, scan.steps) and all(can[source] for source in node.inputs))
        else:
            can[node] = node in elements or (
                _is_tensor_op(node) and may_move(node, scan.steps) and not node.op.is_higher_order
                and is_small(node) and all(can[source] for source in node.inputs)
            )  # fmt: skip
    after, results = set(scan.after), set(scan.results)
    leaves: dict[Node, bool] = {}  # whether nothing inside of the loop needs a node, once what can has left
    for node in reversed(nodes):
        leaves[node] = can[node] and node not in after and all(leaves[user] for user in users[node])
    targets = [
        node
        for node in nodes
        if levels[node] == STEPWISE and can[node] and node not in elements
        and (node.op.kind == CONTRACTION or (node in results and leaves[node]))
    ]  # fmt: skip
    if not targets:
        return 0
    lifted = scan.lift(targets, dict(zip(scan.elements, scan.sequences, strict=True)))
    fired = 0
    mapping: dict[Node, Node] = {}
    for node in targets:
        stack, is_stack = lifted[node]
        if not is_stack:
            continue
        moved = False
        for own, place in zip(scan.results, scan.stacks, strict=True):
            if own is node and place not in scan.known and place.type is stack.type:
                scan.settle(place, stack)
                moved = True
        if node.op.kind == CONTRACTION and not leaves[node]:
            mapping[node] = scan.element(stack, node.tensor_type)
            moved = True
        fired += moved
    if mapping:
        scan.replace(mapping)
    return fired


# For all steps at once, after the loop


def push_after(scan: Scan) -> int:
    """Compute results that need a product, and that no carried value needs, from stacks of what they are made of."""
    levels, users, nodes = scan.levels(), scan.users(), scan.nodes()
    inside, is_small = set(order(scan.after)), _may_be_stacked(scan)
    live = {own: stack for own, stack in zip(scan.results, scan.stacks, strict=True) if stack not in scan.known}
    can: dict[Node, bool] = {}
    for node in reversed(nodes):
        can[node] = (
            node not in inside and levels[node] != FIXED and _is_tensor_op(node) and not node.op.is_higher_order
            and may_move(node, scan.steps) and is_small(node) and all(can[user] for user in users[node])
        )  # fmt: skip
    leaving: dict[Node, None] = {}
    for node in nodes:
        if can[node] and (node.op.kind == CONTRACTION or any(source in leaving for source in node.inputs)):
            leaving[node] = None
    targets = [node for node in live if node in leaving and live[node].type is scan.stack_type(node)]
    leaving = dict.fromkeys(n for n in order(targets, stop=lambda n: n not in leaving) if n in leaving)
    edge = dict.fromkeys(s for n in leaving for s in n.inputs if s not in leaving and levels[s] != FIXED)
    fixed = [s for n in leaving for s in n.inputs if levels[s] == FIXED]
    if not targets or not all(may_move(n, scan.steps) or not n.inputs for n in order(fixed)):
        return 0
    kept = [node for node in edge if not scan.is_at_hand(node)]
    if any(isinstance(node.type, tuple) or not is_small(node) for node in kept):
        return 0
    if sum(map(bytes_of, kept)) > AFTER * sum(map(bytes_of, targets)):
        return 0
    lifted = scan.lift(targets, {node: scan.stack(node) for node in edge})
    fired = 0
    for node in targets:
        stack, _ = lifted[node]
        if stack.type is live[node].type:
            scan.settle(live[node], stack)
            fired += 1
    return fired


class _Sums:
    """Sums over all steps, of terms that are added to a carried value in each step."""

    def __init__(self, scan: Scan) -> None:
        self.scan = scan
        self.levels = scan.levels()
        self.is_small = _may_be_stacked(scan)
        self.fixed = dict(zip(scan.fixed, scan.constants, strict=True))

    def fits(self, node: Node, keeps: bool) -> bool:
        """Tell whether a term can be summed after the loop; `keeps`: also if the loop must keep stacks for it."""
        if self.levels[node] == FIXED or isinstance(node.type, tuple):
            return False
        if self.scan.is_at_hand(node):
            return True
        name, inputs = node.op.name, node.inputs
        if name == "dot_general":
            return all(
                self.levels[own] != FIXED and (self.scan.is_at_hand(own) or (keeps and self.is_small(own)))
                for own in inputs
            )
        if name == "sum":
            return self.scan.is_at_hand(inputs[0])
        if self._is_linear(node):
            return self.fits(inputs[0], keeps)
        rest = self._without_factor(node)
        return rest is not None and self.fits(rest, keeps)

    def is_product(self, node: Node) -> bool:
        """Tell whether a term that fits is made of a product of matrices."""
        while node.op.name != "dot_general":
            rest = node.inputs[0] if self._is_linear(node) else self._without_factor(node)
            if rest is None or self.scan.is_at_hand(node):
                return False
            node = rest
        return True

    def _is_linear(self, node: Node) -> bool:
        op = node.op
        if is_view(node):
            return node.type.is_known and node.inputs[0].type.is_known
        return isinstance(op, Op) and op.linear == "all" and len(node.inputs) == 1 and op is not ITEM

    def _without_factor(self, node: Node) -> Node | None:
        """Return one input of a product element by element, where the other is the same in each step and fits it."""
        if node.op.name != "multiply":
            return None
        for own, other in zip(node.inputs, node.inputs[::-1], strict=True):
            pure = all(may_move(n, self.scan.steps) or not n.inputs for n in order([own]))
            if self.levels[own] == FIXED and self.levels[other] != FIXED and other.type is node.type and pure:
                return other
        return None

    def total(self, node: Node) -> Node:
        """Return the sum of a term over all steps."""
        scan = self.scan
        if scan.is_at_hand(node):
            return ops.sum(scan.stack(node), axis=(0,), keepdims=False)
        name, inputs = node.op.name, node.inputs
        if name == "dot_general":
            (left, right), (left_batch, right_batch) = node.param("contracting"), node.param("batch")
            return ops.dot_general(
                *[scan.stack(own) for own in inputs],
                contracting=((0, *[a + 1 for a in left]), (0, *[a + 1 for a in right])),
                batch=(tuple([a + 1 for a in left_batch]), tuple([a + 1 for a in right_batch])),
            )
        if name == "sum":
            stack = scan.stack(inputs[0])
            axes = (0, *[axis + 1 for axis in node.param("axis")])
            total = ops.sum(stack, axis=axes, keepdims=node.param("keepdims"))
            return reshape(total, sizes_of(total)[1:]) if node.param("keepdims") else total
        rest = inputs[0] if self._is_linear(node) else self._without_factor(node)
        assert rest is not None
        return substitute([node], {rest: self.total(rest), **self.fixed})[0]


def _terms(root: Node, own: Node, users: dict[Node, list[Node]]) -> list[tuple[str, Node]] | None:
    """Return what is added to a carried value in a step, or subtracted from it, last first; None where it is used in
    another way too."""
    terms: list[tuple[str, Node]] = []
    node = root
    while node is not own:
        if node.op.name not in ("add", "subtract") or node.type is not root.type:
            return None
        if node is not root and len(users[node]) != 1:
            return None
        sides = [own in order([side]) for side in node.inputs]
        if all(sides) or (node.op.name == "subtract" and sides[1]):
            return None
        onward, term = node.inputs if sides[0] else node.inputs[::-1]
        terms.extend(_split(node.op.name, term, root, users))
        node = onward
    return terms if terms and len(users[own]) == 1 else None


def _split(sign: str, term: Node, root: Node, users: dict[Node, list[Node]]) -> list[tuple[str, Node]]:
    """Return the terms of a term that is a sum itself."""
    if (
        term.op.name not in ("add", "subtract")
        or len(users[term]) != 1
        or any(n.type is not root.type for n in term.inputs)
    ):
        return [(sign, term)]
    left, right = term.inputs
    other = sign if term.op.name == "add" else "subtract" if sign == "add" else "add"
    return [*_split(sign, left, root, users), *_split(other, right, root, users)]


def _push_sums(scan: Scan, with_products: bool) -> int:
    fired = 0
    users, sums = scan.users(), _Sums(scan)
    for index in reversed(range(len(scan.carried))):
        own, root, first, final = (part[index] for part in (scan.carried, scan.after, scan.initial, scan.finals))
        others = [*scan.results, *[after for n, after in enumerate(scan.after) if n != index]]
        if own not in users or users[root] or root in others or own in others:
            continue
        if not first.type is final.type is own.type:
            continue
        terms = _terms(root, own, users) or []
        pushed = [
            term
            for term in terms
            if term[1].type is own.type
            and sums.fits(term[1], with_products)
            and sums.is_product(term[1]) == with_products
        ]
        if not pushed:
            continue
        rest = [term for term in terms if term not in pushed]
        total = None if number(first) == 0 else first
        if rest:
            kept = own
            for name, term in reversed(rest):
                kept = getattr(ops, name)(kept, term)
            scan.after[index] = kept
            total = scan.new_final(index)
        for name, term in pushed:
            one = sums.total(term)
            if total is None:  # a zero that sums begin with
                total = one if name == "add" else ops.negative(one)
            else:
                total = getattr(ops, name)(total, one)
        assert total is not None
        scan.settle(final, total)
        if not rest:
            scan.drop_carry(index)
        fired += len(pushed)
    return fired


def push_sums_of_products(scan: Scan) -> int:
    """Sum up what products add to a carried value after the loop."""
    return _push_sums(scan, True)


def push_sums_at_hand(scan: Scan) -> int:
    """Sum up what is at hand, and was added to a carried value, after the loop."""
    return _push_sums(scan, False)
