"""Variables and the applications of ops that compute them, as Theano's programs see them.

Each variable stands for a tensor of Septet's graph (`Variable.tensor`): a symbol where it is an input, what its op
records where it is a result. Everything that computes, differentiates or optimizes works on that graph; the classes here
are what programs build, print, walk over and clone.
"""

from __future__ import annotations

import itertools
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from septet.dialects.theano.configdefaults import config
from septet.dialects.theano.gof.utils import MethodNotDefined, scratchpad

_count = itertools.count()


class Node:
    """What variables and applications have in common: they are parts of a graph."""

    name: str | None = None
    fgraph: Any = None
    """The last FunctionGraph that was made with it."""

    def get_parents(self) -> list[Any]:
        raise NotImplementedError


class Variable(Node):
    """A symbolic value of some type: an input of a graph, or what an op computes.

    Parameters
    ----------
    type : Type
    owner : Apply, optional
        The application that computes it; None for an input.
    index : int, optional
        Which result of its owner it is.
    name : str, optional
    """

    widens: Any = None
    """The variable that it only gives axes of size 1, so that an elementwise op broadcasts: the op takes that one."""
    _tensor: Any = None  # here, because the original's pickles have none

    def __init__(
        self, type: Any, owner: Apply | None = None, index: int | None = None, name: str | None = None
    ) -> None:
        if name is not None and not isinstance(name, str):
            raise TypeError(f"a variable's name is a string, got {name!r}")
        self.tag: Any = scratchpad()
        self.type = type
        self.owner = owner
        self.index = None if index is None else int(index)
        self.name = name
        self.auto_name = f"auto_{next(_count)}"

    @property
    def tensor(self) -> Any:
        """The tensor of Septet that the variable stands for."""
        if self._tensor is None:
            lower([self])
        return self._tensor

    @tensor.setter
    def tensor(self, value: Any) -> None:
        self._tensor = value

    def __str__(self) -> str:
        if self.name is not None:
            return self.name
        if self.owner is None:
            return f"<{self.type}>"
        op = self.owner.op
        suffix = "out" if self.index == getattr(op, "default_output", None) else self.index
        return f"{op}.{suffix}"

    def __repr__(self) -> str:
        if config.print_test_value:
            from septet.dialects.theano.gof.op import get_test_value

            try:
                return f"{self}\n{np.array(get_test_value(self)).__repr__()}"
            except AttributeError:
                pass
        return str(self)

    @property
    def clients(self) -> list[tuple[Any, int]]:
        """Who uses the variable in the graph of a function: (application or "output", place)."""
        if self.fgraph is None:
            raise AttributeError(f"{self} is in no FunctionGraph: it has no clients")
        found: list[tuple[Any, int]] = self.fgraph.clients(self)
        return found

    def clone(self) -> Variable:
        """Return a new input of the same type and name."""
        copy = self.__class__(self.type, None, None, self.name)
        copy.tag.__update__(self.tag)
        return copy

    def get_parents(self) -> list[Any]:
        return [] if self.owner is None else [self.owner]

    def eval(self, inputs_to_values: dict[Any, Any] | None = None) -> Any:
        """Compute the value.

        Parameters
        ----------
        inputs_to_values : dict of Variable to value
            A value for each input that the variable depends on, shared variables aside.

        Returns
        -------
        ndarray
        """
        from septet.dialects.theano.compile.function import function

        given = dict(inputs_to_values or {})
        kept = self.__dict__.setdefault("_functions", {})
        key = tuple(given)
        if key not in kept:
            kept[key] = function(list(key), self, on_unused_input="warn")
        return kept[key](*given.values())

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__)
        state["_tensor"] = None
        for name in ("_functions", "fgraph"):
            state.pop(name, None)
        return state


class Constant(Variable):
    """A variable whose value is known."""

    def __init__(self, type: Any, data: Any, name: str | None = None) -> None:
        super().__init__(type, None, None, name)
        self.data = type.filter(data)

    def signature(self) -> Any:
        """Return what equal constants have in common."""
        return (self.type, self.data)

    def equals(self, other: Any) -> bool:
        return isinstance(other, Constant) and self.signature() == other.signature()

    def clone(self) -> Constant:
        copy = self.__class__(self.type, self.data, self.name)
        copy.tag.__update__(self.tag)
        return copy

    @property
    def value(self) -> Any:
        """The data."""
        return self.data

    def __str__(self) -> str:
        if self.name is not None:
            return self.name
        text = str(self.data)
        return f"{type(self).__name__}{{{text if len(text) <= 20 else text[:10] + '...' + text[-10:]}}}"


