"""The settings: one table, read as plain attributes (``config.threads``), changed for the process or for a scope.

The table is the body of :class:`Config`: a row per setting with its kind, default, allowed values and meaning. A value
comes from its default, from its environment variable when Septet is imported, or from :meth:`Config.set`; on top of
these :meth:`Config.override` sets it for a ``with`` block, seen only by the thread (or asyncio task) that entered it.

Reading must cost next to nothing, since recording a node reads settings. So a value lies in the instance dictionary,
where Python finds it without running code of ours (40 ns). While any thread overrides a setting, its value is taken out
of there, and reads fall through to the row itself, a descriptor, which asks what the current context says (0.3 us).
"""

from __future__ import annotations

import operator
import os
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar, overload

from septet.base import forks
from septet.base.errors import SettingError
from septet.base.text import did_you_mean, listing, nearest, table

T = TypeVar("T")

PREFIX = "SEPTET_"
CALL = "a call"


class Setting(Generic[T]):
    """Describe one setting: a row of the table.

    Parameters
    ----------
    default : T
        The value when nobody says anything else.
    doc : str
        What the setting does, as one or two sentences.
    variable : str, optional
        The environment variable; ``SEPTET_`` and the name in capitals where it is not given.
    """

    kind = ""  # the name of the type, for listings

    def __init__(self, default: T, doc: str, *, variable: str = "") -> None:
        self.default = default
        self.doc = doc
        self.variable = variable
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name
        self.variable = self.variable or PREFIX + name.upper()

    @overload
    def __get__(self, owner: None, cls: type) -> Setting[T]: ...
    @overload
    def __get__(self, owner: Config, cls: type) -> T: ...
    def __get__(self, owner: Config | None, cls: type) -> Setting[T] | T:
        # Reached on an instance only while some thread overrides this setting: no __set__, so instance values go first.
        return self if owner is None else owner.lookup(self.name)

    @property
    def allowed(self) -> str:
        """Say in words which values are allowed."""
        raise NotImplementedError

    def parse(self, text: str) -> T:
        """Turn the text of an environment variable into a value, or raise ValueError."""
        raise NotImplementedError

    def check(self, value: object) -> T:
        """Return an allowed value in its plain Python type, or raise ValueError."""
        raise NotImplementedError

    def complain(self, value: object, origin: str) -> SettingError:
        """Make the error for a value that is not allowed."""
        hint = did_you_mean(value, self.names()) if isinstance(value, str) else ""
        return SettingError(
            f"setting {self.name}: {value!r} (from {origin}) is not allowed; expected {self.allowed}.{hint}"
        )

    def names(self) -> tuple[str, ...]:
        """List the values that have names, for suggestions."""
        return ()

    def write(self, value: T) -> str:
        """Write a value as its environment variable would hold it."""
        return str(value)


class Flag(Setting[bool]):
    """A setting that is on or off."""

    kind = "bool"
    WORDS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}

    @property
    def allowed(self) -> str:
        """Say in words which values are allowed."""
        return "True or False (in the environment 1, true, yes, on or 0, false, no, off)"

    def parse(self, text: str) -> bool:
        """Read one of the words for on and off."""
        if text.lower() not in self.WORDS:
            raise ValueError
        return self.WORDS[text.lower()]

    def check(self, value: object) -> bool:
        """Take booleans only: 1 and "yes" are more often mistakes than meant."""
        if not isinstance(value, bool):
            raise ValueError
        return value

    def names(self) -> tuple[str, ...]:
        """List the words of the environment."""
        return tuple(self.WORDS)

    def write(self, value: bool) -> str:
        """Write 1 or 0."""
        return str(int(value))


class Integer(Setting[int]):
    """A setting that is a whole number, from `minimum` on."""

    kind = "int"

    def __init__(self, default: int, doc: str, *, minimum: int, variable: str = "") -> None:
        super().__init__(default, doc, variable=variable)
        self.minimum = minimum

    @property
    def allowed(self) -> str:
        """Say in words which values are allowed."""
        return f"an integer, at least {self.minimum}"

    def parse(self, text: str) -> int:
        """Read a decimal integer."""
        return self.check(int(text))

    def check(self, value: object) -> int:
        """Take any integer type (NumPy's too) but no booleans."""
        if isinstance(value, bool):
            raise ValueError
        try:
            number = operator.index(value)  # type: ignore[arg-type]
        except TypeError:
            raise ValueError from None
        if number < self.minimum:
            raise ValueError
        return number


