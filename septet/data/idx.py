"""Read and write IDX files, the format of MNIST and Fashion-MNIST.

An IDX file is: two zero bytes; one byte for the type of the values; one byte for the rank; one big-endian uint32 per
axis; the values, big-endian, last axis fastest; nothing else.
"""

import gzip
import math
import os
import sys
import zlib
from io import BufferedReader

import numpy

from septet.base.errors import DataError, DTypeError, MissingDataError, ShapeError
from septet.base.files import open_atomic

__all__ = ["read_idx", "write_idx"]

# The type codes of the format's description ("THE IDX FILE FORMAT", LeCun, Cortes, Burges).
DTYPE_OF_CODE: dict[int, numpy.dtype] = {
    0x08: numpy.dtype(">u1"),
    0x09: numpy.dtype(">i1"),
    0x0B: numpy.dtype(">i2"),
    0x0C: numpy.dtype(">i4"),
    0x0D: numpy.dtype(">f4"),
    0x0E: numpy.dtype(">f8"),
}
CODE_OF_DTYPE = {dtype.newbyteorder("="): code for code, dtype in DTYPE_OF_CODE.items()}

_GZIP_MAGIC = b"\x1f\x8b"  # RFC 1952, section 2.3.1; an IDX file starts with two zero bytes, so content decides
_DEFLATE_MAXIMUM_RATIO = 1032  # a match of 258 bytes costs at least two bits (RFC 1951): 258 * 8 / 2
_LARGEST_AXIS = 2**32 - 1  # sizes are uint32
_NUMPY_MAXIMUM_RANK = 64  # NPY_MAXDIMS of NumPy 2
_CHUNK = 1 << 20


def read_idx(path: str | os.PathLike[str]) -> numpy.ndarray:
    """Read an IDX file, plain or compressed with gzip.

    Whether the file is compressed is decided by its first two bytes, not by its name. Memory is taken only after the
    file's size has been found to agree with its header, so a damaged header cannot exhaust it.

    Parameters
    ----------
    path : str or os.PathLike
        The file.

    Returns
    -------
    numpy.ndarray
        A writable, C-contiguous array in the machine's byte order.

    Shape
    -----
    The sizes in the header; rank 0 to 64 (the format allows 255, NumPy 64).

    Dtype
    -----
    uint8, int8, int16, int32, float32 or float64, as the header says.

    Raises
    ------
    MissingDataError
        When there is no such file.
    DataError
        When the file is not an IDX file, ends early, has bytes after the values, or does not fit into memory. The
        message names the file and the byte offset (in the uncompressed data), what was expected there and what was
        found.

    Source
    ------
    "The IDX file format", on the page of the MNIST database, Y. LeCun, C. Cortes, C. J. C. Burges.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "labels.idx"
    >>> write_idx(path, numpy.array([5, 0, 4], dtype=numpy.uint8))
    >>> read_idx(path)
    array([5, 0, 4], dtype=uint8)
    """
    name = os.fspath(path)
    try:
        with open(name, "rb") as raw:
            stored = os.fstat(raw.fileno()).st_size
            is_compressed = raw.read(2) == _GZIP_MAGIC
            raw.seek(0)
            if not is_compressed:
                return _Reader(name, raw, stored, is_compressed).read()
            with gzip.GzipFile(fileobj=raw, mode="rb") as unpacked:
                return _Reader(name, unpacked, stored * _DEFLATE_MAXIMUM_RATIO, is_compressed).read()
    except FileNotFoundError:
        raise MissingDataError(f"read_idx: there is no file {name!r}") from None


