"""`theano.tensor.nnet.nnet`: softmax and its relatives, cross-entropies, rectifiers.

Logarithms of softmax and sigmoid are computed without overflow by the compiler, however programs write them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

import septet as st
from septet.dialects.theano import stable
from septet.dialects.theano.dtypes import DISCRETE, FLOATS
from septet.dialects.theano.gof.op import NativeOp
from septet.dialects.theano.tensor import basic, extra_ops
from septet.dialects.theano.tensor.convert import as_tensor_variable
from septet.dialects.theano.tensor.nnet.blocksparse import sparse_block_dot
from septet.dialects.theano.tensor.nnet.sigm import ScalarSoftsign, scalar_softsign, softplus, softsign  # noqa: F401  (Theano has softsign here)
from septet.dialects.theano.tensor.products import dot, tensordot
from septet.dialects.theano.tensor.reductions import max_and_argmax
from septet.dialects.theano.tensor.reductions import sum as sum_
from septet.dialects.theano.tensor.shaping import concatenate, shape_padleft
from septet.ops.checks import classes


def _floats(x: Any, ranks: tuple[int, ...], name: str = "x") -> Any:
    x = as_tensor_variable(x)
    if x.type.ndim not in ranks or x.type.dtype not in FLOATS:
        raise ValueError(f"{name} must be {' or '.join(f'{rank}-d' for rank in ranks)} tensor of floats. Got {x.type}")
    return x


def _integers(y: Any, name: str = "y_idx") -> Any:
    y = as_tensor_variable(y)
    if y.type.ndim != 1 or y.type.dtype not in DISCRETE:
        raise ValueError(f"{name} must be 1-d tensor of [u]ints, got {y.type}")
    return y


_matrix, _bias = functools.partial(_floats, ranks=(2,)), functools.partial(_floats, ranks=(1,), name="b")


def _rows(x: Any, name: str = "x") -> Any:
    x = _floats(x, (1, 2), name)
    return shape_padleft(x) if x.type.ndim == 1 else x


class _OfRows(NativeOp):
    """An op without parameters; `takes` has for each input what checks it."""

    __props__ = ()
    takes: tuple[Callable[..., Any], ...] = ()

    def make_node(self, *inputs: Any, **_: Any) -> Any:
        return self.applied([checked(one) for checked, one in zip(self.takes, inputs, strict=True)])


class Softmax(_OfRows):
    """The softmax of each row of a matrix; a vector is taken as one row."""

    takes = (_rows,)
    function = staticmethod(stable.softmax)

    def compute(self, *tensors: Any) -> Any:
        return self.function(tensors[0])


class LogSoftmax(Softmax):
    """The logarithm of the softmax of each row of a matrix; a vector is taken as one row."""

    function = staticmethod(functools.partial(st.log_softmax, axis=-1))


class SoftmaxWithBias(_OfRows):
    """The softmax of each row of a matrix to which a vector is added."""

    takes = (_matrix, _bias)

    def compute(self, *tensors: Any) -> Any:
        x, b = tensors
        return stable.softmax(x + b.astype(x.dtype))


class SoftmaxGrad(_OfRows):
    """What the gradient of a softmax makes of a cotangent `dy`, where `sm` is the softmax."""

    takes = (functools.partial(_rows, name="dy"), functools.partial(_rows, name="sm"))

    def compute(self, *tensors: Any) -> Any:
        dy, sm = tensors
        scaled = dy * sm
        return scaled - st.sum(scaled, axis=-1, keepdims=True) * sm


softmax_op, logsoftmax_op, softmax_with_bias, softmax_grad = Softmax(), LogSoftmax(), SoftmaxWithBias(), SoftmaxGrad()


def softmax(c: Any) -> Any:
    """Return the softmax of each row of a matrix; a vector gives a matrix of one row."""
    return softmax_op(c)


def logsoftmax(c: Any) -> Any:
    """Return the logarithm of the softmax of each row of a matrix; a vector gives a matrix of one row."""
    return logsoftmax_op(c)


def softmax_graph(c: Any) -> Any:
    """Return the softmax over the last axis, made of elementwise functions."""
    return basic.exp(c) / basic.exp(c).sum(axis=-1, keepdims=True)


# Cross-entropies.


def _picked(rows: Any, index: Any) -> Any:
    """Return one element of each row; an index that is no column of it is an error, also a negative one."""
    index = st.Tensor(classes(index.node, rows.node, 1, "crossentropy"))
    return st.squeeze(st.take_along_axis(rows, st.expand_dims(index.astype("int64"), axis=1), axis=1), axis=1)


class CrossentropySoftmaxArgmax1HotWithBias(_OfRows):
    """Of ``x + b``: the cross-entropy of its softmax with labels, the softmax, and where it is largest."""

    nin, nout = 3, 3
    takes = (_matrix, _bias, _integers)

    def compute(self, *tensors: Any) -> Any:
        x, b, y = tensors
        x = x + b.astype(x.dtype)
        return -_picked(st.log_softmax(x, axis=-1), y), stable.softmax(x), st.argmax(x, axis=-1).astype(y.dtype)

    def connection_pattern(self, node: Any) -> list[list[bool]]:
        return [[True, True, False], [True, True, False], [False, False, False]]


class CrossentropySoftmax1HotWithBiasDx(_OfRows):
    """The gradient of that cross-entropy in `x`, from the cotangent `dy`, the softmax and the labels."""

    inputs_with_gradient = slice(2)
    nin, nout = 3, 1
    takes = (functools.partial(_floats, ranks=(0, 1), name="dy"), functools.partial(_matrix, name="sm"), _integers)

    def compute(self, *tensors: Any) -> Any:
        dy, sm, y = tensors
        y = st.Tensor(classes(y.node, sm.node, 1, "crossentropy"))
        return (dy if dy.ndim == 0 else st.expand_dims(dy, axis=1)) * (sm - st.one_hot(y, sm.shape[1], dtype=sm.dtype))


crossentropy_softmax_argmax_1hot_with_bias = CrossentropySoftmaxArgmax1HotWithBias()
crossentropy_softmax_1hot_with_bias_dx = CrossentropySoftmax1HotWithBiasDx()


def crossentropy_softmax_1hot_with_bias(x: Any, b: Any, y_idx: Any, **kwargs: Any) -> Any:
    """Return the cross-entropy of the softmax of ``x + b`` with labels, and the softmax."""
    return crossentropy_softmax_argmax_1hot_with_bias(x, b, y_idx, **kwargs)[:2]


def crossentropy_softmax_1hot(x: Any, y_idx: Any, **kwargs: Any) -> Any:
    """Return the cross-entropy of the softmax of `x` with labels, and the softmax."""
    return crossentropy_softmax_1hot_with_bias(x, basic.zeros_like(as_tensor_variable(x)[0, :]), y_idx, **kwargs)


def crossentropy_softmax_max_and_argmax_1hot_with_bias(x: Any, b: Any, y_idx: Any, **kwargs: Any) -> Any:
    """Return the cross-entropy of the softmax of ``x + b``, the softmax, its largest elements and where they are."""
    cost, probabilities = crossentropy_softmax_1hot_with_bias(x, b, y_idx, **kwargs)
    return (cost, probabilities, *max_and_argmax(probabilities, axis=-1))


def crossentropy_softmax_max_and_argmax_1hot(x: Any, y_idx: Any, **kwargs: Any) -> Any:
    """Return the cross-entropy of the softmax of `x`, the softmax, its largest elements and where they are."""
    b = basic.zeros_like(as_tensor_variable(x)[0, :])
    return crossentropy_softmax_max_and_argmax_1hot_with_bias(x, b, y_idx, **kwargs)


class CrossentropyCategorical1Hot(NativeOp):
    """Minus the logarithm of one element of each row: the cross-entropy of rows with labels."""

    __props__ = ()
    inputs_with_gradient = slice(1)

    def check(self, coding: Any, labels: Any) -> None:
        if coding.type.ndim != 2:
            raise TypeError("matrix required for argument: coding_dist")
        if labels.type.ndim != 1 or labels.type.dtype not in ("int64", "int32"):
            raise TypeError(f"integer vector required for argument: true_one_of_n (got type: {labels.type})")

    def compute(self, *tensors: Any) -> Any:
        return -stable.log(_picked(*tensors))


class CrossentropyCategorical1HotGrad(NativeOp):
    """The gradient of `CrossentropyCategorical1Hot` in the rows."""

    __props__ = ()

    def compute(self, *tensors: Any) -> Any:
        g, coding, labels = tensors
        return st.where(st.one_hot(labels, coding.shape[1], dtype=bool), -st.expand_dims(g, axis=1) / coding, 0)


crossentropy_categorical_1hot = CrossentropyCategorical1Hot()
crossentropy_categorical_1hot_grad = CrossentropyCategorical1HotGrad()


def binary_crossentropy(output: Any, target: Any) -> Any:
    """Return the cross-entropy, element by element, of probabilities between 0 and 1 with targets."""
    return -(target * basic.log(output) + (1.0 - target) * basic.log(1.0 - output))


def sigmoid_binary_crossentropy(output: Any, target: Any) -> Any:
    """Return the cross-entropy, element by element, of ``sigmoid(output)`` with targets."""
    output = as_tensor_variable(output)
    return softplus(-abs(output)) + output * ((output > 0) - target)


def categorical_crossentropy(coding_dist: Any, true_dist: Any) -> Any:
    """Return the cross-entropy of each row of probabilities with a row of targets, or with a label."""
    coding_dist, true_dist = as_tensor_variable(coding_dist), as_tensor_variable(true_dist)
    if true_dist.ndim == coding_dist.ndim:
        return -sum_(true_dist * basic.log(coding_dist), axis=coding_dist.ndim - 1)
    if true_dist.ndim == coding_dist.ndim - 1:
        return crossentropy_categorical_1hot(coding_dist, true_dist)
    raise TypeError("rank mismatch between coding and true distributions")


# Rows with one more element.


class Prepend_scalar_to_each_row(NativeOp):
    """Each row of a matrix with a number before it."""

    __props__ = ()

    def check(self, value: Any, matrix: Any) -> None:
        if matrix.type.broadcastable != (False, False):
            raise TypeError("Expected a matrix as input")

    def compute(self, *tensors: Any) -> Any:
        value, matrix = tensors
        first = st.broadcast_to(st.reshape(value, (1, 1)).astype(matrix.dtype), (matrix.shape[0], 1))
        return st.concatenate([first, matrix], axis=1)


class Prepend_scalar_constant_to_each_row:
    """Each row of a matrix with a known number before it."""

    def __init__(self, val: float = 0) -> None:
        self.val = val

    def __call__(self, mat: Any) -> Any:
        return prepend_scalar_to_each_row(np.asarray(self.val, mat.dtype), mat)


prepend_scalar_to_each_row = Prepend_scalar_to_each_row()
prepend_0_to_each_row = Prepend_scalar_constant_to_each_row(0.0)
prepend_1_to_each_row = Prepend_scalar_constant_to_each_row(1.0)


# Rectifiers.


def relu(x: Any, alpha: Any = 0) -> Any:
    """Return x where it is positive and ``alpha * x`` elsewhere."""
    if isinstance(alpha, (int, float)) and alpha == 0:
        return 0.5 * (x + abs(x))
    alpha = as_tensor_variable(alpha)
    return 0.5 * (1 + alpha) * x + 0.5 * (1 - alpha) * abs(x)


def elu(x: Any, alpha: Any = 1) -> Any:
    """Return x where it is positive and ``alpha * (exp(x) - 1)`` elsewhere."""
    return basic.switch(x > 0, x, alpha * basic.expm1(x))


def selu(x: Any) -> Any:
    """Return the scaled exponential linear unit (Klambauer et al., Self-normalizing neural networks, 2017)."""
    return 1.0507009873554804934193349852946 * elu(x, 1.6732632423543772848170429916717)


def h_softmax(
    x: Any, batch_size: Any, n_outputs: int, n_classes: int, n_outputs_per_class: int, W1: Any, b1: Any, W2: Any, b2: Any,
    target: Any = None,
) -> Any:  # fmt: skip
    """Return the probabilities of a softmax in two levels, classes and outputs within a class.

    Parameters
    ----------
    x : tensor
        (batch_size, features).
    batch_size, n_outputs, n_classes, n_outputs_per_class : int
    W1, b1 : tensor
        (features, n_classes) and (n_classes,).
    W2, b2 : tensor
        (n_classes, features, n_outputs_per_class) and (n_classes, n_outputs_per_class).
    target : tensor of integers, optional
        (batch_size,) or (batch_size, 1): which output's probability is asked for; by default those of all.

    Source
    ------
    Goodman, Classes for fast maximum entropy training, 2001.
    """
    classes = softmax(dot(x, W1) + b1)
    if target is None:
        within = softmax((tensordot(x, W2, (1, 1)) + b2).reshape((-1, n_outputs_per_class)))
        joint = classes.dimshuffle(0, 1, "x") * within.reshape((batch_size, n_classes, -1))
        return joint.reshape((batch_size, -1))[:, :n_outputs]
    target = target.flatten()
    own, place = target // n_outputs_per_class, target % n_outputs_per_class
    activations = sparse_block_dot(
        W2.dimshuffle("x", 0, 1, 2), x.dimshuffle(0, "x", 1), basic.zeros((batch_size, 1), dtype="int32"), b2,
        own.dimshuffle(0, "x"),
    )  # fmt: skip
    rows = basic.arange(batch_size)
    return classes[rows, own] * softmax(activations.dimshuffle(0, 2))[rows, place]


def confusion_matrix(actual: Any, pred: Any) -> list[Any]:
    """Return how often each pair of (actual, predicted) values occurs, and the values in order."""
    actual, pred = as_tensor_variable(actual), as_tensor_variable(pred)
    for name, value in (("actual", actual), ("pred", pred)):
        if value.ndim != 1:
            raise ValueError(f"{name} must be 1-d tensor variable")
    order = extra_ops.Unique(False, False, False)(concatenate([actual, pred]))
    hot = [basic.eq(one.dimshuffle(0, "x"), order).astype("int64") for one in (actual, pred)]
    return [dot(hot[0].T, hot[1]), order]


__all__ = [
    "CrossentropyCategorical1Hot", "CrossentropyCategorical1HotGrad", "CrossentropySoftmax1HotWithBiasDx",
    "CrossentropySoftmaxArgmax1HotWithBias", "LogSoftmax", "Prepend_scalar_constant_to_each_row",
    "Prepend_scalar_to_each_row", "Softmax", "SoftmaxGrad", "SoftmaxWithBias", "binary_crossentropy",
    "categorical_crossentropy", "confusion_matrix", "crossentropy_categorical_1hot",
    "crossentropy_categorical_1hot_grad", "crossentropy_softmax_1hot", "crossentropy_softmax_1hot_with_bias",
    "crossentropy_softmax_1hot_with_bias_dx", "crossentropy_softmax_argmax_1hot_with_bias",
    "crossentropy_softmax_max_and_argmax_1hot", "crossentropy_softmax_max_and_argmax_1hot_with_bias", "elu",
    "h_softmax", "logsoftmax", "logsoftmax_op", "prepend_0_to_each_row", "prepend_1_to_each_row",
    "prepend_scalar_to_each_row", "relu", "selu", "sigmoid_binary_crossentropy", "softmax", "softmax_grad",
    "softmax_graph", "softmax_op", "softmax_with_bias",
]  # fmt: skip
