"""Shared variables: values that persist between calls and that all functions see."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

import septet as st
from septet.dialects.theano.containers import Container
from septet.dialects.theano.gof.graph import Variable
from septet.dialects.theano.gof.type import generic


class SharedVariable(Variable):
    """A variable with a value that persists.

    Parameters
    ----------
    name : str or None
    type : Type
    value : object
    strict : bool
        Whether values must be of the type already.
    allow_downcast : bool, optional
        Whether they may lose precision.
    """

    default_update: Any
    container_kind: Any = Container
    container: Any

    def __init__(
        self, name: str | None, type: Any, value: Any, strict: bool, allow_downcast: bool | None = None, container: Any = None
    ) -> None:  # fmt: skip
        super().__init__(type, None, None, name)
        if container is not None:
            self.container = container
            return
        self.container = self.container_kind(self, strict=strict, allow_downcast=allow_downcast)
        self.container.data = type.filter(value, strict=strict, allow_downcast=allow_downcast)

    def get_value(self, borrow: bool = False, return_internal_type: bool = False) -> Any:
        """Return the value.

        Parameters
        ----------
        borrow : bool
            Whether it may be the value itself, so that changes of it are changes of the variable.
        """
        value = self.container.value
        return value if borrow else copy.deepcopy(value)

    def set_value(self, new_value: Any, borrow: bool = False) -> None:
        """Give the variable another value: a copy, unless `borrow` allows to keep the object itself."""
        self.container.value = new_value if borrow else copy.deepcopy(new_value)

    def _no_value(self, *_: Any) -> Any:
        raise Exception(f"{self} has no attribute `value`: use get_value() or set_value()")

    value = property(_no_value, _no_value)

    def zero(self, borrow: bool = False) -> None:
        """Set all elements to zero."""
        self.set_value(0 * self.get_value(borrow=True), borrow=True)

    def clone(self, **words: Any) -> Any:
        """Return another variable with the same value, which both then see."""
        copied = self.__class__(
            name=self.name, type=self.type, value=None, strict=None, container=self.container, **words
        )
        copied.tag = copy.copy(self.tag)
        return copied

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "default_update" and value is not None and not isinstance(value, Variable):
            value = self.type.filter_variable(value)
        super().__setattr__(name, value)

    def filter_update(self, update: Any) -> Any:
        """Return an update as a variable of this type."""
        return self.type.filter_variable(update)


class Cell(Container):
    """The place of a tensor's value: a Variable of Septet, and another one when the shape changes."""

    cell: Any = None

    @property
    def data(self) -> Any:
        """The value, without a copy."""
        return None if self.cell is None else _writable(self.cell.value)

    @data.setter
    def data(self, array: Any) -> None:
        if array is None:
            self.cell = None
            return
        kept = array.view()
        if (
            self.cell is None
            or self.cell.variable_type.shape != array.shape
            or self.cell.variable_type.dtype != array.dtype
        ):
            zeros = np.zeros(array.shape, array.dtype)
            self.cell = st.Variable(zeros, self.name or "", role="state", is_symbolic=True)
        if not kept.flags.c_contiguous:
            kept = np.ascontiguousarray(kept)
        self.cell.store(kept)


def _writable(array: np.ndarray) -> np.ndarray:
    """Return a view that can be written to, where the memory allows it, or a copy."""
    base = array
    while isinstance(base.base, np.ndarray):
        base = base.base
    if not base.flags.owndata:
        return np.array(array)
    before = base.flags.writeable
    base.setflags(write=True)
    if base is array:
        view = array.view()
    else:
        view = np.ndarray(array.shape, array.dtype, base.data, array.ctypes.data - base.ctypes.data, array.strides)
    base.setflags(write=before)
    return view


class CellVariable(SharedVariable):
    """A shared variable whose value is in a `Cell`: pickles and deep copies hold the value, and make a cell of their own."""

    container_kind: Any = Cell

    def __deepcopy__(self, memo: Any) -> Any:
        own = self.container
        copied = type(self)(self.name, self.type, self.get_value(), own.strict, own.allow_downcast)
        memo[id(self)] = copied
        copied.tag = copy.copy(self.tag)
        if hasattr(self, "default_update"):
            copied.default_update = copy.deepcopy(self.default_update, memo)
        return copied

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        container = state.pop("container")
        return state | {"_value": container.data, "_strict": (container.strict, container.allow_downcast)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "container" in state:  # as the original pickled it, whose containers have a list of one value
            own = vars(state.pop("container"))
            state |= {"_value": own["storage"][0], "_strict": (own["strict"], own["allow_downcast"])}
        value, (strict, allow_downcast) = state.pop("_value"), state.pop("_strict")
        self.__dict__.update(state)
        self.container = self.container_kind(self, strict=strict, allow_downcast=allow_downcast)
        self.container.data = value


class TensorCells(CellVariable):
    """A shared variable that is a tensor; see `SharedVariable`."""

    def get_value(self, borrow: bool = False, return_internal_type: bool = False) -> Any:
        value = self.container.value
        return value if borrow else np.array(value)

    def set_value(self, new_value: Any, borrow: bool = False) -> None:
        value = self.type.filter(new_value, strict=self.container.strict, allow_downcast=self.container.allow_downcast)
        self.container.data = value if borrow and value.flags.writeable else np.array(value)

    def zero(self, borrow: bool = False) -> None:
        self.container.data = np.zeros_like(self.container.data)


def shared(
    value: Any, name: str | None = None, strict: bool = False, allow_downcast: bool | None = None, **kwargs: Any
) -> Any:
    """Return a shared variable of the type that fits a value.

    Parameters
    ----------
    value : array, number, RandomState, or any object
        Arrays and numbers become tensors of their dtype and rank; no size is fixed, so later values may have others.
    name : str, optional
    strict : bool
        Whether later values must be of the type already.
    allow_downcast : bool, optional
        Whether later values may lose precision.
    **kwargs
        Passed on: ``broadcastable`` says which axes have size 1, ``borrow`` keeps the array without a copy.

    Raises
    ------
    TypeError
        For a symbolic variable, and for what no type takes.
    """
    if isinstance(value, Variable):
        raise TypeError("Shared variable constructor needs numeric values and not symbolic variables.")
    for constructor in reversed(shared.constructors):
        try:
            found = constructor(value, name=name, strict=strict, allow_downcast=allow_downcast, **kwargs)
        except TypeError:
            continue
        found.tag.trace = []
        return found
    raise TypeError(
        f'No suitable SharedVariable constructor could be found. Are you sure all kwargs are supported? We do not support the parameter dtype or type. value="{value}". parameters="{kwargs}"'
    )


def shared_constructor(ctor: Callable[..., Any], remove: bool = False) -> Callable[..., Any]:
    """Have `shared` try a constructor before those that are known."""
    if remove:
        shared.constructors.remove(ctor)
    else:
        shared.constructors.append(ctor)
    return ctor


shared.constructors = []


@shared_constructor
def generic_constructor(
    value: Any, name: str | None = None, strict: bool = False, allow_downcast: bool | None = None
) -> Any:
    """Return a shared variable that holds any object."""
    return SharedVariable(type=generic, value=value, name=name, strict=strict, allow_downcast=allow_downcast)
