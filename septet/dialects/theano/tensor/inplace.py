"""`theano.tensor.inplace`: elementwise ops under the names that say they overwrite their argument.

What is written in place is the compiler's decision; the results are the same.
"""

import copy
from typing import Any

from septet.dialects.theano.scalar.basic import ScalarOp
from septet.dialects.theano.tensor.elemwise import FUNCTIONS, Elemwise
from septet.dialects.theano.tensor.shaping import transpose


def _written_over(op: ScalarOp) -> ScalarOp:
    """Return an op whose result has the dtype of the first input."""
    found = copy.copy(op)
    found.rule = lambda *dtypes: (op.rule(*dtypes)[0], dtypes[0])
    return found


INPLACE: dict[str, Any] = {
    f"{name}_inplace": Elemwise(_written_over(op.scalar_op), {0: 0}, name=f"{name}_inplace")
    for name, op in FUNCTIONS.items()
    if not name.startswith("convert_to")
}
INPLACE["fill_inplace"] = INPLACE["second_inplace"]
INPLACE["transpose_inplace"] = transpose
globals().update(INPLACE)

__all__ = [*INPLACE]
