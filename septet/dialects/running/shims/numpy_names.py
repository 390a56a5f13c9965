"""What NumPy's modules have lost between 1.5 and 2.4, as far as old programs use it."""

from __future__ import annotations

import functools
import unittest
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from types import ModuleType
from typing import Any

import numpy

from septet.dialects.running.byte_strings import to_bytes
from septet.dialects.running.shims.shim import Change, Names, NewModule, Uses, Value, replaced

__all__ = ["NUMPY"]


def asfarray(a: Any, dtype: Any = numpy.float64) -> numpy.ndarray:
    """Return an array of floating-point numbers."""
    return numpy.asarray(a, dtype if numpy.issubdtype(dtype, numpy.inexact) else numpy.float64)


def find_common_type(array_types: Any, scalar_types: Any) -> Any:
    """Return the common dtype of arrays and scalars: a scalar counts only if it is of a higher kind."""
    arrays = [numpy.dtype(each) for each in array_types]
    scalars = [numpy.dtype(each) for each in scalar_types]
    array = functools.reduce(numpy.promote_types, arrays) if arrays else None
    scalar = functools.reduce(numpy.promote_types, scalars) if scalars else None
    if array is None or scalar is None:
        return array if scalar is None else scalar
    kinds = "buifc"
    if array.kind in kinds and scalar.kind in kinds and kinds.index(scalar.kind) > kinds.index(array.kind):
        return numpy.promote_types(array, scalar)
    return array


def rank(a: Any) -> int:
    """Return the number of axes."""
    return numpy.ndim(a)


def msort(a: Any) -> numpy.ndarray:
    """Return a copy that is sorted along the first axis."""
    return numpy.sort(a, axis=0)


def obj2sctype(rep: Any, default: Any = None) -> Any:
    """Return the scalar type of a type, a dtype or an array."""
    if isinstance(rep, type) and issubclass(rep, numpy.generic):
        return rep
    if isinstance(rep, numpy.ndarray):
        return rep.dtype.type
    try:
        return numpy.dtype(rep).type
    except TypeError:
        return default


def maximum_sctype(t: Any) -> Any:
    """Return the scalar type with the most bits of the same kind."""
    kind = numpy.dtype(t).kind
    return {"i": numpy.int64, "u": numpy.uint64, "f": numpy.longdouble, "c": numpy.clongdouble}.get(
        kind, numpy.dtype(t).type
    )


def issubclass_(arg1: Any, arg2: Any) -> bool:
    """Tell whether one class derives from another; False for what is no class."""
    try:
        return issubclass(arg1, arg2)
    except TypeError:
        return False


def deprecate(*args: Any, **kwargs: Any) -> Any:
    """Return a function as it is: its users have known for ten years."""
    return args[0] if args and callable(args[0]) else lambda function: function


def disp(mesg: Any, device: Any = None, linefeed: bool = True) -> None:
    """Print a message."""
    print(mesg, file=device, end="\n" if linefeed else "")


def random_integers(low: int, high: int | None = None, size: Any = None) -> Any:
    """Draw integers from `low` to `high`, both included, of NumPy's global generator."""
    return numpy.random.randint(*((1, low + 1) if high is None else (low, high + 1)), size=size)


class _Casts(dict[Any, Callable[..., numpy.ndarray]]):
    """``numpy.cast[dtype](values)``."""

    def __missing__(self, key: Any) -> Callable[..., numpy.ndarray]:
        dtype = numpy.dtype(key)
        return lambda values: numpy.asarray(values).astype(dtype)


_SCTYPES = {
    "int": [numpy.int8, numpy.int16, numpy.int32, numpy.int64],
    "uint": [numpy.uint8, numpy.uint16, numpy.uint32, numpy.uint64],
    "float": [numpy.float16, numpy.float32, numpy.float64, numpy.longdouble],
    "complex": [numpy.complex64, numpy.complex128, numpy.clongdouble],
    "others": [bool, object, bytes, str, numpy.void],
}
_TYPES_OF_PYTHON = {name: f"builtins:{name}" for name in ("int", "float", "complex", "object", "str")}

