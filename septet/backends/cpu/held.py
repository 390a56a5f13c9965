"""Numbers among a plan's arguments that keep alive what they point to."""

from __future__ import annotations

from typing import Any


class Held(int):
    """An address, and the object that owns what lies there.

    Attributes
    ----------
    owner : object
    """

    owner: Any

    def __new__(cls, value: int, owner: Any) -> Held:
        """Return a number that holds its owner."""
        number = super().__new__(cls, value)
        number.owner = owner
        return number
