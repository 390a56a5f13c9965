"""What the last runs gave: how many tests pass of those that pass on the originals, and why others fail."""

from __future__ import annotations

import argparse
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from outcomes import grouped, outcomes_of, worst
from suites import SUITES, read, results_file

MOST_CAUSES = 40


@dataclass
class Line:
    """The counts of one file: tests that pass on the original, and those of them that pass here."""

    wanted: Counter = field(default_factory=Counter)
    passed: Counter = field(default_factory=Counter)
    failing: list[dict] = field(default_factory=list)
    ran: bool = False


def line_of(options: argparse.Namespace, suite: str, name: str, rows: list[dict[str, str]]) -> Line:
    """Compare the results of a file with the table of the original."""
    line = Line()
    records = read(results_file(options, suite, name))
    line.ran = bool(records)
    groups = grouped(records)
    for row in rows:
        if row["file"] != name or row["original"] != "pass":
            continue
        group = groups.get(row["test"], [])
        outcomes = [record["outcome"] for record in group]
        line.wanted[row["clean"]] += 1
        if worst(outcomes) == "pass" and outcomes.count("pass") >= int(row["passes"]):
            line.passed[row["clean"]] += 1
        elif row["clean"] != "no":
            line.failing += [record for record in group if record["outcome"] not in ("pass",)][:1]
    if "(import)" in records:
        line.failing = [records["(import)"]]
    return line


def cause(record: dict) -> tuple[str, str]:
    """Return by what a failure is grouped, and how it reads: missing names by the name, others by class and place."""
    error = re.sub(r"0x[0-9a-f]+|\[id \w+\]", "", record.get("error", "")).split(" | ")[0]
    kind, where = error.split(":")[0], record.get("where", "")
    if kind in ("AttributeError", "ImportError", "ModuleNotFoundError", "NameError"):
        where = ""
    text = f"{record['outcome']}: {error[:170]}" + (f" @ {where}" if where else "")
    return (f"{record['outcome']} {kind} {where}" if where else text), text


def print_summary(options: argparse.Namespace) -> None:
    """Print a table for each suite that has results, and the causes of failures, most frequent first."""
    for suite in SUITES:
        rows = outcomes_of(suite)
        names = list(dict.fromkeys(row["file"] for row in rows))
        if not names or not (options.results / suite).exists():
            continue
        print(f"\n## {suite}\n\n| file | pass / clean | share | made | inside |\n|---|---|---|---|---|")
        total: dict[str, Counter] = {"wanted": Counter(), "passed": Counter()}
        causes: dict[str, list[str]] = defaultdict(list)
        texts: dict[str, str] = {}
        for name in names:
            line = line_of(options, suite, name, rows)
            total["wanted"] += line.wanted
            total["passed"] += line.passed
            print(f"| {name} | {cells(line.passed, line.wanted) if line.ran else 'not run | | |'} |")
            for record in line.failing:
                key, text = cause(record)
                texts.setdefault(key, text)
                causes[key].append(f"{name.split('/')[-1]}::{record['id']}")
        print(f"| **all** | {cells(total['passed'], total['wanted'])} |\n")
        for key, tests in sorted(causes.items(), key=lambda item: -len(item[1]))[:MOST_CAUSES]:
            print(f"- **{len(tests)}** {texts[key]} ({', '.join(tests[:3])})")
    print_programs(options)


def print_programs(options: argparse.Namespace) -> None:
    """Print which programs work, with their times, and what is wrong with the others."""
    records = [
        record for path in sorted((options.results / "programs").glob("*.jsonl")) for record in read(path).values()
    ]
    if not records:
        return
    passed = [record for record in records if record["outcome"] == "pass"]
    print(f"\n## programs: {len(passed)} of {len(records)}\n")
    for record in passed:
        clock = record["clock"]
        if clock.get("first_step"):
            compiling = clock["building"] + clock["warming"]
            times = f"first step after {clock['first_step']:.1f} s, compiling {compiling:.1f} s, {clock['steps']} steps"
            print(f"- {record['id']}: {record['seconds']} s ({times})")
    print(f"- also: {', '.join(record['id'] for record in passed if not record['clock'].get('first_step'))}\n")
    causes = defaultdict(list)
    for record in records:
        if record["outcome"] != "pass":
            causes[record["error"].split(" | ")[-1]].append(record["id"])
    for text, names in sorted(causes.items(), key=lambda item: -len(item[1])):
        print(f"- **{len(names)}** {text[:200]} ({', '.join(names)})")


def cells(passed: Counter, wanted: Counter) -> str:
    """Return the cells of a row: clean tests with their share, made ones, and those that look inside."""
    share = f"{100 * passed['yes'] / wanted['yes']:.1f} %" if wanted["yes"] else ""
    counts = [f"{passed[kind]} / {wanted[kind]}" for kind in ("yes", "made", "no")]
    return f"{counts[0]} | {share} | {counts[1]} | {counts[2]}"
