"""`open_atomic`: a file is whole, or as it was."""

import os
import stat

import pytest

from septet.base.files import open_atomic


def test_the_file_appears_only_at_the_end(tmp_path):
    path = tmp_path / "file.bin"
    with open_atomic(path) as file:
        file.write(b"new")
        file.flush()
        assert not path.exists()
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["file.bin"]


def test_an_exception_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file.bin"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt):
        with open_atomic(path) as file:
            file.write(b"half")
            raise KeyboardInterrupt
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file.bin"]


def test_two_writers_do_not_meet(tmp_path):
    path = tmp_path / "file.bin"
    with open_atomic(path) as outer:
        outer.write(b"outer")
        with open_atomic(path) as inner:
            inner.write(b"inner")
        assert path.read_bytes() == b"inner"
    assert path.read_bytes() == b"outer"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no permission bits")
def test_permissions_are_those_of_open_and_survive_a_replacement(tmp_path):
    ordinary, path = tmp_path / "ordinary", tmp_path / "file.bin"
    ordinary.write_bytes(b"")
    with open_atomic(path):
        pass
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(ordinary.stat().st_mode)
    path.chmod(0o600)
    with open_atomic(path):
        pass
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_a_symbolic_link_stays_one(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to(target)
    with open_atomic(link) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        with open_atomic(tmp_path / "missing" / "file"):
            pass


def test_a_failure_names_the_file_asked_for(tmp_path):
    absent = tmp_path / "absent" / "file.bin"
    with pytest.raises(FileNotFoundError) as caught, open_atomic(absent):
        pass
    assert caught.value.filename == str(absent)
    path = tmp_path / "file.bin"
    with pytest.raises(OSError) as caught, open_atomic(path):
        raise OSError(28, "No space left on device")  # as a full disk says it
    assert str(caught.value) == f"[Errno 28] No space left on device: {str(path)!r}"
    with pytest.raises(FileNotFoundError) as caught, open_atomic(path):
        os.stat(tmp_path / "another")
    assert caught.value.filename == str(tmp_path / "another")
    folder = tmp_path / "folder"
    (folder / "inside").mkdir(parents=True)
    with pytest.raises(OSError) as caught, open_atomic(folder):
        pass
    assert str(caught.value).endswith(f"{str(folder)!r}")
    assert sorted(os.listdir(tmp_path)) == ["folder"]
