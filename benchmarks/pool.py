"""Measure what a parallel region costs, and what is left of the speed beside a busy process.

Compares the pool of septet.backends.cpu.pool with OpenMP's (libgomp: passive, with short spinning, and as it comes),
and with one thread. For each, the time of an empty region after pauses of 0, 5 and 100 us of work, and the time of a
step: 200 regions of 100 us of work in 16 chunks, 5 us of serial work after each. The step is measured on the machine
as it is, and again with a process beside it that never sleeps. Each measurement is a process of its own; rounds
alternate between the pools, and medians are kept. Prints a table; writes benchmarks/results/pool.json.

Usage: python benchmarks/pool.py [--rounds N] [--threads N] [--output FILE]
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from septet.backends.cpu import pool  # noqa: E402
from septet.backends.cpu.jit import Module, addresses  # noqa: E402
from septet.base.text import table  # noqa: E402

KINDS: dict[str, dict[str, str]] = {
    "one thread": {},
    "pool": {},
    "libgomp, passive": {"OMP_WAIT_POLICY": "PASSIVE"},
    "libgomp, spinning 1000": {"GOMP_SPINCOUNT": "1000"},
    "libgomp, spinning 10000": {"GOMP_SPINCOUNT": "10000"},
    "libgomp as it comes": {},
}

WORK = """
define void @work(ptr %args, i64 %begin, i64 %end) #0 {
entry:
  %length = load i64, ptr %args
  %out = getelementptr i64, ptr %args, i64 1
  %n = sub i64 %end, %begin
  %total = mul i64 %n, %length
  %any = icmp sgt i64 %total, 0
  br i1 %any, label %loop, label %done
loop:
  %i = phi i64 [ 0, %entry ], [ %i1, %loop ]
  %x = phi double [ 1.0, %entry ], [ %x2, %loop ]
  %x1 = fmul double %x, 0x3FF0000000100000
  %x2 = fadd double %x1, 0x3E112E0BE826D695
  %i1 = add i64 %i, 1
  %more = icmp slt i64 %i1, %total
  br i1 %more, label %loop, label %store
store:
  %never = fcmp ueq double %x2, 0.0
  br i1 %never, label %keep, label %done
keep:
  store double %x2, ptr %out
  br label %done
done:
  ret void
}
attributes #0 = { nounwind }
"""

DRIVE = """
declare void @region(ptr, ptr, i64, i64, i64)
declare void @work(ptr, i64, i64)
declare i32 @clock_gettime(i32, ptr)
define internal i64 @now() #0 {
  %time = alloca [2 x i64]
  %r = call i32 @clock_gettime(i32 1, ptr %time)
  %p.nanos = getelementptr i64, ptr %time, i64 1
  %seconds = load i64, ptr %time
  %nanos = load i64, ptr %p.nanos
  %big = mul i64 %seconds, 1000000000
  %now = add i64 %big, %nanos
  ret i64 %now
}
define void @drive(ptr %args, i64 %total, i64 %threads, i64 %gap, i64 %repeats, ptr %out) #0 {
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %i1, %loop ]
  call void @work(ptr %args, i64 0, i64 %gap)
  %start = call i64 @now()
  call void @region(ptr @work, ptr %args, i64 %total, i64 1, i64 %threads)
  %stop = call i64 @now()
  %took = sub i64 %stop, %start
  %p = getelementptr i64, ptr %out, i64 %i
  store i64 %took, ptr %p
  %i1 = add i64 %i, 1
  %more = icmp slt i64 %i1, %repeats
  br i1 %more, label %loop, label %done
done:
  ret void
}
attributes #0 = { nounwind }
"""

GOMP = """
declare void @GOMP_parallel(ptr, ptr, i32, i32)
define internal void @team(ptr %frame) #0 {
entry:
  %p.kernel = getelementptr i64, ptr %frame, i64 1
  %p.args = getelementptr i64, ptr %frame, i64 2
  %p.total = getelementptr i64, ptr %frame, i64 3
  %kernel = load ptr, ptr %p.kernel
  %args = load ptr, ptr %p.args
  %total = load i64, ptr %p.total
  br label %take
take:
  %begin = atomicrmw add ptr %frame, i64 1 monotonic
  %end = add i64 %begin, 1
  %left = icmp slt i64 %begin, %total
  br i1 %left, label %go, label %done
go:
  call void %kernel(ptr %args, i64 %begin, i64 %end)
  br label %take
