"""Programs of Python 2 mean under ``--py2`` what they meant."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from septet.base.errors import LibraryError
from septet.dialects.running import python2
from septet.dialects.running.python2 import compile_python2, read_source, says_python2
from septet.dialects.running.python2_names import builtins_for
from tests.dialects.running.test_run import run

HERE = Path(__file__).parent / "python2"


def values(source: str, **names: Any) -> dict[str, Any]:
    """The names that a module of Python 2 defines."""
    space: dict[str, Any] = {"__builtins__": builtins_for(True), **names}
    exec(compile_python2(source, "old.py"), space)
    return space


def test_what_python2_printed(tmp_path: Path) -> None:
    """A hundred lines whose output Python 2.7.18 wrote: ``python2.7 meaning.txt > meaning_of_python2.txt``."""
    done = run(tmp_path, "--py2", str(HERE / "meaning.txt"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == (HERE / "meaning_of_python2.txt").read_text("utf-8").splitlines()


def test_division_of_arrays_and_of_classes() -> None:
    """Integer arrays are divided down, in place too; a class's ``__div__`` is asked, NumPy's numbers are numbers."""
    found = values(
        """
class Number(object):
    def __rdiv__(self, other): return 'rdiv'
a = ints / 2
b = ints / 2.0
c = Number()
d = [1 / c, ints[3] / 2, ints[3] / np.float32(2)]
whole /= 2
box['x'][1:3] /= 2
""",
        np=np,
        ints=np.arange(5),
        whole=np.arange(5),
        box={"x": np.arange(4)},
    )
    assert found["a"].tolist() == found["whole"].tolist() == [0, 0, 1, 1, 2] and found["b"].dtype == np.float64
    assert found["d"] == ["rdiv", 1, 1.5] and found["box"]["x"].tolist() == [0, 0, 1, 3]
    assert not [name for name in found if name.startswith("_septet")]
    assert values("from __future__ import division\na = 1 / 2")["a"] == 0.5


def test_lines_stay_those_of_the_file() -> None:
    """Also where the translator has added some."""
    source = "def f((a, b), (c, d)):\n    print a\n    return a / c\n\n\ndef g():\n    f((1, 2), (0, 0))\n\n\ng()\n"
    with pytest.raises(ZeroDivisionError) as caught:
        values(source)
    lines = [frame.lineno for frame in traceback.extract_tb(caught.tb) if frame.filename == "old.py"]
    assert lines == [10, 7, 3]


def test_tabs_encodings_and_what_is_no_python() -> None:
    """Tabs count up to the next multiple of eight; latin1 is read; other languages are a SyntaxError with its place."""
    assert values("def f(a):\n\tif a:\n\t    b = 1\n            return `b`\nx = f(1)\n")["x"] == "1"
    assert read_source(b"# caf\xe9\r\nx = 1") == "# caf\xe9\nx = 1"
    with pytest.raises(SyntaxError) as caught:
        compile_python2("x = 1\nint main() {", "old.py")
    assert caught.value.lineno == 2 and caught.value.filename == "old.py"


def test_programs_that_no_python3_can_run_are_known() -> None:
    """By an import without further ado, not by one that has another way out; or by their first line."""
    assert says_python2("import os\nimport urllib2\n") == "line 2 imports urllib2"
    assert says_python2("try:\n    import cPickle\nexcept ImportError:\n    import pickle\n") is None
    assert says_python2("print 'x'") is None
    assert says_python2("#!/usr/bin/env python2.7\n") == "its first line says so"
    assert says_python2("#!/usr/bin/env python\n") is None


def test_modules_of_the_program_are_translated_too(tmp_path: Path) -> None:
    """With relative imports and pickles, in other folders too; ``__future__`` of one file is its own; it is offered."""
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("import part\n")
    (package / "part.py").write_text("import string\nHALF = 1 / 2\nprint 'part', string.letters[:2]\n")
    (tmp_path / "exact.py").write_text("from __future__ import division\nHALF = 1 / 2\n")
    program = "import package, exact, cPickle\nprint package.part.HALF, exact.HALF\n"
    program += "cPickle.dump([1], open('x.pkl', 'w'))\nprint cPickle.load(open('x.pkl'))\n"
    (tmp_path / "program.py").write_text(program)
    done = run(tmp_path, "--py2", "program.py")
    assert done.stdout == "part ab\n0 0.5\n[1]\n", done.stderr
    beside = tmp_path / "examples"
    beside.mkdir()
    (beside / "program.py").write_text("import sys\nsys.path.append('..')\nimport package\nprint package.part.HALF\n")
    done = run(beside, "--py2", "program.py")
    assert done.stdout == "part ab\n0\n", done.stderr
    (beside / "program.py").write_text("import sys\nsys.path.append('..')\nimport part2\nprint part2.HALF\n")
    (tmp_path / "part2.py").write_text("HALF = 1 / 2\n")  # Python 3 could parse it
    assert run(beside, "--py2", "program.py").stdout == "0\n"
    done = run(tmp_path, "program.py")
    assert done.returncode == 1 and 'program.py", line 2' in done.stderr
    assert "this is Python 2: `septet run --py2 ...` translates it" in done.stderr


def test_without_the_translator(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names what installs it."""
    python2._tool.cache_clear()
    monkeypatch.setitem(sys.modules, "fissix.refactor", None)
    with pytest.raises(LibraryError, match="fissix, which is not installed") as caught:
        compile_python2("x = 1", "old.py")
    assert caught.value.hint == "pip install 'septet[py2]'"
    python2._tool.cache_clear()


