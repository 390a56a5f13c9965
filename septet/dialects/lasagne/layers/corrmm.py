"""The convolution that Lasagne computes as products of matrices on a GPU, computed as all others."""

from __future__ import annotations

from septet.dialects.lasagne.layers.conv import CorrelationLayer
from septet.dialects.theano.tensor import nnet

__all__ = ["Conv2DMMLayer"]


class Conv2DMMLayer(CorrelationLayer):
    """As `Conv2DLayer`, with ``flip_filters=False`` by default."""

    spatial = 2
    function = staticmethod(nnet.conv2d)
