"""Streams: what training reads, epoch after epoch. A stream is made of stages, and knows where it stands."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from septet.base.errors import ArgumentError
from septet.data.arrays import ArrayDataset, Sample
from septet.data.caching import Cache, Memory
from septet.data.collate import pad
from septet.data.combining import Concatenate, Interleave, Zip
from septet.data.examples import Examples, Iterated
from septet.data.filecache import Files
from septet.data.grouping import Batch, ByLength, Unbatch, Window
from septet.data.mapping import Filter, Map
from septet.data.prefetching import Prefetch
from septet.data.schemes import Scheme, Sequential, Shuffled
from septet.data.selecting import Repeat, Shard, Skip, Take
from septet.data.shuffling import Shuffle
from septet.data.stage import Cursor, Item, Stage, positive
from septet.data.tasks import PATIENCE
from septet.data.workers import Parallel

__all__ = ["Batches", "Stream"]

_STATE_VERSION = 2
_VALUES_AHEAD = (
    16  # single values that each worker of a map may be ahead: they are small, and batches need many at once
)


class Stream:
    """A sequence of samples or batches that can be gone through again and again.

    ``for value in stream`` runs through one epoch; the next ``for`` runs through the next one, shuffled anew. A pass
    that is left early (``break``) counts as its epoch. What comes depends on nothing but the stream's parameters, its
    seeds and the epoch, not on the number of workers.

    Methods such as `map` and `batch` return new streams and leave this one as it is; a stream reads nothing before it
    is gone through.

    Parameters
    ----------
    source : object
        A data set (``len(source)`` and ``source[index]``; a list is one), a tuple or dict of arrays, or a function that
        returns a new iterator for each epoch.
    shuffle : bool
        Whether to visit the samples of a data set in random order. Of what can only be read in its own order, see
        `shuffled`.
    seed : int
        The seed of that order.
    scheme : Scheme, optional
        Another order, instead of `shuffle` and `seed`.

    Raises
    ------
    ArgumentError
        When the source is none of these, or has no order to choose.

    Examples
    --------
    >>> stream = Stream(range(10)).filter(lambda number: number % 3).map(lambda number: number * 10).batch(3)
    >>> for batch in stream:
    ...     print(batch)
    [10 20 40]
    [50 70 80]
    """

    def __init__(
        self, source: Any, *, shuffle: bool = False, seed: int = 0, scheme: Scheme | None = None
    ) -> None:  # fmt: skip
        self._begin(_as_stage(source, shuffle, seed, scheme))

    def _begin(self, stage: Stage) -> None:
        self._stage = stage
        self._epoch = 0
        self._position = 0  # values of the epoch that have been given out
        self._is_left_early = False
        self._resume: Any = None  # the state in which the next pass opens the stage
        self._pass: _Pass | None = None  # the pass under way
        self._waited = 0.0

    def _over(self, stage: Stage) -> Stream:
        stream = Stream.__new__(Stream)
        stream._begin(stage)
        return stream

    # --- reading

    @property
    def stage(self) -> Stage:
        """The last of the stages."""
        return self._stage

    @property
    def epoch(self) -> int:
        """The number, from 0, of the epoch that is being read or, between two passes, was set by the one that ended."""
        return self._epoch

    @property
    def position(self) -> int:
        """How many values of this epoch have been given out."""
        return self._position

    @property
    def length(self) -> int | None:
        """How many values an epoch has, or None when that is not known before it was read, or has no end."""
        return self._stage.length

    @property
    def waited(self) -> float:
        """How many seconds the consumer has waited for values, in the pass under way or the last one."""
        return self._waited

    def __len__(self) -> int:
        """Return how many values an epoch has.

        Raises
        ------
        TypeError
            When that is not known; `length` is None then.
        """
        length = self._stage.length
        if length is None:
            raise TypeError(f"the length of this stream is not known before it was read, or has no end: {self!r}")
        return length

    def __bool__(self) -> bool:
        return True  # and not whether it has values: that would read it

    def __repr__(self) -> str:
        length = "unknown length" if self.length is None else f"{self.length} values"
        return f"{type(self).__name__}({_chain(self._stage)}; {length}, epoch {self._epoch}, position {self._position})"

    def __iter__(self) -> Iterator[Any]:
        if self._is_left_early:
            self._epoch, self._position, self._resume = self._epoch + 1, 0, None
        epoch, position = self._epoch, self._position
        reading = _Pass(self._stage.open(epoch, self._resume))
        self._pass, self._waited = reading, 0.0
        is_whole = False
        try:
            while True:
                started = time.perf_counter()
                try:
                    item = reading.next()
                    if item is None:
                        is_whole = True
                        break
                    value = self._stage.finish(item)
                except BaseException:
                    reading.is_ahead = True
                    raise
                position += 1
                self._epoch, self._position, self._is_left_early = epoch, position, True
                self._waited += time.perf_counter() - started
                yield value
        finally:
            if self._pass is reading:
                self._resume = None if is_whole or reading.is_ahead else reading.state()
                self._pass = None
            reading.close()
        self._epoch, self._position, self._is_left_early, self._resume = epoch + 1, 0, False, None

    def __getstate__(self) -> dict[str, Any]:
        # a copy goes on where this one stands, in a pass of its own
        state = self._resume if self._pass is None else self._pass.state()
        return {**self.__dict__, "_pass": None, "_resume": state, "_is_left_early": False}

    def close(self) -> None:
        """End workers, and close the files of data sets. A stream that is gone through again opens them again."""
        self._stage.close()

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *problem: object) -> None:
        self.close()

    # --- where it stands

    def state_dict(self) -> dict[str, Any]:
        """Return where the stream stands, as plain values that JSON can hold.

        Called in the body of the loop, it names the value after the one in hand; after the last one, the first of the
        next epoch. A stream made alike, in another process and with other numbers of workers too, goes on from there
        with the very same values.

        Returns
        -------
        dict
            ``version``; ``epoch`` and ``position`` of the next value; ``cursor``, the state of the stages (None: they
            go through the epoch from its beginning); ``stream``, a description that `load_state_dict` compares.
        """
        epoch, position = self._epoch, self._position
        cursor = self._resume if self._pass is None else self._pass.state()
        at_end = position == self.length if self.length is not None else self._pass is not None and self._pass.at_end()
        if at_end:
            epoch, position, cursor = epoch + 1, 0, None
        return {
            "version": _STATE_VERSION,
            "epoch": epoch,
            "position": position,
            "cursor": cursor,
            "stream": self._stage.describe(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go to where another stream, made alike, stood.

        The next pass starts with the value that the state names and ends with that epoch.

        Parameters
        ----------
        state : mapping
            What `state_dict` returned.

        Raises
        ------
        ArgumentError
            When the state is not one, or comes from a stream with other data, sizes or orders. The stream stays as it
            was.
        """
        missing = [key for key in ("version", "epoch", "position", "cursor", "stream") if key not in state]
        if missing:
            raise ArgumentError(f"Stream.load_state_dict: not a state of a stream: it lacks {', '.join(missing)}")
        if state["version"] != _STATE_VERSION:
            raise ArgumentError(f"Stream.load_state_dict: version is {_STATE_VERSION} here, {state['version']!r} there")
        different = list(_differences(self._stage.describe(), state["stream"]))
        if different:
            raise ArgumentError(f"Stream.load_state_dict: the state belongs to another stream: {'; '.join(different)}")
        epoch, position, cursor = state["epoch"], state["position"], state["cursor"]
        limit = 2**64 if self.length is None else max(self.length, 1)
        for key, value, end in (("epoch", epoch, 2**64), ("position", position, limit)):
            if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < end:
                raise ArgumentError(
                    f"Stream.load_state_dict: {key} must be an integer from 0 to {end - 1}, received {value!r}"
                )
        if cursor is None and position:
            cursor = self._stage.later(None, position)
        self._epoch, self._position, self._resume = epoch, position, cursor
        self._is_left_early, self._pass = False, None

    # --- one value at a time

    def map(
        self, function: Callable[..., Any], *, seed: int | None = None, workers: int = 0, processes: bool = False,
        timeout: float = PATIENCE,
    ) -> Stream:  # fmt: skip
        """Change each value by a function.

        Parameters
        ----------
        function : callable
            Given a value, returns another one; with `seed` given a value and a `numpy.random.Generator`.
        seed : int, optional
            The generator depends on this, the epoch and the sample only: results are the same with any number of
            workers, and after a stream was taken up again.
        workers : int
            When above 0, so many workers load values and apply this and earlier functions, some values ahead. Where
            batches are made of the values, ``stream.map(...).batch(...).parallel(workers)`` is faster: whole batches
            go to and fro.
        processes, timeout
            See `parallel`.

        Examples
        --------
        >>> noisy = Stream([1.0, 2.0]).map(lambda value, random: value + random.normal(), seed=7)
        >>> list(noisy) == list(Stream([1.0, 2.0]).map(lambda value, random: value + random.normal(), seed=7))
        True
        """
        stage: Stage = Map(self._stage, function, seed)
        if positive("map", "workers", workers, 0):
            stage = Parallel(stage, workers, processes, workers * _VALUES_AHEAD, timeout)
        return self._over(stage)

    def filter(self, function: Callable[[Any], Any]) -> Stream:
        """Keep the values for which a function says true."""
        return self._over(Filter(self._stage, function))

    # --- ahead of the consumer

    def parallel(
        self, workers: int | None = None, *, processes: bool = False, ahead: int | None = None,
        timeout: float = PATIENCE,
    ) -> Stream:  # fmt: skip
        """Let workers do what is put off until here: loading samples, maps, making batches. The order stays.

        Parameters
        ----------
        workers : int, optional
            As many as cores can be used when not given.
        processes : bool
            Spawned processes instead of threads: for functions in Python, which threads cannot run at the same time.
            Data set and functions are sent to each process once, so they must be possible to pickle. Arrays come back
            in shared memory, without a copy.
        ahead : int, optional
            How many values may be ready or worked on before they are asked for; twice the workers when not given.
        timeout : float
            Seconds after which a value that is not ready raises a `WorkerError` that names its sample.
        """
        return self._over(Parallel(self._stage, workers, processes, ahead, timeout))

    def prefetch(self, count: int = 2, *, timeout: float = PATIENCE) -> Stream:
        """Make values ahead of the consumer, in one thread that does everything below.

        Parameters
        ----------
        count : int
            How many values may wait for the consumer.
        timeout : float
            Seconds after which a value that is not ready raises a `WorkerError`.
        """
        return self._over(Prefetch(self._stage, count, timeout))

    # --- batches and windows

    def batch(self, batch_size: int, *, drop_last: bool = False) -> Stream:
        """Stack values to batches.

        Parameters
        ----------
        batch_size : int
        drop_last : bool
            Whether to leave out a last batch that is smaller.
        """
        return self._over(Batch(self._stage, batch_size, drop_last))

    def padded_batch(
        self, batch_size: int, *, value: Any = 0, multiple: int = 1, drop_last: bool = False
    ) -> Stream:  # fmt: skip
        """Stack values whose arrays differ in size: they are filled up, and their lengths come with the batch.

        Parameters
        ----------
        batch_size : int
        value : number
            What the arrays are filled up with.
        multiple : int
            Axis 0 of the samples is filled up to a multiple of this: fewer different shapes.
        drop_last : bool

        Returns
        -------
        Stream
            Of (padded, lengths) for single arrays, of (part, part ..., lengths ...) for tuples, and for dicts with the
            lengths as ``name_lengths``.

        Examples
        --------
        >>> stream = Stream([[0, 1, 2], [0]]).padded_batch(2, value=-1)
        >>> [(batch.tolist(), lengths.tolist()) for batch, lengths in stream]
        [([[0, 1, 2], [0, -1, -1]], [3, 1])]
        """
        make = partial(pad, value=value, multiple=positive("padded_batch", "multiple", multiple))
        return self._over(Batch(self._stage, batch_size, drop_last, make))

    def by_length(
        self, length_of: Callable[[Any], int], boundaries: Sequence[int], batch_sizes: int | Sequence[int], *,
        value: Any = 0, multiple: int = 1, drop_last: bool = False,
    ) -> Stream:  # fmt: skip
        """Make padded batches of values of similar length, when the lengths are known only by reading.

        For data sets whose lengths are known, the scheme `Bucketed` shuffles better.

        Parameters
        ----------
        length_of : callable
            Returns the length of a value.
        boundaries : sequence of int
            Ascending. Values below the first make one group, those from the first to below the second another ...
        batch_sizes : int or sequence of int
            One for all groups, or one for each of ``len(boundaries) + 1``.
        value, multiple, drop_last
            As for `padded_batch`.
        """
        return self._over(ByLength(self._stage, length_of, boundaries, batch_sizes, drop_last, value, multiple))

    def unbatch(self) -> Stream:
        """Take batches apart into samples."""
        return self._over(Unbatch(self._stage))

    def window(self, size: int, shift: int = 1) -> Stream:
        """Stack values that follow each other to windows, each beginning `shift` values after the one before.

        Examples
        --------
        >>> [window.tolist() for window in Stream(range(5)).window(3)]
        [[0, 1, 2], [1, 2, 3], [2, 3, 4]]
        """
        return self._over(Window(self._stage, size, shift))

    # --- which, and in which order

    def shuffled(self, size: int, *, seed: int = 0) -> Stream:
        """Shuffle what can only be read in its own order: each value is drawn from a buffer of the next `size` ones.

        Data sets are shuffled as wholes by ``Stream(dataset, shuffle=True)``. The buffer holds values only where a
        stage below has made them: of a data set, it holds numbers of samples.
        """
        return self._over(Shuffle(self._stage, size, seed))

    def take(self, count: int) -> Stream:
        """End each epoch after some values."""
        return self._over(Take(self._stage, count))

    def skip(self, count: int) -> Stream:
        """Leave out the first values of each epoch; they are not loaded."""
        return self._over(Skip(self._stage, count))

    def shard(self, rank: int, world: int) -> Stream:
        """Keep every `world`-th value, from number `rank` on: one of several processes' shares.

        For data sets, the scheme `Sharded` gives all ranks equally many samples.
        """
        return self._over(Shard(self._stage, rank, world))

    def repeat(self, times: int | None = None) -> Stream:
        """Make one epoch of several, each with its own order and random numbers; without a number, one without end."""
        return self._over(Repeat(self._stage, times))

    def cache(self, folder: str | os.PathLike[str] | None = None) -> Stream:
        """Keep the values of the first epoch, and give them in every epoch.

        Their order and random numbers are those of the first epoch: shuffle and augment above the cache.

        Parameters
        ----------
        folder : path, optional
            Where values are kept, for other runs too; in memory when not given. A folder belongs to one stream, and to
            one process at a time. A change of a function below is not noticed: delete the folder then.

        Raises
        ------
        ArgumentError
            When the folder holds the values of another stream.
        """
        store = Memory() if folder is None else Files(folder, self._stage.describe())
        return self._over(Cache(self._stage, store))

    # --- several streams

    def zip(self, *others: Stream) -> Stream:
        """Combine values of this stream and of others to tuples; the shortest ends the epoch."""
        return self._over(Zip(self._stage, *_stages("zip", others)))

    def concatenate(self, *others: Stream) -> Stream:
        """Let others follow in each epoch."""
        return self._over(Concatenate(self._stage, *_stages("concatenate", others)))

    def interleave(
        self, *others: Stream, block: int = 1, weights: Sequence[float] | None = None, seed: int = 0
    ) -> Stream:
        """Mix this stream with others, until all have ended.

        Parameters
        ----------
        *others : Stream
        block : int
            How many values come from one stream before the next has its turn.
        weights : sequence of float, optional
            One for each stream: the stream of each value is then drawn at random, with these as odds.
        seed : int
            Of these draws.

        Examples
        --------
        >>> list(Stream([1, 2, 3]).interleave(Stream([10, 20])))
        [1, 10, 2, 20, 3]
        """
        stages = _stages("interleave", others)
        return self._over(Interleave(self._stage, *stages, block=block, weights=weights, seed=seed))


