"""``x[key]``, and tensors with values put in or added at a key."""

from __future__ import annotations

from typing import Any

import numpy as np

import septet as st
from septet.dialects.theano.dtypes import DISCRETE, FLOATS, upcast
from septet.dialects.theano.gof.op import NativeOp
from septet.dialects.theano.tensor.convert import as_tensor_variable
from septet.dialects.theano.tensor.shaping import Shape, element, shape_i


class Slot:
    """The place of an input in a key."""

    def __init__(self, index: int) -> None:
        self.index = index

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Slot) and self.index == other.index

    def __hash__(self) -> int:
        return self.index

    def __repr__(self) -> str:
        return f"<{self.index}>"


class Key:
    """A key with slots where variables stood.

    Attributes
    ----------
    items : tuple
        Ints, slices, None, Ellipsis, and slots.
    """

    def __init__(self, items: tuple[Any, ...]) -> None:
        self.items = items

    @staticmethod
    def read(key: Any) -> tuple[Key, list[Any]]:
        """Return the key of ``x[key]`` and its variables.

        Raises
        ------
        TypeError
            If an item is neither an integer, a slice, None, Ellipsis, nor a tensor of integers or booleans.
        """
        found: list[Any] = []

        def slot(value: Any) -> Any:
            if value is None or (isinstance(value, (int, np.integer)) and not isinstance(value, (bool, np.bool_))):
                return None if value is None else int(value)
            variable = (
                as_tensor_variable(value)
                if not isinstance(value, (bool, np.bool_))
                else as_tensor_variable(np.asarray(value))
            )
            if variable.type.dtype not in DISCRETE:
                raise TypeError(f"Expected an integer: an index has dtype {variable.type.dtype}")
            found.append(variable)
            return Slot(len(found) - 1)

        if isinstance(key, list) and any(item is None or item is Ellipsis or isinstance(item, slice) for item in key):
            key = tuple(key)  # as NumPy did until 1.22
        items = []
        for item in key if isinstance(key, tuple) else (key,):
            if item is Ellipsis:
                items.append(item)
            elif isinstance(item, slice):
                items.append(slice(slot(item.start), slot(item.stop), slot(item.step)))
            elif isinstance(item, (list, tuple, np.ndarray)) and np.size(np.asarray(item, dtype=object)) == 0:
                items.append(slot(np.zeros(np.shape(item), "int64")))
            else:
                items.append(slot(item))
        return Key(tuple(items)), found

    def fill(self, values: Any) -> tuple[Any, ...]:
        """Return the key with values in its slots."""

        def put(item: Any) -> Any:
            if isinstance(item, Slot):
                value = values[item.index]
                return element(value) if value.ndim == 0 and value.dtype.name != "bool" else value
            if isinstance(item, slice):
                return slice(put(item.start), put(item.stop), put(item.step))
            return item

        return tuple([put(item) for item in self.items])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Key) and repr(self.items) == repr(other.items)

    def __hash__(self) -> int:
        return hash(repr(self.items))

    def __repr__(self) -> str:
        return ", ".join(_item_text(item) for item in self.items)


def _item_text(item: Any) -> str:
    if isinstance(item, slice):
        ends = ["" if end is None else str(end) for end in (item.start, item.stop)]
        return ":".join(ends) + ("" if item.step is None else f":{item.step}")
    return "..." if item is Ellipsis else str(item)


class _Keyed(NativeOp):
    """Ops with a key."""

    def __init__(self, key: Key) -> None:
        self.idx_list = key.items
        self.key = key

    def _props(self) -> tuple[Any, ...]:
        return (self.key, getattr(self, "set_instead_of_inc", None))

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._props() == other._props()

    def __hash__(self) -> int:
        return hash((type(self), self._props()))

    def __str__(self) -> str:
        return f"{type(self).__name__}{{{self.key}}}"


class Subtensor(_Keyed):
    """``x[key]`` with integers and slices."""

    def compute(self, *tensors: Any) -> Any:
        return tensors[0][self.key.fill(tensors[1:])]

    def connection_pattern(self, node: Any) -> list[list[bool]]:
        return [[True], *[[False] for _ in node.inputs[1:]]]


class AdvancedSubtensor(Subtensor):
    """``x[key]`` with tensors of integers or booleans in the key."""


class AdvancedSubtensor1(AdvancedSubtensor):
    """``x[rows]`` with a vector of integers."""


class IncSubtensor(_Keyed):
    """A tensor with a value added, or put in, at a key."""

    def __init__(self, key: Key, inplace: bool = False, set_instead_of_inc: bool = False) -> None:
        super().__init__(key)
        self.inplace = inplace
        self.set_instead_of_inc = set_instead_of_inc

    def compute(self, *tensors: Any) -> Any:
        x, value, *rest = tensors
        put = st.index_set if self.set_instead_of_inc else st.index_add
        return put(x, self.key.fill(rest), value.astype(x.dtype))

    def connection_pattern(self, node: Any) -> list[list[bool]]:
        return [[True], [True], *[[False] for _ in node.inputs[2:]]]

    def __str__(self) -> str:
        return f"{type(self).__name__}{{{'Set' if self.set_instead_of_inc else 'Inc'};{self.key}}}"


class AdvancedIncSubtensor(IncSubtensor):
    """A tensor with a value added, or put in, at tensors of integers or booleans."""


