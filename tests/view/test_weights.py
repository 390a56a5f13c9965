"""Pictures of weights, activations, attention, confusion and embeddings: what is drawn is what the numbers say."""

from __future__ import annotations

import numpy as np
import pytest

import septet as st
from septet import nn
from septet.base.errors import ArgumentError, ShapeError

pytest.importorskip("matplotlib", reason="matplotlib is not installed (pip install septet[view])")

GENERATOR = np.random.default_rng(3)


def images_of(picture) -> list[np.ndarray]:
    """The images in the panels of a picture."""
    return [np.asarray(image.get_array()) for panel in picture.figure.axes for image in panel.images]


def test_filters_in_gray_and_in_colours(tmp_path):
    kernel = GENERATOR.normal(size=(6, 1, 3, 3))
    picture = st.view.plot_filters(kernel, tmp_path / "filters.png", columns=4)
    assert len(images_of(picture)) == 6
    np.testing.assert_array_equal(images_of(picture)[5], kernel[5, 0])
    shown = picture.figure.axes[0].images[0]
    assert shown.get_clim() == (-np.abs(kernel).max(), np.abs(kernel).max())
    assert (tmp_path / "filters.png").stat().st_size > 1000

    colours = GENERATOR.normal(size=(5, 3, 3, 3))
    first = images_of(st.view.plot_filters(colours))[0]
    np.testing.assert_allclose(first, 0.5 + 0.5 * np.moveaxis(colours[0], 0, -1) / np.abs(colours).max())

    many = GENERATOR.normal(size=(8, 5, 3, 3))
    tiles = images_of(st.view.plot_filters(many, most=20))  # four filters, a row of five channels for each
    assert len(tiles) == 20
    np.testing.assert_array_equal(tiles[7], many[1, 2])

    model = nn.Sequential(nn.Dense(4), nn.Reshape((1, 2, 2)), nn.Conv2D(2, 2))
    with pytest.raises(ArgumentError, match="Sequential has no kernel"):
        st.view.plot_filters(model)
    model.build_for(np.zeros((1, 3), np.float32))
    assert "2: Conv2D" in st.view.plot_filters(model).about
    with pytest.raises(ShapeError, match=r"received shape \(3, 3\)"):
        st.view.plot_filters(np.zeros((3, 3)))


def test_histograms_count_every_number():
    model = nn.Sequential(nn.Dense(8), nn.Dense(2))
    with pytest.raises(ArgumentError, match="no number to draw"):
        st.view.plot_histograms(model)
    model(np.zeros((1, 5), np.float32))
    panels = st.view.plot_histograms(model).figure.axes
    assert [panel.get_title(loc="left") for panel in panels] == ["0.kernel", "0.bias", "1.kernel", "1.bias"]
    assert [sum(bar.get_height() for bar in panel.patches) for panel in panels] == [40, 8, 16, 2]
    strange = st.view.plot_histograms({"x": [1.0, np.nan, np.inf], "y": [np.nan]}).figure.axes
    assert strange[0].get_xlabel() == "mean 1, deviation 0, 2 not finite"
    assert strange[1].get_xlabel() == "no finite number, 1 not finite"


@pytest.mark.filterwarnings("error")
def test_activations_are_what_layers_return():
    class Network(nn.Module):
        def __init__(self):
            self.conv = nn.Conv2D(3, 3, padding="same")
            self.drop = nn.Dropout(0.5)
            self.flatten = nn.Flatten()
            self.dense = nn.Dense(48)

        def forward(self, x):
            return self.dense(self.dense(self.flatten(st.relu(self.drop(self.conv(x))))))

    model, x = Network().train(), GENERATOR.normal(size=(2, 1, 4, 4)).astype(np.float32)
    found = st.view.activations(model, x)
    assert {name: array.shape for name, array in found.items()} == {
        "conv": (2, 3, 4, 4), "drop": (2, 3, 4, 4), "flatten": (2, 48), "dense": (2, 48), "dense (2)": (2, 48),
    }  # fmt: skip
    np.testing.assert_array_equal(found["drop"], found["conv"])  # nothing is dropped in evaluation
    np.testing.assert_allclose(found["dense (2)"], model.predict(x), rtol=1e-5, atol=1e-6)
    assert model.is_training
    picture = st.view.plot_activations(model, x, channels=4)
    drawn = images_of(picture)
    np.testing.assert_array_equal(drawn[2], found["conv"][0, 2])
    assert len(drawn) == 3 + 1 + 1 + 1
    with pytest.raises(ArgumentError, match="no layer 'dens'; there are conv, drop"):
        st.view.plot_activations(model, x, layers=["dens"])


