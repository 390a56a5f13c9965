"""Write docs/settings.md from the table of settings; with --check only say whether it is up to date."""

from __future__ import annotations

import sys
from pathlib import Path

from septet.base.config import Config

PAGE = Path(__file__).resolve().parent.parent / "docs" / "settings.md"

HEAD = """\
# Settings

*Written by `tools/generate_settings.py` from the table in `septet/base/config.py`; change it there.*

A setting takes its value from the last of these that speaks: its default; its environment variable, read once when
Septet is imported; `config.set(name=value)`, for the whole process; `with config.override(name=value):`, for the block
and for the thread (or asyncio task) that runs it. A value that is not allowed is an error that says where it came from;
an unknown variable that begins with `SEPTET_` is a warning. `print(config.table())` shows all values and their origins.

```python
from septet.base.config import config

config.set(threads=2)
with config.override(default_float="float64", check_nan=True):
    ...
```

| setting | type | default | environment variable | allowed | meaning |
|---|---|---|---|---|---|
"""


def page() -> str:
    """Return the text of the page."""
    lines = [
        f"| `{row.name}` | {row.kind} | `{row.default!r}` | `{row.variable}` | {row.allowed} | {row.doc} |"
        for row in Config({}).rows()
    ]
    return HEAD + "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Write the page, or compare it with the table."""
    if arguments == ["--check"]:
        if PAGE.exists() and PAGE.read_text(encoding="utf-8") == page():
            return 0
        print(f"{PAGE} is not up to date: run python tools/generate_settings.py", file=sys.stderr)
        return 1
    PAGE.write_text(page(), encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
