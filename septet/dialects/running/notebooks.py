"""Notebooks as programs: the cells of code in order, without what only IPython understands."""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass
from typing import Any

from septet.base.errors import FileFormatError

__all__ = ["Cell", "is_python2", "read_notebook", "show"]

_TIMERS = ("%%time", "%%timeit", "%%prun", "%%capture", "%%python", "%%python3")  # the rest of such a cell is Python


@dataclass(frozen=True)
class Cell:
    """One cell of code.

    Attributes
    ----------
    number : int
        Its place among the cells of code, from 1.
    source : str
        Its lines; those that are skipped are comments, so that lines keep their numbers.
    skipped : tuple of str
        What was skipped.
    is_to_fail : bool
        Whether the notebook was saved with an error of this cell, or marks it as one that raises: later cells count on
        what came before.
    """

    number: int
    source: str
    skipped: tuple[str, ...]
    is_to_fail: bool = False


def read_notebook(content: bytes, name: str) -> list[Cell]:
    """Return the cells of code of a notebook, of format 3 or 4.

    Raises
    ------
    FileFormatError
        When the file is no notebook.
    """
    notebook = _parsed(content, name)
    try:
        cells = notebook["cells"] if "cells" in notebook else notebook["worksheets"][0]["cells"]
        found = [cell for cell in cells if cell["cell_type"] == "code"]
        sources = ["".join(cell.get("source", cell.get("input", ""))) for cell in found]
        to_fail = [_is_to_fail(cell) for cell in found]
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise FileFormatError(f"{name}: this is no notebook: {error!r}") from error
    return [_cell(number, source, fails) for number, (source, fails) in enumerate(zip(sources, to_fail), 1)]


def _is_to_fail(cell: dict[str, Any]) -> bool:
    tags = cell.get("metadata", {}).get("tags", ())
    return "raises-exception" in tags or any(
        output.get("output_type") in ("error", "pyerr") for output in cell.get("outputs", ())
    )


def _parsed(content: bytes, name: str) -> dict[str, Any]:
    try:
        notebook = json.loads(content.decode("utf-8"))
    except ValueError as error:
        raise FileFormatError(f"{name}: this is no notebook: {error}") from error
    if not isinstance(notebook, dict):
        raise FileFormatError(f"{name}: this is no notebook: it holds a {type(notebook).__name__}")
    return notebook


def is_python2(content: bytes, name: str) -> bool:
    """Tell whether a notebook says that it is one of Python 2."""
    about = _parsed(content, name).get("metadata", {})
    kernel, language = about.get("kernelspec", {}), about.get("language_info", {})
    return str(language.get("version", "")).startswith("2.") or kernel.get("name") == "python2"


def _cell(number: int, source: str, is_to_fail: bool) -> Cell:
    lines = source.split("\n")
    first = next((line for line in lines if line.strip()), "")
    if first.startswith("%%") and not first.startswith(_TIMERS):
        return Cell(number, "\n".join(f"# {line}" for line in lines), (first,), is_to_fail)
    skipped = []
    for place, line in enumerate(lines):
        text = line.strip()
        indent = line[: len(line) - len(line.lstrip())]
        assigned = re.match(r"([\w ,]+)=\s*[!%]\s*\w", text)
        if text.startswith(("%", "!", "?")) or (text.endswith("?") and re.match(r"[\w.]+\?{1,2}$", text)):
            if text.startswith("%") and _is_operand(lines, place):
                continue
            lines[place] = f"{indent}pass  # {text}"
        elif assigned is not None:
            lines[place] = f"{indent}{assigned[1].strip()} = None  # {text}"
        else:
            continue
        skipped.append(text)
    return Cell(number, "\n".join(lines), tuple(skipped), is_to_fail)


def _is_operand(lines: list[str], place: int) -> bool:
    """Tell whether a line that begins with ``%`` goes on with the one before: ``"..." %`` broken before the sign."""
    before = "\n".join(lines[:place])
    return before.count("(") > before.count(")") or before.rstrip().endswith("\\")


def show(tree: ast.Module, source: str) -> ast.Module:
    """Return a cell that shows the value of its last expression, as a notebook does."""
    last = tree.body[-1] if tree.body else None
    if isinstance(last, ast.Expr) and not source.rstrip().endswith(";"):
        call = ast.Call(ast.Name("_septet_show", ast.Load()), [last.value], [])
        tree.body[-1] = ast.fix_missing_locations(ast.copy_location(ast.Expr(call), last))
    return tree


def display(*values: Any) -> None:
    """Print values, as ``display`` and the last line of a cell do."""
    for value in values:
        if value is not None:
            print(repr(value))
