"""Event files read by TensorBoard itself, pictures, the page, and tensors that are watched."""

import re
import xml.etree.ElementTree as ElementTree
import zlib

import numpy as np
import pytest

import septet as st
from septet import nn
from septet.train import Curves, EarlyStopping, Extension, Monitor, Report, TensorBoard, fit, read_log, watch
from septet.train.events import crc32c
from septet.train.png import png_bytes

X = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
DATA = (X, (X[:, 0] > 0).astype(np.int64))


class Show(Extension):
    """Write one of each kind to the log."""

    def on_epoch(self, loop, row):
        loop.log.histogram("weights", [1.0, 2.0, 2.0, np.nan, 9.0], bins=4)
        loop.log.image("picture", np.eye(4))
        loop.log.text("sample", f"epoch *{loop.epoch}*")


class Watched(nn.Module):
    def __init__(self, factor=1.0):
        self.hidden, self.out, self.factor = nn.Dense(4), nn.Dense(2), factor

    def forward(self, x):
        return self.out(watch("hidden", self.hidden(x)) * self.factor)


def test_tensorboard_reads_scalars_histograms_images_and_texts(tmp_path):
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    words = {"batch_size": 10, "verbose": False, "checkpoints": tmp_path / "run", "log_every": 1}
    history = []
    for epochs in (2, 3):  # the second goes on, in another file
        board = TensorBoard(tmp_path / "board")
        st.random.seed(0)
        history = fit(nn.Dense(2), DATA, epochs, callbacks=[Show(), board], resume=epochs == 3, **words)
    assert len(list((tmp_path / "board").iterdir())) == 2
    found = events.EventAccumulator(
        str(tmp_path / "board"), {events.IMAGES: 0, events.HISTOGRAMS: 0, events.TENSORS: 0}
    )
    found.Reload()
    losses = found.Scalars("loss")
    assert [event.step for event in losses] == [2, 4, 6]
    assert [event.value for event in losses] == pytest.approx([row["loss"] for row in history], rel=1e-6)
    assert [event.step for event in found.Scalars("batch/loss")] == [1, 2, 3, 4, 5, 6]
    histogram = found.Histograms("weights")[0].histogram_value
    assert (histogram.min, histogram.max, histogram.num, histogram.sum, histogram.sum_squares) == (1, 9, 4, 14, 90)
    assert list(histogram.bucket_limit) == [3, 5, 7, 9] and list(histogram.bucket) == [3, 0, 0, 1]
    image = found.Images("picture")[0]
    assert (image.width, image.height) == (4, 4) and image.encoded_image_string == png_bytes(np.eye(4))
    assert [e.tensor_proto.string_val[0] for e in found.Tensors("sample")] == [b"epoch *1*", b"epoch *2*", b"epoch *3*"]


def test_checksums_of_the_standard():
    assert crc32c(bytes(32)) == 0x8A9136AA and crc32c(bytes(range(32))) == 0x46DD794E  # RFC 3720, appendix B.4


@pytest.mark.parametrize("shape", [(3, 5), (3, 5, 1), (2, 2, 3), (1, 4, 4)])
def test_pictures_are_read_back_by_others(shape, tmp_path):
    image = pytest.importorskip("PIL.Image")
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    (tmp_path / "a.png").write_bytes(png_bytes(pixels))
    assert np.array_equal(np.asarray(image.open(tmp_path / "a.png")), pixels.squeeze(2) if shape[-1] == 1 else pixels)


def test_pictures_of_other_kinds_are_refused():
    assert zlib.crc32(png_bytes(np.array([[0.0, 2.0, np.nan]]))) == zlib.crc32(
        png_bytes(np.array([[0, 255, 0]], np.uint8))
    )
    for wrong in (np.zeros((2, 2, 5)), np.zeros((0, 2)), np.zeros((2, 2), np.int32)):
        with pytest.raises(st.errors.ArgumentError, match="an image"):
            png_bytes(wrong)


def test_the_page_shows_curves_and_renews_itself_while_the_training_runs(tmp_path):
    path, pages = tmp_path / "report.html", []
    history = fit(
        nn.Dense(2), DATA, 3, validation=DATA, batch_size=10, verbose=False, log_every=1,
        callbacks=[Report(path, "A <small> run"), lambda row: pages.append(path.read_text())],
    )  # fmt: skip
    assert all('http-equiv="refresh"' in page and "running: " in page for page in pages)
    last = path.read_text()
    assert "refresh" not in last and "finished: 3 of 3 epochs, 6 steps" in last and "A &lt;small&gt; run" in last
    assert "http" not in last and "src=" not in last  # nothing else is needed
    charts = re.findall(r"<svg.*?</svg>", last)
    assert len(charts) == 3  # batches, loss, accuracy
    lines = [e.get("points").split() for e in ElementTree.fromstring(charts[1]).iter("polyline")]
    assert [len(line) for line in lines] == [3, 3]
    heights = [float(point.split(",")[1]) for point in lines[0]]
    assert np.array_equal(np.argsort(heights), np.argsort([-row["loss"] for row in history]))
    assert f"{history[-1]['val_loss']:.4g}" in last


