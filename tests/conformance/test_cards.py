"""Every card is complete."""

from __future__ import annotations

import pytest

from septet.graph.op import ELEMENTWISE, LEAF, Op, all_functions
from tests.conformance.support import CARDS

NO_WRONG_CALL = {
    "array_equal": "any two tensors can be compared",
    "unique": "it takes one tensor of any type, and no parameters",
}


def takes_anything(op: Op) -> bool:
    """Tell whether only the number of inputs can be wrong: one input of any shape and dtype, no parameters."""
    is_unary = op.kind == ELEMENTWISE and len(op.input_names) == 1 and not op.is_variadic and not op.param_names
    return is_unary or op.name in NO_WRONG_CALL


@pytest.mark.parametrize("op", CARDS, ids=lambda op: op.name)
def test_card_is_complete(op: Op) -> None:
    """Docs, cases, parameters, and a gradient and a batching rule or the reason why there is none."""
    assert op.summary.endswith(".") and op.summary[0].isupper() and "\n" not in op.summary
    assert op.cases, "no cases"
    assert op.bad_cases or takes_anything(op), "no bad cases"
    assert (op.gradient is None) == bool(op.no_gradient)
    for name in op.param_names:
        assert op.param_docs.get(name, "").endswith("."), f"parameter {name} is not documented"
    assert set(op.param_docs) <= set(op.param_names), "docs of parameters that do not exist"
    if op.kind not in (ELEMENTWISE, LEAF):
        assert (op.batch is None) == bool(op.no_batch), "a batching rule, or the reason why there is none"


@pytest.mark.parametrize("op", [op for op in CARDS if op.gradient is not None], ids=lambda op: op.name)
def test_gradient_is_tested(op: Op) -> None:
    """A card with a gradient has a case on which it is tested, or says by what other means it is."""
    elsewhere = {
        "stop_gradient": "its gradient is none",
        "custom_gradient": "its gradient is what the user says; see tests/transform/test_custom.py",
        "log_gamma_sample": "its gradient is that of a distribution; see tests/ops/test_gamma.py",
    }
    assert any(case.gradient for case in op.cases) != (op.name in elsewhere)


def test_public_names_are_unique() -> None:
    """No two cards or functions share a public name or an alias."""
    names = [name for op in CARDS if op.is_public for name in (op.name, *op.aliases)]
    for full, entry in all_functions().items():
        space = full.rpartition(".")[0]
        names += [full, *[f"{space}.{alias}" if space else alias for alias in entry.aliases]]
    twice = sorted({name for name in names if names.count(name) > 1})
    assert not twice


def test_methods_are_unique() -> None:
    """No two cards or functions give tensors a method of the same name."""
    names = [name for op in CARDS for name in (*op.methods, *op.operators)]
    names += [name for entry in all_functions().values() for name in entry.methods]
    twice = sorted({name for name in names if names.count(name) > 1})
    assert not twice
