"""`theano.tensor.xlogx`: products with logarithms that are zero where the factor is."""

from __future__ import annotations

from typing import Any

import septet as st
from septet.dialects.theano.scalar.basic import ScalarOp, upgrade_to_float
from septet.dialects.theano.tensor.elemwise import Elemwise

XlogX = XlogY0 = ScalarOp


def _xlogx(x: Any) -> Any:
    return st.xlogy(x, x)


scalar_xlogx = ScalarOp("scalar_xlogx", _xlogx, upgrade_to_float)
scalar_xlogy0 = ScalarOp("scalar_xlogy0", st.xlogy, upgrade_to_float, 2)
xlogx = Elemwise(scalar_xlogx, name="xlogx")
xlogy0 = Elemwise(scalar_xlogy0, name="xlogy0")
