"""F7: layers, losses, initializers."""

from septet.nn import ctc, initializers, losses
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
from septet.nn.attention.multi_head import MultiHeadAttention
from septet.nn.attention.positions import LearnedPositions, SinusoidalPositions, rotary, sinusoids
from septet.nn.attention.scores import AdditiveAttention, Attention, DotAttention
from septet.nn.attention.transformer import (
    FeedForward,
    TransformerDecoder,
    TransformerDecoderLayer,
    TransformerEncoder,
    TransformerEncoderLayer,
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
from septet.nn.recurrent.cell import Cell
from septet.nn.recurrent.cells import GRUCell, LSTMCell, RNNCell
from septet.nn.recurrent.conv import ConvLSTM1D, ConvLSTM2D, ConvLSTM3D, ConvLSTMCell
from septet.nn.recurrent.decoder import AttentionDecoder
from septet.nn.recurrent.layers import GRU, LSTM, RNN, Recurrent
from septet.nn.recurrent.wrappers import Bidirectional, TimeDistributed
from septet.nn.shaping import Flatten, Reshape
from septet.nn.updates import collect_updates

__all__ = [
    "Activation",
    "AdditiveAttention",
    "Attention",
    "AttentionDecoder",
    "AvgPool1D",
    "AvgPool2D",
    "AvgPool3D",
    "BatchNorm",
    "Bidirectional",
    "Cell",
    "collect_updates",
    "Conv1D",
    "Conv2D",
    "Conv3D",
    "ConvLSTM1D",
    "ConvLSTM2D",
    "ConvLSTM3D",
    "ConvLSTMCell",
    "ctc",
    "Dense",
    "DotAttention",
    "Dropout",
    "ELU",
    "Embedding",
    "FeedForward",
    "Flatten",
    "from_config",
    "GELU",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "GRU",
    "GRUCell",
    "initializers",
    "Input",
    "LayerNorm",
    "LeakyReLU",
    "LearnedPositions",
    "LogSoftmax",
    "losses",
    "LSTM",
    "LSTMCell",
    "MaxPool1D",
    "MaxPool2D",
    "MaxPool3D",
    "Mish",
    "Model",
    "Module",
    "ModuleList",
    "MultiHeadAttention",
    "Parameters",
    "Recurrent",
    "ReLU",
    "Reshape",
    "RNN",
    "RNNCell",
    "rotary",
    "SELU",
    "Sequential",
    "Sigmoid",
    "SiLU",
    "SinusoidalPositions",
    "sinusoids",
    "Softmax",
    "Softplus",
    "Tanh",
    "TimeDistributed",
    "to_config",
    "TransformerDecoder",
    "TransformerDecoderLayer",
    "TransformerEncoder",
    "TransformerEncoderLayer",
]
