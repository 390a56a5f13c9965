"""Configurations: plain values from which a model of Septet's own layers can be built again."""

from __future__ import annotations

import inspect
import sys
from typing import Any

from septet.base.errors import FileFormatError, NotSupportedError
from septet.nn import containers
from septet.nn.model import Input, Model
from septet.nn.module import Module
from septet.tensor.tensor import Tensor
from septet.tensor.tree import flatten

_PLAIN = (type(None), bool, int, float, str)


def layers() -> dict[str, type[Module]]:
    """Return what a configuration may name: the layers of this package; nothing else is ever made from a file."""
    published: dict[str, Any] = {}
    for name in ("septet.nn.zoo", "septet.nn"):
        package = sys.modules.get(name)  # not imported: both need this module
        if package is not None:
            published |= {own: getattr(package, own) for own in package.__all__}
    return {
        name: cls
        for name, cls in published.items()
        if isinstance(cls, type) and issubclass(cls, Module) and cls is not Module
    }


def to_config(module: Module) -> dict[str, Any]:
    """Return a layer or container as plain values (JSON): class, parameters, children.

    Initializers and generators are left out: weights come from elsewhere.

    Raises
    ------
    NotSupportedError
        If the model holds a class or a function of your own, which a file cannot bring back.
    """
    name = type(module).__name__
    if layers().get(name) is not type(module):
        raise NotSupportedError(
            f"{module.label}: {type(module).__module__}.{name} is not a layer of Septet, so that its configuration "
            "cannot be written; save the weights, and make the model in code"
        )
    if isinstance(module, containers.ModuleList):
        return {"class": name, "children": [to_config(child) for child in module]}
    if isinstance(module, Model):
        return {"class": name, **_model_config(module)}
    words: dict[str, Any] = {}
    for key in inspect.signature(type(module)).parameters:
        if key.endswith("initializer") or key == "generator":
            continue
        value = getattr(module, key)
        words[key] = to_config(value) if isinstance(value, Module) else _plain(value, f"{module.label}: {key}")
    return {"class": name, "with": words}


def from_config(config: Any) -> Module:
    """Make the model that `to_config` described, with fresh weights.

    Raises
    ------
    FileFormatError
        If it is no such description.
    """
    known = layers()
    if not isinstance(config, dict) or config.get("class") not in known:
        found = config.get("class") if isinstance(config, dict) else config
        raise FileFormatError(f"the configuration names {found!r}, which is not a layer of Septet")
    cls = known[config["class"]]
    if issubclass(cls, containers.ModuleList):
        children = config.get("children")
        if not isinstance(children, list):
            raise FileFormatError(f"the configuration of {cls.__name__} has no list of children")
        modules = [from_config(child) for child in children]
        return cls(*modules) if cls is containers.Sequential else cls(modules)
    if issubclass(cls, Model):
        return _model_from(config)
    words = config.get("with", {})
    allowed = inspect.signature(cls).parameters
    if not isinstance(words, dict) or not set(words) <= set(allowed):
        names = ", ".join(allowed)
        raise FileFormatError(f"the configuration of {cls.__name__} has parameters {words!r}, it takes {names}")
    words = {key: _layers(value) for key, value in words.items()}
    words = {key: from_config(value) if isinstance(value, dict) else value for key, value in words.items()}
    try:
        return cls(**words)
    except (TypeError, ValueError) as error:
        raise FileFormatError(f"the configuration of {cls.__name__} cannot be used: {error}") from error


def _model_config(model: Model) -> dict[str, Any]:
    """Return the parts of a model: inputs, layers, and the calls of layers, which refer to results of earlier calls."""
    nodes, steps = model.calls()
    places = {node: {"result": [0, index]} for index, node in enumerate(nodes)}

    def refer(value: Any) -> Any:
        if isinstance(value, Tensor):
            if value.node not in places:
                raise NotSupportedError(
                    f"{model.label}: between its layers the model applies {value.node.op.name!r}, which a file cannot "
                    "bring back; make it a layer, such as nn.Add() or nn.Concatenate(), or save the weights only"
                )
            return places[value.node]
        if isinstance(value, (list, tuple)):
            return [refer(item) for item in value]
        if isinstance(value, dict):
            return {"dict": {str(key): refer(item) for key, item in value.items()}}
        return _plain(value, f"{model.label}: an argument of a layer")

    calls = []
    for number, (name, inputs, words, results) in enumerate(steps, 1):
        calls.append({"layer": name, "inputs": refer(inputs), "words": {key: refer(v) for key, v in words.items()}})
        places.update({node: {"result": [number, index]} for index, node in results.items()})
    entries = [
        dict(shape=list(node.shape[1:]), name=node.params[0], dtype=node.dtype.name, batch_size=node.shape[0])
        for node in nodes
    ]
    return {
        "entries": entries,
        "layers": {name: to_config(getattr(model, name)) for name in dict.fromkeys(call["layer"] for call in calls)},
        "calls": calls,
        "inputs": refer(model.inputs),
        "outputs": refer(model.outputs),
    }


def _model_from(config: dict[str, Any]) -> Model:
    """Make the model that `_model_config` described."""
    try:
        results: list[list[Any]] = [[Input(**entry) for entry in config["entries"]]]

        def find(value: Any) -> Any:
            if isinstance(value, dict):
                if "result" in value:
                    call, index = value["result"]
                    return results[call][index]
                return {key: find(item) for key, item in value["dict"].items()}
            return [find(item) for item in value] if isinstance(value, list) else value

        made = {name: from_config(layer).named(name) for name, layer in config["layers"].items()}
        for call in config["calls"]:
            words = {key: find(value) for key, value in call["words"].items()}
            results.append(flatten(made[call["layer"]](*find(call["inputs"]), **words))[0])
        return Model(find(config["inputs"]), find(config["outputs"]))
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise FileFormatError(f"the configuration of Model cannot be used: {error!r}") from error


def _layers(value: Any) -> Any:
    """Make the layers that a parameter describes."""
    if isinstance(value, list):
        return [_layers(item) for item in value]
    return from_config(value) if isinstance(value, dict) else value


def _plain(value: Any, what: str) -> Any:
    """Return a value as JSON can hold it."""
    if isinstance(value, Module):
        return to_config(value)
    if isinstance(value, (tuple, list)):
        return [_plain(item, what) for item in value]
    if isinstance(value, _PLAIN):
        return value
    raise NotSupportedError(f"{what} is {value!r}, which cannot be written to a file")
