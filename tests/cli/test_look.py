"""Commands that look at models and at the machine."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import septet as st
from septet import nn
from septet.base.errors import ArgumentError, MissingDataError, NotSupportedError
from septet.cli import machine
from septet.cli.main import septet


def run(*args: object) -> str:
    """The output of a command that succeeds."""
    result = CliRunner().invoke(septet, [str(arg) for arg in args], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with the folder of a run."""
    model = nn.Sequential(nn.Conv2D(3, 3), nn.Flatten(), nn.Dense(2))
    (tmp_path / "run").mkdir()
    st.io.save_model(model.build_for(np.zeros((1, 1, 6, 6))), tmp_path / "run" / "model.safetensors")
    rows = [{"event": "epoch", "epoch": 1, "step": 3, "loss": 0.5}, {"event": "end", "step": 3}]
    (tmp_path / "run" / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def test_summary_of_a_saved_model_and_of_a_definition(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    text = run("summary")
    assert "Conv2D" in text and "(*, 3, 4, 4)" in text and "128" in text  # 30 + 98 parameters
    assert run("summary", "run/model.safetensors") == text
    assert "GlobalMaxPool" in run("summary", "convnet", "--input", "3x32x32")
    (place / "own.toml").write_text('[model]\nlayers = ["Dense(7)"]\n')
    assert "(*, 7)" in run("summary", "own.toml", "--input", "5")
    for words, message in ((("convne",), "no saved model, experiment file or network"), (("dense",), "add --input")):
        assert message in str(CliRunner().invoke(septet, ["summary", *words]).exception)


def test_view_draws_a_saved_model(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed (pip install septet[view])")
    monkeypatch.chdir(place)
    assert "drew run/graph.html" in run("view", "graph")
    assert "Conv2D" in (place / "run" / "graph.html").read_text()
    for name in ("curves", "filters", "weights"):
        run("view", name, "run", "--out", f"{name}.png")
        assert (place / f"{name}.png").stat().st_size > 1000
    assert isinstance(CliRunner().invoke(septet, ["view", "graph", "--out", "x.gif"]).exception, ArgumentError)


def test_board_says_what_is_missing(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("septet.cli.look.version_of", lambda package: "2.0")
    assert isinstance(CliRunner().invoke(septet, ["board", str(place)]).exception, MissingDataError)
    (place / "run" / "events.out.tfevents.1").touch()
    commands: list[list[str]] = []

    class Done:
        returncode = 0

    monkeypatch.setattr("subprocess.run", lambda command: commands.append(command) or Done())
    run("board", place, "--port", 7007)
    assert commands == [[sys.executable, "-m", "tensorboard.main", "--logdir", str(place), "--port", "7007"]]
    monkeypatch.setattr("septet.cli.look.version_of", lambda package: None)
    error = CliRunner().invoke(septet, ["board", str(place)]).exception
    assert isinstance(error, NotSupportedError) and "pip install septet[tensorboard]" in str(error)


def test_doctor_gives_a_verdict_first(monkeypatch: pytest.MonkeyPatch) -> None:
    text = run("doctor")
    assert text.splitlines()[0] == "everything works"
    for word in ("numpy", "record_limit", "extras", "view:", "thread"):
        assert word in text
    assert max(map(len, text.splitlines()[-18:])) <= 100  # the table of settings fits into a terminal
    monkeypatch.setattr(machine, "version_of", lambda package: None if package == "rich" else "1")
    monkeypatch.setattr(machine.np, "allclose", lambda *arguments, **words: False)
    result = CliRunner().invoke(septet, ["doctor"])
    assert result.exit_code == 1
    first = result.output.splitlines()[0]
    assert first.startswith("2 troubles: rich is not installed; compiled code computes something else")


def test_bench_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    measure = machine.measure
    monkeypatch.setattr(machine, "measure", lambda: measure(side=64, seconds=0.01))
    found = json.loads(run("bench", "--json"))
    assert len(found["measured"]) == 4 and all(row["value"] > 0 and row["seconds"] > 0 for row in found["measured"])
    assert "GFLOP/s" in run("bench")
