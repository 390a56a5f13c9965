"""`check`: NaN and infinity, named where they are made; and `check.bisect`, which compares two ways to run."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from septet.base.config import Override, config
from septet.graph.context import context
from septet.run.bisect import bisect


class check:
    """Check every value for NaN and infinity while a block or a function runs.

    The first op whose result has NaN though no input has, or infinity though all inputs are finite, is an error, which
    names the op, the user's line, the layer, the first element and the values that led to it; and for what
    differentiation has made, the op that it is the gradient of. Infinities that are put in (masks of attention) are no
    finding; NaN that comes of them is.

    Define-by-run code computes every op where it is recorded while this is on, so the error is raised at its line.
    Compiled code runs step by step and is checked after each: a NaN inside of a fused kernel that `where` drops before
    it is stored is not seen. Parameters and states stay as they were before the step that failed.

    That indices are in range is not a matter of this: it is always checked.

    Parameters
    ----------
    nan : bool
        Whether to check; False switches it off inside of a block that checks.

    Raises
    ------
    NonFiniteError
        At the first finding.

    Examples
    --------
    >>> import septet as st
    >>> with st.check(nan=True):
    ...     y = st.log(st.tensor([1.0, -1.0]))
    Traceback (most recent call last):
    septet.base.errors.NonFiniteError: log: the result has NaN, and no input has NaN: 1 of 2 elements, the first at 1
      x: float32[2]   data, ...
    """

    bisect = staticmethod(bisect)

    def __init__(self, *, nan: bool = True) -> None:
        self._nan = nan
        self._blocks: list[tuple[Override, int]] = []

    def __enter__(self) -> check:
        values: dict[str, object] = {"check_nan": self._nan}
        if self._nan:
            values["record_limit"] = 1
        override = config.override(**values)
        self._blocks.append((override, context.limit))
        override.__enter__()
        if self._nan:
            context.limit = 1  # the next node is beyond it: it is computed where it is recorded
        return self

    def __exit__(self, *error: Any) -> None:
        override, limit = self._blocks.pop()
        override.__exit__(*error)
        context.limit = limit

    def __call__(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that is checked while it runs."""

        @functools.wraps(call)
        def checked(*args: Any, **words: Any) -> Any:
            with check(nan=self._nan):
                return call(*args, **words)

        return checked
