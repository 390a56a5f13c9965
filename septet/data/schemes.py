"""Schemes: in which order the samples of a data set are visited, and how they are cut into batches.

A scheme knows nothing about data. Its order is a pure function of its parameters, the number of samples and the epoch,
so a run can be repeated, resumed in the middle, and compared with another run.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy

from septet.base.errors import ArgumentError

__all__ = ["Scheme", "Sequential", "Shuffled", "count_batches", "random_order"]


class Scheme(Protocol):
    """What `Batches` asks of an order."""

    def order(self, length: int, epoch: int) -> numpy.ndarray:
        """Return the sample numbers of one epoch, in the order of the visit."""
        ...

    def describe(self) -> dict[str, str | int]:
        """Return the parameters as plain values: two schemes with equal descriptions give equal orders."""
        ...


@dataclass(frozen=True)
class Sequential:
    """Visit the samples in their own order, the same in every epoch.

    Examples
    --------
    >>> Sequential().order(4, epoch=0)
    array([0, 1, 2, 3])
    """

    def order(self, length: int, epoch: int) -> numpy.ndarray:
        """Return 0, 1, ... length - 1, as int64."""
        return numpy.arange(length, dtype=numpy.int64)

    def describe(self) -> dict[str, str | int]:
        """Return the parameters as plain values."""
        return {"scheme": "sequential"}


@dataclass(frozen=True)
class Shuffled:
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

    def describe(self) -> dict[str, str | int]:
        """Return the parameters as plain values."""
        return {"scheme": "shuffled", "seed": int(self.seed)}


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
