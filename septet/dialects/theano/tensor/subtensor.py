"""``x[key]``, and tensors with values put in or added at a key."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

import septet as st
from septet.dialects.theano.dtypes import DISCRETE, FLOATS, upcast
from septet.dialects.theano.engine import cut_of
from septet.dialects.theano.gof.graph import Apply, Constant, Variable
from septet.dialects.theano.gof.op import NativeOp, Op
from septet.dialects.theano.gof.type import PureType
from septet.dialects.theano.tensor.convert import as_tensor_variable
from septet.dialects.theano.tensor.elemwise import FUNCTIONS, DimShuffle
from septet.dialects.theano.tensor.shaping import Reshape, Shape, element, remembered, reshape, shape_i
from septet.dialects.theano.tensor.type_other import MakeSlice, NoneConst, NoneTypeT, SliceType
from septet.dialects.theano.tensortype import TensorType


class AdvancedIndexingError(TypeError):
    """An index that is no integer."""


class AdvancedBooleanIndexingError(TypeError):
    """A boolean of Python as an index."""


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

    Parameters
    ----------
    items : sequence
        Ints, slices, None, Ellipsis, and slots; types stand for slots, in order.
    """

    def __init__(self, items: Sequence[Any]) -> None:
        places = itertools.count()

        def slot(item: Any) -> Any:
            if isinstance(item, slice):
                return slice(slot(item.start), slot(item.stop), slot(item.step))
            return Slot(next(places)) if isinstance(item, (PureType, Variable)) else item

        self.items = tuple([slot(item) for item in items])

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
                return None if value is None else int(np.int64(value))
            variable = as_tensor_variable(value)
            if variable.type.dtype not in DISCRETE:
                raise AdvancedIndexingError(f"Expected an integer: an index has dtype {variable.type.dtype}")
            found.append(variable)
            return Slot(len(found) - 1)

        def entry(item: Any) -> Any:
            if isinstance(item, Variable) and isinstance(item.type, (SliceType, NoneTypeT)):
                if isinstance(item, Constant):
                    return entry(item.data)
                if item.owner is not None and isinstance(item.owner.op, MakeSlice):
                    return entry(slice(*[None if NoneConst.equals(one) else one for one in item.owner.inputs]))
                found.append(item)
                return Slot(len(found) - 1)
            if item is Ellipsis:
                return item
            if isinstance(item, slice):
                return slice(slot(item.start), slot(item.stop), slot(item.step))
            if _has_flag(item):
                raise AdvancedBooleanIndexingError(
                    "TensorType does not support Python bools for indexing, such as tensor[[True, False]]. To use a "
                    "boolean mask, convert the mask to a NumPy array first, e.g., tensor[numpy.array([True, False])]."
                )
            if isinstance(item, (list, tuple, np.ndarray)) and np.size(np.asarray(item, dtype=object)) == 0:
                return slot(np.zeros(np.shape(item), "int64"))
            return slot(item)

        if isinstance(key, list) and any(item is None or item is Ellipsis or isinstance(item, slice) for item in key):
            key = tuple(key)  # as NumPy did until 1.22
        return Key([entry(item) for item in (key if isinstance(key, tuple) else (key,))]), found

    def with_variables(self, variables: Sequence[Any]) -> tuple[Any, ...]:
        """Return the key with variables in its slots."""

        def put(item: Any) -> Any:
            if isinstance(item, slice):
                return slice(put(item.start), put(item.stop), put(item.step))
            return variables[item.index] if isinstance(item, Slot) else item

        return tuple([put(item) for item in self.items])

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


def _has_flag(item: Any) -> bool:
    """Tell whether a part of a key is a Python boolean, or has one, or a variable of one, in a list."""
    if isinstance(item, (list, tuple)):
        return any(_has_flag(one) or getattr(one, "dtype", None) == "bool" for one in item)
    return isinstance(item, (bool, np.bool_))


