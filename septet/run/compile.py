"""`compile`: a Python function of tensors, traced once for each combination of argument types, run as one program."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

import numpy as np

from septet.backends.base_work import Made
from septet.base.config import config
from septet.base.errors import ArgumentError, SeptetError
from septet.base.watch import TRACE, span
from septet.graph.context import SYMBOLIC, TRACKED, context
from septet.graph.graph import Graph, order, substitute
from septet.graph.node import CONSTANT, Node, constant, symbol
from septet.graph.op import ELEMENTWISE, MOVEMENT, as_array
from septet.graph.params import exact
from septet.graph.types import TensorType, tensor_type
from septet.run import eager
from septet.run.arguments import explain_arguments
from septet.run.compiles import Compile, Compiles, other_sizes, with_made
from septet.run.names import argument_names, check_call, function_name, leaf_names, signature
from septet.run.plans import Call, Plan, Plans, arguments_text, surroundings
from septet.run.programs import make_program
from septet.run.runnable import Bound, Runnable
from septet.run.target import Target
from septet.tensor import tree
from septet.tensor.tensor import Tensor
from septet.tensor.trace import Trace
from septet.tensor.variable import Variable

_LEAVES = frozenset([Tensor, Variable, np.ndarray, int, float, complex, bool, str])
"""Classes of arguments that have no parts, so that there is nothing to take apart; others may have none either."""


class Compiled(Runnable):
    """A function that runs as one compiled graph. Make one with `compile`.

    Attributes
    ----------
    compiles : Compiles
        Each compile so far, with its reason and what it took.
    """

    def __init__(self, call: Callable[..., Any], level: str | None = None) -> None:
        self._call = call
        self._level = level
        self._name = function_name(call)
        self._plans = Plans()
        self.compiles = Compiles(self._name)
        functools.update_wrapper(self, call, updated=())  # attributes of a model are none of ours

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """Bind to an instance, so that methods can be compiled."""
        return self if instance is None else Bound(self, instance)

    def __call__(self, *args: Any, **words: Any) -> Any:
        """Run the function; the first call for new types traces it.

        Raises
        ------
        CallError
            If the function does not take these arguments.
        ArgumentError
            If an argument is neither a tensor nor hashable.
        """
        state = context.__dict__  # of this thread
        if state["trace"] is not None:  # inside another compiled function or a transform: part of that graph
            return self._call(*args, **words)
        plan, arrays = self._find(args, words, state)
        results = plan.program.step(arrays)
        if plan.is_single:
            return Tensor(constant(results[0], plan.types[0]))
        return plan.rebuild([Tensor(constant(*pair)) for pair in zip(results, plan.types)])

    def target(self, *args: Any, **words: Any) -> Target:
        """Return what runs for some arguments; see `Runnable.target`."""
        plan, arrays = self._find(args, words, context.__dict__)
        described = arguments_text(plan.names, plan.call.slots)
        return Target(self._name, described, plan.graph, plan.program, arrays, self._level, self.compiles)

    def _find(
        self, args: tuple[Any, ...], words: dict[str, Any], state: dict[str, Any]
    ) -> tuple[Plan, list[np.ndarray]]:
        """Return the plan for a call, made where there is none, and the arrays that are its inputs."""
        leaves: Sequence[Any] = args
        structure: Any = ()  # the keywords, where no argument is nested
        if words or not _LEAVES.issuperset(map(type, args)):
            leaves, structure = _flatten(args, words)
        arrays: list[np.ndarray] = []
        key: list[Any] = [structure, state["mask"], surroundings(config)]
        for leaf in leaves:
            if type(leaf) is Tensor:
                node = leaf.node
                array = node.value
                if array is None:
                    array = leaf.value
                arrays.append(array)
                type_ = node.type
                key.append(type_ if type_.is_known else tensor_type(array.dtype, array.shape))
                key.append(node.flags & TRACKED)
            elif isinstance(leaf, (np.ndarray, np.generic)):
                array = _read_only(leaf)
                arrays.append(array)
                key.append(tensor_type(array.dtype, array.shape))
                key.append(0)
            else:  # static; 1 is not True, and 0.0 is not -0.0
                key.append(exact(leaf))
                key.append(type(leaf))
        try:
            plan = self._plans.find(tuple(key))
        except TypeError as error:
            raise self._unhashable(leaves, args, words) or error from None
        if plan is None:
            plan = self._trace(tuple(key), leaves, args, words)
        return plan, arrays

    def _trace(self, key: tuple[Any, ...], leaves: Sequence[Any], args: tuple[Any, ...], words: dict[str, Any]) -> Plan:
        """Run the Python function on symbols and compile what it recorded."""
        start = perf_counter()
        names = self._leaf_names(args, words)
        call = Call.of(key, leaves, tree.flatten((args, words))[1])
        reason = self._plans.reason(call, names)
        inputs: list[Node] = []
        handles: list[Any] = []
        for name, slot, is_tracked in zip(names, call.slots, call.tracked, strict=True):
            if is_tracked is None:
                handles.append(slot)
            else:
                node = symbol(slot, name, is_tracked=is_tracked)
                inputs.append(node)
                handles.append(Tensor(node))
        args, words = tree.unflatten(call.structure, handles)
        with span(TRACE, self._name), Trace() as trace:
            result = self._call(*args, **words)
            found, shape = tree.flatten(result)
            outputs = [leaf.node for leaf in found if isinstance(leaf, Tensor)]
        graph = capture(trace.graph(inputs, outputs, self._name))
        program = make_program(graph, level=self._level, beside=self._plans.latest, is_resized=True)
        notes = trace.settled_notes()
        is_single = shape is tree.LEAF and len(outputs) == 1
        made = program.make_ready([node.shape for node in inputs])
        rebuild = _rebuilder(found, shape)
        plan = Plan(graph, program, rebuild, is_single, len(outputs), call, names, notes)
        compile = Compile(arguments_text(names, call.slots), reason, len(graph), perf_counter() - start)
        if program.deciding:  # there is more to make for each call with other sizes
            program.tell = self._noting(compile)
        else:
            self.compiles.append(with_made(compile, made))
        self._plans.add(key, plan)
        return plan

    def _noting(self, first: Compile) -> Callable[[Made], None]:
        """Return what notes the compiles of a graph whose sizes values decide; `first` is how the first one begins."""
        before: Made | None = None

        def note(made: Made) -> None:
            nonlocal before
            reason = first.reason if before is None else "; ".join(other_sizes(before, made))
            seconds = made.seconds + (first.seconds if before is None else 0.0)
            self.compiles.append(with_made(first._replace(reason=reason, seconds=seconds), made))
            before = made

        return note

    def _leaf_names(self, args: tuple[Any, ...], words: dict[str, Any]) -> list[str]:
        """Return the names of the leaves of a call, which must fit the function."""
        found = signature(self._call)
        names = argument_names(found, args, words)
        try:
            check_call(found, args, words)
        except SeptetError as error:
            raise explain_arguments(
                error, self._name, zip(names, (*args, *words.values()), strict=True), has_static=True
            ) from None
        return leaf_names(names, args, words)

    def _unhashable(self, leaves: Sequence[Any], args: tuple[Any, ...], words: dict[str, Any]) -> SeptetError | None:
        """Return the error about a static argument that cannot be a part of a key, if there is one."""
        names = self._leaf_names(args, words)
        for name, leaf in zip(names, leaves, strict=True):
            if isinstance(leaf, np.ndarray):
                continue
            try:
                hash(leaf)
            except TypeError:
                error = ArgumentError(
                    f"{name} is a {type(leaf).__name__}, which is neither a tensor nor hashable",
                    hint="pass tensors or arrays for data, and hashable values for what is fixed",
                )
                return explain_arguments(error, self._name, zip(names, leaves, strict=True), has_static=True)
        return None


def _flatten(args: tuple[Any, ...], words: dict[str, Any]) -> tuple[Sequence[Any], tree.Structure | tuple[str, ...]]:
    """Return the leaves of the arguments and how they are nested: only the keywords where they are leaves in a row."""
    if _LEAVES.issuperset(map(type, args)) and _LEAVES.issuperset(map(type, words.values())):
        keywords = tuple(sorted(words, key=repr))  # as `tree` does
        return (*args, *[words[keyword] for keyword in keywords]), keywords
    leaves, structure = tree.flatten((args, words))
    by_place, by_name = structure.children
    if all([child is tree.LEAF for child in (*by_place.children, *by_name.children)]):
        return leaves, by_name.keys
    return leaves, structure


def _rebuilder(leaves: Sequence[Any], structure: tree.Structure) -> Callable[[list[Any]], Any]:
    """Return what puts new tensors in the place of those among the leaves of a result."""
    marks = [isinstance(leaf, Tensor) for leaf in leaves]
    if structure.kind in (tuple, list) and all(marks) and all(child is tree.LEAF for child in structure.children):
        kind: Callable[[list[Any]], Any] = structure.kind
        return kind
    rest = [None if mark else leaf for leaf, mark in zip(leaves, marks, strict=True)]

    def rebuild(values: list[Any]) -> Any:
        values_left = iter(values)
        return tree.unflatten(structure, [next(values_left) if m else r for m, r in zip(marks, rest, strict=True)])

    return rebuild


def capture(graph: Graph) -> Graph:
    """Compute what the graph takes from outside (pending tensors that depend on no symbol) and make it constant.

    What is made of single numbers stays as it is, and so do positions: a repeated number costs nothing in a loop, an
    array has to be read, and one as long as a batch is another one for each size of it.
    """
    outside = [
        node
        for node in order(graph.roots, stop=lambda n: not n.flags & SYMBOLIC)
        if not node.flags & SYMBOLIC
        and node.op is not CONSTANT
        and isinstance(node.type, TensorType)
        and node.op.name != "iota"
    ]
    plain = _of_numbers(outside)
    outside = [node for node in outside if node not in plain]
    if not outside:
        return graph
    eager.evaluate(*outside)
    constants = {node: constant(node.value, source=node.source) for node in outside if node.op is not CONSTANT}
    moved = substitute(graph.roots, constants)
    count, updates = len(graph.outputs), len(graph.updates)
    return graph.with_roots(moved[:count], moved[count : count + updates], moved[count + updates :])


def _of_numbers(nodes: Sequence[Node]) -> set[Node]:
    """Return the nodes, among some and what they depend on, that are made of single numbers point by point."""
    found: set[Node] = set()
    for node in order(nodes):
        if node.op is CONSTANT:
            is_one = isinstance(node.type, TensorType) and node.type.size == 1
        else:
            kind = getattr(node.op, "kind", None)
            is_one = kind in (ELEMENTWISE, MOVEMENT) and bool(node.inputs) and found.issuperset(node.inputs)
        if is_one:
            found.add(node)
    return found


def _read_only(value: np.ndarray | np.generic) -> np.ndarray:
    """Return an array of the user's as one that no program can write to, without a copy where it is native."""
    if isinstance(value, np.ndarray) and value.dtype.isnative:
        view = value.view()
        view.setflags(write=False)
        return view
    return as_array(value)


def compile(call: Callable[..., Any] | None = None, *, optimize: str | None = None) -> Any:
    """Compile a function of tensors as one graph: forward, backward and updates of variables together.

    The function is run once, on symbols, for each new combination of dtypes and shapes of its tensor arguments and of
    values of its other arguments. Assignments to variables (an optimizer's step, running statistics, random states)
    become part of the compiled program.

    It is run again when Python state that it has read changes: whether gradients are on, whether a module is training,
    what a module consists of and is configured with, which variables are trainable and have gradient hooks, the default
    dtypes. `Compiled.compiles` lists every run with its reason. Other Python values that the function reads, such as
    global variables, and lists of parts that are changed in place, are taken as they are in that run.

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
    CallError
        When it is called with arguments that the function does not take.
    TracedValueError
        When the function asks Python for the value of a tensor (``if``, ``float``, ``numpy``); the message names what
        to use instead.

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
