"""`scan`: the loop of Theano's programs."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from septet.dialects.theano.compile.sharedvalue import SharedVariable
from septet.dialects.theano.dtypes import INTS, UINTS
from septet.dialects.theano.gof.fg import MissingInputError
from septet.dialects.theano.gof.graph import Constant, Variable, ancestors
from septet.dialects.theano.gof.graph import inputs as graph_inputs
from septet.dialects.theano.scan_module.scan_op import Info, Scan, outside_of
from septet.dialects.theano.scan_module.scan_utils import (
    get_updates_and_outputs,
    isNaN_or_Inf_or_None,
    keep_test_value,
    safe_new,
)  # fmt: skip
from septet.dialects.theano.tensor.basic import minimum
from septet.dialects.theano.tensor.convert import as_tensor_variable, known_value
from septet.dialects.theano.tensor.shaping import shape_padleft, unbroadcast
from septet.dialects.theano.updates import OrderedUpdates


def listed(value: Any) -> list[Any]:
    """Return an argument as a list: of nothing, one, or several."""
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


class _Sequence:
    """A sequence with its taps.

    Attributes
    ----------
    slices : list of Variable
        For each tap the part that is walked along.
    length : variable or int
        How many steps it is good for.
    """

    def __init__(self, given: Any, is_reverse: bool) -> None:
        words = given if isinstance(given, dict) else {"input": given}
        taps = [int(tap) for tap in listed(words.get("taps"))] or [0]
        source = as_tensor_variable(words["input"])
        low, high = min(*taps, 0), max(*taps, 0)
        self.taps = taps
        self.starts = [tap - low for tap in taps]
        self.slices = []
        for tap, start in zip(taps, self.starts, strict=True):
            own = source[start:] if tap == high else source[start : tap - high]
            own = source if (start, tap) == (0, high) else own
            self.slices.append(own[::-1] if is_reverse else own)
        self.source = source
        self.length = self.slices[0].shape[0]

    def elements(self) -> list[Any]:
        """Return a variable for each tap's element."""
        found = []
        for tap, start in zip(self.taps, self.starts, strict=True):
            element = self.source[start]
            fresh = element.type()
            keep_test_value(fresh, element)
            fresh.name = _tap_name(self.source.name, tap)
            found.append(fresh)
        return found


class _Output:
    """What is said of an output: its first values, and the steps back that are looked at."""

    def __init__(self, given: Any) -> None:
        words = {} if given is None else given if isinstance(given, dict) else {"initial": given}
        if words.get("return_steps") is not None:
            raise ValueError("Using `return_steps` has been deprecated. Simply select the entries you need.")
        taps, first = words.get("taps"), words.get("initial")
        self.taps: tuple[int, ...] | None = None
        self.first: Any = None
        if first is None:
            if taps is not None:
                raise ValueError(
                    "If you are using slices of an output you need to provide a initial state for it", words
                )
            return
        self.taps = (-1,) if taps is None else tuple([int(tap) for tap in listed(taps)])
        if len(set(self.taps)) < len(self.taps):
            raise ValueError("All the taps must be different in  `outputs_info`", words)
        if any(tap >= 0 for tap in self.taps):
            raise ValueError("All the tap values must be smaller than 0.", words)
        self.first = as_tensor_variable(first)
        if self.taps != (-1,):
            self.first = self.first[: -min(self.taps)]

    def values(self) -> list[Any]:
        """Return the first values that the taps look at."""
        if self.taps is None:
            return []
        return [self.first] if self.taps == (-1,) else [self.first[tap - min(self.taps)] for tap in self.taps]

    def elements(self) -> list[Any]:
        """Return a variable for each tap."""
        found = []
        for tap, value in zip(self.taps or (), self.values(), strict=True):
            fresh = value.type() if isinstance(value, Constant) else safe_new(value)
            keep_test_value(fresh, value)
            fresh.name = _tap_name(self.first.name, tap)
            found.append(fresh)
        return found


def _tap_name(name: str | None, tap: int) -> str | None:
    return None if name is None else f"{name}[t{tap:+d}]" if tap else f"{name}[t]"


