"""What is explained, measured and searched: a function together with arguments, down to its program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from septet.backends.base import Program
from septet.backends.base_work import Description
from septet.base.errors import ArgumentError
from septet.graph.graph import Graph
from septet.graph.node import SYMBOL
from septet.tensor import tree
from septet.tensor.tensor import Tensor


class Target(NamedTuple):
    """What runs for a function and some arguments.

    Attributes
    ----------
    name : str
    arguments : str
        Their names and types.
    graph : Graph
        As it was written or traced.
    program : Program
    arrays : list of ndarray
        The inputs.
    level : str or None
        Which optimizations the program was made with; None for the setting.
    compiles : sequence of Compile
        Of the function, so far.
    """

    name: str
    arguments: str
    graph: Graph
    program: Program
    arrays: Sequence[np.ndarray]
    level: str | None
    compiles: Any

    @property
    def call(self) -> str:
        """The call as text."""
        return f"{self.name}({self.arguments})"

    def describe(self) -> Description:
        """Return what the program does for these arguments."""
        return self.program.describe(self.arrays)


def check_values(target: Target, given: Sequence[Any]) -> None:
    """Refuse symbols in the place of arrays whose values decide sizes.

    Parameters
    ----------
    target : Target
        Found for arguments with stand-ins.
    given : sequence
        The arguments, flat: symbols are those that were replaced.

    Raises
    ------
    ArgumentError
        Naming the first that needs a value.
    """
    for number in target.program.deciding:
        node = target.graph.inputs[number]
        if any([_is_symbol(leaf) and leaf.shape == node.shape and leaf.dtype == node.dtype for leaf in given]):
            raise ArgumentError(
                f"memory depends on a value that is not known: that of {node.params[0] or f'input {number}'}",
                hint="give a number or an array, not a symbol, where a value decides sizes",
            )


def with_stand_ins(args: tuple[Any, ...], words: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return arguments with arrays in the place of symbols: they have shape and dtype, and take no memory.

    Raises
    ------
    ArgumentError
        If a size of a symbol is not known.
    """
    leaves, structure = tree.flatten((args, words))
    found: tuple[tuple[Any, ...], dict[str, Any]] = tree.unflatten(structure, [_stand_in(leaf) for leaf in leaves])
    return found


def _stand_in(leaf: Any) -> Any:
    if not _is_symbol(leaf):
        return leaf
    type_ = leaf.node.tensor_type
    if None in type_.shape:
        raise ArgumentError(
            f"memory depends on sizes that are not known: {leaf.node.params[0] or 'a symbol'} is {type_!r}",
            hint="give an array, or a symbol of which all sizes are known: st.symbol(shape=(64, 784))",
        )
    return np.broadcast_to(np.zeros((), type_.dtype), type_.shape)


def _is_symbol(leaf: Any) -> bool:
    return isinstance(leaf, Tensor) and leaf.node.op is SYMBOL
