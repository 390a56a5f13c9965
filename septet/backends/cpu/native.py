"""The native program that runs plans: relocations, then one step after the other.

A plan is data, so a new shape costs no compiling. `run` is compiled once for all plans; a step is a function
``void step(i64* args)`` whose arguments lie in the plan's slots.
"""

from __future__ import annotations

import ctypes
import os
from functools import lru_cache
from typing import Any

import scipy_openblas32

from septet.backends.cpu import jit, onednn_tasks

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


LOOP = """
define void @loop(ptr %args) #0 {
entry:
  %plength = getelementptr i64, ptr %args, i64 0
  %length = load i64, ptr %plength
  %pbases = getelementptr i64, ptr %args, i64 1
  %bases = load ptr, ptr %pbases
  %pmoves = getelementptr i64, ptr %args, i64 2
  %moves = load ptr, ptr %pmoves
  %pn_moves = getelementptr i64, ptr %args, i64 3
  %n_moves = load i64, ptr %pn_moves
  %pslots = getelementptr i64, ptr %args, i64 4
  %slots = load ptr, ptr %pslots
  %psteps = getelementptr i64, ptr %args, i64 5
  %steps = load ptr, ptr %psteps
  %pn_steps = getelementptr i64, ptr %args, i64 6
  %n_steps = load i64, ptr %pn_steps
  %pstatus = getelementptr i64, ptr %args, i64 7
  %status = load ptr, ptr %pstatus
  %prun = getelementptr i64, ptr %args, i64 8
  %run = load ptr, ptr %prun
  %parena = getelementptr i64, ptr %args, i64 9
  %arena = load i64, ptr %parena
  store i64 %arena, ptr %bases
  %pn_binds = getelementptr i64, ptr %args, i64 10
  %n_binds = load i64, ptr %pn_binds
  %pn_steps2 = getelementptr i64, ptr %args, i64 11
  %n_advances = load i64, ptr %pn_steps2
  %pn_swaps = getelementptr i64, ptr %args, i64 12
  %n_swaps = load i64, ptr %pn_swaps
  %binds = getelementptr i64, ptr %args, i64 13
  %b2 = mul i64 %n_binds, 2
  %advances = getelementptr i64, ptr %binds, i64 %b2
  %a2 = mul i64 %n_advances, 2
  %swaps = getelementptr i64, ptr %advances, i64 %a2
  br label %bind
bind:
  %i = phi i64 [ 0, %entry ], [ %i1, %bound ]
  %more = icmp slt i64 %i, %n_binds
  br i1 %more, label %bound, label %next
bound:
  %row = mul i64 %i, 2
  %pindex = getelementptr i64, ptr %binds, i64 %row
  %index = load i64, ptr %pindex
  %paddress = getelementptr i64, ptr %pindex, i64 1
  %address = load i64, ptr %paddress
  %pbase = getelementptr i64, ptr %bases, i64 %index
  store i64 %address, ptr %pbase
  %i1 = add i64 %i, 1
  br label %bind
next:
  %t = phi i64 [ 0, %bind ], [ %t1, %swapped ]
  %go = icmp slt i64 %t, %length
  br i1 %go, label %body, label %done
body:
  %failed = call i64 %run(ptr %bases, ptr %moves, i64 %n_moves, ptr %slots, ptr %steps, i64 %n_steps, ptr %status)
  %bad = icmp ne i64 %failed, 0
  br i1 %bad, label %done, label %advance
advance:
  %j = phi i64 [ 0, %body ], [ %j1, %advanced ]
  %more2 = icmp slt i64 %j, %n_advances
  br i1 %more2, label %advanced, label %swap
advanced:
  %row2 = mul i64 %j, 2
  %pindex2 = getelementptr i64, ptr %advances, i64 %row2
  %index2 = load i64, ptr %pindex2
  %pby = getelementptr i64, ptr %pindex2, i64 1
  %by = load i64, ptr %pby
  %pbase2 = getelementptr i64, ptr %bases, i64 %index2
  %old = load i64, ptr %pbase2
  %new = add i64 %old, %by
  store i64 %new, ptr %pbase2
  %j1 = add i64 %j, 1
  br label %advance
swap:
  %k = phi i64 [ 0, %advance ], [ %k1, %swapping ]
  %more3 = icmp slt i64 %k, %n_swaps
  br i1 %more3, label %swapping, label %swapped
swapping:
  %row3 = mul i64 %k, 2
  %pa = getelementptr i64, ptr %swaps, i64 %row3
  %a = load i64, ptr %pa
  %pb = getelementptr i64, ptr %pa, i64 1
  %b = load i64, ptr %pb
  %qa = getelementptr i64, ptr %bases, i64 %a
  %qb = getelementptr i64, ptr %bases, i64 %b
  %va = load i64, ptr %qa
  %vb = load i64, ptr %qb
  store i64 %vb, ptr %qa
  store i64 %va, ptr %qb
  %k1 = add i64 %k, 1
  br label %swap
swapped:
  %t1 = add i64 %t, 1
  br label %next
done:
  ret void
}
attributes #0 = { nounwind }
"""
"""Args: length, a nested plan (bases, moves, n_moves, slots, steps, n_steps, status, run, arena), n_binds, n_advances,
n_swaps, binds (base, address), advances (base, bytes), swaps (base, base). Runs the nested plan `length` times."""

