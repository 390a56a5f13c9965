"""The threads that compute: one pool for all native kernels, written in LLVM IR.

`region` runs ``kernel(args, begin, end, number)`` over 0 .. total in chunks. The calling thread starts at once; workers
that are awake by then help, each taking the next chunk until none is left. Nobody waits for a worker that has not
begun: beside a busy process, a worker that gets no processor costs nothing, whereas the barriers of OpenMP wait for
every thread of the team (`benchmarks/pool.py` compares).

A worker without work looks out for more for a short while, since waking a sleeper takes several microseconds, and then
sleeps. How long it looks out adapts: twice as long after every region in which it found work, half as long when it
looked out in vain or came too late, up to `SPIN` nanoseconds.

One thread at a time leads the pool. A region inside a region, or one that another Python thread starts meanwhile, runs
in its own thread alone. After a fork, the child's pool is empty and grows again when it is used.

The chunks are the caller's, and do not depend on the number of threads. A thread that is alone takes several of them in
one call where they are many; so a kernel whose results do not depend on where its range is cut has results that do not
depend on threads. Between chunks, the calling thread looks for signals (see `interrupts`); where it must stop, the rest
of the region is left out.
"""

from __future__ import annotations

import ctypes
import os
import platform
import sys
import threading
from collections.abc import Mapping
from functools import lru_cache

from septet.backends.cpu import interrupts, jit

SPIN = 50_000  # nanoseconds: about what a sleeping worker needs to be at work again, several times
SERIAL_SHIFT = 8  # in 256 calls at least, where a thread is alone and chunks are as many
PATIENCE = 1000  # looks that the leader takes at workers that finish their last chunks, before it sleeps: some 30 us

# Where the fields lie in the pool's memory, in bytes; those that different threads write are 64 bytes apart.
FIELDS = {
    "epoch": 0,  # i32: odd while a region is open
    "sleepers": 64,  # i32: workers that sleep, or are about to
    "active": 128,  # i32: workers inside of the region
    "waiting": 132,  # i32: whether the leader sleeps until `active` is 0
    "next": 192,  # i64: where the next chunk begins
    "seats": 256,  # i32: how many workers may still enter
    "kernel": 320,  # ptr
    "args": 328,  # ptr
    "total": 336,  # i64
    "chunk": 344,  # i64
    "led": 384,  # i32: whether a thread leads the pool
    "workers": 388,  # i32: threads that were started
}
SIZE = 448

# The number of the system call `futex`, by machine; `platform.machine` names them.
FUTEX = {"x86_64": 202, "aarch64": 98}
PAUSE = {"x86_64": "call void @llvm.x86.sse2.pause()", "aarch64": "call void @llvm.aarch64.hint(i32 1)"}
PAUSE_DECLARATION = {"x86_64": "declare void @llvm.x86.sse2.pause()", "aarch64": "declare void @llvm.aarch64.hint(i32)"}

FUTEX_WAIT, FUTEX_WAKE = 128, 129  # with FUTEX_PRIVATE_FLAG
SIG_SETMASK = 2
CLOCK_MONOTONIC = 1

COMMON = """
define internal void @share(ptr %pool, i64 %number) #0 {
entry:
  %p.kernel = getelementptr i8, ptr %pool, i64 {kernel}
  %p.args = getelementptr i8, ptr %pool, i64 {args}
  %p.total = getelementptr i8, ptr %pool, i64 {total}
  %p.chunk = getelementptr i8, ptr %pool, i64 {chunk}
  %p.next = getelementptr i8, ptr %pool, i64 {next}
  %kernel = load ptr, ptr %p.kernel
  %args = load ptr, ptr %p.args
  %total = load i64, ptr %p.total
  %chunk = load i64, ptr %p.chunk
  br label %take
take:
  %begin = atomicrmw add ptr %p.next, i64 %chunk monotonic
  %left = icmp slt i64 %begin, %total
  br i1 %left, label %go, label %done
go:
  %to = add i64 %begin, %chunk
  %short = icmp slt i64 %to, %total
  %end = select i1 %short, i64 %to, i64 %total
  call void %kernel(ptr %args, i64 %begin, i64 %end, i64 %number)
  br label %take
done:
  ret void
}
attributes #0 = { nounwind }
"""
"""Take chunks of the open region until none is left."""

