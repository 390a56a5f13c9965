"""Gradients of variables: `grad` and its relatives, by differentiating Septet's graph."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import septet as st
from septet.dialects.theano.dtypes import COMPLEXES, DISCRETE
from septet.dialects.theano.engine import replaced
from septet.dialects.theano.gof.graph import Constant, Variable, lower
from septet.dialects.theano.gof.graph import inputs as graph_inputs
from septet.dialects.theano.gof.null_type import NullType
from septet.dialects.theano.gof.op import Replay
from septet.dialects.theano.gof.type import Type
from septet.dialects.theano.tensor.convert import as_tensor_variable
from septet.dialects.theano.tensor.creation import zeros_like
from septet.tensor.tensor import Tensor
from septet.transform.vjp import vjp


class DisconnectedInputError(ValueError):
    """A gradient with respect to something that the cost does not depend on."""


class NullTypeGradError(TypeError):
    """A gradient that is not defined."""


class DisconnectedType(Type):
    """The type of a gradient that does not exist because nothing depends on the input."""

    def filter(self, data: Any, strict: bool = False, allow_downcast: bool | None = None) -> Any:
        raise AssertionError("If you're assigning to a DisconnectedType you're doing something wrong.")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))

    def __str__(self) -> str:
        return "DisconnectedType"


disconnected_type = DisconnectedType()


def connected(outputs: Iterable[Variable], blockers: Iterable[Variable] = ()) -> set[Variable]:
    """Return the variables to which gradients can flow from outputs, as the ops' connection patterns say."""
    found: set[Variable] = set()
    stops = set(blockers)
    pending = list(outputs)
    while pending:
        variable = pending.pop()
        if variable in found:
            continue
        found.add(variable)
        node = variable.owner
        if node is None or variable in stops:
            continue
        pattern = node.op.connection_pattern(node) if hasattr(node.op, "connection_pattern") else None
        for place, given in enumerate(node.inputs):
            if pattern is None or pattern[place][variable.index or 0]:
                pending.append(given)
    return found


def transformed(name: str, results: Sequence[Any], sources: Sequence[Variable]) -> list[Variable]:
    """Return tensors that a transformation has made of a graph as variables that depend on what the graph depends on.

    Parameters
    ----------
    name : str
        How the op is called where graphs are printed.
    results : sequence of Tensor
    sources : sequence of Variable
        What the results were made from.
    """
    leaves = [v for v in graph_inputs(sources) if v.type.is_tensor and not isinstance(v, Constant)]
    op = Replay(name, [v.tensor for v in leaves], results)
    return list(op.applied(leaves).outputs)


