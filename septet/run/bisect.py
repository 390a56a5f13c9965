"""`check.bisect`: the first node that a backend, or the optimizer, computes wrongly.

The reference backend without optimizations says what is right, node by node; float64 says how right it is: what
differs from the reference in its last bits only is no finding, and what is closer to float64 than the reference is an
improvement.

First every node of the graph becomes a result, so that all are computed in one run. A node is wrong if it is not what
the reference makes of the values that its inputs have in that run, nor close to what the whole graph gives in float64.
Where none is wrong and the results of the graph as it is are, the error hides when nodes in between are kept: then
sub-graphs that end at a node are run, and halved, until one is wrong whose inputs are all right.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from septet.backends.reference.program import run_graph
from septet.base import dtypes
from septet.base.config import config
from septet.base.source import source_text
from septet.base.text import plural
from septet.graph.derived import lines_about
from septet.graph.graph import Graph, order
from septet.graph.node import CONSTANT, VARIABLE, Node
from septet.graph.op import ELEMENTWISE, ITEM, Op
from septet.graph.reference import compute
from septet.graph.report import argument_names
from septet.graph.types import TensorType
from septet.run.compile import compile
from septet.run.precision import exact_values, exactly, spacing, wide
from septet.run.programs import REFERENCE, make_program
from septet.run.runnable import target_of
from septet.run.sheets import Sheet, Shown
from septet.run.target import Target
from septet.tensor.standard import finfo

TOLERANCE = 16.0


class Bisection(Shown):
    """What `check.bisect` found; true where something is wrong.

    Attributes
    ----------
    node : Node or None
        The first node that is wrong.
    position : tuple of int
        Of the element that is farthest off.
    value, reference, exact : number
        That element as it was computed, by the reference, and in float64.
    error, reference_error : float
        Their distances from float64 in ULP, units in the last place of the node's dtype.
    count : int
        How many elements are wrong.
    alone : bool
        Whether it shows only when nothing in between is kept.
    """

    def __init__(self, call: str, ways: str, count: int) -> None:
        self.call = call
        self.ways = ways
        self.nodes = count
        self.node: Node | None = None
        self.position: tuple[int, ...] = ()
        self.value: Any = None
        self.reference: Any = None
        self.exact: Any = None
        self.error = self.reference_error = 0.0
        self.count = 0
        self.alone = False
        self._inputs: list[tuple[str, str]] = []

    def __bool__(self) -> bool:
        return self.node is not None

    def heading(self) -> str:
        """Return the verdict."""
        if self.node is None:
            return f"{self.call}: {self.ways} agree in {plural(self.nodes, 'node')}"
        node = self.node
        size = node.tensor_type.size or self.count
        lines = [
            f"{self.call}: {self.ways} differ first in {node.op.name}, {node.type!r}",
            f"  {self.count:,} of {plural(size, 'element')}, the farthest at {self.position}",
            *lines_about(node.layers),
        ]
        place = source_text(node.source)
        if place:
            lines.append(f"  at {place}")
        if self.alone:
            lines.append("  only when the values in between are not kept: look at what it is fused with")
        return "\n".join(lines)

    def sheets(self) -> list[Sheet]:
        """Return the values."""
        if self.node is None:
            return []
        rows = [
            ("computed", repr(self.value), f"{self.error:.4g}"),
            ("by the reference", repr(self.reference), f"{self.reference_error:.4g}"),
            ("in float64", repr(self.exact), ""),
            *[(f"input {name}", text, "") for name, text in self._inputs],
        ]
        return [Sheet("", ("", "value", "error in ULP"), rows, "llr", {1: "end"})]

    def find(self, node: Node, wrong: np.ndarray, values: tuple[Any, Any, Any], sources: Sequence[Any]) -> None:
        """Take in a finding: where `wrong` is true, the first of the values is."""
        found, reference, exact = values
        unit = _unit(node, exact, reference)
        with np.errstate(all="ignore"):
            errors = np.abs(wide(found) - exact) / unit if unit is not None else wrong.astype(np.float64)
        errors = np.where(wrong, np.where(np.isfinite(errors), errors, np.inf), -1.0)
        place = tuple(int(i) for i in np.unravel_index(int(np.argmax(errors)), errors.shape))
        self.node, self.position, self.count = node, place, int(wrong.sum())
        self.value, self.reference, self.exact = found[place].item(), reference[place].item(), exact[place].item()
        if unit is not None:
            self.error = float(errors[place])
            self.reference_error = float(np.abs(wide(reference)[place] - exact[place]) / unit[place])
        names = argument_names(node.op.input_names, len(sources)) if isinstance(node.op, Op) else []
        for name, source in zip(names, sources, strict=False):
            if isinstance(source, np.ndarray) and node.op.kind == ELEMENTWISE:
                self._inputs.append((name, repr(np.broadcast_to(source, found.shape)[place].item())))


class _Trial:
    """A graph, its values by the reference and in float64, and how it is computed otherwise."""

    def __init__(self, target: Target, backend: str, level: str, tolerance: float) -> None:
        self.graph, self.arrays = target.graph, target.arrays
        self.backend, self.level, self.tolerance = backend, level, tolerance
        self.nodes = [node for node in self.graph.nodes if isinstance(node.op, Op) and _is_tensor(node)]
        everything = REFERENCE.compile(Graph(self.graph.inputs, self.nodes))
        self.reference: dict[Node, Any] = dict(zip(self.nodes, everything(self.arrays), strict=True))
        self.exact = exact_values(self.graph, self.arrays, self.reference)

    def run(self, nodes: Sequence[Node]) -> list[Any]:
        """Return the values of some nodes, computed in the way that is examined."""
        with config.override(backend=self.backend):
            program = make_program(Graph(self.graph.inputs, nodes), level=self.level)
        results: list[Any] = program(self.arrays)
        return results

    def leaf(self, node: Node) -> Any:
        """Return the value of a leaf."""
        if node.op is VARIABLE:
            return node.params[0].current()
        return node.value if node.op is CONSTANT else self.arrays[self.graph.inputs.index(node)]

    def wrong_as_a_whole(self, node: Node, value: Any) -> np.ndarray:
        """Return where a value is not what the whole graph gives, within what rounding does to the reference."""
        reference, exact = self.reference[node], self.exact[node]
        unit = _unit(node, exact, reference)
        if unit is None:
            return np.asarray(value != reference)
        with np.errstate(all="ignore"):
            off = np.abs(wide(reference) - exact)
            off = np.max(off[np.isfinite(off)], initial=0.0)
            return self._wrong(node, value, reference, exact, unit + off)

    def wrong_by_itself(self, node: Node, value: Any, sources: Sequence[Any]) -> tuple[np.ndarray, Any, Any]:
        """Return where a value is not what the reference makes of the node's inputs, that, and float64's result."""
        if node.op is ITEM:
            reference: Any = sources[0][node.params[0]]
        else:
            reference = compute(node, sources, run_graph)
        exact = exactly(node, [_wide(source) for source in sources])
        if not isinstance(exact, np.ndarray) or exact.shape != reference.shape:
            exact = wide(reference)
        unit = _unit(node, exact, reference)
        if unit is None:
            return np.asarray(value != reference), reference, exact
        with np.errstate(all="ignore"):
            off = np.abs(wide(reference) - exact)
            off = np.where(np.isfinite(off), off, 0.0)
            if node.op.kind != ELEMENTWISE:
                off = off + spacing(node.dtype, self._magnitude(node, sources, exact)) + np.max(off, initial=0.0)
            return self._wrong(node, value, reference, exact, unit + off), reference, exact

    def _magnitude(self, node: Node, sources: Sequence[Any], exact: np.ndarray) -> np.ndarray:
        """Return how large the terms are that a reduction or product adds up: rounding errors are theirs."""
        sizes = exactly(node, [np.abs(_wide(s)) if _is_float(s) else s for s in sources])
        if isinstance(sizes, np.ndarray) and sizes.shape == exact.shape and _is_float(sizes):
            return np.maximum(np.abs(sizes), np.abs(exact))
        finite = np.abs(exact)[np.isfinite(exact)]
        return np.full(exact.shape, np.max(finite, initial=0.0))

    def _wrong(self, node: Node, value: Any, reference: Any, exact: Any, unit: np.ndarray) -> np.ndarray:
        found, given = wide(value), wide(reference)
        same = (found == given) | (np.isnan(found) & np.isnan(given))
        close = np.abs(found - exact) <= self.tolerance * unit
        top = finfo(node.dtype).max * (1 - 1e-2)  # one beyond the largest number, the other just below
        edge = (np.abs(found) >= top) & (np.abs(given) >= top) & (np.sign(found.real) == np.sign(given.real))
        return np.asarray(~(same | close | edge))


def bisect(
    fn: Callable[..., Any], *args: Any, tolerance: float = TOLERANCE, backend: str = "cpu", optimize: str = "full",
    **words: Any,
) -> Bisection:  # fmt: skip
    """Find the first node of a function that a backend, or the optimizer, computes wrongly.

    The values of every node are compared with those of the reference backend without optimizations; float64 decides
    between the two.

    Parameters
    ----------
    fn : callable
        What `compile` or `function` returned; or a function of tensors or a model, which is compiled for this.
    *args, **words
        Arguments of a call.
    tolerance : float
        Units in the last place that a value may be off, beyond what the reference is off itself.
    backend : str
        What is examined: "cpu", or "reference" to examine the optimizer alone.
    optimize : str
        "full", or "none" to examine the backend alone: then every op must be right by itself.

    Returns
    -------
    Bisection
        True where something is wrong. ``print`` shows the node, its line and layer, and the values.

    Examples
    --------
    >>> import septet as st
    >>> bool(st.check.bisect(lambda x: st.tanh(x).sum(), st.ones(5)))
    False
    """
    config.override(backend=backend, optimize=optimize)  # which refuses what does not exist
    target = target_of(fn, args, words, compile)
    trial = _Trial(target, backend, optimize, tolerance)
    ways = f"{backend} (optimize={optimize!r}) and the reference"
    found = Bisection(target.call, ways, len(trial.nodes))
    if trial.nodes and not _search_kept(trial, found):
        _search_alone(trial, found)
    return found


def _search_kept(trial: _Trial, found: Bisection) -> bool:
    """Look for a wrong node in a run that keeps the values of all."""
    values: dict[Node, Any] = dict(zip(trial.nodes, trial.run(trial.nodes), strict=True))
    for node in trial.nodes:
        if trial.level == "full" and not trial.wrong_as_a_whole(node, values[node]).any():
            continue
        sources = [_source(trial, source, values) for source in node.inputs]
        wrong, reference, exact = trial.wrong_by_itself(node, values[node], sources)
        if wrong.any():
            found.find(node, wrong, (values[node], reference, exact), sources)
            return True
    return False


def _source(trial: _Trial, node: Node, values: dict[Node, Any]) -> Any:
    """Return the value of an input in the run that keeps all; several results of one op come from its items."""
    if node in values:
        return values[node]
    if isinstance(node.op, Op):  # several results
        return compute(node, [_source(trial, source, values) for source in node.inputs], run_graph)
    return trial.leaf(node)


def _search_alone(trial: _Trial, found: Bisection) -> None:
    """Look for a wrong node among sub-graphs that keep nothing, if a result of the graph as it is is wrong."""
    roots = [node for node in dict.fromkeys(trial.graph.roots) if node in trial.reference]
    bad = [
        node
        for node, value in zip(roots, trial.run(roots) if roots else (), strict=True)
        if trial.wrong_as_a_whole(node, value).any()
    ]
    if not bad:
        return
    known: dict[Node, Any] = {}

    def wrong(node: Node) -> np.ndarray:
        if node not in known:
            (value,) = trial.run([node])
            known[node] = trial.wrong_as_a_whole(node, value), value
        return known[node][0]

    root = bad[0]
    if not wrong(root).any():  # only beside the other results
        root_value = trial.run(roots)[roots.index(root)]
        known[root] = trial.wrong_as_a_whole(root, root_value), root_value
    while True:
        above = [node for node in order([root]) if node in trial.reference and node is not root]
        low, high = -1, len(above)  # the sub-graph of the one is right, of the other wrong
        while high - low > 1:
            middle = (low + high) // 2
            if wrong(above[middle]).any():
                high = middle
            else:
                low = middle
        first = root if high == len(above) else above[high]
        causes = [source for source in first.inputs if source in trial.reference and wrong(source).any()]
        if not causes:
            break
        root = causes[0]
    sources = [trial.reference.get(s) for s in first.inputs]
    found.alone = True
    found.find(first, known[first][0], (known[first][1], trial.reference[first], trial.exact[first]), sources)


def _is_tensor(node: Node) -> bool:
    return isinstance(node.type, TensorType)


def _is_float(value: Any) -> bool:
    return isinstance(value, np.ndarray) and dtypes.KIND.get(value.dtype, 0) >= dtypes.FLOAT


def _wide(value: Any) -> Any:
    return tuple([wide(part) for part in value]) if isinstance(value, tuple) else wide(value)


def _unit(node: Node, exact: Any, reference: Any) -> np.ndarray | None:
    """Return one ULP at each element; None for what is not a float."""
    if not dtypes.is_differentiable(node.dtype):
        return None
    return spacing(node.dtype, np.where(np.isfinite(exact), exact, wide(reference)))
