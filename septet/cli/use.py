"""Commands that use what was trained: `evaluate`, `predict`."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import click
import numpy as np

import septet as st
from septet import nn
from septet.base.errors import ArgumentError, DataError, MissingDataError, NotSupportedError
from septet.base.text import table
from septet.cli import images, sources, tables
from septet.cli.train import MODEL, bar


class Trained:
    """A saved model, and what it says about its inputs.

    Parameters
    ----------
    path : Path
        The file, or the folder of a run.
    """

    def __init__(self, path: Path) -> None:
        self.path = path / MODEL if path.is_dir() else path
        if not self.path.is_file():
            raise MissingDataError(f"there is no model {str(self.path)!r}", hint="septet train FOLDER makes one")
        self.model: nn.Module
        self.model, self.about = st.io.load_model(self.path)

    @property
    def classes(self) -> list[str]:
        """The names of the classes."""
        return list(self.about.get("classes") or ())

    @property
    def form(self) -> images.Form | None:
        """What every image is made into, where the model was trained on a folder of images."""
        form = self.about.get("form")
        return None if form is None else images.Form(**form)

    def read(self, path: Path) -> tuple[np.ndarray, str]:
        """Return an image as an input (C, H, W) of the model, and a note about it."""
        if self.form is not None:
            pixels = images.as_floats((self.form.read(str(path)),))[0]
            return pixels, f"made {self.form.width} x {self.form.height}"
        loaded = st.view.load_image(path, self.about["input_shape"], crop=self.about.get("dataset") == "digits")
        return loaded.pixels, loaded.note

    def read_rows(self, path: Path) -> np.ndarray:
        """Return the rows of a table as inputs (N, features)."""
        return tables.encode(path, tables.read_table(path, None)[0], self.about["columns"])

    @property
    def is_of_tables(self) -> bool:
        """Whether the model was trained on a table."""
        return self.about.get("kind") == "table"

    @property
    def is_of_numbers(self) -> bool:
        """Whether the model was trained to predict a number."""
        return "scale" in self.about

    def numbers(self, inputs: np.ndarray) -> np.ndarray:
        """Return the number that is predicted for each input, (N, 1), in the unit of the table."""
        scale = self.about["scale"]
        return self.model.predict(inputs).astype(np.float64) * scale["std"] + scale["mean"]

    def probabilities(self, inputs: np.ndarray) -> np.ndarray:
        """Return the probability of each class, (N, classes)."""
        return st.softmax(st.tensor(self.model.predict(inputs))).numpy()


def is_model(path: Path) -> bool:
    """Tell whether a path is a saved model or the folder of a run."""
    return path.suffix == ".safetensors" or (path / MODEL).is_file()


def newest() -> Path:
    """Return the model that was saved last in the folders here.

    Raises
    ------
    MissingDataError
        If there is none.
    """
    found = sorted(Path().glob(f"*/{MODEL}"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise MissingDataError(
            "there is no model in the folders here",
            hint="septet train FOLDER makes one; or name its file or folder first",
        )
    return found[-1]


def pick(paths: tuple[Path, ...]) -> tuple[Trained, tuple[Path, ...]]:
    """Return the model that comes first among some paths, or the newest one here, and the other paths."""
    if paths and is_model(paths[0]):
        return Trained(paths[0]), paths[1:]
    path = newest()
    click.echo(f"with {path}", err=True)
    return Trained(path), paths


@click.command(short_help="Tell how good a model is, class by class.")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[MODEL] [FOLDER]")
@click.option("--skip-damaged", is_flag=True, help="Leave out images that cannot be read, instead of an error.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def evaluate(paths: tuple[Path, ...], skip_damaged: bool, as_json: bool) -> None:
    """Tell how good a model is on examples that it has not seen, class by class.

    MODEL is what `septet train` saved, a file or its folder; by default the newest one here. FOLDER has images with a
    sub-folder for each class, or is a table; by default the examples that were held out in the training are taken.
    """
    trained, rest = pick(paths)
    if len(rest) > 1:
        raise ArgumentError(f"expected one folder of images, received {len(rest)}")
    data, transform = held_out(trained, rest[0] if rest else None, skip_damaged)
    if trained.is_of_numbers:
        found = tables.judge_numbers(trained.numbers(data[0]), data[1])
        whole = {"model": str(trained.path), "target": trained.about["target"], "examples": len(data[1]), **found}
        click.echo(
            json.dumps(whole, indent=2, ensure_ascii=False)
            if as_json
            else f"{len(data[1])} rows, {tables.errors_text(trained.about['target'], found)}"
        )
        return
    probabilities = trained.probabilities(sources.as_inputs(data, transform))
    report = judge(probabilities, data[1], trained.classes)
    if as_json:
        click.echo(json.dumps({"model": str(trained.path), **report}, indent=2, ensure_ascii=False))
        return
    rows = [
        (row["class"], row["examples"], _percent(row["precision"]), _percent(row["recall"]), row["mistaken_for"])
        for row in report["classes"]
    ]
    headers = ("class", "examples", "right when said", "found", "mostly mistaken for")
    click.echo(table(rows, headers, "lrrrl"))
    click.echo(f"accuracy {100 * report['accuracy']:.2f} % of {report['examples']} examples, loss {report['loss']:.4f}")


def held_out(
    trained: Trained, folder: Path | None, skips_damaged: bool = False
) -> tuple[tuple[np.ndarray, np.ndarray], Any]:
    """Return examples to test a model on, and the transform of their batches."""
    if trained.is_of_tables:
        about = trained.about
        if folder is None:
            kept = about["held_out"]
            inputs, labels = sources.table(Path(kept["table"]), about["target"], kept["share"], kept["seed"]).held_out
            if trained.is_of_numbers:
                labels = labels.astype(np.float64) * about["scale"]["std"] + about["scale"]["mean"]
            return (inputs, labels), None
        arrays, name = tables.read_table(folder, about["target"])
        if trained.is_of_numbers:
            numbers = tables.numbers_of(folder, name, arrays[name])
            return (tables.encode(folder, arrays, about["columns"]), numbers), None
        labels = tables.labels_of(folder, name, arrays[name], trained.classes)
        return (tables.encode(folder, arrays, about["columns"]), labels), None
    if folder is not None:
        if trained.form is None:
            raise NotSupportedError(
                f"{trained.path} was trained on {trained.about.get('dataset')}, which has its own held-out examples; "
                "a folder tests models that were trained on a folder"
            )
        files, _ = images.list_folder(folder, trained.classes)
        pixels, places = files.read(trained.form, bar, skips_damaged)
        return (pixels, files.labels[places]), images.as_floats
    if trained.form is None:
        source = sources.named(trained.about["dataset"], None)
        return source.held_out, source.transform
    kept = trained.about["held_out"]
    _, files, _ = images.divide(Path(kept["folder"]), kept["share"], kept["seed"])
    pixels, places = files.read(trained.form, bar, skips_damaged or kept.get("skip_damaged", False))
    return (pixels, files.labels[places]), images.as_floats


def judge(probabilities: np.ndarray, labels: np.ndarray, classes: list[str]) -> dict[str, Any]:
    """Return accuracy, loss, and for each class its examples, precision, recall and most frequent mistake."""
    metric = st.metrics.ConfusionMatrix()
    metric.update(probabilities, labels)
    counts = metric.matrix().numpy().astype(np.int64)  # (true, predicted)
    rows = []
    for index, name in enumerate(classes):
        said, there, right = counts[:, index].sum(), counts[index].sum(), counts[index, index]
        wrong = counts[index].copy()
        wrong[index] = 0
        rows.append(
            {
                "class": name,
                "examples": int(there),
                "precision": float(right / said) if said else None,
                "recall": float(right / there) if there else None,
                "mistaken_for": classes[wrong.argmax()] if wrong.any() else "",
            }
        )
    own = np.maximum(probabilities[np.arange(len(labels)), labels], np.finfo(np.float32).tiny)
    return {
        "examples": len(labels),
        "accuracy": float(counts.trace() / max(len(labels), 1)),
        "loss": float(-np.log(own).mean()),
        "classes": rows,
        "counts": counts.tolist(),
    }


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


@click.command(short_help="Say what images show, or which class or number each row of a table has.")
@click.argument(
    "paths", nargs=-1, type=click.Path(path_type=Path), required=True, metavar="[MODEL] IMAGE|FOLDER|TABLE..."
)
@click.option("--top", type=click.IntRange(1), default=3, show_default=True, help="How many classes to show.")
@click.option("--format", "form", type=click.Choice(["text", "json", "csv"]), default="text", help="How to write them.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), default=None, help="Write to a file instead.")
def predict(paths: tuple[Path, ...], top: int, form: str, out: Path | None) -> None:
    """Say what images show, or which class or number each row of a table has.

    Images are files (PNG, JPEG, .npy ...) or folders of them; rows are those of tables (CSV).

    MODEL is what `septet train` saved, a file or its folder; by default the newest one here.
    """
    trained, rest = pick(paths)
    if not rest:
        raise ArgumentError(
            "name an image, a folder of images, or a table" if not paths else "name what to predict for"
        )
    damaged: list[DataError] = []
    if trained.is_of_tables:
        parts = [trained.read_rows(path) for path in rest]
        files = [f"{path}:{row}" for path, part in zip(rest, parts) for row in range(1, len(part) + 1)]
        inputs = np.concatenate(parts)
        if trained.is_of_numbers:
            write(numbers_text(files, trained.numbers(inputs)[:, 0], trained.about["target"], form), out)
            return
        probabilities, notes = trained.probabilities(inputs), [""] * len(files)
    else:
        found = [file for path in rest for file in (images.find_images(path) if path.is_dir() else [path])]
        if not found:
            raise ArgumentError(f"there is no image in {', '.join(map(str, rest))}")
        read: dict[str, tuple[np.ndarray, str]] = {}
        for file in found:
            try:
                read[str(file)] = trained.read(file)
            except DataError as error:
                damaged.append(error)
        if not read:
            raise damaged[0]
        files, notes = list(read), [note for _, note in read.values()]
        probabilities = trained.probabilities(np.stack([pixels for pixels, _ in read.values()]))
    names = trained.classes or [str(index) for index in range(probabilities.shape[1])]
    best = [
        [(names[index], float(row[index])) for index in np.argsort(-row, kind="stable")[:top]] for row in probabilities
    ]
    text = {"text": _as_text, "json": _as_json, "csv": _as_csv}[form](files, best, notes)
    write(text, out)
    for each in damaged:  # the others are told; that some are missing, too
        click.echo(f"septet: {each}", err=True)
    if damaged:
        raise SystemExit(1)


def write(text: str, out: Path | None) -> None:
    """Print what was predicted, or write it to a file."""
    if out is None:
        click.echo(text)
    else:
        out.write_text(text + "\n", encoding="utf-8")
        click.echo(f"wrote {out}")


def numbers_text(files: list[str], numbers: np.ndarray, target: str, form: str) -> str:
    """Return the number that was predicted for each row."""
    rows = [(file, f"{number:.6g}") for file, number in zip(files, numbers, strict=True)]
    if form == "json":
        known = [{"example": file, target: float(number)} for file, number in rows]
        return json.dumps(known, indent=2, ensure_ascii=False)
    if form == "csv":
        page = io.StringIO()
        csv.writer(page, lineterminator="\n").writerows([("example", target), *rows])
        return page.getvalue().rstrip("\n")
    return table(rows, ("example", target), "lr")


Best = list[list[tuple[str, float]]]


def _as_text(files: list[str], best: Best, notes: list[str]) -> str:
    if len(files) == 1:
        width = max(12, *(len(name) for name, _ in best[0]))
        return "\n".join([notes[0], *[f"{name:>{width}}  {100 * share:6.2f} %" for name, share in best[0]]])
    rows = [(file, *[f"{name} {100 * share:.1f} %" for name, share in row]) for file, row in zip(files, best)]
    return table(rows, ("example", "most probable", *["then"] * (len(best[0]) - 1)), "l" * (1 + len(best[0])))


def _as_json(files: list[str], best: Best, notes: list[str]) -> str:
    rows = [
        {"example": file, "classes": [{"class": name, "probability": share} for name, share in row]}
        for file, row in zip(files, best)
    ]
    return json.dumps(rows, indent=2, ensure_ascii=False)


def _as_csv(files: list[str], best: Best, notes: list[str]) -> str:
    page = io.StringIO()
    writer = csv.writer(page, lineterminator="\n")
    writer.writerow(
        ["example", *[f"{what}_{place}" for place in range(1, len(best[0]) + 1) for what in ("class", "probability")]]
    )
    for file, row in zip(files, best):
        writer.writerow([file, *[value for name, share in row for value in (name, f"{share:.6f}")]])
    return page.getvalue().rstrip("\n")