class AdvancedIncSubtensor1(AdvancedIncSubtensor):
    """A tensor with a value added, or put in, at the rows that a vector of integers names."""


def get_item(x: Any, key: Any) -> Any:
    """Return ``x[key]``."""
    x = as_tensor_variable(x)
    if isinstance(key, int) and x.owner is not None and isinstance(x.owner.op, Shape):
        source = x.owner.inputs[0]
        if -source.type.ndim <= key < source.type.ndim:
            return shape_i(source, key % source.type.ndim)
    own, found = Key.read(key)
    taken = sum(
        1 if not isinstance(item, Slot) or found[item.index].type.dtype != "bool" else found[item.index].type.ndim
        for item in own.items
        if item is not None and item is not Ellipsis
    )
    if taken > x.type.ndim:
        raise IndexError("too many indices for array")
    return _op_for(own, found)(own)(x, *found)


def _op_for(key: Key, found: Any) -> type[Subtensor]:
    advanced = [
        item
        for item in key.items
        if isinstance(item, Slot) and (found[item.index].type.ndim or found[item.index].type.dtype == "bool")
    ]
    if not advanced:
        return Subtensor
    if len(key.items) == 1 and found[0].type.ndim == 1 and found[0].type.dtype != "bool":
        return AdvancedSubtensor1
    return AdvancedSubtensor


def inc_subtensor(
    x: Any, y: Any, inplace: bool = False, set_instead_of_inc: bool = False, tolerate_inplace_aliasing: bool = False
) -> Any:
    """Return a tensor with a value added where a part of it was taken from.

    Parameters
    ----------
    x : tensor
        ``a[key]``: the result is `a` with the value added there.
    y : tensor
        Broadcast to the shape of the part.
    set_instead_of_inc : bool
        Whether the value takes the place of what is there.
    """
    x, y = as_tensor_variable(x), as_tensor_variable(y)
    if y.type.ndim > x.type.ndim:
        raise TypeError(
            f"Trying to increment a {x.type.ndim}-dimensional subtensor with a {y.type.ndim}-dimensional value."
        )
    is_lossy = upcast(x.type.dtype, y.type.dtype) != x.type.dtype
    if is_lossy and not (x.type.dtype in FLOATS and y.type.dtype in (*FLOATS, *DISCRETE)):
        raise TypeError(f"Trying to increment a subtensor of dtype {x.type.dtype} with a value of dtype {y.type.dtype}")
    owner = x.owner
    if owner is None:
        raise TypeError("x must be the result of a subtensor operation")
    kinds = {
        Subtensor: IncSubtensor,
        AdvancedSubtensor: AdvancedIncSubtensor,
        AdvancedSubtensor1: AdvancedIncSubtensor1,
    }
    kind = kinds.get(type(owner.op))
    if kind is not None:
        return kind(owner.op.key, inplace, set_instead_of_inc)(owner.inputs[0], y, *owner.inputs[1:])
    return _through(owner, x, y, inplace, set_instead_of_inc)


def _through(owner: Any, x: Any, y: Any, inplace: bool, is_set: bool) -> Any:
    """Update what a rearranged part was taken from: through dimshuffle and reshape."""
    from septet.dialects.theano.tensor.elemwise import DimShuffle
    from septet.dialects.theano.tensor.shaping import Reshape, reshape

    inner = owner.inputs[0]
    if isinstance(owner.op, DimShuffle):
        if y.type.ndim < x.type.ndim:
            y = y.dimshuffle(*["x"] * (x.type.ndim - y.type.ndim), *range(y.type.ndim))
        back: list[Any] = ["x"] * inner.type.ndim
        for place, axis in enumerate(owner.op.new_order):
            if axis != "x":
                back[axis] = place
        value = y if y.type.ndim == 0 else y.dimshuffle(*back)
        return inc_subtensor(inner, value, inplace, is_set).dimshuffle(*owner.op.new_order)
    if isinstance(owner.op, Reshape):
        from septet.dialects.theano.tensor.elemwise import FUNCTIONS

        value = y if y.type.ndim == 0 else reshape(FUNCTIONS["second"](x, y), inner.shape, ndim=inner.type.ndim)
        return reshape(inc_subtensor(inner, value, inplace, is_set), owner.inputs[1], ndim=x.type.ndim)
    raise TypeError("x must be the result of a subtensor operation")


def set_subtensor(x: Any, y: Any, inplace: bool = False, tolerate_inplace_aliasing: bool = False) -> Any:
    """Return a tensor with a value in the place of a part that was taken from it; see `inc_subtensor`."""
    return inc_subtensor(x, y, inplace, set_instead_of_inc=True)


def take(a: Any, indices: Any, axis: int | None = None, mode: str = "raise") -> Any:
    """Return elements along an axis (of the flattened tensor, by default) at integer indices.

    Parameters
    ----------
    mode : "raise", "wrap" or "clip"
        What happens to indices out of range.
    """
    a, indices = as_tensor_variable(a), as_tensor_variable(indices)
    source = a.flatten() if axis is None else a
    axis = 0 if axis is None else axis % source.type.ndim
    size = source.shape[axis]
    if mode == "wrap":
        indices = indices % size
    elif mode == "clip":
        indices = indices.clip(0, size - 1)
    elif mode != "raise":
        raise ValueError(f"mode is 'raise', 'wrap' or 'clip', got {mode!r}")
    return source[(slice(None),) * axis + (indices,)]
