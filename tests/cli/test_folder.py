"""A folder of one's own images: train, evaluate, predict, as a user does it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from septet.base.errors import ArgumentError, DataError, MissingDataError, SettingError
from septet.cli import images, schema, train
from septet.cli.main import septet
from septet.cli.sources import open_source
from septet.train import History

Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed (pip install septet[view])")


def run(*args: object) -> str:
    """The output of a command that succeeds."""
    result = CliRunner().invoke(septet, [str(arg) for arg in args], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def fail(error: type[Exception], *args: object) -> str:
    """The message of a command that fails."""
    result = CliRunner().invoke(septet, [str(arg) for arg in args])
    assert isinstance(result.exception, error), result.output
    return str(result.exception)


def draw(folder: Path, count: int) -> None:
    """Bars that lie and bars that stand, in pictures of several sizes."""
    generator = np.random.default_rng(5)
    for name in ("lying", "standing"):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            height, width = generator.integers(24, 40, 2)
            pixels = np.full((height, width, 3), generator.integers(0, 120, 3), np.uint8)
            place = generator.integers(4, 18)
            if name == "lying":
                pixels[place : place + 3] = generator.integers(150, 255, 3)
            else:
                pixels[:, place : place + 3] = generator.integers(150, 255, 3)
            Image.fromarray(pixels).save(folder / name / f"{number:02}.{'jpg' if number % 2 else 'png'}")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with images and a trained model."""
    folder = tmp_path_factory.mktemp("user")
    draw(folder / "bars", 40)
    text = run(
        "train",
        folder / "bars",
        "--epochs",
        8,
        "--size",
        24,
        "--learning-rate",
        "0.003",
        "--schedule",
        "constant",
        "--out",
        folder / "run",
    )
    assert "64 images of 3 x 24 x 24 to train on, 16 held out, 2 classes" in text
    return folder


def test_training_leaves_model_log_pictures_and_settings(place: Path) -> None:
    rows = History.read(place / "run" / "log.jsonl")
    assert rows[-1]["val_accuracy"] > 0.9
    pictures = {"curves.png", "predictions.png", "confusion.png", "filters.png", "report.html"}
    assert pictures | {"model.safetensors", "experiment.toml", "board", "checkpoints"} <= {
        path.name for path in (place / "run").iterdir()
    }


