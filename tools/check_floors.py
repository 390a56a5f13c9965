"""Check that imports in septet/ point down the floors and never run in a circle.

Every module is parsed, none is imported. The rules, by the name that a finding carries:

    floor      a module imports from its own folder and from lower floors only (imports inside functions and under
               TYPE_CHECKING count too: they are knowledge of the floor above all the same)
    sibling    folders of one floor do not import each other; what is allowed stands in SIBLINGS
    backend    the parts of backends/ import themselves and backends/base* only
    dialect    the parts of dialects/ import themselves, and those that DIALECTS says they are made of
    root       only the upper floors import the package `septet` itself, which gathers all the others
    cycle      no import cycle at module level (TYPE_CHECKING blocks and functions do not run at import time)
    local      an import inside a function is for optional or heavy modules (LOCAL_THIRD_PARTY, LOCAL_STANDARD), or for
               the lazy loading that LAZY_PLACES and LAZY_MODULES do; it is no way around a cycle
    dynamic    the module named in an import_module() call can be read off the source
    extra      a module of an optional extra is never imported at module level
    test-only  what is installed for the tests only is never imported
    missing    an imported module of septet exists
    unknown    a folder or module directly under septet/ has its floor in FLOORS

Usage: python tools/check_floors.py [ROOT]      (ROOT holds septet/; the exit status is 1 when there are findings)
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

PACKAGE = "septet"

FLOORS = {
    "base": 0,
    "graph": 1,
    "ops": 2,
    "tensor": 3,
    "transform": 4,
    "optimize": 4,
    "backends": 5,
    "run": 6,
    "nn": 7,
    "optim": 7,
    "data": 7,
    "train": 7,
    "metrics": 7,
    "io": 7,
    "parallel": 7,
    "view": 7,
    "dialects": 8,
    "cli": 9,
    "__main__": 9,
}
# folder -> the folders of its own floor that it may import
SIBLINGS = {name: {"nn"} for name in ("optim", "train", "metrics", "io", "parallel", "view")} | {"__main__": {"cli"}}
SIBLINGS["train"] = {"nn", "optim", "metrics", "data", "io"}  # training brings the others together
# dialect -> the dialects that it is made of
DIALECTS = {"lasagne": {"theano"}}
# who may write `import septet` or `from septet import Tensor`
ROOT_IMPORTERS = {"dialects", "cli", "__main__"}
# where imports inside functions may name septet's own modules: the public names and the commands load lazily
LAZY_PLACES = {"", "dialects", "cli", "__main__"}
# the first program loads the optimizer and the backend that it needs, the first hot graph what compiles it, looking
# at a program what describes it, and the first product, convolution and pooling what plans and writes them
LAZY_MODULES = {
    "septet.run.programs", "septet.run.tiers", "septet.backends.reference.program", "septet.backends.cpu.native",
    "septet.backends.cpu.ops.library", "septet.backends.cpu.program",
    "septet.optimize.pipeline",
}  # fmt: skip

EXTRAS = {
    "matplotlib",
    "PIL",
    "scipy",
    "graphviz",
    "IPython",
    "pyarrow",
    "h5py",
    "tensorboard",
    "onnx",
    "jax",
    "torch",
    "yaml",
    "tokenizers",
    "fissix",
}
LOCAL_THIRD_PARTY = EXTRAS | {"rich", "click", "safetensors", "ml_dtypes", "numpy", "llvmlite"}
LOCAL_STANDARD = frozenset(
    """
    argparse ast asyncio cProfile concurrent csv ctypes difflib doctest gzip hashlib html http importlib inspect json
    linecache logging multiprocessing pdb platform pprint pstats queue shutil signal socket statistics subprocess
    tarfile tempfile textwrap threading timeit tokenize traceback tracemalloc unittest urllib uuid webbrowser xml
    zipfile zlib
    """.split()  # noqa: SIM905 (one name per line would fill a page)
)
TEST_ONLY = {"pytest", "hypothesis", "sklearn", "mpmath"}


@dataclass(frozen=True)
class Finding:
    """One broken rule at one place."""

    path: str
    line: int
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: [{self.rule}] {self.message}"


@dataclass(frozen=True)
class Import:
    """One imported name: `module` is its absolute dotted name, `name` what a `from` import takes out of it."""

    line: int
    module: str
    name: str | None = None
    local: bool = False  # inside a function or lambda
    typing: bool = False  # under TYPE_CHECKING
    readable: bool = True  # False: import_module() of a name that only the running program knows
    prefix: bool = False  # import_module() of an f-string: `module` is the package that its constant start names


@dataclass
class Module:
    """One parsed file: its dotted name, its path as shown, its imports."""

    name: str
    path: str
    is_package: bool
    imports: list[Import] = field(default_factory=list)

    @property
    def folder(self) -> str:
        """The name directly under the package; empty for the package's own __init__.py."""
        parts = self.name.split(".")
        return parts[1] if len(parts) > 1 else ""


