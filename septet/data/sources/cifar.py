"""The binary files of CIFAR-10 and CIFAR-100: one or two bytes for labels, then 32 x 32 pixels in three planes."""

from __future__ import annotations

import numpy

from septet.base.errors import ArgumentError, DataError
from septet.data.sources.records import Paths, expand

__all__ = ["parse_cifar", "read_cifar"]

_SHAPE = (3, 32, 32)  # red, green, blue; rows from the top
_CLASSES = {1: (10,), 2: (20, 100)}  # CIFAR-10: class; CIFAR-100: class of classes, class


def read_cifar(paths: Paths, labels: int = 1) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Read binary files of CIFAR-10 or CIFAR-100.

    Parameters
    ----------
    paths : path or sequence of paths
        Such as ``data_batch_1.bin``, or ``train.bin``.
    labels : {1, 2}
        How many labels an image has: 1 in CIFAR-10; 2 in CIFAR-100, the class of classes first.

    Returns
    -------
    (images, labels) : (ndarray of uint8, ndarray of int64)

    Shape
    -----
    images (N, 3, 32, 32); labels (N,), or (N, 2) where there are two.

    Raises
    ------
    MissingDataError
        When a file is missing.
    DataError
        When its size is no multiple of an image's, or a label is too large; with file and offset.

    Source
    ------
    A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009; its page, on the binary version.
    """
    if labels not in _CLASSES:
        raise ArgumentError(f"read_cifar: labels must be 1 (CIFAR-10) or 2 (CIFAR-100), received {labels!r}")
    parts = []
    for path in expand("read_cifar", paths):
        with open(path, "rb") as file:
            parts.append(parse_cifar(path, file.read(), labels))
    return numpy.concatenate([part[0] for part in parts]), numpy.concatenate([part[1] for part in parts])


def parse_cifar(name: str, content: bytes, labels: int) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Return images and labels of the content of a file; `name` is what errors call it."""
    size = labels + int(numpy.prod(_SHAPE))
    count, rest = divmod(len(content), size)
    if rest or not count:
        raise DataError(
            f"read_cifar: {name!r}, byte {count * size}: expected an image of {size} bytes, found {rest} before "
            "the end of the file"
        )
    records = numpy.frombuffer(content, numpy.uint8).reshape(count, size)
    for place, classes in enumerate(_CLASSES[labels]):
        wrong = records[:, place] >= classes
        if wrong.any():
            number = int(wrong.argmax())
            raise DataError(
                f"read_cifar: {name!r}, byte {number * size + place}: expected a label from 0 to {classes - 1}, found "
                f"{records[number, place]} (image {number})"
            )
    images = records[:, labels:].reshape(-1, *_SHAPE)
    found = records[:, :labels].astype(numpy.int64)
    return images, found[:, 0] if labels == 1 else found
