"""`theano.compile.pfunc`: old names of `function` and its parts."""

from septet.dialects.theano.compile.function import Function as Function
from septet.dialects.theano.compile.function import UnusedInputError as UnusedInputError
from septet.dialects.theano.compile.function import function as pfunc  # noqa: F401
from septet.dialects.theano.containers import In as In
from septet.dialects.theano.containers import Param as Param
from septet.dialects.theano.sharing import SharedVariable as SharedVariable
from septet.dialects.theano.sharing import shared as shared
