"""From cards and functions of nodes to what users call: functions of namespaces, methods and operators of Tensor."""

from __future__ import annotations

import functools
from collections.abc import Callable
from inspect import Parameter, Signature
from types import ModuleType
from typing import Any

from septet import ops as families
from septet.base import dtypes
from septet.base.errors import ArgumentError, DTypeError, ShapeError
from septet.graph.op import REQUIRED, Function, Op, get, imported_functions, imported_ops, record
from septet.ops.index import METHODS, NAMES
from septet.tensor.tensor import Tensor
from septet.tensor.variable import Variable
from septet.tensor.wrap import binary, binary_reversed, lift, quick, unary, unwrap, wrap


def card_function(op: Op) -> Callable[..., Any]:
    """Return the public function of a card: inputs first, then parameters, by position or by name."""
    names = () if op.is_variadic else op.input_names
    count = len(names)

    def general(*args: Any, **words: Any) -> Any:
        if count and len(args) != count:
            args, words = _place(op, args, words)
        return wrap(op(*[unwrap(a) for a in args], **words))

    function = quick(op, general)
    function.__name__ = function.__qualname__ = op.name
    function.__module__ = "septet"
    function.__doc__ = docstring(op)
    function.card = op  # type: ignore[attr-defined]
    function.__signature__ = _inspected(op)  # type: ignore[attr-defined]
    return function