WORKER = """
declare i64 @syscall(i64, ...)
declare i32 @clock_gettime(i32, ptr)
define internal i64 @now() #0 {
  %time = alloca [2 x i64]
  %r = call i32 @clock_gettime(i32 {CLOCK_MONOTONIC}, ptr %time)
  %p.nanos = getelementptr i64, ptr %time, i64 1
  %seconds = load i64, ptr %time
  %nanos = load i64, ptr %p.nanos
  %big = mul i64 %seconds, 1000000000
  %now = add i64 %big, %nanos
  ret i64 %now
}
define ptr @worker(ptr %pool) #0 {
entry:
  %p.sleepers = getelementptr i8, ptr %pool, i64 {sleepers}
  %p.active = getelementptr i8, ptr %pool, i64 {active}
  %p.waiting = getelementptr i8, ptr %pool, i64 {waiting}
  %p.seats = getelementptr i8, ptr %pool, i64 {seats}
  %p.next = getelementptr i8, ptr %pool, i64 {next}
  %p.total = getelementptr i8, ptr %pool, i64 {total}
  %start = call i64 @now()
  br label %measure
measure:                                          ; how long a look takes here
  %n = phi i64 [ 0, %entry ], [ %n1, %measure ]
  %ignored = load atomic i32, ptr %pool acquire, align 4
  {PAUSE}
  %n1 = add i64 %n, 1
  %more = icmp slt i64 %n1, 1000
  br i1 %more, label %measure, label %measured
measured:
  %stop = call i64 @now()
  %took = sub i64 %stop, %start
  %took1 = call i64 @llvm.smax.i64(i64 %took, i64 1000)
  %limit = sdiv i64 {SPIN_1000}, %took1
  br label %idle
idle:
  %seen = phi i32 [ 0, %measured ], [ %e, %left ]
  %budget = phi i64 [ %limit, %measured ], [ %after, %left ]
  br label %look
look:
  %looks = phi i64 [ 0, %idle ], [ %looks1, %pause ], [ 0, %woken ]
  %patience = phi i64 [ %budget, %idle ], [ %patience, %pause ], [ %half, %woken ]
  %e = load atomic i32, ptr %pool seq_cst, align 4
  %odd = trunc i32 %e to i1
  %new = icmp ne i32 %e, %seen
  %open = and i1 %odd, %new
  br i1 %open, label %enter, label %wait
wait:
  %on = icmp slt i64 %looks, %patience
  br i1 %on, label %pause, label %sleep
pause:
  {PAUSE}
  %looks1 = add i64 %looks, 1
  br label %look
sleep:
  %s = atomicrmw add ptr %p.sleepers, i32 1 seq_cst
  %slept = call i64 (i64, ...) @syscall(i64 {FUTEX}, ptr %pool, i32 {FUTEX_WAIT}, i32 %e, ptr null)
  br label %woken
woken:
  %t = atomicrmw sub ptr %p.sleepers, i32 1 seq_cst
  %half = lshr i64 %patience, 1
  br label %look
enter:
  %a = atomicrmw add ptr %p.active, i32 1 seq_cst
  %again = load atomic i32, ptr %pool seq_cst, align 4
  %still = icmp eq i32 %again, %e
  br i1 %still, label %seat, label %late
seat:
  %seats = atomicrmw sub ptr %p.seats, i32 1 seq_cst
  %free = icmp sgt i32 %seats, 0
  br i1 %free, label %ask, label %late
ask:
  %next = load atomic i64, ptr %p.next monotonic, align 8
  %total = load i64, ptr %p.total
  %some = icmp slt i64 %next, %total
  br i1 %some, label %work, label %late
work:                                             ; the leader wakes one sleeper, and each passes it on
  %others = load atomic i32, ptr %p.sleepers seq_cst, align 4
  %sleeping = icmp sgt i32 %others, 0
  %seatsleft = icmp sgt i32 %seats, 1
  %pass = and i1 %sleeping, %seatsleft
  br i1 %pass, label %wake, label %share
wake:
  %w = call i64 (i64, ...) @syscall(i64 {FUTEX}, ptr %pool, i32 {FUTEX_WAKE}, i32 2, ptr null)
  br label %share
share:
  %number = zext i32 %seats to i64
  call void @share(ptr %pool, i64 %number)
  %twice = shl i64 %patience, 1
  %twice1 = add i64 %twice, 16
  %longer = call i64 @llvm.smin.i64(i64 %twice1, i64 %limit)
  br label %leave
late:
  %shorter = lshr i64 %patience, 1
  br label %leave
leave:
  %after = phi i64 [ %longer, %share ], [ %shorter, %late ]
  %before = atomicrmw sub ptr %p.active, i32 1 seq_cst
  %last = icmp eq i32 %before, 1
  br i1 %last, label %tell, label %left
tell:
  %waits = load atomic i32, ptr %p.waiting seq_cst, align 4
  %asleep = icmp ne i32 %waits, 0
  br i1 %asleep, label %rouse, label %left
rouse:
  %v = call i64 (i64, ...) @syscall(i64 {FUTEX}, ptr %p.active, i32 {FUTEX_WAKE}, i32 1, ptr null)
  br label %left
left:
  br label %idle
}
declare i64 @llvm.smin.i64(i64, i64)
declare i64 @llvm.smax.i64(i64, i64)
"""
"""The life of a worker. `active` is raised before the epoch is looked at again: a leader that closes the region later
sees it and waits, and one that closed it before is seen here; so the region's fields hold still while they are used."""

