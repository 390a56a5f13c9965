"""What can be called, and asked what a call takes before it runs: compiled functions, methods, symbolic functions."""

from __future__ import annotations

import functools
from typing import Any

from septet.base.errors import ArgumentError
from septet.run.memory import Memory
from septet.run.target import Target, check_values, with_stand_ins
from septet.tensor import tree


class Runnable:
    """A function made by `compile` or `function`, or a compiled method of an instance."""

    def target(self, *args: Any, **words: Any) -> Target:
        """Return what runs for some arguments, traced and compiled where that was not done yet; nothing is run.

        Raises
        ------
        CallError, ArgumentError, ShapeError, DTypeError
            As for a call.
        """
        raise NotImplementedError

    def memory(self, *args: Any, **words: Any) -> Memory:
        """Return the memory that a call takes, before it runs; see `septet.run.memory.Memory`.

        The function is traced and compiled for these arguments, where that was not done yet; nothing is run.

        Parameters
        ----------
        *args, **words
            Arguments of a call; a symbol, ``st.symbol(shape=(64, 784))``, stands for an array of its shape and dtype.
            With none, a symbolic function takes its own symbols.

        Raises
        ------
        ArgumentError
            If a symbol has sizes that are not known, or stands for an array whose values decide sizes; otherwise as
            for a call.
        CallError, ShapeError, DTypeError
            As for a call.

        Examples
        --------
        >>> import septet as st
        >>> f = st.compile(lambda x: st.exp(x @ x))
        >>> found = f.memory(st.symbol(shape=(100, 100)))
        >>> found.arguments, found.outputs
        (40000, 40000)
        >>> x = st.symbol("x", (None, 100))
        >>> st.function([x], st.exp(x)).memory(st.symbol(shape=(1000, 100))).outputs
        400000
        """
        args = args if args or words else self.symbols()
        given, _ = tree.flatten((args, words))
        args, words = with_stand_ins(args, words)
        target = self.target(*args, **words)
        check_values(target, given)
        return Memory(target)

    def symbols(self) -> tuple[Any, ...]:
        """Return the arguments that say which types a call takes, where the function has such."""
        return ()


class Bound(functools.partial[Any], Runnable):
    """A compiled method of an instance: called like a `functools.partial`; what it has else is its function's."""

    def target(self, *args: Any, **words: Any) -> Target:
        """Return what runs for some arguments; see `Runnable.target`."""
        found: Target = self.func.target(*self.args, *args, **words)  # type: ignore[attr-defined]
        return found

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the function, such as `compiles`, as Python's methods do."""
        return getattr(self.func, name)


def target_of(fn: Any, args: tuple[Any, ...], words: dict[str, Any], compile: Any) -> Target:
    """Return what runs for a function and arguments.

    Parameters
    ----------
    fn : Compiled, Function, or callable
        A compiled function, also as a method; what `function` returns; or any function of tensors, such as a model,
        which is compiled for this.
    args, words
    compile : callable
        Compiles a plain function.

    Raises
    ------
    ArgumentError
        If it is nothing that can be called.
    CallError
        If the function does not take the arguments.
    """
    if isinstance(fn, Runnable):
        return fn.target(*args, **words)
    if isinstance(fn, functools.partial) and isinstance(fn.func, Runnable):
        return fn.func.target(*fn.args, *args, **{**fn.keywords, **words})
    if not callable(fn):
        raise ArgumentError(
            f"expected a function, got {fn!r}", hint="pass the function itself, and its arguments behind it: (f, x, y)"
        )
    return compile(fn).target(*args, **words)
