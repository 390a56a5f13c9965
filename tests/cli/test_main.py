"""The command, as a user runs it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from septet.base.errors import MissingDataError
from septet.base.files import open_atomic
from septet.cli import recipes
from septet.cli.main import main, septet
from septet.data import load_digits
from septet.data.sets import load_fashion_mnist
from septet.io import load_model
from septet.train import History, JsonLines, Loop, Progress


def run(*args: str) -> str:
    """The output of a command that succeeds."""
    result = CliRunner().invoke(septet, list(args), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a trained digits model."""
    out = tmp_path_factory.mktemp("digits")
    text = run("train", "digits", "--out", str(out))
    assert "held-out accuracy" in text
    return out


def test_digits_are_learned_and_everything_is_saved(trained: Path) -> None:
    """Above 97 % on held-out digits; model, log and pictures are there."""
    rows = History.read(trained / "log.jsonl")
    assert rows[-1]["val_accuracy"] > 0.97
    for name in ("model.safetensors", "curves.png", "predictions.png"):
        assert (trained / name).stat().st_size > 1000
    assert Image.open(trained / "predictions.png").size[0] > 300


def test_predict_reads_a_picture(trained: Path, tmp_path: Path) -> None:
    """Most digits, saved as pictures, are recognized."""
    images, labels = load_digits(split="test")
    hits = 0
    for index in range(10):
        path = tmp_path / f"{index}.png"
        Image.fromarray((255 - 255 * images[index, 0]).astype(np.uint8)).resize((64, 64)).save(path)
        first = [
            line for line in run("predict", str(trained / "model.safetensors"), str(path)).splitlines() if "%" in line
        ][0]
        hits += first.split()[0] == str(labels[index])
    assert hits >= 8


def test_predict_refuses_a_foreign_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A short message instead of a traceback."""
    path = tmp_path / "picture.safetensors"
    Image.new("L", (8, 8)).save(path, format="png")
    assert "not a whole safetensors file" in fail(monkeypatch, capsys, "predict", str(path), str(path))


def fail(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *args: str) -> str:
    """What a command that fails says on standard error."""
    monkeypatch.setattr("sys.argv", ["septet", *args])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 1
    return capsys.readouterr().err


def test_a_folder_that_cannot_be_made_is_told_before_the_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line with the path, no traceback."""
    (tmp_path / "file").touch()
    text = fail(monkeypatch, capsys, "train", "digits", "--out", str(tmp_path / "file" / "out"))
    assert text.startswith("septet: ") and str(tmp_path / "file" / "out") in text and len(text.splitlines()) == 1
    text = fail(monkeypatch, capsys, "train", "digits", "--out", str(tmp_path / "file"))
    assert text.startswith(f"septet: --out: {tmp_path / 'file'} is a file; the results go into a folder")


