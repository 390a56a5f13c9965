"""`theano.tensor.inplace`: elementwise ops under the names that say they overwrite their argument.

What is written in place is the compiler's decision; the results are the same.
"""

from typing import Any

from septet.dialects.theano.scalar.basic import transfer_type
from septet.dialects.theano.tensor.elemwise import FUNCTIONS, Elemwise
from septet.dialects.theano.tensor.shaping import transpose

INPLACE: dict[str, Any] = {  # results have the dtype of what they are written over
    f"{name}_inplace": Elemwise(type(op.scalar_op)(transfer_type(0)), {0: 0}, name=f"{name}_inplace")
    for name, op in FUNCTIONS.items()
    if not name.startswith("convert_to")
}
INPLACE["fill_inplace"] = INPLACE["second_inplace"]
INPLACE["transpose_inplace"] = transpose
globals().update(INPLACE)

__all__ = [*INPLACE]
