"""F7: layers, losses, initializers."""

from septet.nn import initializers, losses
from septet.nn.activation import (
    ELU,
    GELU,
    SELU,
    Activation,
    LeakyReLU,
    LogSoftmax,
    Mish,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from septet.nn.config import from_config, to_config
from septet.nn.containers import ModuleList, Sequential
from septet.nn.conv import Conv1D, Conv2D, Conv3D
from septet.nn.dense import Dense
from septet.nn.dropout import Dropout
from septet.nn.embedding import Embedding
from septet.nn.model import Input, Model
from septet.nn.module import Module, Parameters
from septet.nn.normalization import BatchNorm, LayerNorm
from septet.nn.pooling import (
    AvgPool1D,
    AvgPool2D,
    AvgPool3D,
    GlobalAveragePool,
    GlobalMaxPool,
    MaxPool1D,
    MaxPool2D,
    MaxPool3D,
)
from septet.nn.shaping import Flatten, Reshape
from septet.nn.updates import collect_updates

__all__ = [
    "Activation",
    "AvgPool1D",
    "AvgPool2D",
    "AvgPool3D",
    "BatchNorm",
    "collect_updates",
    "Conv1D",
    "Conv2D",
    "Conv3D",
    "Dense",
    "Dropout",
    "ELU",
    "Embedding",
    "Flatten",
    "from_config",
    "GELU",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "initializers",
    "Input",
    "LayerNorm",
    "LeakyReLU",
    "LogSoftmax",
    "losses",
    "MaxPool1D",
    "MaxPool2D",
    "MaxPool3D",
    "Mish",
    "Model",
    "Module",
    "ModuleList",
    "Parameters",
    "ReLU",
    "Reshape",
    "SELU",
    "Sequential",
    "Sigmoid",
    "SiLU",
    "Softmax",
    "Softplus",
    "Tanh",
    "to_config",
]
