"""OpFromGraph: a graph as an op."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import septet as st
from septet.dialects.theano.engine import replaced
from septet.dialects.theano.gof.graph import Apply, Variable, lower, refuse_python
from septet.dialects.theano.gof.graph import inputs as graph_inputs
from septet.dialects.theano.gof.null_type import NullType
from septet.dialects.theano.gof.op import NativeOp
from septet.dialects.theano.sharing import SharedVariable


class OpFromGraph(NativeOp):
    """An op that computes what a graph computes.

    Parameters
    ----------
    inputs, outputs : list of Variable
        Shared variables within the graph are found.
    inline : bool
        Kept: the graph is always part of what is compiled.
    grad_overrides : "default", callable, OpFromGraph, variable, or a list of these for each input
        Other gradients: ``callable(inputs, output_grads)`` returns a list, or one in a list of overrides. A variable of
        NullType or DisconnectedType says that there is none.
    lop_overrides : the same, with ``callable(inputs, outputs, output_grads)``
    name : str, optional

    Raises
    ------
    TypeError, ValueError
        If what is given are no variables, or two kinds of overrides are.
    """

    def __init__(
        self, inputs: Sequence[Any], outputs: Any, inline: bool = False, lop_overrides: Any = "default", grad_overrides: Any = "default",
        rop_overrides: Any = "default", connection_pattern: Any = None, name: str | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        if not isinstance(outputs, list):
            raise TypeError(f"outputs must be list, got {type(outputs)}")
        for own in [*inputs, *outputs]:
            if not isinstance(own, Variable):
                raise TypeError("inputs and outputs must be Variable instances", own)
        if "updates" in kwargs or "givens" in kwargs:
            raise TypeError("updates and givens are not allowed here")
        if lop_overrides != "default" and grad_overrides != "default":
            raise ValueError("lop_overrides and grad_overrides are mutually exclusive")
        self.inputs = self.local_inputs = list(inputs)
        self.outputs = self.local_outputs = list(outputs)
        self.is_inline = inline
        self.name = name
        self.shared_inputs = [v for v in graph_inputs(outputs) if isinstance(v, SharedVariable) and v not in inputs]
        self.input_types = [v.type for v in inputs]
        self.output_types = [v.type for v in outputs]
        self._has_outputs = lop_overrides != "default"
        self._overrides = lop_overrides if self._has_outputs else grad_overrides
        if connection_pattern is not None:
            self.connection_pattern = lambda node: connection_pattern
        refuse_python("OpFromGraph", outputs, inputs)
        lower([*inputs, *outputs])

    def make_node(self, *inputs: Any) -> Apply:
        if len(inputs) != len(self.inputs):
            raise ValueError(f"Wrong number of inputs, need {len(self.inputs)}, got {len(inputs)}")
        given = [own.filter_variable(value) for own, value in zip(self.input_types, inputs, strict=True)]
        return self.applied([*given, *self.shared_inputs])

    def compute(self, *tensors: Any) -> Any:
        def value(*args: Any) -> tuple[Any, ...]:
            sources = [v.tensor for v in [*self.inputs, *self.shared_inputs]]
            return tuple(replaced([v.tensor for v in self.outputs], zip(sources, args, strict=True)))

        if isinstance(self._overrides, str):
            return value(*tensors)
        count = len(self.inputs)

        def with_gradient(*args: Any) -> Any:
            results = value(*args)
            return results, lambda *g: [*self._pulled(args[:count], results, g), *[None] * (len(args) - count)]

        return st.custom_gradient(with_gradient)(*tensors)

    def _pulled(self, args: Sequence[Any], results: Sequence[Any], g: Sequence[Any]) -> list[Any]:
        """Return the cotangents of the inputs as the overrides say, and as they are by default elsewhere."""
        inputs = [own.holding(tensor) for own, tensor in zip(self.input_types, args, strict=True)]
        outputs = [own.holding(tensor) for own, tensor in zip(self.output_types, results, strict=True)]
        cotangents = [st.zeros_like(r) if one is None else one for one, r in zip(g, results, strict=True)]
        gradients = [own.holding(tensor) for own, tensor in zip(self.output_types, cotangents, strict=True)]
        words = (inputs, outputs, gradients) if self._has_outputs else (inputs, gradients)
        own = self._overrides
        if not isinstance(own, list):
            return [self._tensor(found) for found in self._called(own, words)]
        if len(own) != len(inputs):
            raise ValueError(f"expect overrides for {len(inputs)} inputs, got {len(own)}")
        plain = (
            st.lop(list(results), list(args), list(cotangents))
            if "default" in [o for o in own if isinstance(o, str)]
            else None
        )
        return [
            plain[place] if isinstance(one, str) else self._tensor(self._called(one, words)) for place, one in enumerate(own)
        ]  # fmt: skip

    @staticmethod
    def _called(override: Any, words: Sequence[Any]) -> Any:
        if isinstance(override, OpFromGraph):
            return override(*[v for group in words for v in group], return_list=len(override.outputs) > 1)
        if isinstance(override, Variable):
            return override
        if not callable(override):
            raise TypeError(
                f"an override is 'default', a function, an OpFromGraph or a variable without a value, got {override!r}"
            )
        return override(*words)

    @staticmethod
    def _tensor(found: Any) -> Any:
        found = found[0] if isinstance(found, list) and len(found) == 1 else found
        if isinstance(found.type, NullType) or not found.type.is_tensor:
            return None
        return found.tensor

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def __str__(self) -> str:
        return f"{type(self).__name__}{{inline={self.is_inline}}}" if self.name is None else self.name
