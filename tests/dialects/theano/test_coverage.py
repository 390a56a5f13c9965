"""What is refused says so; what the tables say is about names that exist."""

from __future__ import annotations

import importlib
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from septet.dialects.theano import coverage

NAMES = Path(__file__).resolve().parents[3] / "tools" / "upstream" / "names_theano.tsv"
KNOWN = {line.split("\t")[0].removeprefix("theano.") for line in NAMES.read_text(encoding="utf-8").splitlines()}


@pytest.mark.parametrize("name", coverage.MODULES)
def test_refused_modules_say_so_when_they_are_used(name: str) -> None:
    module = importlib.import_module(f"septet.dialects.theano.{name}")
    with pytest.raises(coverage.RefusedError, match=r"not supported: .*; nearest: "):
        module.Anything


def test_refused_names_say_so_and_others_are_no_attributes() -> None:
    theano = importlib.import_module("septet.dialects.theano")
    with pytest.raises(coverage.RefusedError, match="rewritten by Septet's own compiler"):
        theano.gof.LocalOptimizer
    with pytest.raises(AttributeError, match=r"theano\.gof"):
        theano.gof.nothing_of_the_kind


def test_programs_that_try_an_import_go_on_without_it() -> None:
    with pytest.raises(ImportError, match=r"theano\.gof\.LocalOptimizer is not supported"):
        from septet.dialects.theano.gof import LocalOptimizer  # noqa: F401


@pytest.mark.parametrize("name", coverage.REPEATED)
def test_names_are_found_where_the_original_imported_them(name: str) -> None:
    tensor, home = (importlib.import_module(f"septet.dialects.theano{part}") for part in (".tensor.nnet", ""))
    for part in filter(None, coverage.REPEATED[name].split(".")):
        home = getattr(home, part)
    assert getattr(tensor, name) is getattr(home, name)


def test_tables_speak_of_names_of_the_original() -> None:
    parts = {".".join(name.split(".")[:count]) for name in KNOWN for count in range(1, name.count(".") + 2)}
    for key in (*coverage.REFUSED, *coverage.DIFFERS):
        if not any(fnmatchcase(name, key) for name in parts):  # of a module that programs import all the same
            assert key.endswith(".*") and importlib.import_module(f"septet.dialects.theano.{key[:-2]}"), key
