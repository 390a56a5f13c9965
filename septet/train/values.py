"""Values of an epoch, from values that come batch by batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from septet.base.errors import ArgumentError
from septet.metrics import Metric
from septet.train.log import Row

PREFIX = "watch/"
"""What the names of values begin with that a step returns about tensors that are watched; see `monitor`."""


class Means:
    """Means over examples of values that come batch by batch.

    Where a value "weight" is among them, the losses of batches weigh so much, not as much as their numbers of examples.

    Attributes
    ----------
    last : dict of str to float
        The values of the last batch.
    """

    def __init__(self) -> None:
        self.totals: Row = {}
        self.count = 0.0
        self.last: Row = {}

    def add(self, values: Mapping[str, float], count: float) -> None:
        """Take in the means over one batch of `count` examples."""
        self.last = values if isinstance(values, dict) else dict(values)
        self.count += count
        totals = self.totals
        for name, value in values.items():
            totals[name] = totals.get(name, 0.0) + value * count
        if "weight" in values:
            totals["weight"] += values["weight"] * (1.0 - count)
            totals["loss"] += values["loss"] * (values["weight"] - count)

    def values(self) -> Row:
        """Return the means so far."""
        count = self.count or 1
        found = {name: total / count for name, total in self.totals.items()}
        weight = self.totals.get("weight")
        if weight is not None:
            del found["weight"]
            found["loss"] = self.totals["loss"] / (weight or 1)
        return found

    def state(self) -> dict[str, Any]:
        """Return totals and counts as plain values."""
        return {"totals": self.totals, "count": self.count, "last": self.last}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `state` returned."""
        self.totals, self.count, self.last = dict(state["totals"]), state["count"], dict(state["last"])


def results(metrics: Mapping[str, Metric]) -> Row:
    """Return what metrics say of all that they have seen: numbers, or nested lists of them."""
    return {name: metric.result().numpy().tolist() for name, metric in metrics.items()}


def arrays_of(batch: Any) -> tuple[Any, ...]:
    """Return inputs and targets of a batch, and weights of its examples where there are any.

    Raises
    ------
    ArgumentError
        If it has another number of arrays.
    """
    values = tuple(batch.values()) if isinstance(batch, dict) else tuple(batch)
    if len(values) not in (2, 3):
        raise ArgumentError(
            f"training needs batches of (inputs, targets) or (inputs, targets, weights), got {len(values)} arrays"
        )
    return values