class _Keyed(NativeOp):
    """Ops with a key; those made without one take its items as their last arguments.

    Parameters
    ----------
    idx_list : sequence or Key, optional
        Ints and slices; types where variables stand.
    """

    sources = 1

    def __init__(self, idx_list: Any = None) -> None:
        self.key = Key(idx_list.items if isinstance(idx_list, Key) else () if idx_list is None else idx_list)
        self.is_open = idx_list is None

    @property
    def idx_list(self) -> tuple[Any, ...]:
        """The items of the key."""
        return self.key.items

    def make_node(self, *inputs: Any) -> Apply:
        given = [as_tensor_variable(value) for value in inputs[: self.sources]]
        if (
            len(inputs) <= self.sources
            and self.is_open
            and isinstance(self, (AdvancedSubtensor1, AdvancedIncSubtensor1))
        ):
            raise TypeError(f"{type(self).__name__} takes an index")
        if not self.is_open:
            return self.applied([*given, *[as_tensor_variable(value) for value in inputs[self.sources :]]])
        key, found = Key.read(tuple(inputs[self.sources :]))
        return self.of(key).applied([*given, *found])

    def of(self, key: Key) -> Any:
        """Return the same op with a key."""
        made = copy.copy(self)
        made.key, made.is_open = key, False
        return made

    def applied(self, inputs: Sequence[Variable]) -> Apply:
        _check_rank(self.key, inputs[0], inputs[self.sources :])
        return super().applied(inputs)

    @property
    def inputs_with_gradient(self) -> slice:
        return slice(self.sources)

    def _props(self) -> tuple[Any, ...]:
        return (self.key, self.is_open, getattr(self, "set_instead_of_inc", None))

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._props() == other._props()

    def __hash__(self) -> int:
        return hash((type(self), self._props()))

    def __str__(self) -> str:
        return f"{type(self).__name__}{{{self.key}}}"


def _check_rank(key: Key, x: Any, found: Sequence[Any]) -> None:
    """Refuse a key with more items than a tensor has axes."""
    if sum(item is Ellipsis for item in key.items) > 1:
        raise IndexError("an index can only have a single Ellipsis (`...`)")
    masks = [item for item in key.items if isinstance(item, Slot) and _is_mask(found[item.index])]
    taken = sum(item is not None and item is not Ellipsis for item in key.items) - len(masks)
    if taken + sum(found[item.index].type.ndim for item in masks) > x.type.ndim:
        raise IndexError("too many indices for array")


def _is_mask(variable: Any) -> bool:
    return variable.type.is_tensor and variable.type.dtype == "bool"


class Subtensor(_Keyed):
    """``x[key]`` with integers and slices."""

    def compute(self, *tensors: Any) -> Any:
        rows, key = tensors[0], self.key.fill(tensors[1:])
        kept = remembered(rows) if len(key) == 1 and isinstance(key[0], int) else None
        if kept is not None and -len(kept) <= key[0] < len(kept):
            return st.asarray(kept[key[0]]).astype(rows.dtype)
        if key and isinstance(key[0], int) and key[0] < 0 and (own := cut_of(rows)) is not None:
            rows, count = own  # from the last row that counts, not from the end
            key = (count + key[0], *key[1:])
        return rows[key]


class BaseAdvancedSubtensor(Subtensor):
    """``x[key]`` with tensors of integers or booleans in the key."""


class AdvancedSubtensor(BaseAdvancedSubtensor):
    """``x[key]`` with tensors of integers in the key."""


class AdvancedBooleanSubtensor(BaseAdvancedSubtensor):
    """``x[key]`` with tensors of booleans in the key."""

    has_masks = True


class AdvancedSubtensor1(AdvancedSubtensor):
    """``x[rows]`` with a vector of integers."""

    def __init__(self, idx_list: Any = None, sparse_grad: bool = False) -> None:
        super().__init__(idx_list)
        self.sparse_grad = sparse_grad


class SlicedSubtensor(Op):
    """``x[key]`` where slices in the key are variables themselves, without a gradient."""

    def __init__(self, key: Key) -> None:
        self.key = key

    def make_node(self, *inputs: Any) -> Apply:
        x = inputs[0]
        slots = [item for item in self.key.items if isinstance(item, Slot)]
        if any(not isinstance(inputs[1 + item.index].type, SliceType) for item in slots):
            raise TypeError("a key with slices that are variables takes no tensors beside them")
        rest = x.type.ndim - sum(isinstance(item, int) for item in self.key.items)
        rest += sum(item is None for item in self.key.items)
        return Apply(self, list(inputs), [TensorType(x.type.dtype, [False] * rest)()])

    def perform(self, node: Any, inputs: Sequence[Any], output_storage: Any, params: Any = None) -> None:
        output_storage[0][0] = np.asarray(inputs[0][self.key.with_variables(inputs[1:])])

    def __str__(self) -> str:
        return f"{type(self).__name__}{{{self.key}}}"


