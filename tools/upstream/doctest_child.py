"""Run the examples of a page of documentation, and write what came of each as a line of JSON. Runs on Python 3.6, too.

A child of `tools/upstream`. All ``>>>`` examples of the page run in its order in one namespace, with the page's
``testsetup`` and ``testcode`` blocks between them. Results are compared as text in which white space does not count and
numbers may differ by rounding: what NumPy and Python print has changed since these pages were written.
"""

import argparse
import contextlib
import doctest
import io
import json
import re
import sys
import textwrap
import warnings

from nose_child import run, use_dialects

DIRECTIVE = re.compile(r"^( *)\.\. (testsetup|testcode|testoutput)::")
NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|\bnan\b|\binf\b")


def pieces(text):
    """Yield (line number, kind, source, wanted output) of a page, in order."""
    lines = text.split("\n")
    found = [(e.lineno + 1, "example", e.source, e.want, e) for e in doctest.DocTestParser().get_examples(text)]
    for start, line in enumerate(lines):
        match = DIRECTIVE.match(line)
        if match:
            indent = len(match.group(1))
            end = start + 1
            while end < len(lines) and (not lines[end].strip() or len(lines[end]) - len(lines[end].lstrip()) > indent):
                end += 1
            body = [each for each in lines[start + 1 : end] if not re.match(r"\s+:\w+:", each)]
            found.append((start + 1, match.group(2), textwrap.dedent("\n".join(body)).strip() + "\n", "", None))
    found.sort(key=lambda piece: piece[0])
    for piece, following in zip(found, found[1:] + [(0, "", "", "", None)]):
        if piece[1] == "testcode" and following[1] == "testoutput":
            piece = (piece[0], piece[1], piece[2], following[2], None)
        if piece[1] != "testoutput":
            yield piece


def agree(want, got):
    """Say whether two outputs agree: words alike, ``...`` for anything, numbers within 1e-4."""
    want = want.replace("<BLANKLINE>", "")
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    if doctest.OutputChecker().check_output(want, got, flags):
        return True

    def words(text):
        text = re.sub(r"\bnp\.\w+\(([^()]*)\)", r"\1", text)  # np.float64(3.0) is 3.0
        text = re.sub(r"<class '", "<type '", text)
        return re.sub(r"\s+", "", NUMBER.sub("#", text)), [float(n) for n in NUMBER.findall(text)]

    (want_text, want_numbers), (got_text, got_numbers) = words(want), words(got)
    if want_text != got_text or len(want_numbers) != len(got_numbers):
        return False
    pairs = zip(want_numbers, got_numbers)
    return all(a == b or (a != a and b != b) or abs(a - b) <= 1e-4 * max(abs(a), abs(b), 1e-3) for a, b in pairs)


def main():
    """Run the examples of a page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page")
    parser.add_argument("out")
    parser.add_argument("--map", action="store_true", help="theano and lasagne are septet's dialects")
    parser.add_argument("--limit", type=int, default=60)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if options.map:
        use_dialects()
    import numpy

    numpy.set_printoptions(legacy="1.13")
    with open(options.page, encoding="utf-8") as file:
        page = file.read()
    sys.argv = [options.page]
    namespace = {"__name__": "__main__"}
    for line, kind, source, want, example in pieces(page):
        if example is not None and doctest.SKIP in example.options:
            continue
        stream = io.StringIO()

        def step(line=line, source=source, kind=kind):
            mode = "single" if kind == "example" else "exec"
            exec(compile(source, f"<line {line}>", mode), namespace)

        with contextlib.redirect_stdout(stream):
            outcome, error, where = run(step, options.limit)
        got = stream.getvalue()
        expected = example.exc_msg if example is not None else None
        if expected is not None:
            kind_wanted = expected.split(":")[0].split(".")[-1]
            if outcome == "fail" and error.split(":")[0] == kind_wanted:
                outcome, error, where = "pass", "", ""
            elif outcome == "pass":
                outcome, error = "fail", "no exception; expected " + expected.strip()[:200]
        elif outcome == "pass" and want and not agree(want, got):
            outcome, error = "fail", f"output: wanted {want[:150]!r}, got {got[:150]!r}"
        if kind == "testsetup" and outcome == "pass":
            continue
        name = f"line {line}"
        if error:
            error = "{} <- {}".format(error, source.strip().split("\n")[0][:80])
        record = dict(id=name, written=name, outcome=outcome, seconds=0, error=error, where=where)
        with open(options.out, "a") as out:
            out.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    main()
