"""Walks over pending nodes in LLVM IR, with the short forms of `recorder.expand`: see `run.walk`,
`transform.pullback.defer`."""

PENDING = """
; pending(nodes, uses): see `run.walk.pending`; fills both, the nodes in no particular order.
define internal ptr @pending(ptr %self, ptr %args, i64 %n) {
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
  %input = ITEM %inputs %k
  %before = LOOK %uses %input
  %is.new = icmp eq ptr %before, null
  br i1 %is.new, label %new, label %again
again:
  %number = NUMBER %before
  %more = add i64 %number, 1
  %boxed = call ptr @PyLong_FromLongLong(i64 %more)
  NEED %boxed fail
  %set.again = call i32 @PyDict_SetItem(ptr %uses, ptr %input, ptr %boxed)
  call void @Py_DecRef(ptr %boxed)
  TEST %set.again fail
  br label %again.done
again.done:
  %k.again = add i64 %k, 1
  br label %sources
new:
  NOTE %uses %input %one fail
  APPEND %nodes %input fail
  br label %new.done
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

FOLLOW = """
; tracked(seen, stack): see `run.gradients._tracked`; empties the stack.
define internal ptr @tracked(ptr %self, ptr %args, i64 %n) {
entry:
  %seen = ARGUMENT 0
  %stack = ARGUMENT 1
  %none = OBJECT None
  br label %next
next:
  %count = call i64 @PyList_Size(ptr %stack)
  %is.empty = icmp eq i64 %count, 0
  IF %is.empty done
  %last = sub i64 %count, 1
  %node = call ptr @PyList_GetItem(ptr %stack, i64 %last)
  %inputs = FIELD %node Node.inputs
  %width = call i64 @PyTuple_Size(ptr %inputs)
  %cut = call i32 @PyList_SetSlice(ptr %stack, i64 %last, i64 %count, ptr null)  ; `seen` holds the node
  TEST %cut fail
  br label %begin
begin:
  br label %sources
sources:
  %k = phi i64 [ 0, %begin ], [ %k.up, %on ]
  %over = icmp sge i64 %k, %width
  IF %over next
  %k.up = add i64 %k, 1
  %source = ITEM %inputs %k
  %flags.object = FIELD %source Node.flags
  %flags = NUMBER %flags.object
  %tracked = and i64 %flags, {TRACKED}
  %is.tracked = icmp ne i64 %tracked, 0
  br i1 %is.tracked, label %look, label %on
look:
  %known = LOOK %seen %source
  %is.known = icmp ne ptr %known, null
  br i1 %is.known, label %on, label %new
new:
  NOTE %seen %source %none fail
  APPEND %stack %source fail
  br label %on
on:
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
define internal ptr @held(ptr %self, ptr %args, i64 %n) {
entry:
  %nodes = ARGUMENT 0
  %uses = ARGUMENT 1
  %kept = ARGUMENT 2
  %own.object = ARGUMENT 3
  %own = NUMBER %own.object
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
  %use.object = LOOK %uses %node
  NEED %use.object fail
  %use = NUMBER %use.object
  %rest = sub i64 %references, %use
  %is.held = icmp sgt i64 %rest, %own
  br i1 %is.held, label %keep, label %tracked
tracked:
  br i1 %with.tracked, label %flags, label %on
flags:
  %flags.object = FIELD %node Node.flags
  %flags.all = NUMBER %flags.object
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
  TEST %added fail
  br label %on
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
define internal ptr @signature(ptr %self, ptr %args, i64 %n) {
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
  %whole = ITEM %inputs 0
  %whole.value = FIELD %whole Node.value
  %is.open = icmp eq ptr %whole.value, %none
  br i1 %is.open, label %key, label %input
key:
  %key.object = FIELD %node Node.key
  APPEND %flat %key.object fail
  br label %begin
begin:
  br label %sources
sources:
  %k = phi i64 [ 0, %begin ], [ %k.up, %another ], [ %k.same, %again ]
  %k.over = icmp sge i64 %k, %width
  br i1 %k.over, label %own, label %source
source:
  %from = ITEM %inputs %k
  %place = LOOK %numbers %from
  %no.place = icmp eq ptr %place, null
  br i1 %no.place, label %first, label %source.put
source.put:
  APPEND %flat %place fail
  %k.up = add i64 %k, 1
  br label %another
another:
  br label %sources
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
  APPEND %flat %none fail
  br label %parts.put
parts.put:
  br label %described
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
  NEED %bytes fail
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
  TEST %both fail
  br label %number.put
number.put:
  br label %described
input:
  %given = phi ptr [ %node, %several ], [ %from, %rank.read ], [ %from, %forget ]
  %k.given = phi i64 [ 0, %several ], [ %k, %rank.read ], [ %k, %forget ]
  %given.type = FIELD %given Node.type
  APPEND %leaves %given fail
  APPEND %flat %given.type fail
  br label %input.put
input.put:
  br label %described
described:
  %subject = phi ptr [ %node, %own ], [ %from, %parts.put ], [ %from, %number.put ], [ %given, %input.put ]
  %k.same = phi i64 [ 0, %own ], [ %k, %parts.put ], [ %k, %number.put ], [ %k.given, %input.put ]
  %size = call i64 @PyDict_Size(ptr %numbers)
  %number = call ptr @PyLong_FromLongLong(i64 %size)
  NEED %number fail
  %noted = call i32 @PyDict_SetItem(ptr %numbers, ptr %subject, ptr %number)
  call void @Py_DecRef(ptr %number)
  TEST %noted fail
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

ROWS = """
; rows(path, start, numbers, arguments, rows, origins): notes rows as `transform.pullback._note_row` does, up
; to a node that Python has to see to; returns its number.
define internal ptr @rows(ptr %self, ptr %args, i64 %n) {
entry:
  %path = ARGUMENT 0
  %start.object = ARGUMENT 1
  %numbers = ARGUMENT 2
  %arguments = ARGUMENT 3
  %rows = ARGUMENT 4
  %origins = ARGUMENT 5
  %none = OBJECT None
  %true = OBJECT True
  %op.variable = OBJECT VARIABLE
  %name = OBJECT "name"
  %start = NUMBER %start.object
  %count = call i64 @PyList_Size(ptr %path)
  br label %next
next:
  %i = phi i64 [ %start, %entry ], [ %i.up, %on ]
  %over = icmp sge i64 %i, %count
  IF %over stop
  %i.up = add i64 %i, 1
  %node = call ptr @PyList_GetItem(ptr %path, i64 %i)
  %hooks = FIELD %node Node.hooks
  %hooked = icmp ne ptr %hooks, %none
  IF %hooked stop
  %op = FIELD %node Node.op
  %is.variable = icmp eq ptr %op, %op.variable
  br i1 %is.variable, label %variable, label %computed
variable:
  %v.params = FIELD %node Node.params
  %variable.object = ITEM %v.params 0
  %v.hooks = FIELD %variable.object Variable.hooks
  %v.hooked = icmp ne ptr %v.hooks, %none
  br i1 %v.hooked, label %stop, label %on
computed:
  %resolution = FIELD %node Node.resolution
  %unresolved = icmp eq ptr %resolution, %none
  IF %unresolved stop
  %inputs = FIELD %node Node.inputs
  %width = call i64 @PyTuple_Size(ptr %inputs)
  %is.wide = icmp sgt i64 %width, 62                ; more than bits in a number
  IF %is.wide stop
  br label %mask.begin
mask.begin:
  br label %mask.next
mask.next:
  %m = phi i64 [ 0, %mask.begin ], [ %m.up, %mask.one ]
  %mask = phi i64 [ 0, %mask.begin ], [ %mask.more, %mask.one ]
  %m.over = icmp sge i64 %m, %width
  br i1 %m.over, label %look, label %mask.one
mask.one:
  %m.input = ITEM %inputs %m
  %m.flags.object = FIELD %m.input Node.flags
  %m.flags = NUMBER %m.flags.object
  %m.tracked = and i64 %m.flags, {TRACKED}
  %m.bit = shl i64 %m.tracked, %m
  %mask.more = or i64 %mask, %m.bit
  %m.up = add i64 %m, 1
  br label %mask.next
look:                                             ; those of rules that look at values are not known by the mask alone
  %pulls = FIELD %resolution Resolution.pulls
  %mask.object = call ptr @PyLong_FromLongLong(i64 %mask)
  NEED %mask.object fail
  %pull = LOOK %pulls %mask.object
  call void @Py_DecRef(ptr %mask.object)
  NEED %pull stop
  %no.pull = icmp eq ptr %pull, %none
  IF %no.pull stop
  %whole = FIELD %pull Pull.is_whole
  %not.whole = icmp ne ptr %whole, %true
  IF %not.whole stop
  %op.name = call ptr @PyObject_GetAttr(ptr %op, ptr %name)
  NEED %op.name fail
  %row = call ptr @PyTuple_New(i64 4)
  NEED %row fail.name
  call void @Py_IncRef(ptr %pull)
  %set.pull = call i32 @PyTuple_SetItem(ptr %row, i64 0, ptr %pull)
  %graph = FIELD %pull Pull.graph
  %no.graph = icmp eq ptr %graph, %none
  %takes.all = FIELD %pull Pull.takes
  %takes.count = call i64 @PyTuple_Size(ptr %takes.all)
  %takes.width = select i1 %no.graph, i64 0, i64 %takes.count
  %takes = call ptr @PyTuple_New(i64 %takes.width)
  NEED %takes fail.row
  %set.takes = call i32 @PyTuple_SetItem(ptr %row, i64 3, ptr %takes)
  br label %take.begin
take.begin:
  br label %take.next
take.next:
  %t = phi i64 [ 0, %take.begin ], [ %t.up, %take.set ]
  %t.over = icmp sge i64 %t, %takes.width
  br i1 %t.over, label %give, label %take
take:
  %t.object = ITEM %takes.all %t
  %t.place = NUMBER %t.object
  %t.up = add i64 %t, 1
  %is.g = icmp eq i64 %t.place, 0
  br i1 %is.g, label %take.g, label %take.other
take.g:
  %zero = OBJECT 0
  br label %take.set
take.other:
  %is.own = icmp eq i64 %t.place, 1
  br i1 %is.own, label %take.number, label %take.input
take.input:
  %t.input.place = sub i64 %t.place, 2
  %t.input = ITEM %inputs %t.input.place
  br label %take.number
take.number:
  %t.node = phi ptr [ %node, %take.other ], [ %t.input, %take.input ]
  %t.number = call ptr @number(ptr %arguments, ptr %t.node)
  %no.t.number = icmp eq ptr %t.number, null
  br i1 %no.t.number, label %fail.row, label %take.set
take.set:
  %taken = phi ptr [ %zero, %take.g ], [ %t.number, %take.number ]
  call void @Py_IncRef(ptr %taken)
  %set.taken = call i32 @PyTuple_SetItem(ptr %takes, i64 %t, ptr %taken)
  br label %take.next
give:
  %gives = FIELD %pull Pull.gives
  %gives.width = call i64 @PyTuple_Size(ptr %gives)
  %goals = call ptr @PyTuple_New(i64 %gives.width)
  NEED %goals fail.row
  %set.goals = call i32 @PyTuple_SetItem(ptr %row, i64 2, ptr %goals)
  br label %give.begin
give.begin:
  br label %give.next
give.next:
  %k = phi i64 [ 0, %give.begin ], [ %k.up, %give.set ]
  %k.over = icmp sge i64 %k, %gives.width
  br i1 %k.over, label %own, label %give.one
give.one:
  %k.object = ITEM %gives %k
  %k.place = NUMBER %k.object
  %k.up = add i64 %k, 1
  %k.input = ITEM %inputs %k.place
  %k.number = call ptr @number(ptr %numbers, ptr %k.input)
  %no.k.number = icmp eq ptr %k.number, null
  br i1 %no.k.number, label %fail.row, label %give.set
give.set:
  call void @Py_IncRef(ptr %k.number)
  %set.goal = call i32 @PyTuple_SetItem(ptr %goals, i64 %k, ptr %k.number)
  br label %give.next
own:
  %own.number = call ptr @fresh(ptr %numbers, ptr %node)
  NEED %own.number fail.row
  call void @Py_IncRef(ptr %own.number)
  %set.own = call i32 @PyTuple_SetItem(ptr %row, i64 1, ptr %own.number)
  %origin = call ptr @PyTuple_New(i64 3)
  NEED %origin fail.row
  %layers = FIELD %node Node.layers
  %source = FIELD %node Node.source
  call void @Py_IncRef(ptr %layers)
  call void @Py_IncRef(ptr %source)
  %set.name = call i32 @PyTuple_SetItem(ptr %origin, i64 0, ptr %op.name)
  %set.layers = call i32 @PyTuple_SetItem(ptr %origin, i64 1, ptr %layers)
  %set.source = call i32 @PyTuple_SetItem(ptr %origin, i64 2, ptr %source)
  %put.row = call i32 @PyList_Append(ptr %rows, ptr %row)
  %put.origin = call i32 @PyList_Append(ptr %origins, ptr %origin)
  call void @Py_DecRef(ptr %row)
  call void @Py_DecRef(ptr %origin)
  TEST %put.row fail
  TEST %put.origin fail
  br label %on
on:
  br label %next
stop:
  %number = call ptr @PyLong_FromLongLong(i64 %i)
  ret ptr %number
fail.row:
  call void @Py_DecRef(ptr %row)
  br label %fail.name
fail.name:
  call void @Py_DecRef(ptr %op.name)
  br label %fail
fail:
  ret ptr null
}

; The number of a node in a dict of numbers, borrowed; the next one for a node that has none.
define internal ptr @number(ptr %numbers, ptr %node) {
  %found = LOOK %numbers %node
  NEED %found new
  ret ptr %found
new:
  %made = call ptr @fresh(ptr %numbers, ptr %node)
  ret ptr %made
}
define internal ptr @fresh(ptr %numbers, ptr %node) {
  %size = call i64 @PyDict_Size(ptr %numbers)
  %made = call ptr @PyLong_FromLongLong(i64 %size)
  NEED %made fail
  NOTE %numbers %node %made fail.made
  call void @Py_DecRef(ptr %made)                 ; the dict holds it
  ret ptr %made
fail.made:
  call void @Py_DecRef(ptr %made)
  br label %fail
fail:
  ret ptr null
}
"""
