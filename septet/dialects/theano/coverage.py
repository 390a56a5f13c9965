"""What of Theano's public interface differs here, and what is refused: the docs page and the errors are made of this."""

from __future__ import annotations

DIFFERS: dict[str, str] = {}
"""Public name to how it behaves differently."""

REFUSED: dict[str, tuple[str, str]] = {}
"""Public name to the reason why it is refused, and the nearest name that is supported."""
