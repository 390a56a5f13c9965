"""The op card: everything that is known about an op, in one place, and the registry of all cards.

A card gives name, docs and source, the type rule (shape and dtype), the NumPy reference, the gradient, the rule for
batching, algebraic properties, test cases and bad cases. The function, the method, the docs page, and the conformance
tests come from it.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import numpy as np

from septet.base import dtypes
from septet.base.config import config
from septet.base.dtypes import SCALARS, DType
from septet.base.errors import ArgumentError, DTypeError, SeptetError
from septet.base.heap import aligned
from septet.base.source import here, is_inside
from septet.base.text import nearest
from septet.graph.case import BadCase, Case
from septet.graph.context import TRACKED, context
from septet.graph.node import Node, constant, make_node, next_serial, scalar, weak
from septet.graph.params import exact, hashable, is_same
from septet.graph.pending import after
from septet.graph.report import report
from septet.graph.resolution import Resolution
from septet.graph.types import NodeType, tensor_type

REQUIRED: Any = type("Required", (), {"__repr__": lambda self: "REQUIRED"})()

# What kind of loop an op is: fusion, batching and differentiation ask for it.
ELEMENTWISE, REDUCTION, MOVEMENT, CONTRACTION, LEAF, OTHER = (
    "elementwise", "reduction", "movement", "contraction", "leaf", "other",
)  # fmt: skip


AnyCase = TypeVar("AnyCase", bound=Case)
Cases = Iterable[AnyCase] | Callable[[], Iterable[AnyCase]]  # a function where making them takes time


class SizeInputs:
    """How an op takes sizes as its last inputs: one for each that a parameter leaves open, which has None there.

    Parameters
    ----------
    name : str
        The parameter: a tuple of sizes, or one size.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def count(self, words: dict[str, Any]) -> int:
        """Return how many inputs are sizes, for some parameters."""
        value = words[self.name]
        return value.count(None) if isinstance(value, tuple) else int(value is None)

    def filled(self, words: dict[str, Any], sizes: Sequence[int]) -> dict[str, Any]:
        """Return the parameters of the op without these inputs, whose values are known."""
        value, rest = words[self.name], iter(sizes)
        if not isinstance(value, tuple):
            return {**words, self.name: next(rest)}
        return {**words, self.name: tuple([next(rest) if size is None else size for size in value])}


