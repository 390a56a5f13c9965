"""Every case in every dtype that a card takes: the type recorded, and the value against float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from septet.base import dtypes
from septet.base.errors import DTypeError
from septet.graph.op import Case, Op
from tests.conformance.support import CASES, call, case_id, leaf, outputs_of, value

FLOATS = [dtypes.float32, dtypes.float64, dtypes.float16, dtypes.bfloat16, dtypes.complex64, dtypes.complex128]
INTEGERS = [dtypes.bool_, dtypes.int8, dtypes.int32, dtypes.int64, dtypes.uint8, dtypes.uint64]
PRECISION = {dtypes.float16: 2e-3, dtypes.bfloat16: 2e-2}


def arguments(op: Op, case: Case, dtype: Any) -> list[Any]:
    """The case's arguments with random floats in a dtype; integers for integer dtypes."""
    if dtypes.is_differentiable(dtype):
        return case.arrays(op, dtype)
    wide = case.arrays(op, dtypes.float64)
    return [np.abs(np.round(a)).astype(dtype) if isinstance(c, tuple) else a for c, a in zip(case.args, wide, strict=True)]


@pytest.mark.parametrize("pair", CASES, ids=case_id)
def test_recorded_type_is_the_value_type(pair: tuple[Op, Case]) -> None:
    """For each dtype that the card accepts, dtype and shape of the value are what was recorded."""
    op, case = pair
    accepted = 0
    is_fixed = "results" in case.params  # callbacks declare their dtypes
    for dtype in [dtypes.float64] if is_fixed else FLOATS + INTEGERS:
        arrays = arguments(op, case, dtype)
        try:
            node = op(*[leaf(a) for a in arrays], **case.params)
        except DTypeError:
            continue
        accepted += 1
        for output in outputs_of(node):
            recorded = output.type
            found = value(output)
            assert found.dtype == recorded.dtype, (dtype, recorded, found.dtype)
            assert len(found.shape) == recorded.ndim
            assert all(s is None or s == n for s, n in zip(recorded.shape, found.shape, strict=True)), (recorded, found.shape)
    assert accepted, "no dtype is accepted"


@pytest.mark.parametrize("pair", CASES, ids=case_id)
def test_value_agrees_with_float64(pair: tuple[Op, Case]) -> None:
    """Float32 and the short floats agree with float64 within the card's tolerance."""
    op, case = pair
    if op.is_higher_order or op.name == "nextafter" or "results" in case.params or not any(isinstance(a, tuple) for a in case.args):
        return
    for dtype in (dtypes.float32, dtypes.float16, dtypes.bfloat16):
        arrays = case.arrays(op, dtype)
        exact = [a.astype(np.float64) if isinstance(c, tuple) and a.dtype == dtype else a
                 for c, a in zip(case.args, arrays, strict=True)]  # fmt: skip
        try:
            found = call(op, arrays, case.params)
        except DTypeError:
            continue
        expected = call(op, exact, case.params)
        tolerance = max(case.tolerance or op.tolerance, PRECISION.get(dtype, 0.0)) * 10
        for a, b in zip(found, expected, strict=True):
            if not dtypes.is_differentiable(a.dtype):
                continue
            b = b.astype(np.complex128 if dtypes.is_complex(b.dtype) else np.float64)
            scale = max(1.0, float(np.max(np.abs(b[np.isfinite(b)]), initial=0.0)))
            np.testing.assert_allclose(a.astype(b.dtype), b, rtol=tolerance, atol=tolerance * scale)
