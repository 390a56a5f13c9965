"""ViT: a transformer that sees an image as a sequence of patches."""

from __future__ import annotations

from septet.base.errors import ShapeError
from septet.base.text import shape_text
from septet.nn import initializers
from septet.nn.attention.positions import LearnedPositions
from septet.nn.attention.transformer import TransformerEncoder
from septet.nn.conv import Conv2D
from septet.nn.dense import Dense
from septet.nn.dropout import Dropout
from septet.nn.module import Module
from septet.nn.sizes import check_count, check_rank, check_share, static_size
from septet.ops.assembling import concatenate
from septet.ops.shaping import broadcast_to, transpose
from septet.tensor.tensor import Tensor
from septet.tensor.variable import Variable
from septet.tensor.wrap import unwrap


class ViT(Module):
    """Classify images; the default sizes are ViT-B/16.

    Parameters
    ----------
    classes : int
    patch : int
        The height and width of a patch.
    layers, heads, width : int
        Of the transformer; width is the channels of a step.
    hidden : int, optional
        The channels inside of its feed-forward networks; by default four times the width.
    dropout : float

    Shape
    -----
    x (B, C, H, W), multiples of the patch, as they were first; result (B, classes), unnormalized.

    Source
    ------
    A. Dosovitskiy et al., "An Image is Worth 16x16 Words: Transformers for Image Recognition at Scale", 2021, equations
    1 to 4 and table 1: 86,567,656 parameters at 224 x 224.

    Examples
    --------
    >>> from septet import nn
    >>> nn.count_parameters(ViT(), (1, 3, 224, 224))
    86567656
    """

    token: Variable

    def __init__(
        self, classes: int = 1000, *, patch: int = 16, layers: int = 12, heads: int = 12, width: int = 768,
        hidden: int | None = None, dropout: float = 0.0,
    ) -> None:  # fmt: skip
        self.classes = check_count("ViT", "classes", classes)
        self.patch = check_count("ViT", "patch", patch)
        self.layers = check_count("ViT", "layers", layers)
        self.heads = check_count("ViT", "heads", heads)
        self.width = check_count("ViT", "width", width)
        self.hidden = 4 * width if hidden is None else check_count("ViT", "hidden", hidden)
        self.dropout = check_share("ViT", "dropout", dropout)
        self.embedding = Conv2D(width, patch, stride=patch)
        self.drop = Dropout(dropout)
        self.encoder = TransformerEncoder(
            layers, heads, self.hidden, "gelu", dropout=dropout, is_norm_first=True, epsilon=1e-6
        )
        self.head = Dense(classes)

    def build(self, x: Tensor) -> None:
        check_rank(x, 4, self, "(B, C, H, W)")
        sizes = [static_size(x, axis, self) for axis in (2, 3)]
        if any(size % self.patch for size in sizes):
            shape = shape_text(x.type.shape)
            raise ShapeError(f"{self.label}: height and width must be multiples of {self.patch}, got {shape}")
        count = 1 + sizes[0] // self.patch * (sizes[1] // self.patch)
        self.variable("token", (self.width,), "zeros")
        self.positions = LearnedPositions(count, initializer=initializers.normal(std=0.02))

    def forward(self, x: Tensor) -> Tensor:
        patches = self.embedding(x)  # (B, width, H / patch, W / patch)
        batch = patches.shape[0]
        steps = Tensor(transpose(patches.reshape(batch, self.width, -1).node, axes=(0, 2, 1)))  # (B, N, width)
        first = broadcast_to(self.token.node, unwrap((batch, 1, self.width)))
        steps = self.positions(Tensor(concatenate([first, steps.node], axis=1)))
        return self.head(self.encoder(self.drop(steps))[:, 0])

    def extra(self) -> str:
        return f"patch={self.patch}, layers={self.layers}, heads={self.heads}, width={self.width}"
