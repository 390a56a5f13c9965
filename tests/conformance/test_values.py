"""Every case in every dtype that a card takes: the type recorded, and the value against the widest float."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from septet.backends.reference.program import run_graph
from septet.base import dtypes
from septet.base.dtypes import KIND, DType
from septet.base.errors import DTypeError
from septet.graph.node import Node
from septet.graph.op import Case, Op
from septet.graph.reference import compute
from septet.graph.types import TensorType
from tests.conformance.support import CASES, call, case_id, draw, floats_of, leaf, outputs_of, scaled_difference, value

# What a short float loses when its inputs are rounded and its results are: a few units in its last place.
PRECISION = {dtypes.float32: 0.0, dtypes.complex64: 0.0, dtypes.float16: 4e-3, dtypes.bfloat16: 3e-2}
# Results that depend on the dtype itself, so that there is no value in float64 to compare with.
OF_THE_DTYPE = {"nextafter"}
LOSSY = {"cast", "real"}  # what drops the imaginary part on purpose


def accepted(op: Op, case: Case, dtype: DType) -> Node | None:
    """The node of a case with its random floats in a dtype, or None where the card does not take it."""
    if "results" in case.params and dtype != dtypes.float64:
        return None  # a callback's function declares its types
    try:
        return op(*[leaf(a) for a in draw(op, case, dtype)], **case.params)
    except DTypeError:
        return None


@pytest.mark.parametrize("pair", CASES, ids=case_id)
def test_recorded_type_is_that_of_the_value(pair: tuple[Op, Case]) -> None:
    """For each dtype that the card takes, dtype and shape of the value are what was recorded."""
    op, case = pair
    count = 0
    for dtype in dtypes.ALL if floats_of(op, case) else [dtypes.float64]:
        node = accepted(op, case, dtype)
        if node is None:
            continue
        count += 1
        for output in outputs_of(node):
            found = value(output)
            assert found.dtype == output.dtype, (dtype, output.type, found.dtype)
            assert TensorType(found.dtype, output.shape).accepts(TensorType(found.dtype, found.shape)), (
                dtype, output.type, found.shape,
            )  # fmt: skip
    assert count, "no dtype is accepted"


@pytest.mark.parametrize("pair", CASES, ids=case_id)
def test_reference_makes_no_higher_kind(pair: tuple[Op, Case]) -> None:
    """Converting what the reference returns to the recorded dtype drops nothing: no float becomes an integer."""
    op, case = pair
    if op.name in LOSSY:
        pytest.skip("its purpose is to drop something")
    op_reference = op.reference
    for dtype in (dtypes.float64, dtypes.float32, dtypes.bfloat16, dtypes.complex128, dtypes.int32, dtypes.bool_):
        node = accepted(op, case, dtype)
        if node is None or not node.inputs:
            continue
        seen: list[Any] = []

        is_tuple = isinstance(node.type, tuple)

        def reference(*arrays: Any, _seen: list[Any] = seen, _is_tuple: bool = is_tuple, **words: Any) -> Any:
            result = op_reference(*arrays, **words)
            _seen.extend(result if _is_tuple else [result])
            return result

        op.reference = reference
        try:
            compute(node, [value(source) for source in node.inputs], run_graph)
        finally:
            op.reference = op_reference
        types = node.type if isinstance(node.type, tuple) else (node.type,)
        for raw, type_ in zip(seen, types, strict=True):
            made = np.asarray(raw).dtype
            assert made in KIND, (dtype, made)
            assert KIND[made] <= KIND[type_.dtype], (dtype, made, type_)


CLOSE = [(op, case) for op, case in CASES if floats_of(op, case) and op.name not in OF_THE_DTYPE]


@pytest.mark.parametrize("pair", CLOSE, ids=case_id)
def test_value_agrees_with_the_widest_float(pair: tuple[Op, Case]) -> None:
    """The shorter floats agree with float64, complex64 with complex128, within the card's tolerance."""
    op, case = pair
    chosen = floats_of(op, case)
    for dtype, precision in PRECISION.items():
        if accepted(op, case, dtype) is None:
            continue
        wide = dtypes.complex128 if dtypes.is_complex(dtype) else dtypes.float64
        arrays = case.arrays(op, dtype)
        exact = [a.astype(wide) if i in chosen else a for i, a in enumerate(arrays)]
        tolerance = max(case.tolerance or op.tolerance, precision) * 10
        for a, b in zip(call(op, arrays, case.params), call(op, exact, case.params), strict=True):
            if dtypes.is_differentiable(a.dtype):
                assert scaled_difference(a, b) <= tolerance, dtype
