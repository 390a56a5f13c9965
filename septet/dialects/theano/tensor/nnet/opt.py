"""`theano.tensor.nnet.opt`: what programs import from there. Rewriting graphs is Septet's compiler's work."""

from __future__ import annotations

from typing import Any

from septet.dialects.theano.coverage import refused


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    raise refused(f"theano.tensor.nnet.opt.{name}")
