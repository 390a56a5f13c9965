"""U-Net: down to coarse features and up again, with what was there at each size beside it."""

from __future__ import annotations

from septet.base.errors import ShapeError
from septet.base.text import shape_text
from septet.nn.containers import Sequential
from septet.nn.conv import Conv2D
from septet.nn.module import Module
from septet.nn.pooling import MaxPool2D
from septet.nn.sizes import check_count
from septet.nn.transposed import ConvTranspose2D
from septet.ops.assembling import concatenate
from septet.tensor.tensor import Tensor


class UNet(Module):
    """Classify each pixel of images.

    Parameters
    ----------
    classes : int
    width : int
        The channels at the full size; they double at each size below.
    depth : int
        How often the size is halved.
    is_padded : bool
        Whether convolutions keep the size, so that the result has that of the input (a multiple of 2 ** depth), or not,
        as in the paper: 572 x 572 become 388 x 388.

    Shape
    -----
    x (B, C, H, W), result (B, classes, H', W'), unnormalized.

    Source
    ------
    O. Ronneberger, P. Fischer, T. Brox, "U-Net: Convolutional Networks for Biomedical Image Segmentation", 2015, figure
    1: 31,030,658 parameters with one channel and two classes.

    Examples
    --------
    >>> from septet import nn
    >>> nn.count_parameters(UNet(), (1, 1, 572, 572))
    31030658
    """

    def __init__(self, classes: int = 2, *, width: int = 64, depth: int = 4, is_padded: bool = False) -> None:
        self.classes = check_count("UNet", "classes", classes)
        self.width = check_count("UNet", "width", width)
        self.depth = check_count("UNet", "depth", depth)
        self.is_padded = bool(is_padded)
        self.down = [self._pair(width * 2**level) for level in range(depth + 1)]
        self.pool = MaxPool2D(2)
        levels = range(depth - 1, -1, -1)
        self.enlarge = [
            ConvTranspose2D(width * 2**level, 2, stride=2, kernel_initializer="he_normal") for level in levels
        ]  # fmt: skip
        self.up = [self._pair(width * 2**level) for level in levels]
        self.head = Conv2D(classes, 1)

    def _pair(self, filters: int) -> Sequential:
        padding = 1 if self.is_padded else 0
        return Sequential(
            *[Conv2D(filters, 3, "relu", padding=padding, kernel_initializer="he_normal") for _ in range(2)]
        )

    def forward(self, x: Tensor) -> Tensor:
        seen = []
        for level, pair in enumerate(self.down):
            if level:
                self._check_even(x, level)
                x = self.pool(x)
            x = pair(x)
            seen.append(x)
        for enlarge, pair, other in zip(self.enlarge, self.up, reversed(seen[:-1]), strict=True):
            x = enlarge(x)
            x = pair(Tensor(concatenate([_middle(other, x).node, x.node], axis=1)))
        return self.head(x)

    def _check_even(self, x: Tensor, level: int) -> None:
        if any(size is not None and size % 2 for size in x.type.shape[2:]):
            raise ShapeError(
                f"{self.label}: before pooling {level} the images are {shape_text(x.type.shape[2:])}, which cannot be "
                "halved",
                hint=f"with padding, sizes are multiples of {2**self.depth}; without, such as 572 for a depth of 4",
            )

    def extra(self) -> str:
        return f"{self.classes}, width={self.width}, depth={self.depth}"


def _middle(x: Tensor, like: Tensor) -> Tensor:
    """Cut the middle out of images, as large as others."""
    cuts = []
    for axis in (2, 3):
        size, wanted = x.shape[axis], like.shape[axis]
        start = (size - wanted) // 2
        cuts.append(slice(start, start + wanted))
    return x[:, :, cuts[0], cuts[1]]