class Op:
    """A card. See `card` for the meaning of the fields."""

    is_leaf = False

    def __init__(self, name: str, **fields: Any) -> None:
        self.name = name
        self.input_names: tuple[str, ...] = fields["inputs"]
        self.is_variadic = bool(self.input_names) and self.input_names[-1].startswith("*")
        self.param_names: tuple[str, ...] = tuple(fields["params"])
        self.defaults: dict[str, Any] = fields["params"]
        self.summary: str = fields["summary"]
        self.notes: str = fields["notes"]
        self.param_docs: dict[str, str] = fields["param_docs"]
        self.reference_source: str = fields["source"]
        self.kind: str = fields["kind"]
        self.shape: Callable[..., Any] = fields["shape"]
        self.dtype: Callable[..., Any] = fields["dtype"]
        self.canonical: Callable[..., dict[str, Any]] | None = fields["canonical"]
        self.reference: Callable[..., Any] = fields["reference"]
        self.gradient: Callable[..., Sequence[Any]] | None = fields["gradient"]
        self.gradient_reads: tuple[int, ...] = tuple(self.input_names.index(n) for n in fields["gradient_reads"])
        self.tangent: Callable[..., Any] | None = fields["tangent"]
        self.no_gradient: str = fields["no_gradient"]
        self.batch: Callable[..., Any] | None = fields["batch"]
        self.no_batch: str = fields["no_batch"]
        self.linear: str = fields["linear"]
        self.properties: frozenset[str] = frozenset(fields["properties"])
        self.is_untracked = "untracked" in self.properties  # no gradient flows through the result
        self.identity: float | None = fields["identity"]
        self.is_immediate: bool = fields["immediate"]
        self.has_effect: bool = fields["effect"]
        self.bodies: dict[str, int | None] = fields["bodies"]
        self.is_higher_order = bool(self.bodies)
        sizes: str | SizeInputs = fields["sizes"]
        self.sizes = sizes if isinstance(sizes, SizeInputs) else SizeInputs(sizes) if sizes else None
        self.domain: Any = fields["domain"]
        self._cases: Cases[Case] = fields["cases"]
        self._bad_cases: Cases[BadCase] = fields["bad"]
        self.tolerance: float = fields["tolerance"]
        self.flops: Callable[..., int] | None = fields["flops"]
        self.is_public: bool = fields["public"]
        self.aliases: tuple[str, ...] = tuple(fields["aliases"])
        self.methods: tuple[str, ...] = tuple(fields["methods"])
        self.operators: tuple[str, ...] = tuple(fields["operators"])
        self.default_params = tuple(self.defaults.values())
        self.is_demanding = any(value is REQUIRED for value in self.default_params)
        # How many nodes a call without words takes, where that is one number and enough.
        self.plain_count = -1 if self.is_variadic or self.is_demanding else len(self.input_names)
        self.resolutions: dict[Any, Resolution] = {}
        self.module: str = fields["module"]

    @functools.cached_property
    def cases(self) -> tuple[Case, ...]:
        """Right calls: the conformance tests."""
        return tuple(self._cases() if callable(self._cases) else self._cases)

    @functools.cached_property
    def bad_cases(self) -> tuple[BadCase, ...]:
        """Wrong calls, with the errors that must come."""
        return tuple(self._bad_cases() if callable(self._bad_cases) else self._bad_cases)

    def __repr__(self) -> str:
        return f"<op {self.name}>"

    def __reduce__(self) -> tuple[object, ...]:
        return get, (self.name,)

    def bind(self, params: dict[str, Any]) -> tuple[Any, ...]:
        """Return the parameters in the card's order, with defaults filled in."""
        if not params:
            values = self.default_params
        else:
            for name in params:
                if name not in self.defaults:
                    near = nearest(name, self.param_names)
                    raise ArgumentError(
                        f"{self.name} has no parameter {name!r}; it has {', '.join(self.param_names) or 'none'}",
                        hint=f"did you mean {near!r}?" if near else None,
                    )
            given = params.get
            values = tuple([given(name, default) for name, default in self.defaults.items()])
        if self.is_demanding:
            for name, value in zip(self.param_names, values, strict=True):
                if value is REQUIRED:
                    raise ArgumentError(f"{self.name} needs the parameter {name!r}")
        return values

    def __call__(self, *args: Any, **params: Any) -> Node:
        """Record the op on nodes, arrays and Python numbers, and return the node."""
        try:
            if not params and len(args) == self.plain_count:  # nothing to check and nothing to fill in: the usual case
                values = self.default_params
            else:
                if not self.is_variadic and len(args) != len(self.input_names):
                    takes = f"{len(self.input_names)} inputs ({', '.join(self.input_names)})"
                    raise ArgumentError(f"{self.name} takes {takes}, got {len(args)}")
                values = self.bind(params)
            nodes = as_nodes(args)
        except SeptetError as error:
            raise self.explain(error, [a for a in args if isinstance(a, Node)], params) from None
        return record(self, nodes, values)

    def resolve(self, inputs: tuple[Node, ...], params: tuple[Any, ...]) -> Resolution:
        """Apply the type rule; the result is kept for the next node with the same parameters and input types."""
        types = tuple(node.tensor_type for node in inputs)
        given: tuple[Any, ...] | None = params
        reads = dtypes.reads_of_defaults.count
        words = dict(zip(self.param_names, params, strict=True))
        try:
            if self.canonical is not None:
                words = self.canonical(types, **words)
                params = tuple(words[name] for name in self.param_names)
            operand_dtypes, result_dtypes = self.dtype(*(t.dtype for t in types), **words)
            shapes = self.shape(*(t.shape for t in types), **words)
        except SeptetError as error:
            raise self.explain(error, inputs, words) from None
        if isinstance(result_dtypes, tuple):
            type_: NodeType = tuple(tensor_type(d, s) for d, s in zip(result_dtypes, shapes, strict=True))
        else:
            type_ = tensor_type(result_dtypes, shapes)
        casts = tuple(None if d == t.dtype else d for d, t in zip(operand_dtypes, types, strict=True))
        if dtypes.reads_of_defaults.count != reads:
            given = None
        operands = tuple(tensor_type(d, t.shape) for d, t in zip(operand_dtypes, types, strict=True))
        changed = any(d is not None for d in casts)
        return Resolution(self, operands, type_, given, params, casts if changed else None)

    def explain(self, error: SeptetError, inputs: Iterable[Node], params: dict[str, Any]) -> SeptetError:
        """Turn a rule's short message into the whole report."""
        if error.is_located:
            return error
        error.inputs = tuple(inputs)
        return error.locate(report(error, self.name, self.input_names, error.inputs, params, context.layers, here(2)))


