"""Commands that show what was trained: `summary`, `view`, `board`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np

import septet as st
from septet import nn
from septet.base.errors import ArgumentError, MissingDataError, NotSupportedError
from septet.cli import experiment, recipes
from septet.cli.layers import read_layers
from septet.cli.machine import version_of
from septet.cli.train import LOG
from septet.cli.use import Trained, is_model, newest

PICTURES = ("graph", "curves", "filters", "weights")


@click.command(short_help="Show the layers of a model.")
@click.argument("what", required=False)
@click.option("--input", "shape", default=None, help="The shape of one input, such as 3,64,64, for a definition.")
def summary(what: str | None, shape: str | None) -> None:
    """Show the layers of a model: shapes, parameters, memory, operations.

    WHAT is a saved model or its folder, an experiment file, or the name of a network; by default the newest model here.
    """
    model, example = read_model(what, shape)
    click.echo(str(model.summary(input_shape=example.shape[1:], dtype=example.dtype)))


def read_model(what: str | None, shape: str | None) -> tuple[nn.Module, np.ndarray]:
    """Return a model and an example of its inputs, (1, ...).

    Raises
    ------
    ArgumentError
        If it is none of what `summary` takes, or a definition has no shape.
    """
    path = newest() if what is None else Path(what)
    if is_model(path):
        trained = Trained(path)
        about = trained.about
        return trained.model, np.zeros((1, *about["input_shape"]), about["input_dtype"])
    if path.suffix.lower() in experiment.SUFFIXES:
        section = experiment.read(path)["model"]
        name, layers = section["name"] or "convnet", section["layers"]
    else:
        name, layers = str(what), None
        if name not in recipes.NETWORKS:
            raise ArgumentError(
                f"there is no saved model, experiment file or network {name!r}; "
                f"the networks are {', '.join(recipes.NETWORKS)}"
            )
    if shape is None:
        raise ArgumentError("the sizes depend on the input: add --input, such as --input 3,64,64")
    try:
        sizes = [int(size) for size in shape.replace("x", ",").split(",")]
    except ValueError:
        raise ArgumentError(f"--input takes sizes such as 3,64,64, received {shape!r}") from None
    model = recipes.NETWORKS[name](10) if layers is None else read_layers(layers, f"{what}: model.layers")
    return model, np.zeros((1, *sizes), np.float32)


@click.command()
@click.argument("picture", type=click.Choice(PICTURES))
@click.argument("model", required=False, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), default=None, help="The file to write.")
def view(picture: str, model: Path | None, out: Path | None) -> None:
    """Draw a saved MODEL, by default the newest one here.

    \b
    graph     what it computes, as a page (.html) that folds, or a picture (.svg, .png, .pdf)
    curves    loss and accuracy of its training
    filters   of its first convolution
    weights   how the numbers of each variable are distributed
    """
    path = newest() if model is None else model
    trained = Trained(path)
    about = trained.about
    folder = trained.path.parent
    out = out or folder / f"{picture}.{'html' if picture == 'graph' else 'png'}"
    title = str(about.get("dataset", trained.path.stem))
    draw: dict[str, Callable[[], Any]] = {
        "graph": lambda: st.view.graph(
            trained.model, st.symbol("input", (None, *about["input_shape"]), about["input_dtype"])
        ),
        "curves": lambda: st.view.plot_curves(folder / LOG, title=f"{title}: learning curve"),
        "filters": lambda: st.view.plot_filters(trained.model, title=f"{title}: filters"),
        "weights": lambda: st.view.plot_histograms(trained.model, title=f"{title}: weights"),
    }
    draw[picture]().save(out)
    click.echo(f"drew {out}")


@click.command(short_help="Start TensorBoard on the runs here.")
@click.argument("folder", required=False, default=".", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--port", type=click.IntRange(0, 65535), default=6006, show_default=True)
def board(folder: Path, port: int) -> None:
    """Start TensorBoard on FOLDER, by default on the runs here; it ends with Ctrl-C."""
    if version_of("tensorboard") is None:
        raise NotSupportedError(
            "septet board needs TensorBoard, which is not installed: pip install septet[tensorboard]"
        )
    if not any(folder.rglob("*tfevents*")):
        raise MissingDataError(
            f"there is no event file of TensorBoard in {str(folder)!r} or below",
            hint="septet train writes one for each run, into its folder",
        )
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(folder), "--port", str(port)]
    try:
        raise SystemExit(subprocess.run(command).returncode)
    except KeyboardInterrupt:
        raise SystemExit(0) from None
