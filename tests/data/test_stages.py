"""The stages of streams: what they give, what they do not load, and that streams can be taken up again anywhere."""

import itertools
import json
import pickle
import time

import numpy
import pytest

from septet.base.errors import ArgumentError, DataError
from septet.data import ArrayDataset, Bucketed, Sequential, Sharded, Stream, Weighted


class Loaded:
    """A data set of its numbers that remembers which were loaded."""

    def __init__(self, length=10):
        self.length, self.loaded = length, []

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        self.loaded.append(index)
        return index


def plain(value):
    """The value as lists and numbers, to be compared."""
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, tuple | list):
        return [plain(part) for part in value]
    return value.tolist() if hasattr(value, "tolist") else value


def counting():
    yield from range(23)


def noisy(value, random):
    return plain(value), int(random.integers(1 << 30))


def ragged(number):
    return numpy.arange(number % 7)


LENGTHS = [number * 7 % 5 + 1 for number in range(17)]
STREAMS = {
    "samples": lambda: Stream(range(9), shuffle=True, seed=3),
    "iterated": lambda: Stream(counting),
    "map": lambda: Stream(range(9), shuffle=True).map(noisy, seed=1).map(noisy, seed=1),
    "filter": lambda: Stream(range(20), shuffle=True).filter(lambda number: number % 3).map(noisy, seed=2),
    "batch": lambda: Stream(counting).batch(4),
    "batch of arrays": lambda: Stream((numpy.arange(10), numpy.arange(10.0)), shuffle=True).batch(3, drop_last=True),
    "batch of filter": lambda: Stream(range(20), shuffle=True).filter(lambda number: number % 3).batch(4),
    "padded": lambda: Stream(range(1, 12), shuffle=True).map(ragged).padded_batch(3),
    "by length": lambda: Stream(range(1, 150), shuffle=True).map(ragged).by_length(len, [2, 5], [4, 3, 2]),
    "unbatch": lambda: Stream(counting).batch(4).map(lambda batch, random: batch + random.random(), seed=1).unbatch(),
    "window": lambda: Stream(range(12), shuffle=True).window(4, 2),
    "window with gaps": lambda: Stream(counting).window(2, 5),
    "shuffled": lambda: Stream(counting).shuffled(5, seed=4),
    "shuffled twice": lambda: Stream(range(40)).shuffled(9).filter(lambda number: number % 2).shuffled(16, seed=1),
    "shuffled whole": lambda: Stream(counting).shuffled(100).batch(3),
    "take and skip": lambda: Stream(range(30), shuffle=True).skip(4).take(15).skip(2),
    "take of filter": lambda: Stream(range(30)).filter(lambda number: number % 2).take(7),
    "shard": lambda: Stream(counting).shard(1, 3),
    "repeat": lambda: Stream(range(4), shuffle=True).repeat(3).map(noisy, seed=1),
    "endless": lambda: Stream(range(4), shuffle=True).filter(lambda number: number != 1).repeat().take(11),
    "cache": lambda: Stream(range(9), shuffle=True).map(noisy, seed=1).cache().map(noisy, seed=1),
    "cache of filter": lambda: Stream(range(9)).filter(lambda number: number % 2).cache().shuffled(3),
    "zip": lambda: Stream(range(9), shuffle=True).zip(Stream(counting).shuffled(4), Stream(range(7))),
    "concatenate": lambda: (
        Stream(range(3), shuffle=True).concatenate(Stream(counting), Stream(range(3))).map(noisy, seed=1)
    ),
    "interleave": lambda: Stream(range(9)).interleave(Stream(counting), Stream([]), Stream(range(3)), block=2),
    "mixed": lambda: Stream(range(9)).interleave(Stream(range(100, 104)), weights=[1, 2], seed=5).map(noisy, seed=1),
    "weighted": lambda: Stream(range(5), scheme=Weighted([1, 2, 0, 4, 1], visits=12)).map(noisy, seed=1).batch(5),
    "bucketed": lambda: Stream(LENGTHS, scheme=Bucketed(LENGTHS, 3, spread=2)).batch(3),
    "sharded": lambda: Stream(range(11), scheme=Sharded(Weighted(visits=11), 1, 3)),
}


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_is_taken_up_again_at_every_position(name):
    """The state after each value, through JSON, in a stream made anew: the same values follow, and the next epoch."""
    stream = STREAMS[name]()
    values, states = [], [stream.state_dict()]
    for epoch in range(2):
        for value in stream:
            values.append(plain(value))
            states.append(stream.state_dict())
            assert stream.epoch == epoch
    assert len(values) > 4
    assert values == [plain(value) for _ in range(2) for value in itertools.chain(STREAMS[name]())] or name
    lengths = {epoch: sum(state["epoch"] == epoch for state in states[:-1]) for epoch in range(2)}
    assert lengths[0] == lengths[1] or stream.length is None
    assert (states[-1]["epoch"], states[-1]["position"]) == (2, 0)
    for position, state in enumerate(states[:-1]):
        resumed = STREAMS[name]()
        resumed.load_state_dict(json.loads(json.dumps(state)))
        assert resumed.state_dict() == state
        rest = [plain(value) for value in resumed]
        if state["epoch"] == 0:
            rest += [plain(value) for value in resumed]
        assert rest == values[position:], position


