"""`theano.compile.function_module`: old names of `function` and its parts."""

from septet.dialects.theano.compile.function import AliasedMemoryError as AliasedMemoryError
from septet.dialects.theano.compile.function import Function as Function
from septet.dialects.theano.compile.function import FunctionMaker as FunctionMaker
from septet.dialects.theano.compile.function import UnusedInputError as UnusedInputError
from septet.dialects.theano.compile.function import function as orig_function  # noqa: F401
from septet.dialects.theano.containers import SymbolicInput as SymbolicInput
from septet.dialects.theano.containers import SymbolicOutput as SymbolicOutput
