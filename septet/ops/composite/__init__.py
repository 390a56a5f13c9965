"""Composites: functions made of primitives."""

from septet.ops.composite import activations, class_losses, losses, normalization  # noqa: F401  (registration)
