"""Char-RNN: recurrent layers that predict the next character, and write."""

from __future__ import annotations

from typing import Any

from septet.base.errors import ArgumentError, ShapeError
from septet.base.text import shape_text
from septet.nn.dense import Dense
from septet.nn.embedding import Embedding
from septet.nn.module import Module
from septet.nn.recurrent.layers import GRU, LSTM, RNN
from septet.nn.sizes import check_count, check_rank, check_share
from septet.nn.zoo.sampling import Writers, check_drawing, sample
from septet.ops.assembling import concatenate
from septet.tensor.control import scan
from septet.tensor.creation import tensor
from septet.tensor.tensor import Tensor

KINDS = {"lstm": LSTM, "gru": GRU, "rnn": RNN}


class CharRNN(Module):
    """Predict the next character of texts.

    Parameters
    ----------
    vocabulary : int
        The number of characters.
    units : int
    layers : int
    kind : {"lstm", "gru", "rnn"}
    size : int, optional
        The size of an embedding; by default `units`.
    dropout : float
        Between the layers.

    Shape
    -----
    characters (B, T) of integers, result (B, T, vocabulary), unnormalized: at each step for the next character.

    Source
    ------
    A. Karpathy, "The Unreasonable Effectiveness of Recurrent Neural Networks", 2015; with embeddings instead of vectors
    that are 1 at one place.

    Examples
    --------
    >>> import septet as st
    >>> model = CharRNN(30, units=8, layers=1)
    >>> model.generate(st.tensor([[3, 1, 4]]), 5).shape
    (1, 8)
    """

    def __init__(
        self, vocabulary: int, *, units: int = 128, layers: int = 2, kind: str = "lstm", size: int | None = None,
        dropout: float = 0.0,
    ) -> None:  # fmt: skip
        if kind not in KINDS:
            raise ArgumentError(f"CharRNN: kind must be one of {', '.join(KINDS)}, got {kind!r}")
        self.vocabulary = check_count("CharRNN", "vocabulary", vocabulary)
        self.units = check_count("CharRNN", "units", units)
        self.layers = check_count("CharRNN", "layers", layers)
        self.kind = kind
        self.size = units if size is None else check_count("CharRNN", "size", size)
        self.dropout = check_share("CharRNN", "dropout", dropout)
        self._writers = Writers()
        self.characters = Embedding(vocabulary, self.size)
        self.recurrent = KINDS[kind](units, layers, dropout=dropout, return_sequences=True, return_state=True)
        self.head = Dense(vocabulary)

    def forward(self, characters: Tensor, state: Any = None, *, with_state: bool = False) -> Any:
        """Return the logits; with a state the pair (logits, last state)."""
        check_rank(characters, 2, self, "characters (B, T)")
        y, state = self.recurrent(self.characters(characters), state)
        return (self.head(y), state) if with_state else self.head(y)

    def generate(
        self, prompt: Any, count: int, *, temperature: float = 1.0, top_k: int | None = None, generator: Any = None
    ) -> Tensor:
        """Write on from a prompt (B, T), in one compiled loop: (B, T + count).

        Parameters
        ----------
        prompt : tensor of int
        count : int
            How many characters to write.
        temperature, top_k, generator
            See `GPT.generate`.
        """
        prompt = prompt if isinstance(prompt, Tensor) else tensor(prompt)
        check_count("generate", "count", count, least=0)
        check_drawing(temperature, top_k, self.vocabulary)
        check_rank(prompt, 2, self, "a prompt (B, T)")
        if not all(prompt.type.shape):
            raise ShapeError(f"{self.label}: a prompt has a character at least, got {shape_text(prompt.type.shape)}")
        if not count:
            return prompt
        if not self.is_built:
            self.build_for(prompt)
        with self.evaluating():
            return self._writers.find(self._write, count, temperature, top_k, generator)(prompt)

    def _write(self, prompt: Tensor, count: int, temperature: float, top_k: int | None, generator: Any) -> Tensor:
        batch = prompt.type.shape[0]
        logits, state = self(prompt, with_state=True)
        first = sample(logits[:, -1], temperature, top_k, generator)

        def step(carry: Any, _: Any) -> Any:
            character, before = carry
            scores, after = self(character.reshape(batch, 1), before, with_state=True)
            return (sample(scores[:, 0], temperature, top_k, generator), after), character

        _, characters = scan(step, (first, state), length=count)  # (count, B)
        return Tensor(concatenate([prompt.astype(first.dtype).node, characters.T.node], axis=1))

    def extra(self) -> str:
        return f"{self.vocabulary}, {self.kind}, units={self.units}, layers={self.layers}"
