"""Variable: a named cell whose value persists, with a role, and a gradient beside it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, repeat
from typing import Any, Protocol

import numpy as np

from septet.base import dtypes
from septet.base.errors import ArgumentError, GradientError, NotSupportedError, ShapeError
from septet.base.source import here
from septet.base.text import type_text
from septet.graph.context import SYMBOLIC, TRACKED, context
from septet.graph.node import VARIABLE, Node, constant, make_node
from septet.graph.op import as_array, cast_to
from septet.graph.pending import evaluate_assigned, wanted
from septet.graph.types import TensorType, tensor_type
from septet.tensor.tensor import Tensor
from septet.tensor.trace import Note, note, note_change
from septet.tensor.wrap import unwrap

ROLES = ("parameter", "weight", "bias", "scale", "embedding", "statistic", "state", "random")
"""What a variable is for; the last three are not trained."""


class Trainability(Note):
    """Whether gradients flow to a variable."""

    __slots__ = ()

    def read(self) -> bool:
        return bool(self.owner._is_trainable)

    @classmethod
    def describe(cls, changed: Sequence[Trainability]) -> list[str]:
        found = []
        for before, text in ((True, "trainable -> fixed"), (False, "fixed -> trainable")):
            variables = [note.owner for note in changed if note.value is before]
            if variables:
                found.append(f"{variables_text(variables)}: {text}")
        return found


def variables_text(variables: Sequence[Variable]) -> str:
    """Name some variables, or the first three of many: ``variables 'a', 'b'``."""
    names = ", ".join([repr(variable.name) for variable in variables[:3]])
    rest = f" and {len(variables) - 3} more" if len(variables) > 3 else ""
    return f"{'variables' if len(variables) > 1 else 'variable'} {names}{rest}"


class Lender(Protocol):
    """Who writes over values of variables: one thread at a time, which has the lock and is busy meanwhile."""

    lock: Any
    is_busy: bool


class Variable(Tensor):
    """A tensor that can be assigned to: parameters of models, running statistics, counters.

    Reading a variable records the value that it has then: a later `assign` does not change what was recorded. In a
    symbolic graph and inside `compile` a variable stands for the value that it has when the compiled function runs.

    Parameters
    ----------
    value : array-like
        The first value; dtype and shape stay.
    name : str
    dtype : dtype, optional
    role : str
        One of `ROLES`: optimizers, regularizers and filters select by it.
    trainable : bool, optional
        Whether gradients flow to it; by default, whether the role is one that is trained and the dtype is a float.
    is_symbolic : bool
        Whether expressions of it are never computed by themselves, only by functions (as in Theano).

    Attributes
    ----------
    grad : Tensor or None
        What `backward` has accumulated.
    hooks : list or None
        What `register_hook` has registered.
    """

    __slots__ = (
        "_gradient", "_is_trainable", "_leaf", "_lender", "_lent", "_value", "hooks", "is_symbolic", "name", "role",
        "variable_type",
    )  # fmt: skip

    def __init__(
        self, value: Any, name: str = "", *, dtype: Any = None, role: str = "parameter", trainable: bool | None = None,
        is_symbolic: bool = False,
    ) -> None:  # fmt: skip
        if role not in ROLES:
            raise ArgumentError(f"role {role!r} does not exist; the roles are {', '.join(ROLES)}")
        if isinstance(value, Tensor):
            value = value.value
        array = as_array(value, None if dtype is None else dtypes.as_dtype(dtype))
        self.name = name
        self.role = role
        self._value: np.ndarray | None = array
        self._lender: Lender | None = None  # see `lend`
        self._lent: np.ndarray | None = None
        self._leaf: Node | None = None
        self.variable_type: TensorType = tensor_type(array.dtype, array.shape)
        if trainable is None:
            trainable = role not in ROLES[-3:] and dtypes.is_differentiable(array.dtype)
        self._is_trainable = trainable
        self.is_symbolic = is_symbolic
        self._gradient: Tensor | None = None
        self.hooks: list[Any] | None = None

    @property
    def trainable(self) -> bool:
        """Whether gradients flow to it."""
        if context.trace is not None:
            note(Trainability, self)
        return self._is_trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        if value != self._is_trainable:
            self._is_trainable = bool(value)
            note_change(Trainability, self)
            leaf = self._leaf
            if leaf is not None:  # a new reading is to be tracked, or not, anew
                self._leaf = None
                if self._value is None:  # still pending
                    self._leaf = self.new_leaf(leaf.inputs, leaf.value, leaf.flags & SYMBOLIC)
                    wanted.add(self._leaf)

    @property
    def node(self) -> Node:  # type: ignore[override]
        """The leaf that stands for the present value (in a trace: for the value at run time, or the update so far)."""
        if context.trace is not None:
            return context.trace.read(self)
        leaf = self._leaf
        if leaf is None:
            value = self._value
            if value is None:
                value = self.current()
            leaf = self._leaf = self.new_leaf((), value, SYMBOLIC if self.is_symbolic else 0)
        return leaf

    def new_leaf(self, inputs: tuple[Node, ...], value: Any, flags: int) -> Node:
        """Make a leaf that reads this variable."""
        type_ = self.variable_type
        if self.trainable:
            flags |= TRACKED
        return make_node(VARIABLE, inputs, (self,), type_, hash(("variable", type_, id(self))), flags, value, here(3))

    def current(self) -> np.ndarray:
        """Return the present value as a read-only array (computed now if an assigned value is still pending)."""
        value = self._value
        if value is None:
            leaf = self._leaf
            if leaf is None:
                return self._ask_lender()
            value = self._value = Tensor(leaf).value
        return value

    def _ask_lender(self) -> np.ndarray:
        """Return the value as it is when whoever writes over it has ended, or as it was before he began."""
        while self._value is None and self._leaf is None:  # again where another thread has lent it meanwhile
            lender = self._lender
            if lender is None:  # ended by now
                continue
            with lender.lock:  # other threads wait here
                array = self._lent
                if self._lender is lender and array is not None and self._value is None and self._leaf is None:
                    if lender.is_busy:  # in this very thread, in which the handler of a signal runs: not begun yet
                        array = array.copy()
                        array.setflags(write=False)
                        return array
                    self.take_back(lender)
        return self.current()

    def take_back(self, lender: Lender) -> None:
        """Have the value again that was lent to somebody who has not written over it."""
        array = self._lent
        if self._lender is lender and array is not None:
            if self._value is None and self._leaf is None:
                self._value = array
            self._lender = self._lent = None

    @property
    def value(self) -> np.ndarray:
        """The present value as a read-only array, without a copy."""
        if context.trace is not None:
            return Tensor(self.node).value
        return self.current()

    def assign(self, value: Any) -> Variable:
        """Give the variable another value of the same dtype and shape.

        A pending value stays pending until it is needed; inside a trace the assignment becomes an update of the graph.

        Parameters
        ----------
        value : array-like or tensor
            Python numbers and arrays are converted to the variable's dtype; a shape must agree.

        Raises
        ------
        ShapeError
            If the shape differs.
        """
        new = self._fitting(value)
        if context.trace is not None:
            context.trace.assign(self, new if isinstance(new, Node) else constant(new))
        elif not isinstance(new, Node):
            self.store(new)
        elif new.value is not None:
            self.store(new.value)
        else:
            if self._value is None and self._leaf is not None and self._leaf.value is None:
                evaluate_assigned()
            leaf = self.new_leaf((new,), None, 0)
            self._leaf = leaf  # nothing comes between this and the next line: it has a value or a leaf at any time
            self._value = None
            wanted.add(leaf)
        return self

    def _fitting(self, value: Any) -> Node | np.ndarray:
        """Return a new value in the variable's dtype, if it has its shape."""
        type_ = self.variable_type
        new = unwrap(value)
        if not isinstance(new, Node):
            array = as_array(new, type_.dtype)
            if array.shape != type_.shape:
                raise ShapeError(f"variable {self.name!r} has shape {type_.shape}, the new value has {array.shape}")
            return array
        new = cast_to(new, type_.dtype)
        if not new.type.accepts(type_) and new.type is not type_:  # type: ignore[union-attr]
            raise ShapeError(f"variable {self.name!r} has type {type_!r}, the new value has {new.type!r}")
        return new

    def store(self, array: np.ndarray) -> Variable:
        """Take over an array of the right type without a copy; the caller gives it away."""
        self.check(array)
        array.setflags(write=False)
        self._value = array
        self._leaf = None
        return self

    def check(self, array: np.ndarray) -> None:
        """Refuse an array that is not of the variable's type."""
        if array.dtype != self.variable_type.dtype or array.shape != self.variable_type.shape:
            raise ShapeError(
                f"variable {self.name!r} has type {self.variable_type!r}, the new value is {type_text(array)}"
            )

    def lend(self, array: np.ndarray, held: int, lender: Lender) -> bool:
        """Let a new value be written over the present one, where nobody else sees it.

        The variable has no value then, until `storing` gives it the new one: other threads that ask for it wait for the
        lender's lock. Where the lender has ended and there is none, he was stopped before he began to write.

        Parameters
        ----------
        array : ndarray
            The present value.
        held : int
            References to it that the caller holds.
        lender : Lender
            Who writes, locked by this thread.

        Returns
        -------
        bool
        """
        if self._value is not array:
            return False
        leaf = self._leaf
        if leaf is not None:
            if sys.getrefcount(leaf) > 3:  # the attribute, the name, the argument
                return False
            self._leaf = leaf = None
        self._lender, self._lent = lender, array
        self._value = None  # nobody gets it from here on; whoever has got it is counted
        if sys.getrefcount(array) > 3 + held:  # the attribute, the argument, the parameter `array`
            self._value = array
            self._lender = self._lent = None
            return False
        return True

    @property
    def grad(self) -> Tensor | None:
        """What `backward` has accumulated; inside a trace, what it has accumulated there."""
        if context.trace is not None:
            return context.trace.gradients.get(self)
        return self._gradient

    @grad.setter
    def grad(self, gradient: Tensor | None) -> None:
        if context.trace is None:
            self._gradient = gradient
        elif self._gradient is not None and gradient is not None:
            raise NotSupportedError(
                f"variable {self.name!r} holds a gradient from outside the traced function",
                hint="call zero_grad() or optimizer.step() before the traced function runs",
            )
        else:
            context.trace.gradients[self] = gradient

    def zero_grad(self) -> None:
        """Forget the gradient."""
        self.grad = None

    def __deepcopy__(self, memo: Any) -> Variable:
        """Return a variable of its own with the present value: a copied model has variables."""
        role, is_trainable = self.role, self._is_trainable
        copied = Variable(
            self.current(), self.name, role=role, trainable=is_trainable, is_symbolic=self.is_symbolic
        )  # fmt: skip
        memo[id(self)] = copied
        return copied

    def __repr__(self) -> str:
        text = np.array2string(self.current(), separator=", ", threshold=20, edgeitems=2)
        return f"Variable({self.name!r}, {self.role}, {self.variable_type!r}, {text})"


