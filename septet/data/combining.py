"""Stages that draw from several: zip, concatenate, interleave."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy

from septet.base.errors import ArgumentError
from septet.base.random import make_state, random_bits
from septet.data.schemes import check_seed
from septet.data.stage import Cursor, Item, Stage

__all__ = ["Concatenate", "Interleave", "Zip"]

_WORDS = 256  # random numbers that are made at a time


class Zip(Stage):
    """Tuples of one item from each stage; the shortest ends the epoch."""

    name = "zip"

    def __init__(self, *stages: Stage) -> None:
        super().__init__(*_checked("zip", stages))

    @property
    def length(self) -> int | None:
        """The length of the shortest, where all are known."""
        lengths = [stage.length for stage in self.below]
        return None if None in lengths else min(lengths)  # type: ignore[type-var]

    def start(self, epoch: int, state: Any) -> ZipCursor:
        """Begin them all."""
        states = state or [None] * len(self.below)
        return ZipCursor([stage.open(epoch, each) for stage, each in zip(self.below, states, strict=True)])

    def work(self, item: Item) -> tuple[Any, ...]:
        """Work on each."""
        return tuple([stage.finish(each) for stage, each in zip(self.below, item.payload)])

    def origin(self, item: Item) -> tuple[Any, ...]:
        """Return those of the parts."""
        return tuple([stage.origin(each) for stage, each in zip(self.below, item.payload)])

    def where(self, origin: Any) -> str:
        """Name the parts."""
        return " with ".join(stage.where(each) for stage, each in zip(self.below, origin))


class Several(Cursor):
    """A cursor over several cursors, some of which may have ended (None)."""

    def __init__(self, cursors: list[Any]) -> None:
        self.cursors = cursors

    def close(self) -> None:
        """Close them all."""
        for cursor in self.cursors:
            if cursor is not None:
                cursor.close()


class ZipCursor(Several):
    """Goes on in all cursors at once."""

    def __next__(self) -> Item:
        items = []
        for cursor in self.cursors:
            items.append(next(cursor))
        return Item(tuple(items), items[0].key)

    def state(self) -> list[Any]:
        """Return all states."""
        return [cursor.state() for cursor in self.cursors]

    def skip(self, count: int) -> None:
        """Skip in all."""
        for cursor in self.cursors:
            cursor.skip(count)


class OneOfSeveral(Stage):
    """A stage whose items come from one of several stages: the payload says from which."""

    def work(self, item: Item) -> Any:
        """Work in the stage that the item is from."""
        number, below = item.payload
        return self.below[number].work(below)

    def origin(self, item: Item) -> tuple[int, Any]:
        """Return the number of the stage, and the origin in it."""
        number, below = item.payload
        return number, self.below[number].origin(below)

    def where(self, origin: Any) -> str:
        """Name the sample in its stage."""
        number, below = origin
        return f"{self.below[number].where(below)} (stream {number} of {self.name})"

    @property
    def length(self) -> int | None:
        """The sum, where all are known."""
        lengths = [stage.length for stage in self.below]
        return None if None in lengths else sum(lengths)  # type: ignore[arg-type]


class Concatenate(OneOfSeveral):
    """One stage after the other."""

    name = "concatenate"

    def __init__(self, *stages: Stage) -> None:
        super().__init__(*_checked("concatenate", stages))

    def start(self, epoch: int, state: Any) -> ConcatenateCursor:
        """Begin with the first, or with that of the state."""
        return ConcatenateCursor(self, epoch, state)


class ConcatenateCursor(Cursor):
    """Opens each stage when the one before has ended."""

    def __init__(self, stage: Concatenate, epoch: int, state: Any) -> None:
        self.stages, self.epoch = stage.below, epoch
        self.number, below = state or (0, None)
        self.cursor = self.stages[self.number].open(epoch, below)

    def __next__(self) -> Item:
        while True:
            item = next(self.cursor, None)
            if item is not None:
                return Item((self.number, item), (self.number, *item.key))
            if self.number == len(self.stages) - 1:
                raise StopIteration
            self.cursor.close()
            self.number += 1
            self.cursor = self.stages[self.number].open(self.epoch)

    def state(self) -> list[Any]:
        """Return the number of the stage and the state in it."""
        return [self.number, self.cursor.state()]

    def close(self) -> None:
        """Close the open cursor."""
        self.cursor.close()


class Interleave(OneOfSeveral):
    """Items of several stages in turn, or at random with given weights, until all have ended.

    Parameters
    ----------
    *stages : Stage
    block : int
        How many items come from one stage before the next has its turn.
    weights : sequence of float, optional
        The stage of each item is drawn with these; of what remains when some have ended.
    seed : int
        Of these draws, with the epoch.
    """

    name = "interleave"

    def __init__(self, *stages: Stage, block: int = 1, weights: Sequence[float] | None = None, seed: int = 0) -> None:
        super().__init__(*_checked("interleave", stages))
        check_seed("interleave", seed)
        if isinstance(block, bool) or not isinstance(block, int) or block < 1:
            raise ArgumentError(f"interleave: block must be an integer of at least 1, received {block!r}")
        self.block, self.seed = block, int(seed)
        self.weights = None
        if weights is not None:
            self.weights = numpy.asarray(weights, dtype=numpy.float64)
            if (
                self.weights.shape != (len(stages),)
                or not (self.weights > 0).all()
                or not numpy.isfinite(self.weights).all()
            ):
                raise ArgumentError(
                    f"interleave: expected one finite weight above 0 for each of {len(stages)} streams, "
                    f"received {weights!r}"
                )

    def start(self, epoch: int, state: Any) -> InterleaveCursor:
        """Begin them all, or where the state says."""
        return InterleaveCursor(self, epoch, state)

    def describe(self) -> dict[str, Any]:
        """Add block, weights and seed."""
        weights = None if self.weights is None else self.weights.tolist()
        return {"block": self.block, "weights": weights, "seed": self.seed, **super().describe()}


class InterleaveCursor(Several):
    """Takes turns, or draws."""

    def __init__(self, stage: Interleave, epoch: int, state: Any) -> None:
        self.stage, self.epoch = stage, epoch
        state = state or {"draws": 0, "turn": 0, "given": 0, "of": [[None]] * len(stage.below)}
        self.draws, self.turn, self.given = state["draws"], state["turn"], state["given"]
        # a state is in a list of its own, because None is the state of a beginning and of an end otherwise
        super().__init__(
            [None if each is None else below.open(epoch, each[0]) for below, each in zip(stage.below, state["of"])]
        )
        self.words: numpy.ndarray = numpy.empty(0, numpy.uint32)
        self.words_from = 0

    def __next__(self) -> Item:
        while any(cursor is not None for cursor in self.cursors):
            number = self._turn() if self.stage.weights is None else self._draw()
            cursor = self.cursors[number]
            item = None if cursor is None else next(cursor, None)
            if item is not None:
                self.given += 1
                return Item((number, item), (number, *item.key))
            if cursor is not None:
                cursor.close()
                self.cursors[number] = None
            self.given = self.stage.block  # the turn is over
        raise StopIteration

    def _turn(self) -> int:
        if self.given >= self.stage.block:
            self.turn, self.given = (self.turn + 1) % len(self.cursors), 0
        return self.turn

    def _draw(self) -> int:
        offset = self.draws - self.words_from
        if not 0 <= offset < len(self.words):
            self.words_from, offset = self.draws, 0
            self.words = random_bits(make_state(self.stage.seed, self.epoch), _WORDS, start=self.draws)
        self.draws += 1
        weights = self.stage.weights * [cursor is not None for cursor in self.cursors]
        edges = numpy.cumsum(weights)
        return int(numpy.searchsorted(edges, float(self.words[offset]) * 2.0**-32 * edges[-1], side="right"))

    def state(self) -> dict[str, Any]:
        """Return whose turn it is, how many draws were made, and all states."""
        states = [None if cursor is None else [cursor.state()] for cursor in self.cursors]
        return {"draws": self.draws, "turn": self.turn, "given": self.given, "of": states}


def _checked(function: str, stages: Sequence[Stage]) -> Sequence[Stage]:
    if not stages:
        raise ArgumentError(f"{function}: expected at least one stream, received none")
    return stages