class _Reader:
    """One pass over an IDX stream that knows its offset for error messages."""

    def __init__(self, name: str, stream: BufferedReader | gzip.GzipFile, capacity: int, is_compressed: bool) -> None:
        self.name = name
        self.stream = stream
        self.capacity = capacity  # no more bytes than this can come out of the file
        self.is_compressed = is_compressed
        self.offset = 0

    def read(self) -> numpy.ndarray:
        dtype, shape = self._header()
        values = self._values(dtype, shape)
        rest = bytearray(1)
        if self._fill(memoryview(rest), "the end of the file"):
            raise self._error(
                self.offset - 1,
                f"the end of the file, after {_count_of_values(shape)} of {dtype.newbyteorder('=').name}",
                f"more bytes, the first of them 0x{rest[0]:02x}",
            )
        return values.astype(dtype.newbyteorder("="), copy=False)

    def _header(self) -> tuple[numpy.dtype, tuple[int, ...]]:
        magic = self._exactly(4, "the magic number (4 bytes)")
        if magic[:2] != b"\0\0":
            raise self._error(0, "the two zero bytes that an IDX file starts with", f"{_hex(magic[:2])}")
        dtype = DTYPE_OF_CODE.get(magic[2])
        if dtype is None:
            known = ", ".join(f"0x{code:02x} {value.newbyteorder('=').name}" for code, value in DTYPE_OF_CODE.items())
            raise self._error(2, f"a type code ({known})", f"0x{magic[2]:02x}")
        rank = magic[3]
        if rank > _NUMPY_MAXIMUM_RANK:
            raise self._error(3, f"a rank of at most {_NUMPY_MAXIMUM_RANK} (NumPy's limit)", f"rank {rank}")
        sizes = self._exactly(4 * rank, f"{rank} sizes ({4 * rank} bytes)")
        shape = tuple(int(size) for size in numpy.frombuffer(sizes, ">u4"))
        # NumPy multiplies the sizes of empty arrays too, leaving the zeros out
        if math.prod(max(size, 1) for size in shape) * dtype.itemsize > sys.maxsize:
            raise self._error(4, f"sizes whose product fits into {sys.maxsize} bytes", f"shape {shape}")
        return dtype, shape

    def _values(self, dtype: numpy.dtype, shape: tuple[int, ...]) -> numpy.ndarray:
        needed = math.prod(shape) * dtype.itemsize
        expected = f"{_count_of_values(shape)} of {dtype.newbyteorder('=').name} ({needed} bytes) for shape {shape}"
        if self.offset + needed > self.capacity:
            limit = "at most" if self.is_compressed else "only"
            raise self._error(self.offset, expected, f"{limit} {self.capacity - self.offset} bytes")
        try:
            values = numpy.empty(shape, dtype)
        except (MemoryError, ValueError) as error:
            raise self._error(
                self.offset, "values that fit into memory", f"{needed} bytes for shape {shape}"
            ) from error
        if needed:
            start = self.offset
            found = self._fill(values.reshape(-1).view(numpy.uint8).data, expected)
            if found < needed:
                raise self._error(start, expected, f"only {found} bytes")
        return values

    def _exactly(self, count: int, expected: str) -> bytes:
        start = self.offset
        buffer = bytearray(count)
        found = self._fill(memoryview(buffer), expected)
        if found < count:
            raise self._error(start, expected, f"only {found} bytes")
        return bytes(buffer)

    def _fill(self, buffer: memoryview, expected: str) -> int:
        """Read until the buffer is full or the file ends; return the number of bytes read."""
        found = 0
        try:
            while found < len(buffer):
                got = self.stream.readinto(buffer[found : found + _CHUNK])
                if not got:
                    break
                found += got
                self.offset += got
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise self._error(self.offset, expected, f"a damaged or truncated gzip stream ({error})") from error
        return found

    def _error(self, offset: int, expected: str, found: str) -> DataError:
        where = "of the uncompressed data" if self.is_compressed else "of the file"
        return DataError(f"read_idx: {self.name!r}, byte {offset} {where}: expected {expected}, found {found}")


def write_idx(path: str | os.PathLike[str], array: numpy.ndarray, compress: bool | None = None) -> None:
    """Write an array as an IDX file.

    The file appears whole or not at all, and the same array always gives the same bytes.

    Parameters
    ----------
    path : str or os.PathLike
        The file to make or to replace.
    array : numpy.ndarray
        The values, in any memory layout and byte order.
    compress : bool, optional
        Whether to compress with gzip; when not given, a name that ends in ``.gz`` is.

    Shape
    -----
    Any rank; each size below 2**32.

    Dtype
    -----
    uint8, int8, int16, int32, float32 or float64: the format has no others.

    Raises
    ------
    DTypeError
        When the format has no code for the dtype. Nothing is cast silently.
    ShapeError
        When a size does not fit into 32 bits.
    """
    name = os.fspath(path)
    array = numpy.asarray(array)
    code = CODE_OF_DTYPE.get(array.dtype.newbyteorder("="))
    if code is None:
        known = ", ".join(dtype.name for dtype in CODE_OF_DTYPE)
        raise DTypeError(
            f"write_idx: {name!r}: expected a dtype of the IDX format ({known}), received {array.dtype.name}; "
            "cast the array to the one that holds its values, for example array.astype(numpy.int32)"
        )
    if max(array.shape, default=0) > _LARGEST_AXIS:
        raise ShapeError(f"write_idx: {name!r}: sizes must be below 2**32, received shape {array.shape}")
    header = bytes([0, 0, code, array.ndim]) + numpy.array(array.shape, ">u4").tobytes()
    # ascontiguousarray would turn rank 0 into rank 1
    values = numpy.asarray(array, DTYPE_OF_CODE[code], order="C").reshape(-1).view(numpy.uint8)
    if compress is None:
        compress = name.endswith(".gz")
    with open_atomic(name) as file:
        if not compress:
            file.write(header)
            file.write(values.data)
            return
        with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed:
            packed.write(header)
            packed.write(values.data)


def _count_of_values(shape: tuple[int, ...]) -> str:
    count = math.prod(shape)
    return f"{count} value" + ("" if count == 1 else "s")


def _hex(data: bytes) -> str:
    return " ".join(f"0x{byte:02x}" for byte in data)
