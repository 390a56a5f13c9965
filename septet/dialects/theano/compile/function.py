"""`theano.function`: a graph of variables as something that is called with values."""

from __future__ import annotations

import functools
import operator
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from septet.dialects.theano.compile.mode import Mode, get_mode
from septet.dialects.theano.compile.profiling import ProfileStats
from septet.dialects.theano.compile.program import Wiring, make_program
from septet.dialects.theano.compile.rebuild import pairs_of, rebuilt
from septet.dialects.theano.configdefaults import config
from septet.dialects.theano.containers import Container, In, Out, SymbolicInput, SymbolicOutput
from septet.dialects.theano.gof.fg import FunctionGraph, MissingInputError, specialized
from septet.dialects.theano.gof.graph import Constant, Variable, ancestors, io_toposort
from septet.dialects.theano.gof.null_type import NullType
from septet.dialects.theano.sharing import SharedVariable, TensorCells
from septet.dialects.theano.tensor.convert import as_variable
from septet.graph.graph import order

PACKAGE = str(Path(__file__).parents[1])


class UnusedInputError(Exception):
    """An input that nothing depends on."""


class AliasedMemoryError(Exception):
    """Values that share memory where they must not."""


class FunctionMaker:
    """What a function was made of, as programs look at it.

    Attributes
    ----------
    inputs, outputs : list of In, list of Out
    fgraph : FunctionGraph
    mode : Mode
    """

    def __init__(self, wiring: Wiring, mode: Mode) -> None:
        self.inputs = wiring.inputs
        self.outputs = [Out(v) for v in wiring.outputs]
        self.mode = mode
        self.wiring = wiring

    @property
    def expanded_inputs(self) -> list[Any]:
        return [*self.inputs, *[In(v, update=update) for v, update in self.wiring.updates.items()]]

    @functools.cached_property
    def fgraph(self) -> FunctionGraph:
        """The graph, from inputs to outputs and updates; in modes that optimize with specialized ops."""
        wiring = self.wiring
        given = [*[own.variable for own in wiring.inputs], *wiring.shared]
        outputs = rebuilt([*wiring.outputs, *wiring.updates.values()], dict(wiring.givens), strict=False)
        if self.mode.optimizer not in (None, "None", "fast_compile"):
            outputs = specialized(outputs)
        return FunctionGraph(given, outputs, clone=False)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "fgraph"}


