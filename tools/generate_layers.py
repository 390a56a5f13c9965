"""Write docs/layers.md from the classes of `septet.nn`; with --check only say whether it is up to date."""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path
from types import ModuleType

from septet import nn
from septet.nn.module import Module

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "layers.md"
HOUSES = ("Keras", "Lasagne", "PyTorch")

HEAD = """\
# The layers

*Written by `tools/generate_layers.py` from the classes in `septet/nn/`; change them there.*

Every layer is a class of `septet.nn`. Images are (batch, channels, height, width); sizes of inputs are seen at the
first call. Layers are put in a row by `nn.Sequential`, joined by what they are applied to with `nn.Input` and
`nn.Model`, or used in a class with a `forward` of its own. The last three columns say what a layer is called elsewhere.

Values and gradients of every layer agree with what PyTorch, Keras or a program written out from the paper computed:
`tests/nn/test_golden_coverage.py` says which layers are not compared, and why.

"""

TABLE = "| layer | what it does | Keras | Lasagne | PyTorch |\n|---|---|---|---|---|\n"


def layers() -> dict[str, list[type[Module]]]:
    """Return the published layers by the modules that they are defined in, both in order of their names."""
    found: dict[str, list[type[Module]]] = {}
    for name in sorted(nn.__all__):
        cls = getattr(nn, name)
        if isinstance(cls, type) and issubclass(cls, Module):
            found.setdefault(cls.__module__, []).append(cls)
    return dict(sorted(found.items()))


def names_elsewhere(cls: type) -> dict[str, list[str]]:
    """Return what a layer is called elsewhere, from the section "Elsewhere" of its docstring."""
    doc = inspect.cleandoc(cls.__doc__ or "")
    section = re.search(r"^Elsewhere\n-+\n(.*?)(\n\n\w|\Z)", doc, re.DOTALL | re.MULTILINE)
    found: dict[str, list[str]] = {house: [] for house in HOUSES}
    house = None
    for word, code in re.findall(r"(\w+)|``([^`]+)``", section[1] if section else ""):
        if word in HOUSES:
            house = word
        elif code and house:
            found[house].append(code)
    return found


def row(cls: type) -> str:
    """Return the row of one layer."""
    doc = inspect.cleandoc(cls.__doc__ or "")
    first = " ".join(doc.split("\n\n")[0].split()).replace("|", "\\|")
    names = names_elsewhere(cls)
    cells = [", ".join(f"`{name}`" for name in names[house]) for house in HOUSES]
    return f"| `{cls.__name__}` | {first} | {' | '.join(cells)} |"


def page() -> str:
    """Return the text of the page."""
    parts = [HEAD]
    for name, classes in layers().items():
        module: ModuleType = sys.modules[name]
        path = Path(module.__file__ or "").resolve().relative_to(ROOT).as_posix()
        subject = (module.__doc__ or "").strip().splitlines()[0]
        title = name.removeprefix("septet.nn.")
        parts.append(f"## [{title}](../{path})\n\n{subject}\n\n{TABLE}" + "\n".join(map(row, classes)) + "\n\n")
    return "".join(parts).rstrip("\n") + "\n"


def main(arguments: list[str]) -> int:
    """Write the page, or compare it with the classes."""
    if arguments == ["--check"]:
        if PAGE.exists() and PAGE.read_text(encoding="utf-8") == page():
            return 0
        print(f"{PAGE} is not up to date: run python tools/generate_layers.py", file=sys.stderr)
        return 1
    PAGE.write_text(page(), encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
