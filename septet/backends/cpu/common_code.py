"""What the other functions in LLVM IR use, with the short forms of `recorder.expand`: references, calls, the user's line."""

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

; Set what a place refers to.
define internal void @put(ptr %place, ptr %object) {
entry:
  %old = load ptr, ptr %place
  call void @Py_IncRef(ptr %object)
  store ptr %object, ptr %place
  call void @Py_DecRef(ptr %old)                  ; which takes null, too
  ret void
}

; Call a method of one argument.
define internal ptr @method(ptr %object, ptr %name, ptr %argument) {
  %arguments = alloca [2 x ptr]
  store ptr %object, ptr %arguments
  %next = getelementptr i8, ptr %arguments, i64 8
  store ptr %argument, ptr %next
  %found = call ptr @PyObject_VectorcallMethod(ptr %name, ptr %arguments, i64 2, ptr null)
  ret ptr %found
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
