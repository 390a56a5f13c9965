"""The convolution that Lasagne computes as products of matrices on a GPU, computed as all others."""

from __future__ import annotations

from septet.dialects.lasagne.layers.conv import BaseConvLayer
from septet.dialects.theano.tensor import nnet

__all__ = ["Conv2DMMLayer"]


class Conv2DMMLayer(BaseConvLayer, spatial=2):
    """As `Conv2DLayer`, with ``flip_filters=False`` by default."""

    flips = False
    convolution = staticmethod(nnet.conv2d)
