"""Weights in safetensors files: no pickle, written whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from septet.base import dtypes
from septet.base.errors import FileFormatError, NotSupportedError, SeptetError
from septet.base.files import open_atomic
from septet.nn.module import Module

FORMAT = "septet-weights"
VERSION = 1

CODES = {
    "BOOL": dtypes.bool_, "I8": dtypes.int8, "I16": dtypes.int16, "I32": dtypes.int32, "I64": dtypes.int64,
    "U8": dtypes.uint8, "U16": dtypes.uint16, "U32": dtypes.uint32, "U64": dtypes.uint64, "F16": dtypes.float16,
    "BF16": dtypes.bfloat16, "F32": dtypes.float32, "F64": dtypes.float64,
}  # fmt: skip
"""The dtypes by the names that the format has for them."""


def save_weights(model: Module, path: str | os.PathLike[str], metadata: dict[str, Any] | None = None) -> None:
    """Write a model's variables to a safetensors file, atomically.

    Parameters
    ----------
    model : Module
    path : str or path
    metadata : dict, optional
        Anything that JSON can hold, kept in the file's header.

    Raises
    ------
    NotSupportedError
        If a variable is complex, which the format has no name for.
    """
    data = pack("save_weights", model.state_dict(), metadata)
    with open_atomic(path) as file:
        file.write(data)


def pack(owner: str, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, Any] | None = None) -> bytes:
    """Return the contents of a safetensors file.

    Raises
    ------
    NotSupportedError
        If an array is complex.
    """
    import safetensors.numpy

    whole = {name: np.ascontiguousarray(v).reshape(v.shape) for name, v in arrays.items()}
    strange = sorted({v.dtype.name for v in whole.values()} - {dtype.name for dtype in CODES.values()})
    if strange:
        raise NotSupportedError(f"{owner}: safetensors files hold no {', '.join(strange)}")
    header = {"format": FORMAT, "version": str(VERSION), "metadata": json.dumps(metadata or {})}
    return safetensors.numpy.save(whole, header)


def load_arrays(path: str | os.PathLike[str]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read all arrays of a safetensors file, and the metadata that `save_weights` was given.

    Raises
    ------
    FileFormatError
        If there is no such file, it is truncated, or no safetensors file.
    """
    name = os.fspath(path)
    if not os.path.isfile(path):
        raise FileFormatError(f"{name}: there is no such file")
    with open(path, "rb") as file:
        data = file.read()
    return unpack(data, name)


def unpack(data: bytes, name: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return arrays and metadata of the contents of a safetensors file; `name` is for messages.

    Raises
    ------
    FileFormatError
        If they are truncated, or not of that format.
    """
    import safetensors

    try:
        tensors = safetensors.deserialize(data)
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")]).get("__metadata__", {})
        metadata = json.loads(header.get("metadata", "{}"))
        version = int(header.get("version", VERSION)) if header.get("format") == FORMAT else VERSION
    except (safetensors.SafetensorError, ValueError, TypeError) as error:
        raise FileFormatError(
            f"{name} ({len(data)} bytes) is not a whole safetensors file: {error}", hint="it may be truncated"
        ) from None
    if version > VERSION:
        raise FileFormatError(f"{name} has format version {version}; this release reads up to {VERSION}")
    strange = sorted({entry["dtype"] for _, entry in tensors} - set(CODES))
    if strange:
        raise FileFormatError(f"{name} holds tensors of the types {', '.join(strange)}, which Septet does not have")
    arrays = {
        key: np.frombuffer(bytes(entry["data"]), CODES[entry["dtype"]]).reshape(entry["shape"])
        for key, entry in tensors
    }
    return arrays, metadata if isinstance(metadata, dict) else {}


def load_weights(model: Module, path: str | os.PathLike[str], strict: bool = True) -> dict[str, Any]:
    """Give a model the weights of a file; nothing changes unless everything fits.

    Parameters
    ----------
    model : Module
        Built: call it once on a batch before.
    path : str or path
    strict : bool
        Whether every variable must be in the file, and nothing else.

    Returns
    -------
    dict
        The metadata of the file.

    Raises
    ------
    FileFormatError
        If the file is damaged, or holds other names or shapes than the model; the message names the difference.
    """
    arrays, metadata = load_arrays(path)
    try:
        model.load_state_dict(arrays, strict)
    except SeptetError as error:
        raise FileFormatError(f"{os.fspath(path)}: {error.message}") from None
    return metadata
