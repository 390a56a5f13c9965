"""Write docs/dialects/NAME.md: what each dialect has of its original; with --check only say whether it is up to date.

The original's public names and their signatures stand in tools/upstream/names_NAME.tsv (`extract_names.py` there made
them). What a name is here comes from the dialect itself: it is looked up; `DIFFERS` and `REFUSED` in the dialect's
`coverage.py`, by names without the system's own (``tensor.nnet.ctc``; a module or class stands for all in it), say how
it differs or why it is refused. A parameter of the original that a function here does not take is a difference, too.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections import defaultdict
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from septet.dialects.running.aliases import available

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "dialects"
NAMES = ROOT / "tools" / "upstream"
STATES = ("same", "differs", "refused", "missing")

HEAD = """\
# {title} in Septet

*Written by `tools/generate_coverage.py` from what is in `septet/dialects/{system}/`; change it there.*

What `import {system}` gives under `septet run`, and what `import septet.dialects.{system} as {system}` gives anywhere.
"""

TABLE_OF_STATES = """\
## The names

Of the {total:,} public names of the original, {same:,} are the same here, {differs:,} differ, {refused:,} are refused
(they raise an error that says so and names what to use) and {missing:,} are missing.

| module or class | same | differs | refused | missing |
|---|---|---|---|---|
"""


def original(system: str) -> list[tuple[str, str]]:
    """Return the names of a system, without its own, and their signatures."""
    lines = (NAMES / f"names_{system}.tsv").read_text(encoding="utf-8").splitlines()[1:]
    rows = [line.partition("\t")[::2] for line in lines]
    return [(name.partition(".")[2], text) for name, text in rows if "." in name]


def find(system: str, name: str) -> Any:
    """Return what a dialect has under a name; raise AttributeError or ImportError where it has nothing."""
    path, _, last = name.rpartition(".")
    whole = f"septet.dialects.{system}.{path}".rstrip(".")
    try:
        thing = importlib.import_module(whole)  # the module, even where a function has its name
    except ModuleNotFoundError:
        thing = find(system, path)
    if isinstance(thing, type):
        declared = {attribute for own in thing.__mro__ for attribute in vars(own).get("__annotations__", ())}
        return None if last in declared else inspect.getattr_static(thing, last)
    try:
        return getattr(thing, last)
    except AttributeError:
        return importlib.import_module(f"{whole}.{last}")


def parameters(text: str) -> list[str]:
    """Return the names of the parameters in a signature as text."""
    inner = re.sub(r"\([^()]*\)|\[[^\]]*\]|\{[^}]*\}|'[^']*'", "", text.strip()[1:-1])
    names = [part.split("=")[0].strip() for part in inner.split(",")]
    return [name for name in names if name.isidentifier()]


def absent_parameters(thing: Any, text: str) -> list[str]:
    """Return the parameters of the original that something here does not take."""
    if not text:
        return []
    try:
        own = inspect.signature(getattr(thing, "__func__", thing)).parameters.values()
    except (TypeError, ValueError):
        return []
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in own):
        return []
    known = {parameter.name for parameter in own}
    return [name for name in parameters(text) if name not in known]


def entry(table: dict[str, Any], name: str) -> Any:
    """Return what a table says about a name, or what it is in, by itself or by a pattern; None if nothing."""
    parts = name.split(".")
    names = [".".join(parts[:i]) for i in range(len(parts), 0, -1)]
    exact = next((table[key] for key in names if key in table), None)
    if exact is not None:
        return exact
    return next((value for key, value in table.items() if "*" in key for own in names if fnmatchcase(own, key)), None)


def _key(table: dict[str, Any], name: str) -> str:
    """Return the name under which a table speaks of a name exactly, or a pattern."""
    parts = name.split(".")
    return next((key for i in range(len(parts), 0, -1) if (key := ".".join(parts[:i])) in table), "*")


def state(system: str, name: str, text: str, coverage: Any) -> tuple[str, str]:
    """Return what a name of the original is here: one of STATES, and how or why."""
    refused = entry(coverage.REFUSED, name)
    try:
        thing, is_there = find(system, name), True
    except Exception:  # what the dialect raises for a name that it does not have
        thing, is_there = None, False
    refusal = inspect.getattr_static(thing, "refusal", None)  # of a method
    if isinstance(thing, ModuleType) and thing.__doc__ and "is refused" in thing.__doc__:
        is_there = False
    if refusal is not None or (refused is not None and ("*" not in _key(coverage.REFUSED, name) or not is_there)):
        reason, nearest = refusal or refused
        return "refused", f"{reason}. Nearest: `{nearest}`" if nearest else reason
    if not is_there:
        return "missing", ""
    how = coverage.DIFFERS.get(name)
    if how is not None:
        return "differs", how
    absent = absent_parameters(thing, text)
    if absent:
        return "differs", "does not take " + ", ".join(f"`{each}`" for each in absent)
    return "same", ""


@cache
def states(system: str) -> dict[str, tuple[str, str, str]]:
    """Return signature, state and reason of each name of a system."""
    coverage = importlib.import_module(f"septet.dialects.{system}.coverage")
    return {name: (text, *state(system, name, text, coverage)) for name, text in original(system)}


def escape(text: str) -> str:
    """Return a text that may stand in a cell."""
    return text.replace("|", "\\|").replace("\n", " ")


def names_part(system: str) -> str:
    """Return the part about names: a table of counts, then each module with what is not the same."""
    groups: dict[str, dict[str, tuple[str, str, str]]] = defaultdict(dict)
    for name, found in states(system).items():
        module, _, last = f"{system}.{name}".rpartition(".")
        groups[module][last] = found
    counts = {kind: sum(found[1] == kind for found in states(system).values()) for kind in STATES}
    parts = [TABLE_OF_STATES.format(total=len(states(system)), **counts)]
    for module, names in groups.items():
        cells = [str(sum(found[1] == kind for found in names.values())) for kind in STATES]
        parts.append(f"| `{module}` | {' | '.join(cells)} |\n")
    for module, names in groups.items():
        parts.append(f"\n### {module}\n")
        same = [name for name, found in names.items() if found[1] == "same"]
        missing = [name for name, found in names.items() if found[1] == "missing"]
        others = [(name, *found) for name, found in names.items() if found[1] in ("differs", "refused")]
        if others:
            parts.append("\n| name | here | how, or why |\n|---|---|---|\n")
            parts += [f"| `{escape(name + text)}` | {kind} | {escape(why)} |\n" for name, text, kind, why in others]
        if same:
            parts.append(f"\nSame: {', '.join(f'`{name}`' for name in same)}.\n")
        if missing:
            parts.append(f"\nMissing: {', '.join(f'`{name}`' for name in missing)}.\n")
    return "".join(parts)


def page(system: str) -> str:
    """Return the text of a dialect's page."""
    return HEAD.format(title=system.capitalize(), system=system) + "\n" + names_part(system)


def systems() -> list[str]:
    """Return the dialects whose original is listed."""
    return [name for name in available() if (NAMES / f"names_{name}.tsv").exists()]


def main(arguments: list[str]) -> int:
    """Write the pages, or compare them with the dialects."""
    status = 0
    for system in systems():
        path = FOLDER / f"{system}.md"
        if arguments == ["--check"]:
            if not path.exists() or path.read_text(encoding="utf-8") != page(system):
                print(f"{path} is not up to date: run python tools/generate_coverage.py", file=sys.stderr)
                status = 1
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(page(system), encoding="utf-8", newline="\n")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
