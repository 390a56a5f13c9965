"""Seq2Seq: an encoder reads a sequence in both directions, a decoder with attention writes another."""

from __future__ import annotations

from typing import Any

from septet.base.errors import ArgumentError
from septet.nn.attention.scores import AdditiveAttention
from septet.nn.dense import Dense
from septet.nn.embedding import Embedding
from septet.nn.module import Module
from septet.nn.recurrent.cells import GRUCell
from septet.nn.recurrent.decoder import AttentionDecoder
from septet.nn.recurrent.layers import GRU
from septet.nn.recurrent.wrappers import Bidirectional
from septet.nn.sizes import check_count, check_rank
from septet.nn.zoo.beams import repeat, search
from septet.nn.zoo.sampling import Writers
from septet.ops.creation import full, zeros
from septet.tensor.control import scan
from septet.tensor.creation import tensor
from septet.tensor.tensor import Tensor
from septet.tensor.wrap import unwrap


class Seq2Seq(Module):
    """Translate sequences of tokens into others, of other lengths.

    Parameters
    ----------
    source_vocabulary, target_vocabulary : int
        The numbers of tokens.
    units : int
        Of the encoder in each direction, and of the decoder.
    size : int, optional
        The size of embeddings; by default `units`.
    padding : int, optional
        The token that fills shorter sequences.

    Shape
    -----
    source (B, S) and target (B, T) of integers; result (B, T, target_vocabulary), unnormalized: at each step for the
    token after it. So the target begins with a token that stands for the beginning.

    Source
    ------
    D. Bahdanau, K. Cho, Y. Bengio, "Neural Machine Translation by Jointly Learning to Align and Translate", 2015; the
    output is a layer of the state and what attention found, without maxout.

    Examples
    --------
    >>> import septet as st
    >>> model = Seq2Seq(20, 30, units=8)
    >>> model(st.ones((2, 5), dtype="int64"), st.ones((2, 4), dtype="int64")).shape
    (2, 4, 30)
    """

    def __init__(
        self, source_vocabulary: int, target_vocabulary: int, *, units: int = 256, size: int | None = None,
        padding: int | None = None,
    ) -> None:  # fmt: skip
        self.source_vocabulary = check_count("Seq2Seq", "source_vocabulary", source_vocabulary)
        self.target_vocabulary = check_count("Seq2Seq", "target_vocabulary", target_vocabulary)
        self.units = check_count("Seq2Seq", "units", units)
        self.size = units if size is None else check_count("Seq2Seq", "size", size)
        self.padding = padding
        self._writers = Writers()
        self.source_table = Embedding(source_vocabulary, self.size, padding=padding)
        self.target_table = Embedding(target_vocabulary, self.size, padding=padding)
        self.encoder = Bidirectional(GRU(units, return_sequences=True, return_state=True))
        self.bridge = Dense(units, "tanh")
        self.decoder = AttentionDecoder(GRUCell(units), AdditiveAttention(units))
        self.head = Dense(target_vocabulary)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        check_rank(target, 2, self, "a target (B, T)")
        memory, mask, state = self.encode(source)
        outputs, _ = self.decoder(self.target_table(target), memory, (state, None), memory_mask=mask)
        return self.head(outputs)

    def encode(self, source: Tensor) -> tuple[Tensor, Tensor | None, Tensor]:
        """Return the states of the encoder (B, S, 2 units), where they count, and the first state of the decoder."""
        check_rank(source, 2, self, "a source (B, S)")
        mask = None if self.padding is None else self.source_table.mask(source)
        memory, (_, backward) = self.encoder(self.source_table(source), mask=mask)
        return memory, mask, self.bridge(backward)

    def generate(self, source: Any, begin: int, count: int) -> Tensor:
        """Write the best token at each step, in one compiled loop.

        Parameters
        ----------
        source : tensor of int
            (B, S)
        begin : int
            The token that stands for the beginning.
        count : int
            How many tokens to write.

        Returns
        -------
        Tensor
            (B, count)
        """
        source = source if isinstance(source, Tensor) else tensor(source)
        check_count("generate", "count", count)
        if not self.is_built:
            self.build_for(source, source[:, :1] * 0)
        with self.evaluating():
            return self._writers.find(self._write, begin, count)(source)

    def search(
        self, source: Any, begin: int, count: int, *, width: int = 4, end: int | None = None
    ) -> tuple[Tensor, Tensor]:
        """Write the most probable sequences that a beam search finds, in one compiled loop.

        Parameters
        ----------
        source : tensor of int
            (B, S)
        begin : int
            The token that stands for the beginning.
        count : int
            How many tokens to write.
        width : int
            How many sequences of each example are kept at each step.
        end : int, optional
            The token after which a sequence is complete; it is repeated up to `count`, at no cost.

        Returns
        -------
        tuple of (Tensor, Tensor)
            Tokens (B, width, count), the best sequence of each example first, and the logarithms of their
            probabilities (B, width).

        Raises
        ------
        ArgumentError
            If count or width is not at least 1, or width is above the number of tokens.
        """
        source = source if isinstance(source, Tensor) else tensor(source)
        check_count("search", "count", count)
        if check_count("search", "width", width) > self.target_vocabulary:
            raise ArgumentError(f"search: width must be at most {self.target_vocabulary}, the tokens, got {width}")
        if not self.is_built:
            self.build_for(source, source[:, :1] * 0)
        with self.evaluating():
            found: tuple[Tensor, Tensor] = self._writers.find(self._search, begin, count, width, end)(source)
        return found

    def _search(self, source: Tensor, begin: int, count: int, width: int, end: int | None) -> tuple[Tensor, Tensor]:
        memory, mask, state = self.encode(source)
        nothing = Tensor(zeros(unwrap((source.shape[0], 2 * self.units)), dtype=memory.dtype))
        state, memory, mask = repeat(((state, nothing), memory, mask), width)

        def step(tokens: Tensor, before: Any) -> tuple[Tensor, Any]:
            words = self.target_table(tokens.reshape(-1, 1))
            output, after = self.decoder(words, memory, before, memory_mask=mask)
            return self.head(output)[:, 0], after

        return search(step, state, source.shape[0], begin, count, width, end)

    def _write(self, source: Tensor, begin: int, count: int) -> Tensor:
        memory, mask, state = self.encode(source)
        batch = source.shape[0]
        first = Tensor(full(unwrap((batch,)), begin, dtype="int64"))
        nothing = Tensor(zeros(unwrap((batch, 2 * self.units)), dtype=memory.dtype))

        def step(carry: Any, _: Any) -> Any:
            token, before = carry
            words = self.target_table(token.reshape(-1, 1))
            output, after = self.decoder(words, memory, before, memory_mask=mask)
            best = self.head(output)[:, 0].argmax(-1)
            return (best, after), best

        _, tokens = scan(step, (first, (state, nothing)), length=count)
        return tokens.T

    def extra(self) -> str:
        return f"{self.source_vocabulary}, {self.target_vocabulary}, units={self.units}"
