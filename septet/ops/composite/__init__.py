"""Composites: functions made of primitives."""

from septet.ops.composite import (  # noqa: F401  (registration)
    activations,
    attention,
    class_losses,
    losses,
    normalization,
    recurrent,
)
