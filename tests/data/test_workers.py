"""Workers: the same values as without them; errors, deaths and freezes are told clearly, and nothing is left behind."""

import gc
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy
import pytest

from septet.base.errors import ArgumentError, WorkerError
from septet.data import Batches, Stream

sys.path.insert(0, str(Path(__file__).parent))  # so that spawned processes find them, too
import worker_functions as functions

POSIX = pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="processes are stopped and killed as on Linux")


def numbers(function, **order):
    return Stream(functions.Numbers(12), **order).map(function)


def plain(values):
    return [[part.tolist() if hasattr(part, "tolist") else part for part in value] for value in values]


def children():
    """The worker processes of this one that live."""
    pids = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(os.getpid())], capture_output=True, text=True).stdout
    return [line for line in pids.splitlines() if "spawn_main" in line]


def ended(condition, seconds=10.0):
    """Wait for what happens soon."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


@pytest.fixture(scope="module")
def processes():
    """A stream with two processes, which several tests share."""
    stream = Stream(range(23), shuffle=True, seed=3).map(functions.noisy, seed=1).batch(4)
    with stream.parallel(2, processes=True) as parallel:
        yield stream, parallel


def test_threads_give_the_same_values():
    stream = Stream(range(23), shuffle=True, seed=3).map(functions.noisy, seed=1)
    expected = plain(stream.batch(4))
    for parallel in (
        stream.batch(4).parallel(3),
        stream.batch(4).parallel(1, ahead=1),
        stream.batch(4).prefetch(),
        Stream(range(23), shuffle=True, seed=3).map(functions.noisy, seed=1, workers=2).batch(4).prefetch(3),
    ):
        assert plain(parallel) == expected and len(parallel) == 6
        parallel.close()
    again, parallel = stream.batch(4), stream.batch(4).parallel(2)
    assert [plain(again), plain(again)] == [plain(parallel), plain(parallel)]


@POSIX
def test_processes_give_the_same_values(processes):
    stream, parallel = processes
    parallel.load_state_dict(stream.state_dict())
    assert [plain(stream), plain(stream)] == [plain(parallel), plain(parallel)]


@POSIX
def test_arrays_of_processes_stay_what_they_are(processes):
    """Shared memory is used again only when nobody has the arrays any more."""
    _, parallel = processes
    kept = list(parallel)
    copies = [batch[0].copy() for batch in kept]
    views = [batch[0][1:] for batch in kept]
    del kept
    gc.collect()
    list(parallel), list(parallel)
    assert all((view == copy[1:]).all() for view, copy in zip(views, copies))
    views[0][:] = 1  # writable, as arrays are


@POSIX
def test_shared_memory_does_not_grow(processes):
    _, parallel = processes
    counts = []
    for _ in range(6):
        assert sum(len(batch[0]) for batch in parallel) == 23
        counts.append(sum(len(worker.memory) for worker in parallel.stage.pool.shared.workers))
    most = (
        parallel.stage.ahead + 2 * parallel.stage.workers
    )  # made ahead; and held, or given back and not yet used again
    assert max(counts[1:]) <= max(counts[0], most), counts


@pytest.mark.parametrize(
    "make", [lambda s: s.parallel(2), lambda s: s.prefetch(3), lambda s: s.shuffled(5).parallel(2)]
)
def test_states_count_what_was_given_out(make):
    """Not what workers have made ahead; and a state fits streams with other workers."""
    stream = Stream(range(40), shuffle=True).filter(lambda value: value % 3)
    values = list(make(stream))
    for taken in (0, 1, 5, 20):
        first = make(stream)
        list(itertools.islice(first, taken))
        other = make(stream)
        other.load_state_dict(first.state_dict())
        assert list(other) == values[taken:]


@pytest.mark.parametrize("kind", ["threads", "prefetch"])
def test_an_error_in_a_thread_names_the_sample(kind):
    stream = numbers(functions.fail_at_seven)
    stream = stream.parallel(2) if kind == "threads" else stream.prefetch()
    values = []
    with pytest.raises(ValueError, match="seven") as caught:
        for value in stream:
            values.append(value)
    assert values == list(range(7))
    assert caught.value.__notes__ == ["  at sample: numbers.txt, line 8"]
    assert stream.state_dict()["position"] == 7


@POSIX
@pytest.mark.parametrize(
    ("function", "error", "texts"),
    [
        (functions.fail_at_seven, ValueError, ["seven", "numbers.txt, line 8", "in fail_at_seven", "process "]),
        (functions.fail_badly, WorkerError, ["Unpicklable: 1", "numbers.txt, line 1", "in fail_badly"]),
        (functions.die_at_five, WorkerError, ["was ended by signal 9 (SIGKILL)", "numbers.txt, line 6", "memory"]),
        (functions.exit_at_five, WorkerError, ["has ended with exit code 3", "numbers.txt, line 6"]),
        (functions.hang_at_five, WorkerError, ["not ready after 1.5 s", "numbers.txt, line 6", "in hang_at_five"]),
        (functions.stop_at_five, WorkerError, ["not ready after 1.5 s", "numbers.txt, line 6", "stopped by a signal"]),
    ],
)
def test_what_goes_wrong_in_a_process(function, error, texts):
    stream = numbers(function).parallel(1, processes=True, timeout=1.5 if "not ready" in texts[0] else 30)
    began = time.monotonic()
    with pytest.raises(error) as caught:
        list(stream)
    told = "\n".join([str(caught.value), *getattr(caught.value, "__notes__", [])])
    assert all(text in told for text in texts), told
    assert time.monotonic() - began < 30
    stream.close()
    assert ended(lambda: not children() or len(children()) <= 2)


def test_a_thread_that_hangs_is_named():
    release = threading.Event()

    def wait_at_five(value):
        if value == 5:
            release.wait(60)
        return value

    stream = numbers(wait_at_five)
    try:
        for slow in (stream.parallel(2, timeout=1.0), stream.prefetch(timeout=1.0)):
            with pytest.raises(WorkerError, match=r"not ready after 1 s[\s\S]*in wait_at_five"):
                list(slow)
        with pytest.raises(WorkerError, match=r"numbers.txt, line 6"):
            list(stream.parallel(2, timeout=1.0))
    finally:
        release.set()


@POSIX
def test_a_stream_goes_on_after_a_death():
    stream = numbers(functions.process_number).parallel(2, processes=True)
    first = next(iter(stream))
    os.kill(first[0], signal.SIGKILL)
    with pytest.raises(WorkerError, match="SIGKILL"):
        for _ in range(20):
            list(stream)
    assert [value for _, value in stream] == list(range(12))  # with new processes
    stream.close()


def test_a_consumer_that_leaves_ends_the_threads():
    before = threading.active_count()
    for make in (lambda s: s.prefetch(2), lambda s: s.parallel(3), lambda s: s.parallel(2).prefetch()):
        stream = make(Stream(range(1000)).map(lambda value: value))
        for value in stream:
            if value == 3:
                break
        del stream, value
        gc.collect()
    assert ended(lambda: threading.active_count() == before)


@POSIX
def test_a_stream_that_is_forgotten_leaves_no_process():
    before = children()
    stream = numbers(functions.process_number).parallel(2, processes=True)
    workers = {pid for pid, _ in stream}
    assert len(workers) == 2
    del stream
    gc.collect()
    assert ended(lambda: children() == before)


@POSIX
def test_a_fork_leaves_the_workers_alone(processes):
    _, parallel = processes
    assert len(list(parallel)) == 6
    workers = [worker.process.pid for worker in parallel.stage.pool.shared.workers]
    child = os.fork()
    if not child:
        parallel.close()
        parallel.stage.pool = None
        gc.collect()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert sum(len(batch[0]) for batch in parallel) == 23
    assert [worker.process.pid for worker in parallel.stage.pool.shared.workers] == workers


SCRIPT = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # processes that shells have begun in the background ignore it
sys.path.insert(0, {folder!r})
import worker_functions as functions
from septet.data import Stream

if __name__ == "__main__":
    stream = Stream(functions.Numbers(1000)).map(functions.{function}).{stage}
    for value in stream:
        print(value, flush=True)
"""


