"""The messages `tf.train.Example`: named lists of bytes, floats or integers, as protocol buffers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy

from septet.base.errors import ArgumentError, DataError

__all__ = ["decode_example", "encode_example"]

Features = dict[str, Any]
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # wire types of protocol buffers
_BYTES_LIST, _FLOAT_LIST, _INT64_LIST = 1, 2, 3  # fields of tf.train.Feature
_LONGEST = 10  # bytes of a varint of 64 bits


def decode_example(data: bytes) -> Features:
    """Return the features of a `tf.train.Example`.

    Parameters
    ----------
    data : bytes

    Returns
    -------
    dict of str to (list of bytes, or ndarray of float32 or int64 with one axis)

    Raises
    ------
    DataError
        When the bytes are no such message; with the offset.

    Source
    ------
    ``example.proto`` and ``feature.proto`` of TensorFlow; the encoding of protocol buffers.

    Examples
    --------
    >>> decode_example(encode_example({"label": [3], "name": [b"cat"]}))
    {'label': array([3]), 'name': [b'cat']}
    """
    view = memoryview(data)
    features: Features = {}
    for number, _, part, at in _fields(view, 0):
        if number != 1:
            continue
        for key, _, entry, start in _fields(_message(part, at), at):
            if key == 1:
                name, value = _entry(_message(entry, start), start)
                features[name] = value
    return features


def encode_example(features: Mapping[str, Any]) -> bytes:
    """Return features as a `tf.train.Example`; the same features always give the same bytes.

    Parameters
    ----------
    features : mapping of str to value
        Bytes and texts, one or a list of them; numbers and arrays of any shape (which is not kept): integers and
        booleans become int64, floats become float32.

    Raises
    ------
    ArgumentError
        When a value is none of these.
    """
    entries = b""
    for name in sorted(features):
        entry = _piece(1, name.encode()) + _piece(2, _feature(name, features[name]))
        entries += _piece(1, entry)
    return _piece(1, entries)


def _entry(view: memoryview, at: int) -> tuple[str, Any]:
    name, value = "", []
    for number, _, part, start in _fields(view, at):
        if number == 1:
            try:
                name = bytes(_message(part, start)).decode()
            except UnicodeDecodeError as error:
                raise DataError(f"tf.train.Example, byte {start}: the name of a feature is not UTF-8") from error
        elif number == 2:
            for kind, _, values, place in _fields(_message(part, start), start):
                value = _values(kind, _message(values, place), place)
    return name, value


def _values(kind: int, view: memoryview, at: int) -> Any:
    parts = [(wire, part, start) for number, wire, part, start in _fields(view, at) if number == 1]
    if kind == _BYTES_LIST:
        return [bytes(_message(part, start)) for _, part, start in parts]
    if kind == _FLOAT_LIST:
        chunks = []
        for wire, part, start in parts:
            if wire not in (_BYTES, _FIXED32) or len(part) % 4:
                raise DataError(f"tf.train.Example, byte {start}: {len(part)} bytes are no list of float32")
            chunks.append(numpy.frombuffer(part, "<f4"))
        return numpy.concatenate(chunks).astype(numpy.float32) if chunks else numpy.empty(0, numpy.float32)
    if kind == _INT64_LIST:
        whole = [
            _varints(part, start) if wire == _BYTES else numpy.array([part], numpy.uint64)
            for wire, part, start in parts
        ]
        return numpy.concatenate(whole).astype(numpy.int64) if whole else numpy.empty(0, numpy.int64)
    raise DataError(f"tf.train.Example, byte {at}: a feature has a list of kind {kind}; there are 1, 2 and 3")


def _varints(view: memoryview, at: int) -> numpy.ndarray:
    """Decode a packed list of integers, all at once."""
    data = numpy.frombuffer(view, numpy.uint8)
    if not len(data):
        return numpy.empty(0, numpy.uint64)
    ends = numpy.flatnonzero(data < 0x80)
    starts = numpy.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    if data[-1] >= 0x80 or lengths.max() > _LONGEST:
        raise DataError(f"tf.train.Example, byte {at}: a list of integers has no end, or one longer than 64 bits")
    values = numpy.zeros(len(ends), numpy.uint64)
    for place in range(int(lengths.max())):
        has_more = lengths > place
        bits = data[starts[has_more] + place].astype(numpy.uint64) & numpy.uint64(0x7F)
        values[has_more] |= bits << numpy.uint64(7 * place)
    return values


def _fields(view: memoryview, at: int) -> Iterator[tuple[int, int, Any, int]]:
    """Give number, wire type, content and offset of each field of a message."""
    place = 0
    while place < len(view):
        tag, place = _varint(view, place, at)
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            start = place
            value, place = _varint(view, place, at)
            yield number, wire, value, at + start
            continue
        if wire == _BYTES:
            length, place = _varint(view, place, at)
        elif wire in (_FIXED32, _FIXED64):
            length = 4 if wire == _FIXED32 else 8
        else:
            raise DataError(f"tf.train.Example, byte {at + place}: there is no wire type {wire}")
        if length > len(view) - place:
            raise DataError(
                f"tf.train.Example, byte {at + place}: expected {length} bytes, found only {len(view) - place}"
            )
        yield number, wire, view[place : place + length], at + place
        place += length


def _varint(view: memoryview, place: int, at: int) -> tuple[int, int]:
    value = 0
    for count in range(_LONGEST):
        if place + count >= len(view):
            break
        byte = view[place + count]
        value |= (byte & 0x7F) << (7 * count)
        if byte < 0x80:
            return value & (2**64 - 1), place + count + 1
    raise DataError(f"tf.train.Example, byte {at + place}: an integer has no end")


def _message(part: Any, at: int) -> memoryview:
    if not isinstance(part, memoryview):
        raise DataError(f"tf.train.Example, byte {at}: expected a message, found a number")
    return part


def _feature(name: str, value: Any) -> bytes:
    if isinstance(value, str | bytes):
        value = [value]
    if isinstance(value, list | tuple) and value and all(isinstance(part, str | bytes) for part in value):
        texts = [part.encode() if isinstance(part, str) else part for part in value]
        return _piece(_BYTES_LIST, b"".join(_piece(1, text) for text in texts))
    array = numpy.asarray(value).reshape(-1)
    if array.dtype.kind == "f":
        return _piece(_FLOAT_LIST, _piece(1, array.astype("<f4").tobytes()))
    if array.dtype.kind in "bi" or (array.dtype.kind == "u" and array.max(initial=0) < 2**63):
        packed = b"".join(_number(part & (2**64 - 1)) for part in array.astype(numpy.int64).tolist())
        return _piece(_INT64_LIST, _piece(1, packed))
    raise ArgumentError(
        f"encode_example: feature {name!r}: expected bytes, texts, floats or integers of 64 bits, received "
        f"{type(value).__name__} of {array.dtype}"
    )


def _piece(number: int, content: bytes) -> bytes:
    return _number(number << 3 | _BYTES) + _number(len(content)) + content


def _number(value: int) -> bytes:
    parts = bytearray()
    while value >= 0x80:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)
