"""Loops taken apart, so that rules can change them, and put together again.

Outside of a loop stand *placeholders*, symbols for its results. What stands for a result of the node that was given is
an expression over nodes of the graph around and placeholders: at first a placeholder itself, later perhaps a sum over a
whole stack of results. Rules may also ask for results that a scan did not have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Any

from septet.graph.assemble import apply, has_effect
from septet.graph.graph import Graph, order, substitute
from septet.graph.node import CONSTANT, Node, symbol
from septet.graph.op import CONTRACTION, ELEMENTWISE, LEAF, MOVEMENT, REDUCTION, Op, items
from septet.graph.types import TensorType, tensor_type
from septet.ops.batching import batch, has_batch
from septet.ops.control import Parts
from septet.optimize.fuse import is_view

FIXED, STEPWISE, CARRIED = 0, 1, 2
"""What a value in the body depends on: nothing but constants; elements of sequences; carried values."""


class Loop:
    """The parts of a loop: what scans and while loops share.

    Attributes
    ----------
    node : Node
        That was given.
    initial, constants, sequences : list of Node
        Operands: nodes of the graph around, or expressions.
    carried, fixed, elements : list of Node
        What stands for them in the body.
    after, results : list of Node
        What the body computes: the next carried values, and the results of a step.
    tests : list of Node
        What tells whether to go on.
    finals, stacks : list of Node
        Placeholders: the last carried values, and the results of all steps.
    outside : list of Node or None
        What stands for each result of the given node; None where nobody wants it.
    known : dict of Node to Node
        Placeholders that are expressions over others.
    asked : set of Node
        Placeholders that other loops use.
    steps : int or None
        How many there are, where that is known.
    is_changed : bool
        Whether a rule has changed it.
    is_gone : bool
        Whether everything that it computed is computed elsewhere.
    """

    def __init__(self, node: Node, wanted: Set[int], around: Set[Node], body: Graph, carries: int) -> None:
        self.node = node
        self.name = body.name
        self._around = around
        self.initial, self.constants = list(node.inputs[:carries]), list(node.inputs[carries:])
        self.sequences: list[Node] = []
        self.carried, self.fixed = list(body.inputs[:carries]), list(body.inputs[carries:])
        self.elements: list[Node] = []
        self.after, self.results = list(body.outputs[:carries]), list(body.outputs[carries:])
        self.tests: list[Node] = []
        types: Any = node.type
        self.finals = [_placeholder(type_) for type_ in types[:carries]]
        self.stacks = [_placeholder(type_) for type_ in types[carries:]]
        self.outside = [p if i in wanted else None for i, p in enumerate((*self.finals, *self.stacks))]
        self.known: dict[Node, Node] = {}
        self.asked: set[Node] = set()
        self.steps: int | None = None
        self.is_changed = False
        self.is_gone = False

    # The body.

    @property
    def roots(self) -> list[Node]:
        """What a step computes."""
        return [*self.after, *self.results, *self.tests]

    def nodes(self) -> list[Node]:
        """Return the nodes of the body, inputs before users."""
        return order(self.roots)

    def levels(self) -> dict[Node, int]:
        """Return what each node of the body depends on."""
        found = {**dict.fromkeys(self.elements, STEPWISE), **dict.fromkeys(self.carried, CARRIED)}
        for node in self.nodes():
            if node not in found:
                found[node] = max([found[source] for source in node.inputs], default=FIXED)
        return found

    def users(self) -> dict[Node, list[Node]]:
        """Return the users of each node in the body."""
        found: dict[Node, list[Node]] = {}
        for node in self.nodes():
            found[node] = []
            for source in dict.fromkeys(node.inputs):
                found[source].append(node)
        return found

    def replace(self, mapping: Mapping[Node, Node]) -> None:
        """Put nodes of the body in the place of others."""
        moved = iter(substitute(self.roots, mapping))
        for part in (self.after, self.results, self.tests):
            part[:] = [next(moved) for _ in part]

    def constant(self, outer: Node, type_: TensorType | None = None) -> Node:
        """Return the symbol of the body for a value from outside."""
        type_ = type_ or outer.tensor_type
        for own, known in zip(self.fixed, self.constants, strict=True):
            if known is outer and own.type is type_:
                return own
        own = symbol(type_)
        self.constants.append(outer)
        self.fixed.append(own)
        return own

    def drop_carry(self, index: int) -> None:
        """Forget a carried value that nothing needs any more."""
        for parts in (self.carried, self.initial, self.after, self.finals):
            del parts[index]

    def new_final(self, index: int) -> Node:
        """Return a fresh placeholder for the last of a carried value that has become another one."""
        self.finals[index] = _placeholder(self.finals[index].tensor_type)
        return self.finals[index]

    def settle(self, placeholder: Node, expression: Node) -> None:
        """Say what a placeholder is."""
        self.known[placeholder] = expression

    # Putting it together.

    def _own(self, *expressions: Node) -> list[Node]:
        """Return the nodes of expressions that are not of the graph around."""
        return [n for n in order(expressions, stop=lambda n: n in self._around) if n not in self._around]

    def _wanted(self) -> list[Node]:
        return [node for node in self.outside if node is not None] + list(self.asked)

    def _needed(self) -> set[Node]:
        """Return the placeholders that the wanted expressions are made of in the end."""
        own = {*self.finals, *self.stacks}
        seen: set[Node] = set()
        pending = self._wanted()
        while pending:
            for node in self._own(pending.pop()):
                if (node in own or node in self.known) and node not in seen:
                    seen.add(node)
                    if node in self.known:
                        pending.append(self.known[node])
        return {node for node in seen if node not in self.known}

    def _live(self, needed: set[Node]) -> tuple[list[int], list[int], set[Node]]:
        """Return which carried values and which results are needed, and the nodes of the body that they need."""
        live = {i for i, final in enumerate(self.finals) if final in needed}
        kept = [i for i, stack in enumerate(self.stacks) if stack in needed]
        while True:  # a carried value is needed if its last one is asked for, or if the step uses it for what is needed
            reached = set(order([*[self.after[i] for i in live], *[self.results[i] for i in kept], *self.tests]))
            grown = live | {i for i, own in enumerate(self.carried) if own in reached}
            if grown == live:
                return sorted(live), kept, reached
            live = grown

    def put_together(self, moved: dict[Node, Node], change: Callable[[Graph], Graph]) -> list[Node | None]:
        """Build the changed loop.

        Parameters
        ----------
        moved : dict
            Nodes of the graph around to what has become of them. What the placeholders stand for is entered here.
        change : callable
            What to do with the changed body.

        Returns
        -------
        list
            What stands for the results of the given node; None for those that nobody wants.
        """
        live, kept, reached = self._live(self._needed())
        if live or kept:
            fresh = items(self._build(live, kept, reached, moved, change))
            moved.update(zip([*[self.finals[i] for i in live], *[self.stacks[i] for i in kept]], fresh, strict=True))
        for node in self._known_in_order():
            moved[node] = substitute([self.known[node]], moved)[0]
        return [None if node is None else substitute([node], moved)[0] for node in self.outside]

    def _build(
        self, live: list[int], kept: list[int], reached: set[Node], moved: dict[Node, Node],
        change: Callable[[Graph], Graph],
    ) -> Node:  # fmt: skip
        raise NotImplementedError

    def _apply(self, operands: Sequence[Node], params: tuple[Any, ...], moved: dict[Node, Node]) -> Node:
        old = self.node
        return apply(old.op, tuple(substitute(operands, moved)), params, old.source, old.layers, old.flags)

    def _known_in_order(self) -> Iterable[Node]:
        """Return the placeholders that are expressions, and are needed, after those that they are made of."""
        done: dict[Node, None] = {}
        pending = [n for n in self._own(*self._wanted()) if n in self.known]
        while pending:
            node = pending[-1]
            waiting = [n for n in self._own(self.known[node]) if n in self.known and n not in done]
            if waiting:
                pending.extend(waiting)
                continue
            pending.pop()
            done[node] = None
        return done


class While(Loop):
    """The parts of a `while_loop`; its condition looks at the symbols of the body."""

    def __init__(self, node: Node, wanted: Set[int], around: Set[Node]) -> None:
        condition, body, carries = node.params
        super().__init__(node, wanted, around, body, carries)
        self.tests = substitute(condition.outputs, dict(zip(condition.inputs, body.inputs, strict=True)))

    def _build(
        self, live: list[int], kept: list[int], reached: set[Node], moved: dict[Node, Node],
        change: Callable[[Graph], Graph],
    ) -> Node:  # fmt: skip
        fixed = [i for i, own in enumerate(self.fixed) if own in reached]
        symbols = [*[self.carried[i] for i in live], *[self.fixed[i] for i in fixed]]
        body = change(Graph(symbols, [self.after[i] for i in live], name=self.name))
        condition = change(Graph(symbols, self.tests, name=self.node.param("condition").name))
        operands = [*[self.initial[i] for i in live], *[self.constants[i] for i in fixed]]
        return self._apply(operands, (condition, body, len(live)), moved)


class Scan(Loop):
    """The parts of a `scan`.

    Attributes
    ----------
    length : int, Node or None
        None where a sequence has it.
    reverse : bool
    """

    def __init__(self, node: Node, wanted: Set[int], around: Set[Node]) -> None:
        body, carries, sequences, length, reverse = node.params
        super().__init__(node, wanted, around, body, carries)
        parts = Parts(node.inputs, carries, sequences, length)
        self.length = parts.length
        self.steps = self.length if isinstance(self.length, int) else None
        self.reverse = reverse
        self.sequences, self.constants = parts.sequences, parts.constants
        self.elements, self.fixed = self.fixed[:sequences], self.fixed[sequences:]

    def element(self, stack: Node, type_: TensorType) -> Node:
        """Return the symbol of the body for the elements of a sequence from outside."""
        for own, known in zip(self.elements, self.sequences, strict=True):
            if known is stack and own.type is type_:
                return own
        own = symbol(type_)
        self.sequences.append(stack)
        self.elements.append(own)
        return own

    def result(self, node: Node) -> Node:
        """Return the stack of a node's values; the node becomes a result if it is none."""
        if node in self.elements:
            return self.sequences[self.elements.index(node)]
        if node in self.results:
            return self.stacks[self.results.index(node)]
        stack = _placeholder(self.stack_type(node))
        self.results.append(node)
        self.stacks.append(stack)
        return stack

    def stack_type(self, node: Node) -> TensorType:
        """Return the type of the stack of a node's values."""
        return tensor_type(node.dtype, (self.steps, *node.shape))

    def is_at_hand(self, node: Node) -> bool:
        """Tell whether the stack of a node's values is there without keeping more than the loop keeps."""
        return self._source_at_hand(node) is not None

    def _source_at_hand(self, node: Node) -> Node | None:
        """Return the element or result that a node is, or a view of."""
        while node not in self.elements and node not in self.results:
            if not is_view(node) or not has_batch(node.op):
                return None
            (node,) = node.inputs
        return node

    def stack(self, node: Node) -> Node:
        """Return an expression for the stack of a node's values; views are taken of what is at hand."""
        base = self._source_at_hand(node)
        if base is None:
            return self.result(node)
        return self.lift([node], {base: self.result(base)})[node][0]

    def lift(self, roots: Sequence[Node], stacks: Mapping[Node, Node]) -> dict[Node, tuple[Node, bool]]:
        """Compute nodes of the body outside: for all steps at once, or once where they are the same in each.

        Parameters
        ----------
        roots : sequence of Node
        stacks : mapping
            Nodes of the body to the stacks of their values.

        Returns
        -------
        dict
            Node of the body to what stands for it outside, and whether that is a stack.
        """
        found: dict[Node, tuple[Any, bool]] = {node: (stack, True) for node, stack in stacks.items()}
        for own, outer in zip(self.fixed, self.constants, strict=True):
            found.setdefault(own, (outer, False))
        for node in order(roots, stop=lambda n: n in found):
            if node in found:
                continue
            inputs = [found[source][0] for source in node.inputs]
            marks = [found[source][1] for source in node.inputs]
            if any(marks):
                value = batch(node, marks, inputs)
                found[node] = value, isinstance(value, tuple) or value.ndim > node.ndim
            else:
                found[node] = substitute([node], dict(zip(node.inputs, inputs, strict=True)))[0], False
        return found

    def _build(
        self, live: list[int], kept: list[int], reached: set[Node], moved: dict[Node, Node],
        change: Callable[[Graph], Graph],
    ) -> Node:  # fmt: skip
        steps = [i for i, own in enumerate(self.elements) if own in reached]
        if self.length is None and not steps:
            steps = [0]  # one sequence must stay: it has the length
        fixed = [i for i, own in enumerate(self.fixed) if own in reached]
        symbols = [self.carried[i] for i in live] + [self.elements[i] for i in steps] + [self.fixed[i] for i in fixed]
        body = Graph(symbols, [self.after[i] for i in live] + [self.results[i] for i in kept], name=self.name)
        operands = [self.initial[i] for i in live] + [self.sequences[i] for i in steps]
        operands += [self.constants[i] for i in fixed]
        length = self.length
        if isinstance(length, Node):
            operands += [] if steps else [length]
            length = None
        return self._apply(operands, (change(body), len(live), len(steps), length, self.reverse), moved)


def _placeholder(type_: TensorType) -> Node:
    return symbol(type_, "loop", is_tracked=False)


_SAFE = (ELEMENTWISE, REDUCTION, MOVEMENT, CONTRACTION, LEAF)


def may_move(node: Node, steps: int | None) -> bool:
    """Tell whether a node of a body may be computed outside of the loop, once or for all steps at once.

    What can find an error in values is only computed where the loop, which has `steps` steps, would compute it too.
    """
    op = node.op
    if not isinstance(op, Op):
        return op is CONSTANT
    if has_effect(node) or op.is_immediate or op.name == "callback":
        return False
    return op.kind in _SAFE or bool(steps)
