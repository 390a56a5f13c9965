"""`theano.tensor.signal.pool`: maxima, sums and averages over windows of the last axes."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import septet as st
from septet.dialects.theano.coverage import asked
from septet.dialects.theano.dtypes import INTS
from septet.dialects.theano.gof.graph import Variable
from septet.dialects.theano.gof.op import NativeOp
from septet.dialects.theano.tensor import basic
from septet.dialects.theano.tensor.convert import as_tensor_variable
from septet.dialects.theano.tensor.nnet.windows import gathered, is_known, padded, resized
from septet.dialects.theano.tensor.shaping import elements_of

MODES = ("max", "sum", "average_inc_pad", "average_exc_pad")
OLD_NAMES = {"ds": "ws", "st": "stride", "padding": "pad"}


def _larger(a: Any, b: Any) -> Any:
    return max(a, b) if isinstance(a, int) and isinstance(b, int) else st.maximum(a, b)


def _count(size: Any, window: Any, stride: Any, ignore_border: bool, larger: Any, choose: Any) -> Any:
    """Return the number of windows along an axis of padded `size`."""
    if ignore_border:
        return larger((size - window) // stride + 1, 0)
    overlapping = larger((size - 1 - window + stride) // stride, 0) + 1
    return choose(stride, window, (size - 1) // stride + 1, overlapping)


def _choose(stride: Any, window: Any, yes: Any, no: Any) -> Any:
    if isinstance(stride, int) and isinstance(window, int):
        return yes if stride >= window else no
    return st.where(stride >= window, yes, no)


class Pool(NativeOp):
    """One number for each window of the last axes.

    Parameters
    ----------
    ignore_border : bool
        Whether windows that do not fit are left out; otherwise a last one may be cut off by the border.
    mode : "max", "sum", "average_inc_pad" or "average_exc_pad"
        An average may count the padding.
    ndim : int
        How many axes.
    """

    __props__ = ("ignore_border", "mode", "ndim")
    inputs_with_gradient = slice(-3)

    def __init__(self, ignore_border: bool = False, mode: str = "max", ndim: int = 2, openmp: Any = None) -> None:
        mode = "max" if mode == "max_deterministic" else mode
        if mode not in MODES:
            raise ValueError(f"Pool mode parameter only support {', '.join(MODES)}. Got {mode}")
        self.ignore_border, self.mode, self.ndim = bool(ignore_border), mode, ndim

    def make_node(self, x: Any, ws: Any, stride: Any = None, pad: Any = None) -> Any:
        if isinstance(pad, (tuple, list)):
            if max(pad) != 0 and not self.ignore_border:
                raise NotImplementedError("padding works only with ignore_border=True")
            if isinstance(ws, (tuple, list)) and any(a >= b for a, b in zip(pad, ws, strict=True)):
                raise NotImplementedError("padding must be smaller than strides")
        return self.applied([self._image(x), *self._sizes(ws, stride, pad)])

    def _image(self, x: Any) -> Any:
        x = as_tensor_variable(x)
        if x.type.ndim < self.ndim:
            raise TypeError(f"{self} takes a tensor of rank {self.ndim} or more, got {x.type}")
        return x

    def _sizes(self, ws: Any, stride: Any, pad: Any) -> list[Any]:
        rank = self.ndim
        stride = ws if stride is None else stride
        pad = (0,) * rank if pad is None else pad
        given = [as_tensor_variable(one) for one in (ws, stride, pad)]
        for name, one in zip(("Pool downsample", "Stride", "Padding"), given, strict=True):
            if one.type.dtype not in INTS:
                raise TypeError(f"{name} parameters must be ints.")
            if one.type.ndim != 1:
                raise AssertionError(f"{name} parameters are vectors, got {one.type}")
        return given

    def compute(self, *tensors: Any) -> Any:
        x, (window, stride, pad) = tensors[0], [elements_of(one, self.ndim) for one in tensors[1:]]
        return self._pooled(x, window, stride, pad)

    def _pooled(self, x: Any, window: Sequence[Any], stride: Sequence[Any], pad: Sequence[Any]) -> Any:
        rank = self.ndim
        sizes = x.shape[x.ndim - rank :]
        inside = [size + 2 * p for size, p in zip(sizes, pad, strict=True)]  # with the padding
        counts = [
            _count(*one, self.ignore_border, _larger, _choose) for one in zip(inside, window, stride, strict=True)
        ]
        if any(isinstance(count, int) and count < 1 for count in counts):
            return st.zeros((*x.shape[: x.ndim - rank], *counts), dtype=x.dtype)
        if is_known((*window, *stride, *pad)):
            found = self._slid(x, counts, window, stride, pad)
        else:
            found = self._gathered(x, counts, window, stride, pad)
        if self.mode.startswith("average"):
            return (found / self._elements(sizes, inside, counts, window, stride, pad)).astype(x.dtype)
        return found

    def _slid(self, x: Any, counts: Any, window: Any, stride: Any, pad: Any) -> Any:
        """Windows of known sizes: what hangs over the border is padding at the end.

        An image whose size comes later may be smaller than a window: it is made as large, and no window of it is kept.
        """
        first = x.ndim - self.ndim
        sizes, pairs = x.shape[first:], []
        for axis, (size, count, w, s, p) in enumerate(
            zip(sizes, counts, window, stride, pad, strict=True), start=first
        ):
            is_open = not isinstance(count, int)
            if self.ignore_border:
                pairs.append((p, p))
                x = resized(x, axis, st.maximum(size, w - 2 * p)) if is_open else x
            else:
                pairs.append((p, p + w - 1 if is_open else max((count - 1) * s + w - size - p, 0)))
        pool = st.max_pool if self.mode == "max" else st.sum_pool
        found = pool(x, window=tuple(window), stride=tuple(stride), padding=tuple(pairs))
        for axis, count in enumerate(counts, start=first):
            found = found if isinstance(count, int) else resized(found, axis, count)
        return found

    def _gathered(self, x: Any, counts: Any, window: Any, stride: Any, pad: Any) -> Any:
        """Windows whose sizes are variables."""
        kind = x.dtype.kind
        least = 0 if self.mode != "max" else -float("inf") if kind == "f" else st.iinfo(x.dtype).min
        x = padded(x, [(p, p + w) for p, w in zip(pad, window, strict=True)], least)
        windows = gathered(x, counts, window, stride)
        axes = tuple(range(x.ndim - self.ndim + 1, windows.ndim, 2))
        return (st.max if self.mode == "max" else st.sum)(windows, axis=axes)

    def _elements(self, sizes: Any, inside: Any, counts: Any, window: Any, stride: Any, pad: Any) -> Any:
        """Return how many elements each window has."""
        total: Any = 1
        for axis, (size, whole, count, w, s, p) in enumerate(
            zip(sizes, inside, counts, window, stride, pad, strict=True)
        ):
            start = st.arange(count) * s
            stop = st.minimum(start + w, whole)
            if self.mode == "average_exc_pad":
                start, stop = st.maximum(start, p), st.minimum(stop, size + p)
            total = total * st.reshape(stop - start, (-1, *[1] * (self.ndim - 1 - axis)))
        return total

    @staticmethod
    def out_shape(
        imgshape: Any, ws: Any = None, ignore_border: bool = False, stride: Any = None, pad: Any = None, ndim: int = 2,
        ds: Any = None, st: Any = None, padding: Any = None,
    ) -> list[Any]:  # fmt: skip
        """Return the shape of the result for an image of some shape; sizes may be variables."""
        ws, stride, pad = _renamed(ws, stride, pad, (ds, st, padding), ndim)
        if len(imgshape) < ndim:
            raise TypeError(f"imgshape must have at least {ndim} dimensions")
        stride = ws if stride is None else stride
        pad = (0,) * ndim if pad is None else pad
        inside = [basic.extract_constant(imgshape[len(imgshape) - ndim + axis]) + 2 * pad[axis] for axis in range(ndim)]

        def larger(a: Any, b: Any) -> Any:
            return basic.maximum(a, b) if isinstance(a, Variable) else max(a, b)

        def choose(step: Any, window: Any, yes: Any, no: Any) -> Any:
            condition = step >= window
            if isinstance(condition, Variable):
                return basic.switch(condition, yes, no)
            return yes if condition else no

        counts = [_count(inside[axis], ws[axis], stride[axis], ignore_border, larger, choose) for axis in range(ndim)]
        return [*imgshape[: len(imgshape) - ndim], *counts]


class PoolGrad(Pool):
    """The gradient of pooling in the image: of the image, the maxima where it takes them, the cotangent, and sizes."""

    def compute(self, *tensors: Any) -> Any:
        x, g, (window, stride, pad) = tensors[0], tensors[-4], [elements_of(one, self.ndim) for one in tensors[-3:]]
        return st.vjp(lambda image: self._pooled(image, window, stride, pad), x)[1](g)[0]


class MaxPoolGrad(PoolGrad):
    """The gradient of max pooling in the image: to the first maximum of each window."""

    def __init__(self, ignore_border: bool, ndim: int = 2, openmp: Any = None) -> None:
        super().__init__(ignore_border, "max", ndim)

    def make_node(self, x: Any, maxout: Any, gz: Any, ws: Any, stride: Any = None, pad: Any = None) -> Any:  # type: ignore[override]
        return self.applied(
            [self._image(x), as_tensor_variable(maxout), as_tensor_variable(gz), *self._sizes(ws, stride, pad)]
        )


class AveragePoolGrad(PoolGrad):
    """The gradient of pooling by sums or averages in the image."""

    def __init__(self, ignore_border: bool, mode: str = "average_inc_pad", ndim: int = 2) -> None:
        super().__init__(ignore_border, mode, ndim)

    def make_node(self, x: Any, gz: Any, ws: Any, stride: Any = None, pad: Any = None, dummy: Any = None) -> Any:  # type: ignore[override]
        return self.applied([self._image(x), as_tensor_variable(gz), *self._sizes(ws, stride, pad)])


class MaxPoolRop(PoolGrad):
    """Of a second image, the elements that stand where the first one has its maxima."""

    def __init__(self, ignore_border: bool = False, mode: str = "max", ndim: int = 2, openmp: Any = None) -> None:
        super().__init__(ignore_border, mode, ndim)

    def make_node(self, x: Any, eval_point: Any, ws: Any, stride: Any = None, pad: Any = None) -> Any:
        return self.applied([self._image(x), as_tensor_variable(eval_point), *self._sizes(ws, stride, pad)])

    def compute(self, *tensors: Any) -> Any:
        x, t, (window, stride, pad) = tensors[0], tensors[-4], [elements_of(one, self.ndim) for one in tensors[-3:]]
        return st.jvp(lambda image: self._pooled(image, window, stride, pad), (x,), (t,))[1]


class DownsampleFactorMaxGradGrad(MaxPoolRop):
    """`MaxPoolRop`, which is given the maxima too."""

    def make_node(self, x: Any, maxout: Any, gz: Any, ws: Any, stride: Any = None, pad: Any = None) -> Any:  # type: ignore[override]
        given = [self._image(x), as_tensor_variable(maxout), as_tensor_variable(gz)]
        return self.applied([*given, *self._sizes(ws, stride, pad)])


def _renamed(ws: Any, stride: Any, pad: Any, old: Sequence[Any], ndim: int) -> tuple[Any, Any, Any]:
    """Return the parameters, of which some may have been given under their old names."""
    found = {"ws": ws, "stride": stride, "pad": pad}
    for (name, new), value in zip(OLD_NAMES.items(), old, strict=True):
        if value is None:
            continue
        if found[new] is not None and not (new == "pad" and tuple(found[new]) == (0,) * ndim):
            raise ValueError(
                f"You can't provide a tuple value to both '{new}' and '{name}'. Please provide a value only to '{new}'."
            )
        warnings.warn(
            f"DEPRECATION: the '{name}' parameter is not going to exist anymore as it is going to be replaced by the parameter '{new}'.",
            stacklevel=4,
        )
        found[new] = value
    if found["ws"] is None:
        raise ValueError("You must provide a tuple value for the window size.")
    return found["ws"], found["stride"], found["pad"]


def _pool(rank: int) -> Any:
    def pool(
        input: Any, ws: Any = None, ignore_border: bool | None = None, stride: Any = None, pad: Any = (0,) * rank,
        mode: str = "max", ds: Any = None, st: Any = None, padding: Any = None,
    ) -> Any:  # fmt: skip
        ws, stride, pad = _renamed(ws, stride, pad, (ds, st, padding), rank)
        input = as_tensor_variable(input)
        if input.ndim < rank:
            raise NotImplementedError(f"pool_{rank}d requires a dimension >= {rank}")
        if ignore_border is None:
            warnings.warn(
                f"pool_{rank}d() will have the parameter ignore_border default value changed to True (currently False). "
                "To have consistent behavior with all Theano version, explicitly add the parameter ignore_border=True.",
                stacklevel=2,
            )
        return Pool(bool(ignore_border), mode, rank)(input, ws, stride, pad)

    pool.__name__ = pool.__qualname__ = f"pool_{rank}d"
    pool.__doc__ = f"""Pool the last {rank} axes.

    Parameters
    ----------
    input : tensor
    ws : tuple of int, or vector of integers
        Sizes of the window.
    ignore_border : bool
        Whether windows that do not fit are left out; by default a last one may be cut off by the border.
    stride : tuple of int, or vector of integers, optional
        By default the sizes of the window.
    pad : tuple of int, or vector of integers
        How much the image is extended on both sides.
    mode : "max", "sum", "average_inc_pad" or "average_exc_pad"
    ds, st, padding
        Old names of `ws`, `stride` and `pad`.
    """
    return pool


pool_2d, pool_3d = _pool(2), _pool(3)


def max_pool_2d_same_size(input: Any, patch_size: Any) -> Any:
    """Return images in which all but the largest element of each patch is zero."""
    return MaxPoolGrad(True)(input, *[Pool(True)(input, patch_size)] * 2, patch_size)


__getattr__ = asked(__name__)
