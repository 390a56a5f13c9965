"""Every elementwise op and reduction is computed in kernels in every dtype that it takes, or there is a reason."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from septet.backends.cpu import elements, short_floats
from septet.backends.cpu.ops.library import LIBRARY
from septet.backends.cpu.planner import Planner
from septet.backends.cpu.regions import role
from septet.base import dtypes
from septet.base.errors import SeptetError
from septet.graph.graph import Graph
from septet.graph.node import Node, symbol
from septet.graph.op import ELEMENTWISE, REDUCTION, Op
from septet.graph.types import tensor_type
from tests.conformance.support import CARDS

OPS = [op for op in CARDS if op.kind in (ELEMENTWISE, REDUCTION)]


def nodes_of(op: Op) -> Iterator[tuple[list[Node], Node]]:
    """Inputs and a node of an op for every dtype, or pair of dtypes, that it takes."""
    case = op.cases[0]
    for dtype in dtypes.ALL:
        own = [dtype] * len(case.args)
        if op.name == "where":
            own[0] = dtypes.bool_
        shape = (2, 4, 4) if op.name.endswith("_pool") else (3, 4)
        for params in [{"dtype": d} for d in dtypes.ALL] if op.name == "cast" else [case.params]:
            symbols = [symbol(tensor_type(d, shape)) for d in own]
            try:
                node = op(*symbols, **params)
            except SeptetError:
                continue
            yield symbols, node


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
def test_ops_are_in_kernels_or_there_is_a_reason(op: Op) -> None:
    count = 0
    for symbols, node in nodes_of(op):
        count += 1
        operands = [source.dtype.name for source in node.inputs]
        reason = elements.reason(op.name, operands, node.dtype.name)
        is_there = role(node) is not None or (op.name in LIBRARY.table and reason is None)
        assert is_there == (reason is None), (operands, node.dtype, reason)
        if is_there:
            planner = Planner(Graph(symbols, [node]), LIBRARY)
            assert all(step.is_native for step in planner.steps), (operands, node.dtype)
    assert count


def test_reasons_name_ops_and_kinds_that_there_are() -> None:
    assert {name for name, _ in elements.REASONS} <= {op.name for op in OPS}
    assert {kind for _, kind in elements.REASONS} <= set("biuf")


def test_without_conversions_float16_is_left_to_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(short_floats, "has_half", lambda: False)
    assert not elements.supports("add", ["float16", "float16"], "float16")
    assert "float16" in (elements.reason("add", ["float16", "float16"], "float16") or "")
    assert elements.supports("add", ["bfloat16", "bfloat16"], "bfloat16")
