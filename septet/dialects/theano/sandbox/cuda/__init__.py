"""`theano.sandbox.cuda`: there is no GPU here; what programs import from there works on the CPU where it means the same."""

from __future__ import annotations

from typing import Any

from septet.dialects.theano.coverage import asked, refused
from septet.dialects.theano.sandbox.cuda import basic_ops, blas, dnn
from septet.dialects.theano.sandbox.cuda.basic_ops import (
    as_cuda_ndarray_variable,
    gpu_contiguous,
    gpu_from_host,
    host_from_gpu,
)

cuda_available = cuda_enabled = False


def use(device: Any, *args: Any, **words: Any) -> None:
    """Refuse a GPU; ``cpu`` is what is used."""
    if str(device) != "cpu":
        raise refused("theano.sandbox.cuda.use")


__getattr__ = asked(__name__)
