"""`function`: a symbolic graph made callable, with updates of variables; and `eval` for one expression."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from septet.base.errors import ArgumentError, GraphError
from septet.base.text import nearest
from septet.graph.graph import Graph
from septet.graph.node import SYMBOL, Node, constant
from septet.graph.op import as_node, cast_to
from septet.graph.types import TensorType
from septet.run.arguments import as_argument
from septet.run.programs import make_program
from septet.tensor.tensor import Tensor
from septet.tensor.variable import Variable
from septet.tensor.wrap import unwrap


class Function:
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
        self._program = make_program(graph, level=level)
        self._names = [node.params[0] or f"input {index}" for index, node in enumerate(graph.inputs)]

    @property
    def optimized(self) -> Graph:
        """The graph after all passes."""
        return self._program.graph

    def __call__(self, *args: Any, **words: Any) -> Any:
        """Run: inputs by position, or by the names of their symbols.

        Raises
        ------
        ArgumentError
            If inputs are missing, given twice, or unknown.
        ShapeError, DTypeError
            If an input does not have the type of its symbol.
        """
        values = self._place(args, words)
        types: list[Any] = [node.type for node in self.graph.inputs]
        arrays = [
            as_argument(value, type_, self.name, name)
            for value, type_, name in zip(values, types, self._names, strict=True)
        ]
        results = self._program(arrays)
        count = len(self.graph.outputs)
        if not self._program.owns_results:
            results = [_private(value, arrays) for value in results]
        for (variable, _), value in zip(self.graph.updates, results[count:], strict=False):
            variable.store(value)
        outputs = [Tensor(constant(value)) for value in results[:count]]
        return self._structure(outputs)

    def _place(self, args: tuple[Any, ...], words: dict[str, Any]) -> list[Any]:
        """Bring the arguments into the order of the inputs."""
        names = self._names
        if len(args) > len(names):
            raise ArgumentError(f"{self.name} takes {len(names)} inputs ({', '.join(names)}), got {len(args)}")
        if not words and len(args) == len(names):
            return list(args)
        values = dict(zip(names, args, strict=False))
        for name, value in words.items():
            if name not in names:
                near = nearest(name, names)
                raise ArgumentError(
                    f"{self.name} has no input {name!r}; its inputs are {', '.join(names) or 'none'}",
                    hint=f"did you mean {near!r}?" if near else None,
                )
            if name in values:
                raise ArgumentError(f"{self.name} got input {name!r} twice")
            values[name] = value
        missing = [name for name in names if name not in values]
        if missing:
            raise ArgumentError(f"{self.name} needs the inputs {', '.join(missing)}; it takes {', '.join(names)}")
        return [values[name] for name in names]

    def __repr__(self) -> str:
        return f"<septet function {self.name}({', '.join(self._names)}), {len(self.graph)} nodes>"


def _private(value: Any, arguments: Iterable[np.ndarray]) -> Any:
    """Copy a result that is a view of an argument, which its owner may write to."""
    if isinstance(value, np.ndarray) and any(np.may_share_memory(value, argument) for argument in arguments):
        value = value.copy()
        value.flags.writeable = False
    return value


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

    Examples
    --------
    >>> import septet as st
    >>> x = st.symbol("x", (None,))
    >>> w = st.Variable(2.0, "w")
    >>> step = st.function([x], (w * x).sum(), updates={w: w + 1})
    >>> float(step([1, 2])), float(step([1, 2]))
    (6.0, 9.0)
    """
    symbols = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    for position, given in enumerate(symbols):
        if not isinstance(given, Tensor) or given.node.op is not SYMBOL:
            raise GraphError(
                f"{name}: input {position} is not a symbol but {given!r}",
                hint='inputs are made by st.symbol("x", shape); an expression can be replaced by '
                "givens={expression: value}",
            )
    flat, structure = _flatten(outputs)
    update_pairs = _updates(updates, name)
    replaced = _givens(givens, name)
    nodes = [given.node for given in symbols]
    graph = Graph(nodes, flat, update_pairs, name=name)
    if replaced:
        graph = Graph(nodes, [], name=name) if not graph.roots else graph.replace(replaced)
    used = set(graph.nodes)
    unused = [node.params[0] or repr(node) for node in nodes if node not in used]
    if unused and not allow_unused:
        raise GraphError(
            f"{name}: nothing depends on the inputs {', '.join(unused)}", hint="allow_unused=True accepts them"
        )
    missing = [node.params[0] or repr(node) for node in graph.free_symbols()]
    if missing:
        raise GraphError(
            f"{name}: the outputs depend on symbols that are not among the inputs: {', '.join(missing)}",
            hint="add them to the inputs, or replace them with givens={symbol: expression}",
        )
    return Function(graph, structure, name, optimize)


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
            raise GraphError(f"{name}: updates are for variables, got {variable!r}")
        if id(variable) in seen:
            raise GraphError(f"{name}: variable {variable.name!r} has two updates")
        seen.add(id(variable))
        type_ = variable.variable_type
        node = as_node(unwrap(value), type_.dtype)
        if node.type is not type_:
            node = _fit_update(node, type_, variable, name)
        result.append((variable, node))
    return result


def _fit_update(node: Node, type_: TensorType, variable: Variable, name: str) -> Node:
    """Accept an update whose sizes are merely unknown, or whose dtype is of the same kind; refuse others."""
    own: Any = node.type
    fits = own.ndim == type_.ndim and all(a is None or a == b for a, b in zip(own.shape, type_.shape, strict=True))
    if not fits or np.dtype(own.dtype).kind != type_.dtype.kind:
        raise GraphError(f"{name}: variable {variable.name!r} is {type_!r}, its update is {own!r}")
    return cast_to(node, type_.dtype)


def _givens(givens: Any, name: str) -> dict[Node, Node]:
    pairs = list(givens.items()) if isinstance(givens, Mapping) else list(givens)
    result: dict[Node, Node] = {}
    for old, new in pairs:
        if not isinstance(old, Tensor):
            raise GraphError(f"{name}: givens replace tensors, got {old!r}")
        node = as_node(unwrap(new), old.dtype)
        type_ = old.node.tensor_type
        if not type_.accepts(node.tensor_type):
            raise GraphError(f"{name}: givens replace {old!r} by {node.type!r}, which is not {type_!r}")
        result[old.node] = node
    return result


def eval_(self: Tensor, givens: Mapping[Tensor, Any] | None = None) -> Tensor:
    """Evaluate a symbolic expression for values of its symbols.

    Parameters
    ----------
    givens : dict of symbol to array-like

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import septet as st
    >>> x = st.symbol("x")
    >>> (x ** 2).eval({x: 3.0})
    tensor(9., dtype=float32)
    """
    given = dict(givens or {})
    call = function(list(given), self, name="eval")
    return call(*given.values())
