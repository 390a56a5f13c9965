"""DCGAN: a generator of images, and a discriminator that tells them from true ones."""

from __future__ import annotations

from typing import Any

from septet.base.errors import ArgumentError, ShapeError
from septet.base.text import shape_text
from septet.nn import initializers
from septet.nn.activation import Activation, LeakyReLU
from septet.nn.containers import Sequential
from septet.nn.conv import Conv2D
from septet.nn.module import Module
from septet.nn.normalization import BatchNorm
from septet.nn.sizes import check_count, check_rank
from septet.nn.transposed import ConvTranspose2D
from septet.tensor import random
from septet.tensor.tensor import Tensor

SOURCE = """

    Source
    ------
    A. Radford, L. Metz, S. Chintala, "Unsupervised Representation Learning with Deep Convolutional Generative
    Adversarial Networks", 2016, section 3 and figure 1, with half the channels, as in most implementations."""


def _halvings(name: str, size: int) -> int:
    """Return how often a size can be halved until 4 is left."""
    count = check_count(name, "size", size, least=8).bit_length() - 3
    if 4 * 2**count != size:
        raise ArgumentError(f"{name}: size must be 4 times a power of two, got {size}")
    return count


class DCGANGenerator(Module):
    """Make images of noise.

    Parameters
    ----------
    latent : int
        How many random numbers an image is made of, Z.
    channels : int
        Of the images.
    size : int
        Height and width of the images: 8, 16, 32, 64 ...
    width : int
        The channels before the last layer; they double at each size below.
    generator : Generator, optional
        What `generate` draws from.

    Shape
    -----
    latent (B, Z), result (B, channels, size, size), from -1 to 1.{source}

    Examples
    --------
    >>> from septet import nn
    >>> nn.count_parameters(DCGANGenerator(), (1, 100))
    3576704
    """

    __doc__ = (__doc__ or "").replace("{source}", SOURCE)

    def __init__(
        self, latent: int = 100, channels: int = 3, size: int = 64, *, width: int = 64, generator: Any = None
    ) -> None:
        self.latent = check_count("DCGANGenerator", "latent", latent)
        self.channels = check_count("DCGANGenerator", "channels", channels)
        self.size = size
        self.width = check_count("DCGANGenerator", "width", width)
        self.generator = generator
        count = _halvings("DCGANGenerator", size)
        words = {"use_bias": False, "kernel_initializer": initializers.normal(std=0.02)}
        parts: list[Any] = [ConvTranspose2D(width * 2 ** (count - 1), 4, **words)]
        for level in range(count - 2, -1, -1):
            parts += [BatchNorm(), Activation("relu")]
            parts.append(ConvTranspose2D(width * 2**level, 4, stride=2, padding=1, **words))
        parts += [BatchNorm(), Activation("relu")]
        self.layers = Sequential(*parts, ConvTranspose2D(channels, 4, "tanh", stride=2, padding=1, **words))

    def forward(self, latent: Tensor) -> Tensor:
        check_rank(latent, 2, self, "noise (B, Z)")
        return self.layers(latent.reshape(*latent.shape, 1, 1))

    def generate(self, count: int) -> Tensor:
        """Return images made of new noise: (count, channels, size, size)."""
        check_count("generate", "count", count)
        return self(random.normal((count, self.latent), generator=self.generator))

    def extra(self) -> str:
        return f"{self.latent}, {self.channels}, {self.size}"


class DCGANDiscriminator(Module):
    """Tell true images from made ones.

    Parameters
    ----------
    size : int
        Height and width of the images: 8, 16, 32, 64 ...
    width : int
        The channels of the first layer; they double at each size below.
    slope : float
        Of the activations, where they are negative.

    Shape
    -----
    x (B, C, size, size), result (B,), unnormalized: above 0 for true images.{source}

    Examples
    --------
    >>> from septet import nn
    >>> nn.count_parameters(DCGANDiscriminator(), (1, 3, 64, 64))
    2765568
    """

    __doc__ = (__doc__ or "").replace("{source}", SOURCE)

    def __init__(self, size: int = 64, *, width: int = 64, slope: float = 0.2) -> None:
        self.size = size
        self.width = check_count("DCGANDiscriminator", "width", width)
        self.slope = float(slope)
        words = {"use_bias": False, "kernel_initializer": initializers.normal(std=0.02)}
        parts: list[Any] = []
        for level in range(_halvings("DCGANDiscriminator", size)):
            parts.append(Conv2D(width * 2**level, 4, stride=2, padding=1, **words))
            parts += [*([BatchNorm()] if level else []), LeakyReLU(slope)]
        self.layers = Sequential(*parts, Conv2D(1, 4, **words))

    def forward(self, x: Tensor) -> Tensor:
        check_rank(x, 4, self, "(B, C, H, W)")
        if any(size not in (None, self.size) for size in x.type.shape[2:]):
            shape = shape_text(x.type.shape)
            raise ShapeError(f"{self.label}: images must be {self.size} x {self.size}, got shape {shape}")
        return self.layers(x).reshape(-1)

    def extra(self) -> str:
        return f"{self.size}, width={self.width}"