def explain_call(
    error: SeptetError,
    name: str,
    input_names: Sequence[str],
    inputs: Sequence[Node],
    params: dict[str, Any] | None = None,
) -> SeptetError:
    """Give an error of a function made of ops the whole report, under the name that the user called."""
    return error.locate(report(error, name, input_names, inputs, params or {}, context.layers, here(2)))


_registry: dict[str, Op] = {}
_load_card: list[Callable[[str], None]] = []  # set by `septet.ops`: imports the family of a card
_load_all: list[Callable[[], None]] = []  # set by `septet.ops`: imports all families
_getframe = sys._getframe
_record: Callable[[Op, tuple[Node, ...], tuple[Any, ...]], Node | None] | None = None


def set_recorder(function: Callable[[Op, tuple[Node, ...], tuple[Any, ...]], Node | None] | None) -> None:
    """Have `record` ask a faster function first, which returns None where it leaves the work to `record`."""
    global _record
    _record = function


def record(op: Op, inputs: tuple[Node, ...], params: tuple[Any, ...] = ()) -> Node:
    """Make the node of an op: check the types, convert the inputs where the dtype rule says so, note the source.

    Every operation of define-by-run code passes here, so it is written for speed: see `benchmarks/recording.py`.
    """
    if _record is not None:
        recorded: Node | None = _record(op, inputs, params)
        if recorded is not None:
            return recorded
    count = len(inputs)
    slot: Any
    keys: Any
    if count == 2:
        a, b = inputs
        slot = params, a.type, b.type
        flags = a.flags | b.flags
        keys = a.key, b.key
    elif count == 1:
        (a,) = inputs
        slot = params, a.type
        flags = a.flags
        keys = a.key
    elif count == 3:
        a, b, c = inputs
        slot = params, a.type, b.type, c.type
        flags = a.flags | b.flags | c.flags
        keys = a.key, b.key, c.key
    else:
        slot = params, *[node.type for node in inputs]
        keys = tuple([node.key for node in inputs])
        flags = 0
        for node in inputs:
            flags |= node.flags
    try:
        found = op.resolutions[slot]
    except KeyError:
        found = _resolve(op, inputs, params, slot)
    except TypeError:  # a list among the parameters
        return record(op, inputs, hashable(op.name, params))
    if params is not found.given and not is_same(params, found.given, found.pack):
        found = _resolve_exactly(op, inputs, params, slot)
    if found.casts is not None:
        inputs = tuple([node if d is None else cast_to(node, d) for node, d in zip(inputs, found.casts, strict=True)])
        keys = inputs[0].key if count == 1 else tuple([node.key for node in inputs])
    try:
        frame = _getframe(2)  # `record` is called from inside the package: its caller's caller is the first candidate
    except ValueError:  # not so, but from the bottom of the stack
        frame = _getframe(1)
    code = frame.f_code
    state = context.__dict__  # the attributes of this thread: one look-up for all of them
    node = Node()  # `make_node`, written out
    node.op = op
    node.inputs = inputs
    node.params = found.params
    node.type = found.type
    node.key = hash((found.key, keys))
    node.flags = flags & found.mask & state["mask"]
    node.value = None
    node.source = here(3) if is_inside[code.co_filename] else (code, frame.f_lasti)
    node.layers = state["layers"]
    node.serial = serial = next_serial()
    node.hooks = None
    node.resolution = found
    if serial >= state["limit"] or op.is_immediate:
        after(node)
    return node