_MAIN: Mapping[str, str | Value] = {
    **_TYPES_OF_PYTHON,
    "unicode": "builtins:str",
    "long": "builtins:int",
    "bool8": "numpy:bool_",
    "bool": "builtins:bool",
    "object0": "numpy:object_",
    "str0": "numpy:str_",
    "unicode0": "numpy:str_",
    "bytes0": "numpy:bytes_",
    "void0": "numpy:void",
    "int0": "numpy:intp",
    "uint0": "numpy:uintp",
    "float_": "numpy:float64",
    "complex_": "numpy:complex128",
    "cfloat": "numpy:complex128",
    "singlecomplex": "numpy:complex64",
    "longfloat": "numpy:longdouble",
    "longcomplex": "numpy:clongdouble",
    "clongfloat": "numpy:clongdouble",
    "unicode_": "numpy:str_",
    "string_": "numpy:bytes_",
    "NaN": "numpy:nan",
    "NAN": "numpy:nan",
    "Inf": "numpy:inf",
    "Infinity": "numpy:inf",
    "infty": "numpy:inf",
    "PINF": "numpy:inf",
    "NINF": Value(-numpy.inf, "-numpy.inf"),
    "PZERO": Value(0.0, "0.0"),
    "NZERO": Value(-0.0, "-0.0"),
    "alltrue": "numpy:all",
    "sometrue": "numpy:any",
    "product": "numpy:prod",
    "cumproduct": "numpy:cumprod",
    "round_": "numpy:round",
    "row_stack": "numpy:vstack",
    "trapz": "numpy:trapezoid",
    "in1d": Value(lambda ar1, ar2, **options: numpy.isin(numpy.ravel(ar1), ar2, **options), "numpy.isin of a vector"),
    "asscalar": Value(lambda a: numpy.asarray(a).item(), "a.item()"),
    "fastCopyAndTranspose": Value(lambda a: numpy.array(a).T.copy(), "a.T.copy()"),
    "mat": "numpy:asmatrix",
    "asfarray": Value(asfarray, "an array of floats"),
    "find_common_type": Value(find_common_type, "the rule of NumPy 1"),
    "rank": Value(rank, "numpy.ndim"),
    "msort": Value(msort, "numpy.sort(a, axis=0)"),
    "obj2sctype": Value(obj2sctype, "numpy.dtype(a).type"),
    "issctype": Value(lambda rep: obj2sctype(rep) not in (None, numpy.object_), "whether NumPy has such a type"),
    "issubsctype": "numpy:issubdtype",
    "issubclass_": Value(issubclass_, "issubclass"),
    "maximum_sctype": Value(maximum_sctype, "the largest of its kind"),
    "sctype2char": Value(lambda sctype: numpy.dtype(sctype).char, "numpy.dtype(t).char"),
    "sctypes": Value(_SCTYPES, "a dict of lists"),
    "sctypeNA": "numpy:sctypeDict",
    "typeDict": "numpy:sctypeDict",
    "typeNA": "numpy:sctypeDict",
    "cast": Value(_Casts(), "numpy.asarray(a).astype(t)"),
    "nbytes": Value(
        {numpy.dtype(t).type: numpy.dtype(t).itemsize for t in numpy.typecodes["All"]}, "numpy.dtype(t).itemsize"
    ),
    "byte_bounds": "numpy.lib.array_utils:byte_bounds",
    "deprecate": Value(deprecate, "the function itself"),
    "deprecate_with_doc": Value(lambda text: lambda function: function, "the function itself"),
    "disp": Value(disp, "print"),
    "safe_eval": "ast:literal_eval",
    "math": "math",
    "MAXDIMS": Value(32, "32"),
    "DataSource": "numpy.lib.npyio:DataSource",
    "add_newdoc": Value(lambda *args, **kwargs: None, "nothing"),
    "set_string_function": Value(lambda *args, **kwargs: None, "nothing"),
    "loads": "pickle:loads",
    "ComplexWarning": "numpy.exceptions:ComplexWarning",
    "VisibleDeprecationWarning": "numpy.exceptions:VisibleDeprecationWarning",
    "RankWarning": "numpy.exceptions:RankWarning",
    "TooHardError": "numpy.exceptions:TooHardError",
    "AxisError": "numpy.exceptions:AxisError",
    "ModuleDeprecationWarning": "numpy.exceptions:ModuleDeprecationWarning",
}