BRANCH = """
define void @branch(ptr %args) #0 {
entry:
  %choice = load ptr, ptr %args
  %truth = load i8, ptr %choice
  %yes = icmp ne i8 %truth, 0
  %pfirst = getelementptr i64, ptr %args, i64 1
  %offset = load i64, ptr %pfirst
  %first = getelementptr i64, ptr %args, i64 2
  %second = getelementptr i64, ptr %args, i64 %offset
  %own = select i1 %yes, ptr %first, ptr %second
  %loop = inttoptr i64 LOOP to ptr
  call void %loop(ptr %own)
  ret void
}
attributes #0 = { nounwind }
"""
"""Args: address of a truth value, position of the second loop's arguments, those of the first loop, those of the second:
loops of length 1, of which one runs."""

WHILE = """
define void @while(ptr %args) #0 {
entry:
  %choice = load ptr, ptr %args
  %pfirst = getelementptr i64, ptr %args, i64 1
  %offset = load i64, ptr %pfirst
  %pstatus = getelementptr i64, ptr %args, i64 2
  %status = load ptr, ptr %pstatus
  %test = getelementptr i64, ptr %args, i64 3
  %body = getelementptr i64, ptr %args, i64 %offset
  %loop = inttoptr i64 LOOP to ptr
  br label %again
again:
  call void %loop(ptr %test)
  %bad = load i64, ptr %status
  %failed = icmp ne i64 %bad, 0
  br i1 %failed, label %done, label %ask
ask:
  %truth = load i8, ptr %choice
  %yes = icmp ne i8 %truth, 0
  br i1 %yes, label %go, label %done
go:
  call void %loop(ptr %body)
  %bad2 = load i64, ptr %status
  %failed2 = icmp ne i64 %bad2, 0
  br i1 %failed2, label %done, label %again
done:
  ret void
}
attributes #0 = { nounwind }
"""
"""Args: address of a truth value, position of the body's arguments, status, then the arguments of two loops of length 1:
the condition, which writes the truth value, and the body, which writes the carried values in their place."""


