"""DebugMode: every op is computed by Python, and compared with what Septet's compiled program makes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from septet.dialects.theano.compile.mode import Mode, register_mode
from septet.dialects.theano.configdefaults import config


class DebugModeError(Exception):
    """Something that DebugMode has found."""


class BadThunkOutput(DebugModeError):
    """An op that computes different results in two ways."""


class BadOptimization(DebugModeError):
    """An optimization that changes results."""


class BadDestroyMap(DebugModeError):
    """An op that writes over an input without saying so."""


class BadViewMap(DebugModeError):
    """An op whose result shares memory with an input without saying so."""


class StochasticOrder(DebugModeError):
    """Results that depend on the order of sets or dicts."""


class InvalidValueError(DebugModeError):
    """A result that is not of the type of its variable."""


class DebugMode(Mode):
    """Computes op by op, and checks each: results are of their types, inputs are not written over, values are finite.

    Parameters
    ----------
    check_isfinite : bool, optional
        Whether NaN and infinities are errors; by default as the setting says.
    **words
        Others of Theano's, which are about its C code, are kept.
    """

    is_op_by_op = True

    def __init__(self, optimizer: Any = "default", check_isfinite: bool | None = None, **words: Any) -> None:
        super().__init__(None, optimizer)
        self.check_isfinite = config.DebugMode.check_finite if check_isfinite is None else check_isfinite
        self.words = words

    def around(self, number: int, node: Any, compute: Callable[[], list[Any]], inputs: list[Any]) -> list[Any]:
        before = [np.array(value) if isinstance(value, np.ndarray) else value for value in inputs]
        results = compute()
        destroyed = {place for places in getattr(node.op, "destroy_map", {}).values() for place in places}
        for place, (old, new) in enumerate(zip(before, inputs, strict=True)):
            if isinstance(new, np.ndarray) and place not in destroyed and old.tobytes() != new.tobytes():
                raise BadDestroyMap(f"{node} has written over its input {place} ({node.inputs[place]})")
        if not node.op.is_native:
            _check_views(node, results, inputs)
        again = compute()
        for variable, value, second in zip(node.outputs, results, again, strict=True):
            if not variable.type.is_valid_value(value):
                raise InvalidValueError(f"{variable} of {node}: {value!r} is not of type {variable.type}")
            if not variable.type.values_eq_approx(value, second):
                raise BadThunkOutput(f"{node} computes {value!r}, and {second!r} when it is called again")
            if self.check_isfinite and isinstance(value, np.ndarray) and value.dtype.kind in "fc":
                if not np.isfinite(value).all():
                    raise InvalidValueError(f"{variable} of {node} is not finite: {value!r}")
        return results


def _check_views(node: Any, results: list[Any], inputs: list[Any]) -> None:
    """Raise BadViewMap for results that lie in the memory of inputs, and are not said to."""
    maps = [getattr(node.op, name, {}) for name in ("view_map", "destroy_map")]
    declared = [{place for own in maps for place in own.get(number, ())} for number in range(len(results))]
    for number, result in enumerate(results):
        if not isinstance(result, np.ndarray):
            continue
        for place, given in enumerate(inputs):
            if isinstance(given, np.ndarray) and place not in declared[number] and np.shares_memory(result, given):
                raise BadViewMap(
                    f"output {number} of {node} is a view of its input {place}, which view_map does not say"
                )


register_mode("DEBUG_MODE", DebugMode())
