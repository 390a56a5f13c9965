"""The command `septet train`: from data to a saved model with pictures of what it learned."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np

import septet as st
from septet import nn
from septet.base.errors import ArgumentError, NotSupportedError, SettingError
from septet.base.text import count_text, did_you_mean, plural, shape_text
from septet.cli import experiment, recipes, schema, tables
from septet.cli.layers import read_layers
from septet.cli.sources import Source, as_inputs, open_source
from septet.io.checkpoints import checkpoints_in, remove_checkpoint
from septet.optim import schedules
from septet.train import Checkpoints, EarlyStopping, Extension, JsonLines, Loop, Monitor, Report, TensorBoard

MODEL, EXPERIMENT, LOG, BOARD, CHECKPOINTS = (
    "model.safetensors", "experiment.toml", "log.jsonl", "board", "checkpoints",
)  # fmt: skip

EPOCHS = {"digits": 15, "fashion-mnist": 3}
BATCH_SIZES = {"fashion-mnist": 128}


@click.command(short_help="Train a network on a folder of images, a table or a data set.")
@click.argument("what")
@click.option("--epochs", type=int, default=None, help="Passes over the data.")
@click.option("--batch-size", type=int, default=None, help="Examples in a step.")
@click.option("--learning-rate", type=float, default=None, help="The size of the optimizer's steps.")
@click.option("--optimizer", default=None, help="Such as adam (the default), adamw or sgd.")
@click.option("--model", default=None, help=f"The network: {', '.join(recipes.NETWORKS)}.")
@click.option(
    "--target", default=None, help="The column of a table to learn: a class or a number  [default: the last one]"
)
@click.option("--size", type=int, default=None, help="The side of images in pixels.")
@click.option("--seed", type=int, default=None, help="Of the first weights and the order of the data  [default: 0]")
@click.option(
    "--patience", type=int, default=None, help="Stop when the held-out loss has not fallen for so many epochs."
)
@click.option(
    "--skip-damaged", is_flag=True, default=None, help="Leave out images that cannot be read, instead of an error."
)
@click.option("--limit", type=int, default=None, help="Train on this many examples only.")
@click.option("--style", default=None, help=f"How to write the training: {', '.join(recipes.STYLES)}  [default: fit]")
@click.option("--schedule", default=None, help="How the learning rate changes: constant, cosine, step, exponential.")
@click.option("--resume", is_flag=True, help="Go on from the latest checkpoint in the folder for the results.")
@click.option("--data", "folder", type=click.Path(), default=None, help="Folder with the files of a named data set.")
@click.option("--out", type=click.Path(), default=None, help="Folder for the results  [default: septet-NAME]")
def train(what: str, resume: bool, **options: Any) -> None:
    """Train a network on WHAT: a folder of images, say.

    It is tested on examples that it has not seen, saved, and what it learned is drawn. WHAT is a folder of images with
    a sub-folder for each class, a table (.csv) with a class or a number in a column, an experiment file (.toml or
    .yaml), the folder of a run, or the name of a data set: digits, fashion-mnist.
    """
    settings = read_settings(what, options)
    run(settings, Path(settings["training"]["out"]), resume)


def read_settings(what: str, options: dict[str, Any]) -> experiment.Settings:
    """Return complete settings from what the command was given; options go before what a file says."""
    path = Path(what)
    if (path / EXPERIMENT).is_file():
        options = {**options, "out": options.get("out") or str(path)}
        path = path / EXPERIMENT
    if path.suffix.lower() in experiment.SUFFIXES:
        settings = experiment.read(path)
        name = path.stem
    else:
        is_table = path.suffix.lower() == ".csv" and path.is_file()
        kind = "folder" if path.is_dir() else "table" if is_table else "name"
        known = {"data": {kind: what if kind == "name" else str(path.resolve())}}
        if path.is_file() and kind == "name":
            raise ArgumentError(
                f"{what!r} is a file, but neither a table (.csv) nor an experiment ({', '.join(experiment.SUFFIXES)})",
                hint="images are given by their folder, which has a sub-folder for each class",
            )
        if kind == "name" and what not in recipes.SETS:
            raise ArgumentError(
                f"there is no folder, table, experiment file or data set {what!r}.{did_you_mean(what, recipes.SETS)} "
                f"The data sets are {', '.join(recipes.SETS)}",
                hint="a folder of images has a sub-folder for each class: photos/cat/1.jpg, photos/dog/1.jpg",
            )
        settings = schema.complete(known, lambda keys: "septet train")
        name = what if kind == "name" else path.resolve().stem if is_table else path.resolve().name
    for section, keys in schema.SECTIONS.items():
        for key in keys:
            option = section if key == "name" and section in ("model", "optimizer", "schedule") else key
            value = options.get(option) if (section, key) != ("data", "name") else None
            if value is not None:
                schema.check_value(section, key, value, _as_option(option))
                settings[section][key] = value
                if option == "model":
                    settings["model"]["layers"] = None
    training = settings["training"]
    dataset = settings["data"]["name"]
    training["epochs"] = training["epochs"] or EPOCHS.get(dataset, 30)
    if options.get("batch_size") is None and path.suffix.lower() not in experiment.SUFFIXES:
        training["batch_size"] = BATCH_SIZES.get(dataset, 32)
    if settings["optimizer"]["learning_rate"] is None:  # what images of folders were tried with: large at first
        settings["optimizer"]["learning_rate"] = 1e-3 if dataset else 3e-3
    training["out"] = training["out"] or f"septet-{name}"
    settings["schedule"]["name"] = settings["schedule"]["name"] or ("constant" if dataset else "cosine")
    return settings


def _as_option(word: str) -> schema.Locate:
    return lambda keys: f"--{word.replace('_', '-')}"


def build(settings: dict[str, Any], source: Source, place: str = "model.layers") -> nn.Module:
    """Return the network of an experiment's section "model"."""
    if settings["layers"] is not None:
        return read_layers(settings["layers"], place)
    shape = source.train[0].shape
    usual = "dense" if len(shape) == 2 else "small-convnet" if shape[-1] < 32 else "convnet"
    name = settings["name"] or usual
    return recipes.NETWORKS[name](len(source.classes) or 1)


