"""The loop IR: what one kernel computes, as a grammar, and the check that a kernel is legal.

::

    kernel  := axes, lane, buffers, values, stores
    axes    := outer axes (a row each), then inner axes (along which rows are reduced); sizes are arguments
    lane    := the axis whose neighbours are computed together, as a vector: the last inner or the last outer one
    buffer  := element type, a stride for each axis (0, 1 or an argument), whether it is written
    value   := load(buffer, indices ...)       an element; an index counts along a stride of its own
             | number(literal)
             | position(axis)                  where the loop stands
             | reduce(kind, value)             over the inner axes; known once a pass over them has ended
             | check(index, size)              an index brought into range, or an error in the status word
             | op(value ...)                   an elementwise op, by the name of its card
    store   := buffer, value, how              once for each point of the axes that the buffer moves along; "how" is
                                               empty, or the kind of a reduction that is taken in memory, row by row

A kernel with inner axes runs, for each row, as many passes over the inner axes as its reductions need: see `lowering`.
Where an axis is split, the first outer axis counts fixed pieces of it, so that a long sum is taken in the same order
whatever the number of threads: of the second outer axis for what is accumulated in memory, else of the first inner one.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

from septet.backends.cpu import short_floats
from septet.base import dtypes
from septet.base.dtypes import DType
from septet.base.errors import GraphError

LOAD, NUMBER, POSITION, REDUCE, CHECK, OP = "load", "number", "position", "reduce", "check", "op"
DYNAMIC = -1  # a stride that is an argument
REDUCTIONS = ("add", "multiply", "max", "min", "and", "or")


class Buffer(NamedTuple):
    """An argument that points to elements.

    Attributes
    ----------
    dtype : str
    strides : tuple of int
        For each axis 0, 1 or DYNAMIC, in elements.
    is_written : bool
    indices : int
        How many index values are added to an address, each along a dynamic stride.
    """

    dtype: str
    strides: tuple[int, ...]
    is_written: bool
    indices: int = 0


class Term(NamedTuple):
    """A value of a kernel; `args` are positions in the kernel's list of values.

    Attributes
    ----------
    form : str
        One of the constants of this module.
    args : tuple of int
    data : Any
        Buffer of a load; literal of a number; axis of a position; kind of a reduction; name and parameters of an op.
    dtype : str
    """

    form: str
    args: tuple[int, ...]
    data: Any
    dtype: str


class Store(NamedTuple):
    """Writing a value to a buffer, or combining it with what is there.

    Attributes
    ----------
    buffer, value : int
    how : str
        Empty, "set" (at indices), or the kind of a reduction.
    indices : tuple of int
        Values that are added to the address, each along a dynamic stride: then everything happens in order, one point
        after the other.
    """

    buffer: int
    value: int
    how: str = ""
    indices: tuple[int, ...] = ()


class Kernel(NamedTuple):
    """A kernel. Equal kernels have equal texts, and so the same code.

    Attributes
    ----------
    outer, inner : int
        Numbers of axes.
    lane_is_inner : bool
    split : int
        The axis of which axis 0 counts pieces; -1 for none.
    is_short : bool
        Whether rows are short enough to keep what is dear to compute from one pass to the next, and to add up one number
        after the other.
    buffers : tuple of Buffer
    terms : tuple of Term
        Arguments before users.
    stores : tuple of Store
    rows : int
        How many neighbours along the last outer axis are computed together where what is between two passes over their
        inner axes is worth it; 1 for none.
    """

    outer: int
    inner: int
    lane_is_inner: bool
    split: int
    is_short: bool
    buffers: tuple[Buffer, ...]
    terms: tuple[Term, ...]
    stores: tuple[Store, ...]
    rows: int = 1

    @property
    def axes(self) -> int:
        """The number of axes."""
        return self.outer + self.inner

    @property
    def lane(self) -> int:
        """The axis of the lanes; -1 where there are no axes."""
        return self.axes - 1 if self.lane_is_inner else self.outer - 1

    def text(self) -> str:
        """Return the kernel as text, the same for equal kernels: what the code cache goes by."""
        return repr(tuple(self))

    def arguments(self) -> Arguments:
        """Return where each argument stands."""
        return Arguments(self)


class Arguments:
    """The order of a kernel's arguments: pointers, sizes of axes, dynamic strides, strides of indices, sizes for checks,
    piece, status."""

    def __init__(self, kernel: Kernel) -> None:
        position = len(kernel.buffers)
        self.sizes = tuple(range(position, position + kernel.axes))
        position += kernel.axes
        self.strides: dict[tuple[int, int], int] = {}  # (buffer, axis) -> argument
        self.index_strides: dict[tuple[int, int], int] = {}  # (buffer, number of the index) -> argument
        for number, buffer in enumerate(kernel.buffers):
            for axis, stride in enumerate(buffer.strides):
                if stride == DYNAMIC:
                    self.strides[number, axis] = position
                    position += 1
        for number, buffer in enumerate(kernel.buffers):
            for index in range(buffer.indices):
                self.index_strides[number, index] = position
                position += 1
        self.limits: dict[int, int] = {}  # term -> argument
        for number, term in enumerate(kernel.terms):
            if term.form == CHECK:
                self.limits[number] = position
                position += 1
        self.piece = self.status = -1
        if kernel.split >= 0:
            self.piece = position
            position += 1
        if self.limits:
            self.status = position
            position += 1
        self.count = position


class Facts:
    """What follows from a kernel's terms: which axes each varies along, and in which pass it is known."""

    def __init__(self, kernel: Kernel) -> None:
        self.axes: list[frozenset[int]] = []
        self.stages: list[int] = []
        inner = frozenset(range(kernel.outer, kernel.axes))
        self.inner = inner
        for term in kernel.terms:
            own: frozenset[int] = frozenset().union(*[self.axes[arg] for arg in term.args])
            stage = max([self.stages[arg] for arg in term.args], default=0)
            if term.form == LOAD:
                strides = kernel.buffers[term.data].strides
                own |= {axis for axis, stride in enumerate(strides) if stride}
            elif term.form == POSITION:
                own |= {term.data}
            elif term.form == REDUCE:
                own -= inner
                if kernel.split in inner:
                    own |= {0}
                stage += 1
            self.axes.append(own)
            self.stages.append(stage)

    @cached_property
    def passes(self) -> int:
        """How many passes over the inner axes there are at most."""
        return max(self.stages, default=0) + 1

    def is_inner(self, term: int) -> bool:
        """Tell whether a value varies along the inner axes."""
        return bool(self.axes[term] & self.inner)


