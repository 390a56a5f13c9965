"""Transformers: layers of attention and feed-forward networks with residual connections, and stacks of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from septet.base.errors import ArgumentError
from septet.nn import activation as activations
from septet.nn.attention.multi_head import MultiHeadAttention
from septet.nn.dense import Dense
from septet.nn.dropout import Dropout
from septet.nn.module import Module
from septet.nn.normalization import LayerNorm
from septet.nn.sizes import check_count, check_rank, check_share, static_size
from septet.tensor.tensor import Tensor


class FeedForward(Module):
    """Apply two products with an activation between to each step: ``dense2(dropout(activation(dense1(x))))``.

    Parameters
    ----------
    hidden : int
        The channels between.
    activation : str or callable
    dropout : float
    use_bias : bool
    kernel_initializer : str or callable
    output_initializer : str or callable, optional
        Of the second kernel, where it is another one.

    Shape
    -----
    x (..., C), result the same.

    Examples
    --------
    >>> import septet as st
    >>> FeedForward(16, "gelu")(st.ones((1, 5, 8))).shape
    (1, 5, 8)
    """

    def __init__(
        self, hidden: int, activation: Any = "relu", *, dropout: float = 0.0, use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform", output_initializer: Any = None,
    ) -> None:  # fmt: skip
        self.hidden = check_count("FeedForward", "hidden", hidden)
        self.activation = activations.check("FeedForward", activation)
        self.dropout = check_share("FeedForward", "dropout", dropout)
        self.use_bias = bool(use_bias)
        self.kernel_initializer = kernel_initializer
        self.output_initializer = output_initializer
        self.drop = Dropout(self.dropout)

    def build(self, x: Tensor) -> None:
        first, second = self.kernel_initializer, self.output_initializer or self.kernel_initializer
        self.expand = Dense(self.hidden, self.activation, use_bias=self.use_bias, kernel_initializer=first)
        self.contract = Dense(static_size(x, -1, self), use_bias=self.use_bias, kernel_initializer=second)

    def forward(self, x: Tensor) -> Tensor:
        return self.contract(self.drop(self.expand(x)))

    def extra(self) -> str:
        return f"{self.hidden}"


class _Layer(Module):
    """What the layers of encoder and decoder share."""

    def __init__(
        self, heads: int, hidden: int, activation: Any, dropout: float, is_norm_first: bool, epsilon: float,
        key_value_heads: int | None, rotary_base: float | None, use_bias: bool, kernel_initializer: Any,
        output_initializer: Any,
    ) -> None:  # fmt: skip
        name = type(self).__name__
        self.heads = check_count(name, "heads", heads)
        self.hidden = check_count(name, "hidden", hidden)
        self.activation = activations.check(name, activation)
        self.dropout = check_share(name, "dropout", dropout)
        self.is_norm_first = bool(is_norm_first)
        self.epsilon = float(epsilon)
        self.key_value_heads = key_value_heads
        self.rotary_base = rotary_base
        self.use_bias = bool(use_bias)
        self.kernel_initializer = kernel_initializer
        self.output_initializer = output_initializer
        self.attention_norm = LayerNorm(epsilon=epsilon)
        self.attention = MultiHeadAttention(
            heads, key_value_heads=key_value_heads, use_bias=use_bias, dropout=dropout, is_packed=True,
            rotary_base=rotary_base, kernel_initializer=kernel_initializer, output_initializer=output_initializer,
        )  # fmt: skip
        self.drop = Dropout(dropout)

    def _add_feed_forward(self) -> None:
        """Make the second half; after what stands before it, for the order of the variables."""
        self.feed_forward_norm = LayerNorm(epsilon=self.epsilon)
        self.feed_forward = FeedForward(
            self.hidden, self.activation, dropout=self.dropout, use_bias=self.use_bias,
            kernel_initializer=self.kernel_initializer, output_initializer=self.output_initializer,
        )  # fmt: skip

    def _residual(self, x: Tensor, norm: LayerNorm, part: Callable[[Tensor], Tensor]) -> Tensor:
        """Add what a part computes, normalized before it or after the sum."""
        if self.is_norm_first:
            return x + self.drop(part(norm(x)))
        return norm(x + self.drop(part(x)))

    def extra(self) -> str:
        return f"{self.heads}, {self.hidden}" + (", is_norm_first=True" if self.is_norm_first else "")


class TransformerEncoderLayer(_Layer):
    """Let the steps of a sequence look at each other, and apply a small network to each.

    Parameters
    ----------
    heads : int
    hidden : int
        The channels inside the network.
    activation : str or callable
    dropout : float
        After both parts, and of the weights of the attention.
    is_norm_first : bool
        Whether each part is normalized before it ("pre-norm") or with the sum after it, as in the paper.
    epsilon : float
        Of the normalizations.
    key_value_heads, rotary_base
        See `MultiHeadAttention`.
    use_bias : bool
    kernel_initializer : str or callable
    output_initializer : str or callable, optional
        Of the kernels whose products are added to the input, where it is another one.

    Shape
    -----
    x (B, T, C), result the same. mask (T, T), (B, T, T) or (B, heads, T, T), key_mask (B, T): see `MultiHeadAttention`.

    Source
    ------
    Vaswani et al., "Attention is all you need", 2017, section 3.1; normalization first: R. Xiong et al., "On Layer
    Normalization in the Transformer Architecture", 2020.

    Elsewhere
    ---------
    PyTorch ``TransformerEncoderLayer``.

    Examples
    --------
    >>> import septet as st
    >>> from septet import nn
    >>> nn.TransformerEncoderLayer(2, 16)(st.ones((1, 5, 8)), is_causal=True).shape
    (1, 5, 8)
    """

    def __init__(
        self, heads: int, hidden: int, activation: Any = "relu", *, dropout: float = 0.1, is_norm_first: bool = False,
        epsilon: float = 1e-5, key_value_heads: int | None = None, rotary_base: float | None = None,
        use_bias: bool = True, kernel_initializer: Any = "glorot_uniform", output_initializer: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(
            heads, hidden, activation, dropout, is_norm_first, epsilon, key_value_heads, rotary_base, use_bias,
            kernel_initializer, output_initializer,
        )  # fmt: skip
        self._add_feed_forward()

    def forward(
        self, x: Tensor, *, mask: Any = None, key_mask: Any = None, is_causal: bool = False, cache: Any = None,
        position: Any = 0,
    ) -> Any:  # fmt: skip
        """Return the result, with a cache the pair (result, cache); the words are those of `MultiHeadAttention`."""
        check_rank(x, 3, self, "(B, T, C)")
        kept: list[Any] = []

        def attend(y: Tensor) -> Tensor:
            words = {"mask": mask, "key_mask": key_mask, "is_causal": is_causal, "position": position}
            if cache is None:
                return self.attention(y, **words)
            y, new = self.attention(y, cache=cache, **words)
            kept.append(new)
            return y

        x = self._residual(x, self.attention_norm, attend)
        x = self._residual(x, self.feed_forward_norm, self.feed_forward)
        return x if cache is None else (x, kept[0])


class TransformerDecoderLayer(_Layer):
    """Let the steps of a sequence look at the steps before them and at a memory, and apply a small network to each.

    Parameters
    ----------
    heads, hidden, activation, dropout, is_norm_first, epsilon, key_value_heads, rotary_base, use_bias,
    kernel_initializer, output_initializer
        See `TransformerEncoderLayer`.

    Shape
    -----
    x (B, T, C), memory (B, S, M), result (B, T, C). mask (T, T) and key_mask (B, T) of the steps; memory_mask (T, S)
    and memory_key_mask (B, S) of the memory.

    Source
    ------
    Vaswani et al., "Attention is all you need", 2017, section 3.1.

    Elsewhere
    ---------
    PyTorch ``TransformerDecoderLayer``.

    Examples
    --------
    >>> import septet as st
    >>> from septet import nn
    >>> nn.TransformerDecoderLayer(2, 16)(st.ones((1, 5, 8)), st.ones((1, 7, 8))).shape
    (1, 5, 8)
    """

    def __init__(
        self, heads: int, hidden: int, activation: Any = "relu", *, dropout: float = 0.1, is_norm_first: bool = False,
        epsilon: float = 1e-5, key_value_heads: int | None = None, rotary_base: float | None = None,
        use_bias: bool = True, kernel_initializer: Any = "glorot_uniform", output_initializer: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(
            heads, hidden, activation, dropout, is_norm_first, epsilon, key_value_heads, rotary_base, use_bias,
            kernel_initializer, output_initializer,
        )  # fmt: skip
        self.memory_norm = LayerNorm(epsilon=epsilon)
        self.memory_attention = MultiHeadAttention(
            heads, key_value_heads=key_value_heads, use_bias=use_bias, dropout=dropout,
            kernel_initializer=kernel_initializer, output_initializer=output_initializer,
        )  # fmt: skip
        self._add_feed_forward()

    def forward(
        self, x: Tensor, memory: Tensor, *, mask: Any = None, key_mask: Any = None, memory_mask: Any = None,
        memory_key_mask: Any = None, is_causal: bool = True,
    ) -> Tensor:  # fmt: skip
        check_rank(x, 3, self, "(B, T, C)")
        check_rank(memory, 3, self, "a memory (B, S, M)")
        x = self._residual(
            x, self.attention_norm, lambda y: self.attention(y, mask=mask, key_mask=key_mask, is_causal=is_causal)
        )
        x = self._residual(
            x, self.memory_norm,
            lambda y: self.memory_attention(y, memory, mask=memory_mask, key_mask=memory_key_mask),
        )  # fmt: skip
        return self._residual(x, self.feed_forward_norm, self.feed_forward)


class _Stack(Module):
    """Layers on each other, with a normalization at the end where the layers normalize first."""

    make: type[_Layer]

    def __init__(
        self, layers: int, heads: int, hidden: int, activation: Any = "relu", *, dropout: float = 0.1,
        is_norm_first: bool = False, epsilon: float = 1e-5, key_value_heads: int | None = None,
        rotary_base: float | None = None, use_bias: bool = True, kernel_initializer: Any = "glorot_uniform",
        output_initializer: Any = None,
    ) -> None:  # fmt: skip
        self.layers = check_count(type(self).__name__, "layers", layers)
        words = {
            "dropout": dropout, "is_norm_first": is_norm_first, "epsilon": epsilon, "key_value_heads": key_value_heads,
            "rotary_base": rotary_base, "use_bias": use_bias, "kernel_initializer": kernel_initializer,
            "output_initializer": output_initializer,
        }  # fmt: skip
        self.blocks = [self.make(heads, hidden, activation, **words) for _ in range(self.layers)]
        for name in ("heads", "hidden", "activation", *words):
            setattr(self, name, getattr(self.blocks[0], name))
        if is_norm_first:
            self.norm = LayerNorm(epsilon=epsilon)

    def extra(self) -> str:
        return f"{self.layers}, {self.heads}, {self.hidden}"


class TransformerEncoder(_Stack):
    """Stack encoder layers.

    Parameters
    ----------
    layers : int
    heads, hidden, activation, dropout, is_norm_first, epsilon, key_value_heads, rotary_base, use_bias,
    kernel_initializer, output_initializer
        See `TransformerEncoderLayer`. With `is_norm_first` there is one more normalization at the end.

    Shape
    -----
    x (B, T, C), result the same.

    Source
    ------
    Vaswani et al., "Attention is all you need", 2017, section 3.1.

    Elsewhere
    ---------
    PyTorch ``TransformerEncoder``.

    Examples
    --------
    >>> import septet as st
    >>> from septet import nn
    >>> nn.TransformerEncoder(2, heads=2, hidden=16)(st.ones((1, 5, 8))).shape
    (1, 5, 8)
    """

    make = TransformerEncoderLayer

    def forward(
        self, x: Tensor, *, mask: Any = None, key_mask: Any = None, is_causal: bool = False,
        caches: Sequence[Any] | None = None, position: Any = 0,
    ) -> Any:  # fmt: skip
        """Return the result; with the caches of all layers the pair (result, caches)."""
        if caches is not None and len(caches) != self.layers:
            raise ArgumentError(f"{self.label}: needs {self.layers} caches, one for each layer, got {len(caches)}")
        kept = []
        for index, block in enumerate(self.blocks):
            words = {"mask": mask, "key_mask": key_mask, "is_causal": is_causal, "position": position}
            if caches is None:
                x = block(x, **words)
            else:
                x, cache = block(x, cache=caches[index], **words)
                kept.append(cache)
        x = self.norm(x) if self.is_norm_first else x
        return x if caches is None else (x, tuple(kept))

    def empty_caches(self, batch: int, length: int, dtype: Any = "float32") -> tuple[Any, ...]:
        """Return caches for sequences up to a length; see `MultiHeadAttention.empty_cache`."""
        return tuple(block.attention.empty_cache(batch, length, dtype) for block in self.blocks)


class TransformerDecoder(_Stack):
    """Stack decoder layers.

    Parameters
    ----------
    layers : int
    heads, hidden, activation, dropout, is_norm_first, epsilon, key_value_heads, rotary_base, use_bias,
    kernel_initializer, output_initializer
        See `TransformerEncoderLayer`. With `is_norm_first` there is one more normalization at the end.

    Shape
    -----
    x (B, T, C), memory (B, S, M), result (B, T, C).

    Source
    ------
    Vaswani et al., "Attention is all you need", 2017, section 3.1.

    Elsewhere
    ---------
    PyTorch ``TransformerDecoder``.

    Examples
    --------
    >>> import septet as st
    >>> from septet import nn
    >>> nn.TransformerDecoder(2, heads=2, hidden=16)(st.ones((1, 5, 8)), st.ones((1, 7, 4))).shape
    (1, 5, 8)
    """

    make = TransformerDecoderLayer

    def forward(self, x: Tensor, memory: Tensor, **words: Any) -> Tensor:
        """Return the result; the words are those of `TransformerDecoderLayer`."""
        for block in self.blocks:
            x = block(x, memory, **words)
        return self.norm(x) if self.is_norm_first else x
