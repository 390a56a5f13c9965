"""What of Theano's public interface differs here, and what is refused: the docs page and the errors are made of this."""

from __future__ import annotations

import sys
from collections.abc import Callable
from fnmatch import fnmatchcase
from pkgutil import resolve_name
from types import ModuleType
from typing import Any

PACKAGE = "septet.dialects.theano"

DIFFERS: dict[str, str] = {
    "scan": "`mode`, `profile` and `allow_gc` are ignored: the loop is part of the program of the whole function; updates "
    "may depend on variables that are not among the non-sequences",
    "tensor.signal.pool.pool_2d": "the gradient of a maximum goes to the first of equal elements, not to all",
    "tensor.nnet.abstract_conv.AbstractConv2d": "what is computed is Septet's convolution; no rewrite replaces it",
    "compile.DebugMode": "looks at each op twice instead of comparing C code with Python",
    "compile.function_module.Function.maker": "`maker.fgraph` is the graph as it was written, not what runs: products of "
    "floats by the names of their BLAS ops (`Dot22`, `Gemv`), sizes as `Shape_i`, and what only stops gradients left out; a "
    "gradient is one application, nothing is merged, fused or written in place. `septet.explain(f.septet)` shows what runs",
    "compile.ProfileStats": "says how time is measured here: `septet.profile`",
    "Rop": "where the `R_op` of an op gives None, its gradient is asked; there, its results are taken not to change",
    "sparse_grad": "returns its argument: the gradient has the size of the matrix, as others have",
    **dict.fromkeys((
        "gradient.consider_constant", "gradient.zero_grad", "gradient.disconnected_grad", "gradient.undefined_grad",
        "compile.view_op", "compile.deep_copy_op",
    ), "takes tensors, not sparse matrices; what comes is a tensor"),
    "sparse.add": "refuses a scalar: `structured_add` adds it to the elements that are kept",
    "sparse.opt": "names of compiled variants stand for the ops that they replace in Theano",
    "tensor.sum": "floats are accumulated in their own dtype, pairwise; `acc_dtype` asks for a wider one",
    "tensor.var": "is real for complex numbers",
    "tensor.std": "is real for complex numbers",
    "tensor.max_and_argmax": "refuses complex numbers, as `max`, `min`, `argmax` and `argmin` do",
    "tensor.dot": "refuses two tensors of booleans",
    "tensor.nlinalg.eig": "gives complex numbers",
    "scalar.gammaincc": "is what the original's C code computes; its Python code takes the arguments in the other order",
    "gof.utils.get_variable_trace_string": "tells what `add_tag_trace` has noted; errors name the line where a tensor was made",
    "tensor.slinalg.EigvalshGrad": "is another name of Eigvalsh: programs can import it, not apply it to a gradient",
    "tensor.elemwise.ProdWithoutZeros": "has a gradient",
    "config.device": "is always `cpu`",
    "printing.debugprint": "shows the graph as it was written; `septet.explain(f.septet)` shows what runs",
}  # fmt: skip
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
_FILES = ("files are read when they are given", "numpy.load, and theano.shared")
_KEYS = ("a key is read as a whole", "x[key], of which type and shape can be asked")
_PICKLES = ("arrays are written beside the pickle, without steps of one's own", "misc.pkl_utils.dump and load")

