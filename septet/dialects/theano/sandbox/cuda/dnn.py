"""`theano.sandbox.cuda.dnn`: cuDNN's functions, computed on the CPU."""

from __future__ import annotations

from typing import Any

from septet.dialects.theano.coverage import refused
from septet.dialects.theano.gpuarray.dnn import (
    dnn_available,
    dnn_batch_normalization_test,
    dnn_batch_normalization_train,
    dnn_conv,
    dnn_conv3d,
    dnn_gradinput,
    dnn_gradweight,
    dnn_pool,
)

__all__ = [
    "dnn_available", "dnn_batch_normalization_test", "dnn_batch_normalization_train", "dnn_conv", "dnn_conv3d",
    "dnn_gradinput", "dnn_gradweight", "dnn_pool",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    raise refused(f"theano.sandbox.cuda.dnn.{name}")