def _place(op: Op, args: tuple[Any, ...], words: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Sort positional parameters and named inputs into their places."""
    count = len(op.input_names)
    inputs, rest = list(args[:count]), args[count:]
    if len(rest) > len(op.param_names):
        total = count + len(op.param_names)
        raise ArgumentError(f"{op.name} takes at most {total} arguments ({signature(op)}), got {len(args)}")
    words = dict(words)
    for name in op.input_names[len(inputs) :]:
        if name not in words:
            raise ArgumentError(f"{op.name} needs {name!r}: {signature(op)}")
        inputs.append(words.pop(name))
    for name, value in zip(op.param_names, rest, strict=False):
        if name in words:
            raise ArgumentError(f"{op.name} got {name!r} twice: {signature(op)}")
        words[name] = value
    return tuple(inputs), words


def signature(op: Op) -> str:
    """Return the call of a card as text."""
    from_defaults = [f"{name}={value!r}" for name, value in op.defaults.items()]
    return f"{op.name}({', '.join([*op.input_names, *from_defaults])})"


def _inspected(op: Op) -> Signature:
    """Return the call of a card as `inspect.signature` and editors see it."""
    either = Parameter.POSITIONAL_OR_KEYWORD
    kind: Any
    if op.is_variadic:
        inputs, kind = [Parameter("inputs", Parameter.VAR_POSITIONAL)], Parameter.KEYWORD_ONLY
    else:
        inputs, kind = [Parameter(name, either) for name in op.input_names], either
    params = [
        Parameter(name, Parameter.KEYWORD_ONLY) if value is REQUIRED else Parameter(name, kind, default=value)
        for name, value in op.defaults.items()
    ]
    return Signature(sorted([*inputs, *params], key=lambda p: p.kind))


def docstring(op: Op) -> str:
    """Write the docstring of a card's function."""
    lines = [op.summary, "", f"``{signature(op)}``", "", "Parameters", "----------"]
    lines += [f"{name} : tensor" for name in op.input_names]
    for name, text in op.param_docs.items():
        lines += [name, f"    {text}"]
    if op.notes:
        lines += ["", "Notes", "-----", op.notes]
    lines += ["", "Gradient", "--------", f"none: {op.no_gradient}" if op.no_gradient else "yes, of any order"]
    if op.reference_source:
        lines += ["", "Source", "------", op.reference_source]
    return "\n".join(lines) + "\n"


def _is_simple(op: Op, count: int) -> bool:
    return len(op.input_names) == count and not op.is_variadic and not op.param_names


def _install_operator(name: str, op: Op) -> None:
    """Give Tensor one Python operator."""
    is_reflected = _is_reflected(name)
    if is_reflected:
        method: Callable[..., Any] = binary_reversed(op)
    elif len(op.input_names) == 1:
        method = unary(op)
    else:
        method = binary(op)
    method.__name__ = name
    _operators[name] = op, method
    setattr(Tensor, name, method if _native is None else _native(op, method, is_reflected))
    in_place = f"__i{name[2:]}"
    if in_place in _IN_PLACE:
        setattr(Tensor, in_place, _in_place(op, name))


_operators: dict[str, tuple[Op, Callable[..., Any]]] = {}  # the op of each operator, and its method in Python
_native: Callable[[Op, Callable[..., Any], bool], Any] | None = None


def use_operators(native: Callable[[Op, Callable[..., Any], bool], Any] | None) -> None:
    """Give Tensor other methods for its operators.

    Parameters
    ----------
    native : callable or None
        ``native(op, method, is_reflected)`` returns what stands for a method; None for the methods themselves.
    """
    global _native
    _native = native
    for name, (op, method) in list(_operators.items()):
        setattr(Tensor, name, method if native is None else native(op, method, _is_reflected(name)))


def _is_reflected(name: str) -> bool:
    return name.startswith("__r") and name not in ("__rshift__", "__round__")


_IN_PLACE = frozenset(
    f"__i{name}__"
    for name in (
        *("add", "sub", "mul", "truediv", "floordiv", "mod", "pow"),
        *("and", "or", "xor", "lshift", "rshift", "matmul"),
    )
)


def _in_place(op: Op | None, name: str) -> Callable[[Tensor, Any], Tensor]:
    """Return the method for ``x += y``: the same handle, another node; dtype and shape stay."""

    def method(self: Tensor, other: Any) -> Tensor:
        result = getattr(self, name)(other)
        if result is NotImplemented:
            return result
        before, after = self.node.type, result.node.type
        if before is not after:
            raise ShapeError(
                f"in-place {name.strip('_')}: the result is {after!r}, the tensor is {before!r}; dtype and shape "
                "must stay",
                hint="write x = x + y to let the type change",
            )
        return rebind(self, result)

    method.__name__ = f"__i{name[2:]}"
    return method


def rebind(handle: Tensor, result: Tensor) -> Tensor:
    """Give a handle the node of another one; a variable is assigned to."""
    if isinstance(handle, Variable):
        return handle.assign(result)
    handle.node = result.node
    return handle


_entries: dict[str, dict[str, Op | Function]] = {"": {}}  # what names stand for, by namespace; "" is the main one
_methods: dict[str, Op | Function] = {}  # what methods of tensors stand for
_seen: set[Op | Function] = set()


def collect() -> None:
    """Note what the families of ops publish that were imported since the last call, and install their operators."""
    for op in imported_ops():
        if op in _seen:
            continue
        for name in op.operators:
            _install_operator(name, op)
        if op.is_public:
            for name in (op.name, *op.aliases):
                _entries[""].setdefault(name, op)
        _methods.update(dict.fromkeys(op.methods, op))
        _seen.add(op)  # at the end: another thread may be here, too
    for full, entry in imported_functions().items():
        if entry in _seen:
            continue
        space, _, name = full.rpartition(".")
        _entries.setdefault(space, {}).update(dict.fromkeys((name, *entry.aliases), entry))
        for name in entry.methods:
            if not name.startswith("__"):
                _methods[name] = entry
                continue
            setattr(Tensor, name, _operator_method(entry, name))
            if f"__i{name[2:]}" in _IN_PLACE:
                setattr(Tensor, f"__i{name[2:]}", _in_place(None, name))
        _seen.add(entry)


def names() -> set[str]:
    """Return the names of all public functions and namespaces."""
    return {*_entries[""], *_entries, *NAMES} - {""}


def find(name: str) -> Any:
    """Return the public function, or the namespace as a module, that a name stands for; None where there is none."""
    families.load(NAMES.get(name, ""))
    collect()
    if name in _entries[""]:
        return public(_entries[""][name])
    if name not in _entries:
        return None
    module = ModuleType(f"septet.{name}", f"The functions of ``st.{name}``.")
    module.__dict__.update({own: public(entry) for own, entry in _entries[name].items()})
    return module


@functools.cache
def public(entry: Op | Function) -> Callable[..., Any]:
    """Return the function of tensors for a card or a published function; it is made when it is first asked for."""
    return card_function(entry) if isinstance(entry, Op) else lifted(entry)


class _Method:
    """A method that is made when it is first looked up; its family of ops may have to be imported for it."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, tensor: Tensor | None, owner: type) -> Any:
        name = self.name
        families.load(METHODS.get(name, ""))
        collect()
        entry = _methods[name]
        made = unary(entry) if isinstance(entry, Op) and _is_simple(entry, 1) else public(entry)
        setattr(Tensor, name, made)
        return getattr(owner if tensor is None else tensor, name)


def lifted(entry: Function) -> Callable[..., Any]:
    """Return the public function of tensors for a published function of nodes."""
    function = lift(entry.call)
    function.__module__ = "septet"
    return function


def _operator_method(entry: Function, name: str) -> Callable[..., Any]:
    """Return an operator made from a published function (``__matmul__``, ``__getitem__``)."""
    call = entry.call
    is_reflected = name.startswith("__r")

    def method(self: Tensor, other: Any) -> Any:
        if other is None or isinstance(other, str):
            return NotImplemented
        if is_reflected:
            return wrap(call(unwrap(other), self.node))
        return wrap(call(self.node, unwrap(other)))

    return method


def _install_comparison(name: str, op_name: str) -> None:
    """Give Tensor ``==`` or ``!=``; nodes keep identity, which graphs rely on."""
    op = get(op_name)
    compare = binary(op)

    def method(self: Tensor, other: Any) -> Any:
        if other is None or isinstance(other, str):
            return NotImplemented
        return compare(self, other)

    method.__name__ = name
    setattr(Tensor, name, method)


@functools.cache
def _of_nodes(name: str) -> Callable[..., Any]:
    """Return a published function of nodes."""
    families.load(NAMES.get(name, ""))
    return imported_functions()[name].call


def _get_item(self: Tensor, key: Any) -> Tensor:
    return Tensor(_of_nodes("get_item")(self.node, unwrap(key)))


def _set_item(self: Tensor, key: Any, value: Any) -> None:
    rebind(self, Tensor(_of_nodes("set_item")(self.node, unwrap(key), unwrap(value))))


class At:
    """Functional updates: ``x.at[key].set(v)``, ``.add(v)``, ``.max(v)``, ``.min(v)`` return a new tensor."""

    __slots__ = ("_key", "_tensor")

    def __init__(self, tensor: Tensor, key: Any = None) -> None:
        self._tensor = tensor
        self._key = key

    def __getitem__(self, key: Any) -> At:
        return At(self._tensor, key)

    def _apply(self, mode: str, value: Any) -> Tensor:
        call = _of_nodes(f"index_{mode}")
        return Tensor(call(self._tensor.node, unwrap(self._key), unwrap(value)))

    def set(self, value: Any) -> Tensor:
        """Return the tensor with the selected elements replaced."""
        return self._apply("set", value)

    def add(self, value: Any) -> Tensor:
        """Return the tensor with values added; repeated indices add up."""
        return self._apply("add", value)

    def max(self, value: Any) -> Tensor:
        """Return the tensor with the maximum of the selected elements and the values."""
        return self._apply("max", value)

    def min(self, value: Any) -> Tensor:
        """Return the tensor with the minimum of the selected elements and the values."""
        return self._apply("min", value)


def install() -> None:
    """Give Tensor its methods and operators; called once when the package is imported."""
    collect()
    for name in (*_methods, *METHODS):
        setattr(Tensor, name, _Method(name))
    _install_comparison("__eq__", "equal")
    _install_comparison("__ne__", "not_equal")
    setattr(Tensor, "__getitem__", _get_item)  # noqa: B010  (the class declares no such method)
    setattr(Tensor, "__setitem__", _set_item)  # noqa: B010
    Tensor.T = property(lambda self: Tensor(record(get("transpose"), (self.node,), (None,))))  # type: ignore[attr-defined]
    Tensor.mT = property(lambda self: wrap(_of_nodes("matrix_transpose")(self.node)))  # type: ignore[attr-defined]
    Tensor.real = property(lambda self: Tensor(get("real")(self.node)))  # type: ignore[attr-defined]
    Tensor.imag = property(lambda self: Tensor(get("imag")(self.node)))  # type: ignore[attr-defined]
    Tensor.at = property(At)  # type: ignore[attr-defined]
    Tensor.astype = _astype  # type: ignore[attr-defined]


def _astype(self: Tensor, dtype: Any, *, copy: bool = True) -> Tensor:
    """Convert to another dtype."""
    node = self.node
    try:
        if dtypes.as_dtype(dtype) == node.dtype:
            return Tensor(node)
    except DTypeError:
        pass  # `record` raises it with the tensor and the place
    return Tensor(record(_CAST, (node,), (dtype,)))


_CAST = get("cast")
