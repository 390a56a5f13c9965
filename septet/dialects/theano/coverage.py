"""What of Theano's public interface differs here, and what is refused: the docs page and the errors are made of this."""

from __future__ import annotations

DIFFERS: dict[str, str] = {}
"""Public name to how it behaves differently."""

REFUSED: dict[str, tuple[str, str]] = {
    "theano.tensor.opt.*": (
        "graphs are rewritten by Septet's own compiler, which Theano's rewrites cannot enter",
        "theano.function(..., mode='FAST_RUN'), which optimizes",
    ),
    "theano.tensor.blas.*": (
        "products are chosen by Septet's own compiler",
        "theano.tensor.dot, batched_dot, tensordot",
    ),
}
"""Public name (``module.*`` for all others of a module) to the reason why it is refused, and what to use instead."""


class RefusedError(NotImplementedError):
    """A name of the original that is not supported here."""


def refused(name: str) -> RefusedError:
    """Return the error for a name of the original that is not supported, or for one that it does not have."""
    for known in (name, name.rpartition(".")[0] + ".*"):
        if known in REFUSED:
            reason, nearest = REFUSED[known]
            return RefusedError(f"{name} is not supported: {reason}; use {nearest}")
    return RefusedError(f"{name} is not supported")