def is_replaced(leaf: Node) -> bool:
    """Tell whether a leaf stood for an earlier value of its variable that was dropped for the new one."""
    return leaf.op is VARIABLE and leaf.value is None and not leaf.inputs and not leaf.flags & SYMBOLIC


def replaced_error(leaf: Node, what: str) -> GradientError:
    """Say which value is gone, and what to do instead."""
    return GradientError(
        f"{what}: this needs the value that variable {leaf.params[0].name!r} had before it was changed; the new value "
        "has taken its place, since the gradients of what was computed with it had been taken",
        hint="take all gradients before the optimizer's step or assign, or compute the loss again after it",
    )


# Several variables at once. Signals are handled between two instructions of Python, and threads take turns there; what
# is one call of C functions happens as a whole: Ctrl-C finds all variables with their new values, or all with the old.


def _setter(name: str) -> Callable[[Variable, Any], None]:
    """Return what sets a slot, without a line of Python."""
    found: Callable[[Variable, Any], None] = vars(Variable)[name].__set__
    return found


_set_value, _set_leaf, _set_lender, _set_lent, _set_gradient = map(
    _setter, ("_value", "_leaf", "_lender", "_lent", "_gradient")
)


def storing(
    variables: Sequence[Variable], arrays: Sequence[np.ndarray], lent: Sequence[Variable] = ()
) -> Iterator[None]:
    """Return an iterator that gives variables new values when `go_through` goes through it.

    Parameters
    ----------
    variables : sequence of Variable
    arrays : sequence of ndarray
        Of their dtypes and shapes, read-only; the caller gives them away.
    lent : sequence of Variable
        Those of them that were lent.
    """
    stored = chain(map(_set_leaf, variables, repeat(None)), map(_set_value, variables, arrays))
    if not lent:
        return stored
    return chain(stored, map(_set_lender, lent, repeat(None)), map(_set_lent, lent, repeat(None)))


