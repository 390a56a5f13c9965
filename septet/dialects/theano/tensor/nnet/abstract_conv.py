"""`theano.tensor.nnet.abstract_conv`: convolutions in two and three dimensions, their gradients, and what is made of them.

Septet's convolutions correlate; where Theano flips the filters, the filters are flipped here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import septet as st
from septet.dialects.theano.gof.graph import Variable
from septet.dialects.theano.gof.op import NativeOp
from septet.dialects.theano.tensor import basic
from septet.dialects.theano.tensor.convert import as_tensor_variable
from septet.dialects.theano.tensor.nnet.conv_shapes import (
    assert_conv_shape,
    assert_shape,
    border_mode_to_pad,
    check_conv_gradinputs_shape,
    checked_border_mode,
    get_conv_gradinputs_shape,
    get_conv_gradinputs_shape_1axis,
    get_conv_gradweights_shape,
    get_conv_gradweights_shape_1axis,
    get_conv_output_shape,
    get_conv_shape_1axis,
)
from septet.dialects.theano.tensor.nnet.windows import gathered, is_known, padded
from septet.dialects.theano.tensor.products import alike
from septet.dialects.theano.tensor.shaping import elements_of
from septet.graph.op import ops

CONFIGURATION = """
    imshp, kshp : tuple, optional
        Shapes of image and kernel; None for what is not known.
    border_mode : "valid", "full", "half", int, or tuple of ints and pairs
    subsample, filter_dilation : tuple of int
    filter_flip : bool
        Whether to convolve; otherwise it correlates.
    num_groups : int
    unshared : bool
        Whether each place of the result has a kernel of its own.
"""


imported_scipy_signal = True
"""Whether everything works without a C compiler: it does."""


class BaseAbstractConv(NativeOp):
    """What the three ops of a convolution have in common."""

    __props__ = (
        "convdim", "border_mode", "subsample", "filter_flip", "imshp", "kshp", "filter_dilation", "num_groups", "unshared",
    )  # fmt: skip
    check_broadcast = False
    convdim: int

    def __init__(
        self, convdim: int, imshp: Any = None, kshp: Any = None, border_mode: Any = "valid", subsample: Any = None,
        filter_flip: bool = True, filter_dilation: Any = None, num_groups: int = 1, unshared: bool = False,
    ) -> None:  # fmt: skip
        if convdim not in (2, 3):
            raise ValueError(f"convolution dimension {convdim} is not supported", convdim)
        self.convdim = convdim
        self.border_mode = checked_border_mode(border_mode, convdim)
        self.imshp = _shape("imshp", imshp, 2 + convdim)
        self.kshp = _shape("kshp", kshp, 2 + (2 if unshared else 1) * convdim)
        self.filter_flip = bool(filter_flip)
        self.subsample = _per_axis("subsample", subsample, convdim)
        self.filter_dilation = _per_axis("filter_dilation", filter_dilation, convdim)
        if num_groups < 1:
            raise ValueError("num_groups must have value greater than zero")
        self.num_groups = num_groups
        if unshared and convdim != 2:
            raise NotImplementedError(f"Unshared convolution not implemented for {convdim}D")
        self.unshared = unshared

    __init__.__doc__ = f"Parameters\n    ----------\n    convdim : 2 or 3\n{CONFIGURATION}"

    def do_constant_folding(self, node: Any) -> bool:
        return False

    def flops(self, inp: Any, outp: Any) -> int:
        """Return the number of multiplications and additions."""
        return int(2 * np.prod(outp[0]) * np.prod(inp[1][1:]))

    def _checked(self, v: Any, name: str, is_kernel: bool = False) -> Any:
        v = as_tensor_variable(v)
        rank = 2 + (2 if is_kernel and self.unshared else 1) * self.convdim
        if v.type.ndim != rank:
            raise TypeError(f"{name} must be {rank}D tensor{' for unshared convolution' * (rank == 6)}")
        return v

    def _asserted(self, v: Any, name: str, shape: Any) -> Any:
        return assert_shape(v, shape, f"AbstractConv shape mismatch: shape of {name} does not match what was given")

    def _window(self, kernel: Any, sizes: Any = None) -> list[Any]:
        """Return the kernel's spatial sizes: ints as far as they are known, scalar tensors elsewhere."""
        rank = self.convdim
        found = list(kernel.shape[-rank:]) if sizes is None else list(sizes)
        return [given if known is None else known for known, given in zip(self.kshp[-rank:], found, strict=True)]

    def _pads(self, window: Any) -> tuple[tuple[Any, Any], ...]:
        reach = [(size - 1) * step + 1 for size, step in zip(window, self.filter_dilation, strict=True)]
        return border_mode_to_pad(self.border_mode, self.convdim, reach)

    def _words(self, pads: Any) -> dict[str, Any]:
        return {"stride": self.subsample, "padding": pads, "dilation": self.filter_dilation, "groups": self.num_groups}

    def _flipped(self, kernel: Any) -> Any:
        rank = self.convdim
        return st.flip(kernel, axis=tuple(range(-rank, 0))) if self.filter_flip else kernel

    def _sized(self, op: Any, a: Any, b: Any, sizes: Any, pads: Any) -> Any:
        static = tuple(size if isinstance(size, int) else None for size in sizes)
        dynamic = [size for size in sizes if not isinstance(size, int)]
        found = op(a.node, b.node, *[size.node for size in dynamic], size=static, **self._words(pads))
        return st.Tensor(found)


