"""What of Theano's public interface differs here, and what is refused: the docs page and the errors are made of this."""

from __future__ import annotations

import sys
from collections.abc import Callable
from fnmatch import fnmatchcase
from types import ModuleType
from typing import Any

PACKAGE = "septet.dialects.theano"

DIFFERS: dict[str, str] = {
    "scan": "`mode`, `profile` and `allow_gc` are ignored: the loop is part of the program of the whole function; updates "
    "may depend on variables that are not among the non-sequences",
    "tensor.signal.pool.pool_2d": "the gradient of a maximum goes to the first of equal elements, not to all",
    "tensor.nnet.abstract_conv.AbstractConv2d": "what is computed is Septet's convolution; no rewrite replaces it",
    "compile.DebugMode": "looks at each op twice instead of comparing C code with Python",
    "compile.ProfileStats": "says how time is measured here: `septet.profile`",
    "sparse_grad": "returns its argument: the gradient has the size of the matrix, as others have",
    "sparse.add": "refuses a scalar: `structured_add` adds it to the elements that are kept",
    "sparse.opt": "names of compiled variants stand for the ops that they replace in Theano",
    "tensor.sum": "floats are accumulated in their own dtype, pairwise; `acc_dtype` asks for a wider one",
    "tensor.slinalg.EigvalshGrad": "is another name of Eigvalsh: programs can import it, not apply it to a gradient",
    "tensor.elemwise.ProdWithoutZeros": "has a gradient",
    "config.device": "is always `cpu`",
    "printing.debugprint": "shows the graph as it was written; `septet.explain(f.septet)` shows what runs",
}
"""Public name, without ``theano.``, to how it behaves differently."""

_C = ("ops are computed by Septet or by Python: there is no C code", "Op.perform")
_REWRITES = (
    "graphs are rewritten by Septet's own compiler, which Theano's rewrites cannot enter",
    "theano.function(..., mode='FAST_RUN'), which optimizes",
)
_NO_GPU = (
    "Septet's theano runs on the CPU; `device=gpu` and `device=cuda` are not there",
    "the function of theano.tensor.nnet",
)
_NORMALIZATION = (
    "normalization is made of elementwise ops and means, not an op",
    "tensor.nnet.bn.batch_normalization_*",
)
_LINKERS = ("functions are compiled by Septet, not linked from ops", "theano.function, MonitorMode")
_GRADIENTS = ("the gradient of an op of linear algebra is no op of its own", "theano.grad of the op's result")
_PRODUCTS = ("it is a step of the gradient of products, which Septet has whole", "tensor.prod, ProdWithoutZeros")
_OBSERVERS = ("nobody is told when variables are made", "gof.graph.ancestors, after they were made")
_LISTS = ("values are tensors, not lists of them", "Python lists of variables")
_FORMAT = ("sparse matrices are kept by rows or by columns", "sparse.csr_matrix, sparse.csc_matrix")
_SAMPLING = ("random sparse matrices are not drawn", "SciPy's sparse.random, with sparse.shared; tensor.raw_random")
_MPI = ("variables are not sent between processes", "theano.shared, with values set by your own code")
_PICKLES = ("arrays are written beside the pickle, without steps of one's own", "misc.pkl_utils.dump and load")

