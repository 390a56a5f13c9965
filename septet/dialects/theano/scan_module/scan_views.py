"""`scan` as functional programs know it: map, reduce, and folds from the left and from the right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from septet.dialects.theano.scan_module.scan import scan


def map(
    fn: Callable[..., Any], sequences: Any, non_sequences: Any = None, truncate_gradient: int = -1,
    go_backwards: bool = False, mode: Any = None, name: str | None = None,
) -> Any:  # fmt: skip
    """Apply a function to each element of sequences; returns (results, updates). Parameters as for `scan`."""
    return scan(
        fn, sequences, [], non_sequences, truncate_gradient=truncate_gradient, go_backwards=go_backwards, mode=mode,
        name=name,
    )  # fmt: skip


def reduce(
    fn: Callable[..., Any], sequences: Any, outputs_info: Any, non_sequences: Any = None, go_backwards: bool = False,
    mode: Any = None, name: str | None = None,
) -> Any:  # fmt: skip
    """Hand values on along sequences; returns (the last values, updates). Parameters as for `scan`."""
    found, updates = scan(fn, sequences, outputs_info, non_sequences, go_backwards=go_backwards, mode=mode, name=name)
    return [one[-1] for one in found] if isinstance(found, (list, tuple)) else found[-1], updates


def foldl(
    fn: Callable[..., Any], sequences: Any, outputs_info: Any, non_sequences: Any = None, mode: Any = None,
    name: str | None = None,
) -> Any:  # fmt: skip
    """Reduce sequences from the first element to the last; see `reduce`."""
    return reduce(fn, sequences, outputs_info, non_sequences, False, mode, name)


def foldr(
    fn: Callable[..., Any], sequences: Any, outputs_info: Any, non_sequences: Any = None, mode: Any = None,
    name: str | None = None,
) -> Any:  # fmt: skip
    """Reduce sequences from the last element to the first; see `reduce`."""
    return reduce(fn, sequences, outputs_info, non_sequences, True, mode, name)
