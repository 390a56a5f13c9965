"""Layers, and functions of networks of them. Those made for GPUs are in `dnn`, `corrmm` and `cuda_convnet`."""

from septet.dialects.lasagne.layers.base import *
from septet.dialects.lasagne.layers.conv import *
from septet.dialects.lasagne.layers.dense import *
from septet.dialects.lasagne.layers.embedding import *
from septet.dialects.lasagne.layers.helper import *
from septet.dialects.lasagne.layers.input import *
from septet.dialects.lasagne.layers.local import *
from septet.dialects.lasagne.layers.merge import *
from septet.dialects.lasagne.layers.noise import *
from septet.dialects.lasagne.layers.normalization import *
from septet.dialects.lasagne.layers.pool import *
from septet.dialects.lasagne.layers.recurrent import *
from septet.dialects.lasagne.layers.shape import *
from septet.dialects.lasagne.layers.special import *
