"""Stages: the steps of a stream. A stage says what comes next; the work on it can be done elsewhere, or not at all.

A stream is a chain of stages. Opening one for an epoch gives a `Cursor`, which gives out items one by one; an item is
light (mostly the number of a sample), and `Stage.work` makes the value of it. So stages that choose and reorder never
touch data, what is skipped is never loaded, and whatever lies below a parallel stage runs in its workers.

A cursor can say at any time where it stands, in plain values that JSON can hold, and a stage opened with that state
goes on with exactly the items that would have followed. All randomness is a function of seed, epoch and the item's key,
so that there is no state of generators to keep, and results do not depend on who computes what, and when.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy

from septet.base.errors import ArgumentError

__all__ = ["Cursor", "Item", "Replay", "Stage", "Unmoving", "Value", "generator_of", "positive"]

_NAMED_IN_A_BATCH = 8  # samples that an error names before it only counts


class Item(NamedTuple):
    """What a cursor gives out: not yet a value, but all that is needed to make it.

    Attributes
    ----------
    payload : object
        What `Stage.work` needs: the number of a sample, or the items of the stage below.
    key : tuple of int
        Epoch, number of the sample, and more where samples are cut up: no two items of a run have the same. Random
        numbers are made from it.
    """

    payload: Any
    key: tuple[int, ...]


class Value(NamedTuple):
    """The payload of an item that has been worked on: the value, and where it came from, for errors."""

    value: Any
    origin: Any


class Cursor:
    """A pass over the items of a stage. Subclasses define `__next__` and `state`."""

    def __iter__(self) -> Iterator[Item]:
        return self

    def __next__(self) -> Item:
        raise NotImplementedError

    def state(self) -> Any:
        """Return, as plain values, where the pass stands: behind the last item that was given out."""
        raise NotImplementedError

    def many(self, count: int) -> list[Item]:
        """Return the next items, fewer than `count` only at the end."""
        found = []
        for item in self:
            found.append(item)
            if len(found) == count:
                break
        return found

    def skip(self, count: int) -> None:
        """Pass over items."""
        for _ in range(count):
            if next(self, None) is None:
                break

    def close(self) -> None:
        """Let go of files and workers; the cursor is not used after it."""


class Stage:
    """A step of a stream.

    A stage of one's own overrides `open`, and `work` where the items of the stage below are changed; ``Stream(stage)``
    makes a stream of it.

    Parameters
    ----------
    *below : Stage
        The stages that this one draws from. `inner` is the first of them.
    """

    name = ""
    """The kind of stage, for descriptions."""
    inner: Stage

    def __init__(self, *below: Stage) -> None:
        self.below = below
        if below:
            self.inner = below[0]

    @property
    def length(self) -> int | None:
        """How many items an epoch has, or None when that is not known before it was read (or has no end)."""
        return None

    @property
    def depth(self) -> int:
        """How many stages there are, not counting those that neither move nor leave out items."""
        return 1 + max((stage.depth for stage in self.below), default=0)

    @property
    def state_interval(self) -> int:
        """After how many items it is worth asking a cursor for its state: above 1 where a state is large."""
        return max((stage.state_interval for stage in self.below), default=1)

    def start(self, epoch: int, state: Any) -> Cursor:
        """Begin an epoch, or go on where `state` says. Called by `open`; this is what subclasses define."""
        raise NotImplementedError

    def open(self, epoch: int, state: Any = None) -> Cursor:
        """Begin an epoch, or go on in it.

        Parameters
        ----------
        epoch : int
        state : plain values, optional
            What a cursor of this stage returned, of the same epoch.
        """
        if isinstance(state, dict) and state.get("skip_at") == self.depth:
            cursor = self.open(epoch, state["after"])
            cursor.skip(state["skip"])
            return cursor
        return self.start(epoch, state)

    def later(self, state: Any, count: int) -> Any:
        """Return the state some items after another one."""
        return {"skip_at": self.depth, "skip": count, "after": state} if count else state

    def work(self, item: Item) -> Any:
        """Make the value of an item: a pure function, called in any thread or process."""
        return item.payload.value

    def origin(self, item: Item) -> Any:
        """Return where an item came from, without its data: what `where` puts into words."""
        return item.payload.origin

    def where(self, origin: Any) -> str:
        """Name a sample for an error."""
        return self.inner.where(origin) if self.below else str(origin)

    def describe(self) -> dict[str, Any]:
        """Return what decides which item stands where, as plain values; a state is for streams that describe alike."""
        return {
            "stage": self.name,
            **{f"of {i}" if i else "of": stage.describe() for i, stage in enumerate(self.below)},
        }

    def close(self) -> None:
        """Let go of workers and files that outlive an epoch."""
        for stage in self.below:
            stage.close()

    def finish(self, item: Item) -> Any:
        """Make the value of an item, and name its sample when that fails."""
        try:
            return self.work(item)
        except Exception as error:
            self.blame(error, item)
            raise

    def blame(self, error: BaseException, item: Item) -> None:
        """Add to an error which sample it came from, once."""
        if not hasattr(error, "septet_sample"):
            error.septet_sample = where = self.where(self.origin(item))  # type: ignore[attr-defined]
            error.add_note(f"  at sample: {where}")


class Unmoving(Stage):
    """A stage whose items are those of the stage below, each at its position: states are those of the stage below."""

    @property
    def length(self) -> int | None:
        """As many as below."""
        return self.inner.length

    @property
    def depth(self) -> int:
        """That of the stage below."""
        return self.inner.depth

    def describe(self) -> dict[str, Any]:
        """Describe the stage below."""
        return self.inner.describe()


class Replay:
    """Where a cursor stands that holds items back: a state of the stage below, and which items after it are held.

    A buffer is not written into a state; after `open`, its items are drawn again.

    Parameters
    ----------
    interval : int
        After how many items a state of the cursor below is kept.
    """

    def __init__(self, interval: int) -> None:
        self.interval = interval
        self.kept: deque[tuple[int, Any]] = deque()  # (ordinal of the next item, state before it)

    def note(self, ordinal: int, cursor: Cursor, oldest: int) -> None:
        """Keep the state before item `ordinal` when it is time; forget those that no held item needs."""
        if ordinal % self.interval == 0 and (not self.kept or self.kept[-1][0] < ordinal):
            self.kept.append((ordinal, cursor.state()))
            while len(self.kept) > 1 and self.kept[1][0] <= oldest:
                self.kept.popleft()

    def state(self, held: Iterable[int], following: int, cursor: Cursor) -> dict[str, Any]:
        """Return the state: `held` are the ordinals of items that are held, `following` that of the next one."""
        numbers = [int(number) for number in held]
        oldest = min(numbers, default=following)
        if not numbers:
            return {"after": cursor.state(), "from": following, "next": following, "held": []}
        after = next((kept for kept in reversed(self.kept) if kept[0] <= oldest), (0, None))
        return {"after": after[1], "from": after[0], "next": following, "held": numbers}

    @staticmethod
    def again(stage: Stage, epoch: int, state: dict[str, Any]) -> tuple[Cursor, dict[int, Item]]:
        """Open the stage below as it was, and draw the held items again."""
        cursor = stage.open(epoch, state["after"])
        wanted = set(state["held"])
        held = {}
        for ordinal in range(state["from"], state["next"]):
            item = next(cursor)
            if ordinal in wanted:
                held[ordinal] = item
        return cursor, held


def generator_of(seed: int, key: tuple[int, ...]) -> numpy.random.Generator:
    """Return the generator of random numbers that belongs to a seed and the key of an item.

    Source
    ------
    NumPy's Philox 4x64-10 (Salmon et al., 2011), whose 128-bit key is BLAKE2b (RFC 7693) of the numbers.
    """
    digest = hashlib.blake2b(repr((seed, *key)).encode(), digest_size=16).digest()
    return numpy.random.Generator(numpy.random.Philox(key=int.from_bytes(digest, "little")))


def sample_names(stage: Stage, origins: Iterable[Any]) -> str:
    """Name the samples of a batch: the first few of them, and how many there are."""
    origins = list(origins)
    named = ", ".join(stage.where(origin) for origin in origins[:_NAMED_IN_A_BATCH])
    more = f", and {len(origins) - _NAMED_IN_A_BATCH} more" if len(origins) > _NAMED_IN_A_BATCH else ""
    return f"a group of {len(origins)}: {named}{more}" if len(origins) != 1 else named


def positive(function: str, name: str, value: object, least: int = 1) -> int:
    """Return an integer that is large enough, or raise ArgumentError."""
    if isinstance(value, bool) or not isinstance(value, int | numpy.integer) or value < least:
        raise ArgumentError(f"{function}: {name} must be an integer of at least {least}, received {value!r}")
    return int(value)
