"""What can be called and asked: compiled functions, bound methods, symbolic functions, plain functions, models."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import septet as st
from septet import nn
from septet.base.errors import ArgumentError
from septet.run.runnable import Bound, target_of

X = np.ones((2, 3), np.float32)


def test_functions():
    compiled = st.compile(lambda x: x * 2)
    found = target_of(compiled, (X,), {}, st.compile)
    assert found.arguments == "x: float32[2, 3]" and found.program(found.arrays)[0].tolist() == (X * 2).tolist()
    assert target_of(compiled, (), {"x": X}, st.compile).program is not None
    assert len(compiled.compiles) == 2  # by position and by name: the keys differ
    x = st.symbol("x", (None, 3))
    assert target_of(st.function([x], x + 1), (X,), {}, st.compile).name == "function"
    assert target_of(nn.Dense(4), (X,), {}, st.compile).program.graph.outputs[0].shape == (2, 4)
    with pytest.raises(ArgumentError, match="pass the function itself"):
        target_of(X, (), {}, st.compile)


def test_nothing_is_run():
    calls = []

    @st.compile
    def f(x):
        return st.callback(lambda v: (calls.append(1), v)[1], x, x)

    target_of(f, (X,), {}, st.compile).describe()
    assert calls == []
    f(X)
    assert calls == [1]


class Scale:
    """Has a compiled method."""

    def __init__(self, factor):
        self.factor = factor

    @st.compile
    def apply(self, x, power=1):
        """Multiply and raise."""
        return (x * self.factor) ** power


class TestBound:
    def test_a_method_tells_its_memory_before_it_ran(self):
        scale = Scale(3.0)
        found = scale.apply.memory(st.symbol(shape=(100, 50)), power=2)
        assert (found.arguments, found.outputs) == (20_000, 20_000)
        assert found.call.startswith("apply(") and "x: float32[100, 50]" in found.call
        assert scale.apply.memory(X).arguments == X.nbytes

    def test_its_compiles_are_those_of_the_function(self):
        first, second = Scale(2.0), Scale(5.0)
        before = len(Scale.apply.compiles)
        assert first.apply(X).tolist() == (X * 2).tolist() and second.apply(X, power=2).tolist() == (X * 25).tolist()
        assert len(first.apply.compiles) == len(second.apply.compiles) == before + 2
        first.apply(X)
        assert len(first.apply.compiles) == before + 2
        assert first.apply.compiles is Scale.apply.compiles

    def test_explain_and_what_methods_have(self):
        method = Scale(2.0).apply
        assert isinstance(method, Bound) and isinstance(method, functools.partial)
        assert "x: float32[2, 3]" in st.explain(method, X).call
        assert method.__name__ == "apply"
        with pytest.raises(AttributeError, match="nothing_like_it"):
            method.nothing_like_it

    def test_a_partial_of_the_users(self):
        compiled = st.compile(lambda x, y: x * y)
        assert target_of(functools.partial(compiled, X), (X,), {}, st.compile).arguments.count("float32[2, 3]") == 2


def test_a_symbolic_function_stands_for_its_own_symbols():
    x = st.symbol("x", (7, 3))
    assert st.function([x], st.exp(x)).memory().arguments == 84
    assert st.function([], st.ones(5) * 2).memory().outputs == 20