SEVERAL = """
declare i64 @signals_look()
declare i64 @llvm.smax.i64(i64, i64)
define void @several(ptr %kernel, ptr %args, i64 %total, i64 %chunk) {
entry:
  %least = call i64 @llvm.smax.i64(i64 %chunk, i64 1)
  %chunks = sdiv i64 %total, %least
  %share = ashr i64 %chunks, {SERIAL_SHIFT}
  %many = call i64 @llvm.smax.i64(i64 %share, i64 1)
  %piece = mul i64 %least, %many
  br label %head
head:
  %begin = phi i64 [ 0, %entry ], [ %to, %looked ]
  %left = icmp slt i64 %begin, %total
  br i1 %left, label %go, label %done
go:
  %to = add i64 %begin, %piece
  %short = icmp slt i64 %to, %total
  %end = select i1 %short, i64 %to, i64 %total
  call void %kernel(ptr %args, i64 %begin, i64 %end, i64 0)
  br i1 %short, label %looked, label %done
looked:
  %halt = call i64 @signals_look()
  %stops = icmp ne i64 %halt, 0
  br i1 %stops, label %done, label %head
done:
  ret void
}
"""
"""All chunks in this thread, several at a time where they are many."""

LEAD = """
@pool = external global i8
declare i64 @signals_look()
declare i64 @syscall(i64, ...)
declare i32 @pthread_create(ptr, ptr, ptr, ptr)
declare i32 @pthread_detach(i64)
declare i32 @pthread_sigmask(i32, ptr, ptr)
declare ptr @worker(ptr)
define internal void @grow(i32 %wanted) #1 {
entry:                                            ; signals are for the threads of Python: workers block them all
  %all = alloca [16 x i64]
  %old = alloca [16 x i64]
  %id = alloca i64
  call void @llvm.memset.p0.i64(ptr %all, i8 -1, i64 128, i1 false)
  %b = call i32 @pthread_sigmask(i32 {SIG_SETMASK}, ptr %all, ptr %old)
  %p.workers = getelementptr i8, ptr @pool, i64 {workers}
  br label %again
again:
  %have = load i32, ptr %p.workers
  %few = icmp slt i32 %have, %wanted
  br i1 %few, label %one, label %done
one:
  %failed = call i32 @pthread_create(ptr %id, ptr null, ptr @worker, ptr @pool)
  %bad = icmp ne i32 %failed, 0
  br i1 %bad, label %done, label %fine
fine:
  %thread = load i64, ptr %id
  %d = call i32 @pthread_detach(i64 %thread)
  %have1 = add i32 %have, 1
  store i32 %have1, ptr %p.workers
  br label %again
done:
  %r = call i32 @pthread_sigmask(i32 {SIG_SETMASK}, ptr %old, ptr null)
  ret void
}
define void @lead(ptr %kernel, ptr %args, i64 %total, i64 %chunk, i64 %threads) #0 {
entry:
  %p.led = getelementptr i8, ptr @pool, i64 {led}
  %threads32 = trunc i64 %threads to i32
  %helpers = sub i32 %threads32, 1
  %p.workers = getelementptr i8, ptr @pool, i64 {workers}
  %have = load i32, ptr %p.workers
  %lack = icmp slt i32 %have, %helpers
  br i1 %lack, label %grow, label %open
grow:
  call void @grow(i32 %helpers)
  br label %open
open:
  %p.kernel = getelementptr i8, ptr @pool, i64 {kernel}
  %p.args = getelementptr i8, ptr @pool, i64 {args}
  %p.total = getelementptr i8, ptr @pool, i64 {total}
  %p.chunk = getelementptr i8, ptr @pool, i64 {chunk}
  %p.next = getelementptr i8, ptr @pool, i64 {next}
  %p.seats = getelementptr i8, ptr @pool, i64 {seats}
  store ptr %kernel, ptr %p.kernel
  store ptr %args, ptr %p.args
  store i64 %total, ptr %p.total
  store i64 %chunk, ptr %p.chunk
  store atomic i64 0, ptr %p.next monotonic, align 8
  store atomic i32 %helpers, ptr %p.seats monotonic, align 4
  %e = atomicrmw add ptr @pool, i32 1 seq_cst
  %p.sleepers = getelementptr i8, ptr @pool, i64 {sleepers}
  %sleepers = load atomic i32, ptr %p.sleepers seq_cst, align 4
  %sleeping = icmp sgt i32 %sleepers, 0
  br i1 %sleeping, label %wake, label %work
wake:
  %w = call i64 (i64, ...) @syscall(i64 {FUTEX}, ptr @pool, i32 {FUTEX_WAKE}, i32 1, ptr null)
  br label %work
work:                                             ; as `share`, and it looks for signals
  %begin = atomicrmw add ptr %p.next, i64 %chunk monotonic
  %left = icmp slt i64 %begin, %total
  br i1 %left, label %take, label %close
take:
  %to = add i64 %begin, %chunk
  %short = icmp slt i64 %to, %total
  %end = select i1 %short, i64 %to, i64 %total
  call void %kernel(ptr %args, i64 %begin, i64 %end, i64 0)
  %halt = call i64 @signals_look()
  %stops = icmp ne i64 %halt, 0
  br i1 %stops, label %stop, label %work
stop:
  store atomic i64 %total, ptr %p.next monotonic, align 8
  br label %close
close:
  %e1 = atomicrmw add ptr @pool, i32 1 seq_cst
  %p.active = getelementptr i8, ptr @pool, i64 {active}
  %p.waiting = getelementptr i8, ptr @pool, i64 {waiting}
  br label %look
look:
  %looks = phi i64 [ 0, %close ], [ %looks1, %pause ], [ 0, %woken ]
  %active = load atomic i32, ptr %p.active seq_cst, align 4
  %busy = icmp ne i32 %active, 0
  br i1 %busy, label %wait, label %done
wait:
  %on = icmp slt i64 %looks, {PATIENCE}
  br i1 %on, label %pause, label %sleep
pause:
  {PAUSE}
  %looks1 = add i64 %looks, 1
  br label %look
sleep:
  store atomic i32 1, ptr %p.waiting seq_cst, align 4
  %active1 = load atomic i32, ptr %p.active seq_cst, align 4
  %busy1 = icmp ne i32 %active1, 0
  br i1 %busy1, label %rest, label %woken
rest:
  %v = call i64 (i64, ...) @syscall(i64 {FUTEX}, ptr %p.active, i32 {FUTEX_WAIT}, i32 %active1, ptr null)
  br label %woken
woken:
  store atomic i32 0, ptr %p.waiting seq_cst, align 4
  br label %look
done:
  store atomic i32 0, ptr %p.led release, align 4
  ret void
}
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
attributes #0 = { nounwind }
attributes #1 = { nounwind noinline cold }
"""
"""Open a region, take part in it, close it, and wait for the workers that are inside."""

