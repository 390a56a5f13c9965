"""Schemes: in which order the samples of a data set are visited, and how they are cut into batches.

A scheme knows nothing about data. Its order is a pure function of its parameters, the number of samples and the epoch,
so a run can be repeated, resumed in the middle, and compared with another run.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy

from septet.base.errors import ArgumentError

__all__ = ["Bucketed", "Scheme", "Sequential", "Sharded", "Shuffled", "Weighted", "count_batches", "random_order"]

_BUCKET_STREAM = 2**63  # added to the epoch: the order of batches has random numbers of its own


class Scheme:
    """An order. One of your own defines `order`, `describe`, and `visits` where it is not every sample once."""

    def order(self, length: int, epoch: int) -> numpy.ndarray:
        """Return the sample numbers of one epoch, in the order of the visit."""
        raise NotImplementedError

    def visits(self, length: int) -> int:
        """Return how many visits an epoch has: the length of `order`."""
        return length

    def numbers(self, length: int, epoch: int) -> numpy.ndarray | None:
        """Return a number for each visit, other ones for each visit of the same sample; None: those of the samples.

        Random numbers of augmentations are made from them.
        """
        return None

    def describe(self) -> dict[str, Any]:
        """Return the parameters as plain values: two schemes with equal descriptions give equal orders."""
        raise NotImplementedError


@dataclass(frozen=True)
class Sequential(Scheme):
    """Visit the samples in their own order, the same in every epoch.

    Examples
    --------
    >>> Sequential().order(4, epoch=0)
    array([0, 1, 2, 3])
    """

    def order(self, length: int, epoch: int) -> numpy.ndarray:
        """Return 0, 1, ... length - 1, as int64."""
        return numpy.arange(length, dtype=numpy.int64)

    def describe(self) -> dict[str, Any]:
        """Return the parameters as plain values."""
        return {"scheme": "sequential"}


@dataclass(frozen=True)
class Shuffled(Scheme):
    """Visit the samples in a random order, another one in every epoch.

    Parameters
    ----------
    seed : int
        From 0 to 2**64 - 1. The order is a pure function of (seed, epoch): the same on every machine and with every
        version of NumPy.

    Raises
    ------
    ArgumentError
        When the seed is not an integer of that range.

    Examples
    --------
    >>> bool((Shuffled(1).order(9, epoch=4) == Shuffled(1).order(9, epoch=4)).all())
    True
    """

    seed: int = 0

    def __post_init__(self) -> None:
        check_seed("Shuffled", self.seed)

    def order(self, length: int, epoch: int) -> numpy.ndarray:
        """Return the numbers 0 to length - 1, permuted, as int64."""
        return random_order(length, self.seed, epoch)

    def describe(self) -> dict[str, Any]:
        """Return the parameters as plain values."""
        return {"scheme": "shuffled", "seed": int(self.seed)}


@dataclass(frozen=True)
class Sharded(Scheme):
    """Visit one share of another scheme's order: each of several processes trains on its own.

    Parameters
    ----------
    scheme : Scheme
        The order that is shared out, the same in every process: visit `i` goes to rank ``i % world``.
    rank, world : int
        Which share, from 0, of how many.
    uneven : {"repeat", "drop", "keep"}
        What happens when the visits cannot be shared out evenly: the first ones come again at the end, the last ones
        are left out (in both cases all ranks have equally many), or the first ranks have one more.

    Raises
    ------
    ArgumentError
        When the rank is not below the world, or `uneven` is another word.

    Examples
    --------
    >>> [Sharded(Sequential(), rank, 2).order(5, epoch=0).tolist() for rank in range(2)]
    [[0, 2, 4], [1, 3, 0]]
    """

    scheme: Scheme
    rank: int
    world: int
    uneven: str = "repeat"

    def __post_init__(self) -> None:
        check_shard("Sharded", self.rank, self.world)
        if self.uneven not in ("repeat", "drop", "keep"):
            raise ArgumentError(f"Sharded: uneven must be 'repeat', 'drop' or 'keep', received {self.uneven!r}")

    def visits(self, length: int) -> int:
        """Return the length of the share."""
        whole = self.scheme.visits(length)
        if self.uneven == "keep":
            return len(range(self.rank, whole, self.world))
        return -(-whole // self.world) if self.uneven == "repeat" else whole // self.world

    def order(self, length: int, epoch: int) -> numpy.ndarray:
        """Return the sample numbers of the share, as int64."""
        return self._share(self.scheme.order(length, epoch), self.visits(length))

    def numbers(self, length: int, epoch: int) -> numpy.ndarray | None:
        """Return the numbers of the share."""
        numbers = self.scheme.numbers(length, epoch)
        return None if numbers is None else self._share(numbers, self.visits(length))

    def describe(self) -> dict[str, Any]:
        """Return the parameters as plain values."""
        share = {"rank": int(self.rank), "world": int(self.world), "uneven": self.uneven}
        return {"scheme": "sharded", **share, "of": self.scheme.describe()}

    def _share(self, whole: numpy.ndarray, visits: int) -> numpy.ndarray:
        if not len(whole):
            return whole
        return whole[(self.rank + self.world * numpy.arange(visits)) % len(whole)]


class Weighted(Scheme):
    """Draw samples with replacement, each with a probability in proportion to its weight.

    Parameters
    ----------
    weights : array_like of float, optional
        One for each sample, finite, none below 0; equal ones when not given.
    visits : int, optional
        How many samples an epoch draws; as many as there are when not given.
    seed : int
        The order is a pure function of (weights, seed, epoch).

    Raises
    ------
    ArgumentError
        When a weight is negative or not finite, all are 0, or there is not one for each sample.

    Examples
    --------
    >>> Weighted([0.0, 1.0, 0.0], visits=4).order(3, epoch=0)
    array([1, 1, 1, 1])
    """

    def __init__(self, weights: object = None, *, visits: int | None = None, seed: int = 0) -> None:
        check_seed("Weighted", seed)
        self._seed = int(seed)
        self._visits = visits
        self._edges: numpy.ndarray | None = None
        if visits is not None and (isinstance(visits, bool) or not isinstance(visits, int) or visits < 1):
            raise ArgumentError(f"Weighted: visits must be an integer of at least 1, received {visits!r}")
        if weights is not None:
            array = numpy.asarray(weights, dtype=numpy.float64)
            if array.ndim != 1 or not numpy.isfinite(array).all() or (array < 0).any() or not array.any():
                raise ArgumentError(
                    "Weighted: weights must be finite numbers on one axis, none below 0 and not all 0; received "
                    f"shape {array.shape}"
                )
            self._edges = numpy.cumsum(array)

    def __repr__(self) -> str:
        weights = "equal weights" if self._edges is None else f"{len(self._edges)} weights"
        return f"Weighted({weights}, visits={self._visits}, seed={self._seed})"

    def visits(self, length: int) -> int:
        """Return how many samples an epoch draws."""
        return length if self._visits is None else self._visits

    def order(self, length: int, epoch: int) -> numpy.ndarray:
        """Return the sample numbers of one epoch, as int64."""
        words = numpy.random.Philox(key=(epoch << 64) | self._seed).random_raw(self.visits(length))
        uniform = (words >> numpy.uint64(11)) * 2.0**-53  # the upper 53 bits: 0 <= u < 1
        if self._edges is None:
            return (uniform * length).astype(numpy.int64)
        if len(self._edges) != length:
            raise ArgumentError(f"Weighted: {len(self._edges)} weights do not fit {length} samples")
        # side="right": a sample whose weight is 0 has an empty interval, and is never found
        return numpy.searchsorted(self._edges, uniform * self._edges[-1], side="right").astype(numpy.int64)

    def numbers(self, length: int, epoch: int) -> numpy.ndarray:
        """Return the numbers of the draws: a sample that is drawn twice is augmented in two ways."""
        return numpy.arange(self.visits(length), dtype=numpy.int64)

    def describe(self) -> dict[str, Any]:
        """Return the parameters as plain values."""
        edges = None if self._edges is None else hashlib.sha256(self._edges.tobytes()).hexdigest()[:16]
        return {"scheme": "weighted", "weights": edges, "visits": self._visits, "seed": self._seed}


class Bucketed(Scheme):
    """Visit samples of similar length together, in batches that are shuffled: little is lost to padding.

    The samples are shuffled, cut into groups of `spread` batches, sorted by length in each group and cut into batches;
    then whole batches are shuffled. A smaller batch, where there is one, stays the last.

    Parameters
    ----------
    lengths : array_like of int
        The length of each sample.
    batch_size : int
        Give `Batches` (or ``batch``) the same.
    spread : int
        How many batches are sorted together: more make lengths more alike, fewer the order more random.
    seed : int
        The order is a pure function of (lengths, batch_size, spread, seed, epoch).

    Raises
    ------
    ArgumentError
        When there is not one length for each sample, or a number is too small.

    Examples
    --------
    >>> order = Bucketed([9, 1, 8, 2, 9, 1], batch_size=2, seed=3).order(6, epoch=0)
    >>> sorted(sorted(pair) for pair in order.reshape(3, 2).tolist())
    [[0, 4], [1, 5], [2, 3]]
    """

    def __init__(self, lengths: object, batch_size: int, *, spread: int = 50, seed: int = 0) -> None:
        check_seed("Bucketed", seed)
        self._lengths = numpy.asarray(lengths)
        if self._lengths.ndim != 1 or self._lengths.dtype.kind not in "iu":
            raise ArgumentError(
                f"Bucketed: expected one integer for each sample, received {self._lengths.dtype} "
                f"of shape {self._lengths.shape}"
            )
        for name, value in (("batch_size", batch_size), ("spread", spread)):
            if isinstance(value, bool) or not isinstance(value, int | numpy.integer) or value < 1:
                raise ArgumentError(f"Bucketed: {name} must be an integer of at least 1, received {value!r}")
        self._batch_size, self._spread, self._seed = int(batch_size), int(spread), int(seed)

    def __repr__(self) -> str:
        return f"Bucketed({len(self._lengths)} lengths, {self._batch_size}, spread={self._spread}, seed={self._seed})"

    def order(self, length: int, epoch: int) -> numpy.ndarray:
        """Return the sample numbers of one epoch, as int64."""
        if len(self._lengths) != length:
            raise ArgumentError(f"Bucketed: {len(self._lengths)} lengths do not fit {length} samples")
        order = random_order(length, self._seed, epoch)
        group = numpy.arange(length) // (self._batch_size * self._spread)
        order = order[numpy.lexsort((self._lengths[order], group))]
        whole = length // self._batch_size
        batches = order[: whole * self._batch_size].reshape(whole, self._batch_size)
        batches = batches[random_order(whole, self._seed, epoch + _BUCKET_STREAM)]
        return numpy.concatenate([batches.reshape(-1), order[whole * self._batch_size :]])

    def describe(self) -> dict[str, Any]:
        """Return the parameters as plain values."""
        lengths = hashlib.sha256(self._lengths.astype("<i8").tobytes()).hexdigest()[:16]
        sizes = {"batch_size": self._batch_size, "spread": self._spread}
        return {"scheme": "bucketed", "lengths": lengths, **sizes, "seed": self._seed}


def random_order(length: int, seed: int, stream: int) -> numpy.ndarray:
    """Return a random permutation that is a pure function of its arguments.

    Parameters
    ----------
    length : int
        How many numbers to permute.
    seed, stream : int
        The two 64-bit halves of the generator's key.

    Returns
    -------
    numpy.ndarray
        The numbers 0 to length - 1, permuted, as int64.

    Source
    ------
    Philox 4x64-10: J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3",
    2011. The samples are sorted by one 64-bit word each. NumPy promises the same words for ever, but not the same
    `Generator.permutation` (NEP 19), so the latter is not used.
    """
    words = numpy.random.Philox(key=(stream << 64) | seed).random_raw(length)
    return numpy.argsort(words, kind="stable").astype(numpy.int64, copy=False)


def count_batches(length: int, batch_size: int, drop_last: bool) -> int:
    """Return into how many batches a number of samples is cut.

    Parameters
    ----------
    length : int
        The number of samples.
    batch_size : int
        The number of samples of a batch.
    drop_last : bool
        Whether a last, smaller batch is left out.

    Examples
    --------
    >>> count_batches(10, 4, drop_last=False), count_batches(10, 4, drop_last=True)
    (3, 2)
    """
    return length // batch_size if drop_last else -(-length // batch_size)


def check_seed(function: str, seed: object) -> None:
    """Raise ArgumentError unless the seed is an integer that fits into 64 bits."""
    if isinstance(seed, bool) or not isinstance(seed, int | numpy.integer) or not 0 <= seed < 2**64:
        raise ArgumentError(f"{function}: seed must be an integer from 0 to 2**64 - 1, received {seed!r}")


def check_shard(function: str, rank: object, world: object) -> None:
    """Raise ArgumentError unless the rank is one of the world's."""
    whole = [isinstance(value, int | numpy.integer) and not isinstance(value, bool) for value in (rank, world)]
    if not all(whole) or not 0 <= rank < world:  # type: ignore[operator]
        raise ArgumentError(
            f"{function}: rank must be an integer from 0 to world - 1, received rank={rank!r}, world={world!r}"
        )
