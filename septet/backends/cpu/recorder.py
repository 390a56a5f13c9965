"""Recording and walking define-by-run graphs in native code, through Python's own C interface.

What `graph.op.record` and the functions of `run.walk` do for each node is a few dozen steps of the interpreter. The
functions here do the same steps without it, on the same objects, in the cases that are frequent; in all others they say
so, and Python goes on. What they mean is written there, in Python; here is no rule that is not there, too.

They are machine code made by LLVM, like kernels, and use nothing of Python but the functions of its public C interface,
the place of an object's type, and the places of attributes in instances of our own classes with `__slots__`, which are
found by looking for one that was set.
"""

from __future__ import annotations

import ctypes
import itertools
import re
import sys
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import CodeType
from typing import Any, NamedTuple

from septet.backends.cpu import jit
from septet.backends.cpu.pieces import Piece
from septet.base.source import Source, is_inside
from septet.graph import pending
from septet.graph.context import SPENT, TRACKED, context
from septet.graph.node import SYMBOL, VARIABLE, Node, serials, weak
from septet.graph.op import ITEM, Op
from septet.graph.resolution import Resolution
from septet.graph.types import TensorType

SOURCES = 1024
"""Places in programs whose source is kept."""

FOUND = 1024
"""Combinations of op, parameters and two types whose resolution is found by identity."""

PRIME_1, PRIME_2, PRIME_5 = 11400714785074694791, 14029467366897019727, 2870177450012600261  # of xxHash

INTERFACE = {
    "Py_IncRef": "void (ptr)",
    "Py_DecRef": "void (ptr)",
    "PyDict_GetItemWithError": "ptr (ptr, ptr)",
    "PyDict_DelItem": "i32 (ptr, ptr)",
    "PyDict_SetItem": "i32 (ptr, ptr, ptr)",
    "PyErr_Clear": "void ()",
    "PyEval_GetFrame": "ptr ()",
    "PyErr_Occurred": "ptr ()",
    "PyFrame_GetBack": "ptr (ptr)",
    "PyFrame_GetCode": "ptr (ptr)",
    "PyFrame_GetLasti": "i32 (ptr)",
    "PyIter_Next": "ptr (ptr)",
    "PyList_Append": "i32 (ptr, ptr)",
    "PyList_GetItem": "ptr (ptr, i64)",
    "PyList_SetSlice": "i32 (ptr, i64, i64, ptr)",
    "PyList_Size": "i64 (ptr)",
    "PyLong_AsLongLong": "i64 (ptr)",
    "PyLong_FromLongLong": "ptr (i64)",
    "PyObject_GetAttr": "ptr (ptr, ptr)",
    "PyObject_Hash": "i64 (ptr)",
    "PyObject_Vectorcall": "ptr (ptr, ptr, i64, ptr)",
    "PySet_Add": "i32 (ptr, ptr)",
    "PySet_Contains": "i32 (ptr, ptr)",
    "PyThreadState_Get": "ptr ()",
    "PyThreadState_GetID": "i64 (ptr)",
    "PyTuple_GetItem": "ptr (ptr, i64)",
    "PyTuple_New": "ptr (i64)",
    "PyTuple_SetItem": "i32 (ptr, i64, ptr)",
    "PyTuple_Size": "i64 (ptr)",
    "PyType_GenericAlloc": "ptr (ptr, i64)",
}

COMMON = """
define internal ptr @nothing() {
  %none = OBJECT None
  call void @Py_IncRef(ptr %none)
  ret ptr %none
}

; Whether two parameters that are equal are the same to the bit; numbers with a fraction have to be the same object.
define internal i1 @same(ptr %a, ptr %b) {
entry:
  %is = icmp eq ptr %a, %b
  br i1 %is, label %yes, label %types
types:
  %type = TYPE %a
  %other = TYPE %b
  %alike = icmp eq ptr %type, %other
  br i1 %alike, label %kinds, label %no
kinds:
  %int = OBJECT int
  %is.int = icmp eq ptr %type, %int
  br i1 %is.int, label %yes, label %text
text:
  %str = OBJECT str
  %is.str = icmp eq ptr %type, %str
  br i1 %is.str, label %yes, label %nested
nested:
  %tuple = OBJECT tuple
  %is.tuple = icmp eq ptr %type, %tuple
  br i1 %is.tuple, label %sizes, label %no
sizes:
  %count = call i64 @PyTuple_Size(ptr %a)
  %given = call i64 @PyTuple_Size(ptr %b)
  %fits = icmp eq i64 %count, %given
  br i1 %fits, label %next, label %no
next:
  %i = phi i64 [ 0, %sizes ], [ %up, %part ]
  %over = icmp sge i64 %i, %count
  br i1 %over, label %yes, label %part
part:
  %x = call ptr @PyTuple_GetItem(ptr %a, i64 %i)
  %y = call ptr @PyTuple_GetItem(ptr %b, i64 %i)
  %up = add i64 %i, 1
  %fine = call i1 @same(ptr %x, ptr %y)
  br i1 %fine, label %next, label %no
yes:
  ret i1 1
no:
  ret i1 0
}

; Call a Python function of one or two arguments.
define internal ptr @ask(ptr %function, ptr %first, ptr %second, i64 %count) {
  %arguments = alloca [2 x ptr]
  store ptr %first, ptr %arguments
  %next = getelementptr i8, ptr %arguments, i64 8
  store ptr %second, ptr %next
  %found = call ptr @PyObject_Vectorcall(ptr %function, ptr %arguments, i64 %count, ptr null)
  ret ptr %found
}
"""

# The source of the innermost frame outside the package, from a frame on, which it takes over.
SOURCE = """
define internal ptr @source(ptr %given) {
entry:
  br label %look
look:
  %frame = phi ptr [ %given, %entry ], [ %back, %up ]
  %code = call ptr @PyFrame_GetCode(ptr %frame)
  %place = call i32 @PyFrame_GetLasti(ptr %frame)
  %wide = sext i32 %place to i64
  %spread = mul i64 %wide, 2654435761
  %number = ptrtoint ptr %code to i64
  %shifted = lshr i64 %number, 4
  %mixed = xor i64 %shifted, %spread
  %row = urem i64 %mixed, {SOURCES}
  %start = mul i64 %row, 24
  %entry.code = getelementptr i8, ptr @sources, i64 %start
  %entry.place = getelementptr i8, ptr %entry.code, i64 8
  %entry.source = getelementptr i8, ptr %entry.code, i64 16
  %old.code = load ptr, ptr %entry.code
  %old.place = load i64, ptr %entry.place
  %old.source = load ptr, ptr %entry.source
  %is.code = icmp eq ptr %old.code, %code
  %is.place = icmp eq i64 %old.place, %wide
  %is.known = and i1 %is.code, %is.place
  br i1 %is.known, label %known, label %unknown
known:
  call void @Py_DecRef(ptr %code)
  br label %decide
unknown:
  %boxed = call ptr @PyLong_FromLongLong(i64 %wide)
  %no.box = icmp eq ptr %boxed, null
  br i1 %no.box, label %lost, label %make
make:
  %make.source = OBJECT make_source
  %made = call ptr @ask(ptr %make.source, ptr %code, ptr %boxed, i64 2)
  call void @Py_DecRef(ptr %boxed)
  %failed = icmp eq ptr %made, null
  br i1 %failed, label %lost, label %keep
keep:
  ; asked again: the function may have run other Python code
  %last.code = load ptr, ptr %entry.code
  %last.source = load ptr, ptr %entry.source
  store ptr %code, ptr %entry.code
  store i64 %wide, ptr %entry.place
  store ptr %made, ptr %entry.source
  %had = icmp ne ptr %last.code, null
  br i1 %had, label %drop, label %decide
drop:
  call void @Py_IncRef(ptr %made)
  call void @Py_DecRef(ptr %last.code)
  call void @Py_DecRef(ptr %last.source)
  call void @Py_DecRef(ptr %made)
  br label %decide
decide:
  %source = phi ptr [ %old.source, %known ], [ %made, %keep ], [ %made, %drop ]
  %none = OBJECT None
  %inside = icmp eq ptr %source, %none
  br i1 %inside, label %up, label %found
up:
  %back = call ptr @PyFrame_GetBack(ptr %frame)
  call void @Py_DecRef(ptr %frame)
  %bottom = icmp eq ptr %back, null
  br i1 %bottom, label %outside, label %look
outside:
  %no.source = call ptr @nothing()
  ret ptr %no.source
found:
  call void @Py_IncRef(ptr %source)
  call void @Py_DecRef(ptr %frame)
  ret ptr %source
lost:
  call void @Py_DecRef(ptr %code)
  call void @Py_DecRef(ptr %frame)
  ret ptr null
}
"""

