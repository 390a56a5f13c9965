"""What a function takes and returns, with more to be said than which variable it is: `In` and `Out`."""

from __future__ import annotations

from typing import Any

from septet.dialects.theano.gof.graph import Variable


class Container:
    """A place for a value of a variable's type.

    Parameters
    ----------
    r : Variable
    value : object
    strict : bool
        Whether values must be of the type already.
    allow_downcast : bool, optional
        Whether they may lose precision.
    """

    def __init__(
        self, r: Any, value: Any = None, readonly: bool = False, strict: bool = False, allow_downcast: bool | None = None,
        name: str | None = None,
    ) -> None:  # fmt: skip
        self.variable = r
        self.type = r.type
        self.name = r.name if name is None else name
        self.readonly = readonly
        self.strict = strict
        self.allow_downcast = allow_downcast
        self.data: Any = None
        if value is not None:
            self.value = value

    @property
    def value(self) -> Any:
        """The value; what is set is checked and converted."""
        return self.data

    @value.setter
    def value(self, value: Any) -> None:
        if self.readonly:
            raise Exception(f"Cannot set readonly storage: {self.name}")
        if value is None:
            self.data = None
            return
        try:
            self.data = self.type.filter(value, strict=self.strict, allow_downcast=self.allow_downcast)
        except Exception as error:
            error.args += (f'Container name "{self.name}"',)
            raise

    def __str__(self) -> str:
        return f"<{self.value}>" if self.value is not None else f"<{self.variable}>"

    @property
    def storage(self) -> list[Any]:
        """The value in a list, as old programs look at it."""
        return [self.value]


class SymbolicInput:
    """An input of a function.

    Parameters
    ----------
    variable : Variable
    name : str, optional
        By default the variable's: the keyword of the argument.
    update : Variable, optional
        What the value becomes after each call.
    mutable : bool, optional
        Whether the function may write to the argument.
    strict : bool
        Whether arguments must be of the type already.
    allow_downcast : bool, optional
        Whether arguments may lose precision; by default only Python's floats may, on their way to `floatX`.
    autoname : bool
        Whether the variable's name is the keyword.
    implicit : bool
        Whether it is no argument of the function.
    """

    def __init__(
        self, variable: Any, name: str | None = None, update: Any = None, mutable: bool | None = None, strict: bool = False,
        allow_downcast: bool | None = None, autoname: bool = True, implicit: bool = False,
    ) -> None:  # fmt: skip
        if implicit is None:
            raise AssertionError("implicit is True or False")
        self.variable = variable
        self.name = variable.name if autoname and name is None else name
        if self.name is not None and not isinstance(self.name, str):
            raise TypeError(f"name must be a string! (got: {self.name!r})")
        self.update = update
        if update is not None and not variable.type == update.type:
            raise TypeError(f"Variable '{variable}' has type {variable.type} but an update of type {update.type}")
        self.mutable = mutable if mutable is not None else update is not None
        self.strict = strict
        self.allow_downcast = allow_downcast
        self.implicit = implicit

    def __str__(self) -> str:
        return f"In({self.variable} -> {self.update})" if self.update else f"In({self.variable})"

    def __repr__(self) -> str:
        return str(self)


class In(SymbolicInput):
    """An input of a function, which may have a default value and change with each call; see `SymbolicInput`.

    Parameters
    ----------
    value : object, optional
        The default; a `Container` or shared variable is read at each call.
    borrow : bool, optional
        Whether the function may keep the argument without a copy.
    """

    def __init__(
        self, variable: Any, name: str | None = None, value: Any = None, update: Any = None, mutable: bool | None = None,
        strict: bool = False, allow_downcast: bool | None = None, autoname: bool = True, implicit: bool | None = None,
        borrow: bool | None = None, shared: bool = False,
    ) -> None:  # fmt: skip
        if borrow is False and mutable:
            raise AssertionError(
                f"Symbolic input for variable {variable} (name={name}) has flags mutable=True, borrow=False. This combination is incompatible since mutable=True implies that the input variable may be both aliased (borrow=True) and overwritten."
            )
        from septet.dialects.theano.sharing import SharedVariable

        if implicit is None:
            implicit = isinstance(value, (Container, SharedVariable))
        super().__init__(variable, name, update, mutable, strict, allow_downcast, autoname, implicit)
        self.value = value
        self.borrow = self.mutable if borrow is None else borrow
        self.shared = shared


class SymbolicOutput:
    """An output of a function; with `borrow`, it may share memory with what the function keeps."""

    def __init__(self, variable: Any, borrow: bool = False) -> None:
        if not isinstance(variable, Variable):
            raise TypeError(f"Out takes a Variable, got {variable!r}")
        self.variable = variable
        self.borrow = borrow

    def __str__(self) -> str:
        return f"Out({self.variable},{self.borrow})"

    __repr__ = __str__


Out = SymbolicOutput


class Param(In):
    """The old form of `In`: the default is the second argument."""

    def __init__(
        self, variable: Any, default: Any = None, name: str | None = None, mutable: bool = False, strict: bool = False,
        allow_downcast: bool | None = None, implicit: bool | None = None, borrow: bool | None = None,
    ) -> None:  # fmt: skip
        super().__init__(
            variable, name=name, value=default, mutable=mutable, strict=strict, allow_downcast=allow_downcast,
            implicit=implicit, borrow=borrow,
        )  # fmt: skip
