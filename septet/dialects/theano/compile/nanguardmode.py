"""NanGuardMode: every result is looked at, and the first NaN, infinity or very large number is an error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from septet.dialects.theano.compile.mode import Mode
from septet.dialects.theano.configdefaults import config

BIG = 1e10
"""What counts as very large."""


def contains_nan(arr: Any, node: Any = None, var: Any = None) -> bool:
    """Tell whether an array holds NaN."""
    return isinstance(arr, np.ndarray) and arr.dtype.kind in "fc" and bool(np.isnan(arr).any())


def contains_inf(arr: Any, node: Any = None, var: Any = None) -> bool:
    """Tell whether an array holds an infinity."""
    return isinstance(arr, np.ndarray) and arr.dtype.kind in "fc" and bool(np.isinf(arr).any())


class NanGuardMode(Mode):
    """Raises AssertionError at the first op with a result that should not be.

    Parameters
    ----------
    nan_is_error, inf_is_error, big_is_error : bool
        What is looked for: NaN, infinities, numbers beyond 1e10. By default as the settings say.
    """

    is_op_by_op = True

    def __init__(
        self, nan_is_error: bool | None = None, inf_is_error: bool | None = None, big_is_error: bool | None = None,
        optimizer: Any = "default", linker: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(linker, optimizer)
        given = {"nan": nan_is_error, "inf": inf_is_error, "big": big_is_error}
        self.looks_for = {
            name: getattr(config.NanGuardMode, f"{name}_is_error") if own is None else own
            for name, own in given.items()
        }

    def around(self, number: int, node: Any, compute: Callable[[], list[Any]], inputs: list[Any]) -> list[Any]:
        for variable, value in zip(node.inputs, inputs, strict=True):
            self._look(value, variable, node, "an input")
        results = compute()
        for variable, value in zip(node.outputs, results, strict=True):
            self._look(value, variable, node, "an output")
        return results

    def _look(self, value: Any, variable: Any, node: Any, role: str) -> None:
        if not isinstance(value, np.ndarray) or value.dtype.kind not in "fc" or not value.size:
            return
        for name, is_there in (
            ("nan", lambda: np.isnan(value).any()),
            ("inf", lambda: np.isinf(value).any()),
            ("big", lambda: np.abs(value[np.isfinite(value)]).max(initial=0) > BIG),
        ):
            if self.looks_for[name] and is_there():
                text = {"nan": "NaN detected", "inf": "Inf detected", "big": "Big value detected"}[name]
                raise AssertionError(f"{text} in {role} of a node: {variable}\nThe node is: {node}")
