"""`theano.sandbox.linalg`: the old place of `theano.tensor.nlinalg` and `theano.tensor.slinalg`."""

from septet.dialects.theano.tensor.nlinalg import alloc_diag, det, diag, eig, eigh, extract_diag, matrix_inverse, trace
from septet.dialects.theano.tensor.slinalg import cholesky, eigvalsh, solve

__all__ = [
    "alloc_diag", "cholesky", "det", "diag", "eig", "eigh", "eigvalsh", "extract_diag", "matrix_inverse", "solve", "trace",
]  # fmt: skip