def _resolve(op: Op, inputs: tuple[Node, ...], params: tuple[Any, ...], slot: Any) -> Resolution:
    """Ask the type rule, and keep what it says."""
    found = op.resolve(inputs, params)
    if len(op.resolutions) >= 8192:
        op.resolutions.clear()
    op.resolutions[slot] = found
    return found


def _resolve_exactly(op: Op, inputs: tuple[Node, ...], params: tuple[Any, ...], slot: Any) -> Resolution:
    """Find the resolution where the quick slot is not enough: it holds that of 0.0 and this is -0.0, or settings count.

    These are kept too, by all that they depend on.
    """
    slot = exact(params), config.default_float, config.default_int, *slot
    return op.resolutions.get(slot) or _resolve(op, inputs, params, slot)


def cast_to(node: Node, dtype: DType) -> Node:
    """Convert a node to a dtype; a scalar constant is converted at once."""
    own = node.dtype
    if own is dtype or own == dtype:
        return node
    if node.value is not None and node.tensor_type.shape == () and not node.inputs and node.flags == 0:
        return constant(node.value.astype(dtype))
    return record(_registry["cast"], (node,), (dtype,))


def as_node(value: Any, dtype: DType | None = None) -> Node:
    """Return a node for a node, an array, a nested list or a number.

    A Python number takes `dtype`'s kind where that is given (weak promotion), or the default of its kind.
    """
    if isinstance(value, Node):
        return value
    if type(value) in SCALARS:
        if dtype is not None and SCALARS[type(value)] <= dtypes.KIND[dtype]:
            return weak(value, dtype)
        return scalar(value, dtypes.scalar_dtype(value, dtype))
    node = getattr(value, "node", None)  # a tensor handle
    if isinstance(node, Node):
        return node
    return constant(as_array(value))


LARGE = 1 << 12
"""Bytes from which it counts where an array lies."""


def as_array(value: Any, dtype: DType | None = None) -> np.ndarray:
    """Return a private copy of an array-like in a dtype that tensors have.

    Raises
    ------
    DTypeError
        If the elements are not numbers, or the rows of a nested list have different lengths.
    """
    is_plain = not hasattr(value, "dtype")
    try:
        if isinstance(value, np.ndarray) and value.nbytes >= LARGE and value.dtype in dtypes.KIND:
            array = aligned(value.shape, value.dtype if dtype is None else dtype)
            array[...] = value
        else:
            array = np.array(value, dtype=dtype, order="C", copy=True)
    except (ValueError, TypeError, OverflowError) as error:
        raise DTypeError(f"cannot make a tensor of {type(value).__name__} {_short(value)}: {error}") from None
    if dtype is None and is_plain and array.dtype.name in ("float64", "int64", "complex128"):
        kind = {"f": dtypes.FLOAT, "i": dtypes.INTEGER, "c": dtypes.COMPLEX}[array.dtype.kind]
        array = array.astype(dtypes.default_of_kind(kind), copy=False)
    if array.dtype not in dtypes.KIND:
        native = array.dtype.newbyteorder("=")
        if native not in dtypes.KIND:
            raise DTypeError(
                f"cannot make a tensor of dtype {array.dtype}: {_short(value)}",
                hint="elements must be booleans or numbers, and the rows of a nested list equally long",
            )
        array = array.astype(native)
    array.flags.writeable = False
    return array


