"""Running a program as Python would: a script, a module, a notebook, or what comes from standard input."""

from __future__ import annotations

import importlib.util
import linecache
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from septet.base.errors import MissingDataError
from septet.dialects.running import notebooks
from septet.dialects.running.python2 import read_source, says_python2
from septet.dialects.running.sources import Sources
from septet.dialects.running.tracebacks import print_traceback

__all__ = ["Program", "folder_of", "is_python2"]


@dataclass
class Program:
    """What is to be run.

    Attributes
    ----------
    target : str
        A path, ``-``, or the name of a module.
    arguments : list of str
        What the program finds in ``sys.argv[1:]``.
    is_module : bool
        Whether `target` names a module.
    goes_on : bool
        Whether the cells of a notebook run also after one that raises.
    note : callable
        Takes remarks for the user.
    """

    target: str
    arguments: list[str]
    is_module: bool = False
    goes_on: bool = False
    note: Callable[[str], None] = field(default=lambda text: None)

    @property
    def is_notebook(self) -> bool:
        """Whether it is a notebook."""
        return not self.is_module and self.target.endswith(".ipynb")

    @property
    def path(self) -> str:
        """The file, as ``sys.argv[0]`` says it; a folder stands for the ``__main__.py`` in it."""
        if not self.is_module and os.path.isdir(self.target):
            return os.path.join(self.target, "__main__.py")
        return self.target

    def content(self) -> bytes:
        """Return the bytes of the file.

        Raises
        ------
        MissingDataError
            When there is no such file.
        """
        if self.target == "-":
            return sys.stdin.buffer.read()
        try:
            return Path(self.path).read_bytes()
        except (FileNotFoundError, IsADirectoryError) as error:
            raise MissingDataError(f"there is no program {self.path!r}") from error


def folder_of(program: Program) -> str:
    """Return the folder whose modules the program finds first, as Python puts it at the head of ``sys.path``."""
    if program.is_module:
        return os.getcwd()
    if program.target == "-":
        return ""
    return os.path.dirname(os.path.realpath(program.path))


def is_python2(program: Program, content: bytes) -> bool:
    """Tell whether a program is one of Python 2 beyond doubt, which the user is told."""
    if program.is_notebook:
        reason = "it says so" if notebooks.is_python2(content, program.path) else None
    else:
        reason = says_python2(read_source(content))
    if reason is not None:
        program.note(f"this is Python 2 ({reason}): translated, as with --py2")
    return reason is not None


def run(program: Program, content: bytes, sources: Sources) -> None:
    """Run a program to its end in the module ``__main__``; what it raises is raised."""
    main = ModuleType("__main__")
    space = main.__dict__
    space["__builtins__"] = sources.builtins()
    sys.modules["__main__"] = main
    sys.argv = [program.path, *program.arguments]
    if program.is_module:
        exec(_module_code(program, main, sources), space)
        return
    filename = "<stdin>" if program.target == "-" else os.path.abspath(program.path)
    if program.target != "-":
        space["__file__"] = filename
        space["__cached__"] = None
    if program.is_notebook:
        _run_cells(program, content, sources, space)
        return
    if program.target == "-":
        _remember(filename, read_source(content))
    exec(sources.compile(sources.tree(content, filename), filename), space)


def _module_code(program: Program, main: ModuleType, sources: Sources) -> CodeType:
    """Return the code of a module that is run with ``-m``, and set what it knows about itself."""
    name = program.target
    spec = importlib.util.find_spec(name)
    if spec is not None and spec.submodule_search_locations is not None:
        name = f"{name}.__main__"
        spec = importlib.util.find_spec(name)
    code = None
    if spec is not None and spec.loader is not None and hasattr(spec.loader, "get_code"):
        code = spec.loader.get_code(spec.name)
    if spec is None or code is None:
        raise MissingDataError(f"there is no module {name!r}, or it cannot be run")
    main.__dict__.update(
        __spec__=spec, __package__=spec.parent, __loader__=spec.loader, __file__=spec.origin, __cached__=None
    )
    sys.argv[0] = spec.origin or name
    return code


def _remember(filename: str, text: str) -> None:
    """Let tracebacks show lines that stand in no file."""
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)


def _run_cells(program: Program, content: bytes, sources: Sources, space: dict[str, Any]) -> None:
    names = space["__builtins__"]
    names["_septet_show"] = names["display"] = notebooks.display
    names["get_ipython"] = lambda: None
    cells, failed = notebooks.read_notebook(content, program.path), []
    for cell in cells:
        for text in cell.skipped:
            program.note(f"cell {cell.number}: skipped: {text}")
        filename = f"{program.path}[cell {cell.number}]"
        _remember(filename, cell.source)
        try:
            tree = sources.tree(cell.source.encode(), filename)
            exec(sources.compile(notebooks.show(tree, cell.source), filename), space)
        except Exception as error:
            if not cell.is_to_fail and not program.goes_on:
                left = len(cells) - cell.number
                if left:
                    error.add_note(f"{left} cells after cell {cell.number} did not run: --keep-going runs them")
                raise
            print_traceback(error, sources.translated)
            why = ", as it did when the notebook was saved" if cell.is_to_fail else ""
            program.note(f"cell {cell.number}: raised{why}: going on")
            if not cell.is_to_fail:
                failed.append(str(cell.number))
    if failed:
        program.note(f"of {len(cells)} cells, these raised: {', '.join(failed)}")
        sys.exit(1)
