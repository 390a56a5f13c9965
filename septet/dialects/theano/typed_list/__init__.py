"""`theano.typed_list`: lists of values of one type as variables."""

from septet.dialects.theano import tensor as T
from septet.dialects.theano.typed_list import basic, type
from septet.dialects.theano.typed_list.basic import *
