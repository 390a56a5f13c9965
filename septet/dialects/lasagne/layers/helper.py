"""Functions of whole networks, given by their last layer or layers."""

from __future__ import annotations

import difflib
import warnings
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import chain
from typing import Any

import numpy as np

from septet.dialects.lasagne import utils
from septet.dialects.lasagne.layers.base import Layer, MergeLayer
from septet.dialects.lasagne.layers.input import InputLayer

__all__ = [
    "count_params", "get_all_layers", "get_all_param_values", "get_all_params", "get_output", "get_output_shape",
    "set_all_param_values",
]  # fmt: skip


def get_all_layers(layer: Any, treat_as_input: Iterable[Any] | None = None) -> list[Any]:
    """Return the layers that feed some layers, and themselves, each after all that it depends on."""
    try:
        pending = deque(layer)
    except TypeError:
        pending = deque([layer])
    entered = set(treat_as_input or ())
    found: dict[Any, None] = {}
    while pending:
        own = pending[0]
        if own is None:
            pending.popleft()
        elif own not in entered:
            entered.add(own)
            if hasattr(own, "input_layers"):
                pending.extendleft(reversed(own.input_layers))
            elif hasattr(own, "input_layer"):
                pending.appendleft(own.input_layer)
        else:
            found.setdefault(pending.popleft())
    return list(found)


def _is_several(layer_or_layers: Any) -> bool:
    try:
        iter(layer_or_layers)
    except TypeError:
        return False
    return True


def _passed(
    layer_or_layers: Any, given: Any, attribute: str, function: str, noun: str, apply: Callable[[Any, Any], Any]
) -> Any:
    """Return what a pass over a network finds for one layer, or the list for several.

    It begins with an attribute of input layers, or with what is given for layers or for the only input layer. `apply`
    gets each other layer, and what was found for those that feed it.
    """
    replaced = given if isinstance(given, dict) else {}
    layers = get_all_layers(layer_or_layers, replaced)
    found = {
        layer: getattr(layer, attribute) for layer in layers if isinstance(layer, InputLayer) and layer not in replaced
    }
    if given is not None and not isinstance(given, dict):
        if len(found) > 1:
            raise ValueError(
                f"{function}() was called with a single input {noun} on a network with multiple input layers. Please call it with a dictionary of input {noun}s instead."
            )
        found = dict.fromkeys(found, given)
    found |= replaced
    for layer in layers:
        if layer in found:
            continue
        is_merge = isinstance(layer, MergeLayer)
        try:
            below = [found[own] for own in layer.input_layers] if is_merge else found[layer.input_layer]
        except KeyError:
            raise ValueError(
                f"{function}() was called without giving an input {noun} for the free-floating layer {layer!r}. Please call it with a dictionary mapping this layer to an input {noun}."
            ) from None
        found[layer] = apply(layer, below)
    return [found[layer] for layer in layer_or_layers] if _is_several(layer_or_layers) else found[layer_or_layers]


def get_output(layer_or_layers: Any, inputs: Any = None, **kwargs: Any) -> Any:
    """Return the output of a network as an expression.

    `inputs` are those of the only input layer, or a dict from layers to what stands in for their outputs; by default
    input layers put out their own variables. The keywords are for the layers' `get_output_for`: ``deterministic=True``
    switches noise off and uses averaged statistics.
    """
    if isinstance(inputs, dict):
        for key in inputs:
            if key is not None and not isinstance(key, Layer):
                raise TypeError(f"The inputs dictionary keys must be lasagne layers not {type(key)}.")
        inputs = {layer: utils.as_theano_expression(value) for layer, value in inputs.items()}
    elif inputs is not None:
        inputs = utils.as_theano_expression(inputs)
    accepted = {"deterministic"}

    def apply(layer: Any, given: Any) -> Any:
        output = layer.get_output_for(given, **kwargs)
        with suppress(TypeError):  # where the signature cannot be read
            accepted.update(utils.inspect_kwargs(layer.get_output_for))
        accepted.update(layer.get_output_kwargs)
        return output

    output = _passed(layer_or_layers, inputs, "input_var", "get_output", "expression", apply)
    lines = []
    for word in sorted(set(kwargs) - accepted):
        close = difflib.get_close_matches(word, sorted(accepted))
        lines.append(f"{word} (perhaps you meant {close[0]})" if close else word)
    if lines:
        warnings.warn("get_output() was called with unused kwargs:\n\t" + "\n\t".join(lines), stacklevel=2)
    return output


def get_output_shape(layer_or_layers: Any, input_shapes: Any = None) -> Any:
    """Return the shape of a network's output."""
    if not input_shapes and not isinstance(input_shapes, tuple):
        if _is_several(layer_or_layers):
            return [layer.output_shape for layer in layer_or_layers]
        return layer_or_layers.output_shape
    return _passed(
        layer_or_layers, input_shapes, "shape", "get_output_shape", "shape",
        lambda layer, given: layer.get_output_shape_for(given),
    )  # fmt: skip


def get_all_params(layer: Any, unwrap_shared: bool = True, **tags: bool) -> list[Any]:
    """Return the parameters of some layers and of all that feed them, each once, from the input upwards."""
    layers = get_all_layers(layer)
    return utils.unique(chain.from_iterable(own.get_params(unwrap_shared=unwrap_shared, **tags) for own in layers))


def count_params(layer: Any, **tags: bool) -> int:
    """Return of how many numbers the parameters of a network consist."""
    return sum(int(np.prod(param.get_value().shape)) for param in get_all_params(layer, **tags))


def get_all_param_values(layer: Any, **tags: bool) -> list[np.ndarray]:
    """Return the values of the parameters of a network, in the order of `get_all_params`."""
    return [param.get_value() for param in get_all_params(layer, **tags)]


def set_all_param_values(layer: Any, values: Any, **tags: bool) -> None:
    """Set the parameters of a network, to values in the order of `get_all_params`."""
    params = get_all_params(layer, **tags)
    if len(params) != len(values):
        raise ValueError(f"mismatch: got {len(values)} values to set {len(params)} parameters")
    for param, value in zip(params, values, strict=True):
        shape = param.get_value().shape
        if shape != value.shape:
            raise ValueError(f"mismatch: parameter has shape {shape!r} but value to set has shape {value.shape!r}")
        param.set_value(value)
