"""Stages that choose by position: take, skip, shard, repeat. What is passed over is not loaded."""

from __future__ import annotations

from typing import Any

from septet.data.schemes import check_shard
from septet.data.stage import Cursor, Item, Stage, positive

__all__ = ["Repeat", "Shard", "Skip", "Take"]

_EPOCHS_APART = 1 << 32  # epochs of an endless repetition: the next pass begins with others than those of this one


class Selecting(Stage):
    """A stage whose items are those of the stage below, worked on there."""

    def work(self, item: Item) -> Any:
        """Work below."""
        return self.inner.work(item)

    def origin(self, item: Item) -> Any:
        """Return that of the item below."""
        return self.inner.origin(item)


class Counting(Cursor):
    """A cursor that counts what it takes from the one below."""

    def __init__(self, stage: Stage, epoch: int, state: Any) -> None:
        count, below = (0, None) if state is None else (state["count"], state["of"])
        self.cursor = stage.inner.open(epoch, below)
        self.count = count

    def state(self) -> dict[str, Any]:
        """Return count and state below."""
        return {"count": self.count, "of": self.cursor.state()}

    def close(self) -> None:
        """Close the cursor below."""
        self.cursor.close()


class Take(Selecting):
    """The first items of each epoch."""

    name = "take"

    def __init__(self, inner: Stage, count: int) -> None:
        super().__init__(inner)
        self.count = positive("take", "count", count, 0)

    @property
    def length(self) -> int | None:
        """At most `count`."""
        below = self.inner.length
        return None if below is None else min(below, self.count)

    def start(self, epoch: int, state: Any) -> TakeCursor:
        """Begin below."""
        return TakeCursor(self, epoch, state)

    def describe(self) -> dict[str, Any]:
        """Add the count."""
        return {"count": self.count, **super().describe()}


class TakeCursor(Counting):
    """Ends when the count is reached."""

    def __init__(self, stage: Take, epoch: int, state: Any) -> None:
        super().__init__(stage, epoch, state)
        self.limit = stage.count

    def __next__(self) -> Item:
        if self.count >= self.limit:
            raise StopIteration
        item = next(self.cursor)
        self.count += 1
        return item

    def skip(self, count: int) -> None:
        """Skip below."""
        count = min(count, self.limit - self.count)
        self.cursor.skip(count)
        self.count += count


class Skip(Selecting):
    """All but the first items of each epoch."""

    name = "skip"

    def __init__(self, inner: Stage, count: int) -> None:
        super().__init__(inner)
        self.count = positive("skip", "count", count, 0)

    @property
    def length(self) -> int | None:
        """What is left."""
        below = self.inner.length
        return None if below is None else max(below - self.count, 0)

    def start(self, epoch: int, state: Any) -> Cursor:
        """Begin below, some items later."""
        cursor = self.inner.open(epoch, state)
        if state is None:
            cursor.skip(self.count)
        return cursor

    def describe(self) -> dict[str, Any]:
        """Add the count."""
        return {"count": self.count, **super().describe()}


class Shard(Selecting):
    """Every `world`-th item, from number `rank` on."""

    name = "shard"

    def __init__(self, inner: Stage, rank: int, world: int) -> None:
        super().__init__(inner)
        check_shard("shard", rank, world)
        self.rank, self.world = rank, world

    @property
    def length(self) -> int | None:
        """The length of the share: the first ranks may have one more."""
        below = self.inner.length
        return None if below is None else len(range(self.rank, below, self.world))

    def start(self, epoch: int, state: Any) -> ShardCursor:
        """Begin below."""
        return ShardCursor(self, epoch, state)

    def describe(self) -> dict[str, Any]:
        """Add the share."""
        return {"rank": self.rank, "world": self.world, **super().describe()}


class ShardCursor(Counting):
    """Passes over what belongs to other ranks."""

    def __init__(self, stage: Shard, epoch: int, state: Any) -> None:
        super().__init__(stage, epoch, state)
        self.rank, self.world = stage.rank, stage.world

    def __next__(self) -> Item:
        self.cursor.skip(self.world - 1 if self.count else self.rank)
        item = next(self.cursor)
        self.count += 1
        return item


class Repeat(Selecting):
    """Several epochs of the stage below as one; without a number, as one that does not end."""

    name = "repeat"

    def __init__(self, inner: Stage, times: int | None = None) -> None:
        super().__init__(inner)
        self.times = None if times is None else positive("repeat", "times", times, 0)

    @property
    def length(self) -> int | None:
        """The sum, where it is finite and known."""
        below = self.inner.length
        return None if below is None or self.times is None else below * self.times

    def start(self, epoch: int, state: Any) -> RepeatCursor:
        """Begin with the first of the epochs, or where the state says."""
        return RepeatCursor(self, epoch, state)

    def describe(self) -> dict[str, Any]:
        """Add the number."""
        return {"times": self.times, **super().describe()}


class RepeatCursor(Cursor):
    """Opens the stage below again and again."""

    def __init__(self, stage: Repeat, epoch: int, state: Any) -> None:
        self.stage = stage
        self.first = epoch * (_EPOCHS_APART if stage.times is None else stage.times)
        self.round, below = (0, None) if state is None else (state["round"], state["of"])
        self.is_empty = below is None  # whether the round has given nothing: endless repetition of nothing must end
        self.cursor: Cursor | None = None
        if self.round != stage.times:
            self.cursor = stage.inner.open(self.first + self.round, below)

    def __next__(self) -> Item:
        while self.cursor is not None:
            item = next(self.cursor, None)
            if item is not None:
                self.is_empty = False
                return item
            self.cursor.close()
            self.round += 1
            is_over = self.round == self.stage.times or (self.is_empty and self.round > 1)
            self.cursor = None if is_over else self.stage.inner.open(self.first + self.round)
            self.is_empty = True
        raise StopIteration

    def state(self) -> dict[str, Any]:
        """Return the round and the state in it."""
        return {"round": self.round, "of": None if self.cursor is None else self.cursor.state()}

    def skip(self, count: int) -> None:
        """Leave out whole epochs at once where their length is known, at the beginning of one."""
        length = self.stage.inner.length
        if length and self.cursor is not None and self.is_empty and count >= length:
            rounds = count // length
            if self.stage.times is not None:
                rounds = min(rounds, self.stage.times - self.round)
            self.cursor.close()
            self.round += rounds
            count -= rounds * length
            is_over = self.round == self.stage.times
            self.cursor = None if is_over else self.stage.inner.open(self.first + self.round)
        super().skip(count)

    def close(self) -> None:
        """Close the cursor below."""
        if self.cursor is not None:
            self.cursor.close()
