"""Packages that only some sources need."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from septet.base.errors import NotSupportedError

__all__ = ["needs"]


@contextlib.contextmanager
def needs(package: str, function: str, extra: str = "data") -> Iterator[None]:
    """Enclose the import of an optional package, so that its absence is told in the user's terms.

    Raises
    ------
    NotSupportedError
        When the package cannot be imported; the message says how to install it.
    """
    try:
        yield
    except ImportError as error:
        raise NotSupportedError(
            f"{function} needs {package}, which cannot be imported ({error})", hint=f"pip install septet[{extra}]"
        ) from error
