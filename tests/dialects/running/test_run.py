"""``septet run`` as users run it: programs of every kind, their arguments, their ends and their tracebacks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import septet.dialects
from septet.base.errors import ArgumentError
from septet.dialects.running.aliases import aliases, choose
from septet.dialects.running.command import split


def run(folder: Path, *words: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    """What ``python -m septet.dialects WORDS`` does in a folder."""
    return subprocess.run(
        [sys.executable, "-m", "septet.dialects", *words], cwd=folder, input=text, capture_output=True, text=True
    )


SCRIPT = """\
import os, sys, time
import helper
from six.moves import cPickle as pickle
print(__name__, __file__, sys.argv, os.path.basename(sys.path[0]), helper.NAME, xrange(2))
import numpy as np
import array
a = np.arange(4, dtype="<i2")
a.itemset(1, 7)
print(a.tostring(), a.ptp(), a.newbyteorder()[0], array.array("b", [1]).tostring())
print(np.float is float, np.product([2, 3]), np.find_common_type([np.int32], [np.float64]), np.array([1], copy=False))
print(time.clock() >= 0, pickle.loads(pickle.dumps(len)) is len)
if sys.argv[1:] == ["--leave"]:
    sys.exit(7)
helper.fail()
"""
HELPER = """\
NAME = unicode("helper")

def fail():
    import inspect
    assert inspect.getargspec(lambda a, b=1: 0).args == ["a", "b"]
    raise KeyError("here")
"""


def test_a_script_is_run_as_python_runs_it(tmp_path: Path) -> None:
    """Arguments, names, own modules, shims, the exit status, and a traceback that begins in the program."""
    place = tmp_path / "programs"
    place.mkdir()
    (place / "script.py").write_text(SCRIPT)
    (place / "helper.py").write_text(HELPER)
    done = run(tmp_path, "programs/script.py", "--leave")
    assert done.returncode == 7, done.stderr
    assert done.stdout.splitlines() == [
        f"__main__ {place / 'script.py'} ['programs/script.py', '--leave'] programs helper range(0, 2)",
        r"b'\x00\x00\x07\x00\x02\x00\x03\x00' 7 0 b'\x01'",
        "True 6 float64 [1]",
        "True True",
    ]
    done = run(tmp_path, "--explain", "programs/script.py")
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert lines[:2] == ["Traceback (most recent call last):", f'  File "{place / "script.py"}", line 14, in <module>']
    assert "KeyError: 'here'" in lines
    assert f"septet run: name of Python 2: xrange ({place / 'script.py'})" in lines
    assert f"septet run: shim: numpy.float ({place / 'script.py'}:10)" in lines
    assert any("shim: inspect.getargspec" in line for line in lines)
    assert not (place / "__pycache__").exists()  # other runs of Python would take it for theirs


def test_modules_and_standard_input(tmp_path: Path) -> None:
    """``-m MODULE`` and ``-``."""
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("")
    (tmp_path / "package" / "part.py").write_text("value = 3")
    (tmp_path / "package" / "__main__.py").write_text("from .part import value\nimport sys\nprint(value, sys.argv[1:])")
    assert run(tmp_path, "-m", "package", "-x").stdout == "3 ['-x']\n"
    done = run(tmp_path, "-", "a", text="import sys\nprint(sys.argv)\nraise SystemExit('enough')\n")
    assert (done.stdout, done.stderr, done.returncode) == ("['-', 'a']\n", "enough\n", 1)


def test_a_notebook_runs_cell_by_cell(tmp_path: Path) -> None:
    """Magics are skipped with a note, last values are shown, windows do not open, tracebacks name the cell."""
    cells = [
        "%matplotlib inline\n!wget http://nowhere\nfiles = !ls\nx = 7 \\\n  % 4",
        "import matplotlib\nprint(matplotlib.get_backend().lower())\nx",
        "%%bash\nrm -rf everything",
        "y = 1\nundefined",
        "y",
    ]
    notebook = {"cells": [{"cell_type": "code", "source": cell.splitlines(keepends=True)} for cell in cells]}
    failed = {"cell_type": "code", "source": "x = x / 0", "outputs": [{"output_type": "error", "ename": "Zero"}]}
    notebook["cells"].insert(1, failed)  # type: ignore[arg-type]
    (tmp_path / "book.ipynb").write_text(json.dumps(notebook))
    done = run(tmp_path, "book.ipynb")
    assert (done.stdout, done.returncode) == ("agg\n3\n", 1)
    assert "cell 1: skipped: %matplotlib inline" in done.stderr and "cell 4: skipped: %%bash" in done.stderr
    assert "ZeroDivisionError" in done.stderr and "cell 2: raised, as it did" in done.stderr
    assert 'File "book.ipynb[cell 5]", line 2' in done.stderr and "    undefined\n" in done.stderr
    assert done.stderr.endswith("1 cells after cell 5 did not run: --keep-going runs them\n")
    done = run(tmp_path, "--keep-going", "book.ipynb")
    assert (done.stdout, done.returncode) == ("agg\n3\n1\n", 1)
    assert done.stderr.endswith("septet run: of 6 cells, these raised: 5\n")


def test_words_of_the_command_and_of_the_program() -> None:
    """What comes before the program is the command's, what comes after it the program's."""
    options, program = split(["--as", "theano", "--py2", "x.py", "--py2", "-m"])
    assert options == ["--as", "theano", "--py2"] and program is not None
    assert program.target == "x.py" and program.arguments == ["--py2", "-m"] and not program.is_module
    assert split(["--explain"]) == (["--explain"], None)


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A dialect of two modules."""
    package = tmp_path / "toy"
    (package / "inner").mkdir(parents=True)
    (package / "__init__.py").write_text("from septet.dialects.toy import inner")
    (package / "inner" / "__init__.py").write_text("from septet.dialects.toy.inner.leaf import Leaf")
    (package / "inner" / "leaf.py").write_text("class Leaf: pass\nimport toy.inner.leaf as again")
    monkeypatch.setattr(septet.dialects, "__path__", [*septet.dialects.__path__, str(tmp_path)])
    return tmp_path


