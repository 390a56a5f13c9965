"""The native backend against the reference: every case of every card, in every dtype that it takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from septet.backends.cpu.program import CpuProgram
from septet.backends.reference.program import ReferenceProgram
from septet.base import dtypes
from septet.base.dtypes import DType
from septet.base.errors import DTypeError, SeptetError
from septet.graph.graph import Graph
from septet.graph.node import symbol
from septet.graph.op import BadCase, Case, Op, as_array
from septet.graph.types import tensor_type
from septet.run.programs import REFERENCE
from tests.conformance.support import CARDS, CASES, case_id, draw, floats_of, outputs_of, scaled_difference

BAD = [(op, case) for op in CARDS for case in op.bad_cases]
ULPS = 8  # what two ways of computing a function may differ by, in units of the largest element


def graph_of(op: Op, arrays: list[Any], params: dict[str, Any]) -> Graph:
    """A graph of one op, with its arguments as inputs."""
    inputs = [symbol(tensor_type(a.dtype, a.shape)) for a in arrays]
    return Graph(inputs, outputs_of(op(*inputs, **params)))


def compare(op: Op, case: Case, dtype: DType) -> None:
    arrays = [as_array(np.asarray(a)) for a in draw(op, case, dtype)]
    graph = graph_of(op, arrays, case.params)
    if any(None in node.shape for node in graph.outputs):
        pytest.skip("the shape of the result depends on data")
    expected = ReferenceProgram(graph)(arrays)
    found = CpuProgram(graph, REFERENCE)(arrays)
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape
        if dtypes.is_differentiable(b.dtype):
            precision = ULPS * float(np.finfo(dtypes.accumulator_of(dtypes.real_of(b.dtype))).eps)
            assert scaled_difference(a, b) <= max(precision, 4 * case_tolerance(op, case, b.dtype)), dtype
        else:
            np.testing.assert_array_equal(a, b)


def case_tolerance(op: Op, case: Case, dtype: DType) -> float:
    """The tolerance that a card states is for float32."""
    return (case.tolerance or op.tolerance) if dtypes.real_of(dtype).itemsize < 8 else 1e-12


@pytest.mark.parametrize("pair", CASES, ids=case_id)
def test_values(pair: tuple[Op, Case]) -> None:
    op, case = pair
    count = 0
    for dtype in dtypes.ALL if floats_of(op, case) else [dtypes.float64]:
        if "results" in case.params and dtype != dtypes.float64:
            continue  # a callback's function declares its types
        try:
            compare(op, case, dtype)
        except DTypeError:
            continue
        count += 1
    assert count, "no dtype is accepted"


@pytest.mark.parametrize("pair", BAD, ids=lambda pair: f"{pair[0].name}-{pair[0].bad_cases.index(pair[1])}")
def test_bad_values_raise_the_same_error(pair: tuple[Op, BadCase]) -> None:
    """What only values show to be wrong is found by native code too, with the text of the reference."""
    op, case = pair
    arrays = [as_array(np.asarray(a)) for a in case.arrays(op)]
    try:
        graph = graph_of(op, arrays, case.params)
        program = CpuProgram(graph, REFERENCE)
    except SeptetError:
        pytest.skip("found when the op is recorded")
    if any(None in node.shape for node in graph.outputs):
        pytest.skip("the shape of the result depends on data")
    with pytest.raises(case.error, match=case.match.replace("(", r"\(").replace(")", r"\)")):
        program(arrays)