class IncSubtensor(_Keyed):
    """A tensor with a value added, or put in, at a key."""

    sources = 2

    def __init__(
        self, idx_list: Any = None, inplace: bool = False, set_instead_of_inc: bool = False,
        destroyhandler_tolerate_aliased: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(idx_list)
        self.inplace = inplace
        self.set_instead_of_inc = set_instead_of_inc

    def compute(self, *tensors: Any) -> Any:
        x, value, *rest = tensors
        put = st.index_set if self.set_instead_of_inc else st.index_add
        return put(x, self._filled(rest, value), value.astype(x.dtype))

    def _filled(self, tensors: Sequence[Any], value: Any) -> tuple[Any, ...]:
        """Return the key with tensors in its slots."""
        return self.key.fill(tensors)

    def __str__(self) -> str:
        return f"{type(self).__name__}{{{'Set' if self.set_instead_of_inc else 'Inc'};{self.key}}}"


class AdvancedIncSubtensor(IncSubtensor):
    """A tensor with a value added, or put in, at tensors of integers."""

    def __init__(self, inplace: bool = False, set_instead_of_inc: bool = False) -> None:
        super().__init__(None, inplace, set_instead_of_inc)


class AdvancedBooleanIncSubtensor(AdvancedIncSubtensor):
    """A tensor with a value added, or put in, at tensors of booleans."""

    has_masks = True

    def _filled(self, tensors: Sequence[Any], value: Any) -> tuple[Any, ...]:
        key = super()._filled(tensors, value)
        if value.ndim == 0:
            return key
        found: list[Any] = []  # a value for each place: which goes where is known only with the places
        for item in key:
            found += st.nonzero(item) if isinstance(item, st.Tensor) and item.dtype.name == "bool" else [item]
        return tuple(found)


class AdvancedIncSubtensor1(AdvancedIncSubtensor):
    """A tensor with a value added, or put in, at the rows that a vector of integers names."""


BaseAdvancedIncSubtensor = AdvancedIncSubtensor
advanced_subtensor = AdvancedSubtensor()
advanced_subtensor1 = AdvancedSubtensor1()
advanced_boolean_subtensor = AdvancedBooleanSubtensor()
advanced_inc_subtensor = AdvancedIncSubtensor()
advanced_set_subtensor = AdvancedIncSubtensor(set_instead_of_inc=True)
advanced_inc_subtensor1 = AdvancedIncSubtensor1()
advanced_set_subtensor1 = AdvancedIncSubtensor1(set_instead_of_inc=True)
advanced_boolean_inc_subtensor = AdvancedBooleanIncSubtensor()
advanced_boolean_set_subtensor = AdvancedBooleanIncSubtensor(set_instead_of_inc=True)


def get_item(x: Any, key: Any) -> Any:
    """Return ``x[key]``; a new axis in the key takes the place of the axes that the key leaves out if those may broadcast.

    So ``x[:, None]`` of a column is a column, as in Theano, where NumPy's has three axes.
    """
    x = as_tensor_variable(x)
    if isinstance(key, int) and x.owner is not None and isinstance(x.owner.op, Shape):
        source = x.owner.inputs[0]
        if -source.type.ndim <= key < source.type.ndim:
            return shape_i(source, key % source.type.ndim)
    own, found = Key.read(key)
    op = _op_for(own, found)
    if type(op) is Subtensor and None in own.items and Ellipsis not in own.items:
        named = sum(item is not None for item in own.items)
        if all(x.type.broadcastable[named:]):
            x = x.dimshuffle(*range(min(named, x.type.ndim)))
    return op(x, *found)


def _op_for(key: Key, found: Any) -> Any:
    """Return the op of a key."""
    variables = [found[item.index] for item in key.items if isinstance(item, Slot)]
    if any(isinstance(one.type, SliceType) for one in variables):
        return SlicedSubtensor(key)
    if any(_is_mask(one) for one in variables):
        return AdvancedBooleanSubtensor(key)
    if not any(one.type.ndim for one in variables):
        return Subtensor(key)
    is_rows = len(key.items) == 1 and variables[0].type.ndim == 1
    return AdvancedSubtensor1(key) if is_rows else AdvancedSubtensor(key)


def get_idx_list(inputs: Sequence[Any], idx_list: Any) -> tuple[Any, ...]:
    """Return the items of a key with the inputs of its op, after the first, where variables stand."""
    return Key(idx_list).with_variables(inputs[1:])


def get_canonical_form_slice(theslice: Any, length: Any) -> tuple[Any, int | Any]:
    """Return a slice as one that goes forward, from ``0 <= start <= stop <= length``, and 1 or -1.

    Where it is -1, what the new slice gives is turned round. An index is counted from the front.
    """
    switch, lt, maximum, minimum = (FUNCTIONS[name] for name in ("switch", "lt", "maximum", "minimum"))
    if not isinstance(theslice, slice):
        return switch(lt(theslice, 0), theslice + length, theslice), 1
    step = 1 if theslice.step is None else theslice.step
    length = as_tensor_variable(length).astype("int64")
    is_back = lt(step, 0)

    def clipped(bound: Any, default: Any) -> Any:
        if bound is None:
            return default
        bound = switch(lt(bound, 0), bound + length, bound)
        return minimum(maximum(bound, switch(is_back, -1, 0)), switch(is_back, length - 1, length))

    start = clipped(theslice.start, switch(is_back, length - 1, 0))
    stop = clipped(theslice.stop, switch(is_back, -1, length))
    stride = switch(is_back, -step, step)
    span = maximum(switch(is_back, start - stop, stop - start), 0)
    reach = (span + stride - 1) // stride * stride - stride  # from the first element to the last; -stride of none
    low = switch(is_back, start - maximum(reach, -1), start)
    return slice(low, low + maximum(reach + 1, 0), stride), switch(is_back, -1, 1)


_KINDS = {
    Subtensor: IncSubtensor,
    AdvancedSubtensor: AdvancedIncSubtensor,
    AdvancedSubtensor1: AdvancedIncSubtensor1,
    AdvancedBooleanSubtensor: AdvancedBooleanIncSubtensor,
}


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
    own = x.type.dtype  # what is put there is converted to it, as NumPy does
    if upcast(own, y.type.dtype) != own and y.type.dtype not in (
        (*FLOATS, *DISCRETE) if own in FLOATS or set_instead_of_inc else DISCRETE
    ):
        raise TypeError(f"Trying to increment a subtensor of dtype {own} with a value of dtype {y.type.dtype}")
    owner = x.owner
    if owner is None:
        raise TypeError("x must be the result of a subtensor operation")
    if isinstance(owner.op, Subtensor):
        kind = _KINDS[type(owner.op)]
        op = kind(inplace=inplace, set_instead_of_inc=set_instead_of_inc).of(owner.op.key)
        return op(owner.inputs[0], y, *owner.inputs[1:])
    return _through(owner, x, y, inplace, set_instead_of_inc)


def _through(owner: Any, x: Any, y: Any, inplace: bool, is_set: bool) -> Any:
    """Update what a rearranged part was taken from: through dimshuffle and reshape."""
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
        value = y if y.type.ndim == 0 else reshape(FUNCTIONS["second"](x, y), inner.shape, ndim=inner.type.ndim)
        return inc_subtensor(inner, value, inplace, is_set)
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
    axis = 0 if axis is None else normalize_axis_index(axis, source.type.ndim)
    size = source.shape[axis]
    if mode == "wrap":
        indices = indices % size
    elif mode == "clip":
        indices = indices.clip(0, size - 1)
    elif mode != "raise":
        raise ValueError(f"mode is 'raise', 'wrap' or 'clip', got {mode!r}")
    return source[(slice(None),) * axis + (indices,)]


__all__ = [
    "AdvancedBooleanIncSubtensor", "AdvancedBooleanIndexingError", "AdvancedBooleanSubtensor", "AdvancedIncSubtensor",
    "AdvancedIncSubtensor1", "AdvancedIndexingError", "AdvancedSubtensor", "AdvancedSubtensor1",
    "BaseAdvancedIncSubtensor", "BaseAdvancedSubtensor", "IncSubtensor", "Subtensor",
    "advanced_boolean_inc_subtensor", "advanced_boolean_set_subtensor", "advanced_boolean_subtensor",
    "advanced_inc_subtensor", "advanced_inc_subtensor1", "advanced_set_subtensor", "advanced_set_subtensor1",
    "advanced_subtensor", "advanced_subtensor1", "get_canonical_form_slice", "get_idx_list", "inc_subtensor",
    "set_subtensor", "take",
]  # fmt: skip
