"""Ops: what can be applied to variables. Programs define their own by subclassing `Op`; `NativeOp` are those of Septet."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Any

import numpy as np

import septet as st
from septet.dialects.theano.configdefaults import config
from septet.dialects.theano.engine import replaced
from septet.dialects.theano.gof.graph import Apply, Constant, Variable, is_called_from_python
from septet.dialects.theano.gof.null_type import NullType
from septet.dialects.theano.gof.utils import MethodNotDefined, TestValueError, add_tag_trace, object2
from septet.graph.graph import Graph
from septet.graph.serialize import graph_bytes, load_graph


class PureOp:
    """What every op can be asked: to be applied, to compute with arrays, for its gradient.

    `make_node` checks the inputs and says of which types the results are; `perform` computes them with NumPy;
    `grad` or `L_op`, `R_op` and `infer_shape` are optional.
    """

    default_output: int | None = None
    is_native = False
    runs_python = True
    """Whether a function of Python computes it, which Septet's graphs call: what depends on it starts with its results."""
    params_type: Any = None
    inputs_with_gradient: Any = slice(None)
    """Which inputs gradients can flow to, from any output; `connection_pattern` may say it in more detail."""
    view_map: dict[int, list[int]]
    destroy_map: dict[int, list[int]]

    def make_node(self, *inputs: Any) -> Apply:
        """Return the op applied to inputs: checked, converted, with variables for the results."""
        itypes, otypes = getattr(self, "itypes", None), getattr(self, "otypes", None)
        if itypes is None or otypes is None:
            raise NotImplementedError(f"{type(self).__name__} defines neither make_node nor itypes and otypes")
        if len(inputs) != len(itypes):
            raise ValueError(f"{self} takes {len(itypes)} inputs, got {len(inputs)}")
        from septet.dialects.theano.tensor.convert import as_variable

        given = [as_variable(value) for value in inputs]
        for position, (variable, wanted) in enumerate(zip(given, itypes, strict=True)):
            if variable.type != wanted:
                converted = wanted.convert_variable(variable)
                if converted is None:
                    raise TypeError(
                        f"input {position} of {self} must be a {wanted}, got {variable} of type {variable.type}"
                    )
                given[position] = converted
        return Apply(self, given, [wanted() for wanted in otypes])

    def __call__(self, *inputs: Any, **words: Any) -> Any:
        """Apply the op: one variable, or a list of several (``return_list=True``: in any case)."""
        is_list = words.pop("return_list", False)
        node = self.make_node(*inputs, **words)
        if config.compute_test_value != "off":
            compute_test_value(node)
        if self.default_output is not None and not is_list:
            return node.outputs[self.default_output]
        return node.outputs[0] if len(node.outputs) == 1 and not is_list else list(node.outputs)

    def perform(self, node: Apply, inputs: Sequence[Any], output_storage: Any, params: Any = None) -> None:
        """Compute the results with NumPy, into ``output_storage[i][0]``."""
        raise MethodNotDefined("perform", type(self), type(self).__name__)

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any], output_grads: Sequence[Any]) -> Any:
        """Return the gradients of the inputs, given those of the outputs."""
        return self.grad(inputs, output_grads)

    def grad(self, inputs: Sequence[Any], output_grads: Sequence[Any]) -> Any:
        """Return the gradients of the inputs, given those of the outputs."""
        raise MethodNotDefined("grad", type(self), type(self).__name__)

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> Any:
        """Return the changes of the outputs that follow from changes of the inputs."""
        raise MethodNotDefined("R_op", type(self), type(self).__name__)

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Tell for each input and output whether gradients can flow from one to the other."""
        places = range(len(node.inputs))
        reached = places[self.inputs_with_gradient]
        return [[place in reached] * len(node.outputs) for place in places]

    def do_constant_folding(self, node: Apply) -> bool:
        return True

    def get_params(self, node: Apply) -> Any:
        """Return what `perform` gets as its last argument, where the op has parameters."""
        raise MethodNotDefined("get_params", type(self), type(self).__name__)

    def prepare_node(self, node: Apply, storage_map: Any, compute_map: Any, impl: Any) -> None:
        pass

    def make_thunk(
        self, node: Apply, storage_map: Any, compute_map: Any, no_recycling: Any, impl: Any = None
    ) -> Callable[[], None]:
        """Return a function that computes an application, from and into the cells that two dicts have for variables."""

        def thunk() -> None:
            found = evaluate(node, [storage_map[variable][0] for variable in node.inputs])
            for variable, value in zip(node.outputs, found, strict=True):
                storage_map[variable][0], compute_map[variable][0] = value, True

        return thunk

    make_py_thunk = make_thunk
    add_tag_trace = staticmethod(add_tag_trace)

    def __str__(self) -> str:
        return getattr(self, "name", None) or type(self).__name__

    def __repr__(self) -> str:
        return str(self)

    # From applications to tensors.

    def lowered(self, node: Apply) -> list[Any]:
        """Return the tensors that the outputs of an application stand for: here, those of a call of `perform`."""
        if is_called_from_python(node):  # functions call it by themselves
            return [st.symbol("", v.type.shape, v.type.dtype) if v.type.is_tensor else None for v in node.outputs]
        types = [(output.type.dtype, output.type.shape) for output in node.outputs]
        is_one = len(types) == 1

        def run(*arrays: Any) -> Any:
            values = self.computed(node, arrays)
            return values[0] if is_one else values

        found = st.callback(
            run, types[0] if is_one else types, *[v.tensor for v in node.inputs],
            gradient=lambda g, *args: self._pulled(node, g, args),
        )  # fmt: skip
        return [found] if is_one else list(found)

    def computed(self, node: Apply, arrays: Sequence[Any]) -> list[Any]:
        """Return what `perform` makes of some values."""
        given: list[Any] = list(arrays)
        for positions in getattr(self, "destroy_map", {}).values():
            for position in positions:  # it writes over its argument
                given[position] = np.array(given[position])
        storage: list[list[Any]] = [[None] for _ in node.outputs]
        if type(self).perform is PureOp.perform and type(self).make_thunk is not PureOp.make_thunk:
            cells = {v: [value] for v, value in zip(node.inputs, given, strict=True)}
            cells |= dict(zip(node.outputs, storage, strict=True))
            self.make_thunk(node, cells, {v: [v in node.inputs] for v in cells}, [])()
        else:
            try:
                params = (self.get_params(node),) if self.params_type is not None else ()
            except MethodNotDefined:
                params = ()
            self.perform(node, given, storage, *params)
        return [v.type.filter(cell[0], allow_downcast=True) for v, cell in zip(node.outputs, storage, strict=True)]

    def gradients(self, inputs: Sequence[Any], outputs: Sequence[Any], output_grads: Sequence[Any]) -> Sequence[Any]:
        """Return what `L_op` or `grad` says, checked: a variable for each input."""
        found = self.L_op(inputs, outputs, output_grads)
        if not isinstance(found, (list, tuple)):
            raise TypeError(f"{self}.grad returned {type(found).__name__}, expected a list or tuple of variables")
        if len(found) != len(inputs):
            raise ValueError(f"{self}.grad returned {len(found)} gradients for {len(inputs)} inputs")
        for place, gradient in enumerate(found):
            if gradient is None:
                raise TypeError(
                    f"{self}.grad returned None for input {place}: zeros_like() or disconnected_type() say what is meant"
                )
        return found

    def _pulled(self, node: Apply, g: Any, args: Sequence[Any]) -> list[Any]:
        """Return the cotangents of the inputs, as tensors, by the op's own gradient."""
        from septet.dialects.theano.missing import DisconnectedType, NullTypeGradError

        cotangents = g if isinstance(g, tuple) else (g,)
        inputs = [v.type.holding(t, like=v) for v, t in zip(node.inputs, args, strict=True)]
        given = [v.type.holding(t) for v, t in zip(node.outputs, cotangents, strict=True)]
        result: list[Any] = []
        for position, gradient in enumerate(self.gradients(inputs, node.clone_with_new_inputs(inputs).outputs, given)):
            if isinstance(gradient.type, NullType):
                if np.dtype(node.inputs[position].type.dtype).kind in "fc":
                    raise NullTypeGradError(
                        f"the gradient of {self} with respect to its input {position} is not defined: {gradient.type.why_null}"
                    )
                result.append(None)
            elif isinstance(gradient.type, DisconnectedType):
                result.append(None)
            else:
                result.append(gradient.tensor)
        return result


