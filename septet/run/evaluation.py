"""One evaluation of a pending graph that is not compiled as a whole: unit by unit, natively where units are compiled.

Native units are not run one by one. What they are called with is written to a list, and the list is run at the end, or
when something has to be computed with NumPy. So a graph that is another one each time (trees, sequences of different
lengths) costs a few list entries for each node.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from itertools import repeat
from typing import Any, ClassVar

import numpy as np

from septet.backends.reference.kernels import computer
from septet.backends.reference.program import run_graph
from septet.graph.assemble import has_effect
from septet.graph.node import SYMBOL, VARIABLE, Node
from septet.graph.op import ITEM
from septet.ops.call import call
from septet.run.backward import NativePull, NotReady, want_all
from septet.run.programs import give_back, native_calls
from septet.run.units import Unit, unit_of, unit_of_graph
from septet.tensor.tensor import traced_error
from septet.tensor.variable import is_replaced, replaced_error
from septet.transform.pullback import Pullback, Row

COMPILE = "compile"
"""How to go on: compile the graph at once, as a whole."""
ALONE = "alone"
"""How to go on: with NumPy, and no unit is compiled beside it, which would take long from both."""


_set_value = vars(Node)["value"].__set__  # without a line of Python: see `septet.tensor.variable`


class ValueFailure(Exception):
    """A native unit found an error in values; computing with NumPy tells which."""


class TakesLong(Exception):
    """Compiling the graph is better than computing it with NumPy; no effect has happened yet."""


class Evaluation:
    """The state of an evaluation.

    Parameters
    ----------
    uses : dict of Node to int
        How often each node is an input of pending nodes.
    kept : set of Node
        What must have a value afterwards.
    owned : set of Node
        What must lie in an array, because a kept node shows it.
    is_native : bool
        Whether units are compiled and run natively.
    judge : callable, optional
        Asked once, before the first unit or backward pass that is not compiled, how to go on: `COMPILE`, `ALONE`, or
        None.
    """

    __slots__ = (
        "bases", "calls", "compute", "computed", "gradients", "is_native", "judge", "kept", "located", "number",
        "owned", "passing", "places", "sizes", "uses",
    )  # fmt: skip

    quick: ClassVar[Any] = None
    """The native form of what `run` does for most nodes, where there is one: see `run.recorder`."""
    count: ClassVar[Any] = None
    """That of `_count_down`."""

    _number: ClassVar[int] = 0
    # Evaluations under way: one inside of another comes from a Python function that a node calls, or from the handler
    # of a signal. It is not native: units may be in the midst of a run.
    _open: ClassVar[int] = 0

    def __init__(
        self, uses: dict[Node, int], kept: set[Node], owned: set[Node], is_native: bool,
        judge: Callable[[], str | None] | None = None,
    ) -> None:  # fmt: skip
        self.judge = judge
        if is_native:
            Evaluation._number += 1
        self.number = Evaluation._number
        self.compute = computer()
        self.uses = uses
        self.kept = kept
        self.owned = owned
        self.is_native = is_native and not Evaluation._open
        self.calls: Any = None  # from the start where `quick` is used, else from the first native unit on
        self.places: dict[Node, int] = {}  # where values lie that native units read or write
        self.sizes: dict[Node, int] = {}  # bytes of those that lie in working memory
        self.bases: dict[Node, int] = {}  # where leaves lie that others are parts of; 0 for those in no order
        self.located: list[Node] = []  # those that lie in arrays of others
        self.computed: list[Node] = []  # nodes that were given a value
        self.passing: set[Node] = set()  # those of them whose value goes after its last use
        self.gradients: dict[Node, list[tuple[int, int]]] = {}  # place and size of the results of backward passes

    def run(self, nodes: Sequence[Node]) -> None:
        """Compute nodes, inputs before users; values that nobody keeps are dropped after their last use.

        Raises
        ------
        ValueFailure
            If a native unit found an error.
        TakesLong
            If the graph should be compiled instead.
        """
        is_native = self.is_native
        quick = Evaluation.quick if is_native else None
        if quick is not None:
            self.calls = native_calls()
        Evaluation._open += 1
        try:
            number = 0
            while number < len(nodes):
                if quick is not None:
                    number = quick(self, nodes, number)
                    if number == len(nodes):
                        break
                node = nodes[number]
                number += 1
                if node.value is not None:
                    continue
                resolution = node.resolution
                if is_native and resolution is not None:
                    unit = resolution.unit or unit_of(resolution)
                    piece = None
                    if unit.offset is not None and self._is_settled(node.inputs[0]):
                        if self._show(node, unit.offset):
                            continue  # otherwise NumPy shows it without a copy too
                    else:
                        piece = unit.piece or self._want(unit)
                    if piece is not None:
                        self._call(node, piece)
                        continue
                self._compute(node)
                is_native = self.is_native
            self._flush()
        except BaseException:
            deque(map(_set_value, self.computed, repeat(None)), 0)  # as a whole: Ctrl-C may come twice
            raise
        finally:
            Evaluation._open -= 1
            if self.calls is not None:
                give_back(self.calls)
        for node in self.computed:
            if node not in self.kept:
                node.value = None

    # Native units.

    def _want(self, unit: Unit) -> Any:
        """Note that there is use for a unit; return its piece where its time has come."""
        if unit.is_new:
            self._ask()
        return unit.want(self.number) if self.is_native else None

    def _want_all(self, graph: Pullback) -> bool:
        """Note that there is use for the units of a backward pass; tell whether their time has come."""
        if any(own.graph is not None and (own.unit is None or own.unit.is_new) for own, *_ in graph.rows):
            self._ask()
        return self.is_native and want_all(graph, self.number)

    def _call(self, node: Node, piece: Any) -> None:
        """Put the call of a node's unit on the list. Written for speed: every native unit passes here."""
        calls = self.calls
        if calls is None:
            calls = self.calls = native_calls()
        flat, places, uses, sizes = calls.list, self.places, self.uses, self.sizes
        flat.append(piece.address)
        inputs = node.inputs
        for source in inputs:
            flat.append(places.get(source) or self._locate(source))
        if piece.arena > calls.arena:
            calls.arena = piece.arena
        has_several = type(node.type) is tuple
        if has_several or node in self.kept or node in self.owned:
            arrays = calls.arrays(piece)
            if has_several:
                self._give(node, tuple(arrays))
            else:
                places[node] = flat[-1]
                self._give(node, arrays[0])
        else:
            size = sizes[node] = piece.size
            free = calls.free.get(size)
            place = places[node] = free.pop() if free else calls.take(size)
            flat.append(place)
        for source in inputs:
            uses[source] = left = uses[source] - 1
            if not left:
                self._release(source)

    @staticmethod
    def _is_settled(node: Node) -> bool:
        """Tell whether a node is a leaf with a value."""
        return node.value is not None and not node.inputs

    def _show(self, node: Node, offset: int) -> bool:
        """Let a node be a part of the value of a leaf, where it lies; False where it has to be computed."""
        (source,) = node.inputs
        if self.calls is None or node in self.kept or node in self.owned:
            return False
        base = self.bases.get(source)
        if base is None:
            base = self.bases[source] = self.calls.home(source.value)
        if not base:
            return False
        self.places[node] = base + offset
        self.uses[source] -= 1
        return True

    def _locate(self, node: Node) -> int:
        """Return where the value of a node lies that native units have not made."""
        array = node.value if node.value is not None else node.inputs[0].value[node.params[0]]
        self.places[node] = place = self.calls.address(array)
        self.located.append(node)
        return place

    def _flush(self) -> None:
        """Run the calls on the list."""
        if self.calls is None:
            return
        if not self.calls.run():
            raise ValueFailure
        for node in self.located:  # their memory was held for the calls alone
            self.places.pop(node, None)
        self.located.clear()

    # Values.

    def _give(self, node: Node, value: Any) -> None:
        node.value = value
        self.computed.append(node)
        if node not in self.kept and node not in self.owned:
            self.passing.add(node)

    def _count_down(self, nodes: tuple[Node, ...]) -> None:
        if Evaluation.count is not None:
            Evaluation.count(self, nodes)
            return
        uses = self.uses
        for node in nodes:
            uses[node] = left = uses[node] - 1
            if not left:
                self._release(node)

    def _release(self, node: Node) -> None:
        """Forget a value that nobody needs any more."""
        size = self.sizes.pop(node, 0)
        if size:
            self.calls.give(self.places.pop(node), size)
        elif node in self.passing:
            node.value = None

    def _array(self, node: Node) -> np.ndarray:
        """Return a value as an array; the list is empty."""
        if node.value is not None:
            return node.value
        place = self.places.get(node)
        if place is not None:
            return self.calls.copy(place, node.shape, node.dtype)
        return node.inputs[0].value[node.params[0]]

    # What is not a native unit.

    def _compute(self, node: Node) -> None:
        """Compute a node: with NumPy, where it is an op."""
        sources, op = node.inputs, node.op
        if op is SYMBOL or (op is VARIABLE and not sources):
            if is_replaced(node):
                raise replaced_error(node, "a value was asked for")
            raise traced_error(node, "a value was asked for that depends on a symbol")
        if op is VARIABLE:
            value = sources[0].value
            if value is None:  # nobody asks for this value: the variable was assigned to again
                self._flush()
                value = self._array(sources[0])
            self._give(node, value)
        elif op is ITEM:
            self._item(node)
        elif op is call and isinstance(node.params[0], Pullback):
            self._pull_back(node, node.params[0])
        elif op is call and self._call_graph(node):
            return
        else:
            if not self.is_native or has_effect(node):
                self._ask()
            if not all([self._is_settled(source) for source in sources]):
                self._flush()
            self._give(node, self.compute(node, [self._array(source) for source in sources], run_graph))
        self._count_down(sources)

    def _ask(self) -> None:
        """Ask once whether the graph should be compiled. Units that are native have only been listed by then."""
        if self.judge is None:
            return
        verdict, self.judge = self.judge(), None
        if verdict == COMPILE:
            raise TakesLong
        if verdict == ALONE:
            self.is_native = False

    def _item(self, node: Node) -> None:
        """Select one of several results."""
        (source,), (index,) = node.inputs, node.params
        found = self.gradients.get(source)
        if found is not None:  # calls read the block; an array that shows it is filled when they have run
            self.places[node], size = found[index]
        if source.value is not None:
            self._give(node, source.value[index])
        elif node in self.kept or node in self.owned:
            self._give(node, self.calls.filled(self.places[node], node.shape, node.dtype))
        elif size:
            self.sizes[node] = size

    def _call_graph(self, node: Node) -> bool:
        """Put the call of a graph on the list, where it is compiled."""
        if not self.is_native:
            return False
        unit = unit_of_graph(node.params[0])
        piece = unit.piece or self._want(unit)
        if piece is None:
            return False
        self._call(node, piece)
        return True

    # Backward passes.

    def _pull_natively(self, node: Node, graph: Pullback) -> bool:
        """Put the calls of a backward pass on the list; False where one of its units is not compiled."""
        if self.calls is None:
            if not self._want_all(graph):
                return False
            self.calls = native_calls()
        before = len(self.calls.list)
        try:
            found = NativePull(self, node.inputs, graph).run()
        except NotReady:
            del self.calls.list[before:]
            if not self._want_all(graph):
                return False
            found = NativePull(self, node.inputs, graph).run()
        self.gradients[node] = found
        if node in self.kept:
            parts = zip(found, graph.results, strict=True)
            self._give(node, tuple([self.calls.filled(place, t.shape, t.dtype) for (place, _), t in parts]))
        return True

    def _pull_back(self, node: Node, graph: Pullback) -> None:
        """Compute a backward pass, natively where all of its units are compiled."""
        if self.is_native and self._pull_natively(node, graph):
            return
        if not self.is_native:
            self._ask()
        self._flush()

        def pull(row: Row, g: np.ndarray) -> Any:
            own, _, _, takes = row
            if own.graph is None:
                return own.spread(g, ())
            return own.spread(g, unit_of_graph(own).run([self._array(node.inputs[i]) if i else g for i in takes]))

        def add(number: int, before: np.ndarray, g: np.ndarray) -> np.ndarray:
            return np.asarray(before + g)

        self._give(node, tuple(graph.walk(self._array(node.inputs[0]), pull, add)))
