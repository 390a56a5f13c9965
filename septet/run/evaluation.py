"""One evaluation of a pending graph that is not compiled as a whole: unit by unit, natively where units are compiled.

Native units are not run one by one. What they are called with is written to a list, and the list is run at the end, or
when something has to be computed with NumPy. So a graph that is another one each time (trees, sequences of different
lengths) costs a few list entries for each node.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from septet.backends.reference.kernels import computer
from septet.backends.reference.program import run_graph
from septet.graph.node import SYMBOL, VARIABLE, Node
from septet.graph.op import ITEM
from septet.ops.control import call
from septet.run.programs import native_calls
from septet.run.units import sum_of, unit_of, unit_of_graph
from septet.tensor.tensor import traced_error
from septet.transform.pullback import Pullback, Row


class ValueFailure(Exception):
    """A native unit found an error in values; computing with NumPy tells which."""


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
    """

    _number = 0

    def __init__(self, uses: dict[Node, int], kept: set[Node], owned: set[Node], is_native: bool) -> None:
        if is_native:
            Evaluation._number += 1
        self.number = Evaluation._number
        self.compute = computer()
        self.uses = uses
        self.kept = kept
        self.owned = owned
        self.is_native = is_native
        self.calls: Any = None  # from the first native unit on
        self.places: dict[Node, int] = {}  # where values lie that native units read or write
        self.sizes: dict[Node, int] = {}  # bytes of those that lie in working memory
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
        """
        is_native = self.is_native
        try:
            for node in nodes:
                if node.value is not None:
                    continue
                resolution = node.resolution
                if is_native and resolution is not None:
                    unit = resolution.unit or unit_of(resolution)
                    piece = unit.piece or unit.want(self.number)
                    if piece is not None:
                        self._call(node, piece)
                        continue
                self._compute(node)
            self._flush()
        except BaseException:
            for node in self.computed:
                node.value = None
            raise
        finally:
            if self.calls is not None:
                self.calls.end()
        for node in self.computed:
            if node not in self.kept:
                node.value = None

    # Native units.

    def _call(self, node: Node, piece: Any) -> None:
        """Put the call of a node's unit on the list."""
        if self.calls is None:
            self.calls = native_calls()
        calls, places, uses = self.calls.list, self.places, self.uses
        calls.append(piece.address)
        for source in node.inputs:
            place = places.get(source)
            calls.append(self._locate(source) if place is None else place)
        self.calls.need(piece.arena)
        if type(node.type) is tuple or node in self.kept or node in self.owned:
            arrays = self.calls.arrays(piece)
            if type(node.type) is tuple:
                self._give(node, tuple(arrays))
            else:
                places[node] = calls[-1]
                self._give(node, arrays[0])
        else:
            (size,) = piece.sizes
            self.sizes[node] = size
            places[node] = place = self.calls.take(size)
            calls.append(place)
        for source in node.inputs:
            uses[source] = left = uses[source] - 1
            if not left:
                self._release(source)

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

    def _count_down(self, nodes: Sequence[Node]) -> None:
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
            raise traced_error(node, "a value was asked for that depends on a symbol")
        if op is VARIABLE:
            self._give(node, sources[0].value)
        elif op is ITEM:
            self._item(node)
        elif op is call and isinstance(node.params[0], Pullback):
            self._pull_back(node, node.params[0])
        elif op is call and self._call_graph(node):
            return
        else:
            self._flush()
            self._give(node, self.compute(node, [self._array(source) for source in sources], run_graph))
        self._count_down(sources)

    def _item(self, node: Node) -> None:
        """Select one of several results."""
        (source,), (index,) = node.inputs, node.params
        if source.value is not None:
            self._give(node, source.value[index])
            return
        place, size = self.gradients[source][index]
        self.places[node] = place
        if node in self.kept or node in self.owned:  # the block stays: it is copied when the calls have run
            self._give(node, self.calls.filled(place, node.shape, node.dtype))
        elif size:
            self.sizes[node] = size

    def _call_graph(self, node: Node) -> bool:
        """Put the call of a graph on the list, where it is compiled."""
        if not self.is_native:
            return False
        unit = unit_of_graph(node.params[0])
        piece = unit.piece or unit.want(self.number)
        if piece is None:
            return False
        self._call(node, piece)
        return True

    # Backward passes.

    def _pull_back(self, node: Node, graph: Pullback) -> None:
        """Compute a backward pass, natively where all of its units are compiled."""
        if self.is_native and _is_ready(graph, self.number):
            self.calls = self.calls or native_calls()
            found = _NativePull(self, node.inputs).run(graph)
            if node in self.kept:
                parts = zip(found, graph.results, strict=True)
                self._give(node, tuple([self.calls.filled(place, t.shape, t.dtype) for (place, _), t in parts]))
            else:
                self.gradients[node] = found
            return
        self._flush()

        def pull(row: Row, g: np.ndarray) -> Any:
            own, y, inputs = row
            if own.graph is None:
                return own.spread(g, ())
            values = (y, *inputs)
            takes = [g if i == 0 else self._array(node.inputs[values[i - 1]]) for i in own.takes]
            return own.spread(g, unit_of_graph(own).run(takes))

        def add(number: int, before: np.ndarray, g: np.ndarray) -> np.ndarray:
            return np.asarray(before + g)

        self._give(node, tuple(graph.walk(self._array(node.inputs[0]), pull, add)))


