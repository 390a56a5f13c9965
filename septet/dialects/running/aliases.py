"""The names of other systems lead to Septet's dialects: ``import theano`` gives `septet.dialects.theano`, itself."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

from septet.base.errors import ArgumentError

__all__ = ["DIALECTS", "Alias", "DialectFinder", "aliases", "available", "choose"]

DIALECTS = ("theano", "lasagne", "blocks", "fuel", "tensorflow", "keras", "mxnet", "torch")
"""The systems whose programs Septet is to run, by the name that programs import."""


def available() -> tuple[str, ...]:
    """Return the dialects that this installation has."""
    return tuple(name for name in DIALECTS if importlib.util.find_spec(f"septet.dialects.{name}") is not None)


def choose(names: str | None, folder: str) -> tuple[str, ...]:
    """Return the dialects that stand in for packages of the same name.

    Parameters
    ----------
    names : str or None
        Those that the user named, with commas between them. None: all that there are, but for those of which the
        program's own folder has a module: like everywhere in Python, a program's own modules come first.
    folder : str
        The program's folder.

    Raises
    ------
    ArgumentError
        When there is no such dialect.
    """
    known = available()
    if names is None:
        return tuple(name for name in known if PathFinder.find_spec(name, [folder or "."]) is None)
    chosen = tuple(name.strip() for name in names.split(",") if name.strip())
    for name in chosen:
        if name not in known:
            raise ArgumentError(f"there is no dialect {name!r}; this version has {', '.join(known) or 'none'}")
    return chosen


class Alias(Loader):
    """Load nothing: hand over a module under another name.

    Parameters
    ----------
    target : str
        The module's own name.
    """

    def __init__(self, target: str) -> None:
        self.target = target
        self.spec: ModuleSpec | None = None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(self.target)
        self.spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        # The import system has just written the alias's spec into the module, which has run already.
        module.__spec__ = self.spec
        if self.spec is not None:
            module.__loader__ = self.spec.loader


class DialectFinder(MetaPathFinder):
    """Find ``NAME`` and ``NAME.anything`` in `septet.dialects`.

    The modules are the very same objects under both names, so that there is one registry of types, one configuration
    and one class of everything.

    Parameters
    ----------
    names : iterable of str
        The dialects.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.names = frozenset(names)
        self.imported: dict[str, None] = {}  # what was asked for, in order

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return what loads a module of a dialect; None for every other module."""
        top = fullname.partition(".")[0]
        if top not in self.names:
            return None
        own = f"septet.dialects.{fullname}"
        try:
            if own not in sys.modules and importlib.util.find_spec(own) is None:
                return None
        except ModuleNotFoundError as error:
            if error.name is None or not own.startswith(f"{error.name}."):
                raise
            return None  # it would be in a package that is none of the dialect's
        self.imported.setdefault(top)
        return ModuleSpec(fullname, Alias(own))


@contextmanager
def aliases(names: Iterable[str]) -> Iterator[DialectFinder]:
    """Let names lead to dialects for the duration of a with-block.

    Examples
    --------
    >>> with aliases(["theano"]) as finder:
    ...     finder.find_spec("numpy", None) is None
    True
    """
    finder = DialectFinder(names)
    sys.meta_path.insert(0, finder)
    try:
        yield finder
    finally:
        sys.meta_path.remove(finder)
        for name in list(sys.modules):
            if name.partition(".")[0] in finder.names:
                del sys.modules[name]
