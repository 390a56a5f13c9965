"""What is refused says so; what the tables say is about names that exist."""

from __future__ import annotations

import importlib
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from septet.dialects.theano import coverage

NAMES = Path(__file__).resolve().parents[3] / "tools" / "upstream" / "names_theano.tsv"
KNOWN = {line.split("\t")[0].removeprefix("theano.") for line in NAMES.read_text(encoding="utf-8").splitlines()}
WHOLE = KNOWN | {name.rpartition(".")[0] for name in KNOWN}


@pytest.mark.parametrize("name", coverage.MODULES)
def test_refused_modules_say_so_when_they_are_used(name: str) -> None:
    module = importlib.import_module(f"septet.dialects.theano.{name}")
    with pytest.raises(coverage.RefusedError, match="not supported: .*; nearest: "):
        module.Anything


def test_refused_names_say_so_and_others_are_no_attributes() -> None:
    theano = importlib.import_module("septet.dialects.theano")
    with pytest.raises(coverage.RefusedError, match="rewritten by Septet's own compiler"):
        theano.gof.LocalOptimizer
    with pytest.raises(AttributeError, match="theano.gof"):
        theano.gof.nothing_of_the_kind


def test_tables_speak_of_names_of_the_original() -> None:
    for key in (*coverage.REFUSED, *coverage.DIFFERS):
        parents = {".".join(name.split(".")[:count]) for name in WHOLE for count in range(1, name.count(".") + 2)}
        assert any(fnmatchcase(name, key) for name in parents), key
