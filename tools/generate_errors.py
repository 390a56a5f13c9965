"""Write docs/errors/ from the classes in septet/base/errors.py; with --check only say whether it is up to date."""

from __future__ import annotations

import re
import sys
import textwrap
from pathlib import Path

from septet.base.errors import SeptetError, all_errors

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "errors"
NOTE = "*Written by `tools/generate_errors.py` from the docstring of `septet.base.errors.{name}`; change it there.*"
SECTION = re.compile(r"^(Cause|Example|Fix)\n((?:[ \t]+.*\n?|\n)+)", re.MULTILINE)


def code_style(text: str) -> str:
    """Turn the docstring's ``code`` into Markdown's `code`."""
    return text.replace("``", "`")


def page(cls: type[SeptetError]) -> str:
    """Return the page about one class."""
    text = code_style(cls.explanation())
    body = SECTION.sub(lambda found: f"## {found[1]}\n\n{textwrap.dedent(found[2]).strip()}\n\n", text + "\n").strip()
    summary, _, rest = body.partition("\n\n")
    bases = [base.__name__ for base in cls.__mro__[1:] if issubclass(base, Exception) and base is not Exception]
    parents = "It is a " + ", ".join(f"`{name}`" for name in bases) + "." if bases else "It is an `Exception`."
    title, note = f"# {cls.code}: {cls.__name__}", NOTE.format(name=cls.__name__)
    parts = [title, note, summary, parents, rest, "[All errors](README.md)"]
    return "\n\n".join(part for part in parts if part) + "\n"


def index(classes: list[type[SeptetError]]) -> str:
    """Return the table of all classes."""
    summaries = [code_style(cls.explanation().partition("\n")[0]) for cls in classes]
    rows = [
        f"| [{cls.code}]({cls.code}.md) | `st.errors.{cls.__name__}` | {summary} |"
        for cls, summary in zip(classes, summaries, strict=True)
    ]
    head = (
        "# Errors\n\n*Written by `tools/generate_errors.py` from `septet/base/errors.py`; change it there.*\n\n"
        "A message ends with a code such as `[S101]`. The code never changes its meaning; its page says what the cause "
        "is and what to do; `septet errors S101` prints it.\n\n| code | class | meaning |\n|---|---|---|\n"
    )
    return head + "\n".join(rows) + "\n"


def pages() -> dict[str, str]:
    """Return the text of every page by file name."""
    classes = [cls for cls in all_errors() if cls.__module__ == "septet.base.errors"]
    return {"README.md": index(classes)} | {f"{cls.code}.md": page(cls) for cls in classes}


def main(arguments: list[str]) -> int:
    """Write the pages, or compare them with the classes."""
    wanted = pages()
    if arguments == ["--check"]:
        found = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.md")}
        if found == wanted:
            return 0
        print(f"{FOLDER} is not up to date: run python tools/generate_errors.py", file=sys.stderr)
        return 1
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path in FOLDER.glob("*.md"):
        path.unlink()
    for name, text in wanted.items():
        (FOLDER / name).write_text(text, encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
