"""The op card: everything that is known about an op, in one place, and the registry of all cards.

A card gives name, docs and source, the type rule (shape and dtype), the NumPy reference, the gradient, the rule for
batching, algebraic properties, test cases and bad cases. The function, the method, the docs page, and the conformance
tests come from it.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from septet.base import dtypes
from septet.base.config import config
from septet.base.dtypes import DType
from septet.base.errors import ArgumentError, DTypeError, SeptetError
from septet.base.source import here
from septet.base.text import nearest, type_text
from septet.graph.context import SYMBOLIC, TRACKED, context
from septet.graph.node import Node, constant, scalar
from septet.graph.report import report
from septet.graph.types import NodeType, tensor_type

REQUIRED: Any = type("Required", (), {"__repr__": lambda self: "REQUIRED"})()

# What kind of loop an op is: fusion, batching and differentiation ask for it.
ELEMENTWISE, REDUCTION, MOVEMENT, CONTRACTION, LEAF, OTHER = (
    "elementwise", "reduction", "movement", "contraction", "leaf", "other",
)  # fmt: skip


class Case:
    """One way to call an op, for the tests made from its card.

    Parameters
    ----------
    *args
        A tuple of ints stands for a random array of that shape with values from the card's domain; anything else
        (array, number) is used as it is.
    domain : (float, float) or (float, float, "int") or list of them, optional
        Range of the random values, for all arguments or one for each.
    gradient : bool
        Whether to test gradients on this case.
    tolerance : float, optional
        Relative tolerance against the reference in float64.
    **params
        The op's parameters.
    """

    __slots__ = ("args", "domain", "gradient", "params", "tolerance")

    def __init__(
        self, *args: Any, domain: Any = None, gradient: bool = True, tolerance: float | None = None, **params: Any
    ) -> None:
        self.args = args
        self.domain = domain
        self.gradient = gradient
        self.tolerance = tolerance
        self.params = params

    def arrays(self, op: Op, dtype: DType = dtypes.float64, seed: int = 0) -> list[Any]:
        """Draw the arguments."""
        generator = np.random.default_rng(seed)
        domain = self.domain or op.domain
        result: list[Any] = []
        for position, arg in enumerate(self.args):
            if type(arg) is tuple and all(type(size) is int for size in arg):
                own = domain[position] if isinstance(domain, list) else domain
                if len(own) == 3:
                    result.append(generator.integers(own[0], own[1], arg))
                    continue
                values = generator.uniform(own[0], own[1], arg)
                if dtypes.is_complex(dtype):
                    values = values + 1j * generator.uniform(own[0], own[1], arg)
                result.append(values.astype(dtype))
            else:
                result.append(arg)
        return result

    def __repr__(self) -> str:
        args = ", ".join(repr(a) if not isinstance(a, np.ndarray) else type_text(a) for a in self.args)
        params = "".join(f", {name}={value!r}" for name, value in self.params.items())
        return f"Case({args}{params})"


class BadCase(Case):
    """One wrong way to call an op, with the error class and a part of the message that must come.

    Parameters
    ----------
    error : type
        The exception class.
    match : str
        Text that the message contains.
    """

    __slots__ = ("error", "match")

    def __init__(self, *args: Any, error: type[SeptetError], match: str, **params: Any) -> None:
        super().__init__(*args, **params)
        self.error = error
        self.match = match


class Resolution:
    """What the type rule said about one combination of parameters and input types."""

    __slots__ = ("casts", "params", "params_key", "type")

    def __init__(
        self, type: NodeType, params: tuple[Any, ...], casts: tuple[DType | None, ...] | None, name: str
    ) -> None:
        self.type = type
        self.params = params
        self.casts = casts  # the dtype to convert each input to before, None where it stays; None: no input changes
        self.params_key = hash((name, params, type))


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
        self.is_higher_order: bool = fields["higher_order"]
        self.domain: Any = fields["domain"]
        self.cases: tuple[Case, ...] = tuple(fields["cases"])
        self.bad_cases: tuple[BadCase, ...] = tuple(fields["bad"])
        self.tolerance: float = fields["tolerance"]
        self.is_public: bool = fields["public"]
        self.aliases: tuple[str, ...] = tuple(fields["aliases"])
        self.methods: tuple[str, ...] = tuple(fields["methods"])
        self.operators: tuple[str, ...] = tuple(fields["operators"])
        self.default_params = tuple(self.defaults.values())
        self.resolutions: dict[Any, Resolution] = {}
        self.module: str = fields["module"]

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
            values = tuple(params.get(name, default) for name, default in self.defaults.items())
        for name, value in zip(self.param_names, values, strict=True):
            if value is REQUIRED:
                raise ArgumentError(f"{self.name} needs the parameter {name!r}")
        return values

    def __call__(self, *args: Any, **params: Any) -> Node:
        """Record the op on nodes, arrays and Python numbers, and return the node."""
        try:
            if not self.is_variadic and len(args) != len(self.input_names):
                takes = f"{len(self.input_names)} inputs ({', '.join(self.input_names)})"
                raise ArgumentError(f"{self.name} takes {takes}, got {len(args)}")
            nodes = as_nodes(args)
            values = self.bind(params)
        except SeptetError as error:
            raise self.explain(error, [a for a in args if isinstance(a, Node)], params) from None
        node = record(self, nodes, values)
        if self.is_untracked:
            node.flags &= ~TRACKED
        return node

    def resolve(self, inputs: tuple[Node, ...], params: tuple[Any, ...]) -> Resolution:
        """Apply the type rule; the result is kept for the next node with the same parameters and input types."""
        types = tuple(node.tensor_type for node in inputs)
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
        return Resolution(type_, params, casts if any(d is not None for d in casts) else None, self.name)

    def explain(self, error: SeptetError, inputs: Iterable[Node], params: dict[str, Any]) -> SeptetError:
        """Turn a rule's short message into the whole report."""
        if error.is_located:
            return error
        return error.locate(report(error, self.name, self.input_names, tuple(inputs), params, context.layers, here(2)))


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
_evaluate: list[Callable[[Node], None]] = []  # set by the evaluator: computes a node at once


