"""Pickles of variables and functions."""

from __future__ import annotations

import io
import pickle
import zipfile
from typing import Any, BinaryIO

import numpy as np

from septet.dialects.theano.coverage import asked


class StripPickler(pickle._Pickler):
    """Writes pickles; what graphs remember about where they were made is left out."""

    def __init__(self, file: Any, protocol: int = 0, extra_tag_to_remove: Any = None) -> None:
        super().__init__(file, protocol)
        self.tag_to_remove = ["trace", "test_value", *([extra_tag_to_remove] if extra_tag_to_remove else [])]

    def save(self, obj: Any, save_persistent_id: bool = True) -> Any:
        for name in self.tag_to_remove:
            getattr(getattr(obj, "tag", None), "__dict__", {}).pop(name, None)
        return super().save(obj, save_persistent_id)


class CompatUnpickler(pickle._Unpickler):
    """Reads pickles, also those that Python 2 wrote."""

    def __init__(self, file: Any, **words: Any) -> None:
        super().__init__(file, **({"encoding": "latin1"} | words))


def dump(obj: Any, file_handler: BinaryIO, protocol: int = 2, persistent_id: Any = None) -> None:
    """Write an object: a zip file with the pickle, and a .npy for the value of each shared variable."""
    arrays: dict[str, np.ndarray] = {}

    class Pickler(pickle.Pickler):
        def persistent_id(self, thing: Any) -> Any:
            if not isinstance(thing, np.ndarray):
                return None
            for name, known in arrays.items():
                if known is thing:
                    return ("ndarray", name)
            name = f"array_{len(arrays)}"
            arrays[name] = thing
            return ("ndarray", name)

    buffer = io.BytesIO()
    Pickler(buffer, protocol).dump(obj)
    with zipfile.ZipFile(file_handler, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as archive:
        archive.writestr("pkl", buffer.getvalue())
        for name, array in arrays.items():
            own = io.BytesIO()
            np.lib.format.write_array(own, np.ascontiguousarray(array) if array.ndim else array, allow_pickle=False)
            archive.writestr(name, own.getvalue())


def load(f: BinaryIO, persistent_load: Any = None) -> Any:
    """Read an object that `dump` has written."""
    with zipfile.ZipFile(f) as archive:

        class Unpickler(pickle.Unpickler):
            def persistent_load(self, pid: Any) -> Any:
                return np.lib.format.read_array(io.BytesIO(archive.read(pid[1])), allow_pickle=False)

        return Unpickler(io.BytesIO(archive.read("pkl"))).load()


__all__ = ["CompatUnpickler", "StripPickler", "dump", "load"]

__getattr__ = asked(__name__)
