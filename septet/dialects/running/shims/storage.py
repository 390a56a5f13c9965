"""What h5py and PyYAML have lost, as far as old programs use it."""

from __future__ import annotations

import functools
import os
from contextlib import ExitStack
from types import ModuleType
from typing import Any

import numpy

from septet.dialects.running.shims.shim import Change, Uses, replaced

__all__ = ["STORAGE"]


class Decoded(str):
    """Text that was bytes before h5py 3, so that programs decode it."""

    __slots__ = ()

    def decode(self, *args: Any, **options: Any) -> str:
        """Return the text."""
        return str(self)


def _decoded(value: Any) -> Any:
    """Return an attribute's value, with text that can be decoded."""
    if type(value) is str:
        return Decoded(value)
    if isinstance(value, numpy.ndarray) and value.dtype == object:
        found = numpy.empty(value.shape, object)
        found.flat = [_decoded(each) for each in value.flat]
        return found
    return value


def _hdf5(module: ModuleType, uses: Uses, stack: ExitStack) -> None:
    """Files are open for writing where that is possible; ``dataset.value``; attributes that are decoded."""
    opens, attribute = module.File.__init__, module.AttributeManager.__getitem__

    @functools.wraps(opens)
    def init(self: Any, name: Any, mode: Any = None, *args: Any, **options: Any) -> None:
        if mode is None and isinstance(name, str | os.PathLike):
            is_kept = os.path.exists(name) and not os.access(name, os.W_OK)
            mode = "r" if is_kept else "a"
            uses.record("h5py.File(mode)")
        opens(self, name, mode or "r", *args, **options)

    @functools.wraps(attribute)
    def getitem(self: Any, name: Any) -> Any:
        return _decoded(attribute(self, name))

    def value(self: Any) -> Any:
        uses.record("h5py.Dataset.value")
        return self[()]

    replaced(module.File, "__init__", init, stack)
    replaced(module.AttributeManager, "__getitem__", getitem, stack)
    if not hasattr(module.Dataset, "value"):
        replaced(module.Dataset, "value", property(value), stack)


def _yaml(module: ModuleType, uses: Uses, stack: ExitStack) -> None:
    """``yaml.load(stream)`` takes PyYAML 5's loader, which makes no objects that the stream names."""
    for name in ("load", "load_all"):
        own = getattr(module, name)

        def load(stream: Any, Loader: Any = None, *, own: Any = own, name: str = name) -> Any:
            if Loader is None:
                uses.record(f"yaml.{name}(no Loader)")
            return own(stream, Loader or module.FullLoader)

        replaced(module, name, load, stack)


STORAGE = [
    Change("h5py", "h5py.File(mode)", "files are opened for writing, and made where there is none", _hdf5),
    Change("h5py", "h5py.Dataset.value", "dataset[()]", lambda *args: None),
    Change("yaml", "yaml.load(no Loader)", "yaml.FullLoader", _yaml),
]
