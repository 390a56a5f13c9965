"""Ops that work element by element with broadcasting, and the table of Theano's functions of that kind."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import septet as st
from septet.dialects.theano.gof.fg import SPECIALIZED
from septet.dialects.theano.gof.graph import Apply, Constant, Variable
from septet.dialects.theano.gof.op import NativeOp
from septet.dialects.theano.scalar import basic as scal
from septet.dialects.theano.tensor.convert import as_tensor_variable, constant


class Elemwise(NativeOp):
    """An op of single numbers, for each element of tensors that broadcast to each other.

    Parameters
    ----------
    scalar_op : ScalarOp
    inplace_pattern : dict, optional
        Kept for programs that give it; what is written in place is the compiler's decision.
    name : str, optional
    """

    def __init__(
        self, scalar_op: Any, inplace_pattern: Any = None, name: str | None = None, nfunc_spec: Any = None,
        openmp: Any = None,
    ) -> None:  # fmt: skip
        self.scalar_op = scalar_op
        self.inputs_with_gradient = getattr(scalar_op, "inputs_with_gradient", slice(None))
        self.inplace_pattern = dict(inplace_pattern or {})
        self.name = name
        self.nfunc_spec = nfunc_spec
        self.nfunc = None
        self.destroy_map = {out: [source] for out, source in self.inplace_pattern.items()}

    is_flat_on_integers = True

    def make_node(self, *inputs: Any) -> Apply:
        given = [as_tensor_variable(value) for value in inputs]
        nin = self.scalar_op.nin
        if nin >= 0 and len(given) != nin:
            raise TypeError(f"{self} takes {nin} inputs, got {len(given)}")
        rank = max([v.type.ndim for v in given], default=0)
        given = [v if v.type.ndim == rank else _widening(v.type.broadcastable, rank)(v) for v in given]
        node = self.applied(given)
        for output in node.outputs:
            if any(output.type.broadcastable):  # a size that happens to be known says less than what the inputs declare
                ones = tuple([all(axis) for axis in zip(*[v.type.broadcastable for v in given], strict=True)])
                if ones != output.type.broadcastable:
                    output.type = output.type.clone(broadcastable=ones)
        for place, source in self.inplace_pattern.items():
            written, over = node.outputs[place].type, given[source].type
            if written.broadcastable != over.broadcastable:
                raise ValueError("Operation cannot be done inplace on an input with broadcasted dimensions.")
            if written.dtype != over.dtype:
                raise TypeError("Cannot do an inplace operation on incompatible data types.", written, over)
        return node

    @property
    def keeps_shape(self) -> bool:  # type: ignore[override]
        return bool(self.scalar_op.nin == 1)

    def compute(self, *tensors: Any) -> Any:
        return self.scalar_op.compute(*tensors)

    def _tensors(self, inputs: Sequence[Variable]) -> list[Any]:
        return super()._tensors([v if v.widens is None else v.widens for v in inputs])

    def __str__(self) -> str:
        if self.name:
            return self.name
        if self.inplace_pattern:
            items = sorted(self.inplace_pattern.items())
            return f"Elemwise{{{self.scalar_op}}}[{tuple(items) if len(items) > 1 else (items[0],)}]"
        return f"Elemwise{{{self.scalar_op},no_inplace}}"

    def __eq__(self, other: object) -> bool:
        return (
            type(self) is type(other) and self.scalar_op == other.scalar_op
            and self.inplace_pattern == other.inplace_pattern
        )  # fmt: skip

    def __hash__(self) -> int:
        return hash((type(self), self.scalar_op, tuple(self.inplace_pattern)))


class DimShuffle(NativeOp):
    """Axes in another order, with new ones of size 1 ("x") and without some of size 1.

    Parameters
    ----------
    input_broadcastable : sequence of bool
        Which axes of the input have size 1.
    new_order : sequence of (int or "x")
    """

    __props__ = ("input_broadcastable", "new_order")
    is_implied = False
    """Whether it only says how an elementwise op broadcasts."""

    def __init__(self, input_broadcastable: Sequence[bool], new_order: Sequence[Any], inplace: bool = True) -> None:
        self.input_broadcastable = tuple(input_broadcastable)
        self.new_order = tuple(new_order)
        self.inplace = inplace
        for axis in self.new_order:
            if axis == "x":
                continue
            if not isinstance(axis, int) or isinstance(axis, bool):
                try:
                    axis = int(axis)
                except (TypeError, ValueError):
                    raise TypeError(f"DimShuffle takes axes and 'x', got {axis!r}") from None
            if not -len(self.input_broadcastable) <= axis < len(self.input_broadcastable):
                raise ValueError(
                    f"new_order[{self.new_order.index(axis)}] is {axis}, but the input only has "
                    f"{len(self.input_broadcastable)} axes."
                )
        kept = [int(axis) for axis in self.new_order if axis != "x"]
        if len(set(kept)) != len(kept):
            raise ValueError(
                "The same input dimension may not appear twice in the list of output dimensions", new_order
            )
        self.shuffle = kept
        self.augment = [place for place, axis in enumerate(self.new_order) if axis == "x"]
        self.drop = [axis for axis in range(len(self.input_broadcastable)) if axis not in kept]
        for axis in self.drop:
            if not self.input_broadcastable[axis]:
                raise ValueError(
                    "You cannot drop a non-broadcastable dimension.", self.input_broadcastable, self.new_order
                )

    is_flat_on_integers = True

    def check(self, x: Any) -> None:
        if x.type.ndim != len(self.input_broadcastable):
            raise TypeError(
                f"The number of dimensions of the input is incorrect for this op. Expected "
                f"{self.input_broadcastable}, got {x.type.broadcastable}."
            )

    def applied(self, inputs: Sequence[Variable]) -> Apply:
        (x,) = inputs
        type_ = x.type.clone(broadcastable=[axis == "x" or x.type.broadcastable[axis] for axis in self.new_order])
        if not self.is_implied:
            node = super().applied(inputs)
            node.outputs[0].type = type_
            return node
        found = type_()
        found.widens = x  # its tensor is made when somebody asks for it
        return Apply(self, [x], [found])

    def compute(self, *tensors: Any) -> Any:
        (x,) = tensors
        if self.drop:
            x = st.squeeze(x, axis=tuple(self.drop))
        left = sorted(self.shuffle)
        order = [left.index(axis) for axis in self.shuffle]
        if order != sorted(order):
            x = st.permute_dims(x, tuple(order))
        return st.expand_dims(x, axis=tuple(self.augment)) if self.augment else x

    def __str__(self) -> str:
        return f"InplaceDimShuffle{{{','.join(map(str, self.new_order))}}}"


@functools.lru_cache(maxsize=256)
def _widening(broadcastable: tuple[bool, ...], rank: int) -> DimShuffle:
    """Return what puts axes of size 1 in front, as graphs show what broadcasts."""
    op = DimShuffle(broadcastable, (*["x"] * (rank - len(broadcastable)), *range(len(broadcastable))))
    op.is_implied = True
    return op


def _folded(node: Any) -> Any:
    """Return what functions show for a constant with other axes: a constant."""
    (x,) = node.inputs
    return constant(node.outputs[0].tensor.numpy()) if isinstance(x, Constant) else None


SPECIALIZED[DimShuffle] = _folded


def _shown_as(name: str) -> str:
    return f"Elemwise{{{f'Cast{{{name[11:]}}}' if name.startswith('convert_to_') else f'{name},no_inplace'}}}"


FUNCTIONS = {name: Elemwise(op, name=_shown_as(name)) for name, op in scal.OPS.items()}
"""Theano's elementwise functions by name: ops, which are called like functions."""
for _name, _op in FUNCTIONS.items():
    _op.__doc__ = f"{_name}, element by element."
    _op.__name__ = _name
globals().update(FUNCTIONS)
