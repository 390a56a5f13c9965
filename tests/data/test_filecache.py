"""Caches in folders: the same values in another process, after a kill, and after damage an error."""

import json
import os

import ml_dtypes
import numpy
import pytest

from septet.base.errors import ArgumentError, DataError
from septet.data import Stream


class Counted:
    """A data set that counts what it makes."""

    def __init__(self):
        self.made = 0

    def __len__(self):
        return 5

    def __getitem__(self, index):
        self.made += 1
        return {
            "image": numpy.full((2, index), index, numpy.uint8), "texts": ["a" * index, b"\0b"], 3: (None, 1.5, True),
            "scalar": numpy.float32(index), "half": numpy.array([index], ml_dtypes.bfloat16),
            "flip": numpy.eye(3)[::-1],
        }  # fmt: skip


def same(first, second):
    return repr(first) == repr(second) and first["image"].dtype == second["image"].dtype


def test_values_outlive_the_stream(tmp_path):
    plain, counted = list(Stream(Counted(), shuffle=True)), Counted()
    for _ in range(2):
        stream = Stream(counted, shuffle=True).cache(tmp_path / "cache")
        for _ in range(2):
            assert all(same(a, b) for a, b in zip(plain, stream, strict=True))
    assert counted.made == 5 and len(stream) == 5
    found = next(iter(stream))
    assert found["half"].dtype == ml_dtypes.bfloat16 and found["image"].flags.writeable
    assert type(found["scalar"]) is numpy.float32


def test_the_length_is_known_afterwards(tmp_path):
    stream = Stream(range(9)).filter(lambda value: value % 2)
    assert stream.cache(tmp_path).length is None
    assert list(stream.cache(tmp_path)) == [1, 3, 5, 7]
    assert stream.cache(tmp_path).length == 4


def test_what_was_cut_off_is_made_again(tmp_path):
    counted = Counted()
    expected = list(Stream(counted).cache(tmp_path))
    content = (tmp_path / "values").read_bytes()
    for cut in (len(content) - 1, len(content) // 2, 7, 0):
        (tmp_path / "values").write_bytes(content[:cut])
        assert all(same(a, b) for a, b in zip(expected, Stream(Counted()).cache(tmp_path), strict=True))
        assert (tmp_path / "values").read_bytes() == content


def test_a_cache_of_another_stream_is_refused(tmp_path):
    list(Stream(range(3)).cache(tmp_path))
    with pytest.raises(ArgumentError, match="another stream"):
        Stream(range(4)).cache(tmp_path)
    with pytest.raises(ArgumentError, match="a set cannot be kept"):
        list(Stream([{1}]).cache(tmp_path / "x"))


def test_damage_is_told(tmp_path):
    list(Stream(["abc"]).cache(tmp_path))
    values = tmp_path / "values"
    values.write_bytes(values.read_bytes().replace(b'"abc"', b'"ab"c'))
    with pytest.raises(DataError, match=r"values', byte 16: damaged"):
        list(Stream(["abc"]).cache(tmp_path))
    (tmp_path / "about.json").write_text("{")
    with pytest.raises(DataError, match=r"about.json' is damaged"):
        Stream(["abc"]).cache(tmp_path)


def test_positions_in_a_cache(tmp_path):
    stream = Stream(range(10), shuffle=True).cache(tmp_path).shuffled(4)
    values = list(stream)
    stream = Stream(range(10), shuffle=True).cache(tmp_path).shuffled(4)
    stream.load_state_dict({**stream.state_dict(), "position": 6})
    state = json.loads(json.dumps(stream.state_dict()))
    assert list(stream) == values[6:]
    with Stream(range(10), shuffle=True).cache(tmp_path).shuffled(4).parallel(2) as parallel:
        parallel.load_state_dict(state)
        assert list(parallel) == values[6:]
    assert len(os.listdir(f"/proc/{os.getpid()}/fd" if os.path.isdir("/proc") else ".")) < 200
