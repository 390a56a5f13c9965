"""Assert: a tensor, where conditions hold."""

from __future__ import annotations

from typing import Any

import numpy as np

import septet as st
from septet.dialects.theano.gof.op import NativeOp


class Assert(NativeOp):
    """A tensor itself, where conditions hold; AssertionError otherwise, when the function runs.

    Parameters
    ----------
    msg : str
    """

    __props__ = ("msg",)
    inputs_with_gradient = slice(1)
    view_map = {0: [0]}
    error: type[Exception] = AssertionError

    def __init__(self, msg: str = "Theano Assert failed!") -> None:
        self.msg = msg

    def check(self, value: Any, *conditions: Any) -> None:
        if any(condition.ndim for condition in conditions):
            raise AssertionError("the conditions of Assert are scalars")

    def compute(self, *tensors: Any) -> Any:
        value, *conditions = tensors
        if not conditions:
            return value
        if not any(t.node.is_symbolic for t in tensors):  # looked at no earlier than the value is
            return st.callback(
                lambda x, *conditions: x if self._checked(*conditions) else None,
                (value.dtype.name, value.type.shape), *tensors, gradient=lambda g, *args: (g, *[None] * len(args[1:])),
            )  # fmt: skip
        return st.check_that(st.callback(self._checked, ("bool", ()), *conditions), self.msg, value)

    def _checked(self, *conditions: Any) -> np.ndarray:
        if not np.all(conditions):
            raise self.error(self.msg)
        return np.asarray(True)


assert_ = assert_op = Assert()
