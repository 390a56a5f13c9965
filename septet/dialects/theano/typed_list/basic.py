"""`theano.typed_list.basic`: what can be done with lists of values of one type; Python computes it, op by op."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import numpy as np

from septet.dialects.theano.configdefaults import config
from septet.dialects.theano.gof.graph import Apply, Constant, Variable
from septet.dialects.theano.gof.op import Op
from septet.dialects.theano.tensor.convert import as_variable
from septet.dialects.theano.tensor.type_other import SliceType
from septet.dialects.theano.tensortype import TensorType
from septet.dialects.theano.typed_list.type import Operators, TypedListConstant, TypedListType, TypedListVariable

PLACE = TensorType("int64", ())


class ListOp(Op):
    """An op of a list and of other values.

    Parameters
    ----------
    inplace : bool
        Kept for programs that give it; the list that is given stays as it is.
    """

    __props__ = ("inplace",)
    takes: tuple[str, ...] = ()
    """What comes after the list: "element", "list" or "index"."""
    gives = "list"
    compute: Callable[..., Any]
    """From the type of the elements, the list and the other values to the result."""

    def __init__(self, inplace: bool = False) -> None:
        self.inplace = inplace

    def make_node(self, *inputs: Any) -> Apply:
        x, *rest = inputs
        if not isinstance(x.type, TypedListType) or len(rest) != len(self.takes):
            raise AssertionError(f"{self} takes a typed list and {len(self.takes)} more, got {inputs}")
        gives, types = self.gives, {"list": x.type, "element": x.ttype, "index": PLACE, "count": PLACE}
        types["number"] = TensorType(config.floatX, ())
        given: list[Any] = []
        for kind, value in zip(self.takes, rest, strict=True):
            if isinstance(value, slice):
                value = SliceType.Constant(SliceType(), value)
            elif not isinstance(value, Variable):
                value = types[kind].filter_variable(value)
            if kind == "index" and gives == "element" and isinstance(value.type, SliceType):
                gives = "list"
            elif value.type != types[kind]:
                problem = f"{self}: an input is of type {value.type}, expected {types[kind]}"
                raise (TypeError if gives == "element" else AssertionError)(problem)
            given.append(value)
        return Apply(self, [x, *given], [types[gives]()])

    def perform(self, node: Any, inputs: Sequence[Any], output_storage: Any, params: Any = None) -> None:
        output_storage[0][0] = type(self).compute(node.inputs[0].ttype, *inputs)

    def __str__(self) -> str:
        return type(self).__name__


def _place(ttype: Any, values: Any, x: Any) -> int:
    for place, one in enumerate(values):
        if ttype.values_eq(one, x):
            return place
    raise ValueError(f"{x} is not in the list")


def _without(ttype: Any, values: Any, x: Any) -> list[Any]:
    if not any(ttype.values_eq(one, x) for one in values):
        return list(values)
    place = _place(ttype, values, x)
    return [*values[:place], *values[place + 1 :]]


def _equal(ttype: Any, values: Any, x: Any) -> Any:
    return np.asarray(sum(ttype.values_eq(one, x) for one in values), config.floatX)


OPS: dict[str, tuple[str, str, Callable[..., Any], str]] = {
    "GetItem": ("index", "element", lambda t, v, i: v[i if isinstance(i, slice) else int(i)], "An element, or a part."),
    "Append": ("element", "list", lambda t, v, x: [*v, x], "With one more element at the end."),
    "Extend": ("list", "list", lambda t, v, x: [*v, *x], "With the elements of another list at the end."),
    "Insert": (
        "index element",
        "list",
        lambda t, v, i, x: [*v[: int(i)], x, *v[int(i) :]],
        "With one more at a place.",
    ),
    "Remove": ("element", "list", _without, "Without the first element that is equal to a value."),
    "Reverse": ("", "list", lambda t, v: v[::-1], "From the end to the beginning."),
    "Index": ("element", "number", lambda *given: np.asarray(_place(*given), config.floatX), "Where a value is first."),
    "Count": ("element", "number", _equal, "How many elements are equal to a value."),
    "Length": ("", "count", lambda t, v: np.asarray(len(v), "int64"), "How many elements there are."),
}
"""Class to what it takes after the list, what it gives, how, and what it says of itself."""
for _name, (_takes, _gives, _compute, _text) in OPS.items():
    globals()[_name] = type(
        _name, (ListOp,), {"takes": tuple(_takes.split()), "gives": _gives, "compute": _compute, "__doc__": _text}
    )


class MakeList(Op):
    """Values of one type as a list."""

    __props__ = ()

    def make_node(self, *inputs: Any) -> Apply:
        (values,) = inputs
        if not isinstance(values, (tuple, list)):
            raise AssertionError(f"make_list takes a list of variables, got {values!r}")
        given = [as_variable(value) for value in values]
        if not all(own.type == given[0].type for own in given):
            raise TypeError(f"MakeList needs all inputs to be of the same type, got {[own.type for own in given]}")
        return Apply(self, given, [TypedListType(given[0].type)()])

    def perform(self, node: Apply, inputs: Sequence[Any], output_storage: Any, params: Any = None) -> None:
        output_storage[0][0] = [deepcopy(value) for value in inputs]


FUNCTIONS = {{"Index": "index_"}.get(name, name.lower()): globals()[name]() for name in OPS}
globals().update(FUNCTIONS)
make_list = MakeList()
for _name, _method in {"getitem": "__getitem__", "index_": "ind", "length": "__len__"}.items() | {
    (name, name) for name in ("append", "extend", "insert", "remove", "reverse", "count")
}:
    setattr(Operators, _method, lambda self, *given, op=FUNCTIONS[_name]: op(self, *given))

__all__ = [
    "Apply", "Constant", "MakeList", "Op", "SliceType", "TypedListConstant", "TypedListType", "TypedListVariable",
    "Variable", "make_list", *FUNCTIONS, *OPS,
]  # fmt: skip
