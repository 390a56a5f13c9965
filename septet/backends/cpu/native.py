"""The native program that runs plans: relocations, then one step after the other.

A plan is data, so a new shape costs no compiling. `run` is compiled once for all plans; a step is a function
``void step(i64* args)`` whose arguments lie in the plan's slots.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from septet.backends.cpu import interrupts, jit, pool

RUN = """
?declare i64 @signals_look_between(ptr)
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
? %p.left = getelementptr i64, ptr %status, i64 {LEFT}
? %left0 = load i64, ptr %p.left
  %some = icmp sgt i64 %n_steps, 0
  br i1 %some, label %step, label %done
step:
  %s = phi i64 [ 0, %begin ], [ %s1, %next ]
? %left = phi i64 [ %left0, %begin ], [ %left2, %next ]
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
  br i1 %failed, label %fail, label %count
count:
? %left1 = sub i64 %left, 1
? %due = icmp sle i64 %left1, 0
? br i1 %due, label %look, label %next
?look:
? %stride = call i64 @signals_look_between(ptr %status)
? %stops = icmp slt i64 %stride, 0
? br i1 %stops, label %fail, label %next
! br label %next
next:
? %left2 = phi i64 [ %left1, %count ], [ %stride, %look ]
  %on = icmp slt i64 %s1, %n_steps
  br i1 %on, label %step, label %done
done:
? %left3 = phi i64 [ %left0, %begin ], [ %left2, %next ]
? store i64 %left3, ptr %p.left
  ret i64 0
fail:
  ret i64 %s1
}
attributes #0 = { nounwind }
"""
"""Return 0, or the number of the step (from 1) after which the status word was not 0, or the program must stop. In lines
with a question mark it looks for signals; a short row of steps inside of a loop, which looks itself, has the others."""

EVERY = 1 << 60
"""More steps than a program has."""
SHORT_ROW = 8
"""Steps of a body up to which they do not look."""

START = """
declare ptr @signals_open(i64)
declare i64 @signals_hold()
declare void @PyEval_RestoreThread(ptr)
declare i64 @run_looking(ptr, ptr, i64, ptr, ptr, i64, ptr)
declare i64 @llvm.smin.i64(i64, i64)
declare i64 @llvm.smax.i64(i64, i64)
define i64 @start(ptr %record) #0 {
entry:
  %bases = load ptr, ptr %record
  %pmoves = getelementptr i64, ptr %record, i64 1
  %moves = load ptr, ptr %pmoves
  %pn_moves = getelementptr i64, ptr %record, i64 2
  %n_moves = load i64, ptr %pn_moves
  %pslots = getelementptr i64, ptr %record, i64 3
  %slots = load ptr, ptr %pslots
  %psteps = getelementptr i64, ptr %record, i64 4
  %steps = load ptr, ptr %psteps
  %pn_steps = getelementptr i64, ptr %record, i64 5
  %n_steps = load i64, ptr %pn_steps
  %pstatus = getelementptr i64, ptr %record, i64 6
  %status = load ptr, ptr %pstatus
  %psafe = getelementptr i64, ptr %record, i64 7
  %safe = load i64, ptr %psafe
  store i64 0, ptr %status
  %few = call i64 @llvm.smin.i64(i64 %safe, i64 %n_steps)
  %n_safe = call i64 @llvm.smax.i64(i64 %few, i64 0)
  %some = icmp sgt i64 %n_safe, 0
  %may = zext i1 %some to i64
  %state = call ptr @signals_open(i64 %may)
  %ran = call i64 @run_looking(ptr %bases, ptr %moves, i64 %n_moves, ptr %slots, ptr %steps, i64 %n_safe, ptr %status)
  %halt = call i64 @signals_hold()
  %first = or i64 %ran, %halt
  %left = sub i64 %n_steps, %n_safe
  %more = icmp sgt i64 %left, 0
  %right = icmp eq i64 %first, 0
  %goes = and i1 %more, %right
  br i1 %goes, label %rest, label %end
rest:
  %skip = mul i64 %n_safe, 2
  %further = getelementptr i64, ptr %steps, i64 %skip
  %second = call i64 @run_looking(ptr %bases, ptr %moves, i64 0, ptr %slots, ptr %further, i64 %left, ptr %status)
  br label %end
