"""The command `septet`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click
import numpy as np

import septet as st
from septet import nn
from septet.backends.cpu import libraries, objects
from septet.base.config import config
from septet.base.errors import NotSupportedError, SeptetError
from septet.base.threads import explain
from septet.cli import recipes
from septet.train.callbacks import Callback, JsonLines


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(st.__version__, prog_name="septet")
def septet() -> None:
    """Septet: deep learning in Python."""


@septet.command()
@click.argument("dataset", type=click.Choice(recipes.SETS))
@click.option(
    "--style", type=click.Choice(recipes.STYLES), default="fit", show_default=True, help="How to write the training."
)
@click.option(
    "--epochs", type=click.IntRange(1), default=None, help="Passes over the data (digits: 15, fashion-mnist: 3)."
)
@click.option(
    "--batch-size", type=click.IntRange(1), default=None, help="Images in a batch (digits: 32, fashion-mnist: 128)."
)
@click.option("--learning-rate", type=click.FloatRange(0), default=1e-3, show_default=True)
@click.option(
    "--seed", type=click.IntRange(0, 2**64 - 1), default=0, show_default=True,
    help="Of the first weights and the order of the data.",
)  # fmt: skip
@click.option("--data", "folder", type=click.Path(), default=None, help="Folder with the data set's files.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=None, help="Folder for the results.")
@click.option("--limit", type=click.IntRange(1), default=None, help="Train on this many images only.")
def train(
    dataset: str, style: str, epochs: int | None, batch_size: int | None, learning_rate: float, seed: int,
    folder: str | None, out: Path | None, limit: int | None,
) -> None:  # fmt: skip
    """Train a small convolutional network on real images, test it, and draw what it learned."""
    is_digits = dataset == "digits"
    epochs = epochs or (15 if is_digits else 3)
    batch_size = batch_size or (32 if is_digits else 128)
    out = out or Path(f"septet-{dataset}")
    data, held_out, names = recipes.load(dataset, folder)
    if limit:
        data = (data[0][:limit], data[1][:limit])
    out.mkdir(parents=True, exist_ok=True)
    st.random.seed(seed)
    model = recipes.network(dataset)
    click.echo(f"{dataset}: {len(data[0])} images to train on, {len(held_out[0])} held out; style {style}")
    saved = SaveModel(out / "model.safetensors", data[0][:1], {"dataset": dataset, "classes": names})
    history = recipes.train(
        style, model, data, held_out, epochs=epochs, batch_size=batch_size, seed=seed, learning_rate=learning_rate,
        callbacks=[saved, JsonLines(out / "log.jsonl")],
    )  # fmt: skip
    saved.write(model)  # a second Ctrl-C comes between the end of an epoch and its callbacks
    click.echo(f"saved {saved.path}")
    if history and "val_loss" in history[-1]:
        result = {"loss": history[-1]["val_loss"], "accuracy": history[-1]["val_accuracy"]}
    else:  # stopped inside an epoch
        result = model.evaluate(held_out)
    saved.write(model, result["accuracy"])
    click.echo(f"held-out accuracy {100 * result['accuracy']:.2f} %, loss {result['loss']:.4f}")
    try:
        _draw(out, history, model, held_out, names, dataset)
    except NotSupportedError as error:  # the training is done, and its results are there
        click.echo(f"no pictures: {error.message}")


class SaveModel(Callback):
    """Save the whole model after each epoch, so that whatever ends a training leaves a model to go on with.

    Parameters
    ----------
    path : path
    example : array, (1, C, H, W)
    metadata : dict
        The accuracy on held-out data, where it is known, is added.
    """

    def __init__(self, path: Path, example: Any, metadata: dict[str, Any]) -> None:
        self.path, self._example, self._metadata = path, example, metadata

    def on_epoch(self, model: nn.Module, row: dict[str, float]) -> None:
        self.write(model, row.get("val_accuracy"))

    def write(self, model: nn.Module, accuracy: float | None = None) -> None:
        """Write the file, whole or not at all."""
        known = {} if accuracy is None else {"accuracy": accuracy}
        st.io.save_model(model, self.path, self._example, {**self._metadata, **known})


def _draw(
    out: Path, log: list[dict[str, float]], model: nn.Module, held_out: Any, names: list[str], title: str
) -> None:
    """Draw the learning curve and a page of predictions."""
    if log:
        st.view.plot_curves(log, out / "curves.png", title=f"{title}: learning curve")
        click.echo(f"drew {out / 'curves.png'}")
    images, labels = held_out[0][:48], held_out[1][:48]
    probabilities = st.softmax(st.tensor(model.predict(images))).numpy()
    path = out / "predictions.png"
    st.view.plot_predictions(images, labels, None, probabilities, names, path, title=f"{title}: held-out images")
    click.echo(f"drew {path}")


@septet.command()
@click.argument("model", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("image", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--top", type=click.IntRange(1), default=3, show_default=True, help="How many classes to show.")
def predict(model: Path, image: Path, top: int) -> None:
    """Say what an image (PNG, JPEG or .npy) shows, with a model that `septet train` saved."""
    network, metadata = st.io.load_model(model)
    shape = tuple(metadata["input_shape"])
    loaded = st.view.load_image(image, shape, crop=metadata.get("dataset") == "digits")
    click.echo(loaded.note)
    probabilities = st.softmax(st.tensor(network.predict(loaded.pixels[None])))[0].numpy()
    names = metadata.get("classes") or [str(index) for index in range(len(probabilities))]
    for index in np.argsort(-probabilities)[:top]:
        click.echo(f"{names[index]:>12}  {100 * probabilities[index]:6.2f} %")


@septet.command()
def doctor() -> None:
    """Show versions, threads and settings."""
    import importlib.metadata
    import platform

    click.echo(f"septet {st.__version__}, Python {platform.python_version()}, {platform.platform()}")
    packages = "numpy ml-dtypes llvmlite scipy-openblas32 onednn-cpu-gomp safetensors rich click matplotlib pillow"
    for name in packages.split():
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            version = "not installed"
        click.echo(f"  {name}: {version}")
    click.echo(objects.current().status())
    click.echo("\n".join(libraries.status()))
    click.echo(explain())
    click.echo(config.table())


def main() -> None:
    """Run the command; errors of Septet and of the file system are told without a traceback."""
    try:
        septet()
    except SeptetError as error:
        click.echo(f"septet: {error}", err=True)
        if error.hint and error.hint not in str(error):
            click.echo(f"hint: {error.hint}", err=True)
        sys.exit(1)
    except OSError as error:
        place = f": {os.fsdecode(error.filename)}" if isinstance(error.filename, str | bytes) else ""
        click.echo(f"septet: {error.strerror or error}{place}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
