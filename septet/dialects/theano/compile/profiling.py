"""`theano.compile.profiling`: what functions report about the time that they take."""

from __future__ import annotations

from typing import Any


class ProfileStats:
    """Kept for programs that hand one to `function`; `st.profile` and ``function.septet`` tell where time goes."""

    def __init__(
        self, atexit_print: bool = True, flag_time_thunks: Any = None, gpu_checks: bool = True, **words: Any
    ) -> None:
        self.fct_callcount = 0
        self.message: str | None = None
        self.__dict__.update(words)

    def summary(self, file: Any = None, n_ops_to_print: int = 20, n_apply_to_print: int = 20) -> None:
        """Say how time is measured here."""
        print("Profiles of compiled functions: with septet.profile() as p: f(...); print(p)", file=file)
