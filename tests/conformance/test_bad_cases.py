"""Every bad case raises its error, with the whole report."""

from __future__ import annotations

from typing import Any

import pytest

from septet.base import dtypes
from septet.graph.op import BadCase, Op
from tests.conformance.support import CARDS, leaf, outputs_of, value

BAD = [(op, case) for op in CARDS for case in op.bad_cases]


@pytest.mark.parametrize("pair", BAD, ids=lambda pair: f"{pair[0].name}-{list(pair[0].bad_cases).index(pair[1])}")
def test_bad_case(pair: tuple[Op, BadCase]) -> None:
    """The class, the message, the op's name, every argument's shape, the user's file, the code and the page."""
    op, case = pair
    nodes: list[Any] = [leaf(a) for a in case.arrays(op, dtypes.float64)]
    with pytest.raises(case.error) as caught:
        for output in outputs_of(op(*nodes, **case.params)):
            value(output)
    text = str(caught.value)
    assert case.match in text
    assert text.startswith(f"{op.name}: ")
    assert f"[{case.error.code}]" in text
    assert "test_bad_cases.py" in text
    if "takes" not in text.split("\n")[0]:
        for node in nodes:
            assert f"{node.dtype.name}[{', '.join(map(str, node.shape))}]" in text