# A node, or None where Python has to make it. The source is looked for from a frame on, `depth` frames up.
MAKE = """
; Python's hash of an integer, and of a tuple: one lane for each item, then the end (xxHash, as Python has it since 3.8).
define internal i64 @hash_of(i64 %x) {
  %low = call i64 @llvm.abs.i64(i64 %x, i1 0)
  %rest = urem i64 %low, 2305843009213693951
  %minus = sub i64 0, %rest
  %negative = icmp slt i64 %x, 0
  %signed = select i1 %negative, i64 %minus, i64 %rest
  %taken = icmp eq i64 %signed, -1
  %hash = select i1 %taken, i64 -2, i64 %signed
  ret i64 %hash
}
define internal i64 @lane(i64 %before, i64 %hash) {
  %mixed = mul i64 %hash, {PRIME_2}
  %sum = add i64 %before, %mixed
  %turned = call i64 @llvm.fshl.i64(i64 %sum, i64 %sum, i64 31)
  %after = mul i64 %turned, {PRIME_1}
  ret i64 %after
}
define internal i64 @end(i64 %lanes, i64 %count) {
  %length = xor i64 %count, {LENGTH}
  %sum = add i64 %lanes, %length
  %taken = icmp eq i64 %sum, -1
  %hash = select i1 %taken, i64 1546275796, i64 %sum
  ret i64 %hash
}
declare i64 @llvm.abs.i64(i64, i1)
declare i64 @llvm.fshl.i64(i64, i64, i64)

; The attributes of `context` in this thread; they are asked for when another thread was here last.
define internal ptr @surroundings() {
entry:
  %thread = call ptr @PyThreadState_Get()
  %id = call i64 @PyThreadState_GetID(ptr %thread)
  %last = load i64, ptr @thread
  %p.dict = getelementptr i8, ptr @thread, i64 8
  %before = load ptr, ptr %p.dict
  %same = icmp eq i64 %id, %last
  br i1 %same, label %known, label %ask
known:
  ret ptr %before
ask:
  %context = OBJECT context
  %name = OBJECT "__dict__"
  %found = call ptr @PyObject_GetAttr(ptr %context, ptr %name)
  %failed = icmp eq ptr %found, null
  br i1 %failed, label %fail, label %keep
keep:
  %now = load ptr, ptr %p.dict
  store i64 %id, ptr @thread
  store ptr %found, ptr %p.dict
  call void @Py_DecRef(ptr %now)
  ret ptr %found
fail:
  ret ptr null
}

define internal ptr @frame(i64 %depth) {
entry:
  %first = call ptr @PyEval_GetFrame()
  %none = icmp eq ptr %first, null
  br i1 %none, label %fail, label %begin
begin:
  call void @Py_IncRef(ptr %first)
  br label %next
next:
  %frame = phi ptr [ %first, %begin ], [ %back, %up ]
  %left = phi i64 [ %depth, %begin ], [ %less, %up ]
  %done = icmp eq i64 %left, 0
  br i1 %done, label %end, label %step
step:
  %back = call ptr @PyFrame_GetBack(ptr %frame)
  %bottom = icmp eq ptr %back, null
  br i1 %bottom, label %end, label %up
up:
  call void @Py_DecRef(ptr %frame)
  %less = sub i64 %left, 1
  br label %next
end:
  ret ptr %frame
fail:
  ret ptr null
}

; The row of a table for an op, its parameters, and the types of its first and its last input: these and a resolution.
define internal ptr @row(ptr %op, ptr %params, ptr %a, ptr %b) {
  %n.op = ptrtoint ptr %op to i64
  %n.params = ptrtoint ptr %params to i64
  %n.a = ptrtoint ptr %a to i64
  %n.b = ptrtoint ptr %b to i64
  %turned = call i64 @llvm.fshl.i64(i64 %n.b, i64 %n.b, i64 7)
  %types = add i64 %n.a, %turned
  %call = xor i64 %n.op, %n.params
  %all = xor i64 %types, %call
  %spread = mul i64 %all, {PRIME_1}
  %high = lshr i64 %spread, 40
  %number = urem i64 %high, {FOUND}
  %start = mul i64 %number, 40
  %row = getelementptr i8, ptr @found, i64 %start
  ret ptr %row
}
define internal void @put(ptr %place, ptr %object) {
entry:
  %old = load ptr, ptr %place
  call void @Py_IncRef(ptr %object)
  store ptr %object, ptr %place
  call void @Py_DecRef(ptr %old)                  ; which takes null, too
  ret void
}
; Write a row down. The objects that go are tuples, types and ops, whose end runs no Python code.
define internal void @keep(ptr %row, ptr %op, ptr %params, ptr %a, ptr %b, ptr %found) {
  %p.params = getelementptr i8, ptr %row, i64 8
  %p.a = getelementptr i8, ptr %row, i64 16
  %p.b = getelementptr i8, ptr %row, i64 24
  %p.found = getelementptr i8, ptr %row, i64 32
  call void @put(ptr %row, ptr %op)
  call void @put(ptr %p.params, ptr %params)
  call void @put(ptr %p.a, ptr %a)
  call void @put(ptr %p.b, ptr %b)
  call void @put(ptr %p.found, ptr %found)
  ret void
}

define internal ptr @make(ptr %op, ptr %inputs, ptr %params, i64 %depth) {
entry:
  %none = OBJECT None
  %count = call i64 @PyTuple_Size(ptr %inputs)
  %empty = icmp slt i64 %count, 1
  br i1 %empty, label %pass, label %width
width:
  %is.wide = icmp sgt i64 %count, 2
  br i1 %is.wide, label %types, label %near
near:
  %near.a = call ptr @PyTuple_GetItem(ptr %inputs, i64 0)
  %near.last = sub i64 %count, 1
  %near.b = call ptr @PyTuple_GetItem(ptr %inputs, i64 %near.last)
  %near.first = FIELD %near.a Node.type
  %near.type = FIELD %near.b Node.type
  %near.one = icmp eq i64 %count, 1
  %near.second = select i1 %near.one, ptr null, ptr %near.type
  %near.row = call ptr @row(ptr %op, ptr %params, ptr %near.first, ptr %near.second)
  %p.near.found = getelementptr i8, ptr %near.row, i64 32
  %near.op = load ptr, ptr %near.row
  %p.near.params = getelementptr i8, ptr %near.row, i64 8
  %near.params = load ptr, ptr %p.near.params
  %p.near.a = getelementptr i8, ptr %near.row, i64 16
  %near.known.a = load ptr, ptr %p.near.a
  %p.near.b = getelementptr i8, ptr %near.row, i64 24
  %near.known.b = load ptr, ptr %p.near.b
  %eq.op = icmp eq ptr %near.op, %op
  %eq.params = icmp eq ptr %near.params, %params
  %eq.a = icmp eq ptr %near.known.a, %near.first
  %eq.b = icmp eq ptr %near.known.b, %near.second
  %eq.one = and i1 %eq.op, %eq.params
  %eq.two = and i1 %eq.a, %eq.b
  %eq = and i1 %eq.one, %eq.two
  br i1 %eq, label %near.flags, label %types
near.flags:
  %near.found = load ptr, ptr %p.near.found
  %near.flags.a = FIELD %near.a Node.flags
  %near.flags.b = FIELD %near.b Node.flags
  %near.own.a = call i64 @PyLong_AsLongLong(ptr %near.flags.a)
  %near.own.b = call i64 @PyLong_AsLongLong(ptr %near.flags.b)
  %near.own = or i64 %near.own.a, %near.own.b
  br label %alloc
types:
  %row.kept = phi ptr [ null, %width ], [ %near.row, %near ]
  %near.first.kept = phi ptr [ null, %width ], [ %near.first, %near ]
  %near.second.kept = phi ptr [ null, %width ], [ %near.second, %near ]
  %places = add i64 %count, 1
  %slot = call ptr @PyTuple_New(i64 %places)
  %no.slot = icmp eq ptr %slot, null
  br i1 %no.slot, label %fail, label %first
first:
  call void @Py_IncRef(ptr %params)
  %set.params = call i32 @PyTuple_SetItem(ptr %slot, i64 0, ptr %params)
  br label %type
type:
  %i = phi i64 [ 0, %first ], [ %place, %typed ]
  %flags.seen = phi i64 [ 0, %first ], [ %flags.on, %typed ]
  %over = icmp sge i64 %i, %count
  br i1 %over, label %look, label %typed
typed:
  %input = call ptr @PyTuple_GetItem(ptr %inputs, i64 %i)
  %input.type = FIELD %input Node.type
  call void @Py_IncRef(ptr %input.type)
  %place = add i64 %i, 1
  %set.type = call i32 @PyTuple_SetItem(ptr %slot, i64 %place, ptr %input.type)
  %input.flags = FIELD %input Node.flags
  %own.flags = call i64 @PyLong_AsLongLong(ptr %input.flags)
  %flags.on = or i64 %flags.seen, %own.flags
  br label %type
look:
  %name.resolutions = OBJECT "resolutions"
  %resolutions = call ptr @PyObject_GetAttr(ptr %op, ptr %name.resolutions)
  %no.table = icmp eq ptr %resolutions, null
  br i1 %no.table, label %fail.slot, label %find
find:
  %looked = call ptr @PyDict_GetItemWithError(ptr %resolutions, ptr %slot)
  call void @Py_DecRef(ptr %resolutions)
  call void @Py_DecRef(ptr %slot)
  %unknown = icmp eq ptr %looked, null
  br i1 %unknown, label %pass.clear, label %check
check:
  %given = FIELD %looked Resolution.given
  %is.same = call i1 @same(ptr %params, ptr %given)
  br i1 %is.same, label %check.plain, label %pass
check.plain:
  %true = OBJECT True
  %plain = FIELD %looked Resolution.is_plain
  %is.plain = icmp eq ptr %plain, %true
  br i1 %is.plain, label %check.keep, label %pass
check.keep:                                       ; by identity only with the parameters that the resolution holds
  %no.row = icmp eq ptr %row.kept, null
  %other.params = icmp ne ptr %params, %given
  %not.kept = or i1 %no.row, %other.params
  br i1 %not.kept, label %alloc, label %keep.row
keep.row:
  call void @keep(ptr %row.kept, ptr %op, ptr %params, ptr %near.first.kept, ptr %near.second.kept, ptr %looked)
  br label %alloc
alloc:
  %found = phi ptr [ %near.found, %near.flags ], [ %looked, %check.keep ], [ %looked, %keep.row ]
  %flags = phi i64 [ %near.own, %near.flags ], [ %flags.seen, %check.keep ], [ %flags.seen, %keep.row ]
  call void @Py_IncRef(ptr %found)
  %class = OBJECT Node
  %node = call ptr @PyType_GenericAlloc(ptr %class, i64 0)
  %no.node = icmp eq ptr %node, null
  br i1 %no.node, label %fail.found, label %fill
fill:
  KEEP %node Node.resolution %found
  SET %node Node.op %op
  SET %node Node.inputs %inputs
  %own.params = FIELD %found Resolution.params
  SET %node Node.params %own.params
  %type.result = FIELD %found Resolution.type
  SET %node Node.type %type.result
  SET %node Node.value %none
  SET %node Node.hooks %none
  %alone = icmp eq i64 %count, 1
  br i1 %alone, label %key.one, label %key.next
key.one:
  %only = call ptr @PyTuple_GetItem(ptr %inputs, i64 0)
  %only.key = FIELD %only Node.key
  %only.number = call i64 @PyLong_AsLongLong(ptr %only.key)
  %only.hash = call i64 @hash_of(i64 %only.number)
  br label %key
key.next:
  %k = phi i64 [ 0, %fill ], [ %k.up, %key.part ]
  %so.far = phi i64 [ {PRIME_5}, %fill ], [ %further, %key.part ]
  %k.over = icmp sge i64 %k, %count
  br i1 %k.over, label %key.more, label %key.part
key.part:
  %source.node = call ptr @PyTuple_GetItem(ptr %inputs, i64 %k)
  %source.key = FIELD %source.node Node.key
  %source.number = call i64 @PyLong_AsLongLong(ptr %source.key)
  %source.hash = call i64 @hash_of(i64 %source.number)
  %further = call i64 @lane(i64 %so.far, i64 %source.hash)
  %k.up = add i64 %k, 1
  br label %key.next
key.more:
  %tuple.hash = call i64 @end(i64 %so.far, i64 %count)
  br label %key
key:
  %keys = phi i64 [ %only.hash, %key.one ], [ %tuple.hash, %key.more ]
  %found.key = FIELD %found Resolution.key
  %found.number = call i64 @PyLong_AsLongLong(ptr %found.key)
  %found.hash = call i64 @hash_of(i64 %found.number)
  %first.lane = call i64 @lane(i64 {PRIME_5}, i64 %found.hash)
  %second.lane = call i64 @lane(i64 %first.lane, i64 %keys)
  %hashed = call i64 @end(i64 %second.lane, i64 2)
  br label %boxes
boxes:
  %key.object = call ptr @PyLong_FromLongLong(i64 %hashed)
  KEEP %node Node.key %key.object
  %state = call ptr @surroundings()
  %no.state = icmp eq ptr %state, null
  br i1 %no.state, label %fail.node, label %surroundings
surroundings:
  %name.mask = OBJECT "mask"
  %mask.object = call ptr @PyDict_GetItemWithError(ptr %state, ptr %name.mask)
  %name.layers = OBJECT "layers"
  %layers = call ptr @PyDict_GetItemWithError(ptr %state, ptr %name.layers)
  %name.limit = OBJECT "limit"
  %limit.object = call ptr @PyDict_GetItemWithError(ptr %state, ptr %name.limit)
  %no.mask = icmp eq ptr %mask.object, null
  %no.layers = icmp eq ptr %layers, null
  %no.limit = icmp eq ptr %limit.object, null
  %no.one = or i1 %no.mask, %no.layers
  %not.all = or i1 %no.one, %no.limit
  br i1 %not.all, label %fail.node, label %flag
flag:
  %mask = call i64 @PyLong_AsLongLong(ptr %mask.object)
  %limit = call i64 @PyLong_AsLongLong(ptr %limit.object)
  SET %node Node.layers %layers
  %own.mask.object = FIELD %found Resolution.mask
  %own.mask = call i64 @PyLong_AsLongLong(ptr %own.mask.object)
  %masks = and i64 %mask, %own.mask
  %flags.all = and i64 %flags, %masks
  %flags.object = call ptr @PyLong_FromLongLong(i64 %flags.all)
  KEEP %node Node.flags %flags.object
  %serials = OBJECT serials
  %serial.object = call ptr @PyIter_Next(ptr %serials)
  KEEP %node Node.serial %serial.object
  %no.flags = icmp eq ptr %flags.object, null
  %no.serial = icmp eq ptr %serial.object, null
  %no.key = icmp eq ptr %key.object, null
  %no.two = or i1 %no.flags, %no.serial
  %no.three = or i1 %no.two, %no.key
  br i1 %no.three, label %fail.node, label %where
where:
  %serial = call i64 @PyLong_AsLongLong(ptr %serial.object)
  %begin = call ptr @frame(i64 %depth)
  %no.frame = icmp eq ptr %begin, null
  br i1 %no.frame, label %fail.node, label %source
source:
  %source.object = call ptr @source(ptr %begin)
  %no.source = icmp eq ptr %source.object, null
  br i1 %no.source, label %fail.node, label %end
end:
  KEEP %node Node.source %source.object
  %late = icmp sge i64 %serial, %limit
  br i1 %late, label %after, label %done
after:
  %function = OBJECT after
  %nothing = call ptr @ask(ptr %function, ptr %node, ptr null, i64 1)
  %raised = icmp eq ptr %nothing, null
  br i1 %raised, label %fail.node, label %after.all
after.all:
  call void @Py_DecRef(ptr %nothing)
  br label %done
done:
  ret ptr %node
pass.clear:
  call void @PyErr_Clear()
  br label %pass
pass:
  %pass.none = call ptr @nothing()
  ret ptr %pass.none
fail.slot:
  call void @Py_DecRef(ptr %slot)
  br label %fail
fail.found:
  call void @Py_DecRef(ptr %found)
  br label %fail
fail.node:
  call void @Py_DecRef(ptr %node)
  br label %fail
fail:
  %raised.already = call ptr @PyErr_Occurred()
  %is.set = icmp ne ptr %raised.already, null
  br i1 %is.set, label %raise, label %pass
raise:
  ret ptr null
}
"""