REFUSED: dict[str, tuple[str, str]] = {
    "*.c_*": _C,
    "*.make_c_thunk": _C,
    "*.make_py_thunk": _C,
    "*.make_thunk": _C,
    "*CLinkerObject": _C,
    "gof.HideC": _C,
    "tensor.nnet.bn.AbstractBatchNorm*": _NORMALIZATION,
    "tensor.nnet.bn.BNComposite": _NORMALIZATION,
    "sparse.*bsr_*": _FORMAT,
    "sparse.sandbox.*": _SAMPLING,
    "gof.*Params*": _C,
    "gof.*Enum*": _C,
    "gof.type.CDataType*": _C,
    "gof.cc": _C,
    "gof.cmodule": _C,
    "gof.compilelock": _C,
    "gof.params_type": _C,
    "gof.utils.hash_from_*": _C,
    "tensor.blas_c": _C,
    "tensor.blas_headers": _C,
    "tensor.elemwise_cgen": _C,
    "tensor.nnet.conv.gen_conv_code_*": _C,
    "tensor.*.PoolingMode_t": _C,
    "*local_*": _REWRITES,
    "*.opt": _REWRITES,
    "*.scan_opt": _REWRITES,
    "*.optdb": _REWRITES,
    "*make_inplace*": _REWRITES,
    "*groupopt": _REWRITES,
    "ifelse.cond_*": _REWRITES,
    "ifelse.CondMerge": _REWRITES,
    "ifelse.acceptable_ops": _REWRITES,
    "ifelse.ifelse_lift*": _REWRITES,
    "compile.OPT_*": _REWRITES,
    "compile.AddDestroyHandler": _REWRITES,
    "compile.AddFeatureOptimizer": _REWRITES,
    "compile.PrintCurrentFunctionGraph": _REWRITES,
    "compile.Supervisor": _REWRITES,
    "compile.*reuse_pattern": _REWRITES,
    "compile.alias_root": _REWRITES,
    "compile.insert_deepcopy": _REWRITES,
    "compile.std_fgraph": _REWRITES,
    "compile.fgraph_updated_vars": _REWRITES,
    "compile.view_tree_set": _REWRITES,
    "gof.*Optimiz*": _REWRITES,
    "gof.*DB": _REWRITES,
    "gof.*DestroyHandler": _REWRITES,
    "gof.*Sub": _REWRITES,
    "gof.*Validat*": _REWRITES,
    "gof.*_optimizer": _REWRITES,
    "gof.optimizer": _REWRITES,
    "gof.Bookkeeper": _REWRITES,
    "gof.Feature": _REWRITES,
    "gof.History": _REWRITES,
    "gof.LocalOptGroup": _REWRITES,
    "gof.NoOutputFromInplace": _REWRITES,
    "gof.NodeFinder": _REWRITES,
    "gof.OpRemove": _REWRITES,
    "gof.PrintListener": _REWRITES,
    "gof.Query": _REWRITES,
    "gof.ReplacementDidntRemovedError": _REWRITES,
    "gof.destroyhandler": _REWRITES,
    "gof.toolbox": _REWRITES,
    "gof.unify": _REWRITES,
    "gof.ops_with_inner_function": _REWRITES,
    "gof.utils.*guard": _REWRITES,
    "toolbox": _REWRITES,
    "tensor.opt.*": _REWRITES,
    "tensor.opt_uncanonicalize": _REWRITES,
    "tensor.nnet.crossentropy_to_crossentropy*": _REWRITES,
    "tensor.nnet.graph_merge*": _REWRITES,
    "tensor.nnet.softmax_simplifier": _REWRITES,
    "tensor.nnet.sigm.is_*": _REWRITES,
    "tensor.nnet.sigm.log*_*": _REWRITES,
    "tensor.nnet.sigm.*_tree": _REWRITES,
    "tensor.nnet.sigm.*_mul": _REWRITES,
    "tensor.nnet.sigm.partition_*": _REWRITES,
    "tensor.nnet.sigm.perform_*": _REWRITES,
    "tensor.nnet.sigm.replace_leaf": _REWRITES,
    "tensor.blas.*": (
        "products are chosen by Septet's own compiler",
        "theano.tensor.dot, batched_dot, tensordot",
    ),
    "*Linker": _LINKERS,
    "compile.ScanProfileStats": _LINKERS,
    "compile.register_*_c_code": _C,
    "compile.inline_ofg_expansion": _REWRITES,
    "compile.ops_with_inner_function": _REWRITES,
    "scalar.*omposite*32": _C,
    "tensor.inc_code": _C,
    "tensor.slinalg.*Grad": _GRADIENTS,
    "tensor.nlinalg.EighGrad": _GRADIENTS,
    "gof.utils.ABORT": _REWRITES,
    "gof.utils.ANY_TYPE": _REWRITES,
    "gof.utils.FAILURE": _REWRITES,
    "gof.utils.FALL_THROUGH": _REWRITES,
    "gof.utils.Keyword": _REWRITES,
    "gof.utils.RETRY": _REWRITES,
    "gof.CachedConstantError": _REWRITES,
    "gof.view_roots": _REWRITES,
    "scalar.handle_c*": _REWRITES,
    "tensor.elemwise.mul_without_zeros": _PRODUCTS,
    "tensor.elemwise.MulWithoutZeros": _PRODUCTS,
    "tensor.ParamsType": _C,
    "tensor.sort.*Op": ("sorting is an op of Septet's graph", "tensor.sort, argsort, topk, argtopk"),
    "compile.get_info_on_inputs": _LINKERS,
    "compile.convert_function_input": _LINKERS,
    "compile.register_checker": _LINKERS,
    "compile.debugmode.*": _LINKERS,
    "compile.nanguardmode.*": _LINKERS,
    "compile.profiling.*": _LINKERS,
    "compile.function_module.Function.*": _LINKERS,
    "compile.Mode.get_linker_optimizer": _LINKERS,
    "gof.callcache": _LINKERS,
    "gof.sched": _LINKERS,
    "gof.vm": _LINKERS,
    "*construction_observer*": _OBSERVERS,
    "gpuarray.*": _NO_GPU,
    "sandbox.cuda.*": _NO_GPU,
    "typed_list": _LISTS,
    "typed_list.*": _LISTS,
    "tensor.io": _MPI,
    "tensor.io.*": _MPI,
    "tensor.MPI*": _MPI,
    "tensor.*send*": _MPI,
    "tensor.*recv*": _MPI,
    "tensor.mpi_*": _MPI,
    "tensor.LoadFromDisk": ("files are read when they are given", "numpy.load, and theano.shared"),
    "misc.pkl_utils.*": _PICKLES,
}
"""Public name, without ``theano.``, or a pattern of names, to the reason why it is refused and the nearest that is not.

What is in the dialect although a pattern fits is not refused.
"""
MODULES = (
    "gof.cc", "gof.cmodule", "gof.compilelock", "gof.destroyhandler", "gof.optdb", "gof.params_type",
    "gof.sched", "gof.toolbox", "gof.unify", "gof.vm", "scan_module.scan_opt", "sparse.sandbox", "sparse.sandbox.sp2", "tensor.blas_c", "tensor.blas_headers",
    "tensor.elemwise_cgen", "tensor.io", "tensor.nnet.opt", "tensor.opt_uncanonicalize", "typed_list",
)  # fmt: skip
"""Modules that can be imported and hold nothing: using a name of theirs says why."""


