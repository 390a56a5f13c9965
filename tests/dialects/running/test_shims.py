"""The shims: each of them can be used, and none leaves a trace."""

from __future__ import annotations

import importlib
import pickle
import pkgutil
import sys
import unittest
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import ANY

import numpy as np
import pytest

from septet.dialects.running.aliases import aliases
from septet.dialects.running.shims.catalogue import SHIMS, described, listing
from septet.dialects.running.shims.shim import Names, NewModule, Value, installed

ABSENT = (
    "matplotlib",
    "scipy",
    "sklearn",
    "PIL",
    "Image",
    "Tkinter",
    "tk",
    "ttk",
    "gdbm",
    "dbm",
)  # not there everywhere


def test_every_stand_in_is_there() -> None:
    """Names in the tables are those of things that exist."""
    for shim in SHIMS:
        if isinstance(shim, Names) and not shim.module.startswith(ABSENT):
            for stand_in in shim.table.values():
                if not isinstance(stand_in, Value):
                    pkgutil.resolve_name(stand_in)
        if isinstance(shim, NewModule) and isinstance(shim.make, str) and not shim.name.startswith(ABSENT):
            pkgutil.resolve_name(shim.make)
    names = [name for name, _ in described()]
    assert {"numpy.int", "cPickle", "time.clock", "nose.tools", "numpy.array(copy=False)"} <= set(names)
    assert all(text for _, text in described()) and "numpy.int" in listing()


def test_shims_come_and_go() -> None:
    """With them, old names work, and are recorded; after them, everything is as before."""
    changed = [sys.modules[name] for name in ("numpy", "pickle", "time", "string")]
    before = [dict(vars(module)) for module in changed]
    modules, finders = set(sys.modules), list(sys.meta_path)
    with installed(SHIMS) as uses:
        import cPickle  # type: ignore[import-not-found]
        from nose.plugins.skip import SkipTest  # type: ignore[import-not-found]
        from nose.tools import assert_equal, assert_raises, raises  # type: ignore[import-not-found]
        from numpy.testing import dec  # type: ignore[attr-defined]
        from numpy.testing.noseclasses import KnownFailureTest  # type: ignore[import-not-found]

        assert cPickle is pickle and SkipTest is unittest.SkipTest and issubclass(KnownFailureTest, SkipTest)
        assert_equal(np.cast["int8"]([1.7, 2]).tolist(), [1, 2])  # type: ignore[attr-defined]
        assert_equal(np.asscalar(np.array([3])), 3)  # type: ignore[attr-defined]
        assert_raises(SkipTest, dec.skipif(True)(lambda: None))
        raises(ValueError)(lambda: int("x"))()
        with pytest.raises(AssertionError, match="did not raise ValueError"):
            raises(ValueError)(lambda: 0)()
        with pytest.raises(AttributeError, match="nonsense"):
            np.nonsense  # type: ignore[attr-defined]
        assert uses.places["numpy.asscalar"].startswith(__file__) and "numpy.rank" not in uses.places
    assert sys.meta_path == finders
    assert not {"cPickle", "nose", "nose.tools", "numpy.testing.noseclasses"} & set(sys.modules)
    for module, names in zip(changed, before):
        assert {name for name in names if vars(module).get(name) is not names[name]} == set(), module
        added = vars(module).keys() - names.keys()
        assert all(isinstance(vars(module)[name], ModuleType) for name in added), module  # its own parts
    assert not {name for name in set(sys.modules) - modules if name.partition(".")[0] in ("nose", "cPickle")}


