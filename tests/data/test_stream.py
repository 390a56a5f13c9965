"""`Batches`: every sample once per epoch, and a stream that can be taken up again anywhere."""

import itertools
import json

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from septet.base.errors import ArgumentError
from septet.data import ArrayDataset, Batches, Sequential, Shuffled


def numbers(length=10):
    return ArrayDataset(numpy.arange(length))


def read(batches):
    """One pass, as lists."""
    return [batch[0].tolist() for batch in batches]


def test_sequential_batches():
    batches = Batches(numbers(5), batch_size=2)
    assert len(batches) == 3
    assert read(batches) == [[0, 1], [2, 3], [4]]
    assert read(batches) == [[0, 1], [2, 3], [4]]
    assert batches.epoch == 2


def test_drop_last():
    batches = Batches(numbers(5), batch_size=2, drop_last=True)
    assert len(batches) == 2
    assert read(batches) == [[0, 1], [2, 3]]


def test_tuples_or_dicts_of_contiguous_arrays():
    images, labels = numpy.zeros((4, 1, 3, 3), order="F"), numpy.arange(4)
    (batch,) = Batches((images, labels), batch_size=4)
    assert isinstance(batch, tuple) and [array.shape for array in batch] == [(4, 1, 3, 3), (4,)]
    (batch,) = Batches({"images": images, "labels": labels}, batch_size=4, shuffle=True)
    assert list(batch) == ["images", "labels"]
    assert all(array.flags.c_contiguous for array in batch.values())


@settings(max_examples=60)
@given(length=some.integers(1, 40), size=some.integers(1, 15), seed=some.integers(0, 99))
def test_every_sample_once_per_epoch(length, size, seed):
    batches = Batches(numbers(length), batch_size=size, shuffle=True, seed=seed)
    for epoch in range(2):
        assert batches.epoch == epoch
        given_out = read(batches)
        assert len(given_out) == len(batches)
        assert [len(batch) for batch in given_out[:-1]] == [size] * (len(given_out) - 1)
        assert list(itertools.chain(*given_out)) == Shuffled(seed).order(length, epoch).tolist()


def test_epochs_are_shuffled_anew_and_repeat_with_the_seed():
    first, second = (Batches(numbers(), batch_size=4, shuffle=True, seed=3) for _ in range(2))
    epochs = [read(first) for _ in range(3)]
    assert epochs == [read(second) for _ in range(3)]
    assert len({str(epoch) for epoch in epochs}) == 3
    assert read(Batches(numbers(), batch_size=4, shuffle=True, seed=4)) != epochs[0]


def test_transform():
    batches = Batches(numbers(4), batch_size=2, transform=lambda batch: (batch[0] * 10, "seen"))
    assert [(values.tolist(), word) for values, word in batches] == [([0, 10], "seen"), ([20, 30], "seen")]


def test_a_transform_that_fails_loses_no_batch():
    calls = []

    def fail_once(batch):
        calls.append(batch)
        if len(calls) == 1:
            raise RuntimeError("once")
        return batch

    batches = Batches(numbers(4), batch_size=2, transform=fail_once)
    with pytest.raises(RuntimeError, match="once"):
        read(batches)
    assert read(batches) == [[0, 1], [2, 3]]


def test_a_scheme_of_ones_own():
    class Backwards(Sequential):
        def order(self, length, epoch):
            return super().order(length, epoch)[::-1]

    assert read(Batches(numbers(3), batch_size=2, scheme=Backwards())) == [[2, 1], [0]]


def test_a_pass_that_is_left_early_counts_as_its_epoch():
    batches = Batches(numbers(), batch_size=2, shuffle=True)
    first = next(iter(batches))[0].tolist()
    assert (batches.epoch, batches.position) == (0, 1)
    assert first == Shuffled(0).order(10, 0)[:2].tolist()
    assert list(itertools.chain(*read(batches))) == Shuffled(0).order(10, 1).tolist()
    assert (batches.epoch, batches.position) == (2, 0)