def _shape(name: str, shape: Any, count: int) -> tuple[int | None, ...]:
    if shape is None or (isinstance(shape, (tuple, list)) and not shape):
        return (None,) * count
    if isinstance(shape, Variable):
        raise ValueError(f"{name} should be None or a tuple of constant int values, got a vector")
    found: list[int | None] = []
    for size in shape:
        try:
            found.append(None if size is None else int(basic.get_scalar_constant_value(size)))
        except basic.NotScalarConstantError:
            raise ValueError(f"{name} should be None or a tuple of constant int values") from None
    if len(found) != count:
        raise ValueError(f"{name} {shape} should have {count} entries")
    return tuple(found)


def _per_axis(name: str, value: Any, rank: int) -> tuple[int, ...]:
    if value is None:
        return (1,) * rank
    if len(value) != rank:
        raise ValueError(f"{name} must have {rank} elements")
    return tuple(int(one) for one in value)


class AbstractConv(BaseAbstractConv):
    """A convolution of images with kernels."""

    def make_node(self, *inputs: Any) -> Any:
        img, kern = self._checked(inputs[0], "img"), self._checked(inputs[1], "kern", True)
        return self.applied([self._asserted(img, "img", self.imshp), self._asserted(kern, "kern", self.kshp)])

    def compute(self, *tensors: Any) -> Any:
        own = tensors[0].dtype
        x, kernel = alike(*tensors)
        pads = self._pads(self._window(kernel))
        kernel = self._flipped(kernel)
        if not is_known(pads):
            x, pads = padded(x, pads), ((0, 0),) * self.convdim
        if self.unshared:
            found = self._unshared(padded(x, pads), kernel)
        else:
            found = st.conv(x, kernel, **self._words(pads))
        return found.astype(own)

    def _unshared(self, x: Any, kernel: Any) -> Any:
        """x (B, G * C, H, W) padded; kernel (G * O, h, w, C, K, L)."""
        groups, sizes = self.num_groups, kernel.shape
        windows = gathered(x, sizes[1:3], sizes[4:], self.subsample, self.filter_dilation)  # (B, G * C, h, K, w, L)
        windows = st.reshape(windows, (x.shape[0], groups, sizes[3], *windows.shape[2:]))
        kernel = st.reshape(kernel, (groups, sizes[0] // groups, *sizes[1:]))
        found = st.einsum("bgchkwl,gohwckl->bgohw", windows, kernel)
        return st.reshape(found, (x.shape[0], sizes[0], *sizes[1:3]))


class AbstractConv_gradWeights(BaseAbstractConv):
    """The gradient of a convolution in its kernel."""

    inputs_with_gradient = slice(2)

    def make_node(self, *inputs: Any, add_assert_shape: bool = True) -> Any:
        img, top, shape = inputs
        img = self._asserted(self._checked(img, "img"), "img", self.imshp)
        given = [img, self._checked(top, "topgrad"), as_tensor_variable(shape)]
        return self.applied(given)

    def compute(self, *tensors: Any) -> Any:
        own = tensors[0].dtype
        x, g = alike(*tensors[:2])
        window = self._window(None, elements_of(tensors[2], self.convdim))
        pads = self._pads(window)
        if not is_known(pads):
            x, pads = padded(x, pads), ((0, 0),) * self.convdim
        found = (
            self._unshared(padded(x, pads), g, window)
            if self.unshared
            else self._sized(ops.conv_kernel, x, g, window, pads)
        )
        return self._flipped(found).astype(own)

    def _unshared(self, x: Any, g: Any, window: Any) -> Any:
        groups, sizes = self.num_groups, g.shape
        windows = gathered(x, sizes[2:], window, self.subsample, self.filter_dilation)
        windows = st.reshape(windows, (x.shape[0], groups, x.shape[1] // groups, *windows.shape[2:]))
        g = st.reshape(g, (g.shape[0], groups, sizes[1] // groups, *sizes[2:]))
        found = st.einsum("bgchkwl,bgohw->gohwckl", windows, g)
        return st.reshape(found, (sizes[1], *found.shape[2:]))


class AbstractConv_gradInputs(BaseAbstractConv):
    """The gradient of a convolution in its images: the transposed convolution."""

    inputs_with_gradient = slice(2)

    def make_node(self, *inputs: Any, add_assert_shape: bool = True) -> Any:
        kern, top, shape = inputs
        kern = self._asserted(self._checked(kern, "kern", True), "kern", self.kshp)
        given = [kern, self._checked(top, "topgrad"), as_tensor_variable(shape)]
        return self.applied(given)

    def compute(self, *tensors: Any) -> Any:
        own = tensors[0].dtype
        kernel, g = alike(*tensors[:2])
        rank = self.convdim
        sizes = elements_of(tensors[2], rank)
        sizes = [given if known is None else known for known, given in zip(self.imshp[2:], sizes, strict=True)]
        window = self._window(kernel)
        pads = self._pads(window)
        self._check(sizes, window, g)
        kernel = self._flipped(kernel)
        is_plain = is_known(pads) and not self.unshared
        inner = sizes if is_plain else [size + low + high for size, (low, high) in zip(sizes, pads, strict=True)]
        if self.unshared:
            found = self._unshared(kernel, g, inner)
        else:
            found = self._sized(ops.conv_input, g, kernel, inner, pads if is_plain else ((0, 0),) * rank)
        if not is_plain:
            found = found[(..., *[slice(low, low + size) for size, (low, _) in zip(sizes, pads, strict=True)])]
        return found.astype(own)

    def _check(self, sizes: Any, window: Any, g: Any) -> None:
        if is_known(sizes) and is_known(window) and is_known(g.shape[2:]):
            expected = get_conv_output_shape((0, 0, *sizes), (0, 0, *window), self.border_mode, self.subsample, self.filter_dilation)[2:]  # fmt: skip
            if tuple(expected) != tuple(g.shape[2:]):
                raise ValueError(
                    f"invalid input_shape for gradInputs: the given input_shape would produce an output of shape {expected}, but the given topgrad has shape {g.shape[2:]}"
                )

    def _unshared(self, kernel: Any, g: Any, sizes: Any) -> Any:
        """The images of padded size of which the windows of `g` are made: the transpose of the forward op."""
        groups, rows = self.num_groups, kernel.shape
        channels = rows[3] * groups
        x = st.zeros((g.shape[0], channels, *sizes), dtype=g.dtype)
        forward = AbstractConv2d(subsample=self.subsample, filter_flip=False, filter_dilation=self.filter_dilation, num_groups=groups, unshared=True)  # fmt: skip
        return st.vjp(lambda image: forward._unshared(image, kernel), x)[1](g)[0]


def _of_rank(base: Any, rank: int) -> Any:
    """Return the class of one of the ops for one number of spatial axes."""

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        base.__init__(self, rank, *args, **kwargs)

    name = base.__name__.replace("AbstractConv", f"AbstractConv{rank}d")
    words = {"__init__": __init__, "convdim": rank, "__doc__": f"{base.__doc__[:-1]}, in {rank} dimensions."}
    return type(name, (base,), words)


AbstractConv2d, AbstractConv3d = _of_rank(AbstractConv, 2), _of_rank(AbstractConv, 3)
AbstractConv2d_gradWeights = _of_rank(AbstractConv_gradWeights, 2)
AbstractConv3d_gradWeights = _of_rank(AbstractConv_gradWeights, 3)
AbstractConv2d_gradInputs = _of_rank(AbstractConv_gradInputs, 2)
AbstractConv3d_gradInputs = _of_rank(AbstractConv_gradInputs, 3)


# Functions.


def _forward(op: Any, rank: int) -> Any:
    def conv(
        input: Any, filters: Any, input_shape: Any = None, filter_shape: Any = None, border_mode: Any = "valid",
        subsample: Any = (1,) * rank, filter_flip: bool = True, filter_dilation: Any = (1,) * rank, num_groups: int = 1,
        unshared: bool = False,
    ) -> Any:  # fmt: skip
        made = op(input_shape, filter_shape, border_mode, subsample, filter_flip, filter_dilation, num_groups, unshared)
        return made(input, filters)

    conv.__name__ = conv.__qualname__ = f"conv{rank}d"
    conv.__doc__ = f"""Convolve images (batch, channels, spatial ...) with filters in {rank} dimensions.

    Parameters
    ----------
    input, filters : tensor
        Filters are (out channels, channels / groups, spatial ...).
    input_shape, filter_shape : tuple, optional
        What is known of the shapes; None for the rest.
    border_mode : "valid", "full", "half", int, or tuple with an int or a pair of ints for each axis
        Padding with zeros: none, so that every overlap counts, half of the filter, or so many.
    subsample : tuple of int
        Strides.
    filter_flip : bool
        Whether to convolve; otherwise it correlates.
    filter_dilation : tuple of int
    num_groups : int
    unshared : bool
        Whether filters are (out channels, out rows, out columns, channels, rows, columns), one for each place.
    """
    return conv


conv2d, conv3d = _forward(AbstractConv2d, 2), _forward(AbstractConv3d, 3)


def _check_sizes(name: str, shape: Any, rank: int, is_known: bool = False) -> list[Any]:
    """Return a shape whose spatial sizes may be symbolic, with None for these; the others are ints or None."""
    found = list(shape)
    for axis, size in enumerate(found):
        is_free = axis >= len(found) - rank and not is_known
        if size is None and not is_free:
            continue
        if isinstance(size, (int, np.integer)):
            continue
        if isinstance(size, Variable) and (is_free or hasattr(size, "data")):
            found[axis] = None if not hasattr(size, "data") else int(size.data)
            continue
        raise ValueError(f"{name}[{axis}] must be a {'symbolic variable, a ' if is_free else ''}constant or None")
    return found


def _backward(op: Any, first: Any, second: Any, wanted: Any, other: Any, *args: Any, **kwargs: Any) -> Any:
    """Return the gradient of a convolution that has the shape `wanted`, whose spatial sizes may be symbolic."""
    is_input = issubclass(op, AbstractConv_gradInputs)
    names = ("input_shape", "filter_shape") if is_input else ("filter_shape", "input_shape")
    wanted_known = _check_sizes(names[0], wanted, op.convdim)
    other = None if other is None else _check_sizes(names[1], other, op.convdim, True)
    shapes = (wanted_known, other) if is_input else (other, wanted_known)
    return op(*shapes, *args, **kwargs)(first, second, list(wanted[-op.convdim :]))


def conv2d_grad_wrt_inputs(output_grad: Any, filters: Any, input_shape: Any, filter_shape: Any = None, *args: Any, **kwargs: Any) -> Any:  # fmt: skip
    """Return the gradient of `conv2d` in its images, whose spatial sizes are given; parameters as there."""
    return _backward(AbstractConv2d_gradInputs, filters, output_grad, input_shape, filter_shape, *args, **kwargs)


def conv3d_grad_wrt_inputs(output_grad: Any, filters: Any, input_shape: Any, filter_shape: Any = None, *args: Any, **kwargs: Any) -> Any:  # fmt: skip
    """Return the gradient of `conv3d` in its images, whose spatial sizes are given; parameters as there."""
    return _backward(AbstractConv3d_gradInputs, filters, output_grad, input_shape, filter_shape, *args, **kwargs)


def conv2d_grad_wrt_weights(input: Any, output_grad: Any, filter_shape: Any, input_shape: Any = None, *args: Any, **kwargs: Any) -> Any:  # fmt: skip
    """Return the gradient of `conv2d` in its filters, whose spatial sizes are given; parameters as there."""
    return _backward(AbstractConv2d_gradWeights, input, output_grad, filter_shape, input_shape, *args, **kwargs)


def conv3d_grad_wrt_weights(input: Any, output_grad: Any, filter_shape: Any, input_shape: Any = None, *args: Any, **kwargs: Any) -> Any:  # fmt: skip
    """Return the gradient of `conv3d` in its filters, whose spatial sizes are given; parameters as there."""
    return _backward(AbstractConv3d_gradWeights, input, output_grad, filter_shape, input_shape, *args, **kwargs)


def _separable(rank: int) -> Any:
    forward = conv2d if rank == 2 else conv3d

    def separable(
        input: Any, depthwise_filters: Any, pointwise_filters: Any, num_channels: int, input_shape: Any = None,
        depthwise_filter_shape: Any = None, pointwise_filter_shape: Any = None, border_mode: Any = "valid",
        subsample: Any = (1,) * rank, filter_flip: bool = True, filter_dilation: Any = (1,) * rank,
    ) -> Any:  # fmt: skip
        inner = forward(
            input, depthwise_filters, input_shape, depthwise_filter_shape, border_mode, subsample, filter_flip,
            filter_dilation, num_channels,
        )  # fmt: skip
        return forward(inner, pointwise_filters, None, pointwise_filter_shape, filter_flip=filter_flip)

    separable.__name__ = separable.__qualname__ = f"separable_conv{rank}d"
    separable.__doc__ = "Convolve each channel with filters of its own, then mix the channels with filters of size 1."
    return separable


separable_conv2d, separable_conv3d = _separable(2), _separable(3)


def causal_conv1d(
    input: Any, filters: Any, filter_shape: Any, input_shape: Any = None, subsample: int = 1, filter_flip: bool = True,
    filter_dilation: int = 1, num_groups: int = 1, unshared: bool = False,
) -> Any:  # fmt: skip
    """Convolve sequences (batch, channels, time) so that nothing depends on later steps."""
    input, filters = as_tensor_variable(input), as_tensor_variable(filters)
    for name, one in (("Input", input), ("Filters", filters)):
        if one.ndim != 3:
            raise ValueError(f"{name} should be 3D for causal convolution")
    if len(filter_shape) != 3 or (input_shape is not None and len(input_shape) != 3):
        raise AssertionError("the shapes of a causal convolution have three entries")
    found = conv2d(
        input.dimshuffle(0, 1, 2, "x"), filters.dimshuffle(0, 1, 2, "x"),
        None if input_shape is None else (*input_shape, 1), (*filter_shape, 1),
        ((filter_dilation * (filter_shape[2] - 1), 0), 0), (subsample, 1), filter_flip, (filter_dilation, 1), num_groups,
        unshared,
    )  # fmt: skip
    return found[:, :, :, 0]


__all__ = [
    "AbstractConv", "AbstractConv2d", "AbstractConv2d_gradInputs", "AbstractConv2d_gradWeights", "AbstractConv3d",
    "AbstractConv3d_gradInputs", "AbstractConv3d_gradWeights", "AbstractConv_gradInputs", "AbstractConv_gradWeights",
    "BaseAbstractConv", "assert_conv_shape", "assert_shape", "border_mode_to_pad", "causal_conv1d",
    "check_conv_gradinputs_shape", "conv2d", "conv2d_grad_wrt_inputs", "conv2d_grad_wrt_weights", "conv3d",
    "conv3d_grad_wrt_inputs", "conv3d_grad_wrt_weights", "get_conv_gradinputs_shape", "get_conv_gradinputs_shape_1axis",
    "get_conv_gradweights_shape", "get_conv_gradweights_shape_1axis", "get_conv_output_shape", "get_conv_shape_1axis",
    "separable_conv2d", "separable_conv3d",
]  # fmt: skip