class Op(object2, PureOp):
    """The base of the ops that programs define; see `PureOp`."""

    def __init__(self, use_c_code: Any = None) -> None:
        pass


OpenMPOp = CLinkerOp = COp = ExternalCOp = Op


class NativeOp(Op):
    """An op that Septet computes: `compute` makes tensors of tensors, and their types are those of the results."""

    is_native = True
    runs_python = False
    is_flat_on_integers = False
    """Whether Theano takes the gradient for zero where the results are integers."""
    keeps_shape = False
    """Whether the result always has the shape of the first input."""

    def compute(self, *tensors: Any) -> Any:
        """Return a tensor, or a tuple of them."""
        raise NotImplementedError

    def make_node(self, *inputs: Any) -> Apply:
        from septet.dialects.theano.tensor.convert import as_tensor_variable

        given = [as_tensor_variable(value) for value in inputs]
        self.check(*given)
        return self.applied(given)

    def check(self, *inputs: Any) -> None:
        """Refuse variables that the op is not for."""

    def applied(self, inputs: Sequence[Variable]) -> Apply:
        """Return the op applied to variables."""
        from septet.dialects.theano.tensortype import type_of

        try:
            found = self._tensors(inputs)
        except (st.errors.ShapeError, st.errors.IndexOutOfRangeError) as error:
            found = self._refusing(inputs, error)
        outputs = []
        for tensor in found:
            output = type_of(tensor)()
            output.tensor = tensor
            outputs.append(output)
        return Apply(self, list(inputs), outputs)

    def _tensors(self, inputs: Sequence[Variable]) -> list[Any]:
        found = self.compute(*[v.tensor for v in inputs])
        return list(found) if isinstance(found, (tuple, list)) else [found]

    def filled(self, values: Sequence[Any]) -> Sequence[Any]:
        """Return values for the inputs where None was given for some: what None means to the op."""
        raise TypeError(f"{self} got None as input {[value is None for value in values].index(True)}")

    def _refusing(self, inputs: Sequence[Variable], error: Exception) -> list[Any]:
        """Return tensors that raise an error when they are computed: known shapes are looked at no earlier than that."""
        message, kind = str(error), IndexError if isinstance(error, IndexError) else ValueError
        for shapes in ([v.type.shape for v in inputs], [(None,) * v.type.ndim for v in inputs]):
            given = [st.symbol("", s, v.type.dtype) if s else v.tensor for s, v in zip(shapes, inputs, strict=True)]
            try:
                models = self.compute(*given)
                break
            except type(error):  # also where it is known that a size is 1
                continue
        else:
            raise error
        models = list(models) if isinstance(models, (tuple, list)) else [models]
        types = [(model.dtype.name, model.type.shape) for model in models]
        return refused(kind(message), types, *[v.tensor for v in inputs])

    def lowered(self, node: Apply) -> list[Any]:
        return self._tensors(node.inputs)

    def grad(self, inputs: Sequence[Any], output_grads: Sequence[Any]) -> Any:
        """Return the gradients of the inputs, as Septet finds them."""
        from septet.dialects.theano.gradient import grad

        if not self.is_native:
            return super().grad(inputs, output_grads)
        try:
            known = dict(zip(self.make_node(*inputs).outputs, output_grads, strict=True))
        except TypeError as error:
            raise NotImplementedError(f"{self}.grad is not there for what {self} does not take: {error}") from error
        words = {"disconnected_inputs": "ignore", "return_disconnected": "Disconnected"}
        return grad(None, list(inputs), known_grads=known, **words)

    def perform(self, node: Apply, inputs: Sequence[Any], output_storage: Any, params: Any = None) -> None:
        found = self.compute(*[st.asarray(value) for value in inputs])
        for cell, tensor in zip(output_storage, found if isinstance(found, (tuple, list)) else [found], strict=True):
            cell[0] = tensor.numpy()