REPEATED = {
    **dict.fromkeys(("Variable", "Apply", "Constant", "Op", "Type", "FunctionGraph", "Generic"), "gof"),
    **dict.fromkeys(("DisconnectedType", "grad_undefined", "grad_not_implemented"), "gradient"),
    **dict.fromkeys(("MethodNotDefined", "add_tag_trace"), "gof.utils"),
    **dict.fromkeys(("is_same_graph", "io_connection_pattern"), "gof.graph"),
    "NullType": "gof.null_type",
    "Container": "compile",
    "pprint": "printing",
    **dict.fromkeys(("config", "gof", "printing", "compile", "tensor", "scalar"), ""),
}
"""Names that modules of the original have because they import them, to the module where they are at home."""


class RefusedError(NotImplementedError, ImportError):
    """A name of the original that is not supported here; programs that try an import and go on without it catch it."""


def why_refused(name: str) -> tuple[str, str] | None:
    """Return why a name (without ``theano.``) is refused, and what is nearest; None where it is not."""
    found = REFUSED.get(name)
    if found is not None:
        return found
    parts = name.split(".")
    names = [".".join(parts[:count]) for count in range(len(parts), 0, -1)]
    return next((own for pattern, own in REFUSED.items() for part in names if fnmatchcase(part, pattern)), None)


def refused(name: str) -> RefusedError:
    """Return the error for a name of the original that is not supported, or for one that it does not have."""
    name = name.removeprefix("theano.")
    found = why_refused(name)
    if found is None:
        return RefusedError(f"theano.{name} is not supported")
    return RefusedError(f"theano.{name} is not supported: {found[0]}; nearest: {found[1]}")


def _asked(path: str) -> Callable[[str], Any]:
    """Return what a module does when it is asked for a name that it does not have."""
    inner = path.removeprefix(PACKAGE).removeprefix(".")

    def missing(name: str) -> Any:
        if name in REPEATED and inner and inner not in MODULES and inner != REPEATED[name]:
            return getattr(sys.modules[f"{PACKAGE}.{REPEATED[name]}".rstrip(".")], name)
        whole = f"{inner}.{name}" if inner else name
        if name.startswith("__") or (why_refused(whole) is None and inner not in MODULES):
            raise AttributeError(f"module 'theano{'.' + inner if inner else ''}' has no attribute {name!r}")
        raise refused(whole)

    return missing


def install() -> None:
    """Have the modules of the dialect say of refused names why they are, and make those that are refused as a whole."""
    for inner in MODULES:
        path = f"{PACKAGE}.{inner}"
        if path not in sys.modules:
            module = sys.modules[path] = ModuleType(path, f"`theano.{inner}` is refused: see `coverage`.")
            module.__path__ = []
            parent, _, last = path.rpartition(".")
            if parent in sys.modules:
                setattr(sys.modules[parent], last, module)
    for path, module in list(sys.modules.items()):
        if (path == PACKAGE or path.startswith(PACKAGE + ".")) and "__getattr__" not in vars(module):
            module.__getattr__ = _asked(path)
