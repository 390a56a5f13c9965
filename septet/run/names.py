"""Names of the arguments of a Python function, as its author wrote them: ``x``, ``batch['images']``, ``*layers[1]``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter, Signature
from typing import Any

from septet.base.errors import CallError
from septet.base.text import nearest
from septet.tensor import tree


def function_name(call: Callable[..., Any]) -> str:
    """Return what a function is called in messages; an object that is callable has the name of its class."""
    return getattr(call, "__name__", None) or type(call).__name__


def signature(call: Callable[..., Any]) -> Signature | None:
    """Return the signature that tells most about the arguments; None where Python knows none.

    The call of a module takes ``*inputs, **words``, whatever its `forward` takes.
    """
    try:
        found = inspect.signature(call)
        if all(p.kind in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD) for p in found.parameters.values()):
            found = inspect.signature(getattr(call, "forward", call))
    except (TypeError, ValueError):  # written in C
        return None
    return found


def check_call(found: Signature | None, args: Sequence[Any], words: Mapping[str, Any]) -> None:
    """Refuse arguments that a function does not take, before it runs.

    Raises
    ------
    CallError
        As Python's TypeError, with what the function takes.
    """
    if found is None:
        return
    try:
        found.bind(*args, **words)
    except TypeError as error:
        unknown = [word for word in words if word not in found.parameters]
        near = nearest(unknown[0], found.parameters) if unknown else None
        raise CallError(
            f"{error}; it takes {_takes(found)}", hint=f"did you mean {near!r}?" if near else None
        ) from None


_STARS = {Parameter.VAR_POSITIONAL: "*", Parameter.VAR_KEYWORD: "**"}


def _takes(found: Signature) -> str:
    """Write the parameters without annotations and values: ``(x, scale=..., *rest)``."""
    texts = [
        _STARS.get(parameter.kind, "") + name + ("" if parameter.default is Parameter.empty else "=...")
        for name, parameter in found.parameters.items()
    ]
    return f"({', '.join(texts)})"


def argument_names(found: Signature | None, args: Sequence[Any], words: Mapping[str, Any]) -> list[str]:
    """Return a name for each argument of a call: those by position first, then the keywords in the order given."""
    names: list[str] = []
    for parameter in found.parameters.values() if found is not None else ():
        if parameter.kind is Parameter.VAR_POSITIONAL:
            names += [f"*{parameter.name}[{index}]" for index in range(len(args) - len(names))]
        elif parameter.kind in (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD):
            names.append(parameter.name)
    names = names[: len(args)]
    return [*names, *[f"argument {index}" for index in range(len(names), len(args))], *words]


def leaf_names(names: Sequence[str], args: Sequence[Any], words: Mapping[str, Any]) -> list[str]:
    """Return a name for each leaf of ``tree.flatten((args, words))``, which sorts keywords by their text."""
    positional = dict(enumerate(names[: len(args)]))
    found = [positional[index] + path for index, value in enumerate(args) for path in tree.paths(value)]
    return found + [word + path for word in sorted(words, key=repr) for path in tree.paths(words[word])]
