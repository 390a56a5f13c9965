"""`theano.sandbox.linalg.ops`: the old place of `theano.tensor.nlinalg` and `theano.tensor.slinalg`."""

from septet.dialects.theano.sandbox.linalg import *
from septet.dialects.theano.sandbox.linalg import __all__ as __all__
