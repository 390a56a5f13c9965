"""Weights in safetensors files: no pickle, written whole or not at all."""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np

from septet.base import dtypes
from septet.base.errors import FileFormatError, SeptetError
from septet.base.files import open_atomic
from septet.nn.module import Module

FORMAT = "septet-weights"
VERSION = 1


def save_weights(model: Module, path: str | os.PathLike[str], metadata: dict[str, Any] | None = None) -> None:
    """Write a model's variables to a safetensors file, atomically.

    Parameters
    ----------
    model : Module
    path : str or path
    metadata : dict, optional
        Anything that JSON can hold, kept in the file's header.
    """
    from safetensors.numpy import save

    header = {"format": FORMAT, "version": str(VERSION), "metadata": json.dumps(metadata or {})}
    arrays, shorts = {}, []
    for name, value in model.state_dict().items():
        if value.dtype == dtypes.bfloat16:
            shorts.append(name)
            value = np.atleast_1d(value).view(np.uint16).reshape(value.shape)
        arrays[name] = np.ascontiguousarray(value).reshape(value.shape)
    header["bfloat16"] = json.dumps(shorts)
    data = save(arrays, header)
    with open_atomic(path) as file:
        file.write(data)


def load_arrays(path: str | os.PathLike[str]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read all arrays of a safetensors file, and the metadata that `save_weights` was given.

    Raises
    ------
    FileFormatError
        If the file is truncated or is no safetensors file.
    """
    from safetensors import SafetensorError, safe_open

    if not os.path.isfile(path):
        raise FileFormatError(f"{os.fspath(path)}: there is no such file")
    try:
        with safe_open(os.fspath(path), framework="numpy") as file:
            header = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a dict)
        metadata = json.loads(header.get("metadata", "{}"))
        shorts = json.loads(header.get("bfloat16", "[]"))
        version = int(header.get("version", VERSION))
    except (SafetensorError, ValueError, OSError, TypeError) as error:
        size = os.path.getsize(path)
        raise FileFormatError(
            f"{os.fspath(path)} ({size} bytes) is not a whole safetensors file: {error}", hint="it may be truncated"
        ) from None
    if version > VERSION:
        raise FileFormatError(f"{os.fspath(path)} has format version {version}; this release reads up to {VERSION}")
    for name in shorts:
        arrays[name] = arrays[name].view(dtypes.bfloat16)
    return arrays, metadata


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