RECORD = """
; record(op, inputs, params): see `graph.op.record`.
define ptr @record(ptr %self, ptr %args, i64 %n) {
  %op = ARGUMENT 0
  %inputs = ARGUMENT 1
  %params = ARGUMENT 2
  %node = call ptr @make(ptr %op, ptr %inputs, ptr %params, i64 2)
  ret ptr %node
}
"""

OPERATOR = """
; The node of an operand, a new reference; null without an error where Python has to find it.
define internal ptr @node(ptr %operand, ptr %beside) {
entry:
  %type = TYPE %operand
  %tensor = OBJECT Tensor
  %is.tensor = icmp eq ptr %type, %tensor
  br i1 %is.tensor, label %read, label %variable
read:
  %own = FIELD %operand Tensor.node
  call void @Py_IncRef(ptr %own)
  ret ptr %own
variable:
  %class = OBJECT Variable
  %is.variable = icmp eq ptr %type, %class
  br i1 %is.variable, label %ask, label %number
ask:
  %name = OBJECT "node"
  %found = call ptr @PyObject_GetAttr(ptr %operand, ptr %name)
  ret ptr %found
number:
  %alone = icmp eq ptr %beside, null
  br i1 %alone, label %none, label %kind
kind:
  %float = OBJECT float
  %is.float = icmp eq ptr %type, %float
  %int = OBJECT int
  %is.int = icmp eq ptr %type, %int
  %is.number = or i1 %is.float, %is.int
  br i1 %is.number, label %single, label %none
single:
  %other = FIELD %beside Node.type
  %other.class = TYPE %other
  %single.class = OBJECT TensorType
  %is.single = icmp eq ptr %other.class, %single.class
  br i1 %is.single, label %weak, label %none
weak:
  %dtype = FIELD %other TensorType.dtype
  %function = OBJECT weak
  %made = call ptr @ask(ptr %function, ptr %operand, ptr %dtype, i64 2)
  ret ptr %made
none:
  ret ptr null
}

; An operator of tensors; `self` is a tuple of its op, parameters, and form in Python: see `tensor.wrap.binary`.
define ptr @operator(ptr %self, ptr %args, i64 %n) {
entry:
  %op = call ptr @PyTuple_GetItem(ptr %self, i64 0)
  %params = call ptr @PyTuple_GetItem(ptr %self, i64 1)
  %count = call i64 @PyTuple_Size(ptr %self)
  %is.reflected = icmp eq i64 %count, 4
  %one = icmp eq i64 %n, 1
  %two = icmp eq i64 %n, 2
  %few = or i1 %one, %two
  br i1 %few, label %left, label %python
left:
  %a = ARGUMENT 0
  %a.node = call ptr @node(ptr %a, ptr null)
  %no.a = icmp eq ptr %a.node, null
  br i1 %no.a, label %error, label %width
width:
  %inputs = call ptr @PyTuple_New(i64 %n)
  %no.inputs = icmp eq ptr %inputs, null
  br i1 %no.inputs, label %fail.a, label %right
right:
  br i1 %one, label %single, label %both
single:
  %set.single = call i32 @PyTuple_SetItem(ptr %inputs, i64 0, ptr %a.node)
  br label %make
both:
  %b = ARGUMENT 1
  %b.node = call ptr @node(ptr %b, ptr %a.node)
  %no.b = icmp eq ptr %b.node, null
  br i1 %no.b, label %fail.inputs, label %order
order:
  %first = select i1 %is.reflected, ptr %b.node, ptr %a.node
  %second = select i1 %is.reflected, ptr %a.node, ptr %b.node
  %set.first = call i32 @PyTuple_SetItem(ptr %inputs, i64 0, ptr %first)
  %set.second = call i32 @PyTuple_SetItem(ptr %inputs, i64 1, ptr %second)
  br label %make
make:
  %node = call ptr @make(ptr %op, ptr %inputs, ptr %params, i64 0)
  call void @Py_DecRef(ptr %inputs)
  %failed = icmp eq ptr %node, null
  br i1 %failed, label %raise, label %decide
decide:
  %none = OBJECT None
  %passed = icmp eq ptr %node, %none
  br i1 %passed, label %forget, label %wrap
forget:
  call void @Py_DecRef(ptr %node)
  br label %python
wrap:
  %class = OBJECT Tensor
  %handle = call ptr @PyType_GenericAlloc(ptr %class, i64 0)
  %no.handle = icmp eq ptr %handle, null
  br i1 %no.handle, label %fail.node, label %done
done:
  KEEP %handle Tensor.node %node
  ret ptr %handle
fail.node:
  call void @Py_DecRef(ptr %node)
  ret ptr null
fail.inputs:
  call void @Py_DecRef(ptr %inputs)
  br label %fail.a
fail.a:
  call void @Py_DecRef(ptr %a.node)
  br label %error
error:
  %raised = call ptr @PyErr_Occurred()
  %is.set = icmp ne ptr %raised, null
  br i1 %is.set, label %raise, label %python
raise:
  ret ptr null
python:
  %method = call ptr @PyTuple_GetItem(ptr %self, i64 2)
  %found = call ptr @PyObject_Vectorcall(ptr %method, ptr %args, i64 %n, ptr null)
  ret ptr %found
}
"""

