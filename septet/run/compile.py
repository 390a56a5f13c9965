"""`compile`: a Python function of tensors, traced once for each combination of argument types, run as one program."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from septet.backends.base import Program
from septet.base.errors import ArgumentError
from septet.graph.context import SYMBOLIC, context
from septet.graph.graph import Graph, order, substitute
from septet.graph.node import CONSTANT, Node, constant, symbol
from septet.graph.op import as_array
from septet.graph.params import exact
from septet.graph.types import TensorType, tensor_type
from septet.run import eager
from septet.run.programs import make_program
from septet.tensor import tree
from septet.tensor.tensor import Tensor
from septet.tensor.trace import Trace
from septet.tensor.variable import Variable
from septet.transform import hooks


class Compile(NamedTuple):
    """One compile of a function: for which arguments, and why it was needed."""

    arguments: str
    reason: str
    nodes: int


class _Plan(NamedTuple):
    """A compiled graph and how its results go back into the shape of the function's result."""

    program: Program
    hooks: dict[Variable, tuple[Callable[..., Any], ...]]
    rebuild: Callable[[list[Any]], Any]
    variables: list[Any]
    count: int


class Compiled:
    """A function that runs as one compiled graph. Make one with `compile`.

    Attributes
    ----------
    compiles : list of Compile
        Each compile so far, with its reason.
    """

    def __init__(self, call: Callable[..., Any], level: str | None = None) -> None:
        self._call = call
        self._level = level
        self._plans: dict[Any, _Plan] = {}
        self._changes = hooks.changes()
        self.compiles: list[Compile] = []
        functools.update_wrapper(self, call)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """Bind to an instance, so that methods can be compiled."""
        return self if instance is None else functools.partial(self, instance)

    def __call__(self, *args: Any, **words: Any) -> Any:
        """Run the function; the first call for new types traces it."""
        if context.trace is not None:  # inside another compiled function or a transform: part of that graph
            return self._call(*args, **words)
        leaves, structure = tree.flatten((args, words))
        arrays: list[np.ndarray] = []
        slots: list[Any] = []  # for each leaf: a type (tensor) or the static value
        for leaf in leaves:
            array = _as_array(leaf)
            if array is None:
                slots.append(_static(leaf, self._call))
            else:
                arrays.append(array)
                slots.append(tensor_type(array.dtype, array.shape))
        key = (structure, tuple(slots), context.mask, tuple([exact(slot) for slot in slots]))  # 1 is not True
        if self._changes != hooks.changes():
            self._drop_plans()
        plan = self._plans.get(key)
        if plan is None:
            plan = self._trace(leaves, slots, structure, key)
        results = plan.program(arrays)
        if not plan.program.owns_results:
            results = [value.copy() if _is_view(value, arrays) else value for value in results]
        for variable, value in zip(plan.variables, results[plan.count :], strict=False):
            variable.store(value)
        outputs = [Tensor(constant(value)) for value in results[: plan.count]]
        return plan.rebuild(outputs)

    def _trace(self, leaves: list[Any], slots: list[Any], structure: Any, key: Any) -> _Plan:
        """Run the Python function on symbols and compile what it recorded."""
        inputs: list[Node] = []
        handles: list[Any] = []
        for position, (leaf, slot) in enumerate(zip(leaves, slots, strict=True)):
            if isinstance(slot, TensorType):
                node = symbol(slot, f"argument {position}", is_tracked=isinstance(leaf, Tensor) and leaf.is_tracked)
                inputs.append(node)
                handles.append(Tensor(node))
            else:
                handles.append(leaf)
        args, words = tree.unflatten(structure, handles)
        name = getattr(self._call, "__name__", "compiled")
        with Trace() as trace:
            result = self._call(*args, **words)
            found, shape = tree.flatten(result)
            outputs = [leaf.node for leaf in found if isinstance(leaf, Tensor)]
        graph = capture(trace.graph(inputs, outputs, name))
        rest = [None if isinstance(leaf, Tensor) else leaf for leaf in found]
        marks = [isinstance(leaf, Tensor) for leaf in found]

        def rebuild(values: list[Any]) -> Any:
            values_left = iter(values)
            return tree.unflatten(shape, [next(values_left) if m else r for m, r in zip(marks, rest, strict=True)])

        variables = [variable for variable, _ in graph.updates]
        own = {variable: hooks.hooks_of(variable) for variable in trace.leaves}
        plan = _Plan(make_program(graph, level=self._level), own, rebuild, variables, len(outputs))
        self.compiles.append(Compile(_describe(slots), self._reason(slots), len(graph)))
        self._plans[key] = plan
        return plan

    def _drop_plans(self) -> None:
        """Forget the plans whose variables have other gradient hooks now."""
        self._changes = hooks.changes()
        for key, plan in list(self._plans.items()):
            if any(hooks.hooks_of(variable) != known for variable, known in plan.hooks.items()):
                del self._plans[key]

    def _reason(self, slots: list[Any]) -> str:
        """Say what is new about these arguments."""
        if not self._plans:
            return "gradient hooks have changed" if self.compiles else "first call"
        texts = [_slot_text(slot) for slot in slots]
        best = min(
            ([_slot_text(s) for s in key[1]] for key in self._plans),
            key=lambda old: sum(a != b for a, b in zip(old, texts, strict=False)) + abs(len(old) - len(texts)),
        )
        changes = [f"argument {i}: {a} -> {b}" for i, (a, b) in enumerate(zip(best, texts, strict=False)) if a != b]
        return ", ".join(changes) or "another structure of arguments, or gradients switched"


