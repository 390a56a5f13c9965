"""`theano.tensor.inplace`: elementwise ops under the names that say they overwrite their argument.

What is written in place is the compiler's decision; the results are the same.
"""

from typing import Any

from septet.dialects.theano.tensor.elemwise import FUNCTIONS, Elemwise
from septet.dialects.theano.tensor.shaping import transpose

INPLACE: dict[str, Any] = {
    f"{name}_inplace": Elemwise(op.scalar_op, {0: 0}, name=f"{name}_inplace") for name, op in FUNCTIONS.items()
}
INPLACE["fill_inplace"] = INPLACE["second_inplace"]
INPLACE["transpose_inplace"] = transpose
globals().update(INPLACE)

__all__ = [*INPLACE]
