"""`ifelse`: one of two expressions, of which only the chosen one is computed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import septet as st
from septet.dialects.theano.gof.graph import Apply, Variable
from septet.dialects.theano.gof.op import NativeOp
from septet.dialects.theano.tensor.convert import as_tensor_variable
from septet.dialects.theano.tensortype import TensorType


class IfElse(NativeOp):
    """Chooses between two lists of variables.

    Applied to the condition, the variables that are the results where it holds, and those where it does not.

    Parameters
    ----------
    n_outs : int
        How many results.
    name : str, optional
    """

    __props__ = ("n_outs",)

    def __init__(self, n_outs: int, as_view: bool = False, gpu: bool = False, name: str | None = None) -> None:
        self.n_outs = n_outs
        self.as_view = as_view
        self.name = name

    def __str__(self) -> str:
        return f"if{{{self.name or ''}}}"

    def make_node(self, *inputs: Any) -> Any:
        if len(inputs) != 2 * self.n_outs + 1:
            raise AssertionError(
                f"Wrong number of arguments to make_node: expected {2 * self.n_outs}, got {len(inputs) - 1}"
            )
        condition = as_tensor_variable(inputs[0])
        given = [v if isinstance(v, Variable) else as_tensor_variable(v) for v in inputs[1:]]
        for a, b in zip(given[: self.n_outs], given[self.n_outs :], strict=True):
            if a.type != b.type:
                raise TypeError("IfElse requires same types for true and false return values", a, b, a.type, b.type)
        if condition.type.ndim > 0:
            raise TypeError(
                "Condition given to the op has to be a scalar with 0 standing for False, anything else for True"
            )
        if all(v.type.is_tensor for v in given):
            return self.applied([condition, *given])
        op = IfElse(self.n_outs, name=self.name)
        op.is_native = False  # Python chooses between values that are no tensors
        return Apply(op, [condition, *given], [v.type() for v in given[: self.n_outs]])

    def compute(self, *tensors: Any) -> Any:
        condition, *given = tensors
        first, second = given[: self.n_outs], given[self.n_outs :]
        return tuple(st.cond(st.not_equal(condition, 0), lambda: first, lambda: second))

    def chosen(self, condition: Any, inputs: Sequence[Any]) -> Sequence[Any]:
        """Return those of the inputs that are the results."""
        first = 1 if condition else 1 + self.n_outs
        return inputs[first : first + self.n_outs]

    def perform(self, node: Apply, inputs: Sequence[Any], output_storage: Any, params: Any = None) -> None:
        for cell, value in zip(output_storage, self.chosen(inputs[0], inputs), strict=True):
            cell[0] = value


def ifelse(condition: Any, then_branch: Any, else_branch: Any, name: str | None = None) -> Any:
    """Return one of two expressions; what only the other one needs is not computed.

    Parameters
    ----------
    condition : scalar
        0 stands for False.
    then_branch, else_branch : variable, or list or tuple of variables
        Of the same number and types.
    name : str, optional
        How the op is called where graphs are printed.

    Returns
    -------
    Variable, list or tuple, as `then_branch` is

    Raises
    ------
    TypeError
        If types differ.
    ValueError
        If one branch has more variables.

    Examples
    --------
    >>> import septet.dialects.theano as theano
    >>> import septet.dialects.theano.tensor as T
    >>> from septet.dialects.theano.ifelse import ifelse
    >>> a, b, x, y = T.dscalar(), T.dscalar(), T.dmatrix(), T.dmatrix()
    >>> f = theano.function([a, b, x, y], ifelse(T.lt(a, b), T.mean(x), T.mean(y)))
    >>> float(f(1, 2, [[1, 3]], [[0]]))
    2.0
    """
    kind = type(then_branch) if isinstance(then_branch, (list, tuple)) else None
    first = list(then_branch) if kind is not None else [then_branch]
    second = list(else_branch) if isinstance(else_branch, (list, tuple)) else [else_branch]
    for place, (a, b) in enumerate(zip(first, second, strict=False)):
        a, b = [v if isinstance(v, Variable) else as_tensor_variable(v) for v in (a, b)]
        if a.type != b.type and isinstance(a.type, TensorType) != isinstance(b.type, TensorType):
            a, b = (a, a.type.filter_variable(b)) if isinstance(a.type, TensorType) else (b.type.filter_variable(a), b)
        if a.type != b.type:
            raise TypeError(
                f"The two branches should have identical types, but they are {a.type} and {b.type} respectively. This "
                "error could be raised if for example you provided a one element list on the `then` branch but a "
                "tensor on the `else` branch."
            )
        first[place], second[place] = a, b
    if len(first) != len(second):
        raise ValueError(
            "The number of values on the `then` branch should have the same number of variables as the `else` branch : "
            f"(variables on `then` {len(first)}, variables on `else` {len(second)})"
        )
    found = IfElse(len(first), name=name)(condition, *first, *second, return_list=True)
    return found[0] if kind is None else kind(found)