class Function:
    """A graph that is called with values. Made by `function`.

    Attributes
    ----------
    maker : FunctionMaker
    name : str or None
    profile : object or None
    """

    maker: FunctionMaker

    def __init__(self, wiring: Wiring, mode: Mode, name: str | None, structure: Any, profile: Any = None) -> None:
        self.maker = FunctionMaker(wiring, mode)
        self.name = name
        self.profile = profile if isinstance(profile, ProfileStats) else ProfileStats() if profile else None
        self._mode = mode
        self._wiring = wiring
        self._structure = structure
        self._program = make_program(wiring, mode, name)
        self.trust_input = False
        self._overwritten = wiring.overwritten
        named = [slot for slot in wiring.slots if not slot.own.implicit and slot.own.name is not None]
        self._names = {slot.own.name: slot for slot in named}
        self._variables = {slot.own.variable: slot for slot in wiring.slots}
        self._defaulted = [slot for slot in wiring.slots if slot.has_value]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the outputs for some values of the inputs, and update what has updates.

        Parameters
        ----------
        *args, **kwargs
            Values by position, or by the names of the variables.
        output_subset : list of int, optional
            Which outputs to return.

        Raises
        ------
        TypeError
            If values are missing, too many, or not of the types of their variables.
        """
        subset = kwargs.pop("output_subset", None)
        if len(args) == len(self._wiring.slots) and not kwargs and not self._defaulted:
            values = [
                slot.filter(value, place, self)
                for place, (slot, value) in enumerate(zip(self._wiring.slots, args, strict=True))
            ]
        else:
            values = self._values(args, kwargs)
        run = self._program.run if self.profile is None else self.profile.timed(self._program.run)
        found = run(values)
        if self._overwritten:
            found, written = found[: -len(self._overwritten)], found[-len(self._overwritten) :]
            for place, value in zip(self._overwritten, written, strict=True):
                _overwrite(values[place], value)
        if subset is not None:
            return [found[index] for index in subset]
        return self._structure(found)

    def _values(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
        """Return a value for each input: given, or kept from before."""
        slots = self._wiring.slots
        if len(args) + len(kwargs) > len(slots):
            raise TypeError(
                f"Too many parameter passed to theano function (got {len(args) + len(kwargs)}, takes at most {len(slots)})"
            )
        given = {slots[place]: slots[place].filter(value, place, self) for place, value in enumerate(args)}
        for name, value in kwargs.items():
            if name not in self._names:
                raise TypeError(
                    f"Unknown input or state: {name}. The function has {len(self._names)} named inputs ({', '.join(self._names)})."
                )
            slot = self._slot(name)
            if slot in given:
                raise TypeError(f"Tried to provide value for implicit input or the same input twice: {name}")
            given[slot] = slot.filter(value, slots.index(slot), self)
        values = []
        for place, slot in enumerate(slots):
            if slot in given:
                if slot.own.implicit:
                    raise TypeError(f"Tried to provide value for implicit input: {slot.own.name or slot.own.variable}")
                values.append(given[slot])
            elif slot.has_value:
                values.append(slot.current())
            else:
                raise TypeError(
                    f"Missing required input: {slot.own.name or slot.own.variable} (input {place} of {self.name or 'the function'})"
                )
        return values

    def __getitem__(self, item: Any) -> Any:
        """Return the present value of an input with a default, by name, variable or position."""
        return self._slot(item).current()

    def __setitem__(self, item: Any, value: Any) -> None:
        self._slot(item).set(value)

    def _slot(self, item: Any) -> Any:
        if isinstance(item, str):
            found = [slot for slot in self._wiring.slots if slot.own.name == item]
            if len(found) > 1:
                raise TypeError(f"Ambiguous name: {item}")
        elif isinstance(item, int):
            return self._wiring.slots[item]
        else:
            found = [self._variables[item]] if item in self._variables else []
        if not found:
            raise TypeError(f"Unknown input or state: {item}")
        return found[0]

    def __contains__(self, item: Any) -> bool:
        return item in self._variables or any(slot.own.name == item for slot in self._wiring.slots)

    @property
    def value(self) -> Function:
        """The values of inputs, by index."""
        return self

    @property
    def container(self) -> Mapping[Any, Container]:
        """The containers of inputs, by variable, name and position."""
        found: dict[Any, Any] = {slot.own.variable: slot.container for slot in self._wiring.slots}
        found |= {slot.own.name: slot.container for slot in self._wiring.slots if slot.own.name}
        return found | dict(enumerate(slot.container for slot in self._wiring.slots))

    finder = container

    @property
    def input_storage(self) -> list[Container]:
        return [slot.container for slot in self._wiring.slots]

    @property
    def outputs(self) -> list[Container]:
        """A container for each output, with the variable's name."""
        return [Container(v) for v in self._wiring.outputs]

    def get_shared(self) -> list[Any]:
        """Return the shared variables that the function reads or updates."""
        return list(self._wiring.shared)

    def free(self) -> None:
        """Forget what is kept for the next call; nothing is."""

    def copy(
        self, share_memory: bool = False, swap: Any = None, delete_updates: bool = False, name: str | None = None,
        profile: Any = None,
    ) -> Function:  # fmt: skip
        """Return the same function, with other shared variables (`swap`) or without updates; it returns a list, or a dict."""
        wiring = self._wiring
        replacement = {}
        for old, new in pairs_of(swap):
            if old not in wiring.shared:
                raise ValueError(f"SharedVariable: {old} not found")
            if old.type != new.type:
                raise TypeError(f"Type of given SharedVariable: {new} conflicts with the original one: {old}")
            replacement[old] = new
        copied = wiring.copied(replacement, delete_updates)
        structure = self._structure if isinstance(self._structure, Named) else list
        made = Function(copied, self._mode, name, structure, profile)
        made.name = name or f"{self.name} copy"
        return made

    __copy__ = copy

    @property
    def fn(self) -> Callable[..., None]:
        """What runs, as often as ``n_calls`` says, for the arguments that are kept."""

        def run(n_calls: int = 1, output_subset: Any = None) -> None:
            for _ in range(n_calls):
                self()

        return run

    @property
    def septet(self) -> Any:
        """The function of Septet that runs: for `st.explain`, `st.profile` and `compiles`."""
        return self._program.function

    def sync_shared(self) -> None:
        pass

    @property
    def n_returned_outputs(self) -> int:
        return len(self._wiring.outputs)

    @property
    def unpack_single(self) -> bool:
        return not isinstance(self._structure([None] * len(self._wiring.outputs)), (list, dict))

    def __str__(self) -> str:
        return f"<theano.compile.function_module.Function object at {id(self):#x}>"

    __repr__ = __str__

    def __getstate__(self) -> dict[str, Any]:
        words = {"name": self.name, "trust_input": self.trust_input}
        return {"wiring": self._wiring, "mode": self._mode, "structure": self._structure, **words}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["wiring"], state["mode"], None, state["structure"])
        self.name, self.trust_input = state["name"], state["trust_input"]