def capture(graph: Graph) -> Graph:
    """Compute what the graph takes from outside (pending tensors that depend on no symbol) and make it constant."""
    outside = [
        node
        for node in order(graph.roots, stop=lambda n: not n.flags & SYMBOLIC)
        if not node.flags & SYMBOLIC and node.op is not CONSTANT and isinstance(node.type, TensorType)
    ]
    if not outside:
        return graph
    eager.evaluate(*outside)
    constants = {node: constant(node.value, source=node.source) for node in outside if node.op is not CONSTANT}
    moved = substitute(graph.roots, constants)
    count, updates = len(graph.outputs), len(graph.updates)
    return graph.with_roots(moved[:count], moved[count : count + updates], moved[count + updates :])


def _as_array(leaf: Any) -> np.ndarray | None:
    """Return the array of a leaf that is a tensor or an array; None for a static one."""
    if isinstance(leaf, Variable):
        return None
    if isinstance(leaf, Tensor):
        return leaf.value
    if isinstance(leaf, (np.ndarray, np.generic)):
        if isinstance(leaf, np.ndarray) and leaf.dtype.isnative:
            view = leaf.view()
            view.flags.writeable = False
            return view
        return as_array(leaf)
    return None


def _is_view(value: Any, arrays: list[np.ndarray]) -> bool:
    return isinstance(value, np.ndarray) and any(np.may_share_memory(value, array) for array in arrays)


def _static(leaf: Any, call: Callable[..., Any]) -> Any:
    """Return a static argument, which must be hashable."""
    try:
        hash(leaf)
    except TypeError:
        raise ArgumentError(
            f"compiled {getattr(call, '__name__', 'function')}: argument {leaf!r} is neither a tensor nor hashable",
            hint="pass tensors or arrays for data, and hashable values for what is fixed",
        ) from None
    return leaf


def _slot_text(slot: Any) -> str:
    return repr(slot) if isinstance(slot, TensorType) else f"static {slot!r}"


def _describe(slots: list[Any]) -> str:
    return ", ".join(_slot_text(slot) for slot in slots)


def compile(call: Callable[..., Any] | None = None, *, optimize: str | None = None) -> Any:
    """Compile a function of tensors as one graph: forward, backward and updates of variables together.

    The function is run once, on symbols, for each new combination of dtypes and shapes of its tensor arguments and of
    values of its other arguments. Assignments to variables (an optimizer's step, running statistics, random states)
    become part of the compiled program.

    Parameters
    ----------
    call : callable
    optimize : str, optional
        "full" or "none"; by default the setting.

    Returns
    -------
    Compiled

    Raises
    ------
    TracedValueError
        If the function asks Python for the value of a tensor (``if``, ``float``, ``numpy``); the message names what to
        use instead.

    Examples
    --------
    >>> import septet as st
    >>> @st.compile
    ... def f(x, y):
    ...     return x @ y + 1
    >>> f(st.ones((2, 3)), st.ones((3,)))
    tensor([4., 4.], dtype=float32)
    """
    if call is None:
        return functools.partial(compile, optimize=optimize)
    return Compiled(call, optimize)
