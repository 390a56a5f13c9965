"""Native code as functions of Python, and running a plan by one of them: without ctypes, which costs more than it.

A plan has a function of its own. It does what `CpuProgram` does for a call in Python, in the cases that are frequent, and
runs the steps; in all others it says so before anything has happened, and Python goes on.
"""

from __future__ import annotations

import ctypes
import re
import sys
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from septet.backends.cpu import jit, native
from septet.backends.cpu.results import maker
from septet.base.dtypes import DType

FAST_CALL = 0x80
"""How Python hands arguments over: METH_FASTCALL, by position, as an array."""

# Where the fields of a NumPy array lie, in bytes from the end of the head that all objects have.
ELEMENTS, RANK, SIZES, FLAGS = 0, 8, 16, 48
IN_C_ORDER, WRITEABLE = 0x1, 0x400

TEXT = """
declare ptr @PyErr_Occurred()
declare ptr @PyList_GetItem(ptr, i64)
declare ptr @PyList_New(i64)
declare i32 @PyList_SetItem(ptr, i64, ptr)
declare i64 @PyList_Size(ptr)
declare i64 @PyLong_AsLongLong(ptr)
declare ptr @PyLong_FromLongLong(i64)
declare ptr @PyObject_Vectorcall(ptr, ptr, i64, ptr)
declare void @Py_DecRef(ptr)
declare void @Py_IncRef(ptr)
declare i64 @start(ptr)
define internal ptr @word(ptr %record, i64 %n) {
  %p = getelementptr ptr, ptr %record, i64 %n
  %word = load ptr, ptr %p
  ret ptr %word
}
define internal i64 @number(ptr %record, i64 %n) {
  %p = getelementptr i64, ptr %record, i64 %n
  %number = load i64, ptr %p
  ret i64 %number
}
define internal i1 @is_in_order(ptr %array) {
  %p = getelementptr i8, ptr %array, i64 {FLAGS}
  %flags = load i32, ptr %p
  %own = and i32 %flags, {IN_C_ORDER}
  %is = icmp ne i32 %own, 0
  ret i1 %is
}
define internal void @place(ptr %bases, i64 %n, ptr %array) {
  %field = getelementptr i8, ptr %array, i64 {ELEMENTS}
  %elements = load i64, ptr %field
  %base = getelementptr i64, ptr %bases, i64 %n
  store i64 %elements, ptr %base
  ret void
}
define internal void @protect(ptr %array) {
  %p = getelementptr i8, ptr %array, i64 {FLAGS}
  %flags = load i32, ptr %p
  %without = and i32 %flags, {NOT_WRITEABLE}
  store i32 %without, ptr %p
  ret void
}
define ptr @call(ptr %self, ptr %args, i64 %ignored) #0 {
entry:
  %address = call i64 @PyLong_AsLongLong(ptr %self)
  %record = inttoptr i64 %address to ptr
  %bases = load ptr, ptr %record
  %n_inputs = call i64 @number(ptr %record, i64 8)
  %types = call ptr @word(ptr %record, i64 9)
  %n_reads = call i64 @number(ptr %record, i64 10)
  %reads = call ptr @word(ptr %record, i64 11)
  %n_updates = call i64 @number(ptr %record, i64 12)
  %updates = call ptr @word(ptr %record, i64 13)
  %n_outputs = call i64 @number(ptr %record, i64 14)
  %outputs = call ptr @word(ptr %record, i64 15)
  %n_effects = call i64 @number(ptr %record, i64 16)
  %o.value = call i64 @number(ptr %record, i64 17)
  %o.leaf = call i64 @number(ptr %record, i64 18)
  %o.lender = call i64 @number(ptr %record, i64 19)
  %o.lent = call i64 @number(ptr %record, i64 20)
  %plan = call ptr @word(ptr %record, i64 21)
  %None = call ptr @word(ptr %record, i64 22)
  %True = call ptr @word(ptr %record, i64 23)
  %safe = call i64 @number(ptr %record, i64 24)
  %p.safe = getelementptr i64, ptr %record, i64 7
  store i64 {EVERY}, ptr %p.safe
  %inputs = load ptr, ptr %args
  %step = call ptr @word(ptr %args, i64 1)
  %is.step = icmp eq ptr %step, %True
  %count = call i64 @PyList_Size(ptr %inputs)
  %fits = icmp eq i64 %count, %n_inputs
  br i1 %fits, label %input, label %none
input:                                            ; inputs have the sizes of the plan, and lie in C order
  %i = phi i64 [ 0, %entry ], [ %i1, %input.placed ]
  %type = phi ptr [ %types, %entry ], [ %type.next, %input.placed ]
  %input.some = icmp slt i64 %i, %n_inputs
  br i1 %input.some, label %input.look, label %reading
input.look:
  %input.array = call ptr @PyList_GetItem(ptr %inputs, i64 %i)
  %p.rank = getelementptr i8, ptr %input.array, i64 {RANK}
  %rank = load i32, ptr %p.rank
  %rank64 = zext i32 %rank to i64
  %known = load i64, ptr %type
  %same = icmp eq i64 %rank64, %known
  %p.sizes = getelementptr i8, ptr %input.array, i64 {SIZES}
  %sizes = load ptr, ptr %p.sizes
  br i1 %same, label %axis, label %none
axis:
  %a = phi i64 [ 0, %input.look ], [ %a1, %axis.look ]
  %a1 = add i64 %a, 1
  %axis.some = icmp slt i64 %a, %known
  br i1 %axis.some, label %axis.look, label %input.flags
axis.look:
  %size = call i64 @number(ptr %sizes, i64 %a)
  %size.known = call i64 @number(ptr %type, i64 %a1)
  %size.same = icmp eq i64 %size, %size.known
  br i1 %size.same, label %axis, label %none
input.flags:
  %input.plain = call i1 @is_in_order(ptr %input.array)
  br i1 %input.plain, label %input.placed, label %none
input.placed:
  %i1 = add i64 %i, 1
  call void @place(ptr %bases, i64 %i1, ptr %input.array)
  %type.next = getelementptr i64, ptr %type, i64 %a1
  br label %input
reading:                                          ; the values of variables are held: another thread may assign
  %held = call ptr @PyList_New(i64 %n_reads)
  %held.bad = icmp eq ptr %held, null
  br i1 %held.bad, label %error, label %read
read:
  %r = phi i64 [ 0, %reading ], [ %r1, %read.hold ]
  %read.some = icmp slt i64 %r, %n_reads
  br i1 %read.some, label %read.look, label %making
read.look:
  %read.variable = call ptr @word(ptr %reads, i64 %r)
  %p.read = getelementptr i8, ptr %read.variable, i64 %o.value
  %read.value = load ptr, ptr %p.read
  %read.pending = icmp eq ptr %read.value, %None
  br i1 %read.pending, label %drop_held, label %read.flags
read.flags:
  %read.plain = call i1 @is_in_order(ptr %read.value)
  br i1 %read.plain, label %read.hold, label %drop_held
read.hold:
  call void @Py_IncRef(ptr %read.value)
  %read.set = call i32 @PyList_SetItem(ptr %held, i64 %r, ptr %read.value)
  %r1 = add i64 %r, 1
  %read.place = add i64 %r1, %n_inputs
  call void @place(ptr %bases, i64 %read.place, ptr %read.value)
  br label %read
making:
  %n.some = add i64 %n_outputs, %n_updates
  %n.results = add i64 %n.some, %n_effects
  %results = call ptr @PyList_New(i64 %n.results)
  %results.bad = icmp eq ptr %results, null
  br i1 %results.bad, label %error_held, label %update.begin
update.begin:
  %base.update = add i64 %n_inputs, %n_reads
  br label %update
update:                                           ; a new value is written over the old one that nobody else sees
  %u = phi i64 [ 0, %update.begin ], [ %u1, %update.set ]
  %update.some = icmp slt i64 %u, %n_updates
  br i1 %update.some, label %update.look, label %output.begin
update.look:
  %u6 = mul i64 %u, 6
  %own = getelementptr i64, ptr %updates, i64 %u6
  %old = call i64 @number(ptr %own, i64 1)
  %variable = load ptr, ptr %own
  %p.value = getelementptr i8, ptr %variable, i64 %o.value
  %p.leaf = getelementptr i8, ptr %variable, i64 %o.leaf
  %is.read = icmp sge i64 %old, 0
  %may.take = and i1 %is.read, %is.step
  br i1 %may.take, label %leaf, label %fresh
leaf:
  %leaf.now = load ptr, ptr %p.leaf
  %no.leaf = icmp eq ptr %leaf.now, %None
  br i1 %no.leaf, label %value, label %leaf.seen
leaf.seen:
  %leaf.references = load i32, ptr %leaf.now
  %leaf.alone = icmp eq i32 %leaf.references, 1
  br i1 %leaf.alone, label %leaf.drop, label %fresh
leaf.drop:
  call void @Py_IncRef(ptr %None)
  store ptr %None, ptr %p.leaf
  call void @Py_DecRef(ptr %leaf.now)
  br label %value
value:                                            ; the variable and `held` have it
  %value.old = call ptr @PyList_GetItem(ptr %held, i64 %old)
  %value.now = load ptr, ptr %p.value
  %value.same = icmp eq ptr %value.old, %value.now
  %references = load i32, ptr %value.old
  %alone = icmp eq i32 %references, 2
  %over = and i1 %value.same, %alone
  br i1 %over, label %take, label %fresh
take:                                             ; as `Variable.lend`: nobody gets it from here on
  store i64 %safe, ptr %p.safe
  %p.lender = getelementptr i8, ptr %variable, i64 %o.lender
  %p.lent = getelementptr i8, ptr %variable, i64 %o.lent
  %lender.before = load ptr, ptr %p.lender
  %lent.before = load ptr, ptr %p.lent
  call void @Py_IncRef(ptr %plan)
  call void @Py_IncRef(ptr %None)
  store ptr %plan, ptr %p.lender
  store ptr %value.old, ptr %p.lent
  store ptr %None, ptr %p.value
  call void @Py_DecRef(ptr %lender.before)
  call void @Py_DecRef(ptr %lent.before)
  call void @Py_IncRef(ptr %value.old)
  br label %update.set
fresh:
  %update.maker = call ptr @word(ptr %own, i64 2)
  %update.words = call ptr @word(ptr %own, i64 3)
  %update.new = call ptr @PyObject_Vectorcall(ptr %update.maker, ptr %update.words, i64 2, ptr null)
  %update.bad = icmp eq ptr %update.new, null
  br i1 %update.bad, label %error_results, label %update.protect
update.protect:
  call void @protect(ptr %update.new)
  br label %update.set
update.set:
  %update.array = phi ptr [ %value.old, %take ], [ %update.new, %update.protect ]
  %update.number = add i64 %n_outputs, %u
  %update.done = call i32 @PyList_SetItem(ptr %results, i64 %update.number, ptr %update.array)
  %u1 = add i64 %u, 1
  %update.place = add i64 %base.update, %u1
  call void @place(ptr %bases, i64 %update.place, ptr %update.array)
  br label %update
output.begin:
  %base.output = add i64 %base.update, %n_updates
  br label %output
output:
  %o = phi i64 [ 0, %output.begin ], [ %o1, %output.set ]
  %output.some = icmp slt i64 %o, %n_outputs
  br i1 %output.some, label %output.make, label %effect
output.make:
  %o2 = mul i64 %o, 2
  %output.own = getelementptr i64, ptr %outputs, i64 %o2
  %output.maker = load ptr, ptr %output.own
  %output.words = call ptr @word(ptr %output.own, i64 1)
  %output.new = call ptr @PyObject_Vectorcall(ptr %output.maker, ptr %output.words, i64 2, ptr null)
  %output.bad = icmp eq ptr %output.new, null
  br i1 %output.bad, label %error_results, label %output.set
output.set:
  %output.done = call i32 @PyList_SetItem(ptr %results, i64 %o, ptr %output.new)
  call void @protect(ptr %output.new)
  %o1 = add i64 %o, 1
  %output.place = add i64 %base.output, %o1
  call void @place(ptr %bases, i64 %output.place, ptr %output.new)
  br label %output
effect:
  %e = phi i64 [ %n.some, %output ], [ %e1, %effect.set ]
  %effect.some = icmp slt i64 %e, %n.results
  br i1 %effect.some, label %effect.set, label %go
effect.set:
  call void @Py_IncRef(ptr %None)
  %effect.done = call i32 @PyList_SetItem(ptr %results, i64 %e, ptr %None)
  %e1 = add i64 %e, 1
  br label %effect
go:
  %failed = call i64 @start(ptr %record)
  %raised = call ptr @PyErr_Occurred()
  %is.raised = icmp ne ptr %raised, null
  br i1 %is.raised, label %error_results, label %ran
ran:
  %wrong = icmp ne i64 %failed, 0
  br i1 %wrong, label %fail, label %done
done:
  br i1 %is.step, label %store, label %finish
store:                                            ; all variables, before anything is let go: that may run Python
  %v = phi i64 [ 0, %done ], [ %v1, %stored ]
  %store.some = icmp slt i64 %v, %n_updates
  br i1 %store.some, label %store.look, label %drop
store.look:
  %v6 = mul i64 %v, 6
  %v.own = getelementptr i64, ptr %updates, i64 %v6
  %v.variable = load ptr, ptr %v.own
  %v.number = add i64 %n_outputs, %v
  %v.new = call ptr @PyList_GetItem(ptr %results, i64 %v.number)
  %v1 = add i64 %v, 1
  %v.value = getelementptr i8, ptr %v.variable, i64 %o.value
  %v.leaf = getelementptr i8, ptr %v.variable, i64 %o.leaf
  %v.lender = getelementptr i8, ptr %v.variable, i64 %o.lender
  %v.lent = getelementptr i8, ptr %v.variable, i64 %o.lent
  %value.before = load ptr, ptr %v.value
  %leaf.before = load ptr, ptr %v.leaf
  %v.value.before = getelementptr ptr, ptr %v.own, i64 4
  %v.leaf.before = getelementptr ptr, ptr %v.own, i64 5
  store ptr %value.before, ptr %v.value.before
  store ptr %leaf.before, ptr %v.leaf.before
  call void @Py_IncRef(ptr %v.new)
  call void @Py_IncRef(ptr %None)
  store ptr %v.new, ptr %v.value
  store ptr %None, ptr %v.leaf
  %v.lender.now = load ptr, ptr %v.lender
  %is.lent = icmp eq ptr %v.lender.now, %plan
  br i1 %is.lent, label %return, label %stored
return:                                           ; the plan and the array are held by others, too
  %v.lent.now = load ptr, ptr %v.lent
  call void @Py_IncRef(ptr %None)
  call void @Py_IncRef(ptr %None)
  store ptr %None, ptr %v.lender
  store ptr %None, ptr %v.lent
  call void @Py_DecRef(ptr %plan)
  call void @Py_DecRef(ptr %v.lent.now)
  br label %stored
stored:
  br label %store
drop:
  %d = phi i64 [ 0, %store ], [ %d1, %drop.look ]
  %drop.some = icmp slt i64 %d, %n_updates
  br i1 %drop.some, label %drop.look, label %finish
drop.look:
  %d6 = mul i64 %d, 6
  %d.own = getelementptr i64, ptr %updates, i64 %d6
  %d.value = call ptr @word(ptr %d.own, i64 4)
  %d.leaf = call ptr @word(ptr %d.own, i64 5)
  call void @Py_DecRef(ptr %d.value)
  call void @Py_DecRef(ptr %d.leaf)
  %d1 = add i64 %d, 1
  br label %drop
finish:
  call void @Py_DecRef(ptr %held)
  ret ptr %results
fail:
  call void @Py_DecRef(ptr %held)
  call void @Py_DecRef(ptr %results)
  %number.failed = call ptr @PyLong_FromLongLong(i64 %failed)
  ret ptr %number.failed
drop_held:
  call void @Py_DecRef(ptr %held)
  br label %none
none:
  call void @Py_IncRef(ptr %None)
  ret ptr %None
error_results:
  call void @Py_DecRef(ptr %results)
  br label %error_held
error_held:
  call void @Py_DecRef(ptr %held)
  br label %error
error:
  ret ptr null
}
attributes #0 = { nounwind }
"""
"""``call(inputs, is_step)``: a list of results; None where Python has to make the call; or the number of the step that has
found an error. Its own object is the address of a record: what `native.START` takes, and what `caller` adds."""


