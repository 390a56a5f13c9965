"""The documentation as a site: built without network, strictly; and the reference says what the docstrings say."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import reference  # noqa: E402


def test_docstrings_become_markdown():
    text = reference.markdown(
        "Do it.\n\nWith ``x_y`` and a_b.\n\nParameters\n----------\nx, y : float, optional\n    One *of* two.\n"
        "*rest : array\n\nExamples\n--------\n>>> 1 + 1\n2\n\nThen more."
    )
    assert text.split("\n\n") == [
        "Do it.", "With `x_y` and a\\_b.",
        "**Parameters**", "- `x, y`: float, optional", "    One \\*of\\* two.\n- `*rest`: array",
        "**Examples**", "```pycon\n>>> 1 + 1\n2\n```", "Then more.",
    ]  # fmt: skip


def test_every_public_name_has_an_entry():
    for name in ("septet.nn", "septet.view", "septet.optim", "septet.linalg"):
        text = reference.page(name, "Title")
        heads = set(re.findall(r"^## (\S+)", text, re.MULTILINE))
        module = reference.find(name)
        for member in getattr(module, "__all__", ["solve", "qr"]):
            value = getattr(module, member)
            if callable(value) and getattr(value, "__module__", "").startswith("septet"):
                assert f"{name.replace('septet', 'st', 1)}.{member}" in heads
        assert " at 0x" not in text
    assert "st.nn.Conv2D(filters, kernel_size, activation=None" in reference.page("septet.nn", "Layers")


@pytest.mark.skipif(
    importlib.util.find_spec("material") is None, reason="mkdocs is not installed (pip install septet[docs])"
)
def test_the_site_is_built_and_asks_for_nothing(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(tmp_path)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    pages = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.html")}
    wanted = {"index.html", "start.html", "coming_from.html", "guide/seeing.html", "errors/S101.html", "ops.html"}
    assert wanted | {f"reference/{name}.html" for name in reference.MODULES} <= pages
    for path in tmp_path.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        # links to click are no requests
        assert not re.findall(r'(?:src|<link[^>]*href)="(?:https?:)?//[^"]*"', text), path
    assert "st.nn.Conv2D" in (tmp_path / "reference" / "septet.nn.html").read_text(encoding="utf-8")