class Named:
    """Results as a dict."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(names)

    def __call__(self, values: list[Any]) -> Any:
        return dict(zip(self.names, values, strict=True))


def function(
    inputs: Any, outputs: Any = None, mode: Any = None, updates: Any = None, givens: Any = None,
    no_default_updates: Any = False, accept_inplace: bool = False, name: str | None = None,
    rebuild_strict: bool = True, allow_input_downcast: bool | None = None, profile: Any = None,
    on_unused_input: str | None = None,
) -> Function:  # fmt: skip
    """Make a callable of a symbolic expression.

    Parameters
    ----------
    inputs : list of Variable or In
    outputs : Variable, Out, list or dict of them, optional
        What a call returns, in the same structure; an empty list where it is None.
    mode : str or Mode, optional
    updates : dict, or list of pairs, of shared variable to expression
        What shared variables become after each call, all computed from the values before it.
    givens : dict, or list of pairs, of Variable to expression
        Replacements made in the graph.
    no_default_updates : bool or list of shared variable
        Whether (or for which) the default updates of shared variables are left out.
    accept_inplace : bool
        Whether ops that overwrite their inputs may be in the graph; the arguments are overwritten too.
    name : str, optional
        By default the file and line of the call.
    allow_input_downcast : bool, optional
        Whether arguments may lose precision; by default only Python's floats may, on their way to `floatX`.
    profile : bool or object, optional
    on_unused_input : "raise", "warn" or "ignore", optional
        What happens about an input that nothing depends on; by default as the setting says.

    Returns
    -------
    Function

    Raises
    ------
    UnusedInputError, MissingInputError, TypeError, ValueError

    Examples
    --------
    >>> import septet.dialects.theano as theano
    >>> import septet.dialects.theano.tensor as T
    >>> x, y = T.dscalars("x", "y")
    >>> f = theano.function([x, y], x + y)
    >>> float(f(2, 3))
    5.0
    """
    if not isinstance(inputs, (list, tuple)):
        raise Exception(
            f"Inputs variable of a Theano function should be contained in a list, even when there is a single input. (got {inputs!r})"
        )
    if isinstance(outputs, Mapping) and any(not isinstance(key, str) for key in outputs):
        raise AssertionError("the keys of outputs are strings")
    if not isinstance(no_default_updates, (bool, list)):
        raise TypeError("no_default_update should be either a boolean or a list")
    mode = get_mode(mode)
    given = [_as_input(own, allow_input_downcast) for own in inputs]
    _check_inputs(given, givens)
    listed, structure = _outputs(outputs)
    update_pairs = _checked_updates(updates, [own.variable for own in given])
    if not rebuild_strict or any(isinstance(v, Variable) and v.widens is not None for v, _ in pairs_of(givens)):
        listed, update_pairs, givens = _rebuilt_loosely(listed, update_pairs, givens)
    given_pairs = _checked_givens(givens)
    written = _overwritten([own.variable for own in given], listed) if accept_inplace else {}
    wiring = Wiring(
        given, [*listed, *written.values()], dict(update_pairs), given_pairs, [own for own in given if own.implicit]
    )
    wiring.overwritten = list(written)
    wiring.find_shared(no_default_updates)
    _check_use(wiring, on_unused_input, name)
    made = Function(wiring, mode, name, structure, profile)
    made.name = name or _calling_line()
    return made


def _calling_line() -> str:
    """Return the file and line outside of this package that a function is made in, as Theano names functions."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(PACKAGE):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def _overwrite(argument: Any, value: Any) -> None:
    """Give an argument, an array or a RandomState, the contents of a value."""
    if isinstance(argument, np.ndarray):
        np.copyto(argument, value)
    else:
        argument.set_state(value.get_state())


def _overwritten(inputs: Sequence[Variable], outputs: Sequence[Variable]) -> dict[int, Variable]:
    """Return which inputs the ops that write in place leave with the values of other variables."""
    found = {}
    for node in io_toposort(inputs, outputs):
        for place, sources in getattr(node.op, "destroy_map", {}).items():
            if node.inputs[sources[0]] in inputs:
                found[list(inputs).index(node.inputs[sources[0]])] = node.outputs[place]
    return found


