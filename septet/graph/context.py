"""What recording depends on, per thread: whether gradients are on, the layer path, the trace that is under way."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

TRACKED = 1  # a gradient can flow through the node
SYMBOLIC = 2  # the node depends on a symbol, so that it has no value yet
SPENT = 4  # it was differentiated: its value need not be kept for that any more; a node does not hand this on
ALL_FLAGS = TRACKED | SYMBOLIC


class Changes:
    """Tells when Python state that traced functions read has changed: while the stamp stays, what was traced holds.

    Attributes
    ----------
    stamp : object
        Another one after every change of such state, in any thread; only its identity counts.
    """

    __slots__ = ("stamp",)

    def __init__(self) -> None:
        self.stamp = object()


changes = Changes()


class Context(threading.local):
    """The state of recording in one thread.

    Attributes
    ----------
    mask : int
        The flags that a new node may take over from its inputs; `no_grad` removes TRACKED.
    layers : tuple of str
        The path of the layer that is being applied.
    trace : object or None
        The innermost trace of a Python function that is under way.
    limit : int
        The serial number of a node at which the pending graph is evaluated by itself.
    """

    def __init__(self) -> None:  # called in each thread: `__dict__` holds all of them, which the recorder reads at once
        self.mask = ALL_FLAGS
        self.layers: tuple[str, ...] = ()
        self.trace: Any = None
        self.limit = 0


context = Context()


@contextmanager
def recording(tracked: bool) -> Iterator[None]:
    """Switch the tracking of gradients on or off in this thread."""
    before = context.mask
    context.mask = ALL_FLAGS if tracked else SYMBOLIC
    try:
        yield
    finally:
        context.mask = before


@contextmanager
def layer(name: str) -> Iterator[None]:
    """Add a layer's name to the path that errors and pictures show for the nodes made inside."""
    before = context.layers
    context.layers = (*before, name)
    try:
        yield
    finally:
        context.layers = before
