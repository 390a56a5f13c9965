"""`theano.sandbox.linalg.ops`: the old place of `theano.tensor.nlinalg` and `theano.tensor.slinalg`."""

from septet.dialects.theano.sandbox.linalg import (
    alloc_diag,
    cholesky,
    det,
    diag,
    eig,
    eigh,
    eigvalsh,
    extract_diag,
    matrix_inverse,
    solve,
    trace,
)

__all__ = [
    "alloc_diag", "cholesky", "det", "diag", "eig", "eigh", "eigvalsh", "extract_diag", "matrix_inverse", "solve", "trace",
]  # fmt: skip