REFUSED: dict[str, tuple[str, str]] = {
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
    "tensor.blas_*": _C,
    "gof.op.*_meth": _C,
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
    "gof.utils.simple_types": _REWRITES,
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
    "compile.NODEFAULT": _LINKERS,
    "compile.DUPLICATE": _LINKERS,
    "compile.exclude": _REWRITES,
    "gof.callcache": _LINKERS,
    "gof.sched": _LINKERS,
    "gof.vm": _LINKERS,
    "gof.graph.nodes_constructed": _OBSERVERS,
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
    "tensor.LoadFromDisk": _FILES,
    "tensor.load": _FILES,
    **dict.fromkeys(("p", "rpath"), ("it is left over from the original's import", "theano.__path__")),
    "test": ("the original's own tests are not part of it", "pytest, on tests of one's own"),
    "gof.utils.MetaObject": ("classes are completed without a metaclass", "gof.utils.object2"),
    "gradient.grad_time": ("the time for gradients is not added up", "septet.profile"),
    "printing.use_ascii": ("text is printed as it is", "printing.debugprint"),
    "*np_int32_vals": ("they are numbers of the original's own loop", "sandbox.rng_mrg.mrg_next_value"),
    "*numpy_diagonal_return_view": ("diagonals are Septet's, not NumPy's", "tensor.ExtractDiag"),
    "sparse.SparseConstantSignature": ("constants are compared by their parts", "sparse.SparseConstant.signature"),
    "tensor.key_to_cmp": ("sorting takes keys", "sorted(..., key=...), functools.cmp_to_key"),
    "tensor.constructor": ("functions are entered in no list", "the function itself"),
    "tensor.get_scalar_constant_value_elemwises": (
        "all ops of known values are computed",
        "tensor.get_scalar_constant_value",
    ),
    "tensor.as_index_variable": _KEYS,
    "tensor.adv_index_broadcastable_pattern": _KEYS,
    "tensor.check_a*": _KEYS,
    "tensor.make_constant": _KEYS,
    "misc.pkl_utils.*": _PICKLES,
}
"""Public name, without ``theano.``, or a pattern of names, to the reason why it is refused and the nearest that is not.

What is in the dialect although a pattern fits is not refused.
"""
MODULES = (
    "gof.cc", "gof.cmodule", "gof.compilelock", "gof.destroyhandler", "gof.optdb", "gof.params_type",
    "gof.sched", "gof.toolbox", "gof.unify", "gof.vm", "scan_module.scan_opt", "sparse.sandbox", "sparse.sandbox.sp2",
    "tensor.blas_c", "tensor.blas_headers", "tensor.blas_scipy",
    "tensor.elemwise_cgen", "tensor.io", "tensor.nnet.opt", "tensor.opt_uncanonicalize", "typed_list",
)  # fmt: skip
"""Modules that can be imported and hold nothing: using a name of theirs says why."""


REFUSED_METHODS = {
    "gof.Op": (
        _C, "c_cleanup_code_struct c_code c_code_cache_version c_code_cache_version_apply c_code_cleanup c_compile_args "
        "c_header_dirs c_headers c_init_code c_init_code_apply c_init_code_struct c_lib_dirs c_libraries c_no_compile_args "
        "c_support_code c_support_code_apply c_support_code_struct make_c_thunk",
    ),
    "gof.Type": (
        _C, "c_cleanup c_code_cache_version c_compile_args c_declare c_element_type c_extract c_extract_out c_header_dirs "
        "c_headers c_init c_init_code c_is_simple c_lib_dirs c_libraries c_literal c_no_compile_args c_support_code c_sync",
    ),
    "gof.Variable": (
        _OBSERVERS, "append_construction_observer notify_construction_observers remove_construction_observer",
    ),
    "compile.Mode": (_LINKERS, "get_linker_optimizer"),
    "compile.OpFromGraph": (("shapes are those of the graph", "its result's shape"), "infer_shape"),
}  # fmt: skip
"""Class to a reason and methods, which say so when they are called."""
REFUSED_ATTRIBUTES = {
    "gof.Variable": (_OBSERVERS, "construction_observers"),
    "compile.Function": (
        _LINKERS, "defaults indices inv_finder output_storage pickle_aliased_memory_strategy return_none",
    ),
    "compile.OpFromGraph": (
        ("it is the text of one of its errors", "the error"),
        "LOP_TYPE_ERR_MSG OV_INP_LEN_ERR_MSG STYPE_ERR_MSG TYPE_ERR_MSG",
    ),
}  # fmt: skip
"""Class to a reason and attributes, which say so when an object is asked for them."""

REPEATED = {
    **dict.fromkeys(("Variable", "Apply", "Constant", "Op", "Type", "FunctionGraph", "Generic"), "gof"),
    **dict.fromkeys(("DisconnectedType", "grad_undefined", "grad_not_implemented"), "gradient"),
    **dict.fromkeys(("MethodNotDefined", "add_tag_trace", "hashtype"), "gof.utils"),
    **dict.fromkeys(("is_same_graph", "io_connection_pattern"), "gof.graph"),
    "NullType": "gof.null_type",
    **dict.fromkeys(("PY3", "integer_types", "string_types"), "compat"),
    **dict.fromkeys(("graph", "utils"), "gof"),
    "Container": "compile",
    **dict.fromkeys(("pprint", "min_informative_str"), "printing"),
    **dict.fromkeys(("config", "gof", "printing", "compile", "tensor", "scalar"), ""),
}
"""Names that modules of the original have because they import them, to the module where they are at home."""

