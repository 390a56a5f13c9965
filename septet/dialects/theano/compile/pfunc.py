"""`theano.compile.pfunc`: old names of `function` and its parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from septet.dialects.theano.compile.function import Function as Function
from septet.dialects.theano.compile.function import UnusedInputError as UnusedInputError
from septet.dialects.theano.compile.function import function
from septet.dialects.theano.compile.program import Wiring
from septet.dialects.theano.compile.rebuild import pairs_of, rebuilt
from septet.dialects.theano.compile.rebuild import pairs_of as iter_over_pairs  # noqa: F401
from septet.dialects.theano.containers import In as In
from septet.dialects.theano.containers import Param as Param
from septet.dialects.theano.gof.graph import Constant
from septet.dialects.theano.gof.graph import inputs as graph_inputs
from septet.dialects.theano.sharing import SharedVariable as SharedVariable
from septet.dialects.theano.sharing import shared as shared


def pfunc(params: Any, outputs: Any = None, *args: Any, output_keys: Any = None, **kwargs: Any) -> Function:
    """Make a callable, as `function` does: ``params`` are its inputs.

    Parameters
    ----------
    params, outputs, *args, **kwargs
        What `function` takes.
    output_keys : list of str, optional
        Names under which a list of outputs is returned as a dict.
    """
    named = outputs if output_keys is None else dict(zip(output_keys, outputs, strict=True))
    return function(params, named, *args, **kwargs)


def rebuild_collect_shared(
    outputs: Any, inputs: Sequence[Any] | None = None, replace: Any = None, updates: Any = None,
    rebuild_strict: bool = True, copy_inputs_over: bool = True, no_default_updates: Any = False,
) -> tuple[list[Any], Any, list[Any]]:  # fmt: skip
    """Return inputs, outputs and what is known of shared variables, for a graph with some variables replaced.

    Parameters
    ----------
    outputs : Variable or list of Variable
    inputs : list of Variable or In, optional
    replace : dict or pairs, optional
    updates : dict or pairs, optional
    rebuild_strict : bool
        Whether what takes a variable's place must be of its type.
    copy_inputs_over : bool
        Whether inputs and shared variables stay the same ones; otherwise copies take their places.

    Returns
    -------
    inputs, outputs, [copies, updates, list of updates, shared variables]
    """
    outputs = [] if outputs is None else outputs
    many = isinstance(outputs, (list, tuple))
    wiring = Wiring([], list(outputs) if many else [outputs], dict(pairs_of(updates)), [])
    wiring.find_shared(no_default_updates)
    memo = dict(pairs_of(replace))
    given = [own.variable if isinstance(own, In) else own for own in inputs or ()]
    roots = wiring.roots()
    if not copy_inputs_over:
        for leaf in [*given, *graph_inputs(roots)]:
            if leaf not in memo and not isinstance(leaf, Constant):
                memo[leaf] = leaf.clone()
    found = rebuilt(roots, memo, rebuild_strict)
    count = len(wiring.outputs)
    changes = dict(zip(wiring.updates, found[count:], strict=True))
    known = [memo, changes, list(changes.items()), wiring.shared]
    return [memo.get(own, own) for own in given], found[:count] if many else found[0], known
