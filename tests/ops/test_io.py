"""Printing, checks and callbacks in batches; what a user meets is tested in tests/tensor/test_io.py."""

from __future__ import annotations

import numpy as np
import pytest

import septet.run.eager as eager
from septet.base.errors import ArgumentError, UserFunctionError
from septet.graph.graph import Graph
from septet.graph.node import Node, constant, symbol
from septet.graph.op import items
from septet.graph.types import tensor_type
from septet.ops import io
from septet.transform.transforms import TRANSFORMS

FLOAT = np.dtype("float64")
ROWS = np.arange(6.0).reshape(3, 2)


def value(node: Node) -> np.ndarray:
    eager.evaluate(node)
    return node.value


def sym(shape: tuple, dtype: str = "float64") -> Node:
    return symbol(tensor_type(np.dtype(dtype), shape))


def test_fill():
    assert io.fill("{} and {:.1f}", [np.array([1, 2]), np.array([0.25, 0.75])]) == "[1, 2] and [0.2, 0.8]"
    assert io.fill("{:d}{{}}", [np.array(3)]) == "3{}"
    assert io.fill("{}", [np.zeros((0, 2))]) == "[]"
    for text in ("{", "{} {}", "{x}", "{:q}", "{0.nothing}"):
        with pytest.raises(ArgumentError, match="does not fit 1 values"):
            io.fill(text, [np.array(1.5)])


@pytest.mark.parametrize("marks", [(True, False), (False, True), (True, True)])
def test_print_shows_a_whole_batch(marks, capsys):
    a, b = sym((2,)), sym(())
    graph = Graph([a, b], [io.print_value(a, b, text="{}|{}\n")])
    batched, out = TRANSFORMS.vmap(graph, list(marks))
    given = [ROWS if marks[0] else ROWS[0], np.arange(3.0) if marks[1] else np.array(7.0)]
    (node,) = batched(*map(constant, map(np.array, given)))
    assert out == [True]
    np.testing.assert_array_equal(value(node), ROWS if marks[0] else [ROWS[0]] * 3)
    assert capsys.readouterr().out.count("|") == 1


def test_check_fails_if_one_example_does():
    a, c = sym((2,)), sym((), "bool")
    batched, _ = TRANSFORMS.vmap(Graph([a, c], [io.check(a, c, message="no")]), [False, True])
    fine = constant(np.ones(3, bool))
    np.testing.assert_array_equal(value(batched(constant(ROWS[0]), fine)[0]), [ROWS[0]] * 3)
    with pytest.raises(UserFunctionError, match=r"first at index \(2,\)"):
        batched(constant(ROWS[0]), constant(np.array([True, True, False])))


@pytest.mark.parametrize("vectorized", [True, False])
@pytest.mark.parametrize("marks", [(True, False), (False, True), (True, True)])
def test_callback_in_a_batch(vectorized, marks):
    calls = []

    def scale(x, k):
        calls.append(x.shape)
        k = np.asarray(k)
        return x * k.reshape(*k.shape, 1), k

    a, b = sym((2,)), sym(())
    types = (tensor_type(FLOAT, (2,)), tensor_type(FLOAT, ()))
    graph = Graph([a, b], items(io.callback(a, b, function=scale, results=types, vectorized=vectorized)))
    batched, out = TRANSFORMS.vmap(graph, list(marks))
    given = [ROWS if marks[0] else ROWS[0], np.arange(3.0) if marks[1] else np.array(7.0)]
    found = batched(*map(constant, map(np.array, given)))
    assert out == [True, True]
    for index in range(3):
        x, k = [array[index] if mark else array for array, mark in zip(given, marks)]
        np.testing.assert_array_equal(value(found[0])[index], x * k)
        np.testing.assert_array_equal(value(found[1])[index], k)
    assert set(calls) == {(3, 2) if vectorized else (2,)}
