"""Products: NumPy's semantics for every rank, what is recorded, error texts, short floats, gradients of stacks."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import septet as st
from septet.base.errors import ArgumentError, DTypeError, ShapeError
from septet.graph.graph import order
from septet.ops.matmul import dot_general

LEADS = [(), (1,), (3,), (2, 3), (1, 3), (2, 1), (4, 2, 3), (4, 1, 1)]
GENERATOR = np.random.default_rng(0)


def draw(*shape):
    return GENERATOR.normal(size=shape)


def compatible(a, b):
    try:
        np.broadcast_shapes(a, b)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("lead", [pair for pair in itertools.product(LEADS, LEADS) if compatible(*pair)])
def test_stacks_broadcast(lead):
    a, b = draw(*lead[0], 4, 5), draw(*lead[1], 5, 2)
    np.testing.assert_allclose(st.matmul(a, b), a @ b)
    found, expected = st.vecdot(a[..., 0, :], b[..., 0]), np.vecdot(a[..., 0, :], b[..., 0])
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize("lead", LEADS)
def test_vectors(lead):
    a, row, column = draw(*lead, 4, 5), draw(4), draw(5)
    np.testing.assert_allclose(st.matmul(a, column), a @ column)
    np.testing.assert_allclose(st.matmul(row, a), row @ a)
    np.testing.assert_allclose(st.dot(a, column), np.dot(a, column))
    np.testing.assert_allclose(st.inner(a, column), np.inner(a, column))
    np.testing.assert_allclose(st.dot(draw(2, 4), a).shape, np.dot(draw(2, 4), a).shape)


def test_operators():
    x = st.asarray(np.arange(6.0).reshape(2, 3))
    np.testing.assert_array_equal(x @ x.T, x.numpy() @ x.numpy().T)
    left = np.ones((4, 2)) @ x
    assert isinstance(left, st.Tensor) and left.shape == (4, 3)
    assert (x @ [1.0, 0.0, 0.0]).tolist() == [0, 3]
    w = st.Variable(np.eye(2))
    w @= st.asarray(np.array([[0.0, 1.0], [1.0, 0.0]]))
    assert w.numpy().tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize(
    "a, b", [((2, 3), (3, 4)), ((5, 2, 3), (3, 4)), ((3,), (3, 4)), ((2, 3), (3,)), ((7, 5, 2, 3), (7, 5, 3, 4))]
)
def test_common_products_are_one_node(a, b):
    x, y = st.symbol("x", a), st.symbol("y", b)
    assert [node.op for node in order([(x @ y).node])][2:] == [dot_general]


def test_broadcast_stacks_are_not_copied():
    x, y = st.symbol("x", (8, 1, 2, 3)), st.symbol("y", (5, 3, 4))
    names = {node.op.name for node in order([(x @ y).node])}
    assert names == {"symbol", "reshape", "dot_general", "transpose"}


def test_gradients_sum_over_what_was_broadcast():
    a, b = st.Variable(draw(1, 2, 3)), st.Variable(draw(4, 3, 2))
    g = draw(4, 2, 2)
    ((a @ b) * st.asarray(g)).sum().backward()
    np.testing.assert_allclose(a.grad, (g @ b.numpy().mT).sum(axis=0, keepdims=True))
    np.testing.assert_allclose(b.grad, a.numpy().mT @ g)
    z, w = st.Variable(draw(3, 2) + 1j * draw(3, 2)), st.Variable(draw(2, 2))
    c = draw(3, 2) + 1j * draw(3, 2)
    st.real((st.conj(st.asarray(c)) * (z @ w)).sum()).backward()
    np.testing.assert_allclose(z.grad, c @ w.numpy().T)
    np.testing.assert_allclose(w.grad, (z.numpy().conj().T @ c).real)


@pytest.mark.parametrize("dtype", ["int8", "uint16", "int64", "float16", "bfloat16", "float32", "complex64"])
def test_dtypes(dtype):
    a = np.arange(12).reshape(3, 4)
    x = st.asarray(a).astype(dtype)
    found = x @ x.T
    assert found.dtype == x.dtype
    expected = (a @ a.T).astype(x.dtype)
    np.testing.assert_allclose(found.astype("complex128"), expected.astype(complex), rtol=1e-2)


def test_short_floats_are_summed_in_float32():
    x = st.ones((1, 5000), dtype="float16")
    assert float((x @ x.T)[0, 0]) == 5000
    assert float(st.vecdot(x[0], x[0])) == 5000
    assert (st.ones((2, 2), dtype="float16") @ st.ones((2, 2), dtype="bfloat16")).dtype == np.float32


def test_booleans_count_beside_numbers_only():
    mask = st.asarray([[True, False], [True, True]])
    assert (mask @ st.asarray([2.0, 3.0])).tolist() == [2, 5]
    with pytest.raises(DTypeError, match="not defined for dtype bool"):
        mask @ mask


def test_other_products():
    a, b = draw(2, 3) + 1j * draw(2, 3), draw(3, 2) + 1j
    np.testing.assert_allclose(st.vdot(a, b), np.vdot(a, b))
    np.testing.assert_allclose(st.outer(a, b), np.outer(a, b))
    np.testing.assert_allclose(st.kron(a, b), np.kron(a, b))
    np.testing.assert_allclose(st.kron(a, b[0]), np.kron(a, b[0]))
    np.testing.assert_allclose(st.vecdot(a, b.T), np.vecdot(a, b.T))
    np.testing.assert_allclose(st.vecdot(a.T, b, axis=0), np.vecdot(a.T, b, axis=0))
    c, d = draw(2, 3, 4), draw(4, 3, 5)
    for axes in (1, 0, ([1, 2], [1, 0]), (2, 0), ([-1], [0])):
        np.testing.assert_allclose(st.tensordot(c, d, axes=axes), np.tensordot(c, d, axes=axes))
    weight, bias = draw(5, 3, 4), draw(5)
    x, y = draw(7, 2, 3), draw(7, 2, 4)
    expected = np.einsum("...i,oij,...j->...o", x, weight, y) + bias
    np.testing.assert_allclose(st.bilinear(x, y, weight, bias), expected)
    np.testing.assert_allclose(st.batch_matmul(c, draw(2, 4, 1)).shape, (2, 3, 1))


def test_unknown_sizes():
    x, y = st.symbol("x", (None, None, 3), dtype="float64"), st.symbol("y", (3, None), dtype="float64")
    call = st.function([x, y], [x @ y, st.kron(y, y), st.vecdot(x, x)])
    a, b = draw(2, 4, 3), draw(3, 5)
    product, square, lengths = call(a, b)
    np.testing.assert_allclose(product, a @ b)
    np.testing.assert_allclose(square, np.kron(b, b))
    np.testing.assert_allclose(lengths, np.vecdot(a, a))
    u, v = st.symbol("u", (None, 3), dtype="float64"), st.symbol("v", (None, 2), dtype="float64")
    with pytest.raises(ShapeError, match="axis 1 of a has size 3, axis 0 of b has size 4"):
        st.function([u, v], u @ v)(draw(2, 3), draw(4, 2))


def test_empty():
    assert st.matmul(st.zeros((2, 0)), st.zeros((0, 3))).tolist() == [[0, 0, 0]] * 2
    assert st.matmul(st.zeros((0, 2, 3)), st.zeros((3, 4))).shape == (0, 2, 4)


@pytest.mark.parametrize(
    "a, b, text",
    [
        ((2, 3), (2, 3), "the last axis of a, of size 3, must match the second to last axis of b, of size 2"),
        ((2, 3), (2,), "the last axis of a, of size 3, must match the only axis of b, of size 2"),
        ((2, 3, 4), (3, 4, 5), "axis 0 of a has size 2, axis 0 of b has size 3"),
        ((7, 2, 3, 4), (3, 4, 5), "axis 1 of a has size 2, axis 0 of b has size 3"),
        ((), (3,), "not scalars"),
    ],
)
def test_errors_of_matmul(a, b, text):
    with pytest.raises(ShapeError) as caught:
        st.matmul(st.zeros(a), st.zeros(b))
    message = str(caught.value)
    assert message.startswith("matmul: ") and text in message and "a: float32" in message


def test_marks_and_hints():
    with pytest.raises(ShapeError) as caught:
        st.ones((2, 3)) @ st.ones((4, 3))
    lines = str(caught.value).splitlines()
    assert lines[1].startswith("  a: float32[2, 3]") and lines[2].index("^") == lines[1].index("3]")
    assert lines[3].startswith("  b: float32[4, 3]") and lines[4].index("^") == lines[3].index("4,")
    assert "  hint: a @ b.mT would fit" in lines


def test_errors_of_others():
    with pytest.raises(ShapeError, match="batch_matmul: takes two tensors of rank 3"):
        st.batch_matmul(st.ones((2, 2)), st.ones((2, 2)))
    with pytest.raises(ShapeError, match="axis 0 of a has size 1, axis 0 of b has size 2"):
        st.batch_matmul(st.ones((1, 2, 2)), st.ones((2, 2, 2)))
    with pytest.raises(ArgumentError, match="axes=3 axes of tensors of rank 2 and 2"):
        st.tensordot(st.ones((2, 2)), st.ones((2, 2)), axes=3)
    with pytest.raises(ShapeError, match="vecdot: axis 1 of x1 has size 3, axis 0 of x2 has size 2"):
        st.vecdot(st.ones((2, 3)), st.ones(2))
    with pytest.raises(ArgumentError, match="must count from the end"):
        st.vecdot(st.ones((2, 3)), st.ones(2), axis=0)
    with pytest.raises(ShapeError, match="the last axis of b has size 2, axis 2 of weight has size 4"):
        st.bilinear(st.ones(3), st.ones(2), st.ones((1, 3, 4)))
