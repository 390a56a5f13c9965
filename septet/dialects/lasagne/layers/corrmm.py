"""The convolution that Lasagne computes as products of matrices on a GPU, computed as all others."""

from __future__ import annotations

from septet.dialects.lasagne.layers.conv import BaseConvLayer
from septet.dialects.theano.tensor import nnet

__all__ = ["Conv2DMMLayer"]


class Conv2DMMLayer(BaseConvLayer):
    """As `Conv2DLayer`, with ``flip_filters=False`` by default."""

    spatial = 2
    flips = False
    convolution = staticmethod(nnet.conv2d)
