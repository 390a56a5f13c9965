"""The functions of st.random: arguments, shapes, dtypes; the numbers themselves are tested in tests/ops."""

from __future__ import annotations

import numpy as np
import pytest

import septet as st
from septet.base.errors import ArgumentError, DTypeError

CALLS = {
    "uniform": lambda s: st.random.uniform(s),
    "normal": lambda s: st.random.normal(s),
    "truncated_normal": lambda s: st.random.truncated_normal(s),
    "exponential": lambda s: st.random.exponential(s),
    "gumbel": lambda s: st.random.gumbel(s),
    "laplace": lambda s: st.random.laplace(s),
    "logistic": lambda s: st.random.logistic(s),
    "gamma": lambda s: st.random.gamma(2.0, shape=s),
    "beta": lambda s: st.random.beta(2.0, 1.0, s),
    "poisson": lambda s: st.random.poisson(2.0, s),
    "bernoulli": lambda s: st.random.bernoulli(0.5, s),
    "randint": lambda s: st.random.randint(s, 10),
    "choice": lambda s: st.random.choice(10, s),
    "bits": lambda s: st.random.bits(s),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("shape", [(), (3,), 3, [2, 3], (0, 2)])
def test_shapes(name, shape):
    expected = (shape,) if isinstance(shape, int) else tuple(shape)
    found = CALLS[name](shape)
    assert found.shape == expected
    assert found.numpy().shape == expected


@pytest.mark.parametrize("name", CALLS)
def test_reproducible(name):
    rows = []
    for seed in (3, 3, 4):
        st.random.seed(seed)
        rows.append(CALLS[name]((50,)).numpy())
    np.testing.assert_array_equal(rows[0], rows[1])
    assert (rows[0] != rows[2]).any()


@pytest.mark.parametrize("name", CALLS)
def test_unknown_sizes(name):
    x = st.symbol("x", (None, 2))
    st.random.seed(5)
    expected = CALLS[name]((3, 2)).numpy()
    st.random.seed(5)
    state = st.random.next_state()
    found = {
        "uniform": lambda s: st.random.uniform(s, generator=state),
        "normal": lambda s: st.random.normal(s, generator=state),
        "poisson": lambda s: st.random.poisson(2.0, s, generator=state),
        "gamma": lambda s: st.random.gamma(2.0, shape=s, generator=state),
        "randint": lambda s: st.random.randint(s, 10, generator=state),
    }.get(name)
    if found is None:
        st.random.seed(5)
        np.testing.assert_array_equal(CALLS[name]((3, 2)).numpy(), expected)
        return
    f = st.function([x], found(x.shape))
    drawn = f(np.zeros((3, 2), np.float32)).numpy()  # logarithms may differ in the last bit from NumPy's
    np.testing.assert_allclose(drawn, expected, rtol=1e-6 if name in ("normal", "gamma") else 0)


def test_shapes_and_dtypes_come_from_the_parameters():
    mean = st.tensor(np.zeros((4, 1)))
    found = st.random.normal(mean=mean, std=st.tensor(np.ones(3)))
    assert found.shape == (4, 3)
    assert found.dtype == np.float64
    assert st.random.uniform(low=[0.0, 1.0], high=2.0).shape == (2,)
    assert st.random.normal().shape == ()
    assert st.random.normal((2,), dtype="float16").dtype == np.float16
    assert st.random.bernoulli(st.tensor([0.5, 0.5])).shape == (2,)
    assert st.random.gamma(st.tensor([1.0, 2.0]), shape=(3, 2)).shape == (3, 2)
    assert st.random.dirichlet([1, 2, 3], shape=(4,)).shape == (4, 3)
    assert st.random.randint((2,), 5, dtype="uint8").dtype == np.uint8
    assert st.random.poisson(st.tensor([1, 2])).shape == (2,)
    assert st.random.categorical(st.tensor(np.zeros((2, 5)))).shape == (2,)


def test_permutations():
    assert sorted(st.random.permutation(6).tolist()) == list(range(6))
    x = st.tensor(np.arange(6).reshape(3, 2))
    assert sorted(st.random.permutation(x).tolist()) == x.tolist()
    assert sorted(map(tuple, st.random.shuffle(x, axis=1).numpy().T)) == sorted(map(tuple, x.numpy().T))
    with pytest.raises(ArgumentError, match="not negative"):
        st.random.permutation(-1)
    with pytest.raises(ArgumentError, match="out of range"):
        st.random.permutation(x, axis=2)


def test_states():
    state = st.random.next_state(st.random.Generator(3))
    assert state.dtype == np.uint64
    assert state.tolist() == [3, 0]
    assert st.random.split_state(state, 3).shape == (3, 2)
    assert st.random.fold_in(state, st.tensor([1, 2])).shape == (2, 2)
    rows = [st.random.uniform((3,), generator=s).tolist() for s in st.random.split_state(state, 2)]
    assert rows[0] != rows[1]


def test_gradients_through_a_sample():
    mean, std = st.Variable(np.zeros(3), "mean"), st.Variable(np.ones(3), "std")
    generator = st.random.Generator(4)
    z = st.random.normal((5, 3), generator=generator, dtype="float64").numpy()
    generator.reseed(4)
    x = st.random.normal((5, 3), mean, std, generator=generator)
    (x * x).sum().backward()
    np.testing.assert_allclose(mean.grad, 2 * z.sum(0))
    np.testing.assert_allclose(std.grad, 2 * (z * z).sum(0))


def test_errors():
    with pytest.raises(DTypeError, match="real floats, got dtype int64"):
        st.random.normal((2,), dtype="int64")
    with pytest.raises(DTypeError, match="integer dtype, got float32"):
        st.random.randint((2,), 5, dtype="float32")
    with pytest.raises(ArgumentError, match="negative size"):
        st.random.uniform((-2,))
