"""What arrays no longer do: methods that are gone, and lists of slices as keys.

A type in C takes no new methods, so that sources ask here for those that they call, and for keys.
"""

from __future__ import annotations

import array
import ast
from collections.abc import Callable
from typing import Any

import numpy

__all__ = ["FORMER", "FormerMethods", "call_former", "is_mentioned", "key_of"]


def _itemset(a: Any, *args: Any) -> None:
    place, value = (args[0] if len(args) == 2 else args[:-1]), args[-1]
    if isinstance(place, tuple):
        a[place or (0,) * a.ndim] = value
    else:
        a.flat[place] = value


FORMER: dict[str, Callable[..., Any]] = {
    "tostring": lambda a, *args: a.tobytes(*args),
    "fromstring": lambda a, *args: a.frombytes(*args),
    "itemset": _itemset,
    "newbyteorder": lambda a, order="S": a.view(a.dtype.newbyteorder(order)),
    "ptp": lambda a, *args, **options: numpy.ptp(a, *args, **options),
}
"""The methods, each with what it did."""


def call_former(record: Callable[[str], None]) -> Callable[..., Any]:
    """Return what the sources call instead of a method; `record` takes the names of those that are gone."""

    def call(value: Any, name: str, *args: Any, **options: Any) -> Any:
        if isinstance(value, numpy.ndarray | numpy.generic | array.array) and not hasattr(value, name):
            record(f"{type(value).__module__}.{type(value).__name__}.{name}")
            return FORMER[name](value, *args, **options)
        return getattr(value, name)(*args, **options)

    return call


def key_of(key: Any) -> Any:
    """Return a key as it was understood: a list with slices in it was taken for a tuple."""
    if isinstance(key, list) and any(part is None or part is Ellipsis or isinstance(part, slice) for part in key):
        return tuple(key)
    return key


def is_mentioned(content: bytes) -> bool:
    """Tell whether a source calls such a method, or makes slices that a list may hold."""
    return b"slice(" in content or any(f".{name}(".encode() in content for name in FORMER)


class FormerMethods(ast.NodeTransformer):
    """Let calls of such methods ask `call_former`, and keys that may be lists ask `key_of`."""

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        """``a[slices]``."""
        self.generic_visit(node)
        if isinstance(node.slice, ast.Name | ast.List | ast.ListComp | ast.BinOp):
            made = ast.Call(ast.Name("_septet_key", ast.Load()), [node.slice], [])
            node.slice = ast.fix_missing_locations(ast.copy_location(made, node.slice))
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """``a.tostring()``."""
        self.generic_visit(node)
        function = node.func
        if not isinstance(function, ast.Attribute) or function.attr not in FORMER:
            return node
        words = [function.value, ast.Constant(function.attr), *node.args]
        made = ast.Call(ast.Name("_septet_former", ast.Load()), words, node.keywords)
        return ast.fix_missing_locations(ast.copy_location(made, node))