def _short(value: Any) -> str:
    """A value's beginning, for messages."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def as_nodes(args: Sequence[Any]) -> tuple[Node, ...]:
    """Return nodes for the inputs of one op; Python numbers are weak beside the others."""
    for arg in args:
        if type(arg) is not Node:
            break
    else:
        return tuple(args)
    if len(args) == 2:  # a number beside a node, the usual case
        a, b = args
        if type(a) is Node and type(b) in SCALARS:
            return a, weak(b, a.dtype)
        if type(b) is Node and type(a) in SCALARS:
            return weak(a, b.dtype), b
    numbers = [arg for arg in args if type(arg) in SCALARS]
    nodes: list[Any] = [None if type(arg) in SCALARS else as_node(arg) for arg in args]
    if not numbers:
        return tuple(nodes)
    common = dtypes.beside(numbers, [node.dtype for node in nodes if node is not None])
    return tuple([scalar(arg, common) if node is None else node for arg, node in zip(args, nodes, strict=True)])


def item(node: Node, index: int) -> Node:
    """Select one result of a node that has several."""
    assert isinstance(node.type, tuple)
    flags = node.flags if dtypes.is_differentiable(node.type[index].dtype) else node.flags & ~TRACKED
    value = None if node.value is None else node.value[index]
    return make_node(
        ITEM, (node,), (index,), node.type[index], hash(("item", index, node.key)), flags, value, node.source
    )


def items(node: Node) -> tuple[Node, ...]:
    """Select all results of a node that has several."""
    assert isinstance(node.type, tuple)
    return tuple(item(node, index) for index in range(len(node.type)))


def card(
    name: str,
    inputs: str,
    *,
    summary: str,
    shape: Callable[..., Any],
    dtype: Callable[..., Any],
    reference: Callable[..., Any],
    params: dict[str, Any] | None = None,
    param_docs: dict[str, str] | None = None,
    notes: str = "",
    source: str = "",
    kind: str = OTHER,
    canonical: Callable[..., dict[str, Any]] | None = None,
    gradient: Callable[..., Sequence[Any]] | None = None,
    gradient_reads: Iterable[str] = (),
    tangent: Callable[..., Any] | None = None,
    no_gradient: str = "",
    batch: Callable[..., Any] | None = None,
    no_batch: str = "",
    linear: str = "",
    properties: Iterable[str] = (),
    identity: float | None = None,
    immediate: bool = False,
    effect: bool = False,
    bodies: dict[str, int | None] | None = None,
    sizes: str | SizeInputs = "",
    domain: Any = (-2.0, 2.0),
    cases: Cases[Case] = (),
    bad: Cases[BadCase] = (),
    tolerance: float = 1e-6,
    flops: Callable[..., int] | None = None,
    public: bool = True,
    aliases: Iterable[str] = (),
    methods: Iterable[str] = (),
    operators: Iterable[str] = (),
) -> Op:
    """Register an op and return its card, which is called to record it.

    Parameters
    ----------
    name : str
        Its one name everywhere: function, printing, files.
    inputs : str
        Names of the tensor inputs, separated by spaces; a last ``*name`` takes any number.
    summary : str
        One imperative line.
    shape : callable
        ``shape(*input_shapes, **params) -> shape`` (a tuple of shapes for several results); raises ShapeError.
    dtype : callable
        ``dtype(*input_dtypes, **params) -> (operand dtypes, result dtype or tuple of them)``; inputs are converted to
        the operand dtypes; raises DTypeError. `ops.rules` has the common ones.
    reference : callable
        ``reference(*arrays, **params) -> array`` in NumPy: slow is fine, wrong is not.
    params : dict, optional
        Name and default of each parameter; REQUIRED where there is none. Values are hashable.
    canonical : callable, optional
        ``canonical(types, **params) -> params``: one spelling of equal parameters (axes counted from the front,
        sorted).
    gradient : callable, optional
        ``gradient(g, y, *inputs, **params) -> tuple`` of the cotangents of the inputs (None: no gradient), as nodes.
        `g` and `y` are tuples for an op with several results. For an elementwise op, sums over broadcast axes are added
        by itself. Complex cotangents are conjugate gradients: for holomorphic ``f`` the cotangent is ``g * conj(f')``.
    gradient_reads : iterable of str
        The inputs whose values the gradient rule looks at, where they are constant numbers. Everything else that the
        rule does follows from types and parameters, so that what it records once is used again.
    tangent : callable, optional
        ``tangent(tangents, y, *inputs, **params)``: forward mode; tangents are None where zero. Without it, forward
        mode follows from `gradient` (elementwise: the same rule; `linear`: the op itself; else by transposing twice).
    no_gradient : str
        Why there is no gradient; one of the two is given.
    batch : callable, optional
        ``batch(is_batched, *inputs, **params) -> node(s)``: vectorised map. Batched inputs have the batch on axis 0,
        the result too. Elementwise ops need none.
    no_batch : str
        Why there is no batching rule.
    linear : str
        "all": linear in all inputs together; "each": linear in every input separately; "first": linear in the first.
    properties : iterable of str
        What passes ask for: commutative, associative, idempotent, involution, monotone, odd, even, positive;
        transcendental: it takes many instructions for each element; view: the result shows the elements of a single
        input in another way, and takes no memory; ...
    identity : float, optional
        The neutral element on the right.
    immediate : bool
        The result's shape depends on data, so outside traces it is computed at once.
    effect : bool
        It does something besides computing (printing); never removed, computed at once outside traces.
    bodies : dict of str to (int or None), optional
        The parameters that hold graphs, each with the operand that is the first input of its graph, and the others
        follow; None where only its last inputs are operands: the last ones. Where there are parameters `carries` and
        `sequences`, so many inputs change from step to step, and so many after them are rows of operands; the first
        graph gives the next values, others only take them. `reference` receives ``run``, `gradient`, `tangent` and
        `batch` receive ``transforms``.
    sizes : str or SizeInputs
        The parameter that holds sizes, of which each that is None comes as one more scalar input, behind all others.
    domain : tuple or list
        Range of random test values: (low, high), or (low, high, "int"); a list gives one for each input.
    cases, bad : iterables of Case, BadCase, or functions that return them
        Right and wrong calls: the conformance tests. A function is called when they are first asked for: what takes
        time to make, graphs and matrices, is not made at import.
    tolerance : float
        Relative tolerance of float32 results against the float64 reference.
    flops : callable, optional
        ``flops(result_shape, *input_shapes, **params) -> int``: floating-point operations, for shapes of known sizes; a
        list of shapes for several results. What `graph.cost` takes without it follows from `kind`; a contraction has
        none.
    public : bool
        Whether ``st.<name>`` is the card itself (False where a function wraps it).
    aliases, methods, operators : iterables of str
        Further names, names as a method of Tensor, and Python operators such as ``"__add__"``.
    """
    if name in _registry:
        raise ValueError(f"there are two cards named {name}")
    if (gradient is None) == (not no_gradient):
        raise ValueError(f"{name}: give either gradient or no_gradient")
    if kind == CONTRACTION and flops is None:
        raise ValueError(f"{name}: a contraction says how many floating-point operations it takes")
    op = Op(
        name, inputs=tuple(inputs.split()), summary=summary, shape=shape, dtype=dtype, reference=reference,
        params=params or {}, param_docs=param_docs or {}, notes=notes, source=source, kind=kind, canonical=canonical,
        gradient=gradient, gradient_reads=gradient_reads, tangent=tangent, no_gradient=no_gradient, batch=batch,
        no_batch=no_batch, linear=linear, properties=properties, identity=identity, immediate=immediate, effect=effect,
        bodies=bodies or {}, sizes=sizes, domain=domain, cases=cases, bad=bad, tolerance=tolerance, flops=flops,
        public=public, aliases=aliases, methods=methods, operators=operators,
        module=sys._getframe(1).f_globals["__name__"],
    )  # fmt: skip
    _registry[name] = op
    for operator in op.operators:
        _set_operator(operator, op)
    return op


def _set_operator(name: str, op: Op) -> None:
    """Give nodes a Python operator; `__radd__` and its like exchange the arguments."""
    if name.startswith("__r") and name not in ("__rshift__", "__round__"):

        def method(self: Node, *others: Any) -> Node:
            return op(*others, self)
    else:

        def method(self: Node, *others: Any) -> Node:
            return op(self, *others)

    setattr(Node, name, method)


def get(name: str) -> Op:
    """Return the card with a name.

    Raises
    ------
    ArgumentError
        If there is none; the message names the nearest.
    """
    if name not in _registry:
        for load in _load_card:
            load(name)
    try:
        return _registry[name]
    except KeyError:
        near = nearest(name, [op.name for op in all_ops()])
        raise ArgumentError(f"there is no op {name!r}", hint=f"did you mean {near!r}?" if near else None) from None


class _Ops:
    """The cards as attributes: ``ops.sum(x, axis=0)``. Rules use it for ops of other families: no import cycles."""

    def __getattr__(self, name: str) -> Op:
        op = get(name)
        setattr(self, name, op)  # found without running code of ours from now on
        return op


ops = _Ops()


def set_families(load_card: Callable[[str], None], load_all: Callable[[], None]) -> None:
    """Set what imports families of ops that were not imported yet: that of a card, or all of them."""
    _load_card[:] = [load_card]
    _load_all[:] = [load_all]


def imported_ops() -> list[Op]:
    """Return the cards of the families that were imported so far, ordered by name."""
    return [_registry[name] for name in sorted(_registry)]


def all_ops() -> list[Op]:
    """Return all cards, ordered by name."""
    for load in _load_all:
        load()
    return imported_ops()


def _item_rule(*args: Any, **params: Any) -> Any:
    raise AssertionError("item nodes are made by item()")


ITEM = card(
    "item", "results", params={"index": REQUIRED}, summary="Select one result of an op that has several.",
    shape=_item_rule, dtype=_item_rule, reference=lambda results, index: results[index],
    gradient=lambda g, y, results, index: (g,), kind=MOVEMENT, public=False, linear="all",
)  # fmt: skip


class Function:
    """A public function made of ops: how it is called on nodes, and under which names users find it."""

    __slots__ = ("aliases", "call", "methods", "name")

    def __init__(self, name: str, call: Callable[..., Any], aliases: tuple[str, ...], methods: tuple[str, ...]) -> None:
        self.name = name
        self.call = call
        self.aliases = aliases
        self.methods = methods


_functions: dict[str, Function] = {}


def function(
    *aliases: str, methods: Iterable[str] = (), name: str | None = None, namespace: str = ""
) -> Callable[[Any], Any]:
    """Publish a function of nodes as ``st.<name>`` (and as methods of Tensor).

    The function is written for nodes (and accepts arrays and numbers by way of `as_node`); the tensor floor wraps it.

    Parameters
    ----------
    *aliases : str
        Further names.
    methods : iterable of str
        Names as a method of Tensor.
    name : str, optional
        The public name, where it differs from the function's.
    namespace : str
        "" for ``st``, "linalg" for ``st.linalg``, "fft", "random" ... A name is unique in its namespace.
    """

    def publish(call: Any) -> Any:
        public = name or call.__name__
        full = f"{namespace}.{public}" if namespace else public
        if full in _functions:
            raise ValueError(f"there are two functions named {full}")
        _functions[full] = Function(full, call, tuple(aliases), tuple(methods))
        return call

    return publish


def imported_functions() -> dict[str, Function]:
    """Return the published functions of the families that were imported so far, by full name."""
    return dict(_functions)


def all_functions() -> dict[str, Function]:
    """Return the published functions by full name."""
    for load in _load_all:
        load()
    return imported_functions()