@pytest.mark.parametrize("name", STREAMS)
def test_lengths_are_right_where_they_are_known(name):
    stream = STREAMS[name]()
    count = sum(1 for _ in stream)
    assert stream.length in (count, None)
    if name not in ("iterated", "endless") and stream.length is None:
        with pytest.raises(TypeError, match="not known"):
            len(stream)
    assert "position 0" in repr(stream)


@pytest.mark.parametrize("name", ["map", "shuffled", "by length", "zip", "mixed", "cache"])
def test_a_pass_that_is_left_can_be_taken_up(name):
    whole = [plain(value) for value in STREAMS[name]()]
    stream = STREAMS[name]()
    for value in itertools.islice(stream, 3):
        assert plain(value) in whole
    resumed = STREAMS[name]()
    resumed.load_state_dict(stream.state_dict())
    assert [plain(value) for value in resumed] == whole[3:]


def test_what_is_passed_over_is_not_loaded():
    dataset = Loaded(100)
    stream = Stream(dataset, shuffle=True).shuffled(50).shard(1, 2).skip(10).take(30)
    stream.load_state_dict({**stream.state_dict(), "position": 28})
    values = list(stream)
    assert len(values) == 2 and dataset.loaded == values


def test_a_batch_is_taken_at_once_from_arrays():
    class Taken(ArrayDataset):
        def __getitem__(self, index):
            raise AssertionError("samples one by one")

    batches = list(Stream(Taken(numpy.arange(5)), shuffle=True).batch(2))
    assert [len(batch) for (batch,) in batches] == [2, 2, 1]


def test_random_numbers_belong_to_samples():
    def draws(**order):
        return dict(noisy_pair for noisy_pair in Stream(range(6), **order).map(noisy, seed=3))

    assert draws() == draws(shuffle=True)  # whatever the order
    stream = Stream(range(6)).map(noisy, seed=3)
    assert list(stream) != list(stream)  # another epoch
    (twice,) = Stream([5]).map(noisy, seed=3).map(noisy, seed=3)
    assert twice[0][1] != twice[1]  # another map
    repeated = list(Stream([5], scheme=Weighted(visits=9)).map(noisy, seed=3))
    assert len({number for _, number in repeated}) == 9  # each visit


def test_a_failing_sample_is_named():
    def fail(value):
        raise ZeroDivisionError("nothing")

    stream = Stream({"number": numpy.arange(4)}).map(fail).batch(2).zip(Stream(range(3)))
    with pytest.raises(ZeroDivisionError, match="nothing") as caught:
        next(iter(stream))
    assert caught.value.__notes__ == ["  at sample: ArrayDataset[0]"]
    with pytest.raises(ZeroDivisionError) as caught:
        list(Stream([3]).concatenate(Stream(counting).batch(2).filter(fail)))
    assert "a group of 2: counting, value number 0, counting, value number 1" in caught.value.__notes__[0]


def test_after_an_error_the_state_names_the_value_that_was_lost():
    failures = [2]

    def fail_once(value):
        if value in failures:
            raise RuntimeError(failures.pop())
        return value

    stream = Stream(range(4)).map(fail_once)
    with pytest.raises(RuntimeError):
        list(stream)
    resumed = Stream(range(4))
    resumed.load_state_dict(stream.state_dict())
    assert list(resumed) == [2, 3]


def test_a_state_of_another_stream_is_refused():
    state = Stream(range(5)).batch(2).take(2).state_dict()
    with pytest.raises(ArgumentError, match="count is 1 here, 2 there; batch_size is 3 here, 2 there"):
        Stream(range(5)).batch(3).take(1).load_state_dict(state)
    with pytest.raises(ArgumentError, match="stage is 'skip' here, 'take' there"):
        Stream(range(5)).batch(2).skip(2).load_state_dict(state)


def test_shards_are_disjoint_and_complete():
    assert sorted(itertools.chain(*[Stream(counting).shard(rank, 4) for rank in range(4)])) == list(range(23))
    for uneven, count in (("repeat", 24), ("drop", 20), ("keep", 23)):
        shares = [Sharded(Sequential(), rank, 4, uneven).order(23, 0).tolist() for rank in range(4)]
        assert [len(share) for share in shares] == [
            Sharded(Sequential(), rank, 4, uneven).visits(23) for rank in range(4)
        ]
        assert sum(map(len, shares)) == count
        assert set(itertools.chain(*shares)) == set(range(20 if uneven == "drop" else 23))


def test_weights_are_odds():
    order = Weighted([1.0, 0.0, 3.0], visits=8000, seed=1).order(3, epoch=2)
    counts = numpy.bincount(order, minlength=3)
    assert counts[1] == 0 and abs(counts[2] - 6000) < 200  # 5 standard deviations of a binomial
    assert numpy.array_equal(order, Weighted([1.0, 0.0, 3.0], visits=8000, seed=1).order(3, epoch=2))
    assert not numpy.array_equal(order, Weighted([1.0, 0.0, 3.0], visits=8000, seed=1).order(3, epoch=3))