class _Decorators(ModuleType):
    """``numpy.testing.dec``."""

    @staticmethod
    def slow(function: Any) -> Any:
        """Mark a test as slow."""
        function.slow = True
        return function

    @staticmethod
    def setastest(tf: bool = True) -> Callable[[Any], Any]:
        """Say that a function is a test, or is none."""

        def mark(function: Any) -> Any:
            function.__test__ = tf
            return function

        return mark

    @staticmethod
    def skipif(skip_condition: Any, msg: str | None = None) -> Callable[[Any], Any]:
        """Skip a test where a condition holds; the condition may be a function, which is called when the test runs."""

        def mark(function: Any) -> Any:
            @functools.wraps(function)
            def test(*args: Any, **kwargs: Any) -> Any:
                if skip_condition() if callable(skip_condition) else skip_condition:
                    raise unittest.SkipTest(msg or "Test skipped due to test condition")
                return function(*args, **kwargs)

            return test

        return mark

    @staticmethod
    def knownfailureif(fail_condition: Any, msg: str | None = None) -> Callable[[Any], Any]:
        """Leave out a test that is known to fail where a condition holds."""
        return _Decorators.skipif(fail_condition, msg or "Test skipped due to known failure")

    @staticmethod
    def deprecated(conditional: Any = True) -> Callable[[Any], Any]:
        """Leave a test as it is."""
        return lambda function: function

    @staticmethod
    def parametrize(variables: str, values: Any) -> Callable[[Any], Any]:
        """Run a test once for each of some values."""

        def mark(function: Any) -> Any:
            @functools.wraps(function)
            def test() -> None:
                for value in values:
                    function(*(value if isinstance(value, tuple) else (value,)))

            return test

        return mark


def raises(*exceptions: type[BaseException]) -> Callable[[Any], Any]:
    """Say that a test raises one of some exceptions."""

    def mark(function: Any) -> Any:
        @functools.wraps(function)
        def test(*args: Any, **kwargs: Any) -> None:
            try:
                function(*args, **kwargs)
            except exceptions:
                return
            names = " or ".join(each.__name__ for each in exceptions)
            raise AssertionError(f"{function.__name__}() did not raise {names}")

        return test

    return mark


def run_module_suite(file_to_run: str | None = None, argv: Any = None) -> None:
    """Run the tests of a file, or of the program."""
    unittest.main(module="__main__" if file_to_run is None else file_to_run, argv=argv)


class Tester:
    """What ``package.test`` was: it ran a package's tests with nose."""

    def __init__(self, package: Any = None, raise_warnings: Any = "release", depth: int = 0) -> None:
        self.package = package

    def test(self, *args: Any, **kwargs: Any) -> Any:
        """Say that nose is gone."""
        raise NotImplementedError("numpy.testing.Tester ran tests with nose, which is gone: run pytest on the package")

    bench = test


class KnownFailureTest(unittest.SkipTest):
    """A test that is known to fail."""


dec = _Decorators("numpy.testing.decorators")
_TESTING: Mapping[str, str | Value] = {
    "dec": Value(dec, "the decorators, without nose"),
    "raises": Value(raises, "nose.tools.raises"),
    "run_module_suite": Value(run_module_suite, "unittest.main"),
    "Tester": Value(Tester, "a class that refuses to test"),
    "rand": "numpy.random:random",
    "NumpyTestCase": "unittest:TestCase",
}


def _testing(uses: Uses) -> Mapping[str, Any]:
    import numpy.testing as now

    public = {name: value for name, value in vars(now).items() if not name.startswith("__")}
    ours = (raises, run_module_suite, Tester, KnownFailureTest)
    return {**public, "dec": dec, **{each.__name__: each for each in ours}}


def _copies_at_need(module: ModuleType, uses: Uses, stack: ExitStack) -> None:
    """``numpy.array(a, copy=False)`` copies where it must, as it did before NumPy 2."""
    array = module.array

    @functools.wraps(array)
    def array_of_old(*args: Any, **options: Any) -> Any:
        if options.get("copy") is False:
            uses.record("numpy.array(copy=False)")
            options["copy"] = None
        return array(*args, **options)

    replaced(module, "array", array_of_old, stack)


def _stacks_what_is_generated(module: ModuleType, uses: Uses, stack: ExitStack) -> None:
    """``numpy.stack`` and its kin take generators, as they did before NumPy 1.24."""
    for name in ("stack", "vstack", "hstack", "dstack", "column_stack"):
        replaced(module, name, _taking_generators(name, getattr(module, name), uses), stack)


def _taking_generators(name: str, function: Any, uses: Uses) -> Any:
    @functools.wraps(function)
    def stack_of_old(arrays: Any, *args: Any, **options: Any) -> Any:
        if isinstance(arrays, Iterator):
            uses.record(f"numpy.{name}(generator)")
            arrays = list(arrays)
        return function(arrays, *args, **options)

    return stack_of_old


def _loads_objects(module: ModuleType, uses: Uses, stack: ExitStack) -> None:
    """``numpy.load`` reads arrays of objects, and texts of Python 2, without being asked to."""
    load = module.load

    @functools.wraps(load)
    def load_of_old(file: Any, *args: Any, **kwargs: Any) -> Any:
        if len(args) < 2 and "allow_pickle" not in kwargs:
            uses.record("numpy.load(allow_pickle)")
            kwargs.update(allow_pickle=True, encoding=kwargs.get("encoding", "latin1"))
        return load(file, *args, **kwargs)

    replaced(module, "load", load_of_old, stack)