def check_outputs(model: nn.Module, source: Source) -> None:
    """Raise where a network has not one output for each class, or for the number that is learned."""
    count = len(source.classes) or 1
    with model.evaluating(), st.no_grad():
        shape = model(st.tensor(source.example())).shape
    if shape != (1, count):
        raise SettingError(
            f"model.layers: the network returns shape {shape_text(shape)} for an example; expected one number"
            f"{f' for each of the {count} classes' if source.classes else ''}, (1, {count})",
            hint=f"end with 'Flatten' or 'GlobalMaxPool', and 'Dense({count})'",
        )


def run(settings: experiment.Settings, out: Path, resume: bool = False) -> None:
    """Train, test, save and draw."""
    training = settings["training"]
    if out.exists() and not out.is_dir():
        raise SettingError(f"--out: {out} is a file; the results go into a folder")
    is_new = not out.exists()
    out.mkdir(parents=True, exist_ok=True)  # before the reading, which may take long
    try:
        source = open_source(settings["data"], training["seed"], bar)
    except BaseException:
        if is_new:
            out.rmdir()
        raise
    st.random.seed(training["seed"])
    model = build(settings["model"], source).build_for(source.example())
    check_outputs(model, source)
    name = source.about["dataset"]
    shape, noun = " x ".join(map(str, source.train[0].shape[1:])), "row" if source.about["kind"] == "table" else "image"
    click.echo(
        f"{name}: {plural(len(source.train[0]), noun)} of {shape} to train on, {len(source.held_out[0])} held out, "
        f"{plural(len(source.classes), 'class') if source.classes else 'numbers of ' + source.about['target']}"
    )
    count = sum(variable.value.size for variable in model.parameters())
    click.echo(f"a network of {count_text(count)} parameters; style {training['style']}")
    saved = SaveModel(out / MODEL, source)
    experiment.write(settings, out / EXPERIMENT)
    history = fit(model, source, settings, [saved, *extensions(settings, out, resume)])
    saved.write(model)  # a second Ctrl-C comes between the end of an epoch and its callbacks
    click.echo(f"saved {saved.path}")
    tell_result(saved, model, source, history if training["patience"] is None else None)
    try:
        draw(out, history, model, source)
    except NotSupportedError as error:  # the training is done, and its results are there
        click.echo(f"no pictures: {error.message}")
    click.echo(f"next: septet evaluate {out}, septet predict {out} {'TABLE' if noun == 'row' else 'IMAGE'}")


def tell_result(saved: SaveModel, model: nn.Module, source: Source, history: st.train.History | None) -> None:
    """Say how good the model is on held-out examples, by the history where that is about its last weights."""
    if not source.classes:
        scale = source.about["scale"]["std"]
        found = tables.judge_numbers(model.predict(source.held_out[0]) * scale, source.held_out[1] * scale)
        click.echo(f"held-out {tables.errors_text(source.about['target'], found)}")
        return
    if history and "val_loss" in history[-1]:
        result = {"loss": history[-1]["val_loss"], "accuracy": history[-1]["val_accuracy"]}
    else:  # stopped inside an epoch, or the weights of the best epoch are back
        result = model.evaluate(source.tests())
    saved.write(model, result["accuracy"])
    click.echo(f"held-out accuracy {100 * result['accuracy']:.2f} %, loss {result['loss']:.4f}")


def extensions(settings: experiment.Settings, out: Path, resume: bool) -> list[Extension]:
    """Return what a training does beside training."""
    wanted, patience = settings["extensions"], settings["training"]["patience"]
    found: list[Extension] = [JsonLines(out / LOG)]
    if patience is not None:
        found.append(EarlyStopping("val_loss", patience, restores_best=True))
    if wanted["monitor"]:
        found.append(Monitor(20, parameters="*", gradients="*", histograms=True))
    if wanted["tensorboard"]:
        if not resume:
            shutil.rmtree(out / BOARD, ignore_errors=True)
        found.append(TensorBoard(out / BOARD))
    if wanted["report"]:
        found.append(Report(out / "report.html", title=out.name))
    if wanted["checkpoints"]:
        if not resume:  # of a training whose model and log are replaced, too
            for path in checkpoints_in(out / CHECKPOINTS):
                remove_checkpoint(path)
        found.append(Checkpoints(out / CHECKPOINTS, keep=1, resumes=resume))
    elif resume:
        raise SettingError("extensions.checkpoints is false, so that there is nothing that --resume could go on from")
    return found


