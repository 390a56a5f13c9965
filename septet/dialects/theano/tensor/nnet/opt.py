"""`theano.tensor.nnet.opt`: what programs import from there. Rewriting graphs is Septet's compiler's work."""

from __future__ import annotations
