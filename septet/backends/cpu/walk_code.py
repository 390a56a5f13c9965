"""Walks over pending nodes in LLVM IR, with the short forms of `recorder.expand`: see `run.walk`, `run.evaluation`."""

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
  %i = phi i64 [ 0, %entry ], [ %i.up, %take ], [ %i.up, %on ]
  %over = icmp sge i64 %i, %count
  br i1 %over, label %done, label %take
take:                                             ; what is known comes with its first use
  %node = call ptr @PyList_GetItem(ptr %nodes, i64 %i)
  %i.up = add i64 %i, 1
  %value = FIELD %node Node.value
  %is.pending = icmp eq ptr %value, %none
  br i1 %is.pending, label %open, label %next
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
  %k = phi i64 [ 0, %key ], [ %k.up, %source.put ], [ %k.same, %again ]
  %k.over = icmp sge i64 %k, %width
  br i1 %k.over, label %own, label %source
source:
  %from = call ptr @PyTuple_GetItem(ptr %inputs, i64 %k)
  %place = call ptr @PyDict_GetItemWithError(ptr %numbers, ptr %from)
  %no.place = icmp eq ptr %place, null
  br i1 %no.place, label %first, label %source.put
source.put:
  %put.source = call i32 @PyList_Append(ptr %flat, ptr %place)
  %k.up = add i64 %k, 1
  %bad.source = icmp slt i32 %put.source, 0
  br i1 %bad.source, label %fail, label %sources
own:
  br label %described
first:
  %known.value = FIELD %from Node.value
  %type = FIELD %from Node.type
  %is.unknown = icmp eq ptr %known.value, %none
  br i1 %is.unknown, label %refuse, label %known
known:
  %value.type = TYPE %known.value
  %is.tuple = icmp eq ptr %value.type, %tuple
  br i1 %is.tuple, label %parts, label %rank
parts:
  %put.none = call i32 @PyList_Append(ptr %flat, ptr %none)
  %bad.none = icmp slt i32 %put.none, 0
  br i1 %bad.none, label %fail, label %described
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
  %bytes = call ptr @ask(ptr %number_of, ptr %from, ptr null, i64 1)
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
  br i1 %bad.both, label %fail, label %described
input:
  %given = phi ptr [ %node, %several ], [ %from, %rank.read ], [ %from, %forget ]
  %k.given = phi i64 [ 0, %several ], [ %k, %rank.read ], [ %k, %forget ]
  %given.type = FIELD %given Node.type
  %put.leaf = call i32 @PyList_Append(ptr %leaves, ptr %given)
  %put.kind = call i32 @PyList_Append(ptr %flat, ptr %given.type)
  %two = or i32 %put.leaf, %put.kind
  %bad.two = icmp slt i32 %two, 0
  br i1 %bad.two, label %fail, label %described
described:
  %subject = phi ptr [ %node, %own ], [ %from, %parts ], [ %from, %number.type ], [ %given, %input ]
  %k.same = phi i64 [ 0, %own ], [ %k, %parts ], [ %k, %number.type ], [ %k.given, %input ]
  %size = call i64 @PyDict_Size(ptr %numbers)
  %number = call ptr @PyLong_FromLongLong(i64 %size)
  %no.number = icmp eq ptr %number, null
  br i1 %no.number, label %fail, label %note
note:
  %noted = call i32 @PyDict_SetItem(ptr %numbers, ptr %subject, ptr %number)
  call void @Py_DecRef(ptr %number)
  %bad.note = icmp slt i32 %noted, 0
  br i1 %bad.note, label %fail, label %whose
whose:
  %is.own = icmp eq ptr %subject, %node
  br i1 %is.own, label %on, label %again
again:
  br label %sources
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
