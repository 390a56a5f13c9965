"""`theano.sparse`: matrices of which only some elements are kept, as SciPy keeps them."""

from septet.base.errors import LibraryError

try:
    import scipy.sparse as _scipy_sparse
except ImportError:
    raise LibraryError("theano.sparse keeps its matrices as SciPy does", hint="pip install 'septet[theano]'") from None

from septet.dialects.theano.sparse import basic, opt, sharedvar, type
from septet.dialects.theano.sparse.basic import *
from septet.dialects.theano.sparse.type import SparseType, _is_sparse
from septet.dialects.theano.sparse.variables import sparse_constructor as shared

enable_sparse = True
