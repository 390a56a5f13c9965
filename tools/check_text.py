"""Check the text of the files that git tracks.

The rules, by the name that a finding carries:

    mention      no file names a path of the machine it was written on, a package registry's host or a document that is
                 not in the repository
    length       a Python file of septet/ has at most MAX_LINES lines
    docstring    a public function, class or method in DOCUMENTED has a docstring (an override inherits the docstring of
                 the method that it overrides, as inspect.getdoc() sees it; private names, dunders, overloads and
                 property setters need none)

Usage: python tools/check_text.py [ROOT]      (the exit status is 1 when there are findings)
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGE = "septet"
MAX_LINES = 1000
DOCUMENTED = ("base", "graph", "ops", "tensor", "transform", "nn", "optim", "data")


def join(*pieces: str) -> str:
    """Join the pieces of a forbidden text, which would otherwise stand in this file."""
    return "".join(pieces)


# These folders count at the start of a path only, not inside a longer one.
START = r"(?<![\w.~-])"
FORBIDDEN = [
    re.compile(START + join("/wo", "rk/"), re.ASCII),
    re.compile(START + join("/ro", "ot/"), re.ASCII),
    re.compile(join("share", "d/(design|style|wish", r"es)\.md")),
    *(
        re.compile(re.escape(host), re.IGNORECASE)
        for host in (
            join("py", "pi.org"),
            join("python", "hosted.org"),
            join("registry.", "npmjs"),
            join("npm", "js.com"),
            join("crates", ".io"),
            join("deb.", "debian.org"),
            join("security.", "debian.org"),
            join("conda.", "anaconda.org"),
            join("proxy.", "golang.org"),
            join("repo.maven.", "apache.org"),
            join("ruby", "gems.org"),
        )
    ),
]


@dataclass(frozen=True)
class Finding:
    """One broken rule at one place."""

    path: str
    line: int
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: [{self.rule}] {self.message}"


def tracked_files(root: Path) -> list[str]:
    """Return the paths, relative to `root`, of the files that git tracks and that are there."""
    listing = subprocess.run(["git", "-C", str(root), "ls-files", "-z"], capture_output=True, check=True).stdout
    names = [name for name in listing.decode().split("\0") if name]
    return [name for name in names if (root / name).is_file()]


def read_text(path: Path) -> str | None:
    """Return the text of a file, or None when it is not text."""
    content = path.read_bytes()
    if b"\0" in content:
        return None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return None


def check_mentions(path: str, text: str) -> Iterator[Finding]:
    """Find forbidden mentions, in the file's own name too."""
    for number, line in enumerate([path, *text.splitlines()]):
        for pattern in FORBIDDEN:
            if match := pattern.search(line):
                yield Finding(path, max(number, 1), "mention", f"{match[0]!r} does not belong in the repository")


def check_length(path: str, text: str) -> Iterator[Finding]:
    """Find Python files of the package that have grown too long."""
    lines = len(text.splitlines())
    if path.startswith(PACKAGE + "/") and path.endswith(".py") and lines > MAX_LINES:
        yield Finding(path, MAX_LINES + 1, "length", f"{lines} lines; the limit is {MAX_LINES}: split it by subject")


# --- docstrings

Function = ast.FunctionDef | ast.AsyncFunctionDef


def last_name(node: ast.expr) -> str:
    """Return the last name of a dotted expression such as a base class or a decorator: typing.overload -> overload."""
    if isinstance(node, ast.Call | ast.Subscript):
        return last_name(node.func if isinstance(node, ast.Call) else node.value)
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def is_exempt(function: Function) -> bool:
    """Say whether a function needs no docstring whatever its place."""
    decorators = {last_name(decorator) for decorator in function.decorator_list}
    return function.name.startswith("_") or bool(decorators & {"overload", "setter", "deleter"})


def statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements of a body, with those inside if, try and with blocks."""
    for statement in body:
        yield statement
        if isinstance(statement, ast.If | ast.Try | ast.With):
            for name in ("body", "orelse", "finalbody"):
                yield from statements(getattr(statement, name, []))
            for handler in getattr(statement, "handlers", []):
                yield from statements(handler.body)


class ClassIndex:
    """The classes of the package by name: their bases, and the methods that carry a docstring."""

    def __init__(self, trees: list[ast.Module]) -> None:
        self.bases: dict[str, set[str]] = {}
        self.documented: dict[str, set[str]] = {}
        for tree in trees:
            for node in ast.walk(tree):
                if isinstance(node, ast.ClassDef):
                    self.bases.setdefault(node.name, set()).update(last_name(base) for base in node.bases)
                    methods = (s for s in statements(node.body) if isinstance(s, Function) and ast.get_docstring(s))
                    self.documented.setdefault(node.name, set()).update(method.name for method in methods)

    def inherits_docstring(self, name: str, method: str) -> bool:
        """Say whether a class overrides a method that one of its bases, near or far, documents."""
        waiting, seen = set(self.bases.get(name, ())), {name}
        while waiting:
            base = waiting.pop()
            if base not in seen:
                seen.add(base)
                if method in self.documented.get(base, ()):
                    return True
                waiting |= self.bases.get(base, set())
        return False


def check_docstrings(path: str, tree: ast.Module, classes: ClassIndex) -> Iterator[Finding]:
    """Find public functions, classes and methods without a docstring."""

    def missing(node: Function | ast.ClassDef, kind: str, name: str) -> Finding:
        return Finding(path, node.lineno, "docstring", f"public {kind} {name} has no docstring")

    def check_class(node: ast.ClassDef, name: str) -> Iterator[Finding]:
        if not ast.get_docstring(node):
            yield missing(node, "class", name)
        for statement in statements(node.body):
            if isinstance(statement, ast.ClassDef) and not statement.name.startswith("_"):
                yield from check_class(statement, f"{name}.{statement.name}")
            elif isinstance(statement, Function) and not is_exempt(statement) and not ast.get_docstring(statement):
                if not classes.inherits_docstring(node.name, statement.name):
                    yield missing(statement, "method", f"{name}.{statement.name}")

    for statement in statements(tree.body):
        if isinstance(statement, ast.ClassDef) and not statement.name.startswith("_"):
            yield from check_class(statement, statement.name)
        elif isinstance(statement, Function) and not is_exempt(statement) and not ast.get_docstring(statement):
            yield missing(statement, "function", statement.name)


def check(root: Path, paths: list[str]) -> list[Finding]:
    """Return every finding in the named files under `root`, sorted by place."""
    texts = {path: text for path in paths if (text := read_text(root / path)) is not None}
    trees = {p: ast.parse(t, p) for p, t in texts.items() if p.startswith(PACKAGE + "/") and p.endswith(".py")}
    classes = ClassIndex(list(trees.values()))
    findings: set[Finding] = set()
    for path, text in texts.items():
        findings.update(check_mentions(path, text))
        findings.update(check_length(path, text))
        if path in trees and path.split("/")[1] in DOCUMENTED:
            findings.update(check_docstrings(path, trees[path], classes))
    return sorted(findings, key=lambda f: (f.path, f.line, f.rule, f.message))


def main(arguments: list[str]) -> int:
    """Print the findings; return the exit status."""
    root = Path(arguments[0]) if arguments else Path(__file__).resolve().parent.parent
    paths = tracked_files(root)
    findings = check(root, paths)
    for finding in findings:
        print(finding)
    print(f"text: {len(paths)} files, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
