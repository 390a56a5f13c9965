"""Transforms inside transforms, in every order of two, and some of three, against differences and loops."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import septet as st
from septet.graph.context import context

X = np.array([0.3, -0.7, 1.1])
V = np.array([1.0, 0.5, -2.0])

Call = Callable[[Any], Any]  # from a vector of 3 to a vector of 3


def plain(x: Any) -> Any:
    """Elementwise ops and a reduction."""
    return st.sin(x) * x.sum() + x[::-1] ** 2


def looped(x: Any) -> Any:
    """A scan over the elements."""
    return st.scan(lambda c, v: (c * 0.5 + st.sin(v), c * v), x.sum(), x)[1] + x


def branched(x: Any) -> Any:
    """A cond on a value."""
    return st.cond(x.sum() > 10, lambda v: v * 2, lambda v: st.exp(v) * v.sum(), x)


def called(x: Any) -> Any:
    """A graph called as one op."""
    return st.call(lambda v: st.tanh(v) * v.sum(), x)


def again(x: Any) -> Any:
    """Rematerialised."""
    return st.remat(plain)(x)


def own(x: Any) -> Any:
    """With a gradient given by hand, which is the right one."""

    @st.custom_gradient
    def cube(v: Any) -> Any:
        return v**3, lambda g: g * 3 * v * v

    return cube(x) * x.sum()


# Each takes a function from vectors of 3 to vectors of 3 and returns another one.
TRANSFORMS: dict[str, Callable[[Call], Call]] = {
    "grad": lambda f: st.grad(lambda x: (f(x) * V).sum()),
    "jvp": lambda f: lambda x: st.jvp(f, (x,), (st.asarray(V),))[1],
    "vjp": lambda f: lambda x: st.vjp(f, x)[1](st.asarray(V))[0],
    "jacfwd": lambda f: lambda x: st.jacfwd(f)(x) @ st.asarray(V),
    "jacrev": lambda f: lambda x: st.jacrev(f)(x) @ st.asarray(V),
    "vmap": lambda f: lambda x: st.vmap(lambda s: f(x * s))(st.asarray(V)).sum(axis=0),
    "scan": lambda f: lambda x: st.scan(lambda c, s: (f(c * s), None), x, st.asarray(V[:2]))[0],
    "cond": lambda f: lambda x: st.cond(x.sum() > 0, f, lambda v: f(v) * 2, x),
    "call": lambda f: lambda x: st.call(f, x),
    "remat": lambda f: lambda x: st.remat(f)(x),
}

# The same in NumPy, by differences and loops, from a function of arrays.
H = 1e-4


def derivative(f: Call, x: np.ndarray, v: np.ndarray) -> np.ndarray:
    """The derivative in one direction, by a difference of fourth order."""
    return (8 * (f(x + H * v) - f(x - H * v)) - (f(x + 2 * H * v) - f(x - 2 * H * v))) / (12 * H)


def transposed(f: Call, x: np.ndarray) -> np.ndarray:
    """V times the Jacobian."""
    return np.array([derivative(f, x, e) @ V for e in np.eye(3)])


ORACLES: dict[str, Callable[[Call], Call]] = {
    "grad": lambda f: lambda x: transposed(f, x),
    "jvp": lambda f: lambda x: derivative(f, x, V),
    "vjp": lambda f: lambda x: transposed(f, x),
    "jacfwd": lambda f: lambda x: derivative(f, x, V),
    "jacrev": lambda f: lambda x: derivative(f, x, V),
    "vmap": lambda f: lambda x: sum(f(x * s) for s in V),
    "scan": lambda f: lambda x: f(f(x * V[0]) * V[1]),
    "cond": lambda f: lambda x: f(x) if x.sum() > 0 else f(x) * 2,
    "call": lambda f: f,
    "remat": lambda f: f,
}


def as_arrays(f: Call) -> Call:
    """A function of tensors as one of arrays."""
    return lambda x: st.asarray(f(st.asarray(x))).numpy()


@pytest.mark.parametrize("f", [plain, looped, branched, called, again, own], ids=lambda f: f.__name__)
@pytest.mark.parametrize("name", TRANSFORMS)
def test_one(name: str, f: Call) -> None:
    """Each transform of each kind of function."""
    found = as_arrays(TRANSFORMS[name](f))(X)
    np.testing.assert_allclose(found, ORACLES[name](as_arrays(f))(X), rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("f", [plain, looped], ids=lambda f: f.__name__)
@pytest.mark.parametrize("names", list(itertools.product(TRANSFORMS, repeat=2)), ids=lambda names: "-".join(names))
def test_two(names: tuple[str, str], f: Call) -> None:
    """Every pair, the outer one named first; the inner one is exact, so only the outer one is a difference."""
    outer, inner = names
    found = as_arrays(TRANSFORMS[outer](TRANSFORMS[inner](f)))(X)
    expected = ORACLES[outer](as_arrays(TRANSFORMS[inner](f)))(X)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6 * max(1.0, np.abs(expected).max()))


@pytest.mark.parametrize(
    "names",
    [("grad", "vmap", "grad"), ("vmap", "grad", "scan"), ("jvp", "grad", "vmap"), ("scan", "jvp", "grad"),
     ("jacfwd", "jacrev", "cond"), ("vmap", "vmap", "grad"), ("cond", "grad", "remat"), ("remat", "grad", "remat"),
     ("grad", "scan", "grad"), ("jacrev", "jacfwd", "grad"), ("vjp", "jvp", "call")],
    ids=lambda names: "-".join(names),
)  # fmt: skip
def test_three(names: tuple[str, str, str]) -> None:
    """Three deep."""
    middle = TRANSFORMS[names[1]](TRANSFORMS[names[2]](plain))
    found = as_arrays(TRANSFORMS[names[0]](middle))(X)
    expected = ORACLES[names[0]](as_arrays(middle))(X)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6 * max(1.0, np.abs(expected).max()))


@pytest.mark.parametrize("name", TRANSFORMS)
def test_compiled(name: str) -> None:
    """Compiled, each gives what it gives at once; and so does its gradient."""
    call = TRANSFORMS[name](plain)
    np.testing.assert_allclose(st.compile(call)(st.asarray(X)), call(st.asarray(X)), rtol=1e-10)
    slope = st.grad(lambda x: (call(x) * V).sum())
    np.testing.assert_allclose(st.compile(slope)(st.asarray(X)), slope(st.asarray(X)), rtol=1e-10)


@pytest.fixture
def impatience() -> Iterator[None]:
    """Evaluate what is pending after every few nodes, as it happens in long programs."""
    before = context.limit
    with st.config.override(record_limit=3):
        context.limit = 1
        yield
    context.limit = before


@pytest.mark.parametrize("f", [plain, looped, branched, called, again, own], ids=lambda f: f.__name__)
@pytest.mark.parametrize("name", TRANSFORMS)
def test_evaluation_on_the_way_changes_nothing(name: str, f: Call, impatience: None) -> None:
    """What is evaluated by itself while a transform records is neither lost nor differentiated twice."""
    test_one(name, f)
    if f is plain:
        test_two((name, "grad"), f)


def test_while_loop_in_forward_mode() -> None:
    """A loop whose length depends on the value has forward mode, and batches whose examples stop at different times."""
    grow = lambda x: st.while_loop(lambda v: v < 100, lambda v: v * v, x)
    assert float(st.jvp(grow, (3.0,), (1.0,))[1]) == pytest.approx(8 * 3.0**7)
    found = st.vmap(lambda x: st.jvp(grow, (x,), (st.ones((), dtype="float64"),))[1])(st.asarray([3.0, 5.0, 200.0]))
    np.testing.assert_allclose(found, [8 * 3.0**7, 4 * 5.0**3, 1.0])
