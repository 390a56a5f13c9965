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
_LINKERS = ("functions are compiled by Septet, not linked from ops", "theano.function, MonitorMode")
_OBSERVERS = ("nobody is told when variables are made", "gof.graph.ancestors, after they were made")

_REFUSED: tuple[tuple[tuple[str, str], str], ...] = (
    (
        _C,
        "*CLinkerObject gof.HideC gof.*Params* gof.*Enum* gof.type.CDataType* gof.cc gof.cmodule "
        "gof.compilelock gof.params_type gof.utils.hash_from_* tensor.blas_* gof.op.*_meth "
        "tensor.elemwise_cgen tensor.nnet.conv.gen_conv_code_* tensor.*.PoolingMode_t "
        "compile.register_*_c_code scalar.*omposite*32 tensor.inc_code tensor.ParamsType",
    ),
    (
        ("normalization is made of elementwise ops and means, not an op", "tensor.nnet.bn.batch_normalization_*"),
        "tensor.nnet.bn.AbstractBatchNorm* tensor.nnet.bn.BNComposite",
    ),
    (("sparse matrices are kept by rows or by columns", "sparse.csr_matrix, sparse.csc_matrix"), "sparse.*bsr_*"),
    (
        ("random sparse matrices are not drawn", "SciPy's sparse.random, with sparse.shared; tensor.raw_random"),
        "sparse.sandbox.*",
    ),
    (
        ("graphs are rewritten by Septet's own compiler, which Theano's rewrites cannot enter", "theano.function(..., mode='FAST_RUN'), which optimizes"),
        "*local_* *.opt *.scan_opt *.optdb *make_inplace* *groupopt ifelse.cond_* ifelse.CondMerge "
        "ifelse.acceptable_ops ifelse.ifelse_lift* compile.OPT_* compile.AddDestroyHandler "
        "compile.AddFeatureOptimizer compile.PrintCurrentFunctionGraph compile.Supervisor "
        "compile.*reuse_pattern compile.alias_root compile.insert_deepcopy compile.std_fgraph "
        "compile.fgraph_updated_vars compile.view_tree_set gof.*Optimiz* gof.*DB gof.*DestroyHandler gof.*Sub "
        "gof.*Validat* gof.*_optimizer gof.optimizer gof.Bookkeeper gof.Feature gof.History gof.LocalOptGroup "
        "gof.NoOutputFromInplace gof.NodeFinder gof.OpRemove gof.PrintListener gof.Query "
        "gof.ReplacementDidntRemovedError gof.destroyhandler gof.toolbox gof.unify "
        "gof.ops_with_inner_function gof.utils.*guard toolbox tensor.opt.* tensor.opt_uncanonicalize "
        "tensor.nnet.crossentropy_to_crossentropy* tensor.nnet.graph_merge* tensor.nnet.softmax_simplifier "
        "tensor.nnet.sigm.is_* tensor.nnet.sigm.log*_* tensor.nnet.sigm.*_tree tensor.nnet.sigm.*_mul "
        "tensor.nnet.sigm.partition_* tensor.nnet.sigm.perform_* tensor.nnet.sigm.replace_leaf "
        "compile.inline_ofg_expansion compile.ops_with_inner_function gof.utils.simple_types gof.utils.ABORT "
        "gof.utils.ANY_TYPE gof.utils.FAILURE gof.utils.FALL_THROUGH gof.utils.Keyword gof.utils.RETRY "
        "gof.CachedConstantError gof.view_roots scalar.handle_c* compile.exclude",
    ),
    (("products are chosen by Septet's own compiler", "theano.tensor.dot, batched_dot, tensordot"), "tensor.blas.*"),
    (
        _LINKERS,
        "*Linker compile.ScanProfileStats compile.get_info_on_inputs compile.convert_function_input "
        "compile.register_checker compile.debugmode.* compile.nanguardmode.* compile.profiling.* "
        "compile.NODEFAULT compile.DUPLICATE gof.callcache gof.sched gof.vm",
    ),
    (
        ("the gradient of an op of linear algebra is no op of its own", "theano.grad of the op's result"),
        "tensor.slinalg.*Grad tensor.nlinalg.EighGrad",
    ),
    (
        ("it is a step of the gradient of products, which Septet has whole", "tensor.prod, ProdWithoutZeros"),
        "tensor.elemwise.mul_without_zeros tensor.elemwise.MulWithoutZeros",
    ),
    (("sorting is an op of Septet's graph", "tensor.sort, argsort, topk, argtopk"), "tensor.sort.*Op"),
    (_OBSERVERS, "gof.graph.nodes_constructed"),
    (
        ("Septet's theano runs on the CPU; `device=gpu` and `device=cuda` are not there", "the function of theano.tensor.nnet"),
        "gpuarray.* sandbox.cuda.*",
    ),
    (
        ("Septet's theano runs on the CPU, with arrays of NumPy", "theano.Op with a `perform` that copies to the device"),
        "misc.pycuda_init.* misc.pycuda_utils.* misc.cudamat_utils.* misc.gnumpy_utils.*",
    ),
    (
        ("variables are not sent between processes", "theano.shared, with values set by your own code"),
        "tensor.io tensor.io.* tensor.MPI* tensor.*send* tensor.*recv* tensor.mpi_*",
    ),
    (("files are read when they are given", "numpy.load, and theano.shared"), "tensor.LoadFromDisk tensor.load"),
    (("it is left over from the original's import", "theano.__path__"), "p rpath"),
    (("the original's own tests are not part of it", "pytest, on tests of one's own"), "test"),
    (("classes are completed without a metaclass", "gof.utils.object2"), "gof.utils.MetaObject"),
    (("the time for gradients is not added up", "septet.profile"), "gradient.grad_time"),
    (("text is printed as it is", "printing.debugprint"), "printing.use_ascii"),
    (("they are numbers of the original's own loop", "sandbox.rng_mrg.mrg_next_value"), "*np_int32_vals"),
    (("diagonals are Septet's, not NumPy's", "tensor.ExtractDiag"), "*numpy_diagonal_return_view"),
    (("constants are compared by their parts", "sparse.SparseConstant.signature"), "sparse.SparseConstantSignature"),
    (("sorting takes keys", "sorted(..., key=...), functools.cmp_to_key"), "tensor.key_to_cmp"),
    (("functions are entered in no list", "the function itself"), "tensor.constructor"),
    (
        ("all ops of known values are computed", "tensor.get_scalar_constant_value"),
        "tensor.get_scalar_constant_value_elemwises",
    ),
    (
        ("a key is read as a whole", "x[key], of which type and shape can be asked"),
        "tensor.as_index_variable tensor.adv_index_broadcastable_pattern tensor.check_a* tensor.make_constant",
    ),
    (
        ("arrays are written beside the pickle, without steps of one's own", "misc.pkl_utils.dump and load"),
        "misc.pkl_utils.*",
    ),
)  # fmt: skip
REFUSED = {name: reason for reason, names in _REFUSED for name in names.split()}
"""Public name, without ``theano.``, or a pattern of names, to the reason why it is refused and the nearest that is not.

What is in the dialect although a pattern fits is not refused.
"""
MODULES = (
    "gof.cc", "gof.cmodule", "gof.compilelock", "gof.destroyhandler", "gof.optdb", "gof.params_type",
    "gof.sched", "gof.toolbox", "gof.unify", "gof.vm", "misc.cudamat_utils", "misc.gnumpy_utils", "misc.pycuda_init",
    "misc.pycuda_utils", "scan_module.scan_opt", "sparse.sandbox", "sparse.sandbox.sp2",
    "tensor.blas_c", "tensor.blas_headers", "tensor.blas_scipy",
    "tensor.elemwise_cgen", "tensor.io", "tensor.nnet.opt", "tensor.opt_uncanonicalize",
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
        _OBSERVERS, "append_construction_observer construction_observers notify_construction_observers "
        "remove_construction_observer",
    ),
    "compile.Mode": (_LINKERS, "get_linker_optimizer"),
    "compile.OpFromGraph": (("shapes are those of the graph", "its result's shape"), "infer_shape"),
}  # fmt: skip
"""Class to a reason and methods, which say so when they are used; looking for them does no harm."""
REFUSED_ATTRIBUTES = {
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
    # modules that are imported when they are asked for
    **{name: name for name in ("configparser", "misc.ordered_set", "scalar.sharedvar", "tests")},
    "opt": "gof.opt",
    "compat.configparser": "configparser:",
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
    """A method, or an attribute of a class, that is refused: using it says why."""

    def __init__(self, name: str, refusal: tuple[str, str]) -> None:
        self.name = name
        self.refusal = refusal

    def __call__(self, *_: Any, **__: Any) -> Any:
        raise refused(self.name, self.refusal)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self()


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
