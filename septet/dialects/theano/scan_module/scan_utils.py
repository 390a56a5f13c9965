"""What `scan` and programs that take its graphs apart share."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from septet.dialects.theano.compile.rebuild import clone
from septet.dialects.theano.configdefaults import config
from septet.dialects.theano.gof.graph import Apply, Constant, Variable, io_toposort
from septet.dialects.theano.gof.graph import inputs as graph_inputs
from septet.dialects.theano.gof.op import get_test_value
from septet.dialects.theano.tensor.convert import as_tensor_variable, known_value
from septet.dialects.theano.tensor.creation import zeros
from septet.dialects.theano.tensor.shaping import join


class until:
    """A condition, returned by the function of a scan after its outputs and updates, that ends the loop after the step in
    which it holds.

    Parameters
    ----------
    condition : scalar
    """

    def __init__(self, condition: Any) -> None:
        self.condition = as_tensor_variable(condition)
        assert self.condition.type.ndim == 0


def safe_new(x: Any, tag: str = "", dtype: Any = None) -> Any:
    """Return a new variable of the type of another, with its name and a suffix; of a constant, a copy."""
    if isinstance(x, Constant):
        if dtype and x.type.dtype != dtype:
            return type(x)(x.type.clone(dtype=dtype), x.data.astype(dtype), x.name)
        return x.clone()
    if not isinstance(x, Variable):
        x = as_tensor_variable(x)
    if dtype and x.type.dtype != dtype:
        x = x.astype(dtype)
    fresh = x.type()
    fresh.name = None if x.name is None else x.name + tag
    keep_test_value(fresh, x)
    return fresh


def keep_test_value(fresh: Any, like: Any) -> None:
    """Give a variable the test value of another, where test values are used and it has one."""
    if config.compute_test_value != "off":
        try:
            fresh.tag.test_value = copy.deepcopy(get_test_value(like))
        except AttributeError:
            return


def get_updates_and_outputs(returned: Any) -> tuple[Any, list[Any], Any]:
    """Return the condition (or None), the outputs and the updates in what the function of a scan returned.

    Raises
    ------
    ValueError
        If it is made of anything but outputs, then updates, then a condition.
    """
    if not _is_of_variables(returned):
        raise ValueError(
            "The return value of your scan lambda expression may only be made of lists, tuples, or dictionaries "
            "containing Theano variables (or `theano.scan_module.until` objects for conditions). In particular if you "
            "need to use constant values, you can use `tensor.constant` to turn them into Theano variables."
        )
    if _is_outputs(returned):
        return None, _listed(returned), OrderedDict()
    if _is_updates(returned):
        return None, [], OrderedDict(returned)
    parts = list(returned) if isinstance(returned, (list, tuple)) else []
    outputs: list[Any] = []
    updates: Any = OrderedDict()
    condition = None
    if 2 <= len(parts) <= 3:
        if _is_outputs(parts[0]):
            outputs = _listed(parts.pop(0))
        if parts and _is_updates(parts[0]):
            updates = OrderedDict(parts.pop(0))
        if parts and isinstance(parts[0], until):
            condition = parts.pop(0).condition
    if parts or not isinstance(returned, (list, tuple)) or len(returned) < 2:
        raise ValueError(
            f"Scan cannot parse the return value of your lambda expression, which is: {returned}. Return the outputs "
            "(if any), then the updates (if any), then the condition (if any)."
        )
    return condition, outputs, updates


def _is_of_variables(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(_is_of_variables(part) for part in value)
    if isinstance(value, dict):
        return all(_is_of_variables(part) for pair in value.items() for part in pair)
    return isinstance(value, (Variable, until))


def _is_outputs(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(isinstance(part, Variable) for part in value)
    return isinstance(value, Variable)


def _is_updates(value: Any) -> bool:
    if isinstance(value, dict):
        return True
    return isinstance(value, (list, tuple)) and all(isinstance(p, (list, tuple)) and len(p) == 2 for p in value)


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def isNaN_or_Inf_or_None(x: Any) -> bool:
    """Tell whether a number of steps is none."""
    if x is None or isinstance(x, str):
        return True
    value = known_value(x) if not isinstance(x, Variable) or x.type.is_tensor else None
    if value is None or value.dtype.kind not in "fiub":
        return False
    return not bool(np.all(np.isfinite(value)))


def expand_empty(tensor_var: Any, size: Any) -> Any:
    """Return a tensor with `size` more rows, whose values mean nothing."""
    if isinstance(size, int) and size == 0:
        return tensor_var
    rest = [tensor_var.shape[axis] for axis in range(1, tensor_var.type.ndim)]
    return join(0, tensor_var, zeros([size, *rest], dtype=tensor_var.type.dtype))


def reconstruct_graph(inputs: Sequence[Any], outputs: Sequence[Any], tag: str | None = None) -> tuple[list[Any], Any]:
    """Return new inputs of the types of some, and the outputs computed from them."""
    fresh = [safe_new(x, tag or "") for x in inputs]
    return fresh, clone(outputs, replace=list(zip(inputs, fresh, strict=True)))


def map_variables(
    replacer: Callable[[Any], Any], graphs: Iterable[Any], additional_inputs: Sequence[Any] = ()
) -> list[Any]:
    """Return graphs in which each variable is what a function makes of it, also inside of loops.

    Parameters
    ----------
    replacer : callable
        From a variable to what stands in its place; called once for each, and not for what it returned.
    graphs : sequence of Variable
    additional_inputs : sequence of Variable
        Ignored: what a replacement depends on is found.
    """
    outputs = list(graphs)
    memo: dict[Any, Any] = {}
    for variable in graph_inputs(outputs):
        memo.setdefault(variable, replacer(variable))
    for node in io_toposort([], outputs):
        given = [memo[v] for v in node.inputs]
        fresh: Apply = node
        if hasattr(node.op, "mapped"):  # a loop
            fresh = node.op.mapped(replacer).make_node(*given)
        elif any(a is not b for a, b in zip(given, node.inputs, strict=True)):
            fresh = node.clone_with_new_inputs(given, strict=False)
        for old, new in zip(node.outputs, fresh.outputs, strict=True):
            if new is not old:
                new.name, new.tag = old.name, old.tag
            memo[old] = replacer(new)
    return [memo[v] for v in outputs]


def equal_computations(
    xs: Sequence[Any], ys: Sequence[Any], in_xs: Sequence[Any] | None = None, in_ys: Sequence[Any] | None = None
) -> bool:
    """Tell whether two lists of variables are the same computations.

    Parameters
    ----------
    xs, ys : list of Variable
    in_xs, in_ys : list of Variable, optional
        Inputs that stand for each other.
    """
    assert len(xs) == len(ys)
    same = set(zip(in_xs or (), in_ys or (), strict=True))
    if any(x.type != y.type for x, y in same):
        return False
    pending = list(zip(xs, ys, strict=True))
    while pending:
        x, y = pending.pop()
        if (x, y) in same:
            continue
        same.add((x, y))
        if x.owner is None or y.owner is None:
            if not (x is y or (isinstance(x, Constant) and isinstance(y, Constant) and x.equals(y))):
                return False
            continue
        if x.owner.op != y.owner.op or x.index != y.index or len(x.owner.inputs) != len(y.owner.inputs):
            return False
        pending += zip(x.owner.inputs, y.owner.inputs, strict=True)
    return True
