"""`theano.gof.opt`: what programs import from there. Rewriting graphs is Septet's compiler's work."""

from __future__ import annotations

from typing import Any


def check_stack_trace(f_or_fgraph: Any, ops_to_check: Any = "last", bug_print: Any = "raise") -> bool:
    """Tell whether the lines are known where the results of applications were made.

    Parameters
    ----------
    f_or_fgraph : Function or FunctionGraph
    ops_to_check : "last", "all", Op, class of Op, or several
        Which applications.
    """
    graph = getattr(getattr(f_or_fgraph, "maker", None), "fgraph", f_or_fgraph)
    wanted = ops_to_check if isinstance(ops_to_check, (list, tuple)) else [ops_to_check]

    def is_checked(node: Any) -> bool:
        if ops_to_check == "last":
            return any(output in graph.outputs for output in node.outputs)
        return ops_to_check == "all" or any(
            isinstance(node.op, one) if isinstance(one, type) else node.op == one for one in wanted
        )

    found = [output for node in graph.toposort() if is_checked(node) for output in node.outputs]
    return all(not output.type.is_tensor or output.tensor.node.source is not None for output in found)
