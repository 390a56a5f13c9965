"""Sources: what they read, that streams of them can be taken up again, and that damaged files are errors."""

import base64
import gzip
import io
import itertools
import json
import pickle
import sqlite3
import tarfile

import numpy
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from septet import data
from septet.base.errors import ArgumentError, DataError, IndexOutOfRangeError, MissingDataError, SeptetError
from septet.data import Stream
from septet.data.sources.checksum import crc32c

# written by TensorFlow 2.21: an Example of label [3, -1, 2**40], name [b"cat", b""], x [0.5, -2], and an empty record
TENSORFLOW = base64.b64decode(
    "SAAAAAAAAAD+kkidCkYKHgoFbGFiZWwSFRoTChED////////////AYCAgICAIAoRCgRuYW1lEgkKBwoDY2F0CgAKEQoBeBIMEgoKCAAAAD8AAADA"
    "x2vStgAAAAAAAAAAKQOYB9jqgqI="
)
FEATURES = {"label": [3, -1, 2**40], "name": [b"cat", b""], "x": numpy.array([0.5, -2.0])}
RECORDS = [b"", b"one", bytes(range(200)), b"\x0a\x23\xd7\xce" * 3, b"x\x0a\x23\xd7\xce", b"1234\x0a\x23\xd7\xce56"]


def plain(value):
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, tuple | list):
        return [plain(part) for part in value]
    return value.tolist() if hasattr(value, "tolist") else value


def image_bytes(kind="PNG", size=(6, 4)):
    image = pytest.importorskip("PIL.Image").new("RGB", size, (250, 10, 20))
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def write_text(folder, name="a.txt"):
    path = folder / name
    path.write_bytes("one\ntwö\r\n\nfour, but without an end".encode())
    return path


def write_csv(folder):
    path = folder / "a.csv"
    path.write_text('name,age,ok,score\n"Ada, ""L.""",36,true,1.5\n"two\nlines",7,false,\nBob,-1,true,2e3\n')
    return path


def write_tfrecord(folder):
    path = folder / "a.tfrecord"
    data.write_tfrecords(path, [{"label": number, "name": "x" * number} for number in range(5)])
    return path


def write_tar(folder):
    path = folder / "a.tar"
    samples = [{"__key__": f"dir/{n:02}", "txt": f"text {n}", "cls": n, "json": {"n": n}} for n in range(4)]
    samples.append({"__key__": "long/" + "n" * 150, "npy": numpy.arange(3), "bin": b"\0\1"})
    data.write_web_dataset(path, samples)
    return path


def write_parquet(folder):
    pyarrow = pytest.importorskip("pyarrow")
    pytest.importorskip("pyarrow.parquet")

    path = folder / "a.parquet"
    table = pyarrow.table({"x": [0.5, None, 2.0, 3.0, 4.0], "name": list("abcde"), "list": [[1, 2], [3], [], [4], [5]]})
    pyarrow.parquet.write_table(table, path, row_group_size=2)
    return path


def write_database(folder):
    path = folder / "a b?.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE t (n INTEGER, text TEXT)")
        connection.executemany("INSERT INTO t VALUES (?, ?)", [(n, None if n == 2 else str(n)) for n in range(5)])
    connection.close()
    return path


STREAMS = {
    "text": lambda folder: data.text_lines([write_text(folder), write_text(folder, "b.txt")]),
    "csv": lambda folder: data.csv_rows(write_csv(folder)),
    "tfrecord": lambda folder: data.tfrecords(write_tfrecord(folder)),
    "tar": lambda folder: data.web_dataset(write_tar(folder)),
    "parquet": lambda folder: data.parquet_rows(write_parquet(folder)),
    "sql": lambda folder: data.sql_rows(write_database(folder), "SELECT n, text FROM t ORDER BY n"),
}


@pytest.mark.parametrize("name", STREAMS)
def test_a_source_is_taken_up_again_at_every_record(tmp_path, name):
    stream = STREAMS[name](tmp_path)
    values = [plain(value) for value in stream]
    assert len(values) == stream.length or stream.length is None
    stream.load_state_dict({**stream.state_dict(), "epoch": 0, "position": 0, "cursor": None})
    states = [stream.state_dict(), *[stream.state_dict() for _ in stream]]
    for number, state in enumerate(states[:-1]):
        stream.load_state_dict(json.loads(json.dumps(state)))
        assert repr([plain(value) for value in stream]) == repr(values[number:])
    assert repr([plain(value) for value in pickle.loads(pickle.dumps(stream))]) == repr(values)