def _as_input(own: Any, allow_downcast: bool | None) -> In:
    if isinstance(own, SymbolicInput) and not isinstance(own, In):
        strict, implicit = own.strict, own.implicit
        own = In(own.variable, own.name, None, own.update, own.mutable, strict, own.allow_downcast, implicit=implicit)
    elif isinstance(own, (list, tuple)):
        own = _old_input(own)
    elif isinstance(own, Constant):
        raise TypeError(f"A Constant instance is not a legal function input: {own}")
    elif isinstance(own, Variable):
        own = In(own)
    elif not isinstance(own, In):
        raise TypeError(f"Unknown parameter type: {type(own)}")
    if isinstance(own.variable, SharedVariable) and not own.implicit:
        raise TypeError(
            f"Cannot use a shared variable ({own.variable}) as explicit input. Consider substituting a non-shared variable via the `givens` parameter"
        )
    if allow_downcast is not None and own.allow_downcast is None:
        own.allow_downcast = allow_downcast
    return own


def _old_input(parts: Sequence[Any]) -> In:
    """Return the input that an old form means: (name, variable), (variable, value), ((variable, update), value) ..."""
    rest = list(parts)
    name = rest.pop(0) if isinstance(rest[0], str) else None
    first = rest.pop(0)
    variable, update = first if isinstance(first, (list, tuple)) else (first, None)
    return In(variable, name=name, value=rest[0] if rest else None, update=update)


def _check_inputs(given: Sequence[In], givens: Any) -> None:
    variables = [own.variable for own in given]
    for old, _ in pairs_of(givens):
        if old in variables:
            raise RuntimeError(
                f"You are trying to replace variable '{old}' through the `givens` parameter, but this variable is an input to your function. Replacing inputs is currently forbidden because it has no effect. One way to modify an input `x` to a function evaluating f(x) is to define a new input `y` and use `theano.function([y], f(x), givens={{x: g(y)}})`. Another solution consists in using `theano.clone`, e.g. like this: `theano.function([x], theano.clone(f(x), replace={{x: g(x)}}))`."
            )
    for place, variable in enumerate(variables):
        if not isinstance(variable, Variable):
            raise TypeError(f"An input is a Variable, got {variable!r}")
        if variable in variables[:place]:
            raise UnusedInputError(
                f"Variable {variable} is used twice in inputs to theano.function, at indices {variables.index(variable)} and {place}.  This would result in values provided for it being ignored. Please do not duplicate variables in the inputs list."
            )


def _outputs(outputs: Any) -> tuple[list[Variable], Any]:
    if outputs is None:
        return [], list
    if isinstance(outputs, Mapping):
        names = sorted(outputs)
        return [_as_output(outputs[key]) for key in names], Named(names)
    if isinstance(outputs, (list, tuple)):
        return [_as_output(own) for own in outputs], list
    return [_as_output(outputs)], operator.itemgetter(0)


def _as_output(own: Any) -> Variable:
    if isinstance(own, SymbolicOutput):
        own = own.variable
    try:
        return as_variable(own)
    except TypeError:
        raise TypeError(
            f"Outputs must be theano Variable or Out instances. Received {own} of type {type(own)}"
        ) from None


def _checked_updates(updates: Any, inputs: Sequence[Variable]) -> list[tuple[Any, Variable]]:
    found: list[tuple[Any, Variable]] = []
    pairs = pairs_of(updates)
    seen: set[Any] = set()
    for pair in pairs:
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise TypeError(f"updates are pairs of a shared variable and its new value, got {pair!r}")
        variable, value = pair
        if not isinstance(variable, SharedVariable):
            raise TypeError("update target must be a SharedVariable", variable)
        if variable in seen:
            raise ValueError("this shared variable already has an update expression", (variable, value))
        if variable in inputs:
            raise ValueError(f"{variable} is both an input and updated")
        seen.add(variable)
        try:
            converted = variable.filter_update(value)
            _check_sizes(variable, value)
        except TypeError:
            own = value if isinstance(value, Variable) else as_variable(value)
            raise TypeError(
                f"An update must have the same type as the original shared variable (shared_var={variable}, shared_var.type={variable.type}, update_val={value}, update_val.type={own.type}).",
                "If the difference is related to the broadcast pattern, you can call the tensor.unbroadcast(var, axis_to_unbroadcast[, ...]) function to remove broadcastable dimensions.",
            ) from None
        found.append((variable, converted))
    return found


