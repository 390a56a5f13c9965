"""Discrete Fourier transforms: three ops, and the functions of ``septet.fft`` made of them.

With complex cotangents taken as conjugate gradients, the gradient of a linear op is its adjoint. That of a transform is
the transform in the other direction with the scale of the first; where half of a spectrum stands for the whole, the
frequencies between the first and the (for even sizes) last count twice.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from septet.base import dtypes
from septet.base.dtypes import COMPLEX, FLOAT, INTEGER, DType
from septet.base.errors import ArgumentError, AxisError, ShapeError
from septet.base.shapes import Shape, check_axes, check_axis
from septet.graph.node import Node, constant
from septet.graph.op import OTHER, REQUIRED, BadCase, Case, Op, as_node, card, function, ops
from septet.graph.types import TensorType
from septet.ops.resize import cut, rotate
from septet.ops.rules import check_kinds
from septet.ops.shaping import fill_sizes, sized_dtype, sizes_of, split_sizes

_SWAPPED = {"backward": "forward", "forward": "backward", "ortho": "ortho"}
NORM_DOC = (
    'Where the transform is scaled by 1 / n: "backward" in the inverse, "forward" in the other, "ortho" half each.'
)
_SOURCE = "Python Array API standard, extension fft"


def _check_norm(norm: Any) -> str:
    if norm is None:
        return "backward"
    if norm not in _SWAPPED:
        raise ArgumentError(f"norm {norm!r} is not known; it is 'backward', 'ortho' or 'forward'")
    return norm


def _check_sizes(x: Shape, axes: Sequence[int]) -> None:
    empty = [axis for axis in axes if x[axis] == 0]
    if empty:
        raise ShapeError(f"a transform needs at least one element, axis {empty[0]} has none", marks=[(0, empty[0])])


def _to_complex(x: DType, *sizes: DType, **_: Any) -> tuple[tuple[DType, ...], DType]:
    """The dtype rule of transforms of complex numbers."""
    check_kinds((x,), (INTEGER, FLOAT, COMPLEX))
    result = dtypes.complex_of(_float_of(x))
    return (result, *sizes), result


def _float_of(x: DType) -> DType:
    return x if dtypes.KIND[x] >= FLOAT else dtypes.default_of_kind(FLOAT)


# The transform of complex numbers.


def _fft_canonical(types: tuple[TensorType, ...], axes: Any, inverse: Any, norm: Any) -> dict[str, Any]:
    return {"axes": check_axes(axes, types[0].ndim, "axes"), "inverse": bool(inverse), "norm": _check_norm(norm)}


def _fft_shape(x: Shape, axes: tuple[int, ...], **_: Any) -> Shape:
    _check_sizes(x, axes)
    return x


def _fft_reference(x: np.ndarray, axes: tuple[int, ...], inverse: bool, norm: Any) -> np.ndarray:
    _check_sizes(x.shape, axes)
    return (np.fft.ifftn if inverse else np.fft.fftn)(x, axes=axes, norm=norm) if axes else x


def _flops(x: Sequence[int], axes: Sequence[int], each: float) -> int:
    """What a fast transform takes (Cooley and Tukey): n log2 n times the operations for an element and a halving."""
    return round(each * math.prod(x) * math.log2(max(math.prod(x[axis] for axis in axes), 1)))


fft_op: Op = card(
    "fft", "x", params={"axes": REQUIRED, "inverse": False, "norm": "backward"}, kind=OTHER, public=False,
    param_docs={"axes": "The axes to transform.", "inverse": "Whether to transform back.", "norm": NORM_DOC},
    summary="Transform complex numbers to their spectrum along some axes, or back.", source=_SOURCE,
    canonical=_fft_canonical, shape=_fft_shape, dtype=_to_complex, reference=_fft_reference, linear="all",
    gradient=lambda g, y, x, axes, inverse, norm: (fft_op(g, axes=axes, inverse=not inverse, norm=_SWAPPED[norm]),),
    batch=lambda is_batched, x, axes, **words: fft_op(x, axes=tuple(a + 1 for a in axes), **words), tolerance=1e-5,
    flops=lambda y, x, axes, **words: _flops(x, axes, 5.0),
    cases=[Case((5,), axes=-1), Case((2, 4), axes=(0, 1), norm="ortho"), Case((3, 4, 2), axes=1, inverse=True),
           Case((3, 4), axes=0, norm="forward"), Case((1,), axes=0), Case((0, 3), axes=1)],
    bad=[BadCase((3, 4), axes=2, error=AxisError, match="out of range"),
         BadCase((3, 4), axes=0, norm="unit", error=ArgumentError, match="norm 'unit'"),
         BadCase((3, 0), axes=1, error=ShapeError, match="axis 1 has none")],
)  # fmt: skip


# Half of a spectrum, where the numbers are real.


def _half(size: int | None) -> int | None:
    return None if size is None else size // 2 + 1


def _weights_reference(x: np.ndarray, *sizes: Any, axis: int, size: int | None, weight: float) -> np.ndarray:
    (length,) = fill_sizes((size,), sizes)
    weights = np.full(x.shape[axis], weight, dtypes.real_of(x.dtype))
    weights[0] = 1
    if length % 2 == 0:
        weights[-1] = 1
    return x * weights.reshape(-1, *[1] * (x.ndim - axis - 1))


def _weights_canonical(types: tuple[TensorType, ...], axis: Any, size: Any, weight: Any) -> dict[str, Any]:
    return {"axis": check_axis(axis, types[0].ndim), "size": size, "weight": float(weight)}


def _weights_shape(x: Shape, *sizes: Shape, axis: int, size: int | None, **_: Any) -> Shape:
    _check_half(x, axis, size)
    return x


def _check_half(x: Shape, axis: int, size: int | None) -> None:
    if size is not None and size < 1:
        raise ArgumentError(f"the size must be at least 1, got {size}")
    if None not in (x[axis], _half(size)) and x[axis] != _half(size):
        raise ShapeError(
            f"half the spectrum of {size} real numbers has {_half(size)} elements, axis {axis} has {x[axis]}",
            marks=[(0, axis)],
        )


def _batch_half(name: str) -> Callable[..., Node]:
    def rule(is_batched: Sequence[bool], x: Node, *sizes: Node, axis: int, **words: Any) -> Node:
        if any(is_batched[1:]):
            raise ArgumentError(f"{name}: sizes cannot differ within a batch")
        return getattr(ops, name)(x, *sizes, axis=axis + 1, **words)

    return rule


weigh_half: Op = card(
    "weigh_half", "x *sizes", params={"axis": REQUIRED, "size": REQUIRED, "weight": REQUIRED}, kind=OTHER, public=False,
    sizes="size",
    param_docs={"axis": "The axis of the spectrum.",
                "size": "How many real numbers it belongs to; None takes a size input.",
                "weight": "The factor."},
    summary="Multiply the frequencies of half a spectrum that stand for two by a factor.",
    canonical=_weights_canonical, shape=_weights_shape, dtype=sized_dtype, reference=_weights_reference, linear="first",
    gradient=lambda g, y, x, *sizes, **words: (weigh_half(g, *sizes, **words), *[None] * len(sizes)),
    tangent=lambda t, y, x, *sizes, **words: weigh_half(t[0], *sizes, **words), batch=_batch_half("weigh_half"),
    cases=[Case((4,), axis=0, size=6, weight=2.0), Case((2, 3), axis=1, size=5, weight=0.5),
           Case((1,), axis=0, size=1, weight=2)],
    bad=[BadCase((4,), axis=0, size=9, weight=2.0, error=ShapeError, match="9 real numbers has 5 elements")],
)  # fmt: skip


def _weigh(x: Node, axis: int, size: Any, weight: float) -> Node:
    static, dynamic = split_sizes((size,), "size")
    return weigh_half(x, *dynamic, axis=axis, size=static[0], weight=weight)


def _rfft_canonical(types: tuple[TensorType, ...], axis: Any, norm: Any) -> dict[str, Any]:
    return {"axis": check_axis(axis, types[0].ndim), "norm": _check_norm(norm)}


def _rfft_shape(x: Shape, axis: int, norm: Any) -> Shape:
    _check_sizes(x, (axis,))
    return (*x[:axis], _half(x[axis]), *x[axis + 1 :])


def _rfft_dtype(x: DType, **_: Any) -> tuple[tuple[DType, ...], DType]:
    check_kinds((x,), (INTEGER, FLOAT))
    return (_float_of(x),), dtypes.complex_of(_float_of(x))


def _rfft_reference(x: np.ndarray, axis: int, norm: Any) -> np.ndarray:
    _check_sizes(x.shape, (axis,))
    return np.fft.rfft(x.astype(dtypes.accumulator_of(x.dtype), copy=False), axis=axis, norm=norm)


def _rfft_gradient(g: Node, y: Node, x: Node, axis: int, norm: str) -> tuple[Node]:
    size = sizes_of(x)[axis]
    back = _irfft(_weigh(g, axis, size, 0.5), axis, size, _SWAPPED[norm])
    return (ops.cast(back, dtype=x.dtype) if back.dtype != x.dtype else back,)


rfft_op: Op = card(
    "rfft", "x", params={"axis": -1, "norm": "backward"}, kind=OTHER, public=False,
    param_docs={"axis": "The axis to transform.", "norm": NORM_DOC},
    summary="Transform real numbers to the half of their spectrum that the other half mirrors.", source=_SOURCE,
    canonical=_rfft_canonical, shape=_rfft_shape, dtype=_rfft_dtype, reference=_rfft_reference, linear="all",
    gradient=_rfft_gradient, batch=_batch_half("rfft"), tolerance=1e-5,
    flops=lambda y, x, axis, norm: _flops(x, (axis,), 2.5),
    cases=[Case((5,)), Case((6,), norm="ortho"), Case((2, 4, 3), axis=1, norm="forward"), Case((1,)), Case((2,)),
           Case((0, 3))],
    bad=[BadCase((3, 4), axis=2, error=AxisError, match="out of range"),
         BadCase((3, 0), error=ShapeError, match="axis 1 has none")],
)  # fmt: skip


def _irfft_canonical(types: tuple[TensorType, ...], axis: Any, size: Any, norm: Any) -> dict[str, Any]:
    return {"axis": check_axis(axis, types[0].ndim), "size": size, "norm": _check_norm(norm)}


def _irfft_shape(x: Shape, *sizes: Shape, axis: int, size: int | None, norm: Any) -> Shape:
    _check_half(x, axis, size)
    return (*x[:axis], size, *x[axis + 1 :])


def _irfft_dtype(x: DType, *sizes: DType, **_: Any) -> tuple[tuple[DType, ...], DType]:
    operands, result = _to_complex(x, *sizes)
    return operands, dtypes.real_of(result)


def _irfft_reference(x: np.ndarray, *sizes: Any, axis: int, size: int | None, norm: Any) -> np.ndarray:
    (length,) = fill_sizes((size,), sizes)
    _check_half(x.shape, axis, length)
    return np.fft.irfft(x, length, axis=axis, norm=norm)


def _irfft_gradient(g: Node, y: Node, x: Node, *sizes: Node, axis: int, size: int | None, norm: str) -> Any:
    spectrum = rfft_op(g, axis=axis, norm=_SWAPPED[norm])
    return (_weigh(spectrum, axis, sizes[0] if sizes else size, 2.0), *[None] * len(sizes))


irfft_op: Op = card(
    "irfft", "x *sizes", params={"axis": -1, "size": REQUIRED, "norm": "backward"}, kind=OTHER, sizes="size",
    public=False,
    param_docs={"axis": "The axis to transform.", "size": "The size of the result; None takes a size input.",
                "norm": NORM_DOC},
    summary="Transform half a spectrum back to real numbers.",
    notes="The imaginary parts of the first and, for an even size, of the last frequency do not count.", source=_SOURCE,
    canonical=_irfft_canonical, shape=_irfft_shape, dtype=_irfft_dtype, reference=_irfft_reference, linear="first",
    gradient=_irfft_gradient, tangent=lambda t, y, x, *sizes, **words: irfft_op(t[0], *sizes, **words),
    batch=_batch_half("irfft"), tolerance=1e-5,
    flops=lambda y, x, *sizes, axis, **words: _flops(y, (axis,), 2.5),
    cases=[Case((4,), size=6), Case((4,), size=7, norm="ortho"), Case((2, 3, 2), axis=1, size=5, norm="forward"),
           Case((1,), size=1), Case((0, 2), size=3)],
    bad=[BadCase((4,), size=9, error=ShapeError, match="9 real numbers has 5 elements"),
         BadCase((1,), size=0, error=ArgumentError, match="at least 1")],
)  # fmt: skip


def _irfft(x: Node, axis: int, size: Any, norm: str) -> Node:
    static, dynamic = split_sizes((size,), "size")
    return irfft_op(x, *dynamic, axis=axis, size=static[0], norm=norm)


# Functions.


def _size(n: Any, name: str) -> Any:
    if isinstance(n, Node):
        return n
    try:
        number = operator.index(n)
    except TypeError:
        raise ArgumentError(f"{name}: n must be an integer, got {n!r}") from None
    if number < 1:
        raise ArgumentError(f"{name}: n must be at least 1, got {number}")
    return number


def _fit(x: Node, axis: int, n: Any, name: str) -> Node:
    """Crop or pad an axis to n elements."""
    return x if n is None else cut(x, axis, _size(n, name))


def _axes_and_sizes(x: Node, s: Any, axes: Any, name: str) -> list[tuple[int, Any]]:
    """Return (axis, size or None) for each axis to transform, in the order given."""
    if axes is None:
        chosen = list(range(x.ndim)) if s is None else list(range(x.ndim - len(s), x.ndim))
        if chosen and chosen[0] < 0:
            raise ArgumentError(f"{name}: s {tuple(s)} has more entries than x, of rank {x.ndim}, has axes")
    else:
        chosen = [
            check_axis(axis, x.ndim, f"{name}: axes") for axis in (axes if isinstance(axes, (tuple, list)) else (axes,))
        ]
        if len(set(chosen)) != len(chosen):
            raise ArgumentError(f"{name}: axes {tuple(axes)} names an axis twice")
    sizes = [None] * len(chosen) if s is None else [None if size is None or size == -1 else size for size in s]
    if len(sizes) != len(chosen):
        raise ArgumentError(f"{name}: s {tuple(s)} does not have one entry for each of {len(chosen)} axes")
    return list(zip(chosen, sizes, strict=True))


def _transform(x: Any, n: Any, axis: int, norm: Any, inverse: bool, name: str) -> Node:
    x = as_node(x)
    axis = check_axis(axis, x.ndim)
    return fft_op(_fit(x, axis, n, name), axes=axis, inverse=inverse, norm=norm)


def _transform_many(x: Any, s: Any, axes: Any, norm: Any, inverse: bool, name: str) -> Node:
    x = as_node(x)
    chosen = _axes_and_sizes(x, s, axes, name)
    for axis, n in chosen:
        x = _fit(x, axis, n, name)
    return fft_op(x, axes=tuple(axis for axis, _ in chosen), inverse=inverse, norm=norm)


@function(namespace="fft")
def fft(x: Any, /, *, n: Any = None, axis: int = -1, norm: str = "backward") -> Node:
    """Transform complex (or real) numbers along one axis to their spectrum.

    Parameters
    ----------
    x : tensor
    n : int, optional
        Size of the transform: x is cut off or filled up with zeros at its end.
    axis : int
    norm : {"backward", "ortho", "forward"}
        Where the transform is scaled by 1 / n: in the inverse, by the root in both, or here.

    Returns
    -------
    tensor
        complex64, or complex128 for x of double precision.

    Examples
    --------
    >>> import septet as st
    >>> st.fft.fft(st.asarray([1.0, 0.0, 0.0, 0.0])).tolist()
    [(1+0j), (1+0j), (1+0j), (1+0j)]
    """
    return _transform(x, n, axis, norm, False, "fft")


@function(namespace="fft")
def ifft(x: Any, /, *, n: Any = None, axis: int = -1, norm: str = "backward") -> Node:
    """Transform a spectrum along one axis back; see `fft`."""
    return _transform(x, n, axis, norm, True, "ifft")


@function(namespace="fft")
def fftn(x: Any, /, *, s: Any = None, axes: Any = None, norm: str = "backward") -> Node:
    """Transform along several axes.

    Parameters
    ----------
    x : tensor
    s : sequence of int, optional
        Sizes of the transform on each axis: x is cut off or filled up with zeros.
    axes : sequence of int, optional
        By default all, or the last ``len(s)``.
    norm : {"backward", "ortho", "forward"}
    """
    return _transform_many(x, s, axes, norm, False, "fftn")


@function(namespace="fft")
def ifftn(x: Any, /, *, s: Any = None, axes: Any = None, norm: str = "backward") -> Node:
    """Transform a spectrum along several axes back; see `fftn`."""
    return _transform_many(x, s, axes, norm, True, "ifftn")


@function(namespace="fft")
def rfft(x: Any, /, *, n: Any = None, axis: int = -1, norm: str = "backward") -> Node:
    """Transform real numbers along one axis to the half of their spectrum that the other half mirrors.

    Parameters
    ----------
    x : tensor
        Real.
    n : int, optional
        Size of the transform: x is cut off or filled up with zeros at its end.
    axis : int
    norm : {"backward", "ortho", "forward"}

    Returns
    -------
    tensor
        Complex, with ``n // 2 + 1`` elements along the axis.
    """
    x = as_node(x)
    axis = check_axis(axis, x.ndim)
    return rfft_op(_fit(x, axis, n, "rfft"), axis=axis, norm=norm)


def _half_back(x: Node, n: Any, axis: int, norm: Any, name: str) -> Node:
    size: Any = sizes_of(x)[axis]
    n = (size - 1) * 2 if n is None else _size(n, name)
    if isinstance(n, int):
        if n < 1:
            raise ShapeError(
                f"{name}: axis {axis} has {size} elements, from which {n} real numbers would come", hint="give n"
            )
        x = cut(x, axis, n // 2 + 1)
    else:
        x = cut(x, axis, ops.add(ops.floor_divide(n, 2), 1))
    return _irfft(x, axis, n, norm)


@function(namespace="fft")
def irfft(x: Any, /, *, n: Any = None, axis: int = -1, norm: str = "backward") -> Node:
    """Transform half a spectrum along one axis back to real numbers.

    Parameters
    ----------
    x : tensor
        The first half of a spectrum; the imaginary parts of the first and, for even n, the last element do not count.
    n : int, optional
        Size of the result; by default ``2 * (size - 1)``.
    axis : int
    norm : {"backward", "ortho", "forward"}
    """
    x = as_node(x)
    return _half_back(x, n, check_axis(axis, x.ndim), norm, "irfft")


@function(namespace="fft")
def rfftn(x: Any, /, *, s: Any = None, axes: Any = None, norm: str = "backward") -> Node:
    """Transform real numbers along several axes; the last of them keeps half of the spectrum. See `fftn` and `rfft`."""
    x = as_node(x)
    chosen = _axes_and_sizes(x, s, axes, "rfftn")
    if not chosen:
        raise ArgumentError("rfftn: there is no axis to transform")
    for axis, n in chosen:
        x = _fit(x, axis, n, "rfftn")
    half = rfft_op(x, axis=chosen[-1][0], norm=norm)
    return fft_op(half, axes=tuple(axis for axis, _ in chosen[:-1]), norm=norm) if len(chosen) > 1 else half


@function(namespace="fft")
def irfftn(x: Any, /, *, s: Any = None, axes: Any = None, norm: str = "backward") -> Node:
    """Transform half a spectrum along several axes back to real numbers. See `fftn` and `irfft`."""
    x = as_node(x)
    chosen = _axes_and_sizes(x, s, axes, "irfftn")
    if not chosen:
        raise ArgumentError("irfftn: there is no axis to transform")
    for axis, n in chosen[:-1]:
        x = _fit(x, axis, n, "irfftn")
    if len(chosen) > 1:
        x = fft_op(x, axes=tuple(axis for axis, _ in chosen[:-1]), inverse=True, norm=norm)
    axis, n = chosen[-1]
    return _half_back(x, n, axis, norm, "irfftn")


@function(namespace="fft")
def hfft(x: Any, /, *, n: Any = None, axis: int = -1, norm: str = "backward") -> Node:
    """Transform the first half of a sequence that is its own mirrored conjugate: the spectrum is real.

    Parameters
    ----------
    x : tensor
    n : int, optional
        Size of the result; by default ``2 * (size - 1)``.
    axis : int
    norm : {"backward", "ortho", "forward"}
    """
    x = ops.conj(as_node(x))
    return _half_back(x, n, check_axis(axis, x.ndim), _SWAPPED[_check_norm(norm)], "hfft")


@function(namespace="fft")
def ihfft(x: Any, /, *, n: Any = None, axis: int = -1, norm: str = "backward") -> Node:
    """Transform a real spectrum back to the first half of a sequence that is its own mirrored conjugate; see `hfft`."""
    x = as_node(x)
    axis = check_axis(axis, x.ndim)
    return ops.conj(rfft_op(_fit(x, axis, n, "ihfft"), axis=axis, norm=_SWAPPED[_check_norm(norm)]))


def _frequencies(values: np.ndarray, n: int, d: float, dtype: Any, device: Any, name: str) -> Node:
    if device not in (None, "cpu"):
        raise ArgumentError(f"{name}: there is no device {device!r}; the device is 'cpu'")
    chosen = dtypes.default_of_kind(FLOAT) if dtype is None else dtypes.as_dtype(dtype)
    if not dtypes.is_float(chosen):
        raise ArgumentError(f"{name}: frequencies are floats, got dtype {chosen.name}")
    return constant((values / (n * d)).astype(chosen))


@function(namespace="fft")
def fftfreq(n: int, /, *, d: float = 1.0, dtype: Any = None, device: Any = None) -> Node:
    """Return the frequencies of the elements of a spectrum, in cycles per unit of the spacing d.

    Parameters
    ----------
    n : int
        Size of the transform.
    d : float
        Distance between samples.
    dtype : dtype, optional
    device : optional

    Examples
    --------
    >>> import septet as st
    >>> st.fft.fftfreq(4).tolist()
    [0.0, 0.25, -0.5, -0.25]
    """
    n = _size(n, "fftfreq")
    index = np.arange(n)
    return _frequencies(np.where(index < (n + 1) // 2, index, index - n), n, d, dtype, device, "fftfreq")


@function(namespace="fft")
def rfftfreq(n: int, /, *, d: float = 1.0, dtype: Any = None, device: Any = None) -> Node:
    """Return the frequencies of the elements of half a spectrum; see `fftfreq`."""
    n = _size(n, "rfftfreq")
    return _frequencies(np.arange(n // 2 + 1), n, d, dtype, device, "rfftfreq")


def _shift(x: Any, axes: Any, forward: bool, name: str) -> Node:
    x = as_node(x)
    for axis in check_axes(axes, x.ndim, "axes"):
        size = x.shape[axis]
        if size is None:
            raise ArgumentError(f"{name}: the size of axis {axis} must be known, got {x.type!r}")
        x = rotate(x, axis, size // 2 if forward else -(size // 2))
    return x


@function(namespace="fft")
def fftshift(x: Any, /, *, axes: Any = None) -> Node:
    """Move frequency 0 from the beginning to the middle of the axes.

    Parameters
    ----------
    x : tensor
    axes : int or sequence of int, optional
        All by default.
    """
    return _shift(x, axes, True, "fftshift")


@function(namespace="fft")
def ifftshift(x: Any, /, *, axes: Any = None) -> Node:
    """Move frequency 0 from the middle back to the beginning of the axes; see `fftshift`."""
    return _shift(x, axes, False, "ifftshift")
