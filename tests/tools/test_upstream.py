"""tools/upstream: old test files and pages run as their runners ran them, and are compared with the original."""

import json
import os
import subprocess
import sys

import pytest

OLD_TESTS = """
import unittest
from . import helper

class T_old(unittest.TestCase):
    def setUp(self):
        self.x = helper.ONE

    def test_pass(self):
        assert self.x == 1

    def test_fail(self):
        raise ValueError("first line\\n second line")

    def test_skip(self):
        raise unittest.SkipTest("why")

class test_plain(object):
    def setUp(self):
        self.y = 2

    def test_set_up(self):
        assert self.y == 2

    def test_yields(self):
        for wanted in (2, 3):
            yield self.check, wanted

    def check(self, wanted):
        assert self.y == wanted

class Helper(object):
    def test_not_found(self):
        raise AssertionError

def make(name):
    class Made(unittest.TestCase):
        def test_made(self):
            pass
    Made.__name__ = name
    return Made

MadeTester = make("MadeTester")

def test_hangs():
    while True:
        pass

def test_ends_the_process():
    import os
    os._exit(3)

def test_toposort():
    pass  # this test looks at fgraph.toposort()
"""

PAGE = """
Setup
-----

.. testsetup::

   import numpy as np

>>> x = np.float64(0.1) + 0.2
>>> x
0.3
>>> x + 1
7
>>> 1 / 0
Traceback (most recent call last):
 ...
ZeroDivisionError: division by zero

.. testcode::

   print("two")

.. testoutput::

   two
"""

HALF_IMPORTED = """
from theano.nowhere import gone
import theano.lost
import theano.tests as its
from theano.tests import half as half

def test_other():
    assert half.ONE and its.half

def test_gone():
    gone(1)
"""

ENDLESS = """
import time
print(open("numbers.txt").read())
for i in range(99):
    print "cost", 9 - i
    time.sleep(i)
"""


