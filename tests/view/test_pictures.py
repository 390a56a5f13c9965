"""Pages of predictions: captions, marks of wrong ones, and what is refused."""

import os

import numpy
import pytest

from septet.base.errors import ArgumentError, ShapeError
from septet.view import plot_predictions
from septet.view.canvas import RED

pytest.importorskip("matplotlib", reason="matplotlib is not installed (pip install septet[view])")
Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed (pip install septet[view])")

NAMES = ("cat", "dog", "$\\bird$")  # the dollars are no formula


@pytest.fixture
def path(tmp_path):
    return tmp_path / "page.png"


def test_captions_and_marks(path, figures):
    probabilities = numpy.array([[0.7, 0.2, 0.1], [0.0, 0.0004, 0.9996], [0.1, 0.5, 0.4], [0.0, 0.0, 1.0]])
    plot_predictions(numpy.zeros((4, 1, 8, 8)), [0, 0, 1, 2], None, probabilities, NAMES, path, columns=2)
    panels = figures[0].axes
    assert [panel.get_title() for panel in panels] == [
        "cat  70 %",
        "$\\bird$  >99 %",
        "dog  50 %",
        "$\\bird$  100 %",
    ]
    assert [panel.get_xlabel() for panel in panels] == ["", "is cat", "", ""]
    assert [panel.title.get_color() == RED for panel in panels] == [False, True, False, False]
    assert figures[0].get_supxlabel() == "3 of 4 right; red frame: wrong, with the true class below"
    assert os.listdir(path.parent) == ["page.png"]


def test_wrong_ones_are_seen_in_the_pixels(path):
    red = tuple(int(RED[i : i + 2], 16) for i in (1, 3, 5))

    def count_red(labels):
        plot_predictions(numpy.zeros((2, 8, 8)), labels, [0, 1], None, NAMES, path)
        with Image.open(path) as picture:
            return int((numpy.asarray(picture.convert("RGB")) == red).all(axis=2).sum())

    assert count_red([0, 1]) == 0
    assert count_red([0, 2]) > 500


@pytest.mark.parametrize("shape", [(5, 8, 6), (5, 1, 8, 6), (5, 3, 8, 6)])
def test_layouts(path, figures, shape):
    images = numpy.random.default_rng(0).random(shape).astype(numpy.float32)
    plot_predictions(images, None, [0] * 5, [0.5] * 5, NAMES, path, columns=3, rows=2)
    drawn = [numpy.asarray(panel.images[0].get_array()) for panel in figures[0].axes if panel.images]
    assert len(drawn) == 5
    expected = images[4, 0] if shape[1] == 1 else images[4] if len(shape) == 3 else images[4].transpose(1, 2, 0)
    numpy.testing.assert_allclose(drawn[4], expected, rtol=1e-6)
    assert figures[0].get_supxlabel() == ""


def test_a_page_has_at_most_its_rows_and_columns(path, figures):
    plot_predictions(numpy.zeros((100, 4, 4)), numpy.zeros(100, int), numpy.zeros(100, int), None, NAMES, path)
    assert len(figures[0].axes) == 48
    assert figures[0].get_supxlabel() == "48 of 48 right"


@pytest.mark.parametrize(
    "values", [numpy.arange(16), numpy.arange(16) - 8.0, numpy.zeros(16), numpy.full(16, numpy.nan)]
)
def test_any_range_of_values(path, figures, values):
    plot_predictions(values.reshape(1, 4, 4), [0], [0], None, NAMES, path)
    assert path.stat().st_size > 1000
    drawn = numpy.asarray(figures[0].axes[0].images[0].get_array(), dtype=float)
    if len(set(values)) == 16 and not numpy.isnan(values).any():
        assert (drawn.min(), drawn.max()) == (0, 1)


IMAGES = numpy.zeros((2, 4, 4))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((numpy.zeros((2, 2, 4, 4)), [0, 0], [0, 0], None), ShapeError, r"received \(2, 2, 4, 4\)"),
        ((numpy.zeros((4, 4)), [0, 0], [0, 0], None), ShapeError, r"received \(4, 4\)"),
        ((numpy.zeros((0, 4, 4)), [], [], None), ArgumentError, "no image to draw"),
        ((IMAGES, [0], [0, 0], None), ShapeError, r"labels must be 2 integers, .* received int64\[1\]"),
        (
            (IMAGES, [0, 0], [0.0, 1.0], None),
            ShapeError,
            "predictions must be 2 integers, one per image, received float64",
        ),
        ((IMAGES, [0, 3], [0, 0], None), ArgumentError, r"labels\[1\] is 3, but there are 3 class names"),
        ((IMAGES, [0, 0], [-1, 0], None), ArgumentError, r"predictions\[0\] is -1"),
        ((IMAGES, [0, 0], None, None), ArgumentError, "give predictions, probabilities, or both"),
        ((IMAGES, [0, 0], None, [0.5, 0.5]), ArgumentError, "needs the probabilities of all classes"),
        ((IMAGES, [0, 0], None, numpy.zeros((2, 4))), ShapeError, r"shape \(2, 3\) or \(2,\) .*, received \(2, 4\)"),
        ((IMAGES, [0, 0], None, [[5.0, -1, 0]] * 2), ArgumentError, "received values from -1 to 5; apply softmax"),
        ((IMAGES, [0, 0], None, [[numpy.nan, 0, 0]] * 2), ArgumentError, "probabilities must be from 0 to 1"),
    ],
)
def test_bad_arguments_make_no_file(path, arguments, error, message):
    with pytest.raises(error, match=message):
        plot_predictions(*arguments, NAMES, path)
    assert not path.exists()


def test_bad_pages(path):
    with pytest.raises(ArgumentError, match="columns and rows must be at least 1, received 0 and 6"):
        plot_predictions(IMAGES, [0, 0], [0, 0], None, NAMES, path, columns=0)
