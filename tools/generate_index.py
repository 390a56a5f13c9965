"""Write septet/ops/index.py from the families of ops that are imported later; with --check only say whether it is up
to date."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from septet.graph.op import all_functions, all_ops
from septet.ops import LATER

PAGE = Path(__file__).resolve().parent.parent / "septet" / "ops" / "index.py"

HEAD = '''\
"""Where to find what the families of ops that are imported later have: see `septet.ops`.

Written by `tools/generate_index.py` from the cards and functions of these families; change them there.
"""
'''


def family_of(module: str) -> str:
    """Return the family of a module: its name within `septet.ops`."""
    return module.removeprefix("septet.ops.")


def cards() -> Iterator[tuple[str, str]]:
    """Go through the cards and their families."""
    for op in all_ops():
        yield op.name, family_of(op.module)


def names() -> Iterator[tuple[str, str]]:
    """Go through the functions and namespaces of ``st``, and the families that publish them."""
    for op in all_ops():
        if op.is_public:
            for name in (op.name, *op.aliases):
                yield name, family_of(op.module)
    for full, entry in all_functions().items():
        space, _, name = full.rpartition(".")
        for published in (space,) if space else (name, *entry.aliases):
            yield published, family_of(entry.call.__module__)


def methods() -> Iterator[tuple[str, str]]:
    """Go through the methods of tensors and their families."""
    for op in all_ops():
        for name in op.methods:
            yield name, family_of(op.module)
    for entry in all_functions().values():
        for name in entry.methods:
            yield name, family_of(entry.call.__module__)


def table(title: str, about: str, rows: Iterable[tuple[str, str]]) -> str:
    """Return the source of one table."""
    found: dict[str, set[str]] = {}
    for name, family in rows:
        if family in LATER:
            found.setdefault(name, set()).add(family)
    lines = "".join([f'    "{name}": "{" ".join(sorted(families))}",\n' for name, families in sorted(found.items())])
    return f'{title} = {{\n{lines}}}\n"""{about}"""\n'


def page() -> str:
    """Return the text of the module."""
    tables = (
        table("CARDS", "The family of each card.", cards()),
        table("NAMES", "The families that publish a function of ``st``, or functions of a namespace of it.", names()),
        table("METHODS", "The family of each method of tensors.", methods()),
    )
    return "\n".join([HEAD, *tables])


def main(arguments: list[str]) -> int:
    """Write the module, or compare it with the cards."""
    if arguments == ["--check"]:
        if PAGE.exists() and PAGE.read_text(encoding="utf-8") == page():
            return 0
        print(f"{PAGE} is not up to date: run python tools/generate_index.py", file=sys.stderr)
        return 1
    PAGE.write_text(page(), encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
