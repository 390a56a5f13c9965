"""Losses of tensors. They never broadcast: predictions and targets have the shapes that each one states."""

from septet.ops.composite import losses as _losses
from septet.tensor.wrap import lift as _lift

cross_entropy = _lift(_losses.cross_entropy)
negative_log_likelihood = _lift(_losses.negative_log_likelihood)
binary_cross_entropy = _lift(_losses.binary_cross_entropy)
mean_squared_error = _lift(_losses.mean_squared_error)
mean_absolute_error = _lift(_losses.mean_absolute_error)
huber_loss = _lift(_losses.huber_loss)
hinge_loss = _lift(_losses.hinge_loss)
kl_divergence = _lift(_losses.kl_divergence)

BY_NAME = {
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
