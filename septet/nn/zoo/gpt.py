"""GPT: a transformer that predicts the next token, and writes."""

from __future__ import annotations

from typing import Any

from septet.base.errors import ArgumentError, ShapeError
from septet.base.text import did_you_mean, shape_text
from septet.nn import activation as activations
from septet.nn import initializers
from septet.nn.attention.positions import LearnedPositions
from septet.nn.attention.transformer import TransformerEncoder
from septet.nn.dropout import Dropout
from septet.nn.embedding import Embedding
from septet.nn.module import Module
from septet.nn.sizes import check_count, check_rank, check_share
from septet.nn.zoo.sampling import Writers, check_drawing, sample
from septet.ops.assembling import concatenate
from septet.ops.creation import arange
from septet.tensor.control import scan
from septet.tensor.creation import tensor
from septet.tensor.tensor import Tensor

SIZES = {"small": (12, 12, 768), "medium": (24, 16, 1024), "large": (36, 20, 1280), "xl": (48, 25, 1600)}
"""Layers, heads and width of GPT-2 (table 2)."""


def gelu(x: Tensor) -> Tensor:
    """Return the approximation of GELU by tanh, with which GPT-2 was trained."""
    return activations.call("gelu", x, approximate=True)


class GPT(Module):
    """Predict the next token of texts; the default sizes are GPT-2 small.

    Parameters
    ----------
    vocabulary : int
        The number of tokens.
    length : int
        The longest sequence.
    layers, heads, width : int
    dropout : float
        Of embeddings, weights of attention, and both parts of each layer.

    Shape
    -----
    tokens (B, T) of integers, result (B, T, vocabulary), unnormalized: at each step for the next token.

    Source
    ------
    A. Radford et al., "Language Models are Unsupervised Multitask Learners", 2019: 124,439,808 parameters. The output
    layer shares the table of the tokens; kernels whose products are added up begin smaller by the root of their number.

    Examples
    --------
    >>> import septet as st
    >>> from septet import nn
    >>> nn.count_parameters(GPT(), st.zeros((1, 8), dtype="int64"))
    124439808
    >>> model = GPT(vocabulary=20, length=16, layers=1, heads=2, width=8)
    >>> model.generate(st.tensor([[1, 2, 3]]), 5).shape
    (1, 8)
    """

    def __init__(
        self, vocabulary: int = 50257, length: int = 1024, *, layers: int = 12, heads: int = 12, width: int = 768,
        dropout: float = 0.1,
    ) -> None:  # fmt: skip
        self.vocabulary = check_count("GPT", "vocabulary", vocabulary)
        self.length = check_count("GPT", "length", length)
        self.layers = check_count("GPT", "layers", layers)
        self.heads = check_count("GPT", "heads", heads)
        self.width = check_count("GPT", "width", width)
        self.dropout = check_share("GPT", "dropout", dropout)
        self._writers = Writers()
        normal = initializers.normal(std=0.02)
        self.tokens = Embedding(vocabulary, width, initializer=normal)
        self.positions = LearnedPositions(length, initializer=normal)
        self.drop = Dropout(dropout)
        self.encoder = TransformerEncoder(
            layers, heads, 4 * width, gelu, dropout=dropout, is_norm_first=True, kernel_initializer=normal,
            output_initializer=initializers.normal(std=0.02 / (2 * layers) ** 0.5),
        )  # fmt: skip

    @classmethod
    def gpt2(cls, size: str = "small", **words: Any) -> GPT:
        """Make GPT-2 of a size: small, medium, large, xl."""
        if size not in SIZES:
            raise ArgumentError(
                f"GPT.gpt2: size {size!r} does not exist.{did_you_mean(str(size), SIZES)} The sizes are "
                f"{', '.join(SIZES)}"
            )
        layers, heads, width = SIZES[size]
        return cls(**{"layers": layers, "heads": heads, "width": width, **words})

    def forward(self, tokens: Tensor, *, caches: Any = None, position: Any = 0) -> Any:
        """Return the logits; with caches (see `empty_caches`) of earlier steps the pair (logits, caches)."""
        check_rank(tokens, 2, self, "tokens (B, T)")
        x = self.drop(self.positions(self.tokens(tokens), position))
        if caches is None:
            return self.tokens.scores(self.encoder(x, is_causal=True))
        x, caches = self.encoder(x, caches=caches, position=position)
        return self.tokens.scores(x), caches

    def empty_caches(self, batch: int, length: int) -> Any:
        """Return caches of keys and values for sequences up to a length."""
        return self.encoder.empty_caches(batch, length)

    def generate(
        self, prompt: Any, count: int, *, temperature: float = 1.0, top_k: int | None = None, generator: Any = None
    ) -> Tensor:
        """Write on from a prompt: one token after the other, drawn from what the model predicts.

        All steps are one loop, which keeps keys and values of what it has seen; it is compiled for a number of tokens.

        Parameters
        ----------
        prompt : tensor of int
            (B, T) with at least one token.
        count : int
            How many tokens to write.
        temperature : float
            What logits are divided by: 0 takes the best token.
        top_k : int, optional
            Draw from the k best tokens only.
        generator : Generator, optional

        Returns
        -------
        Tensor
            (B, T + count): the prompt and what follows.

        Raises
        ------
        ShapeError
            If the prompt has no tokens, or the text would be longer than the model's length.
        """
        prompt = prompt if isinstance(prompt, Tensor) else tensor(prompt)
        check_count("generate", "count", count, least=0)
        check_drawing(temperature, top_k, self.vocabulary)
        check_rank(prompt, 2, self, "a prompt (B, T)")
        batch, begun = prompt.type.shape
        if not batch or not begun or begun + count > self.length:
            raise ShapeError(
                f"{self.label}: a prompt {shape_text(prompt.type.shape)} and {count} more tokens must be 1 to "
                f"{self.length} steps of a known number of texts"
            )
        if not count:
            return prompt
        if not self.is_built:
            self.build_for(prompt)
        with self.evaluating():
            return self._writers.find(self._write, count, temperature, top_k, generator)(prompt)

    def _write(self, prompt: Tensor, count: int, temperature: float, top_k: int | None, generator: Any) -> Tensor:
        batch, begun = prompt.type.shape
        logits, caches = self(prompt, caches=self.empty_caches(batch, begun + count), position=0)
        first = sample(logits[:, -1], temperature, top_k, generator)

        def step(carry: Any, position: Tensor) -> Any:
            token, kept = carry
            scores, kept = self(token.reshape(batch, 1), caches=kept, position=position)
            return (sample(scores[:, 0], temperature, top_k, generator), kept), token

        places = Tensor(arange(begun, begun + count - 1))
        (last, _), tokens = scan(step, (first, caches), places)  # (count - 1, B)
        new = concatenate([tokens.node, last.reshape(1, batch).node], axis=0)
        return Tensor(concatenate([prompt.astype(first.dtype).node, Tensor(new).T.node], axis=1))

    def extra(self) -> str:
        return f"{self.vocabulary}, {self.length}, layers={self.layers}, heads={self.heads}, width={self.width}"
