"""Sizes that know how they follow from others: what is worked out for some sizes is then known for others, too.

A `Scope` is one working-out, such as the planning of a graph. Its symbols are sizes that may be others another time.
What merely computes with a `Size` gets a size again. What decides by one (compares it, branches on it) leaves a
*guard*: the decision, which must be the same for other sizes. What takes its number away, as all of NumPy and most of C
does, *pins* it: a guard that it is what it is. A function that decides much and returns numbers can be kept as a whole,
to be called again: see `of_sizes`, `make` and `decided`.

When the scope is closed, its sizes are numbers like others, and `Formulas` holds what was found out.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

LEAST = 2
"""What symbols are at least: 1 broadcasts, and of 0 there is nothing to compute."""

EQUAL, BELOW = "equal", "below"
"""What guards say of a difference: that it is 0, or below 0."""

Terms = tuple[tuple[tuple[int, ...], int], ...]
"""A sum of products: for each product its atoms, by number and in order, and its factor."""


class Size:
    """A whole number, as a sum of products of atoms: symbols, and results of functions.

    It passes for an int, but C does not take it for one, so that no number is taken away unseen.

    Attributes
    ----------
    scope : Scope
    terms : tuple
        See `Terms`; equal ones are the same object.
    value : int
        The number, in the working-out.
    least : int or None
        What it is never below, where that is known.
    """

    __slots__ = ("_hash", "_products", "_sums", "least", "scope", "terms", "value")
    __array_ufunc__ = None  # NumPy's numbers leave operators to this class

    def __init__(self, scope: Scope, terms: Terms, value: int) -> None:
        self.scope = scope
        self.terms = terms
        self.value = value
        self.least = scope.least(terms)
        self._sums: dict[int, Any] = {}
        self._products: dict[int, Any] = {}
        self._hash = hash((id(scope), terms))

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return int

    def __hash__(self) -> int:
        return self._hash

    def pinned(self) -> int:
        """Return the number, and note that it must be the same another time."""
        if self.scope.is_open:
            self.scope.note(EQUAL, self - self.value, True)
        return self.value

    __index__ = __int__ = __trunc__ = __floor__ = __ceil__ = pinned

    def __float__(self) -> float:
        return float(self.pinned())

    def __repr__(self) -> str:
        return repr(self.pinned())

    def __format__(self, form: str) -> str:
        return format(self.pinned(), form)

    def __getattr__(self, name: str) -> Any:  # what else an int has
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.pinned(), name)

    def __reduce__(self) -> tuple[Any, ...]:
        return int, (self.pinned(),)

    # Decisions

    def __eq__(self, other: object) -> bool:
        if other is self:
            return True
        if other is None:
            return False
        if type(other) is int and self.least is not None and other < self.least:
            return False
        if not _is_whole(other):
            return isinstance(other, (float, complex, np.number)) and bool(self.pinned() == other)
        return self.scope.decide(EQUAL, self - other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __lt__(self, other: Any) -> bool:
        if type(other) is int and self.least is not None and other <= self.least:
            return False
        return self.scope.decide(BELOW, self - other) if _is_whole(other) else bool(self.pinned() < other)

    def __gt__(self, other: Any) -> bool:
        if type(other) is int and self.least is not None and other < self.least:
            return True
        return self.scope.decide(BELOW, other - self) if _is_whole(other) else bool(self.pinned() > other)

    def __le__(self, other: Any) -> bool:
        return not self > other

    def __ge__(self, other: Any) -> bool:
        return not self < other

    def __bool__(self) -> bool:
        return not self.scope.decide(EQUAL, self)

    # Arithmetic

    def __add__(self, other: Any) -> Any:
        if type(other) is int:
            found = self._sums.get(other)
            if found is None:
                found = self._sums[other] = self.scope.sum((*self.terms, ((), other)))
            return found
        if type(other) is Size and other.scope is self.scope:
            return self.scope.sum(self.terms + other.terms)
        return self + int(other) if _is_whole(other) else _beside(self, other, operator.add)

    __radd__ = __add__

    def __neg__(self) -> Any:
        return self * -1

    def __pos__(self) -> Size:
        return self

    def __abs__(self) -> Any:
        return -self if self < 0 else self

    def __sub__(self, other: Any) -> Any:
        return self + -(other if type(other) is Size or not _is_whole(other) else int(other))

    def __rsub__(self, other: Any) -> Any:
        return other + self * -1

    def __mul__(self, other: Any) -> Any:
        if type(other) is int:
            found = self._products.get(other)
            if found is None:
                found = self.scope.sum([(atoms, factor * other) for atoms, factor in self.terms])
                self._products[other] = found
            return found
        if type(other) is Size and other.scope is self.scope:
            return self.scope.sum(
                [(tuple(sorted(a + b)), m * n) for a, m in self.terms for b, n in other.terms]
            )  # fmt: skip
        return self * int(other) if _is_whole(other) else _beside(self, other, operator.mul)

    __rmul__ = __mul__

    def __pow__(self, other: Any) -> Any:
        if type(other) is int and 0 <= other <= 3:
            result: Any = 1
            for _ in range(other):
                result = result * self
            return result
        return self.pinned() ** other

    def __rpow__(self, other: Any) -> Any:
        return other ** self.pinned()

    def __floordiv__(self, other: Any) -> Any:
        return _divided(self, other)

    def __rfloordiv__(self, other: Any) -> Any:
        return _divided(other, self)

    def __mod__(self, other: Any) -> Any:
        return self - _divided(self, other) * other if _is_whole(other) else self.pinned() % other

    def __rmod__(self, other: Any) -> Any:
        return other - _divided(other, self) * self if _is_whole(other) else other % self.pinned()

    def __divmod__(self, other: Any) -> Any:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> Any:
        return other // self, other % self

    def __truediv__(self, other: Any) -> Any:
        return self.pinned() / other

    def __rtruediv__(self, other: Any) -> Any:
        return other / self.pinned()

    def __lshift__(self, other: int) -> Any:
        return self * (1 << other)

    def __rshift__(self, other: int) -> Any:
        return self // (1 << other)

    def __and__(self, other: Any) -> Any:
        return self.pinned() & other

    __rand__ = __and__

    def __or__(self, other: Any) -> Any:
        return self.pinned() | other

    __ror__ = __or__


def _is_whole(value: Any) -> bool:
    return type(value) is int or type(value) is Size or type(value) is bool or isinstance(value, np.integer)


def _beside(size: Size, other: Any, how: Callable[[Any, Any], Any]) -> Any:
    if isinstance(other, (float, complex, np.number)):
        return how(size.pinned(), other)
    return NotImplemented


def _divided(a: Any, b: Any) -> Any:
    """Return a quotient, rounded down: without a rest where that is so for all sizes."""
    if not (_is_whole(a) and _is_whole(b)):
        return int(a) // b if type(a) is Size else a // int(b)
    size: Any = a if type(a) is Size else b
    scope: Scope = size.scope
    if not scope.is_open or (type(a) is type(b) and a.scope is not b.scope):
        return int(a) // int(b)
    if b == 0:
        raise ZeroDivisionError("integer division by zero")
    exact = scope.quotient(a, b)
    return scope.call(operator.floordiv, (a, b)) if exact is None else exact


class Scope:
    """One working-out with sizes that may be others another time.

    Attributes
    ----------
    is_open : bool
        Whether decisions are noted; afterwards, sizes are numbers.
    """

    def __init__(self) -> None:
        self.is_open = True
        self.formulas = Formulas()
        self.types: dict[Any, Any] = {}  # of tensors with such sizes: see `graph.types`
        self._sizes: dict[Terms, Size] = {}
        self._least: list[int | None] = []  # of each atom

    def symbol(self, value: int) -> Size:
        """Return a size that may be another one another time, but not below `LEAST`."""
        assert len(self.formulas.atoms) == self.formulas.symbols and value >= LEAST
        self.formulas.symbols += 1
        return self._atom(None, None, value, LEAST)

    def _atom(self, call: Any, get: Any, value: int, least: int | None = None) -> Size:
        number = len(self.formulas.atoms)
        self.formulas.atoms.append((call, get, value))
        self._least.append(least)
        found = self.sum([((number,), 1)])
        assert type(found) is Size
        return found

    def sum(self, terms: Sequence[tuple[tuple[int, ...], int]]) -> Any:
        """Return a sum of products: an int where it is the same for all sizes."""
        total: dict[tuple[int, ...], int] = {}
        for atoms, factor in terms:
            total[atoms] = total.get(atoms, 0) + factor
        own = tuple(sorted([term for term in total.items() if term[1]]))
        found = self._sizes.get(own)
        if found is not None:
            return found if self.is_open else found.value
        if not own:
            return 0
        if len(own) == 1 and not own[0][0]:
            return own[0][1]
        value = 0
        for atoms, factor in own:
            for number in atoms:
                factor *= self.formulas.atoms[number][2]
            value += factor
        if not self.is_open:
            return value
        found = self._sizes[own] = Size(self, own, value)
        return found

    def quotient(self, a: Any, b: Any) -> Any:
        """Return a quotient that has no rest whatever the sizes are, or None."""
        terms = a.terms if type(a) is Size else (((), a),)
        if type(b) is not Size:
            return None if any(n % b for _, n in terms) else self.sum([(atoms, n // b) for atoms, n in terms])
        if len(b.terms) > 1:
            return 1 if a is b else None
        ((wanted, factor),) = b.terms
        found = []
        for atoms, n in terms:
            left = list(atoms)
            for atom in wanted:
                if atom not in left:
                    return None
                left.remove(atom)
            if n % factor:
                return None
            found.append((tuple(left), n // factor))
        return self.sum(found)

    def least(self, terms: Terms) -> int | None:
        """Return a number that a sum of products is never below; None where none is known."""
        total = 0
        for atoms, factor in terms:
            if atoms and factor < 0:
                return None
            for number in atoms:
                least = self._least[number]
                if least is None:
                    return None
                factor *= least
            total += factor
        return total

    def decide(self, kind: str, size: Any) -> bool:
        """Tell whether a difference is 0, or below 0, and note the decision if it could be another one another time."""
        value = size.value if type(size) is Size else size
        outcome = value == 0 if kind is EQUAL else value < 0
        if type(size) is not Size or not self.is_open:
            return bool(outcome)
        if size.least is not None and (size.least > 0 or (size.least == 0 and kind is BELOW)):
            return False
        most = self.least(tuple([(atoms, -factor) for atoms, factor in size.terms]))
        if most is not None and most > 0:
            return kind is BELOW
        self.note(kind, size, outcome)
        return bool(outcome)

    def note(self, kind: str, size: Any, outcome: bool) -> None:
        """Note a decision about a difference."""
        if type(size) is Size:
            self.formulas.guards[kind, size] = outcome

    def call(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        """Call a function of sizes that returns an int or a tuple of them, and have it called anew for other sizes."""
        made = self.make(function, *args)
        if type(made.first) is not tuple:
            return made.number(None)
        return tuple([made.number(n) for n in range(len(made.first))])

    def make(self, function: Callable[..., Any], *args: Any) -> Made:
        """Call a function of sizes that returns an object, and have it called anew for other sizes."""
        key = function, args
        made = self.formulas.made.get(key)
        if made is None:
            self.formulas.calls.append(key)
            made = Made(function(*plain(args)), self, len(self.formulas.calls) - 1)
            self.formulas.made[key] = made
        return made

    def decision(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        """Return what a function of sizes decides, and note that it must decide the same another time."""
        made = self.make(function, *args)
        self.formulas.decisions[id(made)] = made
        return made.first

    def close(self) -> Formulas:
        """Let sizes be numbers from now on, and return what was found out."""
        self.is_open = False
        formulas, self.formulas = self.formulas, Formulas()
        self.formulas.atoms = formulas.atoms
        self.types = {}
        return formulas


class Made:
    """What a function of sizes has made, and will make anew for other sizes.

    Attributes
    ----------
    first : object
        As it is for the sizes of the working-out.
    """

    def __init__(self, first: Any, scope: Scope | None = None, number: int = -1) -> None:
        self.first = first
        self._scope = scope
        self._number = number
        self._numbers: dict[Any, Any] = {}

    def number(self, get: Callable[[Any], int] | int | None) -> Any:
        """Return a number that follows from it: by a function, or by its place; None for the number that it is."""
        if get in self._numbers:
            return self._numbers[get]
        value = _gotten(self.first, get)
        if self._scope is None or not self._scope.is_open:
            return value
        found = self._numbers[get] = self._scope._atom(self._number, get, value)
        return found

    def later(self, get: Callable[[Any], Any]) -> Any:
        """Return what follows from it, or what stands for that until sizes are known."""
        return get(self.first) if self._scope is None or not self._scope.is_open else Later(self, get)

    def of(self, numbers: Numbers | None) -> Any:
        """Return what it is for some sizes."""
        return self.first if numbers is None or self._scope is None else numbers.made(self._number)


def _gotten(made: Any, get: Callable[[Any], int] | int | None) -> int:
    if get is None:
        return int(made)
    return int(made[get] if type(get) is int else get(made))  # type: ignore[operator]


class Later(NamedTuple):
    """Something that follows from what is made for some sizes."""

    made: Made
    get: Callable[[Any], Any]

    def of(self, numbers: Numbers | None) -> Any:
        """Return what it is for some sizes."""
        return self.get(self.made.of(numbers))


class Formulas:
    """What is known of the sizes of a scope: how they follow from its symbols, and the decisions made by them.

    Attributes
    ----------
    symbols : int
        How many.
    atoms : list of (int, callable or None, int)
        The call that each comes from, how, and its value; symbols come first.
    calls : list of (callable, tuple)
    guards : dict of (str, Size) to bool
    made : dict of (callable, tuple) to Made
    decisions : dict of int to Made
        What functions have decided, by identity.
    """

    def __init__(self) -> None:
        self.symbols = 0
        self.atoms: list[tuple[Any, Any, int]] = []
        self.calls: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []
        self.made: dict[Any, Made] = {}
        self.guards: dict[tuple[str, Size], bool] = {}
        self.decisions: dict[int, Made] = {}

    def holds(self, numbers: Numbers, until: tuple[int, int] | None = None) -> bool:
        """Tell whether all decisions are the same for other values of the symbols, or those up to a mark."""
        guards, decisions = until or self.mark()
        for (kind, size), outcome in islice(self.guards.items(), guards):
            value = numbers(size)
            if (value == 0 if kind is EQUAL else value < 0) is not outcome:
                return False
        return all([made.of(numbers) == made.first for made in islice(self.decisions.values(), decisions)])

    def mark(self) -> tuple[int, int]:
        """Return how many decisions of each kind there are by now."""
        return len(self.guards), len(self.decisions)


class Numbers:
    """The numbers of a scope for some values of its symbols; called with a size, returns its number."""

    def __init__(self, formulas: Formulas, symbols: Sequence[int]) -> None:
        self._formulas = formulas
        self.symbols = symbols
        self._atoms: list[int | None] = [*symbols, *[None] * (len(formulas.atoms) - len(symbols))]
        self._made: dict[int, Any] = {}
        self._found: dict[Terms, int] = {}

    def __call__(self, size: Any) -> Any:
        if type(size) is not Size:
            return size
        found = self._found.get(size.terms)
        if found is None:
            found = 0
            for atoms, factor in size.terms:
                for number in atoms:
                    value = self._atoms[number]
                    factor *= self._atom(number) if value is None else value
                found += factor
            self._found[size.terms] = found
        return found

    def _atom(self, number: int) -> int:
        call, get, _ = self._formulas.atoms[number]
        value = self._atoms[number] = _gotten(self.made(call), get)
        return value

    def made(self, number: int) -> Any:
        """Return what a call makes."""
        if number not in self._made:
            function, args = self._formulas.calls[number]
            self._made[number] = function(*plain(args, self))
        return self._made[number]


class Carried(Numbers):
    """The numbers of a scope as sizes of another scope: its symbols have other values there."""

    def __init__(self, formulas: Formulas, scope: Scope, values: Sequence[int]) -> None:
        super().__init__(formulas, [scope.symbol(value) for value in values])  # type: ignore[misc]
        self._scope = scope

    def _atom(self, number: int) -> Any:
        call, get, _ = self._formulas.atoms[number]
        found = self._atoms[number] = self.made(call).number(get)
        return found

    def made(self, number: int) -> Any:
        """Return what a call makes."""
        if number not in self._made:
            function, args = self._formulas.calls[number]
            self._made[number] = self._scope.make(function, *plain(args, self))
        return self._made[number]


def plain(value: Any, numbers: Callable[[Any], Any] | None = None) -> Any:
    """Return a value with all sizes in it, also in tuples and lists, as numbers: as they are, or other ones."""
    kind = type(value)
    if kind is Size:
        return value.value if numbers is None else numbers(value)
    if kind is list:
        return [plain(part, numbers) for part in value]
    if isinstance(value, tuple):
        parts = [plain(part, numbers) for part in value]
        if kind is tuple:
            return tuple(parts)
        return value._make(parts)  # type: ignore[attr-defined]
    return value


def scope_of(value: Any) -> Scope | None:
    """Return the open scope of a size in a value, also in tuples and lists; None where there is none."""
    found = _any_size(value)
    return None if found is None or not found.scope.is_open else found.scope


def _any_size(value: Any) -> Size | None:
    if type(value) is Size:
        return value
    if isinstance(value, (tuple, list)):
        for part in value:
            found = _any_size(part)
            if found is not None:
                return found
    return None


def _through(how: Callable[[Scope], Callable[..., Any]], function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    """Call a function by the scope of the sizes among its arguments, or just call it."""
    size = _any_size(args)
    if size is None:
        return function(*args)
    return how(size.scope)(function, args) if size.scope.is_open else function(*plain(args))


def of_sizes(function: Callable[..., Any]) -> Callable[..., Any]:
    """Have a function of sizes that returns an int or a tuple of them called anew for other sizes.

    It may decide by numbers as it likes; how many it returns must not depend on them.
    """

    @functools.wraps(function)
    def call(*args: Any) -> Any:
        return _through(_CALL, function, args)

    return call


_CALL: Callable[[Scope], Callable[..., Any]] = operator.attrgetter("call")
_DECISION: Callable[[Scope], Callable[..., Any]] = operator.attrgetter("decision")


def decided(function: Callable[..., Any], *args: Any) -> Any:
    """Return what a function of sizes decides, which must be the same for other sizes."""
    return _through(_DECISION, function, args)


def make(function: Callable[..., Any], *args: Any) -> Made:
    """Return what a function of sizes makes, and how to make it anew for other sizes."""
    scope = scope_of(args)
    return Made(function(*plain(args))) if scope is None else scope.make(function, *args)
