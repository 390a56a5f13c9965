"""`theano.tensor.nnet.ctc`: connectionist temporal classification."""

from __future__ import annotations

from typing import Any

import septet as st
from septet.dialects.theano.gof.op import NativeOp


class ConnectionistTemporalClassification(NativeOp):
    """Minus the logarithm of the probability of label sequences, for each example; the blank is class 0."""

    __props__ = ("compute_grad",)
    inputs_with_gradient = slice(1)

    def __init__(self, compute_grad: bool = True, openmp: Any = None) -> None:
        self.compute_grad = compute_grad

    def check(self, *inputs: Any) -> None:
        names = ("activations", "labels", "input_lengths")
        for name, one, dtype, rank in zip(names, inputs, ("float32", "int32", "int32"), (3, 2, 1), strict=True):
            if one.type.dtype != dtype:
                raise TypeError(f"{name} must use the {dtype} type!")
            if one.ndim != rank:
                raise ValueError(f"{name} must have {rank} dimensions.")

    def compute(self, *tensors: Any) -> Any:
        from septet.nn.ctc import ctc as loss  # the library of layers is loaded where a program asks for it

        activations, labels, lengths = tensors
        is_label = labels >= 0
        count = st.sum(is_label.astype("int64"), axis=1)
        labels = st.where(is_label, labels.astype("int64"), 1)
        return loss(st.permute_dims(activations, (1, 0, 2)), labels, lengths, count, reduction="none")


def ctc(activations: Any, labels: Any, input_lengths: Any) -> Any:
    """Return the loss of each example.

    Parameters
    ----------
    activations : float32 tensor
        (time, batch, classes), before the softmax.
    labels : int32 matrix
        (batch, longest); negative numbers behind the last label.
    input_lengths : int32 vector
        How many steps count of each example.
    """
    return ConnectionistTemporalClassification()(activations, labels, input_lengths)


def ctc_available() -> bool:
    """Tell whether the loss can be computed: always."""
    return True


ctc_present = ctc_available