PENDING = """
; pending(nodes, uses): see `run.walk.pending`; fills both, the nodes in no particular order.
define ptr @pending(ptr %self, ptr %args, i64 %n) {
entry:
  %nodes = ARGUMENT 0
  %uses = ARGUMENT 1
  %none = OBJECT None
  %one = OBJECT 1
  br label %next
next:
  %i = phi i64 [ 0, %entry ], [ %i.known, %skip ], [ %i.up, %sources ]
  %count = call i64 @PyList_Size(ptr %nodes)
  %over = icmp sge i64 %i, %count
  br i1 %over, label %done, label %take
take:
  %node = call ptr @PyList_GetItem(ptr %nodes, i64 %i)
  %value = FIELD %node Node.value
  %is.pending = icmp eq ptr %value, %none
  br i1 %is.pending, label %open, label %skip
skip:
  %i.known = add i64 %i, 1
  br label %next
open:
  %inputs = FIELD %node Node.inputs
  %width = call i64 @PyTuple_Size(ptr %inputs)
  %i.up = add i64 %i, 1
  br label %sources
sources:
  %k = phi i64 [ 0, %open ], [ %k.again, %again.done ], [ %k.new, %new.done ]
  %k.over = icmp sge i64 %k, %width
  br i1 %k.over, label %next, label %source
source:
  %input = call ptr @PyTuple_GetItem(ptr %inputs, i64 %k)
  %before = call ptr @PyDict_GetItemWithError(ptr %uses, ptr %input)
  %is.new = icmp eq ptr %before, null
  br i1 %is.new, label %new, label %again
again:
  %number = call i64 @PyLong_AsLongLong(ptr %before)
  %more = add i64 %number, 1
  %boxed = call ptr @PyLong_FromLongLong(i64 %more)
  %no.box = icmp eq ptr %boxed, null
  br i1 %no.box, label %fail, label %again.set
again.set:
  %set.again = call i32 @PyDict_SetItem(ptr %uses, ptr %input, ptr %boxed)
  call void @Py_DecRef(ptr %boxed)
  %bad.again = icmp slt i32 %set.again, 0
  br i1 %bad.again, label %fail, label %again.done
again.done:
  %k.again = add i64 %k, 1
  br label %sources
new:
  %set.new = call i32 @PyDict_SetItem(ptr %uses, ptr %input, ptr %one)
  %bad.new = icmp slt i32 %set.new, 0
  br i1 %bad.new, label %fail, label %new.list
new.list:
  %put = call i32 @PyList_Append(ptr %nodes, ptr %input)
  %bad.put = icmp slt i32 %put, 0
  br i1 %bad.put, label %fail, label %new.done
new.done:
  %k.new = add i64 %k, 1
  br label %sources
done:
  %end = call ptr @nothing()
  ret ptr %end
fail:
  ret ptr null
}
"""

