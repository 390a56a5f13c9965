"""The examples in docstrings are true."""

import doctest
import importlib

import pytest

NAMES = ("optim.clipping", "optim.groups", "optim.lbfgs", "optim.schedules", "train.events", "transform.amp")


@pytest.mark.parametrize("name", NAMES)
def test_examples(name):
    failed, tried = doctest.testmod(importlib.import_module(f"septet.{name}"))
    assert tried and not failed
