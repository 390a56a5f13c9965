"""Checking and converting the arguments of a compiled graph, and telling users what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from septet.base import dtypes
from septet.base.errors import CallError, DTypeError, SeptetError, ShapeError, TracedValueError
from septet.base.shapes import Shape
from septet.base.source import place_text
from septet.base.text import listing, nearest, plural, type_text
from septet.graph.node import Node
from septet.graph.op import as_array, as_node
from septet.graph.types import TensorType
from septet.tensor.tensor import Tensor
from septet.tensor.wrap import explain_values


def at_once(value: Any, type_: Any) -> np.ndarray | None:
    """Return the array of a tensor or array that has the type of an input; None where there is more to do or to say."""
    if type(value) is Tensor:
        array: Any = value.node.value
        if array is None:
            return None
    elif type(value) is np.ndarray:
        array = value.view()
        array.setflags(write=False)
    else:
        return None
    shape = array.shape
    if array.dtype != type_.dtype or len(shape) != type_.ndim:
        return None
    if shape != type_.shape:
        for known, size in zip(type_.shape, shape, strict=True):
            if known is not None and known != size:
                return None
    return array  # type: ignore[no-any-return]


def as_argument(value: Any, symbol: Node, name: str, position: int = 0) -> np.ndarray:
    """Return a value as an array of the type that an input has, without a copy where it has it already.

    Parameters
    ----------
    value : tensor or array-like
    symbol : Node
        The input.
    name : str
        Its name, for messages.
    position : int
        Its place among the inputs, for the marks of errors.

    Raises
    ------
    TracedValueError
        If it is a tensor that depends on a symbol.
    DTypeError
        If the dtype would have to be converted to a lower kind (float to integer).
    ShapeError
        If rank or a known size differs; the error marks the axes.
    """
    type_ = symbol.tensor_type
    if isinstance(value, Tensor):
        if value.node.value is None and value.node.is_symbolic:
            raise TracedValueError(
                f"input {name!r} is symbolic: it has no value",
                hint="a function takes values; givens={symbol: expression} of st.function puts an expression in the "
                "place of an input",
            )
        array = value.value
    elif isinstance(value, np.ndarray):
        array = value.view()
        array.flags.writeable = False
    else:
        try:
            array = as_array(value)
        except DTypeError as error:
            raise DTypeError(f"{_wanted(symbol, name)}; {error.message}", hint=error.hint) from None
    given = array
    if array.dtype != type_.dtype:
        array = _convert(array, symbol, name)
    if array.ndim != type_.ndim or any(w is not None and w != s for w, s in zip(type_.shape, array.shape, strict=True)):
        raise ShapeError(
            f"{_wanted(symbol, name)}, got {type_text(given)}",
            marks=[(position, axis) for axis in misfits(type_, array.shape)],
        )
    return array


def _wanted(symbol: Node, name: str) -> str:
    place = place_text(symbol.source)
    return f"input {name!r} must be {symbol.type!r}" + (f" (symbol, {place})" if place else "")


def misfits(type_: TensorType, shape: Shape) -> list[int]:
    """Return the axes of a shape whose sizes are not those of a type; all of them if the rank differs."""
    if len(shape) != type_.ndim:
        return list(range(len(shape)))
    return [axis for axis, (w, s) in enumerate(zip(type_.shape, shape, strict=True)) if None not in (w, s) and w != s]


def _convert(array: np.ndarray, symbol: Node, name: str) -> np.ndarray:
    """Convert within a kind or to a higher one."""
    wanted = symbol.dtype
    native = array.dtype.newbyteorder("=")
    if native not in dtypes.KIND or dtypes.KIND[native] > dtypes.KIND[wanted]:
        is_number = native in dtypes.KIND
        raise DTypeError(
            f"{_wanted(symbol, name)}, got {type_text(array)}",
            hint=f"convert it with .astype({wanted.name!r})" if is_number else None,
        )
    return array.astype(wanted)


def place(args: Sequence[Any], words: dict[str, Any], names: Sequence[str]) -> Sequence[Any]:
    """Bring the arguments of a call into the order of the inputs.

    Raises
    ------
    CallError
        If inputs are missing, given twice, too many, or unknown.
    """
    if not words and len(args) == len(names):
        return args
    takes = f"it takes {listing(names) if names else 'none'}"
    if len(args) > len(names):
        raise CallError(f"got {plural(len(args), 'input')}, {takes}")
    values = dict(zip(names, args, strict=False))
    for name, value in words.items():
        if name not in names:
            near = nearest(name, names)
            raise CallError(f"there is no input {name!r}; {takes}", hint=f"did you mean {near!r}?" if near else None)
        if name in values:
            raise CallError(f"got the input {name!r} twice, by position and by name")
        values[name] = value
    missing = [name for name in names if name not in values]
    if missing:
        raise CallError(f"lacks the {'inputs' if len(missing) > 1 else 'input'} {listing(missing)}; {takes}")
    return [values[name] for name in names]


def explain_arguments(
    error: SeptetError, function: str, named: Iterable[tuple[str, Any]], *, has_static: bool = False
) -> SeptetError:
    """Give an error about the arguments of a call the whole report; one that has it already stays as it is.

    Parameters
    ----------
    error : SeptetError
        Its marks count the arguments.
    function : str
    named : iterable of (str, value)
        All arguments, whether they are right or wrong.
    has_static : bool
        Whether only tensors and arrays are data; otherwise numbers and lists are too.
    """
    if error.is_located:
        return error
    shown: list[tuple[str, Any]] = []
    places: dict[int, int] = {}  # among the arguments -> among those that are tensors
    for position, (name, value) in enumerate(named):
        tensor = None if has_static and not isinstance(value, (Tensor, np.ndarray)) else _as_tensor(value)
        if tensor is not None:
            places[position] = len(places)
        shown.append((name, value if tensor is None else tensor))
    error.marks = tuple((places[position], axis) for position, axis in error.marks if position in places)
    return explain_values(error, function, shown)


def _as_tensor(value: Any) -> Any:
    """Return an argument as a tensor, for a report; None where it is no tensor."""
    if isinstance(value, Tensor):
        return value
    try:
        return Tensor(as_node(value))
    except SeptetError:
        return None
