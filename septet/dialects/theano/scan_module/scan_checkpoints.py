"""`scan_checkpoints`: a loop that keeps every Nth value for its gradient and computes those between once more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from septet.dialects.theano.compile.rebuild import clone
from septet.dialects.theano.scan_module.scan import listed, scan
from septet.dialects.theano.tensor.convert import as_tensor_variable
from septet.dialects.theano.tensor.shaping import join, shape_padleft
from septet.dialects.theano.updates import OrderedUpdates


def scan_checkpoints(
    fn: Callable[..., Any], sequences: Any = (), outputs_info: Any = None, non_sequences: Any = (),
    name: str = "checkpointscan_fn", n_steps: Any = None, save_every_N: int = 10, padding: bool = True,
) -> Any:  # fmt: skip
    """Run a function over steps as `scan` does, with less memory for the gradient.

    Parameters
    ----------
    fn, sequences, outputs_info, non_sequences, name, n_steps
        As for `scan`; no taps.
    save_every_N : int
        Of how many steps the last one is kept.
    padding : bool
        Ignored: the steps that are left over are a loop of their own, so nothing is filled up.

    Returns
    -------
    outputs, updates
        As of `scan`, with every Nth value only, and the last.

    Raises
    ------
    RuntimeError
        If an output has taps.
    """
    given, infos = [as_tensor_variable(one) for one in listed(sequences)], listed(outputs_info) or [None]
    others = listed(non_sequences)
    if any(isinstance(one, dict) and "taps" in one for one in infos):
        raise RuntimeError("scan_checkpoints doesn't work with taps.")
    starts = [one["initial"] if isinstance(one, dict) else one for one in infos]
    count = as_tensor_variable(given[0].shape[0] if n_steps is None else n_steps)
    blocks = count // save_every_N
    whole = blocks * save_every_N
    rows = [
        one[:whole].reshape([blocks, save_every_N, *[one.shape[axis] for axis in range(1, one.ndim)]], one.ndim + 1)
        for one in given
    ]

    def block(*args: Any) -> Any:
        before = iter(args[len(rows) : len(args) - len(others)])
        own = [None if start is None else next(before) for start in starts]
        found, updates = scan(
            fn, list(args[: len(rows)]), own, list(args[len(args) - len(others) :]), save_every_N,
            name=f"{name}_inner", return_list=True,
        )  # fmt: skip
        return [one[-1] for one in found], updates

    results, updates = scan(block, rows, starts, others, blocks, name=f"{name}_outer", return_list=True)
    after = [
        None if start is None else join(0, shape_padleft(as_tensor_variable(start)), result)[-1]
        for start, result in zip(starts, results, strict=True)
    ]
    ends, late = scan(
        fn, [one[whole:count] for one in given], after, others, count - whole, name=f"{name}_rest", return_list=True
    )
    found = clone([*ends, *late.values()], replace=updates)
    outputs = [join(0, result, end[-1:]) for result, end in zip(results, found, strict=False)]
    following = OrderedUpdates(zip(late, found[len(ends) :], strict=True))
    return outputs if len(outputs) > 1 else outputs[0], following
