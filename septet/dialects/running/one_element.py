"""Arrays of one element as numbers: NumPy converted them by itself until 2.4.

No method of a type in C can be changed, so that sources ask here where they call ``float`` and its like, fill in a format
with ``%``, or store an element.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

import numpy

__all__ = ["OneElement", "helpers"]

SHIM = "numpy.ndarray(one element)"
_TYPES = ("float", "int", "complex", "round")


def _is_one(value: Any) -> bool:
    return isinstance(value, numpy.ndarray) and value.ndim > 0 and value.size == 1


def helpers(record: Callable[[str], None]) -> dict[str, Callable[..., Any]]:
    """Return what such sources call, by name; `record` takes the name of the shim when it is needed."""

    def number(value: Any) -> Any:
        if not _is_one(value):
            return value
        record(SHIM)
        return value.item()

    def filled(text: str, values: Any) -> str:
        try:
            return text % values
        except TypeError:
            parts = values if isinstance(values, tuple) else (values,)
            if not any(map(_is_one, parts)):
                raise
            return text % tuple(map(number, parts))

    def store(value: Any, target: Any, key: Any) -> None:
        try:
            target[key] = value
        except ValueError:
            if not isinstance(target, numpy.ndarray) or not _is_one(value):
                raise
            target[key] = number(value)

    return {"_septet_number": number, "_septet_filled": filled, "_septet_store": store}


def _call(name: str, arguments: list[ast.expr], node: Any) -> Any:
    return ast.fix_missing_locations(ast.copy_location(ast.Call(ast.Name(name, ast.Load()), arguments, []), node))


class OneElement(ast.NodeTransformer):
    """Let sources ask the `helpers`."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """``float(a)``, ``math.sqrt(a)``."""
        self.generic_visit(node)
        function = node.func
        is_math = isinstance(function, ast.Attribute) and getattr(function.value, "id", "") == "math"
        if is_math or (isinstance(function, ast.Name) and function.id in _TYPES):
            node.args = [
                each if isinstance(each, ast.Constant | ast.Starred) else _call("_septet_number", [each], each)
                for each in node.args
            ]
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        """``"%f" % a``."""
        self.generic_visit(node)
        if isinstance(node.op, ast.Mod) and isinstance(node.left, ast.Constant) and isinstance(node.left.value, str):
            return _call("_septet_filled", [node.left, node.right], node)
        return node

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        """``b[i] = a``."""
        self.generic_visit(node)
        target = node.targets[0]
        if len(node.targets) > 1 or not isinstance(target, ast.Subscript):
            return node
        if any(
            isinstance(each, ast.Slice | ast.Starred) for each in (target.slice, *getattr(target.slice, "elts", ()))
        ):
            return node
        stored = _call("_septet_store", [node.value, target.value, target.slice], node)
        return ast.copy_location(ast.Expr(stored), node)