def test_the_page_says_that_it_is_finished_when_notes_follow_the_end(tmp_path):
    """The best weights come back after the last epoch; a training that has all of its epochs says so."""
    path = tmp_path / "report.html"
    words = {"batch_size": 10, "verbose": False, "validation": DATA, "checkpoints": tmp_path / "run"}
    stop = EarlyStopping("epoch", 9, restores_best=True)  # the first is the best
    fit(nn.Dense(2), DATA, 3, callbacks=[stop, Report(path)], **words)
    assert "the model has the weights of its best epoch, 1" in path.read_text()
    assert "finished: 3 of 3 epochs" in path.read_text() and "refresh" not in path.read_text()
    stop = EarlyStopping("epoch", 9, restores_best=True)  # the first is the best
    history = fit(nn.Dense(2), DATA, 2, callbacks=[stop, Report(path)], resume=True, **words)
    assert len(history) == 3
    assert "nothing to train: 3 epochs are done, and 2 were asked for" in path.read_text()
    assert "refresh" not in path.read_text()


def test_curves_are_drawn_and_the_history_plots_itself(tmp_path):
    pytest.importorskip("matplotlib")
    history = fit(nn.Dense(2), DATA, 1, verbose=False, callbacks=Curves(tmp_path / "curves.png"))
    history.plot(tmp_path / "again.png")
    for name in ("curves.png", "again.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


def test_norms_and_ranges_of_what_is_watched_are_those_of_numpy(tmp_path):
    st.random.seed(0)
    model = Watched()
    model.build_for(X)
    hidden = X @ model.hidden.kernel.numpy() + model.hidden.bias.numpy()
    monitor = Monitor(1, parameters="*.kernel", gradients="out.*", histograms=True)
    path = tmp_path / "log.jsonl"
    fit(model, DATA, 1, batch_size=20, shuffle=False, verbose=False, optimizer="sgd", callbacks=monitor, log=path)
    records = read_log(path)
    found = next(record for record in records if record["event"] == "monitor")
    assert found["hidden/norm"] == pytest.approx(np.linalg.norm(hidden), rel=1e-5)
    assert found["hidden/least"] == pytest.approx(hidden.min(), rel=1e-5)
    assert found["hidden/greatest"] == pytest.approx(hidden.max(), rel=1e-5)
    out = hidden @ model.out.kernel.numpy()  # after the step: near enough for a softmax's direction
    assert found["gradient out.bias/norm"] > 0 and out.shape == (20, 2)
    assert found["hidden.kernel/norm"] == pytest.approx(np.linalg.norm(model.hidden.kernel.value), rel=1e-6)
    assert [r["name"] for r in records if r["event"] == "histogram"] == ["hidden.kernel", "out.kernel"]
    assert not any("bad" in name for name in found)


def test_the_first_tensor_that_is_not_finite_is_named_with_its_place(tmp_path):
    model = Watched()
    model.build_for(X)
    model.hidden.kernel.assign(np.full((3, 4), 3e38))
    path = tmp_path / "log.jsonl"
    with pytest.raises(st.errors.NonFiniteError, match=r"batch 1; not finite: hidden \(test_boards.py:\d+\)"):
        fit(model, DATA, 1, batch_size=20, verbose=False, callbacks=Monitor(1), log=path)
    model.hidden.kernel.assign(np.full((3, 4), 3e38))
    with pytest.raises(st.errors.NonFiniteError, match=r"dot_general|matmul") as caught:
        fit(model, DATA, 1, batch_size=20, verbose=False, check_nan=True)
    assert "hidden:Dense" in str(caught.value)
    with pytest.raises(st.errors.NotSupportedError, match="in the body of a loop"):
        fit(Looped(), DATA, 1, verbose=False, callbacks=Monitor(1))


class Looped(Watched):
    def forward(self, x):
        _, y = st.while_loop(lambda c: c[0] < 2, lambda c: (c[0] + 1, watch("inside", c[1] * 2)), (st.tensor(0), x))
        return self.out(y)
