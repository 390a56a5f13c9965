"""`function`: a symbolic graph made callable, with updates of variables; and `eval` for one expression."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from septet.backends.base_work import Made
from septet.base.errors import ArgumentError, GraphError, SeptetError
from septet.base.text import listing, shape_text
from septet.graph.graph import Graph
from septet.graph.node import SYMBOL, Node, constant
from septet.graph.op import as_node, cast_to
from septet.graph.types import TensorType, tensor_type
from septet.ops.subgraph import fits
from septet.run.arguments import as_argument, at_once, explain_arguments, misfits, place
from septet.run.compiles import Compile, Compiles, other_sizes
from septet.run.programs import history, make_program
from septet.run.runnable import Runnable
from septet.run.target import Target
from septet.tensor.tensor import Tensor
from septet.tensor.variable import Variable
from septet.tensor.wrap import explain_values, unwrap


class Function(Runnable):
    """A graph that is called like a Python function. Make one with `function`.

    Attributes
    ----------
    graph : Graph
        As it was written; `optimized` is what runs.
    name : str
    """

    def __init__(self, graph: Graph, structure: Any, name: str = "function", level: str | None = None) -> None:
        self.graph = graph
        self.name = name
        self._structure = structure
        self._level = level
        self._program = make_program(graph, level=level, is_resized=True)
        self._count = len(graph.outputs)
        self._names = [node.params[0] or f"input {index}" for index, node in enumerate(graph.inputs)]

    @property
    def optimized(self) -> Graph:
        """The graph after all passes; they do more where sizes are known, as in a call."""
        return history(self.graph, level=self._level)[-1].graph

    def __call__(self, *args: Any, **words: Any) -> Any:
        """Run: inputs by position, or by the names of their symbols.

        Raises
        ------
        CallError
            If inputs are missing, given twice, too many, or unknown.
        ShapeError, DTypeError
            If an input does not have the type of its symbol.
        """
        arrays = self._arrays(args, words)
        results = self._program.step(arrays)
        return self._structure([Tensor(constant(value)) for value in results[: self._count]])

    def _arrays(self, args: tuple[Any, ...], words: dict[str, Any]) -> list[np.ndarray]:
        """Return the inputs of a call as arrays."""
        arrays: list[np.ndarray] = []
        try:
            for value, symbol in zip(place(args, words, self._names), self.graph.inputs, strict=True):
                array = at_once(value, symbol.type)
                if array is None:
                    position = len(arrays)
                    array = as_argument(value, symbol, self._names[position], position)
                arrays.append(array)
        except SeptetError as error:
            raise explain_arguments(error, self.name, self._named(args, words)) from None
        return arrays

    @property
    def compiles(self) -> Compiles:
        """What was compiled so far: for each combination of shapes, and of sizes that values decide, one plan."""
        found = Compiles(self.name)
        before: Made | None = None
        for made in self._program.made:
            texts = [
                f"{name}: {node.tensor_type.with_shape(shape)!r}"
                for name, node, shape in zip(self._names, self.graph.inputs, made.shapes, strict=True)
            ]
            changes = [
                f"{name}: {shape_text(old)} -> {shape_text(new)}"
                for name, old, new in zip(self._names, before.shapes if before else (), made.shapes, strict=False)
                if old != new
            ]
            changes += other_sizes(before, made)
            reason = "; ".join(changes) if before else "first call"
            found.append(
                Compile(", ".join(texts), reason, made.nodes, made.seconds, made.kernels, made.new, how=made.how)
            )
            before = made
        return found

    def target(self, *args: Any, **words: Any) -> Target:
        """Return what runs for some inputs; see `Runnable.target`."""
        arrays = self._arrays(args, words)
        pairs = zip(self._names, arrays, strict=True)
        described = ", ".join([f"{name}: {tensor_type(array.dtype, array.shape)!r}" for name, array in pairs])
        return Target(self.name, described, self.graph, self._program, arrays, self._level, self.compiles)

    def symbols(self) -> tuple[Tensor, ...]:
        """Return its own symbols."""
        return tuple([Tensor(node) for node in self.graph.inputs])

    def _named(self, args: tuple[Any, ...], words: dict[str, Any]) -> list[tuple[str, Any]]:
        """Return the arguments of a call with the names of the inputs that they are for."""
        names = [*self._names, *[f"argument {position}" for position in range(len(self._names), len(args))]]
        return [*zip(names, args, strict=False), *words.items()]

    def __repr__(self) -> str:
        return f"<septet function {self.name}({', '.join(self._names)}), {len(self.graph)} nodes>"


def function(
    inputs: Iterable[Tensor] | Tensor,
    outputs: Any = (),
    updates: Mapping[Variable, Any] | Iterable[tuple[Variable, Any]] = (),
    givens: Mapping[Any, Any] | Iterable[tuple[Any, Any]] = (),
    *,
    allow_unused: bool = False,
    name: str = "function",
    optimize: str | None = None,
) -> Function:
    """Make a callable of a symbolic expression.

    Parameters
    ----------
    inputs : sequence of Tensor
        Symbols made by `symbol`.
    outputs : Tensor, list, tuple or dict of Tensor
        What a call returns, in the same structure; nothing for a function that only updates.
    updates : dict of Variable to tensor
        New values, all computed from the old ones, that variables take after the call.
    givens : dict of tensor to tensor
        Replacements made in the graph: a symbol (or any tensor) by another expression.
    allow_unused : bool
        Whether inputs that nothing depends on are accepted.
    name : str
        Shown in errors.
    optimize : str, optional
        "full" or "none"; by default the setting.

    Returns
    -------
    Function

    Raises
    ------
    GraphError
        If a symbol is needed but not given, given but not used, given twice, or an update has another type than its
        variable.
    ArgumentError
        If `inputs` is a Python function, which `compile` takes.

    Examples
    --------
    >>> import septet as st
    >>> x = st.symbol("x", (None,))
    >>> w = st.Variable(2.0, "w")
    >>> step = st.function([x], (w * x).sum(), updates={w: w + 1})
    >>> float(step([1, 2])), float(step([1, 2]))
    (6.0, 9.0)
    """
    if callable(inputs):
        raise ArgumentError(
            "function: inputs are the symbols of a graph, not a Python function",
            hint="septet.compile(f) compiles the Python function f",
        )
    symbols = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    return _make(symbols, outputs, updates, givens, allow_unused, name, optimize, _OF_FUNCTION)


class _Words(NamedTuple):
    """What the messages about a function's symbols say."""

    wrong: str
    wrong_hint: str
    unused: str
    unused_hint: str
    missing: str
    missing_hint: str


