"""Gradients of variables: `grad` and its relatives, by differentiating Septet's graph."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

import septet as st
from septet.dialects.theano.configdefaults import config
from septet.dialects.theano.dtypes import COMPLEXES, DISCRETE
from septet.dialects.theano.engine import replaced
from septet.dialects.theano.gof.fg import SPECIALIZED
from septet.dialects.theano.gof.graph import (
    Apply,
    Constant,
    Variable,
    ancestors,
    io_toposort,
    is_called_from_python,
    lower,
    refuse_python,
)
from septet.dialects.theano.gof.null_type import NullType
from septet.dialects.theano.gof.op import NativeOp, PureOp, Replay, compute_test_value
from septet.dialects.theano.missing import DisconnectedInputError as DisconnectedInputError
from septet.dialects.theano.missing import DisconnectedType as DisconnectedType
from septet.dialects.theano.missing import NullTypeGradError as NullTypeGradError
from septet.dialects.theano.missing import disconnected_type as disconnected_type
from septet.dialects.theano.pullbacks import pulled_back
from septet.dialects.theano.tensor.convert import as_tensor_variable, as_variable
from septet.dialects.theano.tensor.creation import zeros_like
from septet.graph.graph import order
from septet.tensor.tensor import Tensor
from septet.transform.jacobian import jacobian_nodes
from septet.transform.jvp import jvp
from septet.transform.vjp import vjp


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
        pattern = node.op.connection_pattern(node)
        pending += [given for given, row in zip(node.inputs, pattern, strict=True) if row[variable.index or 0]]
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
    ends = [
        v for v in ancestors(sources) if v.owner is None or v.owner.op.runs_python or is_called_from_python(v.owner)
    ]
    leaves = [v for v in ends if v.type.is_tensor and not isinstance(v, Constant)]
    op = Replay(name, [v.tensor for v in leaves], results)
    node = op.applied(leaves)
    if config.compute_test_value != "off":
        compute_test_value(node)
    return list(node.outputs)


def grad(
    cost: Any, wrt: Any, consider_constant: Any = None, disconnected_inputs: str = "raise", add_names: bool = True,
    known_grads: Any = None, return_disconnected: str = "zero", null_gradients: str = "raise",
) -> Any:  # fmt: skip
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
    known = {own: as_variable(value) for own, value in dict(known_grads or {}).items()}
    for own, value in known.items():
        if value.type.is_tensor and own.type.ndim != value.type.ndim:
            raise AssertionError(f"the gradient of {own} has {value.type.ndim} axes, the variable {own.type.ndim}")
    starts = [*([cost] if cost is not None else []), *known]
    constants = list(consider_constant or [])
    is_whole = _is_plain(cost, variables, known, constants, starts)
    if is_whole:
        found = _gradients(cost, variables, known, constants)
    else:
        found = pulled_back(cost, variables, known, constants)
    reached = connected(
        [v for v in starts if v not in known or not isinstance(known[v].type, DisconnectedType)], blockers=constants
    )
    result: list[Any] = []
    for variable, gradient in zip(variables, found, strict=True):
        is_reached = variable in reached if is_whole else gradient is not None
        if not is_reached and (gradient is None or not _is_within(variable, reached)):
            if null_gradients == "raise" and _is_undefined(starts, variable):
                raise NullTypeGradError(
                    f"tensor.grad: no gradient is defined through what is drawn at random, to {variable}"
                )
            _complain(variable, disconnected_inputs)
            gradient = _nothing(variable, return_disconnected)
        elif gradient is None:
            gradient = _float_zeros(variable)
        elif isinstance(gradient.type, NullType) and null_gradients == "raise":
            raise NullTypeGradError(f"tensor.grad encountered a NaN. {gradient.type.why_null}")
        elif add_names and cost is not None and cost.name is not None and variable.name is not None:
            gradient.name = f"(d{cost.name}/d{variable.name})"
        result.append(gradient)
    return type(wrt)(result) if is_many else result[0]


def _is_within(variable: Variable, reached: Iterable[Variable]) -> bool:
    """Tell whether a variable is on the way of a transformation, which its op's inputs do not tell: they are leaves."""
    made = [v.tensor.node for v in reached if v.owner is not None and isinstance(v.owner.op, Replay)]
    return variable.tensor.node in order(made)


def _is_undefined(outputs: Sequence[Variable], variable: Variable) -> bool:
    """Tell whether the way from outputs to a variable leads through an op whose gradient mathematics does not define."""
    ways = {v.owner for v in ancestors(outputs) if v.owner is not None and getattr(v.owner.op, "is_undefined", False)}
    return any(variable in ancestors(node.inputs) for node in ways)


