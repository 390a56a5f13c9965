"""`theano.sandbox.multinomial`: outcomes of given probabilities, from uniform numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

import septet as st
from septet.dialects.theano.gof.op import NativeOp


class MultinomialFromUniform(NativeOp):
    """How often each outcome is drawn, for each row of probabilities and n uniform numbers for it.

    Parameters
    ----------
    odtype : str
        ``"auto"``: that of the probabilities.
    """

    __props__: tuple[str, ...] = ("odtype",)
    inputs_with_gradient = slice(0)
    automatic: str | None = None

    def __init__(self, odtype: str) -> None:
        self.odtype = odtype

    def make_node(self, pvals: Any, unis: Any, n: Any = 1) -> Any:
        return super().make_node(pvals, unis, n)

    def check(self, pvals: Any, unis: Any, n: Any) -> None:
        for name, one, rank in (("pvals", pvals, 2), ("unis", unis, 1)):
            if one.ndim != rank:
                raise NotImplementedError(f"{name} ndim should be {rank}", one.ndim)

    def _dtype(self, pvals: Any) -> str:
        return (self.automatic or pvals.dtype.name) if self.odtype == "auto" else self.odtype

    def compute(self, *tensors: Any) -> Any:
        pvals, unis, _ = tensors
        rows, outcomes = pvals.shape
        sums = st.cumsum(pvals.astype("float64"), axis=1)
        draws = st.reshape(unis.astype("float64"), (-1, rows, 1))  # (n, rows, 1)
        # the first outcome whose cumulative probability is above the number; the last one where rounding leaves none
        place = st.minimum(st.sum((sums <= draws).astype("int64"), axis=2), outcomes - 1)
        return st.sum(st.one_hot(place, outcomes, dtype="int64"), axis=0).astype(self._dtype(pvals))


class ChoiceFromUniform(MultinomialFromUniform):
    """Which outcomes are drawn: n of each row of probabilities, without putting them back unless `replace`."""

    __props__ = ("odtype", "replace")
    automatic = "int64"

    def __init__(self, odtype: str, replace: bool = False) -> None:
        super().__init__(odtype)
        self.replace = replace

    def compute(self, *tensors: Any) -> Any:
        pvals, unis, n = tensors
        width = None if n.node.is_symbolic else int(n.numpy())
        return st.callback(self._chosen, (self._dtype(pvals), (pvals.shape[0] if isinstance(pvals.shape[0], int) else None, width)), pvals, unis, n)  # fmt: skip

    def _chosen(self, pvals: np.ndarray, unis: np.ndarray, n: np.ndarray) -> np.ndarray:
        count, rows = int(n), len(pvals)
        if count > pvals.shape[1]:
            raise ValueError("Cannot sample without replacement n samples bigger than the size of the distribution.")
        if len(unis) != rows * count:
            raise ValueError("unis.shape[0] != pvals.shape[0] * n_samples", len(unis), rows, count)
        pvals, out = pvals.copy(), np.full((rows, count), -1, self._dtype(pvals))
        for turn in range(count):
            above = np.cumsum(pvals, axis=1) > unis[turn * rows : (turn + 1) * rows, None]
            found, place = above.any(axis=1), above.argmax(axis=1)
            out[found, turn] = place[found]
            if not self.replace:
                pvals[found, place[found]] = 0
                pvals[found] /= pvals[found].sum(axis=1, keepdims=True)
        return out


MultinomialWOReplacementFromUniform = ChoiceFromUniform
