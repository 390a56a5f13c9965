"""`theano.sandbox.gpuarray`: the old place of `theano.gpuarray`."""

from septet.dialects.theano.gpuarray import basic_ops, dnn, pygpu_activated

__all__ = ["basic_ops", "dnn", "pygpu_activated"]
