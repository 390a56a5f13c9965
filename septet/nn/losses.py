"""Losses of tensors. None broadcasts: shapes that do not agree are an error."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

from septet.base.errors import ArgumentError
from septet.base.text import did_you_mean, listing
from septet.nn.ctc import ctc as ctc
from septet.nn.sequence_losses import sequence_cross_entropy
from septet.ops.composite import class_losses as _classes
from septet.ops.composite import losses as _losses
from septet.ops.composite import margin_losses as _margins
from septet.ops.composite import overlap_losses as _overlaps
from septet.tensor.creation import tensor
from septet.tensor.functions import f
from septet.tensor.tensor import Tensor
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
soft_margin_loss = lift(_margins.soft_margin_loss)
categorical_hinge_loss = lift(_margins.categorical_hinge_loss)
multi_margin_loss = lift(_margins.multi_margin_loss)
hinge_embedding_loss = lift(_margins.hinge_embedding_loss)
contrastive_loss = lift(_margins.contrastive_loss)
cosine_embedding_loss = lift(_margins.cosine_embedding_loss)
focal_loss = lift(_overlaps.focal_loss)
tversky_loss = lift(_overlaps.tversky_loss)
dice_loss = lift(_overlaps.dice_loss)
jaccard_loss = lift(_overlaps.jaccard_loss)


def weighted_mean(losses: Any, weights: Any) -> Tensor:
    """Return the mean of losses, weighted by examples: sum(losses * weights) / sum(weights), and 0 without weights.

    Parameters
    ----------
    losses, weights : tensor of one shape
        Losses of ``reduction="none"``.

    Raises
    ------
    ShapeError
        If the shapes differ.

    Examples
    --------
    >>> import septet as st
    >>> float(weighted_mean([1.0, 4.0], [2.0, 1.0]))
    2.0
    """
    values, own = (x if isinstance(x, Tensor) else tensor(x) for x in (losses, weights))
    checked = Tensor(_losses.same_shapes("weighted_mean", values.node, own.node, ("losses", "weights")))
    total = checked.sum().astype(values.dtype)
    is_empty = f.equal(total, 0.0)
    return f.where(is_empty, 0.0, (values * checked).sum() / f.where(is_empty, 1.0, total))


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
    "soft_margin_loss": soft_margin_loss,
    "categorical_hinge_loss": categorical_hinge_loss,
    "multi_margin_loss": multi_margin_loss,
    "focal_loss": focal_loss,
    "tversky_loss": tversky_loss,
    "dice_loss": dice_loss,
    "jaccard_loss": jaccard_loss,
}
"""The losses of (outputs, labels) by name, as `Model.fit` takes them."""

OF_CLASSES = frozenset(
    {
        "cross_entropy", "sequence_cross_entropy", "negative_log_likelihood", "multiclass_hinge_loss", "kl_divergence",
        "categorical_hinge_loss", "multi_margin_loss", "focal_loss",
    }
)  # fmt: skip
"""Those whose outputs have an element for each class, so that accuracy tells something."""


def combined(losses: Any, weights: Any = None) -> Callable[..., Tensor]:
    """Return the loss of a model with several outputs: the weighted sum of one loss for each.

    Parameters
    ----------
    losses : dict, list or tuple of (str or callable)
        Nested as the outputs are; outputs without a loss do not count.
    weights : dict, list or tuple of float, optional
        A factor for each loss; 1 if not given.

    Returns
    -------
    callable
        Of (outputs, targets), dicts or sequences; each pair is compared by its loss. With ``reduction="none"`` the
        result has a number for each example, the mean over its elements.

    Raises
    ------
    ArgumentError
        If a weight, an output or a target is missing.

    Examples
    --------
    >>> import septet as st
    >>> loss = combined({"x": "mse", "y": "mae"}, {"y": 10.0})
    >>> float(loss({"x": st.ones(2), "y": st.ones(2)}, {"x": st.zeros(2), "y": st.zeros(2)}))
    11.0
    """
    parts = {key: get(part) for key, part in _items(losses)}
    factors = dict.fromkeys(parts, 1.0) | dict(_items(weights or {}))
    unknown = [key for key in factors if key not in parts]
    if not parts or unknown:
        raise ArgumentError(
            f"combined: there are losses of {listing(parts) or 'nothing'}, weights of {listing(factors)}"
        )

    def loss(outputs: Any, targets: Any, **words: Any) -> Tensor:
        for what, values in (("outputs", outputs), ("targets", targets)):
            known = dict(_items(values)) if isinstance(values, (dict, list, tuple)) else {}
            missing = [key for key in parts if key not in known]
            if missing:
                raise ArgumentError(
                    f"the loss compares {listing(parts)}; the {what} have no {missing[0]!r}, they are "
                    f"{listing(known) or type(values).__name__}"
                )
        terms = [_of_examples(part(outputs[key], targets[key], **words)) * factors[key] for key, part in parts.items()]
        return functools.reduce(operator.add, terms)

    loss.__name__ = "combined"
    return loss


def _of_examples(values: Tensor) -> Tensor:
    """Return one number for each example, or for all: losses of elements must not meet those of examples."""
    return values.mean(axis=tuple(range(1, values.ndim))) if values.ndim > 1 else values


def _items(values: Any) -> list[tuple[Any, Any]]:
    """Return the keys or positions of a dict or sequence, and what stands there."""
    return list(values.items() if isinstance(values, dict) else enumerate(values))


def get(loss: str | Callable[..., Any]) -> Callable[..., Any]:
    """Return the loss of a name, or the function that was given; for a dict or list of them, see `combined`.

    Raises
    ------
    ArgumentError
        When there is no loss of that name.
    """
    if callable(loss):
        return loss
    if isinstance(loss, (dict, list, tuple)):
        return combined(loss)
    if loss not in LOSSES:
        raise ArgumentError(
            f"loss {loss!r} does not exist.{did_you_mean(str(loss), LOSSES)} The losses are {', '.join(LOSSES)}, "
            "or any function (outputs, labels) -> scalar tensor"
        )
    return LOSSES[loss]
