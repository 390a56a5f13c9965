"""IDX files: every dtype and rank there and back, and every way in which a file can be damaged."""

import gzip
import io
import struct

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from hypothesis.extra import numpy as some_numpy

from septet.base.errors import DataError, DTypeError, MissingDataError
from septet.data import read_idx, write_idx

DTYPES = ["uint8", "int8", "int16", "int32", "float32", "float64"]
CODES = {"uint8": 0x08, "int8": 0x09, "int16": 0x0B, "int32": 0x0C, "float32": 0x0D, "float64": 0x0E}

arrays = some.sampled_from(DTYPES).flatmap(
    lambda name: some_numpy.arrays(
        some.sampled_from([numpy.dtype(name), numpy.dtype(name).newbyteorder()]),
        some_numpy.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=4),
    )
)


def raw(code, sizes, values=b"", start=b"\0\0", rank=None):
    """The bytes of a file, written from the format's description and not by `write_idx`."""
    return start + bytes([code, len(sizes) if rank is None else rank]) + struct.pack(f">{len(sizes)}I", *sizes) + values


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file.idx"


@settings(max_examples=150)
@given(array=arrays, compress=some.booleans())
def test_round_trip(tmp_path_factory, array, compress):
    path = tmp_path_factory.mktemp("idx") / "file"
    write_idx(path, array, compress=compress)
    back = read_idx(path)
    assert back.dtype == array.dtype.newbyteorder("=")
    assert back.dtype.isnative
    assert back.shape == array.shape
    assert back.tobytes() == array.astype(back.dtype).tobytes()  # bits, so that NaN counts too
    assert back.flags.c_contiguous and back.flags.writeable


@pytest.mark.parametrize("name", DTYPES)
def test_values_against_struct(path, name):
    letter = numpy.dtype(name).char
    values = [0, 1, 100] if name == "uint8" else [0, -1, 100]
    path.write_bytes(raw(CODES[name], (3,), struct.pack(f">3{letter}", *values)))
    numpy.testing.assert_array_equal(read_idx(path), numpy.array(values, name))
    written = path.with_name("written")
    write_idx(written, numpy.array(values, name))
    assert written.read_bytes() == path.read_bytes()


def test_any_memory_layout(path):
    array = numpy.arange(24, dtype=numpy.int16).reshape(2, 3, 4)
    for view in (array.T, array[:, ::-1], array[::2, 1:], numpy.asfortranarray(array)):
        write_idx(path, view)
        numpy.testing.assert_array_equal(read_idx(path), view)


def test_rank_64_is_read(path):
    path.write_bytes(raw(0x08, (1,) * 64, b"\x07"))
    assert read_idx(path).shape == (1,) * 64


def test_content_decides_whether_a_file_is_compressed(tmp_path):
    array = numpy.arange(6, dtype=numpy.uint8)
    plain_with_gz, packed_without = tmp_path / "plain.gz", tmp_path / "packed"
    write_idx(plain_with_gz, array, compress=False)
    write_idx(packed_without, array, compress=True)
    assert packed_without.read_bytes()[:2] == b"\x1f\x8b"
    numpy.testing.assert_array_equal(read_idx(plain_with_gz), array)
    numpy.testing.assert_array_equal(read_idx(packed_without), array)


def test_the_name_decides_when_writing_and_bytes_repeat(tmp_path):
    array = numpy.zeros((10, 10), numpy.uint8)
    first, second = tmp_path / "a.gz", tmp_path / "b.gz"
    write_idx(first, array)
    write_idx(second, array)
    assert first.read_bytes()[:2] == b"\x1f\x8b"
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("name", ["uint8", "int32", "float64"])
def test_truncation_at_every_byte(path, name):
    write_idx(path, numpy.arange(6).astype(name).reshape(2, 3))
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError) as caught:
            read_idx(path)
        offset = 0 if length < 4 else 4 if length < 12 else 12
        found = length - offset
        assert str(path) in str(caught.value)
        assert f"byte {offset} of the file" in str(caught.value)
        assert f"only {found} bytes" in str(caught.value)


