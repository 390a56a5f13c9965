"""Shapes: asking for them, giving others, putting tensors together and taking them apart."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

import septet as st
from septet.dialects.theano.dtypes import DISCRETE, upcast
from septet.dialects.theano.gof.fg import SPECIALIZED
from septet.dialects.theano.gof.graph import Variable
from septet.dialects.theano.gof.native import native
from septet.dialects.theano.gof.op import NativeOp, refused
from septet.dialects.theano.tensor.asserts import assert_op
from septet.dialects.theano.tensor.convert import as_tensor_variable, known_value
from septet.dialects.theano.tensor.elemwise import FUNCTIONS, DimShuffle

_vectors: WeakKeyDictionary[Any, list[Any]] = WeakKeyDictionary()
"""The elements of vectors that were made of single numbers: nodes to ints and scalar tensors."""


def vector_of(elements: Sequence[Any], dtype: str = "int64") -> Any:
    """Return a vector of ints and scalar tensors, whose elements are remembered."""
    if all(isinstance(one, int) for one in elements):
        found = st.asarray(np.asarray(elements, dtype).reshape(len(elements)))
    else:
        found = st.stack([st.asarray(one).astype(dtype) for one in elements])
    _vectors[found.node] = list(elements)
    return found


_joined: WeakKeyDictionary[Any, list[Any]] = WeakKeyDictionary()
"""Nodes of tensors that were joined, and their sizes as they follow from those of the parts."""


def sizes_asked(x: Any) -> Sequence[Any]:
    """Return the sizes of a tensor; where it was joined they are known without joining, so nothing is compared for them."""
    return _joined.get(x.node) or x.shape


def remembered(vector: Any) -> list[Any] | None:
    """Return the elements that a vector was made of, where that is known."""
    return _vectors.get(vector.node)


def elements_of(vector: Any, count: int | None = None) -> list[Any]:
    """Return the elements of a vector of integers: ints where they are known, scalar tensors elsewhere."""
    kept = _vectors.get(vector.node)
    if kept is not None:
        return kept
    if not vector.node.is_symbolic:
        return [int(one) for one in np.atleast_1d(vector.numpy())]
    size = vector.type.shape[0] if count is None else count
    if size is None:
        raise ValueError("the length of a shape must be known: give ndim, or a list of sizes")
    return [vector[index] for index in range(size)]


def element(x: Any) -> Any:
    """Return a scalar tensor as an int where it is known."""
    return int(x.numpy()) if not x.node.is_symbolic else x


def _of_any_length(node: Any) -> Any:
    """Return an application whose result does not broadcast, even where there is one element."""
    node.outputs[0].type = node.outputs[0].type.clone(broadcastable=(False,))
    return node


class Shape(NativeOp):
    """The sizes of a tensor, as a vector of int64."""

    __props__ = ()
    inputs_with_gradient = slice(0)

    def applied(self, inputs: Sequence[Variable]) -> Any:
        return _of_any_length(super().applied(inputs))

    def compute(self, *tensors: Any) -> Any:
        return vector_of(sizes_asked(tensors[0]))


class Shape_i(NativeOp):
    """One size of a tensor."""

    __props__ = ("i",)
    inputs_with_gradient = slice(0)

    def __init__(self, i: int) -> None:
        self.i = i

    def __str__(self) -> str:
        return f"Shape_i{{{self.i}}}"

    def compute(self, *tensors: Any) -> Any:
        size = sizes_asked(tensors[0])[self.i]
        return st.asarray(np.asarray(size) if isinstance(size, int) else size).astype("int64")


def shape(x: Any) -> Any:
    """Return the sizes of a tensor, as a vector of int64."""
    is_sparse = isinstance(x, Variable) and not x.type.is_tensor and hasattr(x, "shape")
    return x.shape if is_sparse else Shape()(x)


def shape_i(var: Any, i: int, fgraph: Any = None) -> Any:
    """Return one size of a tensor."""
    return Shape_i(i)(var)


class MakeVector(NativeOp):
    """A vector made of numbers."""

    __props__ = ("dtype",)

    def __init__(self, dtype: str = "int64") -> None:
        self.dtype = dtype

    def make_node(self, *inputs: Any) -> Any:
        given = [as_tensor_variable(value) for value in inputs]
        for value in given:
            if value.type.ndim:
                raise ValueError(f"MakeVector takes scalars, got {value} of type {value.type}")
            if upcast(value.type.dtype, self.dtype) != self.dtype:
                raise AssertionError(f"MakeVector{{dtype={self.dtype}}} cannot hold {value.type.dtype}")
        return _of_any_length(self.applied(given))

    def compute(self, *tensors: Any) -> Any:
        if self.dtype in DISCRETE and self.dtype != "bool":
            return vector_of([element(t) for t in tensors], self.dtype)
        if not tensors:
            return st.zeros((0,), dtype=self.dtype)
        return st.stack([t.astype(self.dtype) for t in tensors])


make_vector = MakeVector()


def _size_by_size(node: Any) -> Any:
    """Return what functions show for a shape: sizes of what the tensor is computed from, where they are the same."""
    source = node.inputs[0]
    while source.owner is not None and getattr(source.owner.op, "keeps_shape", False):
        source = source.owner.inputs[0]
    return MakeVector("int64")(*[Shape_i(axis)(source) for axis in range(source.ndim)])


SPECIALIZED[Shape] = _size_by_size


class Reshape(NativeOp):
    """The elements in another shape.

    Parameters
    ----------
    ndim : int
        The number of sizes.
    """

    __props__ = ("ndim",)
    inputs_with_gradient = slice(1)
    view_map = {0: [0]}

    def __init__(self, ndim: int, name: str | None = None) -> None:
        self.ndim = int(ndim)
        self.name = name
        if self.ndim < 0:
            raise ValueError("The output dimensions after reshape must be 0 or greater")

    def compute(self, *tensors: Any) -> Any:
        x, sizes = tensors
        wanted = elements_of(sizes, self.ndim)
        if len(wanted) != self.ndim:
            raise ValueError(f"shape argument to Reshape has length {len(wanted)}, expected {self.ndim}")
        known = [size for size in wanted if isinstance(size, int)]
        if any(size < -1 for size in known) or known.count(-1) > 1:  # Theano says so when the function runs
            error = ValueError(f"Reshape: the sizes {tuple(known)} are not those of a tensor: one may be -1, none less")
            return refused(error, [(x.dtype.name, (None,) * self.ndim)], x)[0]
        return st.reshape(x, tuple(wanted))

    def __str__(self) -> str:
        return f"Reshape{{{self.ndim}}}"


def reshape(x: Any, newshape: Any, ndim: int | None = None) -> Any:
    """Return the elements in another shape.

    Parameters
    ----------
    x : tensor
    newshape : list of sizes, or vector of integers
        One may be -1.
    ndim : int, optional
        The number of sizes; needed where `newshape` is a vector of unknown length.
    """
    if not isinstance(newshape, Variable) and np.ndim(newshape) == 0 and not isinstance(newshape, (list, tuple)):
        newshape = [newshape]
    if isinstance(newshape, (list, tuple)):
        for size in newshape:
            if isinstance(size, Variable) and size.type.dtype not in DISCRETE:
                raise TypeError(f"Shape must be integers; got {size} of type {size.type}")
            if isinstance(size, (float, np.floating)):
                raise TypeError(f"Shape must be integers; got {size!r}")
        ndim = len(newshape) if ndim is None else ndim
    sizes = as_sizes(newshape)
    if sizes.type.ndim != 1:
        raise TypeError("New shape in reshape must be a vector or a list/tuple of scalar.", newshape)
    if ndim is None:
        try:
            ndim = get_vector_length(sizes)
        except ValueError:
            raise ValueError(
                "The length of the provided shape cannot be automatically determined, so Theano is not able to know "
                "what the number of dimensions of the reshaped variable will be. You can provide the 'ndim' keyword "
                f"argument to 'reshape' to avoid this problem. newshape: {newshape}"
            ) from None
    return Reshape(ndim)(x, sizes)


def as_sizes(sizes: Any) -> Any:
    """Return sizes, a list of numbers and variables or a vector, as a vector of integers."""
    if isinstance(sizes, Variable):
        return as_tensor_variable(sizes, ndim=1)
    if not isinstance(sizes, (list, tuple)):
        return as_tensor_variable(np.atleast_1d(np.asarray(sizes, "int64")))
    if not any(isinstance(size, Variable) for size in sizes):
        return as_tensor_variable(np.asarray(sizes, "int64").reshape(len(sizes)))
    return MakeVector("int64")(*sizes)


def get_vector_length(v: Any) -> int:
    """Return the length of a vector that is known before anything is computed.

    Raises
    ------
    ValueError
        If it is not known.
    """
    v = as_tensor_variable(v)
    if v.type.ndim != 1:
        raise TypeError("argument must be symbolic vector", v)
    kept = _vectors.get(v.tensor.node)
    size = len(kept) if kept is not None else v.tensor.type.shape[0]
    if size is None:
        raise ValueError(f"length not known: {v}")
    return int(size)


def dimshuffle(x: Any, *pattern: Any) -> Any:
    """Return a tensor with its axes in another order; "x" is a new axis of size 1."""
    if len(pattern) == 1 and isinstance(pattern[0], (list, tuple)):
        pattern = tuple(pattern[0])
    x = as_tensor_variable(x)
    return DimShuffle(x.type.broadcastable, pattern)(x)


def transpose(x: Any, axes: Any = None) -> Any:
    """Return a tensor with its axes in another order, by default in reverse."""
    x = as_tensor_variable(x)
    axes = range(x.type.ndim - 1, -1, -1) if axes is None else axes
    order = [axis if axis == "x" else normalize_axis_index(int(axis), x.type.ndim) for axis in axes]
    found = DimShuffle(x.type.broadcastable, order)(x)
    if x.name and tuple(axes) == tuple(range(x.type.ndim - 1, -1, -1)):
        found.name = x.name + ".T"
    return found


def swapaxes(y: Any, axis1: int, axis2: int) -> Any:
    """Return a tensor with two axes in each other's place."""
    y = as_tensor_variable(y)
    order = list(range(y.type.ndim))
    order[axis1], order[axis2] = order[axis2], order[axis1]
    return y.dimshuffle(*order)


