"""einsum against NumPy, by hand and on random texts; the order of contraction; what is recorded; error texts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies

import septet as st
from septet.base.errors import ArgumentError, ShapeError
from septet.graph.graph import order
from septet.ops.einsum import plan

GENERATOR = np.random.default_rng(0)
SIZES = {"i": 2, "j": 3, "k": 4, "l": 5, "b": 2}


def draw(*shape):
    return GENERATOR.normal(size=shape)


TEXTS = [
    "ij,jk->ik", "ij,jk", "ij,jk->ki", "ii", "ii->i", "ij->ji", "ji", "ij->", "i,j->ij", "ij,ij->ij", "ij,ij->",
    "bij,bjk->bik", "bij,bjk,bkl->bil", "i,ij,j", "ij,jk,kl->il", "iij->ij", "iji->j", "iii->i", "i,i,i->i", "ij,j->",
    "ij,k->j", "ij,kl->", "bij,bik->bjk", "ij,jk,ki->", "ijk,jil->kl", " i j , j k -> i k", "i,->i", ",->",
    "iij,jk->ik", "IJ,JK->KI", "ij,jk,kl,li", "bi,bj,bk->bijk",
]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_agrees_with_numpy(text):
    terms = text.replace(" ", "").split("->")[0].split(",")
    operands = [draw(*[SIZES[letter.lower()] for letter in term]) for term in terms]
    found, expected = st.einsum(text, *operands), np.einsum(text, *operands)
    assert found.shape == np.shape(expected)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


A, B, C = draw(2, 3, 4, 5), draw(3, 5, 6), draw(1, 5, 6)


@pytest.mark.parametrize(
    "text, operands",
    [
        ("...ij,...jk->...ik", (A, B)), ("...ij,...jk", (A, C)), ("...ij->...ji", (A,)), ("i...,i...", (A, A)),
        ("...,...", (A, 2 * A)), ("...i->i...", (A,)), ("a...b,b...->a...", (A, draw(5, 3, 4))),
        ("ij,ij->ij", (draw(3, 1), draw(3, 4))), ("ij,jk->ik", (draw(3, 1), draw(4, 2))),
        ("...ii->...i", (draw(2, 3, 3),)),
        ("ij,jk,kl->il", (draw(2, 1), draw(3, 4), draw(1, 5))), ("i,i", (draw(1), draw(3))),
    ],
)  # fmt: skip
def test_ellipsis_and_broadcasting(text, operands):
    found, expected = st.einsum(text, *operands), np.einsum(text, *operands)
    assert found.shape == np.shape(expected)
    np.testing.assert_allclose(found, expected)


@settings(max_examples=80)
@given(strategies.lists(strategies.text("ijkl", max_size=3), min_size=1, max_size=4), strategies.data())
def test_random_texts(terms, data):
    letters = sorted(set("".join(terms)))
    out = data.draw(strategies.permutations(letters))[: data.draw(strategies.integers(0, len(letters)))]
    text = f"{','.join(terms)}->{''.join(out)}"
    operands = [draw(*[SIZES[letter] for letter in term]) for term in terms]
    np.testing.assert_allclose(st.einsum(text, *operands), np.einsum(text, *operands), rtol=1e-8, atol=1e-9)


def test_gradients():
    a, b = st.Variable(draw(2, 3)), st.Variable(draw(3, 3, 4))
    g = draw(4, 2)
    (st.einsum("ij,jjk->ki", a, b) * st.asarray(g)).sum().backward()
    np.testing.assert_allclose(a.grad, np.einsum("ki,jjk->ij", g, b.numpy()))
    expected = np.zeros((3, 3, 4))
    expected[np.arange(3), np.arange(3)] = np.einsum("ki,ij->jk", g, a.numpy())
    np.testing.assert_allclose(b.grad, expected)


def test_products_are_recorded_without_detours():
    a, b = st.symbol("a", (2, 3)), st.symbol("b", (3, 4))
    for text in ("ij,jk->ik", "ij,jk->ki"):
        assert [node.op.name for node in order([st.einsum(text, a, b).node])][2:] == ["dot_general"]
    names = [node.op.name for node in order([st.einsum("ij,ij->ij", a, a).node])]
    assert names == ["symbol", "multiply"]


def test_the_cheapest_pair_comes_first():
    wide = ((2, 1000), (1000, 1000), (1000, 3))
    assert [step[:2] for step in plan("ij,jk,kl->il", wide).order] in ([(0, 1), (0, 1)], [(1, 2), (0, 1)])
    found = plan("ij,jk,k->i", ((50, 60), (60, 70), (70,))).order
    assert found[0][:2] == (1, 2)  # the matrix times the vector, not the matrices
    found = plan("i,j,ij->", ((100,), (100,), (100, 100))).order
    assert (0, 1) != found[0][:2]  # never the outer product


def test_dtypes():
    assert st.einsum("ij->", st.ones((300, 2), dtype="int8")).dtype == np.int8
    assert st.einsum("i,i", st.ones(2, dtype="int32"), st.ones(2, dtype="float64")).dtype == np.float64
    assert float(st.einsum("i,i", st.ones(5000, dtype="float16"), st.ones(5000, dtype="float16"))) == 5000


def test_unknown_sizes():
    x, y = st.symbol("x", (None, 3), dtype="float64"), st.symbol("y", (3, None), dtype="float64")
    call = st.function([x, y], [st.einsum("ij,jk->ki", x, y), st.einsum("ij,jk,lj->il", x, y, x)])
    a, b = draw(4, 3), draw(3, 2)
    first, second = call(a, b)
    np.testing.assert_allclose(first, (a @ b).T)
    np.testing.assert_allclose(second, np.einsum("ij,jk,lj->il", a, b, a))


@pytest.mark.parametrize(
    "text, shapes, error, match",
    [
        ("ij,jk->ik", [(2, 3), (4, 5)], ShapeError, "the letter 'j' has size 3 in operand 0 and size 4 in operand 1"),
        ("ii", [(2, 3)], ShapeError, "the letter 'i' has size 2 in operand 0 and size 3 in operand 0"),
        ("ii", [(1, 3)], ShapeError, "the letter 'i' has size 1 in operand 0 and size 3 in operand 0"),
        ("...i,...i", [(2, 3), (4, 3)], ShapeError, "axis -1 of '...' has size 2 in operand 0 and size 4 in operand 1"),
        ("ij", [(2, 3, 4)], ShapeError, "the term 'ij' of operand 0 names 2 axes, the operand has 3"),
        ("i...jk", [(2, 3)], ShapeError, "names 3 axes, the operand has 2"),
        ("ij,jk->iz", [(2, 3), (3, 5)], ArgumentError, "the letter 'z' of the result 'iz' is in no operand"),
        ("ij->ii", [(2, 3)], ArgumentError, "the letter 'i' appears twice in the result 'ii'"),
        ("ij,jk", [(2, 3)], ArgumentError, "describe 2 operands, got 1"),
        ("...i->i", [(2, 3)], ArgumentError, "leaves out the 1 axes"),
        ("i.j", [(2, 3)], ArgumentError, "hold '.'"),
        ("i2", [(2, 3)], ArgumentError, "hold '2'"),
        ("i->j->k", [(2,)], ArgumentError, "hold '-'"),
        ("...i...", [(2,)], ArgumentError, "more than one '...'"),
        ("", [], ArgumentError, "describe 1 operands, got 0"),
    ],
)
def test_errors(text, shapes, error, match):
    with pytest.raises(error) as caught:
        st.einsum(text, *[st.zeros(shape) for shape in shapes])
    assert str(caught.value).startswith("einsum: ") and match in str(caught.value)


def test_the_text_comes_first():
    with pytest.raises(ArgumentError, match="takes the subscripts first"):
        st.einsum(st.ones(2), "i")
