"""What the originals give on their own tests: tables in tests/dialects/upstream/, made from runs with --original."""

from __future__ import annotations

import argparse
import ast
import re
from collections import defaultdict
from pathlib import Path

from suites import REPOSITORY, SUITES, read, results_file

FOLDER = REPOSITORY / "tests" / "dialects" / "upstream"
HEADER = "file\ttest\tclean\truns\tpasses\toriginal\n"
# A test that looks at the inside of compiled graphs is not a test of behaviour. The terms are those by which such
# tests find their way into a graph.
INSIDE = re.compile(
    r"toposort|fgraph|apply_nodes|FunctionGraph|check_stack_trace|_compile_and_check|\.owner\b|\.op\b|gof\.opt"
)


def sources_of_tests(path: Path) -> dict[str, str]:
    """Return the source of each test that is written in a file, by its id."""
    text = path.read_text(encoding="utf-8")
    found = {}
    for node in ast.parse(text).body:
        for each in node.body if isinstance(node, ast.ClassDef) else [node]:
            if isinstance(each, ast.FunctionDef) and each.name.startswith("test"):
                name = f"{node.name}.{each.name}" if isinstance(node, ast.ClassDef) else each.name
                found[name] = ast.get_source_segment(text, each) or ""
    return found


def worst(outcomes: list[str]) -> str:
    """Return what came of a test that ran more than once: pass when some did and none failed."""
    for outcome in ("crash", "fail", "timeout", "pass", "skip"):
        if outcome in outcomes:
            return outcome
    return "missing"


def grouped(records: dict[str, dict]) -> dict[str, list[dict]]:
    """Return the records by the test that is written in the file."""
    groups = defaultdict(list)
    for record in records.values():
        groups[record["written"]].append(record)
    return groups


def rows_of(suite: str, name: str, records: dict[str, dict], sources: dict[str, str]) -> list[str]:
    """Return the rows of a file of tests."""
    rows = []
    for test, group in sorted(grouped(records).items()):
        outcomes = [record["outcome"] for record in group]
        if not suite.endswith("theano-tests"):
            clean = "yes"
        elif test not in sources:
            clean = "made"  # by a function of the test file
        else:
            clean = "no" if INSIDE.search(sources[test]) else "yes"
        rows.append(f"{name}\t{test}\t{clean}\t{len(group)}\t{outcomes.count('pass')}\t{worst(outcomes)}\n")
    return rows


def write_outcomes(options: argparse.Namespace) -> None:
    """Write the tables from the results of runs with --original."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for suite in SUITES:
        rows = []
        for job in SUITES[suite](options):
            path = options.upstream / "theano" / "theano" / f"{job.name}.py"
            sources = sources_of_tests(path) if suite.endswith("theano-tests") else {}
            records = read(results_file(options, suite, job.name, is_original=True))
            rows += rows_of(suite, job.name, records, sources)
        if rows:
            (FOLDER / f"{suite}.tsv").write_text(HEADER + "".join(rows), encoding="utf-8")
            print(f"{FOLDER / suite}.tsv: {len(rows)} rows")


def outcomes_of(suite: str) -> list[dict[str, str]]:
    """Return the rows of a suite's table."""
    path = FOLDER / f"{suite}.tsv"
    if not path.exists():
        return []
    head, *lines = path.read_text(encoding="utf-8").splitlines()
    return [dict(zip(head.split("\t"), line.split("\t"))) for line in lines]
