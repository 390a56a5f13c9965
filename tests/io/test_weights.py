"""Weights files: round trips, damage, and models that they do not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

import septet as st
from septet import nn
from septet.base.errors import FileFormatError, NotSupportedError
from septet.io import load_arrays, load_weights, save_weights


def model(width: int = 4) -> nn.Module:
    """A built model."""
    made = nn.Sequential(nn.Dense(width), nn.ReLU(), nn.Dense(2))
    made(np.ones((1, 3), np.float32))
    return made


def test_round_trip(tmp_path: Path) -> None:
    """Values and metadata come back."""
    first, second = model(), model()
    path = tmp_path / "model.safetensors"
    save_weights(first, path, {"classes": ["a", "b"]})
    assert load_weights(second, path) == {"classes": ["a", "b"]}
    for name, value in first.state_dict().items():
        np.testing.assert_array_equal(second.state_dict()[name], value)


def test_every_truncation_is_an_error_and_changes_nothing(tmp_path: Path) -> None:
    """A file cut off anywhere is refused."""
    first, second = model(), model()
    path = tmp_path / "model.safetensors"
    save_weights(first, path)
    whole = path.read_bytes()
    before = second.state_dict()
    for length in [0, 1, 7, 8, 20, len(whole) // 2, len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(FileFormatError, match=r"model\.safetensors"):
            load_weights(second, path)
    for name, value in second.state_dict().items():
        np.testing.assert_array_equal(before[name], value)


def test_foreign_and_missing_files(tmp_path: Path) -> None:
    """Neither a picture nor nothing is a weights file."""
    path = tmp_path / "picture.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    with pytest.raises(FileFormatError):
        load_arrays(path)
    with pytest.raises(FileFormatError, match="no such file"):
        load_arrays(tmp_path / "nothing")


def test_another_model_is_refused(tmp_path: Path) -> None:
    """The difference is named, and nothing is loaded."""
    path = tmp_path / "model.safetensors"
    save_weights(model(4), path)
    other = model(5)
    before = other.state_dict()
    with pytest.raises(FileFormatError, match="shape"):
        load_weights(other, path)
    deeper = nn.Sequential(nn.Dense(4), nn.ReLU(), nn.Dense(2), nn.Dense(2))
    deeper(np.ones((1, 3), np.float32))
    with pytest.raises(FileFormatError, match="3"):
        load_weights(deeper, path)
    for name, value in other.state_dict().items():
        np.testing.assert_array_equal(before[name], value)


def test_a_failed_save_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is overwritten when writing fails."""
    path = tmp_path / "model.safetensors"
    save_weights(model(), path)
    whole = path.read_bytes()

    def fail(*args: object) -> bytes:
        raise OSError("no space left on device")

    monkeypatch.setattr("safetensors.numpy.save", fail)
    with pytest.raises(OSError, match="no space"):
        save_weights(model(), path)
    assert path.read_bytes() == whole
    assert [p.name for p in tmp_path.iterdir()] == ["model.safetensors"]


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64", "int64", "uint8", "bool"])
def test_every_dtype_comes_back(tmp_path: Path, dtype: str) -> None:
    """Bit for bit, by the format's own types."""
    first, second = nn.Module(), nn.Module()
    for made, values in ((first, [[0, 1], [1, 3]]), (second, np.zeros((2, 2)))):
        made.cell = st.Variable(values, dtype=dtype)
        made.scalar = st.Variable(values[0][1], dtype=dtype)
        made.empty = st.Variable(np.zeros((0, 3)), dtype=dtype)
        made._is_built = True
    path = tmp_path / "cells.safetensors"
    save_weights(first, path)
    load_weights(second, path)
    for name, value in first.state_dict().items():
        back = second.state_dict()[name]
        assert back.dtype == value.dtype and back.shape == value.shape and back.tobytes() == value.tobytes()
    assert (b'"BF16"' in path.read_bytes()) == (dtype == "bfloat16")


def test_what_the_format_cannot_hold(tmp_path: Path) -> None:
    """Complex values are refused, and no file appears."""
    made = nn.Module()
    made.cell = st.Variable(1j)
    with pytest.raises(NotSupportedError, match="no complex64"):
        save_weights(made, tmp_path / "cells.safetensors")
    assert not list(tmp_path.iterdir())


def test_files_of_others_and_of_later_releases(tmp_path: Path) -> None:
    """Plain safetensors files load; a later version and broken metadata are refused."""
    path, made = tmp_path / "model.safetensors", model()
    path.write_bytes(safetensors.numpy.save(dict(made.state_dict())))
    assert load_weights(model(), path) == {}
    path.write_bytes(safetensors.numpy.save({}, {"format": "septet-weights", "version": "9"}))
    with pytest.raises(FileFormatError, match="format version 9; this release reads up to 1"):
        load_arrays(path)
    path.write_bytes(safetensors.numpy.save({}, {"metadata": "{"}))
    with pytest.raises(FileFormatError, match="not a whole safetensors file"):
        load_arrays(path)