def scan(
    fn: Callable[..., Any], sequences: Any = None, outputs_info: Any = None, non_sequences: Any = None,
    n_steps: Any = None, truncate_gradient: int = -1, go_backwards: bool = False, mode: Any = None,
    name: str | None = None, profile: Any = False, allow_gc: Any = None, strict: bool = False,
    return_list: bool = False,
) -> Any:  # fmt: skip
    """Call a function once, and repeat what it computes for each step.

    Parameters
    ----------
    fn : callable
        From the elements of the sequences (each tap), the taps of the outputs, and the non-sequences to results: a
        variable or a list; then, if any, updates of shared variables; then, if any, an `until`.
    sequences : list of tensors, or of dicts with "input" and "taps"
        What is walked along, on axis 0; with taps, step t sees elements t + tap.
    outputs_info : list of first values, None, or dicts with "initial" and "taps"
        For each output what the first step sees; None where steps do not look back. With taps other than -1 the first
        values are stacked on axis 0, oldest first.
    non_sequences : list of variables
        What each step sees the same; optional, since `fn` may use any variable.
    n_steps : int or scalar, optional
        By default the length of the shortest sequence.
    truncate_gradient : int
        How many of the last steps gradients flow through; -1: all.
    go_backwards : bool
        Whether sequences are walked from their ends.
    mode, profile, allow_gc
        Ignored: the loop is part of the program that the whole function becomes.
    name : str, optional
        How the op is called where graphs are printed.
    strict : bool
        Whether `fn` may use what it is given only.
    return_list : bool
        Whether one output comes as a list, too.

    Returns
    -------
    outputs : variable or list
        The results of all steps, stacked on axis 0; None where there are none.
    updates : OrderedUpdates
        What shared variables become: to be given to `function`.

    Raises
    ------
    ValueError
        For taps, numbers of outputs, types of first values, and returned values that do not fit.
    MissingInputError
        If `strict` and `fn` uses more than it is given.

    Examples
    --------
    >>> import septet.dialects.theano as theano
    >>> import septet.dialects.theano.tensor as T
    >>> x = T.dvector("x")
    >>> sums, updates = theano.scan(lambda a, total: total + a, x, outputs_info=T.zeros((), "float64"))
    >>> theano.function([x], sums)([1, 2, 3]).tolist()
    [1.0, 3.0, 6.0]
    """
    walked = [_Sequence(given, go_backwards) for given in listed(sequences)]
    infos = [_Output(given) for given in listed(outputs_info)]
    others = [v if isinstance(v, Variable) else as_tensor_variable(v) for v in listed(non_sequences)]
    given_steps = None if isNaN_or_Inf_or_None(n_steps) else n_steps
    steps = _steps(given_steps, walked)
    is_single = given_steps is not None and known_value(steps) is not None and abs(int(known_value(steps))) == 1
    if is_single:
        elements = [part[0] for own in walked for part in own.slices]
        states = [value for own in infos for value in own.values()]
    else:
        elements = [fresh for own in walked for fresh in own.elements()]
        states = [fresh for own in infos for fresh in own.elements()]
    condition, results, updates = get_updates_and_outputs(fn(*elements, *states, *others))
    if not infos:
        infos = [_Output(None) for _ in results]
    if len(infos) != len(results):
        raise ValueError(
            "Please provide None as outputs_info for any output that does not feed back into scan (i.e. it behaves "
            f"like a map): outputs_info says {len(infos)}, the function returned {len(results)}"
        )
    if is_single:
        found = [unbroadcast(shape_padleft(v), 0) if v.type.is_tensor else v for v in results]
        return _returned(found, return_list), OrderedUpdates(updates)
    given = [v for v in others if not isinstance(v, (Constant, SharedVariable))]
    updates = _all_updates([*results, *([] if condition is None else [condition])], updates, given)
    own = [*elements, *states, *updates]
    outputs = [*results, *updates.values(), *([] if condition is None else [condition])]
    outside = outside_of(outputs, own, given)
    if strict:
        _check_strict(outside, others)
    outside += [v for v in others if v not in outside and v not in own and not isinstance(v, Constant)]
    info = Info(
        len(elements), tuple([one.taps for one in infos]), len(updates), condition is not None,
        int(truncate_gradient), name, given_steps is not None,
    )  # fmt: skip
    op = Scan([*own, *outside], outputs, info)
    first = [one.first for one in infos if one.taps is not None]
    cut = _cut(walked, steps, given_steps is not None)
    made = op(steps, *cut, *first, *updates, *outside, return_list=True)
    stacks, last = made[: len(results)], made[len(results) :]
    return _returned(stacks, return_list), OrderedUpdates(zip(updates, last, strict=True))


def _steps(n_steps: Any, walked: Sequence[_Sequence]) -> Any:
    """Return the number of steps: given, or as many as the shortest sequence has."""
    if n_steps is not None:
        value = as_tensor_variable(int(n_steps) if isinstance(n_steps, (float, np.floating)) else n_steps)
        if value.type.dtype not in (*INTS, *UINTS):
            raise ValueError(f" n_steps must be an int. dtype provided is {value.type.dtype}")
        return value
    if not walked:
        raise ValueError(
            "No information about the number of steps provided. Either provide a value for n_steps argument of scan or "
            "provide an input sequence"
        )
    lengths = [own.length for own in walked]
    steps = lengths[0]
    for other in lengths[1:]:
        steps = minimum(steps, other)
    return steps


def _cut(walked: Sequence[_Sequence], steps: Any, is_given: bool) -> list[Any]:
    """Return all sequences with as many elements as there are steps."""
    if len(walked) == 1 and not is_given:
        return list(walked[0].slices)
    return [part[:steps] for own in walked for part in own.slices]


def _returned(found: Sequence[Any], is_list: bool) -> Any:
    if not found:
        return None
    return found[0] if len(found) == 1 and not is_list else list(found)


def _all_updates(roots: Sequence[Any], updates: Any, given: Sequence[Any]) -> Any:
    """Return the updates of a step: those returned, and the default ones of shared variables that it reads.

    What is given from outside is computed there, with the shared variables that it reads.
    """
    found = OrderedDict()
    for variable, value in updates.items():
        if not isinstance(variable, SharedVariable):
            raise TypeError("update target must be a SharedVariable", variable)
        found[variable] = variable.filter_update(value)
    pending = [*roots, *found.values()]
    while pending:
        read = [v for v in reversed(ancestors(pending, blockers=set(given))) if isinstance(v, SharedVariable)]
        pending = []
        for variable in read:
            update = getattr(variable, "default_update", None)
            if update is not None and variable not in found:
                found[variable] = variable.filter_update(update)
                pending.append(found[variable])
    return found


def _check_strict(outside: Sequence[Any], others: Sequence[Any]) -> None:
    """Refuse shared variables that a step reads without being given them; what else comes from outside is an input."""
    known = set(others)
    for variable in graph_inputs(outside, blockers=known):
        if isinstance(variable, SharedVariable) and variable not in known:
            raise MissingInputError(
                f"ScanOp is missing an input: {variable!r}. Pass this variable to the scan's inner function, and to "
                "the `non_sequences` attribute of scan."
            )
