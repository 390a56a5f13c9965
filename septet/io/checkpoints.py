"""Checkpoints: folders that hold all that a training needs to go on, written whole or not at all.

A checkpoint is a folder with safetensors files, ``state.json``, and ``manifest.json``, which names the format and its
version, and gives each other file's size and SHA-256. It is written under another name, brought to the disk, and then
renamed: a folder with the name of a checkpoint is a whole one, whenever the process or the machine may have died.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from septet.base.errors import FileFormatError
from septet.io.weights import pack, unpack

FORMAT = "septet-checkpoint"
VERSION = 1
NAME = re.compile(r"step-(\d{10,})(\.old)?")
PARTIAL = ".partial-"
"""What names of folders begin with that are being written or removed."""


class Checkpoint(NamedTuple):
    """What a checkpoint holds.

    Attributes
    ----------
    path : Path
    arrays : dict of str to dict
        By file, then by name: ``arrays["model"]["0.kernel"]``.
    state : dict
        Plain values.
    """

    path: Path
    arrays: dict[str, dict[str, np.ndarray]]
    state: dict[str, Any]


def write_checkpoint(
    folder: str | os.PathLike[str], step: int, arrays: Mapping[str, Mapping[str, np.ndarray]], state: Mapping[str, Any]
) -> Path:
    """Write a checkpoint into a folder of checkpoints; it appears there whole or not at all.

    Parameters
    ----------
    folder : str or path
        Made where it is not there.
    step : int
        Which the checkpoint is named after. One of the same step is replaced: it is there until the new one is.
    arrays : mapping of str to mapping of str to array
        Each is a file: ``model.safetensors``.
    state : mapping
        Anything that JSON can hold.

    Returns
    -------
    Path
        Of the checkpoint.

    Raises
    ------
    OSError
        If the disk is full or the folder cannot be written to; nothing is left of what was written then.
    NotSupportedError
        If an array is complex.
    """
    parent = Path(folder)
    parent.mkdir(parents=True, exist_ok=True)
    final = parent / f"step-{step:010d}"
    partial = parent / f"{PARTIAL}{final.name}-{os.getpid()}"
    contents = {f"{name}.safetensors": pack(f"checkpoint {final.name}", values) for name, values in arrays.items()}
    contents["state.json"] = json.dumps(state).encode()
    files = {name: {"bytes": len(data), "sha256": _digest(data)} for name, data in contents.items()}
    manifest = {"format": FORMAT, "version": VERSION, "step": step, "files": files}
    contents["manifest.json"] = json.dumps(manifest, indent=1).encode()
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir()
        for name, data in contents.items():
            with open(partial / name, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        _bring_to_disk(partial)
        old = final.with_name(f"{final.name}.old")
        if final.exists():
            remove_checkpoint(old)
            os.rename(final, old)
        os.rename(partial, final)
        _bring_to_disk(parent)
        remove_checkpoint(old)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        if error.filename is None and error.errno:  # a full disk names no file
            raise OSError(error.errno, error.strerror, os.fspath(final)) from error
        raise
    return final


def read_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Read a checkpoint, every byte of which is compared with its manifest.

    Raises
    ------
    FileFormatError
        If it is damaged, no checkpoint, or of a later version; the message names the file.
    """
    folder = Path(path)
    manifest = _manifest(folder)
    arrays: dict[str, dict[str, np.ndarray]] = {}
    state: dict[str, Any] = {}
    for name, expected in manifest["files"].items():
        data = _read(folder / name)
        if len(data) != expected["bytes"]:
            raise FileFormatError(f"{folder / name} has {len(data)} bytes, its manifest says {expected['bytes']}")
        if _digest(data) != expected["sha256"]:
            raise FileFormatError(f"{folder / name} is damaged: it has another SHA-256 than its manifest says")
        if name.endswith(".safetensors"):
            arrays[name.removesuffix(".safetensors")], _ = unpack(data, os.fspath(folder / name))
        elif name == "state.json":
            state = json.loads(data)
    return Checkpoint(folder, arrays, state)


def checkpoints_in(folder: str | os.PathLike[str]) -> list[Path]:
    """Return the checkpoints in a folder, the latest first; after it the one that it was about to replace."""
    parent = Path(folder)
    if not parent.is_dir():
        return []
    found = [path for path in parent.iterdir() if NAME.fullmatch(path.name) and path.is_dir()]
    return sorted(found, key=lambda path: (step_of(path), not path.suffix), reverse=True)


def step_of(path: Path) -> int:
    """Return the step of a checkpoint, from its name."""
    match = NAME.fullmatch(path.name)
    assert match is not None
    return int(match[1])


def remove_checkpoint(path: Path) -> None:
    """Remove a checkpoint; it has another name before its first file goes."""
    gone = path.with_name(f"{PARTIAL}{path.name}-{os.getpid()}-gone")
    shutil.rmtree(gone, ignore_errors=True)
    with suppress(FileNotFoundError):
        os.rename(path, gone)
    shutil.rmtree(gone, ignore_errors=True)


def remove_remains(folder: str | os.PathLike[str]) -> None:
    """Remove what processes that died have left half written or half removed."""
    parent = Path(folder)
    for path in parent.glob(f"{PARTIAL}*") if parent.is_dir() else ():
        shutil.rmtree(path, ignore_errors=True)
    for path in checkpoints_in(parent):
        if path.suffix and path.with_suffix("").exists():
            remove_checkpoint(path)


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / "manifest.json"
    data = _read(path)
    try:
        manifest = json.loads(data)
        version, files = manifest["version"], manifest["files"]
        is_ours = manifest["format"] == FORMAT and isinstance(version, int)
        is_ours = is_ours and all({"bytes", "sha256"} <= set(entry) for entry in files.values())
        is_ours = is_ours and not any("/" in name or os.sep in name for name in files)
    except (ValueError, KeyError, TypeError, AttributeError):
        is_ours = False
    if not is_ours:
        raise FileFormatError(f"{path} is not the manifest of a checkpoint", hint="it may be truncated")
    if version > VERSION:
        raise FileFormatError(f"{folder} has format version {version}; this release reads up to {VERSION}")
    return dict(manifest)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise FileFormatError(f"{path} cannot be read: {error.strerror}") from None


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _bring_to_disk(folder: Path) -> None:
    """Bring the names in a folder to the disk, where the system can."""
    with suppress(PermissionError, NotImplementedError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
