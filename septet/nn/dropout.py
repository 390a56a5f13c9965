"""Dropout."""

from __future__ import annotations

from typing import Any

from septet.graph.op import ops
from septet.nn.module import Module
from septet.nn.sizes import check_share
from septet.nn.updates import check_updates
from septet.tensor import random
from septet.tensor.tensor import Tensor


class Dropout(Module):
    """Set a random share of the elements to 0 while training, and scale the others up so that sums keep their mean.

    Parameters
    ----------
    rate : float
        The share, at least 0 and below 1.
    generator : Generator, optional
        What draws; the default generator if not given.

    Source
    ------
    N. Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting", 2014; scaled while
    training ("inverted"), so that evaluation changes nothing.
    """

    def __init__(self, rate: float = 0.5, generator: Any = None) -> None:
        self.rate = check_share("Dropout", "rate", rate)
        self.generator = generator

    def forward(self, x: Tensor) -> Tensor:
        if not self.is_training or not self.rate:
            return x
        check_updates(self.label, x)
        is_kept = random.uniform(x.shape, generator=self.generator) >= self.rate
        scaled = x * (1.0 / (1.0 - self.rate))
        return Tensor(ops.where(is_kept.node, scaled.node, 0.0))

    def extra(self) -> str:
        return f"{self.rate}"
