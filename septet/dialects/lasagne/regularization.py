"""Penalties on parameters, to be added to a loss."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import septet.dialects.theano.tensor as T
from septet.dialects.lasagne.layers import Layer, get_all_params

REGULARIZABLE = {"regularizable": True}


def l1(x: Any) -> Any:
    """Return the sum of absolute values."""
    return T.sum(abs(x))


def l2(x: Any) -> Any:
    """Return the sum of squares."""
    return T.sum(x**2)


def apply_penalty(tensor_or_tensors: Any, penalty: Callable[..., Any], **kwargs: Any) -> Any:
    """Return the penalty of a variable, or the sum of those of several."""
    try:
        return sum(penalty(x, **kwargs) for x in tensor_or_tensors)
    except (TypeError, ValueError):
        return penalty(tensor_or_tensors, **kwargs)


def regularize_layer_params(
    layer: Any, penalty: Callable[..., Any], tags: Mapping[str, bool] = REGULARIZABLE, **kwargs: Any
) -> Any:
    """Return the penalty of the parameters of one layer or several, those with some tags."""
    layers: Iterable[Any] = [layer] if isinstance(layer, Layer) else layer
    return apply_penalty([param for own in layers for param in own.get_params(**tags)], penalty, **kwargs)


def regularize_layer_params_weighted(
    layers: Mapping[Any, float], penalty: Callable[..., Any], tags: Mapping[str, bool] = REGULARIZABLE, **kwargs: Any
) -> Any:
    """Return the sum of the penalties of layers, each times its coefficient."""
    return sum(factor * regularize_layer_params(layer, penalty, tags, **kwargs) for layer, factor in layers.items())


def regularize_network_params(
    layer: Any, penalty: Callable[..., Any], tags: Mapping[str, bool] = REGULARIZABLE, **kwargs: Any
) -> Any:
    """Return the penalty of the parameters of a layer (or several) and of all that it is fed by."""
    return apply_penalty(get_all_params(layer, **tags), penalty, **kwargs)