class Batches(Stream):
    """The batches of a data set.

    Parameters
    ----------
    dataset : ArrayDataset
        The samples: also any other data set, or one or more arrays as a tuple or a dict.
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
    workers : int
        When above 0, so many threads make batches, some batches ahead: see `Stream.parallel`.
    processes : bool
        Processes instead of threads.

    Raises
    ------
    ArgumentError
        When the batch size is below 1, `drop_last` leaves no batch, or `scheme` and `shuffle` are both given.

    Examples
    --------
    >>> batches = Batches(ArrayDataset(range(5)), batch_size=2)
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
        workers: int = 0,
        processes: bool = False,
    ) -> None:
        if isinstance(dataset, list | Stage | Stream) or callable(dataset):
            raise ArgumentError(
                f"Batches: expected a data set, or a tuple or dict of arrays, received {type(dataset).__name__}",
                hint="Stream(...).batch(batch_size) makes batches of everything else",
            )
        examples = _as_stage(dataset, shuffle, seed, scheme)
        assert isinstance(examples, Examples)
        self._dataset, self._scheme = examples.dataset, examples.scheme
        self._batch_size = positive("Batches", "batch_size", batch_size)
        stage: Stage = Batch(examples, self._batch_size, drop_last)
        if stage.length == 0:
            raise ArgumentError(
                f"Batches: with drop_last=True there is no batch: {examples.length} samples are fewer than "
                f"batch_size={self._batch_size}"
                if drop_last
                else "Batches: the data set holds no sample"
            )
        if transform is not None:
            stage = Map(stage, transform)
        self._begin(Parallel(stage, workers, processes) if positive("Batches", "workers", workers, 0) else stage)

    @property
    def dataset(self) -> Any:
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

    def __repr__(self) -> str:
        return (
            f"Batches({len(self)} batches of {self._batch_size} from {self._dataset!r}, {self._scheme!r}, "
            f"epoch {self._epoch}, position {self._position})"
        )


class _Pass:
    """A cursor, and perhaps one item of it that was asked for only to see whether there is one."""

    def __init__(self, cursor: Cursor) -> None:
        self.cursor = cursor
        self.peeked: list[Item | None] = []
        self.state_before: Any = None
        self.is_ahead = False  # an item was lost to an error: the cursor's state is behind it

    def next(self) -> Item | None:
        """Return the next item, or None at the end."""
        return self.peeked.pop() if self.peeked else next(self.cursor, None)

    def at_end(self) -> bool:
        """Tell whether there is no further item."""
        if not self.peeked:
            self.state_before = self.cursor.state()
            self.peeked.append(next(self.cursor, None))
        return self.peeked[0] is None

    def state(self) -> Any:
        """Return the state behind the last item that was given out."""
        return self.state_before if self.peeked else self.cursor.state()

    def close(self) -> None:
        """Close the cursor."""
        self.cursor.close()


def _as_stage(source: Any, shuffle: bool, seed: int, scheme: Scheme | None) -> Stage:
    if scheme is not None and shuffle:
        raise ArgumentError("Stream: give either shuffle=True or a scheme, not both")
    if isinstance(source, tuple):
        source = ArrayDataset(*source)
    elif isinstance(source, dict):
        source = ArrayDataset(*source.values(), names=tuple(source))
    if isinstance(source, Stream):
        source = source.stage
    is_dataset = hasattr(source, "__len__") and hasattr(source, "__getitem__") and not isinstance(source, Stage | str)
    if is_dataset:
        return Examples(source, scheme if scheme is not None else Shuffled(seed) if shuffle else Sequential())
    if scheme is not None or shuffle:
        raise ArgumentError(
            f"Stream: the order of {type(source).__name__} cannot be chosen: it is read as it comes",
            hint="stream.shuffled(size, seed=...) shuffles with a buffer, stream.shard(rank, world) shares out",
        )
    if isinstance(source, Stage):
        return source
    if isinstance(source, str | bytes) or not (callable(source) or hasattr(source, "__iter__")):
        raise ArgumentError(
            f"Stream: expected a data set, arrays, or a function that returns an iterator; received "
            f"{type(source).__name__}"
        )
    return Iterated(source)


def _stages(function: str, streams: Sequence[Any]) -> list[Stage]:
    for stream in streams:
        if not isinstance(stream, Stream):
            raise ArgumentError(f"{function}: expected streams, received {type(stream).__name__}")
    return [stream.stage for stream in streams]


def _chain(stage: Stage) -> str:
    """Write the stages from the source on."""
    below = [_chain(each) for each in stage.below]
    before = f"[{' | '.join(below)}] " if len(below) > 1 else f"{below[0]} " if below else ""
    return f"{before}{'-> ' if below else ''}{stage.name}"


def _differences(mine: Any, other: Any, place: str = "") -> Iterator[str]:
    """Name what differs between two descriptions."""
    if isinstance(mine, dict) and isinstance(other, Mapping):
        for key in dict.fromkeys([*mine, *other]):
            yield from _differences(mine.get(key), other.get(key), key)
    elif mine != other:
        yield f"{place} is {mine!r} here, {other!r} there"