GEMM = """
define void @NAME(ptr %args, i64 %begin, i64 %end) #0 {
entry:
  %p.a = getelementptr i64, ptr %args, i64 0
  %a = load ptr, ptr %p.a
  %p.b = getelementptr i64, ptr %args, i64 1
  %b = load ptr, ptr %p.b
  %p.c = getelementptr i64, ptr %args, i64 2
  %c = load ptr, ptr %p.c
  %p.m = getelementptr i64, ptr %args, i64 3
  %m = load i64, ptr %p.m
  %p.n = getelementptr i64, ptr %args, i64 4
  %n = load i64, ptr %p.n
  %p.k = getelementptr i64, ptr %args, i64 5
  %k = load i64, ptr %p.k
  %p.ta = getelementptr i64, ptr %args, i64 6
  %ta = load i64, ptr %p.ta
  %p.tb = getelementptr i64, ptr %args, i64 7
  %tb = load i64, ptr %p.tb
  %p.lda = getelementptr i64, ptr %args, i64 8
  %lda = load i64, ptr %p.lda
  %p.ldb = getelementptr i64, ptr %args, i64 9
  %ldb = load i64, ptr %p.ldb
  %p.ldc = getelementptr i64, ptr %args, i64 10
  %ldc = load i64, ptr %p.ldc
  %p.mt = getelementptr i64, ptr %args, i64 11
  %mt = load i64, ptr %p.mt
  %p.nt = getelementptr i64, ptr %args, i64 12
  %nt = load i64, ptr %p.nt
  %p.nm = getelementptr i64, ptr %args, i64 13
  %nm = load i64, ptr %p.nm
  %p.nn = getelementptr i64, ptr %args, i64 14
  %nn = load i64, ptr %p.nn
  %p.inner = getelementptr i64, ptr %args, i64 15
  %inner = load i64, ptr %p.inner
  %p.ao = getelementptr i64, ptr %args, i64 16
  %ao = load i64, ptr %p.ao
  %p.ai = getelementptr i64, ptr %args, i64 17
  %ai = load i64, ptr %p.ai
  %p.bo = getelementptr i64, ptr %args, i64 18
  %bo = load i64, ptr %p.bo
  %p.bi = getelementptr i64, ptr %args, i64 19
  %bi = load i64, ptr %p.bi
  %p.co = getelementptr i64, ptr %args, i64 20
  %co = load i64, ptr %p.co
  %p.ci = getelementptr i64, ptr %args, i64 21
  %ci = load i64, ptr %p.ci
  %p.arow = getelementptr i64, ptr %args, i64 22
  %arow = load i64, ptr %p.arow
  %p.bcol = getelementptr i64, ptr %args, i64 23
  %bcol = load i64, ptr %p.bcol
  %p.crow = getelementptr i64, ptr %args, i64 24
  %crow = load i64, ptr %p.crow
  %p.item = getelementptr i64, ptr %args, i64 25
  %item = load i64, ptr %p.item
  %ta32 = trunc i64 %ta to i32
  %tb32 = trunc i64 %tb to i32
  %transa = add i32 %ta32, 111
  %transb = add i32 %tb32, 111
  %k32 = trunc i64 %k to i32
  %lda32 = trunc i64 %lda to i32
  %ldb32 = trunc i64 %ldb to i32
  %ldc32 = trunc i64 %ldc to i32
  %gemm = inttoptr i64 CBLAS to ptr
  br label %task
task:
  %t = phi i64 [ %begin, %entry ], [ %t1, %task ]
  %in = urem i64 %t, %nn
  %r1 = udiv i64 %t, %nn
  %im = urem i64 %r1, %nm
  %r2 = udiv i64 %r1, %nm
  %ii = urem i64 %r2, %inner
  %io = udiv i64 %r2, %inner
  %m0 = mul i64 %im, %mt
  %n0 = mul i64 %in, %nt
  %mleft = sub i64 %m, %m0
  %nleft = sub i64 %n, %n0
  %mown = call i64 @llvm.smin.i64(i64 %mt, i64 %mleft)
  %nown = call i64 @llvm.smin.i64(i64 %nt, i64 %nleft)
  %a1 = mul i64 %io, %ao
  %a2 = mul i64 %ii, %ai
  %a3 = mul i64 %m0, %arow
  %a4 = add i64 %a1, %a2
  %a5 = add i64 %a4, %a3
  %pa = getelementptr i8, ptr %a, i64 %a5
  %b1 = mul i64 %io, %bo
  %b2 = mul i64 %ii, %bi
  %b3 = mul i64 %n0, %bcol
  %b4 = add i64 %b1, %b2
  %b5 = add i64 %b4, %b3
  %pb = getelementptr i8, ptr %b, i64 %b5
  %c1 = mul i64 %io, %co
  %c2 = mul i64 %ii, %ci
  %c3 = mul i64 %m0, %crow
  %c4 = mul i64 %n0, %item
  %c5 = add i64 %c1, %c2
  %c6 = add i64 %c3, %c4
  %c7 = add i64 %c5, %c6
  %pc = getelementptr i8, ptr %c, i64 %c7
  %m32 = trunc i64 %mown to i32
  %n32 = trunc i64 %nown to i32
  call void %gemm(i32 101, i32 %transa, i32 %transb, i32 %m32, i32 %n32, i32 %k32, KIND ONE, ptr %pa, i32 %lda32, ptr %pb, i32 %ldb32, KIND 0.0, ptr %pc, i32 %ldc32)
  %t1 = add i64 %t, 1
  %more = icmp slt i64 %t1, %end
  br i1 %more, label %task, label %done
done:
  ret void
}
declare i64 @llvm.smin.i64(i64, i64)
attributes #0 = { nounwind }
"""
"""Tasks of a matrix product, as a kernel for `parallel`. Args: a, b, c, m, n, k, whether a and b are transposed, lda, ldb,
ldc, rows and columns of a task, numbers of tasks along m and n, inner batch size, strides in bytes along outer and inner
batch of a, b and c, bytes from row to row of a, column to column of b, row to row of c, column to column of c."""


