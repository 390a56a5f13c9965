"""Families of ops that are imported later come with the first use of what they have, and alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import septet.ops
from septet.ops.index import CARDS, METHODS, NAMES

ROOT = Path(__file__).resolve().parents[2]
SHARED = {"index", "rules"}  # no cards and no functions of their own


def imported(code: str) -> set[str]:
    """Run code in a new process, and return which of the later families it imports."""
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r})\nimport septet as st\n{code}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {f"septet.ops.{family}" for family in septet.ops.LATER} & set(done.stdout.split())


def families(*names: str) -> set[str]:
    return {f"septet.ops.{name}" for name in names}


def test_every_family_is_imported_at_once_or_later():
    folder = ROOT / "septet" / "ops"
    sources = {path for path in folder.rglob("*.py") if path.name != "__init__.py" and path.stem not in SHARED}
    publishing = {
        ".".join(path.relative_to(folder).with_suffix("").parts)
        for path in sources
        if "= card(" in path.read_text(encoding="utf-8") or "@function(" in path.read_text(encoding="utf-8")
    }
    at_once = {"call", "cast", "compare", "elementwise", "gradient", "logic", "matmul", "reduce", "shaping"}
    assert publishing == at_once | set(septet.ops.LATER)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("x = st.asarray([1.0, 2.0]); (-x * 2 + 1 >= x.sum()).tolist()", ()),
        ("st.asarray([3.0, 1.0]).sort()", ("sorting",)),
        ("st.Tensor.sort.__doc__", ("sorting",)),
        ("st.einsum", ("einsum", "matrices")),
        ("st.fft.fft", ("fft", "resize")),
        ("from septet.graph.op import get; get('cumulative_sum')", ("cumulative", "resize")),
        ("from septet.graph.op import ops; ops.erf", ("special",)),
        ("st.asarray([1.0, 2.0])[0]", ("indexing", "keys", "slicing")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_family_comes_with_its_first_use(code, expected):
    assert imported(code) == families(*expected)


def test_asking_for_all_ops_imports_all_families():
    assert imported("from septet.graph.op import all_ops; all_ops()") == families(*septet.ops.LATER)
    code = """
from septet.graph.op import get
try:
    get("cumulative_summ")
except st.errors.ArgumentError as error:
    assert "did you mean 'cumulative_sum'?" in str(error), error
"""
    assert imported(code) == families(*septet.ops.LATER)


def test_the_index_names_families_that_exist():
    for table in (CARDS, NAMES, METHODS):
        assert {family for found in table.values() for family in found.split()} <= set(septet.ops.LATER)
