"""LLVM's library, called through ctypes: IR text to object code, object code to addresses.

The wheel `llvmlite` brings LLVM as one shared library with a C interface. Its Python layer takes one lock around every
call and loads modules that we do not need (40 ms at the start of a process), so the dozen functions that a compiler
calls are declared here instead. A test compares these declarations with those of the installed `llvmlite`, whose
version is pinned to the one they were written for.

Nothing is loaded before the first call. LLVM is safe with threads as long as each works in a context of its own, which
`compile_text` makes; linking goes through one shared linker, and a lock.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from septet.backends.cpu.loading import failure, load, reason_of
from septet.base import forks
from septet.base.errors import CompilerError

Pointer, String, Integer, Size = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_size_t

LIBRARY_NAMES = {"win32": "llvmlite.dll", "darwin": "libllvmlite.dylib"}
PACKAGE = "llvmlite"
HINT = (
    'run: pip install --force-reinstall "llvmlite>=0.50,<0.51"; until then st.config.set(backend="reference") computes '
    "with NumPy"
)

# name: (result, arguments)
FUNCTIONS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "LLVMPY_InitializeNativeTarget": (None, ()),
    "LLVMPY_InitializeNativeAsmPrinter": (None, ()),
    "LLVMPY_GetVersionInfo": (ctypes.c_uint, ()),
    "LLVMPY_GetProcessTriple": (None, (Pointer,)),
    "LLVMPY_GetHostCPUName": (None, (Pointer,)),
    "LLVMPY_GetHostCPUFeatures": (Integer, (Pointer,)),
    "LLVMPY_DisposeString": (None, (Pointer,)),
    "LLVMPY_GetTargetFromTriple": (Pointer, (String, Pointer)),
    "LLVMPY_CreateTargetMachine": (
        Pointer,
        (Pointer, String, String, String, Integer, String, String, Integer, Integer, String),
    ),
    "LLVMPY_ContextCreate": (Pointer, ()),
    "LLVMPY_ContextDispose": (None, (Pointer,)),
    "LLVMPY_ParseAssembly": (Pointer, (Pointer, String, Pointer)),
    "LLVMPY_VerifyModule": (ctypes.c_bool, (Pointer, Pointer)),
    "LLVMPY_DisposeModule": (None, (Pointer,)),
    "LLVMPY_TargetMachineEmitToMemory": (Pointer, (Pointer, Pointer, Integer, Pointer)),
    "LLVMPY_GetBufferStart": (Pointer, (Pointer,)),
    "LLVMPY_GetBufferSize": (Size, (Pointer,)),
    "LLVMPY_DisposeMemoryBuffer": (None, (Pointer,)),
    "LLVMPY_CreateLLJITCompiler": (Pointer, (Pointer, ctypes.c_bool, ctypes.c_bool, Pointer)),
    "LLVMPY_LLJIT_Link": (Pointer, (Pointer, String, Pointer, Size, Pointer, Size, Pointer, Size, Pointer)),
}


LONG = frozenset({
    "LLVMPY_InitializeNativeTarget", "LLVMPY_GetHostCPUFeatures", "LLVMPY_ParseAssembly", "LLVMPY_VerifyModule",
    "LLVMPY_TargetMachineEmitToMemory", "LLVMPY_CreateLLJITCompiler", "LLVMPY_LLJIT_Link",
    "LLVMPY_InitializeNativeAsmPrinter",
})  # fmt: skip
"""Functions that let go of Python's lock. The others take microseconds, and to get the lock back from a thread that runs
Python takes up to five milliseconds."""


class _Element(ctypes.Structure):
    """What goes into a library: here always an object file, which is kind 2."""

    _fields_ = [("kind", ctypes.c_uint8), ("value", ctypes.c_char_p), ("length", ctypes.c_size_t)]


class _Symbol(ctypes.Structure):
    """The name and address of an imported or exported symbol."""

    _fields_ = [("name", ctypes.c_char_p), ("address", ctypes.c_uint64)]


OBJECT_FILE = 2

# The functions of the C library that LLVM may call without being asked to: for copies of unknown size, and for the
# instruction `frem`.
IMPORTS = (b"memcpy", b"memmove", b"memset", b"fmod", b"fmodf")


class Host(NamedTuple):
    """The machine that code is made for, in LLVM's words."""

    triple: str
    cpu: str
    features: str


