"""`theano.gpuarray`: there is no GPU here; what programs import from there works on the CPU where it means the same."""

from __future__ import annotations

from typing import Any

from septet.dialects.theano.coverage import refused
from septet.dialects.theano.gpuarray import basic_ops, dnn
from septet.dialects.theano.gpuarray.basic_ops import as_gpuarray_variable, gpu_contiguous

pygpu_activated = False


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    raise refused(f"theano.gpuarray.{name}")
