"""Orders: permutations that depend on nothing but (seed, epoch, length)."""

import numpy
import pytest

from septet.base.errors import ArgumentError
from septet.data import Sequential, Shuffled
from septet.data.schemes import count_batches, random_order


def test_sequential():
    assert Sequential().order(5, epoch=3).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("length", [1, 2, 7, 1000])
def test_shuffled_is_a_permutation(length):
    order = Shuffled(3).order(length, epoch=0)
    assert order.dtype == numpy.int64
    assert sorted(order.tolist()) == list(range(length))


def test_shuffled_depends_on_seed_and_epoch_only():
    assert Shuffled(1).order(50, 4).tolist() == Shuffled(1).order(50, 4).tolist()
    orders = {tuple(Shuffled(seed).order(50, epoch)) for seed in range(5) for epoch in range(5)}
    assert len(orders) == 25


def test_the_order_is_the_same_everywhere():
    """Frozen: another order on some machine or NumPy would break the resuming of runs."""
    assert Shuffled(0).order(10, 0).tolist() == [0, 2, 9, 1, 8, 5, 4, 3, 6, 7]
    assert Shuffled(2**64 - 1).order(10, 7).tolist() == [3, 0, 7, 4, 6, 9, 8, 1, 5, 2]


def test_global_random_state_is_neither_read_nor_changed():
    numpy.random.seed(5)
    expected = numpy.random.rand()
    numpy.random.seed(5)
    Shuffled(0).order(10, 0)
    assert numpy.random.rand() == expected


def test_every_place_is_equally_likely():
    """Chi-squared over 4,000 permutations of 6: 25 degrees of freedom, whose 99.99 % quantile is 60."""
    counts = numpy.zeros((6, 6))
    for seed in range(4000):
        counts[numpy.arange(6), random_order(6, seed, 0)] += 1
    expected = 4000 / 6
    assert ((counts - expected) ** 2 / expected).sum() < 60


@pytest.mark.parametrize(
    ("length", "size", "drop", "count"),
    [(10, 4, False, 3), (10, 4, True, 2), (8, 4, False, 2), (8, 4, True, 2), (3, 4, False, 1), (3, 4, True, 0)],
)
def test_count_batches(length, size, drop, count):
    assert count_batches(length, size, drop) == count


@pytest.mark.parametrize("seed", [-1, 2**64, 1.5, "1", None, True])
def test_bad_seeds(seed):
    with pytest.raises(ArgumentError, match=r"Shuffled: seed must be an integer from 0 to 2\*\*64 - 1, received"):
        Shuffled(seed)
