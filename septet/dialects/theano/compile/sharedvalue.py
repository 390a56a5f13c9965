"""`theano.compile.sharedvalue`: shared variables."""

from septet.dialects.theano.gof.type import generic as generic
from septet.dialects.theano.sharing import SharedVariable as SharedVariable
from septet.dialects.theano.sharing import generic_constructor as generic_constructor
from septet.dialects.theano.sharing import shared as shared
from septet.dialects.theano.sharing import shared_constructor as shared_constructor
