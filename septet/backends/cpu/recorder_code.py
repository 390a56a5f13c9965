"""The recorder in LLVM IR, with the short forms of `recorder.expand`: `graph.op.record`, and operators of tensors."""

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
define internal ptr @record(ptr %self, ptr %args, i64 %n) {
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
define internal ptr @operator(ptr %self, ptr %args, i64 %n) {
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