def test_truncation_of_a_compressed_file_at_every_byte(path):
    write_idx(path, numpy.arange(40, dtype=numpy.uint8), compress=True)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError) as caught:
            read_idx(path)
        assert str(path) in str(caught.value)
        assert "byte" in str(caught.value)


def test_a_flipped_bit_in_a_compressed_file_never_gives_other_values(path):
    array = numpy.arange(40, dtype=numpy.uint8)
    write_idx(path, array, compress=True)
    whole = path.read_bytes()
    caught = 0
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 0x10
        path.write_bytes(damaged)
        try:
            numpy.testing.assert_array_equal(read_idx(path), array)  # a byte of gzip's header that says nothing
        except DataError:
            caught += 1
    assert caught > len(array)


def test_a_stream_cut_before_its_check_sum(path):
    """All values are there, but nothing vouches for them."""
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb") as file:
        file.write(raw(0x08, (3,), b"abc"))
    path.write_bytes(packed.getvalue()[:-8])
    with pytest.raises(DataError, match=r"byte 11 of the uncompressed data: .* truncated gzip stream"):
        read_idx(path)


@pytest.mark.parametrize("compress", [False, True])
def test_bytes_after_the_values(path, compress):
    content = raw(0x0B, (2,), b"abcd" + b"\x99")
    path.write_bytes(gzip.compress(content) if compress else content)
    with pytest.raises(DataError, match=r"byte 12 .*end of the file, after 2 values of int16, found more bytes.* 0x99"):
        read_idx(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (raw(0x08, (1,), b"x", start=b"PK"), r"byte 0 of the file: expected the two zero bytes .* found 0x50 0x4b"),
        (raw(0x0A, (1,), b"x"), r"byte 2 of the file: expected a type code \(0x08 uint8, .*\), found 0x0a"),
        (raw(0x08, (1,) * 65, b"x"), r"byte 3 of the file: expected a rank of at most 64 .* found rank 65"),
        (raw(0x08, (1,), rank=3), r"byte 4 of the file: expected 3 sizes \(12 bytes\), found only 4 bytes"),
        (raw(0x0E, (2**32 - 1,) * 3), r"byte 4 of the file: expected sizes whose product fits"),
        (raw(0x08, (0, 2**32 - 1, 2**32 - 1)), r"byte 4 of the file: expected sizes whose product fits"),
        (raw(0x08, (2**32 - 1, 2**16), b"x"), r"byte 12 of the file: expected 281474976645120 values .* only 1 bytes"),
        (b"", r"byte 0 of the file: expected the magic number \(4 bytes\), found only 0 bytes"),
    ],
)
def test_malformed_headers(path, content, message):
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_idx(path)


def test_a_compressed_header_cannot_exhaust_memory(path):
    path.write_bytes(gzip.compress(raw(0x08, (2**32 - 1, 2**16), b"x" * 100)))
    with pytest.raises(DataError, match=r"byte 12 of the uncompressed data: expected 281474976645120 values"):
        read_idx(path)


def test_highly_compressible_files_are_read(path):
    """Zeros reach DEFLATE's greatest ratio, which the check of a header's sizes relies on."""
    write_idx(path, numpy.zeros(20_000_000, numpy.uint8), compress=True)
    assert path.stat().st_size * 1000 < 20_000_000
    assert not read_idx(path).any()


def test_a_missing_file(path):
    with pytest.raises(MissingDataError, match="there is no file"):
        read_idx(path)
    with pytest.raises(FileNotFoundError):
        read_idx(path)


@pytest.mark.parametrize("dtype", ["bool", "int64", "uint16", "float16", "complex64", "U3"])
def test_dtypes_that_the_format_lacks(path, dtype):
    with pytest.raises(
        DTypeError, match=rf"uint8, int8, int16, int32, float32, float64\), received {numpy.dtype(dtype).name}"
    ):
        write_idx(path, numpy.zeros(3, dtype))
    assert not path.exists()