def test_files_opened_as_binary_give_byte_strings(tmp_path: Path) -> None:
    """Lines are text; what ``read`` gives is bytes for libraries, and text beside text; bytes are those of the file."""
    program = r"""
import csv, gzip, struct, sys, zlib, cPickle, numpy
from cStringIO import StringIO
open("a.txt", "wb").write("one two\nthr\xc3\xa9e\n")
words = []
for line in open("a.txt", "rb"):
    words += line.strip().split(" ")
print " ".join(words), len(words[2]), open("a.txt", "rb").readlines()[0] == "one two\n"
f = open("a.txt", "rb")
print f.readline() + "|", f.read().replace("\n", "|") + "%s" % len(words)
f.seek(0)
letters = []
while True:
    letter = f.read(1)
    if letter == " ":
        break
    letters.append(letter)
print "".join(letters), {"one": 1}["".join(letters)], [row for row in csv.reader(open("a.txt", "rb"), delimiter=" ")][0]
open("b", "wb").write(struct.pack(">if", 7, 0.5))
open("b", "ab").write(chr(200))
f = open("b", "rb")
print struct.unpack(">i", f.read(4))[0], numpy.fromstring(f.read(4), ">f4")[0], ord(f.read(1)), repr(f.read())
print ord(open("b", "r").read()[8]), map(ord, open("b", "rb").read()[:4]), sorted([open("b", "rb").read(1), "a"])[1]
gzip.open("c", "wb").write(zlib.compress(cPickle.dumps([1, "x"])))
print cPickle.loads(zlib.decompress(gzip.open("c").read())), StringIO(open("b", "rb").read()).read()[8] == "\xc8"
print type(open("b", "rb").read()[0] + "a").__name__, open("a.txt", "rb").read() in {open("a.txt").read(): 1}
print repr(struct.pack(">h", 258) + "ab" + struct.pack("b", 9)), struct.unpack(">h", struct.pack(">h", 258))
"""
    (tmp_path / "program.py").write_text(program)
    done = run(tmp_path, "--py2", "program.py")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "one two thrée 6 True",
        "one two",
        "| thrée|3",
        "one 1 ['one', 'two']",
        "7 0.5 200 ''",
        "200 [0, 0, 0, 7] a",
        "[1, 'x'] True",
        "str True",
        r"'\x01\x02ab\t' (258,)",
    ]
