"""`theano.gpuarray.dnn`: cuDNN's functions, computed on the CPU."""

from __future__ import annotations

from typing import Any

from septet.dialects.theano.coverage import asked
from septet.dialects.theano.tensor.convert import as_tensor_variable
from septet.dialects.theano.tensor.nnet.abstract_conv import (
    AbstractConv2d_gradInputs,
    AbstractConv2d_gradWeights,
    conv2d,
    conv3d,
)
from septet.dialects.theano.tensor.nnet.bn import batch_normalization_test, batch_normalization_train
from septet.dialects.theano.tensor.signal.pool import Pool


def dnn_present() -> bool:
    """Tell whether cuDNN is used: never."""
    return False


def dnn_available(context_name: Any = None) -> bool:
    """Tell whether cuDNN is used: never."""
    return False


dnn_available.msg = dnn_present.msg = "there is no GPU here; convolutions and pooling run on the CPU"  # type: ignore[attr-defined]


def _check_mode(conv_mode: str) -> bool:
    """Return whether kernels are flipped."""
    if conv_mode not in ("conv", "cross"):
        raise ValueError(f"conv_mode is 'conv' or 'cross', got {conv_mode!r}")
    return conv_mode == "conv"


def dnn_conv(
    img: Any, kerns: Any, border_mode: Any = "valid", subsample: Any = (1, 1), dilation: Any = (1, 1),
    conv_mode: str = "conv", direction_hint: Any = None, workmem: Any = None, algo: Any = None, precision: Any = None,
    num_groups: int = 1,
) -> Any:  # fmt: skip
    """Return `conv2d`; `conv_mode` "cross" correlates."""
    return conv2d(img, kerns, None, None, border_mode, subsample, _check_mode(conv_mode), dilation, num_groups)


def dnn_conv3d(
    img: Any, kerns: Any, border_mode: Any = "valid", subsample: Any = (1, 1, 1), dilation: Any = (1, 1, 1),
    conv_mode: str = "conv", direction_hint: Any = None, algo: Any = None, precision: Any = None, num_groups: int = 1,
    workmem: Any = None,
) -> Any:  # fmt: skip
    """Return `conv3d`; `conv_mode` "cross" correlates."""
    return conv3d(img, kerns, None, None, border_mode, subsample, _check_mode(conv_mode), dilation, num_groups)


def dnn_gradweight(
    img: Any, topgrad: Any, kerns_shp: Any, border_mode: Any = "valid", subsample: Any = (1, 1), dilation: Any = (1, 1),
    conv_mode: str = "conv", precision: Any = None, algo: Any = None, num_groups: int = 1,
) -> Any:  # fmt: skip
    """Return the gradient of `dnn_conv` in its kernels."""
    settings = (border_mode, subsample, _check_mode(conv_mode), dilation, num_groups)
    return AbstractConv2d_gradWeights(None, None, *settings)(img, topgrad, as_tensor_variable(kerns_shp)[-2:])


def dnn_gradinput(
    kerns: Any, topgrad: Any, img_shp: Any, border_mode: Any = "valid", subsample: Any = (1, 1), dilation: Any = (1, 1),
    conv_mode: str = "conv", precision: Any = None, algo: Any = None, num_groups: int = 1,
) -> Any:  # fmt: skip
    """Return the gradient of `dnn_conv` in its images."""
    settings = (border_mode, subsample, _check_mode(conv_mode), dilation, num_groups)
    return AbstractConv2d_gradInputs(None, None, *settings)(kerns, topgrad, as_tensor_variable(img_shp)[-2:])


def dnn_pool(img: Any, ws: Any, stride: Any = None, mode: str = "max", pad: Any = None) -> Any:
    """Return `pool_2d` or `pool_3d`, by the length of `ws`, without a cut-off window; the stride is 1 by default."""
    img, rank = as_tensor_variable(img), len(ws)
    stride = (1,) * rank if stride is None else stride
    mode = "average_inc_pad" if mode == "average" else mode
    return Pool(True, mode, rank)(img, ws, stride, pad)


def dnn_batch_normalization_train(inputs: Any, gamma: Any, beta: Any, mode: str = "per-activation", *args: Any, **words: Any) -> Any:  # fmt: skip
    """Return `batch_normalization_train`."""
    return batch_normalization_train(inputs, gamma, beta, mode, *args, **words)


def dnn_batch_normalization_test(
    inputs: Any, gamma: Any, beta: Any, mean: Any, var: Any, mode: str = "per-activation", epsilon: Any = 1e-4
) -> Any:
    """Return `batch_normalization_test`."""
    return batch_normalization_test(inputs, gamma, beta, mean, var, mode, epsilon)


__all__ = [
    "dnn_available", "dnn_batch_normalization_test", "dnn_batch_normalization_train", "dnn_conv", "dnn_conv3d",
    "dnn_gradinput", "dnn_gradweight", "dnn_pool",
]  # fmt: skip

__getattr__ = asked(__name__)
