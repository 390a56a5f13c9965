"""`theano.tensor.opt`: what programs import from there. Rewriting graphs is Septet's compiler's work."""

from __future__ import annotations

from typing import Any

from septet.dialects.theano.coverage import refused
from septet.dialects.theano.tensor.asserts import Assert, assert_, assert_op
from septet.dialects.theano.tensor.shaping import MakeVector, Shape_i, make_vector

__all__ = ["Assert", "MakeVector", "Shape_i", "assert_", "assert_op", "make_vector"]


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    raise refused(f"theano.tensor.opt.{name}")