class Choice(Setting[str]):
    """A setting that is one of a few words."""

    kind = "str"

    def __init__(self, default: str, doc: str, *, choices: tuple[str, ...], variable: str = "") -> None:
        super().__init__(default, doc, variable=variable)
        self.choices = choices

    @property
    def allowed(self) -> str:
        """Say in words which values are allowed."""
        return listing([repr(choice) for choice in self.choices], "or")

    def parse(self, text: str) -> str:
        """Take one of the words."""
        return self.check(text)

    def check(self, value: object) -> str:
        """Take one of the words."""
        if not isinstance(value, str) or value not in self.choices:
            raise ValueError
        return value

    def names(self) -> tuple[str, ...]:
        """List the choices."""
        return self.choices


class Folder(Setting[str]):
    """A setting that is a folder, or the word `auto`; the folder need not exist yet."""

    kind = "path"

    @property
    def allowed(self) -> str:
        """Say in words which values are allowed."""
        return "a folder (a string or os.PathLike; ~ is the home folder) or 'auto'"

    def parse(self, text: str) -> str:
        """Take any text that is not empty."""
        return self.check(text)

    def check(self, value: object) -> str:
        """Take a path and write it in full."""
        if not isinstance(value, (str, os.PathLike)):
            raise ValueError
        path = os.fspath(value)
        if not isinstance(path, str) or not path.strip() or "\0" in path:
            raise ValueError
        return path if path == "auto" else os.path.abspath(os.path.expanduser(path))