def test_buckets_hold_similar_lengths():
    lengths = (numpy.arange(1000) * 7919) % 100
    order = Bucketed(lengths, 10, spread=100).order(1000, epoch=0)
    assert sorted(order.tolist()) == list(range(1000))
    spans = numpy.ptp(lengths[order].reshape(100, 10), axis=1)
    assert spans.max() <= 1
    assert len(set(lengths[order].reshape(100, 10)[:10].mean(axis=1))) > 5  # batches are shuffled


def test_a_buffer_shuffles_evenly():
    counts = numpy.zeros((6, 6), int)
    stream = Stream(range(6)).shuffled(6, seed=2)
    for _ in range(600):
        for place, value in enumerate(stream):
            counts[place, value] += 1
    assert abs(counts - 100).max() < 50  # 5.5 standard deviations
    first = list(Stream(range(100)).shuffled(10))
    assert sorted(first) == list(range(100)) and first != sorted(first)
    assert all(value < place + 10 for place, value in enumerate(first))


def test_samples_that_do_not_make_a_batch():
    with pytest.raises(
        DataError, match=r"differ in their shapes.*sample 0 of the batch has \(0,\), sample 1 has \(1,\)"
    ):
        list(Stream(range(3)).map(ragged).batch(2))
    with pytest.raises(DataError, match=r"differ in their lengths"):
        list(Stream([(1, 2), (1,)]).batch(2))
    with pytest.raises(DataError, match="differ in their keys"):
        list(Stream([{"a": 1}, {"b": 1}]).batch(2))


def test_padded_batches_of_dicts_and_windows_of_tuples():
    (batch,) = Stream([{"a": numpy.ones((2, 1)), "b": 3}, {"a": numpy.ones((1, 2)), "b": 4}]).padded_batch(
        2, multiple=4
    )
    assert batch["a"].shape == (2, 4, 2) and batch["a"].sum() == 4
    assert plain(batch["a_lengths"]) == [2, 1] and plain(batch["b"]) == [3, 4]
    (first, _) = Stream([(1, "a"), (2, "b"), (3, "c")]).window(2)
    assert plain(first) == [[1, 2], ["a", "b"]]


def test_a_cache_makes_each_value_once():
    dataset = Loaded(5)
    stream = Stream(dataset, shuffle=True).cache()
    epochs = [list(stream) for _ in range(3)]
    assert epochs[0] == epochs[1] == epochs[2] == dataset.loaded
    assert len(Stream(counting).cache().take(2)) if Stream(counting).length else True


def test_a_copy_goes_on_in_a_pass_of_its_own():
    stream = Stream(range(9), shuffle=True).shuffled(3)
    values = iter(stream)
    first = [next(values) for _ in range(4)]
    copied = pickle.loads(pickle.dumps(stream))
    assert list(copied) == list(values) and len(first) == 4


def test_an_iterator_that_fails_is_named():
    def failing():
        yield 1
        raise KeyError("lost")

    with pytest.raises(KeyError) as caught:
        list(Stream(failing).batch(1))
    assert "failing, value number 1" in caught.value.__notes__[0]


def test_sources():
    assert list(Stream(numpy.arange(4).reshape(2, 2)).batch(2))[0].tolist() == [[0, 1], [2, 3]]
    assert list(Stream({"a": [1, 2]}))[1] == {"a": 2}
    for wrong, message in (
        (iter([1]), "only once"), (3, "received int"), ("text", "received str"),
    ):  # fmt: skip
        with pytest.raises(ArgumentError, match=message):
            Stream(wrong)
    with pytest.raises(ArgumentError, match="cannot be chosen"):
        Stream(counting, shuffle=True)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Stream(range(3)).batch(0),
        lambda: Stream(range(3)).take(-1),
        lambda: Stream(range(3)).shard(2, 2),
        lambda: Stream(range(3)).shuffled(0),
        lambda: Stream(range(3)).window(1, 0),
        lambda: Stream(range(3)).map(3),
        lambda: Stream(range(3)).map(len, seed=-1),
        lambda: Stream(range(3)).zip([1]),
        lambda: Stream(range(3)).interleave(Stream([1]), weights=[1]),
        lambda: Stream(range(3)).by_length(len, [3, 2], 1),
        lambda: Stream(range(3)).by_length(len, [3], [1]),
        lambda: Weighted([0, 0]),
        lambda: Weighted([1, 2]).order(3, 0),
        lambda: Bucketed([1, 2], 1).order(3, 0),
        lambda: Sharded(Sequential(), 0, 2, "some"),
    ],
)
def test_wrong_arguments(make):
    with pytest.raises(ArgumentError):
        make()


def test_the_time_of_waiting_is_measured():
    def slow(value):
        time.sleep(0.01)
        return value

    stream, worked, began = Stream(range(3)).map(slow), 0.0, time.perf_counter()
    for _ in stream:
        start = time.perf_counter()
        time.sleep(0.02)
        worked += time.perf_counter() - start
    assert 0.03 <= stream.waited <= time.perf_counter() - began - worked
