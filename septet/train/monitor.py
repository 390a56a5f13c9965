"""Watching tensors while training: norms, ranges, and whether they are finite."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import numpy as np

from septet.base.errors import ArgumentError, NotSupportedError
from septet.base.source import here, place_text
from septet.graph.context import context, recording
from septet.graph.op import ops
from septet.tensor.tensor import Tensor
from septet.tensor.variable import Variable
from septet.train.extension import Extension
from septet.train.values import PREFIX

if TYPE_CHECKING:
    from septet.train.loop import Loop


class Watching(threading.local):
    """Who collects tensors that are watched, in this thread."""

    collector: Collector | None = None


class Collector:
    """The tensors that were watched while a step was recorded."""

    def __init__(self) -> None:
        self.trace = context.trace
        self.values: dict[str, Tensor] = {}

    def add(self, name: str, tensor: Tensor) -> None:
        """Record norm, range and number of the elements that are not finite."""
        if name in self.values:
            raise ArgumentError(f"watch: two tensors are called {name!r}")
        with recording(False):
            wide = tensor.astype(np.float32)
            finite = ops.isfinite(wide.node)
            values = {
                "norm": (wide * wide).sum().sqrt(),
                "least": wide.min(),
                "greatest": wide.max(),
                "bad": Tensor(ops.sum(ops.cast(ops.logical_not(finite), dtype=np.dtype(np.float32)))),
            }
        self.values.update((f"{PREFIX}{name}/{key}", value) for key, value in values.items())


_watching = Watching()
places: dict[str, str] = {}
"""Where tensors are watched, by name."""


def described(name: str) -> str:
    """Return the name of a tensor that is watched, with the place where that is asked for."""
    return f"{name} ({places[name]})" if name in places else name


def watch(name: str, tensor: Tensor) -> Tensor:
    """Have norm, range and finiteness of a tensor measured in each training step; returns the tensor.

    Put it into the forward pass of a model, and `Monitor` among the extensions. Elsewhere it does nothing, and costs
    nothing.

    Parameters
    ----------
    name : str
    tensor : Tensor

    Raises
    ------
    NotSupportedError
        In the body of a loop or branch of a graph: return the tensor from it, and watch that.
    """
    collector = _watching.collector
    if collector is not None:
        if context.trace is not collector.trace:
            raise NotSupportedError(
                f"watch({name!r}) in the body of a loop or branch", hint="return the tensor, and watch it outside"
            )
        places[name] = place_text(here(2))
        collector.add(name, tensor)
    return tensor


@contextmanager
def collecting(is_on: bool) -> Iterator[dict[str, Tensor]]:
    """Collect what is watched inside of a block."""
    if not is_on:
        yield {}
        return
    before, collector = _watching.collector, Collector()
    _watching.collector = collector
    try:
        yield collector.values
    finally:
        _watching.collector = before


class Monitor(Extension):
    """Write norms and ranges of tensors to the log, and say which are not finite any more.

    Parameters
    ----------
    every : int
        At every so many steps.
    parameters : str or sequence of str
        Patterns of paths of parameters, such as ``"*.kernel"``.
    gradients : str or sequence of str
        Patterns of paths of parameters whose gradients are watched; `fit` and `Trainer` do so in the compiled step.
    histograms : bool
        Whether to write histograms of the parameters, too.
    """

    def __init__(
        self, every: int = 100, *, parameters: str | Sequence[str] = (), gradients: str | Sequence[str] = (),
        histograms: bool = False,
    ) -> None:  # fmt: skip
        if isinstance(every, bool) or not isinstance(every, int) or every < 1:
            raise ArgumentError(f"Monitor: every must be an integer of at least 1, got {every!r}")
        self.every, self.histograms = every, histograms
        self.parameters = (parameters,) if isinstance(parameters, str) else tuple(parameters)
        self.gradients = (gradients,) if isinstance(gradients, str) else tuple(gradients)
        self._said: set[str] = set()

    def on_start(self, loop: Loop) -> None:
        loop.watched = {}

    def on_batch(self, loop: Loop) -> None:
        if loop.step % self.every:
            return
        values = {name.removeprefix(PREFIX): value for name, value in (loop.watched or {}).items()}
        for name, variable in selected(loop.model, self.parameters):
            array = variable.current().astype(np.float64)
            values |= {f"{name}/norm": float(np.linalg.norm(array)), f"{name}/bad": float((~np.isfinite(array)).sum())}
            values |= {
                f"{name}/least": float(array.min(initial=np.inf)),
                f"{name}/greatest": float(array.max(initial=-np.inf)),
            }
            if self.histograms:
                loop.log.histogram(name, array)
        for name, value in values.items():
            what = name.removesuffix("/bad")
            if what != name and value and what not in self._said:
                self._said.add(what)
                loop.log.note(
                    f"{described(what)}: {value:.0f} elements are NaN or infinite; check_nan=True names the op"
                )
        loop.log.write("monitor", **{name: value for name, value in values.items() if not name.endswith("/bad")})


def selected(model: Any, patterns: Sequence[str]) -> list[tuple[str, Variable]]:
    """Return the parameters whose paths fit one of some patterns."""
    if model is None or not patterns:
        return []
    return [(path, p) for path, p in model.named_parameters() if any(fnmatchcase(path, each) for each in patterns)]
