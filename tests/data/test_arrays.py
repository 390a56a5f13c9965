"""`ArrayDataset`: random access, splits, and what it says about wrong arrays."""

import ml_dtypes
import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from septet.base.errors import ArgumentError, DataError, DTypeError, IndexOutOfRangeError, ShapeError
from septet.data import ArrayDataset, split_indices


@pytest.fixture
def named():
    return ArrayDataset(numpy.arange(20.0).reshape(10, 2), numpy.arange(10), names=("inputs", "labels"))


def test_facts(named):
    assert len(named) == 10
    assert named.names == ("inputs", "labels")
    assert named.shapes == {"inputs": (2,), "labels": ()}
    assert named.dtypes == {"inputs": numpy.float64, "labels": numpy.int64}
    assert repr(named) == "ArrayDataset(10 samples: 'inputs' float64[2], 'labels' int64[])"
    assert repr(ArrayDataset(numpy.array(["a", "bcd"]))).endswith("str[])")  # not str96
    plain = ArrayDataset(numpy.zeros((3, 1, 8, 8), numpy.float32))
    assert plain.names is None
    assert plain.shapes == ((1, 8, 8),)


def test_access(named):
    sample = named[-1]
    assert sample["inputs"].tolist() == [18, 19] and sample["labels"] == 9
    assert named[2:5]["labels"].tolist() == [2, 3, 4]
    assert named[::-3]["labels"].tolist() == [9, 6, 3, 0]
    assert named[[7, 7, -1]]["labels"].tolist() == [7, 7, 9]
    assert named[numpy.arange(10) > 7]["labels"].tolist() == [8, 9]
    assert named[[]]["inputs"].shape == (0, 2)
    assert named.take(numpy.array([1], numpy.uint8))["labels"].tolist() == [1]
    (values,) = ArrayDataset([[1, 2], [3, 4]])[1]
    assert values.tolist() == [3, 4]


def test_samples_are_contiguous_copies(named):
    for taken in (named[0], named[0:4], named.take([3, 1])):
        assert all(array.flags.c_contiguous for array in taken.values())
        taken["inputs"][...] = -1
    assert named.arrays["inputs"].min() == 0


def test_arrays_are_kept_where_they_can_be():
    kept = numpy.arange(6.0).reshape(3, 2)
    assert numpy.shares_memory(ArrayDataset(kept).arrays[0], kept)
    for other in (numpy.asfortranarray(kept), kept.astype(">f8"), kept[::-1]):
        (array,) = ArrayDataset(other).arrays
        assert array.flags.c_contiguous and array.dtype.isnative
        numpy.testing.assert_array_equal(array, other)


@pytest.mark.parametrize(("index", "place"), [(10, 0), (-11, 0), ([0, 3, 12], 2), (numpy.int8(99), 0)])
def test_indices_out_of_range(named, index, place):
    with pytest.raises(IndexOutOfRangeError, match=rf"\(at position {place}\) is out of range for 10 samples"):
        named[index]


@pytest.mark.parametrize("index", [1.5, [1.0], [[1]], "labels", None, [True, False]])
def test_indices_of_the_wrong_kind(named, index):
    with pytest.raises(ArgumentError, match="ArrayDataset: "):
        named[index]


def test_different_lengths_are_named():
    with pytest.raises(DataError, match=r"'x' has 3 \(shape \(3, 2\)\), 'y' has 4 \(shape \(4,\)\)"):
        ArrayDataset(numpy.zeros((3, 2)), numpy.zeros(4), names=("x", "y"))
    with pytest.raises(DataError, match=r"array 0 has 3 .*array 1 has 4"):
        ArrayDataset(numpy.zeros(3), numpy.zeros(4))


@pytest.mark.parametrize(
    ("arrays", "names", "error", "message"),
    [
        ((), None, ArgumentError, "at least one array"),
        ((numpy.zeros((0, 3)),), None, DataError, r"at least one sample, received arrays of shape \(0, 3\)"),
        ((5.0,), None, ShapeError, "array 0 is a single value"),
        (([1], ["a", object()][1:]), ("x", "y"), DTypeError, "'y' holds Python objects"),
        (([[1], [2, 3]],), None, ArgumentError, "array 0 cannot be turned into an array"),
        (([1], [2]), ("x",), ArgumentError, "expected 2 different name"),
        (([1], [2]), ("x", "x"), ArgumentError, "expected 2 different name"),
        (([1], [2]), "xy", ArgumentError, "expected 2 different name"),
    ],
)
def test_wrong_arrays(arrays, names, error, message):
    with pytest.raises(error, match=message):
        ArrayDataset(*arrays, names=names)


