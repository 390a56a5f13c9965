"""The named data sets: the digits that come with Septet, and the IDX sets found in folders."""

import gzip
import hashlib
import re
from pathlib import Path

import numpy
import pytest

from septet import data
from septet.base.config import config
from septet.base.errors import ArgumentError, DataError, MissingDataError
from septet.data import fetching, sets

REAL = Path("/usr/share/datasets/fashion-mnist")
PARTS = {"train": ("train", 12), "test": ("t10k", 5)}


def make_folder(folder, end=".gz", sign="-"):
    """Four small files in the layout of MNIST; returns the raw arrays."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = numpy.random.default_rng(0)
    made = {}
    for part, (stem, count) in PARTS.items():
        images = generator.integers(0, 256, (count, 28, 28), dtype=numpy.uint8)
        labels = (numpy.arange(count) % 10).astype(numpy.uint8)
        data.write_idx(folder / f"{stem}-images{sign}idx3-ubyte{end}", images)
        data.write_idx(folder / f"{stem}-labels{sign}idx1-ubyte{end}", labels)
        made[part] = images, labels
    return made


@pytest.fixture(autouse=True)
def no_other_folders(monkeypatch, tmp_path):
    """Neither the environment nor installed packages decide what these tests find."""
    monkeypatch.setattr(fetching, "SYSTEM_FOLDER", tmp_path / "system")
    monkeypatch.setattr(config, "data_dir", str(tmp_path / "nowhere"))


def test_digits():
    images, labels = data.load_digits()
    assert images.shape == (1797, 1, 8, 8) and images.dtype == numpy.float32
    assert labels.shape == (1797,) and labels.dtype == numpy.int64
    assert images.min() == 0 and images.max() == 1
    assert numpy.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_digits_are_those_of_scikit_learn():
    reference = pytest.importorskip(
        "sklearn.datasets", reason="scikit-learn holds the copy to compare with"
    ).load_digits()
    images, labels = data.load_digits()
    numpy.testing.assert_array_equal(images[:, 0] * 16, reference.images)
    numpy.testing.assert_array_equal(labels, reference.target)


def test_the_check_sums_of_the_attribution_page():
    page = sets.DIGITS_FILE.with_name("DIGITS.md").read_text(encoding="utf-8")
    images, labels = data.load_digits()
    for content in (
        sets.DIGITS_FILE.read_bytes(),
        (images * 16).astype(numpy.uint8).tobytes(),
        labels.astype(numpy.uint8).tobytes(),
    ):
        assert hashlib.sha256(content).hexdigest() in page
    assert "10.24432/C50P49" in page and "CC BY 4.0" in page
    assert f"{sets.DIGITS_FILE.stat().st_size:,} bytes" in page


def test_the_split_of_the_digits():
    images, labels = data.load_digits()
    train_images, train_labels = data.load_digits("train")
    test_images, test_labels = data.load_digits("test")
    assert (len(train_labels), len(test_labels)) == (1438, 359)
    first, second = data.split_indices(1797, 0.8, seed=0, stratify=labels)
    numpy.testing.assert_array_equal(train_images, images[first])
    numpy.testing.assert_array_equal(test_images, images[second])
    numpy.testing.assert_array_equal(train_labels, labels[first])
    numpy.testing.assert_allclose(numpy.bincount(test_labels), 0.2 * numpy.bincount(labels), atol=1)


def test_the_split_of_the_digits_is_frozen():
    """Published accuracies belong to this split; it may not change from one release to the next."""
    _, labels = data.load_digits()
    _, second = data.split_indices(1797, 0.8, seed=0, stratify=labels)
    assert (
        hashlib.sha256(second.astype("<i8").tobytes()).hexdigest()
        == "5a8801ab901519ad32b7420b6dd934e32b3ed948a83ddc18b97f55868ad3d6ea"
    )


@pytest.mark.parametrize("end", ["", ".gz"])
@pytest.mark.parametrize("sign", ["-", "."])
@pytest.mark.parametrize("load", [data.load_mnist, data.load_fashion_mnist])
def test_idx_sets_from_a_folder(tmp_path, load, end, sign):
    made = make_folder(tmp_path / "here", end, sign)
    for part, (images, labels) in made.items():
        got_images, got_labels = load(part, folder=tmp_path / "here")
        assert got_images.dtype == numpy.float32 and got_labels.dtype == numpy.int64
        numpy.testing.assert_allclose(got_images[:, 0], images / 255, rtol=1e-6)
        numpy.testing.assert_array_equal(got_labels, labels)
    images, labels = load(folder=str(tmp_path / "here"))
    assert images.shape == (17, 1, 28, 28)
    numpy.testing.assert_array_equal(labels, [*made["train"][1], *made["test"][1]])


def test_a_part_needs_its_own_files_only(tmp_path):
    make_folder(tmp_path)
    for file in tmp_path.glob("train-*"):
        file.unlink()
    assert len(data.load_mnist("test", tmp_path)[1]) == 5


def test_folders_are_searched_in_order(tmp_path, monkeypatch):
    make_folder(tmp_path / "system" / "mnist")
    assert len(data.load_mnist("test")[1]) == 5
    monkeypatch.setattr(config, "data_dir", str(tmp_path / "own"))
    assert len(data.load_mnist("test")[1]) == 5  # nothing there: the system's folder
    make_folder(tmp_path / "own" / "mnist")
    data.write_idx(tmp_path / "own" / "mnist" / "t10k-images-idx3-ubyte.gz", numpy.zeros((2, 28, 28), numpy.uint8))
    data.write_idx(tmp_path / "own" / "mnist" / "t10k-labels-idx1-ubyte.gz", numpy.zeros(2, numpy.uint8))
    assert len(data.load_mnist("test")[1]) == 2


def test_a_folder_that_is_given_is_the_only_one(tmp_path):
    make_folder(tmp_path / "system" / "mnist")
    with pytest.raises(MissingDataError) as caught:
        data.load_mnist("test", tmp_path / "elsewhere")
    assert "elsewhere: there is no such folder" in str(caught.value)
    assert "system" not in str(caught.value)


def test_missing_files_are_explained(tmp_path, monkeypatch):
    monkeypatch.setattr(config, "data_dir", str(tmp_path / "own"))
    make_folder(tmp_path / "own" / "fashion-mnist")
    (tmp_path / "own" / "fashion-mnist" / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(MissingDataError) as caught:
        data.load_fashion_mnist()
    text = str(caught.value)
    assert f"{tmp_path / 'own' / 'fashion-mnist'}: lacks t10k-labels-idx1-ubyte.gz\n" in text
    assert f"{tmp_path / 'system' / 'fashion-mnist'}: there is no such folder" in text
    for words in ("dataset-fashion-mnist", "zalandoresearch/fashion-mnist", "SEPTET_DATA", "train-images-idx3-ubyte"):
        assert words in text
    with pytest.raises(MissingDataError, match="LeCun, Cortes, Burges"):
        data.load_mnist()


def test_files_that_do_not_fit_together(tmp_path):
    images, labels = tmp_path / "t10k-images-idx3-ubyte", tmp_path / "t10k-labels-idx1-ubyte"

    def expect(message, pictures, classes):
        data.write_idx(images, numpy.asarray(pictures))
        data.write_idx(labels, numpy.asarray(classes))
        with pytest.raises(DataError, match=message):
            data.load_mnist("test", tmp_path)

    pictures, classes = numpy.zeros((3, 28, 28), numpy.uint8), numpy.zeros(3, numpy.uint8)
    expect(re.escape(str(images)) + r".* holds 3 images, .*labels-idx1-ubyte' 2 labels", pictures, classes[:2])
    expect(r"expected uint8\[N, 28, 28\] .* found uint8\[3, 28, 27\]", pictures[..., 1:], classes)
    expect(r"expected uint8\[N\] .* found uint8\[3, 1\]", pictures, classes[:, None])
    expect(r"found int8\[3, 28, 28\]", pictures.astype(numpy.int8), classes)
    expect(r"with N at least 1, found uint8\[0, 28, 28\]", pictures[:0], classes[:0])
    classes[2] = 10
    expect(r"byte 10 of the data: expected a label from 0 to 9, found 10 \(sample 2\)", pictures, classes)


def test_a_damaged_file_is_named(tmp_path):
    make_folder(tmp_path)
    damaged = tmp_path / "t10k-images-idx3-ubyte.gz"
    damaged.write_bytes(gzip.compress(b"\0\0\x08\x03"))
    with pytest.raises(DataError, match=re.escape(str(damaged))):
        data.load_mnist("test", tmp_path)


def test_by_name(tmp_path):
    assert {"digits", "fashion-mnist", "mnist", "cifar10"} <= set(data.names())
    numpy.testing.assert_array_equal(data.load("digits", "test")[0], data.load_digits("test")[0])
    make_folder(tmp_path)
    assert len(data.load("fashion-mnist", "train", tmp_path)[1]) == 12
    assert len(data.load("mnist", folder=tmp_path)[1]) == 17
    for name in ("digits", "fashion-mnist", "mnist", "cifar10"):
        assert len(data.class_names(name)) == len(set(data.class_names(name))) == 10


def test_bad_names():
    with pytest.raises(ArgumentError, match=r"no data set 'cifar'; the names are breast-cancer, .*fashion-mnist, "):
        data.load("cifar")
    with pytest.raises(ArgumentError, match="class_names: there is no data set"):
        data.class_names("cifar")
    with pytest.raises(
        ArgumentError, match=r"load_digits: split must be one of 'train', 'test', 'all', received 'valid'"
    ):
        data.load_digits("valid")
    with pytest.raises(ArgumentError, match="load_mnist: split"):
        data.load_mnist("valid")
    with pytest.raises(ArgumentError, match="take no folder"):
        data.load("digits", folder="/tmp")


@pytest.mark.skipif(not REAL.is_dir(), reason=f"Debian's package dataset-fashion-mnist is not installed: no {REAL}")
def test_the_real_fashion_mnist():
    images, labels = data.load_fashion_mnist("test", REAL)
    assert images.shape == (10000, 1, 28, 28)
    assert numpy.bincount(labels).tolist() == [1000] * 10
    assert data.class_names("fashion-mnist")[labels[0]] == "Ankle boot"
    assert images.min() == 0 and images.max() == 1
    assert numpy.bincount(data.read_idx(REAL / "train-labels-idx1-ubyte.gz")).tolist() == [6000] * 10
