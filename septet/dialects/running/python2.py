"""Source of Python 2 to code that Python 3 runs, with Python 2's meaning; the lines stay those of the file.

What Python 3 cannot parse is rewritten by `fissix`, which is lib2to3 kept alive. What parses and means something else
(``/`` of integers, ``encode`` and ``decode`` of byte strings) is rewritten in the syntax tree; what only has another
name or another result (``xrange``, ``map`` ...) is left to `python2_names`.
"""

from __future__ import annotations

import ast
import difflib
import functools
import io
import re
import tokenize
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType
from typing import Any

from septet.base.errors import LibraryError

__all__ = [
    "compile_python2",
    "imports_neighbours",
    "is_parsed_as_python2",
    "parse",
    "quiet",
    "read_source",
    "says_python2",
]

FIXERS = tuple(
    """
    dict except exec funcattrs has_key import metaclass methodattrs ne next nonzero numliterals paren print
    raise repr sys_exc throw tuple_params xreadlines
    """.split()  # noqa: SIM905 (one name per line would fill a page)
)
"""The fixers of fissix that rewrite syntax and methods. Names are no matter of the source: see `python2_names`."""

_BYTE = 255
_SHEBANG = re.compile(r"#!.*\bpython2")
_METHODS = frozenset({"__eq__", "__cmp__", "__div__", "__rdiv__", "__idiv__", "__getslice__", "__setslice__"})
_READING = {"read": "_septet_read", "readline": "_septet_lines", "readlines": "_septet_lines", "pack": "_septet_read"}
ONLY_PYTHON2 = frozenset(
    """
    cPickle cStringIO StringIO urllib2 urlparse httplib cookielib ConfigParser Queue SocketServer Tkinter __builtin__
    commands copy_reg thread UserDict UserList anydbm exceptions sets md5 sha HTMLParser htmlentitydefs xmlrpclib
    """.split()  # noqa: SIM905 (one name per line would fill a page)
)
"""Modules that no Python 3 has: who imports one of them without further ado is a program of Python 2."""


def read_source(content: bytes) -> str:
    """Return the text of a source file, in its declared encoding, else UTF-8, else latin1 as Python 2 took it."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        text = content.decode(encoding)
    except (SyntaxError, UnicodeDecodeError):
        text = content.decode("latin1")
    return text.replace("\r\n", "\n").replace("\r", "\n")


_ESCAPES_OF_UNICODE = re.compile(r"(?s)\\(?:[uUN]|.)")


def _literal(text: str) -> str:
    """Return a literal of Python 2 in Python 3's form: ``\\u`` in a byte string is no escape, in ``ur"..."`` it is one."""
    quote = re.match("[a-zA-Z]*", text)
    assert quote is not None
    prefix, rest = quote[0].lower(), text[quote.end() :]
    if prefix == "ur":
        return "u" + re.sub(r"\\(?!u)", r"\\\\", rest)
    if prefix == "":
        return _ESCAPES_OF_UNICODE.sub(lambda match: "\\" * (match[0][1] in "uUN") + match[0], rest)
    return text


@functools.cache
def _tool() -> Any:
    try:
        from fissix.fixer_base import BaseFix
        from fissix.refactor import RefactoringTool
    except ImportError as error:
        raise LibraryError(
            "--py2: programs of Python 2 are translated by fissix, which is not installed",
            hint="pip install 'septet[py2]'",
        ) from error

    class Literals(BaseFix):
        """Texts in which a backslash means something else since."""

        BM_compatible = True
        PATTERN = "STRING"

        def transform(self, node: Any, results: Any) -> None:
            """Write a literal anew where it needs it."""
            found = _literal(node.value)
            if found != node.value:
                node.value = found
                node.changed()

    class Tool(RefactoringTool):
        """The translator, without its remarks."""

        def get_fixers(self) -> Any:
            """Return the fixers, with ours."""
            before, after = super().get_fixers()
            return before, [*after, Literals(self.options, self.fixer_log)]

        def log_message(self, msg: str, *args: Any) -> None:
            """Say nothing."""

        log_debug = log_message

    return Tool([f"fissix.fixes.fix_{name}" for name in FIXERS], explicit=())


def translate(source: str, filename: str) -> str:
    """Return source of Python 2 in the syntax of Python 3.

    Raises
    ------
    SyntaxError
        When it is no Python 2 either.
    LibraryError
        When the translator is not installed.
    """
    tool = _tool()
    from fissix.pgen2.parse import ParseError
    from fissix.pgen2.tokenize import TokenError

    try:
        tree = tool.refactor_string(source if source.endswith("\n") else source + "\n", filename)
    except ParseError as error:
        line, column = error.context[1] if error.context else (1, 0)
        lines = source.splitlines()
        text = lines[line - 1] if line <= len(lines) else ""
        raise SyntaxError("this is no Python 2", (filename, line, column + 1, text)) from None
    except TokenError as error:
        raise SyntaxError(str(error.args[0]), (filename, *error.args[1], "")) from None
    return source if tree is None else str(tree)


