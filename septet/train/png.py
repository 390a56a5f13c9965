"""Pictures as PNG files."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np

from septet.base.errors import ArgumentError

_KINDS = {1: 0, 2: 4, 3: 2, 4: 6}
"""The colour types of the format for numbers of channels: gray, gray and alpha, RGB, RGBA."""


def png_bytes(pixels: Any) -> bytes:
    """Return an image as the contents of a PNG file.

    Parameters
    ----------
    pixels : array, (H, W) or (H, W, C)
        C from 1 to 4; uint8, or floats from 0 to 1, which are rounded (and cut off outside).

    Raises
    ------
    ArgumentError
        If it is of another shape or dtype.

    Source
    ------
    ISO/IEC 15948, "Portable Network Graphics", 2004.
    """
    array = np.asarray(pixels)
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[2] not in _KINDS or not array.size:
        raise ArgumentError(f"an image has shape (H, W) or (H, W, C) with 1 to 4 channels, got {np.shape(pixels)}")
    if array.dtype.kind == "f":
        array = np.rint(np.clip(np.nan_to_num(array), 0, 1) * 255).astype(np.uint8)
    if array.dtype != np.uint8:
        raise ArgumentError(f"an image is uint8 or floats from 0 to 1, got {array.dtype}")
    height, width, channels = array.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), array.reshape(height, -1)], axis=1)  # 0: not filtered
    header = struct.pack(">IIBBBBB", width, height, 8, _KINDS[channels], 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 6)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
