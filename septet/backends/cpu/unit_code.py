"""Putting calls of native units on the list in LLVM IR, with the short forms of `recorder.expand`: see `run.evaluation`."""

WORK = """
; A block of working memory, a new reference: see `pieces.Calls.take`.
define internal ptr @block(ptr %calls, ptr %size) {
  %free = FIELD %calls Calls.free
  %idle = LOOK %free %size
  NEED %idle fresh
  %count = call i64 @PyList_Size(ptr %idle)
  %is.empty = icmp eq i64 %count, 0
  IF %is.empty fresh
  %last = sub i64 %count, 1
  %block = call ptr @PyList_GetItem(ptr %idle, i64 %last)
  call void @Py_IncRef(ptr %block)
  %cut = call i32 @PyList_SetSlice(ptr %idle, i64 %last, i64 %count, ptr null)
  ret ptr %block
fresh:
  %begin.object = FIELD %calls Calls._next
  %end.object = FIELD %calls Calls._end
  %begin = NUMBER %begin.object
  %end = NUMBER %end.object
  %bytes = NUMBER %size
  %after = add i64 %begin, %bytes
  %is.over = icmp sgt i64 %after, %end
  IF %is.over ask
  %after.object = call ptr @PyLong_FromLongLong(i64 %after)
  NEED %after.object fail
  call void @Py_IncRef(ptr %begin.object)
  PUT %calls Calls._next %after.object
  call void @Py_DecRef(ptr %after.object)
  ret ptr %begin.object
ask:
  %name = OBJECT "take"
  %made = call ptr @method(ptr %calls, ptr %name, ptr %size)
  ret ptr %made
fail:
  ret ptr null
}

; Give a block back: see `pieces.Calls.give`. Less than 0 is an error, as in all that return an i32.
define internal i32 @give(ptr %calls, ptr %size, ptr %block) {
  %free = FIELD %calls Calls.free
  %idle = LOOK %free %size
  NEED %idle new
  %put = call i32 @PyList_Append(ptr %idle, ptr %block)
  ret i32 %put
new:
  %list = call ptr @PyList_New(i64 0)
  NEED %list fail
  %noted = call i32 @PyDict_SetItem(ptr %free, ptr %size, ptr %list)
  %put.first = call i32 @PyList_Append(ptr %list, ptr %block)
  call void @Py_DecRef(ptr %list)
  %both = or i32 %noted, %put.first
  ret i32 %both
fail:
  ret i32 -1
}

; Where a value lies, borrowed: see `Evaluation._locate`.
define internal ptr @locate(ptr %evaluation, ptr %node) {
  %places = FIELD %evaluation Evaluation.places
  %known = LOOK %places %node
  NEED %known ask
  ret ptr %known
ask:
  %name = OBJECT "_locate"
  %made = call ptr @method(ptr %evaluation, ptr %name, ptr %node)
  NEED %made fail
  call void @Py_DecRef(ptr %made)                 ; `places` holds it
  ret ptr %made
fail:
  ret ptr null
}

; Have a list of calls know how much memory a piece works in.
define internal void @widen(ptr %calls, ptr %piece) {
  %arena.object = FIELD %calls Calls.arena
  %own.object = FIELD %piece Piece.arena
  %arena = NUMBER %arena.object
  %own = NUMBER %own.object
  %is.large = icmp sgt i64 %own, %arena
  IF %is.large large
  ret void
large:
  PUT %calls Calls.arena %own.object
  ret void
}

; Put a call of three operands on the list.
define internal i32 @append(ptr %list, ptr %piece, ptr %a, ptr %b, ptr %c) {
  %address = FIELD %piece Piece.address
  APPEND %list %address fail
  APPEND %list %a fail
  APPEND %list %b fail
  APPEND %list %c fail
  ret i32 0
fail:
  ret i32 -1
}
"""

