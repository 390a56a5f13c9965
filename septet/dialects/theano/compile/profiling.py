"""`theano.compile.profiling`: what functions report about the time that they take."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any


class ProfileStats:
    """How often a function was called, and for how long it ran; `st.profile` tells where time goes."""

    def __init__(
        self, atexit_print: bool = True, flag_time_thunks: Any = None, gpu_checks: bool = True, **words: Any
    ) -> None:
        self.fct_callcount = 0
        self.fct_call_time = 0.0
        self.message: str | None = None
        self.__dict__.update(words)

    def timed(self, run: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function whose calls are counted."""

        def call(*args: Any) -> Any:
            start = perf_counter()
            found = run(*args)
            self.fct_callcount += 1
            self.fct_call_time += perf_counter() - start
            return found

        return call

    def summary(self, file: Any = None, n_ops_to_print: int = 20, n_apply_to_print: int = 20) -> None:
        """Print it, and say how time is measured here."""
        print(f"  Time in {self.fct_callcount} calls to Function.__call__: {self.fct_call_time:e}s", file=file)
        print("Profiles of compiled functions: with septet.profile() as p: f(...); print(p)", file=file)