def _address_by_interface(array: np.ndarray) -> int:
    """Return where an array's elements lie, as NumPy tells it."""
    return array.__array_interface__["data"][0]


def _address_by_layout(array: np.ndarray) -> int:
    """Return where an array's elements lie: the first field behind the head of NumPy's object, a fifth of the time."""
    return _Word.from_address(id(array) + _HEAD).value


def _is_laid_out(array: np.ndarray) -> bool:
    """Tell whether the fields of an array lie where native code looks for them."""
    start = id(array) + _HEAD
    sizes = _Word.from_address(start + SIZES).value
    return (
        _Word.from_address(start + ELEMENTS).value == _address_by_interface(array)
        and ctypes.c_int.from_address(start + RANK).value == array.ndim
        and tuple([_Word.from_address(sizes + 8 * axis).value for axis in range(array.ndim)]) == array.shape
        and ctypes.c_int.from_address(start + FLAGS).value == array.flags.num
        and bool(array.flags.num & IN_C_ORDER) == array.flags.c_contiguous
        and bool(array.flags.num & WRITEABLE) == array.flags.writeable
    )


_Word = ctypes.c_int64
_HEAD = object.__basicsize__


def _choose_address_of() -> Any:
    """Take the fast way where it gives what NumPy says, for a few arrays of different kinds."""
    base = np.arange(24, dtype=np.int64).reshape(4, 6)
    fixed = base[2:]
    fixed.setflags(write=False)
    for array in (base, base[1:], base[:, 2:].T, fixed, np.empty((), np.float32), np.zeros(0)):
        if ctypes.sizeof(ctypes.c_void_p) != 8 or not _is_laid_out(array):
            return _address_by_interface
    return _address_by_layout