class ImportCollector(ast.NodeVisitor):
    """Collect the imports of one file, with what surrounds each."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.functions = 0
        self.typing = 0

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for outside in (*node.decorator_list, *node.args.defaults, *(d for d in node.args.kw_defaults if d)):
            self.visit(outside)
        self.functions += 1
        for statement in node.body:
            self.visit(statement)
        self.functions -= 1

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self.functions += 1
        self.visit(node.body)
        self.functions -= 1

    def visit_If(self, node: ast.If) -> None:
        guard = node.test
        name = guard.attr if isinstance(guard, ast.Attribute) else guard.id if isinstance(guard, ast.Name) else ""
        self.visit(guard)
        self.typing += name == "TYPE_CHECKING"
        for statement in node.body:
            self.visit(statement)
        self.typing -= name == "TYPE_CHECKING"
        for statement in node.orelse:
            self.visit(statement)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.add(node.lineno, alias.name)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = node.module or ""
        if node.level:
            here = self.module.name.split(".")
            drop = node.level - self.module.is_package
            package = here[: len(here) - drop] if drop else here
            module = ".".join([*package, *([module] if module else [])])
        for alias in node.names:
            self.add(node.lineno, module, None if alias.name == "*" else alias.name)

    def visit_Call(self, node: ast.Call) -> None:
        function = node.func
        name = (
            function.attr
            if isinstance(function, ast.Attribute)
            else function.id
            if isinstance(function, ast.Name)
            else ""
        )
        if name in ("import_module", "__import__") and node.args:
            target = node.args[0]
            if isinstance(target, ast.Constant) and isinstance(target.value, str) and not target.value.startswith("."):
                self.add(node.lineno, target.value)
            else:
                start = target.values[0] if isinstance(target, ast.JoinedStr) and target.values else None
                text = start.value if isinstance(start, ast.Constant) and isinstance(start.value, str) else ""
                prefix = text.rpartition(".")[0]
                self.add(node.lineno, prefix or "?", readable=prefix not in ("", PACKAGE), prefix=True)
        self.generic_visit(node)

    def add(self, line: int, module: str, name: str | None = None, readable: bool = True, prefix: bool = False) -> None:
        found = Import(line, module, name, self.functions > 0, self.typing > 0, readable, prefix)
        self.module.imports.append(found)


def read_tree(root: Path) -> dict[str, Module]:
    """Parse every module of the package under `root`, keyed by dotted name."""
    modules = {}
    for path in sorted((root / PACKAGE).rglob("*.py")):
        relative = path.relative_to(root)
        parts = list(relative.with_suffix("").parts)
        is_package = parts[-1] == "__init__"
        module = Module(".".join(parts[:-1] if is_package else parts), relative.as_posix(), is_package)
        ImportCollector(module).visit(ast.parse(path.read_text(encoding="utf-8"), filename=str(path)))
        modules[module.name] = module
    return modules


def resolve(found: Import, modules: dict[str, Module]) -> str:
    """Return the dotted name that an import reaches: the submodule when `from package import name` names one."""
    if found.name is not None and f"{found.module}.{found.name}" in modules:
        return f"{found.module}.{found.name}"
    return found.module


def is_ours(name: str) -> bool:
    """Say whether a dotted name lies in the package."""
    return name.split(".")[0] == PACKAGE


def check_third_party(module: Module, found: Import) -> Iterator[Finding]:
    """Check an import of something outside the package."""
    top = found.module.split(".")[0]
    if not found.readable:
        if module.folder not in LAZY_PLACES:
            yield Finding(
                module.path, found.line, "dynamic", "import_module() of a name that cannot be read off the source"
            )
    elif top in TEST_ONLY:
        yield Finding(module.path, found.line, "test-only", f"{top} is installed for the tests only")
    elif not found.local and not found.typing and top in EXTRAS:
        message = f"{top} belongs to an optional extra: import it in the function that uses it"
        yield Finding(module.path, found.line, "extra", message)
    elif found.local and top not in LOCAL_THIRD_PARTY | LOCAL_STANDARD:
        message = f"{top} is imported inside a function; it is neither optional nor heavy: import it at the top"
        yield Finding(module.path, found.line, "local", message)


def check_floor(module: Module, found: Import, target: str) -> Iterator[Finding]:
    """Check that an import of the package's own `target` points down."""
    parts = target.split(".")
    folder = parts[1] if len(parts) > 1 else ""
    if module.folder == "":
        return
    if folder == "":
        if module.folder not in ROOT_IMPORTERS:
            message = f"{module.name} imports {PACKAGE} itself, which imports everything: name the module that is meant"
            yield Finding(module.path, found.line, "root", message)
        return
    here, there = FLOORS.get(module.folder), FLOORS.get(folder)
    if here is None or there is None or folder == module.folder:
        return
    if there > here:
        message = f"{module.name} (F{here} {module.folder}) imports {target} (F{there} {folder}), a higher floor"
        yield Finding(module.path, found.line, "floor", message)
    elif there == here and folder not in SIBLINGS.get(module.folder, ()):
        allowed = ", ".join(sorted(SIBLINGS.get(module.folder, ()))) or "none"
        message = f"{module.name} imports {target}, a sibling on F{here} (allowed here: {allowed})"
        yield Finding(module.path, found.line, "sibling", message)


