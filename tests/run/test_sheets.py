"""Tables that fit, lose columns before they become unreadable, and are whole as HTML."""

from __future__ import annotations

import pytest

from septet.base.config import config
from septet.run.sheets import Sheet, Shown, cut, fitted, terminal_width

ROWS = [("add+multiply+tanh+sum+where+log", 12, "deep/down/in/the/model/0:Dense"), ("exp", 3, "")]
SHEET = Sheet("title", ("step", "calls", "layer"), ROWS, "lrl", {0: "end", 2: "start"}, "a note", spare=(1,))


def test_cutting():
    assert cut("abcdefghij", 20) == cut("abcdefghij", 10) == "abcdefghij"
    assert cut("abcdefghij", 6) == "abcd.." and cut("abcdefghij", 6, "start") == "..ghij"


@pytest.mark.parametrize("width", [120, 60, 40, 30])
def test_a_sheet_fits(width):
    text = SHEET.text(width)
    assert max(map(len, text.splitlines())) <= width
    assert text.startswith("title\n") and text.endswith("\na note")
    if width == 120:
        assert "add+multiply+tanh+sum+where+log" in text and "deep/down/in/the/model/0:Dense" in text
    else:
        assert "0:Dense" in text and "add+" in text  # what is cut keeps its important end
    assert ("calls" in text) == (width > 30)


def test_widest_flexible_columns_are_cut_first():
    rows = fitted([("a" * 30, "b" * 10, "c" * 20)], ("x", "y", "z"), {0: "end", 1: "end"}, 50)
    assert [len(cell) for cell in rows[0]] == [16, 10, 20]
    rows = fitted([("a" * 30,)], ("x",), {}, 10)
    assert rows == [["a" * 30]]  # it may not be cut


def test_an_empty_spare_column_is_left_out():
    sheet = Sheet("", ("a", "b", "c"), [("1", "", "3")], spare=(1,))
    assert "b" not in sheet.text(80)
    assert sheet.text(80).splitlines()[-1].split() == ["1", "3"]


def test_html(tmp_path):
    class Page(Shown):
        def heading(self):
            return "a < b"

        def sheets(self):
            return [SHEET]

    page = Page()
    page.to_html(tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "a &lt; b" in text and "add+multiply+tanh+sum+where+log" in text and "<td" in text
    assert text.count("<tr>") == 3
    assert str(page) == repr(page) and str(page).startswith("a < b\n\ntitle")


def test_the_setting_is_the_width():
    with config.override(print_width=57):
        assert terminal_width() == 57


def test_columns_that_are_left_out_may_be_flexible_ones():
    sheet = Sheet("", ("a", "error"), [("x" * 40, "")], flexible={0: "end", 1: "end"}, spare=(1,))
    assert sheet.text(20).splitlines()[0].strip() == "a"
