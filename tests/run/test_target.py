"""What can be explained: compiled functions, methods, symbolic functions, plain functions, models."""

from __future__ import annotations

import numpy as np
import pytest

import septet as st
from septet import nn
from septet.base.errors import ArgumentError
from septet.run.target import target_of, with_stand_ins

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


def test_stand_ins_take_no_memory():
    (huge,), words = with_stand_ins(
        (st.symbol(shape=(100_000, 100_000)),), {"pair": [3, st.symbol(shape=(), dtype="int64")]}
    )
    assert huge.shape == (100_000, 100_000) and huge.dtype == np.float32 and huge.strides == (0, 0)
    assert words["pair"][0] == 3 and words["pair"][1].dtype == np.int64
