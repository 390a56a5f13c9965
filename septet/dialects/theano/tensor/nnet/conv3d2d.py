"""`theano.tensor.nnet.conv3d2d`: convolution of films (batch, time, channels, rows, columns)."""

from __future__ import annotations

from typing import Any

from septet.dialects.theano.tensor.convert import as_tensor_variable
from septet.dialects.theano.tensor.nnet import abstract_conv


def _reordered(shape: Any) -> Any:
    return None if shape is None else (shape[0], shape[2], shape[1], *shape[3:])


def conv3d(
    signals: Any, filters: Any, signals_shape: Any = None, filters_shape: Any = None, border_mode: Any = "valid"
) -> Any:
    """Convolve films (batch, time, channels, rows, columns) with filters (out channels, time, channels, rows, columns).

    Parameters
    ----------
    signals, filters : tensor
    signals_shape, filters_shape : tuple, optional
    border_mode : "valid", "full" or "half", or one for each of time, rows and columns
    """
    signals, filters = [as_tensor_variable(one).dimshuffle(0, 2, 1, 3, 4) for one in (signals, filters)]
    modes = (border_mode,) * 3 if isinstance(border_mode, str) else tuple(border_mode)
    for mode in modes:
        if mode not in ("valid", "full", "half"):
            raise ValueError("invalid border mode", mode)
    shapes = _reordered(signals_shape), _reordered(filters_shape)
    if len(set(modes)) == 1:
        mode = modes[0]
    elif filters_shape is None:
        raise NotImplementedError("conv3d2d.conv3d: border modes that differ need filters_shape")
    else:
        reach = {"valid": lambda k: 0, "full": lambda k: k - 1, "half": lambda k: k // 2}
        mode = tuple(reach[own](size) for own, size in zip(modes, shapes[1][2:], strict=True))
    return abstract_conv.conv3d(signals, filters, *shapes, mode).dimshuffle(0, 2, 1, 3, 4)