def test_text_lines(tmp_path):
    path = write_text(tmp_path)
    assert list(data.text_lines(path)) == ["one", "twö", "", "four, but without an end"]
    assert len(list(data.text_lines(path, keep_blank=False))) == 3
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(path.read_bytes()))
    lines = data.text_lines(str(tmp_path / "*.txt*"))
    assert list(lines) == 2 * ["one", "twö", "", "four, but without an end"]
    state = next(state for value, state in zip(lines, map(lambda _: lines.state_dict(), itertools.count())))
    lines.load_state_dict(state)
    path.write_bytes(b"ab\ncd\xff\n")
    with pytest.raises(DataError, match=r"a.txt', byte 5: not utf-8"):
        list(data.text_lines(path))
    assert list(data.text_lines(path, encoding="latin-1"))[1] == "cdÿ"
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b"line\n" * 9999)[:-30])
    with pytest.raises(DataError, match=r"cut.gz', byte \d+ of the uncompressed data"):
        list(data.text_lines(tmp_path / "cut.gz"))


def test_files_come_in_another_order_in_each_epoch(tmp_path):
    for number in range(6):
        (tmp_path / f"{number}.txt").write_text(f"{number}\n")
    stream = data.text_lines(str(tmp_path / "*.txt"), shuffle_files=True, seed=1)
    epochs = [list(stream) for _ in range(3)]
    assert len({tuple(epoch) for epoch in epochs}) == 3
    assert all(sorted(epoch) == list("012345") for epoch in epochs)


def test_csv(tmp_path):
    path = write_csv(tmp_path)
    rows = list(data.csv_rows(path))
    assert rows[0] == {"name": 'Ada, "L."', "age": 36, "ok": True, "score": 1.5}
    assert rows[1]["name"] == "two\nlines" and numpy.isnan(rows[1]["score"]) and rows[2]["score"] == 2000.0
    assert list(data.csv_rows(path, columns=["ok", "age"], types={"age": float}))[2] == {"ok": True, "age": -1.0}
    table = data.read_csv(path)
    assert plain(table.arrays["age"]) == [36, 7, -1] and table.dtypes["ok"].kind == "b"
    (tmp_path / "plain.csv").write_text("1;2\n\n3;4\n")
    assert list(data.csv_rows(tmp_path / "plain.csv", header=False, delimiter=";"))[1] == {"0": 3, "1": 4}
    assert list(data.csv_rows(tmp_path / "plain.csv", header=["a", "b"], delimiter=";", types=str))[0] == {
        "a": "1",
        "b": "2",
    }


@pytest.mark.parametrize(
    ("content", "arguments", "message"),
    [
        ("a,b\n1,2\n3\n", {}, "byte 8: expected 2 fields, found 1"),
        ("a,b\n1,2\nx,4\n", {"types": {"a": int}}, "byte 8: column 'a': 'x' is no int"),
        ('a\n1\n""\n', {"types": int}, "byte 4: column 'a' has no value here"),
        ('a\n"open\n', {}, "byte 2: unexpected end of data"),
        ("", {}, "is empty"),
        ("a,a\n1,2\n", {}, "same name"),
        ("a\n\xff\n".encode("latin-1"), {}, "byte 2: not utf-8"),
    ],
)
def test_wrong_csv(tmp_path, content, arguments, message):
    path = tmp_path / "wrong.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=message):
        list(data.csv_rows(path, **arguments))
    with pytest.raises((ArgumentError, DataError)):
        data.csv_rows(path, columns=["aa"])


def test_check_sums():
    assert crc32c(bytes(32)) == 0x8A9136AA and crc32c(b"\xff" * 32) == 0x62A8AB43  # RFC 3720, B.4
    table = [crc32c(bytes([value])) for value in range(256)]
    assert len(set(table)) == 256
    text = bytes(itertools.islice(itertools.cycle(range(251)), 70000))
    for length in (*range(30), 1023, 1024, 1025, 1027, 1028, 66600):
        crc = 0xFFFFFFFF  # bit by bit
        if length < 2000:
            for value in text[:length]:
                crc ^= value
                for _ in range(8):
                    crc = (crc >> 1) ^ (0x82F63B78 * (crc & 1))
            assert crc32c(text[:length]) == crc ^ 0xFFFFFFFF
    assert crc32c(text[:66600]) != crc32c(text[1:66601])