def shape_padleft(t: Any, n_ones: int = 1) -> Any:
    """Return a tensor with axes of size 1 in front."""
    t = as_tensor_variable(t)
    return t.dimshuffle(*["x"] * n_ones, *range(t.type.ndim))


def shape_padright(t: Any, n_ones: int = 1) -> Any:
    """Return a tensor with axes of size 1 at the end."""
    t = as_tensor_variable(t)
    return t.dimshuffle(*range(t.type.ndim), *["x"] * n_ones)


def shape_padaxis(t: Any, axis: int) -> Any:
    """Return a tensor with an axis of size 1 at a place."""
    t = as_tensor_variable(t)
    ndim = t.type.ndim + 1
    if not -ndim <= axis < ndim:
        raise IndexError(f"axis {axis} is out of bounds [-{ndim}, {ndim})")
    order: list[Any] = list(range(t.type.ndim))
    order.insert(axis % ndim, "x")
    return t.dimshuffle(*order)


def flatten(x: Any, ndim: int | None = None, outdim: int | None = None) -> Any:
    """Return a tensor with its last axes made one, so that `ndim` (by default 1) are left."""
    if ndim is not None and outdim is not None:
        raise ValueError("You should only specify ndim")
    ndim = 1 if ndim is None and outdim is None else (ndim if ndim is not None else outdim)
    x = as_tensor_variable(x)
    if ndim < 1 or (ndim > 1 and ndim > x.type.ndim):
        raise ValueError(f"ndim {ndim} out of bound [1, {x.type.ndim + 1})")
    sizes = [x.shape[axis] for axis in range(ndim - 1)] if ndim > 1 else []
    is_one = x.type.ndim >= ndim and all(x.type.broadcastable[ndim - 1 :])
    return reshape(x, (*sizes, 1 if is_one else -1))


