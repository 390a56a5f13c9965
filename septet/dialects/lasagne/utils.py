"""Helpers: parameters, one-hot matrices, norms, and checks of arguments."""

from __future__ import annotations

import inspect
import numbers
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

import septet.dialects.theano as theano
import septet.dialects.theano.tensor as T

int_types = (numbers.Integral, np.integer)


def floatX(arr: Any) -> np.ndarray:
    """Return values as an array of dtype `theano.config.floatX`."""
    return np.asarray(arr, dtype=theano.config.floatX)


def shared_empty(dim: int = 2, dtype: Any = None) -> Any:
    """Return a shared variable with a number of axes, which holds one zero."""
    return theano.shared(np.zeros((1,) * dim, dtype=dtype or theano.config.floatX))


def as_theano_expression(input: Any) -> Any:
    """Return a variable as it is and anything else as a constant."""
    if isinstance(input, theano.Variable):
        return input
    try:
        return T.constant(input)
    except Exception as error:
        raise TypeError(
            f"Input of type {type(input)} is not a Theano expression and cannot be wrapped as a Theano constant (original exception: {error})"
        ) from error


def collect_shared_vars(expressions: Any) -> list[Any]:
    """Return the shared variables that expressions depend on, in the order in which they occur."""
    if isinstance(expressions, theano.Variable):
        expressions = [expressions]
    found = theano.gof.graph.inputs(list(reversed(expressions)))
    return [variable for variable in found if isinstance(variable, theano.compile.SharedVariable)]


def one_hot(x: Any, m: Any = None) -> Any:
    """Return a matrix with a row for each integer of a vector: 1 at its position, 0 elsewhere."""
    if m is None:
        m = T.cast(T.max(x) + 1, "int32")
    return T.eye(m)[T.cast(x, "int32")]


def unique(l: Iterable[Any]) -> list[Any]:
    """Return the different elements of an iterable in the order of their first occurrences."""
    return list(dict.fromkeys(l))


def as_tuple(x: Any, N: int, t: Any = None) -> tuple[Any, ...]:
    """Return a tuple of N elements: those of an iterable, or one value N times."""
    try:
        found = tuple(x)
    except TypeError:
        found = (x,) * N
    if t is not None and not all(isinstance(value, t) for value in found):
        names = ["int"] if t == int_types else [kind.__name__ for kind in (t if isinstance(t, tuple) else (t,))]
        raise TypeError(f"expected a single value or an iterable of {' or '.join(names)}, got {x} instead")
    if len(found) != N:
        raise ValueError(f"expected a single value or an iterable with length {N}, got {x} instead")
    return found


def inspect_kwargs(func: Callable[..., Any]) -> list[str]:
    """Return the names of a function's parameters that have a default."""
    parameters = inspect.signature(func).parameters.values()
    return [parameter.name for parameter in parameters if parameter.default is not parameter.empty]


def axes_of_units(ndim: int) -> tuple[int, ...]:
    """Return the axes over which the weights of one unit extend: the first of a matrix, all but the first of kernels."""
    if ndim == 2:
        return (0,)
    if ndim in (3, 4, 5):
        return tuple(range(1, ndim))
    raise ValueError(f"Unsupported tensor dimensionality {ndim}. Must specify `norm_axes`")


def compute_norms(array: Any, norm_axes: Sequence[int] | None = None) -> Any:
    """Return the Euclidean norms of the weights of each unit: an array for an array, a variable for a variable.

    If not given, the axes that are summed over are those of `axes_of_units`, and none of a vector.
    """
    if not isinstance(array, (theano.Variable, np.ndarray)):
        raise RuntimeError(f"Unsupported type {type(array)}. Only theano variables and numpy arrays are supported")
    if norm_axes is None and array.ndim == 1:
        norm_axes = ()
    if norm_axes is None:
        norm_axes = axes_of_units(array.ndim)
    if not len(norm_axes):
        return abs(array)
    library: Any = np if isinstance(array, np.ndarray) else T
    return library.sqrt(library.sum(array**2, axis=tuple(norm_axes)))


def create_param(spec: Any, shape: Iterable[int], name: str | None = None) -> Any:
    """Return the variable of a parameter, with a name if it has none.

    Its value is a number or an array; a variable is the parameter itself; a callable gets the shape and returns any of
    these. All else raises TypeError; ValueError says that a value does not have the shape, or that no value could.
    """
    shape = tuple(shape)
    if any(size <= 0 for size in shape):
        raise ValueError(
            f"Cannot create param with a non-positive shape dimension. Tried to create param with shape={shape!r}, name={name!r}"
        )
    is_made = callable(spec)
    if is_made:
        spec = spec(shape)
    if isinstance(spec, numbers.Number) or (isinstance(spec, np.generic) and spec.dtype.kind in "biufc"):
        spec = np.asarray(spec)

    def message(kind: str, text: str) -> str:
        source = f"the {kind} returned by the provided callable" if is_made else f"the provided {kind}"
        return f"cannot initialize parameter {name}: {source} {text}"

    if isinstance(spec, np.ndarray):
        if spec.shape != shape:
            raise ValueError(message("numpy array", f"has shape {spec.shape}, should be {shape}"))
        spec = theano.shared(spec, broadcastable=tuple(size == 1 for size in shape))
    if not isinstance(spec, theano.Variable):
        if is_made:
            raise TypeError(message("value", "is not a numpy array or a Theano expression"))
        raise TypeError(message("spec", "is not a numpy array, a Theano expression, or a callable"))
    if spec.ndim != len(shape):
        raise ValueError(message("Theano variable", f"has {spec.ndim} dimensions, should be {len(shape)}"))
    if not spec.name:
        spec.name = name
    return spec


def unroll_scan(
    fn: Callable[..., Any], sequences: Any, outputs_info: Any, non_sequences: Any, n_steps: int,
    go_backwards: bool = False,
) -> list[Any]:  # fmt: skip
    """Return what `theano.scan` would, with the steps written out one after the other.

    `outputs_info` are the results before the first step; with `go_backwards` sequences are read from the end.
    """
    if not isinstance(sequences, (list, tuple)):
        sequences = [sequences]
    steps: list[list[Any]] = []
    before = list(outputs_info)
    for i in reversed(range(n_steps)) if go_backwards else range(n_steps):
        found = fn(*[sequence[i] for sequence in sequences], *before, *non_sequences)
        before = list(found) if isinstance(found, (list, tuple)) else [found]
        steps.append(before)
    return [T.stack(list(values)) for values in zip(*steps, strict=True)]
