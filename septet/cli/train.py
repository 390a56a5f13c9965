"""The command `septet train`: from data to a saved model with pictures of what it learned."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np

import septet as st
from septet import nn
from septet.base.errors import ArgumentError, NotSupportedError, SettingError
from septet.base.text import count_text, did_you_mean, plural
from septet.cli import experiment, images, recipes, schema
from septet.cli.layers import read_layers
from septet.cli.sources import Source, open_source
from septet.train import EarlyStopping, Extension, JsonLines, Loop

MODEL, EXPERIMENT, LOG = "model.safetensors", "experiment.toml", "log.jsonl"

EPOCHS = {"digits": 15, "fashion-mnist": 3}
BATCH_SIZES = {"fashion-mnist": 128}


@click.command()
@click.argument("what")
@click.option("--epochs", type=int, default=None, help="Passes over the data.")
@click.option("--batch-size", type=int, default=None, help="Examples in a step.")
@click.option("--learning-rate", type=float, default=None, help="The size of the optimizer's steps  [default: 0.001]")
@click.option("--optimizer", default=None, help="Such as adam (the default), adamw or sgd.")
@click.option("--model", default=None, help=f"The network: {', '.join(recipes.NETWORKS)}.")
@click.option("--size", type=int, default=None, help="The side of images in pixels.")
@click.option("--seed", type=int, default=None, help="Of the first weights and the order of the data  [default: 0]")
@click.option(
    "--patience", type=int, default=None, help="Stop when the held-out loss has not fallen for so many epochs."
)
@click.option("--limit", type=int, default=None, help="Train on this many examples only.")
@click.option("--style", default=None, help=f"How to write the training: {', '.join(recipes.STYLES)}  [default: fit]")
@click.option("--data", "folder", type=click.Path(), default=None, help="Folder with the files of a named data set.")
@click.option("--out", type=click.Path(), default=None, help="Folder for the results  [default: septet-NAME]")
def train(what: str, **options: Any) -> None:
    """Train a network on WHAT, test it on examples that it has not seen, and draw what it learned.

    WHAT is a folder of images with a sub-folder for each class, an experiment file (.toml or .yaml), or the name of a
    data set: digits, fashion-mnist.
    """
    settings = read_settings(what, options)
    run(settings, Path(settings["training"]["out"]))


def read_settings(what: str, options: dict[str, Any]) -> experiment.Settings:
    """Return complete settings from what the command was given; options go before what a file says."""
    path = Path(what)
    if path.suffix.lower() in experiment.SUFFIXES:
        settings = experiment.read(path)
        name = path.stem
    else:
        known = {"data": {"folder": what}} if path.is_dir() else {"data": {"name": what}}
        if not path.is_dir() and what not in recipes.SETS:
            raise ArgumentError(
                f"there is no folder, experiment file or data set {what!r}.{did_you_mean(what, recipes.SETS)} "
                f"The data sets are {', '.join(recipes.SETS)}",
                hint="a folder of images has a sub-folder for each class: photos/cat/1.jpg, photos/dog/1.jpg",
            )
        settings = schema.complete(known, lambda keys: "septet train")
        name = path.resolve().name if path.is_dir() else what
    for section, keys in schema.SECTIONS.items():
        for key in keys:
            option = "model" if (section, key) == ("model", "name") else key
            option = "optimizer" if (section, key) == ("optimizer", "name") else option
            value = options.get(option) if (section, key) != ("data", "name") else None
            if value is not None:
                schema.check_value(section, key, value, lambda keys: f"--{keys[1].replace('_', '-')}")
                settings[section][key] = value
                if option == "model":
                    settings["model"]["layers"] = None
    training = settings["training"]
    dataset = settings["data"]["name"]
    training["epochs"] = training["epochs"] or EPOCHS.get(dataset, 30)
    if options.get("batch_size") is None and path.suffix.lower() not in experiment.SUFFIXES:
        training["batch_size"] = BATCH_SIZES.get(dataset, 32)
    training["out"] = training["out"] or f"septet-{name}"
    return settings


def build(settings: dict[str, Any], source: Source, place: str = "model.layers") -> nn.Module:
    """Return the network of an experiment's section "model"."""
    if settings["layers"] is not None:
        return read_layers(settings["layers"], place)
    side = source.train[0].shape[-1]
    name = settings["name"] or ("small-convnet" if side < 32 else "convnet")
    return recipes.NETWORKS[name](len(source.classes))


