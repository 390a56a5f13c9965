"""Losses of tensors. None broadcasts: shapes that do not agree are an error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from septet.base.errors import ArgumentError
from septet.base.text import did_you_mean
from septet.ops.composite import losses as _losses
from septet.tensor.wrap import lift

cross_entropy = lift(_losses.cross_entropy)
negative_log_likelihood = lift(_losses.negative_log_likelihood)
binary_cross_entropy = lift(_losses.binary_cross_entropy)
mean_squared_error = lift(_losses.mean_squared_error)
mean_absolute_error = lift(_losses.mean_absolute_error)
huber_loss = lift(_losses.huber_loss)
hinge_loss = lift(_losses.hinge_loss)
kl_divergence = lift(_losses.kl_divergence)

LOSSES: dict[str, Callable[..., Any]] = {
    "cross_entropy": cross_entropy,
    "negative_log_likelihood": negative_log_likelihood,
    "binary_cross_entropy": binary_cross_entropy,
    "mean_squared_error": mean_squared_error,
    "mse": mean_squared_error,
    "mean_absolute_error": mean_absolute_error,
    "mae": mean_absolute_error,
    "huber_loss": huber_loss,
    "hinge_loss": hinge_loss,
    "kl_divergence": kl_divergence,
}


def get(loss: str | Callable[..., Any]) -> Callable[..., Any]:
    """Return the loss of a name, or the function that was given.

    Raises
    ------
    ArgumentError
        When there is no loss of that name.
    """
    if callable(loss):
        return loss
    if loss not in LOSSES:
        raise ArgumentError(
            f"loss {loss!r} does not exist.{did_you_mean(str(loss), LOSSES)} The losses are {', '.join(LOSSES)}, "
            "or any function (outputs, labels) -> scalar tensor"
        )
    return LOSSES[loss]