@POSIX
@pytest.mark.parametrize("stage", ["parallel(2, processes=True)", "parallel(2)", "prefetch()"])
def test_ctrl_c_ends_promptly(tmp_path, stage):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(folder=str(Path(__file__).parent), function="hang_at_five", stage=stage))
    process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        for _ in range(5):
            assert process.stdout.readline()
        time.sleep(0.2)
        mine = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True).stdout
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert time.monotonic() - began < 20  # and not the 1000 s of the sample
    assert "KeyboardInterrupt" in errors and "leaked" not in errors and "Exception ignored" not in errors
    assert ended(lambda: not any(Path("/proc", pid).exists() for pid in mine.split()))


@POSIX
def test_workers_end_when_their_parent_is_killed(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        SCRIPT.format(folder=str(Path(__file__).parent), function="hang_at_five", stage="parallel(2, processes=True)")
    )
    process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    for _ in range(5):
        assert process.stdout.readline()
    mine = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True).stdout
    process.kill()
    process.communicate()
    assert len(mine.split()) >= 2
    assert ended(lambda: not any(Path("/proc", pid).exists() for pid in mine.split()))


@POSIX
def test_a_stream_that_does_not_arrive_is_explained():
    stream = numbers(functions.Lost()).parallel(1, processes=True)
    with pytest.raises(WorkerError, match=r"could not take the stream:[\s\S]*ImportError: only in one process"):
        list(stream)
    stream.close()


@POSIX
def test_a_script_without_a_guard_is_explained(tmp_path):
    script = tmp_path / "unguarded.py"
    script.write_text(
        SCRIPT.format(folder=str(Path(__file__).parent), function="hang_at_five", stage="parallel(1, processes=True)")
        .replace('if __name__ == "__main__":', "if True:")
    )  # fmt: skip
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60)
    assert "unguarded.py to be guarded by `if __name__" in done.stderr


def test_wrong_arguments():
    stream = Stream(range(3))
    for make in (
        lambda: stream.parallel(0), lambda: stream.parallel(1, timeout=0), lambda: stream.prefetch(0),
        lambda: stream.map(len, workers=-1), lambda: Batches((numpy.arange(3),), workers=1.5),
    ):  # fmt: skip
        with pytest.raises(ArgumentError):
            make()
    with pytest.raises(ArgumentError, match=r"cannot be sent[\s\S]*no lambda"):
        list(stream.map(lambda value: value).parallel(1, processes=True))


def test_batches_with_workers():
    plain_batches = Batches((numpy.arange(50), numpy.arange(50) * 2.0), batch_size=8, shuffle=True)
    threads = Batches((numpy.arange(50), numpy.arange(50) * 2.0), batch_size=8, shuffle=True, workers=2)
    for _ in range(2):
        for mine, other in zip(plain_batches, threads, strict=True):
            assert (mine[0] == other[0]).all() and (mine[1] == other[1]).all()