def _gemm(name: str, kind: str, function: str) -> str:
    return (
        GEMM.replace("NAME", name).replace("KIND", kind).replace("ONE", "1.0").replace("CBLAS", f"OPENBLAS_{function}")
    )


def module(name: str) -> jit.Module:
    """Return the text of a native function, the addresses that it needs filled in."""
    if name == "onednn_task":
        return onednn_tasks.module()
    text = TEXTS[name]
    if "GOMP_PARALLEL" in text:
        text = text.replace("GOMP_PARALLEL", str(_gomp_parallel()))
    if "i64 LOOP" in text:
        text = text.replace("i64 LOOP", f"i64 {jit.addresses([module('loop')])[0]}")
    for function in ("cblas_sgemm", "cblas_dgemm"):
        if f"OPENBLAS_{function}" in text:
            text = text.replace(f"OPENBLAS_{function}", str(_openblas(function)))
    return jit.Module(name, text)


TEXTS = {
    "run": RUN, "parallel": PARALLEL, "loop": LOOP, "branch": BRANCH, "while": WHILE,
    "sgemm_task": _gemm("sgemm_task", "float", "cblas_sgemm"), "dgemm_task": _gemm("dgemm_task", "double", "cblas_dgemm"),
}  # fmt: skip


@lru_cache(maxsize=1)
def _blas() -> ctypes.CDLL:
    library = ctypes.CDLL(f"{scipy_openblas32.get_lib_dir()}/{scipy_openblas32.get_library(True)}")
    library.scipy_openblas_set_num_threads(1)
    return library


def _openblas(function: str) -> int:
    address = ctypes.cast(getattr(_blas(), f"scipy_{function}"), ctypes.c_void_p).value
    assert address is not None
    return address


def _gomp_parallel() -> int:
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    address = ctypes.cast(ctypes.CDLL("libgomp.so.1").GOMP_parallel, ctypes.c_void_p).value
    assert address is not None
    return address


def callable_run(address: int) -> Any:
    """Return `run` as a Python function."""
    return ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * 7)(address)