HELD = """
; held(nodes, uses, kept, by_walk, or_tracked): see `run.walk.held`.
define ptr @held(ptr %self, ptr %args, i64 %n) {
entry:
  %nodes = ARGUMENT 0
  %uses = ARGUMENT 1
  %kept = ARGUMENT 2
  %own.object = ARGUMENT 3
  %own = call i64 @PyLong_AsLongLong(ptr %own.object)
  %tracked.object = ARGUMENT 4
  %true = OBJECT True
  %with.tracked = icmp eq ptr %tracked.object, %true
  %none = OBJECT None
  %name.kind = OBJECT "kind"
  %cheap = OBJECT cheap
  %count = call i64 @PyList_Size(ptr %nodes)
  br label %next
next:
  %i = phi i64 [ 0, %entry ], [ %i.up, %on ]
  %over = icmp sge i64 %i, %count
  br i1 %over, label %done, label %take
take:
  %node = call ptr @PyList_GetItem(ptr %nodes, i64 %i)
  %value = FIELD %node Node.value
  %is.pending = icmp eq ptr %value, %none
  br i1 %is.pending, label %open, label %on
open:
  %references.narrow = load i32, ptr %node
  %references = zext i32 %references.narrow to i64
  %use.object = call ptr @PyDict_GetItemWithError(ptr %uses, ptr %node)
  %no.use = icmp eq ptr %use.object, null
  br i1 %no.use, label %fail, label %compare
compare:
  %use = call i64 @PyLong_AsLongLong(ptr %use.object)
  %rest = sub i64 %references, %use
  %is.held = icmp sgt i64 %rest, %own
  br i1 %is.held, label %keep, label %tracked
tracked:
  br i1 %with.tracked, label %flags, label %on
flags:
  %flags.object = FIELD %node Node.flags
  %flags.all = call i64 @PyLong_AsLongLong(ptr %flags.object)
  %flags.two = and i64 %flags.all, {TRACKED_OR_SPENT}
  %is.tracked = icmp eq i64 %flags.two, {TRACKED}
  br i1 %is.tracked, label %kind, label %on
kind:
  %op = FIELD %node Node.op
  %kind.object = call ptr @PyObject_GetAttr(ptr %op, ptr %name.kind)
  %no.kind = icmp eq ptr %kind.object, null
  br i1 %no.kind, label %leaf, label %cost
leaf:
  call void @PyErr_Clear()
  br label %on
cost:
  %is.cheap = call i32 @PySet_Contains(ptr %cheap, ptr %kind.object)
  call void @Py_DecRef(ptr %kind.object)
  %takes.long = icmp eq i32 %is.cheap, 0
  br i1 %takes.long, label %keep, label %on
keep:
  %added = call i32 @PySet_Add(ptr %kept, ptr %node)
  %bad = icmp slt i32 %added, 0
  br i1 %bad, label %fail, label %on
on:
  %i.up = add i64 %i, 1
  br label %next
done:
  %end = call ptr @nothing()
  ret ptr %end
fail:
  ret ptr null
}
"""

SIGNATURE = """
; signature(nodes, flat, leaves, numbers): see `run.walk.signature`; fills all three, False where there is no signature.
define ptr @signature(ptr %self, ptr %args, i64 %n) {
entry:
  %nodes = ARGUMENT 0
  %flat = ARGUMENT 1
  %leaves = ARGUMENT 2
  %numbers = ARGUMENT 3
  %none = OBJECT None
  %op.item = OBJECT ITEM
  %op.symbol = OBJECT SYMBOL
  %op.variable = OBJECT VARIABLE
  %tuple = OBJECT tuple
  %zero = OBJECT 0
  %single = OBJECT TensorType
  %count = call i64 @PyList_Size(ptr %nodes)
  br label %next
next:
  %i = phi i64 [ 0, %entry ], [ %i.up, %on ]
  %over = icmp sge i64 %i, %count
  br i1 %over, label %done, label %take
take:
  %node = call ptr @PyList_GetItem(ptr %nodes, i64 %i)
  %i.up = add i64 %i, 1
  %number = call ptr @PyLong_FromLongLong(i64 %i)
  %no.number = icmp eq ptr %number, null
  br i1 %no.number, label %fail, label %note
note:
  %noted = call i32 @PyDict_SetItem(ptr %numbers, ptr %node, ptr %number)
  call void @Py_DecRef(ptr %number)
  %bad.note = icmp slt i32 %noted, 0
  br i1 %bad.note, label %fail, label %read
read:
  %value = FIELD %node Node.value
  %type = FIELD %node Node.type
  %is.pending = icmp eq ptr %value, %none
  br i1 %is.pending, label %open, label %known
open:
  %inputs = FIELD %node Node.inputs
  %op = FIELD %node Node.op
  %width = call i64 @PyTuple_Size(ptr %inputs)
  %alone = icmp eq i64 %width, 0
  br i1 %alone, label %leaf, label %item
leaf:
  %is.symbol = icmp eq ptr %op, %op.symbol
  %is.variable = icmp eq ptr %op, %op.variable
  %has.none = or i1 %is.symbol, %is.variable
  br i1 %has.none, label %refuse, label %key
item:
  %is.item = icmp eq ptr %op, %op.item
  br i1 %is.item, label %several, label %key
several:
  %whole = call ptr @PyTuple_GetItem(ptr %inputs, i64 0)
  %whole.value = FIELD %whole Node.value
  %is.open = icmp eq ptr %whole.value, %none
  br i1 %is.open, label %key, label %input
key:
  %key.object = FIELD %node Node.key
  %put.key = call i32 @PyList_Append(ptr %flat, ptr %key.object)
  %bad.key = icmp slt i32 %put.key, 0
  br i1 %bad.key, label %fail, label %sources
sources:
  %k = phi i64 [ 0, %key ], [ %k.up, %source.put ]
  %k.over = icmp sge i64 %k, %width
  br i1 %k.over, label %on, label %source
source:
  %from = call ptr @PyTuple_GetItem(ptr %inputs, i64 %k)
  %place = call ptr @PyDict_GetItemWithError(ptr %numbers, ptr %from)
  %no.place = icmp eq ptr %place, null
  br i1 %no.place, label %refuse, label %source.put
source.put:
  %put.source = call i32 @PyList_Append(ptr %flat, ptr %place)
  %k.up = add i64 %k, 1
  %bad.source = icmp slt i32 %put.source, 0
  br i1 %bad.source, label %fail, label %sources
known:
  %value.type = TYPE %value
  %is.tuple = icmp eq ptr %value.type, %tuple
  br i1 %is.tuple, label %parts, label %rank
parts:
  %put.none = call i32 @PyList_Append(ptr %flat, ptr %none)
  %bad.none = icmp slt i32 %put.none, 0
  br i1 %bad.none, label %fail, label %on
rank:
  %class = TYPE %type
  %is.single = icmp eq ptr %class, %single
  br i1 %is.single, label %rank.read, label %ask
rank.read:
  %rank.object = FIELD %type TensorType.ndim
  %is.scalar = icmp eq ptr %rank.object, %zero
  br i1 %is.scalar, label %ask, label %input
ask:
  %number_of = OBJECT number_of
  %bytes = call ptr @ask(ptr %number_of, ptr %node, ptr null, i64 1)
  %no.bytes = icmp eq ptr %bytes, null
  br i1 %no.bytes, label %fail, label %answer
answer:
  %is.input = icmp eq ptr %bytes, %none
  br i1 %is.input, label %forget, label %number.type
forget:
  call void @Py_DecRef(ptr %bytes)
  br label %input
number.type:
  %put.type = call i32 @PyList_Append(ptr %flat, ptr %type)
  %put.bytes = call i32 @PyList_Append(ptr %flat, ptr %bytes)
  call void @Py_DecRef(ptr %bytes)
  %both = or i32 %put.type, %put.bytes
  %bad.both = icmp slt i32 %both, 0
  br i1 %bad.both, label %fail, label %on
input:
  %put.leaf = call i32 @PyList_Append(ptr %leaves, ptr %node)
  %put.kind = call i32 @PyList_Append(ptr %flat, ptr %type)
  %two = or i32 %put.leaf, %put.kind
  %bad.two = icmp slt i32 %two, 0
  br i1 %bad.two, label %fail, label %on
on:
  br label %next
refuse:
  %false = OBJECT False
  call void @Py_IncRef(ptr %false)
  ret ptr %false
done:
  %true = OBJECT True
  call void @Py_IncRef(ptr %true)
  ret ptr %true
fail:
  ret ptr null
}
"""

