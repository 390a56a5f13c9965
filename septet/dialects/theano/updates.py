"""OrderedUpdates: what shared variables become, by variable."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from typing import Any

from septet.dialects.theano.compile.sharedvalue import SharedVariable


class OrderedUpdates(OrderedDict):  # type: ignore[type-arg]
    """A dict from shared variables to their next values; ``+`` unites two that do not contradict each other."""

    def __init__(self, *given: Any, **words: Any) -> None:
        if given:
            _check_order(given[0], "Initializing")
        super().__init__(*given, **words)
        for key in self:
            _check(key)

    def __setitem__(self, key: Any, value: Any) -> None:
        _check(key)
        super().__setitem__(key, value)

    def update(self, other: Any = None) -> None:  # type: ignore[override]
        """Add updates.

        Raises
        ------
        KeyError
            If a variable has another update already.
        """
        if other is None:
            return
        _check_order(other, "Updating")
        for key, value in OrderedDict(other).items():
            if key in self and self[key] is not value:
                raise KeyError("Collision", key)
            self[key] = value

    def __add__(self, other: Any) -> OrderedUpdates:
        found = OrderedUpdates()
        found.update(self)
        found.update(other)
        return found

    def __radd__(self, other: Any) -> OrderedUpdates:
        found = OrderedUpdates()
        found.update(other)
        found.update(self)
        return found


def _check(key: Any) -> None:
    if not isinstance(key, SharedVariable):
        raise TypeError("OrderedUpdates keys must inherit from SharedVariable", key)


def _check_order(given: Any, verb: str) -> None:
    """Warn of a set: dicts keep their order."""
    if isinstance(given, (set, frozenset)) and len(given) > 1:
        warnings.warn(f"{verb} an `OrderedUpdates` with a set, which has no order", stacklevel=3)
