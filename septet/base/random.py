"""Random bits as a function: the counter-based generator Philox4x32-10, in NumPy.

A *state* is a pair of 64-bit numbers, (seed, draw number). The bits of a draw are Philox of a counter (which block of
the draw, which draw) under the key (the seed), so that any element can be computed alone, in any order and on any
device, and equal states give equal bits everywhere. :func:`fold_in` and :func:`split` derive states that have nothing
to do with the one they come from.

The layout below is a promise that every backend keeps; the tests hold it with published and with golden values.

======================  ==========================================================================
key                     seed bits 0-31, seed bits 32-63
counter                 block bits 0-31, block bits 32-63, draw number bits 0-31, bits 32-63
32-bit element `i`      word `i % 4` of block `i // 4`
64-bit element `i`      words `2 (i % 2)` (low half) and `2 (i % 2) + 1` (high half) of block `i // 2`
======================  ==========================================================================

Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from septet.base.errors import ArgumentError
from septet.base.text import type_text

if TYPE_CHECKING:  # importing it takes milliseconds
    import numpy.typing as npt

Words = np.ndarray[Any, np.dtype[np.uint32]]
Longs = np.ndarray[Any, np.dtype[np.uint64]]
Lane = Longs | np.uint64

ROUNDS = 10
# From Salmon et al.; the steps of the key are 2**32 times the golden ratio and the square root of 3, each less 1.
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
KEY_STEPS = (0x9E3779B9, 0xBB67AE85)

# Keys of derived states differ from keys of draws in these bits: no derived state is made of bits that are drawn.
FOLD_TAG = int.from_bytes(b"fold_in ", "little")
SPLIT_TAG = int.from_bytes(b"split   ", "little")

# Blocks at a time: six arrays of 64 KiB lie in the second-level cache (measured: 110 M words/s, 70 M without chunks).
CHUNK = 8192

_LOW = 0xFFFFFFFF
_MASK = np.uint64(_LOW)
_SHIFT = np.uint64(32)
_FIRST = np.uint64(MULTIPLIERS[0])
_SECOND = np.uint64(MULTIPLIERS[1])


def philox4x32(counter: npt.ArrayLike, key: npt.ArrayLike) -> Words:
    """Compute Philox4x32-10 of counters under keys.

    Parameters
    ----------
    counter : array_like of uint32
        Four words on the last axis.
    key : array_like of uint32
        Two words on the last axis; the other axes broadcast against those of the counters.

    Returns
    -------
    ndarray of uint32
        Four random words on the last axis.

    Shape
    -----
    (..., 4), (..., 2) -> (..., 4)

    Raises
    ------
    ArgumentError
        When the last axes are not 4 and 2 long.

    Source
    ------
    Salmon et al. (2011), the section on Philox; the tests hold the known answers that the authors publish.

    Examples
    --------
    >>> [f"{word:08x}" for word in philox4x32([0, 0, 0, 0], [0, 0])]
    ['6627e8d5', 'e169c58d', 'bc57ac4c', '9b00dbd8']
    """
    counters = np.asarray(counter, dtype=np.uint32)
    keys = np.asarray(key, dtype=np.uint32)
    if counters.shape[-1:] != (4,) or keys.shape[-1:] != (2,):
        raise ArgumentError(
            "philox4x32: a counter has 4 words and a key 2 on the last axis; "
            f"received shapes {counters.shape} and {keys.shape}."
        )
    # At least one axis in every lane: NumPy checks scalars for overflow, and calculates them more slowly than arrays.
    lanes = [counters[..., word].astype(np.uint64)[..., None] for word in range(4)]
    halves = [keys[..., word].astype(np.uint64)[..., None] for word in range(2)]
    schedule = []
    for _ in range(ROUNDS):
        schedule.append((halves[0], halves[1]))
        halves = [(half + np.uint64(step)) & _MASK for half, step in zip(halves, KEY_STEPS)]
    words = _rounds(lanes[0], lanes[1], lanes[2], lanes[3], schedule)
    return np.concatenate(np.broadcast_arrays(*words), axis=-1).astype(np.uint32)


def random_bits(state: npt.ArrayLike, n: int, width: int = 32, *, start: int = 0) -> Words | Longs:
    """Return the bits of a draw: `n` elements of 32 or 64 random bits.

    Any part of a draw can be had alone: a shorter draw is the beginning of a longer one, and `start` skips elements.

    Parameters
    ----------
    state : array_like of two uint64
        Seed and draw number. Draws of different states share no counter under the same key.
    n : int
        How many elements.
    width : int
        Bits of an element, 32 or 64.
    start : int
        The index of the first element.

    Returns
    -------
    ndarray of uint32 or uint64
        The elements `start` to `start + n - 1`, in the layout that the head of this module promises.

    Shape
    -----
    (2,) -> (n,)

    Raises
    ------
    ArgumentError
        When an argument is out of its range.

    Examples
    --------
    >>> random_bits(make_state(7), 3)
    array([4099963437, 3221879260,  490388034], dtype=uint32)
    >>> random_bits(make_state(7), 2, start=1)
    array([3221879260,  490388034], dtype=uint32)
    """
    seed, draw = _one_state(state, "random_bits")
    if width not in (32, 64):
        raise ArgumentError(f"random_bits: width is 32 or 64; received {width!r}.")
    n = _integer(n, "random_bits", "n")
    start = _integer(start, "random_bits", "start")
    per_block = 128 // width
    first = start // per_block
    blocks = -(-(start + n) // per_block) - first
    # Two little-endian longs hold the four words of a block in order, on any host.
    longs = np.empty((blocks, 2), dtype="<u8")
    schedule = _schedule(seed & _LOW, seed >> 32)
    low, high = np.uint64(draw & _LOW), np.uint64(draw >> 32)
    for begin in range(0, blocks, CHUNK):
        end = min(begin + CHUNK, blocks)
        index = np.arange(end - begin, dtype=np.uint64) + np.uint64(first + begin)
        block_high: Lane = np.uint64((first + begin) >> 32)
        if (first + end - 1) >> 32 != (first + begin) >> 32:
            block_high = index >> _SHIFT
        words = _rounds(index & _MASK, block_high, low, high, schedule)
        part = longs[begin:end]
        np.bitwise_or(words[0], words[1] << _SHIFT, out=part[:, 0])
        np.bitwise_or(words[2], words[3] << _SHIFT, out=part[:, 1])
    skip = start - first * per_block
    if width == 64:
        return longs.reshape(-1)[skip : skip + n].astype(np.uint64, copy=False)
    return longs.view("<u4").reshape(-1)[skip : skip + n].astype(np.uint32, copy=False)


def make_state(seed: int, draw: int = 0) -> Longs:
    """Make a state from a seed and the number of the draw.

    Parameters
    ----------
    seed, draw : int
        Each at least 0 and below 2**64.

    Returns
    -------
    ndarray of uint64
        Seed and draw number.

    Raises
    ------
    ArgumentError
        When a number is out of range.

    Examples
    --------
    >>> make_state(7, 2)
    array([7, 2], dtype=uint64)
    """
    numbers = [_integer(seed, "make_state", "seed"), _integer(draw, "make_state", "draw")]
    return np.array(numbers, dtype=np.uint64)


def fold_in(state: npt.ArrayLike, data: int | npt.NDArray[Any]) -> Longs:
    """Derive a state from a state and a number, such as the index of a step, a layer or an example.

    Parameters
    ----------
    state : array_like of uint64
        Seed and draw number on the last axis.
    data : int or array of integers
        At least 0 and below 2**64; an array is broadcast against the other axes of the state.

    Returns
    -------
    ndarray of uint64
        The derived state. For one state, different numbers give different states, always.

    Shape
    -----
    (..., 2), (...) -> (..., 2)

    Raises
    ------
    ArgumentError
        When `data` holds no integers or is out of range, or the state is no pair of uint64.

    Source
    ------
    The first two words of Philox(data, draw number) under the key `seed ^ FOLD_TAG` are the new seed, the others the
    new draw number. Philox is a permutation of counters, so no two numbers can meet.

    Examples
    --------
    >>> bool((fold_in(make_state(7), 0) != fold_in(make_state(7), 1)).any())
    True
    """
    if not isinstance(data, np.ndarray):
        number = _integer(data, "fold_in", "data")
        states = _states(state, "fold_in")
        if states.shape == (2,):
            return _derive_one(int(states[0]), int(states[1]), number, FOLD_TAG)
        return _derive(states, np.array(number, dtype=np.uint64), FOLD_TAG)
    if data.dtype.kind not in "iu" or (data.dtype.kind == "i" and bool((data < 0).any())):
        raise ArgumentError(f"fold_in: data are integers from 0 to 2**64 - 1; received {data.dtype} {data!r}.")
    return _derive(_states(state, "fold_in"), data.astype(np.uint64), FOLD_TAG)


def split(state: npt.ArrayLike, n: int = 2) -> Longs:
    """Derive `n` states from one; the first of them do not depend on how many there are.

    Parameters
    ----------
    state : array_like of uint64
        Seed and draw number on the last axis.
    n : int
        How many.

    Returns
    -------
    ndarray of uint64
        The derived states, all different, and different from those of :func:`fold_in`.

    Shape
    -----
    (..., 2) -> (..., n, 2)

    Raises
    ------
    ArgumentError
        When `n` is out of range or the state is no pair of uint64.

    Source
    ------
    As :func:`fold_in`, with the indices 0 to `n - 1` and with `SPLIT_TAG`.

    Examples
    --------
    >>> left, right = split(make_state(7))
    >>> bool((left != right).any())
    True
    """
    count = _integer(n, "split", "n")
    states = _states(state, "split")
    return _derive(states[..., None, :], np.arange(count, dtype=np.uint64), SPLIT_TAG)


def _rounds(
    c0: Lane, c1: Lane, c2: Lane, c3: Lane, schedule: Sequence[tuple[Lane, Lane]]
) -> tuple[Lane, Lane, Lane, Lane]:
    """Do the ten rounds on 32-bit words in 64-bit lanes. Lanes broadcast: one may be a single number for all."""
    for k0, k1 in schedule:
        product0 = c0 * _FIRST
        product1 = c2 * _SECOND
        c0 = (product1 >> _SHIFT) ^ (c1 ^ k0)
        c1 = product1 & _MASK
        c2 = (product0 >> _SHIFT) ^ (c3 ^ k1)
        c3 = product0 & _MASK
    return c0, c1, c2, c3


def _schedule(k0: int, k1: int) -> list[tuple[np.uint64, np.uint64]]:
    """List the keys of the rounds."""
    keys = []
    for _ in range(ROUNDS):
        keys.append((np.uint64(k0), np.uint64(k1)))
        k0 = (k0 + KEY_STEPS[0]) & _LOW
        k1 = (k1 + KEY_STEPS[1]) & _LOW
    return keys


def _derive(states: Longs, numbers: Longs, tag: int) -> Longs:
    """Compute derived states for many states and numbers at once."""
    keys = states[..., 0] ^ np.uint64(tag)  # (...)
    draws = states[..., 1]
    numbers, draws = np.broadcast_arrays(numbers, draws)
    counter = np.stack([numbers & _MASK, numbers >> _SHIFT, draws & _MASK, draws >> _SHIFT], axis=-1)  # (..., 4)
    words = philox4x32(counter, np.stack([keys & _MASK, keys >> _SHIFT], axis=-1)).astype(np.uint64)
    return words[..., 0::2] | (words[..., 1::2] << _SHIFT)  # (..., 2)


def _derive_one(seed: int, draw: int, number: int, tag: int) -> Longs:
    """Compute one derived state in Python integers: 7 us, against 110 us with arrays of one element."""
    key = seed ^ tag
    k0, k1 = key & _LOW, key >> 32
    c0, c1, c2, c3 = number & _LOW, number >> 32, draw & _LOW, draw >> 32
    for _ in range(ROUNDS):
        product0 = c0 * MULTIPLIERS[0]
        product1 = c2 * MULTIPLIERS[1]
        c0, c1, c2, c3 = (product1 >> 32) ^ c1 ^ k0, product1 & _LOW, (product0 >> 32) ^ c3 ^ k1, product0 & _LOW
        k0 = (k0 + KEY_STEPS[0]) & _LOW
        k1 = (k1 + KEY_STEPS[1]) & _LOW
    return np.array([c0 | c1 << 32, c2 | c3 << 32], dtype=np.uint64)


def _integer(value: object, function: str, name: str) -> int:
    """Return an unsigned 64-bit number as a Python integer."""
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        number = -1
    if not 0 <= number < 2**64:
        raise ArgumentError(f"{function}: {name} is an integer from 0 to 2**64 - 1; received {value!r}.")
    return number


def _states(state: npt.ArrayLike, function: str) -> Longs:
    states = np.asarray(state)
    if states.dtype.kind == "i" and bool((states >= 0).all()):  # a list of small Python integers
        states = states.astype(np.uint64)
    if states.dtype != np.uint64 or states.shape[-1:] != (2,):
        raise ArgumentError(
            f"{function}: a state is a pair of uint64, seed and draw number, on the last axis; "
            f"received {type_text(states)}."
        )
    return states


def _one_state(state: npt.ArrayLike, function: str) -> tuple[int, int]:
    states = _states(state, function)
    if states.shape != (2,):
        raise ArgumentError(f"{function}: expected one state, of shape (2,); received shape {states.shape}.")
    return int(states[0]), int(states[1])
