"""MultiHeadAttention: attention with learned projections, in several heads."""

from __future__ import annotations

from typing import Any

from septet.base.errors import ArgumentError, ShapeError
from septet.base.text import shape_text
from septet.graph.op import ops
from septet.nn.attention.masks import causal_from, combine
from septet.nn.attention.positions import positions_of, rotary
from septet.nn.dense import Dense
from septet.nn.module import Module
from septet.nn.sizes import check_count, check_rank, check_share, static_size
from septet.nn.updates import check_updates
from septet.ops.composite.attention import attention
from septet.ops.creation import arange, zeros
from septet.ops.shaping import transpose
from septet.ops.slicing import dynamic_update_slice_of
from septet.tensor import random
from septet.tensor.tensor import Tensor
from septet.tensor.wrap import unwrap


class MultiHeadAttention(Module):
    """Let each step of a sequence take a weighted mean of others, in several heads with projections of their own.

    Parameters
    ----------
    heads : int
    key_size : int, optional
        The size of a query and a key in a head, D; by default the channels of the query divided by the heads.
    value_size : int, optional
        The size of a value in a head, E; by default D.
    units : int, optional
        The channels of the result; by default those of the query.
    key_value_heads : int, optional
        How many heads keys and values have, each shared by a group of query heads; by default as many as queries.
    use_bias : bool
        Of the four projections.
    dropout : float
        The share of the weights that is set to 0 while training.
    is_packed : bool
        Whether queries, keys and values come from one product: for self-attention only, and a little faster.
    rotary_base : float, optional
        Rotate queries and keys by their positions (see `rotary`), with this base; usual is 10000.
    kernel_initializer, bias_initializer : str or callable
    output_initializer : str or callable, optional
        Of the kernel of the last projection, where it is another one.

    Shape
    -----
    query (B, T, C), key (B, S, K), value (B, S, V); result (B, T, units), weights (B, heads, T, S). The kernels are
    those of `Dense`: query (C, heads D), key (K, heads D), value (V, heads E), output (heads E, units); packed they
    are one, projection (C, heads D + heads D + heads E).

    Raises
    ------
    ArgumentError
        If the sizes do not divide, or a packed layer is given other keys.
    ShapeError
        If the inputs do not have three axes, or do not fit together.

    Source
    ------
    Vaswani et al., "Attention is all you need", 2017, section 3.2.2; heads that share keys: J. Ainslie et al., "GQA:
    Training Generalized Multi-Query Transformer Models from Multi-Head Checkpoints", 2023.

    Elsewhere
    ---------
    Keras ``MultiHeadAttention``, ``GroupQueryAttention``, PyTorch ``MultiheadAttention``.

    Examples
    --------
    >>> import septet as st
    >>> from septet import nn
    >>> layer = nn.MultiHeadAttention(heads=2)
    >>> layer(st.ones((1, 5, 8)), is_causal=True).shape
    (1, 5, 8)
    >>> layer(st.ones((1, 5, 8)), st.ones((1, 7, 8)), key_mask=st.ones((1, 7), dtype=bool)).shape
    (1, 5, 8)
    """

    def __init__(
        self, heads: int, key_size: int | None = None, *, value_size: int | None = None, units: int | None = None,
        key_value_heads: int | None = None, use_bias: bool = True, dropout: float = 0.0, is_packed: bool = False,
        rotary_base: float | None = None, kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros",
        output_initializer: Any = None,
    ) -> None:  # fmt: skip
        name = "MultiHeadAttention"
        self.heads = check_count(name, "heads", heads)
        self.key_size = None if key_size is None else check_count(name, "key_size", key_size)
        self.value_size = None if value_size is None else check_count(name, "value_size", value_size)
        self.units = None if units is None else check_count(name, "units", units)
        shared = self.heads if key_value_heads is None else check_count(name, "key_value_heads", key_value_heads)
        if self.heads % shared:
            raise ArgumentError(f"{name}: key_value_heads={shared} does not divide heads={heads}")
        self.key_value_heads = shared
        self.use_bias = bool(use_bias)
        self.dropout = check_share(name, "dropout", dropout)
        self.is_packed = bool(is_packed)
        self.rotary_base = None if rotary_base is None else float(rotary_base)
        self.kernel_initializer = kernel_initializer
        self.bias_initializer = bias_initializer
        self.output_initializer = output_initializer

    def build(self, query: Tensor, *others: Any) -> None:
        check_rank(query, 3, self, "(B, T, C)")
        width = static_size(query, -1, self)
        if self.key_size is None and width % self.heads:
            raise ArgumentError(
                f"{self.label}: heads={self.heads} does not divide the {width} channels of "
                f"{shape_text(query.type.shape)}",
                hint="give key_size",
            )
        size = self._size = width // self.heads if self.key_size is None else self.key_size
        self._value_size = size if self.value_size is None else self.value_size
        self._widths = [
            self.heads * size, self.key_value_heads * size, self.key_value_heads * self._value_size
        ]  # fmt: skip
        if self.is_packed:
            self.projection = self._dense(sum(self._widths))
        else:
            self.query, self.key, self.value = map(self._dense, self._widths)
        self.output = self._dense(width if self.units is None else self.units, self.output_initializer)

    def _dense(self, units: int, initializer: Any = None) -> Dense:
        return Dense(
            units, use_bias=self.use_bias, kernel_initializer=initializer or self.kernel_initializer,
            bias_initializer=self.bias_initializer,
        )  # fmt: skip

    def forward(
        self, query: Tensor, key: Tensor | None = None, value: Tensor | None = None, *, mask: Any = None,
        key_mask: Any = None, is_causal: bool = False, with_weights: bool = False, cache: Any = None, position: Any = 0,
    ) -> Any:  # fmt: skip
        """Return the result; with weights or a cache, a pair with them.

        Parameters
        ----------
        query : Tensor
        key : Tensor, optional
            By default the query: self-attention.
        value : Tensor, optional
            By default the key.
        mask : tensor of bool or float, optional
            (T, S), (B, T, S) or (B, heads, T, S): True where a query may look; floats are added to the scores.
        key_mask : tensor of bool, optional
            (B, S): True for the keys that there are, False for padding.
        is_causal : bool
            Whether step t may look at the steps up to t only.
        with_weights : bool
            Whether to return (result, weights).
        cache : tuple of Tensor, optional
            Keys and values of earlier steps, from `empty_cache`: the new ones are written into it from `position` on,
            and every query looks at what is there up to itself. The result is (result, cache).
        position : int or scalar tensor
            Of the first step, for a cache and for `rotary_base`.
        """
        for part in (query, key, value):
            if part is not None:
                check_rank(part, 3, self, "(B, T, C)")
        q, k, v = self._projected(query, key, value)
        if self.rotary_base is not None:
            q = rotary(q, positions_of(q, position), self.rotary_base)
            k = rotary(k, positions_of(k, position), self.rotary_base)
        rank = 4
        allowed = None
        if cache is not None:
            cache = tuple(self._written(old, new, position) for old, new in zip(cache, (k, v), strict=True))
            k, v = cache
            allowed = causal_from(position, q.shape[2], k.shape[2])  # (T, S)
            is_causal = False
        if self.key_value_heads != self.heads:
            rank = 5
            groups = self.key_value_heads
            q = q.reshape(q.shape[0], groups, self.heads // groups, *q.shape[2:])  # (B, groups, G, T, D)
            k, v = (x.reshape(*x.shape[:2], 1, *x.shape[2:]) for x in (k, v))  # (B, groups, 1, S, D)
        given = combine(self, mask, key_mask, rank, allowed)
        dropout, state = self.dropout if self.is_training else 0.0, None
        if dropout:
            check_updates(self.label, query)
            state = random.next_state().node
        found = attention(
            q.node, k.node, v.node, None if given is None else given.node, is_causal=is_causal, dropout=dropout,
            state=state, with_weights=with_weights,
        )  # fmt: skip
        mean, weights = found if with_weights else (found, None)
        y = self.output(self._joined(Tensor(mean)))
        if cache is not None:
            return y, cache
        if weights is None:
            return y
        shown = Tensor(weights)
        return y, shown.reshape(shown.shape[0], self.heads, *shown.shape[-2:])

    def empty_cache(self, batch: int, length: int, dtype: Any = "float32") -> tuple[Tensor, Tensor]:
        """Return a cache of keys and values for sequences up to a length; the layer must have seen an input."""
        if not self._is_built:
            raise ArgumentError(f"{self.label}: the sizes are unknown before the first input", hint="call build_for")
        sizes = (self._size, self._value_size)
        keys, values = (Tensor(zeros((batch, self.key_value_heads, length, size), dtype=dtype)) for size in sizes)
        return keys, values

    def _projected(self, query: Tensor, key: Tensor | None, value: Tensor | None) -> list[Tensor]:
        """Return queries, keys and values by heads: (B, heads, T, D)."""
        if self.is_packed:
            if key is not None or value is not None:
                raise ArgumentError(f"{self.label}: a packed layer makes keys and values of the query itself")
            first, second, _ = self._widths
            joined = self.projection(query)
            parts = [joined[..., :first], joined[..., first : first + second], joined[..., first + second :]]
        else:
            key = query if key is None else key
            value = key if value is None else value
            if None not in (key.type.shape[1], value.type.shape[1]) and key.type.shape[1] != value.type.shape[1]:
                raise ShapeError(f"{self.label}: there are {key.type.shape[1]} keys and {value.type.shape[1]} values")
            parts = [self.query(query), self.key(key), self.value(value)]
        counts = (self.heads, self.key_value_heads, self.key_value_heads)
        sizes = (self._size, self._size, self._value_size)
        return [
            Tensor(transpose(x.reshape(*x.shape[:2], count, size).node, axes=(0, 2, 1, 3)))
            for x, count, size in zip(parts, counts, sizes, strict=True)
        ]

    def _joined(self, mean: Tensor) -> Tensor:
        """Put the heads side by side: (B, T, heads E)."""
        if mean.ndim == 5:
            mean = mean.reshape(mean.shape[0], self.heads, *mean.shape[-2:])
        turned = Tensor(transpose(mean.node, axes=(0, 2, 1, 3)))  # (B, T, heads, E)
        return turned.reshape(*turned.shape[:2], self.heads * self._value_size)

    def _written(self, old: Tensor, new: Tensor, position: Any) -> Tensor:
        """Return a cache with new steps written into it.

        One step is chosen by its place, which is fused with what follows, while a slice is copied by itself.
        """
        if new.type.shape[2] != 1:
            return Tensor(dynamic_update_slice_of(old.node, new.node, (0, 0, unwrap(position), 0)))
        is_here = (Tensor(arange(unwrap(old.shape[2]))) == position).reshape(1, 1, -1, 1)
        return Tensor(ops.where(is_here.node, new.node, old.node))

    def extra(self) -> str:
        names = ("key_size", "value_size", "units", "dropout", "is_packed", "rotary_base")
        shared = [f"key_value_heads={self.key_value_heads}"] if self.key_value_heads != self.heads else []
        parts = [f"{name}={getattr(self, name)}" for name in names if getattr(self, name)]
        return ", ".join([str(self.heads), *shared, *parts])
