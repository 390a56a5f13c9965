"""F7: layers, losses, initializers."""

from typing import TYPE_CHECKING as _TYPE_CHECKING

from septet.base.text import did_you_mean as _did_you_mean
from septet.nn import constraints, ctc, initializers, losses, regularizers
from septet.nn.activation import (
    CELU,
    ELU,
    GELU,
    SELU,
    Activation,
    HardShrink,
    HardSigmoid,
    HardSiLU,
    HardTanh,
    LeakyReLU,
    LogSigmoid,
    LogSoftmax,
    Mish,
    ReLU,
    ReLU6,
    Sigmoid,
    SiLU,
    Softmax,
    Softmin,
    Softplus,
    SoftShrink,
    Softsign,
    Sparsemax,
    Tanh,
    TanhShrink,
    Threshold,
    ThresholdedReLU,
)
from septet.nn.activity import ActivityRegularization
from septet.nn.adaptive_pooling import AdaptiveAvgPool, AdaptiveMaxPool, SpatialPyramidPool
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
from septet.nn.bilinear import Bilinear
from septet.nn.config import from_config, to_config
from septet.nn.constraints import apply_constraints
from septet.nn.containers import ModuleList, Sequential
from septet.nn.conv import Conv1D, Conv2D, Conv3D
from septet.nn.dense import Dense
from septet.nn.dropout import AlphaDropout, Dropout, GaussianDropout, GaussianNoise, SpatialDropout
from septet.nn.embedding import Embedding
from septet.nn.feature_pooling import FeaturePool, MaxoutDense, WinnerTakesAll
from septet.nn.function import Identity, Inverse, Lambda
from septet.nn.gates import GLU, GatedDense, Highway
from septet.nn.group_normalization import GroupNorm, InstanceNorm, LocalResponseNorm, RMSNorm
from septet.nn.learned_activation import PReLU, RReLU
from septet.nn.locally_connected import LocallyConnected1D, LocallyConnected2D, LocallyConnected3D
from septet.nn.merge import Add, Average, Concatenate, Dot, ElementwiseMerge, Maximum, Minimum, Multiply, Subtract
from septet.nn.model import Input, Model
from septet.nn.module import Module
from septet.nn.normalization import BatchNorm, LayerNorm
from septet.nn.padding import (
    Crop1D,
    Crop2D,
    Crop3D,
    ReflectPad1D,
    ReflectPad2D,
    ReflectPad3D,
    ReplicatePad1D,
    ReplicatePad2D,
    ReplicatePad3D,
    ZeroPad1D,
    ZeroPad2D,
    ZeroPad3D,
)
from septet.nn.parts import Parameters
from septet.nn.pooling import (
    AvgPool1D,
    AvgPool2D,
    AvgPool3D,
    GlobalAveragePool,
    GlobalMaxPool,
    LpPool1D,
    LpPool2D,
    LpPool3D,
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
from septet.nn.regularizers import regularization_loss
from septet.nn.reparametrization import SpectralNorm, WeightNorm
from septet.nn.scaling import Bias, Scale, Standardize
from septet.nn.separable import DepthwiseConv1D, DepthwiseConv2D, SeparableConv1D, SeparableConv2D
from septet.nn.shaping import Flatten, Permute, RepeatVector, Reshape, Slice
from septet.nn.sketch import count_parameters
from septet.nn.spatial_transformer import SpatialTransformer, ThinPlateTransformer
from septet.nn.transposed import ConvTranspose1D, ConvTranspose2D, ConvTranspose3D
from septet.nn.updates import collect_updates
from septet.nn.upsampling import ChannelShuffle, Fold, PixelShuffle, PixelUnshuffle, Resize, Unfold, Upsample

__all__ = [
    "Activation",
    "ActivityRegularization",
    "AdaptiveAvgPool",
    "AdaptiveMaxPool",
    "Add",
    "AdditiveAttention",
    "AlphaDropout",
    "apply_constraints",
    "Attention",
    "AttentionDecoder",
    "Average",
    "AvgPool1D",
    "AvgPool2D",
    "AvgPool3D",
    "BatchNorm",
    "Bias",
    "Bidirectional",
    "Bilinear",
    "Cell",
    "CELU",
    "ChannelShuffle",
    "collect_updates",
    "Concatenate",
    "constraints",
    "Conv1D",
    "Conv2D",
    "Conv3D",
    "ConvLSTM1D",
    "ConvLSTM2D",
    "ConvLSTM3D",
    "ConvLSTMCell",
    "ConvTranspose1D",
    "ConvTranspose2D",
    "ConvTranspose3D",
    "count_parameters",
    "Crop1D",
    "Crop2D",
    "Crop3D",
    "ctc",
    "Dense",
    "DepthwiseConv1D",
    "DepthwiseConv2D",
    "Dot",
    "DotAttention",
    "Dropout",
    "ElementwiseMerge",
    "ELU",
    "Embedding",
    "FeaturePool",
    "FeedForward",
    "Flatten",
    "Fold",
    "from_config",
    "GatedDense",
    "GaussianDropout",
    "GaussianNoise",
    "GELU",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "GLU",
    "GroupNorm",
    "GRU",
    "GRUCell",
    "HardShrink",
    "HardSigmoid",
    "HardSiLU",
    "HardTanh",
    "Highway",
    "Identity",
    "initializers",
    "Input",
    "InstanceNorm",
    "Inverse",
    "Lambda",
    "LayerNorm",
    "LeakyReLU",
    "LearnedPositions",
    "LocallyConnected1D",
    "LocallyConnected2D",
    "LocallyConnected3D",
    "LocalResponseNorm",
    "LogSigmoid",
    "LogSoftmax",
    "losses",
    "LpPool1D",
    "LpPool2D",
    "LpPool3D",
    "LSTM",
    "LSTMCell",
    "Maximum",
    "MaxoutDense",
    "MaxPool1D",
    "MaxPool2D",
    "MaxPool3D",
    "Minimum",
    "Mish",
    "Model",
    "Module",
    "ModuleList",
    "MultiHeadAttention",
    "Multiply",
    "Parameters",
    "Permute",
    "PixelShuffle",
    "PixelUnshuffle",
    "PReLU",
    "Recurrent",
    "ReflectPad1D",
    "ReflectPad2D",
    "ReflectPad3D",
    "regularization_loss",
    "regularizers",
    "ReLU",
    "ReLU6",
    "RepeatVector",
    "ReplicatePad1D",
    "ReplicatePad2D",
    "ReplicatePad3D",
    "Reshape",
    "Resize",
    "RMSNorm",
    "RNN",
    "RNNCell",
    "rotary",
    "RReLU",
    "Scale",
    "SELU",
    "SeparableConv1D",
    "SeparableConv2D",
    "Sequential",
    "Sigmoid",
    "SiLU",
    "SinusoidalPositions",
    "sinusoids",
    "Slice",
    "Softmax",
    "Softmin",
    "Softplus",
    "SoftShrink",
    "Softsign",
    "Sparsemax",
    "SpatialDropout",
    "SpatialPyramidPool",
    "SpatialTransformer",
    "SpectralNorm",
    "Standardize",
    "Subtract",
    "Tanh",
    "TanhShrink",
    "ThinPlateTransformer",
    "Threshold",
    "ThresholdedReLU",
    "TimeDistributed",
    "to_config",
    "TransformerDecoder",
    "TransformerDecoderLayer",
    "TransformerEncoder",
    "TransformerEncoderLayer",
    "Unfold",
    "Upsample",
    "WeightNorm",
    "WinnerTakesAll",
    "ZeroPad1D",
    "ZeroPad2D",
    "ZeroPad3D",
]

_ELSEWHERE = {
    "Linear": "Dense",
    "FullyConnected": "Dense",
    "BatchNormalization": "BatchNorm",
    "BatchNorm1d": "BatchNorm",
    "BatchNorm2d": "BatchNorm",
    "LayerNormalization": "LayerNorm",
    "CrossEntropyLoss": "losses.cross_entropy",
    "MSELoss": "losses.mean_squared_error",
    "functional": "septet",
}
"""What some other libraries call a thing, and its name here, where that is not like it."""

if not _TYPE_CHECKING:  # a type checker is to find misspelled names by itself

    def __getattr__(name: str) -> object:
        hint = ""
        if name in _ELSEWHERE:
            hint = f" Here it is {_ELSEWHERE[name]!r}; docs/coming_from.md has the other names"
        elif not name.startswith("_"):
            hint = _did_you_mean(name, __all__)
        raise AttributeError(f"module 'septet.nn' has no attribute {name!r}{hint and f'.{hint}'}")