end:
  %failed = phi i64 [ %first, %entry ], [ %second, %rest ]
  call void @PyEval_RestoreThread(ptr %state)
  ret i64 %failed
}
attributes #0 = { nounwind }
"""
"""What Python calls, with its lock, which is let go of while steps run. The record: what `run` takes, and the step from
which on variables are written over: up to there the handlers of signals run meanwhile, and what one raises ends the
program. Afterwards nothing does."""

PARALLEL = """
declare void @region(ptr, ptr, i64, i64, i64)
define void @parallel(ptr %args) #0 {
entry:
  %kernel = load ptr, ptr %args
  %p1 = getelementptr i64, ptr %args, i64 1
  %total = load i64, ptr %p1
  %p2 = getelementptr i64, ptr %args, i64 2
  %chunk = load i64, ptr %p2
  %p3 = getelementptr i64, ptr %args, i64 3
  %threads = load i64, ptr %p3
  %own = getelementptr i64, ptr %args, i64 4
  call void @region(ptr %kernel, ptr %own, i64 %total, i64 %chunk, i64 %threads)
  ret void
}
attributes #0 = { nounwind }
"""
"""Args: kernel, total, chunk, threads, then what the kernel takes. Threads take chunks until none is left."""


LOOP = """
declare i64 @signals_look_between(ptr)
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
  %p.left = getelementptr i64, ptr %status, i64 {LEFT}
  br label %bind
bind:
  %i = phi i64 [ 0, %entry ], [ %i1, %bound ]
  %more = icmp slt i64 %i, %n_binds
  br i1 %more, label %bound, label %begin
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
begin:
  %some = icmp sgt i64 %length, 0
  br i1 %some, label %body, label %done
body:
  %t = phi i64 [ 0, %begin ], [ %t1, %next ]
  %left = phi i64 [ 0, %begin ], [ %left2, %next ]
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
  %on = icmp slt i64 %t1, %length
  br i1 %on, label %count, label %end
count:
  %left1 = sub i64 %left, 1
  %due = icmp sle i64 %left1, 0
  br i1 %due, label %first, label %next
first:                                            ; a loop of length 1 has no business here
  %is.first = icmp eq i64 %left, 0
  br i1 %is.first, label %resume, label %look
resume:
  %left0 = load i64, ptr %p.left
  %has.left = icmp sgt i64 %left0, 1
  br i1 %has.left, label %next, label %look
look:
  %stride = call i64 @signals_look_between(ptr %status)
  %stops = icmp slt i64 %stride, 0
  br i1 %stops, label %done, label %next
next:
  %left2 = phi i64 [ %left1, %count ], [ %left0, %resume ], [ %stride, %look ]
  br label %body
end:
  %has.count = icmp ne i64 %left, 0
  br i1 %has.count, label %note, label %done
note:
  store i64 %left, ptr %p.left
  br label %done
done:
  ret void
}
attributes #0 = { nounwind }
"""
"""Args: length, a nested plan (bases, moves, n_moves, slots, steps, n_steps, status, run, arena), n_binds, n_advances,
n_swaps, binds (base, address), advances (base, bytes), swaps (base, base). Runs the nested plan `length` times, and looks for
signals in between."""

BRANCH = """
declare void @loop(ptr)
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
  call void @loop(ptr %own)
  ret void
}
attributes #0 = { nounwind }
"""
"""Args: address of a truth value, position of the second loop's arguments, those of the first loop, those of the second:
loops of length 1, of which one runs."""

WHILE = """
declare i64 @signals_look_between(ptr)
declare void @loop(ptr)
define void @while(ptr %args) #0 {
entry:
  %choice = load ptr, ptr %args
  %pfirst = getelementptr i64, ptr %args, i64 1
  %offset = load i64, ptr %pfirst
  %pstatus = getelementptr i64, ptr %args, i64 2
  %status = load ptr, ptr %pstatus
  %test = getelementptr i64, ptr %args, i64 3
  %body = getelementptr i64, ptr %args, i64 %offset
  br label %again
again:
  %left = phi i64 [ 1, %entry ], [ %left2, %next ]
  call void @loop(ptr %test)
  %bad = load i64, ptr %status
  %failed = icmp ne i64 %bad, 0
  br i1 %failed, label %done, label %ask
ask:
  %truth = load i8, ptr %choice
  %yes = icmp ne i8 %truth, 0
  br i1 %yes, label %go, label %done
go:
  call void @loop(ptr %body)
  %bad2 = load i64, ptr %status
  %failed2 = icmp ne i64 %bad2, 0
  br i1 %failed2, label %done, label %count