def _is_plain(cost: Any, variables: Any, known: Any, constants: Any, starts: Any) -> bool:
    """Tell whether the whole graph can be differentiated at once: it is made of Septet's ops and floats."""
    if any(isinstance(v, Constant) or v in constants or v.type.dtype in DISCRETE for v in [*variables, *starts]):
        return False
    if any(not value.type.is_tensor for value in [*variables, *known.values()]):
        return False
    if any(v.widens is not None for v in [*variables, *known, *constants]):
        return False
    return all(v.owner is None or v.owner.op.is_native for v in ancestors(starts, blockers=set(constants)))


def _gradients(cost: Any, variables: Sequence[Variable], known: Any, constants: Sequence[Variable]) -> list[Any]:
    """Return the gradients as variables; None where none flows."""
    sources = [*([] if cost is None else [cost]), *known, *known.values()]
    lower([*sources, *variables, *constants])
    outputs, cotangents = [], []
    given = {} if cost is None else {cost: st.ones_like(cost.tensor)}
    given |= {own: value.tensor.astype(own.tensor.dtype) for own, value in known.items()}
    for own, cotangent in given.items():  # what is known of a variable is all that flows through it
        ends = [v for v in (*constants, *known) if v is not own]
        outputs += (
            replaced([own.tensor], [(v.tensor, st.stop_gradient(v.tensor)) for v in ends]) if ends else [own.tensor]
        )
        cotangents.append(cotangent)
    nodes = vjp([t.node for t in outputs], [t.node for t in cotangents], [v.tensor.node for v in variables])
    result = _as_variables("Gradient", nodes, [*sources, *variables])
    for own, variable in zip(variables, result, strict=True):
        if variable is not None and own.type.ndim == variable.type.ndim:
            variable.type = own.type.clone(dtype=variable.type.dtype)
    return result


def _as_variables(name: str, nodes: Sequence[Any], sources: Sequence[Variable]) -> list[Any]:
    """Return nodes as variables; None stays None."""
    places = [place for place, node in enumerate(nodes) if node is not None]
    result: list[Any] = [None] * len(nodes)
    if places:
        made = transformed(name, [Tensor(nodes[place]) for place in places], sources)
        for place, variable in zip(places, made, strict=True):
            result[place] = variable
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


def _float_zeros(variable: Any) -> Any:
    dtype = variable.type.dtype
    if not variable.type.is_tensor:
        return variable.zeros_like()
    return zeros_like(variable, dtype="floatX" if dtype in DISCRETE else dtype)


# Directional derivatives.


def _all_of(given: Any) -> list[Any]:
    return list(given) if isinstance(given, (list, tuple)) else [given]


def format_as(use_list: bool, use_tuple: bool, outputs: Any) -> Any:
    """Return results as a list, a tuple, or one by itself."""
    if use_list and use_tuple:
        raise AssertionError("both a list and a tuple were asked for")
    if not (use_list or use_tuple):
        if isinstance(outputs, (list, tuple)):
            if len(outputs) != 1:
                raise AssertionError("Wrong arguments. Expected a one element list")
            return outputs[0]
        return outputs
    found = _all_of(outputs)
    return found if use_list else tuple(found)


def _like(given: Any, outputs: Any) -> Any:
    """Return results in the structure of what was asked about."""
    return format_as(isinstance(given, list), isinstance(given, tuple), outputs)


def Rop(
    f: Any, wrt: Any, eval_points: Any, disconnected_outputs: str = "raise", return_disconnected: str = "zero"
) -> Any:
    """Return the changes of expressions that follow from changes of variables: the Jacobian times a vector.

    Parameters
    ----------
    f : Variable or list of Variable
    wrt : Variable or list of Variable
    eval_points : Variable or list of Variable
        The vector: a change for each of `wrt`; None for none.

    Raises
    ------
    ValueError
        If an op on the way has no derivative, or the vector does not fit.
    """
    outputs, variables, points = _all_of(f), _all_of(wrt), _all_of(eval_points)
    if len(variables) != len(points):
        raise ValueError(f"Rop needs as many eval_points as variables: {len(points)} for {len(variables)}")
    for place, (variable, point) in enumerate(zip(variables, points, strict=True)):
        if point is not None and variable.type.ndim != as_tensor_variable(point).type.ndim:
            raise ValueError(
                f"Element {place} of wrt/eval_point have mismatched dimensionality: {variable.type.ndim} versus {as_tensor_variable(point).type.ndim}"
            )
    vectors = [None if point is None else as_tensor_variable(point) for point in points]
    refuse_python("Rop", outputs, variables)
    for node in io_toposort(variables, outputs):  # ops that say themselves how their results change
        if type(node.op).R_op is not PureOp.R_op:
            changes = _changes(node.inputs, variables, vectors)
            if any(change is not None for change in changes):
                said = node.op.R_op(node.inputs, changes)
                variables += [v for v, own in zip(node.outputs, said, strict=True) if own is not None]
                vectors += [own for own in said if own is not None]
    result: list[Any] = []
    for output, found in zip(outputs, _changes(outputs, variables, vectors), strict=True):
        if found is None:
            if not set(variables) & connected([output]):
                _complain(output, disconnected_outputs)
                result.append(_nothing(output, return_disconnected))
                continue
            found = _float_zeros(output)
        result.append(found)
    return _like(f, result)


