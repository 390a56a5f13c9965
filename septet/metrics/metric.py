"""Metric: a number about predictions that is kept up to date batch by batch, and exact at the end of an epoch."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from septet.base import dtypes
from septet.base.errors import ArgumentError, NotSupportedError, ShapeError
from septet.base.shapes import Shape
from septet.base.text import listing, shape_text
from septet.graph.context import recording
from septet.graph.node import Node
from septet.ops.checks import ensure
from septet.ops.shaping import sizes_of
from septet.tensor.creation import tensor
from septet.tensor.functions import f
from septet.tensor.tensor import Tensor
from septet.tensor.variable import Variable, assign_all


class Metric:
    """The base of metrics: what has been seen is kept in variables, so that a compiled step updates them where it runs.

    Subclasses define `accumulate`, which adds a batch to the state, and `result`, which computes the metric of all that
    was added. The state is made by `state`, when the first batch shows its sizes.

    Parameters
    ----------
    name : str, optional
        Under which `fit` and `evaluate` report it; by default the class's, in words with underscores.

    Examples
    --------
    >>> import septet as st
    >>> from septet import metrics
    >>> class Largest(metrics.Metric):
    ...     def accumulate(self, predictions, targets, weights):
    ...         self.state("seen").assign(st.maximum(self.state("seen"), predictions.max().astype(float)))
    ...     def result(self):
    ...         return self.state("seen")
    >>> largest = Largest()
    >>> largest.update([1.0, 7.0], [0.0, 0.0])
    >>> largest.update([3.0, 2.0], [0.0, 0.0])
    >>> float(largest.result()), largest.name
    (7.0, 'largest')
    """

    def __init__(self, name: str = "") -> None:
        self.name = name or re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(self).__name__).lower()
        self.states: dict[str, Variable] = {}

    def accumulate(self, predictions: Tensor, targets: Tensor, weights: Tensor | None) -> None:
        """Add a batch to the state."""
        raise NotSupportedError(f"{type(self).__name__} defines no accumulate()")

    def result(self) -> Tensor:
        """Return the metric of everything since the last `reset`."""
        raise NotSupportedError(f"{type(self).__name__} defines no result()")

    def update(self, predictions: Any, targets: Any, weights: Any = None) -> None:
        """Add a batch.

        Parameters
        ----------
        predictions, targets : tensor or array-like
        weights : tensor or array-like, optional
            How much each example counts.

        Raises
        ------
        ShapeError
            If the shapes do not fit: a metric never broadcasts.
        """
        values = [
            None if value is None else value if isinstance(value, Tensor) else tensor(value)
            for value in (predictions, targets, weights)
        ]
        with recording(False):
            self.accumulate(*values)  # type: ignore[arg-type]

    def reset(self) -> None:
        """Forget everything."""
        for variable in self.states.values():
            variable.assign(np.zeros(variable.variable_type.shape, variable.variable_type.dtype))  # type: ignore[arg-type]

    def __call__(self, predictions: Any, targets: Any, weights: Any = None) -> Tensor:
        """Add a batch, and return the metric of everything so far."""
        self.update(predictions, targets, weights)
        return self.result()

    def state(self, name: str, shape: Sequence[int] = ()) -> Variable:
        """Return a part of the state, a variable that is 0 at first, in double precision: sums stay exact."""
        if name not in self.states:
            self.states[name] = Variable(
                np.zeros(tuple(shape)), f"{self.name}.{name}", dtype=dtypes.float64, role="state"
            )
        return self.states[name]

    def add(self, **amounts: Any) -> None:
        """Add tensors to parts of the state."""
        new = {}
        for name, amount in amounts.items():
            amount = amount.astype(dtypes.float64)
            variable = self.state(name, [size for size in amount.type.shape])
            new[variable] = variable + amount
        assign_all(new)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(name={self.name!r})"


class Of(Metric):
    """A metric of one of a model's outputs.

    Parameters
    ----------
    key : str or int
        Which output, and which of the targets.
    metric : Metric
    name : str, optional
        By default the key and the metric's name, such as "age_mae".

    Examples
    --------
    >>> from septet import metrics
    >>> error = metrics.Of("age", metrics.MeanAbsoluteError(name="mae"))
    >>> error.update({"age": [30.0, 50.0], "sick": [0.0, 1.0]}, {"age": [31.0, 54.0]})
    >>> error.name, float(error.result())
    ('age_mae', 2.5)
    """

    def __init__(self, key: str | int, metric: Metric, name: str = "") -> None:
        if not isinstance(metric, Metric):
            raise ArgumentError(f"Of: takes a Metric, got {metric!r}", hint="metrics.get(name) returns one")
        super().__init__(name or f"{key}_{metric.name}")
        self.key = key
        self.metric = metric

    def update(self, predictions: Any, targets: Any, weights: Any = None) -> None:
        for what, values in (("predictions", predictions), ("targets", targets)):
            if isinstance(values, dict) and self.key not in values:
                raise ArgumentError(f"{self.name}: the {what} have no {self.key!r}; they are {listing(values)}")
        self._own().update(predictions[self.key], targets[self.key], weights)

    def result(self) -> Tensor:
        return self._own().result()

    def _own(self) -> Metric:
        """Return the metric, with the state that is kept here: copies of this share the metric, not the state."""
        self.metric.states = self.states
        return self.metric


class Mean(Metric):
    """The mean of values, one for each example: what most metrics are.

    Subclasses define `values`; or a function of (predictions, targets) gives them.

    Parameters
    ----------
    function : callable
        Its result has a value for each example, or is one number for the whole batch, which then counts as often as the
        batch has examples.
    name : str, optional
        By default the function's.

    Examples
    --------
    >>> import septet as st
    >>> from septet import metrics
    >>> error = metrics.Mean(lambda predictions, targets: st.abs(predictions - targets), "error")
    >>> error.update([1.0, 2.0, 3.0], [1.0, 2.0, 6.0])
    >>> error.update([1.0], [0.0])
    >>> float(error.result())
    1.0
    """

    def __init__(self, function: Callable[[Tensor, Tensor], Tensor] | None = None, name: str = "") -> None:
        super().__init__(name or getattr(function, "__name__", ""))
        self.function = function

    def values(self, predictions: Tensor, targets: Tensor) -> Tensor:
        """Return a value for each example, or one for the batch."""
        if self.function is None:
            raise NotSupportedError(f"{type(self).__name__} has neither a function nor values()")
        return self.function(predictions, targets)

    def accumulate(self, predictions: Tensor, targets: Tensor, weights: Tensor | None) -> None:
        values = self.values(predictions, targets).astype(dtypes.float64)
        if not values.ndim and predictions.ndim:
            if weights is not None:
                raise ArgumentError(f"{self.name}: one number for the whole batch cannot be weighted by examples")
            count = as_double(predictions.shape[0])
            self.add(total=values * count, count=count)
            return
        weights = weights_for(self.name, values, weights)
        self.add(total=(values if weights is None else values * weights).sum(), count=how_many(values, weights))

    def result(self) -> Tensor:
        return ratio(self.state("total"), self.state("count"))


def weights_for(name: str, values: Tensor, weights: Tensor | None) -> Tensor | None:
    """Return weights of the shape of some values; those of the leading axes count for what lies below."""
    if weights is None:
        return None
    shape, own = values.type.shape, weights.type.shape
    if not agree(shape[: len(own)], own):
        raise ShapeError(f"{name}: the weights have shape {shape_text(own)}, there are values of {shape_text(shape)}")
    weights = weights.astype(dtypes.float64).reshape(*weights.shape, *(1,) * (len(shape) - len(own)))
    return f.broadcast_to(weights, values.shape)


def how_many(values: Tensor, weights: Tensor | None) -> Tensor:
    """Return the number of some values, or the sum of their weights."""
    if weights is not None:
        return weights.sum()
    return as_double(math.prod(values.shape)) if None not in values.type.shape else f.ones_like(values).sum()


def as_double(number: Any) -> Tensor:
    """Return a number, or a size that is a tensor, in double precision."""
    return number.astype(dtypes.float64) if isinstance(number, Tensor) else tensor(float(number), dtypes.float64)


def ratio(part: Any, whole: Any) -> Tensor:
    """Return part / whole, and 0 where the whole is 0: nothing was seen."""
    is_empty = f.equal(whole, 0.0)
    return f.where(is_empty, 0.0, part / f.where(is_empty, 1.0, whole))


def agree(first: Shape, second: Shape) -> bool:
    """Tell whether two shapes are the same, as far as their sizes are known."""
    return len(first) == len(second) and all(a == b or None in (a, b) for a, b in zip(first, second, strict=True))


def same_shape(name: str, predictions: Tensor, targets: Tensor) -> Tensor:
    """Refuse targets of another shape than the predictions; return them, checked again when the graph runs.

    Raises
    ------
    ShapeError
    """
    a, b = predictions.type.shape, targets.type.shape
    if not agree(a, b):
        raise ShapeError(
            f"{name}: predictions have shape {shape_text(a)}, targets {shape_text(b)}; shapes that differ are never "
            "broadcast",
            hint="reshape or squeeze one of them",
        )
    return _ensured(name, targets, sizes_of(predictions.node))


def labels_of(name: str, predictions: Tensor, labels: Tensor) -> Tensor:
    """Refuse labels that are not integers, one for each row of predictions (N, ..., C); return them, checked again.

    Raises
    ------
    ShapeError, ArgumentError
    """
    a, b = predictions.type.shape, labels.type.shape
    if not a or not agree(a[:-1], b):
        expected = shape_text(a[:-1]) if a else "an axis less"
        raise ShapeError(f"{name}: predictions have shape {shape_text(a)}, so labels {expected}, got {shape_text(b)}")
    if not dtypes.is_integer(labels.dtype):
        raise ArgumentError(f"{name}: labels are integers, got {labels.dtype.name}")
    return _ensured(name, labels.astype(dtypes.int64), sizes_of(predictions.node)[:-1])


def _ensured(name: str, values: Tensor, sizes: Sequence[Any]) -> Tensor:
    node: Node = ensure(values.node, sizes, name)
    return Tensor(node)