UNITS = """
; units(nodes, start, list, places, uses, sizes, free, kept, owned, passing, arena, take, release, bases): puts the calls
; of units on the list, as `run.evaluation.Evaluation` does, up to a node that Python has to see to; returns its number.
define ptr @units(ptr %self, ptr %args, i64 %n) {
entry:
  %nodes = ARGUMENT 0
  %start.object = ARGUMENT 1
  %list = ARGUMENT 2
  %places = ARGUMENT 3
  %uses = ARGUMENT 4
  %sizes = ARGUMENT 5
  %free = ARGUMENT 6
  %kept = ARGUMENT 7
  %owned = ARGUMENT 8
  %passing = ARGUMENT 9
  %arena.object = ARGUMENT 10
  %take = ARGUMENT 11
  %release = ARGUMENT 12
  %bases = ARGUMENT 13
  %none = OBJECT None
  %start = call i64 @PyLong_AsLongLong(ptr %start.object)
  %arena = call i64 @PyLong_AsLongLong(ptr %arena.object)
  %count = call i64 @PyList_Size(ptr %nodes)
  br label %next
next:
  %i = phi i64 [ %start, %entry ], [ %i.up, %skip ], [ %i.on, %uses.next ]
  %over = icmp sge i64 %i, %count
  br i1 %over, label %stop, label %read
read:
  %node = call ptr @PyList_GetItem(ptr %nodes, i64 %i)
  %value = FIELD %node Node.value
  %is.pending = icmp eq ptr %value, %none
  br i1 %is.pending, label %resolution, label %skip
skip:
  %i.up = add i64 %i, 1
  br label %next
resolution:
  %resolved = FIELD %node Node.resolution
  %no.resolution = icmp eq ptr %resolved, %none
  br i1 %no.resolution, label %stop, label %unit
unit:
  %unit.object = FIELD %resolved Resolution.unit
  %no.unit = icmp eq ptr %unit.object, %none
  br i1 %no.unit, label %stop, label %offset
offset:
  %offset.object = FIELD %unit.object Unit.offset
  %is.whole = icmp eq ptr %offset.object, %none
  br i1 %is.whole, label %piece, label %part
part:                                             ; a part of a leaf lies where that lies
  %p.inputs = FIELD %node Node.inputs
  %leaf = call ptr @PyTuple_GetItem(ptr %p.inputs, i64 0)
  %leaf.value = FIELD %leaf Node.value
  %leaf.inputs = FIELD %leaf Node.inputs
  %leaf.width = call i64 @PyTuple_Size(ptr %leaf.inputs)
  %leaf.open = icmp eq ptr %leaf.value, %none
  %leaf.made = icmp ne i64 %leaf.width, 0
  %not.leaf = or i1 %leaf.open, %leaf.made
  br i1 %not.leaf, label %piece, label %base
base:
  %base.object = call ptr @PyDict_GetItemWithError(ptr %bases, ptr %leaf)
  %no.base = icmp eq ptr %base.object, null
  br i1 %no.base, label %stop, label %base.read
base.read:
  %base.number = call i64 @PyLong_AsLongLong(ptr %base.object)
  %no.order = icmp eq i64 %base.number, 0
  %p.kept = call i32 @PySet_Contains(ptr %kept, ptr %node)
  %p.owned = call i32 @PySet_Contains(ptr %owned, ptr %node)
  %p.any = or i32 %p.kept, %p.owned
  %p.shown = icmp ne i32 %p.any, 0
  %p.not = or i1 %no.order, %p.shown
  %leaf.use = call ptr @PyDict_GetItemWithError(ptr %uses, ptr %leaf)
  %no.leaf.use = icmp eq ptr %leaf.use, null
  %p.stop = or i1 %p.not, %no.leaf.use
  br i1 %p.stop, label %stop, label %show
show:
  %offset.number = call i64 @PyLong_AsLongLong(ptr %offset.object)
  %shown.number = add i64 %base.number, %offset.number
  %shown.object = call ptr @PyLong_FromLongLong(i64 %shown.number)
  %leaf.count = call i64 @PyLong_AsLongLong(ptr %leaf.use)
  %leaf.left = sub i64 %leaf.count, 1
  %leaf.object = call ptr @PyLong_FromLongLong(i64 %leaf.left)
  %no.shown = icmp eq ptr %shown.object, null
  %no.leaf.left = icmp eq ptr %leaf.object, null
  %no.numbers = or i1 %no.shown, %no.leaf.left
  br i1 %no.numbers, label %fail.show, label %show.set
show.set:
  %set.shown = call i32 @PyDict_SetItem(ptr %places, ptr %node, ptr %shown.object)
  %set.leaf = call i32 @PyDict_SetItem(ptr %uses, ptr %leaf, ptr %leaf.object)
  call void @Py_DecRef(ptr %shown.object)
  call void @Py_DecRef(ptr %leaf.object)
  %bad.shown = or i32 %set.shown, %set.leaf
  %is.bad.shown = icmp slt i32 %bad.shown, 0
  br i1 %is.bad.shown, label %fail, label %skip
piece:
  %piece.object = FIELD %unit.object Unit.piece
  %no.piece = icmp eq ptr %piece.object, %none
  br i1 %no.piece, label %stop, label %size
size:
  %size.object = FIELD %piece.object Piece.size
  %no.size = icmp eq ptr %size.object, %none
  br i1 %no.size, label %stop, label %arena.read
arena.read:
  %own.object = FIELD %piece.object Piece.arena
  %own = call i64 @PyLong_AsLongLong(ptr %own.object)
  %is.large = icmp sgt i64 %own, %arena
  br i1 %is.large, label %stop, label %keeps
keeps:
  %is.kept = call i32 @PySet_Contains(ptr %kept, ptr %node)
  %is.owned = call i32 @PySet_Contains(ptr %owned, ptr %node)
  %shown = or i32 %is.kept, %is.owned
  %not.free = icmp ne i32 %shown, 0
  br i1 %not.free, label %stop, label %check
check:
  %inputs = FIELD %node Node.inputs
  %width = call i64 @PyTuple_Size(ptr %inputs)
  br label %check.next
check.next:
  %c = phi i64 [ 0, %check ], [ %c.up, %check.one ]
  %c.over = icmp sge i64 %c, %width
  br i1 %c.over, label %block, label %check.one
check.one:
  %c.source = call ptr @PyTuple_GetItem(ptr %inputs, i64 %c)
  %c.place = call ptr @PyDict_GetItemWithError(ptr %places, ptr %c.source)
  %c.up = add i64 %c, 1
  %c.none = icmp eq ptr %c.place, null
  br i1 %c.none, label %stop, label %check.next
block:
  %idle = call ptr @PyDict_GetItemWithError(ptr %free, ptr %size.object)
  %no.idle = icmp eq ptr %idle, null
  br i1 %no.idle, label %fresh, label %idle.count
idle.count:
  %blocks = call i64 @PyList_Size(ptr %idle)
  %no.blocks = icmp eq i64 %blocks, 0
  br i1 %no.blocks, label %fresh, label %idle.take
idle.take:
  %last = sub i64 %blocks, 1
  %idle.block = call ptr @PyList_GetItem(ptr %idle, i64 %last)
  call void @Py_IncRef(ptr %idle.block)
  %cut = call i32 @PyList_SetSlice(ptr %idle, i64 %last, i64 %blocks, ptr null)
  br label %write
fresh:
  %fresh.block = call ptr @ask(ptr %take, ptr %size.object, ptr null, i64 1)
  %no.fresh = icmp eq ptr %fresh.block, null
  br i1 %no.fresh, label %fail, label %write
write:
  %place = phi ptr [ %idle.block, %idle.take ], [ %fresh.block, %fresh ]
  %address = FIELD %piece.object Piece.address
  %put.address = call i32 @PyList_Append(ptr %list, ptr %address)
  br label %write.next
write.next:
  %w = phi i64 [ 0, %write ], [ %w.up, %write.one ]
  %w.over = icmp sge i64 %w, %width
  br i1 %w.over, label %result, label %write.one
write.one:
  %w.source = call ptr @PyTuple_GetItem(ptr %inputs, i64 %w)
  %w.place = call ptr @PyDict_GetItemWithError(ptr %places, ptr %w.source)
  %put.source = call i32 @PyList_Append(ptr %list, ptr %w.place)
  %w.up = add i64 %w, 1
  %bad.source = icmp slt i32 %put.source, 0
  br i1 %bad.source, label %fail.place, label %write.next
result:
  %put.result = call i32 @PyList_Append(ptr %list, ptr %place)
  %set.place = call i32 @PyDict_SetItem(ptr %places, ptr %node, ptr %place)
  %set.size = call i32 @PyDict_SetItem(ptr %sizes, ptr %node, ptr %size.object)
  call void @Py_DecRef(ptr %place)
  %bad.one = or i32 %put.address, %put.result
  %bad.two = or i32 %set.place, %set.size
  %bad.all = or i32 %bad.one, %bad.two
  %bad = icmp slt i32 %bad.all, 0
  br i1 %bad, label %fail, label %uses.begin
uses.begin:
  %i.on = add i64 %i, 1
  br label %uses.next
uses.next:
  %u = phi i64 [ 0, %uses.begin ], [ %u.up, %use.end ]
  %u.over = icmp sge i64 %u, %width
  br i1 %u.over, label %next, label %use
use:
  %u.source = call ptr @PyTuple_GetItem(ptr %inputs, i64 %u)
  %u.up = add i64 %u, 1
  %use.object = call ptr @PyDict_GetItemWithError(ptr %uses, ptr %u.source)
  %no.use = icmp eq ptr %use.object, null
  br i1 %no.use, label %fail, label %use.less
use.less:
  %use.count = call i64 @PyLong_AsLongLong(ptr %use.object)
  %left = sub i64 %use.count, 1
  %left.object = call ptr @PyLong_FromLongLong(i64 %left)
  %no.left = icmp eq ptr %left.object, null
  br i1 %no.left, label %fail, label %use.set
use.set:
  %set.use = call i32 @PyDict_SetItem(ptr %uses, ptr %u.source, ptr %left.object)
  call void @Py_DecRef(ptr %left.object)
  %bad.use = icmp slt i32 %set.use, 0
  br i1 %bad.use, label %fail, label %use.last
use.last:
  %is.last = icmp eq i64 %left, 0
  br i1 %is.last, label %give, label %use.end
give:
  %u.size = call ptr @PyDict_GetItemWithError(ptr %sizes, ptr %u.source)
  %no.u.size = icmp eq ptr %u.size, null
  br i1 %no.u.size, label %passing.ask, label %give.list
give.list:
  %u.list = call ptr @PyDict_GetItemWithError(ptr %free, ptr %u.size)
  %u.place = call ptr @PyDict_GetItemWithError(ptr %places, ptr %u.source)
  %no.u.list = icmp eq ptr %u.list, null
  %no.u.place = icmp eq ptr %u.place, null
  %no.both = or i1 %no.u.list, %no.u.place
  br i1 %no.both, label %python, label %give.back
give.back:
  %put.back = call i32 @PyList_Append(ptr %u.list, ptr %u.place)
  %del.size = call i32 @PyDict_DelItem(ptr %sizes, ptr %u.source)
  %del.place = call i32 @PyDict_DelItem(ptr %places, ptr %u.source)
  %bad.back = or i32 %put.back, %del.size
  %bad.back.all = or i32 %bad.back, %del.place
  %is.bad.back = icmp slt i32 %bad.back.all, 0
  br i1 %is.bad.back, label %fail, label %use.end
passing.ask:
  %is.passing = call i32 @PySet_Contains(ptr %passing, ptr %u.source)
  %passes = icmp eq i32 %is.passing, 1
  br i1 %passes, label %python, label %use.end
python:
  %released = call ptr @ask(ptr %release, ptr %u.source, ptr null, i64 1)
  %no.released = icmp eq ptr %released, null
  br i1 %no.released, label %fail, label %python.end
python.end:
  call void @Py_DecRef(ptr %released)
  br label %use.end
use.end:
  br label %uses.next
stop:
  %number = call ptr @PyLong_FromLongLong(i64 %i)
  ret ptr %number
fail.show:
  call void @Py_DecRef(ptr %shown.object)
  call void @Py_DecRef(ptr %leaf.object)
  br label %fail
fail.place:
  call void @Py_DecRef(ptr %place)
  br label %fail
fail:
  ret ptr null
}
"""

