"""Configurations: plain values from which a model of Septet's own layers can be built again."""

from __future__ import annotations

import inspect
from typing import Any

from septet.base.errors import FileFormatError, NotSupportedError
from septet.nn import activation, containers, conv, dense, dropout, embedding, normalization, pooling, shaping
from septet.nn.module import Module

LAYERS: dict[str, type[Module]] = {
    cls.__name__: cls
    for file in (activation, containers, conv, dense, dropout, embedding, normalization, pooling, shaping)
    for cls in vars(file).values()
    if isinstance(cls, type)
    and issubclass(cls, Module)
    and cls.__module__ == file.__name__
    and not cls.__name__.startswith("_")
}
"""What a configuration may name: nothing else is ever made from a file."""

_PLAIN = (type(None), bool, int, float, str)


def to_config(module: Module) -> dict[str, Any]:
    """Return a layer or container as plain values (JSON): class, parameters, children.

    Initializers and generators are left out: weights come from elsewhere.

    Raises
    ------
    NotSupportedError
        If the model holds a class or a function of your own, which a file cannot bring back.
    """
    name = type(module).__name__
    if LAYERS.get(name) is not type(module):
        raise NotSupportedError(
            f"{module.label}: {type(module).__module__}.{name} is not a layer of Septet, so that its configuration "
            "cannot be written; save the weights, and make the model in code"
        )
    if isinstance(module, containers.ModuleList):
        return {"class": name, "children": [to_config(child) for child in module]}
    words: dict[str, Any] = {}
    for key in inspect.signature(type(module)).parameters:
        if key.endswith("initializer") or key == "generator":
            continue
        words[key] = _plain(getattr(module, key), f"{module.label}: {key}")
    return {"class": name, "with": words}


def from_config(config: Any) -> Module:
    """Make the model that `to_config` described, with fresh weights.

    Raises
    ------
    FileFormatError
        If it is no such description.
    """
    if not isinstance(config, dict) or config.get("class") not in LAYERS:
        found = config.get("class") if isinstance(config, dict) else config
        raise FileFormatError(f"the configuration names {found!r}, which is not a layer of Septet")
    cls = LAYERS[config["class"]]
    if issubclass(cls, containers.ModuleList):
        children = config.get("children")
        if not isinstance(children, list):
            raise FileFormatError(f"the configuration of {cls.__name__} has no list of children")
        modules = [from_config(child) for child in children]
        return cls(*modules) if cls is containers.Sequential else cls(modules)
    words = config.get("with", {})
    allowed = inspect.signature(cls).parameters
    if not isinstance(words, dict) or not set(words) <= set(allowed):
        names = ", ".join(allowed)
        raise FileFormatError(f"the configuration of {cls.__name__} has parameters {words!r}, it takes {names}")
    try:
        return cls(**words)
    except (TypeError, ValueError) as error:
        raise FileFormatError(f"the configuration of {cls.__name__} cannot be used: {error}") from error


def _plain(value: Any, what: str) -> Any:
    """Return a value as JSON can hold it."""
    if isinstance(value, (tuple, list)):
        return [_plain(item, what) for item in value]
    if isinstance(value, _PLAIN):
        return value
    raise NotSupportedError(f"{what} is {value!r}, which cannot be written to a file")
