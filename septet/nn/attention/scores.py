"""Attention over the states of an encoder, as decoders of sequences use it: additive and by products."""

from __future__ import annotations

from typing import Any

from septet.base.errors import ArgumentError
from septet.base.text import did_you_mean
from septet.graph.op import ops
from septet.nn.attention.masks import check_key_mask
from septet.nn.module import Module
from septet.nn.sizes import check_count, check_rank, static_size
from septet.ops.composite.activations import softmax
from septet.ops.matmul import matmul
from septet.ops.shaping import transpose
from septet.tensor.tensor import Tensor
from septet.tensor.variable import Variable

SCORES = ("dot", "scaled", "general")


class Attention(Module):
    """The base of attention over a memory: each query takes a weighted mean of the states of the memory.

    A subclass defines `prepare`, what the scores need of the memory, which a decoder computes once for all its steps,
    and `scores`.

    Shape
    -----
    query (B, T, Q) or, for one step, (B, Q); memory (B, S, M), mask (B, S); result (B, T, M) or (B, M), weights
    (B, T, S) or (B, S).
    """

    def prepare(self, memory: Tensor) -> Tensor:
        """Return what the scores need of the memory: (B, S, U)."""
        return memory

    def scores(self, query: Tensor, keys: Tensor) -> Tensor:
        """Return how well queries (B, T, Q) match prepared keys (B, S, U): (B, T, S)."""
        raise NotImplementedError

    def forward(self, query: Tensor, memory: Tensor, mask: Any = None, *, with_weights: bool = False) -> Any:
        check_rank(memory, 3, self, "a memory (B, S, M)")
        mean, weights = self.weigh(query, self.prepare(memory), memory, mask)
        return (mean, weights) if with_weights else mean

    def weigh(self, query: Tensor, keys: Tensor, memory: Tensor, mask: Any = None) -> tuple[Tensor, Tensor]:
        """Return the mean of the memory for each query, and the weights; keys are prepared already."""
        is_one = query.ndim == 2
        many = query.reshape(query.shape[0], 1, query.shape[1]) if is_one else query
        scores = self.scores(many, keys)  # (B, T, S)
        if mask is not None:
            allowed = check_key_mask(self, mask)
            allowed = allowed.reshape(allowed.shape[0], 1, allowed.shape[1])
            scores = Tensor(ops.where(allowed.node, scores.node, float("-inf")))
        weights = Tensor(softmax(scores.node))
        mean = Tensor(matmul(weights.node, memory.node))  # (B, T, M)
        return (mean[:, 0], weights[:, 0]) if is_one else (mean, weights)


class AdditiveAttention(Attention):
    """Score by a small network: ``tanh(query @ query_kernel + memory @ memory_kernel + bias) @ score``.

    Parameters
    ----------
    units : int
        The size of its hidden layer, U.
    use_bias : bool
    kernel_initializer : str or callable

    Shape
    -----
    query (B, T, Q) or (B, Q), memory (B, S, M), mask (B, S): True for the states that there are; result (B, T, M) or
    (B, M). query_kernel (Q, U), memory_kernel (M, U), bias and score (U,).

    Source
    ------
    D. Bahdanau, K. Cho, Y. Bengio, "Neural Machine Translation by Jointly Learning to Align and Translate", 2015,
    section A.1.2.

    Elsewhere
    ---------
    Keras ``AdditiveAttention`` (without kernels).

    Examples
    --------
    >>> import septet as st
    >>> AdditiveAttention(8)(st.ones((2, 5)), st.ones((2, 3, 4))).shape
    (2, 4)
    """

    query_kernel: Variable
    memory_kernel: Variable
    bias: Variable
    score: Variable

    def __init__(self, units: int, *, use_bias: bool = True, kernel_initializer: Any = "glorot_uniform") -> None:
        self.units = check_count("AdditiveAttention", "units", units)
        self.use_bias = bool(use_bias)
        self.kernel_initializer = kernel_initializer

    def build(self, query: Tensor, memory: Tensor, mask: Any = None) -> None:
        self.variable("query_kernel", (static_size(query, -1, self), self.units), self.kernel_initializer)
        self.variable("memory_kernel", (static_size(memory, -1, self), self.units), self.kernel_initializer)
        if self.use_bias:
            self.variable("bias", (self.units,), "zeros", role="bias")
        self.variable("score", (self.units,), "uniform")

    def prepare(self, memory: Tensor) -> Tensor:
        keys = memory @ self.memory_kernel
        return keys + self.bias if self.use_bias else keys

    def scores(self, query: Tensor, keys: Tensor) -> Tensor:
        own = query @ self.query_kernel  # (B, T, U)
        total = own.reshape(*own.shape[:2], 1, self.units) + keys.reshape(keys.shape[0], 1, *keys.shape[1:])
        return Tensor(ops.tanh(total.node)) @ self.score  # (B, T, S)

    def extra(self) -> str:
        return f"{self.units}"


class DotAttention(Attention):
    """Score by products of queries and states.

    Parameters
    ----------
    score : {"dot", "scaled", "general"}
        The product itself, divided by the root of its length, or with a learned matrix between: ``query @ kernel @
        memory``; queries and states may differ in size then.
    kernel_initializer : str or callable

    Shape
    -----
    query (B, T, Q) or (B, Q), memory (B, S, M), mask (B, S): True for the states that there are; result (B, T, M) or
    (B, M). kernel (Q, M).

    Source
    ------
    M.-T. Luong, H. Pham, C. D. Manning, "Effective Approaches to Attention-based Neural Machine Translation", 2015,
    section 3.1.

    Elsewhere
    ---------
    Keras ``Attention``.

    Examples
    --------
    >>> import septet as st
    >>> mean, weights = DotAttention()(st.ones((2, 6, 4)), st.ones((2, 3, 4)), with_weights=True)
    >>> mean.shape, weights.shape
    ((2, 6, 4), (2, 6, 3))
    """

    kernel: Variable

    def __init__(self, score: str = "dot", *, kernel_initializer: Any = "glorot_uniform") -> None:
        if score not in SCORES:
            raise ArgumentError(
                f"DotAttention: score {score!r} does not exist.{did_you_mean(str(score), SCORES)} "
                f"The scores are {', '.join(SCORES)}"
            )
        self.score = score
        self.kernel_initializer = kernel_initializer

    def build(self, query: Tensor, memory: Tensor, mask: Any = None) -> None:
        if self.score == "general":
            shape = static_size(query, -1, self), static_size(memory, -1, self)
            self.variable("kernel", shape, self.kernel_initializer)

    def prepare(self, memory: Tensor) -> Tensor:
        if self.score == "general":
            return Tensor(matmul(memory.node, transpose(self.kernel.node)))  # (B, S, Q)
        return memory * (static_size(memory, -1, self) ** -0.5) if self.score == "scaled" else memory

    def scores(self, query: Tensor, keys: Tensor) -> Tensor:
        return Tensor(matmul(query.node, transpose(keys.node, axes=(0, 2, 1))))

    def extra(self) -> str:
        return repr(self.score)
