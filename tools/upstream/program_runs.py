"""Run the programs, each in a copy of its folder, judge them and time them; and side by side with the original."""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median

from programs import COMPARED, PROGRAMS, Program
from suites import HERE, REPOSITORY

DRIVER = "upstream_driver.py"


def prepare(options: argparse.Namespace, program: Program, folder: Path, is_original: bool) -> list[str]:
    """Fill the folder that a program runs in; return the command that runs it there."""
    shutil.copytree(options.upstream / program.home, folder, dirs_exist_ok=True)
    for name, source in program.files.items():
        target = folder / name
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(options.data / source)
    script = str(Path(program.path).relative_to(program.home))
    if program.call:
        script = DRIVER
        (folder / DRIVER).write_text("import program_clock\n" + program.call, encoding="utf-8")
    if not is_original:
        flags = ["--py2"] if program.py2 else []
        return [sys.executable, "-m", "septet.dialects", *flags, script, *program.arguments]
    python = str(options.original)
    if program.py2:
        translate = [python, "-m", "lib2to3", "-w", "-n", "--no-diffs", *map(str, folder.glob("*.py"))]
        subprocess.run(translate, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return [python, "-W", "ignore", script, *program.arguments]


def environment(options: argparse.Namespace, folder: Path, is_original: bool, steps: int) -> dict[str, str]:
    """Return the environment of a program."""
    paths = [HERE, options.upstream / "lasagne"] if is_original else [HERE, REPOSITORY]
    settings = {
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "MPLBACKEND": "Agg",
        "UPSTREAM_DATA": str(options.data),
        "UPSTREAM_CLOCK": str(folder / "clock.json"),
        "UPSTREAM_START": repr(time.time()),
        "UPSTREAM_STEPS": str(steps),
    }
    if is_original:
        settings["THEANO_FLAGS"] = f"base_compiledir={folder / 'compiled'}"
    return {**os.environ, **settings}


def run_program(options: argparse.Namespace, program: Program, is_original: bool, steps: int = 0) -> dict:
    """Run a program; return its record."""
    folder = Path(tempfile.mkdtemp(prefix="upstream-program-"))
    command = prepare(options, program, folder, is_original)
    started = time.time()
    child = subprocess.Popen(
        command,
        cwd=folder,
        env=environment(options, folder, is_original, steps),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    timer = threading.Timer(program.limit, lambda: os.killpg(child.pid, signal.SIGKILL))
    timer.start()
    pattern, wanted = program.stop
    lines, found = [], 0
    for line in child.stdout:
        lines.append(line.decode(errors="replace"))
        found += bool(pattern and re.search(pattern, lines[-1]))
        if wanted and found >= wanted:
            child.send_signal(signal.SIGINT)
            break
    is_late = not timer.is_alive()
    rest, _ = child.communicate()
    timer.cancel()
    output = "".join(lines) + rest.decode(errors="replace")
    status = 0 if wanted and found >= wanted else child.returncode
    seconds = round(time.time() - started, 1)
    wrong = f"longer than {program.limit} s" if is_late else program.judge(output, status)
    clock = json.loads((folder / "clock.json").read_text()) if (folder / "clock.json").exists() else {}
    shutil.rmtree(folder, ignore_errors=True)
    last = [line.strip() for line in output.splitlines() if line.strip()][-3:]
    return {
        "id": program.title,
        "written": program.title,
        "outcome": "fail" if wrong else "pass",
        "seconds": seconds,
        "error": f"{wrong} | {' | '.join(last)}"[:500] if wrong else "",
        "where": "",
        "clock": clock,
        "output": output[-6000:],
    }


def chosen(options: argparse.Namespace) -> list[Program]:
    """Return the programs whose names have one of the given parts."""
    parts = options.files
    return [program for program in PROGRAMS if not parts or any(part in program.title for part in parts)]


def run_programs(options: argparse.Namespace) -> None:
    """Run the chosen programs, print a line for each and keep the records."""
    is_original = bool(options.original)
    folder = options.results / ("original-programs" if is_original else "programs")
    folder.mkdir(parents=True, exist_ok=True)
    for program in chosen(options):
        record = run_program(options, program, is_original)
        name = re.sub(r"[^\w.]+", "_", program.title)
        (folder / f"{name}.jsonl").write_text(json.dumps(record) + "\n", encoding="utf-8")
        print(f"{record['outcome']} {record['seconds']:6.1f} s {program.title} {record['error'][:200]}", flush=True)


def figures(record: dict, steps_per_epoch: int) -> tuple[float, float, float]:
    """Return the seconds to the first step, those of them that went into compiling, and those of an epoch."""
    clock = record["clock"]
    if not clock or clock["first_step"] is None or clock["steps"] < 2:
        return float("nan"), float("nan"), float("nan")
    step = (clock["last_step"] - clock["first_step"]) / (clock["steps"] - 1)
    return clock["first_step"], clock["building"] + clock["warming"], step * steps_per_epoch


def compare(options: argparse.Namespace) -> None:
    """Run the compared programs here and on the original, in turns, and print a table of the medians."""
    print("| program | first step: original | here | ratio | epoch: original | here | ratio | compiling here |")
    print("|---|---|---|---|---|---|---|---|")
    for program in chosen(options):
        if program.title not in COMPARED:
            continue
        steps_per_epoch, steps = COMPARED[program.title]
        pairs = [
            [figures(run_program(options, program, original, steps), steps_per_epoch) for original in (False, True)]
            for _ in range(options.runs)
        ]
        here, there = ([median(values) for values in zip(*runs, strict=True)] for runs in zip(*pairs, strict=True))
        cells = [f"{there[0]:.1f} s", f"{here[0]:.2f} s", f"{there[0] / here[0]:.1f}"]
        cells += [f"{there[2]:.1f} s", f"{here[2]:.2f} s", f"{there[2] / here[2]:.1f}", f"{here[1]:.2f} s"]
        print(f"| {program.title} | {' | '.join(cells)} |", flush=True)
