"""Updates of symbolic programs: what layers change while they are applied to symbols."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from septet.base.errors import NotSupportedError
from septet.graph.context import context
from septet.tensor.tensor import Tensor
from septet.tensor.trace import Trace
from septet.tensor.variable import Variable


@contextmanager
def collect_updates() -> Iterator[dict[Variable, Any]]:
    """Collect what layers assign (running statistics, random states) as updates for `septet.function`.

    Returns
    -------
    context manager of dict
        Filled when the block ends.

    Examples
    --------
    >>> import septet as st
    >>> from septet import nn
    >>> x, model = st.symbol("x", (None, 3)), nn.BatchNorm()
    >>> with collect_updates() as updates:
    ...     y = model(x)
    >>> step = st.function([x], y, updates=updates)
    >>> step([[0, 20, 30], [20, 20, 10]]).shape, model.mean.numpy().tolist()
    ((2, 3), [1.0, 2.0, 2.0])
    """
    updates: dict[Variable, Any] = {}
    with Trace() as trace:
        yield updates
    updates.update((variable, Tensor(node)) for variable, node in trace.updates.items())


def check_updates(layer: str, x: Tensor) -> None:
    """Refuse a layer that changes variables on symbols, where nobody collects what it changes."""
    if context.trace is None and x.node.is_symbolic:
        raise NotSupportedError(
            f"{layer}: in training mode it changes variables, which a symbolic graph has to be told",
            hint="with nn.collect_updates() as updates: y = model(x); then st.function(..., updates=updates); "
            "or model.eval()",
        )
