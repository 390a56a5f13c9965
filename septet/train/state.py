"""What a training depends on beside its weights: where the data stands, and the generators of random numbers."""

from __future__ import annotations

import itertools
import random
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from septet.base.errors import FileFormatError
from septet.nn.module import Module
from septet.tensor.generator import Generator, default_generator

WAYS = (("state_dict", "load_state_dict"), ("state", "restore"))
"""How streams call saying where they stand, and going there."""


def data_state(batches: Any) -> Any:
    """Return where batches stand, as plain values; None where they cannot say."""
    for get, _ in WAYS:
        if callable(getattr(batches, get, None)):
            return getattr(batches, get)()
    return None


def restore_data(batches: Any, state: Any) -> None:
    """Go where the same batches stood; those that cannot are gone through again (see `skipping`)."""
    for get, put in WAYS:
        if state is not None and callable(getattr(batches, get, None)):
            getattr(batches, put)(state)
            return


def skipping(batches: Any, count: int) -> Iterator[Any]:
    """Go through an epoch without its first batches, where the batches have not gone there by themselves."""
    state = data_state(batches) if count else None
    if count and state is None:
        return itertools.islice(iter(batches), count, None)
    if count and isinstance(state, dict) and state.get("position", state.get("batch")) == 0:
        return iter(())  # all batches of the epoch were given: the stream stands at the next one
    return iter(batches)


def random_state(model: Module | None) -> dict[str, np.ndarray]:
    """Return the states of all generators of random numbers: Septet's, the model's own, Python's and NumPy's."""
    _, words, gauss = random.getstate()
    found = {"septet": default_generator.get_state(), "python": np.array(words, np.uint64)}
    found["python.gauss"] = np.array([] if gauss is None else [gauss], np.float64)
    if "numpy.random" in sys.modules:
        _, keys, position, has_gauss, cached = np.random.get_state()
        found["numpy"] = np.array([*keys, position], np.uint64)
        found["numpy.gauss"] = np.array([cached] if has_gauss else [], np.float64)
    return found | {f"model.{path}": generator.get_state() for path, generator in _own_generators(model)}


def restore_random_state(model: Module | None, state: dict[str, np.ndarray]) -> None:
    """Set all generators of random numbers to the states that `random_state` returned.

    Raises
    ------
    FileFormatError
        If the model has other generators.
    """
    own = {f"model.{path}": generator for path, generator in _own_generators(model)}
    different = sorted(set(own) ^ {name for name in state if name.startswith("model.")})
    if different:
        raise FileFormatError(f"the model has other generators of random numbers: {', '.join(different)}")
    default_generator.set_state(state["septet"])
    gauss = state["python.gauss"]
    random.setstate((3, tuple(int(word) for word in state["python"]), float(gauss[0]) if gauss.size else None))
    if "numpy" in state:
        keys, gauss = state["numpy"], state["numpy.gauss"]
        cached = float(gauss[0]) if gauss.size else 0.0
        np.random.set_state(("MT19937", keys[:-1].astype(np.uint32), int(keys[-1]), int(gauss.size), cached))
    for name, generator in own.items():
        generator.set_state(state[name])


def _own_generators(model: Module | None) -> Iterator[tuple[str, Generator]]:
    """Go through the generators that modules hold, but for the default one."""
    seen = {id(default_generator)}
    for path, module in model.named_modules() if model is not None else ():
        for name, value in vars(module).items():
            if isinstance(value, Generator) and id(value) not in seen:
                seen.add(id(value))
                yield f"{path}.{name}".lstrip("."), value
