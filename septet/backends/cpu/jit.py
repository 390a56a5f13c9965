"""From IR text to addresses of functions: look up, or compile, then load.

`addresses` is the whole interface. A function is known by its key: a hash of its text, of the processor, and of the
versions of everything that shapes the code. Functions that this process has loaded are found in memory; all others are
compiled, in several threads, and loaded together.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
from collections.abc import Sequence
from typing import NamedTuple

from septet.backends.cpu import llvm
from septet.base.config import config
from septet.base.errors import CompilerError
from septet.base.threads import thread_count

# How much LLVM's code generator optimizes, 0 to 3.
LEVEL = 2

# A declaration of anything but an intrinsic of LLVM.
STRANGER = re.compile(r"^declare\b.*?@(?!llvm\.)([^\s(]+)", re.MULTILINE)


class Module(NamedTuple):
    """A function to compile.

    Attributes
    ----------
    entry : str
        The name of the function in the text. Other modules may use the same name.
    text : str
        LLVM IR: the function, the declarations of the intrinsics that it uses, and its attributes. Whatever else it
        calls it must call by address. Further functions in the text are `internal` or `private`.
    """

    entry: str
    text: str


class _Function:
    """A function on its way into the process: claimed by the thread that compiles it, awaited by others."""

    __slots__ = ("address", "error", "is_done")

    def __init__(self) -> None:
        self.address = 0
        self.error: BaseException | None = None
        self.is_done = threading.Event()


_lock = threading.Lock()
_functions: dict[str, _Function] = {}


def addresses(modules: Sequence[Module]) -> list[int]:
    """Return the addresses of functions, compiling those that this process does not have.

    Parameters
    ----------
    modules : sequence of Module
        Equal ones are compiled once. May be called from several threads.

    Returns
    -------
    list of int
        In the order of `modules`. They hold until the process ends.

    Raises
    ------
    CompilerError
        When LLVM refuses a text. Then the others may have been compiled or not.
    """
    keys = [key(module) for module in modules]
    ours: dict[str, Module] = {}
    functions = {}
    with _lock:
        for name, module in zip(keys, modules):
            found = _functions.get(name)
            if found is None:
                found = _functions[name] = _Function()
                ours[name] = module
            functions[name] = found
    if ours:
        _make(ours)
    for function in functions.values():
        function.is_done.wait()
        if function.error is not None:
            raise function.error
    return [functions[name].address for name in keys]


def key(module: Module) -> str:
    """Return the key of a function: equal keys mean equal machine code."""
    library = llvm.library()
    parts = (module.entry, module.text, *library.host, library.version, str(LEVEL))
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()


def _make(modules: dict[str, Module]) -> None:
    """Compile and load functions that this thread has claimed, and wake those who wait for them."""
    try:
        codes = _compile([(symbol(name), module) for name, module in modules.items()])
        found = llvm.link(codes, [symbol(name) for name in modules])
    except BaseException as error:
        with _lock:
            for name in modules:
                function = _functions.pop(name)  # a later call tries again
                function.error = error
                function.is_done.set()
        raise
    for name, address in zip(modules, found):
        function = _functions[name]
        function.address = address
        function.is_done.set()


def symbol(name: str) -> str:
    """Return the name that a function has for the linker, unlike all others."""
    return f"septet_{name}"


def _compile(jobs: Sequence[tuple[str, Module]]) -> list[bytes]:
    """Compile modules to object code, each entry renamed to its symbol, in as many threads as there are cores."""
    codes = [b""] * len(jobs)
    errors: list[BaseException] = []
    places = iter(range(len(jobs)))
    lock = threading.Lock()
    verify = config.verify

    def work() -> None:
        while not errors:
            with lock:
                place = next(places, None)
            if place is None:
                return
            target, (entry, text) = jobs[place]
            try:
                _check(entry, text)
                renamed = text.replace(f"@{entry}(", f"@{target}(")
                codes[place] = llvm.compile_text(renamed, LEVEL, verify=verify)
            except BaseException as error:
                errors.append(error)

    helpers = [threading.Thread(target=work, daemon=True) for _ in range(min(thread_count(), len(jobs)) - 1)]
    for helper in helpers:
        helper.start()
    work()
    for helper in helpers:
        helper.join()
    if errors:
        raise errors[0]
    return codes


def _check(entry: str, text: str) -> None:
    """Refuse a text without its entry, and one that calls functions by name: any of the process would be taken."""
    if f"@{entry}(" not in text:
        raise CompilerError(f"the module does not define its entry @{entry}")
    stranger = STRANGER.search(text)
    if stranger:
        raise CompilerError(f"the module of @{entry} calls @{stranger[1]} by name; it must call it by its address")


def _forget_others() -> None:
    """Start anew in a forked child: what other threads were compiling will never be done there."""
    global _lock
    _lock = threading.Lock()
    for name in [name for name, function in _functions.items() if not function.is_done.is_set()]:
        del _functions[name]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_others)
