"""What nodes cost, as their cards say."""

import pytest

import septet as st
from septet.graph.cost import flops, total
from septet.graph.graph import order
from septet.graph.op import CONTRACTION, all_ops, card, get
from septet.graph.types import TensorType


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda x: x + 1, 12),
        (lambda x: st.exp(x), 12),
        (lambda x: x.sum(axis=0), 12),
        (lambda x: x.reshape(4, 3), 0),
        (lambda x: x @ st.ones((4, 5)), 2 * 3 * 4 * 5),
        (lambda x: st.max_pool(x, (2,)), 3 * 2 * 2),
        (lambda x: st.conv(x.reshape(1, 3, 4), st.ones((5, 3, 2))), 2 * 5 * 3 * 3 * 2),
    ],
)
def test_costs(make, expected):
    assert flops(make(st.symbol("x", (3, 4))).node) == expected


def test_unknown_sizes_count_as_one():
    assert flops((st.symbol("x", (None, 4)) @ st.ones((4, 5))).node) == 40


def test_loops_cost_as_much_as_their_steps():
    x = st.symbol("x", (7, 3))
    carry, _ = st.scan(lambda carry, row: (carry + row * 2, carry), st.zeros(3), x)
    assert total(order([carry.node])) == 7 * 6


def test_every_case_of_every_card_has_a_cost():
    for op in all_ops():
        assert op.kind != CONTRACTION or op.flops is not None
        for case in op.cases[:1] if op.flops is None else op.cases:
            node = op(*case.arrays(op), **case.params)
            if isinstance(node.type, TensorType):
                assert flops(node) >= 0


def test_a_contraction_says_what_it_costs():
    dot = get("dot_general")
    with pytest.raises(ValueError, match="says how many"):
        card("no_cost", "a b", summary="", shape=dot.shape, dtype=dot.dtype, reference=dot.reference, kind=CONTRACTION,
             gradient=dot.gradient)  # fmt: skip
