"""`theano.scalar`: scalar types, and the ops of single numbers that elementwise ops are made of."""

from septet.dialects.theano.scalar import basic, basic_scipy
from septet.dialects.theano.scalar.basic import *
from septet.dialects.theano.scalar.basic import __all__ as __all__
