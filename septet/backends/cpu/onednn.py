"""Primitives of oneDNN, made through its C interface: convolution, pooling, matrix products, reorders.

A primitive is made for concrete shapes, layouts and attributes, and for a number of threads: with one thread it runs
inside the thread that executes it, so that tasks of our own parallel regions may call it. What a native step needs (the
handles of the primitive and of its memory objects) is made by `onednn_tasks`.

The library is found in the environment that Python runs in, and loaded at the first use.
"""

from __future__ import annotations

import ctypes
import platform
import sys
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from septet.backends.cpu import onednn_types as types
from septet.backends.cpu import openmp
from septet.backends.cpu.layouts import Convolution, Layout, Pairs, Window
from septet.backends.cpu.loading import failure, load, reason_of
from septet.base import forks
from septet.base.errors import LibraryError, NotSupportedError
from septet.base.threads import thread_count

NAME, DISTRIBUTION, FILE = "oneDNN", "onednn-cpu-gomp", "libdnnl.so.3"
HINT = f"on Linux with an x86-64 processor, run: pip install --force-reinstall {DISTRIBUTION}"


# The library.


class Library:
    """The loaded library: its functions, one engine, one stream.

    Attributes
    ----------
    path : Path
    engine, stream : int
        Handles; they live as long as the process.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.openmp = openmp.library()
        self._library = load(path)
        for name, (result, arguments) in types.FUNCTIONS.items():
            function = getattr(self._library, name)
            function.restype = types.Integer if result is None else result
            function.argtypes = arguments
        version = self._library.dnnl_version().contents
        self.version = (version.major, version.minor, version.patch)
        if version.major != 3 or version.cpu_runtime != types.OPENMP_RUNTIME:
            number = ".".join(map(str, self.version))
            raise OSError(f"it is oneDNN {number}, which is not oneDNN 3 on OpenMP")
        self.engine = self.make("dnnl_engine_create", types.CPU, 0)
        self.stream = self.make("dnnl_stream_create", self.engine, types.IN_ORDER)

    def call(self, name: str, *arguments: Any) -> Any:
        """Call a function; a bad status becomes an exception.

        Raises
        ------
        NotSupportedError
            If oneDNN has no implementation.
        RuntimeError
            On any other status: arguments of ours that oneDNN refuses, or no memory.
        """
        answer = getattr(self._library, name)(*arguments)
        if types.FUNCTIONS[name][0] is not None:
            return answer
        if answer == types.UNIMPLEMENTED:
            raise NotSupportedError(f"oneDNN has no implementation ({name})")
        if answer != types.SUCCESS:
            raise RuntimeError(f"{name}: {types.STATUS.get(answer, 'status')} ({answer})")
        return None

    def make(self, name: str, *arguments: Any) -> int:
        """Call a function whose first argument receives a handle, and return the handle."""
        handle = ctypes.c_void_p()
        self.call(name, ctypes.byref(handle), *arguments)
        assert handle.value is not None
        return handle.value

    def addresses(self) -> dict[str, int]:
        """Return the addresses of what native code calls: to execute a primitive, and OpenMP's number of threads."""
        found = {}
        for library, name in (
            (self._library, "dnnl_primitive_execute"),
            (self._library, "dnnl_memory_set_data_handle"),
            (self.openmp, "omp_get_max_threads"),
            (self.openmp, "omp_set_num_threads"),
        ):
            address = ctypes.cast(getattr(library, name), ctypes.c_void_p).value
            assert address is not None
            found[name] = address
        return found

    @contextmanager
    def threads(self, count: int) -> Iterator[None]:
        """Let OpenMP have this many threads for what the calling thread does inside a ``with`` block."""
        before = self.openmp.omp_get_max_threads()
        self.openmp.omp_set_num_threads(count)
        try:
            yield
        finally:
            self.openmp.omp_set_num_threads(before)


_lock = forks.hold(threading.Lock())
_loaded: list[Library | LibraryError] = []  # the library, or why there is none


