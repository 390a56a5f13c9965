"""`theano.sandbox.cuda.dnn`: cuDNN's functions, computed on the CPU."""

from septet.dialects.theano.coverage import asked
from septet.dialects.theano.gpuarray.dnn import *
from septet.dialects.theano.gpuarray.dnn import __all__ as __all__

__getattr__ = asked(__name__)
