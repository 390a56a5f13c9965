"""Variables replaced by others in what was built: `theano.clone`, and the givens of functions that run op by op."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from septet.dialects.theano.gof.graph import Apply, Constant, Variable, io_toposort
from septet.dialects.theano.gof.graph import inputs as graph_inputs
from septet.dialects.theano.gof.op import Replay
from septet.graph.graph import order


def pairs_of(pairs: Any) -> list[tuple[Any, Any]]:
    """Return replacements as a list of (old, new)."""
    if pairs is None:
        return []
    return list(pairs.items()) if isinstance(pairs, Mapping) else [tuple(pair) for pair in pairs]


def _with_inner(node: Apply, inner: Sequence[Variable]) -> Apply:
    """Return what a transformation has made as computed from variables on its way, too: its op takes leaves only."""
    results = [v.tensor for v in node.outputs]
    nodes = set(order([t.node for t in results]))
    found = [v for v in inner if v not in node.inputs and v.tensor.node in nodes]
    if not found:
        return node
    sources = [*node.inputs, *found]
    return Replay(node.op.name, [v.tensor for v in sources], results).applied(sources)


def rebuilt(outputs: Sequence[Variable], replacements: Mapping[Any, Any], strict: bool = True) -> list[Variable]:
    """Return outputs computed from other variables than they were; what does not depend on them stays as it is."""
    memo: dict[Any, Any] = dict(replacements)
    inner = [v for v in replacements if v.owner is not None and v.type.is_tensor]
    for given in io_toposort(replacements, outputs):
        node = _with_inner(given, inner) if inner and isinstance(given.op, Replay) else given
        if all(memo.get(v, v) is v for v in node.inputs):
            continue
        fresh = node.clone_with_new_inputs([memo.get(v, v) for v in node.inputs], strict=strict)
        for old, new in zip(given.outputs, fresh.outputs, strict=True):
            new.name = old.name
            memo.setdefault(old, new)
    return [memo.get(v, v) for v in outputs]


def clone(
    output: Any, replace: Any = None, strict: bool = True, share_inputs: bool = True, copy_inputs: Any = None
) -> Any:
    """Return a variable (or a list of them) computed from others than it was.

    Parameters
    ----------
    output : Variable or list of Variable
    replace : dict, or list of pairs, of Variable to Variable
    strict : bool
        Whether what takes a variable's place must be of its type.
    share_inputs : bool
        Whether inputs and shared variables stay the same ones; otherwise copies take their places.
    """
    outputs = list(output) if isinstance(output, (list, tuple)) else [output]
    memo: dict[Any, Any] = {}
    for old, new in pairs_of(replace):
        value = new if isinstance(new, Variable) else old.type.filter_variable(new)
        memo[old] = old.type.filter_variable(value) if strict else value
    found = rebuilt(outputs, memo, strict)
    if not (share_inputs if copy_inputs is None else copy_inputs):
        found = rebuilt(found, {leaf: leaf.clone() for leaf in graph_inputs(found) if not isinstance(leaf, Constant)})
    return found if isinstance(output, (list, tuple)) else found[0]
