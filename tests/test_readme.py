"""README.md is true: its Python blocks run, its links lead somewhere, and the Chinese page has the same blocks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import septet as st

ROOT = Path(__file__).resolve().parents[1]
README, CHINESE = ROOT / "README.md", ROOT / "README.zh.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")


def blocks(page: Path) -> list[tuple[str, str]]:
    """Return the language and the text of every block."""
    return BLOCK.findall(page.read_text(encoding="utf-8"))


def test_the_python_blocks_run_in_order(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    space = {"__name__": "__main__"}
    python = [text for language, text in blocks(README) if language == "python"]
    for number, text in enumerate(python):
        exec(compile(text, f"README block {number}", "exec"), space)
    assert set(space["results"]) == {"define by run", "symbolic", "fit", "compiled"}
    for result in space["results"].values():
        assert result["accuracy"] > 0.3  # after one epoch; chance is 0.1
    printed = capsys.readouterr().out
    for style in space["results"]:
        assert f"{style}: loss" in printed
    if st.config.backend == "cpu":
        (profile,) = [text for language, text in blocks(README) if language == "text" and "calls" in text]
        for line in profile.splitlines()[2:-1]:
            assert line.split()[0].rstrip(".") in printed  # the ops of the table that the page shows
    assert "at the peak" in printed and "first call" in printed and "and the reference agree in" in printed


def test_the_error_on_the_page_is_the_error_that_comes():
    (shown,) = [text for language, text in blocks(README) if language == "text" and "S101" in text]
    program = "import septet as st\nst.zeros((64, 10)) + st.zeros((64,))\n"
    with pytest.raises(st.errors.ShapeError) as caught:
        exec(compile(program, "example.py", "exec"), {})
    lines = [line for line in shown.splitlines() if not line.startswith("  at ")]
    found = [line for line in str(caught.value).splitlines() if not line.startswith("  at ")]
    assert found == lines
    assert "  at example.py:2" in str(caught.value)


def test_the_chinese_page_has_the_same_blocks_and_links():
    assert blocks(CHINESE) == blocks(README)
    texts = [page.read_text(encoding="utf-8") for page in (README, CHINESE)]
    links = [set(LINK.findall(text)) - {"README.md", "README.zh.md"} for text in texts]
    assert links[0] == links[1]
    assert [text.count("\n## ") for text in texts] == [texts[0].count("\n## ")] * 2


@pytest.mark.parametrize("page", [README, CHINESE], ids=lambda page: page.name)
def test_the_links_lead_somewhere(page):
    targets = LINK.findall(page.read_text(encoding="utf-8"))
    assert targets
    assert not [target for target in targets if "://" not in target and not (ROOT / target).exists()]


def test_the_commands_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    shown = "".join(text for language, text in blocks(README) if language == "sh")
    targets = re.findall(r"^make (\w+)", shown, re.MULTILINE)
    assert targets == ["demo", "test"]
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)
