"""Stages that make batches and windows of single values, and single values of batches."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from septet.base.errors import ArgumentError
from septet.data.collate import collate, count_rows, pad, row
from septet.data.examples import Examples, ExamplesCursor
from septet.data.schemes import count_batches
from septet.data.stage import Cursor, Item, Replay, Stage, Value, positive, sample_names

__all__ = ["Batch", "ByLength", "Unbatch", "Window"]

_STATE_EVERY = 64  # items between two states that are kept where items are held back by their length


class Group(Stage):
    """A stage whose items are lists of items of the stage below, put together by `make` when they are worked on."""

    make: Callable[[Sequence[Any]], Any]

    def work(self, item: Item) -> Any:
        """Work on each item, and put the values together."""
        if not isinstance(item.payload, list):  # numbers of samples of a data set, taken all at once
            assert isinstance(self.inner, Examples)
            return self.inner.load(item.payload)
        return self.make([self.inner.finish(each) for each in item.payload])

    def origin(self, item: Item) -> list[Any]:
        """Return those of all items."""
        if not isinstance(item.payload, list):
            return item.payload.tolist()
        return [self.inner.origin(each) for each in item.payload]

    def where(self, origin: Any) -> str:
        """Name the first of the samples, and count them."""
        return sample_names(self.inner, origin)


class Batch(Group):
    """Batches of a fixed size; the last one of an epoch may be smaller, or is left out.

    Parameters
    ----------
    inner : Stage
    size : int
    drop_last : bool
    make : callable
        Makes a batch of a list of values.
    """

    name = "batch"

    def __init__(
        self, inner: Stage, size: int, drop_last: bool = False, make: Callable[[Sequence[Any]], Any] = collate
    ) -> None:
        super().__init__(inner)
        self.size = positive("batch", "batch_size", size)
        self.drop_last = bool(drop_last)
        self.make = make
        self.is_taken_whole = isinstance(inner, Examples) and inner.take is not None and make is collate

    @property
    def length(self) -> int | None:
        """The number of batches."""
        below = self.inner.length
        return None if below is None else count_batches(below, self.size, self.drop_last)

    @property
    def state_interval(self) -> int:
        """That of the stage below, in batches."""
        return -(-self.inner.state_interval // self.size)

    def start(self, epoch: int, state: Any) -> BatchCursor:
        """Begin below."""
        return BatchCursor(self, self.inner.open(epoch, state))

    def describe(self) -> dict[str, Any]:
        """Add size and rule."""
        return {"batch_size": self.size, "drop_last": self.drop_last, **super().describe()}


class BatchCursor(Cursor):
    """Draws some items at a time."""

    def __init__(self, stage: Batch, cursor: Cursor) -> None:
        self.stage, self.cursor = stage, cursor
        self.is_taken_whole = stage.is_taken_whole and isinstance(cursor, ExamplesCursor)

    def __next__(self) -> Item:
        size = self.stage.size
        if self.is_taken_whole:
            item = self.cursor.indices(size)  # type: ignore[attr-defined]
            if item is None or (self.stage.drop_last and len(item.payload) < size):
                raise StopIteration
            return item
        items = self.cursor.many(size)
        if not items or (self.stage.drop_last and len(items) < size):
            raise StopIteration
        return Item(items, items[0].key)

    def state(self) -> Any:
        """Return that of the cursor below."""
        return self.cursor.state()

    def skip(self, count: int) -> None:
        """Skip below."""
        self.cursor.skip(count * self.stage.size)

    def close(self) -> None:
        """Close the cursor below."""
        self.cursor.close()


class Unbatch(Stage):
    """The single samples of batches."""

    name = "unbatch"

    def start(self, epoch: int, state: Any) -> UnbatchCursor:
        """Begin below, or in the middle of a batch."""
        return UnbatchCursor(self.inner, epoch, state)

    def where(self, origin: Any) -> str:
        """Name the row of a batch."""
        below, number = origin
        return f"row {number} of {self.inner.where(below)}"


class UnbatchCursor(Cursor):
    """Goes through the rows of one batch after the other."""

    def __init__(self, stage: Stage, epoch: int, state: Any) -> None:
        self.stage = stage
        self.before, number = (None, 0) if state is None else state
        self.cursor = stage.open(epoch, self.before)
        self.rows = self.number = 0
        if number:
            self._next_batch()
            self.number = number

    def _next_batch(self) -> None:
        self.before = self.cursor.state()
        self.item = next(self.cursor)
        self.value = self.stage.finish(self.item)
        self.rows, self.number = count_rows(self.value), 0

    def __next__(self) -> Item:
        while self.number >= self.rows:
            self._next_batch()
        number = self.number
        self.number += 1
        value = Value(row(self.value, number), (self.stage.origin(self.item), number))
        return Item(value, (*self.item.key, number))

    def state(self) -> list[Any]:
        """Return the state before the batch, and the number of the row."""
        return [self.before, self.number] if self.number < self.rows else [self.cursor.state(), 0]

    def close(self) -> None:
        """Close the cursor below."""
        self.cursor.close()


class Window(Group):
    """Windows of items that follow each other, stacked like a batch.

    Parameters
    ----------
    inner : Stage
    size : int
    shift : int
        How many items the next window begins later.
    """

    name = "window"
    make = staticmethod(collate)

    def __init__(self, inner: Stage, size: int, shift: int = 1) -> None:
        super().__init__(inner)
        self.size, self.shift = positive("window", "size", size), positive("window", "shift", shift)

    @property
    def length(self) -> int | None:
        """How many whole windows there are."""
        below = self.inner.length
        return None if below is None else max((below - self.size) // self.shift + 1, 0)

    def start(self, epoch: int, state: Any) -> WindowCursor:
        """Begin below, where the next window begins."""
        return WindowCursor(self, self.inner.open(epoch, state))

    def describe(self) -> dict[str, Any]:
        """Add size and shift."""
        return {"size": self.size, "shift": self.shift, **super().describe()}


class WindowCursor(Cursor):
    """Keeps the items of one window, and the state before each."""

    def __init__(self, stage: Window, cursor: Cursor) -> None:
        self.stage, self.cursor = stage, cursor
        self.held: deque[tuple[Any, Item]] = deque()
        self.is_first = True

    def __next__(self) -> Item:
        stage = self.stage
        if not self.is_first:
            for _ in range(min(stage.shift, len(self.held))):
                self.held.popleft()
            self.cursor.skip(max(stage.shift - stage.size, 0))
        self.is_first = False
        while len(self.held) < stage.size:
            before = self.cursor.state()
            self.held.append((before, next(self.cursor)))
        items = [item for _, item in self.held]
        return Item(items, items[0].key)

    def state(self) -> Any:
        """Return the state before the first item of the next window."""
        if self.is_first:
            return self.cursor.state()
        if self.stage.shift < len(self.held):
            return self.held[self.stage.shift][0]
        left_out = self.stage.shift - len(self.held)
        return self.stage.inner.later(self.cursor.state(), left_out)

    def close(self) -> None:
        """Close the cursor below."""
        self.cursor.close()


class ByLength(Group):
    """Batches of values of similar length, from a stream whose lengths are not known before it is read.

    Parameters
    ----------
    inner : Stage
    length_of : callable
        Returns the length of a value.
    boundaries : sequence of int
        In ascending order: a value goes with those whose length is between the same two boundaries, below the upper.
    batch_sizes : int or sequence of int
        One for all, or one for each of ``len(boundaries) + 1`` groups.
    drop_last : bool
        Whether smaller batches at the end of an epoch are left out; they come in the order of the groups otherwise.
    value, multiple
        See `pad`.
    """

    name = "by_length"

    def __init__(
        self,
        inner: Stage,
        length_of: Callable[[Any], int],
        boundaries: Sequence[int],
        batch_sizes: int | Sequence[int],
        drop_last: bool = False,
        value: Any = 0,
        multiple: int = 1,
    ) -> None:
        super().__init__(inner)
        self.length_of, self.boundaries, self.drop_last = length_of, list(boundaries), bool(drop_last)
        if self.boundaries != sorted(set(self.boundaries)):
            raise ArgumentError(f"by_length: boundaries must ascend, received {self.boundaries}")
        sizes = [batch_sizes] * (len(self.boundaries) + 1) if isinstance(batch_sizes, int) else list(batch_sizes)
        if len(sizes) != len(self.boundaries) + 1:
            raise ArgumentError(
                f"by_length: {len(self.boundaries)} boundaries make {len(self.boundaries) + 1} groups; received "
                f"{len(sizes)} batch sizes"
            )
        self.sizes = [positive("by_length", "batch_sizes", size) for size in sizes]
        self.value, self.multiple = value, multiple

    def make(self, values: Sequence[Any]) -> Any:
        """Pad the values to a batch."""
        return pad(values, self.value, self.multiple)

    def work(self, item: Item) -> Any:
        """Put together values that were made already."""
        return self.make([each.payload.value for each in item.payload])

    def origin(self, item: Item) -> list[Any]:
        """Return those of all items."""
        return [each.payload.origin for each in item.payload]

    def start(self, epoch: int, state: Any) -> ByLengthCursor:
        """Begin with empty groups, or with those of the state."""
        return ByLengthCursor(self, epoch, state)

    def describe(self) -> dict[str, Any]:
        """Add the groups."""
        groups = {"boundaries": self.boundaries, "batch_sizes": self.sizes, "drop_last": self.drop_last}
        return {**groups, **super().describe()}


class ByLengthCursor(Cursor):
    """One list of waiting values for each group."""

    def __init__(self, stage: ByLength, epoch: int, state: Any) -> None:
        self.stage = stage
        self.groups: list[list[tuple[int, Item]]] = [[] for _ in stage.sizes]
        self.replay = Replay(_STATE_EVERY)
        self.following = 0
        if state is None:
            self.cursor: Cursor = stage.inner.open(epoch)
            return
        self.cursor, held = Replay.again(stage.inner, epoch, state)
        self.following = state["next"]
        self.replay.kept.append((state["from"], state["after"]))
        for ordinal in state["held"]:
            self._add(ordinal, held[ordinal])

    def _add(self, ordinal: int, item: Item) -> int:
        """Put an item to its group, and return the number of the group."""
        stage = self.stage
        value = stage.inner.finish(item)
        length = stage.length_of(value)
        number = next((i for i, edge in enumerate(stage.boundaries) if length < edge), len(stage.boundaries))
        self.groups[number].append((ordinal, Item(Value(value, stage.inner.origin(item)), item.key)))
        return number

    def __next__(self) -> Item:
        while True:
            if self.following % _STATE_EVERY == 0:
                held = [ordinal for group in self.groups for ordinal, _ in group]
                self.replay.note(self.following, self.cursor, min(held, default=self.following))
            item = next(self.cursor, None)
            if item is None:
                break
            self.following += 1
            number = self._add(self.following - 1, item)
            if len(self.groups[number]) == self.stage.sizes[number]:
                return self._give(self.groups[number])
        for group in self.groups:
            if group and not self.stage.drop_last:
                return self._give(group)
        raise StopIteration

    def _give(self, group: list[tuple[int, Item]]) -> Item:
        items = [item for _, item in group]
        group.clear()
        return Item(items, items[0].key)

    def state(self) -> dict[str, Any]:
        """Return which values are waiting, by ordinals."""
        held = sorted(ordinal for group in self.groups for ordinal, _ in group)
        return self.replay.state(held, self.following, self.cursor)

    def close(self) -> None:
        """Close the cursor below."""
        self.cursor.close()
