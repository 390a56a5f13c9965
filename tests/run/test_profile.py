"""`st.profile`: real times of what runs in a block, by op, line, layer and kind, and as a Chrome trace."""

from __future__ import annotations

import json
import threading
import time

import numpy as np
import pytest

import septet as st
from septet import nn
from septet.base import watch
from septet.base.errors import ArgumentError

NATIVE = pytest.mark.skipif(st.config.backend != "cpu", reason="kernels of the native backend")
X = np.random.default_rng(0).normal(size=(64, 100)).astype(np.float32)
LABELS = np.zeros(64, np.int64)


def trained():
    model = nn.Sequential(nn.Dense(300), nn.ReLU(), nn.Dense(10))
    optimizer = st.optim.SGD(model.parameters(), learning_rate=0.1)

    def step(images, labels):
        loss = nn.losses.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        return loss

    return step


LINE = trained.__code__.co_firstlineno + 5


class TestRows:
    @NATIVE
    def test_a_compiled_step(self):
        step = st.compile(trained())
        step(X, LABELS)
        with st.profile() as p:
            for _ in range(5):
                step(X, LABELS)
        rows = p.rows()
        assert abs(sum(row.share for row in rows) - 1) < 1e-6
        assert [row.seconds for row in rows] == sorted([row.seconds for row in rows], reverse=True)
        assert sum(row.seconds for row in rows) <= p.seconds
        products = {(row.layer, row.direction): row for row in rows if row.name == "dot_general"}
        forward = products["Sequential/0:Dense", ""]
        assert forward.calls == 5 and forward.kind == "kernel" and forward.line == f"test_profile.py:{LINE}"
        assert forward.mean == forward.seconds / 5
        back = [
            row for row in rows if (row.name, row.layer, row.direction) == ("dot_general", "Sequential/2:Dense", "back")
        ]
        assert sum(row.calls for row in back) == 10  # two products, of one kind or two
        assert {row.kind for row in back} <= {"kernel", "library"}
        assert not {"trace", "plan", "optimize"} & set(p.times())

    @NATIVE
    def test_what_a_compile_takes(self):
        step = st.compile(trained())
        with st.profile() as p:
            step(X, LABELS)
        times = p.times()
        assert {"trace", "differentiate", "optimize", "plan"} <= set(times)
        assert sum(times.values()) <= p.seconds
        assert "tracing Python" in str(p) and "optimizing graphs" in str(p)

    @pytest.mark.parametrize("backend", ["cpu", "reference"])
    def test_define_by_run_code(self, backend):
        with st.config.override(backend=backend, tier="interpret"), st.profile() as p:
            y = st.tanh(st.tensor(X) @ st.tensor(X.T))
            float(y.sum())
        rows = {row.name: row for row in p.rows()}
        assert set(rows) >= {"dot_general", "tanh", "sum"} and rows["tanh"].kind == "node"
        assert rows["tanh"].line.startswith("test_profile.py:")

    def test_times_are_real(self):
        """A callback that sleeps takes its time, in its op."""

        def slow(x):
            time.sleep(0.02)
            return x

        call = st.compile(lambda x: st.callback(slow, x, x) * 2)
        call(X)
        with st.profile() as p:
            for _ in range(3):
                call(X)
        row = max(p.rows(), key=lambda own: own.seconds)
        assert "callback" in row.name and 0.06 <= row.seconds <= p.seconds and row.calls == 3

    def test_by_line_layer_and_kind(self):
        step = st.compile(trained())
        with st.profile() as p:
            step(X, LABELS)
        whole = sum(row.seconds for row in p.rows())
        for by in ("line", "layer", "kind"):
            rows = p.rows(by)
            assert abs(sum(row.seconds for row in rows) - whole) < 1e-9
            assert p.table(by).splitlines()[0].split()[0] == {"line": "code"}.get(by, by)
        assert any("nn.losses.cross_entropy(model(images), labels)" in row.name for row in p.rows("line"))
        assert "Sequential/0:Dense" in [row.name for row in p.rows("layer")]
        with pytest.raises(ArgumentError, match="rows by 'lines'"):
            p.rows("lines")


