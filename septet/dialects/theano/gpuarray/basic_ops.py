"""`theano.gpuarray.basic_ops`: transfers, which leave tensors as they are."""

from __future__ import annotations

from typing import Any

from septet.dialects.theano.coverage import refused
from septet.dialects.theano.tensor.convert import as_tensor_variable


def gpu_contiguous(x: Any, context_name: Any = None) -> Any:
    """Return a tensor as it is."""
    return as_tensor_variable(x)


as_gpuarray_variable = gpu_from_host = host_from_gpu = gpu_contiguous


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    raise refused(f"theano.gpuarray.basic_ops.{name}")
