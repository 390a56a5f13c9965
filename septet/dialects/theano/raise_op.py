"""An op that raises when it is computed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from septet.dialects.theano.gof.graph import Apply
from septet.dialects.theano.gof.op import Op
from septet.dialects.theano.tensor.convert import as_tensor_variable


class Raise(Op):
    """Raises an exception; used inside of `ifelse`."""

    __props__ = ("msg", "exc")

    def __init__(self, msg: str = "", exc: type[BaseException] = NotImplementedError) -> None:
        self.msg = msg
        self.exc = exc

    def make_node(self, *inputs: Any) -> Apply:
        x = as_tensor_variable(inputs[0])
        return Apply(self, [x], [x.type()])

    def perform(self, node: Apply, inputs: Sequence[Any], output_storage: Any, params: Any = None) -> None:
        raise self.exc(self.msg)

    def grad(self, inputs: Sequence[Any], output_grads: Sequence[Any]) -> Any:
        return output_grads
