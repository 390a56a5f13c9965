"""Losses of tensors. None broadcasts: shapes that do not agree are an error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from septet.base.errors import ArgumentError
from septet.base.text import did_you_mean
from septet.nn.ctc import ctc as ctc
from septet.nn.sequence_losses import sequence_cross_entropy
from septet.ops.composite import class_losses as _classes
from septet.ops.composite import losses as _losses
from septet.tensor.wrap import lift

cross_entropy = lift(_classes.cross_entropy)
negative_log_likelihood = lift(_classes.negative_log_likelihood)
binary_cross_entropy = lift(_classes.binary_cross_entropy)
binary_focal_loss = lift(_classes.binary_focal_loss)
hinge_loss = lift(_classes.hinge_loss)
squared_hinge_loss = lift(_classes.squared_hinge_loss)
multiclass_hinge_loss = lift(_classes.multiclass_hinge_loss)
mean_squared_error = lift(_losses.mean_squared_error)
mean_absolute_error = lift(_losses.mean_absolute_error)
mean_absolute_percentage_error = lift(_losses.mean_absolute_percentage_error)
mean_squared_logarithmic_error = lift(_losses.mean_squared_logarithmic_error)
huber_loss = lift(_losses.huber_loss)
smooth_l1_loss = lift(_losses.smooth_l1_loss)
log_cosh_loss = lift(_losses.log_cosh_loss)
quantile_loss = lift(_losses.quantile_loss)
poisson_loss = lift(_losses.poisson_loss)
gaussian_loss = lift(_losses.gaussian_loss)
kl_divergence = lift(_losses.kl_divergence)
cosine_loss = lift(_losses.cosine_loss)
triplet_loss = lift(_losses.triplet_loss)
margin_ranking_loss = lift(_losses.margin_ranking_loss)

LOSSES: dict[str, Callable[..., Any]] = {
    "cross_entropy": cross_entropy,
    "sequence_cross_entropy": sequence_cross_entropy,
    "negative_log_likelihood": negative_log_likelihood,
    "binary_cross_entropy": binary_cross_entropy,
    "binary_focal_loss": binary_focal_loss,
    "hinge_loss": hinge_loss,
    "squared_hinge_loss": squared_hinge_loss,
    "multiclass_hinge_loss": multiclass_hinge_loss,
    "mean_squared_error": mean_squared_error,
    "mse": mean_squared_error,
    "mean_absolute_error": mean_absolute_error,
    "mae": mean_absolute_error,
    "mean_absolute_percentage_error": mean_absolute_percentage_error,
    "mean_squared_logarithmic_error": mean_squared_logarithmic_error,
    "huber_loss": huber_loss,
    "smooth_l1_loss": smooth_l1_loss,
    "log_cosh_loss": log_cosh_loss,
    "quantile_loss": quantile_loss,
    "poisson_loss": poisson_loss,
    "kl_divergence": kl_divergence,
    "cosine_loss": cosine_loss,
}
"""The losses of (outputs, labels) by name, as `Model.fit` takes them."""


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
