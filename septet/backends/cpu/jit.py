"""From IR text to addresses of functions: look up, or compile, then load.

`addresses` is the interface; `begin` has done beforehand what it will be asked for. A function is known by its key: a hash of its text, of the processor, and of the
versions of everything that shapes the code. Functions that this process has loaded are found in memory, those that an
earlier process compiled are found on disk; all others are compiled, in several threads. What is new in memory is loaded
together.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from septet.backends.cpu import llvm, objects
from septet.backends.cpu.compiling import compile_texts
from septet.base import forks
from septet.base.config import config
from septet.base.errors import CompilerError
from septet.base.threads import thread_count
from septet.base.watch import CODE, span

# How much LLVM's code generator optimizes, 0 to 3: kernels, and what runs once for a call of them. The second is made six
# times as fast, and is a little slower (1 % of a step of define-by-run code, if all that records it is made so).
LEVEL = 2
LIGHT = 0

# A declaration of anything but an intrinsic of LLVM.
STRANGER = re.compile(r"^declare\b.*?@(?!llvm\.)([^\s(]+)", re.MULTILINE)


class Module(NamedTuple):
    """A function to compile.

    Attributes
    ----------
    entry : str
        The name of the function in the text. Other modules may use the same name.
    text : str
        LLVM IR: the function, the declarations of what it calls, and its attributes. Further functions in the text are
        `internal` or `private`. An address written into the text would be another one in the next process, and make the
        code useless there: addresses come as arguments, or as imports.
    imports : mapping of str to int or Module
        The functions that the text declares, other than LLVM's intrinsics: their addresses (one name means one address
        for all modules of the process), or modules that define them, which are compiled together with this one.
    level : int
        How much LLVM's code generator optimizes.
    """

    entry: str
    text: str
    imports: Mapping[str, int | Module] = MappingProxyType({})
    level: int = LEVEL


class _Function:
    """A function on its way into the process: claimed by the thread that compiles it, awaited by others."""

    __slots__ = ("address", "error", "is_done")

    def __init__(self) -> None:
        self.address = 0
        self.error: BaseException | None = None
        self.is_done = threading.Event()


class _Counts:
    """How many functions were brought into the process.

    Attributes
    ----------
    new : int
        Compiled.
    loaded : int
        Found on disk.
    """

    new = 0
    loaded = 0

    def add(self, new: int, loaded: int) -> None:
        """Count functions."""
        self.new += new
        self.loaded += loaded

    def counts(self) -> tuple[int, int]:
        """Return both."""
        return self.new, self.loaded


class _CountsOfThread(_Counts, threading.local):
    """Those that this thread has brought."""


made = _CountsOfThread()
made_by_all = _Counts()
_lock = threading.Lock()
_functions: dict[str, _Function] = {}
_queue: dict[str, Module] = {}  # what nobody has begun with
_worker: threading.Thread | None = None


def begin(modules: Sequence[Module]) -> None:
    """Have functions compiled in a thread of their own, for whoever will ask for their addresses.

    Who asks compiles what that thread has not begun with. Errors are for those who ask.
    """
    global _worker
    if thread_count() == 1:
        return
    own = _with_needed(modules)
    with _lock:
        _queue.update((name, module) for name, module in own.items() if name not in _functions)
        if _worker is None and _queue:
            worker = threading.Thread(target=_work_off, name="septet-begun")
            try:
                worker.start()
            except RuntimeError:  # the interpreter is about to end
                return
            _worker = worker


def _work_off() -> None:
    """Compile what is in the queue, until there is nothing."""
    global _worker
    while True:
        with forks.work:
            with _lock:
                if not _queue:
                    _worker = None
                    return
                ours = dict(_queue)
                awaited = _made_elsewhere(ours)
                if awaited is None:
                    _queue.clear()
                    _functions.update((name, _Function()) for name in ours)
            if awaited is not None:
                awaited.is_done.wait()
                continue
            try:
                _make(ours)
            except BaseException:  # one by one: the others are right
                for name, module in ours.items():
                    if _functions[name].is_done.is_set():
                        continue
                    try:
                        _make({name: module})
                    except BaseException as error:
                        _give_up({name: module}, error)


def addresses(modules: Sequence[Module], threads: int = 0) -> list[int]:
    """Return the addresses of functions, compiling those that this process does not have.

    Parameters
    ----------
    modules : sequence of Module
        Equal ones are compiled once. May be called from several threads.
    threads : int
        How many threads compile; by default as many as there are cores.

    Returns
    -------
    list of int
        In the order of `modules`. They hold until the process ends.

    Raises
    ------
    CompilerError
        When LLVM refuses a text. Then the others may have been compiled or not.
    """
    with forks.work:
        return _addresses(modules, threads)


def _addresses(modules: Sequence[Module], threads: int) -> list[int]:
    keys = [key(module) for module in modules]
    needed = _with_needed(modules)
    while True:
        ours: dict[str, Module] = {}
        try:
            functions = _claim(needed, ours)
            if ours:
                _make(ours, threads)
        except BaseException as error:
            _give_up(ours, error)
            raise
        is_whole = True
        for function in functions.values():
            function.is_done.wait()
            if isinstance(function.error, Exception):
                raise function.error
            is_whole = is_whole and function.error is None  # otherwise the thread that compiled it was interrupted
        if is_whole:
            return [functions[name].address for name in keys]


def _with_needed(modules: Sequence[Module]) -> dict[str, Module]:
    """Return modules by their keys, each after those that it imports from."""
    found: dict[str, Module] = {}
    for module in modules:
        found.update(_with_needed([value for value in module.imports.values() if isinstance(value, Module)]))
        found[key(module)] = module
    return found


def _made_elsewhere(modules: Mapping[str, Module]) -> _Function | None:
    """Return a function that another thread is making, if one of some modules, not begun with, imports it.

    It is waited for before they are begun with: who has begun with something waits for nobody.
    """
    for name, module in modules.items():
        if name not in _functions:
            for value in module.imports.values():
                function = _functions.get(key(value)) if isinstance(value, Module) else None
                if function is not None and not function.is_done.is_set():
                    return function
    return None


def _claim(modules: Mapping[str, Module], ours: dict[str, Module]) -> dict[str, _Function]:
    """Return the functions of some modules, by key; those that nobody has begun with become ours."""
    while True:
        with _lock:
            awaited = _made_elsewhere(modules)
            if awaited is None:
                functions = {}
                for name, module in modules.items():
                    found = _functions.get(name)
                    if found is None:
                        ours[name] = _queue.pop(name, module)
                        found = _functions[name] = _Function()
                    functions[name] = found
                return functions
        awaited.is_done.wait()


def _give_up(ours: Mapping[str, Module], error: BaseException) -> None:
    """Let go of functions that could not be made, and wake those who wait for them; a later call tries again."""
    with _lock:
        for name in ours:
            function = _functions.get(name)
            if function is not None and not function.is_done.is_set():
                del _functions[name]
                function.error = error
                function.is_done.set()


def key(module: Module) -> str:
    """Return the key of a function: equal keys mean equal machine code."""
    library = llvm.library()
    parts = (module.entry, _text(module), *library.host, library.version, str(module.level), objects.MAGIC.decode())
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()


def _text(module: Module) -> str:
    """Return the text of a module, with the symbols of the functions that it imports from others."""
    text = module.text
    for word, value in module.imports.items():
        if isinstance(value, Module):
            text = re.sub(rf"@{word}\b", f"@{symbol(key(value))}", text)
    return text


def _make(modules: dict[str, Module], threads: int = 0) -> None:
    """Compile and load functions that this thread has claimed, and wake those who wait for them."""
    imports: dict[str, int] = {}
    for module in modules.values():
        _check(module)
        for word, value in module.imports.items():
            if isinstance(value, int):
                imports[word] = value
            elif (own := key(value)) not in modules:  # the others are loaded together
                function = _functions.get(own)
                if function is None or not function.address:
                    raise CompilerError(f"@{word}, which @{module.entry} calls, could not be made")
                imports[symbol(own)] = function.address
    cache = objects.current()
    codes = {name: cache.read(name) for name in cache.those_there(modules.keys())}
    new = _compiled(modules, codes, threads)
    try:
        found = _loaded({name: new.get(name) or codes[name] for name in modules}, imports)
    except CompilerError:
        if len(new) == len(modules):
            raise
        cache.damaged += len(modules) - len(new)  # whole files, as far as can be seen, but of no use
        new |= _compiled(modules, new, threads)
        found = _loaded(new, imports)
    made.add(len(new), len(modules) - len(new))
    with _lock:
        made_by_all.add(len(new), len(modules) - len(new))
    for name, address in found.items():
        function = _functions[name]
        function.address = address
        function.is_done.set()
    cache.write(new)  # nobody waits for the disk


def _compiled(modules: Mapping[str, Module], known: Mapping[str, bytes | None], threads: int) -> dict[str, bytes]:
    """Return the object code of the functions that is not known."""
    missing = [name for name in modules if known.get(name) is None]
    with span(CODE, f"{len(missing)} kernels, {len(modules) - len(missing)} from disk"):
        return dict(zip(missing, _compile([(symbol(name), modules[name]) for name in missing], threads)))


def _loaded(codes: Mapping[str, bytes | None], imports: Mapping[str, int]) -> dict[str, int]:
    """Load object code, and return the addresses of the functions."""
    found = llvm.link([code or b"" for code in codes.values()], [symbol(name) for name in codes], imports)
    return dict(zip(codes, found))


def symbol(name: str) -> str:
    """Return the name that a function has for the linker, unlike all others."""
    return f"septet_{name}"


def _compile(jobs: Sequence[tuple[str, Module]], threads: int) -> list[bytes]:
    """Compile modules to object code, each entry renamed to its symbol."""
    texts = [(_text(module).replace(f"@{module.entry}(", f"@{target}("), module.level) for target, module in jobs]
    return compile_texts(texts, threads, verify=config.verify)


def _check(module: Module) -> None:
    """Refuse a text without its entry, and one that calls what it does not import: any of that name would be taken."""
    if f"@{module.entry}(" not in module.text:
        raise CompilerError(f"the module does not define its entry @{module.entry}")
    for name in STRANGER.findall(module.text):
        if name not in module.imports:
            raise CompilerError(f"the module of @{module.entry} calls @{name}, which is not among its imports")


def _forget_others() -> None:
    """Start anew in a forked child: what other threads were compiling will never be done there."""
    global _lock, _worker
    _lock = threading.Lock()
    _worker = None
    for name in [name for name, function in _functions.items() if not function.is_done.is_set()]:
        del _functions[name]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_others)
