"""Every bad case raises its error, with the whole report, whether the arguments hold data or are symbols."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from septet.base import dtypes
from septet.base.errors import ArgumentError, SeptetError
from septet.graph.context import context
from septet.graph.node import symbol
from septet.graph.op import BadCase, Op
from tests.conformance.support import CARDS, leaf, outputs_of, value

BAD = [(op, case) for op in CARDS for case in op.bad_cases]


def bad_id(pair: tuple[Op, BadCase]) -> str:
    """A readable test id."""
    return f"{pair[0].name}-{list(pair[0].bad_cases).index(pair[1])}"


def check_report(text: str, op: Op, case: BadCase, nodes: list[Any]) -> None:
    """The message, the op's name first, each argument's dtype and shape, the user's file and line, code and command."""
    assert case.match in text.split("\n")[0]
    assert text.startswith(f"{op.name}: ")
    for node in nodes:
        assert f"{node.dtype.name}[{', '.join(map(str, node.shape))}]" in text
    assert "test_bad_cases.py:" in text
    assert f"[{case.error.code}] septet errors {case.error.code}" in text


@pytest.mark.parametrize("pair", BAD, ids=bad_id)
def test_bad_case(pair: tuple[Op, BadCase]) -> None:
    """The error comes when the op is recorded or, where it is about values, computed."""
    op, case = pair
    nodes = [leaf(a) for a in case.arrays(op, dtypes.float64)]
    with pytest.raises(case.error) as caught:
        for output in outputs_of(op(*nodes, **case.params)):
            value(output)
    check_report(str(caught.value), op, case, nodes)


@pytest.mark.parametrize("pair", [pair for pair in BAD if not pair[0].is_immediate], ids=bad_id)
def test_bad_case_on_symbols(pair: tuple[Op, BadCase], monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong about types is said in the same words while a graph is built."""
    op, case = pair
    nodes = [leaf(a) for a in case.arrays(op, dtypes.float64)]
    monkeypatch.setattr(context, "limit", sys.maxsize)  # nothing is evaluated by itself: only types speak
    try:
        op(*nodes, **case.params)
    except SeptetError as error:
        first = str(error).split("\n")[0]
    else:
        pytest.skip("it is about values, which symbols do not have")
    symbols = [symbol(node.tensor_type) for node in nodes]
    with pytest.raises(case.error) as caught:
        op(*symbols, **case.params)
    check_report(str(caught.value), op, case, symbols)
    assert str(caught.value).split("\n")[0] == first


@pytest.mark.parametrize("op", [op for op in CARDS if not op.is_variadic], ids=lambda op: op.name)
def test_wrong_number_of_inputs(op: Op) -> None:
    """The message names the inputs that the op takes, and how many there were."""
    count = len(op.input_names) + 1
    with pytest.raises(ArgumentError) as caught:
        op(*[leaf(1.0)] * count)
    first = str(caught.value).split("\n")[0]
    assert first == f"{op.name}: {op.name} takes {count - 1} inputs ({', '.join(op.input_names)}), got {count}"
    assert "test_bad_cases.py:" in str(caught.value)


@pytest.mark.parametrize("op", [op for op in CARDS if op.param_names], ids=lambda op: op.name)
def test_misspelled_parameter(op: Op) -> None:
    """The message names the nearest parameter."""
    name = op.param_names[0]
    with pytest.raises(ArgumentError) as caught:
        op(*[leaf(1.0)] * len(op.input_names), **{name + "e": 1})
    assert f"has no parameter {name + 'e'!r}" in str(caught.value)
    assert f"did you mean {name!r}?" in str(caught.value)
