"""What the makers of golden values from PyTorch and Keras share: recording a case of PyTorch or Keras, and files.

Weights are stored under the paths that they have in Septet, and in its layout: kernels (inputs, outputs), the gates of
a GRU in the order z, r, n. The loss is the sum of the outputs times their seeds.

    CASE/x  CASE/memory ...     inputs, under the names of Septet's arguments
    CASE/w/PATH                 weights
    CASE/y  CASE/seed           the output, what it is multiplied by; of further outputs y1, seed1 ...
    CASE/gx  CASE/gi/NAME       gradients of the first input and of all others that are floats
    CASE/g/PATH                 gradients of the weights
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).resolve().parents[1] / "tests" / "golden"
RNG = np.random.default_rng(7)

Arrays = dict[str, np.ndarray]


def draw(*shape: int) -> np.ndarray:
    """Return normal numbers."""
    return RNG.normal(size=shape).astype(np.float32)


def gates(matrix: np.ndarray, order: tuple[int, ...], axis: int = -1) -> np.ndarray:
    """Put the gates along an axis into another order."""
    parts = np.split(matrix, len(order), axis)
    return np.concatenate([parts[index] for index in order], axis)


def take(parameter: Any, kind: str) -> np.ndarray:
    """Return the gradient of a parameter of PyTorch (kind "g") or its value (kind "w")."""
    return (parameter.grad if kind == "g" else parameter.detach()).numpy()


def put(values: Arrays, name: str, found: Arrays) -> None:
    """Add arrays to those of a case, floats in single precision."""
    for key, array in found.items():
        array = np.asarray(array)
        values[f"{name}/{key}"] = array.astype(np.float32) if array.dtype.kind == "f" else array


def parts_of(outputs: Any) -> list[Any]:
    """Return the tensors of an output in their order: one, or nested tuples."""
    return [one for part in outputs for one in parts_of(part)] if isinstance(outputs, (tuple, list)) else [outputs]


def numbered(key: str, arrays: list[Any]) -> Arrays:
    """Return arrays under a key, the second one under key1 ..."""
    return {f"{key}{index or ''}": array for index, array in enumerate(arrays)}


def gradients_of(inputs: Arrays, gradients: Arrays) -> Arrays:
    """Return the gradients of inputs under the names that they have in a file."""
    first = next(iter(inputs))
    return {"gx" if name == first else f"gi/{name}": gradient for name, gradient in gradients.items()}


def randomize(module: Any) -> Any:
    """Give the parameters of a module of PyTorch values that differ, and that single precision holds exactly."""
    import torch

    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.tensor(0.5 * draw(*parameter.shape)))
    return module


def record_torch(
    values: Arrays, name: str, run: Callable[..., Any], weights_of: Callable[[str], Arrays], **inputs: np.ndarray
) -> None:
    """Record `run(**inputs)`, computed in double precision.

    Parameters
    ----------
    values : dict
        Where the arrays of the case are added.
    name : str
    run : callable
        Takes tensors, returns one or nested tuples of them.
    weights_of : callable
        Takes "w" or "g", returns the weights or their gradients under Septet's paths.
    **inputs
        The first one is x.
    """
    import torch

    given = {
        key: torch.tensor(array.astype(float), requires_grad=True) if array.dtype.kind == "f" else torch.tensor(array)
        for key, array in inputs.items()
    }
    outputs = parts_of(run(**given))
    seeds = [draw(*y.shape) for y in outputs]
    sum((y * torch.tensor(seed)).sum() for y, seed in zip(outputs, seeds, strict=True)).backward()
    put(values, name, inputs | numbered("y", [y.detach().numpy() for y in outputs]) | numbered("seed", seeds))
    floating = {key: take(x, "g") for key, x in given.items() if x.requires_grad}
    put(values, name, gradients_of(inputs, floating))
    for kind in ("w", "g"):
        put(values, name, {f"{kind}/{path}": array for path, array in weights_of(kind).items()})


def record_keras(
    values: Arrays, name: str, layer: Any, paths: list[str], run: Callable[..., Any] | None = None, *,
    move: Callable[[str, np.ndarray], np.ndarray] | None = None, **inputs: np.ndarray,
) -> None:  # fmt: skip
    """Record a layer of Keras.

    Parameters
    ----------
    values : dict
    name : str
    layer : keras.Layer
    paths : list of str
        Septet's paths of its weights, in the order of `layer.weights`.
    run : callable, optional
        What computes the outputs from the inputs; by default the layer.
    move : callable, optional
        Takes a path and a weight or its gradient, and brings it into Septet's layout.
    **inputs
        The first one is x.
    """
    import tensorflow as tf

    run = layer if run is None else run
    given = {key: tf.constant(array) for key, array in inputs.items()}
    run(**given)  # builds the layer
    for weight in layer.weights:
        weight.assign(0.5 * draw(*weight.shape))
    floating = [key for key, array in inputs.items() if array.dtype.kind == "f"]
    with tf.GradientTape() as tape:
        tape.watch([given[key] for key in floating])
        outputs = parts_of(run(**given))
        seeds = [draw(*y.shape) for y in outputs]
        loss = sum(tf.reduce_sum(y * seed) for y, seed in zip(outputs, seeds, strict=True))
    sources = [*(given[key] for key in floating), *(weight.value for weight in layer.weights)]
    gradients = [np.asarray(tf.convert_to_tensor(gradient)) for gradient in tape.gradient(loss, sources)]
    put(values, name, inputs | numbered("y", [y.numpy() for y in outputs]) | numbered("seed", seeds))
    put(values, name, gradients_of(inputs, dict(zip(floating, gradients, strict=False))))
    of_weights = gradients[len(floating) :]
    for path, weight, gradient in zip(paths, layer.weights, of_weights, strict=True):
        for kind, array in (("w", weight.numpy()), ("g", gradient)):
            put(values, name, {f"{kind}/{path}": array if move is None else move(path, array)})


def write(makers: dict[str, Sequence[Callable[[Arrays], None]]], name: str) -> None:
    """Write the file of the framework that the command line names, which stands for the braces in its name.

    The makers of a framework record their cases one after the other: those of PyTorch in double precision.
    """
    framework = sys.argv[1]
    if framework == "torch":
        import torch

        torch.set_default_dtype(torch.float64)
    values: Arrays = {}
    for make in makers[framework]:
        make(values)
    file = FOLDER / f"{name.format(framework)}.npz"
    file.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(file, **values)
    print(f"{file.name}: {len(values)} arrays, {file.stat().st_size} bytes")