def _changes(outputs: Sequence[Any], variables: Sequence[Any], vectors: Sequence[Any]) -> list[Any]:
    """Return the changes of outputs that follow from those of variables, by Septet's rules; None where there is none."""
    sources = [*outputs, *[v for v in vectors if v is not None]]
    lower([*sources, *variables])
    tangents = [
        None if vector is None else vector.tensor.astype(variable.tensor.dtype).node
        for variable, vector in zip(variables, vectors, strict=True)
    ]
    try:
        nodes = jvp([v.tensor.node for v in outputs], [v.tensor.node for v in variables], tangents)
    except NullTypeGradError as error:
        raise ValueError(f"Rop: {error}") from error
    return _as_variables("Rop", nodes, sources)


def Lop(f: Any, wrt: Any, eval_points: Any, consider_constant: Any = None, disconnected_inputs: str = "raise") -> Any:
    """Return a vector times the Jacobian: gradients of variables, given those of expressions."""
    outputs, points = _all_of(f), _all_of(eval_points)
    if len(outputs) != len(points):
        raise AssertionError("Lop needs as many eval_points as expressions")
    found = grad(
        None,
        _all_of(wrt),
        consider_constant=consider_constant,
        disconnected_inputs=disconnected_inputs,
        known_grads=dict(zip(outputs, points, strict=True)),
    )
    return _like(wrt, found)


def subgraph_grad(wrt: Any, end: Any, start: Any = None, cost: Any = None, details: bool = False) -> Any:
    """Return gradients by way of given intermediate variables.

    Parameters
    ----------
    wrt : list of Variable
    end : list of Variable
        Where the gradients stop.
    start : dict of Variable to gradient, optional
        Where they begin.
    cost : scalar variable, optional
    details : bool
        Whether to return also the gradients with respect to `end` from start and from cost.

    Returns
    -------
    gradients of `wrt`, and of `end`
    """
    if cost is None and start is None:
        raise AssertionError("cost or start must be given")
    for own in [*end, *wrt]:
        if not isinstance(own, Variable):
            raise TypeError(f"subgraph_grad takes Variables, got {own!r}")
    known = dict(start or {})
    places = [*end, *wrt]
    by_start = grad(None, places, end, "ignore", known_grads=known) if known else None
    by_cost = grad(cost, places, end, "ignore") if cost is not None else None
    parts = [own for own in (by_start, by_cost) if own is not None]
    total = [sum(own[1:], own[0]) for own in zip(*parts, strict=True)]
    count = len(end)
    if details:
        return total[count:], total[:count], by_start and by_start[:count], by_cost and by_cost[:count]
    return total[count:], total[:count]


def jacobian(expression: Any, wrt: Any, consider_constant: Any = None, disconnected_inputs: str = "raise") -> Any:
    """Return the derivatives of a vector with respect to variables: one more axis in front, for its elements.

    Raises
    ------
    AssertionError
        If the expression has more than one axis.
    """
    if not isinstance(expression, Variable):
        raise AssertionError("tensor.jacobian expects a Variable as `expression`")
    if expression.type.ndim > 1:
        raise AssertionError(
            "tensor.jacobian expects a 1 dimensional variable as `expression`. If not use flatten to make it a vector"
        )
    if expression.type.ndim == 0:
        found = grad(expression, _all_of(wrt), consider_constant, disconnected_inputs)
        return _like(wrt, found)
    variables = _all_of(wrt)
    reached = connected([expression])
    refuse_python("jacobian", [expression], variables)
    lower([expression, *variables])
    output = expression.tensor
    if consider_constant:
        output = replaced([output], [(v.tensor, st.stop_gradient(v.tensor)) for v in consider_constant])[0]
    rows = jacobian_nodes([output.node], [v.tensor.node for v in variables], "reverse")[0]
    made = _as_variables("Jacobian", rows, [expression, *variables])
    for variable in variables:
        if variable not in reached and not _is_within(variable, reached):
            _complain(variable, disconnected_inputs)
    return _like(wrt, made)