def test_tfrecords_of_tensorflow(tmp_path):
    path = tmp_path / "tf.tfrecord"
    path.write_bytes(TENSORFLOW)
    first, empty = data.tfrecords(path)
    assert plain(first) == plain(FEATURES) and empty == {}
    assert first["label"].dtype == numpy.int64 and first["x"].dtype == numpy.float32
    data.write_tfrecords(tmp_path / "own.tfrecord", [FEATURES, b""])
    assert (tmp_path / "own.tfrecord").read_bytes() == TENSORFLOW  # byte for byte
    data.write_tfrecords(tmp_path / "own.tfrecord.gz", [FEATURES, b"raw"])
    assert list(data.tfrecords(tmp_path / "own.tfrecord.gz", parse=False))[1] == b"raw"


def test_features_of_all_kinds():
    many = {"i": numpy.arange(-300, 300, 7).reshape(2, -1), "f": [1, 2.5], "t": "text", "b": [True, False], "e": []}
    found = data.decode_example(data.encode_example(many))
    assert (
        plain(found["i"]) == many["i"].reshape(-1).tolist() and found["t"] == [b"text"] and plain(found["b"]) == [1, 0]
    )
    with pytest.raises(ArgumentError, match="feature 'c'"):
        data.encode_example({"c": 1j})


def test_recordio(tmp_path):
    path = tmp_path / "a.rec"
    assert data.write_recordio(path, RECORDS) == len(RECORDS)
    records = data.RecordIO(path)
    assert [records[index] for index in range(len(records))] == RECORDS
    assert list(Stream(pickle.loads(pickle.dumps(records)), shuffle=True)) != RECORDS
    content = path.read_bytes()
    assert content[:8] == bytes.fromhex("0a23d7ce00000000") and len(content) % 4 == 0
    for label in (2.0, numpy.array([1.0, 2.0, 3.0])):
        found = data.unpack_image_record(data.pack_image_record(data.ImageRecord(label, 7, b"JPEG")))
        assert plain(found.label) == plain(label) and found[1:] == (7, b"JPEG")
    with pytest.raises(IndexOutOfRangeError):
        records[len(RECORDS)]


def test_web_dataset(tmp_path):
    path = write_tar(tmp_path)
    samples = list(data.web_dataset(path))
    assert samples[1] == {"__key__": "dir/01", "txt": "text 1", "cls": 1, "json": {"n": 1}}
    assert samples[4]["__key__"] == "long/" + "n" * 150 and plain(samples[4]["npy"]) == [0, 1, 2]
    assert list(data.web_dataset(path, decode=False))[0]["cls"] == b"0"
    picture = tmp_path / "picture.tar"
    for kind in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT):
        with tarfile.open(picture, "w", format=kind) as archive:
            folder = tarfile.TarInfo("some")
            folder.type = tarfile.DIRTYPE
            archive.addfile(folder)
            entry = tarfile.TarInfo("some/ü" + "k" * 60 + ".png")
            entry.size = len(image_bytes())
            archive.addfile(entry, io.BytesIO(image_bytes()))
        (sample,) = data.web_dataset(picture)
        assert sample["png"].shape == (3, 4, 6) and sample["__key__"] == "some/ü" + "k" * 60
    data.write_web_dataset(path, [{"__key__": "a", "cls": b"three"}])
    with pytest.raises(DataError, match="sample 'a': part 'cls' is not what its ending says"):
        list(data.web_dataset(path))


