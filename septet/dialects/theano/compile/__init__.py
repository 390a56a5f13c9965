"""`theano.compile`: functions and what they are made of."""

from septet.dialects.theano.compile import function_module, io, monitormode, nanguardmode, ops, profiling, sharedvalue
from septet.dialects.theano.compile.builders import OpFromGraph
from septet.dialects.theano.compile.debugmode import DebugMode
from septet.dialects.theano.compile.function import (
    AliasedMemoryError,
    Function,
    FunctionMaker,
    UnusedInputError,
    function,
)  # fmt: skip
from septet.dialects.theano.compile.function import function as orig_function
from septet.dialects.theano.compile.mode import (
    FAST_COMPILE,
    FAST_RUN,
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
from septet.dialects.theano.compile.monitormode import MonitorMode
from septet.dialects.theano.compile.nanguardmode import NanGuardMode
from septet.dialects.theano.compile.ops import (
    DeepCopyOp,
    FromFunctionOp,
    Rebroadcast,
    Shape,
    Shape_i,
    SpecifyShape,
    ViewOp,
    as_op,
    deep_copy_op,
    specify_shape,
    view_op,
)  # fmt: skip
from septet.dialects.theano.compile.pfunc import pfunc, rebuild_collect_shared
from septet.dialects.theano.compile.profiling import ProfileStats
from septet.dialects.theano.compile.rebuild import clone
from septet.dialects.theano.configdefaults import config
from septet.dialects.theano.containers import Container, In, Out, Param, SymbolicInput, SymbolicOutput
from septet.dialects.theano.sharing import (
    SharedVariable,
    generic,
    generic_constructor,
    shared,
    shared_constructor,
)