def _places() -> Iterator[Path]:
    """Where the library may lie: where its package was installed to, and the folders of the environment."""
    from importlib import metadata  # 25 ms, and no use where nothing needs the library

    try:
        for file in metadata.files(DISTRIBUTION) or ():
            if file.name == FILE:
                yield Path(str(file.locate())).resolve()
    except metadata.PackageNotFoundError:
        pass
    yield Path(sys.prefix) / "lib" / FILE
    for folder in sys.path:
        if folder.endswith("site-packages"):
            yield Path(folder).parent.parent / FILE


def _load() -> Library | LibraryError:
    tried: dict[str, str] = {}
    for path in map(str, _places()):
        if path in tried:
            continue
        try:
            return Library(Path(path))
        except (OSError, AttributeError, RuntimeError, LibraryError) as error:
            tried[path] = reason_of(error, path)
    return failure(NAME, tried, HINT)


def _outcome() -> Library | LibraryError:
    if not _loaded:
        with _lock:
            if not _loaded:
                _loaded.append(_load())
    return _loaded[0]


def available() -> bool:
    """Return whether oneDNN can be used; the first call loads it."""
    return isinstance(_outcome(), Library)


def why_not() -> str:
    """Return why oneDNN cannot be used; empty where it can."""
    outcome = _outcome()
    return outcome.message if isinstance(outcome, LibraryError) else ""


def library() -> Library:
    """Return the library.

    Raises
    ------
    LibraryError
        If there is none, with the reason.
    """
    outcome = _outcome()
    if isinstance(outcome, LibraryError):
        raise outcome.with_traceback(None)
    return outcome


def is_preferred() -> bool:
    """Return whether oneDNN can be used where it is the best choice; say, once, that it cannot where it belongs.

    Its package is installed with Septet on Linux with an x86-64 processor. Elsewhere our own kernels are the usual way.
    """
    outcome = _outcome()
    if isinstance(outcome, LibraryError) and sys.platform == "linux" and platform.machine() == "x86_64":
        outcome.warn("our own kernels compute in its place, some convolutions more slowly")
    return isinstance(outcome, Library)


# Descriptors.


class Descriptor:
    """A description of memory that oneDNN made or took over.

    Attributes
    ----------
    handle : int
    size : int
        Bytes.
    """

    __slots__ = ("__weakref__", "handle", "size")

    def __init__(self, handle: int) -> None:
        self.handle = handle
        self.size = int(library().call("dnnl_memory_desc_get_size", handle))
        weakref.finalize(self, library().call, "dnnl_memory_desc_destroy", handle).atexit = False

    def equals(self, other: Descriptor) -> bool:
        """Return whether two describe the same layout, so that no reorder is needed between them."""
        return bool(library().call("dnnl_memory_desc_equal", self.handle, other.handle))


