"""A plan is called by native code, which does what Python does for a call, without its lock while the steps run."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import septet as st
from septet.backends.cpu import calling
from septet.backends.cpu.program import CpuProgram, Plan
from septet.backends.cpu.results import LARGE
from septet.graph.graph import Graph
from septet.run.programs import REFERENCE

pytestmark = pytest.mark.skipif(
    st.config.backend != "cpu" or not calling.is_supported(), reason="this Python is called through ctypes"
)
ROOT = Path(__file__).resolve().parents[3]
X = np.random.default_rng(3).normal(size=(4, 6)).astype(np.float32)


@pytest.fixture(autouse=True, scope="module")
def is_made() -> None:
    calling.make()  # the first call of a process would not wait for it


def program(
    function: Callable[..., Any], *shapes: tuple[int | None, ...], updates: Any = (), dtypes: tuple[str, ...] = ()
) -> CpuProgram:
    inputs = [st.symbol(f"x{n}", shape, *dtypes[n : n + 1]) for n, shape in enumerate(shapes)]
    pairs = [(variable, value(*inputs).node) for variable, value in updates]
    return CpuProgram(Graph([x.node for x in inputs], [function(*inputs).node], pairs), REFERENCE)


def natively(own: CpuProgram, arrays: list[np.ndarray], is_step: bool = False) -> list[Any] | int | None:
    """Make a call by the native function of the last plan."""
    assert own._last is not None
    plan, caller = own._last
    found: list[Any] | int | None = caller.call(arrays, is_step)
    if type(found) is not list:
        plan.take_back()
    return found


def test_both_ways_to_make_a_call_find_the_same() -> None:
    own = program(lambda x, y: st.tanh(x) @ y, (4, 6), (6, 5))
    rng = np.random.default_rng(4)
    own([X, np.ones((6, 5), np.float32)])
    assert own._last is not None
    for _ in range(5):
        arrays = [rng.normal(size=shape).astype(np.float32) for shape in ((4, 6), (6, 5))]
        expected = own._execute(own._last[0], arrays, False)[0]
        results = natively(own, arrays)
        assert type(results) is list
        (found,) = results
        assert found.tobytes() == expected.tobytes() and not found.flags.writeable
        np.testing.assert_allclose(found, np.tanh(arrays[0]) @ arrays[1], rtol=1e-5, atol=1e-5)


def test_python_makes_calls_of_other_sizes_and_layouts() -> None:
    own = program(lambda x: st.exp(x) + 1.0, (None, 6))
    own([X])
    for other in (X[:3], np.asfortranarray(X), np.repeat(X, 2, axis=0)[::2], np.zeros((0, 6), np.float32)):
        assert natively(own, [other]) is None
        np.testing.assert_allclose(own([other])[0], np.exp(other) + 1, rtol=1e-6)
        own([X])
    assert natively(own, [X, X]) is None and natively(own, []) is None
    np.testing.assert_allclose(own((X,))[0], np.exp(X) + 1, rtol=1e-6)


def test_a_new_value_is_written_over_the_old_one_that_nobody_sees() -> None:
    w = st.Variable(np.zeros(6, np.float32), "w")
    own = program(lambda x: (x * w).sum(), (4, 6), updates=[(w, lambda x: w + 1.0)])

    def call() -> bool:
        place = w._value.ctypes.data  # type: ignore[union-attr]
        results = natively(own, [X], True)
        assert type(results) is list and results[1] is w._value
        assert not w.value.flags.writeable and w._lender is None and w._lent is None
        return bool(w._value.ctypes.data == place)  # type: ignore[union-attr]

    own.step([X])
    assert call() and call()
    assert w.value.tolist() == [3] * 6
    view, before = w.value[2:], w.value.tolist()
    assert not call()
    assert view.tolist() == before[2:]
    assert call()
    leaf = w.node  # somebody may ask for the value that it stands for
    assert not call()
    assert leaf.value.tolist() == [5] * 6
    assert w.node.op.name == "variable"  # nobody has it any more
    assert call() and w._leaf is None
    w.assign(st.tensor([1.0] * 6) * 2.0)  # pending
    assert natively(own, [X], True) is None
    results = own.step([X])
    assert results[0] == pytest.approx(2 * X.sum(), rel=1e-5) and w.value.tolist() == [3] * 6


def test_what_is_no_step_leaves_variables_as_they_are() -> None:
    w = st.Variable(np.zeros(6, np.float32), "w")
    own = program(lambda x: (x * w).sum(), (4, 6), updates=[(w, lambda x: w + 1.0)])
    for _ in range(3):
        own([X])
    array = w._value
    results = natively(own, [X])
    assert type(results) is list and results[1].tolist() == [1] * 6
    assert w._value is array and w.value.tolist() == [0] * 6


def test_after_an_error_variables_have_their_values_again() -> None:
    w = st.Variable(np.zeros(3, np.float32), "w")
    own = program(
        lambda x, n: st.take(x, n, axis=0), (4, 3), (2,), updates=[(w, lambda x, n: w + 1.0)],
        dtypes=("float32", "int64"),
    )  # fmt: skip
    right, wrong = [X[:, :3].copy(), np.array([0, 1])], [X[:, :3].copy(), np.array([0, 9])]
    own.step(right)
    for number in range(3):
        array = w._value
        with pytest.raises(st.errors.IndexOutOfRangeError, match="9"):
            own.step(wrong)
        assert w._value is array and w._lent is None and w.value.tolist() == [1 + number] * 3
        del array
        own.step(right)


def test_large_results_and_single_numbers() -> None:
    size = LARGE // 4 + 8
    own = program(lambda x: x + 1.0, (size,))
    x = np.arange(size, dtype=np.float32)
    own([x])
    for _ in range(3):
        results = natively(own, [x])
        assert type(results) is list
        np.testing.assert_array_equal(results[0], x + 1)
        assert not results[0].flags.writeable
    single = program(lambda x: x * 3.0, ())
    single([np.array(2.0, np.float32)])
    (found,) = natively(single, [np.array(5.0, np.float32)])  # type: ignore[misc]
    assert found.shape == () and found == 15


def test_a_step_that_finds_an_error_says_which() -> None:
    own = program(lambda x, n: st.take(x * 2.0, n, axis=0), (4, 3), (2,), dtypes=("float32", "int64"))
    x = np.arange(12, dtype=np.float32).reshape(4, 3)
    own([x, np.array([0, 1])])
    plan = own.prepare([(4, 3), (2,)])
    assert isinstance(plan, Plan)
    for _ in range(3):
        assert natively(own, [x, np.array([0, 9])]) == 1 + plan._last_that_may_fail
        with pytest.raises(st.errors.IndexOutOfRangeError, match="9"):
            own([x, np.array([0, 9])])
        assert own([x, np.array([3, 0])])[0].tolist() == [[18, 20, 22], [0, 2, 4]]


def test_calls_keep_nothing() -> None:
    w = st.Variable(np.zeros(6, np.float32), "w")
    own = program(
        lambda x, n: st.take(x + w, n, axis=0), (4, 6), (2,), updates=[(w, lambda x, n: w + 1.0)],
        dtypes=("float32", "int64"),
    )  # fmt: skip
    right, wrong, other = [X, np.array([0, 1])], [X, np.array([0, 7])], [X[:2], np.array([0, 1])]
    own(right)
    value = w.value
    counted = (X, value, w, None, float, right[1].dtype, np.dtype(np.float32))

    def counts() -> list[int]:
        return [sys.getrefcount(each) for each in counted]

    natively(own, right, True)
    before = counts()
    for _ in range(50):
        natively(own, right, True)
        natively(own, wrong, True)
        natively(own, other, True)
    assert max(abs(a - b) for a, b in zip(counts(), before, strict=True)) < 25


def test_other_threads_of_python_run_meanwhile() -> None:
    own = program(lambda x: st.sin(st.exp(st.tanh(x))).sum(), (4_000_000,))
    x = np.zeros(4_000_000, np.float32)
    own([x])
    count, is_over = 0, False

    def work() -> None:
        nonlocal count
        while not is_over:
            count += 1

    before = sys.getswitchinterval()
    sys.setswitchinterval(1.0)  # so long a thread keeps the lock, unless it gives it away
    thread = threading.Thread(target=work)
    try:
        thread.start()
        seen = count
        end = time.perf_counter() + 0.8
        while count == seen and time.perf_counter() < end:  # the other one may have to wait for a processor
            assert type(natively(own, [x])) is list
        assert count > seen
    finally:
        is_over = True
        sys.setswitchinterval(before)
        thread.join()


def test_threads_that_make_the_same_and_different_calls() -> None:
    total = st.Variable(np.zeros(3, np.float32), "total")

    @st.compile
    def double(x: st.Tensor) -> st.Tensor:
        return x * 2.0 + 1.0

    @st.compile
    def add(x: st.Tensor) -> st.Tensor:
        total.assign(total + x)
        return total * 1.0

    wrong: list[Any] = []

    def work(number: int) -> None:
        try:
            for n in range(200):
                x = np.full(1 + (number + n) % 3, 10.0 * number + n, np.float32)
                sums = add(np.ones(3, np.float32)).numpy().tolist()
                if (double(x).numpy() != x * 2 + 1).any() or len(set(sums)) != 1:
                    wrong.append((number, n))
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert not wrong and total.value.tolist() == [800.0] * 3


def test_python_ends_while_a_thread_is_in_native_code() -> None:
    code = """
import threading, time
import numpy as np, septet as st
x = np.zeros(3_000_000, np.float32)
f = st.compile(lambda x: st.sin(st.exp(st.tanh(x))).sum())
f(x)
def work():
    while True:
        f(x)
threading.Thread(target=work, daemon=True).start()
time.sleep(0.05)
print("right")
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SEPTET_BACKEND": "cpu"}
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (0, "right\n"), done.stderr


def test_where_python_or_numpy_is_another_one_ctypes_makes_the_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calling, "is_supported", lambda: False)
    own = program(lambda x: st.exp(x), (4, 6))
    for _ in range(2):
        np.testing.assert_allclose(own([X])[0], np.exp(X), rtol=1e-6)
    assert own._last is None
