"""Write docs/tree.md, the map of the tree, from docstrings; with --check only say whether it is up to date."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "tree.md"

HEAD = """\
# The map of the tree

*Written by `tools/generate_tree.py` from the modules' docstrings; change them there.*

A module imports only from its own folder and from lower floors (F0 is the lowest), and imports never run in a circle:
`tools/check_floors.py` holds that. So each folder can be understood without anything above it.
[The engine from scratch](from_scratch.md) is the best place to begin; [design/](design/) says why things are so.
"""

FLOORS = (
    "base", "graph", "ops", "tensor", "transform", "optimize", "backends", "run",
    "nn", "optim", "data", "train", "metrics", "io", "parallel", "view", "dialects", "cli",
)  # fmt: skip


def subject(path: Path) -> str:
    """Return the first paragraph of a module's docstring on one line."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(text.split("\n\n")[0].split())


def rows(folder: Path) -> list[str]:
    """Return a table row for each module of a folder, sub-folders after the files."""
    found = []
    for path in sorted(folder.iterdir(), key=lambda p: (p.is_dir(), p.name)):
        if path.is_dir() and (path / "__init__.py").exists():
            link = path.relative_to(ROOT).as_posix()
            found.append(f"| [`{path.name}/`](../{link}/) | {escape(subject(path / '__init__.py'))} |")
            found += [row.replace("| [`", f"| [`{path.name}/", 1) for row in rows(path)]
        elif path.suffix == ".py" and path.name != "__init__.py":
            link = path.relative_to(ROOT).as_posix()
            found.append(f"| [`{path.name}`](../{link}) | {escape(subject(path))} |")
    return found


def escape(text: str) -> str:
    """Return the text as the cell of a table."""
    return text.replace("|", "\\|")


def page() -> str:
    """Return the text of the page."""
    package = ROOT / "septet"
    folders = [p for p in package.iterdir() if (p / "__init__.py").exists()]
    rank = {name: position for position, name in enumerate(FLOORS)}
    unknown = sorted(p.name for p in folders if p.name not in rank)
    if unknown:
        raise SystemExit(f"tools/generate_tree.py does not know the floor of septet/{', septet/'.join(unknown)}")
    top = ["__init__.py", *sorted(p.name for p in package.glob("*.py") if p.name != "__init__.py")]
    table = [f"| [`{name}`](../septet/{name}) | {escape(subject(package / name))} |" for name in top]
    parts = [HEAD, "## septet/\n\n| module | subject |\n|---|---|\n" + "\n".join(table) + "\n"]
    for folder in sorted(folders, key=lambda p: rank[p.name]):
        table = rows(folder)
        parts.append(f"## septet/{folder.name}/\n\n{subject(folder / '__init__.py')}\n")
        if table:
            parts.append("| module | subject |\n|---|---|\n" + "\n".join(table) + "\n")
    others = ["| folder | subject |", "|---|---|"]
    others += [f"| `{name}` | {text} |" for name, text in BESIDE.items() if (ROOT / name).exists()]
    parts.append("## Beside the package\n\n" + "\n".join(others) + "\n")
    return "\n".join(parts)


BESIDE = {
    "tests/": "mirrors the tree: `septet/graph/node.py` is tested by `tests/graph/test_node.py`",
    "tests/conformance/": "made from the cards: values, gradients, batching and wrong calls of every op",
    "tests/golden/": "texts and files that must not change unnoticed",
    "tools/": "checks of the repository, and what writes the generated pages of `docs/`",
    "benchmarks/": "measurements; their results are kept as JSON",
    "examples/": "programs to start from",
    "docs/design/": "decisions that were hard: context, options, decision, consequences",
    "docs/errors/": "a page for each code of an error",
    "docs/changes/": "news fragments of the next release",
}


def main(arguments: list[str]) -> int:
    """Write the page, or compare it with the tree."""
    if arguments == ["--check"]:
        if PAGE.exists() and PAGE.read_text(encoding="utf-8") == page():
            return 0
        print(f"{PAGE} is not up to date: run python tools/generate_tree.py", file=sys.stderr)
        return 1
    PAGE.write_text(page(), encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
