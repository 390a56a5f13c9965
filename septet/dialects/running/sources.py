"""The modules of a program's own folder: translated if they are of Python 2, with the built-in names that are gone."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from septet.dialects.running.former_methods import FormerMethods, call_former, is_mentioned, key_of
from septet.dialects.running.one_element import OneElement, helpers
from septet.dialects.running.python2 import imports_neighbours, parse, quiet, read_source, tree_of_python2
from septet.dialects.running.python2_names import builtins_for, names_in

__all__ = ["Sources"]

_INSTALLED = ("site-packages", "dist-packages")
_SEPTET = Path(__file__).resolve().parents[2]


def _is_loose(path: Path) -> bool:
    """Tell whether a file is neither installed nor a part of Python."""
    path = path.resolve()
    places = (_SEPTET, *(Path(place).resolve() for place in (sys.prefix, sys.base_prefix)))
    return not any(path.is_relative_to(place) for place in places) and not set(path.parts) & set(_INSTALLED)


class Sources:
    """What is known about the program's own sources.

    Parameters
    ----------
    folder : str
        The program's folder.
    is_python2 : bool
        Whether they are of Python 2.
    """

    record: Callable[[str], None]  # takes the names of methods that are gone, when they are called

    def __init__(self, folder: str, is_python2: bool) -> None:
        self.record = lambda name: None
        self.folder = Path(folder or os.curdir).resolve()
        self.is_python2 = is_python2
        self._given = {Path(place).resolve() for place in sys.path}  # before the program adds to it
        self.translated: list[str] = []
        self.codes: list[tuple[CodeType, str]] = []  # what was compiled, with its file

    def is_own(self, path: Path) -> bool:
        """Tell whether a file belongs to the program: it lies in its folder, and is not installed there.

        A program of Python 2 was translated with all that it imports: what lies in folders that it puts on the path
        belongs to it, too.
        """
        path = path.resolve()
        if not path.is_relative_to(self.folder) or path.is_relative_to(_SEPTET):
            return self.is_python2 and _is_loose(path) and any(map(path.is_relative_to, self._added()))
        inside = path.relative_to(self.folder).parts
        return not any(part in _INSTALLED for part in inside) and not path.is_relative_to(Path(sys.prefix).resolve())

    def _added(self) -> set[Path]:
        """Return the folders that the program has put on the path."""
        return {Path(place).resolve() for place in sys.path} - self._given

    def tree(self, content: bytes, filename: str, is_own: bool = True) -> ast.Module:
        """Return the syntax tree of a source: translated where the program is of Python 2.

        A module from elsewhere is translated only where it must be one of Python 2, too: Python 3 cannot parse it, or it
        imports modules of its own package by their bare names.
        """
        tree = None
        if not self.is_python2 or not is_own:
            try:
                tree = parse(content, filename)
            except SyntaxError:
                if not self.is_python2:
                    raise
        if tree is None or (self.is_python2 and not is_own and imports_neighbours(tree, filename)):
            self.translated.append(filename)
            tree = tree_of_python2(read_source(content), filename)
        if is_own and is_mentioned(content):
            tree = FormerMethods().visit(tree)
        return OneElement().visit(tree) if is_own else tree

    def compile(self, tree: ast.Module, filename: str) -> CodeType:
        """Return the code of a syntax tree."""
        with quiet():
            code = compile(tree, filename, "exec", dont_inherit=True)
        self.codes.append((code, filename))
        return code

    def names(self) -> dict[str, str]:
        """Return the built-in names of Python 2 that the program uses, each with a file that does."""
        found: dict[str, str] = {}
        for code, filename in self.codes:
            for name in names_in(code):
                found.setdefault(name, filename)
        return found

    def builtins(self) -> dict[str, Any]:
        """Return the built-in names for one of the program's modules."""
        asked = {"_septet_former": call_former(self.record), "_septet_key": key_of, **helpers(self.record)}
        return {**builtins_for(self.is_python2), **asked}

    def finder(self) -> MetaPathFinder:
        """Return what finds the program's modules for the import system."""
        return _Finder(self)


class _Finder(MetaPathFinder):
    def __init__(self, sources: Sources) -> None:
        self.sources = sources

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return a spec for modules of the program; None for all others."""
        if fullname in sys.builtin_module_names:
            return None
        spec = PathFinder.find_spec(fullname, path)
        if spec is None or type(spec.loader) is not SourceFileLoader or spec.origin is None:
            return None
        origin = Path(spec.origin)
        is_own = self.sources.is_own(origin)
        if not is_own and not (self.sources.is_python2 and _is_loose(origin)):
            return None
        spec.loader = _Loader(fullname, spec.origin, self.sources, is_own)
        return spec


class _Loader(SourceFileLoader):
    """Load a module of the program. What is compiled is not kept: other runs of Python would take it for theirs."""

    def __init__(self, fullname: str, path: str, sources: Sources, is_own: bool) -> None:
        super().__init__(fullname, path)
        self.sources = sources
        self.has_own_names = is_own

    def get_code(self, fullname: str) -> CodeType:
        """Return the module's code."""
        tree = self.sources.tree(self.get_data(self.path), self.path, self.has_own_names)
        return self.sources.compile(tree, self.path)

    def exec_module(self, module: ModuleType) -> None:
        """Run the module."""
        code = self.get_code(module.__name__)
        if self.has_own_names or self.path in self.sources.translated:
            module.__dict__["__builtins__"] = self.sources.builtins()
        exec(code, module.__dict__)
