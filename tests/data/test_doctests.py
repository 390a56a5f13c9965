"""The examples in the docstrings of `septet.data` are true."""

import doctest
import importlib
import pkgutil

import pytest

import septet.data

MODULES = sorted(module.name for module in pkgutil.walk_packages(septet.data.__path__, "septet.data."))


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert failed == 0