def test_parquet_and_arrow(tmp_path):
    path = write_parquet(tmp_path)
    import pyarrow

    rows = list(data.parquet_rows(path, columns=["name", "x"]))
    assert rows[1] == {"name": "b", "x": None} and len(rows) == 5
    table = data.ArrowDataset(path)
    batch = table.take([4, 0])
    assert plain(batch["x"]) == [4.0, 0.5] and batch["name"] == ["e", "a"] and plain(batch["list"]) == [[5], [1, 2]]
    arrow = tmp_path / "a.arrow"
    with pyarrow.OSFile(str(arrow), "wb") as sink, pyarrow.ipc.new_file(sink, table._table.schema) as writer:
        writer.write_table(table._table)
    mapped = pickle.loads(pickle.dumps(data.ArrowDataset(arrow, columns=["name"])))
    assert mapped[2] == {"name": "c"} and len(mapped) == 5
    assert [batch["name"] for batch in Stream(mapped).batch(3)] == [["a", "b", "c"], ["d", "e"]]
    with pytest.raises(ArgumentError, match=r"no column 'nam'.*Did you mean 'name'"):
        data.parquet_rows(path, columns=["nam"])


def test_hdf5(tmp_path):
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["x"], file["y"] = numpy.arange(30).reshape(10, 3), numpy.arange(10) * 1.5
        file.create_group("deep")["z"] = numpy.zeros(3)
    samples = data.HDF5Dataset(path)
    assert plain(samples[-1]) == {"x": [27, 28, 29], "y": 13.5}
    for chosen in ([3, 4, 5], [7, 1, 1, 0], [-1], []):
        if chosen:
            assert plain(samples.take(chosen)) == plain(
                {"x": numpy.arange(30).reshape(10, 3)[chosen], "y": numpy.arange(10)[chosen] * 1.5}
            )
    stream = Stream(pickle.loads(pickle.dumps(samples)), shuffle=True).batch(4).parallel(2)
    assert sorted(itertools.chain(*[batch["y"].tolist() for batch in stream])) == [n * 1.5 for n in range(10)]
    stream.close()
    with pytest.raises(ArgumentError, match="no data set 'w'"):
        data.HDF5Dataset(path, ["w"])
    with pytest.raises(DataError, match="same number of rows"):
        data.HDF5Dataset(path, ["x", "deep/z"])
    samples.close()  # HDF5 gives out open files again
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(DataError, match=r"a.h5': no HDF5 file, or a damaged one"):
        data.HDF5Dataset(path)


def test_sql(tmp_path):
    path = write_database(tmp_path)
    rows = list(data.sql_rows(path, "SELECT * FROM t WHERE n > :least ORDER BY n DESC", {"least": 1}))
    assert rows[0] == {"n": 4, "text": "4"} and rows[2] == {"n": 2, "text": None}
    assert len(list(data.sql_rows(lambda: sqlite3.connect(path), "SELECT n FROM t"))) == 5
    with pytest.raises(DataError, match="no such table: wrong"):
        list(data.sql_rows(path, "SELECT * FROM wrong"))
    with pytest.raises(ArgumentError, match="gives no rows"):
        list(data.sql_rows(lambda: sqlite3.connect(":memory:"), "CREATE TABLE t (n INTEGER)"))
    with pytest.raises(DataError, match="readonly"):
        list(data.sql_rows(path, "DELETE FROM t"))


