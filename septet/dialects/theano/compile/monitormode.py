"""MonitorMode: functions that are called before and after each op."""

from __future__ import annotations

from typing import Any

import numpy as np

from septet.dialects.theano.compile.mode import Mode
from septet.dialects.theano.gof.link import WrapLinkerMany


class MonitorMode(Mode):
    """Calls functions before and after each op.

    Parameters
    ----------
    pre_func, post_func : callable, optional
        ``function(i, node, thunk)``; ``thunk.inputs`` and ``thunk.outputs`` are lists of ``[value]``.
    """

    def __init__(
        self, pre_func: Any = None, post_func: Any = None, optimizer: Any = "default", linker: Any = None
    ) -> None:
        self.pre_func = pre_func
        self.post_func = post_func
        super().__init__(WrapLinkerMany([], [self.eval]), optimizer)

    def eval(self, i: int, node: Any, fn: Any) -> None:
        """Compute one application with the functions around it."""
        if self.pre_func is not None:
            self.pre_func(i, node, fn)
        fn()
        if self.post_func is not None:
            self.post_func(i, node, fn)

    def clone(self, link_kwargs: Any = None, optimizer: Any = "", **words: Any) -> Mode:
        return type(self)(self.pre_func, self.post_func)


def detect_nan(i: int, node: Any, fn: Any) -> None:
    """Print an application whose result holds NaN."""
    for output in fn.outputs:
        if isinstance(output[0], np.ndarray) and output[0].dtype.kind in "fc" and np.isnan(output[0]).any():
            from septet.dialects.theano.printing import debugprint

            print("*** NaN detected ***")
            debugprint(node)
            print(f"Inputs : {[cell[0] for cell in fn.inputs]}")
            print(f"Outputs: {[cell[0] for cell in fn.outputs]}")
            break
