"""Signals while native code runs: Ctrl-C comes through, what was on the way is dropped, and the next call is right."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import septet as st

pytestmark = [
    pytest.mark.skipif(st.config.backend != "cpu", reason="native code"),
    pytest.mark.skipif(sys.platform == "win32", reason="signals are sent as on Unix"),
]
ROOT = Path(__file__).resolve().parents[3]
SOON = 1.5
"""Seconds of processor time, of all threads, within which a signal must have come through; 0.1 to 0.3 in fact."""


@pytest.fixture(autouse=True)
def interrupts_raise() -> Iterator[None]:
    """Ctrl-C raises KeyboardInterrupt: a process that a shell has started in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def signalled(after: float, number: int = signal.SIGINT) -> Iterator[list[float]]:
    """Send a signal to this process a while after the block begins; the list takes the processor time then."""
    sent: list[float] = []

    def send() -> None:
        sent.append(time.process_time())
        os.kill(os.getpid(), number)

    timer = threading.Timer(after, send)
    timer.start()
    try:
        yield sent
    finally:
        timer.cancel()
        timer.join()


def interrupted(call: Callable[[], Any], after: float = 0.3) -> float:
    """Return the processor time that it took until Ctrl-C ended a call."""
    with signalled(after) as sent, pytest.raises(KeyboardInterrupt):
        call()
        pytest.fail("the call ended by itself")
    return time.process_time() - sent[0]


# Programs that take a minute for a large `n`, and their results for a small one.


@st.compile
def whiles(n: st.Tensor) -> Any:
    """Steps of a loop that does not know its length."""
    return st.while_loop(lambda c: c[0] < n, lambda c: (c[0] + 1, c[1] * 0.5 + 1.0), (st.asarray(0), st.ones(5)))[1]


@st.compile
def scans(rows: st.Tensor) -> Any:
    return st.scan(lambda c, row: (st.tanh(c + row), c), rows[0], rows)[0]


@st.compile
def nested(rows: st.Tensor) -> Any:
    """A loop in a branch in a loop."""

    def inner(c: Any) -> Any:
        return st.scan(lambda c, row: (st.tanh(c + row), None), c, rows)[0]

    return st.scan(lambda c, row: (st.cond(c.sum() > -1e9, inner, lambda c: c, c), None), rows[0], rows)[0]


@st.compile
def product(a: st.Tensor) -> Any:
    return a @ a


@st.compile
def pointwise(a: st.Tensor) -> Any:
    """One kernel that takes long for each element."""
    for _ in range(30):
        a = st.sin(a) + st.cos(a)
    return a


LONG: dict[str, tuple[Callable[..., Any], Any, Any]] = {
    "while": (whiles, np.int64(10**12), np.int64(20)),
    "scan": (scans, np.ones((30_000_000, 1), np.float32), np.ones((20, 1), np.float32)),
    "nested": (nested, np.ones((30_000, 8), np.float32), np.ones((20, 8), np.float32)),
    "product": (product, np.ones((9_000, 9_000), np.float32), np.eye(20, dtype=np.float32)),
    "pointwise": (pointwise, np.ones(60_000_000, np.float32), np.ones(20, np.float32)),
}


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", LONG)
def test_a_long_program_ends_and_the_next_call_is_right(name: str, threads: int) -> None:
    call, long, short = LONG[name]
    with st.config.override(threads=threads):
        own = st.compile(call.__wrapped__)  # type: ignore[attr-defined]
        before = own(short).numpy()
        own.target(long)  # compiled and planned; the signal comes while it runs
        waited = [interrupted(lambda: own(long)) for _ in range(2)]
        assert max(waited) < SOON
        assert own(short).numpy().tobytes() == before.tobytes()
    with st.config.override(backend="reference"):
        np.testing.assert_allclose(before, own(short).numpy(), rtol=1e-5, atol=1e-6)