def is_flat(var: Any, ndim: int | None = None, outdim: int | None = None) -> bool:
    """Tell whether a tensor has the rank that `flatten` gives."""
    wanted = outdim if outdim is not None else 1 if ndim is None else ndim
    return bool(var.ndim == wanted)


class Rebroadcast(NativeOp):
    """Says of axes whether their size is 1, so that they broadcast.

    Parameters
    ----------
    *axis : (int, bool)
    """

    view_map = {0: [0]}

    def __init__(self, *axis: tuple[int, bool]) -> None:
        self.axis = {int(a): bool(b) for a, b in axis}

    def make_node(self, *inputs: Any) -> Any:
        x = as_tensor_variable(inputs[0])
        if self.axis and max(self.axis) >= x.type.ndim:
            raise ValueError("Trying to rebroadcast non-existent dimension")
        node = self.applied([x])
        ones = [self.axis.get(axis, one) for axis, one in enumerate(x.type.broadcastable)]
        node.outputs[0].type = x.type.clone(broadcastable=ones)
        return node

    def compute(self, *tensors: Any) -> Any:
        (x,) = tensors
        known = x.type.shape
        wanted = [1 if self.axis.get(axis) and size is None else size for axis, size in enumerate(known)]
        for axis, one in self.axis.items():
            if one and known[axis] not in (1, None):
                raise ValueError(
                    f"Dimension {axis} in Rebroadcast's input was supposed to be 1 (got {known[axis]} instead)"
                )
        return st.ensure_shape(x, tuple(wanted)) if wanted != list(known) else x

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Rebroadcast) and self.axis == other.axis

    def __hash__(self) -> int:
        return hash(tuple(sorted(self.axis.items())))

    def __str__(self) -> str:
        return f"Rebroadcast{{{','.join(f'({a},{b})' for a, b in sorted(self.axis.items()))}}}"