done:
  ret void
}
define void @region(ptr %kernel, ptr %args, i64 %total, i64 %chunk, i64 %threads) #0 {
  %frame = alloca [4 x i64], align 64
  store i64 0, ptr %frame
  %p.kernel = getelementptr i64, ptr %frame, i64 1
  %p.args = getelementptr i64, ptr %frame, i64 2
  %p.total = getelementptr i64, ptr %frame, i64 3
  store ptr %kernel, ptr %p.kernel
  store ptr %args, ptr %p.args
  store i64 %total, ptr %p.total
  %count = trunc i64 %threads to i32
  call void @GOMP_parallel(ptr @team, ptr %frame, i32 %count, i32 0)
  ret void
}
attributes #0 = { nounwind }
"""

PIECE_US = 6.25  # 16 of them are 100 us


def address(library: ctypes.CDLL, name: str) -> int:
    """Return the address of a function of a library."""
    return ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0


def measure(kind: str, threads: int) -> dict[str, float]:
    """Measure one pool in this process."""
    if kind.startswith("libgomp"):
        gomp = address(ctypes.CDLL("libgomp.so.1"), "GOMP_parallel")
        region = addresses([Module("region", GOMP, {"GOMP_parallel": gomp})])[0]
    else:
        region = pool.region_address()
        threads = 1 if kind == "one thread" else threads
    work = addresses([Module("work", WORK)])[0]
    clock = address(ctypes.CDLL(None), "clock_gettime")
    imports = {"region": region, "work": work, "clock_gettime": clock}
    drive = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 6)(addresses([Module("drive", DRIVE, imports)])[0])
    args = np.array([1, 0], np.int64)  # the length of a piece, and a place for its result
    kernel = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)(work)
    best = float("inf")
    for _ in range(20):
        start = time.perf_counter()
        kernel(args.ctypes.data, 0, 100_000)
        best = min(best, time.perf_counter() - start)
    per_us = 100_000 / best / 1e6
    out = np.zeros(2000, np.int64)
    figures = {}
    for gap in (0, 5, 100):
        drive(args.ctypes.data, 0, threads, 0, 1, out.ctypes.data)
        args[0] = 1
        count = 2000 if gap < 100 else 500
        # Empty: as many chunks as threads, of one multiplication each.
        drive(args.ctypes.data, threads, threads, int(gap * per_us), count, out.ctypes.data)
        figures[f"empty_{gap}_us"] = statistics.median(out[:count].tolist()) / 1e3
    args[0] = round(PIECE_US * per_us)
    steps = []
    begin, used = time.perf_counter(), time.process_time()
    while time.perf_counter() - begin < 1.5:
        start = time.perf_counter()
        drive(args.ctypes.data, 16, threads, 1, 200, out.ctypes.data)
        steps.append(time.perf_counter() - start)
    figures["step_ms"] = statistics.fmean(steps) * 1e3
    figures["processors"] = (time.process_time() - used) / (time.perf_counter() - begin)
    return figures


def child(kind: str, threads: int) -> dict[str, float]:
    """Measure one pool in a process of its own."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "GOMP_"))} | KINDS[kind]
    command = [sys.executable, __file__, "--child", kind, "--threads", str(threads)]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    """Measure all pools, alone and beside a busy process."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "results" / "pool.json")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(measure(options.child, options.threads)))
        return
    found: dict[str, dict[str, list[dict[str, float]]]] = {kind: {"alone": [], "busy": []} for kind in KINDS}
    for _ in range(options.rounds):
        for kind in KINDS:
            found[kind]["alone"].append(child(kind, options.threads))
        with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
            try:
                for kind in KINDS:
                    found[kind]["busy"].append(child(kind, options.threads))
            finally:
                busy.kill()
    summary: dict[str, dict[str, float]] = {}
    for kind, both in found.items():
        row = {name: statistics.median(f[name] for f in both["alone"]) for name in both["alone"][0]}
        row["busy_step_ms"] = statistics.median(f["step_ms"] for f in both["busy"])
        row["busy_share"] = row["step_ms"] / row["busy_step_ms"]
        summary[kind] = {name: round(value, 3) for name, value in row.items()}
    headers = ["pool", *next(iter(summary.values()))]
    print(table([[kind, *row.values()] for kind, row in summary.items()], headers))
    result: dict[str, Any] = {"threads": options.threads, "pools": summary, "machine": platform.platform()}
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