def test_image_folders(tmp_path):
    for place in ("dog/1.png", "cat/b/2.jpg", "cat/1.png"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_bytes(image_bytes("JPEG" if place.endswith("jpg") else "PNG"))
    images = data.ImageFolder(tmp_path)
    assert images.classes == ["cat", "dog"] and plain(images.labels) == [0, 0, 1]
    image, label = images[2]
    assert image.shape == (3, 4, 6) and label == 1 and plain(image[:, 0, 0]) == [250, 10, 20]
    assert data.ImageFolder(tmp_path, size=(8, 2), mode="L")[0][0].shape == (1, 8, 2)
    (tmp_path / "cat" / "1.png").write_bytes(image_bytes()[:45])
    with pytest.raises(DataError, match=r"1.png': no image") as caught:
        list(Stream(images).batch(2))
    assert "image 0" in caught.value.__notes__[0]
    with pytest.raises(DataError, match="sub-folder 'dog', but the classes are cat"):
        data.ImageFolder(tmp_path, classes=["cat"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no image"):
        data.ImageFolder(tmp_path / "empty")


def test_jpeg_files_are_decoded_small(tmp_path):
    path = tmp_path / "large.jpg"
    path.write_bytes(image_bytes("JPEG", size=(800, 400)))
    image = data.read_image(path, size=(50, 100))
    assert image.shape == (3, 50, 100) and abs(image.astype(int) - [[[250]], [[10]], [[20]]]).max() < 4


def test_cifar(tmp_path):
    records = numpy.random.default_rng(0).integers(0, 10, (3, 3073)).astype(numpy.uint8)
    (tmp_path / "a.bin").write_bytes(records.tobytes())
    images, labels = data.read_cifar([tmp_path / "a.bin", tmp_path / "a.bin"])
    assert images.shape == (6, 3, 32, 32) and (labels[3:] == records[:, 0]).all()
    assert (images[1].reshape(-1) == records[1, 1:]).all()
    (tmp_path / "b.bin").write_bytes(bytes([3, 77]) + bytes(3072))
    assert plain(data.read_cifar(tmp_path / "b.bin", labels=2)[1]) == [[3, 77]]
    (tmp_path / "b.bin").write_bytes(bytes([11]) + bytes(3072))
    with pytest.raises(DataError, match=r"byte 0: expected a label from 0 to 9, found 11 \(image 0\)"):
        data.read_cifar(tmp_path / "b.bin")


def test_missing_files():
    for read in (data.text_lines, data.csv_rows, data.tfrecords, data.web_dataset, data.RecordIO, data.read_cifar):
        with pytest.raises(MissingDataError, match="there is no file 'nowhere'"):
            read("nowhere")
    with pytest.raises(MissingDataError):
        data.read_image("nowhere.png")
    with pytest.raises(MissingDataError):
        data.ImageFolder("nowhere")
    with pytest.raises(MissingDataError):
        data.sql_rows("nowhere", "SELECT 1")


READERS = {
    "csv": (write_csv, data.csv_rows),
    "tfrecord": (write_tfrecord, data.tfrecords),
    "tar": (write_tar, data.web_dataset),
    "parquet": (write_parquet, data.parquet_rows),
    "recordio": (
        lambda folder: (data.write_recordio(folder / "a", RECORDS), folder / "a")[1],
        lambda p: Stream(data.RecordIO(p)),
    ),
    "png": (
        lambda folder: ((folder / "a").write_bytes(image_bytes()), folder / "a")[1],
        lambda p: [data.read_image(p)],
    ),
}
CHECKED_WHOLE = ("tfrecord", "tar", "parquet", "recordio")  # formats whose end is known


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(some.data())
def test_damaged_files_are_told(tmp_path, name, draw):
    """Cut, or with some bits turned: either what can still be read, or an error of ours that names the file."""
    write, read = READERS[name]
    path = write(tmp_path)
    content = bytearray(path.read_bytes())
    cut = draw.draw(some.integers(0, len(content)), "cut")
    flips = draw.draw(
        some.lists(some.tuples(some.integers(0, len(content) - 1), some.integers(0, 7)), max_size=3), "flips"
    )
    for place, bit in flips:
        content[place] ^= 1 << bit
    is_cut = draw.draw(some.booleans(), "is_cut")
    path.write_bytes(content[:cut] if is_cut else content)
    try:
        values = list(read(path))
    except SeptetError as error:
        assert path.name in "\n".join([str(error), *getattr(error, "__notes__", [])])
    else:
        assert values is not None
        whole = list(read(write(tmp_path)))
        if name == "tfrecord" and not is_cut:
            assert repr(values) == repr(whole)  # nothing gets past check sums
        if is_cut and name in CHECKED_WHOLE and not flips:
            assert repr(values) == repr(whole[: len(values)])
            assert cut == len(content) or name in ("tfrecord", "recordio") or len(values) == len(whole)


def test_photographs_are_turned_and_transparent_images_lie_on_white(tmp_path):
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed (pip install septet[data])")
    pixels = numpy.zeros((6, 10, 3), numpy.uint8)
    pixels[:, :5] = 200
    turned = image.Exif()
    turned[0x0112] = 6  # the camera was held upright: the picture has to be turned by 90 degrees
    image.fromarray(pixels).save(tmp_path / "photo.png", exif=turned)
    found = data.read_image(tmp_path / "photo.png", mode="L")
    assert found.shape == (1, 10, 6) and (found[0, :5] == 200).all() and (found[0, 5:] == 0).all()
    image.new("RGBA", (4, 4), (10, 20, 30, 0)).save(tmp_path / "clear.png")
    assert (data.read_image(tmp_path / "clear.png") == 255).all()
    assert data.read_image(tmp_path / "clear.png", mode="RGBA")[3].max() == 0