def addbroadcast(x: Any, *axes: int) -> Any:
    """Return a tensor whose given axes are known to have size 1; it is checked when values come."""
    return Rebroadcast(*[(axis, True) for axis in axes])(x)


def unbroadcast(x: Any, *axes: int) -> Any:
    """Return a tensor of whose given axes nothing is known."""
    x = as_tensor_variable(x)
    changes = [axis for axis in axes if x.type.broadcastable[axis]]
    return Rebroadcast(*[(axis, False) for axis in changes])(x) if changes else x


def patternbroadcast(x: Any, broadcastable: Sequence[bool]) -> Any:
    """Return a tensor with the given axes known to have size 1, and the others not."""
    x = as_tensor_variable(x)
    changes = [
        (axis, one)
        for axis, (one, own) in enumerate(zip(broadcastable, x.type.broadcastable, strict=False))
        if one != own
    ]
    return Rebroadcast(*changes)(x) if changes else x


# Putting together.


class Join(NativeOp):
    """Tensors joined along an axis, the first input.

    Parameters
    ----------
    view : int
        Kept for programs that give it; what is not copied is the compiler's decision.
    """

    __props__ = ("view",)
    inputs_with_gradient = slice(1, None)

    def __init__(self, view: int = -1) -> None:
        self.view = view

    def __str__(self) -> str:
        return "Join" if self.view == -1 else f"Join{{view={self.view}}}"

    def make_node(self, *inputs: Any) -> Any:
        axis, *parts = inputs
        given = [as_tensor_variable(value) for value in parts]
        if not given:
            raise ValueError("Cannot join an empty list of tensors")
        axis, value = as_tensor_variable(axis), known_value(axis)
        if axis.type.dtype not in DISCRETE or axis.type.ndim:
            raise TypeError(f"join: the axis is an integer, got {axis!r}")
        ndim = given[0].type.ndim
        if any(v.type.ndim != ndim for v in given):
            raise TypeError("Join() can only join tensors with the same number of dimensions.", [v.type for v in given])
        if not ndim:
            raise TypeError("Join cannot handle arguments of dimension 0. For joining scalar values, see @stack")
        if value is not None and not -ndim <= int(value) < ndim:
            raise IndexError(f"Join axis {int(value)} is out of bounds for tensors of {ndim} dimensions")
        return self.applied([axis, *given])

    def compute(self, *tensors: Any) -> Any:
        axis, *parts = tensors
        own = upcast(*[t.dtype.name for t in parts])
        parts = [t.astype(own) for t in parts]
        place = element(axis)
        if isinstance(place, int):
            found = st.concatenate(parts, axis=place)
        else:
            found = _joined_along(_axis_of(place, parts[0].ndim), parts)
        return self._with_sizes(found, tensors)

    def _refusing(self, inputs: Sequence[Variable], error: Exception) -> list[Any]:
        (found,) = super()._refusing(inputs, error)
        return [self._with_sizes(found, [v.tensor for v in inputs])]

    @staticmethod
    def _with_sizes(found: Any, tensors: Sequence[Any]) -> Any:
        """Remember the sizes of what has been joined."""
        place, parts = element(tensors[0]), tensors[1:]
        axis = place % parts[0].ndim if isinstance(place, int) else _axis_of(place, parts[0].ndim)
        known = found.type.shape
        if len(parts) > 1 and None in known:
            sizes = _sizes_joined(axis, [sizes_asked(part) for part in parts])
            _joined[found.node] = [size if own is None else own for own, size in zip(known, sizes, strict=True)]
        return found