ALIASES = {
    **{
        name: name for name in ("configparser", "misc.ordered_set", "scalar.sharedvar", "tests")
    },  # imported when asked for
    "opt": "gof.opt",
    "compat.BytesIO": "io:BytesIO",
    "compat.DictMixin": "collections.abc:MutableMapping",
    "compat.ValuesView": "collections.abc:ValuesView",
    "compat.configparser": "configparser:",
    "compat.next": "builtins:next",
    "compat.reload": "importlib:reload",
    "compile.check_equal": "tensor.check_equal_numpy",
    "compile.function_dump": "function_dump",
    "compile.shape": "tensor.shape",
    "gof.utils.D": "types:SimpleNamespace",
    **{
        f"gradient.{name}": f"numeric.{name}"
        for name in ("verify_grad", "numeric_grad", "mode_not_slow", "GradientError")
    },
    "gradient.null_type": "gof.null_type.null_type",
    "misc.may_share_memory.gpuarray": "gpuarray",
    "sparse.structured_monoid": "sparse.elementwise.structured_monoid",
    "tensor.SubtensorPrinter": "printing.SubtensorPrinter",
    "tensor.basic.verify_grad": "numeric.verify_grad",
    **{
        f"tensor.elemwise.{name}": f"tensor.reductions.{name}"
        for name in ("All", "CAReduce", "CAReduceDtype", "Prod", "ProdWithoutZeros", "Sum")
    },
    "tensor.elemwise.DimShufflePrinter": "printing.DimShufflePrinter",
    "tensor.int32": "scalar.int32",
    "tensor.int32_t": "scalar.int32",
    "tensor.sharedvar.load_shared_variable": "tensor.sharedvar.tensor_constructor",
    "tensor.values_eq_approx_always_true": "tensor.type.values_eq_approx_always_true",
    "tensor.var.equal_slices": "operator:eq",
}
"""Name to where it is at home under another one; a colon stands after a module of Python's own."""


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


def refused(name: str, why: tuple[str, str] | None = None) -> RefusedError:
    """Return the error for a name of the original that is not supported, or for one that it does not have."""
    name = name.removeprefix("theano.")
    found = why_refused(name) if why is None else why
    if found is None:
        return RefusedError(f"theano.{name} is not supported")
    return RefusedError(f"theano.{name} is not supported: {found[0]}; nearest: {found[1]}")


class RefusedMethod:
    """A method that is refused: calling it says why."""

    def __init__(self, name: str, refusal: tuple[str, str]) -> None:
        self.name = name
        self.refusal = refusal

    def __call__(self, *_: Any, **__: Any) -> Any:
        raise refused(self.name, self.refusal)


class RefusedAttribute(RefusedMethod):
    """An attribute that is refused: asking an object for it says why."""

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else self()


def asked(path: str) -> Callable[[str], Any]:
    """Return what a module does when it is asked for a name that it does not have."""
    inner = path.removeprefix(PACKAGE).removeprefix(".")

    def missing(name: str) -> Any:
        whole = f"{inner}.{name}" if inner else name
        if whole in ALIASES:
            target = ALIASES[whole]
            return resolve_name(target if ":" in target else f"{PACKAGE}.{target}")
        if name in REPEATED and inner not in MODULES and inner != REPEATED[name]:
            return getattr(sys.modules[f"{PACKAGE}.{REPEATED[name]}".rstrip(".")], name)
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
            module.__getattr__ = asked(path)
    for table, kind in ((REFUSED_METHODS, RefusedMethod), (REFUSED_ATTRIBUTES, RefusedAttribute)):
        for owner, (why, names) in table.items():
            for name in names.split():
                setattr(resolve_name(f"{PACKAGE}.{owner}"), name, kind(f"{owner}.{name}", why))
