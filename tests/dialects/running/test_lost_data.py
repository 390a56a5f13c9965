"""Data that is gone: local copies, files made from others, and words instead of waiting."""

from __future__ import annotations

import gzip
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from septet.base.config import config
from septet.base.errors import MissingDataError
from septet.cli.main import septet
from septet.data.idx import write_idx
from septet.dialects.running import lost_data
from septet.dialects.running.shims.files import LocalCopies
from septet.dialects.running.shims.shim import installed


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    """A folder of data sets, in which MNIST has 30 images to train on and 12 to test with."""
    folder = tmp_path / "sets"
    (folder / "mnist").mkdir(parents=True)
    chance = np.random.default_rng(0)
    for part, count in (("train", 30), ("t10k", 12)):
        images = chance.integers(0, 256, (count, 28, 28)).astype(np.uint8)
        write_idx(folder / "mnist" / f"{part}-images-idx3-ubyte.gz", images)
        write_idx(folder / "mnist" / f"{part}-labels-idx1-ubyte.gz", np.arange(count, dtype=np.uint8) % 10)
    return folder


def test_programs_find_copies(digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether they ask, open, or download; what is made is made once; other files are as ever."""
    monkeypatch.chdir(tmp_path)
    notes: list[str] = []
    with (
        config.override(data_dir=str(digits), cache_dir=str(tmp_path / "cache")),
        installed(LocalCopies(tmp_path / "program", notes.append).shims()) as uses,
    ):
        assert os.path.isfile("data/mnist.pkl.gz") and not os.path.exists("mnist2.pkl.gz")
        assert not os.path.exists("cifar-10-batches-py") and not os.path.isfile("imdb.pkl")
        assert os.path.isfile("MNIST_data/raw/mnist.pkl.gz") and os.path.isfile("data/mnist/train-images-idx3-ubyte")
        assert lost_data.lookup("/my/mnist-nets/mnist.pkl.gz") is None
        assert lost_data.lookup("/my/mnist-nets/mnist.pkl.gz", Path("/my/mnist-nets")) is not None
        for other in ("mnist_binarized", "fashion-mnist", "emnist", "cifar10"):
            assert not os.path.isfile(f"data/{other}/mnist.pkl.gz"), other
        with gzip.open("data/mnist.pkl.gz") as file:
            train, valid, test = pickle.load(file)
        assert train[0].shape == (25, 784) and len(valid[1]) == 5 and test[1].tolist() == [*range(10), 0, 1]
        assert train[0].dtype == np.float32 and (train[0] * 256 == np.rint(train[0] * 256)).all()
        plain = np.fromfile(open("/media/datasets/mnist/train-labels-idx1-ubyte"), np.uint8)  # noqa: SIM115
        assert plain[8:11].tolist() == [0, 1, 2]

        from urllib.request import urlopen, urlretrieve

        urlretrieve("http://yann.lecun.com/exdb/mnist/t10k-images-idx3-ubyte.gz", "copy.gz")
        assert Path("copy.gz").read_bytes() == (digits / "mnist" / "t10k-images-idx3-ubyte.gz").read_bytes()
        (tmp_path / "program").mkdir()
        (tmp_path / "program" / "nietzsche.txt").write_text("text")
        assert urlopen("https://s3.amazonaws.com/text-datasets/nietzsche.txt").read() == b"text"
        for address, words in (
            ("http://www.iro.umontreal.ca/~lisa/deep/data/imdb.pkl", "Put a copy into"),
            ("http://deeplearning.net/data/other.pkl", "other.pkl is gone from"),
        ):
            with pytest.raises(OSError, match=words):
                urlopen(address)
        with pytest.raises(FileNotFoundError) as caught:
            open("imdb.pkl").close()
        assert "SEPTET_DATA" in caught.value.__notes__[0]
        with pytest.raises(FileNotFoundError) as caught:
            open("something.else").close()
        assert not hasattr(caught.value, "__notes__")
        assert len([note for note in notes if note.startswith("mnist.pkl.gz: ")]) == 1
        assert "open(lost data)" in uses.places
    assert not os.path.isfile("data/mnist.pkl.gz")


def test_the_command_makes_files(digits: Path, tmp_path: Path) -> None:
    """From a folder, into a folder; an error says what is needed, or what can be made."""
    words = ["data", "make", "mnist.npz", "--from", str(digits / "mnist"), "--to", str(tmp_path)]
    assert CliRunner().invoke(septet, words, catch_exceptions=False).output == f"wrote {tmp_path / 'mnist.npz'}\n"
    with np.load(tmp_path / "mnist.npz") as arrays:
        assert arrays["x_train"].shape == (30, 28, 28) and arrays["y_test"].dtype == np.uint8
    with pytest.raises(MissingDataError, match="is made from the four files of MNIST") as caught:
        lost_data.make("mnist.pkl.gz", tmp_path, tmp_path)
    assert "--from" in str(caught.value.hint)
    error = CliRunner().invoke(septet, ["data", "make", "imdb.pkl"]).exception
    assert "can be made: mnist.pkl.gz" in str(error)


def test_batches_of_cifar(tmp_path: Path) -> None:
    """The version for Python is made from the binary one."""
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    rows = np.random.default_rng(1).integers(0, 10, (2, 3073)).astype(np.uint8)
    for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"):
        (folder / f"{name}.bin").write_bytes(rows.tobytes())
    path = lost_data.make("cifar-10-batches-py/data_batch_3", tmp_path, tmp_path)
    batch = pickle.loads(path.read_bytes())
    assert batch["data"].tolist() == rows[:, 1:].tolist() and batch["labels"] == rows[:, 0].tolist()