wanted: weakref.WeakSet[Node] = weakref.WeakSet()
"""Pending nodes that somebody will most likely ask for (losses that were differentiated, new values of variables):
they are computed along with the next request."""


def set_evaluator(evaluate: Callable[[Node], None]) -> None:
    """Tell the recorder how to compute a node at once (for ops with effects, and for the limit of pending nodes)."""
    _evaluate[:] = [evaluate]


def evaluate(node: Node) -> None:
    """Compute a node's value now."""
    _evaluate[0](node)


def record(op: Op, inputs: tuple[Node, ...], params: tuple[Any, ...] = ()) -> Node:
    """Make the node of an op: check the types, convert the inputs where the dtype rule says so, note the source."""
    flags = 0
    slot: Any
    keys: Any
    if len(inputs) == 2:
        a, b = inputs
        slot = (params, a.type, b.type)
        flags = a.flags | b.flags
        keys = (a.key, b.key)
    elif len(inputs) == 1:
        (a,) = inputs
        slot = (params, a.type)
        flags = a.flags
        keys = (a.key,)
    else:
        slot = (params, *[node.type for node in inputs])
        keys = tuple([node.key for node in inputs])
        for node in inputs:
            flags |= node.flags
    try:
        found = op.resolutions[slot]
    except KeyError:
        found = op.resolve(inputs, params)
        if len(op.resolutions) >= 8192:
            op.resolutions.clear()
        op.resolutions[slot] = found
    except TypeError:  # a list among the parameters
        params = _hashable(op, params)
        return record(op, inputs, params)
    if found.casts is not None:
        inputs = tuple([node if d is None else cast_to(node, d) for node, d in zip(inputs, found.casts, strict=True)])
        keys = tuple([node.key for node in inputs])
    flags &= context.mask
    node = Node(op, inputs, found.params, found.type, hash((found.params_key, keys)), flags, None, here(2))
    if node.serial >= context.limit or op.is_immediate:
        _after(node)
    return node


def _after(node: Node) -> None:
    """Evaluate what must not wait: effects, results whose shape depends on data, a graph past its limit."""
    if node.serial >= context.limit:
        first = context.limit == 0
        context.limit = node.serial + config.record_limit
        if first and not node.op.is_immediate:
            return
    if node.op.has_effect and context.trace is not None:
        context.trace.effects.append(node)
        node.flags |= SYMBOLIC  # it happens when the graph runs, even if nothing in it depends on a symbol
        return
    if _evaluate and not node.flags & SYMBOLIC:
        is_open = node.op.is_immediate
        _evaluate[0](node)
        if is_open:
            node.learn_sizes()


