"""Weights files: round trips, damage, and models that they do not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from septet import nn
from septet.base.errors import FileFormatError
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
