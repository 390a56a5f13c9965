"""The pages of docs/ are true: their Python blocks run in order, a namespace for each page; links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from septet.base.config import config

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")


def name(page: Path) -> str:
    """The page's path, for the names of tests."""
    return page.relative_to(ROOT).as_posix()


def run_blocks(page: Path) -> int:
    """Run a page's Python blocks; an error shows the page and its line. Returns how many there were."""
    text = page.read_text(encoding="utf-8")
    space = {"__name__": "__main__"}
    count = 0
    for match in BLOCK.finditer(text):
        line = text.count("\n", 0, match.start(1))
        exec(compile("\n" * line + match[1], str(page), "exec"), space)
        count += 1
    return count


@pytest.mark.parametrize("page", [p for p in PAGES if "```python" in p.read_text(encoding="utf-8")], ids=name)
def test_the_blocks_of_a_page_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # what a page saves
    try:
        assert run_blocks(page) > 0
    finally:
        config.reset()  # what a page sets ends with it


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_the_links_of_a_page_lead_somewhere(page):
    missing = [
        target
        for target in LINK.findall(page.read_text(encoding="utf-8"))
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert not missing


def test_what_stands_beside_other_frameworks_runs(tmp_path, monkeypatch):
    """The right-hand sides of the tables, one after the other."""
    monkeypatch.chdir(tmp_path)
    page = ROOT / "docs" / "coming_from.md"
    text = page.read_text(encoding="utf-8")
    space = {"__name__": "__main__"}
    exec(BLOCK.search(text)[1], space)
    rows = re.findall(r"^\| .* \| (.*) \|$", text, re.MULTILINE)
    codes = [row.strip("`") for row in rows if row.startswith("`") and row.endswith("`") and "`" not in row[1:-1]]
    headers = [row for row in rows if row == "Septet"]
    assert len(codes) + len(headers) == len(rows) and len(headers) == text.count("\n## ")
    for code in codes:
        try:
            exec(code, space)
        except Exception as error:
            raise AssertionError(f"{code}\n{type(error).__name__}: {error}") from error
