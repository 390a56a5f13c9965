"""Streams: batches of a data set, epoch after epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy

from septet.base.errors import ArgumentError
from septet.data.arrays import ArrayDataset, Sample
from septet.data.schemes import Scheme, Sequential, Shuffled, count_batches

__all__ = ["Batches"]

_STATE_VERSION = 1


class Batches:
    """Iterate over a data set in batches.

    ``for batch in batches`` runs through one epoch; the next ``for`` runs through the next one, shuffled anew. A pass
    that is left early (``break``) counts as its epoch. The order depends on nothing but (scheme, seed, epoch), and
    `state` and `restore` carry a run on in the middle of an epoch, in another process too.

    Parameters
    ----------
    dataset : ArrayDataset
        The samples. One or more arrays may be given directly as a tuple or a dict.
    batch_size : int
        Samples per batch, at least 1. The last batch of an epoch may be smaller.
    shuffle : bool
        Whether to visit the samples in random order.
    seed : int
        The seed of that order. It has no effect without `shuffle`.
    drop_last : bool
        Whether to leave out a last batch that is smaller.
    transform : callable, optional
        Is given each batch (a tuple or a dict of arrays) and returns the batch to use instead. Its result need not be
        arrays.
    scheme : Scheme, optional
        Another order, instead of `shuffle` and `seed`.

    Raises
    ------
    ArgumentError
        When the batch size is below 1, `drop_last` leaves no batch, or `scheme` and `shuffle` are both given.

    Examples
    --------
    >>> batches = Batches(ArrayDataset(numpy.arange(5)), batch_size=2)
    >>> [batch.tolist() for (batch,) in batches]
    [[0, 1], [2, 3], [4]]
    >>> len(batches), batches.epoch
    (3, 1)
    """

    def __init__(
        self,
        dataset: ArrayDataset | tuple | dict,
        *,
        batch_size: int = 32,
        shuffle: bool = False,
        seed: int = 0,
        drop_last: bool = False,
        transform: Callable[[Sample], Any] | None = None,
        scheme: Scheme | None = None,
    ) -> None:
        if isinstance(batch_size, bool) or not isinstance(batch_size, int | numpy.integer) or batch_size < 1:
            raise ArgumentError(f"Batches: batch_size must be an integer of at least 1, received {batch_size!r}")
        if scheme is not None and shuffle:
            raise ArgumentError("Batches: give either shuffle=True or a scheme, not both")
        self._dataset = _as_dataset(dataset)
        self._batch_size = int(batch_size)
        self._drop_last = bool(drop_last)
        self._transform = transform
        self._scheme: Scheme = scheme if scheme is not None else Shuffled(seed) if shuffle else Sequential()
        self._epoch = 0
        self._position = 0  # batches of the epoch that have been given out
        self._is_left_early = False
        if len(self) == 0:
            raise ArgumentError(
                f"Batches: with drop_last=True there is no batch: {len(self._dataset)} samples are fewer than "
                f"batch_size={self._batch_size}"
            )

    @property
    def dataset(self) -> ArrayDataset:
        """The data set."""
        return self._dataset

    @property
    def batch_size(self) -> int:
        """Samples per batch."""
        return self._batch_size

    @property
    def scheme(self) -> Scheme:
        """The order of the visit."""
        return self._scheme

    @property
    def epoch(self) -> int:
        """The number, from 0, of the epoch that is being read or, between two passes, was set by the one that ended."""
        return self._epoch

    @property
    def position(self) -> int:
        """How many batches of this epoch have been given out."""
        return self._position

    def __len__(self) -> int:
        """Return the number of batches of a whole epoch."""
        return count_batches(len(self._dataset), self._batch_size, self._drop_last)

    def __repr__(self) -> str:
        return (
            f"Batches({len(self)} batches of {self._batch_size} from {self._dataset!r}, {self._scheme!r}, "
            f"epoch {self._epoch}, position {self._position})"
        )

    def __iter__(self) -> Iterator[Any]:
        if self._is_left_early:
            self._epoch, self._position = self._epoch + 1, 0
        epoch, start, count = self._epoch, self._position, len(self)
        order = self._scheme.order(len(self._dataset), epoch)
        for position in range(start, count):
            batch = self._dataset.take(order[position * self._batch_size : (position + 1) * self._batch_size])
            if self._transform is not None:
                batch = self._transform(batch)
            self._epoch, self._position, self._is_left_early = epoch, position + 1, True
            yield batch
        self._epoch, self._position, self._is_left_early = epoch + 1, 0, False

    def state(self) -> dict[str, Any]:
        """Return where the stream stands, as plain values that JSON can hold.

        Called in the body of the loop, it names the batch after the one in hand; after the last batch, the first of the
        next epoch.

        Returns
        -------
        dict
            ``epoch`` and ``batch`` of the next batch, and a description of the stream that `restore` compares.
        """
        at_end = self._position == len(self)
        return {
            "version": _STATE_VERSION,
            "epoch": self._epoch + at_end,
            "batch": 0 if at_end else self._position,
            **self._description(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go to where another stream over the same data stood.

        The next pass starts with the batch that the state names and ends with that epoch.

        Parameters
        ----------
        state : mapping
            What `state` returned.

        Raises
        ------
        ArgumentError
            When the state is not one, or comes from a stream with another length, batch size or order. The stream stays
            as it was.
        """
        mine = {"version": _STATE_VERSION, **self._description()}
        missing = [key for key in ("epoch", "batch", *mine) if key not in state]
        if missing:
            raise ArgumentError(f"Batches.restore: not a state of a stream: it lacks {', '.join(missing)}")
        different = [
            f"{key} is {value!r} here, {state[key]!r} there" for key, value in mine.items() if state[key] != value
        ]
        if different:
            raise ArgumentError(f"Batches.restore: the state belongs to another stream: {'; '.join(different)}")
        epoch, batch = state["epoch"], state["batch"]
        for key, value, limit in (("epoch", epoch, 2**64), ("batch", batch, len(self))):
            if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < limit:
                raise ArgumentError(
                    f"Batches.restore: {key} must be an integer from 0 to {limit - 1}, received {value!r}"
                )
        self._epoch, self._position, self._is_left_early = epoch, batch, False

    def _description(self) -> dict[str, Any]:
        return {
            "samples": len(self._dataset),
            "batch_size": self._batch_size,
            "drop_last": self._drop_last,
            "order": self._scheme.describe(),
        }


def _as_dataset(dataset: ArrayDataset | tuple | dict) -> ArrayDataset:
    if isinstance(dataset, ArrayDataset):
        return dataset
    if isinstance(dataset, dict):
        return ArrayDataset(*dataset.values(), names=tuple(dataset))
    if isinstance(dataset, tuple):
        return ArrayDataset(*dataset)
    raise ArgumentError(
        f"Batches: expected an ArrayDataset, or a tuple or dict of arrays, received {type(dataset).__name__}"
    )