def is_parsed_as_python2(source: str) -> bool | None:
    """Tell whether a source that Python 3 refuses is one of Python 2; None where the translator is not installed."""
    try:
        translate(source, "")
    except LibraryError:
        return None
    except SyntaxError:
        return False
    return True


def says_python2(source: str) -> str | None:
    """Return why a program is one of Python 2 beyond doubt; None where it may be either.

    Its first line may name that interpreter; or it imports, unconditionally, a module that Python 3 does not have.
    """
    if _SHEBANG.match(source):
        return "its first line says so"
    try:
        tree = parse(source, "")
    except SyntaxError:
        return None
    for line, name in _imports(tree):
        if name in ONLY_PYTHON2:
            return f"line {line} imports {name}"
    return None


def _imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield the lines and the outermost names of what a module imports, unconditionally and not from its package."""
    for statement in tree.body:
        if isinstance(statement, ast.Import):
            names = [alias.name for alias in statement.names]
        elif isinstance(statement, ast.ImportFrom) and not statement.level:
            names = [statement.module or ""]
        else:
            continue
        for name in names:
            yield statement.lineno, name.partition(".")[0]


def imports_neighbours(tree: ast.Module, filename: str) -> bool:
    """Tell whether a module of a package imports one beside it as if that stood alone, which only Python 2 takes."""
    folder = Path(filename).parent
    if not (folder / "__init__.py").is_file():
        return False
    return any((folder / f"{name}.py").is_file() for _, name in _imports(tree))


class _Meaning(ast.NodeTransformer):
    """Give ``/``, texts without ``u`` and methods of texts, files and lists the meaning that they had."""

    def __init__(self, tree: ast.Module, source: str) -> None:
        future = {
            alias.name
            for statement in tree.body
            if isinstance(statement, ast.ImportFrom) and statement.module == "__future__"
            for alias in statement.names
        }
        self.divides_integers = "division" not in future
        self.has_bytes = "unicode_literals" not in future
        self.source = source

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        """``"..."``: a byte string, of which each byte that is no ASCII becomes one lone surrogate."""
        value = node.value
        if not isinstance(value, str) or value.isascii() or node.kind == "u" or not self.has_bytes:
            return node
        written = ast.get_source_segment(self.source, node) or ""
        content = b"".join(sign.encode("utf-8" if sign in written or ord(sign) > _BYTE else "latin1") for sign in value)
        return ast.copy_location(ast.Constant(content.decode("ascii", "surrogateescape")), node)

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        """``a / b``."""
        self.generic_visit(node)
        if self.divides_integers and isinstance(node.op, ast.Div):
            return _call("_septet_divide", node, [node.left, node.right])
        return node

    def visit_AugAssign(self, node: ast.AugAssign) -> Any:
        """``a /= b``, with the parts of the target evaluated once."""
        self.generic_visit(node)
        if not self.divides_integers or not isinstance(node.op, ast.Div):
            return node
        before: list[ast.stmt] = []
        temporary: list[str] = []

        def kept(value: ast.expr) -> ast.expr:
            name = f"_septet_{len(temporary)}"
            temporary.append(name)
            before.append(ast.Assign([ast.Name(name, ast.Store())], value))
            return ast.Name(name, ast.Load())

        target: Any = node.target
        if isinstance(target, ast.Attribute):
            parts: dict[str, Any] = {"value": kept(target.value), "attr": target.attr}
        elif isinstance(target, ast.Subscript):
            parts = {"value": kept(target.value), "slice": kept(_index(target.slice))}
        else:
            parts = {"id": target.id}
        kind = type(target)
        result = _call("_septet_divide_in_place", node, [kind(**parts, ctx=ast.Load()), node.value])
        made = [*before, ast.Assign([kind(**parts, ctx=ast.Store())], result)]
        if temporary:
            made.append(ast.Delete([ast.Name(name, ast.Del()) for name in temporary]))
        return [ast.fix_missing_locations(ast.copy_location(statement, node)) for statement in made]

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> ast.AST:
        """``except E, e``: the name stays after the block."""
        self.generic_visit(node)
        if node.name is not None:
            kept = ast.Assign([ast.Name(node.name, ast.Store())], ast.Name("_septet_error", ast.Load()))
            node.body.insert(0, ast.fix_missing_locations(ast.copy_location(kept, node)))
            node.name = "_septet_error"
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        """``class``: methods with a meaning of their own are known by other names since."""
        self.generic_visit(node)
        if any(isinstance(each, ast.FunctionDef) and each.name in _METHODS for each in node.body):
            decorator = ast.Name("_septet_class", ast.Load())
            node.decorator_list.append(ast.fix_missing_locations(ast.copy_location(decorator, node)))
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Methods of texts, of what files give, ``unicode(text, encoding)``, ``values.sort(compare)``."""
        self.generic_visit(node)
        function = node.func
        if isinstance(function, ast.Name) and function.id == "unicode" and len(node.args) + len(node.keywords) > 1:
            return _call("_septet_decode", node, list(node.args), node.keywords)
        if isinstance(function, ast.Attribute) and function.attr == "sort":
            if len(node.args) == 1 or any(keyword.arg == "cmp" for keyword in node.keywords):
                return _call("_septet_sort", node, [function.value, *node.args], node.keywords)
        if isinstance(function, ast.Attribute) and function.attr in ("encode", "decode"):
            return _call(f"_septet_{function.attr}", node, [function.value, *node.args], node.keywords)
        if (
            isinstance(function, ast.Attribute)
            and function.attr == "join"
            and len(node.args) == 1
            and not node.keywords
        ):
            if not isinstance(node.args[0], ast.Starred):
                return _call("_septet_join", node, [function.value, *node.args])
        if isinstance(function, ast.Attribute) and function.attr in _READING:
            return _call(_READING[function.attr], node, [node])
        return node