_OF_FUNCTION = _Words(
    "input {} is not a symbol",
    'inputs are made by st.symbol("x", shape); an expression can be replaced by givens={expression: value}',
    "nothing depends on the inputs",
    "allow_unused=True accepts them",
    "the outputs depend on symbols that are not among the inputs",
    "add them to the inputs, or replace them with givens={symbol: expression}",
)
_OF_EVAL = _Words(
    "key {} is not a symbol",
    "the keys are the symbols themselves: expression.eval({symbol: value})",
    "the expression does not depend on",
    "leave them out",
    "the expression depends on symbols that are not given",
    "give each of them a value: expression.eval({symbol: value})",
)


def _make(
    symbols: Sequence[Any], outputs: Any, updates: Any, givens: Any, allow_unused: bool, name: str, level: str | None,
    words: _Words,
) -> Function:  # fmt: skip
    for position, given in enumerate(symbols):
        if not isinstance(given, Tensor) or given.node.op is not SYMBOL:
            error = GraphError(
                f"{words.wrong.format(position)} but {given!r}",
                hint=words.wrong_hint,
            )
            raise explain_values(error, name, [(f"input {position}", given)])
    flat, structure = _flatten(outputs)
    update_pairs = _updates(updates, name)
    replaced = _givens(givens, name)
    nodes = [given.node for given in symbols]
    twice = [node for position, node in enumerate(nodes) if node in nodes[:position]]
    if twice:
        raise _about_symbols(GraphError(f"{_names(twice)} is among the inputs twice"), name, twice)
    graph = Graph(nodes, flat, update_pairs, name=name)
    if replaced:
        graph = graph.replace(replaced) if graph.roots else graph
        for variable, node in graph.updates:  # a replacement may have made sizes known that do not agree
            if node.type is not variable.variable_type:
                _fit_update(node, variable.variable_type, variable, name)
    used = set(graph.nodes)
    unused = [node for node in nodes if node not in used]
    if unused and not allow_unused:
        error = GraphError(f"{words.unused} {_names(unused)}", hint=words.unused_hint)
        raise _about_symbols(error, name, unused)
    missing = graph.free_symbols()
    if missing:
        error = GraphError(f"{words.missing}: {_names(missing)}", hint=words.missing_hint)
        raise _about_symbols(error, name, missing)
    return Function(graph, structure, name, level)