def test_a_full_disk_leaves_the_model_of_the_epoch_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every epoch saves the model; a file that does not fit is told with its name."""
    epochs: list[float] = []

    def full(self: JsonLines, loop: Loop, row: dict[str, float]) -> None:
        epochs.append(row["epoch"])
        if len(epochs) == 2:
            with open_atomic(self.path):
                raise OSError(28, "No space left on device")

    monkeypatch.setattr(JsonLines, "on_epoch", full)
    text = fail(monkeypatch, capsys, "train", "digits", "--limit", "40", "--epochs", "3", "--out", str(tmp_path))
    assert text == f"septet: No space left on device: {tmp_path / 'log.jsonl'}\n"
    assert epochs == [1, 2]
    metadata = load_model(tmp_path / "model.safetensors")[1]
    assert 0 <= metadata["accuracy"] <= 1 and metadata["input_shape"] == [1, 8, 8]


@pytest.mark.parametrize("module", ["septet.cli.main", "septet.cli.machine"])
def test_ctrl_c_while_the_command_is_imported(module: str) -> None:
    """It ends as it does later: without a traceback."""
    code = (
        "import septet.__main__, signal, sys\n"
        "class Finder:\n"
        "    def find_spec(name, *others):\n"
        f"        if name == '{module}': signal.raise_signal(signal.SIGINT)\n"
        "sys.meta_path.insert(0, Finder)\n"
        "septet.__main__.main()\n"
    )
    result = subprocess.run([sys.executable, "-c", code, "doctor"], capture_output=True, text=True)
    assert (result.returncode, result.stdout, result.stderr.strip()) == (1, "", "Aborted!")


def test_ctrl_c_at_any_time_leaves_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first ends the training; one that comes while the model is evaluated loses nothing that was learned."""
    steps = 0

    def step(self: Progress, loop: Loop) -> None:
        nonlocal steps
        steps += 1
        if steps == 5:  # two batches in an epoch: inside the third
            signal.raise_signal(signal.SIGINT)  # after the epoch
            signal.raise_signal(signal.SIGINT)  # after this batch

    def interrupted(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Progress, "on_batch", step)
    monkeypatch.setattr("septet.nn.Module.evaluate", interrupted)
    command = ["train", "digits", "--limit", "60", "--epochs", "9", "--out", str(tmp_path)]
    result = CliRunner().invoke(septet, command)
    assert "stopped by hand after 2 whole epochs" in result.output
    assert "saved" in result.output and result.exit_code == 1
    metadata = load_model(tmp_path / "model.safetensors")[1]
    assert metadata["dataset"] == "digits" and "accuracy" not in metadata
    assert [row["epoch"] for row in History.read(tmp_path / "log.jsonl")] == [1, 2]


def test_three_styles_have_the_same_losses() -> None:
    """Define-by-run, symbolic and fit agree to 1e-5; they make one graph, so native code agrees to the last bit."""
    import septet as st

    images, labels = load_digits(split="train")
    data, held_out = (images[:300], labels[:300]), load_digits(split="test")
    logs = {}
    for style in recipes.STYLES:
        st.random.seed(3)
        model = recipes.network("digits")
        logs[style] = recipes.train(style, model, data, held_out, epochs=3, batch_size=32, seed=3, verbose=False)
    for style in recipes.STYLES[1:]:
        for ours, first in zip(logs[style], logs[recipes.STYLES[0]], strict=True):
            assert ours["loss"] == pytest.approx(first["loss"], rel=1e-5)
            assert ours["val_loss"] == pytest.approx(first["val_loss"], rel=1e-5)
            if st.config.backend == "cpu":
                assert (ours["loss"], ours["val_loss"]) == (first["loss"], first["val_loss"])


def test_without_matplotlib_there_are_no_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was learned counts: the model is there, a line says how to get pictures, and the command succeeds."""
    for name in ("matplotlib", "matplotlib.figure", "matplotlib.backends.backend_agg"):
        monkeypatch.setitem(sys.modules, name, None)
    out = tmp_path / "out"
    result = CliRunner().invoke(septet, ["train", "digits", "--epochs", "1", "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert "no pictures" in result.output
    assert "pip install septet[view]" in result.output
    assert sorted(path.name for path in out.iterdir()) == [
        "board", "checkpoints", "experiment.toml", "log.jsonl", "model.safetensors", "report.html",
    ]  # fmt: skip


def test_missing_data_says_how_to_get_it(tmp_path: Path) -> None:
    """Which files, where, and from where."""
    result = CliRunner().invoke(
        septet, ["train", "fashion-mnist", "--data", str(tmp_path), "--out", str(tmp_path / "out")]
    )
    assert isinstance(result.exception, MissingDataError)
    assert "dataset-fashion-mnist" in str(result.exception)
    assert not (tmp_path / "out").exists()


def test_fashion_mnist_learns(tmp_path: Path) -> None:
    """A short training on the real images."""
    try:
        load_fashion_mnist(split="test")
    except MissingDataError as error:
        pytest.skip(f"the data set is not here: {str(error).splitlines()[0]}")
    run("train", "fashion-mnist", "--limit", "3000", "--epochs", "1", "--out", str(tmp_path))
    row = History.read(tmp_path / "log.jsonl")[-1]
    assert row["val_accuracy"] > 0.6