@settings(max_examples=60)
@given(
    length=some.integers(1, 20),
    size=some.integers(1, 6),
    steps=some.integers(0, 30),
    shuffle=some.booleans(),
)
def test_resuming_gives_the_same_batches(length, size, steps, shuffle):
    def stream():
        return Batches(numbers(length), batch_size=size, shuffle=shuffle, seed=5)

    def endless(batches):
        while True:
            for (values,) in batches:
                yield values.tolist(), batches.state_dict()

    uninterrupted = endless(stream())
    state = stream().state_dict()
    for _ in range(steps):
        _, state = next(uninterrupted)
    resumed = stream()
    resumed.load_state_dict(json.loads(json.dumps(state)))
    continued = endless(resumed)
    for _ in range(10):
        assert next(continued) == next(uninterrupted)


def test_restore_in_the_same_stream_goes_back():
    batches = Batches(numbers(), batch_size=3, shuffle=True)
    states, values = [], []
    for batch in batches:
        states.append(batches.state_dict())
        values.append(batch[0].tolist())
    batches.load_state_dict(states[0])
    assert batches.epoch == 0
    assert read(batches) == values[1:]
    assert batches.epoch == 1


def test_state_after_the_last_batch_names_the_next_epoch():
    batches = Batches(numbers(4), batch_size=2)
    states = [batches.state_dict() for _ in batches]
    assert [(state["epoch"], state["position"]) for state in states] == [(0, 1), (1, 0)]
    assert batches.state_dict() == states[-1]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (Batches(numbers(9), batch_size=2, shuffle=True), "samples is 10 here, 9 there"),
        (Batches(numbers(10), batch_size=5, shuffle=True), "batch_size is 2 here, 5 there"),
        (Batches(numbers(10), batch_size=2, shuffle=True, seed=8), "seed is 0 here, 8 there"),
        (Batches(numbers(10), batch_size=2), "scheme is 'shuffled' here, 'sequential' there"),
        (Batches(numbers(10), batch_size=2, shuffle=True, drop_last=True), "drop_last is False here, True there"),
    ],
)
def test_a_foreign_state_is_refused(other, message):
    batches = Batches(numbers(10), batch_size=2, shuffle=True)
    with pytest.raises(ArgumentError, match=message):
        batches.load_state_dict(other.state_dict())
    assert (batches.epoch, batches.position) == (0, 0)


@pytest.mark.parametrize(
    "change", [{"epoch": -1}, {"position": 5}, {"position": "1"}, {"epoch": 1.0}, {"epoch": True}, {"version": 1}]
)
def test_a_damaged_state_is_refused(change):
    batches = Batches(numbers(10), batch_size=2)
    with pytest.raises(ArgumentError, match=next(iter(change))):
        batches.load_state_dict({**batches.state_dict(), **change})


def test_a_state_that_lacks_parts():
    with pytest.raises(ArgumentError, match="it lacks version, position, cursor, stream"):
        Batches(numbers(10)).load_state_dict({"epoch": 1})


@pytest.mark.parametrize("size", [0, -1, 2.0, "2", None, True])
def test_bad_batch_sizes(size):
    with pytest.raises(ArgumentError, match=r"batch_size must be an integer of at least 1, received"):
        Batches(numbers(), batch_size=size)


def test_bad_arguments():
    with pytest.raises(ArgumentError, match=r"10 samples are fewer than batch_size=11"):
        Batches(numbers(), batch_size=11, drop_last=True)
    with pytest.raises(ArgumentError, match="either shuffle=True or a scheme"):
        Batches(numbers(), shuffle=True, scheme=Sequential())
    with pytest.raises(ArgumentError, match="received list"):
        Batches([1, 2, 3])
    with pytest.raises(ArgumentError, match="seed"):
        Batches(numbers(), shuffle=True, seed=-1)
