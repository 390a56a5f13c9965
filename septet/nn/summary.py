"""Summaries of models: what each module returns, how many parameters it has, what it costs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from threading import get_ident
from typing import Any, NamedTuple

from septet.base import dtypes
from septet.base.errors import ArgumentError, ShapeError
from septet.base.shapes import as_shape
from septet.base.text import bytes_text, count_text, table
from septet.graph.context import context
from septet.graph.cost import flops
from septet.graph.graph import order
from septet.graph.node import symbol
from septet.graph.types import TensorType, tensor_type
from septet.tensor.tensor import Tensor
from septet.tensor.trace import Trace
from septet.tensor.tree import flatten, unflatten
from septet.tensor.variable import Variable

HEADERS = ("layer", "class", "output", "parameters", "fixed", "memory", "FLOPs")
ALIGN = "lllrrrr"
WATCHERS: list[Any] = []
"""While a summary is made: what modules have their `forward` called by, with themselves, inputs and words."""


class Row(NamedTuple):
    """What is known about one module; the sizes of unknown axes count as 1.

    Attributes
    ----------
    path, name : str
        Where it is, and its class.
    output : str
        The shapes of its results; "?" where the module was not applied.
    trainable, fixed : int
        Numbers in its own variables.
    memory : int
        Bytes of its own variables and, for one example, of its result.
    flops : int or None
        Floating-point operations for one example, without those of modules below; a multiplication and an addition
        count as two. None where the model was not applied.
    """

    path: str
    name: str
    output: str
    trainable: int
    fixed: int
    memory: int
    flops: int | None


class Summary:
    """A table of the modules of a model.

    Attributes
    ----------
    rows : list of Row
        The modules that have variables or compute something themselves, and the whole model as the last row.
    """

    def __init__(self, rows: list[Row]) -> None:
        self.rows = rows

    def cells(self, row: Row) -> tuple[str, ...]:
        """Return a row as text."""
        cost = "?" if row.flops is None else count_text(row.flops)
        known = row.output != "?" or row.trainable or row.fixed
        numbers = (f"{row.trainable:,}", f"{row.fixed:,}", bytes_text(row.memory)) if known else ("?", "?", "?")
        return (row.path, row.name, row.output, *numbers, cost)

    def __str__(self) -> str:
        return table(map(self.cells, self.rows), HEADERS, ALIGN)

    __repr__ = __str__

    def __contains__(self, text: str) -> bool:
        return text in str(self)

    def __rich__(self) -> Any:
        """Return the table that `rich.print` shows."""
        from rich.table import Table

        found = Table(title=self.rows[-1].name, header_style="bold")
        for header, side in zip(HEADERS, ALIGN, strict=True):
            found.add_column(header, justify="right" if side == "r" else "left", overflow="fold")
        for row in self.rows[:-1]:
            found.add_row(*self.cells(row))
        found.add_section()
        found.add_row(*self.cells(self.rows[-1]), style="bold")
        return found

    def show(self, file: Any = None) -> None:
        """Write the table: with lines and colours to a terminal, as plain text to anything else.

        Parameters
        ----------
        file : text file, optional
            By default standard output.
        """
        from rich.console import Console

        console = Console(file=file)
        if console.is_terminal:
            console.print(self)
        else:
            console.file.write(f"{self}\n")


def summarize(model: Any, input_shape: Any = None, dtype: Any = None) -> Summary:
    """Return the summary of a model; see `Module.summary`."""
    types = model.input_types() if input_shape is None else _given_types(input_shape, dtype)
    paths = {id(module): path for path, module in model.named_modules()}
    shapes: dict[int, str] = {}
    sizes: dict[int, int] = {}
    costs: dict[str, int] | None = None
    if types is not None:
        with model.evaluating():
            _apply(model, types, None)  # builds what is not built yet
            paths = {id(module): path for path, module in model.named_modules()}
            results = _apply(model, _with_batch(types, None), paths) if _has_batch(types) else {}
            single = _apply(model, _with_batch(types, 1), paths)
        shapes = {key: _shapes_text(nodes) for key, nodes in {**single, **results}.items()}
        sizes = {key: _bytes(nodes) for key, nodes in single.items()}
        costs = dict.fromkeys(paths.values(), 0)
        for node in order(single[id(model)]):
            path = node.layers[0] if node.layers else ""
            costs[path if path in costs else ""] += flops(node)  # what lies between the layers is the model's own
    return Summary(_rows(model, shapes, sizes, costs))


def _rows(model: Any, shapes: dict[int, str], sizes: dict[int, int], costs: dict[str, int] | None) -> list[Row]:
    rows = []
    seen: set[int] = set()
    for path, module in model.named_modules():
        own = [item for _, item in module._named_members() if isinstance(item, Variable) and id(item) not in seen]
        seen.update(map(id, own))
        counts = [sum(_count(v) for v in own if v.trainable is flag) for flag in (True, False)]
        memory = sum(_count(v) * v.variable_type.dtype.itemsize for v in own) + sizes.get(id(module), 0)
        cost = None if costs is None else costs[path]
        if own or cost or not any(True for _ in module.named_children()):
            rows.append(Row(path or "-", type(module).__name__, shapes.get(id(module), "?"), *counts, memory, cost))
    total = [sum(row[column] for row in rows) for column in (3, 4, 5)]
    cost = None if costs is None else sum(costs.values())
    return [*rows, Row("all", type(model).__name__, shapes.get(id(model), "?"), *total, cost)]


def _given_types(input_shape: Any, dtype: Any) -> tuple[TensorType, ...]:
    """Return the types of the inputs for shapes of examples."""
    is_one = isinstance(input_shape, int) or (
        isinstance(input_shape, tuple) and all(size is None or isinstance(size, int) for size in input_shape)
    )
    if not is_one and not isinstance(input_shape, (list, tuple)):
        raise ArgumentError(f"summary: input_shape is a tuple of integers, or a list of such, got {input_shape!r}")
    found = dtypes.as_dtype(float if dtype is None else dtype)
    shapes = [input_shape] if is_one else input_shape
    shapes = [shape if isinstance(shape, (tuple, list)) else (shape,) for shape in shapes]
    return tuple(tensor_type(found, as_shape((None, *shape))) for shape in shapes)


def _has_batch(types: Any) -> bool:
    return any(isinstance(type_, TensorType) and type_.ndim for type_ in flatten(types)[0])


def _with_batch(types: Any, size: int | None) -> Any:
    """Return types with another size of the first axis."""
    leaves, structure = flatten(types)
    return unflatten(
        structure,
        [
            leaf.with_shape((size, *leaf.shape[1:])) if isinstance(leaf, TensorType) and leaf.ndim else leaf
            for leaf in leaves
        ],
    )


def _apply(model: Any, types: Any, paths: dict[int, str] | None) -> dict[int, Any]:
    """Apply a model to symbols of some types; return the result nodes of each module by its identity."""
    leaves, structure = flatten(types)
    inputs = unflatten(structure, [Tensor(symbol(leaf)) if isinstance(leaf, TensorType) else leaf for leaf in leaves])
    if paths is None:
        with Trace():
            try:
                model(*inputs)
            except ShapeError:  # a size is needed that is not known: those of one example are
                if types == _with_batch(types, 1):
                    raise
                return _apply(model, _with_batch(types, 1), None)
        return {}
    found: dict[int, Any] = {}
    with Trace(), _watched(paths, found):
        try:
            model(*inputs)
        except ShapeError:
            if types == _with_batch(types, 1):
                raise
            return {}
    return found


@contextmanager
def _watched(paths: dict[int, str], found: dict[int, Any]) -> Iterator[None]:
    """Note what each module returns, and have the nodes that it makes know its path: labels may be ambiguous."""
    thread = get_ident()

    def watch(module: Any, inputs: tuple[Any, ...], words: dict[str, Any]) -> Any:
        if get_ident() != thread:
            return module.forward(*inputs, **words)
        if id(module) in paths:  # `__call__` takes the path away again
            context.layers = (paths[id(module)],)
        result = module.forward(*inputs, **words)
        leaves = flatten(result)[0]
        found.setdefault(id(module), [leaf.node for leaf in leaves if isinstance(leaf, Tensor)])
        return result

    WATCHERS.append(watch)
    try:
        yield
    finally:
        WATCHERS.remove(watch)


def _shapes_text(nodes: Any) -> str:
    """Return shapes as text, with ``*`` for sizes that are not known."""
    texts = []
    for node in nodes:
        sizes = ["*" if size is None else str(size) for size in node.shape]
        texts.append(f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})")
    return ", ".join(texts) or "-"


def _bytes(nodes: Any) -> int:
    return sum(math.prod(size or 1 for size in node.shape) * node.dtype.itemsize for node in nodes)


def _count(variable: Variable) -> int:
    return math.prod(variable.variable_type.shape)  # type: ignore[arg-type]