def check_backend(module: Module, found: Import, target: str) -> Iterator[Finding]:
    """Check that the parts of backends/ stay apart."""
    here, there = module.name.split("."), target.split(".")
    if here[1:2] != ["backends"] or there[1:2] != ["backends"] or len(here) < 3 or len(there) < 3:
        return
    if there[2] != here[2] and not there[2].startswith("base"):
        message = f"{module.name} imports {target}: backends share backends/base* only"
        yield Finding(module.path, found.line, "backend", message)


def check_dialect(module: Module, found: Import, target: str) -> Iterator[Finding]:
    """Check that a dialect imports no other one but those that it is made of."""
    here, there = module.name.split("."), target.split(".")
    if here[1:2] != ["dialects"] or there[1:2] != ["dialects"] or len(here) < 3 or len(there) < 3:
        return
    if there[2] != here[2] and there[2] not in DIALECTS.get(here[2], ()) and here[2] != "__main__":
        allowed = ", ".join(sorted(DIALECTS.get(here[2], ()))) or "none"
        yield Finding(module.path, found.line, "dialect", f"{module.name} imports {target} (allowed here: {allowed})")


def check_imports(modules: dict[str, Module]) -> Iterator[Finding]:
    """Check every import by itself; cycles are looked for elsewhere."""
    for module in modules.values():
        if module.folder and module.folder not in FLOORS:
            yield Finding(module.path, 1, "unknown", f"{PACKAGE}/{module.folder} has no floor in tools/check_floors.py")
        for found in module.imports:
            if not is_ours(found.module) or not found.readable:
                yield from check_third_party(module, found)
                continue
            target = resolve(found, modules)
            if target not in modules:
                yield Finding(module.path, found.line, "missing", f"there is no module {target}")
                continue
            yield from check_floor(module, found, target)
            yield from check_backend(module, found, target)
            yield from check_dialect(module, found, target)
            is_lazy = module.folder in LAZY_PLACES or module.name in LAZY_MODULES
            if found.local and not found.prefix and not is_lazy:
                message = f"{target} is imported inside a function; {PACKAGE}'s own modules are imported at the top"
                yield Finding(module.path, found.line, "local", message)


