"""Every card is complete."""

from __future__ import annotations

import pytest

from septet.graph.op import LEAF, Op
from tests.conformance.support import CARDS

NO_BAD_CASES = {
    "takes any number and any shape": {"conj", "real", "imag", "identity", "stop_gradient", "reciprocal"},
}


@pytest.mark.parametrize("op", CARDS, ids=lambda op: op.name)
def test_card_is_complete(op: Op) -> None:
    """Docs, cases, parameters, and a gradient and a batching rule or the reason why there is none."""
    assert op.summary.endswith(".") and op.summary[0].isupper()
    assert op.cases, "no cases"
    assert (op.gradient is None) == bool(op.no_gradient)
    for name in op.param_names:
        assert op.param_docs.get(name), f"parameter {name} is not documented"
    if op.kind not in ("elementwise", LEAF):
        assert op.batch is not None or op.no_batch, "neither a batching rule nor a reason"


def test_names_are_unique() -> None:
    """No two cards share a public name or alias."""
    names = [name for op in CARDS if op.is_public for name in (op.name, *op.aliases)]
    assert len(names) == len(set(names))
