"""`theano.tensor.xlogx`: products with logarithms that are zero where the factor is."""

from __future__ import annotations

from typing import Any

import septet as st
from septet.dialects.theano.scalar.basic import scalar_op, upgrade_to_float
from septet.dialects.theano.tensor.elemwise import Elemwise


def _xlogx(x: Any) -> Any:
    return st.xlogy(x, x)


scalar_xlogx = scalar_op("scalar_xlogx", _xlogx, upgrade_to_float)
scalar_xlogy0 = scalar_op("scalar_xlogy0", st.xlogy, upgrade_to_float, 2)
XlogX, XlogY0 = type(scalar_xlogx), type(scalar_xlogy0)
xlogx = Elemwise(scalar_xlogx, name="xlogx")
xlogy0 = Elemwise(scalar_xlogy0, name="xlogy0")
