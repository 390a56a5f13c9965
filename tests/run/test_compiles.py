"""`f.compiles` and `st.compiles()`: each compile with its reason and what it took."""

from __future__ import annotations

import ast
import os
import subprocess
import sys

import numpy as np
import pytest

import septet as st
from septet import nn
from septet.run import hot, tiers
from septet.run.compiles import Compile, Compiles

NATIVE = pytest.mark.skipif(st.config.backend != "cpu", reason="only the native backend plans")


def test_a_compiled_function_says_why():
    f = st.compile(lambda x, scale=1.0: st.tanh(x * scale).sum())
    f(st.ones((4, 3)))
    f(st.ones((4, 3)))
    f(st.ones((2, 3)))
    f(st.ones((2, 3)), scale=2.0)
    with st.no_grad():
        f(st.ones((2, 3)))
    assert [each.reason for each in f.compiles] == [
        "first call", "x: float32[4, 3] -> float32[2, 3]", "scale: 2.0 is new", "gradients: on -> off",
    ]  # fmt: skip
    assert all(each.seconds > 0 and each.nodes > 0 and not each.error for each in f.compiles)
    assert f.compiles[2].arguments == "x: float32[2, 3], scale: 2.0"


def test_a_model_that_is_switched():
    model = nn.Sequential(nn.Dense(4), nn.Dropout(0.5))
    f = st.compile(lambda x: model(x))
    f(st.ones((2, 3)))
    model.eval()
    f(st.ones((2, 3)))
    model.train()
    f(st.ones((2, 3)))
    assert len(f.compiles) == 2 and "training" in f.compiles[1].reason


@NATIVE
def test_a_symbolic_function_says_which_sizes():
    x, y = st.symbol("x", (None, 3)), st.symbol("y", (3,))
    f = st.function([x, y], st.tanh(x) * y)
    assert list(f.compiles) == []
    for size in (4, 2, 4):
        f(np.zeros((size, 3)), np.zeros(3))
    assert [(each.reason, each.arguments) for each in f.compiles] == [
        ("first call", "x: float32[4, 3], y: float32[3]"), ("x: (4, 3) -> (2, 3)", "x: float32[2, 3], y: float32[3]"),
    ]  # fmt: skip
    assert f.compiles[1].kernels == 0  # another plan, the same machine code


PROGRAM = """
import septet as st
f = st.compile(lambda x: st.tanh(x * 3).sum())
f(st.ones((50, 3)))
f(st.ones((40, 3)))
print([(each.kernels, each.new) for each in f.compiles])
"""


@NATIVE
def test_kernels_that_are_new_and_those_from_disk(tmp_path):
    environment = {**os.environ, "SEPTET_CACHE_DIR": str(tmp_path)}
    found = []
    for _ in range(2):
        run = subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True
        )
        found.append(ast.literal_eval(run.stdout))
    (first, again), (other, later) = found
    assert first[0] == first[1] > 0  # all were compiled
    assert other == (first[0], 0)  # all were on disk
    assert again == later == (0, 0)  # the process has them


@NATIVE
def test_define_by_run_code(monkeypatch):
    monkeypatch.setattr(hot, "_compiles", Compiles("define by run"))  # that of a long session is full

    def f(x):
        return float(st.sum(st.tanh(x * 1.7 + 0.3) * st.exp(-x) + st.sqrt(x * x + 5.0)))

    x = st.ones((371, 2))
    with st.config.override(tier="auto"):
        for _ in range(tiers.CHANGE + 1):
            f(x)
    new = st.compiles()
    assert len(new) == 1 and new[0].reason == f"came {tiers.HOT} times" and "float32[371, 2]" in new[0].arguments
    with st.config.override(tier="compile"):
        f(st.ones((372, 2)))
    assert st.compiles()[-1].reason == "the setting tier"
    assert "define by run: " in str(st.compiles())


@NATIVE
def test_what_cannot_be_compiled_is_noted(monkeypatch):
    def fail(graph):
        raise RuntimeError("no\nway")

    monkeypatch.setattr(hot, "_prepare", fail)
    with st.config.override(tier="compile"):
        assert float(st.sum(st.tanh(st.zeros(373) * 2 + 1) * 0 + 1.0)) == 373
    assert st.compiles()[-1].error == "RuntimeError: no"
    assert "RuntimeError: no" in str(Compiles("x", st.compiles()[-1:]))


class TestText:
    def test_none(self):
        assert str(Compiles("f")) == "f: 0 compiles"

    def test_reasons_are_never_cut(self):
        reason = "images: float32[64, 784] -> float32[10, 784]; labels: int64[64] -> int64[10]"
        own = Compiles("f", [Compile("images: float32[10, 784], labels: int64[10]", reason, 134, 0.05, 3, 1)])
        text = str(own)
        assert text.startswith("f: 1 compile, 50.0 ms, 3 kernels: 1 new, 2 from disk\n\nreason")
        assert reason in text and "arguments" not in text  # for which there is no room
        assert "int64[10]" in own._repr_html_()
        assert "error" not in text
