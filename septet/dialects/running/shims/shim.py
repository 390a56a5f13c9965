"""What a shim is, how shims come into a process and leave it, and which were used."""

from __future__ import annotations

import functools
import importlib.util
import pkgutil
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import FrameType, ModuleType
from typing import Any

from septet.dialects.running.aliases import Alias

__all__ = ["Change", "Names", "NewModule", "Uses", "Value", "installed", "renamed_methods", "replaced", "resolve"]

_LIBRARIES = ("<frozen", *(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")))
_OWN = __name__.rpartition(".shims")[0]


@dataclass(frozen=True)
class Value:
    """A value that stands in for a name, with words for it where its repr says little."""

    value: Any
    text: str = ""


@dataclass(frozen=True)
class Names:
    """Names that a module has lost, each with what stands in for it.

    Attributes
    ----------
    module : str
        The module.
    since : str
        Since when they are gone.
    table : mapping
        From name to ``"module:attribute"``, which is looked up when the name is first used, or to a `Value`.
    """

    module: str
    since: str
    table: Mapping[str, str | Value]


@dataclass(frozen=True)
class NewModule:
    """A module that is gone, and what stands in for it where no package of that name is installed.

    Attributes
    ----------
    name : str
        Its name.
    make : str or callable
        The name of the module that it is now, or what returns its contents, given the record of uses.
    text : str
        What stands in for it, in words, where `make` is no name.
    is_package : bool
        Whether there are modules inside.
    """

    name: str
    make: str | Callable[[Uses], Mapping[str, Any]]
    text: str = ""
    is_package: bool = False


@dataclass(frozen=True)
class Change:
    """A function or method that behaves as it once did.

    Attributes
    ----------
    module : str
        The module that is changed, once it is imported.
    name : str
        The shim's name.
    text : str
        What it does.
    install : callable
        ``install(module, uses, stack)`` changes the module; the stack knows how to undo it.
    """

    module: str
    name: str
    text: str
    install: Callable[[ModuleType, Uses, ExitStack], None]


@dataclass
class Uses:
    """Which shims a program used, each with the place of the first use."""

    places: dict[str, str] = field(default_factory=dict)

    def record(self, name: str) -> None:
        """Note that a shim is used, by the line that is running outside of this folder."""
        if name not in self.places:
            frame = _caller(sys._getframe(1))
            self.places[name] = "" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"


def _caller(frame: FrameType | None) -> FrameType | None:
    """Return the innermost frame of the program; where there is none, that of a library."""
    first = None
    while frame is not None:
        module = frame.f_globals.get("__name__") or ""
        if not module.startswith((_OWN, "importlib")):
            first = first or frame
            if not frame.f_code.co_filename.startswith(_LIBRARIES):
                return frame
        frame = frame.f_back
    return first


def replaced(module: Any, name: str, value: Any, stack: ExitStack) -> Any:
    """Set an attribute until the stack is closed, and return what was there (None if nothing was)."""
    own = vars(module)
    if name in own:
        stack.callback(setattr, module, name, own[name])
    else:
        stack.callback(lambda: name in vars(module) and delattr(module, name))
    before = own.get(name)
    setattr(module, name, value)
    return before


def renamed_methods(module: ModuleType, owner: Any, names: Mapping[str, str], uses: Uses, stack: ExitStack) -> None:
    """Give a class its former methods back: by names that are gone, those that are there."""
    for old, new in names.items():
        if hasattr(owner, old) or not hasattr(owner, new):
            continue

        def method(self: Any, *args: Any, _old: str = old, _new: str = new, **kwargs: Any) -> Any:
            uses.record(f"{module.__name__}.{owner.__name__}.{_old}")
            return getattr(self, _new)(*args, **kwargs)

        replaced(owner, old, method, stack)


def resolve(stand_in: str | Value) -> Any:
    """Return what stands in for a name."""
    return stand_in.value if isinstance(stand_in, Value) else pkgutil.resolve_name(stand_in)


def _serve(names: Names, module: ModuleType, uses: Uses, stack: ExitStack) -> None:
    """Let a module answer for names that it has lost."""
    lost = {name: stand_in for name, stand_in in names.table.items() if name not in vars(module)}
    before = vars(module).get("__getattr__")

    def __getattr__(name: str) -> Any:
        if name in lost:
            uses.record(f"{names.module}.{name}")
            return resolve(lost[name])
        if before is not None:
            return before(name)
        raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")

    if lost:
        replaced(module, "__getattr__", __getattr__, stack)


class _NewModules(MetaPathFinder, Loader):
    """The last finder of all: it makes the modules that no other one has found."""

    def __init__(self, modules: Sequence[NewModule], uses: Uses) -> None:
        self.modules = {module.name: module for module in modules}
        self.uses = uses
        self.made: list[str] = []

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return what makes a module of the table."""
        module = self.modules.get(fullname)
        if module is None:
            return None
        self.uses.record(fullname)
        self.made.append(fullname)
        if isinstance(module.make, str):
            return ModuleSpec(fullname, Alias(module.make))
        return ModuleSpec(fullname, self, origin="septet run", is_package=module.is_package)

    def exec_module(self, module: ModuleType) -> None:
        """Fill a module."""
        make = self.modules[module.__name__].make
        assert not isinstance(make, str)
        module.__dict__.update(make(self.uses))

    def forget(self) -> None:
        """Take the modules that were made out of the process."""
        for name in self.made:
            module = sys.modules.pop(name, None)
            parent, _, child = name.rpartition(".")
            if parent in sys.modules and vars(sys.modules[parent]).get(child) is module:
                delattr(sys.modules[parent], child)


class _Watch(MetaPathFinder):
    """The first finder of all: it calls back when one of some modules has been imported."""

    def __init__(self, names: set[str], after: Callable[[str, ModuleType], None]) -> None:
        self.names = names
        self.after = after

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in self.names:
            return None
        self.names.discard(fullname)  # asked again from here, the other finders answer
        spec = importlib.util.find_spec(fullname)
        if spec is not None and hasattr(spec.loader, "exec_module"):
            spec.loader = _Then(spec.loader, functools.partial(self.after, fullname))
        return spec


class _Then(Loader):
    """Load a module as its own loader does, and then call back."""

    def __init__(self, own: Any, after: Callable[[ModuleType], None]) -> None:
        self.own = own
        self.after = after

    def __getattr__(self, name: str) -> Any:
        return getattr(self.own, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Return what the module's own loader makes."""
        return self.own.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Run the module."""
        assert module.__spec__ is not None
        module.__spec__.loader = module.__loader__ = self.own
        self.own.exec_module(module)
        self.after(module)


@contextmanager
def installed(shims: Sequence[Names | NewModule | Change]) -> Iterator[Uses]:
    """Install shims for the duration of a with-block; afterwards the process is as it was.

    Yields
    ------
    Uses
        Which of them were used so far.
    """
    uses = Uses()
    by_module: dict[str, list[Names | Change]] = {}
    for shim in shims:
        if not isinstance(shim, NewModule):
            by_module.setdefault(shim.module, []).append(shim)
    finder = _NewModules([shim for shim in shims if isinstance(shim, NewModule)], uses)
    with ExitStack() as stack:

        def change(name: str, module: ModuleType) -> None:
            for shim in by_module[name]:
                if isinstance(shim, Names):
                    _serve(shim, module, uses, stack)
                else:
                    shim.install(module, uses, stack)

        watch = _Watch({name for name in by_module if name not in sys.modules}, change)
        sys.meta_path.insert(0, watch)
        stack.callback(sys.meta_path.remove, watch)
        sys.meta_path.append(finder)
        stack.callback(finder.forget)
        stack.callback(sys.meta_path.remove, finder)
        for name in by_module:
            if name in sys.modules:
                change(name, sys.modules[name])
        yield uses