def _axis_of(axis: Any, ndim: int) -> Any:
    """Return an axis that is a tensor, counted from the front; an error when it runs where there is no such axis."""
    return st.asarray(np.arange(ndim))[axis]


def _at(axis: Any, place: int, there: Any, elsewhere: Any) -> Any:
    """Return one of two numbers, as a place is that of the axis, an int or a tensor, or another."""
    if isinstance(axis, int):
        return there if axis == place else elsewhere
    return st.where(axis == place, there, elsewhere)


def _sizes_joined(axis: Any, shapes: Sequence[Sequence[Any]]) -> list[Any]:
    """Return the sizes of tensors joined along an axis, an int or a tensor."""
    columns = enumerate(zip(*shapes, strict=True))
    return [_at(axis, place, sum(sizes[1:], sizes[0]), sizes[0]) for place, sizes in columns]


def _joined_along(axis: Any, parts: Sequence[Any]) -> Any:
    """Return tensors joined along an axis that is known when the graph runs: each is put at its place among zeros."""
    first, start = parts[0].shape, 0
    found = st.zeros(tuple(_sizes_joined(axis, [part.shape for part in parts])), dtype=parts[0].dtype)
    for part in parts:
        sizes = [_at(axis, place, *pair) for place, pair in enumerate(zip(part.shape, first, strict=True))]
        starts = [_at(axis, place, start, 0) for place in range(part.ndim)]
        found = st.dynamic_update_slice(found, st.ensure_shape(part, tuple(sizes)), starts)
        start = start + sum(_at(axis, place, size, 0) for place, size in enumerate(part.shape))
    return found


_join = Join()


def join(axis: Any, *tensors_list: Any) -> Any:
    """Return tensors joined along an axis."""
    return tensors_list[0] if len(tensors_list) == 1 else _join(axis, *tensors_list)


