"""Types, numbers and parameters as text, and back: what printing writes and reads."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from septet.base import dtypes
from septet.base.dtypes import DType
from septet.base.errors import GraphError, NotSupportedError
from septet.base.text import type_text
from septet.graph.types import NodeType, TensorType, tensor_type

TOKEN = re.compile(
    r"""(?P<space>[ \t]+)|(?P<comment>\#[^\n]*)|(?P<newline>\n)
    |(?P<string>'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")
    |(?P<number>-?(?:\d+\.?\d*(?:e[+-]?\d+)?|inf\b|nan\b))
    |(?P<node>%\d+)|(?P<reference>@(?:\d+|[A-Za-z_][\w.]*|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"))
    |(?P<name>[A-Za-z_]\w*)|(?P<mark>->|[()\[\]{}:,=?!])""",
    re.VERBOSE,
)


class Token:
    """A piece of a graph's text."""

    __slots__ = ("column", "kind", "line", "text")

    def __init__(self, kind: str, text: str, line: int, column: int) -> None:
        self.kind = kind
        self.text = text
        self.line = line
        self.column = column


def tokens(text: str) -> list[Token]:
    """Split a text; comments, spaces and line ends are left out."""
    found = []
    position, line, start = 0, 1, 0
    while position < len(text):
        piece = TOKEN.match(text, position)
        if piece is None:
            raise GraphError(f"line {line}, column {position - start + 1}: {text[position]!r} belongs to nothing")
        kind = str(piece.lastgroup)
        if kind == "newline":
            line, start = line + 1, piece.end()
        elif kind not in ("space", "comment"):
            found.append(Token(kind, piece.group(), line, position - start + 1))
        position = piece.end()
    found.append(Token("end", "", line, position - start + 1))
    return found


class Reader:
    """Reads tokens one by one."""

    def __init__(self, text: str) -> None:
        self.tokens = tokens(text)
        self.position = 0

    @property
    def next(self) -> Token:
        """The token that comes next."""
        return self.tokens[self.position]

    def fail(self, wanted: str, token: Token | None = None) -> GraphError:
        """Return the error for a token that is not what is wanted."""
        token = token or self.next
        got = repr(token.text) if token.text else "the end"
        return GraphError(f"line {token.line}, column {token.column}: expected {wanted}, got {got}")

    def take(self, kind: str, wanted: str = "") -> str:
        """Take a token of a kind and return its text."""
        token = self.next
        if token.kind != kind:
            raise self.fail(wanted or f"a {kind}")
        self.position += 1
        return token.text

    def mark(self, text: str) -> None:
        """Take a certain mark or word."""
        if self.next.text != text or self.next.kind not in ("mark", "name"):
            raise self.fail(repr(text))
        self.position += 1

    def skip(self, text: str) -> bool:
        """Take a mark or word if it comes next."""
        if self.next.text == text and self.next.kind in ("mark", "name"):
            self.position += 1
            return True
        return False

    def sequence(self, end: str, read: Callable[[], Any]) -> list[Any]:
        """Take things separated by commas up to a closing mark."""
        found = []
        while not self.skip(end):
            found.append(read())
            if not self.skip(","):
                self.mark(end)
                break
        return found


def node_type_text(type_: NodeType) -> str:
    """Return ``float32[3, ?]``, or several in parentheses."""
    if isinstance(type_, tuple):
        return f"({', '.join(map(node_type_text, type_))})"
    return type_text(type_)


def read_type(reader: Reader) -> NodeType:
    """Read what `node_type_text` writes."""
    if reader.skip("("):
        return tuple(reader.sequence(")", lambda: read_type(reader)))
    token = reader.next
    name = reader.take("name", "a dtype")
    if name not in dtypes.BY_NAME:
        raise reader.fail("a dtype", token)
    reader.mark("[")
    return tensor_type(dtypes.BY_NAME[name], tuple(reader.sequence("]", lambda: _read_size(reader))))


def _read_size(reader: Reader) -> int | None:
    if reader.skip("?"):
        return None
    token = reader.next
    text = reader.take("number", "a size")
    if not text.isdigit():
        raise reader.fail("a size", token)
    return int(text)


def literal(value: Any, graph_text: Callable[[Any], str]) -> str:
    """Return a parameter as text; `graph_text` writes sub-graphs."""
    kind = type(value)
    if value is None or kind in (bool, int, str):
        return repr(value)
    if kind is float:
        return "-nan" if math.isnan(value) and math.copysign(1, value) < 0 else repr(value)
    if kind is complex:
        return f"complex({literal(value.real, graph_text)}, {literal(value.imag, graph_text)})"
    if kind is tuple:
        inner = ", ".join(literal(part, graph_text) for part in value)
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if isinstance(value, np.dtype):
        return value.name
    if value is Ellipsis:
        return "Ellipsis"
    if kind is slice:
        return f"slice({', '.join(literal(part, graph_text) for part in (value.start, value.stop, value.step))})"
    if isinstance(value, TensorType):
        return f"type({node_type_text(value)})"
    if hasattr(value, "signature"):
        return graph_text(value)
    name = getattr(value, "__qualname__", kind.__name__)
    return f"opaque({name!r})"


_WORDS = {"None": None, "True": True, "False": False, "Ellipsis": Ellipsis}


def read_literal(reader: Reader, read_graph: Callable[[], Any]) -> Any:
    """Read what `literal` writes."""
    token = reader.next

    def part() -> Any:
        return read_literal(reader, read_graph)

    if token.kind == "number":
        return read_number(reader.take("number"))
    if token.kind == "string":
        return unquote(reader.take("string"))
    if reader.skip("("):
        return tuple(reader.sequence(")", part))
    if token.kind == "name":
        if token.text == "graph":
            return read_graph()
        reader.position += 1
        if token.text in _WORDS:
            return _WORDS[token.text]
        if token.text in dtypes.BY_NAME:
            return dtypes.BY_NAME[token.text]
        if token.text == "type":
            reader.mark("(")
            found = read_type(reader)
            reader.mark(")")
            return found
        if token.text in ("complex", "slice", "opaque"):
            reader.mark("(")
            parts = reader.sequence(")", part)
            if token.text == "opaque":
                raise NotSupportedError(
                    f"line {token.line}, column {token.column}: the parameter {parts[0]!r} is a Python object, which "
                    f"text does not hold"
                )
            if token.text == "slice" and len(parts) == 3:
                return slice(*parts)
            if token.text == "complex" and len(parts) == 2:
                return complex(float(parts[0]), float(parts[1]))
    raise reader.fail("a value", token)


def read_number(text: str) -> int | float:
    """Return the int or float that a number token stands for."""
    if text.lstrip("-").isdigit():
        return int(text)
    return math.copysign(math.nan, -1.0 if text[0] == "-" else 1.0) if text.endswith("nan") else float(text)


def unquote(text: str) -> str:
    """Return the string that a Python string literal stands for."""
    return text[1:-1].encode("latin-1", "backslashreplace").decode("unicode_escape")


def element_text(value: Any, dtype: DType) -> str:
    """Return one element of an array as text."""
    return literal(value.item() if not dtypes.is_float(dtype) else float(value), str)


def array_text(array: np.ndarray) -> str:
    """Return the elements in row-major order: a number, or a list in brackets."""
    if array.ndim == 0:
        return element_text(array[()], array.dtype)
    return f"[{', '.join(element_text(value, array.dtype) for value in array.reshape(-1))}]"


def read_array(reader: Reader, type_: TensorType, values: list[Any], token: Token) -> np.ndarray:
    """Return the array of elements that were read."""
    if type_.size != len(values) or not type_.is_known:
        raise reader.fail(f"the {type_.size} elements of {node_type_text(type_)}, not {len(values)}", token)
    with np.errstate(all="ignore"):
        array = np.array(values, dtype=type_.dtype if values else None).astype(type_.dtype).reshape(type_.shape)  # type: ignore[arg-type]
    array.flags.writeable = False
    return array