def test_check_finite_names_the_first_bad_sample():
    values = numpy.zeros((1000, 3, 4), numpy.float32)
    dataset = ArrayDataset(numpy.arange(1000), values, names=("ids", "images"))
    dataset.check_finite()
    values[700, 0, 0] = numpy.inf
    values[17, 2, 1] = numpy.nan
    with pytest.raises(DataError, match=r"'images': .*number 17 \(of 1000\): nan at \(2, 1\); 2 sample\(s\)"):
        dataset.check_finite()


@pytest.mark.parametrize("dtype", [numpy.float16, numpy.complex64, ml_dtypes.bfloat16])
def test_check_finite_in_every_inexact_dtype(dtype):
    values = numpy.zeros(5, dtype)
    ArrayDataset(values).check_finite()
    values[3] = numpy.nan
    with pytest.raises(DataError, match=r"number 3 \(of 5\): .*nan.* at \(\)"):
        ArrayDataset(values).check_finite()


def test_check_finite_passes_over_dtypes_without_nan():
    ArrayDataset(
        numpy.arange(3), numpy.array(["a", "b", "c"]), numpy.zeros(3, bool), numpy.zeros(3, "V4")
    ).check_finite()


def test_check_finite_in_steps(monkeypatch):
    monkeypatch.setattr("septet.data.arrays._CHECKED_AT_ONCE", 7)
    values = numpy.zeros((10, 3))
    values[9, 2] = numpy.nan
    with pytest.raises(DataError, match=r"number 9 \(of 10\): nan at \(2,\)"):
        ArrayDataset(values).check_finite()


@settings(max_examples=100)
@given(
    labels=some.lists(some.integers(0, 4), min_size=2, max_size=80),
    fraction=some.floats(0.05, 0.95),
    seed=some.integers(0, 2**64 - 1),
)
def test_stratified_parts_are_exact(labels, fraction, seed):
    labels = numpy.array(labels)
    wanted = round(fraction * len(labels))
    if not 0 < wanted < len(labels):
        with pytest.raises(ArgumentError, match="leaves one of the two parts empty"):
            split_indices(len(labels), fraction, seed=seed, stratify=labels)
        return
    first, second = split_indices(len(labels), fraction, seed=seed, stratify=labels)
    assert sorted([*first, *second]) == list(range(len(labels)))
    assert len(first) == wanted
    assert (numpy.diff(first) > 0).all() and (numpy.diff(second) > 0).all()
    for label in set(labels.tolist()):
        exact = fraction * (labels == label).sum()
        assert numpy.floor(exact) <= (labels[first] == label).sum() <= numpy.floor(exact) + 1


def test_split_without_labels(named):
    first, second = named.split(0.7, seed=3)
    assert (len(first), len(second)) == (7, 3)
    assert first.names == named.names
    both = sorted([*first.arrays["labels"].tolist(), *second.arrays["labels"].tolist()])
    assert both == list(range(10))
    for part in (first, second):
        assert (numpy.diff(part.arrays["labels"]) > 0).all()
    numpy.testing.assert_array_equal(first.arrays["inputs"][:, 0], 2 * first.arrays["labels"])
    again, _ = named.split(0.7, seed=3)
    other, _ = named.split(0.7, seed=4)
    assert again.arrays["labels"].tolist() == first.arrays["labels"].tolist() != other.arrays["labels"].tolist()


def test_split_by_the_name_of_the_labels():
    labels = numpy.array(["cat"] * 80 + ["dog"] * 20)
    dataset = ArrayDataset(numpy.arange(100), labels, names=("x", "animal"))
    by_name, _ = dataset.split(0.5, stratify="animal")
    by_array, _ = dataset.split(0.5, stratify=labels)
    assert by_name.arrays["x"].tolist() == by_array.arrays["x"].tolist()
    assert (by_name.arrays["animal"] == "cat").sum() == 40


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5, float("nan"), 0.01])
def test_bad_fractions(named, fraction):
    with pytest.raises(ArgumentError, match="split: fraction"):
        named.split(fraction)


def test_bad_strata(named):
    with pytest.raises(ArgumentError, match=r"one label per sample, shape \(10,\), received \(9,\)"):
        named.split(0.5, stratify=numpy.zeros(9))
    with pytest.raises(ArgumentError, match="'classes' is not among the names"):
        named.split(0.5, stratify="classes")