class Apply(Node):
    """An op applied to inputs.

    Parameters
    ----------
    op : Op
    inputs : sequence of Variable
    outputs : sequence of Variable
        Variables without an owner; they get this one.
    """

    def __init__(self, op: Any, inputs: Sequence[Any], outputs: Sequence[Any]) -> None:
        if not isinstance(inputs, (list, tuple)) or not isinstance(outputs, (list, tuple)):
            raise TypeError("the inputs and outputs of an Apply are lists or tuples")
        self.op = op
        self.inputs: list[Variable] = []
        self.tag: Any = scratchpad()
        for given in inputs:
            if not isinstance(given, Variable):
                raise TypeError(f"the inputs of {op} must be Variables, got {given!r}")
            self.inputs.append(given)
        self.outputs: list[Variable] = []
        for index, output in enumerate(outputs):
            if not isinstance(output, Variable):
                raise TypeError(f"the outputs of {op} must be Variables, got {output!r}")
            if output.owner is None:
                output.owner, output.index = self, index
            elif output.owner is not self or output.index != index:
                raise ValueError(f"output {index} of {op} belongs to another application already")
            self.outputs.append(output)

    def run_params(self) -> Any:
        """Return what the op wants to know beside its inputs when it computes."""
        try:
            return self.op.get_params(self)
        except (AttributeError, NotImplementedError, MethodNotDefined):
            return None

    def default_output(self) -> Variable:
        """Return the output that stands for all."""
        index = getattr(self.op, "default_output", None)
        if index is None and len(self.outputs) == 1:
            index = 0
        if not isinstance(index, int) or not 0 <= index < len(self.outputs):
            raise AttributeError(f"{self.op}.default_output should be an output index.")
        return self.outputs[index]

    out = property(default_output, doc="The output that stands for all.")

    def clone(self) -> Apply:
        """Return the same application with outputs of its own."""
        copy = Apply(self.op, self.inputs, [output.clone() for output in self.outputs])
        copy.tag = self.tag
        return copy

    def clone_with_new_inputs(self, inputs: Sequence[Any], strict: bool = True) -> Apply:
        """Return the op applied to other inputs; with `strict`, they are converted to the types of the old ones."""
        inputs = list(inputs)
        remake = False
        for index, (old, new) in enumerate(zip(self.inputs, inputs, strict=True)):
            if old.type != new.type:
                if strict:
                    inputs[index] = old.type.filter_variable(new)
                else:
                    remake = True
        if remake or getattr(self.op, "is_native", False):  # types may follow from more than the types of the inputs
            made = self.op.make_node(*inputs)
            made.tag = scratchpad().__update__(self.tag)
            if not remake:
                for old, new in zip(self.outputs, made.outputs, strict=True):
                    new.tag.__update__(old.tag)
            return made
        copy = self.clone()
        copy.inputs = inputs
        return copy

    def get_parents(self) -> list[Any]:
        return list(self.inputs)

    nin = property(lambda self: len(self.inputs))
    nout = property(lambda self: len(self.outputs))

    @property
    def params_type(self) -> Any:
        """The type of the op's parameters."""
        return self.op.params_type

    def __str__(self) -> str:
        return op_as_string(self.inputs, self)

    def __repr__(self) -> str:
        return str(self)


# From variables to tensors.


def is_called_from_python(node: Apply) -> bool:
    """Tell whether an application takes or gives values that are no tensors: its tensors are symbols of their own."""
    return any(not variable.type.is_tensor for variable in (*node.inputs, *node.outputs))


def lower(variables: Iterable[Variable]) -> None:
    """Give variables, and all that they depend on, their tensors; graphs may be deeper than Python's stack."""
    pending = [variable for variable in variables if variable._tensor is None]
    while pending:
        variable = pending[-1]
        if variable._tensor is not None:
            pending.pop()
            continue
        if variable.owner is None:
            variable._tensor = variable.type.leaf(variable)
            continue
        missing = [source for source in variable.owner.inputs if source._tensor is None and source.type.is_tensor]
        if missing:
            pending += missing
            continue
        variable.type.check_tensor()
        owner = variable.owner
        for output, tensor in zip(owner.outputs, owner.op.lowered(owner), strict=True):
            if output._tensor is None:
                output._tensor = tensor