def test_symbolic_functions() -> None:
    n = st.symbol("n", (), dtype="int64")
    own = st.function([n], whiles.__wrapped__(n))
    assert interrupted(lambda: own(10**12)) < SOON
    np.testing.assert_allclose(own(50).numpy(), 2.0)


@pytest.mark.parametrize("tier", ["auto", "compile", "interpret"])
def test_define_by_run_code(tier: str) -> None:
    """A pending graph that takes long: nothing of it is lost, it is computed when it is asked for again."""
    x = st.tensor(np.full(4_000_000, 0.1, np.float32))
    few = st.tensor(np.full(30, 0.1, np.float32))

    def chain(y: st.Tensor, count: int) -> st.Tensor:
        for _ in range(count):
            y = st.tanh(y * 1.01 + 0.01)
        return y

    expected = np.float32(0.1)
    for _ in range(60):
        expected = np.tanh(expected * np.float32(1.01) + np.float32(0.01))
    with st.config.override(tier=tier):
        for _ in range(20):  # units and graphs are compiled by then
            chain(few, 60).numpy()
        chain(x, 3).numpy()
        for after in (0.1, 0.3):
            y = chain(x, 60)
            with signalled(after) as sent:
                try:
                    for _ in range(100):  # ended by the signal, while it computes or in between
                        (chain(x, 60) + y).numpy()
                except KeyboardInterrupt:
                    assert time.process_time() - sent[0] < SOON
                else:
                    pytest.fail("no signal came through")
            np.testing.assert_allclose(chain(few, 60).numpy(), expected, rtol=1e-4)
            np.testing.assert_allclose(y.numpy(), expected, rtol=1e-4)


# Variables.


def test_a_step_that_is_stopped_changes_no_variable() -> None:
    """A long loop in front of updates in place: after Ctrl-C all is as it was, and the next step what it would be."""
    rng = np.random.default_rng(0)
    starts = [rng.standard_normal((300, 300)).astype(np.float32) for _ in range(3)]
    variables = [st.Variable(start, f"w{i}") for i, start in enumerate(starts)]

    @st.compile
    def step(n: Any) -> Any:
        factor = whiles.__wrapped__(n)[0] * 0 + 0.5
        for variable in variables:
            variable.assign(variable * factor + 1.0)
        return factor

    step(st.asarray(3))
    before = [variable.numpy().copy() for variable in variables]
    for _ in range(3):
        assert interrupted(lambda: step(st.asarray(10**12)), 0.2) < SOON
        assert [v.numpy().tobytes() for v in variables] == [array.tobytes() for array in before]
    step(st.asarray(5))
    for variable, old in zip(variables, before, strict=True):
        np.testing.assert_allclose(variable.numpy(), old * np.float32(0.5) + 1, rtol=1e-6)


STORM = """
import random, signal
signal.signal(signal.SIGALRM, signal.default_int_handler)
import numpy as np, septet as st

rng = random.Random(4)
sizes = [(3,), (), (600, 700), (50, 50), (1200, 300), (7,)]
counters = [st.Variable(np.zeros(size, np.float32), f"c{i}") for i, size in enumerate(sizes)]
held = []

@st.compile
def compiled():
    for c in counters:
        c.assign(c + 1.0)

function = st.function([], [], updates={c: c + 1.0 for c in counters})
optimizer = st.optim.SGD(counters, learning_rate=1.0)

def with_held_values():
    held[:] = [counters[2].value, counters[0].value]  # these cannot be written over
    compiled()

def observed():
    with st.profile():
        compiled()

def optimize():
    loss = sum([(c * 0.0).sum() - c.sum() for c in counters])
    loss.backward()
    optimizer.step()

def check():
    values = {float(v) for c in counters for v in (c.numpy().min(), c.numpy().max())}
    assert len(values) == 1, values
    return values.pop()

for work in (compiled, function, with_held_values, observed, optimize):
    for _ in range(10):
        work()
    for _ in range(250):
        before = check()
        done = 0
        try:
            after = rng.choice((20e-6, 100e-6, 400e-6, 2e-3)) * rng.random() + 1e-6
            signal.setitimer(signal.ITIMER_REAL, after, 0.05)  # again, should Python itself drop one, in a callback
            while True:
                work()
                done += 1
        except KeyboardInterrupt:
            signal.setitimer(signal.ITIMER_REAL, 0)
        for c in counters:  # whatever a loss that was cut off has left
            c.zero_grad()
        after = check()
        assert before + done <= after <= before + done + 1, (work, before, done, after)
print("right")
"""


