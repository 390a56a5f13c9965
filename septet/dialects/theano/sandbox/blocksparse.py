"""`theano.sandbox.blocksparse`: the old place of `theano.tensor.nnet.blocksparse`."""

from septet.dialects.theano.tensor.nnet.blocksparse import *
from septet.dialects.theano.tensor.nnet.blocksparse import __all__ as __all__
