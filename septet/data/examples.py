"""Where streams begin: a data set with a scheme, or anything that can be iterated over again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy

from septet.base.errors import ArgumentError
from septet.data.collate import collate
from septet.data.schemes import Scheme
from septet.data.stage import Cursor, Item, Stage, Value

__all__ = ["Examples", "Iterated"]


class Examples(Stage):
    """The samples of a data set in the order of a scheme.

    Parameters
    ----------
    dataset : object
        With ``len(dataset)`` and ``dataset[index]``. A method ``take(indices)`` makes batches faster where it has one,
        and ``where(index)`` names a sample in errors.
    scheme : Scheme
    """

    name = "examples"

    def __init__(self, dataset: Any, scheme: Scheme) -> None:
        super().__init__()
        if not hasattr(dataset, "__len__") or not hasattr(dataset, "__getitem__"):
            raise ArgumentError(
                f"Stream: a data set has len(dataset) and dataset[index]; received {type(dataset).__name__}",
                hint="a function that returns a new iterator for each pass works, too",
            )
        self.dataset = dataset
        self.scheme = scheme
        # an array's own `take` takes from its values; indexing takes samples
        self.take = dataset.__getitem__ if isinstance(dataset, numpy.ndarray) else getattr(dataset, "take", None)

    @property
    def length(self) -> int:
        """How many visits an epoch has."""
        return self.scheme.visits(len(self.dataset))

    def start(self, epoch: int, state: Any) -> ExamplesCursor:
        """Begin at a position."""
        return ExamplesCursor(self, epoch, state or 0)

    def work(self, item: Item) -> Any:
        """Load one sample."""
        return self.dataset[item.payload]

    def load(self, indices: numpy.ndarray) -> Any:
        """Load samples as a batch."""
        if self.take is not None:
            return self.take(indices)
        return collate([self.work(Item(index, ())) for index in indices.tolist()])

    def origin(self, item: Item) -> int:
        """Return the number of the sample."""
        return item.payload

    def where(self, origin: int) -> str:
        """Name a sample."""
        if hasattr(self.dataset, "where"):
            return self.dataset.where(origin)
        return f"{type(self.dataset).__name__}[{origin}]"

    def describe(self) -> dict[str, Any]:
        """Return length and order."""
        return {"stage": self.name, "samples": len(self.dataset), "order": self.scheme.describe()}

    def close(self) -> None:
        """Close the data set's files, where it can: they are opened again when they are needed."""
        if hasattr(self.dataset, "close"):
            self.dataset.close()


class ExamplesCursor(Cursor):
    """A position in the order of an epoch."""

    def __init__(self, stage: Examples, epoch: int, position: int) -> None:
        length = len(stage.dataset)
        self.order = stage.scheme.order(length, epoch)
        numbers = stage.scheme.numbers(length, epoch)
        self.keys = self.order if numbers is None else numbers
        self.epoch = epoch
        self.position = position

    def __next__(self) -> Item:
        position = self.position
        if position >= len(self.order):
            raise StopIteration
        self.position = position + 1
        return Item(int(self.order[position]), (self.epoch, int(self.keys[position])))

    def state(self) -> int:
        """Return the position."""
        return self.position

    def skip(self, count: int) -> None:
        """Move on, loading nothing."""
        self.position = min(self.position + count, len(self.order))

    def indices(self, count: int) -> Item | None:
        """Return the next samples' numbers, as the payload of one item; None at the end."""
        start = self.position
        chosen = self.order[start : start + count]
        if not len(chosen):
            return None
        self.position = start + len(chosen)
        return Item(chosen, (self.epoch, int(self.keys[start])))


class Iterated(Stage):
    """What a function gives that returns a new iterator for each pass: a generator function, or a list.

    Such a stream is taken up again by going through it from its beginning.

    Parameters
    ----------
    function : callable or iterable
        Called without arguments for each epoch. An iterable is iterated over again, so it must not be an iterator.
    """

    name = "iterated"

    def __init__(self, function: Callable[[], Iterable[Any]] | Iterable[Any]) -> None:
        super().__init__()
        if isinstance(function, Iterator):
            raise ArgumentError(
                f"Stream: a {type(function).__name__} can be gone through only once, and a stream has many epochs",
                hint="give the function that makes it: Stream(read), not Stream(read())",
            )
        self.function = function

    @property
    def length(self) -> int | None:
        """The length, where the iterable has one."""
        return len(self.function) if hasattr(self.function, "__len__") else None

    def start(self, epoch: int, state: Any) -> IteratedCursor:
        """Begin at the beginning, and pass over what was given out before."""
        cursor = IteratedCursor(self, epoch)
        cursor.skip(state or 0)
        return cursor

    def where(self, origin: int) -> str:
        """Name a value by its number."""
        name = getattr(self.function, "__qualname__", type(self.function).__name__)
        return f"{name}, value number {origin}"


class IteratedCursor(Cursor):
    """An iterator and a count."""

    def __init__(self, stage: Iterated, epoch: int) -> None:
        self.stage, self.epoch = stage, epoch
        self.iterator = iter(stage.function() if callable(stage.function) else stage.function)
        self.position = 0

    def __next__(self) -> Item:
        try:
            value = next(self.iterator)
        except StopIteration:
            raise
        except Exception as error:
            self.stage.blame(error, Item(Value(None, self.position), ()))
            raise
        self.position += 1
        return Item(Value(value, self.position - 1), (self.epoch, self.position - 1))

    def state(self) -> int:
        """Return the count."""
        return self.position

    def close(self) -> None:
        """End a generator, so that its ``finally`` runs."""
        if hasattr(self.iterator, "close"):
            self.iterator.close()