def hessian(cost: Any, wrt: Any, consider_constant: Any = None, disconnected_inputs: str = "raise") -> Any:
    """Return the second derivatives of a scalar with respect to vectors: a matrix for each."""
    if cost.type.ndim != 0:
        raise AssertionError("tensor.hessian expects a 0 dimensional variable as `cost`")
    found = []
    for variable in _all_of(wrt):
        if variable.type.ndim != 1:
            raise AssertionError("tensor.hessian expects a (list of) 1 dimensional variable as `wrt`")
        first = grad(cost, variable, consider_constant, disconnected_inputs)
        found.append(jacobian(first, variable, disconnected_inputs="ignore"))
    return _like(wrt, found)


# What ops return as gradients that do not exist.


def grad_undefined(op: Any, x_pos: int, x: Any, comment: str = "") -> Any:
    """Return what stands for a gradient that mathematics does not define."""
    return NullType(
        f"This variable is Null because the grad method for input {x_pos} ({x}) of the {op} op is mathematically undefined. {comment}"
    )()


def grad_not_implemented(op: Any, x_pos: int, x: Any, comment: str = "") -> Any:
    """Return what stands for a gradient that nobody has written."""
    return NullType(
        f"This variable is Null because the grad method for input {x_pos} ({x}) of the {op} op is not implemented. {comment}"
    )()


# Identities with gradients of their own.


class _Identity(NativeOp):
    """An op that returns its input."""

    __props__: tuple[str, ...] = ()
    view_map = {0: [0]}

    def check(self, x: Any) -> None:
        """Take one tensor."""


class ConsiderConstant(_Identity):
    """The input, through which no gradient flows."""

    def compute(self, *tensors: Any) -> Any:
        return st.stop_gradient(tensors[0])


class ZeroGrad(ConsiderConstant):
    """The input, whose gradient is zero."""


class DisconnectedGrad(ConsiderConstant):
    """The input, as if nothing depended on it."""

    inputs_with_gradient = slice(0)


class UndefinedGrad(_Identity):
    """The input, whose gradient is an error."""

    is_native = False

    def make_node(self, *inputs: Any) -> Any:
        x = as_tensor_variable(inputs[0])
        return Apply(self, [x], [x.type()])

    def lowered(self, node: Any) -> list[Any]:
        return PureOp.lowered(self, node)

    def perform(self, node: Any, inputs: Sequence[Any], output_storage: Any, params: Any = None) -> None:
        output_storage[0][0] = np.array(inputs[0])

    def grad(self, inputs: Sequence[Any], output_grads: Sequence[Any]) -> Any:
        return [grad_undefined(self, 0, inputs[0])]


class GradClip(_Identity):
    """The input, whose gradient is kept within bounds."""

    __props__ = ("clip_lower_bound", "clip_upper_bound")

    def __init__(self, clip_lower_bound: float, clip_upper_bound: float) -> None:
        if clip_upper_bound < clip_lower_bound:
            raise AssertionError("`clip_upper_bound` should be >= `clip_lower_bound`")
        self.clip_lower_bound = clip_lower_bound
        self.clip_upper_bound = clip_upper_bound

    def compute(self, *tensors: Any) -> Any:
        low, high = self.clip_lower_bound, self.clip_upper_bound
        return st.custom_gradient(lambda x: (x * 1, lambda g: st.clip(g, low, high)))(tensors[0])


class GradScale(_Identity):
    """The input, whose gradient is multiplied by a number."""

    __props__ = ("multiplier",)

    def __init__(self, multiplier: float) -> None:
        self.multiplier = multiplier

    def compute(self, *tensors: Any) -> Any:
        factor = self.multiplier
        return st.custom_gradient(lambda x: (x * 1, lambda g: g * factor))(tensors[0])


for _class in (ConsiderConstant, ZeroGrad, DisconnectedGrad):
    SPECIALIZED[_class] = lambda node: node.inputs[0]  # it only stops gradients

consider_constant_ = ConsiderConstant()
zero_grad_ = ZeroGrad()
disconnected_grad_ = DisconnectedGrad()
undefined_grad_ = UndefinedGrad()


def consider_constant(x: Any) -> Any:
    """Return a variable through which no gradient flows: its gradient is zero."""
    return consider_constant_(x)


def zero_grad(x: Any) -> Any:
    """Return a variable whose gradient is zero."""
    return zero_grad_(x)


def disconnected_grad(x: Any) -> Any:
    """Return a variable as if nothing depended on it: its gradient does not exist."""
    return disconnected_grad_(x)


def undefined_grad(x: Any) -> Any:
    """Return a variable whose gradient is an error."""
    return undefined_grad_(x)


def grad_clip(x: Any, lower_bound: float, upper_bound: float) -> Any:
    """Return a variable whose gradient is kept within bounds."""
    return GradClip(lower_bound, upper_bound)(x)


def grad_scale(x: Any, multiplier: float) -> Any:
    """Return a variable whose gradient is multiplied by a number."""
    return GradScale(multiplier)(x)