COUNT = """
; Forget a value that nobody needs any more: see `Evaluation._release`.
define internal i32 @release(ptr %evaluation, ptr %node) {
  %sizes = FIELD %evaluation Evaluation.sizes
  %size = LOOK %sizes %node
  NEED %size value
  %calls = FIELD %evaluation Evaluation.calls
  %places = FIELD %evaluation Evaluation.places
  %place = LOOK %places %node
  NEED %place python
  %given = call i32 @give(ptr %calls, ptr %size, ptr %place)
  TEST %given fail
  DROP %sizes %node fail
  DROP %places %node fail
  ret i32 0
value:
  %passing = FIELD %evaluation Evaluation.passing
  %passes = call i32 @PySet_Contains(ptr %passing, ptr %node)
  %none = OBJECT None
  %stays = icmp ne i32 %passes, 1
  IF %stays done
  PUT %node Node.value %none
  br label %done
python:                                           ; which raises an error
  %name = OBJECT "_release"
  %released = call ptr @method(ptr %evaluation, ptr %name, ptr %node)
  NEED %released fail
  call void @Py_DecRef(ptr %released)
  br label %done
done:
  ret i32 0
fail:
  ret i32 -1
}

; One use less of each of some nodes: see `Evaluation._count_down`.
define internal i32 @count_down(ptr %evaluation, ptr %nodes) {
entry:
  %uses = FIELD %evaluation Evaluation.uses
  %count = call i64 @PyTuple_Size(ptr %nodes)
  br label %next
next:
  %i = phi i64 [ 0, %entry ], [ %i.up, %on ]
  %over = icmp sge i64 %i, %count
  IF %over done
  %i.up = add i64 %i, 1
  %node = ITEM %nodes %i
  %use = LOOK %uses %node
  NEED %use fail
  %number = NUMBER %use
  %left = sub i64 %number, 1
  %left.object = call ptr @PyLong_FromLongLong(i64 %left)
  NEED %left.object fail
  %noted = call i32 @PyDict_SetItem(ptr %uses, ptr %node, ptr %left.object)
  call void @Py_DecRef(ptr %left.object)
  TEST %noted fail
  %is.last = icmp eq i64 %left, 0
  br i1 %is.last, label %last, label %on
last:
  %released = call i32 @release(ptr %evaluation, ptr %node)
  TEST %released fail
  br label %on
on:
  br label %next
done:
  ret i32 0
fail:
  ret i32 -1
}

"""

COUNT_DOWN = """
; count(evaluation, nodes): see `Evaluation._count_down`.
define internal ptr @count(ptr %self, ptr %args, i64 %n) {
  %evaluation = ARGUMENT 0
  %nodes = ARGUMENT 1
  %counted = call i32 @count_down(ptr %evaluation, ptr %nodes)
  TEST %counted fail
  %end = call ptr @nothing()
  ret ptr %end
fail:
  ret ptr null
}
"""

