"""benchmarks/peers.py keeps the last row of each workload and framework, and writes tables of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


def row(workload: str, peer: str, ratio: float, **others: Any) -> dict[str, Any]:
    return {
        "workload": workload, "peer": peer, "ratio": ratio, "first_step_s": 0.5, "peak_rss_mb": 210, "cpu_ms": 12.345,
        **others,
    }  # fmt: skip


ROWS = [
    row("lstm", "torch", 1.0),
    row("mlp", "torch", 1.0, first_step_s=2.25),
    row("mlp", "jax", 1.5, peak_rss_mb=431),
    row("mlp", "ours-compile", 9.0),
    row("mlp", "ours", 0.5),
    row("lstm", "ours-compile", 4.0),
    row("mlp", "ours-compile", 3.0),  # measured again
    {"workload": "gpt", "peer": "jax", "error": "out of memory"},
]


@pytest.fixture
def peers(load_benchmark, tmp_path):
    module = load_benchmark("peers")
    module.RESULTS = tmp_path
    return module


def written(folder: Path, rows: list[dict[str, Any]]) -> str:
    path = folder / "run.jsonl"
    path.write_text("".join([json.dumps(row) + "\n" for row in rows]))
    return str(path)


def test_the_last_row_of_each_counts(peers, tmp_path):
    rows = peers.read([written(tmp_path, ROWS)])
    assert len(rows) == 6 and ("gpt", "jax") not in rows
    assert rows["mlp", "ours-compile"]["ratio"] == 3.0


def test_the_table_has_a_row_per_workload_in_order_and_empty_cells(peers, tmp_path):
    rows = peers.read([written(tmp_path, ROWS)])
    assert peers.table(rows, "Speed", lambda row: f"{row['ratio']:.2f}").splitlines() == [
        "## Speed",
        "",
        "| workload | torch | torch-compile | jax | tf | tf-xla | onnxruntime | ours-compile | ours |",
        "|---|---|---|---|---|---|---|---|---|",
        "| mlp | 1.00 |  | 1.50 |  |  |  | 3.00 | 0.50 |",
        "| lstm | 1.00 |  |  |  |  |  | 4.00 |  |",
    ]


def test_ratios_are_to_the_best_of_the_others(peers, tmp_path):
    rows = peers.read([written(tmp_path, ROWS)])
    assert peers.ratios(rows, "ours-compile", peers.FRAMEWORKS) == {"mlp": 2.0, "lstm": 4.0}
    assert peers.ratios(rows, "ours", ("torch",)) == {"mlp": 0.5}


def test_a_run_is_kept_and_the_page_says_what_was_measured(peers, tmp_path):
    peers.main([written(tmp_path, ROWS)])
    text = (tmp_path / "peers.md").read_text()
    assert "| mlp | 2.25 |  | 0.50 |  |  |  | 0.50 | 0.50 |" in text  # first steps
    assert "| mlp | 210 |  | 431 |  |  |  | 210 | 210 |" in text
    assert "| lstm | 12.3 |  |  |  |  |  | 12.3 |  |" in text
    others = ", ".join(peers.FRAMEWORKS)
    assert f"against the best of {others}: mlp 2.00, lstm 4.00; geometric mean 2.83." in text
    assert "**ours** against the best of torch: mlp 0.50; geometric mean 0.50." in text

    # a workload that is measured anew loses its older rows
    peers.main([written(tmp_path, [row("lstm", "ours-compile", 8.0), row("lstm", "jax", 1.0)])])
    assert "mlp 2.00, lstm 8.00; geometric mean 4.00." in (tmp_path / "peers.md").read_text()
    kept = json.loads((tmp_path / "peers.json").read_text())
    assert len(kept) == 6 and ("lstm", "torch") not in {(own["workload"], own["peer"]) for own in kept}
    before = (tmp_path / "peers.md").read_text()
    peers.main([])  # the tables of what is kept
    assert (tmp_path / "peers.md").read_text() == before


def test_what_was_not_measured_is_left_out(peers, tmp_path):
    peers.main([written(tmp_path, [row("mlp", "torch", 1.0)])])
    text = (tmp_path / "peers.md").read_text()
    assert "| mlp | 1.00 |  |  |  |  |  |" in text and "geometric mean" not in text
