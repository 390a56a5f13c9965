"""All of `theano.sparse`, and the operators of sparse variables."""

from __future__ import annotations

from typing import Any

from septet.dialects.theano.sparse import elementwise, items, products, structure
from septet.dialects.theano.sparse.elementwise import *
from septet.dialects.theano.sparse.items import *
from septet.dialects.theano.sparse.products import *
from septet.dialects.theano.sparse.structure import *
from septet.dialects.theano.sparse.variables import *
from septet.dialects.theano.sparse.variables import _sparse_py_operators


def _turned(function: Any) -> Any:
    return lambda self, other: function(other, self)


_OPERATORS: dict[str, Any] = {
    "__neg__": elementwise.neg, "__add__": elementwise.add, "__radd__": _turned(elementwise.add), "__sub__": elementwise.sub,
    "__rsub__": _turned(elementwise.sub), "__mul__": elementwise.mul, "__rmul__": elementwise.mul, "__lt__": elementwise.lt,
    "__le__": elementwise.le, "__gt__": elementwise.gt, "__ge__": elementwise.ge, "__dot__": products.structured_dot,
    "__rdot__": _turned(products.structured_dot), "__getitem__": items.get_item, "astype": structure.cast,
    "toarray": structure.dense_from_sparse, "zeros_like": structure.sp_zeros_like, "sum": elementwise.sp_sum,
}  # fmt: skip
for _name, _function in _OPERATORS.items():
    setattr(_sparse_py_operators, _name, lambda self, *args, call=_function, **words: call(self, *args, **words))
_PROPERTIES: dict[str, Any] = {
    "T": structure.transpose,
    "shape": lambda self: structure.csm_shape(self).astype("int64"),
    "size": lambda self: structure.csm_data(self).size,
}
for _name, _function in _PROPERTIES.items():
    setattr(_sparse_py_operators, _name, property(_function))
