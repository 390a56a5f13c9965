"""The suites: which files of the checkouts there are, and how one of them is run in processes of its own."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
MOST_RESTARTS = 25


def files_of(suite: str) -> list[str]:
    """Return the files of a suite, in the order in which they are run."""
    lines = (HERE / "files.txt").read_text(encoding="utf-8").splitlines()
    return [line.split()[1] for line in lines if line.split()[0] == suite]


@dataclass(frozen=True)
class Job:
    """One file of a suite: what to call it, and how to start a child that appends its results to a file.

    `command` gets the Python, the file for results and a file of ids that are done.
    """

    name: str
    command: Callable[[str, Path, Path], list[str]]
    dialects: str
    paths: tuple[Path, ...] = ()
    folder: Path | None = None


def other_theano_files(options: argparse.Namespace) -> list[str]:
    """Return Theano's test files that are not on the list; those for a GPU left out."""
    package = options.upstream / "theano" / "theano"
    found = sorted(path.relative_to(package).with_suffix("") for path in package.glob("**/tests/test_*.py"))
    listed = set(files_of("theano-tests"))
    return [path.as_posix() for path in found if path.parts[0] != "gpuarray" and path.as_posix() not in listed]


def theano_jobs(options: argparse.Namespace, names: list[str]) -> Iterator[Job]:
    """Yield test files of Theano."""
    for name in names:
        path = f"theano/{name}.py"

        def command(python: str, out: Path, done: Path, path: str = path) -> list[str]:
            child = [python, str(HERE / "nose_child.py"), str(options.upstream / "theano"), path, str(out)]
            child += ["--skip", str(done), "--limit", str(options.limit)]
            if options.lenient:
                child.append("--lenient")
            return child if options.original else [*child, "--map"]

        yield Job(name, command, "theano")


def lasagne_jobs(options: argparse.Namespace, lists: list[str], dialects: str) -> Iterator[Job]:
    """Yield Lasagne's test files, copied away from the package that they lie in."""
    checkout = options.upstream / "lasagne"
    folder = Path(tempfile.mkdtemp(prefix="lasagne-tests-"))
    shutil.copytree(checkout / "lasagne" / "tests", folder, dirs_exist_ok=True)
    if not options.original:  # NumPy took lists of slices for tuples until 1.22
        convolutions = folder / "layers" / "test_conv.py"
        text = convolutions.read_text(encoding="utf-8").replace("output[slices]", "output[tuple(slices)]")
        dilated = "output[[slice(None, None, factor) for factor in factors]]"
        text = text.replace(dilated, dilated.replace("[[", "[tuple([").replace("]]", "])]"))
        convolutions.write_text(text, encoding="utf-8")
    own_package = options.original or "lasagne" not in dialects
    for name in [name for each in lists for name in files_of(each)]:

        def command(python: str, out: Path, done: Path, name: str = name) -> list[str]:
            settings = [
                "-q",
                "-c",
                os.devnull,
                f"--rootdir={folder}",
                "-p",
                "pytest_plugin",
                "-p",
                "no:cacheprovider",
                "--assert=plain",
            ]
            return [python, "-m", "pytest", *settings, "--tb=line", f"{name}.py"]

        yield Job(name, command, dialects, (checkout,) if own_package else (), folder)


def page_jobs(options: argparse.Namespace) -> Iterator[Job]:
    """Yield the pages of documentation."""
    for name in files_of("doctests"):

        def command(python: str, out: Path, done: Path, name: str = name) -> list[str]:
            child = [python, str(HERE / "doctest_child.py"), str(options.upstream / name), str(out)]
            return child if options.original else [*child, "--map"]

        paths = (options.upstream / "lasagne",) if options.original else ()
        yield Job(name, command, "theano,lasagne", paths)


