"""`theano.compile`: functions and what they are made of."""

from septet.dialects.theano.compile.function import (
    AliasedMemoryError,
    Function,
    FunctionMaker,
    UnusedInputError,
    function,
)  # fmt: skip
from septet.dialects.theano.compile.io import Container, In, Out, Param, SymbolicInput, SymbolicOutput
from septet.dialects.theano.compile.mode import (
    Mode,
    get_default_mode,
    get_mode,
    predefined_linkers,
    predefined_modes,
    predefined_optimizers,
    register_linker,
    register_mode,
    register_optimizer,
)  # fmt: skip
from septet.dialects.theano.compile.rebuild import clone
from septet.dialects.theano.compile.sharedvalue import SharedVariable, generic_constructor, shared, shared_constructor
