"""Let ``theano`` and ``lasagne`` lead to septet's dialects, and serve names of old NumPy and nose to test files."""

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
import types
import unittest

import numpy as np


class Alias(importlib.abc.Loader):
    """Hand over a module under another name."""

    def __init__(self, own):
        self.own = own

    def create_module(self, spec):
        """Let the import system make a module, which is thrown away."""

    def exec_module(self, module):
        """Put the dialect's module in the place of the new one."""
        sys.modules[module.__spec__.name] = importlib.import_module(self.own)


class DialectFinder(importlib.abc.MetaPathFinder):
    """Find ``NAME`` and ``NAME.anything`` in `septet.dialects`."""

    def __init__(self, names):
        self.names = frozenset(names)

    def find_spec(self, name, path=None, target=None):
        """Return the alias of a dialect's module, or None."""
        own = "septet.dialects." + name
        if name.split(".")[0] not in self.names or importlib.util.find_spec(own) is None:
            return None
        return importlib.machinery.ModuleSpec(name, Alias(own), is_package=True)


def install_nose():
    """Serve what the test files import from nose."""
    case = unittest.TestCase()
    tools, nose = types.ModuleType("nose.tools"), types.ModuleType("nose")
    tools.assert_raises, tools.assert_equal, tools.assert_true = case.assertRaises, case.assertEqual, case.assertTrue
    tools.assert_equals = case.assertEqual

    def raises(*errors):
        def decorate(function):
            def test(*arguments):
                case.assertRaises(errors, function, *arguments)

            test.__name__ = function.__name__
            return test

        return decorate

    tools.raises = raises
    plugins, skip, attrib = map(types.ModuleType, ("nose.plugins", "nose.plugins.skip", "nose.plugins.attrib"))
    skip.SkipTest = nose.SkipTest = unittest.SkipTest
    attrib.attr = lambda *names, **values: lambda function: function
    nose.tools, nose.plugins, plugins.skip, plugins.attrib = tools, plugins, skip, attrib
    for module in (nose, tools, plugins, skip, attrib):
        sys.modules.setdefault(module.__name__, module)


def install_numpy():
    """Serve the names that NumPy had."""
    for name, thing in {"bool": bool, "int": int, "float": float, "complex": complex, "object": object}.items():
        if name not in vars(np):
            setattr(np, name, thing)
    np.product, np.in1d = np.prod, np.isin
    np.cast = {k: (lambda x, k=k: np.asarray(x, k)) for k in ("float32", "float64", "int32", "int64", "int8")}
    np.testing.dec = types.SimpleNamespace(
        skipif=lambda wanted, message="": unittest.skipIf(wanted, message or ""),
        knownfailureif=lambda wanted, message="": unittest.skipIf(wanted, message or ""),
        slow=lambda function: function,
    )
    np.random.random_integers = lambda low, high=None, size=None: (
        np.random.randint(1, low + 1, size) if high is None else np.random.randint(low, high + 1, size)
    )


def install(names=("theano", "lasagne")):
    """Let the names lead to the dialects for the rest of the process."""
    sys.meta_path.insert(0, DialectFinder(names))
    install_nose()
    install_numpy()
