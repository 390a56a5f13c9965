"""What runs when a function is called: a function of Septet over the variables' tensors, or op by op in Python."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

import septet as st
from septet.dialects.theano.compile.mode import Mode
from septet.dialects.theano.compile.rebuild import rebuilt
from septet.dialects.theano.containers import Container, In
from septet.dialects.theano.engine import cut_of, replaced
from septet.dialects.theano.gof.graph import Constant, Variable, ancestors, io_toposort, is_called_from_python, lower
from septet.dialects.theano.gof.op import evaluate
from septet.dialects.theano.sharing import SharedVariable, TensorCells


class Slot:
    """An input of a function with its place for values.

    Parameters
    ----------
    own : In
    """

    def __init__(self, own: In) -> None:
        self.own = own
        value = own.value
        if isinstance(value, SharedVariable):
            value = value.container
        if isinstance(value, Container):
            self.container = value
            self.has_value = True
        else:
            self.container = Container(
                own.variable, None, strict=own.strict, allow_downcast=own.allow_downcast, name=own.name
            )
            self.has_value = value is not None
            if value is not None:
                self.container.value = copy.copy(value)

    def current(self) -> Any:
        """Return the value that is kept."""
        return self.container.value

    def set(self, value: Any) -> None:
        """Keep a value."""
        self.container.value = value
        self.has_value = True

    def filter(self, value: Any, place: int, function: Any) -> Any:
        """Return an argument as a value of the variable's type."""
        own = self.own
        if function.trust_input or value is None:  # ops may take None: see `OpByOp`
            return value
        try:
            return own.variable.type.filter(value, strict=own.strict, allow_downcast=own.allow_downcast)
        except (TypeError, ValueError) as error:
            text = f"Bad input argument {f'with name {own.name!r}' if own.name else ''} to theano function {f'with name {function.name!r}' if function.name else ''} at index {place} (0-based)."
            error.args = (" ".join(text.split()), *error.args)
            raise


class Wiring:
    """Everything that a function is made of.

    Parameters
    ----------
    inputs : list of In
    outputs : list of Variable
    updates : dict of SharedVariable to Variable
    givens : list of (Variable, Variable)
    """

    def __init__(
        self, inputs: Sequence[In], outputs: Sequence[Variable], updates: Mapping[Any, Variable], givens: Sequence[tuple[Variable, Variable]],
        implicit: Sequence[In] = (),
    ) -> None:  # fmt: skip
        self.inputs = list(inputs)
        self.outputs = list(outputs)
        self.updates = dict(updates)
        self.givens = list(givens)
        self.slots = [Slot(own) for own in self.inputs]
        self.shared: list[Any] = []
        self.overwritten: list[int] = []

    def roots(self) -> list[Variable]:
        """Return what is computed: outputs, updates, and the next values of inputs with an update."""
        return [*self.outputs, *self.updates.values(), *[own.update for own in self.inputs if own.update is not None]]

    def find_shared(self, no_default_updates: Any = True) -> None:
        """Find the shared variables that the graph reads, and add their default updates."""
        is_off = no_default_updates is True
        without = list(no_default_updates) if isinstance(no_default_updates, (list, tuple)) else []
        known = {own.variable for own in self.inputs}
        givens = dict(self.givens)
        seen: dict[Any, None] = {}
        pending: list[tuple[list[Any], Mapping[Any, Any]]] = [(self.roots(), givens)]
        while pending:
            roots, places = pending.pop()  # what takes a variable's place may read that variable itself
            reached = ancestors(roots, blockers=known | set(places))
            pending += [([places[v]], {}) for v in reached if v in places]
            for variable in reversed(reached):
                is_read = isinstance(variable, SharedVariable) and variable not in places
                if not is_read or variable in seen or variable in known:
                    continue
                seen[variable] = None
                update = getattr(variable, "default_update", None)
                if update is None or is_off or variable in without or variable in self.updates:
                    continue
                self.updates[variable] = variable.filter_update(update)
                pending.append(([self.updates[variable]], givens))
        for variable in self.updates:
            seen.setdefault(variable)
        self.shared = list(seen)

    def copied(self, replacement: Mapping[Any, Any], delete_updates: bool) -> Wiring:
        """Return the same with other shared variables."""
        roots = (
            rebuilt([*self.outputs, *self.updates.values()], replacement)
            if replacement
            else [*self.outputs, *self.updates.values()]
        )
        outputs, values = roots[: len(self.outputs)], roots[len(self.outputs) :]
        updates = (
            {} if delete_updates else {replacement.get(v, v): new for v, new in zip(self.updates, values, strict=True)}
        )
        givens = [(old, rebuilt([new], replacement)[0]) for old, new in self.givens]
        fresh = Wiring(self.inputs, outputs, updates, givens)
        fresh.find_shared()
        fresh.overwritten = self.overwritten
        for old, new in zip(self.slots, fresh.slots, strict=True):
            if old.has_value and old.container is not new.container and not old.own.mutable:
                new.set(old.current())
        return fresh

    @property
    def is_of_tensors(self) -> bool:
        """Whether everything on the way is a tensor."""
        variables = ancestors([*self.roots(), *[v for pair in self.givens for v in pair]])
        return all(v.type.is_tensor for v in [*variables, *self.shared])


