"""A plan is called by native code: with the arrays of each call, without the lock of Python, and with its errors."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import septet as st
from septet.backends.cpu import calling
from septet.backends.cpu.program import CpuProgram, Plan
from septet.graph.graph import Graph
from septet.run.programs import REFERENCE

pytestmark = pytest.mark.skipif(
    st.config.backend != "cpu" or not calling.is_supported(), reason="this Python is called through ctypes"
)
ROOT = Path(__file__).resolve().parents[3]


def program(function: object, *shapes: tuple[int, ...], dtypes: tuple[str, ...] = ()) -> CpuProgram:
    inputs = [st.symbol(f"x{n}", shape, *dtypes[n : n + 1]) for n, shape in enumerate(shapes)]
    return CpuProgram(Graph([x.node for x in inputs], [function(*inputs).node]), REFERENCE)  # type: ignore[operator]


def test_both_ways_to_run_a_plan_find_the_same() -> None:
    own = program(lambda x, y: st.tanh(x) @ y, (4, 6), (6, 5))
    plan = own.prepare([(4, 6), (6, 5)])
    assert isinstance(plan, Plan) and plan._caller is not None
    rng = np.random.default_rng(3)
    for _ in range(5):
        arrays = [rng.normal(size=shape).astype(np.float32) for shape in ((4, 6), (6, 5))]
        native, through = np.empty((4, 5), np.float32), np.empty((4, 5), np.float32)
        assert plan.start([*arrays, native]) == 0
        plan.place(arrays, [], [], [through])
        assert plan.run(*plan.addresses) == 0
        assert native.tobytes() == through.tobytes()
        np.testing.assert_allclose(native, np.tanh(arrays[0]) @ arrays[1], rtol=1e-5, atol=1e-5)


def test_a_step_that_finds_an_error_says_which() -> None:
    own = program(lambda x, n: st.take(x * 2.0, n, axis=0), (4, 3), (2,), dtypes=("float32", "int64"))
    x = np.arange(12, dtype=np.float32).reshape(4, 3)
    plan = own.prepare([(4, 3), (2,)])
    assert isinstance(plan, Plan)
    number = plan.start([x, np.array([0, 9]), np.empty((2, 3), np.float32)])
    assert number == 1 + plan._last_that_may_fail
    plan.status[0] = 0
    for _ in range(3):
        with pytest.raises(st.errors.IndexOutOfRangeError, match="9"):
            own([x, np.array([0, 9])])
        assert own([x, np.array([3, 0])])[0].tolist() == [[18, 20, 22], [0, 2, 4]]


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
    sys.setswitchinterval(0.3)  # so long a thread keeps the lock, unless it gives it away
    thread = threading.Thread(target=work)
    try:
        thread.start()
        seen = count
        own([x])
        assert count > seen
    finally:
        is_over = True
        sys.setswitchinterval(before)
        thread.join()


def test_threads_that_call_the_same_and_different_plans() -> None:
    double = st.compile(lambda x: x * 2.0 + 1.0)
    wrong = []

    def work(number: int) -> None:
        for n in range(200):
            x = np.full(1 + (number + n) % 3, 10.0 * number + n, np.float32)
            if (double(x).numpy() != x * 2 + 1).any():
                wrong.append((number, n))

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
    assert not wrong


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
