"""What is refused says so; what the tables say is about names that exist."""

from __future__ import annotations

import importlib
import inspect
from fnmatch import fnmatchcase
from pathlib import Path
from types import ModuleType

import pytest

from septet.dialects.theano import coverage

NAMES = Path(__file__).resolve().parents[3] / "tools" / "upstream" / "names_theano.tsv"
KNOWN = {line.split("\t")[0].removeprefix("theano.") for line in NAMES.read_text(encoding="utf-8").splitlines()}


def test_no_name_is_missing_and_those_that_are_refused_say_so(tools: ModuleType) -> None:
    states = tools.states("theano")
    assert [name for name, (_, state, _) in states.items() if state == "missing"] == []
    for name in [name for name, (_, state, _) in states.items() if state == "refused"]:
        try:
            thing = tools.find("theano", name)
        except coverage.RefusedError:
            continue
        if isinstance(thing, ModuleType):
            with pytest.raises(coverage.RefusedError):
                thing.Anything
        else:
            with pytest.raises(coverage.RefusedError, match="nearest: "):
                thing()


@pytest.fixture(name="tools")
def _tools(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(NAMES.parents[1]))
    return importlib.import_module("generate_coverage")


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


def test_what_is_refused_of_objects_says_so_when_it_is_used() -> None:
    theano = importlib.import_module("septet.dialects.theano")
    x = theano.tensor.vector()
    assert hasattr(theano.tensor.exp, "c_code") and not hasattr(x, "nothing_of_the_kind")
    with pytest.raises(coverage.RefusedError, match=r"Op\.c_code is not supported: .*; nearest: Op\.perform"):
        theano.tensor.exp.c_code(None, "", [], [], {})
    with pytest.raises(coverage.RefusedError, match="nobody is told"):
        theano.gof.Variable.construction_observers.append(print)
    with pytest.raises(coverage.RefusedError, match="not linked from ops"):
        theano.function([x], x).defaults
    assert "construction_observers" in dict(inspect.getmembers(x))


def test_a_module_hides_behind_the_function_of_its_name_in_any_order_of_imports() -> None:
    compile_ = importlib.import_module("septet.dialects.theano.compile")
    module = importlib.import_module("septet.dialects.theano.compile.pfunc")
    assert compile_.pfunc is module.pfunc is not module and isinstance(compile_.function, type(module.pfunc))


def test_aliases_lead_somewhere(tools: ModuleType) -> None:
    for name in coverage.ALIASES:
        assert tools.find("theano", name) is not None


def test_tables_speak_of_names_of_the_original() -> None:
    parts = {".".join(name.split(".")[:count]) for name in KNOWN for count in range(1, name.count(".") + 2)}
    for key in (*coverage.REFUSED, *coverage.DIFFERS):
        if not any(fnmatchcase(name, key) for name in parts):  # of a module that programs import all the same
            assert key.endswith(".*") and importlib.import_module(f"septet.dialects.theano.{key[:-2]}"), key
