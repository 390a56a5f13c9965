"""The reference: pages about the public modules, made of their docstrings."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from typing import Any

MODULES = {
    "septet": "Tensors, functions, transforms",
    "septet.nn": "Layers",
    "septet.nn.losses": "Losses",
    "septet.nn.initializers": "Initializers",
    "septet.optim": "Optimizers",
    "septet.optim.schedules": "Schedules of learning rates",
    "septet.metrics": "Metrics",
    "septet.data": "Data",
    "septet.data.images": "Augmentation of images",
    "septet.train": "Training",
    "septet.io": "Saving and loading",
    "septet.view": "Pictures",
    "septet.random": "Random numbers",
    "septet.linalg": "Linear algebra",
    "septet.fft": "Fourier transforms",
}
"""The modules that have a page, and its title."""

_SECTION = re.compile(r"^([A-Z][A-Za-z ]+)\n-{3,}$", re.MULTILINE)
_ENTRY = re.compile(r"^(\*{0,2}[\w*.]+(?:, \*{0,2}[\w.]+)*)(?: : (.*))?$")
_LISTS = {"Parameters", "Attributes", "Raises", "Returns"}


def pages() -> dict[str, tuple[str, str]]:
    """Return title and text of each page, by its path below docs/."""
    return {f"reference/{name}.md": (title, page(name, title)) for name, title in MODULES.items()}


def page(name: str, title: str) -> str:
    """Return the page of a module."""
    module = find(name)
    short = name.replace("septet", "st", 1)
    about = re.sub(r"^F\d: (\w)", lambda match: match[1].upper(), inspect.getdoc(module) or "")  # no floors here
    parts = [f"# {title}\n\n`{name}`", markdown(about) if inspect.ismodule(module) else ""]
    for member, value in members(module):
        head = f"{short}.{member}"
        parts.append(
            f"## {head}\n\n```python\n{signature(head, value)}\n```\n\n{markdown(inspect.getdoc(value) or '')}"
        )
        if inspect.isclass(value):
            for method, function in methods(value):
                call = signature(method, function)
                parts.append(f"**`{call}`**\n\n{markdown(inspect.getdoc(function) or '')}")
    return "\n\n".join(part for part in parts if part) + "\n"


def find(name: str) -> Any:
    """Return a module or a namespace of functions, such as ``septet.linalg``."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        package, _, last = name.rpartition(".")
        return getattr(importlib.import_module(package), last)


def members(module: Any) -> Iterator[tuple[str, Any]]:
    """Go through the public functions and classes of a module."""
    names = getattr(module, "__all__", None) or [name for name in dir(module) if not name.startswith("_")]
    for name in sorted(set(names), key=str.lower):
        value = getattr(module, name)
        is_ours = (getattr(value, "__module__", None) or "").startswith("septet")
        if not name.startswith("_") and callable(value) and (is_ours or not hasattr(module, "__all__")):
            yield name, value


def methods(cls: type) -> Iterator[tuple[str, Any]]:
    """Go through the public methods that a class defines itself and documents."""
    for name, value in vars(cls).items():
        if not name.startswith("_") and inspect.isfunction(value) and inspect.getdoc(value):
            yield name, value


def signature(name: str, value: Any) -> str:
    """Return a call as it may be written, without annotations."""
    try:
        found = inspect.signature(value)
    except (TypeError, ValueError):
        return name
    parameters = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for word, parameter in found.parameters.items()
        if word != "self"
    ]
    text = str(found.replace(parameters=parameters, return_annotation=inspect.Signature.empty))
    return name + re.sub(r" at 0x[0-9a-f]+", "", text)


def markdown(text: str) -> str:
    """Return a docstring as Markdown: its sections with bold titles, parameters as lists, examples as code."""
    text = text.replace("``", "`")
    parts = _SECTION.split(text)
    found = [_prose(parts[0])]
    for title, body in zip(parts[1::2], parts[2::2], strict=True):
        found.append(f"**{title}**")
        found.append(_list(body) if title in _LISTS else _prose(body))
    return "\n\n".join(part for part in found if part)


def _prose(text: str) -> str:
    """Return text, in which examples at the prompt are blocks of code."""
    found = []
    for block in re.split(r"\n\s*\n", inspect.cleandoc(text)):
        if block.lstrip().startswith(">>>"):
            found.append(f"```pycon\n{block}\n```")
        else:
            found.append(_escape(block))
    return "\n\n".join(part for part in found if part.strip())


def _list(text: str) -> str:
    """Return the entries of a section as a list."""
    found: list[list[str]] = []
    for line in inspect.cleandoc(text).splitlines():
        if line and not line.startswith(" "):
            entry = _ENTRY.match(line)
            names = f"`{entry[1]}`" + (f": {_escape(entry[2])}" if entry[2] else "") if entry else _escape(line)
            found.append([f"- {names}"])
        elif line.strip() and found:
            found[-1].append(f"    {_escape(line.strip())}")
    return "\n".join("\n".join(lines[:1] + ([""] if len(lines) > 1 else []) + lines[1:]) for lines in found)


def _escape(text: str) -> str:
    """Keep Markdown from taking signs of mathematics for its own, outside of code."""
    pieces = re.split(r"(`[^`]*`)", text)
    return "".join(piece if piece.startswith("`") else re.sub(r"([*_<|\[\]])", r"\\\1", piece) for piece in pieces)
