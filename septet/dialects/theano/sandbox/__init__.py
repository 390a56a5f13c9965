"""`theano.sandbox`: what programs import from there."""

from __future__ import annotations

import importlib
from typing import Any


def __getattr__(name: str) -> Any:
    if name == "cuda":  # programs ask `theano.sandbox.cuda.cuda_enabled` without importing it
        return importlib.import_module(f"{__name__}.cuda")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
