"""A plugin of pytest: write what came of each test as a line of JSON. Runs on Python 3.6, too.

A child of `tools/upstream`, for Lasagne's tests, which are written for pytest. The settings come through the
environment: ``UPSTREAM_OUT`` (the file of JSON lines), ``UPSTREAM_LIMIT`` (seconds for each test), ``UPSTREAM_SKIP`` (a
file of ids that are done), ``UPSTREAM_DIALECTS`` (the packages that are septet's dialects, with commas).
"""

import json
import os
import signal
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))

from nose_child import TimeLimit, place, use_dialects

STATE = {"started": None}


def write(**record):
    """Append a record to the results."""
    with open(os.environ["UPSTREAM_OUT"], "a") as out:
        out.write(json.dumps(record) + "\n")


def pytest_configure(config):
    """Let the names of the systems lead to the dialects, before any test file or conftest is loaded."""
    if os.environ.get("UPSTREAM_DIALECTS"):
        use_dialects(os.environ["UPSTREAM_DIALECTS"].split(","))


def test_id(nodeid):
    """Return the id of a test without its file."""
    return nodeid.split("::", 1)[1] if "::" in nodeid else "(import)"


def pytest_collection_modifyitems(items):
    """Leave out what is done."""
    if os.environ.get("UPSTREAM_SKIP"):
        with open(os.environ["UPSTREAM_SKIP"]) as file:
            done = set(file.read().splitlines())
        items[:] = [item for item in items if test_id(item.nodeid) not in done]


def pytest_collectreport(report):
    """Record a file that cannot be imported."""
    if report.failed:
        lines = str(report.longrepr).strip().splitlines()
        errors = [line[2:].strip() for line in lines if line.startswith("E ")] or lines[-1:]
        write(id="(import)", written="(import)", outcome="fail", error=errors[-1][:400], where="", seconds=0)


def pytest_runtest_logstart(nodeid, location):
    """Record that a test begins: the process may end within."""
    STATE["started"] = None
    write(id=test_id(nodeid), written=test_id(nodeid).split("[")[0], outcome="started")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    """Stop a test that takes too long."""
    limit = int(os.environ.get("UPSTREAM_LIMIT", "60"))

    def stop(number, frame):
        raise TimeLimit(f"TimeLimit: {limit} s")

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(limit)
    yield
    signal.alarm(0)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Keep the exception with the report."""
    report = (yield).get_result()
    report.upstream = ("", "")
    if call.excinfo is not None:
        error = call.excinfo.value
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        text = "{}: {}".format(type(error).__name__, " | ".join(lines[:3]))[:400]
        report.upstream = (text, place(error))


def pytest_runtest_logreport(report):
    """Record what came of a test: the first phase that did not pass, or the call."""
    if report.when == "call" or report.outcome != "passed":
        if STATE["started"] == report.nodeid:
            return
        STATE["started"] = report.nodeid
        error, where = report.upstream
        outcome = {"passed": "pass", "skipped": "skip", "failed": "fail"}[report.outcome]
        if error.startswith("TimeLimit"):
            outcome = "timeout"
        name = test_id(report.nodeid)
        seconds = round(report.duration, 2)
        write(id=name, written=name.split("[")[0], outcome=outcome, seconds=seconds, error=error, where=where)
