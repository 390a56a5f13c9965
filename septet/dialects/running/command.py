"""The command: what ``septet run`` and ``python -m septet.dialects`` do with their arguments."""

from __future__ import annotations

import argparse
import atexit
import linecache
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from septet.base.errors import SeptetError
from septet.dialects.running.aliases import DialectFinder, aliases, available, choose
from septet.dialects.running.program import Program, folder_of, is_python2, run
from septet.dialects.running.python2 import is_parsed_as_python2, read_source
from septet.dialects.running.python2_names import GONE
from septet.dialects.running.shims.catalogue import SHIMS, listing
from septet.dialects.running.shims.files import LocalCopies
from septet.dialects.running.shims.shim import Uses, installed
from septet.dialects.running.sources import Sources
from septet.dialects.running.tracebacks import own_part, print_traceback

__all__ = ["main"]

_USAGE = 2  # the status for words that do not fit
_INTERRUPTED = 130  # what shells report for a program that Ctrl-C ended
_kept = ExitStack()  # what is installed stays until the process ends: threads and exit handlers need it, too


def _parser() -> argparse.ArgumentParser:
    names = ", ".join(available()) or "none yet"
    parser = argparse.ArgumentParser(
        prog="septet run",
        usage="septet run [--as NAMES] [--py2] [--keep-going] [--explain] SCRIPT|NOTEBOOK|-|-m MODULE [ARGUMENTS]",
        description=f"Run a program of another deep-learning system unmodified. Dialects: {names}.",
    )
    parser.add_argument("--as", dest="names", metavar="NAMES", help="the dialects, with commas; default: all")
    parser.add_argument("--py2", action="store_true", help="the program is of Python 2: translate it")
    parser.add_argument("--keep-going", action="store_true", help="run a notebook's cells also after one that raises")
    parser.add_argument("--explain", action="store_true", help="tell what was done for it; alone: list all shims")
    return parser


def split(words: Sequence[str]) -> tuple[list[str], Program | None]:
    """Return the command's own options, and the program with its arguments."""
    place = 0
    while place < len(words):
        word = words[place]
        if word == "--as":
            place += 2
        elif word == "-m" and place + 1 < len(words):
            return list(words[:place]), Program(words[place + 1], list(words[place + 2 :]), is_module=True)
        elif word == "-" or not word.startswith("-"):
            return list(words[:place]), Program(word, list(words[place + 1 :]))
        else:
            place += 1
    return list(words), None


def _note(text: str) -> None:
    print(f"septet run: {text}", file=sys.stderr, flush=True)


@dataclass
class _Account:
    """What was done for a program."""

    finder: DialectFinder
    uses: Uses
    sources: Sources
    copies: LocalCopies

    def lines(self) -> list[str]:
        """Return it in words."""
        found = [f"dialects: {', '.join(self.finder.imported) or 'none'}"]
        found += [f"translated from Python 2: {name}" for name in dict.fromkeys(self.sources.translated)]
        found += [f"name of Python 2: {name} ({place})" for name, place in sorted(self.sources.names().items())]
        found += [f"data: {name}: {path}" for name, path in self.copies.served.items() if path is not None]
        found += [f"shim: {name} ({place})" if place else f"shim: {name}" for name, place in self.uses.places.items()]
        return found


def main(words: Sequence[str] | None = None) -> None:
    """Run the program that the command line names, and leave the process with its status.

    Parameters
    ----------
    words : sequence of str, optional
        The arguments; by default those of the process.
    """
    options, program = split(sys.argv[1:] if words is None else words)
    parser = _parser()
    chosen = parser.parse_args(options)
    if program is None:
        if chosen.explain:
            print(listing())
            print(f"\nBuilt-in names of Python 2 in the program's own modules: {', '.join(GONE)}.")
            sys.exit(0)
        parser.error("name a program: a script, a notebook, - for standard input, or -m MODULE")
    program.note, program.goes_on = _note, chosen.keep_going
    atexit.register(_kept.close)  # after the program's own handlers: the last comes first
    try:
        content = b"" if program.is_module else program.content()
        folder = folder_of(program)
        sources = Sources(folder, chosen.py2 or (not program.is_module and is_python2(program, content)))
        names = choose(chosen.names, folder)
        for name in available() if chosen.names is None else ():
            if name not in names:
                _note(f"{name} is the program's own module in {folder}; --as {name} takes Septet's instead")
        finder = _kept.enter_context(aliases(names))
    except SeptetError as error:
        _note(str(error))
        sys.exit(_USAGE)
    if program.is_notebook:
        os.environ["MPLBACKEND"] = "Agg"  # nobody is there to close a window
    elif sources.is_python2 and hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="surrogateescape")  # byte strings are printed as they were
    copies = LocalCopies(sources.folder, _note)
    uses = _kept.enter_context(installed((*SHIMS, *copies.shims())))
    sources.record = uses.record
    if sys.flags.safe_path:
        sys.path.insert(0, folder)
    else:
        sys.path[0] = folder
    sys.meta_path.insert(sys.meta_path.index(finder) + 1, sources.finder())
    status = _run(program, content, sources)
    if chosen.explain:
        sys.stdout.flush()
        for line in _Account(finder, uses, sources, copies).lines():
            _note(line)
    sys.exit(status)


def _run(program: Program, content: bytes, sources: Sources) -> object:
    """Run a program and return its exit status."""
    try:
        run(program, content, sources)
    except SystemExit as end:
        return end.code
    except BaseException as error:
        if isinstance(error, SeptetError) and own_part(error.__traceback__) is None:
            _note(str(error))  # it was none of the program's lines
            return _USAGE
        if sys.excepthook is not sys.__excepthook__:
            sys.excepthook(type(error), error, own_part(error.__traceback__))
        else:
            print_traceback(error, sources.translated)
        _advise(error, sources)
        return _INTERRUPTED if isinstance(error, KeyboardInterrupt) else 1
    return 0


def _advise(error: BaseException, sources: Sources) -> None:
    """Offer the translation where a source of the program is of Python 2."""
    if not isinstance(error, SyntaxError) or sources.is_python2 or not error.filename:
        return
    text = "".join(linecache.getlines(error.filename))
    if not text or not os.path.exists(error.filename.partition("[cell")[0]):
        return
    found = is_parsed_as_python2(read_source(text.encode()))
    if found:
        _note("this is Python 2: `septet run --py2 ...` translates it while it runs")
    elif found is None:
        _note("if this is Python 2, `septet run --py2 ...` translates it; that needs pip install 'septet[py2]'")
