"""`theano.tensor.nnet.blocksparse`: products with some blocks of a weight matrix, chosen for each example."""

from __future__ import annotations

from typing import Any

import septet as st
from septet.dialects.theano.gof.op import NativeOp
from septet.dialects.theano.tensor.convert import as_tensor_variable


class SparseBlockGemv(NativeOp):
    """``o[b, j] += sum over i of h[b, i] @ W[inputIdx[b, i], outputIdx[b, j]]``."""

    __props__ = ("inplace",)
    inputs_with_gradient = slice(3)

    def __init__(self, inplace: bool = False) -> None:
        self.inplace = inplace

    def check(self, *inputs: Any) -> None:
        for name, one, rank in zip(("o", "W", "h", "inputIdx", "outputIdx"), inputs, (3, 4, 3, 2, 2), strict=True):
            if one.ndim != rank:
                raise TypeError(f"The {name} input to SparseBlockGemv must have {rank} dimensions, got {one.ndim}")
        for one in inputs[3:]:
            if not one.dtype.startswith(("int", "uint")):
                raise TypeError(f"the indices given to SparseBlockGemv must be integers, got {one.dtype}")

    def compute(self, *tensors: Any) -> Any:
        o, w, h, source, target = tensors
        blocks = w[st.expand_dims(source, axis=2), st.expand_dims(target, axis=1)]  # (B, I, J, n, m)
        return o + st.einsum("bin,bijnm->bjm", h, blocks)


class SparseBlockOuter(NativeOp):
    """``o[xIdx[b, i], yIdx[b, j]] += alpha * outer(x[b, i], y[b, j])``."""

    __props__ = ("inplace",)

    def __init__(self, inplace: bool = False) -> None:
        self.inplace = inplace

    def make_node(self, *inputs: Any) -> Any:
        return super().make_node(*inputs, *[1.0][: 6 - len(inputs)])

    def compute(self, *tensors: Any) -> Any:
        o, x, y, source, target, alpha = tensors
        blocks = st.einsum("bin,bjm->bijnm", x, y) * alpha.astype(o.dtype)
        return o.at[st.expand_dims(source, axis=2), st.expand_dims(target, axis=1)].add(blocks)

    def connection_pattern(self, node: Any) -> list[list[bool]]:
        return [[True], [True], [True], [False], [False], [True]]


sparse_block_gemv, sparse_block_outer = SparseBlockGemv(False), SparseBlockOuter(False)
sparse_block_gemv_inplace, sparse_block_outer_inplace = SparseBlockGemv(True), SparseBlockOuter(True)


def sparse_block_dot(W: Any, h: Any, inputIdx: Any, b: Any, outputIdx: Any) -> Any:
    """Return, for each example, some blocks of ``h @ W + b``; without a batch axis where `h` has none.

    Parameters
    ----------
    W : tensor
        (input blocks, output blocks, input size, output size).
    h : tensor
        (batch, input blocks used, input size), or without the batch.
    inputIdx, outputIdx : tensor of integers
        (batch, blocks used): which blocks.
    b : tensor
        (output blocks, output size).
    """
    W, h, b = as_tensor_variable(W), as_tensor_variable(h), as_tensor_variable(b)
    inputIdx, outputIdx = as_tensor_variable(inputIdx), as_tensor_variable(outputIdx)
    if (h.ndim == 2) != (inputIdx.ndim == 1):
        raise ValueError("h and inputIdx must both have a batch axis, or none")
    is_single = h.ndim == 2
    if is_single:
        h, inputIdx, outputIdx = [one.dimshuffle("x", *range(one.ndim)) for one in (h, inputIdx, outputIdx)]
    found = sparse_block_gemv(b.take(outputIdx, axis=0), W, h, inputIdx, outputIdx)
    return found.dimshuffle(1, 2) if is_single else found


__all__ = [
    "SparseBlockGemv", "SparseBlockOuter", "sparse_block_dot", "sparse_block_gemv", "sparse_block_gemv_inplace",
    "sparse_block_outer", "sparse_block_outer_inplace",
]  # fmt: skip
