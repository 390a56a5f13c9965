"""Whole models in one file: the weights, and the configuration that they belong to."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from septet.base.errors import FileFormatError, SeptetError
from septet.io.weights import load_arrays, save_weights
from septet.nn.config import from_config, to_config
from septet.nn.module import Module

KEYS = ("model", "input_shape", "input_dtype")


def save_model(
    model: Module, path: str | os.PathLike[str], example: Any, metadata: Mapping[str, Any] | None = None
) -> None:
    """Write a model of Septet's own layers so that `load_model` can make it again.

    Parameters
    ----------
    model : Module
    path : str or path
        A safetensors file; it appears whole or not at all.
    example : array-like, (B, ...)
        An input: its shape without the batch and its dtype are kept.
    metadata : mapping, optional
        More to keep, such as the names of the classes; anything that JSON can hold.

    Raises
    ------
    NotSupportedError
        If the model holds classes or functions of your own.
    """
    array = np.asarray(example)
    own = dict(zip(KEYS, (to_config(model), list(array.shape[1:]), array.dtype.name), strict=True))
    save_weights(model, path, {**(metadata or {}), **own})


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
        model.build_for(np.zeros((1, *metadata["input_shape"]), metadata["input_dtype"]))
        model.load_state_dict(arrays)
    except (SeptetError, TypeError, ValueError) as error:
        raise FileFormatError(f"{name}: {getattr(error, 'message', error)}") from error
    return model.eval(), metadata
