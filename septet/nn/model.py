"""Model: layers joined by what they are applied to, with any number of inputs and outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from septet.base import dtypes
from septet.base.errors import ArgumentError, GraphError, NotSupportedError, ShapeError
from septet.base.shapes import as_shape
from septet.base.text import did_you_mean, listing, shape_text
from septet.graph.context import context
from septet.graph.graph import substitute
from septet.graph.node import SYMBOL, VARIABLE, Node, symbol
from septet.graph.types import tensor_type
from septet.nn.module import Module
from septet.nn.parts import as_input, snake_case
from septet.nn.placeholders import PLACEHOLDERS, Call, placeholder
from septet.tensor.tensor import Tensor
from septet.tensor.tree import Structure, flatten, unflatten


def Input(
    shape: Any, name: str = "", dtype: Any = None, *, batch_size: int | None = None
) -> Tensor:  # a class in Keras, so it is spelled like one
    """Return a placeholder: what a model will be applied to.

    Parameters
    ----------
    shape : int or tuple of (int or None)
        Of one example; None for a size that differs from batch to batch.
    name : str
        The keyword under which the model takes it.
    dtype : dtype, optional
        The default float type if not given.
    batch_size : int, optional
        Where it is always the same.

    Returns
    -------
    Tensor

    Examples
    --------
    >>> from septet import nn
    >>> x = nn.Input(4)
    >>> nn.Dense(3)(x).type.shape
    (None, 3)
    """
    if context.trace is not None:
        raise NotSupportedError("Input: makes a model's placeholder; inside of traced functions there are none")
    sizes = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    type_ = tensor_type(dtypes.as_dtype(float if dtype is None else dtype), as_shape((batch_size, *sizes)))
    return placeholder(symbol(type_), name or "input")


SINGLE = flatten(((0,), {}))[1]
"""The structure of the arguments of a call with one input."""


class _Step:
    """The call of a layer when the model is applied: its name in the model, its arguments, its results."""

    __slots__ = ("call", "name", "nodes", "only", "results")

    def __init__(self, name: str, call: Call) -> None:
        self.name = name
        self.call = call
        self.nodes = call.nodes()
        is_single = call.structure == SINGLE and bool(self.nodes)
        self.only = self.nodes[0] if is_single else None  # the argument, where it is a single tensor
        self.results: dict[int, Node] = {}


class Model(Module):
    """Join layers into one: apply them to placeholders, and say what goes in and what comes out.

    Inputs and outputs are tensors, or lists, tuples or dicts of them; what the model returns is nested as the outputs
    are. A layer that was applied twice is shared, and a model is a layer. Functions and operators between the layers
    belong to the model, too. Subclasses that define `forward` need none of this: they are modules like any other.

    The layers become attributes, named after their classes ("dense", "dense_1" ...) or as `Module.named` says, so that
    parameters have paths such as "dense.kernel".

    Parameters
    ----------
    inputs : Tensor, or list, tuple or dict of Tensor
        Placeholders: made by `Input`, or returned by layers.
    outputs : Tensor, or list, tuple or dict of Tensor

    Shape
    -----
    Inputs as the placeholders, results as the outputs.

    Raises
    ------
    GraphError
        If the outputs need a placeholder or symbol that is not among the inputs.

    Examples
    --------
    >>> import septet as st
    >>> from septet import nn
    >>> image, age = nn.Input((1, 8, 8)), nn.Input(1, name="age")
    >>> features = nn.Flatten()(nn.Conv2D(4, 3, "relu")(image))
    >>> shared = nn.Dense(5).named("shared")
    >>> both = st.concatenate([shared(features), age * 0.1], axis=-1)
    >>> model = nn.Model([image, age], {"class": nn.Dense(3)(both), "features": features})
    >>> found = model(st.ones((2, 1, 8, 8)), st.ones((2, 1)))
    >>> found["class"].shape, found["features"].shape
    ((2, 3), (2, 144))
    >>> [path for path, _ in model.named_parameters()][:3]
    ['conv2d.kernel', 'conv2d.bias', 'shared.kernel']

    Elsewhere
    ---------
    Keras ``Model``; `nn.Input` is Keras ``Input``, Lasagne ``InputLayer``.
    """

    def __init__(self, inputs: Any = None, outputs: Any = None) -> None:
        if inputs is None and outputs is None:
            return  # a subclass with a `forward` of its own
        self.inputs = inputs
        self.outputs = outputs
        entries, self._input_structure = _tensors("inputs", inputs)
        results, self._output_structure = _tensors("outputs", outputs)
        self._entries = [tensor.node for tensor in entries]
        self._results = [tensor.node for tensor in results]
        for node in self._entries:
            if node not in PLACEHOLDERS:
                raise GraphError(
                    f"Model: the input {node!r} is not a placeholder",
                    hint="make it with nn.Input(shape); models of st.symbol are called like functions",
                )
        if len(set(self._entries)) != len(self._entries):
            raise GraphError("Model: one placeholder appears twice among the inputs")
        self._steps: list[_Step] = []
        self._leaves: list[tuple[str, Node]] = []  # readings of variables between the layers
        self._is_built = True
        self._collect()

    def _collect(self) -> None:
        """Find the layers that lead from the inputs to the outputs, in order, and make them attributes."""
        steps: dict[int, _Step] = {}
        names: dict[int, str] = {}
        entries = set(self._entries)
        for node in _needed(self._results, entries):
            if node in entries:
                continue
            call, index = PLACEHOLDERS.get(node, (None, 0))
            if call is not None:
                step = steps.get(id(call))
                if step is None:
                    name = names.get(id(call.layer)) or self._adopt(call.layer)
                    names[id(call.layer)] = name
                    step = steps[id(call)] = _Step(name, call)
                    self._steps.append(step)
                step.results[index] = node
            elif node.op is VARIABLE:
                variable = node.params[0]
                if id(variable) not in names:
                    names[id(variable)] = self._free(variable.name.rpartition(".")[2] or "variable")
                    setattr(self, names[id(variable)], variable)
                self._leaves.append((names[id(variable)], node))
            elif node.op is SYMBOL:
                what = f"the placeholder {node.params[0]!r}" if node in PLACEHOLDERS else f"the symbol {node!r}"
                raise GraphError(
                    f"Model: the outputs need {what} of shape {shape_text(node.shape)}, which is not among the inputs",
                    hint="every nn.Input that the outputs depend on is one of the model's inputs",
                )
        for path, variable in self.named_variables():
            if path.endswith("." + variable.name):
                variable.name = path

    def _adopt(self, layer: Module) -> str:
        name = self._free(layer._name.rpartition(".")[2] or snake_case(type(layer).__name__))
        setattr(self, name, layer)
        return name

    def _free(self, name: str) -> str:
        """Return a name that no attribute has yet: "dense", "dense_1" ..."""
        name = f"layer_{name}" if name[:1].isdigit() else name
        found, count = name, 0
        while found in vars(self) or hasattr(type(self), found):
            count += 1
            found = f"{name}_{count}"
        return found

    @property
    def input_names(self) -> list[str]:
        """The names of the inputs: those of their placeholders."""
        return [node.params[0] for node in self._entries]

    def calls(self) -> tuple[list[Node], list[tuple[str, tuple[Any, ...], dict[str, Any], dict[int, Node]]]]:
        """Return the placeholders of the inputs, and the calls of layers in order.

        Returns
        -------
        (list of Node, list of (name, inputs, words, results))
            Inputs and words hold placeholders, and what was computed from them; the results that are used come by their
            numbers.
        """
        if "_steps" not in vars(self):
            raise NotSupportedError(f"{self.label}: {type(self).__name__} was not made of inputs and outputs")
        found = [(step.name, *step.call.arguments(step.call.leaves), dict(step.results)) for step in self._steps]
        return list(self._entries), found

    def forward(self, *inputs: Any, **words: Any) -> Any:
        if "_steps" not in vars(self):
            raise NotSupportedError(f"{type(self).__name__} has neither inputs and outputs nor a forward()")
        values = dict(zip(self._entries, self._given(inputs, words), strict=True))
        for name, leaf in self._leaves:
            values[leaf] = getattr(self, name).node
        for step in self._steps:
            layer, given = getattr(self, step.name), step.only and values.get(step.only)
            if given is not None:  # the usual case, without taking nested arguments apart
                found = layer(Tensor(given))
            else:
                moved = iter(_moved(step.nodes, values))
                leaves = [Tensor(next(moved)) if isinstance(leaf, Tensor) else leaf for leaf in step.call.leaves]
                args, more = step.call.arguments(leaves)
                found = layer(*args, **more)
            results = [found] if isinstance(found, Tensor) else flatten(found)[0]
            for index, node in step.results.items():
                values[node] = results[index].node
        outputs = map(Tensor, _moved(self._results, values))
        return next(outputs) if isinstance(self.outputs, Tensor) else unflatten(self._output_structure, outputs)

    def _given(self, inputs: tuple[Any, ...], words: dict[str, Any]) -> list[Node]:
        """Return the nodes of the inputs in order, whether they came one by one, by name, or nested."""
        count = len(self._entries)
        if len(inputs) == 1 and not words and (count > 1 or isinstance(inputs[0], (list, tuple, dict))):
            leaves, structure = flatten(inputs[0])
            is_listed = isinstance(inputs[0], (list, tuple)) and len(leaves) == count
            if structure == self._input_structure or is_listed:
                inputs = tuple(leaves)
        names = self.input_names
        for name in words:
            if names.count(name) != 1:
                raise ArgumentError(
                    f"{self.label}: there is no input {name!r}.{did_you_mean(name, names)} It takes {listing(names)}"
                )
        values = list(inputs) + [words[name] for name in names[len(inputs) :] if name in words]
        if len(values) != count or len(inputs) + len(words) != count:
            raise ArgumentError(f"{self.label}: takes {count} inputs ({', '.join(names)}), got {len(values)}")
        values = [as_input(value) for value in values]
        for name, value in zip(names, values, strict=True):
            if not isinstance(value, Tensor):
                raise ArgumentError(f"{self.label}: the input {name!r} is a tensor or an array, got {value!r}")
        nodes = [value.node for value in values]
        for name, entry, node in zip(names, self._entries, nodes, strict=True):
            if not _fits(entry.shape, node.shape):
                raise ShapeError(
                    f"{self.label}: the input {name!r} was declared with shape {shape_text(entry.shape)}, got shape "
                    f"{shape_text(node.shape)}"
                )
        return nodes

    def input_types(self) -> Any:
        """Return what the model is applied to, with types in place of tensors; see `Module.input_types`."""
        if "_steps" not in vars(self):
            return super().input_types()
        return tuple(node.tensor_type for node in self._entries)


def _moved(nodes: Sequence[Node], values: dict[Node, Node]) -> list[Node]:
    """Return nodes with values in place of placeholders; ops between them are recorded again."""
    found = [values.get(node) for node in nodes]
    return substitute(nodes, values) if None in found else found  # type: ignore[return-value]


def _tensors(name: str, value: Any) -> tuple[list[Tensor], Structure]:
    """Return the tensors of nested inputs or outputs."""
    leaves, structure = flatten(value)
    if not leaves or not all(isinstance(leaf, Tensor) for leaf in leaves):
        raise ArgumentError(f"Model: {name} must be tensors, or lists, tuples or dicts of them, got {value!r}")
    return leaves, structure


def _needed(roots: Sequence[Node], stop: set[Node]) -> list[Node]:
    """Return what some nodes need, inputs before users: placeholders lead to the arguments of their calls."""
    seen: set[Node] = set()
    pending = list(roots)
    while pending:
        node = pending.pop()
        if node not in seen:
            seen.add(node)
            if node not in stop:
                call, _ = PLACEHOLDERS.get(node, (None, 0))
                pending.extend(node.inputs if call is None else call.nodes())
    return sorted(seen, key=lambda node: node.serial)


def _fits(declared: Sequence[int | None], given: Sequence[int | None]) -> bool:
    return len(declared) == len(given) and all(a == b or a is None or b is None for a, b in zip(declared, given))
