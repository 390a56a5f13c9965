"""Sketches: models whose variables have shapes but no memory, to count parameters without making them."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import local
from typing import Any

import numpy as np

from septet.base import dtypes
from septet.graph.node import symbol
from septet.graph.types import tensor_type
from septet.tensor.tensor import Tensor
from septet.tensor.trace import Trace
from septet.tensor.variable import Variable


class _Sketching(local):
    """Whether variables are sketched, per thread."""

    is_on = False


_sketching = _Sketching()


def is_sketching() -> bool:
    """Tell whether modules make variables without memory now."""
    return _sketching.is_on


@contextmanager
def sketching() -> Iterator[None]:
    """Let modules make variables without memory for a block: of the right shape, with one zero for all elements."""
    before, _sketching.is_on = _sketching.is_on, True
    try:
        yield
    finally:
        _sketching.is_on = before


def sketched(shape: Sequence[int], name: str, dtype: Any, role: str) -> Variable:
    """Return a variable whose elements share one zero."""
    one = np.zeros((), dtypes.as_dtype(dtype))
    variable = Variable(one, name, role=role)
    variable.variable_type = tensor_type(one.dtype, tuple(shape))
    return variable.store(np.broadcast_to(one, tuple(shape)))


def count_parameters(model: Any, *inputs: Any) -> int:
    """Return how many trainable numbers a model has, without making them: it is built for inputs of some shapes only.

    The model itself stays as it is: a copy is built.

    Parameters
    ----------
    model : Module
    *inputs : tuple of int, array-like or tensor
        Shapes of float inputs, or examples: only dtypes and shapes matter. None are needed for a model that has seen an
        input.

    Returns
    -------
    int

    Examples
    --------
    >>> from septet import nn
    >>> nn.count_parameters(nn.Sequential(nn.Flatten(), nn.Dense(10)), (1, 28, 28))
    7850
    """
    if not inputs:
        return sum(_size(variable) for variable in model.parameters())
    twin = copy.deepcopy(model)
    with sketching(), Trace():
        twin.eval()(*[Tensor(symbol(_type(value), "x")) for value in inputs])
    return sum(_size(variable) for variable in twin.parameters())


def _type(value: Any) -> Any:
    """Return the type of an input that was given as a shape or an example."""
    if isinstance(value, tuple):
        return tensor_type(dtypes.as_dtype("float32"), value)
    return value.type if isinstance(value, Tensor) else tensor_type(np.asarray(value).dtype, np.shape(value))


def _size(variable: Variable) -> int:
    return int(np.prod(variable.variable_type.shape, dtype=np.int64))
