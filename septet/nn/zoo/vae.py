"""VAE: a variational autoencoder of dense layers."""

from __future__ import annotations

from typing import Any

from septet.graph.op import ops
from septet.nn import losses
from septet.nn.containers import Sequential
from septet.nn.dense import Dense
from septet.nn.module import Module
from septet.nn.sizes import check_count, check_rank, static_size
from septet.nn.updates import check_updates
from septet.tensor import random
from septet.tensor.tensor import Tensor


class VAE(Module):
    """Learn to describe examples by a few normally distributed numbers, and to make examples of such numbers.

    Parameters
    ----------
    latent : int
        How many numbers describe an example, Z.
    hidden : int
        The units of the layer between.
    activation : str or callable
    generator : Generator, optional
        What draws; the default generator if not given.

    Shape
    -----
    x (B, C), numbers from 0 to 1; result: logits of the elements (B, C), mean and logarithm of the variance (B, Z).

    Source
    ------
    D. P. Kingma, M. Welling, "Auto-Encoding Variational Bayes", 2014, appendix B and C.1.

    Examples
    --------
    >>> import septet as st
    >>> model = VAE(latent=2, hidden=16)
    >>> logits, mean, log_variance = model(st.ones((3, 8)))
    >>> logits.shape, mean.shape, model.generate(5).shape
    ((3, 8), (3, 2), (5, 8))
    """

    def __init__(self, latent: int = 20, *, hidden: int = 400, activation: Any = "relu", generator: Any = None) -> None:
        self.latent = check_count("VAE", "latent", latent)
        self.hidden = check_count("VAE", "hidden", hidden)
        self.activation = activation
        self.generator = generator
        self.encoder = Dense(hidden, activation)
        self.mean = Dense(latent)
        self.log_variance = Dense(latent)

    def build(self, x: Tensor) -> None:
        check_rank(x, 2, self, "(B, C)")
        self.decoder = Sequential(Dense(self.hidden, self.activation), Dense(static_size(x, -1, self)))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return logits, mean and logarithm of the variance; in evaluation mode the logits are those of the mean."""
        mean, log_variance = self.encode(x)
        latent = mean
        if self.is_training:
            check_updates(self.label, x)
            noise = random.normal(mean.shape, dtype=mean.dtype, generator=self.generator)
            latent = mean + Tensor(ops.exp((0.5 * log_variance).node)) * noise
        return self.decoder(latent), mean, log_variance

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and logarithm of the variance of what describes examples: (B, Z)."""
        hidden = self.encoder(x)
        return self.mean(hidden), self.log_variance(hidden)

    def loss(self, x: Tensor) -> Tensor:
        """Return minus the lower bound of the log-likelihood (equation 10), the mean of the examples."""
        logits, mean, log_variance = self(x)
        unlikely = losses.binary_cross_entropy(logits, x, reduction="sum") / x.shape[0]
        variance = Tensor(ops.exp(log_variance.node))
        distance = -0.5 * (1 + log_variance - mean * mean - variance).sum() / x.shape[0]
        return unlikely + distance

    def generate(self, count: int) -> Tensor:
        """Return new examples (count, C): numbers from 0 to 1."""
        latent = random.normal((check_count("generate", "count", count), self.latent), generator=self.generator)
        return Tensor(ops.sigmoid(self.decoder(latent).node))

    def extra(self) -> str:
        return f"{self.latent}, hidden={self.hidden}"
