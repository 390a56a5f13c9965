"""`theano.tensor.fft`: Fourier transforms of real signals; complex numbers are pairs along a last axis."""

from __future__ import annotations

from typing import Any

import septet as st
from septet.dialects.theano.dtypes import DISCRETE
from septet.dialects.theano.gof.op import NativeOp
from septet.dialects.theano.tensor.basic import as_tensor_variable, cast, prod, set_subtensor, sqrt
from septet.dialects.theano.tensor.shaping import elements_of


class RFFTOp(NativeOp):
    """The transform over all axes but the first."""

    __props__ = ()
    inputs_with_gradient = slice(1)

    def make_node(self, a: Any, s: Any = None) -> Any:
        a = as_tensor_variable(a)
        if a.ndim < 2:
            raise TypeError(f"{type(self).__name__}: input must have dimension > 2, with first dimension batches")
        return self.applied([a, _sizes(self, a.shape[1:] if s is None else s)])

    def compute(self, *tensors: Any) -> Any:
        x, s = tensors
        found = st.fft.rfftn(x, s=tuple(elements_of(s, x.ndim - 1)), axes=tuple(range(1, x.ndim)))
        return st.stack([st.real(found), st.imag(found)], axis=-1).astype(x.dtype)


class IRFFTOp(RFFTOp):
    """The inverse transform over all axes but the first, without its factor."""

    def make_node(self, a: Any, s: Any = None) -> Any:
        a = as_tensor_variable(a)
        if a.ndim < 3:
            raise TypeError(
                f"{type(self).__name__}: input must have dimension >= 3,  with first dimension batches and last real/imag parts"
            )
        if s is None:
            s = a.shape[1:-1]
            s = set_subtensor(s[-1], (s[-1] - 1) * 2)
        return self.applied([a, _sizes(self, s)])

    def compute(self, *tensors: Any) -> Any:
        x, s = tensors
        sizes = elements_of(s, x.ndim - 2)
        found = st.fft.irfftn(st.complex(x[..., 0], x[..., 1]), s=tuple(sizes), axes=tuple(range(1, x.ndim - 1)))
        return (found * st.prod(s).astype(found.dtype)).astype(x.dtype)


def _sizes(op: Any, s: Any) -> Any:
    s = as_tensor_variable(s)
    if s.dtype not in DISCRETE:
        raise TypeError(f"{type(op).__name__}: length of the transformed axis must be of type integer")
    return s


rfft_op = RFFTOp()
irfft_op = IRFFTOp()


def _unitary(norm: Any) -> Any:
    if norm not in (None, "ortho", "no_norm"):
        raise ValueError(f"Invalid value {norm} for norm, must be None, 'ortho' or 'no norm'")
    return norm


def rfft(inp: Any, norm: Any = None) -> Any:
    """Return the Fourier transform of real signals (m, ..., n), as (m, ..., n // 2 + 1, 2).

    Parameters
    ----------
    norm : None, "ortho" or "no_norm"
        Whether the result is divided by the root of the number of elements.
    """
    inp = as_tensor_variable(inp)
    s = inp.shape[1:]
    return rfft_op(inp, s) / (sqrt(cast(prod(s), inp.dtype)) if _unitary(norm) == "ortho" else 1)


def irfft(inp: Any, norm: Any = None, is_odd: bool = False) -> Any:
    """Return the signals (m, ..., n) whose transform is given, as (m, ..., n // 2 + 1, 2).

    Parameters
    ----------
    norm : None, "ortho" or "no_norm"
        Whether the result is divided by the number of elements, its root, or not.
    is_odd : bool
        Whether n is odd.
    """
    if is_odd not in (True, False):
        raise ValueError(f"Invalid value {is_odd} for id_odd, must be True or False")
    inp = as_tensor_variable(inp)
    s = inp.shape[1:-1]
    s = set_subtensor(s[-1], (s[-1] - 1) * 2 + (1 if is_odd else 0))
    count = cast(prod(s), inp.dtype)
    kind = _unitary(norm)
    return irfft_op(inp, s) / (count if kind is None else sqrt(count) if kind == "ortho" else 1)
