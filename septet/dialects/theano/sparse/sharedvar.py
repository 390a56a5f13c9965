"""Shared variables that are sparse matrices; see `variables`."""

from septet.dialects.theano.sparse.variables import SparseTensorSharedVariable, sparse_constructor

__all__ = ["SparseTensorSharedVariable", "sparse_constructor"]