address_of = _choose_address_of()


def of_python(name: str) -> int:
    """Return the address of a function of Python's C interface."""
    found = ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value
    assert found
    return found


class _Definition(ctypes.Structure):
    """What Python wants to know of a function in C: PyMethodDef."""

    _fields_ = (
        ("name", ctypes.c_char_p), ("address", ctypes.c_void_p), ("flags", ctypes.c_int), ("doc", ctypes.c_char_p),
    )  # fmt: skip


_definitions: dict[tuple[str, int], _Definition] = {}  # Python refers to them as long as the functions live


def function(name: str, address: int, own: Any = None) -> Any:
    """Return native code as a function of Python; it is given its own object beside its arguments."""
    definition = _definitions.setdefault((name, address), _Definition(name.encode(), address, FAST_CALL, None))
    new = ctypes.pythonapi.PyCFunction_NewEx
    new.restype, new.argtypes = ctypes.py_object, (ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p)
    return new(ctypes.addressof(definition), own, None)


def knows_python() -> bool:
    """Tell whether this Python lays objects out as native functions take for granted."""
    if sys.implementation.name != "cpython" or sys.byteorder != "little" or ctypes.sizeof(ctypes.c_void_p) != 8:
        return False
    if hasattr(sys, "gettotalrefcount") or not getattr(sys, "_is_gil_enabled", lambda: True)():
        return False
    example = Places()
    references, kind = (
        ctypes.c_uint32.from_address(id(example)).value,
        ctypes.c_uint64.from_address(id(example) + 8).value,
    )
    return kind == id(Places) and references == sys.getrefcount(example) - 1


