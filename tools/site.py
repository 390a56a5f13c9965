"""What mkdocs is helped with: links to files that are not pages, and the pages of the reference."""

from __future__ import annotations

import posixpath
import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(ROOT / "tools"))

import reference  # noqa: E402  (beside this file)

_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)#\s]+)(#[^)]*)?\)")


def on_config(config: Any) -> Any:
    """Add the pages of the reference to the navigation."""
    for section in config["nav"]:
        if "Reference" in section:
            section["Reference"] += [{title: f"reference/{name}.md"} for name, title in reference.MODULES.items()]
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add the pages of the reference."""
    for path, (_, text) in reference.pages().items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Write the names of files that are no pages, such as sources, without links; the site holds pages only."""
    folder = posixpath.dirname(page.file.src_uri)

    def link(match: re.Match[str]) -> str:
        text, target = match[1], match[2]
        if "://" in target or files.get_file_from_path(posixpath.normpath(posixpath.join(folder, target))):
            return match[0]
        return text

    lines, is_code = [], False
    for line in markdown.split("\n"):
        is_code ^= line.lstrip().startswith("```")
        lines.append(line if is_code else _LINK.sub(link, line))
    return "\n".join(lines)
