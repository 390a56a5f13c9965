"""`theano.sandbox.cuda.dnn`: cuDNN's functions, computed on the CPU."""

from __future__ import annotations

from septet.dialects.theano.coverage import asked
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

__getattr__ = asked(__name__)
