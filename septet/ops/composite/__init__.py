"""Composites: functions made of primitives."""

from septet.ops.composite import activations, losses, normalization  # noqa: F401  (registration)