class Compiled:
    """A function of Septet over the tensors that the variables stand for.

    Shared variables are symbols of the graph. For the function that runs they are replaced by the Variables of Septet
    that hold their values now, so sizes are known; where a value of another shape has been set since, it is made anew.
    """

    def __init__(self, wiring: Wiring, mode: Mode, name: str | None) -> None:
        self.wiring = wiring
        self.mode = mode
        self.name = name or "function"
        self.updated = [own for own in wiring.inputs if own.update is not None]
        lower(
            [
                *wiring.roots(),
                *[v for pair in wiring.givens for v in pair],
                *[own.variable for own in wiring.inputs],
                *wiring.shared,
            ]
        )
        self._cells: list[Any] = []
        self._loose: set[Any] = set()
        self._kept: dict[tuple[int, ...], tuple[Any, list[Any]]] = {}
        self.function: Any = None
        self._by_op: OpByOp | None = None
        self._used: list[int] = []
        self._containers = [variable.container for variable in wiring.shared]
        found = [(place, cut_of(v.tensor)) for place, v in enumerate(wiring.outputs)]
        self._cuts = {place: own for place, own in found if own is not None}  # cut to their sizes by the caller
        self._converted = [
            (place, own.variable.type)
            for place, own in enumerate(wiring.inputs)
            if hasattr(own.variable.type, "to_array")
        ]
        self._link()

    def _link(self) -> None:
        """Make the function for the cells that hold the shared values now."""
        cells = [container.cell for container in self._containers]
        key = (*[id(cell) for cell in cells], *sorted(id(v) for v in self._loose))
        self._cells = cells
        self._error: Exception | None = None
        if key not in self._kept:
            if len(self._kept) > 16:
                self._kept.clear()
            try:
                self._kept[key] = (self._made(cells), cells)
            except st.errors.ShapeError as error:  # other values of shared variables may fit: it is for a call to say
                self._error = error
                return
        self.function = self._kept[key][0]

    def _made(self, cells: Sequence[Any]) -> Any:
        wiring = self.wiring
        places = [(v.tensor, cell) for v, cell in zip(wiring.shared, cells, strict=True)]
        inputs = [own.variable for own in wiring.inputs]
        symbols = [
            st.symbol(v.name or "", v.type.shape, v.type.dtype) if v.owner is not None else v.tensor for v in inputs
        ]
        computed = [(v.tensor, symbol) for v, symbol in zip(inputs, symbols, strict=True) if v.owner is not None]
        given = {old.tensor.node: replaced([new.tensor], [*places, *computed])[0] for old, new in wiring.givens}
        others = {tensor: cell for tensor, cell in places if tensor.node not in given}
        others |= {st.Tensor(node): value for node, value in given.items()}
        cell_of = dict(zip(wiring.shared, cells, strict=True))
        loose = [v for v in wiring.updates if v in self._loose]
        fixed = {cell_of[v]: new.tensor for v, new in wiring.updates.items() if v not in self._loose}
        outputs = [self._cuts[place][0] if place in self._cuts else v.tensor for place, v in enumerate(wiring.outputs)]
        outputs += [own.update.tensor for own in self.updated] + [wiring.updates[v].tensor for v in loose]
        outputs += [count for _, count in self._cuts.values()]
        if computed:  # from here on, sizes are those that calls give
            changed = replaced([*outputs, *fixed.values()], computed)
            outputs, fixed = changed[: len(outputs)], dict(zip(fixed, changed[len(outputs) :], strict=True))
        words: dict[str, Any] = {"name": self.name, "optimize": self.mode.level}
        try:
            made = st.function(symbols, outputs, fixed, others, allow_unused=True, **words)
        except (st.errors.GraphError, st.errors.ShapeError):
            if not self._loosen(cell_of):
                raise
            return self._made(cells)
        used = set(made.graph.nodes)
        self._used = [place for place, symbol in enumerate(symbols) if symbol.node in used]
        if len(self._used) < len(symbols):  # what nothing reads is not handed on
            made = st.function([symbols[place] for place in self._used], outputs, fixed, others, **words)
        return made

    def _loosen(self, cell_of: Mapping[Any, Any]) -> bool:
        """Take updates whose shape may differ out of those that are written in place; False where there is none."""
        found = [
            v
            for v, new in self.wiring.updates.items()
            if v not in self._loose and new.tensor.type.shape != cell_of[v].variable_type.shape
        ]
        self._loose.update(found)
        return bool(found)

    def _called(self, values: Sequence[Any]) -> Any:
        """Call the function of Septet; what an op's Python code raises comes out as it was raised."""
        if self._error is not None:
            raise self._error
        if not self.function.graph.roots:
            return []
        if len(self._used) < len(values):
            values = [values[place] for place in self._used]
        try:
            return self.function(*values)
        except st.errors.IndexOutOfRangeError as error:
            if "crossentropy: class" in str(error):  # Theano calls it a wrong value
                raise ValueError(f"y_i value out of bounds: {error}") from error
            raise
        except st.errors.UserFunctionError as error:
            raise _unchained(error, self.wiring) from None

    def _chooses(self) -> bool:
        """Tell whether only some of the results may be asked for."""
        return any(hasattr(v.owner.op, "chosen") for v in ancestors(self.wiring.roots()) if v.owner)

    def _op_by_op(self, values: Sequence[Any]) -> list[Any]:
        self._by_op = self._by_op or OpByOp(self.wiring, self.mode)
        try:
            return self._by_op.run(values)
        except st.errors.ShapeError as error:
            raise _explained(error, self.wiring) from None

    def run(self, values: Sequence[Any]) -> list[Any]:
        """Return the outputs for some values of the inputs."""
        if any(value is None for value in values):
            return self._op_by_op(values)
        for container, cell in zip(self._containers, self._cells, strict=True):
            if container.cell is not cell:
                self._link()
                break
        if self._converted:
            values = list(values)
            for place, own in self._converted:
                values[place] = own.to_array(values[place])
        for is_last in (False, True):
            try:
                found = self._called(values)
                break
            except st.errors.ShapeError as error:
                if not is_last and self._loosen(dict(zip(self.wiring.shared, self._cells, strict=True))):
                    self._link()
                    continue
                if not self._chooses():  # shapes are known before it is known what is chosen
                    raise _explained(error, self.wiring) from None
                return self._op_by_op(values)
        count = len(self.wiring.outputs)
        results = [_value(tensor, v.type) for tensor, v in zip(found[:count], self.wiring.outputs, strict=True)]
        for place, rows in zip(self._cuts, found[len(found) - len(self._cuts) :], strict=True):
            results[place] = results[place][: int(rows)].copy()
        rest = found[count : len(found) - len(self._cuts)]
        for own, tensor in zip(self.updated, rest, strict=False):
            self.wiring.slots[self.wiring.inputs.index(own)].container.data = _value(tensor, own.variable.type)
        loose = [v for v in self.wiring.updates if v in self._loose]
        for variable, tensor in zip(loose, rest[len(self.updated) :], strict=True):
            variable.container.data = _own(tensor)
        return results


