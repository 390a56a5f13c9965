"""Run Theano's and Lasagne's own tests, doctests and programs against the dialects, or against the originals.

    python tools/upstream theano-tests      Theano's test files on septet.dialects.theano
    python tools/upstream more-theano-tests its other test files, as far as no GPU is needed
    python tools/upstream lasagne-tests     Lasagne's test files on septet.dialects.lasagne
    python tools/upstream lasagne-on-ours   the whole of upstream Lasagne, package and tests, on septet.dialects.theano
    python tools/upstream doctests          the examples of their documentation
    python tools/upstream programs          the programs of the tutorials, judged and timed
    python tools/upstream compare           some of them here and on the original, side by side
    python tools/upstream calls             calls of public functions here and on the original: `calls tensor.a scalar.`
    python tools/upstream summary           what the last runs gave, as a table, and why tests fail
    python tools/upstream outcomes          write tests/dialects/upstream/*.tsv from runs with --original

Needed: a folder of checkouts (`--upstream`), with the folders theano/, lasagne/ and so on, and `six`, `parameterized`
and `mock` where Python finds them (`--site FOLDER`). Every file runs in a process of its own with a limit of time; the
results are JSON lines in the folder `--results`. Names after the command choose files by a part of their path.
`--original PYTHON` runs the same on an installed Theano 1.0.5.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from calls import compare_calls
from outcomes import write_outcomes
from program_runs import compare, run_programs
from suites import SUITES, run_suite
from summary import print_summary

COMMANDS = {
    "programs": run_programs,
    "compare": compare,
    "calls": compare_calls,
    "summary": print_summary,
    "outcomes": write_outcomes,
}


def main(arguments: list[str] | None = None) -> int:
    """Run a command."""
    parser = argparse.ArgumentParser(
        prog="python tools/upstream", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=[*SUITES, *COMMANDS])
    parser.add_argument("files", nargs="*", help="parts of paths: only these files")
    parser.add_argument("--upstream", type=Path, default=Path("~/upstream").expanduser(), help="folder of checkouts")
    parser.add_argument("--results", type=Path, default=Path(tempfile.gettempdir()) / "septet-upstream")
    parser.add_argument("--data", type=Path, default=Path("~/upstream-data").expanduser(), help="folder of data sets")
    parser.add_argument("--site", type=Path, help="folder with further packages of Python")
    parser.add_argument("--original", type=Path, help="the Python that has Theano 1.0.5")
    parser.add_argument("--lenient", action="store_true", help="go on where an import of a test file fails")
    parser.add_argument("--limit", type=int, default=60, help="seconds for each test")
    parser.add_argument("--file-limit", type=int, default=1500, help="seconds for all tests of a file")
    parser.add_argument(
        "--runs", type=int, default=1, help="how often `compare` runs each program; medians are printed"
    )
    options = parser.parse_intermixed_args(arguments)
    options.results.mkdir(parents=True, exist_ok=True)
    COMMANDS.get(options.command, run_suite)(options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