def test_variables_change_all_or_none() -> None:
    """Hundreds of signals at random moments of steps that add 1 to each of some variables."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SEPTET_BACKEND": "cpu"}
    done = subprocess.run([sys.executable, "-c", STORM], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "right\n"


# Handlers.


@contextlib.contextmanager
def handled(number: int, handler: Callable[..., Any]) -> Iterator[None]:
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)


def alarms(seconds: float) -> None:
    signal.setitimer(signal.ITIMER_REAL, seconds, seconds)


def test_a_handler_that_does_not_raise_runs_meanwhile_and_nothing_stops() -> None:
    """A program that runs until a handler, which runs meanwhile, has ended it."""
    n = np.full((), 10**12, np.int64)
    own = st.compile(whiles.__wrapped__)  # type: ignore[attr-defined]
    own(np.int64(10))
    times: list[int] = []

    def handler(*_: Any) -> None:
        times.append(1)
        if len(times) == 3:
            n[...] = 0  # where native code reads it: it takes arrays as they lie

    with handled(signal.SIGALRM, handler):
        alarms(0.05)
        try:
            found = own(n)
        finally:
            alarms(0)
    assert len(times) >= 3
    np.testing.assert_allclose(found.numpy(), 2.0)


def test_a_handler_may_run_the_same_program() -> None:
    """Which is in the midst of its run: the other run has memory of its own."""
    rows = np.random.default_rng(1).standard_normal((3_000_000, 4)).astype(np.float32)
    expected = scans(rows).numpy()
    own: list[np.ndarray] = []
    with handled(signal.SIGUSR1, lambda *_: own.append(scans(rows[::-1].copy()).numpy())):
        reverse = scans(rows[::-1].copy()).numpy()
        with signalled(0.1, signal.SIGUSR1):
            found = scans(rows).numpy()
            time.sleep(0.2)
    assert found.tobytes() == expected.tobytes()
    assert [array.tobytes() for array in own] == [reverse.tobytes()]


def test_a_handler_may_run_define_by_run_code() -> None:
    def total(scale: float) -> float:
        x = st.tensor(np.full((100, 100), 0.01, np.float32))
        y = x
        for _ in range(6):
            y = st.tanh(y @ x) * scale
        return float(y.sum())

    expected = [total(2.0), total(3.0)]
    for _ in range(30):
        assert [total(2.0), total(3.0)] == pytest.approx(expected, rel=1e-4)
    own: list[float] = []

    def handler(*_: Any) -> None:
        alarms(0)  # the next one only when this one is done
        own.append(total(3.0))
        signal.setitimer(signal.ITIMER_REAL, 0.002)

    with handled(signal.SIGALRM, handler):
        signal.setitimer(signal.ITIMER_REAL, 0.002)
        try:
            found = [total(2.0) for _ in range(300)]
        finally:
            alarms(0)
    assert found == pytest.approx([expected[0]] * 300, rel=1e-4)
    assert own and own == pytest.approx([expected[1]] * len(own), rel=1e-4)


def test_a_handler_reads_variables_that_a_step_is_about_to_write_over() -> None:
    """It gets the old value, which stays what it is: a copy, where the step writes over the value afterwards."""
    w = st.Variable(np.ones(1000, np.float32), "w")

    @st.compile
    def step(n: Any) -> None:
        factor = whiles.__wrapped__(n)[0] * 0 + 2
        w.assign(w * factor)

    step(np.int64(3))
    n = np.full((), 10**12, np.int64)
    seen: list[np.ndarray] = []

    def handler(*_: Any) -> None:
        seen.append(w.value)
        n[...] = 0

    with handled(signal.SIGUSR1, handler), signalled(0.1, signal.SIGUSR1):
        step(n)
    assert [set(array.tolist()) for array in seen] == [{2.0}]
    assert set(w.numpy().tolist()) == {4.0}


def test_other_exceptions_of_handlers_come_out_too() -> None:
    class Late(Exception):
        pass

    def raise_it(*_: Any) -> None:
        raise Late("too late")

    with handled(signal.SIGUSR1, raise_it), signalled(0.2, signal.SIGUSR1), pytest.raises(Late, match="too late"):
        whiles(np.int64(10**12))
    np.testing.assert_allclose(whiles(np.int64(50)).numpy(), 2.0)


def test_a_signal_stops_nobody_but_the_main_thread() -> None:
    """Another thread computes on, to its right end."""
    rows = np.random.default_rng(2).standard_normal((6_000_000, 4)).astype(np.float32)
    expected = scans(rows).numpy()
    found: list[np.ndarray] = []
    thread = threading.Thread(target=lambda: found.append(scans(rows).numpy()))
    thread.start()
    other = st.compile(whiles.__wrapped__)  # type: ignore[attr-defined]
    other.target(np.int64(1))
    assert interrupted(lambda: other(np.int64(10**12)), 0.05) < SOON
    thread.join()
    assert found[0].tobytes() == expected.tobytes()


def test_while_functions_are_compiled() -> None:
    """A signal at any moment of tracing, planning and compiling leaves nothing behind that would be in the way."""
    for part in range(12):

        def f(x: Any, part: int = part) -> Any:
            for _ in range(4):
                x = st.tanh(x @ x) * (part + 2) + st.sort(x)
            return x.sum()

        own = st.compile(f)
        x = np.full((37, 37), 0.01, np.float32)
        # suppressed outside: on a busy machine the signal may come only when its thread is waited for
        with contextlib.suppress(KeyboardInterrupt), signalled(0.002 + 0.006 * part):
            own(x)
            time.sleep(0.5)
        with st.config.override(backend="reference"):
            expected = float(own(x))
        assert float(own(x)) == pytest.approx(expected, rel=1e-4)


def test_fit_ends_after_the_batch_and_at_once_the_second_time(tmp_path: Path) -> None:
    code = """