class _Library:
    """The loaded library: its functions as attributes, and what the host is."""

    def __init__(self) -> None:
        try:
            import llvmlite  # 1 ms: the name and version only

            self.version: str = llvmlite.__version__
            folder = os.path.dirname(str(llvmlite.__file__))
        except (ImportError, AttributeError) as error:
            raise failure("LLVM", {f"the package {PACKAGE}": reason_of(error)}, HINT) from error
        path = os.path.join(folder, "binding", LIBRARY_NAMES.get(sys.platform, "libllvmlite.so"))
        try:
            library = load(path)
            quick = ctypes.PyDLL(path, handle=library._handle)
            for function, (result, arguments) in FUNCTIONS.items():
                entry = getattr(library if function in LONG else quick, function)
                entry.restype, entry.argtypes = result, arguments
                setattr(self, function.removeprefix("LLVMPY_"), entry)
        except (OSError, AttributeError) as error:
            reason = reason_of(error, path)
            raise failure("LLVM", {path: f"{reason} ({PACKAGE} {self.version})"}, HINT) from error
        self.runtime = ctypes.CDLL("ucrtbase.dll" if sys.platform == "win32" else None)
        self.InitializeNativeTarget()
        features = ",".join(sorted(self.text(self.GetHostCPUFeatures).split(",")))  # LLVM's order changes
        self.host = Host(self.text(self.GetProcessTriple), self.text(self.GetHostCPUName), features)
        self.linker: int | None = None
        self.target: int | None = None
        self.machines: dict[int, list[int]] = {}  # by level: those that no thread works with

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)  # for type checkers: the functions are attributes

    def text(self, function: Any) -> str:
        """Call a function that returns its text through a pointer."""
        out = Pointer()
        function(ctypes.byref(out))
        return self.take(out)

    def take(self, out: Any) -> str:
        """Return a text that the library made, and free it."""
        if not out.value:
            return ""
        text = ctypes.string_at(out.value).decode("utf-8", "replace")
        self.DisposeString(out)
        return text

    def process_address(self, name: bytes) -> int:
        """Return the address of a function of the C library."""
        found = ctypes.cast(getattr(self.runtime, name.decode()), Pointer).value
        assert found
        return found

    def borrow_machine(self, level: int) -> int:
        """Return a machine to generate code with, for one thread; a new one costs 1 ms more than one used before."""
        with _lock:
            idle = self.machines.setdefault(level, [])
            if idle:
                return idle.pop()
            if self.target is None:
                self.InitializeNativeAsmPrinter()
                error = Pointer()
                self.target = self.GetTargetFromTriple(self.host.triple.encode(), ctypes.byref(error))
                if not self.target:
                    raise CompilerError(f"LLVM has no target {self.host.triple}: {self.take(error)}")
        triple, cpu, features = (part.encode() for part in self.host)
        machine: int = self.CreateTargetMachine(
            self.target, triple, cpu, features, level, b"pic", b"default", 0, 0, b""
        )
        if not machine:
            raise CompilerError(f"LLVM makes no code for {self.host.cpu} ({self.host.triple})")
        return machine

    def give_back(self, machines: Sequence[tuple[int, int]]) -> None:
        """Let others use machines, given with their levels."""
        with _lock:
            for level, machine in machines:
                self.machines[level].append(machine)

    def take_code(self, buffer: int) -> bytes:
        """Return what is in a buffer of the library, and free it."""
        code = ctypes.string_at(self.GetBufferStart(buffer), self.GetBufferSize(buffer))
        self.DisposeMemoryBuffer(buffer)
        return code

    def prepare_to_link(self) -> int:
        """Make the linker, once, and return it."""
        if self.linker is None:
            error = Pointer()
            linker = self.CreateLLJITCompiler(None, False, False, ctypes.byref(error))
            if not linker:
                raise CompilerError(f"LLVM's linker could not be made: {self.take(error)}")
            self.linker = linker
        return self.linker


