"""The libraries that compiled code calls: whether each can be loaded, for people."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

from septet.backends.cpu import llvm, onednn, openblas, openmp
from septet.base.errors import LibraryError


def status() -> list[str]:
    """Load every library, and say for each which one it is, or why there is none."""
    return [_line("LLVM", _llvm), _line(openblas.NAME, _openblas), _line(onednn.NAME, _onednn), openmp.status()]


def _line(name: str, describe: Callable[[], str]) -> str:
    try:
        return f"{name}: {describe()}"
    except LibraryError as error:
        return f"{error.message}\n  {error.hint}"


def _llvm() -> str:
    found = llvm.library()
    return f"{llvm.PACKAGE} {found.version}, for {found.host.cpu} ({found.host.triple})"


def _openblas() -> str:
    config = openblas.library().scipy_openblas_get_config
    config.restype = ctypes.c_char_p
    return str(config().decode("utf-8", "replace")).strip()


def _onednn() -> str:
    found = onednn.library()
    return f"{'.'.join(map(str, found.version))}, {found.path}"