def refused(error: Exception, types: Sequence[Any], *given: Any) -> list[Any]:
    """Return tensors of some types (dtype, shape) that raise an error when they are computed from others."""

    def refuse(*_: Any) -> Any:
        raise type(error)(*error.args)

    def pull(_: Any, *args: Any) -> list[Any]:
        return refused(error, [(arg.dtype.name, arg.type.shape) for arg in args], *args)

    return list(st.callback(refuse, types, *given, gradient=pull))


class Replay(NativeOp):
    """What a transformation of Septet's graph has made: tensors that can be computed from other inputs again.

    Gradients, for instance, are made by differentiating the whole graph at once; their op is one of these.
    """

    def __init__(self, name: str, symbols: Sequence[Any], results: Sequence[Any]) -> None:
        self.name = name
        self.symbols = list(symbols)
        self.results = list(results)

    def compute(self, *tensors: Any) -> Any:
        changed = [(old, new) for old, new in zip(self.symbols, tensors, strict=True) if old.node is not new.node]
        return tuple(replaced(self.results, changed)) if changed else tuple(self.results)

    def __getstate__(self) -> dict[str, Any]:
        symbols = [st.symbol("", x.type.shape, x.dtype) for x in self.symbols]  # in place of what Python computed, too
        results = replaced(self.results, zip(self.symbols, symbols, strict=True))
        graph = Graph([x.node for x in symbols], [x.node for x in results], name=self.name)
        return {"graph": graph_bytes(graph)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        graph = load_graph(BytesIO(state["graph"]))
        self.__init__(graph.name, map(st.Tensor, graph.inputs), map(st.Tensor, graph.outputs))  # type: ignore[misc]

    def __deepcopy__(self, memo: Any) -> Replay:
        return self

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)


