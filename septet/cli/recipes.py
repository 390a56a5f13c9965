"""The main job: one small convolutional network, trained on real images in three styles to the same losses."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

import septet as st
from septet import nn, optim
from septet.base.errors import ArgumentError
from septet.data.stream import Batches
from septet.train.fit import History, Means, evaluate, fit
from septet.train.progress import Progress

STYLES = ("define-by-run", "symbolic", "fit")
SETS = ("digits", "fashion-mnist")


def network(name: str) -> nn.Module:
    """Return the network for a data set: two convolutions with pooling, and two dense layers."""
    if name not in SETS:
        raise ArgumentError(f"there is no recipe for {name!r}; there are {', '.join(SETS)}")
    width = 16
    return nn.Sequential(
        nn.Conv2D(width, 3, padding="same"),
        nn.ReLU(),
        nn.MaxPool2D(2),
        nn.Conv2D(2 * width, 3, padding="same"),
        nn.ReLU(),
        nn.MaxPool2D(2),
        nn.Flatten(),
        nn.Dense(64),
        nn.ReLU(),
        nn.Dense(10),
    )


def load(
    name: str, folder: str | None
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray], list[str]]:
    """Return training data, held-out data and the names of the classes."""
    if name == "digits":
        return st.data.load_digits(split="train"), st.data.load_digits(split="test"), [str(i) for i in range(10)]
    train = st.data.load_fashion_mnist(split="train", folder=folder)
    test = st.data.load_fashion_mnist(split="test", folder=folder)
    return train, test, list(st.data.class_names(name))


def train(
    style: str, model: nn.Module, data: Any, held_out: Any, *, epochs: int, batch_size: int, seed: int,
    learning_rate: float = 1e-3, verbose: bool = True, on_epoch: Callable[[dict[str, float]], Any] | None = None,
) -> History:  # fmt: skip
    """Train a model in one of the `STYLES`.

    Parameters
    ----------
    style : str
    model : Module
    data, held_out : (images, labels)
    epochs, batch_size, seed : int
    learning_rate : float
    verbose : bool
    on_epoch : callable, optional
        Called with the row of each finished epoch.

    Returns
    -------
    History
    """
    model(data[0][:1])
    if style == "fit":
        return fit(
            model, data, epochs, validation=held_out, batch_size=batch_size, seed=seed, learning_rate=learning_rate,
            verbose=verbose, on_epoch=on_epoch,
        )  # fmt: skip
    if style not in STYLES:
        raise ArgumentError(f"there is no style {style!r}; the styles are {', '.join(STYLES)}")
    optimizer = optim.Adam(model.parameters(), learning_rate)
    step = symbolic_step(model, optimizer, data[0].shape[1:]) if style == "symbolic" else eager_step(model, optimizer)
    batches = Batches(data, batch_size=batch_size, shuffle=True, seed=seed)
    progress = Progress(epochs, len(batches))
    history = History()
    try:
        for epoch in range(1, epochs + 1):
            started, means = time.perf_counter(), Means()
            model.train()
            if verbose:
                progress.start(epoch)
            for images, labels in batches:
                loss, accuracy = step(images, labels)
                means.add({"loss": float(loss), "accuracy": float(accuracy)}, len(images))
                progress.step(means.values())
            tested = evaluate(model, held_out)
            row = {"epoch": epoch, **means.values(), **{f"val_{k}": v for k, v in tested.items()}}
            row["seconds"] = time.perf_counter() - started
            history.append(row)
            if verbose:
                progress.end(row)
            if on_epoch is not None:
                on_epoch(row)
    except KeyboardInterrupt:
        if verbose:
            print(f"stopped by hand after {len(history)} whole epochs; the model keeps what it learned", flush=True)
    finally:
        progress.stop()
        model.eval()
    return history


def eager_step(model: nn.Module, optimizer: optim.Optimizer) -> Callable[[Any, Any], tuple[Any, Any]]:
    """Return a training step in define-by-run style."""

    def step(images: Any, labels: Any) -> tuple[Any, Any]:
        logits = model(images)
        loss = nn.losses.cross_entropy(logits, labels)
        loss.backward()
        optimizer.step()
        return loss, st.metrics.accuracy(logits, st.tensor(labels))

    return step


def symbolic_step(model: nn.Module, optimizer: optim.Optimizer, shape: tuple[int, ...]) -> Callable[..., Any]:
    """Return a training step as a symbolic function with updates."""
    images = st.symbol("images", (None, *shape))
    labels = st.symbol("labels", (None,), "int64")
    logits = model(images)
    loss = nn.losses.cross_entropy(logits, labels)
    accuracy = st.metrics.accuracy(logits, labels)
    return st.function([images, labels], [loss, accuracy], updates=optimizer.updates(loss), name="train_step")
