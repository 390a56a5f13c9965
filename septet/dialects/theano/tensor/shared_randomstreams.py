"""`theano.tensor.shared_randomstreams`: streams of NumPy's random numbers whose states are shared variables."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from septet.dialects.theano.sharing import Cell, CellVariable, shared, shared_constructor
from septet.dialects.theano.tensor import raw_random
from septet.dialects.theano.tensor.raw_random import random_state_type, state_of, words_of


class StateCell(Cell):
    """The place of a RandomState: its words are in a Variable of Septet.

    The object that programs see, and may seed in place, is always the same; what they did to it counts at the next
    call of a function.
    """

    _object: np.random.RandomState | None = None
    _is_lent = False
    _cell: Any = None

    @property
    def cell(self) -> Any:
        """The Variable that holds the words."""
        if self._is_lent:
            self._is_lent = False
            Cell.data.fset(self, words_of(self._object))  # type: ignore[attr-defined, arg-type]
        return self._cell

    @cell.setter
    def cell(self, value: Any) -> None:
        self._cell = value

    @property
    def data(self) -> Any:
        """The RandomState."""
        if self._cell is None:
            return None
        if not self._is_lent:
            now = state_of(self._cell.value)
            if self._object is None:
                self._object = now
            else:
                self._object.set_state(now.get_state())
            self._is_lent = True
        return self._object

    @data.setter
    def data(self, state: Any) -> None:
        if isinstance(state, np.random.RandomState):
            self._object = state
            state = words_of(state)
        self._is_lent = False
        Cell.data.fset(self, state)  # type: ignore[attr-defined]


class RandomStateSharedVariable(CellVariable):
    """A shared RandomState."""

    container_kind = StateCell


@shared_constructor
def randomstate_constructor(
    value: Any, name: str | None = None, strict: bool = False, allow_downcast: Any = None, borrow: bool = False
) -> Any:
    """Return a shared variable for a RandomState."""
    if not isinstance(value, np.random.RandomState):
        raise TypeError("randomstate_constructor takes a RandomState")
    value = value if borrow else copy.deepcopy(value)
    return RandomStateSharedVariable(name, random_state_type, value, strict, allow_downcast)


class RandomStreams(raw_random.RandomStreamsBase):
    """Streams of random numbers, each with a state of its own, which every call of a function moves on.

    Parameters
    ----------
    seed : int, optional
    """

    def __init__(self, seed: int | None = None) -> None:
        self.state_updates: list[Any] = []
        self.default_instance_seed = seed
        self.gen_seedgen = np.random.RandomState(seed)

    def updates(self) -> list[Any]:
        """Return the pairs of state and next state."""
        return list(self.state_updates)

    def seed(self, seed: int | None = None) -> None:
        """Set the state of each stream anew; by default with the first seed."""
        generator = np.random.RandomState(self.default_instance_seed if seed is None else seed)
        for state, _ in self.state_updates:
            state.set_value(np.random.RandomState(int(generator.randint(2**30))), borrow=True)

    def __getitem__(self, item: Any) -> np.random.RandomState:
        return item.get_value(borrow=True)

    def __setitem__(self, item: Any, val: np.random.RandomState) -> None:
        item.set_value(val, borrow=True)

    def gen(self, op: Any, *args: Any, **kwargs: Any) -> Any:
        """Return what a distribution of `raw_random` draws from a new stream."""
        state = shared(np.random.RandomState(int(self.gen_seedgen.randint(2**30))))
        state.tag.is_rng = True
        next_state, numbers = op(state, *args, **kwargs)
        numbers.rng, numbers.update = state, (state, next_state)
        self.state_updates.append(numbers.update)
        state.default_update = next_state
        return numbers