def concatenate(tensor_list: Any, axis: Any = 0) -> Any:
    """Return tensors joined along an axis."""
    if not isinstance(tensor_list, (tuple, list)):
        raise TypeError(
            "The 'tensors' argument must be either a tuple or a list, make sure you did not forget () or [] around arguments of concatenate.",
            tensor_list,
        )
    return join(axis, *tensor_list)


def stack(*tensors: Any, **kwargs: Any) -> Any:
    """Return tensors of one shape joined along a new axis: ``stack(tensors, axis=0)`` or ``stack(a, b, c)``."""
    axis = kwargs.pop("axis", 0)
    tensors = (kwargs.pop("tensors"),) if "tensors" in kwargs else tensors
    if kwargs:
        raise TypeError(f"stack takes tensors and an axis, got {', '.join(kwargs)}")
    if not tensors:
        raise ValueError("theano.tensor.stack(tensors, axis) expects a list of tensors")
    if not isinstance(tensors[0], (list, tuple)):
        warnings.warn("stack(*tensors) is deprecated: use stack(tensors, axis=0)", DeprecationWarning, stacklevel=2)
    if isinstance(tensors[0], (list, tuple)):
        if len(tensors) > 2:
            raise TypeError("stack takes a list of tensors and an axis")
        if len(tensors) == 2:
            axis = tensors[1]
        tensors = tuple(tensors[0])
    if not tensors:
        raise ValueError("No tensor arguments provided")
    given = [as_tensor_variable(value) for value in tensors]
    ndim = given[0].type.ndim + 1
    if ndim == 1:  # whatever the axis
        return MakeVector(upcast(*[v.type.dtype for v in given]))(*given)
    if not -ndim <= axis < ndim:
        raise IndexError(f"The axis {axis} is out of bounds for tensors of {ndim - 1} dimensions")
    return join(axis, *[shape_padaxis(v, axis) for v in given])


def stacklists(arg: Any) -> Any:
    """Return nested lists of variables as one tensor."""
    return stack([stacklists(part) for part in arg]) if isinstance(arg, (list, tuple)) else arg


def horizontal_stack(*args: Any) -> Any:
    """Return matrices side by side."""
    if len(args) < 2 or any(arg.type.ndim != 2 for arg in args):
        raise ValueError("horizontal_stack joins at least two matrices")
    return concatenate(args, axis=1)


def vertical_stack(*args: Any) -> Any:
    """Return matrices below each other."""
    if len(args) < 2 or any(arg.type.ndim != 2 for arg in args):
        raise ValueError("vertical_stack joins at least two matrices")
    return concatenate(args, axis=0)


class Split(NativeOp):
    """A tensor cut along an axis into parts of given sizes.

    Parameters
    ----------
    len_splits : int
        The number of parts.
    """

    __props__ = ("len_splits",)

    def __init__(self, len_splits: int) -> None:
        self.len_splits = int(len_splits)

    def check(self, x: Any, axis: Any, splits: Any) -> None:
        if splits.type.ndim != 1 or splits.type.dtype not in DISCRETE:
            raise TypeError("splits_size must be a vector of integers", splits.type)
        if axis.type.dtype not in DISCRETE or axis.type.ndim:
            raise TypeError("axis must be an integer", axis.type)

    def compute(self, *tensors: Any) -> Any:
        x, axis, splits = tensors
        number = element(axis)
        sizes = elements_of(splits, self.len_splits)
        if len(sizes) != self.len_splits:
            raise ValueError(f"length of splits ({len(sizes)}) differs from the number of parts, {self.len_splits}")
        number = number % x.ndim if isinstance(number, int) else _axis_of(number, x.ndim)
        whole = sum(sizes[1:], sizes[0]) if sizes else 0
        if isinstance(number, int) and isinstance(whole, int) and x.type.shape[number] not in (None, whole):
            raise ValueError(f"The splits sum to {whole}, expected {x.type.shape[number]}")
        x = st.ensure_shape(x, tuple(_at(number, place, whole, size) for place, size in enumerate(x.shape)))
        parts, start = [], 0
        for size in sizes:
            if isinstance(number, int) and isinstance(start, int) and isinstance(size, int) and size >= 0:
                parts.append(x[(*[slice(None)] * number, slice(start, start + size))])
            else:
                own = [_at(number, place, size, other) for place, other in enumerate(x.shape)]
                parts.append(st.dynamic_slice(x, [_at(number, place, start, 0) for place in range(x.ndim)], own))
            start = start + size
        return tuple(parts)