def refuse_python(what: str, outputs: Sequence[Variable], variables: Sequence[Variable]) -> None:
    """Refuse outputs that depend on variables by way of values that are no tensors, which only `grad` can ask for more."""
    leading = set(variables)
    if any(v.widens is not None for v in leading):
        raise NotImplementedError(
            f"{what} for what only broadcasts: nearest: {what} for the variable that is broadcast"
        )
    for node in io_toposort([], outputs):
        if any(v in leading for v in node.inputs):
            if is_called_from_python(node):
                raise NotImplementedError(
                    f"{what} through {node.op} is not supported: not all of its values are tensors; nearest: functions and grad"
                )
            leading.update(node.outputs)


# Walking.


def stack_search(start: Any, expand: Callable[[Any], Any], mode: str = "bfs", build_inv: bool = False) -> Any:
    """Return what can be reached from some elements, each once.

    Parameters
    ----------
    start : deque
    expand : callable
        Returns the neighbours of an element, or None.
    mode : "bfs" or "dfs"
    build_inv : bool
        Whether to return also the dict from each element to those that it was reached from.
    """
    if mode not in ("bfs", "dfs"):
        raise ValueError(f"mode is 'bfs' or 'dfs', got {mode!r}")
    take = start.popleft if mode == "bfs" else start.pop
    seen: set[int] = set()
    found = []
    users: dict[Any, list[Any]] = {}
    while start:
        element = take()
        if id(element) in seen:
            continue
        found.append(element)
        seen.add(id(element))
        neighbours = expand(element)
        if neighbours:
            if build_inv:
                for neighbour in neighbours:
                    users.setdefault(neighbour, []).append(element)
            start.extend(neighbours)
    return (found, users) if build_inv else found


def ancestors(variable_list: Iterable[Variable], blockers: Any = None) -> list[Variable]:
    """Return the variables that some depend on, and these themselves; not beyond `blockers`."""

    def expand(variable: Variable) -> Any:
        if variable.owner and (not blockers or variable not in blockers):
            return list(reversed(variable.owner.inputs))
        return None

    found: list[Variable] = stack_search(deque(variable_list), expand, "dfs")
    return found


def inputs(variable_list: Iterable[Variable], blockers: Any = None) -> list[Variable]:
    """Return the variables without an owner that some depend on: symbols, shared variables, constants."""
    return [variable for variable in ancestors(variable_list, blockers) if variable.owner is None]


def variables_and_orphans(i: Iterable[Variable], o: Iterable[Variable]) -> tuple[list[Variable], list[Variable]]:
    """Return the variables between inputs and outputs, and those among them that neither have an owner nor are inputs."""
    given = set(i)

    def expand(variable: Variable) -> Any:
        if variable.owner and variable not in given:
            return [*reversed(variable.owner.inputs), *variable.owner.outputs]
        return None

    found = stack_search(deque(o), expand, "dfs")
    return found, [variable for variable in found if variable.owner is None and variable not in given]


def variables(i: Iterable[Variable], o: Iterable[Variable]) -> list[Variable]:
    """Return the variables between inputs and outputs, both included."""
    return variables_and_orphans(i, o)[0]


def orphans(i: Iterable[Variable], o: Iterable[Variable]) -> list[Variable]:
    """Return the variables that outputs depend on and that neither have an owner nor are inputs."""
    return variables_and_orphans(i, o)[1]


def ops(i: Iterable[Variable], o: Iterable[Variable]) -> set[Apply]:
    """Return the applications between inputs and outputs."""
    given = set(i)
    return {v.owner for v in variables(given, o) if v not in given and v.owner is not None}


def io_toposort(inputs: Iterable[Variable], outputs: Iterable[Variable], *_: Any, **__: Any) -> list[Apply]:
    """Return the applications between inputs and outputs, each after those that it depends on."""
    computed, done = set(inputs), set()
    order: list[Apply] = []
    pending = [v.owner for v in reversed(list(outputs)) if v.owner is not None and v not in computed]
    while pending:
        node = pending.pop()
        if node in done:
            continue
        missing = [v.owner for v in node.inputs if v.owner is not None and v not in computed]
        if missing:
            pending += [node, *missing]  # what the last input depends on comes first: Theano's order
            continue
        computed.update(node.outputs)
        done.add(node)
        order.append(node)
    return order


