"""`theano.tensor.nnet.Conv3D`: the older correlation of volumes (batch, rows, columns, time, channels)."""

from __future__ import annotations

from typing import Any

from septet.dialects.theano.tensor.convert import as_tensor_variable, known_value
from septet.dialects.theano.tensor.nnet import abstract_conv


def conv3D(V: Any, W: Any, b: Any, d: Any) -> Any:
    """Correlate volumes with filters (out channels, rows, columns, time, channels), in steps of `d`, and add `b`."""
    steps = known_value(as_tensor_variable(d))
    if steps is None:
        raise NotImplementedError("conv3D: the steps are numbers that are known before anything is computed")
    volumes, filters = [as_tensor_variable(one).dimshuffle(0, 4, 1, 2, 3) for one in (V, W)]
    found = abstract_conv.conv3d(volumes, filters, subsample=tuple(int(one) for one in steps), filter_flip=False)
    return found.dimshuffle(0, 2, 3, 4, 1) + as_tensor_variable(b)
