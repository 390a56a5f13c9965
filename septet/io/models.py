"""Whole models in one file: the weights, and the configuration that they belong to."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from septet.base import dtypes
from septet.base.errors import ArgumentError, FileFormatError, SeptetError
from septet.io.weights import load_arrays, save_weights
from septet.nn.config import from_config, to_config
from septet.nn.module import Module

KEYS = ("model", "input_shape", "input_dtype")
MORE = "more_inputs"
"""Shapes and dtypes of the second input and those after it, where there are any."""


def save_model(
    model: Module, path: str | os.PathLike[str], example: Any = None, metadata: Mapping[str, Any] | None = None
) -> None:
    """Write a model of Septet's own layers so that `load_model` can make it again.

    Parameters
    ----------
    model : Module
    path : str or path
        A safetensors file; it appears whole or not at all.
    example : array-like, (B, ...), or tuple of them, optional
        An input, or all: shapes without the batch and dtypes are kept. By default those of the model's first call.
    metadata : mapping, optional
        More to keep, such as the names of the classes; anything that JSON can hold.

    Raises
    ------
    NotSupportedError
        If the model holds classes or functions of your own.
    ArgumentError
        If the model has seen no input, or inputs that are no tensors with a batch.
    """
    config = to_config(model)
    inputs = _inputs(model, example)
    own = dict(zip(KEYS, (config, *inputs[0]), strict=True))
    save_weights(model, path, {**(metadata or {}), **own, **({MORE: inputs[1:]} if inputs[1:] else {})})


def load_model(path: str | os.PathLike[str]) -> tuple[Module, dict[str, Any]]:
    """Make the model of a file, in evaluation mode.

    Returns
    -------
    (Module, dict)
        The model, and the metadata; ``metadata["input_shape"]`` is the shape of one input.

    Raises
    ------
    FileFormatError
        If the file is damaged, or holds weights without a model.
    """
    arrays, metadata = load_arrays(path)
    name = os.fspath(path)
    missing = [key for key in KEYS if key not in metadata]
    if missing:
        raise FileFormatError(
            f"{name} holds {len(arrays)} tensors, but no model that they belong to; missing: {', '.join(missing)}",
            hint="make the model in code and use load_weights; save_model and `septet train` write whole models",
        )
    try:
        model = from_config(metadata["model"])
        inputs = [(metadata["input_shape"], metadata["input_dtype"]), *metadata.get(MORE, ())]
        model.build_for(*[np.zeros((1, *shape), dtypes.as_dtype(dtype)) for shape, dtype in inputs])
        model.load_state_dict(arrays)
    except (SeptetError, TypeError, ValueError) as error:
        raise FileFormatError(f"{name}: {getattr(error, 'message', error)}") from error
    return model.eval(), metadata


def _inputs(model: Module, example: Any) -> list[tuple[list[int], str]]:
    """Return shapes without the batch, and dtypes, of the inputs of a model."""
    values = model.input_types() if example is None else example if isinstance(example, tuple) else (example,)
    if not values:
        raise ArgumentError(
            f"save_model: {type(model).__name__} has not seen an input yet", hint="call it once, or give an example"
        )
    found = []
    for value in values:
        known = value if hasattr(value, "shape") and hasattr(value, "dtype") else np.asarray(value)
        if not known.shape or None in known.shape[1:] or known.dtype.kind == "O":
            raise ArgumentError(
                f"save_model: an input must be a tensor whose first axis is the batch, got {value!r}",
                hint="give an example: save_model(model, path, example)",
            )
        found.append((list(known.shape[1:]), known.dtype.name))
    return found