def describe(layout: Layout, groups: int = 1) -> Descriptor:
    """Return the descriptor of a layout; a kernel of several groups gets an axis of groups in front."""
    shape, strides = layout.shape, layout.strides
    if groups > 1:
        shape = (groups, shape[0] // groups, *shape[1:])
        if strides is not None:
            strides = (strides[0] * shape[1], *strides)
    dtype = types.DTYPES[layout.dtype]
    if strides is None:
        handle = library().make("dnnl_memory_desc_create_with_tag", len(shape), _dims(shape), dtype, types.ANY_LAYOUT)
    else:
        name = "dnnl_memory_desc_create_with_strides"
        handle = library().make(name, len(shape), _dims(shape), dtype, _dims(strides))
    return Descriptor(handle)


def _dims(sizes: Sequence[int]) -> Any:
    return types.Dims(*sizes)


# Primitives.


class Primitive:
    """A computation on given layouts, compiled by oneDNN.

    Attributes
    ----------
    handle : int
    arguments : dict of str to Descriptor
        What it reads and writes, by name (the names of `onednn_types.ARGUMENTS`), without the scratchpad.
    scratchpad : int
        Bytes that it needs while it runs, besides its arguments.
    implementation : str
        What oneDNN chose, in its words.
    threads : int
        How many threads it runs in.
    """

    __slots__ = (
        "__weakref__",
        "arguments",
        "handle",
        "implementation",
        "scratchpad",
        "scratchpad_descriptor",
        "threads",
    )

    def __init__(self, description: int, names: Sequence[str], threads: int) -> None:
        self.threads = threads
        self.arguments = {name: _argument(description, name) for name in names}
        self.scratchpad_descriptor = _argument(description, "scratchpad")
        self.scratchpad = self.scratchpad_descriptor.size
        words = ctypes.c_char_p()
        query = types.QUERY_IMPLEMENTATION
        library().call("dnnl_primitive_desc_query", description, query, 0, ctypes.byref(words))
        self.implementation = (words.value or b"").decode()
        self.handle = library().make("dnnl_primitive_create", description)
        weakref.finalize(self, library().call, "dnnl_primitive_destroy", self.handle).atexit = False

    def __repr__(self) -> str:
        return f"<{self.implementation} of {', '.join(self.arguments)}>"

    @property
    def is_fast(self) -> bool:
        """Whether it is more than the plain loops that oneDNN falls back to."""
        return not self.implementation.startswith("ref")

    def __call__(self, **arrays: np.ndarray) -> None:
        """Execute on arrays that lie as the descriptors say: for tests and measurements, not for plans.

        Parameters
        ----------
        **arrays
            By argument name. Results are written in place.
        """
        scratchpad = np.empty(self.scratchpad + 64, np.uint8)
        lib = library()
        memories = []
        table = (types.Argument * (len(self.arguments) + 1))()
        places = [(name, descriptor, arrays[name].ctypes.data) for name, descriptor in self.arguments.items()]
        places.append(("scratchpad", self.scratchpad_descriptor, -(-scratchpad.ctypes.data // 64) * 64))
        try:
            for entry, (name, descriptor, address) in zip(table, places, strict=True):
                memories.append(lib.make("dnnl_memory_create", descriptor.handle, lib.engine, address))
                entry.argument, entry.memory = types.ARGUMENTS[name], memories[-1]
            with lib.threads(self.threads):
                lib.call("dnnl_primitive_execute", self.handle, lib.stream, len(table), ctypes.addressof(table))
        finally:
            for memory in memories:
                lib.call("dnnl_memory_destroy", memory)


def _argument(description: int, name: str) -> Descriptor:
    """Return a descriptor of a primitive's argument that outlives the description."""
    lib = library()
    is_bias = name.startswith("bias")
    query = types.QUERIES[name.replace("bias", "kernel")]
    found = lib.call("dnnl_primitive_desc_query_md", description, query, types.BIAS_INDEX if is_bias else 0)
    return Descriptor(lib.make("dnnl_memory_desc_clone", found))


@contextmanager
def _attributes(post: Sequence[tuple[str, float]] = ()) -> Iterator[int]:
    """Make a primitive's attributes: the caller brings its scratchpad; what follows the main operation."""
    lib = library()
    attributes = lib.make("dnnl_primitive_attr_create")
    operations = lib.make("dnnl_post_ops_create")
    try:
        lib.call("dnnl_primitive_attr_set_scratchpad_mode", attributes, types.USER_SCRATCHPAD)
        for name, number in post:
            if name == "sum":
                lib.call("dnnl_post_ops_append_sum", operations, number, 0, 0)
            elif name == "relu":
                lib.call("dnnl_post_ops_append_eltwise", operations, types.RELU, number, 0.0)
            else:
                raise ValueError(f"post-operation {name!r} is neither 'sum' nor 'relu'")
        lib.call("dnnl_primitive_attr_set_post_ops", attributes, operations)
        yield attributes
    finally:
        lib.call("dnnl_post_ops_destroy", operations)
        lib.call("dnnl_primitive_attr_destroy", attributes)


@contextmanager
def _description(name: str, *arguments: Any) -> Iterator[int]:
    """Make a primitive's description for the time of a ``with`` block."""
    lib = library()
    description = lib.make(name, *arguments)
    try:
        yield description
    finally:
        lib.call("dnnl_primitive_desc_destroy", description)


CACHED = 1024  # primitives that are kept although no plan uses them, of some 20 kB each


def _window(sizes: Convolution) -> list[Any]:
    """Return strides, dilations and padding as oneDNN takes them."""
    low, high = zip(*sizes.padding, strict=True)
    return [_dims(sizes.stride), _dims([d - 1 for d in sizes.dilation]), _dims(low), _dims(high)]


@lru_cache(maxsize=CACHED)
def convolution(
    kind: str,
    sizes: Convolution,
    *,
    bias: Layout | None = None,
    post: tuple[tuple[str, float], ...] = (),
    threads: int = 0,
) -> Primitive:
    """Return the primitive of a convolution or of one of its gradients.

    Parameters
    ----------
    kind : str
        ``conv`` (arguments x, kernel, y), ``conv_input`` (x_gradient, kernel, y_gradient) or ``conv_kernel`` (x,
        kernel_gradient, y_gradient): the names of the ops.
    sizes : Convolution
    bias : Layout, optional
        Of shape (O,): added to y (argument bias), or for ``conv_kernel`` its gradient (bias_gradient).
    post : tuple of (str, float)
        What follows a forward convolution, in order: ("relu", slope below 0) and ("sum", factor), which adds to what y
        held before.
    threads : int
        In how many threads it runs; 0 means as many as there are cores (`septet.base.threads`).

    Returns
    -------
    Primitive
        Equal arguments return the same one.

    Raises
    ------
    NotSupportedError
        If oneDNN is not available, or has no implementation.
    """
    threads = threads or thread_count()
    x, kernel, y = describe(sizes.x), describe(sizes.kernel, sizes.groups), describe(sizes.y)
    offset = None if bias is None else describe(bias)
    offset_handle = None if offset is None else offset.handle
    lib, direct, window = library(), types.CONVOLUTION_DIRECT, _window(sizes)
    forward = "dnnl_convolution_forward_primitive_desc_create"
    forward_args = (types.FORWARD_TRAINING, direct, x.handle, kernel.handle, None, y.handle, *window)
    with lib.threads(threads):
        if kind == "conv":
            forward_args = (types.FORWARD_TRAINING, direct, x.handle, kernel.handle, offset_handle, y.handle, *window)
            names = ["x", "kernel", *(["bias"] if bias else []), "y"]
            with _attributes(post) as attributes, _description(forward, lib.engine, *forward_args, attributes) as made:
                return Primitive(made, names, threads)
        with _attributes() as attributes, _description(forward, lib.engine, *forward_args, attributes) as hint:
            if kind == "conv_input":
                names = ["x_gradient", "kernel", "y_gradient"]
                name = "dnnl_convolution_backward_data_primitive_desc_create"
                arguments = (direct, x.handle, kernel.handle, y.handle, *window)
            elif kind == "conv_kernel":
                names = ["x", "kernel_gradient", *(["bias_gradient"] if bias else []), "y_gradient"]
                name = "dnnl_convolution_backward_weights_primitive_desc_create"
                arguments = (direct, x.handle, kernel.handle, offset_handle, y.handle, *window)
            else:
                raise ValueError(f"{kind!r} is not a kind of convolution")
            with _description(name, lib.engine, *arguments, hint, attributes) as made:
                return Primitive(made, names, threads)


@lru_cache(maxsize=CACHED)
def pooling(
    kind: str, x: Layout, y: Layout, window: Window, stride: Window, padding: Pairs, dilation: Window, *,
    is_gradient: bool = False, is_training: bool = True, threads: int = 0,
) -> Primitive:  # fmt: skip
    """Return the primitive of pooling or of its gradient.

    Parameters
    ----------
    kind : str
        ``max``, ``average`` (over the elements inside x) or ``average_with_padding``.
    x, y : Layout
        (B, C, ...) before and after.
    window, stride, dilation : tuple of int
        One for each spatial axis.
    padding : tuple of (int, int)
        Low and high, for each spatial axis.
    is_gradient : bool
        Arguments x_gradient, y_gradient, instead of x, y. For the maximum also workspace, which the forward primitive
        with `is_training` writes.
    is_training : bool
        Whether the forward primitive of the maximum has the argument workspace.
    threads : int
        As for `convolution`.

    Returns
    -------
    Primitive

    Raises
    ------
    NotSupportedError
        If oneDNN is not available, or has no implementation.

    Notes
    -----
    The maximum of a window with a NaN is not NaN, unlike that of the op `max_pool`.
    """
    threads = threads or thread_count()
    lib, algorithm = library(), types.POOLING[kind]
    source, result = describe(x), describe(y)
    low, high = zip(*padding, strict=True)
    sizes = (_dims(stride), _dims(window), _dims([d - 1 for d in dilation]), _dims(low), _dims(high))
    mode = types.FORWARD_TRAINING if is_training or is_gradient else types.FORWARD_INFERENCE
    workspace = ["workspace"] if kind == "max" and mode == types.FORWARD_TRAINING else []
    forward = "dnnl_pooling_forward_primitive_desc_create"
    with lib.threads(threads), _attributes() as attributes:
        arguments = (mode, algorithm, source.handle, result.handle, *sizes, attributes)
        with _description(forward, lib.engine, *arguments) as made:
            if not is_gradient:
                return Primitive(made, ["x", "y", *workspace], threads)
            arguments = (algorithm, source.handle, result.handle, *sizes, made, attributes)
            with _description("dnnl_pooling_backward_primitive_desc_create", lib.engine, *arguments) as backward:
                return Primitive(backward, ["x_gradient", "y_gradient", *workspace], threads)


@lru_cache(maxsize=CACHED)
def matmul(
    x: Layout, kernel: Layout, y: Layout, *, bias: Layout | None = None, post: tuple[tuple[str, float], ...] = (),
    threads: int = 0,
) -> Primitive:  # fmt: skip
    """Return the primitive of a product of matrices (..., M, K) x (..., K, N), with what may follow it.

    Parameters
    ----------
    x, kernel, y : Layout
        Of equal rank.
    bias : Layout, optional
        Of the rank of y, each size 1 or that of y.
    post, threads
        As for `convolution`.

    Returns
    -------
    Primitive

    Raises
    ------
    NotSupportedError
        If oneDNN is not available, or has no implementation.
    """
    threads = threads or thread_count()
    lib = library()
    a, b, c = describe(x), describe(kernel), describe(y)
    offset = None if bias is None else describe(bias)
    offset_handle = None if offset is None else offset.handle
    with lib.threads(threads), _attributes(post) as attributes:
        arguments = (a.handle, b.handle, offset_handle, c.handle, attributes)
        with _description("dnnl_matmul_primitive_desc_create", lib.engine, *arguments) as made:
            return Primitive(made, ["x", "kernel", *(["bias"] if bias else []), "y"], threads)


class Reorders:
    """The primitives that copy from one layout to another."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int, int], tuple[Descriptor, Descriptor, Primitive]] = {}
        self._lock = forks.hold(threading.Lock())

    def __call__(self, source: Descriptor, target: Descriptor, *, threads: int = 0) -> Primitive:
        """Return the primitive that copies memory of one description (argument x) to another (argument y)."""
        threads = threads or thread_count()
        slot = (id(source), id(target), threads)
        with self._lock:
            if slot in self._known:
                return self._known[slot][2]
        lib = library()
        with lib.threads(threads), _attributes() as attributes:
            arguments = (source.handle, lib.engine, target.handle, lib.engine, attributes)
            with _description("dnnl_reorder_primitive_desc_create", *arguments) as made:
                primitive = Primitive(made, ["x", "y"], threads)
        with self._lock:
            while len(self._known) >= CACHED:
                self._known.pop(next(iter(self._known)))
            self._known[slot] = (source, target, primitive)  # holds the descriptors, so that their ids stay theirs
        return primitive


reorder = Reorders()