def _index(part: ast.expr) -> ast.expr:
    """Return what stands between brackets as an expression: ``a[1:2]`` is indexed by ``slice(1, 2, None)``."""
    if isinstance(part, ast.Slice):
        bounds = [each or ast.Constant(None) for each in (part.lower, part.upper, part.step)]
        return ast.Call(ast.Name("slice", ast.Load()), bounds, [])
    if isinstance(part, ast.Tuple):
        return ast.Tuple([_index(each) for each in part.elts], ast.Load())
    return part


def _call(name: str, node: ast.AST, arguments: list[ast.expr], keywords: Any = ()) -> ast.Call:
    return ast.fix_missing_locations(
        ast.copy_location(ast.Call(ast.Name(name, ast.Load()), arguments, list(keywords)), node)
    )


@contextmanager
def quiet() -> Iterator[None]:
    """Compile without warnings (``"\\d"`` in a text, ``is`` with a literal ...): nobody will change an old program."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def parse(source: str | bytes, filename: str) -> ast.Module:
    """Return the syntax tree of a source of Python 3. No frame of a library stands in the traceback of an error."""
    with quiet():
        return compile(source, filename, "exec", ast.PyCF_ONLY_AST, dont_inherit=True)


def _with_spaces(source: str) -> str:
    """Return source with tabs at the beginning of lines as Python 2 read them: up to the next multiple of eight."""
    return re.sub(r"^[ \t]*\t[ \t]*", lambda match: match[0].expandtabs(8), source, flags=re.MULTILINE)


def _move_lines(tree: ast.Module, written: str, original: str) -> None:
    """Let nodes say the lines of the original where the translator has added or taken out some."""
    new, old = written.split("\n"), original.split("\n")
    if len(new) == len(old):
        return
    lines: dict[int, int] = {}
    for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(None, new, old, autojunk=False).get_opcodes():
        for place in range(i1, i2):
            at = j1 + place - i1
            lines[place + 1] = min(at, max(j2 - 1, j1)) + 1 if tag != "equal" else at + 1
    for node in ast.walk(tree):
        if hasattr(node, "lineno"):
            first, last = node.lineno, getattr(node, "end_lineno", None) or node.lineno
            node.lineno = lines.get(first, first)
            node.end_lineno = max(lines.get(last, last), node.lineno)
            node.col_offset, node.end_col_offset = 0, 0


def tree_of_python2(source: str, filename: str) -> ast.Module:
    """Return the syntax tree of a source of Python 2, with Python 2's meaning and the source's lines.

    Raises
    ------
    SyntaxError
        When it is no Python 2.
    LibraryError
        When the translator is not installed.
    """
    written = translate(source, filename)
    try:
        tree = parse(written, filename)
    except TabError:
        written = _with_spaces(written)
        tree = parse(written, filename)
    tree = _Meaning(tree, written).visit(tree)
    _move_lines(tree, written, source if source.endswith("\n") else source + "\n")
    return tree


def compile_python2(source: str, filename: str) -> CodeType:
    """Return the code of a module of Python 2."""
    tree = tree_of_python2(source, filename)
    with quiet():
        return compile(tree, filename, "exec", dont_inherit=True)
