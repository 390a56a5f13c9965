"""Hooks: how a lower floor reaches what only a higher one can do, when a user asks for it.

The table is filled by ``septet/__init__.py``, which knows all floors; so no module below has to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["hook", "register_hook"]

_hooks: dict[str, Callable[[], Any]] = {}


def register_hook(name: str, load: Callable[[], Any]) -> None:
    """Set what returns the object called `name`; it is called when the object is first needed."""
    _hooks[name] = load


def hook(name: str) -> Any:
    """Return the object called `name`."""
    return _hooks[name]()
