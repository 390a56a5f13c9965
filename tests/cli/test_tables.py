"""Tables: classes are learned from the other columns, and predicted for new rows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from septet.base.errors import DataError, SettingError
from septet.cli import tables, train
from septet.cli.main import septet


def run(*args: object) -> str:
    """The output of a command that succeeds."""
    result = CliRunner().invoke(septet, [str(arg) for arg in args], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def write(path: Path, rows: int, seed: int) -> None:
    """A class that is told by the sum of two numbers, or by a text."""
    random = np.random.default_rng(seed)
    lines = ["x,y,colour,note,kind"]
    for number in range(rows):
        x, y = random.normal(100, 20), random.normal(-3, 0.5)
        colour = random.choice(["red", "green"])
        kind = "warm" if colour == "red" else "high" if (x - 100) / 20 + (y + 3) / 0.5 > 0 else "low"
        lines.append(f"{x:.3f},{'' if number == 5 else f'{y:.3f}'},{colour},row {number},{kind}")
    path.write_text("\n".join(lines) + "\n")


def test_classes_are_learned_from_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(train, "draw", lambda *arguments: None)
    write(tmp_path / "points.csv", 300, 1)
    write(tmp_path / "new.csv", 60, 2)
    text = run("train", "points.csv", "--epochs", 25, "--learning-rate", "0.01")
    assert "points: 240 rows of 4 to train on, 60 held out, 3 classes" in text  # x, y, and two colours; no notes
    report = json.loads(run("evaluate", "--json"))
    assert report["examples"] == 60 and report["accuracy"] > 0.9
    assert json.loads(run("evaluate", "septet-points", "new.csv", "--json"))["accuracy"] > 0.9
    rows = json.loads(run("predict", "new.csv", "--format", "json", "--top", 1))
    assert len(rows) == 60 and rows[0]["example"] == "new.csv:1"
    kinds = [line.split(",")[-1] for line in (tmp_path / "new.csv").read_text().splitlines()[1:]]
    assert np.mean([row["classes"][0]["class"] == kind for row, kind in zip(rows, kinds, strict=True)]) > 0.9
    (tmp_path / "short.csv").write_text("x,colour\n1,red\n")
    with pytest.raises(DataError, match="the model needs the column 'y'; there are x, colour"):
        CliRunner().invoke(septet, ["predict", "septet-points", "short.csv"], catch_exceptions=False)


def test_numbers_are_learned_from_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    for name, count in (("houses", 300), ("new", 40)):
        rooms, old = random.integers(1, 7, count), random.choice(["old", "new"], count)
        price = 50_000.0 + 30_000 * rooms - 20_000 * (old == "old") + random.normal(0, 500, count)
        rows = [f"{price:.2f},{rooms},{old}" for price, rooms, old in zip(price, rooms, old, strict=True)]
        Path(f"{name}.csv").write_text("\n".join(["price,rooms,age", *rows]) + "\n")
    text = run("train", "houses.csv", "--target", "price", "--epochs", 20, "--learning-rate", "0.01")
    assert "houses: 240 rows of 3 to train on, 60 held out, numbers of price" in text
    report = json.loads(run("evaluate", "--json"))
    assert report["examples"] == 60 and report["r2"] > 0.99
    assert f"R2 {report['r2']:.4f}" in text and f"R2 {report['r2']:.4f}" in run("evaluate")
    other = json.loads(run("evaluate", "septet-houses", "new.csv", "--json"))
    rows = json.loads(run("predict", "new.csv", "--format", "json"))
    wrong = [abs(row["price"] - value) for row, value in zip(rows, price, strict=True)]
    assert np.isclose(np.mean(wrong), other["mean_absolute_error"], rtol=1e-2) and other["mean_absolute_error"] < 5000
    lines = run("predict", "new.csv", "--format", "csv").splitlines()
    assert lines[0] == "example,price" and float(lines[1].split(",")[1]) == rows[0]["price"]
    assert "new.csv:40" in run("predict", "new.csv")
    with pytest.raises(SettingError, match="style 'fit' trains everything"):
        CliRunner().invoke(
            septet, ["train", "houses.csv", "--target", "price", "--style", "symbolic"], catch_exceptions=False
        )


def test_columns_become_numbers() -> None:
    arrays = {
        "a": np.array([1.0, 3.0, np.nan]), "b": np.array(["u", "v", "w"]), "c": np.array([True, False, True]),
        "t": np.array([0, 1, 0]),
    }  # fmt: skip
    columns = tables.describe(arrays, "t", np.array([0, 1]))
    assert columns[1] == {"name": "b", "values": ["u", "v"]}
    found = tables.encode("file", arrays, columns)
    np.testing.assert_allclose(found, [[-1, 1, 0, 1], [1, 0, 1, -1], [0, 0, 0, 1]])
    with pytest.raises(DataError, match="column 'a' must hold numbers"):
        tables.encode("file", {**arrays, "a": arrays["b"]}, columns)


def test_what_is_no_class(tmp_path: Path) -> None:
    write(tmp_path / "points.csv", 20, 1)
    arrays, name = tables.read_table(tmp_path / "points.csv", None)
    assert name == "kind" and tables.find_classes("points.csv", name, arrays[name]) == ["high", "low", "warm"]
    assert tables.find_classes("points.csv", "x", arrays["x"]) == []
    assert tables.find_classes("points.csv", "x", np.arange(101)) == []
    with pytest.raises(SettingError, match="column 'note' has 1 different value; from tables, septet train learns"):
        tables.find_classes("points.csv", "note", np.array(["a", "a"]))
    with pytest.raises(DataError, match=r"column 'y' has no number in 1 row, first in row 6"):
        tables.numbers_of("points.csv", "y", arrays["y"])
    with pytest.raises(DataError, match="column 'kind' must hold numbers"):
        tables.numbers_of("points.csv", "kind", arrays["kind"])
    with pytest.raises(SettingError, match=r"no column 'kinds'\. Did you mean 'kind'"):
        tables.read_table(tmp_path / "points.csv", "kinds")
    with pytest.raises(DataError, match="column 'kind' has 'cold', but the classes are high, low"):
        tables.labels_of("points.csv", "kind", np.array(["low", "cold"]), ["high", "low"])


def test_a_network_has_an_output_for_each_class(tmp_path: Path) -> None:
    write(tmp_path / "points.csv", 20, 1)
    (tmp_path / "a.toml").write_text('[data]\ntable = "points.csv"\n[model]\nlayers = ["Dense(8)", "Dense(2)"]\n')
    with pytest.raises(
        SettingError, match=r"returns shape \(1, 2\) for an example; expected one number for each of the 3"
    ):
        CliRunner().invoke(septet, ["train", str(tmp_path / "a.toml"), "--out", str(tmp_path)], catch_exceptions=False)