def test_names_lead_to_the_dialects_own_modules(toy: Path) -> None:
    """Every way of importing gives the same objects under both names, and afterwards the names are gone."""
    with aliases(["toy"]) as finder:
        import toy.inner.leaf as leaf  # type: ignore[import-not-found]
        from toy.inner import Leaf  # type: ignore[import-not-found]

        real = sys.modules["septet.dialects.toy.inner.leaf"]
        assert leaf is real and real.again is real and Leaf is real.Leaf
        assert leaf.__name__ == leaf.__spec__.name == "septet.dialects.toy.inner.leaf"
        assert sys.modules["toy"] is sys.modules["septet.dialects.toy"]
        assert list(finder.imported) == ["toy"]
        with pytest.raises(ModuleNotFoundError, match=r"No module named 'toy\.absent'"):
            import toy.absent  # type: ignore[import-not-found]
    assert "toy" not in sys.modules
    with pytest.raises(ModuleNotFoundError):
        import toy  # noqa: F401


def test_a_programs_own_module_comes_first(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless the dialect is asked for by name; a dialect that is not there is an error that lists those that are."""
    monkeypatch.setattr("septet.dialects.running.aliases.DIALECTS", ("toy",))
    assert choose(None, str(toy / "elsewhere")) == ("toy",)
    assert choose(None, str(toy)) == ()
    assert choose("toy", str(toy)) == ("toy",)
    with pytest.raises(ArgumentError, match="no dialect 'caffe'; this version has toy"):
        choose("caffe", str(toy))


OF_LIBRARIES = """\
import numpy as np
from scipy.misc import imresize, imread, imsave, logsumexp
from PIL import Image
import matplotlib.pyplot as plt
print(imresize(np.arange(16.0).reshape(4, 4), 50).shape, round(logsumexp([0, 0]), 4))
print(len(Image.fromarray(np.zeros((4, 4), np.uint8)).resize((2, 2), Image.ANTIALIAS).tostring()))
imsave("eye.png", np.eye(5))
print(imread("eye.png").tolist()[0])
plt.hold(True)
print(plt.hist([1, 2, 2], bins=2, normed=True)[0].tolist())
import scipy.weave
try:
    scipy.weave.inline("code")
except NotImplementedError as error:
    print("refused")
"""


def test_what_scipy_pillow_and_matplotlib_have_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Images by SciPy, old names of Pillow, old arguments of matplotlib; compiled C++ is refused."""
    monkeypatch.setenv("MPLBACKEND", "Agg")
    (tmp_path / "script.py").write_text(OF_LIBRARIES)
    done = run(tmp_path, "script.py")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "(2, 2) 0.6931",
        "4",
        "[255, 0, 0, 0, 0]",
        "[0.6666666666666666, 1.3333333333333333]",
        "refused",
    ]


OF_THEANO = """\
import theano
import theano.tensor as T
from theano import config, function, shared
from theano.tensor.shared_randomstreams import RandomStreams
assert T is theano.tensor and theano.__name__ == "septet.dialects.theano"
x = T.dvector("x")
w = shared(2.0, name="w")
step = function([x], (w * x).sum(), updates=[(w, w - 0.5 * T.grad((w * x).sum(), w))])
print(step([1.0, 2.0]), w.get_value(), isinstance(x, T.TensorVariable))
"""


def test_a_program_of_theano(tmp_path: Path) -> None:
    """The dialect's own modules, by the names of the original."""
    (tmp_path / "script.py").write_text(OF_THEANO)
    done = run(tmp_path, "--as", "theano", "--explain", "script.py")
    assert (done.stdout, done.returncode) == ("6.0 0.5 True\n", 0), done.stderr
    assert "septet run: dialects: theano" in done.stderr