SUITES: dict[str, Callable[[argparse.Namespace], Iterator[Job]]] = {
    "theano-tests": lambda options: theano_jobs(options, files_of("theano-tests")),
    "more-theano-tests": lambda options: theano_jobs(options, other_theano_files(options)),
    "lasagne-tests": lambda options: lasagne_jobs(options, ["lasagne-tests"], "theano,lasagne"),
    "lasagne-on-ours": lambda options: lasagne_jobs(options, ["lasagne-tests", "more-lasagne-tests"], "theano"),
    "doctests": page_jobs,
}


def results_file(options: argparse.Namespace, suite: str, name: str, is_original: bool = False) -> Path:
    """Return where the results of a file of a suite lie."""
    folder = options.results / (f"original-{suite}" if is_original else suite)
    return folder / (name.replace("/", "_") + ".jsonl")


def read(path: Path) -> dict[str, dict]:
    """Return the last record of each test in a file of results."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return {record["id"]: record for record in map(json.loads, lines)}


def environment(options: argparse.Namespace, job: Job, out: Path, done: Path) -> dict[str, str]:
    """Return the environment of a child."""
    paths = [HERE, *job.paths] + ([] if options.original else [REPOSITORY])
    if options.site and not options.original:
        paths.append(options.site)
    settings = {
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONWARNINGS": "ignore",
        "OPENBLAS_NUM_THREADS": "1",
        "UPSTREAM_OUT": str(out),
        "UPSTREAM_SKIP": str(done),
        "UPSTREAM_LIMIT": str(options.limit),
        "UPSTREAM_DIALECTS": "" if options.original else job.dialects,
    }
    return {**os.environ, **settings}


def run_job(options: argparse.Namespace, suite: str, job: Job) -> dict[str, dict]:
    """Run one file to its end, in new processes after tests that end one; return the records by id."""
    out = results_file(options, suite, job.name, bool(options.original))
    out.parent.mkdir(parents=True, exist_ok=True)
    out.unlink(missing_ok=True)
    done = out.with_suffix(".done")
    python = str(options.original or sys.executable)
    deadline = time.monotonic() + options.file_limit
    for _ in range(MOST_RESTARTS):
        done.write_text("\n".join(read(out)), encoding="utf-8")
        left = max(deadline - time.monotonic(), 1)
        cwd = job.folder or Path(tempfile.gettempdir())
        try:
            child = subprocess.run(
                job.command(python, out, done),
                env=environment(options, job, out, done),
                cwd=cwd,
                timeout=left,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            ended, said = f"exit status {child.returncode}", child.stdout.decode(errors="replace")
        except subprocess.TimeoutExpired:
            ended, said = f"the file took longer than {options.file_limit} s", ""
        records = read(out)
        hanging = [name for name, record in records.items() if record["outcome"] == "started"]
        with out.open("a", encoding="utf-8") as file:
            for name in hanging:
                outcome = "timeout" if "longer" in ended else "crash"
                record = {"written": records[name]["written"], "outcome": outcome, "error": ended, "where": ""}
                file.write(json.dumps({"id": name, "seconds": 0, **record}) + "\n")
            if not records:
                last = (said.strip().splitlines() or [ended])[-1]
                record = {"id": "(import)", "written": "(import)", "outcome": "fail", "error": last[:400], "where": ""}
                file.write(json.dumps({**record, "seconds": 0}) + "\n")
        if not hanging or "longer" in ended:
            break
    done.unlink()
    return read(out)


def run_suite(options: argparse.Namespace) -> None:
    """Run the chosen files of a suite, and print a line for each."""
    for job in SUITES[options.command](options):
        if options.files and not any(part in job.name for part in options.files):
            continue
        started = time.monotonic()
        outcomes = [record["outcome"] for record in run_job(options, options.command, job).values()]
        counts = {kind: outcomes.count(kind) for kind in sorted(set(outcomes))}
        print(f"{job.name}: {counts} in {time.monotonic() - started:.0f} s", flush=True)