def _names(symbols: Iterable[Node]) -> str:
    return listing([node.params[0] or repr(node) for node in symbols])


def _about_symbols(error: GraphError, function: str, symbols: Iterable[Node]) -> SeptetError:
    """Give an error the whole report about some symbols."""
    return explain_values(error, function, [(node.params[0] or "symbol", Tensor(node)) for node in symbols])


def _flatten(outputs: Any) -> tuple[list[Node], Any]:
    """Return the output nodes and a function that puts results back into the structure."""
    if outputs is None:
        return [], lambda results: None
    if isinstance(outputs, Mapping):
        keys = list(outputs)
        return [as_node(unwrap(outputs[key])) for key in keys], lambda results: dict(zip(keys, results, strict=True))
    if isinstance(outputs, (list, tuple)):
        kind: Any = tuple if isinstance(outputs, tuple) else list
        return [as_node(unwrap(output)) for output in outputs], kind
    return [as_node(unwrap(outputs))], lambda results: results[0]


def _updates(updates: Any, name: str) -> list[tuple[Variable, Node]]:
    pairs = list(updates.items()) if isinstance(updates, Mapping) else list(updates)
    seen: set[int] = set()
    result = []
    for variable, value in pairs:
        if not isinstance(variable, Variable):
            raise explain_values(GraphError(f"updates are for variables, got {variable!r}"), name, [("value", value)])
        if id(variable) in seen:
            error = GraphError(f"variable {variable.name!r} has two updates")
            raise explain_values(error, name, [("variable", variable)])
        seen.add(id(variable))
        type_ = variable.variable_type
        node = as_node(unwrap(value), type_.dtype)
        if node.type is not type_:
            node = _fit_update(node, type_, variable, name)
        result.append((variable, node))
    return result


def _fit_update(node: Node, type_: TensorType, variable: Variable, name: str) -> Node:
    """Accept an update whose sizes are merely unknown, or whose dtype is of the same kind; refuse others."""
    own = node.tensor_type
    if np.dtype(own.dtype).kind == type_.dtype.kind and fits(type_.shape, own.shape):
        return cast_to(node, type_.dtype)
    error = GraphError(
        f"variable {variable.name!r} is {type_!r}, its update is {own!r}",
        marks=[(1, axis) for axis in misfits(type_, own.shape)],
    )
    raise explain_values(error, name, [("variable", variable), ("update", Tensor(node))])


def _givens(givens: Any, name: str) -> dict[Node, Node]:
    pairs = list(givens.items()) if isinstance(givens, Mapping) else list(givens)
    result: dict[Node, Node] = {}
    for old, new in pairs:
        if not isinstance(old, Tensor):
            raise explain_values(GraphError(f"givens replace tensors, got {old!r}"), name, [("value", new)])
        node = as_node(unwrap(new), old.dtype)
        type_ = old.node.tensor_type
        if not type_.accepts(node.tensor_type):
            error = GraphError(
                f"{type_!r} cannot be replaced by {node.type!r}",
                marks=[(1, axis) for axis in misfits(type_, node.shape)],
                hint="what is put in the place of a tensor has its dtype and its known sizes",
            )
            raise explain_values(error, name, [("given", old), ("value", Tensor(node))])
        result[old.node] = node
    return result


def eval_(self: Tensor, givens: Mapping[Tensor, Any] | None = None) -> Tensor:
    """Evaluate a symbolic expression: see `Tensor.eval`."""
    given = dict(givens or {})
    call = _make(list(given), self, (), (), False, "eval", None, _OF_EVAL)
    result: Tensor = call(*given.values())
    return result