FUNCTIONS = {
    "record": SOURCE + MAKE + RECORD,
    "operator": SOURCE + MAKE + OPERATOR,
    "pending": PENDING,
    "held": HELD,
    "signature": SIGNATURE,
    "units": UNITS,
}


def _expand(text: str, places: Places, numbers: Mapping[str, int]) -> str:
    """Write the short forms out.

    ``%x = OBJECT name`` reads a name of what the functions refer to, ``%x = TYPE %o`` the type of an object,
    ``%x = FIELD %o Class.name`` an attribute, ``%x = ARGUMENT n`` an argument of the call; ``SET %o Class.name %x`` sets one that was not set, and ``KEEP`` does so
    and takes the reference over.
    """
    count = itertools.count()

    def place(start: str, offset: int) -> tuple[str, str]:
        own = f"%place.{next(count)}"
        return own, f"  {own} = getelementptr i8, ptr {start}, i64 {offset}\n"

    def read(found: re.Match[str]) -> str:
        target, kind, first, second = found.groups()
        start, offset = {
            "OBJECT": ("@state", 8 * numbers[first] if kind == "OBJECT" else 0),
            "TYPE": (first, 8),
            "FIELD": (first, places[second] if second else 0),
            "ARGUMENT": ("%args", 8 * int(first) if kind == "ARGUMENT" else 0),
        }[kind]
        own, line = place(start, offset)
        return f"{line}  {target} = load ptr, ptr {own}"

    def write(found: re.Match[str]) -> str:
        kind, start, name, value = found.groups()
        own, line = place(start, places[name])
        more = f"  call void @Py_IncRef(ptr {value})\n" if kind == "SET" else ""
        return f"{more}{line}  store ptr {value}, ptr {own}"

    text = re.sub(r"^ +(%\S+) = (OBJECT|TYPE|FIELD|ARGUMENT) (\S+)(?: (\S+))?$", read, text, flags=re.MULTILINE)
    text = re.sub(r"^ +(SET|KEEP) (%\S+) (\S+) (%\S+)$", write, text, flags=re.MULTILINE)
    words = {
        "PRIME_1": PRIME_1, "PRIME_2": PRIME_2, "PRIME_5": PRIME_5, "LENGTH": PRIME_5 ^ 3527539, "FOUND": FOUND,
        "SOURCES": SOURCES, "TRACKED": TRACKED, "TRACKED_OR_SPENT": TRACKED | SPENT,
    }  # fmt: skip
    for word, value in words.items():
        text = text.replace("{" + word + "}", str(value))
    return text