def go_through(steps: Iterable[Any]) -> bool:
    """Go through an iterator of C functions, in one call; the first that returns something true ends it, with True."""
    return any(steps)


def assign_all(changes: Mapping[Variable, Any], spent: Sequence[Variable] = ()) -> None:
    """Assign to variables, all or none, and let go of gradients.

    Parameters
    ----------
    changes : mapping of Variable to array-like or tensor
        As for `Variable.assign`.
    spent : sequence of Variable
        Those whose gradients are forgotten.

    Raises
    ------
    ShapeError
        If a shape differs.
    """
    if context.trace is not None:  # which is given up as a whole where something is raised
        for variable, value in changes.items():
            variable.assign(value)
        for variable in spent:
            variable.zero_grad()
        return
    values: list[np.ndarray | None] = []
    leaves: list[Node | None] = []
    for variable, value in changes.items():
        new = variable._fitting(value)
        array = new.value if isinstance(new, Node) else new
        leaf = None
        if array is None:
            if variable._value is None and variable._leaf is not None and variable._leaf.value is None:
                evaluate_assigned()
            leaf = variable.new_leaf((new,), None, 0)  # type: ignore[arg-type]
            wanted.add(leaf)  # weakly
        else:
            array.setflags(write=False)
        values.append(array)
        leaves.append(leaf)
    forgotten = map(_set_gradient, spent, repeat(None))
    go_through(chain(map(_set_value, changes, values), map(_set_leaf, changes, leaves), forgotten))
