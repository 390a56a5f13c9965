"""Write docs/ops.md from the op cards; with --check only say whether it is up to date."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import septet.ops  # noqa: F401  (registration)
from septet.graph.op import ITEM, REQUIRED, Op, all_ops

PAGE = Path(__file__).resolve().parent.parent / "docs" / "ops.md"

HEAD = """\
# The ops

*Written by `tools/generate_ops.py` from the cards in `septet/ops/`; change them there.*

These are the primitives: everything else in Septet is a function made of them. A card has the name, the rules for
shapes and dtypes, the NumPy reference, the gradient, the algebraic properties and the test cases. Many are reached
through a friendlier function of the same name (`st.concatenate` takes a sequence); "internal" means that no public
function is the card itself.
"""


def call(op: Op) -> str:
    """Return how the op is called."""
    parts = list(op.input_names)
    if op.defaults and not op.is_variadic:
        parts.append("*")
    parts += [name if value is REQUIRED else f"{name}={short(value)}" for name, value in op.defaults.items()]
    return f"{op.name}({', '.join(parts)})"


def short(value: Any) -> str:
    """Return a default as it is written."""
    return value.name if hasattr(value, "name") else repr(value)


def cell(text: str) -> str:
    """Return the text as the cell of a table."""
    return " ".join(text.replace("|", "\\|").split())


def row(op: Op) -> str:
    """Return the table row of one op."""
    gradient = "yes" if op.gradient is not None else f"no: {op.no_gradient}"
    batching = "elementwise" if op.kind == "elementwise" else "yes" if op.batch is not None else f"no: {op.no_batch}"
    names = ", ".join(f"`{alias}`" for alias in op.aliases)
    also = f" Also {names}." if names else ""
    hidden = "" if op.is_public else " (internal)"
    summary = op.summary.replace("``", "`")
    return (
        f"| `{cell(call(op))}`{hidden} | {cell(summary)}{also} | {cell(gradient)} | {cell(batching)} "
        f"| {cell(op.reference_source)} |"
    )


def page() -> str:
    """Return the text of the page."""
    families: dict[str, list[Op]] = {}
    for op in all_ops():
        if op is ITEM:  # only selects one of several results
            continue
        families.setdefault(op.module, []).append(op)
    parts = [HEAD + f"\nThere are {sum(map(len, families.values()))} of them.\n"]
    for family in sorted(families):
        title = f"## [{family.removeprefix('septet.ops.')}](../{family.replace('.', '/')}.py)\n\n"
        table = "| call | what it does | gradient | batching (`vmap`) | source |\n|---|---|---|---|---|\n"
        members = sorted(families[family], key=lambda op: op.name)
        parts.append(title + table + "\n".join(map(row, members)) + "\n")
    return "\n".join(parts)


def main(arguments: list[str]) -> int:
    """Write the page, or compare it with the cards."""
    if arguments == ["--check"]:
        if PAGE.exists() and PAGE.read_text(encoding="utf-8") == page():
            return 0
        print(f"{PAGE} is not up to date: run python tools/generate_ops.py", file=sys.stderr)
        return 1
    PAGE.write_text(page(), encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
