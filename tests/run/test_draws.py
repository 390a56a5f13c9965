"""One seed, one set of numbers, to the last bit: in every style, from the first evaluation on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import septet as st
from septet.base.errors import ArgumentError

NATIVE = pytest.mark.skipif(st.config.backend != "cpu", reason="there is no second backend to compare with")
R = st.random
DTYPES = ("float32", "float64", "float16", "bfloat16")
FLOATS: dict[str, Callable[..., Any]] = {
    "uniform": lambda shape, **own: R.uniform(shape, -1.3, 2.7, **own),
    "normal": lambda shape, **own: R.normal(shape, **own),
    "normal, scaled": lambda shape, **own: R.normal(shape, 0.3, 1.7, **own),
    "truncated normal": lambda shape, **own: R.truncated_normal(shape, -1.0, 2.5, **own),
    "exponential": lambda shape, **own: R.exponential(shape, 1.3, **own),
    "gumbel": lambda shape, **own: R.gumbel(shape, 0.2, 1.3, **own),
    "laplace": lambda shape, **own: R.laplace(shape, 0.2, 1.3, **own),
    "logistic": lambda shape, **own: R.logistic(shape, 0.2, 1.3, **own),
    "gamma": lambda shape, **own: R.gamma(0.7, 1.3, shape=shape, **own),
    "beta": lambda shape, **own: R.beta(0.7, 2.1, shape=shape, **own),
}
DRAWS: dict[str, Callable[..., Any]] = {
    f"{name} {dtype}": lambda shape, draw=draw, dtype=dtype, **own: draw(shape, dtype=dtype, **own)
    for name, draw in FLOATS.items()
    for dtype in DTYPES
}
DRAWS |= {
    "bits": lambda shape, **own: R.bits(shape, **own),
    "dirichlet": lambda shape, **own: R.dirichlet(st.tensor([0.5, 1.5, 3.0, 0.1, 1.0]), shape=shape, **own),
    "dirichlet float64": lambda shape, **own: R.dirichlet(st.tensor([0.5, 1.5, 0.1], "float64"), shape=shape, **own),
    "poisson": lambda shape, **own: R.poisson(14.2, shape=shape, **own),
    "bernoulli": lambda shape, **own: R.bernoulli(0.3, shape, **own),
    "randint": lambda shape, **own: R.randint(shape, -5, 1000, **own),
    "categorical": lambda shape, **own: R.categorical(st.tensor([0.1, 0.7, -0.3, 1.0]), shape=shape, **own),
    "choice": lambda shape, **own: R.choice(4, shape, p=st.tensor([0.1, 0.2, 0.3, 0.4]), **own),
}
SHAPE = (37, 29)


def state(number: int = 0) -> st.Tensor:
    return st.asarray(np.array([11, number], np.uint64))


def bits(x: st.Tensor) -> bytes:
    return np.ascontiguousarray(x.numpy()).tobytes()


@NATIVE
@pytest.mark.parametrize("name", DRAWS)
class TestStyles:
    def test_interpreted_and_compiled(self, name: str) -> None:
        draw = DRAWS[name]
        found = {}
        with st.config.override(tier="interpret"):
            found["interpreted"] = bits(draw(SHAPE, generator=state()))
        with st.config.override(tier="compile"):
            found["compiled as it comes"] = bits(draw(SHAPE, generator=state()))
        with st.config.override(tier="auto"):
            for time in range(8):
                found[f"time {time}"] = bits(draw(SHAPE, generator=state()))
        with st.config.override(check_nan=True):
            found["checked"] = bits(draw(SHAPE, generator=state()))
        with st.config.override(backend="reference"):
            found["by NumPy"] = bits(draw(SHAPE, generator=state()))
        found["compiled"] = bits(st.compile(lambda s: draw(SHAPE, generator=s))(state()))
        found["compiled, as it was written"] = bits(
            st.compile(lambda s: draw(SHAPE, generator=s), optimize="none")(state())
        )
        found["compiled, of a known state"] = bits(st.compile(lambda x: draw(SHAPE, generator=state()))(st.ones(2)))
        s = st.symbol("s", (2,), "uint64")
        found["symbolic"] = bits(st.function([s], draw(SHAPE, generator=s))(state()))
        known = draw(SHAPE, generator=state())
        x = st.symbol("x", ())
        found["symbolic, of a known state"] = bits(
            st.function([x], known.astype(known.dtype) + x * 0)(0.0).astype(known.dtype)
        )
        assert {key for key, own in found.items() if own != found["compiled"]} == set()

    def test_generators(self, name: str) -> None:
        draw = DRAWS[name]
        steps = st.compile(lambda generator=None: draw((5, 3), generator=own))
        own = R.Generator(5)
        compiled = [bits(steps()) for _ in range(4)]
        own.reseed(5)
        assert [bits(draw((5, 3), generator=own)) for _ in range(4)] == compiled
        own.reseed(5)
        pending = [draw((5, 3), generator=own) for _ in range(4)]  # evaluated together
        st.evaluate(pending)
        assert [bits(each) for each in pending] == compiled

    def test_batches_and_loops(self, name: str) -> None:
        draw = DRAWS[name]
        states = R.split_state(state(), 5)
        alone = [bits(draw((7,), generator=own)) for own in states]
        many = st.vmap(lambda own: draw((7,), generator=own))
        rows = lambda states: st.scan(lambda carry, own: (carry, draw((7,), generator=own)), st.zeros(()), states)[1]
        called = lambda own: st.call(lambda s: draw((7,), generator=s), own)
        for function in (many, rows):
            for _ in range(3):
                assert [bits(row) for row in function(states)] == alone
            assert [bits(row) for row in st.compile(function)(states)] == alone
        for _ in range(3):
            assert bits(called(states[2])) == bits(st.compile(called)(states[2])) == alone[2]

    def test_a_shape_is_an_arrangement(self, name: str) -> None:
        draw = DRAWS[name]
        whole = draw((3000,), generator=state()).numpy().reshape(3000, -1)
        for shape in ((), (1,), (3, 5), (1023,), (1024,), (1025,), (2, 1, 1100), (0,), (2, 0)):
            part = draw(shape, generator=state()).numpy()
            assert part.tobytes() == whole[: int(np.prod(shape))].tobytes()

    def test_many_numbers(self, name: str) -> None:
        draw = DRAWS[name]
        shape = (257, 509)
        with st.config.override(tier="interpret"):
            interpreted = bits(draw(shape, generator=state()))
        assert interpreted == bits(st.compile(lambda s: draw(shape, generator=s))(state()))

    def test_within_a_larger_program(self, name: str) -> None:
        """Where a draw is fused with what is around it."""
        draw = DRAWS[name]
        x = np.random.default_rng(0).standard_normal((37, 29)).astype(np.float32)

        @st.compile
        def step(s: st.Tensor, x: st.Tensor) -> Any:
            noise = draw(SHAPE, generator=s)
            whole = noise.astype("float32").reshape((37, -1))[:, :29] * 0.5 + st.tanh(x)
            return noise, st.grad(lambda x: (st.sin(x) * whole).sum())(x)

        assert bits(step(state(), x)[0]) == bits(draw(SHAPE, generator=state()))


@NATIVE
class TestParameters:
    def test_tensors_and_gradients(self) -> None:
        def draw(s: st.Tensor, low: st.Tensor, alpha: st.Tensor) -> st.Tensor:
            first = R.truncated_normal(low=low, high=2.0, mean=low * 0.1, std=alpha, generator=s)
            return first + R.gamma(alpha, generator=s)

        low = st.tensor(np.linspace(-2, 1, 50, dtype=np.float32))
        alpha = st.tensor(np.linspace(0.2, 3, 50, dtype=np.float32))
        compiled = st.compile(draw)(state(), low, alpha)
        assert [bits(draw(state(), low, alpha)) for _ in range(8)] == 8 * [bits(compiled)]
        slopes = st.grad(lambda low, alpha: draw(state(), low, alpha).sum(), (0, 1))(low, alpha)
        again = st.compile(lambda low, alpha: st.grad(lambda *own: draw(state(), *own).sum(), (0, 1))(low, alpha))
        for a, b in zip(slopes, again(low, alpha), strict=True):
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=2e-5, atol=1e-6)

    def test_sizes_that_are_tensors(self) -> None:
        count = st.tensor([3, 4]).sum()
        assert bits(R.normal((count, 2), generator=state())) == bits(R.normal((7, 2), generator=state()))
        n = st.symbol("n", (), "int64")
        f = st.function([n], R.normal((n, 2), generator=state()))
        assert bits(f(7)) == bits(R.normal((7, 2), generator=state()))
        x = st.symbol("x", (None, 2))
        g = st.function([x], R.normal(x.shape, generator=state()) + x * 0)
        assert bits(g(np.zeros((7, 2), np.float32))) == bits(R.normal((7, 2), generator=state()))
        low = st.symbol("low", ())
        h = st.function([n, low], R.truncated_normal((n, 2), low, 2.0, generator=state()))
        assert bits(h(7, -1.0)) == bits(R.truncated_normal((7, 2), st.tensor(-1.0), 2.0, generator=state()))

    def test_wrong_sizes(self) -> None:
        for shape in ((-1,), (2, -3), (-2, -2)):
            with pytest.raises(ArgumentError):
                R.normal(shape, generator=state()).numpy()
