"""Random numbers as functions of states: bits, prefixes, unknown sizes, distributions against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as some

import septet.run.eager as eager
from septet.base import random as philox
from septet.base.errors import ArgumentError, DTypeError, ShapeError
from septet.graph.graph import Graph
from septet.graph.node import Node, constant, symbol
from septet.graph.op import as_node, ops
from septet.graph.types import tensor_type
from septet.ops import random as draws
from septet.transform.transforms import TRANSFORMS
from septet.transform.vjp import vjp

N = 20_000


def state(seed: int = 1, draw: int = 0) -> Node:
    return constant(philox.make_state(seed, draw))


def value(node: Node) -> np.ndarray:
    eager.evaluate(node)
    return node.value


def tracked(data: object) -> Node:
    node = constant(np.array(data, np.float64))
    node.flags |= 1
    return node


# bits and states


@pytest.mark.parametrize("width", [32, 64])
@pytest.mark.parametrize("shape", [(), (5,), (2, 3), (0, 4), (2, 0)])
def test_bits_are_those_of_philox(shape, width):
    found = value(draws.bits(state(3, 4), shape, width))
    assert found.dtype == f"uint{width}"
    expected = philox.random_bits(philox.make_state(3, 4), int(np.prod(shape)), width)
    np.testing.assert_array_equal(found, expected.reshape(shape))


def test_bits_of_an_unknown_size():
    n = symbol(tensor_type(np.dtype("int64"), ()))
    s = symbol(tensor_type(np.dtype("uint64"), (2,)))
    node = draws.uniform(s, (n, 2))
    assert node.shape == (None, 2)
    (found,) = Graph([s, n], [node])(state(), as_node(3))
    np.testing.assert_array_equal(value(found), value(draws.uniform(state(), (3, 2))))


def test_batches_of_states_give_one_draw_each():
    states = philox.split(philox.make_state(9), 3)
    s = symbol(tensor_type(np.dtype("uint64"), (2,)))
    graph = Graph([s], [draws.normal(s, (4,)), draws.fold_in(s, np.arange(2, dtype=np.uint64))])
    batched, _ = TRANSFORMS.vmap(graph, [True])
    normals, folded = batched(constant(states))
    for index, own in enumerate(states):
        np.testing.assert_array_equal(value(normals)[index], value(draws.normal(constant(own), (4,))))
        np.testing.assert_array_equal(value(folded)[index], philox.fold_in(own, np.arange(2, dtype=np.uint64)))


def test_a_batch_of_numbers_folded_into_one_state():
    d = symbol(tensor_type(np.dtype("int64"), ()))
    batched, _ = TRANSFORMS.vmap(Graph([d], [draws.fold_in(state(), d)]), [True])
    (found,) = batched(as_node(np.arange(3)))
    np.testing.assert_array_equal(value(found), philox.fold_in(philox.make_state(1), np.arange(3)))


CONTINUOUS = {
    "uniform": (lambda s, n, d: draws.uniform(s, (n,), -1.0, 3.0, d), scipy.stats.uniform(-1, 4)),
    "normal": (lambda s, n, d: draws.normal(s, (n,), 1.0, 2.0, d), scipy.stats.norm(1, 2)),
    "truncated normal": (
        lambda s, n, d: draws.truncated_normal(s, (n,), -1.0, 2.0, 1.0, 3.0, d),
        scipy.stats.truncnorm(-1, 2, 1, 3),
    ),
    "exponential": (lambda s, n, d: draws.exponential(s, (n,), 2.0, d), scipy.stats.expon(scale=2)),
    "gumbel": (lambda s, n, d: draws.gumbel(s, (n,), 1.0, 2.0, d), scipy.stats.gumbel_r(1, 2)),
    "laplace": (lambda s, n, d: draws.laplace(s, (n,), 1.0, 2.0, d), scipy.stats.laplace(1, 2)),
    "logistic": (lambda s, n, d: draws.logistic(s, (n,), 1.0, 2.0, d), scipy.stats.logistic(1, 2)),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", CONTINUOUS)
def test_distributions(name, dtype):
    draw, law = CONTINUOUS[name]
    found = value(draw(state(11), N, dtype))
    assert found.dtype == dtype
    assert np.isfinite(found).all()
    assert scipy.stats.kstest(found.astype(np.float64), law.cdf).pvalue > 1e-3
    np.testing.assert_allclose(found.mean(), law.mean(), atol=5 * law.std() / np.sqrt(N))
    np.testing.assert_allclose(found.std(), law.std(), rtol=0.05)


@pytest.mark.parametrize("name", CONTINUOUS)
def test_a_shorter_draw_is_the_beginning_of_a_longer_one(name):
    draw, _ = CONTINUOUS[name]
    for dtype in ("float32", "float64"):
        np.testing.assert_array_equal(value(draw(state(), 50, dtype))[:17], value(draw(state(), 17, dtype)))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", CONTINUOUS)
def test_short_floats(name, dtype):
    draw, law = CONTINUOUS[name]
    found = value(draw(state(), N, dtype))
    assert found.dtype.name == dtype
    np.testing.assert_allclose(found.astype(np.float64).mean(), law.mean(), atol=0.1)
    np.testing.assert_allclose(found.astype(np.float64).std(), law.std(), rtol=0.1)


@pytest.mark.parametrize(("dtype", "bits"), [("float16", 11), ("bfloat16", 8), ("float32", 24), ("float64", 53)])
def test_uniform_is_multiples_of_a_power_of_two_below_one(dtype, bits):
    found = value(draws.uniform(state(), (N,), dtype=dtype)).astype(np.float64)
    assert found.min() >= 0
    assert found.max() < 1
    scaled = found * 2.0**bits
    np.testing.assert_array_equal(scaled, np.floor(scaled))
    inner = value(draws.unit(state(), (N,), draws.float_dtype(dtype), is_open=True))
    assert inner.min() > 0
    assert inner.max() < 1


def test_neighbours_are_not_correlated():
    z = value(draws.normal(state(), (N,), dtype="float64"))
    for lag in (1, 2, 3, 4):
        assert abs(np.corrcoef(z[:-lag], z[lag:])[0, 1]) < 5 / np.sqrt(N)
    other = value(draws.normal(state(1, 1), (N,), dtype="float64"))
    assert abs(np.corrcoef(z, other)[0, 1]) < 5 / np.sqrt(N)


def test_gradients_reach_the_parameters():
    low, high = tracked(1.0), tracked([2.0, 3.0])
    u = value(draws.uniform(state(), (4, 2), dtype="float64"))
    node = ops.sum(draws.uniform(state(), (4, 2), low, high))
    g_low, g_high = vjp([node], [as_node(np.array(1.0))], [low, high])
    np.testing.assert_allclose(value(g_low), (1 - u).sum())
    np.testing.assert_allclose(value(g_high), u.sum(0))
    mean, std = tracked(0.5), tracked([2.0, 3.0])
    z = value(draws.normal(state(), (4, 2), dtype="float64"))
    node = ops.sum(draws.normal(state(), (4, 2), mean, std))
    g_mean, g_std = vjp([node], [as_node(np.array(1.0))], [mean, std])
    np.testing.assert_allclose(value(g_mean), 8)
    np.testing.assert_allclose(value(g_std), z.sum(0))


# integers and choices


@settings(max_examples=40)
@given(some.integers(0, 2**64 - 1), some.integers(1, 2**64))
def test_scale_bits_is_the_upper_half_of_the_product(raw, count):
    node = constant(np.array([raw], np.uint64))
    if count == 2**64:
        count -= 1
    assert int(value(draws.scale_bits(node, count))[0]) == raw * count >> 64
    assert int(value(draws.scale_bits(node, constant(np.array(count, np.uint64))))[0]) == raw * count >> 64


@pytest.mark.parametrize(
    ("low", "high", "dtype"),
    [(0, 6, "int64"), (-3, 4, "int8"), (-(2**63), 2**63, "int64"), (0, 2**64, "uint64"), (-(2**40), 2**40, "int64"),
     (250, 256, "uint8"), (5, 6, "int32")],
)  # fmt: skip
def test_randint(low, high, dtype):
    found = value(draws.randint(state(), (N,), low, high, dtype))
    assert found.dtype == dtype
    exact = [int(x) for x in found]
    assert min(exact) >= low
    assert max(exact) < high
    if high - low < 100:
        counts = np.bincount(np.array(exact) - low, minlength=high - low)
        assert high - low == 1 or scipy.stats.chisquare(counts).pvalue > 1e-3
    else:
        middle = [x >= (low + high) // 2 for x in exact]
        assert abs(np.mean(middle) - 0.5) < 0.02


def test_randint_with_tensor_bounds_agrees_with_numbers():
    low, high = as_node(np.array([-5, 0])), as_node(np.array([5, 2**40]))
    found = value(draws.randint(state(), (50, 2), low, high))
    for column, (a, b) in enumerate(((-5, 5), (0, 2**40))):
        np.testing.assert_array_equal(found[:, column], value(draws.randint(state(), (50, 2), a, b))[:, column])


def test_bernoulli():
    p = np.array([0.0, 0.2, 1.0])
    found = value(draws.bernoulli(state(), as_node(p), (N, 3)))
    assert found.dtype == bool
    np.testing.assert_allclose(found.mean(0), p, atol=0.02)
    assert not found[:, 0].any()
    assert found[:, 2].all()


@pytest.mark.parametrize("axis", [0, -1])
def test_categorical(axis):
    p = np.array([[0.1, 0.2, 0.7], [0.5, 0.5, 0.0]])
    with np.errstate(divide="ignore"):
        logits = np.log(p) + 3.0
    node = draws.categorical(state(), as_node(logits if axis == -1 else logits.T), (N, 2), axis)
    found = value(node)
    assert found.dtype == np.int64
    for row in range(2):
        np.testing.assert_allclose(np.bincount(found[:, row], minlength=3) / N, p[row], atol=0.02)
    assert value(draws.categorical(state(), as_node(logits))).shape == (2,)


def test_permutation_and_shuffle():
    found = value(draws.permutation(state(), 1000))
    np.testing.assert_array_equal(np.sort(found), np.arange(1000))
    assert (found != np.arange(1000)).mean() > 0.9
    x = np.arange(12.0).reshape(3, 4)
    rows = value(draws.shuffle(state(), as_node(x)))
    assert sorted(map(tuple, rows)) == sorted(map(tuple, x))
    columns = value(draws.shuffle(state(), as_node(x), axis=-1))
    assert sorted(map(tuple, columns.T)) == sorted(map(tuple, x.T))
    orders = {tuple(value(draws.permutation(state(seed), 3))) for seed in range(60)}
    assert len(orders) == 6


def test_choice():
    x = as_node(np.arange(10.0, 16.0))
    found = value(draws.choice(state(), x, (N,)))
    assert scipy.stats.chisquare(np.bincount(found.astype(int) - 10)).pvalue > 1e-3
    found = value(draws.choice(state(), x, (2, 3), replace=False))
    assert sorted(found.ravel()) == list(range(10, 16))
    p = as_node(np.array([1.0, 0.0, 3.0]))
    found = value(draws.choice(state(), 3, (N,), p=p))
    np.testing.assert_allclose(np.bincount(found, minlength=3) / N, [0.25, 0, 0.75], atol=0.02)
    first = [
        value(draws.choice(state(seed), 3, (2,), replace=False, p=as_node(np.array([0.1, 0.1, 0.8]))))[0]
        for seed in range(200)
    ]
    assert 0.7 < np.mean(np.array(first) == 2) < 0.9
    rows = value(draws.choice(state(), as_node(np.arange(6).reshape(3, 2)), (5,)))
    assert rows.shape == (5, 2)


def test_errors():
    with pytest.raises(DTypeError, match=r"a state is uint64\[2\]"):
        draws.bits(as_node(np.array([1, 2])), (3,), 32)
    with pytest.raises(ArgumentError, match="no integer from 5 to below 5"):
        draws.randint(state(), (3,), 5, 5)
    with pytest.raises(ArgumentError, match="does not fit int8"):
        draws.randint(state(), (3,), 0, 200, "int8")
    with pytest.raises(DTypeError, match="bounds are integers"):
        draws.randint(state(), (3,), 0.5)
    with pytest.raises(DTypeError, match="real floats, got dtype int32"):
        draws.normal(state(), (3,), dtype="int32")
    with pytest.raises(ShapeError, match="does not broadcast"):
        draws.normal(state(), (3,), as_node(np.zeros(4)))
    with pytest.raises(ArgumentError, match="low must be below high"):
        draws.truncated_normal(state(), (3,), 2.0, 1.0)
    with pytest.raises(ArgumentError, match="cannot draw 4 of 3"):
        draws.choice(state(), 3, (4,), replace=False)
    with pytest.raises(ArgumentError, match="one probability for each of 3"):
        draws.choice(state(), 3, (4,), p=as_node(np.ones(2)))
    with pytest.raises(ArgumentError, match="between 0 and 1"):
        draws.bernoulli(state(), 1.5, (3,))