def run(settings: experiment.Settings, out: Path) -> None:
    """Train, test, save and draw."""
    training, optimizer = settings["training"], settings["optimizer"]
    source = open_source(settings["data"], training["seed"], bar)
    out.mkdir(parents=True, exist_ok=True)
    st.random.seed(training["seed"])
    model = build(settings["model"], source).build_for(source.example())
    name = source.about["dataset"]
    shape = " x ".join(map(str, source.train[0].shape[1:]))
    click.echo(
        f"{name}: {plural(len(source.train[0]), 'image')} of {shape} to train on, {len(source.held_out[0])} held out, "
        f"{plural(len(source.classes), 'class')}"
    )
    count = sum(variable.value.size for variable in model.parameters())
    click.echo(f"a network of {count_text(count)} parameters; style {training['style']}")
    saved = SaveModel(out / MODEL, source)
    callbacks: list[Extension] = [saved, JsonLines(out / LOG)]
    if training["patience"] is not None:
        callbacks.append(EarlyStopping("val_loss", training["patience"]))
    experiment.write(settings, out / EXPERIMENT)
    history = fit(model, source, training, optimizer, callbacks)
    saved.write(model)  # a second Ctrl-C comes between the end of an epoch and its callbacks
    click.echo(f"saved {saved.path}")
    if history and "val_loss" in history[-1]:
        result = {"loss": history[-1]["val_loss"], "accuracy": history[-1]["val_accuracy"]}
    else:  # stopped inside an epoch
        result = model.evaluate(source.tests())
    saved.write(model, result["accuracy"])
    click.echo(f"held-out accuracy {100 * result['accuracy']:.2f} %, loss {result['loss']:.4f}")
    try:
        draw(out, history, model, source)
    except NotSupportedError as error:  # the training is done, and its results are there
        click.echo(f"no pictures: {error.message}")
    click.echo(f"next: septet evaluate {out}, septet predict {out} IMAGE")


def fit(
    model: nn.Module, source: Source, training: dict[str, Any], optimizer: dict[str, Any], callbacks: list[Extension]
) -> st.train.History:
    """Train in the style that was asked for."""
    words = {key: value for key, value in optimizer.items() if key != "name" and value is not None}
    if training["style"] == "fit":
        return model.fit(
            source.batches(training["batch_size"], training["seed"]), epochs=training["epochs"],
            validation=source.tests(), optimizer=st.optim.by_name(optimizer["name"])(model, **words),
            loss=training["loss"], callbacks=callbacks,
        )  # fmt: skip
    if source.transform is not None or optimizer["name"] != "adam" or set(words) != {"learning_rate"}:
        raise SettingError(
            f"training.style {training['style']!r} shows how a training is written, with adam, on digits and "
            "fashion-mnist; style 'fit' trains everything"
        )
    return recipes.train(
        training["style"], model, source.train, source.held_out, epochs=training["epochs"],
        batch_size=training["batch_size"], seed=training["seed"], learning_rate=words["learning_rate"],
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
    """Draw the learning curve and a page of predictions."""
    title = source.about["dataset"]
    if log:
        st.view.plot_curves(log, out / "curves.png", title=f"{title}: learning curve")
        click.echo(f"drew {out / 'curves.png'}")
    chosen = np.linspace(0, len(source.held_out[0]) - 1, min(48, len(source.held_out[0]))).astype(np.int64)
    inputs = images.as_floats((source.held_out[0][chosen],))[0] if source.transform else source.held_out[0][chosen]
    probabilities = st.softmax(st.tensor(model.predict(inputs))).numpy()
    path = out / "predictions.png"
    st.view.plot_predictions(
        inputs, source.held_out[1][chosen], None, probabilities, source.classes, path, title=f"{title}: held-out images"
    )
    click.echo(f"drew {path}")


def bar(items: Iterable[Any], count: int) -> Iterator[Any]:
    """Go through items with a bar on a terminal, without one elsewhere."""
    from rich.progress import track

    if not sys.stdout.isatty():
        yield from items
        return
    yield from track(items, "reading", count, transient=True)
