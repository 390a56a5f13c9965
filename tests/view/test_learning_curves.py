"""Learning curves: what is drawn is what the log says."""

import json
import math
import os

import numpy
import pytest

from septet.base.errors import ArgumentError, DataError, MissingDataError
from septet.view import curves, plot_curves

pytest.importorskip("matplotlib", reason="matplotlib is not installed (pip install septet[view])")
Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed (pip install septet[view])")

LOG = [
    {
        "loss": 2.0 / (n + 1),
        "val_loss": 2.2 / (n + 1),
        "accuracy": 1 - 0.5 / (n + 1),
        "val_accuracy": 0.6,
        "seconds": 1.5,
    }
    for n in range(5)
]


def lines_of(panel):
    """Line style to values, of the curves and not of the marks on them."""
    return {line.get_linestyle(): list(line.get_ydata()) for line in panel.lines if line.get_linestyle() != "None"}


def test_two_panels_with_both_curves(tmp_path, figures):
    path = tmp_path / "curve.png"
    plot_curves(LOG, path)
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        assert picture.width > 1.8 * picture.height
        assert numpy.asarray(picture.convert("L")).std() > 5
    loss, accuracy = figures[0].axes
    assert lines_of(loss) == {"-": [e["loss"] for e in LOG], "--": [e["val_loss"] for e in LOG]}
    assert lines_of(accuracy) == {"-": [e["accuracy"] for e in LOG], "--": [e["val_accuracy"] for e in LOG]}
    texts = [text.get_text() for text in loss.get_legend().get_texts()]
    assert texts == ["train: 0.4 at the end", "held out: 0.44 at the end", "best held out: 0.44, epoch 5"]
    assert figures[0].get_supxlabel() == "5 epochs in 7.5 s (1.50 s each)"
    assert os.listdir(tmp_path) == ["curve.png"]


def test_the_best_epoch_is_the_first_least_loss_and_greatest_accuracy(tmp_path, figures):
    log = [{"loss": 1.0, "val_loss": v, "accuracy": 0.5, "val_accuracy": a} for v, a in ((3, 0.2), (1, 0.9), (2, 0.4))]
    plot_curves(log, tmp_path / "curve.png")
    for panel, best in zip(figures[0].axes, ("1, epoch 2", "90.00 %, epoch 2")):
        assert panel.get_legend().get_texts()[-1].get_text() == f"best held out: {best}"


def test_a_log_without_accuracy_has_one_panel(tmp_path, figures):
    plot_curves([{"loss": 1.0}, {"loss": 0.5}], tmp_path / "curve.png")
    assert len(figures[0].axes) == 1


def test_gaps(tmp_path, figures):
    log = [{"loss": 1.0}, {"loss": None, "val_loss": 3}, {"loss": math.nan}, {"val_loss": math.inf}]
    plot_curves(log, tmp_path / "curve.png")
    lines = lines_of(figures[0].axes[0])
    numpy.testing.assert_array_equal(lines["-"], [1, math.nan, math.nan, math.nan])
    numpy.testing.assert_array_equal(lines["--"], [math.nan, 3, math.nan, math.nan])


@pytest.mark.parametrize(("last", "scale"), [(0.5, "linear"), (1e-3, "log"), (0.0, "linear"), (-5.0, "linear")])
def test_the_scale_of_the_loss(tmp_path, figures, last, scale):
    plot_curves([{"loss": 1.0}, {"loss": last}], tmp_path / "curve.png")
    panel = figures[0].axes[0]
    assert panel.get_yscale() == scale
    low, high = panel.get_ylim()
    assert low <= last and high > 1.0


def test_epochs_of_the_log(tmp_path, figures):
    plot_curves([{"epoch": 7, "loss": 1.0}, {"epoch": 9, "loss": 0.5}], tmp_path / "curve.png")
    assert list(figures[0].axes[0].lines[0].get_xdata()) == [7, 9]


def test_one_epoch_is_visible(tmp_path, figures):
    plot_curves(LOG[:1], tmp_path / "curve.png")
    for panel in figures[0].axes:
        low, high = panel.get_ylim()
        assert all(low < line.get_ydata()[0] < high and line.get_marker() != "None" for line in panel.lines)


def test_the_same_log_gives_the_same_bytes(tmp_path):
    plot_curves(LOG, tmp_path / "a.png")
    plot_curves(LOG, tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize(
    ("log", "message"),
    [
        ([], "the log is empty"),
        ([{"accuracy": 0.5}], r"no epoch has a finite 'loss' or 'val_loss'; the log's keys are \['accuracy'\]"),
        ([{"loss": math.nan}], "no epoch has a finite 'loss'"),
        ([{"loss": 1.0}, {"loss": "low"}], r"log\[1\]\['loss'\] must be a number, received 'low'"),
        ([{"epoch": 2, "loss": 1.0}, {"epoch": 2, "loss": 1.0}], "'epoch' must increase"),
    ],
)
def test_bad_logs_make_no_file(tmp_path, log, message):
    with pytest.raises(ArgumentError, match=message):
        plot_curves(log, tmp_path / "curve.png")
    assert not os.listdir(tmp_path)


def test_the_log_may_be_the_file_that_training_wrote(tmp_path, figures):
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in LOG))
    picture = curves(path)  # its other name
    assert lines_of(picture.figure.axes[0])["-"] == [entry["loss"] for entry in LOG]
    path.write_text("{\n")
    with pytest.raises(DataError, match=r"log\.jsonl', line 1: this is no JSON"):
        plot_curves(path)
    with pytest.raises(MissingDataError, match="there is no log"):
        plot_curves(tmp_path / "other.jsonl")
