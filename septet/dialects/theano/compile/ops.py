"""Ops that are about values rather than numbers: views, copies, shapes that are claimed, Python functions."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import septet as st
from septet.dialects.theano.gof.graph import Apply
from septet.dialects.theano.gof.op import NativeOp, Op
from septet.dialects.theano.gof.type import PureType
from septet.dialects.theano.tensor.convert import as_tensor_variable
from septet.dialects.theano.tensor.shaping import (
    Rebroadcast,
    Shape,
    Shape_i,
    as_sizes,
    elements_of,
    shape_i,
)  # fmt: skip
from septet.dialects.theano.tensortype import TensorType
from septet.ops import checks


class ViewOp(NativeOp):
    """The input itself."""

    __props__: tuple[str, ...] = ()
    view_map = {0: [0]}

    def check(self, x: Any) -> None:
        """Take one tensor."""

    def compute(self, *tensors: Any) -> Any:
        return tensors[0]


class OutputGuard(ViewOp):
    """The input itself."""


class DeepCopyOp(ViewOp):
    """A copy of the input."""


view_op = ViewOp()
deep_copy_op = DeepCopyOp()


class SpecifyShape(NativeOp):
    """The input, whose shape is said to be a given one; another shape is an AssertionError when values come.

    Parameters
    ----------
    said : str, optional
        How the error begins.
    """

    __props__ = ("said",)
    inputs_with_gradient = slice(1)
    view_map = {0: [0]}

    def __init__(self, said: str = "SpecifyShape") -> None:
        self.said = said

    def __str__(self) -> str:
        return "SpecifyShape"

    def make_node(self, *inputs: Any) -> Any:
        x, sizes = as_tensor_variable(inputs[0]), as_sizes(inputs[1])
        return self.applied([x, sizes])

    def compute(self, *tensors: Any) -> Any:
        x, sizes = tensors
        wanted = elements_of(sizes, x.ndim)
        if len(wanted) != x.ndim:
            raise AssertionError(f"{self.said}: {len(wanted)} sizes for a tensor with {x.ndim} axes")
        known = [size if isinstance(size, int) else None for size in wanted]
        for own, size in zip(x.type.shape, known, strict=True):
            if own is not None and size is not None and own != size:
                raise AssertionError(f"{self.said}: got shape {x.type.shape}, expected {tuple(known)}")
        if any(size is not None for size in known):
            x = st.Tensor(checks.ensure(x.node, [-1 if size is None else size for size in known], self.said))
        for axis, size in enumerate(wanted):
            if not isinstance(size, int):
                own = st.asarray(x.shape[axis])
                x = st.check_that(own == size, self.said + ": a size is {1}, expected {2}", x, own, size)
        return x


specify_shape = SpecifyShape()


class FromFunctionOp(Op):
    """A Python function of arrays as an op. Made by `as_op`."""

    def __init__(
        self, fn: Callable[..., Any], itypes: Sequence[Any], otypes: Sequence[Any], infer_shape: Any = None
    ) -> None:
        self._fn = fn
        self.itypes = list(itypes)
        self.otypes = list(otypes)
        self.infer_shape = infer_shape

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._fn == other._fn

    def __hash__(self) -> int:
        return hash((type(self), self._fn))

    def __str__(self) -> str:
        return f"FromFunctionOp{{{self._fn.__name__}}}"

    def perform(self, node: Apply, inputs: Sequence[Any], output_storage: Any, params: Any = None) -> None:
        found = self._fn(*inputs)
        found = found if isinstance(found, (list, tuple)) else (found,)
        if len(found) != len(output_storage):
            raise AssertionError(f"{self} returned {len(found)} results, {len(output_storage)} were declared")
        for cell, value in zip(output_storage, found, strict=True):
            cell[0] = value


def as_op(itypes: Any, otypes: Any, infer_shape: Any = None) -> Callable[[Callable[..., Any]], FromFunctionOp]:
    """Make a Python function of arrays an op (a decorator).

    Parameters
    ----------
    itypes, otypes : Type or list of Type
        Of the arguments, and of the results.
    """
    itypes, otypes = [list(own) if isinstance(own, (list, tuple)) else [own] for own in (itypes, otypes)]
    for name, types in (("itypes", itypes), ("otypes", otypes)):
        if any(not isinstance(own, PureType) for own in types):
            raise TypeError(f"{name} has to be a list of Theano types")
    return lambda fn: FromFunctionOp(fn, itypes, otypes, infer_shape)


def _c_code(*_: Any, **__: Any) -> None:
    """Take what is said about C code; there is none."""


register_view_op_c_code = register_deep_copy_op_c_code = register_shape_c_code = register_shape_i_c_code = _c_code
register_rebroadcast_c_code = register_specify_shape_c_code = _c_code


expandable_types = (TensorType,)


def load_back(mod: str, name: str) -> Any:
    """Return what a module has under a name, as old pickles ask for it."""
    return getattr(importlib.import_module(mod), name)


shape_i_op = Shape_i

__all__ = [
    "DeepCopyOp", "FromFunctionOp", "OutputGuard", "Rebroadcast", "Shape", "Shape_i", "SpecifyShape", "ViewOp", "as_op",
    "deep_copy_op", "register_deep_copy_op_c_code", "register_rebroadcast_c_code", "register_shape_c_code",
    "register_shape_i_c_code", "register_specify_shape_c_code", "register_view_op_c_code", "shape_i", "shape_i_op",
    "specify_shape", "view_op",
]  # fmt: skip