def rate(settings: experiment.Settings, steps: int) -> Any:
    """Return the learning rate: a number, or a schedule for epochs of so many steps."""
    first, schedule = settings["optimizer"]["learning_rate"], settings["schedule"]
    warm, every = round(schedule["warmup"] * steps), max(1, round(schedule["every"] * steps))
    rest = max(1, settings["training"]["epochs"] * steps - warm)
    found = {
        "constant": lambda: first,
        "cosine": lambda: schedules.Cosine(first, rest),
        "step": lambda: schedules.Step(first, every, schedule["factor"]),
        "exponential": lambda: schedules.Exponential(first, schedule["factor"], every),
    }[schedule["name"]]()
    return schedules.Warmup(warm, found) if warm else found


def fit(
    model: nn.Module, source: Source, settings: experiment.Settings, callbacks: list[Extension]
) -> st.train.History:
    """Train in the style that was asked for."""
    training, optimizer = settings["training"], settings["optimizer"]
    if training["style"] == "fit":
        batches = source.batches(training["batch_size"], training["seed"])
        words = {} if optimizer["weight_decay"] is None else {"weight_decay": optimizer["weight_decay"]}
        made = st.optim.by_name(optimizer["name"])(model, rate(settings, len(batches)), **words)
        return model.fit(
            batches, epochs=training["epochs"], validation=source.tests(), optimizer=made, callbacks=callbacks,
            loss="cross_entropy" if source.classes else "mean_squared_error",
        )  # fmt: skip
    is_plain = optimizer["name"] == "adam" and optimizer["weight_decay"] is None
    if source.transform is not None or not source.classes or not is_plain or settings["schedule"]["name"] != "constant":
        raise SettingError(
            f"training.style {training['style']!r} shows how a training is written, with adam, on digits and "
            "fashion-mnist; style 'fit' trains everything"
        )
    return recipes.train(
        training["style"], model, source.train, source.held_out, epochs=training["epochs"],
        batch_size=training["batch_size"], seed=training["seed"], learning_rate=optimizer["learning_rate"],
        callbacks=callbacks,
    )  # fmt: skip


class SaveModel(Extension):
    """Save the whole model after each epoch, so that whatever ends a training leaves a model to go on with.

    Parameters
    ----------
    path : path
    source : Source
        Its example and what it says about itself are kept; the accuracy on held-out data, where it is known, is added.
    """

    def __init__(self, path: Path, source: Source) -> None:
        self.path, self._example, self._about = path, source.example(), source.about

    def on_epoch(self, loop: Loop, row: dict[str, float]) -> None:
        self.write(loop.model, row.get("val_accuracy"))

    def write(self, model: nn.Module, accuracy: float | None = None) -> None:
        """Write the file, whole or not at all."""
        known = {} if accuracy is None else {"accuracy": accuracy}
        st.io.save_model(model, self.path, self._example, {**self._about, **known})


def draw(out: Path, log: list[dict[str, float]], model: nn.Module, source: Source) -> None:
    """Draw the learning curve, a page of predictions, which class is taken for which, and the first filters."""
    title, (inputs, labels) = source.about["dataset"], source.held_out
    inputs = as_inputs((inputs,), source.transform)
    pictures: dict[str, Any] = {}
    if source.classes:
        probabilities = st.softmax(st.tensor(model.predict(inputs))).numpy()
        counts = st.metrics.ConfusionMatrix()
        counts.update(probabilities, labels)
        pictures["confusion"] = lambda: st.view.plot_confusion(
            counts, source.classes, title=f"{title}: held-out examples"
        )
    if source.classes and inputs.ndim == 4:
        chosen = np.linspace(0, len(labels) - 1, min(48, len(labels))).astype(np.int64)
        pictures["predictions"] = lambda: st.view.plot_predictions(
            inputs[chosen], labels[chosen], None, probabilities[chosen], source.classes,
            title=f"{title}: held-out images",
        )  # fmt: skip
    if log:
        pictures["curves"] = lambda: st.view.plot_curves(log, title=f"{title}: learning curve")
    if any(getattr(module, "rank", 0) == 2 for module in model.modules()):
        pictures["filters"] = lambda: st.view.plot_filters(model, title=f"{title}: first filters")
    if not pictures:  # stopped before the first epoch ended
        return
    for name, picture in pictures.items():
        picture().save(out / f"{name}.png")
    click.echo(f"drew {', '.join(f'{name}.png' for name in sorted(pictures))} in {out}")


def bar(items: Iterable[Any], count: int) -> Iterator[Any]:
    """Go through items with a bar on a terminal, without one elsewhere."""
    from rich.progress import track

    if not sys.stdout.isatty():
        yield from items
        return
    yield from track(items, "reading", count, transient=True)
