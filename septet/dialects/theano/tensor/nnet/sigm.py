"""`theano.tensor.nnet.sigm`: sigmoids, softplus and softsign, element by element."""

from __future__ import annotations

from typing import Any

import septet as st
from septet.dialects.theano.scalar import rules
from septet.dialects.theano.scalar.basic import scalar_op, upgrade_to_float
from septet.dialects.theano.tensor.basic import clip
from septet.dialects.theano.tensor.convert import as_tensor_variable, constant
from septet.dialects.theano.tensor.elemwise import Elemwise


def _ultra_fast(x: Any) -> Any:
    """Sigmoid by three pieces of tanh(x / 2): a rational one, a line, a constant."""
    size = st.abs(x) * 0.5
    line = 0.935409070603099 + 0.0458812946797165 * (size - 1.7)
    tanh = st.where(size < 1.7, 1.5 * size / (1 + size), st.where(size < 3, line, 0.99505475368673))
    return 0.5 * (st.where(x >= 0, tanh, -tanh) + 1)


def _elemwise(name: str, function: Any, inplace: bool = False) -> tuple[Any, Any]:
    scalar = scalar_op(f"scalar_{name}" if not name.startswith("ultra") else "ultra_fast_scalar_sigmoid", function,
                      upgrade_to_float, 1)  # fmt: skip
    return scalar, Elemwise(scalar, {0: 0} if inplace else None, name=name + "_inplace" * inplace)


scalar_sigmoid, sigmoid = _elemwise("sigmoid", st.sigmoid)
scalar_softplus, softplus = _elemwise("softplus", st.softplus)
scalar_softsign, softsign = _elemwise("softsign", st.softsign)
ultra_fast_scalar_sigmoid, ultra_fast_sigmoid = _elemwise("ultra_fast_sigmoid", _ultra_fast)
ScalarSigmoid, ScalarSoftplus, ScalarSoftsign, UltraFastScalarSigmoid = map(
    type, (scalar_sigmoid, scalar_softplus, scalar_softsign, ultra_fast_scalar_sigmoid)
)
_, sigmoid_inplace = _elemwise("sigmoid", st.sigmoid, inplace=True)
_, ultra_fast_sigmoid_inplace = _elemwise("ultra_fast_sigmoid", _ultra_fast, inplace=True)


def hard_sigmoid(x: Any) -> Any:
    """Return a sigmoid made of three lines: 0, ``0.2 * x + 0.5``, 1."""
    x = as_tensor_variable(x)
    slope, shift = [constant(value, dtype=rules.upgrade_to_float(x.dtype)[0]) for value in (0.2, 0.5)]
    return clip(x * slope + shift, 0, 1)


__all__ = [
    "hard_sigmoid", "scalar_sigmoid", "sigmoid", "sigmoid_inplace", "softplus", "softsign", "ultra_fast_sigmoid",
]  # fmt: skip