def verify(kernel: Kernel) -> None:
    """Check that a kernel is legal.

    Raises
    ------
    GraphError
        Says what is wrong: a defect of the lowering, never of a user's program.
    """

    def require(condition: bool, text: str) -> None:
        if not condition:
            raise GraphError(f"illegal kernel: {text}\n{kernel.text()}")

    require(not kernel.lane_is_inner or kernel.inner > 0, "lanes along an inner axis, and there is none")
    require(kernel.split in (-1, kernel.outer) or kernel.split == 1 < kernel.outer, f"axis {kernel.split} is split")
    for number, buffer in enumerate(kernel.buffers):
        require(len(buffer.strides) == kernel.axes, f"buffer {number} has {len(buffer.strides)} strides")
        require(set(buffer.strides) <= {0, 1, DYNAMIC}, f"strides {buffer.strides} of buffer {number}")
        element(buffer.dtype)
    facts = Facts(kernel)
    for number, term in enumerate(kernel.terms):
        require(all(0 <= arg < number for arg in term.args), f"term {number} uses what comes later")
        if term.form == LOAD:
            buffer = kernel.buffers[term.data]
            require(buffer.dtype == term.dtype and len(term.args) == buffer.indices, f"load {number}")
        elif term.form == POSITION:
            require(0 <= term.data < kernel.axes and term.dtype == "int64", f"position {number}")
        elif term.form == REDUCE:
            require(term.data in REDUCTIONS and kernel.inner > 0, f"reduction {number}")
        elif term.form == CHECK:
            require(term.dtype == "int64" and kernel.terms[term.args[0]].dtype == "int64", f"check {number}")
        else:
            require(term.form in (NUMBER, OP), f"form {term.form!r} of term {number}")
    for store in kernel.stores:
        buffer = kernel.buffers[store.buffer]
        require(buffer.is_written and buffer.dtype == kernel.terms[store.value].dtype, f"store {store}")
        moved = {axis for axis, stride in enumerate(buffer.strides) if stride}
        require(store.how in ("", "set", *REDUCTIONS) and len(store.indices) == buffer.indices, f"store {store}")
        require(store.how == "" or store.indices != () or kernel.split == 1, f"store {store}")
        require(
            store.how != "" or facts.axes[store.value] <= moved, f"store {store} of a value that varies along more axes"
        )


def element(dtype: DType | str) -> str:
    """Return the type that values of a dtype have in registers, in LLVM's words.

    Raises
    ------
    KeyError
        For a dtype that kernels do not compute with.
    """
    return ELEMENTS[str(dtype)]


def stored(dtype: DType | str) -> str:
    """Return the type that elements of a dtype have in memory, in LLVM's words (a truth value is a byte there)."""
    return short_floats.STORED.get(str(dtype)) or ELEMENTS[str(dtype)]


def is_element(dtype: DType | str) -> bool:
    """Tell whether kernels compute with a dtype on this machine."""
    name = str(dtype)
    return name in ELEMENTS and (name != "float16" or short_floats.has_half())


def kind_of(dtype: str) -> str:
    """Return the kind of a dtype as NumPy's letter: b, i, u, c or f, which bfloat16 has too."""
    return "f" if dtype == "bfloat16" else dtypes.BY_NAME[dtype].kind


ELEMENTS = {
    "bool": "i1", "int8": "i8", "int16": "i16", "int32": "i32", "int64": "i64", "uint8": "i8", "uint16": "i16",
    "uint32": "i32", "uint64": "i64", "float16": "float", "bfloat16": "float", "float32": "float", "float64": "double",
}  # fmt: skip
