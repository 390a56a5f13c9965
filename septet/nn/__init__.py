"""F7: layers, containers, initializers and losses."""

from septet.nn import initializers, losses
from septet.nn.activation import (
    ELU,
    GELU,
    SELU,
    Activation,
    LeakyReLU,
    LogSoftmax,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from septet.nn.containers import Lambda, Sequential
from septet.nn.conv import Conv1D, Conv2D, Conv3D
from septet.nn.dense import Dense, Embedding
from septet.nn.module import Module
from septet.nn.normalization import BatchNorm, LayerNorm
from septet.nn.pooling import (
    AveragePool1D,
    AveragePool2D,
    AveragePool3D,
    GlobalAveragePool,
    GlobalMaxPool,
    MaxPool1D,
    MaxPool2D,
    MaxPool3D,
)
from septet.nn.shaping import Dropout, Flatten, Reshape

__all__ = [
    "ELU", "GELU", "SELU", "Activation", "AveragePool1D", "AveragePool2D", "AveragePool3D", "BatchNorm", "Conv1D", "Conv2D",
    "Conv3D", "Dense", "Dropout", "Embedding", "Flatten", "GlobalAveragePool", "GlobalMaxPool", "Lambda", "LayerNorm",
    "LeakyReLU", "LogSoftmax", "MaxPool1D", "MaxPool2D", "MaxPool3D", "Module", "ReLU", "Reshape", "Sequential", "SiLU",
    "Sigmoid", "Softmax", "Softplus", "Tanh", "initializers", "losses",
]  # fmt: skip
