"""Septet: deep learning in Python, define-by-run and symbolic on one graph.

>>> import septet as st
>>> w = st.Variable([1.0, 2.0])
>>> loss = (w * w).sum()
>>> loss.backward()
>>> w.grad
tensor([2., 4.], dtype=float32)
"""

from __future__ import annotations

import math as _math
from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

from septet.base import errors
from septet.base.config import config
from septet.base.dtypes import (
    bfloat16,
    complex64,
    complex128,
    float16,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    uint8,
    uint16,
    uint32,
    uint64,
)
from septet.base.dtypes import bool_ as bool
from septet.base.forks import work as _work
from septet.base.garbage import paused as _paused
from septet.base.hooks import register_hook as _register_hook
from septet.base.text import did_you_mean as _did_you_mean
from septet.graph.graph import Graph
from septet.run import gradients as _gradients
from septet.run.eager import evaluate_tensors as evaluate
from septet.run.gradients import enable_grad, is_grad_enabled, no_grad
from septet.tensor import namespace as _namespace
from septet.tensor.creation import asarray, from_dlpack, owned, symbol, tensor
from septet.tensor.tensor import VERSIONS as _VERSIONS
from septet.tensor.tensor import Tensor
from septet.tensor.variable import Variable
from septet.transform import hooks as _hooks

__version__ = "0.1.0"
__array_api_version__ = _VERSIONS[-1]

__all__ = [
    "Tensor", "Variable", "Graph", "config", "errors", "random", "tensor", "asarray", "from_dlpack", "owned", "symbol",
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "float16", "bfloat16", "float32", "float64", "complex64", "complex128",
    "compile", "function", "evaluate", "call", "cond", "fori_loop", "map", "scan", "while_loop",
    "amp", "enable_grad", "is_grad_enabled", "no_grad", "custom_gradient", "remat",
    "grad", "jvp", "linearize", "lop", "rop", "value_and_grad", "vjp",
    "hessian", "hvp", "jacfwd", "jacobian", "jacrev", "vmap", "callback", "check_finite", "check_that", "print",
    "astype", "broadcast_shapes", "can_cast", "finfo", "iinfo", "isdtype", "result_type",
    "check", "compiles", "explain", "profile", "__array_api_version__", "__array_namespace_info__",
    "pi", "e", "inf", "nan", "newaxis",
]  # fmt: skip

Tensor.backward = _gradients.backward  # type: ignore[attr-defined]
Tensor.register_hook = _hooks.register_hook  # type: ignore[attr-defined]

pi, e, inf, nan, newaxis = _math.pi, _math.e, _math.inf, _math.nan, None

if _TYPE_CHECKING:
    from septet.run.check import check
    from septet.run.compile import compile
    from septet.run.explain import explain
    from septet.run.function import function
    from septet.run.hot import compiles
    from septet.run.profile import profile
    from septet.tensor import random
    from septet.tensor.control import call, cond, fori_loop, map, scan, while_loop
    from septet.tensor.io import callback, check_finite, check_that, print
    from septet.tensor.standard import (
        __array_namespace_info__,
        astype,
        broadcast_shapes,
        can_cast,
        finfo,
        iinfo,
        isdtype,
        result_type,
    )
    from septet.transform.amp import amp
    from septet.transform.custom import custom_gradient, remat
    from septet.transform.functional import grad, jvp, linearize, lop, rop, value_and_grad, vjp
    from septet.transform.jacobian import hessian, hvp, jacfwd, jacobian, jacrev
    from septet.transform.vmap import vmap

# What is imported when it is first used: modules, names of modules, and names of families of ops.
_MODULES = {
    **{folder: folder for folder in ("nn", "optim", "data", "train", "metrics", "io", "view")},
    "random": "tensor.random",
}
_NAMES = {
    "run.check": ("check",),
    "run.compile": ("compile",),
    "run.explain": ("explain",),
    "run.function": ("function",),
    "run.hot": ("compiles",),
    "run.profile": ("profile",),
    "tensor.control": ("call", "cond", "fori_loop", "map", "scan", "while_loop"),
    "tensor.io": ("callback", "check_finite", "check_that", "print"),
    "tensor.standard": (
        *("__array_namespace_info__", "astype", "broadcast_shapes", "can_cast", "finfo", "iinfo", "isdtype"),
        "result_type",
    ),
    "transform.amp": ("amp",),
    "transform.custom": ("custom_gradient", "remat"),
    "transform.functional": ("grad", "jvp", "linearize", "lop", "rop", "value_and_grad", "vjp"),
    "transform.jacobian": ("hessian", "hvp", "jacfwd", "jacobian", "jacrev"),
    "transform.vmap": ("vmap",),
}
_PLACES = {name: module for module, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> _Any:
    """Import what is imported when it is first used."""
    if name in _MODULES:
        with _work, _paused:
            found: _Any = _import_module(f"septet.{_MODULES[name]}")
    elif name in _PLACES:
        with _work, _paused:
            found = getattr(_import_module(f"septet.{_PLACES[name]}"), name)
    else:
        found = _namespace.find(name)
        if found is None:
            raise AttributeError(f"module 'septet' has no attribute {name!r}{_hint(name)}")
    globals()[name] = found
    return found


def _hint(name: str) -> str:
    """Return what may have been meant, for an error; nothing for the names that Python itself asks for."""
    if name.startswith("_"):
        return ""
    if name in ("device", "cuda", "gpu"):
        return ": Septet computes on the processor; `septet doctor` shows its threads"
    likely = _did_you_mean(name, __dir__())
    return likely and f".{likely}"


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_MODULES})


_namespace.install()
__all__ += sorted(_namespace.names().difference(__all__))
_register_hook("view", lambda: _import_module("septet.view"))
_register_hook("io", lambda: _import_module("septet.io"))
_register_hook("train", lambda: _import_module("septet.train"))
_register_hook("eval", lambda: _import_module("septet.run.function").eval_)