REGION = """
@pool = external global i8
declare void @lead(ptr, ptr, i64, i64, i64)
declare void @several(ptr, ptr, i64, i64)
define void @region(ptr %kernel, ptr %args, i64 %total, i64 %chunk, i64 %threads) #0 {
entry:                                            ; what is small needs no frame on the stack
  %few = icmp sle i64 %threads, 1
  %small = icmp sle i64 %total, %chunk
  %alone = or i1 %few, %small
  br i1 %alone, label %serial, label %ask
ask:
  %p.led = getelementptr i8, ptr @pool, i64 {led}
  %pair = cmpxchg ptr %p.led, i32 0, i32 1 seq_cst seq_cst
  %leads = extractvalue { i32, i1 } %pair, 1
  br i1 %leads, label %lead, label %serial
lead:
  tail call void @lead(ptr %kernel, ptr %args, i64 %total, i64 %chunk, i64 %threads)
  ret void
serial:
  br i1 %small, label %whole, label %several
whole:
  %any = icmp sgt i64 %total, 0
  br i1 %any, label %once, label %return
once:
  tail call void %kernel(ptr %args, i64 0, i64 %total, i64 0)
  ret void
several:
  tail call void @several(ptr %kernel, ptr %args, i64 %total, i64 %chunk)
  ret void
return:
  ret void
}
attributes #0 = { nounwind }
"""
"""Run a kernel in this thread, or lead the pool. It is called for the smallest kernels: they need no frame on its stack."""

