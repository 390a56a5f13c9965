"""All shims there are, and the pages that tell about them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from septet.base.text import table
from septet.dialects.running.former_methods import FORMER
from septet.dialects.running.one_element import SHIM
from septet.dialects.running.shims.files import LocalCopies
from septet.dialects.running.shims.libraries import LIBRARIES
from septet.dialects.running.shims.numpy_names import NUMPY
from septet.dialects.running.shims.pickles import PICKLES
from septet.dialects.running.shims.python_names import PYTHON
from septet.dialects.running.shims.shim import Change, Names, NewModule, Value
from septet.dialects.running.shims.storage import STORAGE
from septet.dialects.running.shims.testing import TESTING

__all__ = ["SHIMS", "described", "listing"]

SHIMS: tuple[Names | NewModule | Change, ...] = (*PYTHON, *NUMPY, *PICKLES, *TESTING, *LIBRARIES, *STORAGE)
"""Every shim, by subject."""


def described() -> Iterator[tuple[str, str]]:
    """Yield the name of each shim, and what stands in for what is gone."""
    for name in FORMER:
        yield f"numpy.ndarray.{name}", "in calls that the program's own sources make"
    yield SHIM, "a number, in what the program's own sources convert, format and store"
    for shim in (*SHIMS, *LocalCopies(Path(), str).shims()):
        if isinstance(shim, NewModule):
            yield shim.name, shim.make if isinstance(shim.make, str) else shim.text
        elif isinstance(shim, Change):
            yield shim.name, shim.text
        else:
            for name, stand_in in shim.table.items():
                text = stand_in.text or repr(stand_in.value) if isinstance(stand_in, Value) else stand_in
                yield f"{shim.module}.{name}", text.replace("builtins:", "").replace(":", ".")


def listing() -> str:
    """Return the table of all shims, as ``septet run --explain`` prints it."""
    return table(sorted(set(described())), ("shim", "what stands in"), "ll")