class Override:
    """A ``with`` block in which settings have other values; made by :meth:`Config.override`, usable again and again."""

    __slots__ = ("_config", "values")

    def __init__(self, config: Config, values: dict[str, Any]) -> None:
        self._config = config
        self.values = values

    def __enter__(self) -> Override:
        self._config._enter(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._config._exit(self)


# The overrides in force in this context, outermost first.
_layers: ContextVar[tuple[Override, ...]] = ContextVar("septet_config", default=())


class Config:
    """Hold the settings, with their values as attributes.

    Parameters
    ----------
    environment : mapping of str to str
        Where the environment variables are looked up, once.

    Raises
    ------
    SettingError
        When an environment variable holds a value that is not allowed. One that begins with ``SEPTET_`` and belongs to
        no setting only gives a warning.

    Examples
    --------
    >>> config = Config({"SEPTET_NUM_THREADS": "2"})
    >>> config.threads
    2
    >>> with config.override(threads=1, default_float="float64"):
    ...     config.threads, config.default_float
    (1, 'float64')
    >>> config.set(threads=4)
    >>> config.threads, config.origin("threads")
    (4, 'a call')
    """

    # --- the table
    default_float = Choice(
        "float32",
        "The dtype that Python floats and functions such as `zeros` give.",
        choices=("float16", "bfloat16", "float32", "float64"),
    )
    default_int = Choice(
        "int64", "The dtype that Python integers and functions such as `arange` give.", choices=("int32", "int64")
    )
    threads = Integer(
        0,
        "Threads that compute; 0 takes the usable cores (affinity, container quota, OMP_NUM_THREADS).",
        minimum=0,
        variable="SEPTET_NUM_THREADS",
    )
    cache_dir = Folder("auto", "Where compiled code is kept; 'auto' is the folder for caches of the operating system.")
    data_dir = Folder(
        "auto",
        "Where known data sets are looked for first, and downloaded to: in a folder of their name, or in the folder "
        "itself; 'auto' is `data` in the folder for caches of the operating system.",
        variable="SEPTET_DATA",
    )
    cache_size = Integer(
        256,
        "Megabytes that compiled code may take there; what was used least recently goes first. 0 keeps none.",
        minimum=0,
    )
    record_limit = Integer(
        20_000, "Recorded nodes that may be pending before they are evaluated by themselves.", minimum=1
    )
    optimize = Choice(
        "full", "Which optimizations graphs go through before they run: all, or none.", choices=("full", "none")
    )
    backend = Choice(
        "cpu", "What graphs run on: generated native code, or NumPy, op by op.", choices=("cpu", "reference")
    )
    tier = Choice(
        "auto",
        "How define-by-run code is computed: interpreted at first and compiled when hot or large, or always one.",
        choices=("auto", "interpret", "compile"),
    )
    check_nan = Flag(False, "Check every result for NaN and infinity, and name the op that made the first one.")
    verify = Flag(False, "Verify the graph after every pass that changes it.")
    print_width = Integer(80, "Columns that printed graphs, tensors and tables may take.", minimum=20)
    convolution = Choice(
        "fast",
        "How convolutions of float32 are computed: with fewer multiplications (Winograd) where that is faster, at "
        "about twice the rounding error; or as plain sums of products. Read when a graph first runs with its shapes.",
        choices=("fast", "plain"),
    )
    deterministic = Flag(
        True,
        "Use only kernels whose results are the same to the last bit from run to run. Those of both backends are, for "
        "any setting of `threads`, so that False changes nothing today. What NumPy computes with its BLAS, such as "
        "decompositions, has the bits that NumPy gives: they can depend on OPENBLAS_NUM_THREADS.",
    )

    # --- what the table does not show
    _rows: dict[str, Setting[Any]]
    _lock: threading.Lock
    _values: dict[str, Any]
    _origins: dict[str, str]
    _starts: dict[str, tuple[Any, str]]  # name: value and origin, from the environment
    _counts: dict[str, int]  # how many overrides are in force, in all threads

    def __init__(self, environment: Mapping[str, str]) -> None:
        rows = {name: row for name, row in vars(type(self)).items() if isinstance(row, Setting)}
        # `vars(self)` is the place of the values that reads find first, so nothing is assigned as an attribute.
        state = vars(self)
        state["_rows"] = rows
        state["_lock"] = forks.hold(threading.Lock())
        state["_values"] = {name: row.default for name, row in rows.items()}
        state["_origins"] = dict.fromkeys(rows, "default")
        state["_starts"] = {}
        state["_counts"] = dict.fromkeys(rows, 0)
        self._read(environment)
        state.update(self._values)

    def _read(self, environment: Mapping[str, str]) -> None:
        found = {key: text for key, text in environment.items() if key.startswith(PREFIX)}
        if not found:
            return
        rows = {row.variable: row for row in self._rows.values()}
        for variable, text in sorted(found.items()):
            row = rows.get(variable)
            if row is None:
                warnings.warn(self._unknown_variable(variable), stacklevel=3)
                continue
            origin = f"the environment variable {variable}"
            try:
                value = row.parse(text.strip())
            except ValueError:
                raise row.complain(text, origin) from None
            self._values[row.name] = value
            self._origins[row.name] = origin
            self._starts[row.name] = (value, origin)

    def set(self, **values: object) -> None:
        """Change settings for the whole process; all of the given ones, or none when one is wrong.

        An override in force still hides the new value until its block ends.

        Parameters
        ----------
        **values
            Settings by name.

        Raises
        ------
        SettingError
            When a name or a value does not exist.
        """
        checked = self._checked(values)
        with self._lock:
            for name, value in checked.items():
                self._store(name, value, CALL)

    def reset(self, *names: str) -> None:
        """Give settings (all of them without arguments) the values back that they had when Septet was imported.

        Raises
        ------
        SettingError
            When a name does not exist.
        """
        rows = [self.row(name) for name in names] or list(self._rows.values())
        with self._lock:
            for row in rows:
                self._store(row.name, *self._starts.get(row.name, (row.default, "default")))

    def override(self, **values: object) -> Override:
        """Make a ``with`` block in which settings have other values, for the thread or asyncio task that enters it.

        Blocks nest, and leaving one by an exception restores as well. New threads start without overrides; run their
        function through ``contextvars.copy_context().run`` to hand them on.

        Parameters
        ----------
        **values
            Settings by name; checked at once.

        Returns
        -------
        Override
            A context manager.

        Raises
        ------
        SettingError
            When a name or a value does not exist.
        """
        return Override(self, self._checked(values))

    def row(self, name: str) -> Setting[Any]:
        """Return the row of a setting.

        Raises
        ------
        SettingError
            When there is no such setting.
        """
        try:
            return self._rows[name]
        except KeyError:
            raise SettingError(self._unknown(name)) from None

    def rows(self) -> Iterator[Setting[Any]]:
        """Go through the rows in the order of the table."""
        return iter(self._rows.values())

    def origin(self, name: str) -> str:
        """Say where the current value comes from: `default`, an environment variable, `a call` or `an override`.

        Raises
        ------
        SettingError
            When there is no such setting.
        """
        self.row(name)
        if any(layer._config is self and name in layer.values for layer in _layers.get()):
            return "an override"
        return self._origins[name]

    def table(self) -> str:
        """Write all settings with their current values and where these come from, as plain text."""
        lines = [
            (row.name, row.write(getattr(self, row.name)), self.origin(row.name), row.variable, row.doc)
            for row in self.rows()
        ]
        return table(lines, ["setting", "value", "from", "environment variable", "meaning"], align="lllll")

    def lookup(self, name: str) -> Any:
        """Find the value that holds in this context; attribute reads come here only while an override is in force."""
        for layer in reversed(_layers.get()):
            if layer._config is self and name in layer.values:
                return layer.values[name]
        return self._values[name]

    def __setattr__(self, name: str, value: object) -> None:
        """Do what :meth:`set` does, so that an assignment is checked too."""
        self.set(**{name: value})

    def __delattr__(self, name: str) -> None:
        """Refuse: a setting always has a value."""
        self.row(name)
        raise SettingError(f"setting {name}: cannot be deleted; config.reset({name!r}) gives the first value back.")

    if not TYPE_CHECKING:  # a type checker is to find misspelled names by itself

        def __getattr__(self, name: str) -> NoReturn:
            # That this method exists costs every read 13 ns; it makes a misspelled name a message that helps.
            text = f"Config has no attribute {name!r}" if name.startswith("_") else self._unknown(name)
            raise AttributeError(text, name=name, obj=self)

    def __repr__(self) -> str:
        changed = [f"{name}={getattr(self, name)!r}" for name in self._rows if self.origin(name) != "default"]
        return f"Config({', '.join(changed)})"

    def _unknown(self, name: str) -> str:
        hint = did_you_mean(name, self._rows)
        return f"there is no setting {name!r}.{hint or ' The settings are ' + listing(self._rows) + '.'}"

    def _unknown_variable(self, variable: str) -> str:
        # What was written may resemble the variable or the setting: SEPTET_THREADS is meant for SEPTET_NUM_THREADS.
        known = {row.variable.removeprefix(PREFIX): row.variable for row in self.rows()}
        known |= {name: row.variable for name, row in self._rows.items()}
        meant = nearest(variable.removeprefix(PREFIX), known)
        hint = "" if meant is None else f" Did you mean {known[meant]}?"
        return f"the environment variable {variable} belongs to no setting of Septet.{hint}"

    def _checked(self, values: dict[str, object]) -> dict[str, Any]:
        checked = {}
        for name, value in values.items():
            row = self.row(name)
            try:
                checked[name] = row.check(value)
            except ValueError:
                raise row.complain(value, CALL) from None
        return checked

    def _store(self, name: str, value: Any, origin: str) -> None:
        self._values[name] = value
        self._origins[name] = origin
        if not self._counts[name]:
            vars(self)[name] = value

    def _enter(self, layer: Override) -> None:
        with self._lock:
            for name in layer.values:
                self._counts[name] += 1
                vars(self).pop(name, None)
        _layers.set((*_layers.get(), layer))

    def _exit(self, layer: Override) -> None:
        layers = _layers.get()
        # The last entry of this very block goes, wherever it is: generators may leave their blocks out of order, or be
        # closed by a context that never entered.
        for place in range(len(layers) - 1, -1, -1):
            if layers[place] is layer:
                _layers.set(layers[:place] + layers[place + 1 :])
                break
        with self._lock:
            for name in layer.values:
                self._counts[name] -= 1
                if not self._counts[name]:
                    vars(self)[name] = self._values[name]


def cache_folder(setting: str, environment: Mapping[str, str] = os.environ, platform: str = sys.platform) -> str:
    """Return the folder that the setting `cache_dir` stands for; it is not created.

    Parameters
    ----------
    setting : str
        The value of the setting; `auto` means the folder that the operating system has for caches.
    environment : mapping of str to str
        Where ``XDG_CACHE_HOME`` and ``LOCALAPPDATA`` are looked up.
    platform : str
        As ``sys.platform``.

    Returns
    -------
    str
        A full path. A user without a home folder, as in some containers, has a folder among the temporary ones.

    Source
    ------
    XDG Base Directory Specification 0.8 (a path that is not absolute is ignored); Apple's File System Programming
    Guide; Windows' known folder LocalAppData.
    """
    if setting != "auto":
        return setting
    home = os.path.expanduser("~")
    if not os.path.isabs(home):
        import tempfile  # 7 ms, which few need

        home = os.path.join(tempfile.gettempdir(), f"septet-{os.getuid() if hasattr(os, 'getuid') else 'user'}")
    if platform == "win32":
        local = environment.get("LOCALAPPDATA") or os.path.join(home, "AppData", "Local")
        return os.path.join(local, "septet", "cache")
    if platform == "darwin":
        return os.path.join(home, "Library", "Caches", "septet")
    given = environment.get("XDG_CACHE_HOME", "")
    return os.path.join(given if os.path.isabs(given) else os.path.join(home, ".cache"), "septet")


config = Config(os.environ)
