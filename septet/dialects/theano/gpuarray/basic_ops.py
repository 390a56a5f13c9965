"""`theano.gpuarray.basic_ops`: transfers, which leave tensors as they are."""

from __future__ import annotations

from typing import Any

from septet.dialects.theano.coverage import asked
from septet.dialects.theano.tensor.convert import as_tensor_variable


def gpu_contiguous(x: Any, context_name: Any = None) -> Any:
    """Return a tensor as it is."""
    return as_tensor_variable(x)


as_gpuarray_variable = gpu_from_host = host_from_gpu = gpu_contiguous

__getattr__ = asked(__name__)
