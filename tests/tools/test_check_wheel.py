"""tools/check_wheel.py tells a wheel that lacks a data file, or holds a stray one, from a whole one."""

import shutil
import subprocess
import zipfile

import pytest

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


@pytest.fixture
def checkout(tmp_path):
    """A git checkout of a package with one module and one data file."""
    root = tmp_path / "checkout"
    (root / "septet" / "data").mkdir(parents=True)
    (root / "septet" / "__init__.py").write_text("")
    (root / "septet" / "data" / "digits.npz").write_bytes(b"\0")
    (root / "README.md").write_text("")
    for command in (["init", "-q"], ["add", "."]):
        subprocess.run(["git", "-C", str(root), *command], check=True)
    return root


def make_wheel(path, names):
    with zipfile.ZipFile(path, "w") as archive:
        for name in [*names, "septet-0.1.0.dist-info/METADATA"]:
            archive.writestr(name, "")
    return path


WHOLE = ["septet/__init__.py", "septet/data/digits.npz"]


@pytest.mark.parametrize(
    ("names", "status", "text"),
    [
        (WHOLE, 0, "0 differences"),
        (WHOLE[:1], 1, "septet/data/digits.npz: tracked, but not in the wheel"),
        ([*WHOLE, "septet/scratch.py"], 1, "septet/scratch.py: in the wheel, but not tracked"),
        ([*WHOLE, "tests/test_x.py"], 1, "tests/test_x.py: in the wheel, but not tracked"),
    ],
)
def test_differences_are_named(load_tool, checkout, tmp_path, capsys, names, status, text):
    wheel = make_wheel(tmp_path / "septet-0.1.0-py3-none-any.whl", names)
    assert load_tool("check_wheel").main([str(wheel), str(checkout)]) == status
    assert text in capsys.readouterr().out
