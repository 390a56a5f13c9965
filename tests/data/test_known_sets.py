"""Known data sets: found in folders, fetched with their check sums compared, explained when they are missing."""

import hashlib
import io
import tarfile
import urllib.request
import zipfile
from urllib.error import URLError

import numpy
import pytest

from septet import data
from septet.base.config import config
from septet.base.errors import DataError, MissingDataError
from septet.data import fetching, tables
from septet.data.known import KNOWN


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    """Nothing of this machine is found."""
    monkeypatch.setattr(fetching, "SYSTEM_FOLDER", tmp_path / "system")
    monkeypatch.setattr(tables, "scikit_learn_folder", lambda: [])
    with config.override(data_dir=str(tmp_path / "own")):
        yield


def put(folder, name, content):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)


def tar_of(files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def zip_of(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


IRIS = b"6,4,setosa,versicolor,virginica\n" + b"".join(b"5.1,3.5,1.4,0.2,%d\n" % (n % 3) for n in range(6))
HOUSING = (
    b"longitude,latitude,housing_median_age,total_rooms,total_bedrooms,population,households,median_income,"
    b"median_house_value,ocean_proximity\n"
    b"-122.23,37.88,41.0,880.0,129.0,322.0,126.0,8.3252,452600.0,NEAR BAY\n"
    b"-122.22,37.86,21.0,7099.0,,2401.0,1138.0,8.3014,358500.0,INLAND\n"
)
REVIEWS = {f"aclImdb/{part}/{sign}/{n}_{n}.txt": f"{part} {sign} {n}".encode()
           for part in ("train", "test") for sign in ("neg", "pos") for n in range(2)}  # fmt: skip


def cifar(labels, count, seed):
    records = numpy.random.default_rng(seed).integers(0, 10, (count, labels + 3072)).astype(numpy.uint8)
    return records.tobytes()


CIFAR10 = {f"cifar-10-batches-bin/data_batch_{n}.bin": cifar(1, 2, n) for n in range(1, 6)}
CIFAR10["cifar-10-batches-bin/test_batch.bin"] = cifar(1, 3, 9)


def test_tables(tmp_path):
    put(tmp_path / "own" / "iris", "iris.csv", IRIS)
    features, labels = data.load("iris")
    assert features.shape == (6, 4) and features.dtype == numpy.float32 and labels.tolist() == [0, 1, 2] * 2
    assert data.class_names("iris") == ("setosa", "versicolor", "virginica")
    train, test = data.load("iris", "train"), data.load("iris", "test")
    assert len(train[1]) == 5 and len(test[1]) == 1
    put(tmp_path / "own" / "iris", "iris.csv", IRIS[:-20])
    with pytest.raises(DataError, match=r"iris.csv' is not the table"):
        data.load("iris")
    put(tmp_path / "own", "california_housing.csv", HOUSING)  # in the folder itself
    features, values = data.load("california-housing")
    assert features.shape == (2, 13) and values.tolist() == [452600.0, 358500.0]
    assert numpy.isnan(features[1, 4]) and features[:, 8:].tolist() == [[0, 0, 0, 1, 0], [0, 1, 0, 0, 0]]
    put(tmp_path / "own", "california_housing.csv", HOUSING.replace(b"INLAND", b"MOON"))
    with pytest.raises(DataError, match="found 'MOON'"):
        data.load("california-housing")


def test_the_tables_of_scikit_learn(monkeypatch):
    reference = pytest.importorskip("sklearn.datasets")
    monkeypatch.undo()  # find the installed one
    for name, function in (("iris", "load_iris"), ("wine", "load_wine"), ("breast-cancer", "load_breast_cancer")):
        found, labels = data.load(name)
        expected = getattr(reference, function)()
        assert numpy.array_equal(found, expected.data.astype(numpy.float32)) and (labels == expected.target).all()
        assert data.class_names(name) == tuple(expected.target_names)


def test_texts(tmp_path):
    own = tmp_path / "own"
    put(own, "input.txt", b"0123456789")
    assert [data.load("tiny-shakespeare", split) for split in data.sets.SPLITS] == ["012345678", "9", "0123456789"]
    sentences = {"x/rt-polarity.neg": b"bad\nworse , caf\xe9\n", "x/rt-polarity.pos": b"good\n\n"}
    put(own, "sentence_polarity.zip", zip_of(sentences))
    texts, labels = data.load("sentence-polarity")
    assert texts == ["bad", "worse , café", "good"] and labels.tolist() == [0, 0, 1]
    reviews = {f"movie_reviews/{sign}/cv{n}.txt": f"{sign} {n}".encode() for n in range(5) for sign in ("neg", "pos")}
    put(own, "movie_reviews.zip", zip_of(reviews))
    texts, labels = data.load("movie-reviews", "train")
    assert len(texts) == 8 and all(text.startswith(("neg", "pos")[label]) for text, label in zip(texts, labels))
    put(own / "imdb", "aclImdb_v1.tar.gz", tar_of(REVIEWS))
    texts, labels = data.load("imdb")
    assert texts[1] == "train neg 1" and texts[-1] == "test pos 1" and labels.tolist() == [0, 0, 1, 1] * 2
    for name, content in REVIEWS.items():  # unpacked
        put((own / "x" / name).parent, name.rpartition("/")[2], content)
    assert data.load("imdb", "test", folder=own / "x")[0] == [
        f"test {sign} {n}" for sign in ("neg", "pos") for n in (0, 1)
    ]


def test_cifar(tmp_path):
    put(tmp_path / "own" / "cifar10", "cifar-10-binary.tar.gz", tar_of(CIFAR10))
    images, labels = data.load("cifar10", "test")
    expected = numpy.frombuffer(CIFAR10["cifar-10-batches-bin/test_batch.bin"], numpy.uint8).reshape(3, 3073)
    assert images.shape == (3, 3, 32, 32) and (labels == expected[:, 0]).all()
    assert numpy.allclose(images.reshape(3, -1), expected[:, 1:] / 255)
    assert len(data.load("cifar10", "train")[1]) == 10 and len(data.class_names("cifar100")) == 100
    put(tmp_path / "f" / "cifar-100-binary", "test.bin", cifar(2, 4, 1))
    assert data.load("cifar100", "test", tmp_path / "f")[1].shape == (4,)
    with pytest.raises(DataError, match=r"cifar-100-binary' lacks train.bin"):
        data.load("cifar100", "train", tmp_path / "f")


@pytest.mark.parametrize(
    ("name", "file", "content"),
    [("cifar10", "cifar-10-binary.tar.gz", tar_of(CIFAR10)), ("movie-reviews", "movie_reviews.zip", zip_of(REVIEWS)),
     ("imdb", "aclImdb_v1.tar.gz", tar_of(REVIEWS))],
)  # fmt: skip
def test_truncated_archives(tmp_path, name, file, content):
    for cut in (0, 10, len(content) // 2):
        put(tmp_path / "own", file, content[:cut])
        with pytest.raises(DataError, match=file.replace(".", r"\.")):
            data.load(name)


@pytest.mark.parametrize("name", [name for name in data.names() if name != "digits"])
def test_missing_files_are_explained(tmp_path, name):
    with pytest.raises(MissingDataError) as caught:
        data.load(name)
    text = str(caught.value)
    assert str(tmp_path / "own" / name) in text and f"load({name!r}, download=True)" in text
    assert KNOWN[name].files[0].name in text


def test_downloads_are_checked_and_kept(tmp_path, monkeypatch):
    asked = []

    def answer(request, timeout):
        asked.append(request.full_url)
        return io.BytesIO(IRIS)

    monkeypatch.setattr(urllib.request, "urlopen", answer)
    with pytest.raises(DataError, match=r"whose sha256 is [0-9a-f]{64}, expected f13ffa8f"):
        data.load("iris", download=True)
    assert not (tmp_path / "own" / "iris" / "iris.csv").exists()
    (file,) = KNOWN["iris"].files
    own = fetching.RemoteFile(file.names, file.url, "sha256:" + hashlib.sha256(IRIS).hexdigest())
    monkeypatch.setitem(KNOWN, "iris", type(KNOWN["iris"])((own,), (), ""))
    assert data.load("iris", download=True)[0].shape == (6, 4)
    assert data.load("iris", download=True)[0].shape == data.load("iris")[0].shape
    assert asked == [file.url, file.url]  # the second time it was there


def test_a_server_that_does_not_answer(tmp_path, monkeypatch):
    def refuse(request, timeout):
        raise URLError("no network")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    with pytest.raises(MissingDataError) as caught:
        data.load("imdb", download=True)
    assert "no network" in str(caught.value) and str(tmp_path / "own" / "imdb" / "aclImdb_v1.tar.gz") in str(
        caught.value
    )
    assert not list((tmp_path / "own" / "imdb").iterdir())


def test_addresses_and_check_sums_are_whole():
    for known in KNOWN.values():
        for file in known.files:
            kind, _, check_sum = file.check_sum.partition(":")
            assert len(check_sum) == {"md5": 32, "sha256": 64}[kind] and int(check_sum, 16)
            assert file.url.startswith(("https://", "http://"))
