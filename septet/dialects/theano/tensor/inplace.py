"""`theano.tensor.inplace`: elementwise ops under the names that say they overwrite their argument.

What is written in place is the compiler's decision; the results are the same.
"""

from septet.dialects.theano.tensor.elemwise import FUNCTIONS, Elemwise
from septet.dialects.theano.tensor.shaping import transpose

INPLACE = {f"{name}_inplace": Elemwise(op.scalar_op, {0: 0}, name=f"{name}_inplace") for name, op in FUNCTIONS.items()}
globals().update(INPLACE)
globals()["fill_inplace"] = INPLACE["second_inplace"]
pow_inplace = INPLACE["pow_inplace"]
transpose_inplace = transpose

__all__ = [*INPLACE, "fill_inplace", "transpose_inplace"]