def _is_ready(graph: Pullback, evaluation: int) -> bool:
    """Tell whether all units of a backward pass are compiled, and note that they are wanted."""
    is_ready = True
    for own, _, _ in graph.rows:
        if own.graph is not None:
            unit = own.unit or unit_of_graph(own)
            if unit.piece is None and unit.want(evaluation) is None:
                is_ready = False
    for type_ in graph.shared:
        unit = sum_of(type_)
        if unit.piece is None and unit.want(evaluation) is None:
            is_ready = False
    return is_ready


class _NativePull:
    """Puts the calls of a backward pass on the list of an evaluation.

    Cotangents are known by where they lie. One that only a single value has received so far is `single`: what comes
    later is added in its place, and its memory is used again when it is done with.
    """

    def __init__(self, evaluation: Evaluation, inputs: Sequence[Node]) -> None:
        self.evaluation = evaluation
        self.calls = evaluation.calls
        self.inputs = inputs
        self.single: dict[int, int] = {}  # place -> size

    def run(self, graph: Pullback) -> list[tuple[int, int]]:
        """Return where the results lie, and bytes to give back (0 where it is not known that nobody else has them)."""
        self.types = graph.types
        found = graph.walk(self._place(0), self._pull, self._add)
        return [(place, self.single.pop(place, 0)) for place in found]

    def _place(self, number: int) -> int:
        node = self.inputs[number]
        place = self.evaluation.places.get(node)
        return self.evaluation._locate(node) if place is None else place

    def _pull(self, row: Row, g: int) -> Any:
        own, y, inputs = row
        calls, single = self.calls, self.single
        results: list[int] = []
        if own.graph is not None:
            piece = own.unit.piece
            calls.need(piece.arena)
            calls.list.append(piece.address)
            for i in own.takes:
                calls.list.append(g if i == 0 else self._place(y if i == 1 else inputs[i - 2]))
            for size in piece.sizes:
                place = calls.take(size)
                single[place] = size
                results.append(place)
            calls.list += results
        if len(own.passes) != 1 and g in single:
            size = single.pop(g)
            if not own.passes:
                calls.give(g, size)
        return own.spread(g, results)

    def _add(self, number: int, before: int, g: int) -> int:
        calls, single = self.calls, self.single
        piece = sum_of(self.types[number]).piece
        (size,) = piece.sizes
        goal = before
        if before not in single:
            goal = calls.take(size)
            single[goal] = size
        calls.list += (piece.address, before, g, goal)
        if g in single:
            calls.give(g, single.pop(g))
        return goal