# Test values.


def get_test_value(v: Any) -> Any:
    """Return the value that a variable has been given for trying expressions while they are built."""
    from septet.dialects.theano.tensor.convert import as_variable

    return PureOp_get_test_value(as_variable(v))


def PureOp_get_test_value(variable: Any) -> Any:
    """Return the test value of a variable; AttributeError where it has none."""
    if isinstance(variable, Constant):
        return variable.data
    if getattr(variable, "container", None) is not None:  # a shared variable
        return variable.get_value(borrow=True, return_internal_type=True)
    if hasattr(variable.tag, "test_value"):
        return variable.type.filter(variable.tag.test_value)
    raise AttributeError(f"{variable} has no test value")


def get_debug_values(*args: Any) -> list[Any]:
    """Return a list of one tuple of test values, or of one value; an empty one where values are off or missing."""
    if config.compute_test_value == "off":
        return []
    values = []
    for place, variable in enumerate(args):
        try:
            values.append(get_test_value(variable))
        except AttributeError:
            missing_test_message(f"Argument {place} ({variable}) has no test value")
            return []
    return values if len(values) == 1 else [tuple(values)]


def missing_test_message(msg: str) -> None:
    """Say that a test value is missing, as the setting asks."""
    action = config.compute_test_value
    if action == "raise":
        raise AttributeError(msg)
    if action == "warn":
        warnings.warn(msg, stacklevel=2)


def debug_error_message(msg: str, error: type[Exception] = ValueError) -> None:
    """Say that something is wrong with test values, as the setting asks."""
    if config.compute_test_value in ("raise", "ignore"):
        raise error(msg)
    warnings.warn(msg, stacklevel=2)


def debug_assert(condition: Any, msg: str | None = None) -> None:
    """Say, as the setting asks, that a condition does not hold."""
    if not condition:
        debug_error_message(msg or "debug_assert failed", AssertionError)


def compute_test_value(node: Apply) -> None:
    """Compute the test values of the outputs of an application from those of its inputs, as the setting asks."""
    values = []
    for position, variable in enumerate(node.inputs):
        try:
            values.append(get_test_value(variable))
        except AttributeError as error:
            if config.compute_test_value == "pdb":
                import pdb

                pdb.post_mortem(error.__traceback__)
            message = f"Cannot compute test value: input {position} ({variable}) of Op {node} missing default value."
            if config.compute_test_value == "raise":
                raise ValueError(message) from None
            missing_test_message(message)
            return
    for output, value in zip(node.outputs, evaluate(node, values), strict=True):
        output.tag.test_value = value


def evaluate(node: Apply, values: Sequence[Any]) -> list[Any]:
    """Return the results of one application for some values of its inputs, as arrays."""
    if not node.op.is_native:
        return list(node.op.computed(node, values))
    if any(value is None for value in values):
        values = node.op.filled(values)
    constants = [v.clone() if not isinstance(v, Constant) else v for v in node.inputs]
    for variable, value in zip(constants, values, strict=True):
        to_array = getattr(variable.type, "to_array", None)
        variable.tensor = st.asarray(value if to_array is None else to_array(value))
    outputs = [o.clone() for o in node.outputs]
    found = [tensor.numpy() for tensor in node.op.lowered(Apply(node.op, constants, outputs))]
    return [own.type.of_array(x) if hasattr(own.type, "of_array") else x for own, x in zip(outputs, found, strict=True)]


__all__ = [
    "Apply", "CLinkerOp", "COp", "ExternalCOp", "NativeOp", "Op", "OpenMPOp", "PureOp", "Replay", "TestValueError",
    "get_debug_values", "get_test_value", "missing_test_message",
]  # fmt: skip
