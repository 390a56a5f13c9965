"""Border modes and the sizes that convolutions have: numbers, symbolic scalars, or None where not known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from septet.dialects.theano.compile.ops import SpecifyShape
from septet.dialects.theano.configdefaults import config
from septet.dialects.theano.tensor import basic
from septet.dialects.theano.tensor.asserts import Assert

Size = Any
"""An int, a scalar variable, or None."""


def _axes(border_mode: Any, count: int) -> list[Any]:
    return [border_mode[axis] if isinstance(border_mode, tuple) else border_mode for axis in range(count)]


def _pads(border_mode: Any, extent: Any) -> tuple[Any, Any]:
    """Return the padding before and after one axis, for a dilated kernel that reaches over `extent` elements."""
    if border_mode == "half":
        return (extent // 2,) * 2
    if border_mode == "full":
        return (extent - 1,) * 2
    if border_mode == "valid":
        return 0, 0
    low, high = border_mode if isinstance(border_mode, tuple) else (border_mode, border_mode)
    if low < 0 or high < 0:
        raise ValueError("border_mode must be >= 0")
    return low, high


def _each(rule: Any, first: Any, second: Any, border_mode: Any, subsample: Any, dilation: Any) -> list[Size]:
    """Return what a rule for one axis says of all."""
    modes, dilation = _axes(border_mode, len(first)), (1,) * len(first) if dilation is None else dilation
    return [rule(*one) for one in zip(first, second, modes, subsample, dilation, strict=True)]


def get_conv_output_shape(
    image_shape: Any, kernel_shape: Any, border_mode: Any, subsample: Any, filter_dilation: Any = None
) -> tuple[Size, ...]:
    """Return the shape that a convolution gives: (batch, out channels, spatial ...)."""
    rank = len(image_shape) - 2
    settings = (border_mode, subsample, filter_dilation)
    sizes = _each(get_conv_shape_1axis, image_shape[2:], kernel_shape[-rank:], *settings)
    return (image_shape[0], kernel_shape[0], *sizes)


def get_conv_shape_1axis(
    image_shape: Size, kernel_shape: Size, border_mode: Any, subsample: int, dilation: int = 1
) -> Size:
    """Return the size of one axis of what a convolution gives."""
    if any(one is None for one in (image_shape, kernel_shape, border_mode, subsample, dilation)):
        return None
    extent = (kernel_shape - 1) * dilation + 1
    low, high = _pads(border_mode, extent)
    return (image_shape + low + high - extent) // subsample + 1


def get_conv_gradweights_shape(
    image_shape: Any, top_shape: Any, border_mode: Any, subsample: Any, filter_dilation: Any = None, num_groups: int = 1,
    unshared: bool = False,
) -> tuple[Size, ...]:  # fmt: skip
    """Return the shape of the kernel that belongs to an image and a result, as far as they tell it."""
    channels = top_shape[1] // num_groups if num_groups > 1 else top_shape[1]
    settings = (border_mode, subsample, filter_dilation)
    window = _each(get_conv_gradweights_shape_1axis, image_shape[2:], top_shape[2:], *settings)
    places = tuple(top_shape[2:]) if unshared else ()
    return (channels, *places, image_shape[1], *window)


def get_conv_gradweights_shape_1axis(
    image_shape: Size, top_shape: Size, border_mode: Any, subsample: int, dilation: int
) -> Size:
    """Return the size of one axis of the kernel; None where a stride or "half" leaves it open."""
    if any(one is None for one in (image_shape, top_shape, border_mode, subsample, dilation)):
        return None
    if subsample != 1 or border_mode == "half":
        return None
    if border_mode == "full":
        reach = top_shape - image_shape
    else:
        low, high = _pads(border_mode, 1)
        reach = image_shape + low + high - top_shape
    return (reach // dilation if dilation > 1 else reach) + 1


def get_conv_gradinputs_shape(
    kernel_shape: Any, top_shape: Any, border_mode: Any, subsample: Any, filter_dilation: Any = None,
    num_groups: int = 1,
) -> tuple[Size, ...]:  # fmt: skip
    """Return the shape of the image that belongs to a kernel and a result, as far as they tell it."""
    channels = kernel_shape[1] * num_groups if num_groups > 1 else kernel_shape[1]
    window, settings = kernel_shape[2 - len(top_shape) :], (border_mode, subsample, filter_dilation)
    return (top_shape[0], channels, *_each(get_conv_gradinputs_shape_1axis, window, top_shape[2:], *settings))


def get_conv_gradinputs_shape_1axis(
    kernel_shape: Size, top_shape: Size, border_mode: Any, subsample: int, dilation: int
) -> Size:
    """Return the size of one axis of the image; None where a stride leaves it open."""
    if any(one is None for one in (kernel_shape, top_shape, border_mode, subsample, dilation)):
        return None
    if subsample != 1:
        return None
    extent = (kernel_shape - 1) * dilation + 1
    low, high = _pads(border_mode, extent)
    return top_shape + extent - 1 - low - high


def _known(size: Any) -> int | None:
    try:
        return int(basic.get_scalar_constant_value(size))
    except basic.NotScalarConstantError:
        return None


def check_conv_gradinputs_shape(
    image_shape: Any, kernel_shape: Any, output_shape: Any, border_mode: Any, subsample: Any,
    filter_dilation: Any = None,
) -> bool:  # fmt: skip
    """Tell whether a convolution of such an image and kernel may have such a result: False only if known not to."""
    image_shape, kernel_shape, output_shape = tuple(image_shape), tuple(kernel_shape), tuple(output_shape)
    if len({len(image_shape), len(kernel_shape), len(output_shape), len(subsample) + 2}) != 1:
        return False
    if filter_dilation is not None and len(filter_dilation) != len(subsample):
        return False
    found = get_conv_output_shape(image_shape, kernel_shape, border_mode, subsample, filter_dilation)
    for given, computed in zip(output_shape, found, strict=True):
        if given is not None and computed is not None:
            a, b = _known(given), _known(computed)
            if a is not None and b is not None and a != b:
                return False
    return True


def assert_conv_shape(shape: Sequence[Any]) -> tuple[Any, ...]:
    """Return sizes, those that are symbolic with a check that they are not negative (spatial ones: positive)."""
    checked = []
    for axis, size in enumerate(shape):
        value, least, sign = _known(size), 0 if axis < 2 else 1, "<" if axis < 2 else "<="
        if value is None:
            message = f"The convolution would produce an invalid shape (dim[{axis}] {sign} 0)."
            checked.append(Assert(message)(size, basic.ge(size, least)))
            continue
        if value < least:
            raise ValueError(f"The convolution would produce an invalid shape (dim[{axis}]: {value} {sign} 0).")
        checked.append(size)
    return tuple(checked)


def assert_shape(x: Any, expected_shape: Any, msg: str = "Unexpected shape.") -> Any:
    """Return a tensor, with a check of its sizes where the setting ``conv.assert_shape`` asks for it."""
    if expected_shape is None or not config.conv.assert_shape:
        return x
    if all(size is None for size in expected_shape):
        return x
    return SpecifyShape(msg)(x, [-1 if size is None else size for size in expected_shape])


def checked_border_mode(mode: Any, convdim: int) -> Any:
    """Return a border mode as Theano's convolutions keep it: a name, or a tuple with an entry for each axis.

    Raises
    ------
    ValueError
        If it is none.
    """
    if isinstance(mode, (int, np.integer)) and not isinstance(mode, bool):
        if mode < 0:
            raise ValueError(f"invalid border_mode {mode}, which must be a non-negative integer")
        mode = (int(mode),) * convdim
    if isinstance(mode, tuple):
        if len(mode) != convdim:
            raise ValueError(f"invalid border_mode {mode}, which must be a tuple of length {convdim}")
        entries = []
        for entry in mode:
            pair = entry if isinstance(entry, tuple) else (entry, entry)
            if len(pair) != 2 or not all(isinstance(one, (int, np.integer)) and one >= 0 for one in pair):
                raise ValueError(
                    f"invalid border mode {mode}. The tuple can only contain integers or pairs of integers"
                )
            if pair[0] != pair[1] and convdim != 2:
                raise NotImplementedError(f"Asymmetric padding not implemented for {convdim}D")
            entries.append(int(pair[0]) if pair[0] == pair[1] else (int(pair[0]), int(pair[1])))
        return "valid" if not any(entries) else tuple(entries)
    if mode not in ("valid", "full", "half"):
        raise ValueError(
            f'invalid border_mode {mode}, which must be either "valid", "full", "half", an integer or a tuple of length {convdim}'
        )
    return mode


def border_mode_to_pad(mode: Any, convdim: int, kshp: Sequence[Any]) -> tuple[tuple[Any, Any], ...]:
    """Return the padding (low, high) of each axis, for a dilated kernel of sizes `kshp`."""
    return tuple(_pads(one, extent) for one, extent in zip(_axes(checked_border_mode(mode, convdim), convdim), kshp, strict=True))  # fmt: skip
