"""The native program that runs plans: relocations, then one step after the other.

A plan is data, so a new shape costs no compiling. `run` is compiled once for all plans; a step is a function
``void step(i64* args)`` whose arguments lie in the plan's slots.
"""

from __future__ import annotations

import ctypes
from functools import lru_cache

from septet.backends.cpu import jit

RUN = """
define i64 @run(ptr %bases, ptr %moves, i64 %n_moves, ptr %slots, ptr %steps, i64 %n_steps, ptr %status) #0 {
entry:
  %any = icmp sgt i64 %n_moves, 0
  br i1 %any, label %move, label %begin
move:
  %m = phi i64 [ 0, %entry ], [ %m1, %move ]
  %row = mul i64 %m, 3
  %p0 = getelementptr i64, ptr %moves, i64 %row
  %p1 = getelementptr i64, ptr %p0, i64 1
  %p2 = getelementptr i64, ptr %p0, i64 2
  %slot = load i64, ptr %p0
  %base = load i64, ptr %p1
  %offset = load i64, ptr %p2
  %pb = getelementptr i64, ptr %bases, i64 %base
  %b = load i64, ptr %pb
  %address = add i64 %b, %offset
  %ps = getelementptr i64, ptr %slots, i64 %slot
  store i64 %address, ptr %ps
  %m1 = add i64 %m, 1
  %more = icmp slt i64 %m1, %n_moves
  br i1 %more, label %move, label %begin
begin:
  %some = icmp sgt i64 %n_steps, 0
  br i1 %some, label %step, label %done
step:
  %s = phi i64 [ 0, %begin ], [ %s1, %next ]
  %two = mul i64 %s, 2
  %q0 = getelementptr i64, ptr %steps, i64 %two
  %q1 = getelementptr i64, ptr %q0, i64 1
  %function = load ptr, ptr %q0
  %first = load i64, ptr %q1
  %args = getelementptr i64, ptr %slots, i64 %first
  call void %function(ptr %args)
  %s1 = add i64 %s, 1
  %bad = load i64, ptr %status
  %failed = icmp ne i64 %bad, 0
  br i1 %failed, label %fail, label %next
next:
  %on = icmp slt i64 %s1, %n_steps
  br i1 %on, label %step, label %done
done:
  ret i64 0
fail:
  ret i64 %s1
}
attributes #0 = { nounwind }
"""
"""Return 0, or the number of the step (from 1) after which the status word was not 0."""

PARALLEL = """
define internal void @work(ptr %frame) #0 {
entry:
  %pargs = getelementptr i64, ptr %frame, i64 1
  %args = load ptr, ptr %pargs
  %kernel = load ptr, ptr %args
  %p1 = getelementptr i64, ptr %args, i64 1
  %total = load i64, ptr %p1
  %p2 = getelementptr i64, ptr %args, i64 2
  %chunk = load i64, ptr %p2
  %own = getelementptr i64, ptr %args, i64 4
  br label %take
take:
  %begin = atomicrmw add ptr %frame, i64 %chunk monotonic
  %left = icmp slt i64 %begin, %total
  br i1 %left, label %go, label %done
go:
  %to = add i64 %begin, %chunk
  %short = icmp slt i64 %to, %total
  %end = select i1 %short, i64 %to, i64 %total
  call void %kernel(ptr %own, i64 %begin, i64 %end)
  br label %take
done:
  ret void
}
define void @parallel(ptr %args) #0 {
entry:
  %p1 = getelementptr i64, ptr %args, i64 1
  %total = load i64, ptr %p1
  %p2 = getelementptr i64, ptr %args, i64 2
  %chunk = load i64, ptr %p2
  %p3 = getelementptr i64, ptr %args, i64 3
  %threads = load i64, ptr %p3
  %few = icmp sle i64 %threads, 1
  %small = icmp sle i64 %total, %chunk
  %alone = or i1 %few, %small
  br i1 %alone, label %serial, label %team
serial:
  %kernel = load ptr, ptr %args
  %own = getelementptr i64, ptr %args, i64 4
  call void %kernel(ptr %own, i64 0, i64 %total)
  ret void
team:
  %frame = alloca [2 x i64], align 64
  store i64 0, ptr %frame
  %f1 = getelementptr i64, ptr %frame, i64 1
  store ptr %args, ptr %f1
  %count = trunc i64 %threads to i32
  %gomp = inttoptr i64 GOMP_PARALLEL to ptr
  call void %gomp(ptr @work, ptr %frame, i32 %count, i32 0)
  ret void
}
attributes #0 = { nounwind }
"""
"""Args: kernel, total, chunk, threads, then what the kernel takes. Threads take chunks until none is left."""


@lru_cache(maxsize=1)
def functions() -> tuple[ctypes._CFuncPtr, int]:
    """Return `run`, ready to be called, and the address of `parallel`."""
    gomp = ctypes.cast(ctypes.CDLL("libgomp.so.1").GOMP_parallel, ctypes.c_void_p).value
    run, parallel = jit.addresses(
        [jit.Module("run", RUN), jit.Module("parallel", PARALLEL.replace("GOMP_PARALLEL", str(gomp)))]
    )
    call = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * 7)(run)
    return call, parallel