def _hashable(op: Op, params: tuple[Any, ...]) -> tuple[Any, ...]:
    """Turn lists (and arrays) among the parameters into tuples."""

    def convert(value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return tuple(convert(item) for item in value)
        if isinstance(value, np.ndarray):
            return convert(value.tolist())
        try:
            hash(value)
        except TypeError:
            raise ArgumentError(f"{op.name} cannot take {value!r} as a parameter") from None
        return value

    return tuple(convert(value) for value in params)


def cast_to(node: Node, dtype: DType) -> Node:
    """Convert a node to a dtype; a scalar constant is converted at once."""
    if node.dtype == dtype:
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
    if dtypes.is_scalar(value):
        return scalar(value, dtypes.scalar_dtype(value, dtype))
    node = getattr(value, "node", None)  # a tensor handle
    if isinstance(node, Node):
        return node
    return constant(as_array(value))


def as_array(value: Any, dtype: DType | None = None) -> np.ndarray:
    """Return a private copy of an array-like in a dtype that tensors have.

    Raises
    ------
    DTypeError
        If the elements are not numbers, or the rows of a nested list have different lengths.
    """
    is_plain = not hasattr(value, "dtype")
    try:
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
    if all([type(a) is Node for a in args]):
        return tuple(args)
    nodes: list[Any] = [None if dtypes.is_scalar(a) else as_node(a) for a in args]
    strong = [node.dtype for node in nodes if node is not None]
    beside = dtypes.promote(*strong) if strong else None
    if beside is None:  # numbers only: the highest kind among them decides
        beside = max([dtypes.scalar_dtype(a) for a in args], key=dtypes.KIND.__getitem__, default=None)
    return tuple([as_node(arg, beside) if node is None else node for arg, node in zip(args, nodes, strict=True)])


def item(node: Node, index: int) -> Node:
    """Select one result of a node that has several."""
    assert isinstance(node.type, tuple)
    flags = node.flags if dtypes.is_differentiable(node.type[index].dtype) else node.flags & ~TRACKED
    value = None if node.value is None else node.value[index]
    return Node(ITEM, (node,), (index,), node.type[index], hash(("item", index, node.key)), flags, value, node.source)


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
    tangent: Callable[..., Any] | None = None,
    no_gradient: str = "",
    batch: Callable[..., Any] | None = None,
    no_batch: str = "",
    linear: str = "",
    properties: Iterable[str] = (),
    identity: float | None = None,
    immediate: bool = False,
    effect: bool = False,
    higher_order: bool = False,
    domain: Any = (-2.0, 2.0),
    cases: Iterable[Case] = (),
    bad: Iterable[BadCase] = (),
    tolerance: float = 1e-6,
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
        Algebra that passes ask for: commutative, associative, idempotent, involution, monotone, odd, even, positive,
        ...
    identity : float, optional
        The neutral element on the right.
    immediate : bool
        The result's shape depends on data, so outside traces it is computed at once.
    effect : bool
        It does something besides computing (printing); never removed, computed at once outside traces.
    higher_order : bool
        Parameters hold graphs: `reference` receives ``run``, `gradient`, `tangent` and `batch` receive ``transforms``.
    domain : tuple or list
        Range of random test values: (low, high), or (low, high, "int"); a list gives one for each input.
    cases, bad : iterables of Case, BadCase
        Right and wrong calls: the conformance tests.
    tolerance : float
        Relative tolerance of float32 results against the float64 reference.
    public : bool
        Whether ``st.<name>`` is the card itself (False where a function wraps it).
    aliases, methods, operators : iterables of str
        Further names, names as a method of Tensor, and Python operators such as ``"__add__"``.
    """
    if name in _registry:
        raise ValueError(f"there are two cards named {name}")
    if (gradient is None) == (not no_gradient):
        raise ValueError(f"{name}: give either gradient or no_gradient")
    op = Op(
        name, inputs=tuple(inputs.split()), summary=summary, shape=shape, dtype=dtype, reference=reference,
        params=params or {}, param_docs=param_docs or {}, notes=notes, source=source, kind=kind, canonical=canonical,
        gradient=gradient, tangent=tangent, no_gradient=no_gradient, batch=batch, no_batch=no_batch, linear=linear,
        properties=properties, identity=identity, immediate=immediate, effect=effect, higher_order=higher_order,
        domain=domain, cases=cases, bad=bad, tolerance=tolerance, public=public, aliases=aliases, methods=methods,
        operators=operators, module=sys._getframe(1).f_globals["__name__"],
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
    try:
        return _registry[name]
    except KeyError:
        near = nearest(name, _registry)
        raise ArgumentError(f"there is no op {name!r}", hint=f"did you mean {near!r}?" if near else None) from None


class _Ops:
    """The cards as attributes: ``ops.sum(x, axis=0)``. Rules use it for ops of other families: no import cycles."""

    def __getattr__(self, name: str) -> Op:
        return get(name)


ops = _Ops()


def all_ops() -> list[Op]:
    """Return all cards, ordered by name."""
    return [_registry[name] for name in sorted(_registry)]


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


def all_functions() -> dict[str, Function]:
    """Return the published functions by full name."""
    return dict(_functions)
