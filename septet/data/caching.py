"""Values kept after they were made once: in memory, or in files."""

from __future__ import annotations

from typing import Any, Protocol

from septet.data.stage import Cursor, Item, Stage, Value

__all__ = ["Cache", "Memory"]


class Store(Protocol):
    """Where a cache keeps values, by their positions in the epoch."""

    length: int | None

    def get(self, position: int) -> tuple[Any, ...] | None:
        """Return (value, origin, key), or None when there is none."""

    def put(self, position: int, entry: tuple[Any, ...]) -> None:
        """Keep (value, origin, key)."""

    def finish(self, length: int) -> None:
        """Learn how many values there are."""


class Memory:
    """Values in a dict."""

    def __init__(self) -> None:
        self.entries: dict[int, tuple[Any, ...]] = {}
        self.length: int | None = None

    def get(self, position: int) -> tuple[Any, ...] | None:
        """Return an entry."""
        return self.entries.get(position)

    def put(self, position: int, entry: tuple[Any, ...]) -> None:
        """Keep an entry."""
        self.entries[position] = entry

    def finish(self, length: int) -> None:
        """Keep the length."""
        self.length = length

    def __getstate__(self) -> dict[str, Any]:
        return {"entries": {}, "length": self.length}  # workers get their values otherwise


class Cache(Stage):
    """The values of the first epoch, in every epoch: in its order and with its random numbers, made once.

    Shuffle and augment above it. What is missing after a stream was taken up again in the middle is made when it is
    reached.

    Parameters
    ----------
    inner : Stage
    store : Store
    """

    name = "cache"

    def __init__(self, inner: Stage, store: Store) -> None:
        super().__init__(inner)
        self.store = store

    @property
    def length(self) -> int | None:
        """As many as below, also when that becomes known only by reading."""
        return self.store.length if self.store.length is not None else self.inner.length

    def start(self, epoch: int, state: Any) -> CacheCursor:
        """Begin at a position."""
        return CacheCursor(self, epoch, state or 0)


class CacheCursor(Cursor):
    """A position; and a cursor below that goes along where values are missing."""

    def __init__(self, stage: Cache, epoch: int, position: int) -> None:
        self.stage, self.store, self.epoch = stage, stage.store, epoch
        self.position = position
        self.below: Cursor | None = None
        self.below_at = 0

    def __next__(self) -> Item:
        if self.position == self.store.length:
            raise StopIteration
        entry = self.store.get(self.position)
        if entry is None:
            entry = self._make()
        self.position += 1
        value, origin, key = entry
        return Item(Value(value, origin), (self.epoch, *key))

    def _make(self) -> tuple[Any, ...]:
        inner = self.stage.inner
        if self.below is None or self.below_at > self.position:
            self.close()
            self.below, self.below_at = inner.open(0), 0
        if inner.length is not None:
            self.below.skip(self.position - self.below_at)
            self.below_at = self.position
        while self.below_at < self.position and next(self.below, None) is not None:  # the end must not be skipped
            self.below_at += 1
        item = next(self.below, None)
        if item is None:
            self.store.finish(self.below_at)
            raise StopIteration
        self.below_at += 1
        entry = (inner.finish(item), inner.origin(item), item.key)
        self.store.put(self.position, entry)
        return entry

    def state(self) -> int:
        """Return the position."""
        return self.position

    def skip(self, count: int) -> None:
        """Move on; what is left out is not made."""
        self.position += count
        if self.stage.length is not None:
            self.position = min(self.position, self.stage.length)

    def close(self) -> None:
        """Close the cursor below."""
        if self.below is not None:
            self.below.close()
