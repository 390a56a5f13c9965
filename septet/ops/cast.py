"""Conversion between dtypes."""

from __future__ import annotations

from typing import Any

import numpy as np

from septet.base import dtypes
from septet.base.dtypes import DType
from septet.base.errors import DTypeError
from septet.graph.node import Node
from septet.graph.op import ELEMENTWISE, REQUIRED, BadCase, Case, Op, card
from septet.graph.types import TensorType
from septet.ops.rules import same_shape


def _canonical(types: tuple[TensorType, ...], dtype: Any) -> dict[str, Any]:
    return {"dtype": dtypes.as_dtype(dtype)}


def _reference(x: np.ndarray, dtype: DType) -> np.ndarray:
    if dtypes.is_complex(x.dtype) and not dtypes.is_complex(dtype) and dtype != dtypes.bool_:
        x = x.real
    with np.errstate(invalid="ignore", over="ignore"):
        return x.astype(dtype)


def _gradient(g: Node, y: Node, x: Node, dtype: DType) -> tuple[Node | None]:
    if not (dtypes.is_differentiable(x.dtype) and dtypes.is_differentiable(dtype)):
        return (None,)
    return (cast(g, dtype=x.dtype),)


cast: Op = card(
    "cast", "x", params={"dtype": REQUIRED}, kind=ELEMENTWISE,
    param_docs={"dtype": "The dtype to convert to."},
    summary="Convert to another dtype.",
    notes="Floats are truncated towards zero when they become integers; a complex number loses its imaginary part.",
    shape=same_shape, dtype=lambda x, dtype: ((x,), dtype), canonical=_canonical,
    reference=_reference, gradient=_gradient, linear="all",
    cases=[Case((3, 4), dtype="float32", gradient=False), Case((3,), dtype="float64"), Case((2, 0), dtype="float64"),
           Case((3,), dtype="int32", gradient=False), Case((3,), dtype="bool", gradient=False)],
    bad=[BadCase((3,), dtype="float31", error=DTypeError, match="there is no dtype 'float31'")],
)  # fmt: skip