def test_evaluate_tests_what_was_held_out(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = History.read(place / "run" / "log.jsonl")
    monkeypatch.chdir(place)
    report = json.loads(run("evaluate", "--json"))  # the newest model of the folders here
    assert report["examples"] == 16
    assert report["accuracy"] == pytest.approx(rows[-1]["val_accuracy"])
    assert report["loss"] == pytest.approx(rows[-1]["val_loss"], rel=1e-4)
    text = run("evaluate", "run", "bars")
    assert "of 80 examples" in text and "lying" in text
    (place / "others" / "slanted").mkdir(parents=True)
    assert "sub-folder 'slanted', but the classes are lying, standing" in fail(DataError, "evaluate", "run", "others")


def test_predict_files_and_folders(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    lines = run("predict", "bars/lying/00.png").splitlines()
    assert lines[1].split()[0] == "lying" and lines[1].endswith("%")
    rows = json.loads(run("predict", "run", "bars/standing", "--format", "json"))
    assert len(rows) == 40
    hits = [row["classes"][0]["class"] == "standing" for row in rows]
    assert np.mean(hits) > 0.9
    run("predict", "run", "bars", "--format", "csv", "--out", "all.csv")
    table = (place / "all.csv").read_text().splitlines()
    assert table[0] == "example,class_1,probability_1,class_2,probability_2" and len(table) == 81
    assert "bars/lying/01.jpg" in run("predict", "bars")


def test_the_settings_train_again(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run's own experiment file gives the same losses."""
    monkeypatch.setattr(train, "draw", lambda *arguments: None)
    text = (place / "run" / "experiment.toml").read_text()
    (tmp_path / "again.toml").write_text(text.replace("epochs = 8", "epochs = 2").replace("cosine", "constant"))
    run("train", tmp_path / "again.toml", "--out", tmp_path / "run")
    logs = [History.read(folder / "run" / "log.jsonl")[1] for folder in (place, tmp_path)]
    assert logs[0]["loss"] == logs[1]["loss"]


def test_what_is_no_folder_of_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "no folder, table, experiment file or data set 'didgits'. Did you mean 'digits'?" in fail(
        ArgumentError, "train", "didgits"
    )
    (tmp_path / "empty").mkdir()
    assert "holds no image in a sub-folder for its class" in fail(DataError, "train", "empty")
    assert "--size: data.size must be an integer from 8 to 1024, not 4" in fail(
        SettingError, "train", "empty", "--size", 4
    )
    assert "there is no model in the folders here" in fail(MissingDataError, "evaluate")
    draw(tmp_path / "bars", 4)
    (tmp_path / "bars" / "lying" / "00.png").write_bytes(b"no image")
    (tmp_path / "notes.txt").write_text("no experiment")
    assert "'notes.txt' is a file, but neither a table" in fail(ArgumentError, "train", "notes.txt")
    assert "--model: model.name must be one of" in fail(SettingError, "train", "bars", "--model", "resnet")


def test_damaged_images_are_named_and_can_be_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All are told at once; nothing is left behind; evaluate leaves out the same; predict tells the rest."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(train, "draw", lambda *arguments: None)
    draw(tmp_path / "bars", 10)
    for name in ("lying/00.png", "standing/01.jpg"):
        content = (tmp_path / "bars" / name).read_bytes()
        (tmp_path / "bars" / name).write_bytes(content[: len(content) // 2])
    common = ["train", "bars", "--size", 16, "--epochs", 1, "--out", "run"]
    message = fail(DataError, *common)
    assert "2 images cannot be read" in message and "00.png'" in message and "01.jpg'" in message
    assert not (tmp_path / "run").exists()
    run(*common, "--skip-damaged")
    saved = train.read_settings("run", {})
    assert saved["data"]["skip_damaged"] is True
    source = open_source(saved["data"], 0)
    assert len(source.train[0]) + len(source.held_out[0]) == 18
    assert json.loads(run("evaluate", "run", "--json"))["examples"] == len(source.held_out[0])
    assert "2 images cannot be read" in fail(DataError, "evaluate", "run", "bars")
    assert json.loads(run("evaluate", "run", "bars", "--skip-damaged", "--json"))["examples"] == 18
    result = CliRunner().invoke(septet, ["predict", "run", "bars/lying", "--format", "json"])
    assert result.exit_code == 1 and len(json.loads(result.stdout)) == 9
    assert "00.png" in result.stderr


def test_images_are_varied_in_each_epoch_unless_the_settings_say_no(tmp_path: Path) -> None:
    draw(tmp_path / "bars", 5)
    settings = schema.complete({"data": {"folder": str(tmp_path / "bars"), "size": 16}}, lambda keys: "test")["data"]
    varied = open_source(settings, 0).batches(8, 0)
    first, second = [*varied], [*varied]  # of an epoch each
    plain = open_source({**settings, "augment": False}, 0)
    originals = {image.tobytes() for batch in plain.batches(8, 0) for image in batch[0]}
    seen = [image.tobytes() for batch in (*first, *second) for image in batch[0]]
    assert len(seen) == 16 and len(originals) == 8
    assert len({*seen} - originals) > 8  # some of the first epoch may stay where they are
    assert first[0][0].dtype == np.float32 and 0 <= first[0][0].min() and first[0][0].max() <= 1


def test_folders_that_say_what_is_held_out(tmp_path: Path) -> None:
    draw(tmp_path / "train", 3)
    draw(tmp_path / "Test", 2)
    assert images.split_folders(tmp_path) == (tmp_path / "train", tmp_path / "Test")
    assert images.split_folders(tmp_path / "train") == (tmp_path / "train", None)


def test_a_training_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two epochs and one more are the same as three; without --resume everything begins anew."""
    monkeypatch.setattr(train, "draw", lambda *arguments: None)
    draw(tmp_path / "bars", 6)
    common = ["train", tmp_path / "bars", "--size", 16, "--schedule", "constant"]
    run(*common, "--epochs", 3, "--out", tmp_path / "whole")
    run(*common, "--epochs", 2, "--out", tmp_path / "parts")
    run("train", tmp_path / "parts", "--resume", "--epochs", 3)
    rows = [History.read(tmp_path / name / "log.jsonl") for name in ("whole", "parts")]
    assert [row["loss"] for row in rows[0]] == [row["loss"] for row in rows[1]]
    run("train", tmp_path / "parts", "--epochs", 1)
    assert len(History.read(tmp_path / "parts" / "log.jsonl")) == 1
