"""The native program that runs plans: relocations, then one step after the other.

A plan is data, so a new shape costs no compiling. `run` is compiled once for all plans; a step is a function
``void step(i64* args)`` whose arguments lie in the plan's slots.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from typing import Any

from septet.backends.cpu import jit, openblas, philox, pool

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
  br i1 %failed2, label %done, label %again
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
declare i64 @run(ptr, ptr, i64, ptr, ptr, i64, ptr)
define i64 @pieces(ptr %calls, i64 %end, i64 %arena) #0 {
entry:
  %any = icmp sgt i64 %end, 0
  br i1 %any, label %piece, label %done
piece:
  %at = phi i64 [ 0, %entry ], [ %after, %ran ]
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
  %left = icmp slt i64 %k, %n_bases
  br i1 %left, label %copied, label %go
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
  %more = icmp slt i64 %after, %end
  br i1 %more, label %piece, label %done
done:
  ret i64 0
fail:
  store i64 0, ptr %status
  ret i64 %after
}
attributes #0 = { nounwind }
"""
"""Run plans one after the other. `calls` has, for each, where its record lies, and an address for each of its bases but
the arena, which all share. A record: bases and how many but the arena, moves and how many, slots, steps and how many,
status. Return 0, or where the calls after a failed one begin."""


TEXTS = {
    "run": RUN, "parallel": PARALLEL, "loop": LOOP, "branch": BRANCH, "while": WHILE, "stamp": STAMP, "pieces": PIECES,
}  # fmt: skip


def module(name: str) -> jit.Module:
    """Return a native function to compile. What writes those of convolutions and pooling is imported with the first."""
    if name == "onednn_task":
        from septet.backends.cpu import onednn_tasks

        return onednn_tasks.module()
    if name in openblas.KINDS:
        return openblas.module(name)
    if name in philox.TEXTS:
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
    imports: Mapping[str, int] = {}
    if name == "parallel":
        imports = pool.imports()
    elif name in ("branch", "while"):
        imports = {"loop": jit.addresses([module("loop")])[0]}
    elif name == "stamp":
        imports = pool.of_process("clock_gettime")
    elif name == "pieces":
        imports = {"run": jit.addresses([module("run")])[0]}
    return jit.Module(name, TEXTS[name], imports, jit.LIGHT)


LIBRARIES = ("oneDNN", "OpenBLAS")
"""Makers that are not Septet."""


def maker(name: str) -> str:
    """Say whose work a native function is, for people."""
    if name == "onednn_task":
        return "oneDNN"
    if name in openblas.KINDS:
        return "OpenBLAS"
    if name in philox.TEXTS:
        return "own Philox"
    if name.startswith("winograd"):
        return "own tiles, minimal filtering"
    return "own tiles" if "_task-" in name or name.startswith(("dense", "turn")) else name


def callable_run(address: int) -> Any:
    """Return `run` as a Python function."""
    return ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * 7)(address)