def grad(
    cost: Any,
    wrt: Any,
    consider_constant: Any = None,
    disconnected_inputs: str = "raise",
    add_names: bool = True,
    known_grads: Any = None,
    return_disconnected: str = "zero",
    null_gradients: str = "raise",
) -> Any:
    """Return the gradient of a scalar with respect to variables.

    Parameters
    ----------
    cost : scalar variable or None
        None where `known_grads` says all.
    wrt : Variable or list of Variable
    consider_constant : list of Variable, optional
        What gradients do not flow through.
    disconnected_inputs : "raise", "warn" or "ignore"
        What happens about variables that the cost does not depend on.
    add_names : bool
        Whether gradients are named after cost and variable.
    known_grads : dict of Variable to gradient, optional
    return_disconnected : "zero", "None" or "Disconnected"
        What stands for the gradient of a variable that the cost does not depend on.
    null_gradients : "raise" or "return"
        What happens about gradients that are not defined.

    Returns
    -------
    Variable, or list or tuple of them like `wrt`

    Raises
    ------
    TypeError
        If the cost is not a real scalar.
    DisconnectedInputError
        If it does not depend on a variable.
    """
    if cost is None and known_grads is None:
        raise AssertionError("cost and known_grads can't both be None.")
    if cost is not None:
        if isinstance(cost.type, NullType):
            raise ValueError(f"Can't differentiate a NaN cost. Cost is NaN because {cost.type.why_null}")
        if cost.type.ndim != 0:
            raise TypeError("cost must be a scalar.")
        if cost.type.dtype in COMPLEXES:
            raise TypeError("the cost must be real, this one is complex")
    if disconnected_inputs not in ("raise", "warn", "ignore"):
        raise ValueError(
            f"Invalid value for keyword 'disconnected_inputs', valid values are 'ignore', 'warn' and 'raise'; got {disconnected_inputs!r}"
        )
    if return_disconnected not in ("zero", "None", "Disconnected"):
        raise ValueError(f"return_disconnected is 'zero', 'None' or 'Disconnected', got {return_disconnected!r}")
    is_many = isinstance(wrt, (list, tuple))
    variables = list(wrt) if is_many else [wrt]
    for variable in variables:
        if not isinstance(variable, Variable):
            raise TypeError(f"Expected Variable, got {variable!r} of type {type(variable)}")
    known = {own: as_tensor_variable(value) for own, value in dict(known_grads or {}).items()}
    for own, value in known.items():
        if own.type.ndim != value.type.ndim:
            raise AssertionError(f"the gradient of {own} has {value.type.ndim} axes, the variable {own.type.ndim}")
    starts = [*([cost] if cost is not None else []), *known]
    constants = list(consider_constant or [])
    found = _gradients(cost, variables, known, constants)
    reached = connected(starts, blockers=constants) - set(constants)
    result: list[Any] = []
    for variable, gradient in zip(variables, found, strict=True):
        if variable not in reached:
            _complain(variable, disconnected_inputs)
            gradient = _nothing(variable, return_disconnected)
        elif gradient is None:
            gradient = _float_zeros(variable)
        elif add_names and cost is not None and cost.name is not None and variable.name is not None:
            gradient.name = f"(d{cost.name}/d{variable.name})"
        result.append(gradient)
    return type(wrt)(result) if is_many else result[0]


def _gradients(cost: Any, variables: Sequence[Variable], known: Any, constants: Sequence[Variable]) -> list[Any]:
    """Return the gradients as variables; None where none flows."""
    sources = [*([] if cost is None else [cost]), *known, *known.values()]
    lower([*sources, *variables, *constants])
    outputs = [] if cost is None else [cost.tensor]
    outputs += [own.tensor for own in known]
    if constants:
        outputs = replaced(outputs, [(v.tensor, st.stop_gradient(v.tensor)) for v in constants])
    cotangents = [] if cost is None else [st.ones_like(cost.tensor)]
    cotangents += [value.tensor.astype(own.tensor.dtype) for own, value in known.items()]
    nodes = vjp([t.node for t in outputs], [t.node for t in cotangents], [v.tensor.node for v in variables])
    places = [place for place, node in enumerate(nodes) if node is not None]
    made = transformed("Gradient", [Tensor(nodes[place]) for place in places], [*sources, *variables]) if places else []
    result: list[Any] = [None] * len(variables)
    for place, variable in zip(places, made, strict=True):
        result[place] = variable
        if variables[place].type.ndim == variable.type.ndim:
            variable.type = variables[place].type.clone(dtype=variable.type.dtype)
    return result


def _complain(variable: Variable, action: str) -> None:
    message = f"grad method was asked to compute the gradient with respect to a variable that is not part of the computational graph of the cost, or is used only by a non-differentiable operator: {variable}"
    if action == "raise":
        raise DisconnectedInputError(message)
    if action == "warn":
        warnings.warn(message, stacklevel=4)


def _nothing(variable: Variable, kind: str) -> Any:
    if kind == "None":
        return None
    return disconnected_type() if kind == "Disconnected" else _float_zeros(variable)


def _float_zeros(variable: Variable) -> Any:
    dtype = variable.type.dtype
    return zeros_like(variable, dtype="floatX" if dtype in DISCRETE else dtype)
