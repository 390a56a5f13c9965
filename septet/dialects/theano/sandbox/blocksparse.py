"""`theano.sandbox.blocksparse`: the old place of `theano.tensor.nnet.blocksparse`."""

from septet.dialects.theano.tensor.nnet.blocksparse import (
    SparseBlockGemv,
    SparseBlockOuter,
    sparse_block_dot,
    sparse_block_gemv,
    sparse_block_gemv_inplace,
    sparse_block_outer,
    sparse_block_outer_inplace,
)

__all__ = [
    "SparseBlockGemv", "SparseBlockOuter", "sparse_block_dot", "sparse_block_gemv", "sparse_block_gemv_inplace",
    "sparse_block_outer", "sparse_block_outer_inplace",
]  # fmt: skip