def split(x: Any, splits_size: Any, n_splits: int, axis: Any = 0) -> Any:
    """Return a tensor cut along an axis into `n_splits` parts of the sizes `splits_size`."""
    return Split(n_splits)(x, axis, splits_size)


@native
def roll_flat(x: Any, shift: Any, *, axis: Any) -> Any:
    return st.roll(x, element(shift), axis=axis)


def roll(x: Any, shift: Any, axis: int | None = None) -> Any:
    """Return a tensor with its elements moved along an axis; what leaves at one end comes in at the other."""
    return roll_flat(x, shift, axis=axis)


class Tile(NativeOp):
    """A tensor repeated along its axes."""

    __props__ = ("ndim",)

    def __init__(self, ndim: int) -> None:
        self.ndim = ndim

    def compute(self, *tensors: Any) -> Any:
        x, reps = tensors
        counts = elements_of(reps)
        return st.tile(x, (*[1] * (self.ndim - len(counts)), *counts))


def tile(x: Any, reps: Any, ndim: int | None = None) -> Any:
    """Return a tensor repeated along its axes.

    Parameters
    ----------
    x : tensor
    reps : int, list of int, or vector of integers
        How often along each axis, the last ones.
    ndim : int, optional
        The rank of the result; at least that of `x` and the length of `reps`.
    """
    x = as_tensor_variable(x)
    for one in reps if isinstance(reps, (list, tuple)) else [reps]:
        if isinstance(one, (float, np.floating)) or (isinstance(one, Variable) and one.type.dtype not in DISCRETE):
            raise ValueError("elements of reps must be scalars of integer dtype")
    if isinstance(reps, Variable) and reps.type.ndim == 1:
        try:
            counts: list[Any] = [reps[place] for place in range(get_vector_length(reps))]
        except ValueError:
            if ndim is None:
                raise ValueError("if reps is tensor.vector, you should specify the ndim") from None
            before = assert_op(ndim - reps.shape[0], FUNCTIONS["le"](reps.shape[0], ndim))
            counts = [FUNCTIONS["switch"](before > place, 1, reps[place - before]) for place in range(ndim)]
    elif isinstance(reps, Variable) and reps.type.ndim > 1:
        raise ValueError("the dimension of reps should not exceed 1")
    else:
        counts = list(reps) if isinstance(reps, (list, tuple)) else list(np.atleast_1d(np.asarray(reps, object)))
    for one in counts:
        if isinstance(one, Variable) and one.type.ndim:
            raise ValueError("elements of reps must be scalars of integer dtype")
    if ndim is not None and ndim < max(len(counts), x.type.ndim):
        raise ValueError("len(reps) should be equal or less than ndim")
    rank = max(x.type.ndim, len(counts), ndim or 0)
    return Tile(rank)(x, as_sizes([1] * (rank - len(counts)) + counts))


__all__ = [
    "Join", "MakeVector", "Rebroadcast", "Reshape", "Shape", "Shape_i", "Split", "Tile", "_join", "addbroadcast",
    "concatenate", "element", "flatten", "get_vector_length", "horizontal_stack", "is_flat", "join",
    "patternbroadcast", "reshape", "roll", "shape", "shape_i", "shape_padaxis", "shape_padleft", "shape_padright",
    "split", "stack", "stacklists", "swapaxes", "tile", "transpose", "unbroadcast", "vertical_stack",
]  # fmt: skip
