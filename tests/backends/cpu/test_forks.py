"""A child that is forked while other threads compile and run works; what it cannot do, it says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import septet as st

pytestmark = [
    pytest.mark.skipif(st.config.backend != "cpu", reason="native code"),
    pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system"),
]
ROOT = Path(__file__).resolve().parents[3]

START = """
import faulthandler, os, random, signal, sys, threading, time, warnings
import numpy as np, septet as st
warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of forks beside threads

def forked(work):
    \"\"\"Do something in a child, and return whether it ended by itself, and well.\"\"\"
    child = os.fork()
    if not child:
        code = 1
        try:
            faulthandler.register(signal.SIGALRM, chain=True)
            signal.alarm(200)  # a child that hangs ends so, and says where
            work()
            code = 0
        finally:
            sys.stderr.flush()
            os._exit(code)
    return os.waitpid(child, 0)[1] == 0
"""

STORM = (
    START
    + """
rng = random.Random(7)
is_over = False
w = st.Variable(np.zeros(400_000, np.float32), "w")
x = np.linspace(-1, 1, 3000).astype(np.float32)

@st.compile
def step():
    w.assign(w + 1.0)

@st.compile
def known(x):
    return (st.tanh(x) * 2 + st.exp(x)).sum()

right = float(known(x))
numbers = iter(range(1000))

def new(number):
    found = st.compile(lambda x: st.sin(x * (number + 0.25)) + number)(x).numpy()
    assert abs(found - np.sin(x * np.float32(number + 0.25)) - number).max() < 1e-3

def evaluate():
    y = st.tensor(x)
    for _ in range(8):
        y = st.tanh(y * 1.5) - 0.25
    return float(y.sum())

expected = evaluate()
failures = []

def repeat(work):
    def run():
        try:
            while not is_over:
                work()
        except BaseException as error:
            failures.append(error)
            raise
    return threading.Thread(target=run)

def child():
    assert abs(float(known(x)) - right) <= 1e-4 * abs(right)
    new(1000 + os.getpid() % 1000)
    assert abs(evaluate() - expected) < 1e-2
    st.random.normal((5,)).numpy()
    assert len(set(w.numpy().tolist())) == 1
    step()
    assert len(set(w.numpy().tolist())) == 1

threads = [repeat(step), repeat(lambda: new(next(numbers))), repeat(evaluate), repeat(lambda: known(x))]
for thread in threads:
    thread.start()
bad = 0
for _ in range(15):
    time.sleep(0.02 * rng.random())
    bad += not forked(child)
is_over = True
for thread in threads:
    thread.join()
assert not bad and not failures, (bad, failures)
print("right")
"""
)


def _run(code: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SEPTET_BACKEND": "cpu"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["right"]


def test_children_of_a_process_that_compiles_and_runs() -> None:
    _run(STORM)


def test_a_child_of_a_process_that_is_not_waited_for_says_what_it_cannot_do() -> None:
    """Another thread compiles for longer than a fork waits: what the child knows it computes, and the rest by NumPy."""
    _run(
        START
        + """
from septet.base import forks
forks.PATIENCE = 0.1
known = st.compile(lambda x: st.sin(x) * 3.25)
known(np.ones(3, np.float32))
is_over = threading.Event()

def compile_for_long():
    with forks.work:
        is_over.wait()

def child():
    assert known(np.zeros(3, np.float32)).numpy().tolist() == [0, 0, 0]
    try:
        st.compile(lambda x: st.sin(x) * 3.75)(np.ones(3, np.float32))
    except st.errors.NotSupportedError as error:
        assert "nothing can be compiled in this process" in str(error), error
    else:
        raise AssertionError
    for _ in range(20):
        y = st.tensor([1.0, 2.0])
        for _ in range(6):
            y = y * 1.5 + 0.5
        assert y.numpy().tolist() == [21.78125, 33.171875], y

thread = threading.Thread(target=compile_for_long)
thread.start()
with warnings.catch_warnings(record=True) as found:
    warnings.simplefilter("always", RuntimeWarning)
    is_right = forked(child)
is_over.set()
thread.join()
assert is_right
assert ["in vain" in str(each.message) for each in found if each.category is RuntimeWarning] == [True]
assert forked(lambda: st.compile(lambda x: st.sin(x) * 3.5)(np.ones(3, np.float32)))
print("right")
"""
    )


def test_a_fork_waits_for_a_step_that_writes_over_a_variable() -> None:
    _run(
        START
        + """
w = st.Variable(np.zeros(3_000_000, np.float32), "w")

@st.compile
def step():
    w.assign(w + 1.0)

step()
is_over = False

def run():
    while not is_over:
        step()

def child():
    found = w.numpy()
    assert found.min() == found.max()

thread = threading.Thread(target=run)
thread.start()
results = []
for _ in range(10):
    time.sleep(0.003)
    results.append(forked(child))
is_over = True
thread.join()
assert all(results)
print("right")
"""
    )


def test_a_process_pool_that_forks() -> None:
    _run(
        START
        + """
import multiprocessing

def work(number):
    y = st.compile(lambda x: st.tanh(x * number).sum())(np.full(2000, 0.5, np.float32))
    return float(y)

if __name__ == "__main__":
    here = [work(number) for number in range(4)]
    with multiprocessing.get_context("fork").Pool(2) as pool:
        there = pool.map(work, range(4))
    assert here == there, (here, there)
    print("right")
"""
    )
