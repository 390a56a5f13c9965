"""Tests of the random bits: published answers, golden layout, and statistics."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from scipy import stats

from septet.base import random
from septet.base.errors import ArgumentError
from septet.base.random import fold_in, make_state, philox4x32, random_bits, split

ONES = 0xFFFFFFFF
longs = some.integers(0, 2**64 - 1)
words = some.integers(0, ONES)


def hexadecimal(values: np.ndarray) -> str:
    return " ".join(f"{int(value):0{2 * values.itemsize}x}" for value in values.reshape(-1))


def philox_in_integers(counter: list[int], key: list[int]) -> list[int]:
    """Philox as the paper writes it down: a permutation of pairs (left, right)."""
    l0, r0, l1, r1 = counter[1], counter[0], counter[3], counter[2]
    k0, k1 = key
    for _ in range(10):
        high0, low0 = divmod(0xD2511F53 * r0, 2**32)
        high1, low1 = divmod(0xCD9E8D57 * r1, 2**32)
        r0, l0, r1, l1 = high1 ^ l0 ^ k0, low1, high0 ^ l1 ^ k1, low0
        k0, k1 = (k0 + 0x9E3779B9) % 2**32, (k1 + 0xBB67AE85) % 2**32
    return [r0, l0, r1, l1]


def test_examples() -> None:
    failed, tried = doctest.testmod(random)
    assert tried >= 6
    assert failed == 0


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ([0] * 4, [0] * 2, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ([ONES] * 4, [ONES] * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        ([0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344], [0xA4093822, 0x299F31D0],
         "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ],
)  # fmt: skip
def test_philox_gives_the_published_answers(counter: list[int], key: list[int], expected: str) -> None:
    assert hexadecimal(philox4x32(counter, key)) == expected
    assert philox_in_integers(counter, key) == [int(word, 16) for word in expected.split()]


@given(some.lists(words, min_size=4, max_size=4), some.lists(words, min_size=2, max_size=2))
def test_philox_agrees_with_integers(counter: list[int], key: list[int]) -> None:
    result = philox4x32(counter, key)
    assert (result.dtype, result.shape) == (np.uint32, (4,))
    assert result.tolist() == philox_in_integers(counter, key)


def test_philox_broadcasts() -> None:
    counters = np.arange(24, dtype=np.uint32).reshape(3, 2, 4)
    keys = np.arange(4, dtype=np.uint32).reshape(2, 2)
    result = philox4x32(counters, keys)
    assert result.shape == (3, 2, 4)
    for i in range(3):
        for j in range(2):
            assert (result[i, j] == philox4x32(counters[i, j], keys[j])).all()
    assert philox4x32(np.zeros((0, 4), np.uint32), [0, 0]).shape == (0, 4)
    assert philox4x32([0] * 4, np.zeros((5, 2), np.uint32)).shape == (5, 4)


@pytest.mark.parametrize(("counter", "key"), [([0] * 3, [0] * 2), ([0] * 4, [0] * 3), (0, [0, 0])])
def test_philox_names_wrong_shapes(counter: object, key: object) -> None:
    with pytest.raises(ArgumentError, match="philox4x32: a counter has 4 words and a key 2"):
        philox4x32(counter, key)  # type: ignore[arg-type]


# --- the layout of draws


@given(longs, longs, some.integers(0, 40), some.sampled_from([32, 64]))
def test_elements_are_where_the_layout_says(seed: int, draw: int, n: int, width: int) -> None:
    bits = random_bits(make_state(seed, draw), n, width)
    assert (bits.dtype, bits.shape) == (np.dtype(f"uint{width}"), (n,))
    for i, element in enumerate(bits.tolist()):
        block, place = divmod(i, 128 // width)
        block_words = philox_in_integers([block, 0, draw & ONES, draw >> 32], [seed & ONES, seed >> 32])
        if width == 32:
            assert element == block_words[place]
        else:
            assert element == block_words[2 * place] | block_words[2 * place + 1] << 32


def test_golden_values() -> None:
    """A change of these values breaks every seed that anybody wrote down."""
    state = make_state(2**63 + 5, 2**40 + 3)
    assert hexadecimal(random_bits(state, 3, 64)) == "a0b1bd6b2aeb31c3 fbdcde3207cc3ccd 1ee9919f8c75a619"
    assert hexadecimal(random_bits(state, 3, 32)) == "2aeb31c3 a0b1bd6b 07cc3ccd"
    assert hexadecimal(fold_in(state, 9)) == "176e26100e9d152c c844e4f25ddcd344"
    assert hexadecimal(split(state, 2)) == "00af980657e7b843 973df529086f7de7 9aa8ce95bd393cbb bb66fbdf06772f89"


@given(longs, some.integers(0, 300), some.integers(0, 300), some.integers(0, 50), some.sampled_from([32, 64]))
def test_any_part_of_a_draw_can_be_had_alone(seed: int, long: int, short: int, start: int, width: int) -> None:
    state = make_state(seed)
    whole = random_bits(state, start + max(long, short), width)
    assert (random_bits(state, short, width) == whole[:short]).all()
    assert (random_bits(state, short, width, start=start) == whole[start : start + short]).all()


@pytest.mark.parametrize("width", [32, 64])
def test_bits_do_not_depend_on_the_chunks(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    state = make_state(3, 4)
    n = 4 * random.CHUNK + 7  # more than one chunk for both widths, and a part of a block
    expected = random_bits(state, n, width)
    for chunk in (1000, 1001, 10 * random.CHUNK):
        monkeypatch.setattr(random, "CHUNK", chunk)
        assert (random_bits(state, n, width) == expected).all()


@pytest.mark.parametrize("block", [2**32 - 2, 2**32, 2**62 - 2])
def test_blocks_beyond_32_bits(block: int) -> None:
    bits = random_bits(make_state(1, 2), 16, start=4 * block)
    expected = [philox_in_integers([(block + i) & ONES, (block + i) >> 32, 2, 0], [1, 0]) for i in range(4)]
    assert bits.reshape(4, 4).tolist() == expected
    assert (random_bits(make_state(1, 2), 8, 64, start=2 * block).view("<u4") == bits).all()


def test_the_state_may_be_a_list_and_is_not_changed() -> None:
    state = make_state(5, 6)
    assert (random_bits([5, 6], 4) == random_bits(state, 4)).all()
    fold_in(state, 1)
    split(state)
    assert state.tolist() == [5, 6]


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (([1, 2, 3], 4), "a state is a pair of uint64"), (([1.0, 2.0], 4), "received float64"),
        (([-1, 2], 4), "received int64"), (([[1, 2]], 4), "expected one state"), (([1, 2], -1), "n is an integer"),
        (([1, 2], 1.5), "received 1.5"), (([1, 2], 4, 16), "width is 32 or 64; received 16"),
    ],
)  # fmt: skip
def test_random_bits_names_wrong_arguments(arguments: tuple, part: str) -> None:
    with pytest.raises(ArgumentError, match="random_bits: ") as caught:
        random_bits(*arguments)
    assert part in str(caught.value)


def test_seeds_out_of_range() -> None:
    for seed in (-1, 2**64, 0.5, "7", None):
        with pytest.raises(ArgumentError, match="make_state: seed is an integer from 0"):
            make_state(seed)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="draw"):
        make_state(0, -1)


# --- derived states


@given(longs, longs, longs)
def test_derived_states_are_philox_under_a_tagged_key(seed: int, draw: int, number: int) -> None:
    key = seed ^ random.FOLD_TAG
    out = philox_in_integers([number & ONES, number >> 32, draw & ONES, draw >> 32], [key & ONES, key >> 32])
    expected = [out[0] | out[1] << 32, out[2] | out[3] << 32]
    state = make_state(seed, draw)
    assert fold_in(state, number).tolist() == expected
    assert fold_in(state, np.array([number], dtype=np.uint64)).tolist() == [expected]
    assert fold_in(state[None], number).tolist() == [expected]


def test_derived_states_broadcast() -> None:
    states = split(make_state(1), 3)  # (3, 2)
    folded = fold_in(states[:, None], np.arange(4))
    assert folded.shape == (3, 4, 2)
    twice = split(states, 5)
    assert twice.shape == (3, 5, 2)
    for i in range(3):
        assert (twice[i] == split(states[i], 5)).all()
        for j in range(4):
            assert (folded[i, j] == fold_in(states[i], j)).all()


@given(longs, some.integers(0, 20), some.integers(0, 20))
def test_splits_begin_alike(seed: int, first: int, second: int) -> None:
    short, long = sorted((first, second))
    assert (split(make_state(seed), short) == split(make_state(seed), long)[:short]).all()


def test_derived_states_are_all_different() -> None:
    state = make_state(11)
    level = split(state, 500)
    many = np.concatenate([level, fold_in(state, np.arange(500)), split(level[:20], 50).reshape(-1, 2), state[None]])
    assert len(np.unique(many, axis=0)) == len(many)
    assert len(np.unique(many[:, 0])) == len(many)
    drawn = random_bits(state, 4000, 64)
    assert not np.isin(level, drawn).any()


@pytest.mark.parametrize("data", [-1, 2**64, 1.5, "a", np.array([-1]), np.array([1.0]), np.array([True])])
def test_fold_in_names_wrong_data(data: object) -> None:
    with pytest.raises(ArgumentError, match="fold_in: data"):
        fold_in(make_state(1), data)  # type: ignore[arg-type]


def test_split_names_wrong_counts() -> None:
    with pytest.raises(ArgumentError, match="split: n is an integer"):
        split(make_state(1), -1)


# --- statistics: the seeds are fixed, so these tests pass always or never


@pytest.mark.parametrize("seed", [0, 1, 2**32, 2**64 - 1])
def test_bytes_are_uniform(seed: int) -> None:
    counts = np.bincount(random_bits(make_state(seed), 2**18).view(np.uint8), minlength=256)
    assert 1e-4 < stats.chisquare(counts).pvalue < 1 - 1e-4


@pytest.mark.parametrize("source", ["elements", "draws", "seeds", "folds", "splits"])
def test_neighbours_are_independent(source: str) -> None:
    """Pairs of high nibbles of neighbours fill a 16 x 16 table evenly, whatever it is that counts up."""
    n = 2**14
    state = make_state(5)
    if source == "elements":
        values = random_bits(state, n)
    elif source == "draws":
        values = np.concatenate([random_bits(make_state(5, draw), 2) for draw in range(n // 16)])
    elif source == "seeds":
        values = np.concatenate([random_bits(make_state(seed), 2) for seed in range(n // 16)])
    elif source == "folds":
        values = fold_in(state, np.arange(n)).astype(np.uint32)[:, 0]
    else:
        values = split(state, n).astype(np.uint32)[:, 1]
    nibbles = (values >> np.uint32(28)).astype(np.int64)
    table = np.bincount(nibbles[:-1] * 16 + nibbles[1:], minlength=256)
    assert 1e-4 < stats.chisquare(table).pvalue < 1 - 1e-4


def test_every_bit_of_the_state_changes_half_of_the_bits() -> None:
    base = random_bits(make_state(0), 64)
    for bit in range(64):
        for state in (make_state(1 << bit), make_state(0, 1 << bit)):
            changed = int(np.unpackbits((random_bits(state, 64) ^ base).view(np.uint8)).sum())
            assert abs(changed - 1024) < 6 * np.sqrt(2048 / 4)


def test_draws_do_not_overlap() -> None:
    """Blocks are a permutation of counters: under one key none comes twice."""
    draws = [random_bits(make_state(9, draw), 4 * 500) for draw in range(40)]
    blocks = np.concatenate(draws).reshape(-1, 4)
    assert len(np.unique(blocks, axis=0)) == len(blocks)


def test_uniform_numbers_from_the_bits_pass_kolmogorov_smirnov() -> None:
    uniform = (random_bits(make_state(123), 20_000, 64) >> np.uint64(11)) * 2.0**-53
    assert 1e-4 < stats.kstest(uniform, "uniform").pvalue < 1 - 1e-4
