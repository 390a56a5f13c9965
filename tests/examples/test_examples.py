"""The examples: each runs in its short setting, on real data, and reaches what docs/gallery.md states for it.

The bounds leave room: the seeds 0, 1 and 2 stay clear of them.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

import septet as st

pytest.importorskip("matplotlib")

FOLDER = Path(__file__).resolve().parents[2] / "examples"
NAMES = sorted(path.stem for path in FOLDER.glob("*.py"))


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run an example in its short setting; see that it leaves its model and its picture, and return what it reached."""
    monkeypatch.chdir(tmp_path)

    def call(name, *words):
        spec = importlib.util.spec_from_file_location(f"example_{name}", FOLDER / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        out = tmp_path / "results"
        results = module.main(["--short", "--out", str(out), *words])
        assert (out / "model.safetensors").stat().st_size > 1000
        assert (out / f"{name.replace('_', '-')}.png").read_bytes().startswith(b"\x89PNG")
        assert [path.name for path in tmp_path.iterdir()] == ["results"]  # nothing else is left behind
        return results

    return call


@pytest.fixture
def fashion():
    """Skip where Fashion-MNIST is not installed."""
    try:
        st.data.load("fashion-mnist", "test")
    except st.errors.MissingDataError as error:
        pytest.skip(str(error).splitlines()[0] + "; on Debian: apt install dataset-fashion-mnist")


def data_file(place):
    """Return a file below EXAMPLE_DATA, where .ci/run puts what it fetches; skip where it is not there."""
    folder = os.environ.get("EXAMPLE_DATA")
    path = Path(folder or "", place)
    if not folder or not path.is_file():
        pytest.skip(f"$EXAMPLE_DATA/{place} is not there; python tools/fetch_example_data.py FOLDER fetches it")
    return str(path)


def test_digits(run):
    assert run("digits")["accuracy"] > 0.94


def test_fashion_mnist(run, fashion):
    assert run("fashion_mnist")["accuracy"] > 0.86


def test_char_rnn(run):
    results = run("char_rnn")
    assert results["bits"] < 3.3 < results["plain_bits"]


def test_sentiment(run):
    results = run("sentiment", "--data", data_file("sentiment/movieReviewSnippets_GroundTruth.txt"))
    assert results["accuracy"] > 0.71 > 0.55 > results["plain"]


def test_autoencoder(run):
    results = run("autoencoder")
    assert results["error"] < 0.65 * results["mean_image"]
    assert results["nats"] < 27.0


def test_gan(run):
    results = run("gan")
    assert results["distance"] < 0.3 * results["untrained"]


def test_dates(run):
    assert run("dates")["accuracy"] > 0.95


def test_time_series(run):
    results = run("time_series", "--data", data_file("co2/co2.csv"))
    assert results["network"] < 0.85 * min(error for name, error in results.items() if name != "network")


def test_gpt(run):
    results = run("gpt")
    assert results["bits"] < 4.1 < results["plain_bits"]


def test_transfer(run, fashion):
    results = run("transfer")
    assert results["transferred"] > results["from scratch"] + 0.01


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_short_and_has_a_test(name):
    lines = (FOLDER / f"{name}.py").read_text(encoding="utf-8").splitlines()
    assert 50 <= len(lines) <= 160
    assert f"test_{name}" in globals()
    assert f"examples/{name}.py --" in "\n".join(lines[:20])  # the docstring says how to run it
    assert f"({name}.py)" in (FOLDER / "README.md").read_text(encoding="utf-8")