def import_edges(modules: dict[str, Module]) -> dict[str, dict[str, int]]:
    """Return, for each module, the modules that importing it runs, each with the line that asks for it."""
    edges: dict[str, dict[str, int]] = {name: {} for name in modules}
    for module in modules.values():
        for found in module.imports:
            if found.local or found.typing or not is_ours(found.module):
                continue
            target = resolve(found, modules)
            # Importing a.b.c also runs a and a.b, unless the importer lies inside them: then they are running already.
            while target:
                inside = module.name == target or module.name.startswith(target + ".")
                asked_for = target == resolve(found, modules)
                if target in modules and target != module.name and (asked_for or not inside):
                    edges[module.name].setdefault(target, found.line)
                target = target.rpartition(".")[0]
    return edges


def strong_components(edges: dict[str, dict[str, int]]) -> list[list[str]]:
    """Return the strongly connected components of more than one module (Tarjan's algorithm, without recursion)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    on_stack: set[str] = set()
    components = []
    for start in edges:
        if start in index:
            continue
        work = [(start, iter(edges[start]))]
        index[start] = low[start] = len(index)
        stack.append(start)
        on_stack.add(start)
        while work:
            node, successors = work[-1]
            for successor in successors:
                if successor not in index:
                    index[successor] = low[successor] = len(index)
                    stack.append(successor)
                    on_stack.add(successor)
                    work.append((successor, iter(edges[successor])))
                    break
                if successor in on_stack:
                    low[node] = min(low[node], index[successor])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    cut = stack.index(node)
                    component = stack[cut:]
                    del stack[cut:]
                    on_stack.difference_update(component)
                    if len(component) > 1:
                        components.append(sorted(component))
    return components


def shortest_cycle(component: list[str], edges: dict[str, dict[str, int]]) -> list[str]:
    """Return a shortest cycle through the first module of a strongly connected component."""
    start, inside = component[0], set(component)
    paths = [[start]]
    seen = {start}
    while True:
        path = paths.pop(0)
        for successor in edges[path[-1]]:
            if successor == start:
                return [*path, start]
            if successor in inside and successor not in seen:
                seen.add(successor)
                paths.append([*path, successor])


def check_cycles(modules: dict[str, Module]) -> Iterator[Finding]:
    """Report one cycle for every strongly connected component."""
    edges = import_edges(modules)
    for component in strong_components(edges):
        path = shortest_cycle(component, edges)
        steps = [f"{modules[a].path}:{edges[a][b]} imports {b}" for a, b in pairwise(path)]
        message = f"import cycle ({len(component)} modules are tied together): " + "; ".join(steps)
        yield Finding(modules[path[0]].path, edges[path[0]][path[1]], "cycle", message)


def check(root: Path) -> list[Finding]:
    """Return every finding in the tree under `root`, sorted by place."""
    modules = read_tree(root)
    return sorted({*check_imports(modules), *check_cycles(modules)}, key=lambda f: (f.path, f.line, f.rule, f.message))


def local_imports(root: Path) -> dict[str, list[str]]:
    """Return the modules that are imported inside functions, each with the places where."""
    places: dict[str, list[str]] = {}
    modules = read_tree(root)
    for module in modules.values():
        for found in module.imports:
            if found.local:
                places.setdefault(resolve(found, modules), []).append(f"{module.path}:{found.line}")
    return dict(sorted(places.items()))


def main(arguments: list[str]) -> int:
    """Print the findings and the imports inside functions; return the exit status."""
    root = Path(arguments[0]) if arguments else Path(__file__).resolve().parent.parent
    if not (root / PACKAGE).is_dir():
        print(f"floors: no folder {PACKAGE}/ under {root}")
        return 2
    local = local_imports(root)
    if local:
        print("imports inside functions:")
        for name, places in local.items():
            print(f"    {name}: {', '.join(sorted(set(places)))}")
    findings = check(root)
    for finding in findings:
        print(finding)
    print(f"floors: {len(read_tree(root))} modules, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