def general_toposort(outputs: Iterable[Any], deps: Callable[[Any], Any], *_: Any, **__: Any) -> list[Any]:
    """Return what can be reached by `deps`, each after those that it depends on."""
    order, done = [], set()
    pending = list(reversed(list(outputs)))
    under_way: set[Any] = set()
    while pending:
        element = pending[-1]
        if element in done:
            pending.pop()
            continue
        missing = [other for other in (deps(element) or ()) if other not in done]
        if missing:
            if element in under_way:
                raise ValueError("graph contains cycles")
            under_way.add(element)
            pending += reversed(missing)
            continue
        done.add(element)
        order.append(element)
        pending.pop()
    return order


def is_in_ancestors(l_node: Any, f_node: Any) -> bool:
    """Tell whether one application depends on another."""
    return any(v.owner is f_node for v in ancestors(l_node.inputs))


list_of_nodes = io_toposort


def io_connection_pattern(inputs: Sequence[Variable], outputs: Sequence[Variable]) -> list[list[bool]]:
    """Tell for each input and output whether gradients can flow from one to the other."""
    from septet.dialects.theano.gradient import connected

    return [[variable in connected([output]) for output in outputs] for variable in inputs]


# Cloning.


def clone(
    i: Sequence[Variable], o: Sequence[Variable], copy_inputs: bool = True, copy_orphans: bool | None = None
) -> tuple[list[Any], list[Any]]:
    """Return copies of inputs (or the inputs themselves) and of the outputs that are computed from them."""
    equivalents = clone_get_equiv(i, o, copy_inputs, copy_inputs if copy_orphans is None else copy_orphans)
    return [equivalents[v] for v in i], [equivalents[v] for v in o]


def clone_get_equiv(
    inputs: Sequence[Variable], outputs: Sequence[Variable], copy_inputs: bool = True, copy_orphans: bool = True,
    memo: dict[Any, Any] | None = None,
) -> dict[Any, Any]:  # fmt: skip
    """Return the dict from each variable and application to its copy."""
    memo = {} if memo is None else memo
    for given in inputs:
        memo.setdefault(given, given.clone() if copy_inputs else given)
    for node in io_toposort(inputs, outputs):
        for given in node.inputs:
            if given not in memo:
                memo[given] = given.clone() if copy_orphans and not getattr(given, "container", None) else given
        copy = node.clone_with_new_inputs([memo[given] for given in node.inputs])
        memo[node] = copy
        for old, new in zip(node.outputs, copy.outputs, strict=True):
            new.name = old.name
            memo.setdefault(old, new)
    for output in outputs:
        if output not in memo:
            memo[output] = output.clone() if copy_orphans else output
    return memo


# Text.


def default_node_formatter(op: Apply, argstrings: Sequence[str]) -> str:
    """Return an application as text: the op with its arguments in parentheses."""
    return f"{op.op}({', '.join(argstrings)})"


def op_as_string(
    i: Sequence[Variable], op: Apply, leaf_formatter: Any = str, node_formatter: Any = default_node_formatter
) -> str:
    """Return an application as text."""
    return str(node_formatter(op, as_string(i, op.inputs, leaf_formatter, node_formatter)))


def as_string(
    i: Sequence[Variable],
    o: Sequence[Variable],
    leaf_formatter: Any = str,
    node_formatter: Any = default_node_formatter,
) -> list[str]:
    """Return outputs as text in terms of inputs; what occurs twice is named ``*1`` and pointed to by ``*1 -> ``."""
    given = set(i)
    used = [*o, *[variable for node in io_toposort(i, o) for variable in node.inputs]]
    uses = Counter(variable.owner for variable in used if variable not in given)
    names: dict[Apply, str] = {}

    def text(variable: Variable) -> str:
        node = variable.owner
        if node is None or variable in given:
            return str(leaf_formatter(variable))
        index = f"::{variable.index}" if len(node.outputs) > 1 else ""
        if node in names:
            return names[node] + index
        if uses[node] > 1:
            names[node] = f"*{len(names) + 1}"
        own = node_formatter(node, [text(v) for v in node.inputs])
        return f"{names[node]} -> {own}" + index if node in names else own + index

    return [text(variable) for variable in o]


def is_same_graph(var1: Variable, var2: Variable, givens: Any = None, debug: bool = False) -> bool:
    """Tell whether two variables are the same computation, where `givens` (pairs, or a dict) stand for each other."""
    from septet.dialects.theano.scan_module.scan_utils import equal_computations

    pairs = list(givens.items() if isinstance(givens, dict) else givens or ())
    left, right = [old for old, _ in pairs], [new for _, new in pairs]
    return equal_computations([var1], [var2], left + right, right + left)
