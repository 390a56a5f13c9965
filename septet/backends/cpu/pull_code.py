"""Putting backward passes on the list of calls in LLVM IR, with the short forms of `recorder.expand`: see `run.backward`."""

PULL = """
; The piece that adds two values of the type that a number stands for, borrowed: see `NativePull._sum`.
define internal ptr @sum(ptr %pull, ptr %number.object) {
  %none = OBJECT None
  %graph = FIELD %pull NativePull.graph
  %types = FIELD %graph Pullback.types
  %number = NUMBER %number.object
  %type = ITEM %types %number
  %sums = OBJECT sums
  %unit = LOOK %sums %type
  NEED %unit ask
  %piece = FIELD %unit Unit.piece
  %no.piece = icmp eq ptr %piece, %none
  IF %no.piece ask
  %calls = FIELD %pull NativePull.calls
  call void @widen(ptr %calls, ptr %piece)
  ret ptr %piece
ask:                                              ; which raises an error, mostly
  %name = OBJECT "_sum"
  %made = call ptr @method(ptr %pull, ptr %name, ptr %type)
  NEED %made fail
  call void @Py_DecRef(ptr %made)                 ; the unit holds it
  ret ptr %made
fail:
  ret ptr null
}

; Add a cotangent to what a value has received so far: see `NativePull._collect`.
define internal i32 @collect(ptr %pull, ptr %goal, ptr %g) {
  %collected = FIELD %pull NativePull.collected
  %single = FIELD %pull NativePull.single
  %calls = FIELD %pull NativePull.calls
  %list = FIELD %calls Calls.list
  %before = LOOK %collected %goal
  NEED %before first
  %piece = call ptr @sum(ptr %pull, ptr %goal)
  NEED %piece fail
  call void @Py_IncRef(ptr %before)
  %before.size = LOOK %single %before
  %is.shared = icmp eq ptr %before.size, null
  br i1 %is.shared, label %own, label %same
own:                                              ; others read it: the sum goes elsewhere
  %sizes = FIELD %piece Piece.sizes
  %size = ITEM %sizes 0
  %made = call ptr @block(ptr %calls, ptr %size)
  NEED %made fail.before
  %set.goal = call i32 @PyDict_SetItem(ptr %collected, ptr %goal, ptr %made)
  %set.size = call i32 @PyDict_SetItem(ptr %single, ptr %made, ptr %size)
  %put.made = call i32 @append(ptr %list, ptr %piece, ptr %before, ptr %g, ptr %made)
  call void @Py_DecRef(ptr %made)
  TEST %set.goal fail.before
  TEST %set.size fail.before
  TEST %put.made fail.before
  br label %spare
same:
  %put.same = call i32 @append(ptr %list, ptr %piece, ptr %before, ptr %g, ptr %before)
  TEST %put.same fail.before
  br label %spare
spare:
  %n.before = NUMBER %before
  call void @Py_DecRef(ptr %before)
  %n.g = NUMBER %g
  %is.it = icmp eq i64 %n.g, %n.before
  IF %is.it done
  %g.size = LOOK %single %g
  NEED %g.size done
  %given = call i32 @give(ptr %calls, ptr %g.size, ptr %g)
  TEST %given fail
  DROP %single %g fail
  br label %done
first:
  NOTE %collected %goal %g fail
  br label %done
done:
  ret i32 0
fail.before:
  call void @Py_DecRef(ptr %before)
  br label %fail
fail:
  ret i32 -1
}

; Whether an input receives the very cotangent of the node.
define internal i1 @passes(ptr %own, i64 %k) {
  %passes = FIELD %own Pull.passes
  %gives = FIELD %own Pull.gives
  %input = ITEM %gives %k
  %found = call i32 @PySequence_Contains(ptr %passes, ptr %input)
  %is = icmp eq i32 %found, 1
  ret i1 %is
}

; The steps that a row takes return 1, or 0 where Python has to see to it: before they changed anything.

; The cotangent of a slice: see `NativePull._fill`; only where its place is known and not shared.
define internal i32 @fill(ptr %pull, ptr %row, ptr %region, ptr %g) {
  %collected = FIELD %pull NativePull.collected
  %single = FIELD %pull NativePull.single
  %calls = FIELD %pull NativePull.calls
  %list = FIELD %calls Calls.list
  %y = ITEM %row 1
  %goals = ITEM %row 2
  %goal = ITEM %goals 0
  %before = LOOK %collected %goal
  NEED %before python
  %size = LOOK %single %before
  NEED %size python
  %piece = call ptr @sum(ptr %pull, ptr %y)
  NEED %piece fail
  %start = NUMBER %before
  %offset = NUMBER %region
  %place = add i64 %start, %offset
  %part = call ptr @PyLong_FromLongLong(i64 %place)
  NEED %part fail
  %put = call i32 @append(ptr %list, ptr %piece, ptr %part, ptr %g, ptr %part)
  call void @Py_DecRef(ptr %part)
  TEST %put fail
  ret i32 1
python:
  ret i32 0
fail:
  ret i32 -1
}

; The cotangents that are parts of the node's.
define internal i32 @view(ptr %pull, ptr %row, ptr %views, ptr %g) {
entry:
  %single = FIELD %pull NativePull.single
  %goals = ITEM %row 2
  %width = call i64 @PyTuple_Size(ptr %goals)
  %size = LOOK %single %g
  %is.shared = icmp eq ptr %size, null
  br i1 %is.shared, label %begin, label %drop
drop:
  DROP %single %g fail
  br label %begin
begin:
  %start = NUMBER %g
  br label %next
next:
  %k = phi i64 [ 0, %begin ], [ %k.up, %put ]
  %over = icmp sge i64 %k, %width
  IF %over done
  %k.up = add i64 %k, 1
  %goal = ITEM %goals %k
  %offset.object = ITEM %views %k
  %offset = NUMBER %offset.object
  %place = add i64 %start, %offset
  %part = call ptr @PyLong_FromLongLong(i64 %place)
  NEED %part fail
  %collected = call i32 @collect(ptr %pull, ptr %goal, ptr %part)
  call void @Py_DecRef(ptr %part)
  TEST %collected fail
  br label %put
put:
  br label %next
done:
  ret i32 1
fail:
  ret i32 -1
}

; The call of the unit of a pull: see `NativePull._call`.
define internal i32 @graph(ptr %pull, ptr %row, ptr %own, ptr %g) {
entry:
  %added = alloca [32 x ptr]
  %none = OBJECT None
  %evaluation = FIELD %pull NativePull.evaluation
  %nodes = FIELD %pull NativePull.inputs
  %collected = FIELD %pull NativePull.collected
  %single = FIELD %pull NativePull.single
  %calls = FIELD %pull NativePull.calls
  %list = FIELD %calls Calls.list
  %unit = FIELD %own Pull.unit
  %no.unit = icmp eq ptr %unit, %none
  IF %no.unit python
  %piece = FIELD %unit Unit.piece
  %no.piece = icmp eq ptr %piece, %none
  IF %no.piece python
  %sizes = FIELD %piece Piece.sizes
  %goals = ITEM %row 2
  %takes = ITEM %row 3
  %width = call i64 @PyTuple_Size(ptr %goals)
  %is.wide = icmp sgt i64 %width, 16
  IF %is.wide python
  call void @widen(ptr %calls, ptr %piece)
  %address = FIELD %piece Piece.address
  APPEND %list %address fail
  %count = call i64 @PyTuple_Size(ptr %takes)
  br label %take.begin
take.begin:
  br label %take.next
take.next:
  %i = phi i64 [ 0, %take.begin ], [ %i.up, %take.on ]
  %i.over = icmp sge i64 %i, %count
  IF %i.over goal.begin
  %i.up = add i64 %i, 1
  %i.object = ITEM %takes %i
  %i.place = NUMBER %i.object
  %is.value = icmp ne i64 %i.place, 0
  IF %is.value take.value
  APPEND %list %g fail
  br label %take.on
take.value:
  %node = ITEM %nodes %i.place
  %value = call ptr @locate(ptr %evaluation, ptr %node)
  NEED %value fail
  APPEND %list %value fail
  br label %take.on
take.on:
  br label %take.next
goal.begin:
  br label %goal.next
goal.next:                                        ; what else a value receives is added when all places are on the list
  %k = phi i64 [ 0, %goal.begin ], [ %k.up, %goal.on ]
  %j = phi i64 [ 0, %goal.begin ], [ %j.on, %goal.on ]
  %a = phi i64 [ 0, %goal.begin ], [ %a.on, %goal.on ]
  %k.over = icmp sge i64 %k, %width
  br i1 %k.over, label %add.begin, label %goal.one
goal.one:
  %k.up = add i64 %k, 1
  %is.passed = call i1 @passes(ptr %own, i64 %k)
  br i1 %is.passed, label %goal.on, label %goal.take
goal.take:
  %size = ITEM %sizes %j
  NEED %size fail
  %j.up = add i64 %j, 1
  %goal = ITEM %goals %k
  %place = call ptr @block(ptr %calls, ptr %size)
  NEED %place fail
  %put.place = call i32 @PyList_Append(ptr %list, ptr %place)
  %set.size = call i32 @PyDict_SetItem(ptr %single, ptr %place, ptr %size)
  call void @Py_DecRef(ptr %place)                ; the list holds it
  TEST %put.place fail
  TEST %set.size fail
  %before = LOOK %collected %goal
  %is.first = icmp eq ptr %before, null
  br i1 %is.first, label %goal.first, label %goal.more
goal.first:
  %set.first = call i32 @PyDict_SetItem(ptr %collected, ptr %goal, ptr %place)
  TEST %set.first fail
  br label %goal.took
goal.took:
  br label %goal.on
goal.more:
  %p.goal = getelementptr ptr, ptr %added, i64 %a
  %p.place = getelementptr ptr, ptr %p.goal, i64 1
  store ptr %goal, ptr %p.goal
  store ptr %place, ptr %p.place
  %a.up = add i64 %a, 2
  br label %goal.on
goal.on:
  %j.on = phi i64 [ %j, %goal.one ], [ %j.up, %goal.took ], [ %j.up, %goal.more ]
  %a.on = phi i64 [ %a, %goal.one ], [ %a, %goal.took ], [ %a.up, %goal.more ]
  br label %goal.next
add.begin:
  br label %add.next
add.next:
  %b = phi i64 [ 0, %add.begin ], [ %b.up, %add.on ]
  %b.over = icmp sge i64 %b, %a
  IF %b.over done
  %b.up = add i64 %b, 2
  %q.goal = getelementptr ptr, ptr %added, i64 %b
  %q.place = getelementptr ptr, ptr %q.goal, i64 1
  %b.goal = load ptr, ptr %q.goal
  %b.place = load ptr, ptr %q.place
  %collects = call i32 @collect(ptr %pull, ptr %b.goal, ptr %b.place)
  TEST %collects fail
  br label %add.on
add.on:
  br label %add.next
done:
  ret i32 1
python:
  ret i32 0
fail:
  ret i32 -1
}

; One row, for a cotangent: see `NativePull._pull`.
define internal i32 @pull_row(ptr %pull, ptr %row, ptr %g) {
entry:
  %none = OBJECT None
  %collected = FIELD %pull NativePull.collected
  %single = FIELD %pull NativePull.single
  %calls = FIELD %pull NativePull.calls
  %own = ITEM %row 0
  %y = ITEM %row 1
  %goals = ITEM %row 2
  %passes = FIELD %own Pull.passes
  %passed = call i64 @PyTuple_Size(ptr %passes)
  %passes.none = icmp eq i64 %passed, 0
  %region = FIELD %own Pull.region
  %is.region = icmp ne ptr %region, %none
  br i1 %is.region, label %fill, label %views
fill:
  br i1 %passes.none, label %fill.all, label %python
fill.all:
  %filled = call i32 @fill(ptr %pull, ptr %row, ptr %region, ptr %g)
  br label %took
views:
  %starts = FIELD %own Pull.views
  %no.starts = icmp eq ptr %starts, %none
  IF %no.starts graph
  %size = LOOK %single %g
  NEED %size view
  %bytes = NUMBER %size
  %most.object = OBJECT MOST_SHARED
  %most = NUMBER %most.object
  %is.large = icmp sgt i64 %bytes, %most
  br i1 %is.large, label %graph, label %view
view:
  br i1 %passes.none, label %view.all, label %python
view.all:
  %viewed = call i32 @view(ptr %pull, ptr %row, ptr %starts, ptr %g)
  br label %took
graph:
  %graph.object = FIELD %own Pull.graph
  %no.graph = icmp eq ptr %graph.object, %none
  br i1 %no.graph, label %pass, label %call
call:
  %called = call i32 @graph(ptr %pull, ptr %row, ptr %own, ptr %g)
  br label %took
took:
  %result = phi i32 [ %filled, %fill.all ], [ %viewed, %view.all ], [ %called, %call ]
  TEST %result fail
  %left = icmp eq i32 %result, 0
  br i1 %left, label %python, label %pass
pass:
  br i1 %passes.none, label %end, label %several
several:                                          ; more than one value has it from now on
  %hands.on = icmp eq i64 %passed, 1
  IF %hands.on pass.begin
  %held = LOOK %single %g
  NEED %held pass.begin
  DROP %single %g fail
  br label %pass.begin
pass.begin:
  %width = call i64 @PyTuple_Size(ptr %goals)
  br label %pass.next
pass.next:
  %k = phi i64 [ 0, %pass.begin ], [ %k.up, %pass.on ]
  %over = icmp sge i64 %k, %width
  IF %over done
  %k.up = add i64 %k, 1
  %is.passed = call i1 @passes(ptr %own, i64 %k)
  br i1 %is.passed, label %pass.one, label %pass.on
pass.one:
  %goal = ITEM %goals %k
  %collects = call i32 @collect(ptr %pull, ptr %goal, ptr %g)
  TEST %collects fail
  br label %pass.on
pass.on:
  br label %pass.next
end:
  %g.size = LOOK %single %g
  NEED %g.size done
  %given = call i32 @give(ptr %calls, ptr %g.size, ptr %g)
  TEST %given fail
  DROP %single %g fail
  br label %done
done:
  ret i32 1
python:
  ret i32 0
fail:
  ret i32 -1
}

; pull(pull, start): goes through the rows of a backward pass as `NativePull.run` does, from one on, up to one that Python
; has to see to; returns its number, or -1.
define internal ptr @pull(ptr %self, ptr %args, i64 %n) {
entry:
  %pull = ARGUMENT 0
  %start.object = ARGUMENT 1
  %start = NUMBER %start.object
  %graph = FIELD %pull NativePull.graph
  %rows = FIELD %graph Pullback.rows
  %collected = FIELD %pull NativePull.collected
  br label %next
next:
  %i = phi i64 [ %start, %entry ], [ %i.down, %on ]
  %over = icmp slt i64 %i, 0
  IF %over stop
  %i.down = sub i64 %i, 1
  %row = ITEM %rows %i
  %y = ITEM %row 1
  %g = LOOK %collected %y
  %is.nothing = icmp eq ptr %g, null
  br i1 %is.nothing, label %on, label %take
take:
  call void @Py_IncRef(ptr %g)
  %took = call i32 @pull_row(ptr %pull, ptr %row, ptr %g)
  %dropped = call i32 @drop(ptr %collected, ptr %y, i32 %took)
  call void @Py_DecRef(ptr %g)
  TEST %took fail
  TEST %dropped fail
  %left = icmp eq i32 %took, 0
  br i1 %left, label %stop, label %on
on:
  br label %next
stop:
  %number = call ptr @PyLong_FromLongLong(i64 %i)
  ret ptr %number
fail:
  ret ptr null
}
define internal i32 @drop(ptr %collected, ptr %y, i32 %took) {
  %is.taken = icmp eq i32 %took, 1
  IF %is.taken remove
  ret i32 0
remove:
  %removed = call i32 @PyDict_DelItem(ptr %collected, ptr %y)
  ret i32 %removed
}
"""