def test_confusion_counts(tmp_path):
    metric = st.metrics.ConfusionMatrix()
    metric.update(np.eye(3, dtype=np.float32)[[0, 1, 1, 2]], np.array([0, 1, 2, 2]))
    picture = st.view.plot_confusion(metric, ["a", "b", "$c"], tmp_path / "confusion.svg", title="T")
    panel = picture.figure.axes[0]
    assert [text.get_text() for text in panel.texts] == ["1", "0", "0", "0", "1", "0", "0", "1", "1"]
    np.testing.assert_allclose(images_of(picture)[0], [[1, 0, 0], [0, 1, 0], [0, 0.5, 0.5]])
    assert (panel.get_xlabel(), panel.get_ylabel()) == ("predicted class", "true class")
    assert "3 of 4 right" in picture.figure.get_supxlabel() and "<svg" in (tmp_path / "confusion.svg").read_text()
    with pytest.raises(ShapeError, match="square matrix"):
        st.view.plot_confusion(np.zeros((2, 3)))
    with pytest.raises(ShapeError, match="2 class names"):
        st.view.plot_confusion(np.zeros((3, 3)), ["a", "b"])
    with pytest.raises(ArgumentError, match="at least 0"):
        st.view.plot_confusion([[-1.0]])


def test_attention_has_a_panel_for_each_head():
    weights = st.softmax(st.tensor(GENERATOR.normal(size=(3, 4, 4)).astype(np.float32))).numpy()
    picture = st.view.plot_attention(weights, queries=["a", "b", "c", "d"], columns=2)
    np.testing.assert_allclose(images_of(picture)[2], weights[2])
    assert [tick.get_text() for tick in picture.figure.axes[0].get_xticklabels()] == ["a", "b", "c", "d"]
    with pytest.raises(ArgumentError, match="softmax of scores"):
        st.view.plot_attention(weights * 5)
    with pytest.raises(ShapeError, match="2 keys for 4 positions"):
        st.view.plot_attention(weights, keys=["a", "b"])


def test_principal_components_agree_with_scikit_learn():
    decomposition = pytest.importorskip("sklearn.decomposition")
    vectors = GENERATOR.normal(size=(40, 6)) * [5, 3, 1, 1, 1, 1]
    points, shares = st.view.principal_components(vectors, 3)
    theirs = decomposition.PCA(3).fit(vectors)
    np.testing.assert_allclose(np.abs(points), np.abs(theirs.transform(vectors)), atol=1e-10)
    np.testing.assert_allclose(shares, theirs.explained_variance_ratio_)


def test_embedding_names_classes_and_directions():
    vectors, labels = GENERATOR.normal(size=(30, 4)), np.arange(30) % 3
    picture = st.view.plot_embedding(vectors, labels, ["x", "y", "z"], texts=[str(i) for i in range(30)])
    panel = picture.figure.axes[0]
    assert [text.get_text() for text in panel.get_legend().get_texts()] == ["x", "y", "z"]
    assert sum(len(group.get_offsets()) for group in panel.collections) == 30
    assert len({group.get_paths()[0].vertices.tobytes() for group in panel.collections}) == 3  # forms, too
    assert "% of the variance" in panel.get_xlabel()
    with pytest.raises(ArgumentError, match="a label 2, but 2 class names"):
        st.view.plot_embedding(vectors, labels, ["x", "y"])
    with pytest.raises(ShapeError, match="29 labels for 30 vectors"):
        st.view.plot_embedding(vectors, labels[:29])


def test_a_picture_shows_itself_and_saves_the_same_bytes(tmp_path):
    picture = st.view.plot_confusion([[1, 2], [3, 4]], title='a "b"')
    assert 'alt="a &quot;b&quot;: 5 of 10 examples right"' in picture._repr_html_()
    for form in ("png", "svg", "pdf"):
        picture.save(tmp_path / f"one.{form}")
        st.view.plot_confusion([[1, 2], [3, 4]], None, tmp_path / f"two.{form}", title='a "b"')
        assert (tmp_path / f"one.{form}").read_bytes() == (tmp_path / f"two.{form}").read_bytes()
    with pytest.raises(ArgumentError, match=r"saved as \.png, \.svg, \.pdf"):
        picture.save(tmp_path / "one.gif")
