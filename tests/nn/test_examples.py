"""The examples in the docstrings of the layers run, and give what they say."""

import doctest
import importlib
import pkgutil

import pytest

from septet import nn

NAMES = sorted(module.name for module in pkgutil.walk_packages(nn.__path__, "septet.nn."))


@pytest.mark.parametrize("name", NAMES)
def test_the_examples_of_a_module_run(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