def _check_sizes(variable: Any, value: Any) -> None:
    """Raise TypeError for an update of size 1 along an axis along which the variable is longer now."""
    if isinstance(variable, TensorCells) and isinstance(value, Variable):
        shape = variable.container.cell.variable_type.shape
        if any(b and size != 1 for b, size in zip(value.type.broadcastable, shape, strict=True)):
            raise TypeError("an update that broadcasts")


def _rebuilt_loosely(outputs: list[Variable], updates: Any, givens: Any) -> Any:
    """Make what depends on replaced variables anew where what takes their place is of another type.

    It is done for what only broadcasts, too: tensors are not computed from it.
    """
    pairs = pairs_of(givens)
    values = [(old, new) for old, new in pairs if isinstance(new, Variable)]
    other = {old: new for old, new in values if new.type != old.type or old.widens is not None}
    if not other:
        return outputs, updates, givens
    found = rebuilt([*outputs, *[new for _, new in updates]], other, strict=False)
    changed = [(old, new) for (old, _), new in zip(updates, found[len(outputs) :], strict=True)]
    return found[: len(outputs)], changed, [(old, new) for old, new in pairs if old not in other]


def _checked_givens(givens: Any) -> list[tuple[Variable, Variable]]:
    found = []
    for old, new in pairs_of(givens):
        if not isinstance(old, Variable):
            raise TypeError(f"givens must be a list of pairs of Variables, got {old!r}")
        if isinstance(old, SharedVariable) and old is new:
            continue
        found.append((old, old.type.filter_variable(new)))
    return found


def _check_use(wiring: Wiring, on_unused_input: str | None, name: str | None) -> None:
    """Refuse inputs that nothing depends on, and graphs that depend on what is no input."""
    known = {own.variable for own in wiring.inputs}
    used, leaves = _reached(wiring, known)
    action = config.on_unused_input if on_unused_input is None else on_unused_input
    if action not in ("raise", "warn", "ignore"):
        raise ValueError(
            f'Invalid value for keyword "on_unused_input" of theano.function: {action!r}. Valid values are "raise", "warn", and "ignore".'
        )
    for place, own in enumerate(wiring.inputs):
        if own.variable in used or own.update is not None:
            continue
        message = (
            f"theano.function was asked to create a function computing outputs given certain inputs, but the provided input variable at index {place} is not part of the computational graph needed to compute the outputs: "
            f"{own.name if own.name else own.variable}.\nTo make this error into a warning, you can pass the parameter on_unused_input='warn' to theano.function. To disable it completely, use on_unused_input='ignore'."
        )
        if action == "raise":
            raise UnusedInputError(message)
        if action == "warn":
            warnings.warn(message, stacklevel=4)
    for variable in leaves:
        if isinstance(variable.type, NullType):
            raise TypeError(f"a function over something that is not defined: {variable.type.why_null}")
        if variable not in known and not isinstance(variable, (Constant, SharedVariable)):
            raise MissingInputError(
                f"Undeclared input: {variable} of type {variable.type} was not provided and not given a value. Use the Theano flag exception_verbosity='high', for more information on this error.",
                variable,
            )


def _reached(wiring: Wiring, known: set[Any]) -> tuple[set[Any], list[Any]]:
    """Return what the roots depend on, and the variables without an owner among that.

    What a gradient depends on is more than its op's inputs say: it is made of the tensors of all variables on the way.
    """
    replaced = dict(wiring.givens)
    used = ancestors(wiring.roots(), blockers=[*replaced, *known])
    given = ancestors([replaced[v] for v in used if v in replaced], blockers=known)
    found = [v for v in (*used, *given) if v not in replaced or v in given]
    leaves = [v for v in found if v.owner is None]
    if not all(v.type.is_tensor for v in found):
        return set(found), leaves
    roots = [v.tensor.node for v in (*wiring.roots(), *[replaced[v] for v in used if v in replaced])]
    stops = {v.tensor.node for v in (*known, *replaced)}
    nodes = set(order(roots, stop=lambda node: node in stops))
    inner = [new for old, new in wiring.givens if old not in used and old.tensor.node in nodes]
    if inner:
        nodes.update(order([v.tensor.node for v in inner], stop=lambda node: node in stops))
        leaves += [v for v in ancestors(inner, blockers=known) if v.owner is None and v not in leaves]
    return set(found) | {v for v in known if v.tensor.node in nodes}, [v for v in leaves if v.tensor.node in nodes]
