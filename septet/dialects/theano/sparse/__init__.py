"""`theano.sparse`: matrices of which only some elements are kept, as SciPy keeps them."""

from importlib.metadata import version

from septet.dialects.theano import coverage
from septet.dialects.theano.sparse import basic, opt, sharedvar, type, utils
from septet.dialects.theano.sparse.basic import *
from septet.dialects.theano.sparse.type import SparseType, _is_sparse
from septet.dialects.theano.sparse.utils import hash_from_sparse
from septet.dialects.theano.sparse.variables import sparse_constructor as shared

enable_sparse = imported_scipy = True
scipy_ver = [int(part) for part in version("scipy").split(".")[:2]]
coverage.install()
