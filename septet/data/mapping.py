"""Stages that change values one by one, or leave some out: map, filter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from septet.base.errors import ArgumentError
from septet.data.schemes import check_seed
from septet.data.stage import Cursor, Item, Stage, Unmoving, Value, generator_of

__all__ = ["Filter", "Map"]


class Map(Unmoving):
    """Values changed by a function. It runs where `work` is called: in the workers of a parallel stage above.

    Parameters
    ----------
    inner : Stage
    function : callable
        Given a value, and with `seed` also a random generator of its own.
    seed : int, optional
        The generator is a function of this, the epoch and the sample, and of how many random maps there are below.
    """

    name = "map"

    def __init__(self, inner: Stage, function: Callable[..., Any], seed: int | None = None) -> None:
        super().__init__(inner)
        if not callable(function):
            raise ArgumentError(f"map: expected a function, received {type(function).__name__}")
        if seed is not None:
            check_seed("map", seed)
        self.function = function
        self.seed = seed
        self.random_maps_below = _count_random_maps(inner)

    def start(self, epoch: int, state: Any) -> Cursor:
        """Begin below: the items are the same."""
        return self.inner.open(epoch, state)

    def work(self, item: Item) -> Any:
        """Apply the function."""
        value = self.inner.work(item)
        if self.seed is None:
            return self.function(value)
        return self.function(value, generator_of(self.seed, (self.random_maps_below, *item.key)))

    def origin(self, item: Item) -> Any:
        """Return that of the item below."""
        return self.inner.origin(item)


class Filter(Stage):
    """The values for which a function says true.

    Parameters
    ----------
    inner : Stage
    function : callable
    """

    name = "filter"

    def __init__(self, inner: Stage, function: Callable[[Any], Any]) -> None:
        super().__init__(inner)
        if not callable(function):
            raise ArgumentError(f"filter: expected a function, received {type(function).__name__}")
        self.function = function

    def start(self, epoch: int, state: Any) -> FilterCursor:
        """Begin below."""
        return FilterCursor(self.inner, self.function, self.inner.open(epoch, state))


class FilterCursor(Cursor):
    """Works on items until one is wanted."""

    def __init__(self, stage: Stage, function: Callable[[Any], Any], cursor: Cursor) -> None:
        self.stage, self.function, self.cursor = stage, function, cursor

    def __next__(self) -> Item:
        for item in self.cursor:
            value = self.stage.finish(item)
            try:
                is_wanted = self.function(value)
            except Exception as error:
                self.stage.blame(error, item)
                raise
            if is_wanted:
                return Item(Value(value, self.stage.origin(item)), item.key)
        raise StopIteration

    def state(self) -> Any:
        """Return that of the cursor below."""
        return self.cursor.state()

    def close(self) -> None:
        """Close the cursor below."""
        self.cursor.close()


def _count_random_maps(stage: Stage) -> int:
    own = isinstance(stage, Map) and stage.seed is not None
    return own + sum(_count_random_maps(below) for below in stage.below)