_lock = forks.hold(threading.RLock())
_numbers = itertools.count()
_library: _Library | None = None


def library() -> _Library:
    """Load the library, once, and return it.

    Raises
    ------
    LibraryError
        If it cannot be loaded.
    """
    global _library
    if _library is None:
        with _lock:
            if _library is None:
                _library = _Library()
    return _library


def compile_text(text: str, level: int, *, verify: bool = False) -> bytes:
    """Compile IR text to an object file for the host.

    May run in several threads at once: the context and the target machine belong to the call while it lasts, and
    Python's lock is not held while LLVM works.

    Parameters
    ----------
    text : str
        A module in LLVM's text form.
    level : int
        How much the code generator optimizes, 0 to 3.
    verify : bool
        Check the module first; LLVM does not survive every wrong one.

    Returns
    -------
    bytes
        An object file in the host's format.

    Raises
    ------
    CompilerError
        When LLVM does not accept the text, with LLVM's words and the line they are about.
    """
    llvm = library()
    machine = llvm.borrow_machine(level)
    context = llvm.ContextCreate()
    module = None
    error = Pointer()
    try:
        module = llvm.ParseAssembly(context, text.encode(), ctypes.byref(error))
        if not module:
            raise CompilerError(f"LLVM cannot read this module: {llvm.take(error).strip()}")
        if verify and llvm.VerifyModule(module, ctypes.byref(error)):
            raise CompilerError(f"LLVM's verifier refuses this module: {llvm.take(error).strip()}\n\n{text}")
        buffer = llvm.TargetMachineEmitToMemory(machine, module, 1, ctypes.byref(error))
        if not buffer:
            raise CompilerError(f"LLVM makes no code from this module: {llvm.take(error).strip()}")
        return llvm.take_code(buffer)
    finally:
        if module:
            llvm.DisposeModule(module)
        llvm.ContextDispose(context)
        llvm.give_back([(level, machine)])


def link(codes: Sequence[bytes], names: Sequence[str], imports: Mapping[str, int]) -> list[int]:
    """Load object files into the process, for as long as it lives.

    Loading many at once takes a third of the time and a quarter of the memory of loading one by one.

    Parameters
    ----------
    codes : sequence of bytes
        What `compile_text` made, on this machine or one like it.
    names : sequence of str
        Functions that the object files define; no name may have been linked before.
    imports : mapping of str to int
        The addresses of functions that the object files call by name, besides those of `IMPORTS`.

    Returns
    -------
    list of int
        The addresses of the functions, in order.

    Raises
    ------
    CompilerError
        When a name is missing, or an object file needs a function that is not there, or cannot be read.
    """
    llvm = library()
    elements = (_Element * len(codes))(*[_Element(OBJECT_FILE, code, len(code)) for code in codes])
    exports = (_Symbol * len(names))(*[_Symbol(name.encode(), 0) for name in names])
    known = {name.encode(): address for name, address in imports.items()}
    for name in IMPORTS:
        if any(b"\0%b\0" % name in code for code in codes):
            known[name] = llvm.process_address(name)
    symbols = (_Symbol * len(known))(*[_Symbol(name, address) for name, address in known.items()])
    error = Pointer()
    with _lock:
        linker = llvm.prepare_to_link()
        library_name = f"septet{next(_numbers)}".encode()
        tracker = llvm.LLJIT_Link(
            linker, library_name, elements, len(codes), symbols, len(symbols), exports, len(names), ctypes.byref(error)
        )
    if not tracker:
        raise CompilerError(f"LLVM cannot load {', '.join(names)}: {llvm.take(error).strip()}")
    return [symbol.address for symbol in exports]