import os, signal, sys, threading, time
import numpy as np, septet as st
from septet import nn
x = np.random.default_rng(0).standard_normal((4096, 2000)).astype(np.float32)
model = nn.Sequential(nn.Dense(2000), nn.ReLU(), nn.Dense(2000), nn.ReLU(), nn.Dense(10))
begun = []
def send():
    while not begun:
        time.sleep(0.01)
    time.sleep(0.6)
    begun.append(time.process_time())
    os.kill(os.getpid(), signal.SIGINT)
class Tell(st.train.Extension):
    def on_batch(self, *_):
        begun or begun.append(0)
threading.Thread(target=send, daemon=True).start()
history = model.fit((x, np.arange(4096) % 10), epochs=100, batch_size=512, optimizer="sgd", callbacks=[Tell()])
print("ended", history.was_interrupted, time.process_time() - begun[-1])
model.predict(x[:5])
before = [p.numpy().copy() for p in model.parameters()]
history = model.fit((x, np.arange(4096) % 10), epochs=1, batch_size=512, optimizer="sgd")
assert not history.was_interrupted and all([np.isfinite(p.numpy()).all() for p in model.parameters()])
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SEPTET_BACKEND": "cpu"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    (line,) = [line.split() for line in done.stdout.splitlines() if line.startswith("ended ")]
    assert line[1] == "True" and float(line[2]) < 3.0
