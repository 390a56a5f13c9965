"""tools/check_text.py finds each kind of violation in small trees, and none in the real one."""

import shutil
import subprocess

import pytest

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


@pytest.fixture
def findings(load_tool, tmp_path):
    """Return a function that writes files and gives the findings as (path, line, rule)."""
    tool = load_tool("check_text")

    def run(files: dict[str, str | bytes]) -> list[tuple[str, int, str]]:
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return [(f.path, f.line, f.rule) for f in tool.check(tmp_path, list(files))]

    return run


@pytest.mark.parametrize(
    "pieces",
    [
        ("see /wo", "rk/main for more"),
        ("'/ro", "ot/env/bin/python'"),
        ("cd /ro", "ot/"),
        ("https://py", "pi.org/project/septet"),
        ("https://files.python", "hosted.org/x"),
        ("http://DEB.", "Debian.org/debian"),
        ("https://registry.", "npmjs.org"),
        ("as share", "d/design.md says"),
    ],
)
def test_a_forbidden_mention_is_found_in_any_file(findings, pieces):
    assert findings({"docs/page.md": "first line\n" + "".join(pieces) + "\n"}) == [("docs/page.md", 2, "mention")]


def test_a_forbidden_mention_is_found_in_a_file_name(findings):
    name = "docs/py" + "pi.org.md"
    assert findings({name: "text\n"}) == [(name, 1, "mention")]


def test_ordinary_words_and_paths_are_no_mentions(findings):
    text = (
        "framework/core the root/leaf of /home/runner/wor" + "k/x, ./wor" + "k/y, share/design.md, square roots /root\n"
    )
    assert findings({"docs/page.md": text}) == []


def test_binary_files_are_passed_over(findings):
    assert findings({"a.npz": b"\0\1/wo" + b"rk/main", "b.bin": b"\xff\xfe /wo" + b"rk/"}) == []


def test_a_long_python_file_of_the_package_is_found(findings):
    files = {
        "septet/io/long.py": "x = 1\n" * 1001,
        "septet/io/fits.py": "x = 1\n" * 1000,
        "tests/io/test_long.py": "x = 1\n" * 1001,
        "septet/data/files/table.csv": "1\n" * 1001,
    }
    assert findings(files) == [("septet/io/long.py", 1001, "length")]


UNDOCUMENTED = '''
from typing import overload

def public(): pass

async def waits(): pass

def _private(): pass

@overload
def many(a: int) -> int: ...

def many(a):
    """Do it."""
    def inner(): pass

class Bare:
    pass

class _Hidden:
    def method(self): pass

class Layer:
    """A layer."""
    def forward(self): pass
    def _helper(self): pass
    def __call__(self): pass
    @property
    def size(self): return 1
    @size.setter
    def size(self, value): pass

if True:
    def conditional(): pass
'''


@pytest.mark.parametrize("folder", ["base", "graph", "ops", "tensor", "transform", "nn", "optim", "data"])
def test_public_names_need_docstrings(findings, folder):
    path = f"septet/{folder}/m.py"
    lines = UNDOCUMENTED.splitlines()
    expected = [
        lines.index(text) + 1
        for text in (
            "def public(): pass",
            "async def waits(): pass",
            "class Bare:",
            "    def forward(self): pass",
            "    def size(self): return 1",
            "    def conditional(): pass",
        )
    ]
    assert findings({path: UNDOCUMENTED}) == [(path, line, "docstring") for line in expected]


@pytest.mark.parametrize("path", ["septet/cli/m.py", "septet/__init__.py", "tests/nn/test_m.py", "tools/m.py"])
def test_other_places_need_no_docstrings(findings, path):
    assert findings({path: UNDOCUMENTED}) == []


def test_an_override_inherits_its_docstring(findings):
    base = 'class Module:\n    """A module."""\n    def forward(self):\n        """Compute."""\n'
    middle = 'from septet.nn import module\nclass Unary(module.Module):\n    """An activation."""\n'
    layer = 'class ReLU(Unary):\n    """Zero below zero."""\n    def forward(self): pass\n    def other(self): pass\n'
    files = {"septet/nn/module.py": base, "septet/nn/unary.py": middle, "septet/nn/relu.py": layer}
    assert findings(files) == [("septet/nn/relu.py", 4, "docstring")]


@needs_git
def test_the_command_looks_at_tracked_files_only(load_tool, tmp_path, capsys):
    tool = load_tool("check_text")
    bad = "/wo" + "rk/main\n"
    (tmp_path / "tracked.md").write_text("fine\n")
    (tmp_path / "loose.md").write_text(bad)
    for command in (["init", "-q"], ["add", "tracked.md"]):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True)
    assert tool.main([str(tmp_path)]) == 0
    assert "1 files, 0 findings" in capsys.readouterr().out
    (tmp_path / "tracked.md").write_text("fine\n" + bad)
    assert tool.main([str(tmp_path)]) == 1
    assert "tracked.md:2: [mention]" in capsys.readouterr().out


@needs_git
def test_the_real_tree_keeps_the_rules(load_tool, repository):
    if not (repository / ".git").exists():
        pytest.skip("this tree is not a git checkout")
    tool = load_tool("check_text")
    findings = tool.check(repository, tool.tracked_files(repository))
    assert not findings, "\n".join(map(str, findings))
