"""Data sets that are arrays in memory."""

from __future__ import annotations

import operator
from collections.abc import Sequence

import numpy

from septet.base.errors import ArgumentError, DataError, DTypeError, IndexOutOfRangeError, ShapeError
from septet.base.text import type_text
from septet.data.schemes import check_seed, random_order

__all__ = ["ArrayDataset", "Sample", "split_indices"]

Sample = tuple[numpy.ndarray, ...] | dict[str, numpy.ndarray]
"""One sample or one batch: a tuple of arrays, or a dict when the data set's arrays have names."""

_SPLIT_STREAM = (
    2**64 - 1
)  # an epoch number that no training run reaches, so that a split never repeats an epoch's order
_CHECKED_AT_ONCE = 1 << 22  # values per step of check_finite: bounds the memory for its masks to a few MiB


class ArrayDataset:
    """Arrays of equal length, seen as a sequence of samples.

    The arrays are kept, not copied, where they are C-contiguous and in the machine's byte order; samples and batches
    taken from the data set are copies.

    Parameters
    ----------
    *arrays : array_like
        One or more arrays; axis 0 counts the samples.
    names : sequence of str, optional
        One name per array. When given, samples and batches are dicts, otherwise tuples.

    Shape
    -----
    Each array ``(N, ...)`` with the same N, at least 1.

    Dtype
    -----
    Any but object.

    Raises
    ------
    DataError
        When the arrays differ in length, or hold no sample.
    ArgumentError
        When there is no array, or the names do not fit.
    ShapeError
        When an array has no axis 0.
    DTypeError
        When an array holds Python objects.

    Examples
    --------
    >>> dataset = ArrayDataset(numpy.zeros((3, 2)), [5, 6, 7], names=("inputs", "labels"))
    >>> len(dataset), dataset.shapes
    (3, {'inputs': (2,), 'labels': ()})
    >>> dataset[1]
    {'inputs': array([0., 0.]), 'labels': array(6)}
    """

    def __init__(self, *arrays: object, names: Sequence[str] | None = None) -> None:
        if not arrays:
            raise ArgumentError("ArrayDataset: expected at least one array, received none")
        self._names = _checked_names(names, len(arrays))
        self._arrays = tuple(_as_array(array, self._label(position)) for position, array in enumerate(arrays))
        lengths = [len(array) for array in self._arrays]
        if len(set(lengths)) > 1:
            received = ", ".join(
                f"{self._label(position)} has {len(array)} (shape {array.shape})"
                for position, array in enumerate(self._arrays)
            )
            raise DataError(f"ArrayDataset: arrays must have the same number of samples (axis 0); {received}")
        if lengths[0] == 0:
            shapes = ", ".join(str(array.shape) for array in self._arrays)
            raise DataError(f"ArrayDataset: expected at least one sample, received arrays of shape {shapes}")

    @property
    def names(self) -> tuple[str, ...] | None:
        """The names of the arrays, or None when they have none."""
        return self._names

    @property
    def arrays(self) -> Sample:
        """The whole arrays, as a tuple or, with names, a dict. They are not copies."""
        return self._pack(self._arrays)

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...] | dict[str, tuple[int, ...]]:
        """The shape of one sample in each array, as a tuple or, with names, a dict."""
        return self._pack(tuple(array.shape[1:] for array in self._arrays))

    @property
    def dtypes(self) -> tuple[numpy.dtype, ...] | dict[str, numpy.dtype]:
        """The dtype of each array, as a tuple or, with names, a dict."""
        return self._pack(tuple(array.dtype for array in self._arrays))

    def __len__(self) -> int:
        return len(self._arrays[0])

    def __repr__(self) -> str:
        columns = ", ".join(
            f"{self._label(position)} {_kind_text(array[0, ...])}" for position, array in enumerate(self._arrays)
        )
        return f"ArrayDataset({len(self)} samples: {columns})"

    def __getitem__(self, index: object) -> Sample:
        """Return one sample for an integer, and a batch for a slice, integers or a boolean mask."""
        if isinstance(index, slice):
            return self.take(numpy.arange(len(self))[index])
        if isinstance(index, int | numpy.integer) and not isinstance(index, bool):
            position = operator.index(index)
            if not -len(self) <= position < len(self):
                self._check_range(numpy.array([position]))  # raises
            return self._pack(tuple(numpy.array(array[position]) for array in self._arrays))
        return self.take(index)

    def take(self, indices: object) -> Sample:
        """Return the samples with the given numbers, as a batch.

        Parameters
        ----------
        indices : array_like of int or bool
            Sample numbers in any order, repeats allowed, negative ones counted from the end; or one boolean per sample.

        Returns
        -------
        tuple of numpy.ndarray, or dict of str to numpy.ndarray
            New C-contiguous arrays; axis 0 counts the samples taken.

        Raises
        ------
        IndexOutOfRangeError
            When a number is not below the length of the data set.
        ArgumentError
            When the indices are not integers on one axis, or the mask has another length.
        """
        chosen = self._checked_indices(indices)
        return self._pack(tuple(array.take(chosen, axis=0) for array in self._arrays))

    def subset(self, indices: object) -> ArrayDataset:
        """Return a data set of the samples with the given numbers (see `take`), with the same names.

        Raises
        ------
        DataError
            When no sample is chosen.
        """
        chosen = self._checked_indices(indices)
        return ArrayDataset(*(array.take(chosen, axis=0) for array in self._arrays), names=self._names)

    def split(self, fraction: float, *, seed: int = 0, stratify: object = None) -> tuple[ArrayDataset, ArrayDataset]:
        """Split the samples at random into two data sets.

        Parameters
        ----------
        fraction : float
            The share of the samples that go into the first data set, above 0 and below 1.
        seed : int
            The same seed gives the same split, everywhere.
        stratify : array_like or str, optional
            One label per sample, or the name of the array that holds them. Each label is then split by the same
            fraction.

        Returns
        -------
        (ArrayDataset, ArrayDataset)
            Copies; in each, the samples keep the order that they have here.

        Raises
        ------
        ArgumentError
            When the fraction leaves one side empty, or the labels do not fit.

        Examples
        --------
        >>> train, test = ArrayDataset(numpy.arange(10)).split(0.8, seed=1)
        >>> len(train), len(test)
        (8, 2)
        """
        if isinstance(stratify, str):
            if self._names is None or stratify not in self._names:
                raise ArgumentError(f"ArrayDataset.split: stratify={stratify!r} is not among the names {self._names}")
            stratify = self._arrays[self._names.index(stratify)]
        first, second = split_indices(len(self), fraction, seed=seed, stratify=stratify)
        return self.subset(first), self.subset(second)

    def check_finite(self) -> None:
        """Raise when a value is NaN or infinite.

        Such values are allowed (a missing measurement may be NaN); call this where they are not.

        Raises
        ------
        DataError
            Naming the array, the first sample with such a value, its place in the sample, and how many samples there
            are.
        """
        for position, array in enumerate(self._arrays):
            if not _has_special_values(array.dtype):
                continue
            is_bad = _bad_samples(array)
            if is_bad.any():
                sample = int(is_bad.argmax())
                place = tuple(int(i) for i in numpy.argwhere(~numpy.isfinite(array[sample]))[0])
                raise DataError(
                    f"ArrayDataset.check_finite: {self._label(position)}: the first sample with a value that is not "
                    f"finite is number {sample} (of {len(self)}): {array[sample][place]} at {place}; "
                    f"{int(is_bad.sum())} sample(s) in this array have one"
                )

    def _label(self, position: int) -> str:
        return f"array {position}" if self._names is None else repr(self._names[position])

    def _pack(self, values: tuple) -> tuple | dict:
        return values if self._names is None else dict(zip(self._names, values, strict=True))

    def _checked_indices(self, indices: object) -> numpy.ndarray:
        chosen = numpy.asarray(indices)
        if chosen.size == 0 and chosen.ndim == 1:
            chosen = chosen.astype(numpy.int64)
        if chosen.ndim != 1 or chosen.dtype.kind not in "iub":
            raise ArgumentError(
                f"ArrayDataset: indices must be integers or booleans on one axis, received {type_text(chosen)}"
            )
        if chosen.dtype.kind == "b":
            if len(chosen) != len(self):
                raise ArgumentError(
                    f"ArrayDataset: a mask needs one boolean per sample ({len(self)}), received {len(chosen)}"
                )
            return numpy.flatnonzero(chosen)
        self._check_range(chosen)
        return chosen.astype(numpy.int64, copy=False)

    def _check_range(self, chosen: numpy.ndarray) -> None:
        is_outside = (chosen >= len(self)) | (chosen < -len(self))
        if is_outside.any():
            place = int(is_outside.argmax())
            raise IndexOutOfRangeError(
                f"ArrayDataset: index {chosen[place]} (at position {place}) is out of range for {len(self)} samples"
            )