def _explained(error: Any, wiring: Wiring) -> Exception:
    """Return an error about a shape as what the op raises in Theano: that of a mask, and one that the program asserts."""
    is_of_mask = getattr(error, "inputs", ()) and error.inputs[0].dtype == bool
    for op in [v.owner.op for v in ancestors(wiring.roots()) if v.owner]:
        if is_of_mask and getattr(op, "has_masks", False):
            return IndexError(str(error))
        if hasattr(op, "said") and op.said in str(error):
            return AssertionError(str(error))
    return error


def _unchained(error: BaseException, wiring: Wiring) -> BaseException:
    """Return what an op's own Python code raised, or what a condition that does not hold is in Theano."""
    return _explained(error, wiring) if error.__cause__ is None else error.__cause__


def _value(tensor: Any, type_: Any) -> Any:
    """Return a result as a value of a variable's type."""
    found = _own(tensor)
    return type_.of_array(found) if hasattr(type_, "of_array") else found


def _own(tensor: Any) -> np.ndarray:
    """Return a result as an array of the caller's own, without a copy where nobody else sees it."""
    value = tensor.node.value
    if value.flags.owndata and value.base is None:
        value.setflags(write=True)
        return value
    return np.array(value)


class _WithPython:
    """Functions in which Python calls ops."""

    function = None

    def __init__(self, wiring: Wiring) -> None:
        self.wiring = wiring
        roots = wiring.roots()
        self._roots = rebuilt(roots, dict(wiring.givens)) if wiring.givens else roots
        self._order = io_toposort([own.variable for own in wiring.inputs], self._roots)

    def _start(self, values: Sequence[Any]) -> dict[Any, Any]:
        return {own.variable: value for own, value in zip(self.wiring.inputs, values, strict=True)}

    @staticmethod
    def _value(known: Mapping[Any, Any], variable: Any) -> Any:
        if variable in known:
            return known[variable]
        return variable.data if isinstance(variable, Constant) else variable.container.value

    def _finish(self, known: Mapping[Any, Any]) -> list[Any]:
        """Carry out the updates, and return the outputs."""
        wiring = self.wiring
        found = [self._value(known, v) for v in self._roots]
        count = len(wiring.outputs)
        for variable, value in zip(wiring.updates, found[count : count + len(wiring.updates)], strict=True):
            variable.container.data = value if not isinstance(variable, TensorCells) else np.array(value)
        updated = [slot for slot in wiring.slots if slot.own.update is not None]
        for slot, value in zip(updated, found[count + len(wiring.updates) :], strict=True):
            slot.container.data = value
        return [
            np.array(value) if isinstance(value, np.ndarray)
            else copy.deepcopy(value) if variable.owner is None  # what was given, or is kept
            else value
            for variable, value in zip(self._roots, found[:count], strict=False)
        ]  # fmt: skip