count:
  %left1 = sub i64 %left, 1
  %due = icmp sle i64 %left1, 0
  br i1 %due, label %look, label %next
look:
  %stride = call i64 @signals_look_between(ptr %status)
  %stops = icmp slt i64 %stride, 0
  br i1 %stops, label %done, label %next
next:
  %left2 = phi i64 [ %left1, %count ], [ %stride, %look ]
  br label %again
done:
  ret void
}
attributes #0 = { nounwind }
"""
"""Args: address of a truth value, position of the body's arguments, status, then the arguments of two loops of length 1:
the condition, which writes the truth value, and the body, which writes the carried values in their place."""

STAMP = """
declare i32 @clock_gettime(i32, ptr)
define void @stamp(ptr %args) #0 {
entry:
  %time = alloca [2 x i64]
  %r = call i32 @clock_gettime(i32 1, ptr %time)
  %p.nanos = getelementptr i64, ptr %time, i64 1
  %seconds = load i64, ptr %time
  %nanos = load i64, ptr %p.nanos
  %big = mul i64 %seconds, 1000000000
  %now = add i64 %big, %nanos
  store i64 %now, ptr %args
  ret void
}
attributes #0 = { nounwind }
"""
"""Args: the word that takes the nanoseconds of Linux' monotonic clock."""

PIECES = """
declare ptr @signals_open(i64)
declare i64 @signals_look_between(ptr)
declare i64 @signals_hold()
declare void @PyEval_RestoreThread(ptr)
declare i64 @run(ptr, ptr, i64, ptr, ptr, i64, ptr)
define i64 @pieces(ptr %calls, i64 %end, i64 %arena) #0 {
entry:
  %state = call ptr @signals_open(i64 1)
  %any = icmp sgt i64 %end, 0
  br i1 %any, label %piece, label %close
piece:
  %at = phi i64 [ 0, %entry ], [ %after, %next ]
  %left = phi i64 [ 1, %entry ], [ %left2, %next ]
  %pcall = getelementptr i64, ptr %calls, i64 %at
  %own = load ptr, ptr %pcall
  %bases = load ptr, ptr %own
  %p1 = getelementptr i64, ptr %own, i64 1
  %n_bases = load i64, ptr %p1
  %p2 = getelementptr i64, ptr %own, i64 2
  %moves = load ptr, ptr %p2
  %p3 = getelementptr i64, ptr %own, i64 3
  %n_moves = load i64, ptr %p3
  %p4 = getelementptr i64, ptr %own, i64 4
  %slots = load ptr, ptr %p4
  %p5 = getelementptr i64, ptr %own, i64 5
  %steps = load ptr, ptr %p5
  %p6 = getelementptr i64, ptr %own, i64 6
  %n_steps = load i64, ptr %p6
  %p7 = getelementptr i64, ptr %own, i64 7
  %status = load ptr, ptr %p7
  store i64 %arena, ptr %bases
  br label %copy
copy:
  %k = phi i64 [ 0, %piece ], [ %k1, %copied ]
  %lack = icmp slt i64 %k, %n_bases
  br i1 %lack, label %copied, label %go
copied:
  %k1 = add i64 %k, 1
  %pfrom = getelementptr i64, ptr %pcall, i64 %k1
  %address = load i64, ptr %pfrom
  %pto = getelementptr i64, ptr %bases, i64 %k1
  store i64 %address, ptr %pto
  br label %copy
go:
  %failed = call i64 @run(ptr %bases, ptr %moves, i64 %n_moves, ptr %slots, ptr %steps, i64 %n_steps, ptr %status)
  %at1 = add i64 %at, 1
  %after = add i64 %at1, %n_bases
  %bad = icmp ne i64 %failed, 0
  br i1 %bad, label %fail, label %ran
ran:
  %left1 = sub i64 %left, 1
  %due = icmp sle i64 %left1, 0
  br i1 %due, label %look, label %next
look:
  %stride = call i64 @signals_look_between(ptr %status)
  %stops = icmp slt i64 %stride, 0
  br i1 %stops, label %fail, label %next
next:
  %left2 = phi i64 [ %left1, %ran ], [ %stride, %look ]
  %more = icmp slt i64 %after, %end
  br i1 %more, label %piece, label %close
fail:
  store i64 0, ptr %status
  br label %close
close:
  %wrong = phi i64 [ 0, %entry ], [ 0, %next ], [ %after, %fail ]
  %halt = call i64 @signals_hold()
  %found = or i64 %wrong, %halt
  call void @PyEval_RestoreThread(ptr %state)
  ret i64 %found
}
attributes #0 = { nounwind }
"""
"""Run plans one after the other. `calls` has, for each, where its record lies, and an address for each of its bases but
the arena, which all share. A record: bases and how many but the arena, moves and how many, slots, steps and how many,
status. Return 0, or where the calls after a failed one begin. Python calls it with its lock, which is let go of."""