@pytest.fixture(scope="module")
def upstream(repository):
    """The modules of the tool."""
    sys.path.insert(0, str(repository / "tools" / "upstream"))
    import outcomes
    import suites
    import summary

    yield suites, outcomes, summary
    sys.path.remove(str(repository / "tools" / "upstream"))


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A folder of checkouts with one package, which has tests."""
    folder = tmp_path_factory.mktemp("checkouts")
    tests = folder / "theano" / "theano" / "tests"
    tests.mkdir(parents=True)
    (tests.parent / "__init__.py").write_text("")
    (tests / "helper.py").write_text("ONE = 1\n")
    (tests / "test_old.py").write_text(OLD_TESTS)
    return folder


@pytest.fixture(scope="module")
def records(upstream, checkout, tmp_path_factory):
    """What came of the tests, run on the package in the checkout itself, and where that lies."""
    suites, _, _ = upstream
    results = tmp_path_factory.mktemp("results")
    options = options_of(checkout, results, original=sys.executable)
    (job,) = suites.theano_jobs(options, ["tests/test_old"])
    return suites.run_job(options, "theano-tests", with_path(job, checkout / "theano")), results


def options_of(checkout, results, original=None):
    from argparse import Namespace

    return Namespace(
        upstream=checkout,
        results=results,
        data=None,
        site=None,
        original=original,
        limit=1,
        file_limit=60,
        lenient=False,
    )


def with_path(job, path):
    from dataclasses import replace

    return replace(job, paths=(path,))


def test_what_nose_found_is_found_and_every_test_has_its_outcome(records):
    found, _ = records
    assert {name: record["outcome"] for name, record in found.items()} == {
        "T_old.test_pass": "pass",
        "T_old.test_fail": "fail",
        "T_old.test_skip": "skip",
        "test_plain.test_set_up": "pass",
        "test_plain.test_yields": "fail",
        "MadeTester.test_made": "pass",
        "test_hangs": "timeout",
        "test_ends_the_process": "crash",
        "test_toposort": "pass",
    }
    assert found["T_old.test_fail"]["error"] == "ValueError: first line | second line"
    assert "test_fail" in found["T_old.test_fail"]["where"]


def test_files_that_are_not_on_the_list_are_a_suite_of_their_own(upstream, checkout, tmp_path, monkeypatch):
    suites, _, _ = upstream
    options = options_of(checkout, tmp_path)
    assert [job.name for job in suites.SUITES["more-theano-tests"](options)] == ["tests/test_old"]
    assert suites.results_file(options, "more-theano-tests", "a/b") == tmp_path / "more-theano-tests" / "a_b.jsonl"
    monkeypatch.setattr(suites, "files_of", lambda suite: ["tests/test_old"])
    assert list(suites.SUITES["more-theano-tests"](options)) == []


def test_the_table_tells_tests_of_behaviour_from_those_that_look_inside(records, upstream, checkout):
    _, outcomes, _ = upstream
    sources = outcomes.sources_of_tests(checkout / "theano" / "theano" / "tests" / "test_old.py")
    rows = outcomes.rows_of("theano-tests", "tests/test_old", records[0], sources)
    cells = {row.split("\t")[1]: row.split("\t")[2:] for row in rows}
    assert cells["test_toposort"] == ["no", "1", "1", "pass\n"]
    assert cells["MadeTester.test_made"] == ["made", "1", "1", "pass\n"]
    assert cells["T_old.test_fail"] == ["yes", "1", "0", "fail\n"]


def test_the_summary_counts_what_passes_on_the_original(upstream, tmp_path, monkeypatch, capsys):
    _, outcomes, summary = upstream
    monkeypatch.setattr(outcomes, "FOLDER", tmp_path)
    rows = ["a/test_x\tone\tyes\t2\t2\tpass", "a/test_x\ttwo\tyes\t1\t1\tpass", "a/test_x\tthree\tyes\t1\t0\tskip"]
    (tmp_path / "theano-tests.tsv").write_text(outcomes.HEADER + "\n".join(rows) + "\n")
    out = tmp_path / "theano-tests" / "a_test_x.jsonl"
    out.parent.mkdir()
    records = [
        {"id": "one[1]", "written": "one", "outcome": "pass"},
        {"id": "one[2]", "written": "one", "outcome": "fail", "error": "TypeError: 7 things", "where": "f.py:3 g"},
        {"id": "two", "written": "two", "outcome": "pass"},
    ]
    out.write_text("".join(json.dumps(record) + "\n" for record in records))
    summary.print_summary(options_of(tmp_path, tmp_path))
    said = capsys.readouterr().out
    assert "| a/test_x | 1 / 2 | 50.0 % |" in said
    assert "**1** fail: TypeError: 7 things @ f.py:3 g (test_x::one[2])" in said


def test_a_file_of_which_imports_fail_can_be_run_for_the_rest(repository, tmp_path):
    tests = tmp_path / "theano" / "tests"
    tests.mkdir(parents=True)
    (tests / "test_half.py").write_text(HALF_IMPORTED)
    (tests / "half.py").write_text("ONE = 1\n")
    (tests.parent / "__init__.py").write_text("")
    command = [sys.executable, str(repository / "tools" / "upstream" / "nose_child.py"), str(tmp_path)]
    command += ["theano/tests/test_half.py", str(tmp_path / "out"), "--lenient"]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": str(tmp_path)})
    found = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
    assert [(r["id"], r["outcome"]) for r in found[1::2]] == [("test_other", "pass"), ("test_gone", "fail")]
    assert "absent: theano.nowhere.gone" in found[-1]["error"]


def test_a_page_is_run_in_its_order_and_numbers_may_differ_by_rounding(repository, tmp_path):
    page, out = tmp_path / "page.txt", tmp_path / "out.jsonl"
    page.write_text(PAGE)
    child = repository / "tools" / "upstream" / "doctest_child.py"
    subprocess.run([sys.executable, str(child), str(page), str(out)], check=True)
    outcomes = [json.loads(line)["outcome"] for line in out.read_text().splitlines()]
    assert outcomes == ["pass", "pass", "fail", "pass", "pass"]


def test_a_program_is_stopped_when_it_has_printed_enough_and_is_judged_by_that(upstream, tmp_path):
    import program_runs
    from programs import Program, falls

    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "endless.py").write_text(ENDLESS)
    (tmp_path / "data.txt").write_text("cost 10\n")
    program = Program(
        "old/endless.py", falls(r"cost (\d+)"), files={"numbers.txt": "data.txt"}, py2=True, stop=("cost", 3), limit=60
    )
    options = options_of(tmp_path, tmp_path)
    options.data = tmp_path
    record = program_runs.run_program(options, program, is_original=False)
    assert (record["outcome"], record["error"]) == ("pass", ""), record


def test_judges_say_what_is_wrong(upstream):
    import programs

    assert programs.ends("", 0) == "" and programs.ends("", 1) == "exit status 1"
    assert programs.falls(r"cost (\S+)")("cost 2.5\ncost 1e-2\n", 0) == ""
    assert programs.falls(r"cost (\S+)")("cost 1\ncost 2\n", 0) == "from 1.0 to 2.0"
    assert programs.falls(r"cost (\S+)")("cost 1\n", 3) == "printed 1 times; wanted 2; exit status 3"
    assert programs.rises(r"cost (\S+)")("cost -9\ncost -3\n", 0) == ""
    assert programs.rises(r"cost (\S+)")("cost -3\ncost -9\n", 0) == "from -3.0 to -9.0"
    assert programs.reaches(r"(\S+) %", 90)("89 %\n91 %\n", 0) == ""
    assert programs.reaches(r"(\S+) %", 90)("89 %\n", 0) == "89.0 < 90"
    assert programs.last_number(1.7, 2.3)("1 2.01", 0) == "" and programs.last_number(1.7, 2.3)("3", 0)
    assert programs.raises("x = y")("Traceback ... x = y", 1) == "" and programs.raises("x = y")("x = y", 0)
    assert programs.first_is_slower("3 sec\n1 sec\n", 0) == "" and programs.first_is_slower("1 sec\n3 sec\n", 0)


def test_every_program_has_a_place_and_those_compared_are_among_them(upstream):
    import programs

    titles = [program.title for program in programs.PROGRAMS]
    assert len(set(titles)) == len(titles) and set(programs.COMPARED) <= set(titles)
    assert all(program.path.startswith(program.home) for program in programs.PROGRAMS)
