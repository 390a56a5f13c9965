"""Experiment files: TOML or YAML in, checked settings out, with the line of whatever is wrong."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from septet.base.errors import NotSupportedError, SettingError
from septet.base.files import open_atomic
from septet.cli.schema import Locate, complete

SUFFIXES = (".toml", ".yaml", ".yml")

Settings = dict[str, dict[str, Any]]


def read(path: str | os.PathLike[str]) -> Settings:
    """Read and check an experiment file.

    Raises
    ------
    SettingError
        If it is no TOML or YAML, or says something that is not allowed; the message has the line.
    NotSupportedError
        If it is YAML, and PyYAML is not installed.
    """
    name, text = os.fspath(path), Path(path).read_text(encoding="utf-8")
    values, locate = _toml(name, text) if name.endswith(".toml") else _yaml(name, text)
    if not isinstance(values, Mapping):
        raise SettingError(f"{name}: expected sections with keys, found {type(values).__name__}")
    settings = complete(values, locate)
    for key in ("folder", "table"):  # beside the file, wherever the command runs
        path = settings["data"][key]
        if path is not None:
            place = os.path.join(os.path.dirname(os.path.abspath(name)), path)
            settings["data"][key] = os.path.normpath(place)
    return settings


def write(settings: Settings, path: str | os.PathLike[str]) -> None:
    """Write settings as a TOML file that `read` reads; what is not given is left out."""
    lines = []
    for section, keys in settings.items():
        given = {key: value for key, value in keys.items() if value is not None}
        if given:
            lines += [f"[{section}]", *[f"{key} = {_literal(value)}" for key, value in given.items()], ""]
    with open_atomic(path) as file:
        file.write("\n".join(lines).encode())


def _literal(value: Any) -> str:
    if isinstance(value, list):
        return "[\n" + "".join(f"    {_literal(item)},\n" for item in value) + "]" if value else "[]"
    return json.dumps(value, ensure_ascii=False)  # texts, numbers, true and false are written alike in TOML


def _toml(name: str, text: str) -> tuple[Any, Locate]:
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingError(f"{name}: this is no TOML: {error}") from None
    return values, lambda path: _place(name, _toml_lines(text), path)


def _toml_lines(text: str) -> dict[tuple[str, ...], int]:
    """Return the line of each section and key; a parser of TOML does not tell it."""
    found: dict[tuple[str, ...], int] = {}
    section: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*\[+\s*([^\]]+?)\s*\]", line)
        if header:
            section = _parts(header[1])
            found.setdefault(section, number)
            continue
        key = re.match(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""", line)
        if key:
            path = (*section, *_parts(key[1]))
            for end in range(len(section) + 1, len(path) + 1):
                found.setdefault(path[:end], number)
            for inner in re.finditer(r"[{,]\s*([\w-]+)\s*=", line):  # [data] may also be data = {...}
                found.setdefault((*path, inner[1]), number)
    return found


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in text.split("."))


def _yaml(name: str, text: str) -> tuple[Any, Locate]:
    try:
        import yaml
    except ImportError as error:
        raise NotSupportedError(
            f"{name}: YAML files need PyYAML, which cannot be imported ({error}): pip install septet[yaml]; "
            "TOML files need nothing"
        ) from error
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        raise SettingError(f"{name}{place}: this is no YAML: {getattr(error, 'problem', error)}") from None
    lines: dict[tuple[str, ...], int] = {}

    def visit(node: Any, path: tuple[str, ...]) -> None:
        for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
            inner = (*path, str(key.value))
            lines[inner] = key.start_mark.line + 1
            visit(value, inner)

    visit(root, ())
    return values, lambda path: _place(name, lines, path)


def _place(name: str, lines: Mapping[tuple[str, ...], int], path: tuple[str, ...]) -> str:
    line = lines.get(path)
    return name if line is None else f"{name}, line {line}"