ALONE = """
declare void @several(ptr, ptr, i64, i64)
define void @region(ptr %kernel, ptr %args, i64 %total, i64 %chunk, i64 %threads) {
entry:
  call void @several(ptr %kernel, ptr %args, i64 %total, i64 %chunk)
  ret void
}
"""
"""A region where there is no pool."""


def has_threads() -> bool:
    """Whether there is a pool on this system: on Linux, for the processors of `FUTEX`."""
    return sys.platform == "linux" and platform.machine() in FUTEX


def _fill(text: str) -> str:
    """Put numbers for the names in braces."""
    machine = platform.machine()
    words: dict[str, object] = {
        **FIELDS, "FUTEX": FUTEX[machine], "PAUSE": PAUSE[machine], "FUTEX_WAIT": FUTEX_WAIT, "FUTEX_WAKE": FUTEX_WAKE,
        "SIG_SETMASK": SIG_SETMASK, "CLOCK_MONOTONIC": CLOCK_MONOTONIC, "SPIN_1000": SPIN * 1000, "PATIENCE": PATIENCE,
    }  # fmt: skip
    for name, word in words.items():
        text = text.replace("{" + name + "}", str(word))
    return text + PAUSE_DECLARATION[machine] + "\n"


def of_process(*names: str) -> dict[str, int]:
    """Return the addresses of functions of the C library."""
    library = ctypes.CDLL(None)
    found = {}
    for name in names:
        address = ctypes.cast(getattr(library, name), ctypes.c_void_p).value
        assert address
        found[name] = address
    return found


_lock = threading.Lock()
_pool = 0  # the address of the pool's memory
_region = 0


def region_address() -> int:
    """Return the address of ``void region(ptr kernel, ptr args, i64 total, i64 chunk, i64 threads)``.

    The kernel is ``void kernel(i64* args, i64 begin, i64 end, i64 number)``; it may leave out the last parameter. It is
    called for chunks that cover 0 .. total: by up to `threads` threads at once, or by this one alone where there is but
    one chunk, or one thread; then for several chunks at once where they are many. `number` is below `threads`, and another one in each thread that takes part:
    a kernel finds its scratch memory with it.
    """
    global _region
    if not _region:
        (_region,) = jit.addresses([_module()])
    return _region


def imports() -> Mapping[str, jit.Module]:
    """Return what a module needs that declares ``void @region(ptr, ptr, i64, i64, i64)``."""
    return {"region": _module()}


@lru_cache(maxsize=1)
def _module() -> jit.Module:
    signals = {"signals_look": interrupts.imports()["signals_look"]}
    several = jit.Module("several", SEVERAL.replace("{SERIAL_SHIFT}", str(SERIAL_SHIFT)), signals, jit.LIGHT)
    if not has_threads():
        return jit.Module("region", ALONE, {"several": several})
    _allocate()
    worker = jit.Module("worker", _fill(COMMON + WORKER), of_process("syscall", "clock_gettime"), jit.LIGHT)
    called = of_process("syscall", "pthread_create", "pthread_detach", "pthread_sigmask")
    lead = jit.Module("lead", _fill(LEAD), {**called, "worker": worker, "pool": _pool, **signals}, jit.LIGHT)
    return jit.Module("region", _fill(REGION), {"several": several, "lead": lead, "pool": _pool})


def _allocate() -> None:
    """Make the memory of the pool, once. It is never freed: workers look at it while Python is already gone."""
    global _pool
    with _lock:
        if not _pool:
            allocate = ctypes.CDLL(None).calloc
            allocate.restype = ctypes.c_size_t
            _pool = -(-allocate(ctypes.c_size_t(1), ctypes.c_size_t(SIZE + 64)) // 64) * 64


def worker_count() -> int:
    """Return how many workers were started so far."""
    return ctypes.c_int32.from_address(_pool + FIELDS["workers"]).value if _pool else 0


def _empty() -> None:
    """Begin anew in a forked child, which has no workers."""
    global _lock
    _lock = threading.Lock()
    if _pool:
        ctypes.memset(_pool, 0, SIZE)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_empty)
