"""What of Theano's public interface differs here, and what is refused: the docs page and the errors are made of this."""

from __future__ import annotations

DIFFERS: dict[str, str] = {
    "theano.tensor.signal.pool.pool_2d": "the gradient of a maximum goes to the first of equal elements, not to all",
    "theano.tensor.nnet.abstract_conv.AbstractConv2d": "what is computed is Septet's convolution; Theano's rewrites do not replace it",
}
"""Public name to how it behaves differently."""

_NO_GPU = (
    "Septet's theano runs on the CPU; `device=gpu` and `device=cuda` are not there",
    "the function of theano.tensor.nnet",
)
REFUSED: dict[str, tuple[str, str]] = {
    **{
        f"theano.{module}.*": _NO_GPU
        for module in ("gpuarray", "gpuarray.basic_ops", "gpuarray.dnn", "sandbox.cuda", "sandbox.cuda.dnn")
    },
    "theano.tensor.nnet.opt.*": (
        "graphs are rewritten by Septet's own compiler, which Theano's rewrites cannot enter",
        "theano.function(..., mode='FAST_RUN'), which optimizes",
    ),
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
