"""OpFromGraph: a graph as an op."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import septet as st
from septet.dialects.theano.compile.rebuild import rebuilt
from septet.dialects.theano.configdefaults import change_flags
from septet.dialects.theano.engine import replaced
from septet.dialects.theano.gof.graph import Apply, Variable, io_connection_pattern, lower, refuse_python
from septet.dialects.theano.gof.graph import inputs as graph_inputs
from septet.dialects.theano.gof.op import NativeOp
from septet.dialects.theano.missing import DisconnectedType
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
    rop_overrides : the same for each output, with ``callable(inputs, eval_points)``
    connection_pattern : list of list of bool, optional
        For each input and output, whether gradients flow; by default as they do in the graph, and to what has overrides.
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
        self._pattern = connection_pattern
        if grad_overrides != "default":
            self.set_grad_overrides(grad_overrides)
        else:
            self.set_lop_overrides(lop_overrides)
        self.set_rop_overrides(rop_overrides)
        refuse_python("OpFromGraph", outputs, inputs)
        lower([*inputs, *outputs])

    def set_lop_overrides(self, lop_overrides: Any) -> None:
        """Have other gradients, made of inputs, outputs and the gradients of the outputs."""
        self._overrides, self._has_outputs = lop_overrides, True
        self.is_native = isinstance(lop_overrides, str)  # otherwise `L_op` is asked

    def set_grad_overrides(self, grad_overrides: Any) -> None:
        """Have other gradients, made of inputs and the gradients of the outputs."""
        self.set_lop_overrides(grad_overrides)
        self._has_outputs = False

    def set_rop_overrides(self, rop_overrides: Any) -> None:
        """Have other changes of the outputs, made of inputs and their changes."""
        self._rop_overrides = rop_overrides

    def make_node(self, *inputs: Any) -> Apply:
        if len(inputs) != len(self.inputs):
            raise ValueError(f"Wrong number of inputs, need {len(self.inputs)}, got {len(inputs)}")
        given = [own.filter_variable(value) for own, value in zip(self.input_types, inputs, strict=True)]
        return self.applied([*given, *self.shared_inputs])

    def compute(self, *tensors: Any) -> Any:
        def value(*args: Any) -> tuple[Any, ...]:
            sources = [v.tensor for v in [*self.inputs, *self.shared_inputs]]
            return tuple(replaced([v.tensor for v in self.outputs], zip(sources, args, strict=True)))

        if self.is_native:
            return value(*tensors)

        def with_gradient(*args: Any) -> Any:
            results = value(*args)
            return results, lambda *g: self._pulled_back(args, results, g)

        return st.custom_gradient(with_gradient)(*tensors)

    @change_flags(compute_test_value="off")
    def _pulled_back(self, args: Sequence[Any], results: Sequence[Any], g: Sequence[Any]) -> list[Any]:
        """Return the cotangents of the inputs, where the op is a part of something that Septet differentiates."""
        seeds = [st.zeros_like(r) if one is None else one for one, r in zip(g, results, strict=True)]
        held = [
            [kind.holding(tensor) for kind, tensor in zip(kinds, tensors, strict=True)]
            for kinds, tensors in ((self._kinds(), args), (self.output_types, results), (self.output_types, seeds))
        ]
        return [found.tensor if found.type.is_tensor else None for found in self.L_op(*held)]

    def _kinds(self) -> list[Any]:
        return [*self.input_types, *[v.type for v in self.shared_inputs]]

    # Gradients and changes as variables.

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any], output_grads: Sequence[Any]) -> list[Any]:
        """Return the gradients of the inputs: those of the graph, and what overrides them."""
        words = (inputs, outputs, output_grads) if self._has_outputs else (inputs, output_grads)
        return self._overridden(self._overrides, words, _gradients, output_grads, len(inputs))

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> list[Any]:
        """Return the changes of the outputs: those of the graph, and what overrides them."""
        points = [v.zeros_like() if p is None else p for v, p in zip(inputs, eval_points, strict=True)]
        return self._overridden(self._rop_overrides, (inputs, points), _changes, points, len(self.outputs))

    def _overridden(self, own: Any, words: Any, derive: Any, seeds: Sequence[Any], count: int) -> list[Any]:
        """Return `count` variables, as overrides say that are called with `words`, or as `derive` finds them."""
        if not isinstance(own, (str, list)):
            found = _called(own, words)
            if not isinstance(found, list):
                raise TypeError(f"an override for all returns a list, got {type(found)}")
            if len(found) != count:
                raise ValueError(f"an override returns {count} variables, got {len(found)}")
            return found
        several = own if isinstance(own, list) else [own]
        if len(several) > count:
            raise ValueError(f"expect overrides for {count} variables, got {len(several)}")
        plain = (
            self._derived(derive, words[0], seeds) if "default" in [o for o in several if isinstance(o, str)] else []
        )
        several = [*several, *["default"] * (count - len(several))]
        return [
            plain[place] if isinstance(one, str) else _called(one, words, 1)[0] for place, one in enumerate(several)
        ]

    def _derived(self, derive: Any, inputs: Sequence[Any], seeds: Sequence[Any]) -> list[Any]:
        """Return what is derived from the graph as if its inputs were computed from nothing."""
        sources, given = [v.type() for v in inputs], [v.type() for v in seeds]
        results = rebuilt(self.outputs, dict(zip([*self.inputs, *self.shared_inputs], sources, strict=True)))
        places = dict(zip([*sources, *given], [*inputs, *seeds], strict=True))
        return rebuilt(derive(sources, results, given), places, strict=False)

    def get_lop_op(self) -> OpFromGraph:
        """Return the op that gives the gradients of the inputs, of inputs, outputs and the outputs' gradients."""
        return self._as_op(self.L_op, self._kinds(), self.output_types, self.output_types)

    def get_rop_op(self) -> OpFromGraph:
        """Return the op that gives the changes of the outputs, of inputs and their changes."""
        return self._as_op(self.R_op, self._kinds(), self._kinds())

    def _as_op(self, method: Any, *kinds: Sequence[Any]) -> OpFromGraph:
        given = [[kind() for kind in own] for own in kinds]
        found = method(*given)
        zeros = [v if v.type.is_tensor else own.zeros_like() for v, own in zip(found, given[0], strict=False)]
        return OpFromGraph([v for own in given for v in own], zeros)

    def connection_pattern(self, node: Any) -> list[list[bool]]:
        """Tell for each input and output whether gradients flow: as the graph, and overrides, have it."""
        if self._pattern is not None:
            return list(self._pattern)
        found = io_connection_pattern([*self.inputs, *self.shared_inputs], self.outputs)
        own = self._overrides if isinstance(self._overrides, list) else [self._overrides] * len(found)
        for place, one in enumerate(own):
            if not isinstance(one, str):
                is_cut = isinstance(one, Variable) and isinstance(one.type, DisconnectedType)
                found[place] = [not is_cut] * len(self.outputs)
        return found

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def __str__(self) -> str:
        return f"{type(self).__name__}{{inline={self.is_inline}}}" if self.name is None else self.name


def _called(override: Any, words: Sequence[Any], count: int | None = None) -> Any:
    """Return what an override gives: a list, of one where `count` says so."""
    if isinstance(override, OpFromGraph):
        return override(*[v for group in words for v in group], return_list=True)
    if isinstance(override, Variable):
        return [override.type()] * (count or len(words[0]))
    if not callable(override):
        raise TypeError(
            f"an override is 'default', a function, an OpFromGraph or a variable without a value, got {override!r}"
        )
    found = override(*words)
    return found if count is None or isinstance(found, list) else [found]


def _gradients(sources: list[Any], results: list[Any], seeds: list[Any]) -> list[Any]:
    from septet.dialects.theano.gradient import grad

    return list(
        grad(
            None, sources, known_grads=dict(zip(results, seeds, strict=True)), disconnected_inputs="ignore",
            return_disconnected="Disconnected", null_gradients="return",
        )
    )  # fmt: skip


def _changes(sources: list[Any], results: list[Any], seeds: list[Any]) -> list[Any]:
    from septet.dialects.theano.gradient import Rop

    return list(Rop(results, sources, seeds, disconnected_outputs="ignore"))
