"""Tensors made from sizes, against NumPy; sizes and ends that are known only when the graph runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import septet  # noqa: F401  (registers everything)
from septet.backends.reference.program import run_graph
from septet.base import dtypes
from septet.base.config import config
from septet.base.errors import ArgumentError
from septet.graph.context import TRACKED
from septet.graph.graph import Graph
from septet.graph.node import Node, constant, symbol
from septet.graph.op import as_node
from septet.graph.types import tensor_type
from septet.ops import creation as c
from septet.run import eager
from septet.transform.vjp import vjp

SIZE = tensor_type(dtypes.int64, ())
DEFAULT = np.dtype(config.default_float)


def value(node: Node) -> np.ndarray:
    """The value of a node, computed now."""
    if node.value is None:
        eager.evaluate(node)
    return node.value


def with_sizes(call: Callable[..., Node], *sizes: Any) -> np.ndarray:
    """What a function gives for scalars that are symbols while it is recorded."""
    arrays = [np.asarray(size) for size in sizes]
    symbols = [symbol(tensor_type(array.dtype, ())) for array in arrays]
    return run_graph(Graph(symbols, [call(*symbols)]), arrays)[0]


def same(found: Any, expected: Any) -> None:
    """The same dtype, shape and elements."""
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("dtype", dtypes.ALL, ids=lambda d: d.name)
def test_filled_in_every_dtype(dtype: Any) -> None:
    """Zeros, ones and a value, by shape and by example."""
    same(value(c.zeros((2, 0), dtype=dtype)), np.zeros((2, 0), dtype))
    same(value(c.ones(3, dtype=dtype)), np.ones(3, dtype))
    same(value(c.full((2, 2), 1, dtype=dtype)), np.full((2, 2), 1, dtype))
    like = np.zeros((2, 3), dtype)
    same(value(c.full_like(like, 1)), np.full_like(like, 1))
    same(value(c.zeros_like(like)), like)
    same(value(c.ones_like(like, dtype="int16")), np.ones((2, 3), np.int16))


def test_default_dtypes() -> None:
    """Those of the settings, by kind of the value."""
    assert c.zeros(2).dtype == DEFAULT
    assert c.full(2, 1).dtype == np.dtype(config.default_int)
    assert c.full(2, True).dtype == dtypes.bool_
    assert c.full(2, 1j).dtype == dtypes.default_of_kind(dtypes.COMPLEX)
    assert c.full((), as_node(np.float64(2))).dtype == dtypes.float64


def test_unknown_sizes() -> None:
    """A size that is a symbol."""
    same(with_sizes(lambda n: c.zeros((n, 2)), 3), np.zeros((3, 2), DEFAULT))
    same(with_sizes(lambda n, m: c.full((n, 2, m), 7), 3, 0), np.full((3, 2, 0), 7, config.default_int))
    same(with_sizes(lambda n: c.eye(n, 4, k=1), 3), np.eye(3, 4, 1, dtype=DEFAULT))
    same(with_sizes(lambda n: c.tri(3, n, -1), 4), np.tri(3, 4, -1, dtype=DEFAULT))


def test_full_carries_the_gradient_of_its_value() -> None:
    """The sum over all places."""
    x = constant(np.array(2.0))
    x.flags |= TRACKED
    (g,) = vjp([c.full((2, 3), x)], [constant(np.ones((2, 3)))], [x])
    assert g is not None
    assert value(g) == 6.0


RANGES = [
    (5,), (0,), (-3,), (2, 7), (7, 2), (7, 2, -1), (0, 10, 3), (10, 0, -4), (0, -1, 2), (0.5, 3), (0, 1, 0.1),
    (1.0, 0.0, -0.3), (2.5,), (5, 5), (-(2**62), -(2**62) + 3),
]  # fmt: skip


@pytest.mark.parametrize("ends", RANGES, ids=str)
def test_arange(ends: tuple[Any, ...]) -> None:
    """Numbers, and the same numbers as symbols."""
    is_float = any(isinstance(v, float) for v in ends)
    expected = np.arange(*ends, dtype=np.float64 if is_float else np.int64)
    found = value(c.arange(*ends, dtype=expected.dtype))
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-14, atol=1e-14)
    later = with_sizes(lambda *v: c.arange(*v, dtype=expected.dtype), *ends)
    assert later.shape == expected.shape
    np.testing.assert_allclose(later, expected, rtol=1e-14, atol=1e-14)


def test_arange_of_mixed_symbols_and_numbers() -> None:
    """Any of the three may be a symbol."""
    same(with_sizes(lambda n: c.arange(2, n), 6), np.arange(2, 6, dtype=config.default_int))
    same(with_sizes(lambda n: c.arange(n, 2, -1), 6), np.arange(6, 2, -1, dtype=config.default_int))
    same(with_sizes(lambda s: c.arange(0, 9, s), 4), np.arange(0, 9, 4, dtype=config.default_int))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "complex64", "uint8", "int16"])
def test_arange_dtypes(dtype: str) -> None:
    """Counted exactly, then converted."""
    same(value(c.arange(3, 200, 7, dtype=dtype)), np.arange(3, 200, 7).astype(dtypes.as_dtype(dtype)))


def test_arange_beyond_int64() -> None:
    """The far end of uint64."""
    start = 2**64 - 4
    same(value(c.arange(start, 2**64 - 1, dtype="uint64")), np.array([start, start + 1, start + 2], np.uint64))


def test_large_tensors_are_computed_not_stored() -> None:
    """A graph holds a count, not a million numbers; the values are the same."""
    count = c.FOLDED + 5
    for node, expected in (
        (c.arange(count), np.arange(count, dtype=config.default_int)),
        (c.arange(3, 3 + 2 * count, 2), np.arange(3, 3 + 2 * count, 2, dtype=config.default_int)),
        (c.eye(100, 90, k=-3), np.eye(100, 90, -3, dtype=DEFAULT)),
        (c.tri(90, 100, 2), np.tri(90, 100, 2, dtype=DEFAULT)),
    ):
        assert node.value is None
        same(value(node), expected)
    assert c.arange(7).value is not None


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.integers(0, 20), st.booleans())
def test_linspace(start: float, stop: float, num: int, endpoint: bool) -> None:
    """As in NumPy, for numbers and for tensors; exact at the ends."""
    expected = np.linspace(start, stop, num, endpoint=endpoint)
    same(value(c.linspace(start, stop, num, dtype="float64", endpoint=endpoint)), expected)
    found = value(c.linspace(as_node(np.float64(start)), as_node(np.float64(stop)), num, endpoint=endpoint))
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-9)
    if num > 1 and endpoint:
        assert found[0] == start and found[-1] == stop


def test_linspace_between_tensors() -> None:
    """Ends are broadcast, the new axis comes first, and gradients flow to both ends."""
    low, high = constant(np.array([0.0, 1.0])), constant(np.array([[2.0], [4.0]]))
    low.flags |= TRACKED
    high.flags |= TRACKED
    node = c.linspace(low, high, 5)
    np.testing.assert_allclose(value(node), np.linspace(value(low), value(high), 5))
    gradients = vjp([node], [constant(np.ones((5, 2, 2)))], [low, high])
    for g in gradients:
        assert g is not None
        np.testing.assert_allclose(value(g).reshape(-1), [5.0, 5.0])


def test_logspace() -> None:
    """Numbers and tensors."""
    np.testing.assert_allclose(value(c.logspace(0, 3, 4, dtype="float64")), [1, 10, 100, 1000])
    found = value(c.logspace(as_node(np.float64(0)), 3, 4, base=2.0))
    np.testing.assert_allclose(found, [1, 2, 4, 8], rtol=1e-6)


def test_iota_in_more_dimensions() -> None:
    """The count runs along one axis, and a size may be an input."""
    node = c.iota(as_node(np.int64(3)), shape=(2, None), axis=1, dtype="float32")
    same(value(node), np.tile(np.arange(3, dtype=np.float32), (2, 1)))


ERRORS: list[tuple[Callable[[], Any], str]] = [
    (lambda: c.zeros((2, -1)), "no negative sizes"),
    (lambda: c.zeros((2, -3)), "negative size"),
    (lambda: c.eye(-2), "negative size: (-2,)"),
    (lambda: c.zeros(2, device="gpu"), "device 'gpu' does not exist"),
    (lambda: c.ones_like(np.ones(2), device="gpu"), "device 'gpu' does not exist"),
    (lambda: c.eye(2, device="gpu"), "device 'gpu' does not exist"),
    (lambda: c.full(2, 300, dtype="uint8"), "300 does not fit dtype uint8"),
    (lambda: c.full(2, float("nan"), dtype="int32"), "nan does not fit dtype int32"),
    (lambda: c.full(2, 1j, dtype="float32"), "1j does not fit dtype float32"),
    (lambda: c.arange(0, 3, 0), "step cannot be 0"),
    (lambda: c.arange(np.ones(2)), "are numbers, got"),
    (lambda: c.linspace(0, 1, -1), "num must not be negative"),
    (lambda: c.logspace(0, 1, -1), "num must not be negative"),
]


@pytest.mark.parametrize("row", ERRORS, ids=lambda row: row[1])
def test_errors_say_what_is_wrong(row: tuple[Any, str]) -> None:
    """The class and the values."""
    with pytest.raises(ArgumentError) as caught:
        row[0]()
    assert row[1] in str(caught.value)
