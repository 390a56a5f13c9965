"""`theano.sandbox.solve`: the old place of `theano.tensor.slinalg.solve`."""

from septet.dialects.theano.tensor.slinalg import solve

__all__ = ["solve"]