def _of_python(name: str) -> int:
    """Return the address of a function of Python's C interface."""
    found = ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value
    assert found
    return found


class _Definition(ctypes.Structure):
    """What Python wants to know of a function in C: PyMethodDef."""

    _fields_ = (
        ("name", ctypes.c_char_p), ("address", ctypes.c_void_p), ("flags", ctypes.c_int), ("doc", ctypes.c_char_p),
    )  # fmt: skip


FAST_CALL = 0x80  # METH_FASTCALL: arguments by position, as an array

_kept: list[Any] = []  # what machine code refers to, for the life of the process


def _compiled(functions: Mapping[str, str], objects: Mapping[str, Any], places: Places) -> dict[str, int]:
    """Compile functions, and return their addresses."""
    tables = {
        "state": (ctypes.c_void_p * len(objects))(*[id(value) for value in objects.values()]),
        "sources": (ctypes.c_uint64 * (3 * SOURCES))(),
        "found": (ctypes.c_uint64 * (5 * FOUND))(),
        "thread": (ctypes.c_uint64 * 2)(),
    }
    _kept.extend([objects, tables])
    own = {name: ctypes.addressof(table) for name, table in tables.items()}
    numbers = {name: number for number, name in enumerate(objects)}
    modules = []
    for name, text in functions.items():
        body = _expand(COMMON + text, places, numbers)
        used = [called for called in INTERFACE if f"@{called}(" in body]
        lines = [f"declare {INTERFACE[called].replace(' (', f' @{called}(')}" for called in used]
        lines += [f"@{data} = external global i8" for data in own if f"@{data}" in body]
        imports = {called: _of_python(called) for called in used}
        imports.update({data: address for data, address in own.items() if f"@{data}" in body})
        modules.append(jit.Module(name, "\n".join([*lines, body]), imports))
    return dict(zip(functions, jit.addresses(modules), strict=True))


def _function(name: str, address: int, own: Any = None) -> Any:
    """Return native code as a function of Python; it is given its own object beside its arguments."""
    definition = _Definition(name.encode(), address, FAST_CALL, None)
    _kept.append(definition)
    new = ctypes.pythonapi.PyCFunction_NewEx
    new.restype, new.argtypes = ctypes.py_object, (ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p)
    return new(ctypes.addressof(definition), own, None)


def _method(function: Any) -> Any:
    """Return a function in C as what becomes a method in a class."""
    new = ctypes.pythonapi.PyInstanceMethod_New
    new.restype, new.argtypes = ctypes.py_object, (ctypes.py_object,)
    return new(function)


_EXAMPLES = ((0, 1), (-1, -2), (2**61 - 1, -(2**61)), (2**62 + 5, 7, -(2**62)), (123456789, -987654321, 0))


def _hash_of(values: tuple[int, ...]) -> int:
    """Return the hash of a tuple as the native functions compute it."""
    whole = 2**64 - 1
    sum_ = PRIME_5
    for value in values:
        sum_ = sum_ + hash(value) * PRIME_2 & whole
        sum_ = (sum_ << 31 | sum_ >> 33) * PRIME_1 & whole
    sum_ = sum_ + (len(values) ^ PRIME_5 ^ 3527539) & whole
    return 1546275796 if sum_ == whole else sum_ - (sum_ >> 63 << 64)


def is_supported() -> bool:
    """Tell whether this Python lays objects out as the functions take for granted."""
    if sys.implementation.name != "cpython" or sys.byteorder != "little" or ctypes.sizeof(ctypes.c_void_p) != 8:
        return False
    if hasattr(sys, "gettotalrefcount") or not getattr(sys, "_is_gil_enabled", lambda: True)():
        return False
    if any(_hash_of(values) != hash(values) for values in _EXAMPLES):
        return False
    example = object.__new__(Node)
    references, kind = (
        ctypes.c_uint32.from_address(id(example)).value,
        ctypes.c_uint64.from_address(id(example) + 8).value,
    )
    return kind == id(Node) and references == sys.getrefcount(example) - 1


class Functions(NamedTuple):
    """The native forms of functions in Python.

    Attributes
    ----------
    record, pending, held, signature, units
        Those of `graph.op.record`, and of what `run.walk` and `run.evaluation` ask for.
    operator
        ``operator(op, method, is_reflected)`` returns a native operator, for one in Python.
    """

    record: Callable[..., Any]
    pending: Callable[..., Any]
    held: Callable[..., Any]
    signature: Callable[..., Any]
    units: Callable[..., Any]
    operator: Callable[[Op, Callable[..., Any], bool], Any]


@lru_cache(maxsize=1)
def native(
    number_of: Callable[[Node], bytes | None], cheap: frozenset[str], tensor: type, variable: type, unit: type
) -> Functions:
    """Compile the native functions.

    Parameters
    ----------
    number_of, cheap
        See `run.walk`.
    tensor, variable, unit : type
        The classes of handles, and of units.
    """
    words = ("resolutions", "__dict__", "mask", "layers", "limit", "kind", "node")
    objects: dict[str, Any] = {
        "None": None, "True": True, "False": False, "0": 0, "1": 1,
        "int": int, "float": float, "str": str, "tuple": tuple,
        "Node": Node, "TensorType": TensorType, "Tensor": tensor, "Variable": variable,
        "SYMBOL": SYMBOL, "VARIABLE": VARIABLE, "ITEM": ITEM,
        "context": context, "serials": serials, "after": pending.after, "weak": weak,
        "make_source": _make_source, "number_of": number_of, "cheap": cheap,
        **{f'"{word}"': sys.intern(word) for word in words},
    }  # fmt: skip
    addresses = _compiled(FUNCTIONS, objects, Places(Node, Resolution, TensorType, Piece, tensor, unit))

    def operator(op: Op, method: Callable[..., Any], is_reflected: bool) -> Any:
        own = (op, op.default_params, method, None) if is_reflected else (op, op.default_params, method)
        return _method(_function(method.__name__, addresses["operator"], own))

    plain = {name: _function(name, address) for name, address in addresses.items() if name != "operator"}
    return Functions(**plain, operator=operator)


def _make_source(code: CodeType, place: int) -> Source | None:
    """Return a source, or None for a place inside the package."""
    return None if is_inside[code.co_filename] else (code, place)


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
