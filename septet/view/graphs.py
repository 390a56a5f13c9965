"""`graph`: models and functions of tensors as pictures of what they compute."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path as FilePath
from typing import Any

import numpy as np

from septet.base.errors import ArgumentError
from septet.base.files import open_atomic
from septet.base.text import count_text, plural
from septet.graph.graph import Graph, order
from septet.graph.node import SYMBOL, Node, symbol
from septet.graph.types import tensor_type
from septet.nn.module import Module
from septet.run.compile import Compiled
from septet.run.function import Function
from septet.run.names import argument_names, check_call, function_name, leaf_names, signature
from septet.run.runnable import Bound
from septet.tensor import tree
from septet.tensor.tensor import Tensor
from septet.tensor.trace import Trace
from septet.tensor.variable import Variable
from septet.view import dot
from septet.view.diagram import Diagram
from septet.view.page import page

__all__ = ["GraphView", "graph"]

SHOWN = 40  # boxes of a picture that nobody said more about; a page starts with as many


class GraphView:
    """A picture of a graph; made by `graph`.

    In a notebook it shows itself as a page in which layers fold and unfold; `save` writes a page, or a still picture.

    Attributes
    ----------
    diagram : Diagram
        What is in the picture: items, edges, groups.
    title : str
    """

    def __init__(self, diagram: Diagram, title: str) -> None:
        self.diagram = diagram
        self.title = title

    def _unfolded(self, depth: int | None) -> set[tuple[str, ...]]:
        if depth is None:
            return self.diagram.unfolded(SHOWN)
        return {path for path in self.diagram.groups if len(path) <= depth}

    def dot(self, depth: int | None = None) -> str:
        """Return the picture in the language of Graphviz.

        Parameters
        ----------
        depth : int, optional
            How many levels of layers are unfolded, 0 for none; by default as many as leave the picture readable.
        """
        return dot.to_dot(self.diagram, self._unfolded(depth), self.title)

    def svg(self, depth: int | None = None) -> str:
        """Return the picture as SVG; see `dot` for the parameter.

        Raises
        ------
        NotSupportedError
            If Graphviz is missing: ``pip install septet[view]``, and the program ``dot``.
        """
        return dot.render(self.dot(depth), "svg").decode()

    def html(self) -> str:
        """Return a page that needs nothing else: layers fold and unfold, boxes tell what they are, a field searches."""
        return page(self.diagram, self.title, self._unfolded(None))

    def save(self, path: str | os.PathLike[str], depth: int | None = None) -> None:
        """Write the page or the picture, whole or not at all.

        Parameters
        ----------
        path : path
            The suffix says what: .html, .svg, .png, .pdf, or .dot for Graphviz.
        depth : int, optional
            Of pictures: see `dot`.

        Raises
        ------
        ArgumentError
            For another suffix.
        NotSupportedError
            If Graphviz is needed and missing.
        """
        suffix = FilePath(path).suffix.lower().lstrip(".")
        if suffix in ("html", "htm"):
            data = self.html().encode()
        elif suffix in ("dot", "gv"):
            data = self.dot(depth).encode()
        elif suffix in dot.FORMATS:
            data = dot.render(self.dot(depth), suffix)
        else:
            raise ArgumentError(f"graphs are saved as .html, .svg, .png, .pdf or .dot, received {os.fspath(path)!r}")
        with open_atomic(path) as file:
            file.write(data)

    def _repr_html_(self) -> str:
        text = self.html().replace("&", "&amp;").replace('"', "&quot;")
        return f'<iframe srcdoc="{text}" style="width: 100%; height: 640px; border: 1px solid #ddd"></iframe>'

    def __repr__(self) -> str:
        whole = self.diagram.groups[()]
        return (
            f"GraphView({self.title}: {plural(whole.ops, 'op')}, {plural(len(self.diagram.groups) - 1, 'group')}, "
            f"{count_text(whole.parameters)} parameters)"
        )


def graph(target: Any, *args: Any, **words: Any) -> GraphView:
    """Draw what a model or a function computes.

    The function is recorded on symbols; nothing is computed and nothing changes.

    Parameters
    ----------
    target : Module, function, Function, Tensor, sequence of Tensor, or Graph
        A model or a function of tensors, also a compiled one, together with arguments of a call; what `st.function`
        made; or tensors: the picture is of what they were recorded from, as far as they are not computed yet.
    *args, **words
        Arguments of a call: arrays, tensors, or symbols such as ``st.symbol("x", (None, 784))``; only dtypes and shapes
        matter.

    Returns
    -------
    GraphView
        Shows itself in notebooks; ``save("graph.html")`` writes a page, ``save("graph.svg")`` a picture.

    Raises
    ------
    ArgumentError
        If the target is something else, or arguments are missing.

    Examples
    --------
    >>> import septet as st
    >>> from septet import nn
    >>> view = graph(nn.Sequential(nn.Dense(4, activation="relu"), nn.Dense(2)), st.symbol("x", (None, 3)))
    >>> view
    GraphView(Sequential: 6 ops, 3 groups, 26 parameters)
    """
    found, title = _graph_of(target, args, words)
    return GraphView(Diagram(found), title)


def _graph_of(target: Any, args: tuple[Any, ...], words: dict[str, Any]) -> tuple[Graph, str]:
    if isinstance(target, Graph):
        _refuse(args, words, "a Graph")
        return target, target.name or "graph"
    if isinstance(target, Function):
        _refuse(args, words, "a symbolic function, which has inputs of its own,")
        return target.graph, target.name
    tensors = [target] if isinstance(target, Tensor) else target
    if isinstance(tensors, Iterable) and not callable(tensors):
        tensors = list(tensors)
        if tensors and all(isinstance(tensor, Tensor) for tensor in tensors):
            _refuse(args, words, "tensors")
            nodes = [tensor.node for tensor in tensors]
            symbols = [node for node in order(nodes) if node.op is SYMBOL]
            return Graph(symbols, nodes), "pending tensors" if len(nodes) > 1 else "a pending tensor"
    if isinstance(target, Bound):
        return _traced(target.func.__wrapped__, (*target.args, *args), {**target.keywords, **words})
    if isinstance(target, Compiled):
        return _traced(target.__wrapped__, args, words)  # type: ignore[attr-defined]
    if not callable(target):
        raise ArgumentError(
            f"graph draws models, functions of tensors and tensors, received {target!r}",
            hint="st.view.graph(model, x), st.view.graph(function, x, y), st.view.graph(loss)",
        )
    return _traced(target, args, words)


def _refuse(args: tuple[Any, ...], words: dict[str, Any], what: str) -> None:
    if args or words:
        raise ArgumentError(f"graph: {what} takes no arguments, received {len(args) + len(words)}")


def _traced(call: Callable[..., Any], args: tuple[Any, ...], words: dict[str, Any]) -> tuple[Graph, str]:
    """Run a function on symbols of the types of the arguments."""
    name = type(call).__name__ if isinstance(call, Module) else function_name(call)
    found = signature(call)
    names = argument_names(found, args, words)
    if isinstance(call, Module) and not args and not words and call.input_types() is not None:
        args = tuple(tree.flatten(call.input_types())[0])  # those of its first input
        names = argument_names(found, args, words)
    if isinstance(call, Module) and not args and not words:
        raise ArgumentError(
            f"graph: which shapes {name} computes depends on its input",
            hint='give an example, or a symbol: st.view.graph(model, st.symbol("x", (None, 3, 32, 32)))',
        )
    check_call(found, args, words)
    names = leaf_names(names, args, words)
    if isinstance(call, Module) and not call.is_built:
        call.build_for(*[_example(arg) for arg in args])
    leaves, structure = tree.flatten((args, words))
    inputs: list[Node] = []
    handles = [_stand_in(leaf, label, inputs) for leaf, label in zip(leaves, names, strict=True)]
    given, keywords = tree.unflatten(structure, handles)
    with Trace() as trace:
        outputs = [leaf.node for leaf in tree.flatten(call(*given, **keywords))[0] if isinstance(leaf, Tensor)]
    return trace.graph(inputs, outputs, name), name


def _stand_in(leaf: Any, name: str, inputs: list[Node]) -> Any:
    """Return a symbol in the place of an array or tensor, and note it."""
    if isinstance(leaf, Variable) or not isinstance(leaf, (Tensor, np.ndarray, np.generic)):
        return leaf
    type_ = leaf.node.tensor_type if isinstance(leaf, Tensor) else tensor_type(leaf.dtype, leaf.shape)
    if isinstance(leaf, Tensor) and leaf.node.op is SYMBOL and leaf.node.params[0]:
        name = leaf.node.params[0]
    node = symbol(type_, name)
    inputs.append(node)
    return Tensor(node)


def _example(arg: Any) -> Any:
    """Return an input to build a model for; unknown sizes are 1."""
    if isinstance(arg, Tensor):
        return np.broadcast_to(np.zeros((), arg.dtype), [1 if size is None else size for size in arg.node.shape])
    return arg