UNITS = """
; Whether an array of its own has to hold a value.
define internal i1 @is_shown(ptr %evaluation, ptr %node) {
  %kept = FIELD %evaluation Evaluation.kept
  %owned = FIELD %evaluation Evaluation.owned
  %is.kept = call i32 @PySet_Contains(ptr %kept, ptr %node)
  %is.owned = call i32 @PySet_Contains(ptr %owned, ptr %node)
  %any = or i32 %is.kept, %is.owned
  %shown = icmp ne i32 %any, 0
  ret i1 %shown
}

; The steps that a node takes return 1, or 0 where Python has to see to it: before they changed anything. Of the inputs of
; what they did uses are left to count, but for `show`.

; A snapshot of a variable: see `Evaluation._compute`.
define internal i32 @snapshot(ptr %evaluation, ptr %node) {
  %none = OBJECT None
  %inputs = FIELD %node Node.inputs
  %width = call i64 @PyTuple_Size(ptr %inputs)
  %alone = icmp eq i64 %width, 0
  IF %alone python
  %source = ITEM %inputs 0
  %value = FIELD %source Node.value
  %unknown = icmp eq ptr %value, %none
  IF %unknown python
  PUT %node Node.value %value
  %computed = FIELD %evaluation Evaluation.computed
  APPEND %computed %node fail
  %shown = call i1 @is_shown(ptr %evaluation, ptr %node)
  IF %shown done
  %passing = FIELD %evaluation Evaluation.passing
  %added = call i32 @PySet_Add(ptr %passing, ptr %node)
  TEST %added fail
  br label %done
done:
  ret i32 1
python:
  ret i32 0
fail:
  ret i32 -1
}

; One of the results of a backward pass: see `Evaluation._item`.
define internal i32 @item(ptr %evaluation, ptr %node) {
  %none = OBJECT None
  %inputs = FIELD %node Node.inputs
  %source = ITEM %inputs 0
  %gradients = FIELD %evaluation Evaluation.gradients
  %found = LOOK %gradients %source
  NEED %found python
  %value = FIELD %source Node.value
  %known = icmp ne ptr %value, %none
  IF %known python
  %shown = call i1 @is_shown(ptr %evaluation, ptr %node)
  IF %shown python
  %params = FIELD %node Node.params
  %index.object = ITEM %params 0
  %index = NUMBER %index.object
  %pair = call ptr @PyList_GetItem(ptr %found, i64 %index)
  NEED %pair fail
  %place = ITEM %pair 0
  %size.object = ITEM %pair 1
  %size = NUMBER %size.object
  %places = FIELD %evaluation Evaluation.places
  NOTE %places %node %place fail
  %shared = icmp eq i64 %size, 0
  IF %shared done
  %sizes = FIELD %evaluation Evaluation.sizes
  NOTE %sizes %node %size.object fail
  br label %done
done:
  ret i32 1
python:
  ret i32 0
fail:
  ret i32 -1
}

; A part of a leaf, which lies where that lies: see `Evaluation._show`.
define internal i32 @show(ptr %evaluation, ptr %node, ptr %leaf, ptr %offset.object) {
  %bases = FIELD %evaluation Evaluation.bases
  %base.object = LOOK %bases %leaf
  NEED %base.object python
  %base = NUMBER %base.object
  %no.order = icmp eq i64 %base, 0
  IF %no.order python
  %shown = call i1 @is_shown(ptr %evaluation, ptr %node)
  IF %shown python
  %uses = FIELD %evaluation Evaluation.uses
  %use = LOOK %uses %leaf
  NEED %use python
  %places = FIELD %evaluation Evaluation.places
  %offset = NUMBER %offset.object
  %place = add i64 %base, %offset
  %place.object = call ptr @PyLong_FromLongLong(i64 %place)
  NEED %place.object fail
  %noted = call i32 @PyDict_SetItem(ptr %places, ptr %node, ptr %place.object)
  call void @Py_DecRef(ptr %place.object)
  TEST %noted fail
  %number = NUMBER %use
  %left = sub i64 %number, 1
  %left.object = call ptr @PyLong_FromLongLong(i64 %left)
  NEED %left.object fail
  %counted = call i32 @PyDict_SetItem(ptr %uses, ptr %leaf, ptr %left.object)
  call void @Py_DecRef(ptr %left.object)
  TEST %counted fail
  ret i32 1
python:
  ret i32 0
fail:
  ret i32 -1
}

; The call of a unit with one result: see `Evaluation._call`.
define internal i32 @unit(ptr %evaluation, ptr %node, ptr %piece, ptr %size) {
entry:
  %calls = FIELD %evaluation Evaluation.calls
  %list = FIELD %calls Calls.list
  %places = FIELD %evaluation Evaluation.places
  %inputs = FIELD %node Node.inputs
  %width = call i64 @PyTuple_Size(ptr %inputs)
  %address = FIELD %piece Piece.address
  %put.address = call i32 @PyList_Append(ptr %list, ptr %address)
  br label %next
next:
  %i = phi i64 [ 0, %entry ], [ %i.up, %put ]
  %so.far = phi i32 [ %put.address, %entry ], [ %put.source, %put ]
  TEST %so.far fail
  %over = icmp sge i64 %i, %width
  IF %over result
  %source = ITEM %inputs %i
  %source.place = call ptr @locate(ptr %evaluation, ptr %source)
  NEED %source.place fail
  br label %put
put:
  %put.source = call i32 @PyList_Append(ptr %list, ptr %source.place)
  %i.up = add i64 %i, 1
  br label %next
result:
  call void @widen(ptr %calls, ptr %piece)
  %shown = call i1 @is_shown(ptr %evaluation, ptr %node)
  br i1 %shown, label %array, label %block
array:
  %name = OBJECT "arrays"
  %arrays = call ptr @method(ptr %calls, ptr %name, ptr %piece)
  NEED %arrays fail
  %length = call i64 @PyList_Size(ptr %list)
  %last = sub i64 %length, 1
  %array.place = call ptr @PyList_GetItem(ptr %list, i64 %last)
  %noted = call i32 @PyDict_SetItem(ptr %places, ptr %node, ptr %array.place)
  %value = call ptr @PyList_GetItem(ptr %arrays, i64 0)
  PUT %node Node.value %value
  call void @Py_DecRef(ptr %arrays)
  %computed = FIELD %evaluation Evaluation.computed
  APPEND %computed %node fail
  TEST %noted fail
  br label %done
block:
  %place = call ptr @block(ptr %calls, ptr %size)
  NEED %place fail
  %sizes = FIELD %evaluation Evaluation.sizes
  %set.size = call i32 @PyDict_SetItem(ptr %sizes, ptr %node, ptr %size)
  %set.place = call i32 @PyDict_SetItem(ptr %places, ptr %node, ptr %place)
  %put.place = call i32 @PyList_Append(ptr %list, ptr %place)
  call void @Py_DecRef(ptr %place)
  TEST %set.size fail
  TEST %set.place fail
  TEST %put.place fail
  br label %done
done:
  ret i32 1
fail:
  ret i32 -1
}

; units(evaluation, nodes, start): see to nodes as `Evaluation.run` does, up to one that Python has to see to; returns its
; number.
define internal ptr @units(ptr %self, ptr %args, i64 %n) {
entry:
  %evaluation = ARGUMENT 0
  %nodes = ARGUMENT 1
  %start.object = ARGUMENT 2
  %none = OBJECT None
  %op.item = OBJECT ITEM
  %op.variable = OBJECT VARIABLE
  %start = NUMBER %start.object
  %count = call i64 @PyList_Size(ptr %nodes)
  br label %next
next:
  %i = phi i64 [ %start, %entry ], [ %i.up, %on ]
  %over = icmp sge i64 %i, %count
  IF %over stop
  %i.up = add i64 %i, 1
  %node = call ptr @PyList_GetItem(ptr %nodes, i64 %i)
  %value = FIELD %node Node.value
  %is.pending = icmp eq ptr %value, %none
  br i1 %is.pending, label %open, label %on
open:
  %resolved = FIELD %node Node.resolution
  %no.resolution = icmp eq ptr %resolved, %none
  br i1 %no.resolution, label %other, label %work
other:
  %op = FIELD %node Node.op
  %is.item = icmp eq ptr %op, %op.item
  IF %is.item item
  %is.variable = icmp eq ptr %op, %op.variable
  br i1 %is.variable, label %variable, label %stop
item:
  %took.item = call i32 @item(ptr %evaluation, ptr %node)
  br label %done
variable:
  %took.snapshot = call i32 @snapshot(ptr %evaluation, ptr %node)
  br label %done
work:
  %unit.object = FIELD %resolved Resolution.unit
  %no.unit = icmp eq ptr %unit.object, %none
  IF %no.unit stop
  %offset = FIELD %unit.object Unit.offset
  %is.whole = icmp eq ptr %offset, %none
  IF %is.whole piece
  %inputs = FIELD %node Node.inputs
  %leaf = ITEM %inputs 0
  %leaf.value = FIELD %leaf Node.value
  %leaf.inputs = FIELD %leaf Node.inputs
  %leaf.width = call i64 @PyTuple_Size(ptr %leaf.inputs)
  %leaf.open = icmp eq ptr %leaf.value, %none
  %leaf.made = icmp ne i64 %leaf.width, 0
  %not.leaf = or i1 %leaf.open, %leaf.made
  br i1 %not.leaf, label %piece, label %part
part:
  %took.part = call i32 @show(ptr %evaluation, ptr %node, ptr %leaf, ptr %offset)
  TEST %took.part fail
  %part.left = icmp eq i32 %took.part, 0
  br i1 %part.left, label %stop, label %on
piece:
  %piece.object = FIELD %unit.object Unit.piece
  %no.piece = icmp eq ptr %piece.object, %none
  IF %no.piece stop
  %size = FIELD %piece.object Piece.size
  %has.several = icmp eq ptr %size, %none
  IF %has.several stop
  br label %call
call:
  %took.unit = call i32 @unit(ptr %evaluation, ptr %node, ptr %piece.object, ptr %size)
  br label %done
done:
  %took = phi i32 [ %took.item, %item ], [ %took.snapshot, %variable ], [ %took.unit, %call ]
  TEST %took fail
  %left = icmp eq i32 %took, 0
  IF %left stop
  %used = FIELD %node Node.inputs
  %counted = call i32 @count_down(ptr %evaluation, ptr %used)
  TEST %counted fail
  br label %on
on:
  br label %next
stop:
  %number = call ptr @PyLong_FromLongLong(i64 %i)
  ret ptr %number
fail:
  ret ptr null
}
"""
