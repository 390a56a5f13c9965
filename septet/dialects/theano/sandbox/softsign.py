"""`theano.sandbox.softsign`: the old place of softsign."""

from septet.dialects.theano.tensor.nnet.sigm import softsign

__all__ = ["softsign"]