class OpByOp(_WithPython):
    """Python calls each op in turn: for modes that look at every result, and where None is a value."""

    def __init__(self, wiring: Wiring, mode: Mode) -> None:
        super().__init__(wiring)
        self.mode = mode

    def run(self, values: Sequence[Any]) -> list[Any]:
        """Return the outputs for some values of the inputs."""
        known = self._start(values)
        numbers = {node: number for number, node in enumerate(self._order)}
        pending = [*reversed(self._order)]
        if any(hasattr(node.op, "chosen") for node in self._order):  # no more than what is asked for
            pending = [v.owner for v in reversed(self._roots) if v.owner in numbers]
        while pending:
            node = pending[-1]
            if node.outputs[0] in known:
                pending.pop()
                continue
            asked = node.inputs
            if hasattr(node.op, "chosen"):
                condition = node.inputs[:1]
                is_known = condition[0].owner not in numbers or condition[0] in known
                asked = node.op.chosen(self._value(known, condition[0]), node.inputs) if is_known else condition
            missing = [v.owner for v in asked if v.owner in numbers and v not in known]
            if missing:
                pending += missing
                continue
            given = [self._value(known, v) if v in known or v.owner not in numbers else None for v in node.inputs]
            run = partial(evaluate, node, given)
            if asked is not node.inputs:
                run = partial(list, [self._value(known, v) for v in asked])
            results = self.mode.around(numbers[node], node, run, given) if self.mode.is_op_by_op else run()
            known.update(zip(node.outputs, results, strict=True))
        return self._finish(known)