def split_indices(
    length: int, fraction: float, *, seed: int = 0, stratify: object = None
) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Choose at random which samples go into the first of two parts and which into the second.

    Parameters
    ----------
    length : int
        The number of samples.
    fraction : float
        The share of the first part, above 0 and below 1. It gets ``round(fraction * length)`` samples.
    seed : int
        The same seed gives the same parts, everywhere.
    stratify : array_like, optional
        One label per sample. The first part then gets, of each label, ``fraction`` times its count, rounded down; the
        samples that are still missing come one each from the labels with the largest remainders.

    Returns
    -------
    (numpy.ndarray, numpy.ndarray)
        Sample numbers in ascending order, as int64. Each sample is in exactly one of them.

    Raises
    ------
    ArgumentError
        When the fraction leaves one part empty, or there is not one label per sample.

    Source
    ------
    The method of largest remainders (Hamilton's apportionment).
    """
    check_seed("split", seed)
    if not 0 < fraction < 1:
        raise ArgumentError(f"split: fraction must be above 0 and below 1, received {fraction!r}")
    wanted = round(fraction * length)
    if not 0 < wanted < length:
        raise ArgumentError(f"split: fraction {fraction!r} of {length} samples leaves one of the two parts empty")
    order = random_order(length, seed, _SPLIT_STREAM)
    if stratify is None:
        return numpy.sort(order[:wanted]), numpy.sort(order[wanted:])
    labels = numpy.asarray(stratify)
    if labels.shape != (length,):
        raise ArgumentError(f"split: stratify needs one label per sample, shape ({length},), received {labels.shape}")
    _, group_of = numpy.unique(labels, return_inverse=True)
    quotas = _apportion(numpy.bincount(group_of), fraction, wanted)
    chosen = [order[group_of[order] == group][:quota] for group, quota in enumerate(quotas)]
    is_first = numpy.zeros(length, dtype=bool)
    is_first[numpy.concatenate(chosen)] = True
    return numpy.flatnonzero(is_first), numpy.flatnonzero(~is_first)


def _apportion(counts: numpy.ndarray, fraction: float, wanted: int) -> numpy.ndarray:
    shares = fraction * counts
    quotas = numpy.floor(shares).astype(numpy.int64)
    by_remainder = numpy.argsort(quotas - shares, kind="stable")
    quotas[by_remainder[: wanted - quotas.sum()]] += 1
    return quotas


def _checked_names(names: Sequence[str] | None, count: int) -> tuple[str, ...] | None:
    if names is None:
        return None
    if isinstance(names, str) or len(names) != count or len(set(names)) != count:
        raise ArgumentError(f"ArrayDataset: expected {count} different name(s), one per array, received {names!r}")
    return tuple(names)


def _as_array(values: object, label: str) -> numpy.ndarray:
    try:
        array = numpy.asarray(values)
    except ValueError as error:  # nested lists of different lengths
        raise ArgumentError(f"ArrayDataset: {label} cannot be turned into an array: {error}") from error
    if array.dtype.hasobject:
        raise DTypeError(
            f"ArrayDataset: {label} holds Python objects (dtype {array.dtype}); expected numbers or strings"
        )
    if array.ndim == 0:
        raise ShapeError(f"ArrayDataset: {label} is a single value; expected an array whose axis 0 counts the samples")
    # take() on any other layout would copy the whole array for each batch
    return numpy.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))


def _kind_text(sample: numpy.ndarray) -> str:
    """Write dtype and shape; of texts without their longest length, which NumPy has in the name of the dtype."""
    text = type_text(sample)
    return {"U": "str", "S": "bytes"}.get(sample.dtype.kind, text[: text.index("[")]) + text[text.index("[") :]


def _has_special_values(dtype: numpy.dtype) -> bool:
    """Tell whether the dtype has NaN: floats, complex numbers and the extension types such as bfloat16."""
    return dtype.kind in "fc" or (dtype.kind == "V" and dtype.type is not numpy.void)


def _bad_samples(array: numpy.ndarray) -> numpy.ndarray:
    """Return one boolean per sample: whether any of its values is not finite."""
    rows = array.reshape(len(array), -1)  # (N, values of a sample)
    step = max(1, _CHECKED_AT_ONCE // max(1, rows.shape[1]))
    return numpy.concatenate(
        [~numpy.isfinite(rows[start : start + step]).all(axis=1) for start in range(0, len(rows), step)]
    )