def _bytes_of_strings(module: ModuleType, uses: Uses, stack: ExitStack) -> None:
    """``numpy.fromstring`` reads binary data where no separator is given."""
    fromstring = module.fromstring

    @functools.wraps(fromstring)
    def fromstring_of_old(string: Any, dtype: Any = float, count: int = -1, *, sep: str = "", **kwargs: Any) -> Any:
        if sep:
            return fromstring(string, dtype, count, sep=sep, **kwargs)
        uses.record("numpy.fromstring(binary)")
        content = to_bytes(string) if isinstance(string, str) else string
        return module.frombuffer(content, dtype, count).copy()

    replaced(module, "fromstring", fromstring_of_old, stack)


_SIZES = {
    "zeros": (0, "shape"), "ones": (0, "shape"), "empty": (0, "shape"), "full": (0, "shape"), "identity": (0, "n"),
    "eye": (0, "N"), "linspace": (2, "num"), "logspace": (2, "num"), "tile": (1, "reps"), "repeat": (1, "repeats"),
    "reshape": (1, "shape"),
}  # fmt: skip


def _sizes_of_floats(module: ModuleType, uses: Uses, stack: ExitStack) -> None:
    """Sizes may be floats, as before NumPy 1.12 (``linspace``: 1.18): what follows the point is dropped."""

    def change(function: Callable[..., Any], position: int, keyword: str) -> Callable[..., Any]:
        @functools.wraps(function)
        def function_of_old(*args: Any, **kwargs: Any) -> Any:
            try:
                return function(*args, **kwargs)
            except TypeError:
                given: dict[Any, Any] = {**dict(enumerate(args)), **kwargs}
                place = position if position < len(args) else keyword
                sizes = given.get(place)
                parts = sizes if isinstance(sizes, (tuple, list)) else (sizes,)
                if not any(isinstance(each, (float, numpy.floating)) for each in parts):
                    raise
            uses.record("numpy.zeros(floats)")
            given[place] = tuple(map(int, parts)) if parts is sizes else int(sizes)
            return function(*[given.pop(each) for each in range(len(args))], **given)

        return function_of_old

    for name, (position, keyword) in _SIZES.items():
        replaced(module, name, change(getattr(module, name), position, keyword), stack)


NUMPY: list[Names | NewModule | Change] = [
    Names("numpy", "NumPy 1.24 to 2.4", _MAIN),
    Names("numpy.random", "NumPy 2.5", {"random_integers": Value(random_integers, "numpy.random.randint(a, b + 1)")}),
    Names("numpy.testing", "NumPy 1.25", _TESTING),
    Names("numpy.lib", "NumPy 2.0", {"function_base": "numpy", "arraysetops": "numpy", "index_tricks": "numpy"}),
    Names("numpy.linalg", "NumPy 2.0", {"linalg": "numpy.linalg"}),
    Names("numpy.fft", "NumPy 2.0", {"fftpack": "numpy.fft", "helper": "numpy.fft"}),
    *(
        NewModule(f"numpy.testing.{name}", _testing, "numpy.testing, and the decorators")
        for name in ("utils", "nosetester", "noseclasses", "decorators")
    ),
    NewModule("numpy.linalg.linalg", "numpy.linalg"),
    NewModule("numpy.fft.fftpack", "numpy.fft"),
    NewModule("numpy.fft.helper", "numpy.fft"),
    NewModule("numpy.lib.function_base", "numpy"),
    NewModule("numpy.lib.arraysetops", "numpy"),
    NewModule("numpy.lib.index_tricks", "numpy"),
    NewModule("numpy.testing.decorators", lambda uses: {
        name: getattr(dec, name) for name in dir(_Decorators) if not name.startswith("_")
    }, "the decorators, without nose"),
    Change("numpy", "numpy.array(copy=False)", "copies where it must", _copies_at_need),
    Change("numpy", "numpy.stack(generator)", "and its kin make a list of it", _stacks_what_is_generated),
    Change("numpy", "numpy.load(allow_pickle)", "reads arrays of objects without being asked to", _loads_objects),
    Change("numpy", "numpy.fromstring(binary)", "numpy.frombuffer, copied", _bytes_of_strings),
    Change("numpy", "numpy.zeros(floats)", "sizes that are floats lose what follows the point", _sizes_of_floats),
]  # fmt: skip
