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
import types as _types
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
from septet.base.hooks import register_hook as _register_hook
from septet.graph.graph import Graph
from septet.run import gradients as _gradients
from septet.run.compile import compile
from septet.run.eager import evaluate_tensors as evaluate
from septet.run.function import eval_ as _eval
from septet.run.function import function
from septet.run.gradients import enable_grad, is_grad_enabled, no_grad
from septet.run.tiers import compiles
from septet.tensor import namespace as _namespace
from septet.tensor import random
from septet.tensor.control import call, cond, fori_loop, map, scan, while_loop
from septet.tensor.creation import asarray, from_dlpack, owned, symbol, tensor
from septet.tensor.io import callback, check_finite, check_that, print
from septet.tensor.standard import API_VERSION as __array_api_version__
from septet.tensor.standard import astype, broadcast_shapes, can_cast, finfo, iinfo, isdtype, result_type
from septet.tensor.standard import namespace_info as __array_namespace_info__
from septet.tensor.tensor import Tensor
from septet.tensor.variable import Variable
from septet.transform import hooks as _hooks
from septet.transform.custom import custom_gradient, remat
from septet.transform.functional import grad, jvp, linearize, lop, rop, value_and_grad, vjp
from septet.transform.jacobian import hessian, hvp, jacfwd, jacobian, jacrev
from septet.transform.vmap import vmap

__version__ = "0.1.0"

__all__ = [
    "Tensor", "Variable", "Graph", "config", "errors", "random", "tensor", "asarray", "from_dlpack", "owned", "symbol",
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "float16", "bfloat16", "float32", "float64", "complex64", "complex128",
    "compile", "function", "evaluate", "call", "cond", "fori_loop", "map", "scan", "while_loop",
    "enable_grad", "is_grad_enabled", "no_grad", "custom_gradient", "remat",
    "grad", "jvp", "linearize", "lop", "rop", "value_and_grad", "vjp",
    "hessian", "hvp", "jacfwd", "jacobian", "jacrev", "vmap", "callback", "check_finite", "check_that", "print",
    "astype", "broadcast_shapes", "can_cast", "finfo", "iinfo", "isdtype", "result_type",
    "check", "compiles", "explain", "profile", "__array_api_version__", "__array_namespace_info__",
    "pi", "e", "inf", "nan", "newaxis",
]  # fmt: skip

Tensor.backward = _gradients.backward  # type: ignore[attr-defined]
Tensor.register_hook = _hooks.register_hook  # type: ignore[attr-defined]
Tensor.eval = _eval  # type: ignore[attr-defined]

_spaces = _namespace.install()
for _name, _value in _spaces[""].items():
    globals().setdefault(_name, _value)
for _space, _functions in _spaces.items():
    if _space and _space != "random":
        _module = _types.ModuleType(f"{__name__}.{_space}", f"The functions of ``st.{_space}``.")
        _module.__dict__.update(_functions)
        globals()[_space] = _module
__all__ += [_name for _name in (*_spaces[""], *_spaces) if _name and _name not in __all__]

pi, e, inf, nan, newaxis = _math.pi, _math.e, _math.inf, _math.nan, None

if _TYPE_CHECKING:
    from septet.run.check import check
    from septet.run.explain import explain
    from septet.run.profile import profile

_LAZY = ("nn", "optim", "data", "train", "metrics", "io", "view")
_LAZY_NAMES = {"check": "septet.run.check", "explain": "septet.run.explain", "profile": "septet.run.profile"}


def _train() -> _Any:
    return __getattr__("train")


_register_hook("train", _train)


def __getattr__(name: str) -> _Any:
    """Import the library's folders, and what only looks at programs, when they are first used."""
    if name not in _LAZY and name not in _LAZY_NAMES:
        raise AttributeError(f"module 'septet' has no attribute {name!r}")
    import importlib

    if name in _LAZY:
        return importlib.import_module(f"septet.{name}")
    found = globals()[name] = getattr(importlib.import_module(_LAZY_NAMES[name]), name)
    return found
