"""The node: op, inputs, parameters, type. Everything in Septet is made of these.

A node is immutable in what it means. One thing may happen to it once: it *settles*, that is, it becomes the constant
that it is equal to, when its value has been computed and nobody needs to know how it was made.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from septet.base import dtypes
from septet.base.dtypes import DType
from septet.base.source import Source, here
from septet.graph.context import SYMBOLIC, TRACKED, context
from septet.graph.params import exact
from septet.graph.types import NodeType, TensorType, tensor_type

if TYPE_CHECKING:
    from septet.graph.op import Op, Resolution

serials = itertools.count(1)
next_serial = serials.__next__


class Node:
    """One application of an op, or a leaf.

    Attributes
    ----------
    op : Op
        What computes it, or one of the leaf ops of this module.
    inputs : tuple of Node
    params : tuple
        The op's parameters in the order of its card; hashable.
    type : TensorType or tuple of TensorType
        A tuple for an op with several results; `item` nodes select from it.
    key : int
        The structural key: nodes that are built alike from leaves of the same types have the same key.
    flags : int
        TRACKED, SYMBOLIC (see `context`).
    value : ndarray, tuple of ndarray or None
        The value, where it is known.
    source : tuple or None
        Where the user made it: see `base.source`.
    layers : tuple of str
        The path of the layer that made it.
    serial : int
        Rises in the order of making, so sorting by it is a topological order.
    hooks : list of callable or None
        Functions from the node's gradient to another one, which reverse mode calls in this order; copies of the node
        share the list. See `transform.hooks`.
    resolution : Resolution or None
        What the type rule said when the node was recorded; None for leaves and nodes that were made otherwise.
    """

    __slots__ = (
        "__weakref__", "flags", "hooks", "inputs", "key", "layers", "op", "params", "resolution", "serial", "source",
        "type", "value",
    )  # fmt: skip

    # There is no __init__: Python takes a quarter of a microsecond to call one with this many arguments, which is a
    # sixth of recording a node. `make_node` makes nodes.

    op: Op
    inputs: tuple[Node, ...]
    params: tuple[Any, ...]
    type: NodeType
    key: int
    flags: int
    value: Any
    source: Source | None
    layers: tuple[str, ...]
    serial: int
    hooks: list[Any] | None
    resolution: Resolution | None

    # The operators (+, @, [] ...) are set by the cards, see `op.card`; what follows tells type checkers about them.
    if TYPE_CHECKING:
        # fmt: off
        def __add__(self, other: Any, /) -> Node: ...
        def __radd__(self, other: Any, /) -> Node: ...
        def __sub__(self, other: Any, /) -> Node: ...
        def __rsub__(self, other: Any, /) -> Node: ...
        def __mul__(self, other: Any, /) -> Node: ...
        def __rmul__(self, other: Any, /) -> Node: ...
        def __truediv__(self, other: Any, /) -> Node: ...
        def __rtruediv__(self, other: Any, /) -> Node: ...
        def __floordiv__(self, other: Any, /) -> Node: ...
        def __rfloordiv__(self, other: Any, /) -> Node: ...
        def __mod__(self, other: Any, /) -> Node: ...
        def __rmod__(self, other: Any, /) -> Node: ...
        def __pow__(self, other: Any, /) -> Node: ...
        def __rpow__(self, other: Any, /) -> Node: ...
        def __matmul__(self, other: Any, /) -> Node: ...
        def __rmatmul__(self, other: Any, /) -> Node: ...
        def __and__(self, other: Any, /) -> Node: ...
        def __rand__(self, other: Any, /) -> Node: ...
        def __or__(self, other: Any, /) -> Node: ...
        def __ror__(self, other: Any, /) -> Node: ...
        def __xor__(self, other: Any, /) -> Node: ...
        def __rxor__(self, other: Any, /) -> Node: ...
        def __lshift__(self, other: Any, /) -> Node: ...
        def __rlshift__(self, other: Any, /) -> Node: ...
        def __rshift__(self, other: Any, /) -> Node: ...
        def __rrshift__(self, other: Any, /) -> Node: ...
        def __lt__(self, other: Any, /) -> Node: ...
        def __le__(self, other: Any, /) -> Node: ...
        def __gt__(self, other: Any, /) -> Node: ...
        def __ge__(self, other: Any, /) -> Node: ...
        def __neg__(self) -> Node: ...
        def __pos__(self) -> Node: ...
        def __abs__(self) -> Node: ...
        def __invert__(self) -> Node: ...
        # fmt: on

    __array_ufunc__ = None
    __hash__ = object.__hash__

    @property
    def dtype(self) -> DType:
        """The dtype of a node with one result."""
        return self.type.dtype  # type: ignore[union-attr]  # read so often that `tensor_type` would cost too much

    @property
    def shape(self) -> tuple[int | None, ...]:
        """The shape of a node with one result; None where a size is not known."""
        return self.type.shape  # type: ignore[union-attr]

    @property
    def ndim(self) -> int:
        """The rank of a node with one result."""
        return self.type.ndim  # type: ignore[union-attr]

    @property
    def tensor_type(self) -> TensorType:
        """The type of a node with one result."""
        assert isinstance(self.type, TensorType), f"{self.op.name} has several results: select one with item()"
        return self.type

    @property
    def is_tracked(self) -> bool:
        """Whether a gradient can flow through the node."""
        return bool(self.flags & TRACKED)

    @property
    def is_symbolic(self) -> bool:
        """Whether the node depends on a symbol."""
        return bool(self.flags & SYMBOLIC)

    def param(self, name: str) -> Any:
        """Return the parameter with the given name."""
        return self.params[self.op.param_names.index(name)]

    def keywords(self) -> dict[str, Any]:
        """Return the parameters by name."""
        return dict(zip(self.op.param_names, self.params, strict=True))

    def settle(self, value: Any) -> None:
        """Become the constant that the node is equal to."""
        self.value = value
        self.inputs = ()
        self.params = ()
        self.op = CONSTANT
        self.key = hash((CONSTANT.name, self.type))
        self.flags = 0
        self.hooks = None
        self.resolution = None

    def learn_sizes(self) -> None:
        """Put the sizes of the known value where the type leaves them open: they depended on data."""
        if isinstance(self.type, tuple):
            self.type = tuple([tensor_type(t.dtype, v.shape) for t, v in zip(self.type, self.value, strict=True)])
        else:
            self.type = tensor_type(self.type.dtype, self.value.shape)
        if self.op is CONSTANT:
            self.key = hash((CONSTANT.name, self.type))

    def __deepcopy__(self, memo: Any) -> Node:
        return self  # what it means never changes

    def __repr__(self) -> str:
        known = "" if self.value is None else " (known)"
        return f"<{self.op.name}#{self.serial} {self.type!r}{known}>"


def make_node(
    op: Op, inputs: tuple[Node, ...], params: tuple[Any, ...], type: NodeType, key: int, flags: int, value: Any,
    source: Source | None, layers: tuple[str, ...] | None = None,
) -> Node:  # fmt: skip
    """Return a new node; its attributes are those of `Node`. Without `layers` it belongs to the layer under way."""
    node = Node()
    node.op = op
    node.inputs = inputs
    node.params = params
    node.type = type
    node.key = key
    node.flags = flags
    node.value = value
    node.source = source
    node.layers = context.layers if layers is None else layers
    node.serial = next_serial()
    node.hooks = None
    node.resolution = None
    return node


def operation_key(name: str, params: tuple[Any, ...], type: NodeType) -> int:
    """Return the part of a structural key that the inputs have no share in."""
    return hash((name, exact(params), type))


class Leaf:
    """The op of a node that is not computed: constant, symbol or variable."""

    __slots__ = ("name", "param_names")
    is_leaf = True
    is_immediate = False

    def __init__(self, name: str, param_names: tuple[str, ...] = ()) -> None:
        self.name = name
        self.param_names = param_names

    def __repr__(self) -> str:
        return f"<leaf {self.name}>"


CONSTANT: Any = Leaf("constant")
SYMBOL: Any = Leaf("symbol", ("name",))
VARIABLE: Any = Leaf("variable", ("variable",))
"""A snapshot of a Variable: `params` holds the Variable; the value is that of the snapshot, or, where that is still
pending, the value of the one input."""


def constant(value: np.ndarray, type: TensorType | None = None, *, source: Source | None = None) -> Node:
    """Return a leaf that holds an array; the caller gives the array away and must not write to it again.

    Parameters
    ----------
    value : ndarray
    type : TensorType, optional
        That of the array, where it is known already.
    source : Source, optional
    """
    if value.__class__ is not np.ndarray:  # one of NumPy's scalars: its elements do not lie where those of an array do
        value = np.asarray(value)
    if type is None:
        type = tensor_type(value.dtype, value.shape)
    return make_node(CONSTANT, (), (), type, hash(("constant", type)), 0, value, source)


COMMON = frozenset((0.0, 1.0, -1.0, 2.0, 0.5, -2.0, 3.0))
"""Floats that stay numbers in compiled graphs: rules know them; others become inputs, so that they may change."""

_scalars: dict[tuple[Any, ...], Node] = {}
_weak: dict[tuple[Any, ...], Node] = {}


def scalar(value: bool | int | float | complex, dtype: DType) -> Node:
    """Return the constant of a Python number in a given dtype; its value is part of its key, unless it may change from
    step to step: see `COMMON`."""
    slot = _scalar_slot(value, dtype)
    node = _scalars.get(slot)
    if node is None:
        kind = dtypes.KIND[dtype]
        if kind == dtypes.INTEGER and type(value) is int:
            info = np.iinfo(dtype)
            if not info.min <= value <= info.max:
                raise OverflowError(f"the Python integer {value} does not fit {dtype.name} ({info.min} to {info.max})")
        array = np.array(value).astype(dtype)
        array.flags.writeable = False
        type_ = tensor_type(dtype, ())
        may_change = kind in (dtypes.FLOAT, dtypes.COMPLEX) and value not in COMMON
        key = hash(("number", type_)) if may_change else hash(("scalar", slot))
        node = make_node(CONSTANT, (), (), type_, key, 0, array, None)
        if len(_scalars) >= 4096:
            _scalars.clear()
        _scalars[slot] = node
    return node


def _scalar_slot(value: Any, dtype: DType) -> tuple[Any, ...]:
    """Return what tells numbers of one dtype apart: 0.0 is not -0.0, and the type decides what a number may become."""
    kind = type(value)
    return (value, kind, dtype) if value or kind is int else (repr(value), kind, dtype)


def weak(value: bool | int | float | complex, dtype: DType) -> Node:
    """Return the constant of a Python number that is combined with a tensor of some dtype (see `dtypes.beside`)."""
    kind = type(value)
    try:
        return _weak[(value, kind, dtype) if value or kind is int else (repr(value), kind, dtype)]
    except KeyError:
        node = scalar(value, dtypes.beside([value], [dtype]))
        if node.dtype == dtype:  # otherwise it depends on a setting
            if len(_weak) >= 4096:
                _weak.clear()
            _weak[_scalar_slot(value, dtype)] = node
        return node


def symbol(type: TensorType, name: str = "", *, is_tracked: bool = True, depth: int = 2) -> Node:
    """Return a leaf without a value: an input of a graph."""
    flags = SYMBOLIC | (TRACKED if is_tracked and dtypes.is_differentiable(type.dtype) else 0)
    return make_node(SYMBOL, (), (name,), type, hash(("symbol", type)), flags, None, here(depth))
