"""Scan: an op that repeats a graph, as one scan of Septet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import septet as st
from septet.dialects.theano.engine import constants_anew, cut, replaced
from septet.dialects.theano.gof.graph import Constant, Variable, ancestors, io_toposort, lower, refuse_python
from septet.dialects.theano.gof.graph import inputs as graph_inputs
from septet.dialects.theano.gof.op import NativeOp
from septet.dialects.theano.gradient import connected
from septet.dialects.theano.scan_module.scan_utils import equal_computations, map_variables
from septet.dialects.theano.tensor.convert import as_tensor_variable


class Info(NamedTuple):
    """How the inputs and outputs of the repeated graph belong together.

    Inputs: an element of each sequence, then the taps of each recurrent output, then the shared variables with
    updates, then what is taken from outside. Outputs: the results of a step, then the updates, then the condition.

    Attributes
    ----------
    sequences : int
        How many.
    taps : tuple of (tuple of int, or None)
        For each result the steps back that the next ones look at; None where they do not.
    shared : int
        How many shared variables are updated.
    as_while : bool
        Whether there is a condition that ends the loop.
    truncate_gradient : int
        How many of the last steps gradients flow through; -1: all.
    name : str or None
    has_count : bool
        Whether the number of steps was given, so that sequences may turn out to be too short.
    """

    sequences: int
    taps: tuple[tuple[int, ...] | None, ...]
    shared: int
    as_while: bool
    truncate_gradient: int
    name: str | None
    has_count: bool


class Scan(NativeOp):
    """Repeats a graph. Applied to the number of steps, sequences, first values, shared variables, and what is taken from
    outside; the results are stacks of the steps' results, and the last values of the shared variables.

    Parameters
    ----------
    inputs, outputs : list of Variable
        Of the graph of one step.
    info : Info
    """

    def __init__(self, inputs: Sequence[Variable], outputs: Sequence[Variable], info: Info) -> None:
        self.inputs = list(inputs)
        self.outputs = list(outputs)
        self.info = info
        self.name = info.name
        self.as_while = info.as_while
        self.truncate_gradient = info.truncate_gradient
        self.n_seqs = info.sequences
        self._recurrent = [number for number, taps in enumerate(info.taps) if taps is not None]
        first = info.sequences
        self._windows: dict[int, tuple[int, tuple[int, ...]]] = {}  # result -> first input, taps
        for number in self._recurrent:
            taps = info.taps[number] or ()
            self._windows[number] = (first, taps)
            first += len(taps)
        self._first_shared = first
        self._first_outside = first + info.shared
        self.outside = self.inputs[self._first_outside :]

    def __str__(self) -> str:
        kind = "do_while" if self.as_while else "for"
        return f"{kind}{{cpu,{self.name or 'scan_fn'}}}"

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Scan) or self.info[:5] != other.info[:5] or len(self.inputs) != len(other.inputs):
            return False
        return len(self.outputs) == len(other.outputs) and equal_computations(
            self.outputs, other.outputs, self.inputs, other.inputs
        )

    def __hash__(self) -> int:
        return hash((type(self), self.info[:5], len(self.inputs)))

    # Applying

    def make_node(self, *inputs: Any) -> Any:
        given = [v if isinstance(v, Variable) else as_tensor_variable(v) for v in inputs]
        self._check(given)
        return self.applied(given)

    def _parts(self, given: Sequence[Any]) -> tuple[Any, list[Any], list[Any], list[Any], list[Any]]:
        """Return the number of steps, sequences, first values, shared values, and what is taken from outside."""
        a = 1 + self.info.sequences
        b = a + len(self._recurrent)
        c = b + self.info.shared
        return given[0], list(given[1:a]), list(given[a:b]), list(given[b:c]), list(given[c:])

    def _check(self, given: Sequence[Variable]) -> None:
        """Refuse results that cannot be the next values of the first ones."""
        _, _, first, shared, _ = self._parts(given)
        for place, (number, start) in enumerate(zip(self._recurrent, first, strict=True)):
            _, taps = self._windows[number]
            result, rank = self.outputs[number], start.type.ndim - (taps != (-1,))
            what = (
                "When compiling the inner function of scan the following error has been encountered: The initial state "
                f"(`outputs_info` in scan nomenclature) of variable {start} (argument number {place})"
            )
            if result.type.dtype != start.type.dtype:
                raise ValueError(
                    f"{what} has dtype {start.type.dtype}, while the result of the inner function (`fn`) has dtype "
                    f"{result.type.dtype}. This can happen if the inner function of scan results in an upcast or "
                    "downcast."
                )
            if result.type.ndim != rank:
                raise ValueError(
                    f"{what} has {rank} dimension(s) in each step, while the corresponding variable in the result of "
                    f"the inner function of scan (`fn`) has {result.type.ndim} dimension(s). dimshuffle or "
                    "shape_padleft give the initial state more."
                )
        for start, after in zip(shared, self.outputs[len(self.info.taps) :], strict=False):
            if start.type != after.type:
                raise ValueError(
                    f"the update of {start} inside of scan has type {after.type}, the variable {start.type}"
                )

    def applied(self, inputs: Sequence[Variable]) -> Any:
        node = super().applied(inputs)
        count = len(self.info.taps)
        for result in node.outputs[:count]:  # also where there is one step: nobody counts on that
            result.type = result.type.clone(broadcastable=(False, *result.type.broadcastable[1:]))
        for start, end in zip(self._parts(inputs)[3], node.outputs[count:], strict=True):
            end.type = start.type
        return node

    def connection_pattern(self, node: Any) -> list[list[bool]]:
        """Tell for each input and output whether gradients flow from one to the other, through any number of steps."""
        self._check_patterns(node)
        count = len(self.info.taps) + self.info.shared
        reached = [connected([output]) for output in self.outputs[:count]]
        inner = self.inputs
        direct = [[variable in own for own in reached] for variable in inner]
        states = [(number, range(at, at + len(taps))) for number, (at, taps) in self._windows.items()]
        states += [
            (len(self.info.taps) + k, range(self._first_shared + k, self._first_shared + k + 1))
            for k in range(self.info.shared)
        ]
        through = {number: [any(direct[i][out] for i in own) for out in range(count)] for number, own in states}
        for middle in through:
            for start in through:
                if through[start][middle]:
                    through[start] = [a or b for a, b in zip(through[start], through[middle], strict=True)]
        pattern = [[False] * count]
        for place in range(self.info.sequences):
            pattern.append(_closed(direct[place], through))
        pattern += [through[number] for number, _ in states]
        for place in range(self._first_outside, len(inner)):
            pattern.append(_closed(direct[place], through))
        return pattern

    def _check_patterns(self, node: Any) -> None:
        """Refuse gradients where an axis has size 1 in the first value and any size in the results."""
        _, _, first, _, _ = self._parts(node.inputs)
        for number, start in zip(self._recurrent, first, strict=True):
            result = self.outputs[number].type.broadcastable
            own = start.type.broadcastable[start.type.ndim - len(result) :]
            for axis, (a, b) in enumerate(zip(result, own, strict=True)):
                if a != b:
                    raise TypeError(
                        f"The broadcast pattern of the output of scan ({self.outputs[number].type}) is inconsistent "
                        f"with the one provided in `output_info` ({start.type}). The output on axis {axis} is `{a}`, "
                        f"but it is `{b}` in `output_info`. You have to make them consistent, e.g. using "
                        "theano.tensor.{patternbroadcast,unbroadcast,addbroadcast}."
                    )

    def mapped(self, replacer: Callable[[Any], Any]) -> Scan:
        """Return the op for a graph in which each variable is what a function makes of it."""
        own = set(self.inputs)

        def replaced(v: Any) -> Any:
            found = v if v in own else replacer(v)
            new = () if found is v else set(graph_inputs([found])).difference(graph_inputs([v]))
            for variable in new:
                if getattr(variable, "update", None):  # each use would need the update among those of the loop
                    raise NotImplementedError(
                        f"Replacement introduces shared variable {variable} which has an update associated with it "
                        f"into the inner graph of {self}. This is not currently supported."
                    )
            return found

        outputs = map_variables(replaced, self.outputs)
        return Scan(self.inputs, outputs, self.info)

    # Computing

    def compute(self, *tensors: Any) -> Any:
        steps, sequences, first, shared, outside = self._parts(tensors)
        loop = _Loop(self, outside)
        states = loop.start(first, shared)
        if self.truncate_gradient == -1:
            return loop.results(states, sequences, steps)
        if self.as_while:
            steps = loop.count(states, sequences, steps)
            sequences = [one[:steps] for one in sequences]
        return loop.truncated(states, sequences, steps, self.truncate_gradient)


def _closed(direct: Sequence[bool], through: dict[int, list[bool]]) -> list[bool]:
    """Return what is reached at once, or through a state."""
    found = list(direct)
    for number, further in through.items():
        if direct[number]:
            found = [a or b for a, b in zip(found, further, strict=True)]
    return found


class _Loop:
    """The tensors of a scan: its step, and how often it runs.

    What is handed on from step to step is a window of the last values of each recurrent output, oldest first, and the
    values of the shared variables.
    """

    def __init__(self, op: Scan, outside: Sequence[Any]) -> None:
        self.op = op
        self.info = op.info
        refuse_python("scan", op.outputs, op.inputs)
        lower([*op.inputs, *op.outputs])
        self.symbols = [v.tensor for v in op.inputs]
        kept = zip(op.outside, outside, strict=True)
        moved = [(old.tensor, new) for old, new in kept if old.tensor.node is not new.node]
        outputs = [v.tensor for v in op.outputs]
        self.outputs = replaced(outputs, moved) if moved else outputs
        self._outside = list(outside)

    def start(self, first: Sequence[Any], shared: Sequence[Any]) -> list[Any]:
        windows = []
        for number, value in zip(self.op._recurrent, first, strict=True):
            _, taps = self.op._windows[number]
            length = -min(taps)
            windows.append([value] if taps == (-1,) else [value[place] for place in range(length)])
        return [windows, list(shared)]

    def step(self, states: Any, elements: Sequence[Any]) -> tuple[Any, list[Any], Any]:
        """Return the next states, the results, and the condition."""
        op = self.op
        windows, shared = states
        pairs = list(zip(self.symbols, elements or (), strict=False))
        for number, window in zip(op._recurrent, windows, strict=True):
            at, taps = op._windows[number]
            pairs += [(self.symbols[at + place], window[tap + len(window)]) for place, tap in enumerate(taps)]
        pairs += zip(self.symbols[op._first_shared :], shared, strict=False)
        pairs += [(one, one) for one in self._outside]  # as it is, even if it depends on what is handed on
        found = replaced(self.outputs, [*constants_anew(self.outputs), *pairs])
        count = len(self.info.taps)
        results = found[:count]
        after = [[*window[1:], results[number]] for number, window in zip(op._recurrent, windows, strict=True)]
        condition = found[-1] if self.info.as_while else None
        return [after, found[count : count + self.info.shared]], results, condition

    def results(self, states: Any, sequences: Sequence[Any], steps: Any) -> tuple[Any, ...]:
        """Return the stacks of all results, and the last values of the shared variables."""
        if self.info.as_while:
            (states, count), stacks = self._until(states, sequences, steps)
            return (*[cut(stack, count) for stack in stacks], *states[1])
        states, stacks = self._scan(lambda own, x: self.step(own, x)[:2], states, sequences, steps)
        return (*stacks, *states[1])

    def _scan(self, call: Any, states: Any, sequences: Sequence[Any], steps: Any) -> Any:
        if not sequences:
            return st.scan(call, states, None, length=_plain(steps))
        if self.info.has_count:  # a sequence that is too short is an error
            steps = _plain(steps)
            sequences = [
                one if one.type.shape[0] == steps else st.reshape(one, (steps, *one.shape[1:])) for one in sequences
            ]
        return st.scan(call, states, list(sequences))

    def _until(self, states: Any, sequences: Sequence[Any], steps: Any) -> Any:
        """Run all steps; those after the end do nothing."""

        def step(carried: Any, elements: Any) -> Any:
            own, count, goes_on = carried

            def run(own: Any, count: Any) -> Any:
                after, results, condition = self.step(own, elements)
                return after, count + 1, st.equal(condition, 0), results

            def rest(own: Any, count: Any) -> Any:
                return own, count, st.asarray(False), [st.zeros_like(x) for x in self.step(own, elements)[1]]

            after, count, goes_on, results = st.cond(goes_on, run, rest, own, count)
            return (after, count, goes_on), results

        (states, count, _), stacks = self._scan(
            step, (states, st.asarray(0, dtype="int64"), st.asarray(True)), sequences, steps
        )
        return (states, count), stacks

    def count(self, states: Any, sequences: Sequence[Any], steps: Any) -> Any:
        """Return after how many steps the condition ends the loop."""
        (_, count), _ = self._until(states, sequences, steps)
        return st.stop_gradient(count)

    def truncated(self, states: Any, sequences: Sequence[Any], steps: Any, last: int) -> tuple[Any, ...]:
        """Return the results of a loop whose last steps only gradients flow through."""
        steps = _plain(steps)
        before = max(steps - last, 0) if isinstance(steps, int) else st.maximum(steps - last, 0)
        rest = steps - before

        def step(own: Any, x: Any) -> Any:
            return self.step(own, x)[:2]

        states, early = self._scan(step, states, [one[:before] for one in sequences], before)
        states = _constant(states)
        states, late = self._scan(step, states, [one[before:] for one in sequences], rest)
        stacks = [st.concat([st.stop_gradient(a), b]) for a, b in zip(early, late, strict=True)]
        return (*stacks, *states[1])


def _constant(states: Any) -> Any:
    windows, shared = states
    return [[[st.stop_gradient(x) for x in window] for window in windows], [st.stop_gradient(x) for x in shared]]


def _plain(steps: Any) -> Any:
    """Return a number of steps as an int where it is known."""
    return int(steps.numpy()) if not steps.node.is_symbolic else steps


def outside_of(
    outputs: Sequence[Variable], inputs: Sequence[Variable], given: Sequence[Variable] = ()
) -> list[Variable]:
    """Return what the graph of a step takes from outside: variables that depend on none of its inputs, the nearest.

    Those that are given are outside in any case.
    """
    own, stops = set(inputs), set(given)
    depends: dict[Variable, bool] = dict.fromkeys(given, False)
    for variable in _in_order(outputs):
        if variable not in stops:
            depends[variable] = variable in own or (
                variable.owner is not None and any(depends[source] for source in variable.owner.inputs)
            )
    found: dict[Variable, None] = {}
    for variable in outputs:
        if not depends[variable]:
            found.setdefault(variable)
    for variable, is_inside in depends.items():
        if is_inside and variable not in own and variable.owner is not None:
            for source in variable.owner.inputs:
                if not depends[source]:
                    found.setdefault(source if source.widens is None else source.widens)
    return [variable for variable in found if not isinstance(variable, Constant)]


def _in_order(outputs: Sequence[Variable]) -> list[Variable]:
    """Return outputs and what they depend on, each after those that it depends on."""
    order: dict[Variable, None] = dict.fromkeys(v for v in ancestors(outputs) if v.owner is None)
    for node in io_toposort([], outputs):
        order |= dict.fromkeys(node.outputs)
    return list(order)
