"""Run one test file as nose did, and write what came of each test as a line of JSON. Runs on Python 3.6, too.

A child of `tools/upstream`: it is started once per file, and again after a test that ended the process. What nose found
is found: subclasses of TestCase under any name, plain classes and functions whose names begin a word with "test", tests
that yield tests, ``setUp`` of plain classes. The file is loaded as a module of the package that it belongs to, so that
its relative imports and its pickles work; modules of tests that the dialect does not have come from the checkout.
"""

import argparse
import ast
import contextlib
import importlib
import importlib.machinery
import importlib.util
import inspect
import json
import os
import re
import signal
import sys
import time
import traceback
import types
import unittest
import warnings
from functools import partial

MATCH = re.compile(r"(?:^|[\b_./-])[Tt]est")
SETUPS, TEARDOWNS = ("setup", "setUp", "setUpFunc"), ("teardown", "tearDown")
KEPT = contextlib.ExitStack()
CLASS_SETUPS = ("setup_class", "setupClass", "setUpClass", "setup_all")


class TimeLimit(BaseException):
    """A test took longer than it may."""


def is_of_dialect(name):
    """Say whether the dialect, where there is one, has a module of its own."""
    try:
        return importlib.util.find_spec("septet.dialects." + name) is not None
    except ImportError:  # there is no septet, no dialect, or no such package in it
        return False


class CheckoutFinder:
    """Find ``theano.*.tests.*`` in the checkout where the package under test has no such module."""

    def __init__(self, checkout, is_lenient=False):
        self.checkout, self.is_lenient = checkout, is_lenient

    def find_spec(self, name, path=None, target=None):
        """Return the spec of a module of tests, or None."""
        parts = name.split(".")
        if parts[0] not in ("theano", "lasagne") or "tests" not in parts or is_of_dialect(name):
            return None
        base = os.path.join(self.checkout, *parts)
        if os.path.isdir(base):
            return importlib.util.spec_from_loader(name, PackageOfTests(base), is_package=True)
        if os.path.exists(base + ".py"):
            loader = LenientLoader(name, base + ".py") if self.is_lenient else None
            return importlib.util.spec_from_file_location(name, base + ".py", loader=loader)
        return None


class PackageOfTests:
    """An empty package whose modules lie in a folder."""

    def __init__(self, folder):
        self.folder = folder

    def create_module(self, spec):
        """Let the import system make the module."""

    def exec_module(self, module):
        """Say where the modules of the package lie."""
        module.__path__ = [self.folder]


def use_dialects(names=("theano", "lasagne")):
    """Let names lead to septet's dialects for the rest of the process, with the shims that `septet run` installs."""
    from septet.dialects.running.aliases import aliases
    from septet.dialects.running.shims.catalogue import SHIMS
    from septet.dialects.running.shims.shim import installed

    KEPT.enter_context(aliases(names))
    KEPT.enter_context(installed(SHIMS))
    use_former_methods()


def use_former_methods():
    """Let test files call what arrays no longer do, as programs may under `septet run`."""
    import ast
    import builtins
    import importlib.machinery

    from septet.dialects.running.former_methods import FormerMethods, call_former, is_mentioned, key_of

    builtins._septet_former, builtins._septet_key = call_former(lambda name: None), key_of
    loader = importlib.machinery.SourceFileLoader
    plain = loader.source_to_code

    def source_to_code(self, data, path, *arguments, **named):
        is_test = os.path.basename(str(path)).startswith("test_")
        if is_test and isinstance(data, bytes) and is_mentioned(data):
            data = FormerMethods().visit(ast.parse(data, str(path)))
        return plain(self, data, path, *arguments, **named)

    loader.source_to_code = source_to_code


def find_numbers(checkout):
    """Let ``numpy.loadtxt`` find files of numbers that lie in the package of the checkout, not in the dialect."""
    import numpy as np

    import septet.dialects

    folder, load = os.path.dirname(septet.dialects.__file__), np.loadtxt

    def loadtxt(name, *arguments, **named):
        if isinstance(name, str) and name.startswith(folder) and not os.path.exists(name):
            name = os.path.join(checkout, os.path.relpath(name, folder))
        return load(name, *arguments, **named)

    np.loadtxt = loadtxt


class Absent(type):
    """The class of what stands for a name that the package under test does not have: every use of it fails."""

    def __getattr__(cls, name):
        raise AttributeError(cls.__doc__)

    def __call__(cls, *arguments, **named):
        raise AttributeError(cls.__doc__)


