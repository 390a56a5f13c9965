"""Probes: fresh nodes that stand for the arguments of a function while it is differentiated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from septet.base import dtypes
from septet.base.errors import GradientError
from septet.graph.context import TRACKED, recording
from septet.graph.graph import order
from septet.graph.node import Node
from septet.graph.op import as_node, record
from septet.ops.gradient import identity
from septet.tensor import tree
from septet.tensor.tensor import Tensor


def make_probe(value: Any, name: str) -> Node:
    """Return a tracked identity of a differentiable argument.

    Raises
    ------
    GradientError
        If the argument is not of a float or complex dtype.
    """
    node = as_node(value.node if isinstance(value, Tensor) else value)
    if not dtypes.is_differentiable(node.dtype):
        raise GradientError(
            f"{name} has dtype {node.dtype.name}, which carries no gradient", hint="convert it with .astype('float32')"
        )
    with recording(True):
        probe = record(identity, (node,))
    probe.flags |= TRACKED
    if node.value is not None:
        probe.value = node.value
    return probe


def retire(probes: Sequence[Node], roots: Sequence[Node], before: Sequence[int]) -> None:
    """Give probes the flags of what they stand for, and take back the flags that nodes had from the probes alone.

    What is not tracked can settle, so results of a differentiated function do not hold its graph.
    """
    for probe, flags in zip(probes, before, strict=True):
        probe.flags = flags
    first = min((probe.serial for probe in probes), default=0)
    for node in order(roots, stop=lambda n: n.serial <= first):
        if (
            node.flags & TRACKED
            and node.inputs
            and node.serial > first
            and not any(i.flags & TRACKED for i in node.inputs)
        ):
            node.flags &= ~TRACKED


class Run:
    """A function of tensors run on probes.

    Parameters
    ----------
    call : callable
    args : sequence
    argnums : sequence of int
        The arguments that are differentiated; each may be a nested structure.
    words : dict
    """

    def __init__(
        self, call: Callable[..., Any], args: Sequence[Any], argnums: Sequence[int], words: dict[str, Any]
    ) -> None:
        self.probes: list[Node] = []
        self.before: list[int] = []
        self.structures: list[Any] = []
        replaced = list(args)
        for argnum in argnums:
            leaves, structure = tree.flatten(args[argnum])
            probes = [make_probe(leaf, f"argument {argnum}") for leaf in leaves]
            self.before += [probe.inputs[0].flags for probe in probes]
            self.probes += probes
            self.structures.append((structure, len(probes)))
            replaced[argnum] = tree.unflatten(structure, [Tensor(probe) for probe in probes])
        with recording(True):
            self.result = call(*replaced, **words)

    def per_argument(self, nodes: Sequence[Any]) -> tuple[Any, ...]:
        """Put one value for each probe back into the structures of the arguments."""
        rest = iter(nodes)
        return tuple(tree.unflatten(s, [Tensor(next(rest)) for _ in range(count)]) for s, count in self.structures)

    def retire(self, roots: Sequence[Node]) -> None:
        """Retire the probes; see `retire`."""
        retire(self.probes, roots, self.before)
