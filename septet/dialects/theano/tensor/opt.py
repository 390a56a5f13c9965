"""`theano.tensor.opt`: what programs import from there. Rewriting graphs is Septet's compiler's work."""

from __future__ import annotations

from septet.dialects.theano.tensor.asserts import Assert, assert_, assert_op
from septet.dialects.theano.tensor.shaping import MakeVector, Shape_i, make_vector

__all__ = ["Assert", "MakeVector", "Shape_i", "assert_", "assert_op", "make_vector"]