def import_one(module, name):
    """Return a name from a module, or what stands for it."""
    try:
        found = importlib.import_module(module)
        return getattr(found, name) if hasattr(found, name) else importlib.import_module(module + "." + name)
    except (ImportError, AttributeError):
        return Absent(name, (), {"__doc__": f"absent: {module}.{name}"})


class LenientLoader(importlib.machinery.SourceFileLoader):
    """Load a test file of which some imports from the package under test fail."""

    def source_to_code(self, data, path, **options):
        """Replace the imports by attempts."""
        tree = ast.parse(data)
        for place, node in enumerate(tree.body):
            if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module.split(".")[0] == "theano":
                names = [(alias.name, alias.asname or alias.name) for alias in node.names if alias.name != "*"]
                text = "; ".join(f"{new} = import_one({node.module!r}, {old!r})" for old, new in names)
            elif isinstance(node, ast.Import) and node.names[0].name.startswith("theano."):
                alias = node.names[0]
                text = "{} = import_one('theano', {!r})".format(alias.asname or "_", alias.name.split(".", 1)[1])
                text += "; import theano"
            else:
                continue
            if text:
                tree.body[place] = ast.copy_location(ast.If(ast.Constant(True), ast.parse(text).body, []), node)
        return compile(ast.fix_missing_locations(tree), path, "exec")

    def exec_module(self, module):
        """Run the file."""
        module.import_one = import_one
        super().exec_module(module)


def imported_names(tree):
    """Return the names that a file imports: tests of other files are not its own."""
    return {
        (alias.asname or alias.name).split(".")[0]
        for node in tree.body
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
    }


def written_tests(tree):
    """Return the ids of the tests that are written in a file: functions, and methods of classes."""
    found = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test"):
            found.append(node.name)
        elif isinstance(node, ast.ClassDef):
            methods = [m.name for m in node.body if isinstance(m, ast.FunctionDef) and m.name.startswith("test")]
            found += [node.name + "." + name for name in methods]
    return found


def first_attribute(thing, names):
    """Return the first of some attributes that a thing has, called; what is missing does nothing."""
    for name in names:
        if hasattr(thing, name):
            return getattr(thing, name)()
    return None


def steps_of(function, instance):
    """Yield what a test does: itself, or the tests that it yields, each with the set-up of its class around it."""
    if not inspect.isgeneratorfunction(function):
        yield function
        return
    for item in function():
        item = item if isinstance(item, tuple) else (item,)
        yield lambda item=item: item[0](*item[1:])


class Test:
    """One test: what to call, its id, and the id under which it is written in the file."""

    def __init__(self, name, cls=None, method=None, function=None):
        self.id, self.cls, self.method, self.function = name, cls, method, function

    @property
    def written(self):
        """The id of the definition: the class that has the method, the name without what ``expand`` appended."""
        if self.cls is None:
            return self.id
        owner = next(c for c in self.cls.__mro__ if self.method in vars(c))
        return owner.__name__ + "." + self.method

    def __call__(self):
        """Run the test; an exception says that it did not pass."""
        if self.cls is None:
            for step in steps_of(self.function, None):
                step()
        elif issubclass(self.cls, unittest.TestCase):
            result = unittest.TestResult()
            case = self.cls(self.method)
            if inspect.isgeneratorfunction(getattr(self.cls, self.method)):
                case.setUp()
                for step in steps_of(getattr(case, self.method), case):
                    step()
                return
            caught = []
            result.addError = result.addFailure = lambda test, error: caught.append(error)
            result.addSubTest = lambda test, subtest, error: caught.append(error) if error else None
            result.addUnexpectedSuccess = lambda test: None
            case.run(result)
            if caught:
                raise caught[0][1].with_traceback(caught[0][2])
            if result.skipped:
                raise unittest.SkipTest(result.skipped[0][1])
        else:
            instance = self.cls()
            for step in steps_of(getattr(instance, self.method), instance):
                first_attribute(instance, SETUPS)
                try:
                    step()
                finally:
                    first_attribute(instance, TEARDOWNS)