@lru_cache(maxsize=1)
def is_supported() -> bool:
    """Tell whether this Python and this NumPy are those that the native function of plans knows."""
    return knows_python() and address_of is _address_by_layout


class Places:
    """Where attributes lie in instances of classes with slots: what is set there appears in memory."""

    def __init__(self, *classes: type) -> None:
        self._found: dict[str, int] = {}
        for owner in classes:
            example = object.__new__(owner)
            words = (ctypes.c_uint64 * (owner.__basicsize__ // 8)).from_address(id(example))
            for name in owner.__slots__:  # type: ignore[attr-defined]
                if name.startswith("__"):
                    continue
                mark = object()
                setattr(example, name, mark)
                (place,) = [n for n, word in enumerate(words) if word == id(mark)]
                self._found[f"{owner.__name__}.{name}"] = 8 * place
                delattr(example, name)

    def __getitem__(self, name: str) -> int:
        return self._found[name]


@lru_cache(maxsize=1)
def module() -> jit.Module:
    """Return the function to compile."""
    own = re.findall(r"declare .*@(Py\w+)", TEXT)
    imports = {**{name: of_python(name) for name in own}, "start": native.module("start")}
    text = TEXT.replace("{IN_C_ORDER}", str(IN_C_ORDER)).replace("{NOT_WRITEABLE}", str(~WRITEABLE))
    for field, place in {"ELEMENTS": ELEMENTS, "RANK": RANK, "SIZES": SIZES, "FLAGS": FLAGS}.items():
        text = text.replace("{" + field + "}", str(_HEAD + place))
    return jit.Module("call", text.replace("{EVERY}", str(native.EVERY)), imports, jit.LIGHT)


@lru_cache(maxsize=1)
def _address() -> int:
    """Return where the machine code of the function lies."""
    return jit.addresses([module()])[0]


def make() -> None:
    """Make the native function of plans, for whoever will ask for it."""
    if is_supported():
        _address()


def is_ready() -> bool:
    """Tell whether the native function of plans is there."""
    return _address.cache_info().currsize > 0


def caller(
    plan: Any, addresses: Sequence[int], safe: int, shapes: Sequence[tuple[int, ...]], reads: Sequence[Any],
    updates: Sequence[tuple[Any, int, tuple[int, ...], DType]], outputs: Sequence[tuple[tuple[int, ...], DType]],
    n_effects: int,
) -> Caller:  # fmt: skip
    """Return the function of a plan.

    Parameters
    ----------
    plan : Plan
        It borrows the values of variables that are written over; it has the function, and outlives it.
    addresses : sequence of int
        What `native.RUN` takes.
    safe : int
        The step from which on variables are written over.
    shapes : sequence of tuple of int
        Those of the inputs.
    reads : sequence of Variable
        Those whose values the steps read.
    updates : sequence of (Variable, int, tuple of int, dtype)
        Those that take new values; the number of the value read that the new one may be written over, or -1; and what
        the new value is.
    outputs : sequence of (tuple of int, dtype)
    n_effects : int
        How many results are None, behind the others.

    Returns
    -------
    callable
        ``call(inputs, is_step)``: the inputs, and whether variables take their new values, all of them when all steps
        have run. Returns the list of results; None, with nothing done, where Python has to make the call; or the number
        of the step that has found an error. The caller sees to it that one thread calls it at a time. After an error, or
        where the handler of a signal raises something, variables have yet to be taken back.
    """
    kept: list[Any] = []

    def table(values: Sequence[int]) -> int:
        words = np.array([*values, 0], np.int64)
        kept.append(words)
        return address_of(words)

    def made(shape: tuple[int, ...], dtype: DType) -> tuple[int, int]:
        own = maker(shape, dtype), shape, dtype
        kept.append(own)
        return id(own[0]), table([id(shape), id(dtype)])

    variables = [*reads, *[update[0] for update in updates]]
    kept.append(variables)
    record = [
        *addresses, native.EVERY,
        len(shapes), table([*chain.from_iterable([(len(shape), *shape) for shape in shapes])]),
        len(reads), table([id(variable) for variable in reads]),
        len(updates), table([
            *chain.from_iterable([(id(variable), old, *made(*what), 0, 0) for variable, old, *what in updates])
        ]),
        len(outputs), table([*chain.from_iterable([made(*what) for what in outputs])]),
        n_effects, *(_places_of(type(variables[0])) if variables else (0, 0, 0, 0)), id(plan), id(None), id(True), safe,
    ]  # fmt: skip
    return Caller(function("call", _address(), table(record)), kept)


@lru_cache(maxsize=16)
def _places_of(kind: type) -> tuple[int, ...]:
    """Return where a variable has what native code changes."""
    (owner,) = [own for own in kind.__mro__ if "_value" in own.__dict__]
    places = Places(owner)
    return tuple([places[f"{owner.__name__}.{name}"] for name in ("_value", "_leaf", "_lender", "_lent")])


class Caller(NamedTuple):
    """The function of a plan, and what must live as long as it."""

    call: Callable[[list[np.ndarray], bool], Any]
    kept: list[Any]
