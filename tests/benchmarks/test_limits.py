"""benchmarks/limits.py counts the products and the bytes of a step, and divides them by what the machine does."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import septet as st

pytestmark = pytest.mark.skipif(st.config.backend != "cpu", reason="it measures native code")


def spec(family: str, x: tuple[int, ...], params: dict[str, tuple[int, ...]], kind: str = "infer", **more: Any) -> Any:
    """Return a workload as the peer benchmark describes it."""
    arrays = {name: np.zeros(shape, np.float32) for name, shape in params.items()}
    return SimpleNamespace(
        family=family, kind=kind, batches=[(np.zeros(x, np.float32), np.zeros(x[0], np.int64))], params=arrays, **more
    )


@pytest.fixture
def limits(load_benchmark):
    return load_benchmark("limits")


MLP = {"W1": (3, 5), "b1": (5,), "W2": (5, 2), "b2": (2,)}


def test_products_of_a_perceptron(limits):
    assert limits.operations(spec("mlp", (7, 3), MLP)) == 2 * 7 * (3 * 5 + 5 * 2)
    # the gradients of both weights, and of the input of the second layer
    assert limits.operations(spec("mlp", (7, 3), MLP, "train")) == 2 * 7 * (2 * 3 * 5 + 3 * 5 * 2)


def test_products_of_convolutions(limits):
    lenet = spec("lenet", (2, 1, 8, 8), {"K1": (4, 1, 5, 5), "K2": (6, 4, 5, 5), "W3": (24, 10), "W4": (10, 3)})
    forward = 2 * (64 * 4 * 25 + 16 * 6 * 4 * 25 + 240 + 30)
    assert limits.operations(lenet) == 2 * forward
    blocks = [("a.", 4, 4, 1, False), ("b.", 4, 8, 2, True)]
    shapes = {
        "stem.k": (4, 3, 3, 3), "a.a.k": (4, 4, 3, 3), "a.b.k": (4, 4, 3, 3), "b.a.k": (8, 4, 3, 3),
        "b.b.k": (8, 8, 3, 3), "b.s.k": (8, 4, 1, 1), "fc.W": (8, 10),
    }  # fmt: skip
    resnet = spec("resnet", (2, 3, 8, 8), shapes, cfg={"blocks": blocks})
    large, small = 2 * 64, 2 * 16
    forward = large * (108 + 144 + 144) + small * (288 + 576 + 32) + 2 * 80
    assert limits.operations(resnet) == 2 * forward


def test_products_of_sequences(limits):
    lstm = spec("lstm", (4, 6), {"E": (100, 8), "W1": (8, 32), "b1": (32,), "Wo": (8, 100)})
    assert limits.operations(lstm) == 2 * 24 * (8 * 32 + 8 * 100)
    gpt = spec(
        "gpt", (2, 6), {"E": (50, 8), "0.Wq": (8, 8), "0.g": (8,), "Wout": (8, 50)}, cfg={"L": 1, "T": 6, "D": 8}
    )
    assert limits.operations(gpt) == 2 * (12 * (64 + 400) + 12 * 7 * 8)


def test_bytes_that_must_move(limits):
    inputs = 7 * 3 * 4 + 7 * 8
    parameters = 4 * (15 + 5 + 10 + 2)
    assert limits.compulsory(spec("mlp", (7, 3), MLP)) == inputs + parameters
    for kind, states in (("sgd", 0), ("mom", 1), ("adam", 2)):
        train = spec("mlp", (7, 3), MLP, "train", opt={"kind": kind})
        assert limits.compulsory(train) == inputs + 2 * parameters * (1 + states)
    table = spec("gpt", (1, 3), {"E": (1000, 8)})
    assert limits.compulsory(table) == 3 * 4 + 8 + 3 * 8 * 4  # three rows of it


def test_the_table_has_the_limit_and_how_much_of_it_is_reached(limits, monkeypatch, tmp_path, capsys):
    (tmp_path / "spec.py").write_text("""
import numpy as np
from types import SimpleNamespace
WORKLOADS = {"mlp": 0, "tiny-ops": 0, "wide": 0}
def get(name):
    side = 500 if name == "wide" else 100
    params = {"W1": np.zeros((side, side), np.float32)}
    family = "ops" if name == "tiny-ops" else "mlp"
    return SimpleNamespace(family=family, kind="infer", params=params, batches=[(np.zeros((10, side), np.float32),)])
""")
    monkeypatch.setattr(limits, "speed_of_products", lambda: 1e9)
    monkeypatch.setattr(limits, "speed_of_copying", lambda: 1e8)
    monkeypatch.setattr(sys, "argv", ["limits.py", str(tmp_path), "mlp=1.28"])
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "spec", raising=False)
    limits.main()
    sys.modules.pop("spec")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{limits.thread_count()} threads: products 1 GFLOP/s, copying 0.1 GB/s"
    # 10 x 100 x 100 x 2 operations take 0.2 ms, and 44,000 bytes 0.44 ms
    assert lines[4:] == ["| mlp | 0.000 | 0.0 | 0.64 | 1.28 | 50% |", "| wide | 0.005 | 1.0 | 15.20 |  |  |"]


def test_the_machine_is_measured_by_programs_that_compute(limits, monkeypatch):
    monkeypatch.setattr(limits, "SECONDS", 0.01)
    monkeypatch.setattr(limits, "COPIED", 100_000)
    assert 1e7 < limits.speed_of_copying() < 1e13
    monkeypatch.setattr(limits, "SIDE", limits.matmul.SIDE + 8)
    monkeypatch.setattr(limits.matmul_tiles, "ROWS", limits.matmul_tiles.ROWS)
    assert 1e8 < limits.speed_of_products() < 1e14