def test_what_stands_in_for_six(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is not installed."""
    monkeypatch.setattr(sys, "meta_path", [finder for finder in sys.meta_path if "six" not in type(finder).__module__])
    for name in [name for name in sys.modules if name.partition(".")[0] == "six"]:
        monkeypatch.delitem(sys.modules, name)
    with installed(SHIMS) as uses:
        importlib.import_module("urllib.request")  # six gives it; now, before there is no path any more
        monkeypatch.setattr(sys, "path", [])
        six = importlib.import_module("six")
        assert six.moves.xrange is range and six.moves.urllib.parse is importlib.import_module("urllib.parse")
        assert list(six.iteritems({1: 2})) == [(1, 2)] and six.moves.cPickle is pickle and "six" in uses.places

        @six.add_metaclass(type("Meta", (type,), {"mark": 1}))
        class Marked(six.with_metaclass(type, dict)):  # type: ignore[misc]
            """A class whose class has a mark."""

        assert Marked.mark == 1 and issubclass(Marked, dict)
        with pytest.raises(KeyError):
            six.reraise(KeyError, KeyError("x"), None)


def test_theano_brings_six_along() -> None:
    """As it did until 0.7."""
    with installed(SHIMS), aliases(["theano"]):
        assert importlib.import_module("theano.compat.six.moves").xrange is range
        assert importlib.import_module("theano.compat.six").string_types == (str,)


def test_numpys_old_ways() -> None:
    """Copies at need, arrays of objects, binary texts, the promotion rule of NumPy 1."""
    with installed(SHIMS):
        array = np.arange(3)
        assert np.array(array, copy=False) is array
        assert np.array(array, dtype="float32", copy=False).dtype == np.float32
        assert np.vstack(row for row in np.eye(2)).tolist() == np.eye(2).tolist()
        file = BytesIO()
        np.save(file, np.array([{"a": 1}, None], dtype=object))
        file.seek(0)
        assert np.load(file)[0] == {"a": 1}
        assert np.fromstring(b"\1\0\2\0", dtype="<i2").tolist() == [1, 2]
        assert np.zeros((np.ceil(2.5), 2)).shape == (3, 2)
        assert np.linspace(0, 1, num=np.sqrt(9)).tolist() == [0, 0.5, 1]
        assert np.full(shape=2.0, fill_value=1).tolist() == [1, 1]
        with pytest.raises(TypeError):
            np.zeros("3")
        common = np.find_common_type  # type: ignore[attr-defined]
        assert common([np.float32], [np.int64, np.float64]) == np.float32
        assert common([np.float32], [np.complex64]) == np.complex64
        assert common([np.int64], [np.float16]) == np.float64
        assert common([np.float32, np.int64, np.int16], []) == np.float64
    with pytest.raises(ValueError):
        np.array(array, dtype="float32", copy=False)
    with pytest.raises(TypeError):
        np.zeros(2.0)  # type: ignore[call-overload]


def test_what_stands_in_for_mock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Packages like parameterized compare its version when they are imported."""
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.delitem(sys.modules, "mock", raising=False)
    with installed(SHIMS):
        mock = importlib.import_module("mock")
        assert mock.version_info >= (1, 0) and mock.MagicMock(return_value=3)() == 3


OF_PYTHON2 = b"\x80\x02}U\x01aU\x02\xe9\xffs."  # {'a': '\xe9\xff'} as cPickle of Python 2 wrote it


def test_pickles_of_python2_are_read() -> None:
    """Byte strings that are no ASCII become text; what the program asks for explicitly is not touched."""
    with installed(SHIMS) as uses:
        file = BytesIO(b"skipped" + OF_PYTHON2)
        file.seek(7)
        assert pickle.load(file) == pickle.loads(OF_PYTHON2) == {"a": "\xe9\xff"}
        assert pickle.loads(OF_PYTHON2, encoding="bytes") == {b"a": b"\xe9\xff"}
        assert "pickle.load(latin1)" in uses.places
    with pytest.raises(UnicodeDecodeError):
        pickle.loads(OF_PYTHON2)


def test_files_of_hdf5_and_yaml(tmp_path: Path) -> None:
    """A file is made where there is none, what Keras decodes can be decoded, ``load`` needs no loader."""
    h5py, yaml = pytest.importorskip("h5py"), pytest.importorskip("yaml")
    with installed(SHIMS) as uses:
        with h5py.File(tmp_path / "a.h5") as file:
            file["x"] = np.arange(3)
            file.attrs["name"], file.attrs["names"] = b"first", [b"one", b"two"]
            assert file.attrs["name"].decode("utf8") == file.attrs["name"] == "first"
            assert [each.decode() for each in file.attrs["names"]] == ["one", "two"]
            assert file["x"].value.tolist() == [0, 1, 2]
        assert yaml.load("a: [1, 2]") == {"a": [1, 2]} and list(yaml.load_all("1", yaml.SafeLoader)) == [1]
        assert {"h5py.File(mode)", "h5py.Dataset.value", "yaml.load(no Loader)"} <= set(uses.places)
    assert not hasattr(h5py.Dataset, "value")


def test_dividers_of_scikit_learn_are_given_what_they_divide() -> None:
    """By its length or its labels; they are gone through."""
    pytest.importorskip("sklearn")
    with installed(SHIMS):
        from sklearn.base import BaseEstimator
        from sklearn.cross_validation import KFold, ShuffleSplit, StratifiedKFold, train_test_split

        folds = KFold(6, n_folds=3)
        assert len(folds) == 3 and [valid.tolist() for _, valid in folds] == [[0, 1], [2, 3], [4, 5]]
        labels = np.array([0, 1, 0, 1])
        assert all(sorted(labels[valid]) == [0, 1] for _, valid in StratifiedKFold(labels, 2))
        train, valid = next(iter(ShuffleSplit(10, 1, 0.3, random_state=0)))
        assert (len(train), len(valid)) == (7, 3) and len(train_test_split(labels)) == 2

        class Estimator(BaseEstimator):
            def __init__(self, a: Any = None, inner: Any = None) -> None:
                self.inner = inner

        assert Estimator(inner=Estimator()).get_params() == {
            "a": None, "inner": ANY, "inner__a": None, "inner__inner": None,
        }  # fmt: skip