class TestWatching:
    def test_nothing_watches_afterwards(self):
        with pytest.raises(ZeroDivisionError), st.profile():
            raise ZeroDivisionError
        assert watch.watch.observers == ()

    def test_results_are_the_same(self):
        one, other = st.compile(trained()), st.compile(trained())
        st.random.seed(0)
        expected = [float(one(X, LABELS)) for _ in range(3)]
        st.random.seed(0)
        with st.profile():
            found = [float(other(X, LABELS)) for _ in range(3)]
        assert found == expected

    def test_blocks_inside_each_other(self):
        with st.profile() as outer:
            float(st.exp(st.tensor(X)).sum())
            with st.profile() as inner:
                float(st.tanh(st.tensor(X)).sum())
        names = [{row.name for row in p.rows()} for p in (outer, inner)]
        assert any("exp" in name for name in names[0]) and not any("exp" in name for name in names[1])
        assert names[1] <= names[0]

    def test_nothing_is_kept_alive(self):
        with st.profile() as p:
            float(st.exp(st.tensor(X)).sum())
        assert all(not hasattr(event.detail, "value") for event in p.events)

    def test_nothing_ran(self):
        with st.profile() as p:
            pass
        assert p.rows() == [] and "nothing ran" in str(p)


class TestChromeTrace:
    def test_it_is_valid(self, tmp_path):
        step = st.compile(trained())

        def other():
            float(st.exp(st.tensor(X)).sum())

        with st.profile() as p:
            step(X, LABELS)
            thread = threading.Thread(target=other, name="other")
            thread.start()
            thread.join()
        path = tmp_path / "trace.json"
        p.to_chrome_trace(path)
        trace = json.loads(path.read_text(encoding="utf-8"))
        events = trace["traceEvents"]
        names = {event["tid"]: event["args"]["name"] for event in events if event["ph"] == "M"}
        # What the tests before have left to the compiler's thread is seen too, if it is at work just now.
        assert set(names.values()) - {"septet-compiler"} == {"MainThread", "other"} and max(names) < 2**31
        spans = [event for event in events if event["ph"] == "X"]
        assert len(spans) == len(p.events) and len(spans) + len(names) == len(events)
        for event in spans:
            assert isinstance(event["name"], str) and event["cat"] and event["tid"] in names
            assert event["ts"] >= 0 and event["dur"] >= 0
            assert event["ts"] + event["dur"] <= 1e6 * p.seconds + 1
        for tid in names:  # spans of a thread lie inside of each other, or apart
            around = []
            for event in sorted([e for e in spans if e["tid"] == tid], key=lambda e: (e["ts"], -e["dur"])):
                while around and around[-1] <= event["ts"] + 1e-3:
                    around.pop()
                end = event["ts"] + event["dur"]
                assert not around or end <= around[-1] + 1e-3
                around.append(end)
        (product, *_) = [event for event in spans if event["name"] == "dot_general"]
        assert product["args"]["layers"] == ["Sequential/0:Dense"] and product["args"]["ops"] == ["dot_general"]
        assert f"test_profile.py:{LINE}" in product["args"]["lines"][0]

    def test_what_other_threads_began_before_counts_from_the_beginning(self):
        go, done = threading.Event(), threading.Event()

        def other():
            with watch.span("code", "long"):
                go.wait()
            done.set()

        with st.profile():  # a span starts its clock when somebody watches
            thread = threading.Thread(target=other)
            thread.start()
            time.sleep(0.02)
            with st.profile() as p:
                go.set()
                done.wait()
        (event,) = [event for event in p.events if event.name == "long"]
        assert event.end - event.start <= 1e9 * p.seconds
        p.take(event)  # as a thread would that knows the observers of before
        assert len([event for event in p.events if event.name == "long"]) == 1
        thread.join()

    def test_it_replaces_a_file_as_a_whole(self, tmp_path):
        path = tmp_path / "trace.json"
        path.write_text("x" * 100_000, encoding="utf-8")
        with st.profile() as p:
            float(st.exp(st.tensor(X)).sum())
        p.to_chrome_trace(str(path))
        assert json.loads(path.read_text(encoding="utf-8"))["displayTimeUnit"] == "ms"
