"""The one template of every error about an op: what was broken, by which arguments, made where, called where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from septet.base.errors import SeptetError
from septet.base.shapes import Shape
from septet.base.source import Source, place_text, source_text
from septet.base.text import shape_text
from septet.graph.derived import lines_about
from septet.graph.node import CONSTANT, SYMBOL, VARIABLE, Node
from septet.graph.types import NodeType, TensorType

CALLER = "caller"
"""The parameter with the name of the function that recorded an op in order to have a value checked: the error is then
that function's."""


def origin(node: Node) -> str:
    """Say in a few words where a node came from."""
    place = place_text(node.source)
    at = f", {place}" if place else ""
    if node.op is SYMBOL:
        name = f" {node.params[0]!r}" if node.params[0] else ""
        return f"symbol{name}{at}"
    if node.op is VARIABLE:
        return f"variable {node.params[0].name!r}{at}"
    if node.op is CONSTANT:
        return f"data{at}"
    return f"result of {node.op.name}{at}"


def argument_names(input_names: Sequence[str], count: int) -> list[str]:
    """Return one name for each argument; a variadic name is numbered."""
    names = [name for name in input_names if not _is_variadic(name)]
    rest = count - len(names)
    if input_names and _is_variadic(input_names[-1]):
        names += [f"{input_names[-1][1:]}[{index}]" for index in range(rest)]
    return (names + [f"argument {index}" for index in range(len(names), count)])[:count]


def _is_variadic(name: str) -> bool:
    """``*tensors`` stands for any number of them; ``*tensors[1]`` is one."""
    return name.startswith("*") and name[1:].isidentifier()


def _marker(dtype: str, shape: Shape, axes: Sequence[int]) -> str:
    """A line of carets below the sizes of some axes in ``dtype[2, 3]``."""
    line: dict[int, str] = {}
    column = len(dtype) + 1
    for axis, size in enumerate(shape):
        text = "?" if size is None else str(size)
        if axis in axes:
            for offset in range(len(text)):
                line[column + offset] = "^"
        column += len(text) + 2
    return "".join(line.get(i, " ") for i in range(max(line) + 1)) if line else ""


def _param_text(name: str, value: Any) -> str:
    """Write a parameter; a shape with question marks for sizes that are not known."""
    is_shape = name in ("shape", "sizes") and isinstance(value, tuple) and None in value
    return shape_text(value) if is_shape else repr(value)


def report(
    error: SeptetError,
    op_name: str,
    input_names: Sequence[str],
    inputs: Sequence[Node],
    params: Mapping[str, Any],
    layers: Sequence[str],
    source: Source | None,
    types: Sequence[NodeType] | None = None,
) -> str:
    """Return the whole text of an error raised by the op `op_name`, or by the function that it checks a value for.

    `types` are those that the inputs have while the graph runs, where every size is known.
    """
    op_name = params.get(CALLER) or op_name
    lines = [f"{op_name}: {error.message}"]
    names = argument_names(input_names, len(inputs))
    width = max(map(len, names), default=0)
    marks: dict[int, list[int]] = {}
    for position, axis in error.marks:
        marks.setdefault(position, []).append(axis)
    for position, (name, node) in enumerate(zip(names, inputs, strict=True)):
        type_ = node.type if types is None else types[position]
        lines.append(f"  {name:<{width}}: {type_!r}   {origin(node)}")
        if isinstance(type_, TensorType):
            shape = type_.shape
            marker = _marker(type_.dtype.name, shape, [axis % max(len(shape), 1) for axis in marks.get(position, ())])
            if marker:
                lines.append(f"  {'':<{width}}  {marker}")
    shown = ", ".join(f"{name}={_param_text(name, value)}" for name, value in params.items() if name != CALLER)
    if shown:
        lines.append(f"  with {shown}" if len(shown) <= 200 else f"  with {shown[:197]}...")
    lines += error.details
    lines += lines_about(layers)
    where = source_text(source)
    if where:
        lines.append(f"  at {where}")
    if error.hint:
        lines.append(f"  hint: {error.hint}")
    lines.append(f"  [{error.code}] {error.command()}")
    return "\n".join(lines)
