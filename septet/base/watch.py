"""Watching: who wants to know what the process does, and for how long. With nobody watching it costs next to nothing.

Whatever takes time worth knowing is told to the observers as an event: a kind, a name, when it began and ended, and
something that says more about it. Events of one thread lie inside of each other, or apart.
"""

from __future__ import annotations

import threading
from time import perf_counter_ns
from typing import Any, NamedTuple, Protocol

from septet.base import forks

EVALUATE, RUN, NODE, KERNEL, LIBRARY, PYTHON, TRACE, DIFFERENTIATE, OPTIMIZE, PLAN, CODE = (
    "evaluate", "run", "node", "kernel", "library", "python", "trace", "differentiate", "optimize", "plan", "code",
)  # fmt: skip
"""Kinds of events. What runs: an evaluation of define-by-run code, a program as a whole, a node that is computed with
its reference, and the steps of a native program (a kernel of our own, a library, a node in Python between them). What
is made before: tracing a Python function, differentiating, optimizing, planning memory and steps, machine code."""


class Event(NamedTuple):
    """Something that took time.

    Attributes
    ----------
    kind : str
        One of the constants of this module.
    name : str
    start, end : int
        Nanoseconds of `time.perf_counter_ns`.
    thread : int
        The number of the thread.
    thread_name : str
    detail : object
        A node, or the work of a native program, or None.
    """

    kind: str
    name: str
    start: int
    end: int
    thread: int
    thread_name: str
    detail: Any = None


class Observer(Protocol):
    """Takes events; it is called by the thread in which something happened."""

    def take(self, event: Event) -> None:
        """Take one event."""


class Watch:
    """Who watches.

    Attributes
    ----------
    observers : tuple of Observer
    """

    __slots__ = ("observers",)

    def __init__(self) -> None:
        self.observers: tuple[Observer, ...] = ()


watch = Watch()
_lock = forks.hold(threading.Lock())


def add(observer: Observer) -> None:
    """Let an observer watch."""
    with _lock:
        watch.observers = (*watch.observers, observer)


def remove(observer: Observer) -> None:
    """End the watching of an observer."""
    with _lock:
        watch.observers = tuple([own for own in watch.observers if own is not observer])


def tell(kind: str, name: str, start: int, end: int, detail: Any = None) -> None:
    """Tell all observers of an event in this thread."""
    thread = threading.current_thread()
    event = Event(kind, name, start, end, threading.get_ident(), thread.name, detail)
    for observer in watch.observers:
        observer.take(event)


class span:
    """An event as a ``with`` block."""

    __slots__ = ("_detail", "_kind", "_name", "_start")

    def __init__(self, kind: str, name: str, detail: Any = None) -> None:
        self._kind = kind
        self._name = name
        self._detail = detail

    def __enter__(self) -> None:
        self._start = perf_counter_ns() if watch.observers else 0

    def __exit__(self, *error: object) -> None:
        if self._start and watch.observers:
            tell(self._kind, self._name, self._start, perf_counter_ns(), self._detail)
