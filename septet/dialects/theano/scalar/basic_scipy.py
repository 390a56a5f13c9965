"""`theano.scalar.basic_scipy`: functions that SciPy has."""

from septet.dialects.theano.scalar.basic import *