def tests_of(module, tree):
    """Yield the tests of a module, in the order of the file."""
    foreign = imported_names(tree)
    for name, thing in list(vars(module).items()):
        if name in foreign or name.startswith("_") or getattr(thing, "__test__", True) is False:
            continue
        if isinstance(thing, type) and thing.__module__ == module.__name__:
            if not issubclass(thing, unittest.TestCase) and not MATCH.search(name):
                continue
            for method in dir(thing):
                if method.startswith("test") and callable(getattr(thing, method)):
                    yield Test(name + "." + method, thing, method)
        elif isinstance(thing, types.FunctionType) and name.startswith("test"):
            yield Test(name, function=thing)


def place(error):
    """Return the last place in a package under test, and in the test, where an exception came from."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "/unittest/" not in f.filename]
    inside = [f for f in frames if re.search(r"[/\\](septet|theano|lasagne)[/\\]", f.filename)]
    inside = [f for f in inside if "/tests/" not in f.filename] or frames
    if not inside:
        return ""
    frame = inside[-1]
    return "{}:{} {}".format("/".join(frame.filename.split(os.sep)[-3:]), frame.lineno, frame.name)


def run(test, limit):
    """Run a test under a limit of seconds; return what came of it, what was raised and where."""

    def stop(number, frame):
        signal.alarm(2)  # a test that catches everything is stopped again
        raise TimeLimit()

    signal.signal(signal.SIGALRM, stop)
    signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, limit)  # of processor time: others may be at work on the machine
    signal.alarm(5 * limit)
    try:
        test()
    except unittest.SkipTest as error:
        return "skip", str(error), ""
    except TimeLimit as error:
        return "timeout", f"TimeLimit: {limit} s", place(error)
    except BaseException as error:  # KeyboardInterrupt and SystemExit of a test, too
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        return "fail", "{}: {}".format(type(error).__name__, " | ".join(lines[:3]))[:400], place(error)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.alarm(0)
    return "pass", "", ""


def ids_in(path):
    """Return the ids that a file lists."""
    if not path:
        return set()
    with open(path) as file:
        return set(file.read().split())


def load(checkout, path, is_lenient):
    """Import a test file as the module that it is in its package."""
    name = path[: -len(".py")].replace("/", ".")
    sys.meta_path.insert(0, CheckoutFinder(checkout, is_lenient))
    return importlib.import_module(name)


def main():
    """Run the tests of a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkout", help="the folder that holds the package's folder")
    parser.add_argument("path", help="the test file in it")
    parser.add_argument("out", help="the file of JSON lines to append to")
    parser.add_argument("--map", action="store_true", help="theano and lasagne are septet's dialects")
    parser.add_argument("--lenient", action="store_true", help="go on where an import from the package fails")
    parser.add_argument("--skip", default="", help="a file of ids that are done")
    parser.add_argument("--only", default="", help="a file of ids, as written in the file or as run")
    parser.add_argument("--limit", type=int, default=60, help="seconds for each test")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    done, only = ids_in(options.skip), ids_in(options.only)

    def write(**record):
        with open(options.out, "a") as out:
            out.write(json.dumps(record) + "\n")

    if options.map:
        use_dialects()
        find_numbers(options.checkout)
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115 (for as long as the process lives)
    with open(os.path.join(options.checkout, options.path)) as source:
        tree = ast.parse(source.read())
    written = written_tests(tree)
    started = time.time()
    found = {}

    def importing():
        found["module"] = load(options.checkout, options.path, options.lenient)

    outcome, error, where = run(importing, 4 * options.limit)
    record = {"error": error, "where": where, "seconds": round(time.time() - started, 2)}
    if outcome != "pass":
        write(id="(import)", written="(import)", outcome=outcome, **record)
        return
    prepared = {}
    for test in tests_of(found["module"], tree):
        name = test.written
        if name not in written:  # names made by parameterized.expand() begin with the name of the method
            name = max((w for w in written if name.startswith(w)), key=len, default=test.id)
        if test.id in done or (only and not {name, test.id} & only):
            continue
        write(id=test.id, written=name, outcome="started")
        started = time.time()
        if test.cls is not None and test.cls not in prepared:
            prepared[test.cls] = run(partial(first_attribute, test.cls, CLASS_SETUPS), options.limit)
        if test.cls is not None and prepared[test.cls][0] != "pass":
            outcome, error, where = prepared[test.cls]
        else:
            outcome, error, where = run(test, options.limit)
        seconds = round(time.time() - started, 2)
        write(id=test.id, written=name, outcome=outcome, seconds=seconds, error=error, where=where)


if __name__ == "__main__":
    main()
