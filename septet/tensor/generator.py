"""Generator: where random numbers come from. A seed and the number of the next draw, kept in a Variable.

Each draw takes the state (seed, n) and leaves (seed, n + 1), whatever the draw is of. So the numbers depend on the seed
and on the order of the draws, and on nothing else: define-by-run code, a compiled function and a symbolic one that draw
in the same order draw the same numbers, and a compiled function draws fresh ones at each call.
"""

from __future__ import annotations

import os
import threading
from typing import Any

import numpy as np

from septet.base import forks
from septet.base import random as philox
from septet.base.errors import ArgumentError, NotSupportedError, ShapeError
from septet.base.text import type_text
from septet.graph.context import context
from septet.graph.node import Node, constant
from septet.tensor.tensor import Tensor
from septet.tensor.variable import Variable
from septet.tensor.wrap import explained


class Generator:
    """A stream of random draws.

    Parameters
    ----------
    seed : int, optional
        From 0 to 2**64 - 1; drawn from the operating system if not given, and then readable as ``generator.seed``.
    name : str

    Attributes
    ----------
    state : Variable
        uint64[2], role "random": seed and number of the next draw. Saved with a model, a run goes on as if it had not
        stopped.

    Raises
    ------
    ArgumentError
        If the seed is no integer in that range.

    Examples
    --------
    >>> import septet as st
    >>> g = st.random.Generator(7)
    >>> a = st.random.uniform((2,), generator=g)
    >>> g.reseed(7)
    >>> bool((a == st.random.uniform((2,), generator=g)).all())
    True
    """

    __slots__ = ("_lock", "state")

    @explained
    def __init__(self, seed: int | None = None, name: str = "generator") -> None:
        self.state = Variable(philox.make_state(_entropy() if seed is None else seed), name, role="random")
        self._lock = forks.hold(threading.Lock(), forks.DRAWS)

    @property
    def seed(self) -> int:
        """The seed."""
        return int(self.state.current()[0])

    @property
    def draws(self) -> int:
        """The number of the next draw; it starts at 0 when a seed is set."""
        return int(self.state.current()[1])

    @explained
    def reseed(self, seed: int | None = None) -> None:
        """Start again from a seed.

        Raises
        ------
        NotSupportedError
            Inside a traced function, which would start again at each call.
        """
        self._refuse_trace()
        self.state.store(philox.make_state(_entropy() if seed is None else seed))

    @explained
    def get_state(self) -> np.ndarray:
        """Return the state as an array of your own: uint64[2], seed and number of the next draw."""
        self._refuse_trace()
        return np.array(self.state.current())

    @explained
    def set_state(self, state: Any) -> None:
        """Take over a state that `get_state` returned.

        Raises
        ------
        ShapeError
            If it is not a pair.
        ArgumentError
            If it does not hold integers from 0 to 2**64 - 1.
        """
        self._refuse_trace()
        array = np.asarray(state)
        if array.shape != (2,):
            raise ShapeError(f"a state is uint64[2], seed and draw number, got {type_text(array)}")
        if array.dtype.kind not in "iu":
            raise ArgumentError(f"a state holds integers, got {type_text(array)}")
        self.state.store(philox.make_state(int(array[0]), int(array[1])))

    @explained
    def split(self, count: int = 2) -> list[Generator]:
        """Return generators whose draws have nothing to do with each other's nor with this one's; it counts as one
        draw.

        Raises
        ------
        NotSupportedError
            Inside a traced function; `split_state` derives states there.
        """
        self._refuse_trace()
        states = philox.split(self.draw_state().value, count)
        result = []
        for index, state in enumerate(states):
            generator = Generator(0, f"{self.state.name}[{index}]")
            generator.set_state(state)
            result.append(generator)
        return result

    def draw_state(self) -> Node:
        """Return the state of the next draw and move on by one."""
        if context.trace is not None:
            node = self.state.node
            self.state.assign(Tensor(node + constant(np.array([0, 1], np.uint64))))
            return node
        with self._lock:
            state = self.state.current()
            after = state.copy()
            after[1:] += np.uint64(1)
            self.state.store(after)
        return constant(state)

    def _refuse_trace(self) -> None:
        if context.trace is not None:
            raise NotSupportedError(
                "inside a traced function it would happen once, while the graph is built",
                hint="call it outside; states that depend on tensors come from st.random.fold_in and "
                "st.random.split_state",
            )

    def __repr__(self) -> str:
        return f"Generator(seed={self.seed}, draws={self.draws})"

    def __getstate__(self) -> Any:
        return self.state.name, self.get_state()

    def __setstate__(self, saved: Any) -> None:
        name, state = saved
        self.state = Variable(state, name, role="random")
        self._lock = forks.hold(threading.Lock(), forks.DRAWS)


def _entropy() -> int:
    return int.from_bytes(os.urandom(8), "little")


default_generator = Generator(name="random")
"""What draws where no generator is given; its seed comes from the operating system until `seed` sets it."""


def state_of(generator: Any) -> Node:
    """Return the state of a draw: from the default generator, a generator, or a state itself.

    Raises
    ------
    ArgumentError
        If it is neither.
    """
    if generator is None:
        return default_generator.draw_state()
    if isinstance(generator, Generator):
        return generator.draw_state()
    if isinstance(generator, Tensor):
        return generator.node
    if isinstance(generator, np.ndarray):
        return constant(np.array(generator))
    raise ArgumentError(
        f"generator must be a Generator or a state (uint64[2]), got {generator!r}", hint="st.random.Generator(seed)"
    )


__all__ = ["Generator", "default_generator", "state_of"]