def module(name: str) -> jit.Module:
    """Return a native function to compile. What writes those of single ops is imported with the first."""
    if name == "onednn_task":
        from septet.backends.cpu import onednn_tasks

        return onednn_tasks.module()
    if name in PRODUCTS:
        from septet.backends.cpu import openblas

        return openblas.module(name)
    if name in DRAWS:
        from septet.backends.cpu import philox

        return philox.module(name)
    if name.startswith("winograd"):
        from septet.backends.cpu import winograd_kernels

        return winograd_kernels.module(name)
    if name.startswith(("dots_task", "windows_task")):
        from septet.backends.cpu import dots

        return dots.module(name)
    if name.startswith("pooling"):
        from septet.backends.cpu import pooling

        return pooling.module(name)
    if name.startswith("turn"):
        from septet.backends.cpu import turning

        return turning.module(name)
    if name.startswith("dense"):
        from septet.backends.cpu import dense

        return dense.module(name)
    if name.startswith("blocks"):
        from septet.backends.cpu import blocks

        return blocks.module(name)
    if "_task-" in name:
        from septet.backends.cpu import direct_kernels

        return direct_kernels.module(name)
    text, used, level = TEXTS[name]
    imports: dict[str, int | jit.Module] = {}
    for own in used:
        imports.update(own())
    declared = set(re.findall(r"^declare .*@(\w+)\(", text, re.MULTILINE))
    return jit.Module(name, text, {word: own for word, own in imports.items() if word in declared}, level)


def _rows(name: str, is_looking: bool) -> str:
    """Return `RUN` under some name, with looks for signals or without."""
    kept, dropped = ("?", "!") if is_looking else ("!", "?")
    lines = RUN.replace("@run", f"@{name}").splitlines()
    return interrupts.fill("\n".join([line.removeprefix(kept) for line in lines if not line.startswith(dropped)]))


def _own(name: str) -> Callable[[], Mapping[str, jit.Module]]:
    return lambda: {name: module(name)}


# The text of each function, what it calls, and how much its code is optimized: more, where it runs in each round of loops.
TEXTS: dict[str, tuple[str, Sequence[Callable[[], Mapping[str, int | jit.Module]]], int]] = {
    "run": (_rows("run", False), (), jit.LEVEL),
    "run_looking": (_rows("run_looking", True), (interrupts.imports,), jit.LIGHT),
    "start": (START, (interrupts.imports, _own("run_looking")), jit.LIGHT),
    "parallel": (PARALLEL, (pool.imports,), jit.LEVEL),
    "loop": (interrupts.fill(LOOP), (interrupts.imports,), jit.LEVEL),
    "branch": (BRANCH, (_own("loop"),), jit.LEVEL),
    "while": (WHILE, (_own("loop"), interrupts.imports), jit.LEVEL),
    "stamp": (STAMP, (lambda: pool.of_process("clock_gettime"),), jit.LIGHT),
    "pieces": (PIECES, (interrupts.imports, _own("run")), jit.LEVEL),
}


PRODUCTS = ("sgemm_task", "dgemm_task")  # of `openblas`
DRAWS = ("philox", "philox_derive")  # of `philox`
LIBRARIES = ("oneDNN", "OpenBLAS")
"""Makers that are not Septet."""


def maker(name: str) -> str:
    """Say whose work a native function is, for people."""
    if name == "onednn_task":
        return "oneDNN"
    if name in PRODUCTS:
        return "OpenBLAS"
    if name in DRAWS:
        return "own Philox"
    if name.startswith("winograd"):
        return "own tiles, minimal filtering"
    return "own tiles" if "_task-" in name or name.startswith(("dense", "turn")) else name


def callable_with_lock(name: str, count: int) -> Any:
    """Return a native function of some int64 as a Python function that is called with Python's lock.

    An exception that is set when it returns is raised.
    """
    (address,) = jit.addresses([module(name)])
    return ctypes.PYFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * count)(address)


@lru_cache(maxsize=1)
def callable_start() -> Any:
    """Return `start` as a Python function."""
    return callable_with_lock("start", 1)
