"""Shuffling what can only be read in its own order, with a buffer of bounded size."""

from __future__ import annotations

from typing import Any

import numpy

from septet.base.random import make_state, random_bits
from septet.data.schemes import check_seed
from septet.data.selecting import Selecting
from septet.data.stage import Cursor, Item, Replay, Stage, positive

__all__ = ["Shuffle"]

_WORDS = 1024  # random numbers that are made at a time
_STATES_PER_BUFFER = 8  # states of the stage below that are kept while the buffer is replaced once


class Shuffle(Selecting):
    """Items in random order: each is drawn from a buffer, which is filled up from the stage below.

    Parameters
    ----------
    inner : Stage
    size : int
        Items in the buffer. With as many as the epoch has, every order is equally likely.
    seed : int
        Of the draws, with the epoch.
    """

    name = "shuffle"

    def __init__(self, inner: Stage, size: int, seed: int = 0) -> None:
        super().__init__(inner)
        check_seed("shuffle", seed)
        self.size, self.seed = positive("shuffle", "size", size), int(seed)

    @property
    def length(self) -> int | None:
        """As many as below."""
        return self.inner.length

    @property
    def state_interval(self) -> int:
        """A state lists the buffer's items, so it is not for every item."""
        return max(self.inner.state_interval, self.size // _STATES_PER_BUFFER, 1)

    def start(self, epoch: int, state: Any) -> ShuffleCursor:
        """Begin with an empty buffer, or with that of the state."""
        return ShuffleCursor(self, epoch, state)

    def describe(self) -> dict[str, Any]:
        """Add size and seed."""
        return {"size": self.size, "seed": self.seed, **super().describe()}


class ShuffleCursor(Cursor):
    """The buffer, with the ordinal of each item in it."""

    def __init__(self, stage: Shuffle, epoch: int, state: Any) -> None:
        self.stage, self.epoch = stage, epoch
        self.replay = Replay(max(stage.size // _STATES_PER_BUFFER, 1))
        self.buffer: list[tuple[int, Item]] = []
        self.following = self.draws = 0
        if state is None:
            self.cursor: Cursor = stage.inner.open(epoch)
        else:
            self.cursor, held = Replay.again(stage.inner, epoch, state)
            self.buffer = [(ordinal, held[ordinal]) for ordinal in state["held"]]
            self.following, self.draws = state["next"], state["draws"]
            self.replay.kept.append((state["from"], state["after"]))
        self.words: numpy.ndarray = numpy.empty(0, numpy.uint64)
        self.words_from = 0
        self.oldest = 0

    def __next__(self) -> Item:
        buffer = self.buffer
        while len(buffer) < self.stage.size:
            item = self._draw()
            if item is None:
                break
            buffer.append((self.following - 1, item))
        if not buffer:
            raise StopIteration
        # a 32-bit word times the size, shifted: the bias is below size / 2**32
        place = (self._word() * len(buffer)) >> 32
        found = buffer[place]
        last = buffer.pop()
        if place < len(buffer):
            buffer[place] = last
        return found[1]

    def _draw(self) -> Item | None:
        if self.following % self.replay.interval == 0:
            self.replay.note(self.following, self.cursor, min((each[0] for each in self.buffer), default=0))
        item = next(self.cursor, None)
        self.following += item is not None
        return item

    def _word(self) -> int:
        offset = self.draws - self.words_from
        if not 0 <= offset < len(self.words):
            self.words_from, offset = self.draws, 0
            self.words = random_bits(make_state(self.stage.seed, self.epoch), _WORDS, start=self.draws)
        self.draws += 1
        return int(self.words[offset])

    def state(self) -> dict[str, Any]:
        """Return what is in the buffer, by ordinals, and how many draws were made."""
        held = self.replay.state([ordinal for ordinal, _ in self.buffer], self.following, self.cursor)
        return {**held, "draws": self.draws}

    def close(self) -> None:
        """Close the cursor below."""
        self.cursor.close()
