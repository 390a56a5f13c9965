"""The main job: one small convolutional network, trained on real images in three styles to the same losses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import septet as st
from septet import nn, optim
from septet.base.errors import ArgumentError
from septet.data.stream import Batches
from septet.train import History, Loop, Progress, Validation, evaluate, fit
from septet.train.extension import as_extensions

Step = Callable[[Any, Any], dict[str, Any]]

STYLES = ("define-by-run", "symbolic", "fit")
SETS = ("digits", "fashion-mnist")


def network(name: str) -> nn.Module:
    """Return the network for a data set: two convolutions with pooling, and two dense layers."""
    if name not in SETS:
        raise ArgumentError(f"there is no recipe for {name!r}; there are {', '.join(SETS)}")
    return two_convolutions(10)


def two_convolutions(outputs: int) -> nn.Module:
    """Return a network for small images: two convolutions with pooling, and two dense layers."""
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
        nn.Dense(outputs),
    )


def four_stages(outputs: int) -> nn.Module:
    """Return a network for pictures: four convolutions with normalization and pooling, and a dense layer.

    What a class is known by may be anywhere in a picture, so the last pooling takes the largest value of each channel.
    """
    layers: list[nn.Module] = []
    for width in (16, 32, 64, 128):
        layers += [nn.Conv2D(width, 3, padding="same", use_bias=False), nn.BatchNorm(), nn.ReLU(), nn.MaxPool2D(2)]
    return nn.Sequential(*layers, nn.GlobalMaxPool(), nn.Dense(outputs))


def two_dense(outputs: int) -> nn.Module:
    """Return a network for anything: two dense layers with a nonlinearity between, and one for the outputs."""
    return nn.Sequential(nn.Flatten(), nn.Dense(64), nn.ReLU(), nn.Dense(64), nn.ReLU(), nn.Dense(outputs))


NETWORKS: dict[str, Callable[[int], nn.Module]] = {
    "small-convnet": two_convolutions,
    "convnet": four_stages,
    "dense": two_dense,
}


def train(
    style: str, model: nn.Module, data: Any, held_out: Any, *, epochs: int, batch_size: int, seed: int,
    learning_rate: float = 1e-3, verbose: bool = True, callbacks: Any = (),
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
    callbacks : sequence of Extension or callable

    Returns
    -------
    History
    """
    if style not in STYLES:
        raise ArgumentError(f"there is no style {style!r}; the styles are {', '.join(STYLES)}")
    model.build_for(data[0][:1])
    if style == "fit":
        return fit(
            model, data, epochs, validation=held_out, batch_size=batch_size, seed=seed, learning_rate=learning_rate,
            verbose=verbose, callbacks=callbacks,
        )  # fmt: skip
    optimizer = optim.Adam(model.parameters(), learning_rate)
    make = {"define-by-run": eager_step, "symbolic": symbolic_step}[style]
    batches = Batches(data, batch_size=batch_size, shuffle=True, seed=seed)
    extensions = [Validation(lambda: evaluate(model, held_out)), *as_extensions(callbacks)]
    step = make(model, optimizer, data[0].shape[1:])
    loop = Loop(
        step, batches, model=model, optimizer=optimizer, extensions=[*extensions, Progress()] if verbose else extensions
    )
    return loop.run(epochs)


def eager_step(model: nn.Module, optimizer: optim.Optimizer, shape: tuple[int, ...]) -> Step:
    """Return a training step in define-by-run style: any Python, gradients by tape.

    It is compiled from its first step on, as the other styles are: interpreted steps differ from compiled ones in last
    bits, Adam's first steps follow the sign of gradients near 0, and the three styles would part.
    """

    def step(images: Any, labels: Any) -> dict[str, Any]:
        with st.config.override(tier="compile"):
            values = measures(model, images, st.tensor(labels))
            values["loss"].backward()
            optimizer.step()
            st.evaluate(*values.values())
        return values

    return step


def symbolic_step(model: nn.Module, optimizer: optim.Optimizer, shape: tuple[int, ...]) -> Step:
    """Return a training step in symbolic style: a graph of symbols, made a function with updates."""
    images = st.symbol("images", (None, *shape))
    labels = st.symbol("labels", (None,), "int64")
    values = measures(model.train(), images, labels)
    return st.function([images, labels], values, updates=optimizer.updates(values["loss"]), name="train_step")


def measures(model: nn.Module, images: Any, labels: st.Tensor) -> dict[str, st.Tensor]:
    """Return the loss and the accuracy of a model on a batch."""
    logits = model(images)
    return {"loss": nn.losses.cross_entropy(logits, labels), "accuracy": st.metrics.accuracy(logits, labels)}
