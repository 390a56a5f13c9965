"""Ops that change nothing but the flow of gradients."""

from __future__ import annotations

from typing import Any

from septet.graph.node import Node
from septet.graph.op import ELEMENTWISE, Case, Op, card, function
from septet.ops.rules import arithmetic, same_shape

identity: Op = card(
    "identity", "x", kind=ELEMENTWISE, summary="Return the tensor itself, as a node of its own.", shape=same_shape,
    dtype=arithmetic, reference=lambda x: x.view(), gradient=lambda g, y, x: (g,), linear="all", public=False,
    cases=[Case((3, 4)), Case(())],
)  # fmt: skip

stop: Op = card(
    "stop_gradient", "x", kind=ELEMENTWISE, summary="Return the tensor itself, through which no gradient flows.",
    shape=same_shape, dtype=arithmetic, reference=lambda x: x.view(), gradient=lambda g, y, x: (None,),
    tangent=lambda t, y, x: None, public=False, properties=["untracked"],
    cases=[Case((3, 4), gradient=False), Case((), gradient=False)],
)  # fmt: skip


@function()
def stop_gradient(x: Any) -> Node:
    """Return the tensor itself, seen by gradients as plain data.

    Parameters
    ----------
    x : tensor
    """
    return stop(x)