class Staged(_WithPython):
    """Python calls the ops that take or give values that are no tensors; functions of Septet compute what is between."""

    def __init__(self, wiring: Wiring, mode: Mode, name: str | None) -> None:
        super().__init__(wiring)
        self.mode = mode
        self._by_op: OpByOp | None = None
        self.words: dict[str, Any] = {"name": name or "function", "optimize": mode.level, "allow_unused": True}
        self._known = {own.variable for own in wiring.inputs}
        self._steps: list[Any] = []  # nodes, and (function, variables that it takes, variables that it gives)
        for node in self._order:
            if is_called_from_python(node):
                self._add_stretch(node.inputs)
                self._steps.append(node)
                self._known.update(node.outputs)
        self._add_stretch(self._roots)

    def _add_stretch(self, variables: Sequence[Variable]) -> None:
        """Have tensors computed that are not known yet."""
        wanted = list(dict.fromkeys([v for v in variables if v.owner is not None and v not in self._known]))
        if not wanted:
            return
        reached = ancestors(wanted, blockers=self._known)
        ends = [v for v in reached if (v.owner is None or v in self._known) and not isinstance(v, Constant)]
        ends = [v for v in ends if v.type.is_tensor]
        symbols = [st.symbol(v.name or "", v.type.shape, v.type.dtype) for v in ends]
        places = {v.tensor: symbol for v, symbol in zip(ends, symbols, strict=True)}
        made = st.function(symbols, [v.tensor for v in wanted], {}, places, **self.words)
        self._steps.append((made, ends, wanted))
        self._known.update(wanted)

    def run(self, values: Sequence[Any]) -> list[Any]:
        """Return the outputs for some values of the inputs."""
        known = self._start(values)
        if any(value is None and variable.type.is_tensor for variable, value in known.items()):
            self._by_op = self._by_op or OpByOp(self.wiring, self.mode)
            return self._by_op.run(values)
        for step in self._steps:
            if not isinstance(step, tuple):
                found = evaluate(step, [self._value(known, v) for v in step.inputs])
                known.update(zip(step.outputs, found, strict=True))
                continue
            made, ends, wanted = step
            given = [self._value(known, v) for v in ends]
            given = [v.type.to_array(x) if hasattr(v.type, "to_array") else x for v, x in zip(ends, given, strict=True)]
            try:
                found = made(*given)
            except st.errors.UserFunctionError as error:
                raise _unchained(error, self.wiring) from None
            except st.errors.ShapeError as error:
                raise _explained(error, self.wiring) from None
            known.update({v: _value(tensor, v.type) for v, tensor in zip(wanted, found, strict=True)})
        return self._finish(known)


def make_program(wiring: Wiring, mode: Mode, name: str | None) -> Any:
    """Return what runs a function."""
    if mode.is_op_by_op:
        return OpByOp(wiring, mode)
    if not wiring.is_of_tensors:
        return Staged(wiring, mode, name)
    return Compiled(wiring, mode, name)
