"""Merge layers: several tensors become one."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from septet.base.errors import ArgumentError, ShapeError
from septet.base.text import shape_text
from septet.nn.module import Module
from septet.tensor.functions import f
from septet.tensor.tensor import Tensor

CROPS = ("start", "center", "end")


class _Merge(Module):
    """What layers of several inputs share: they come one by one, or as one list."""

    count: int | None = None  # how many inputs there must be; None for two or more
    crop: Any = None

    def forward(self, *inputs: Any) -> Tensor:
        if len(inputs) == 1 and isinstance(inputs[0], (list, tuple)):
            inputs = tuple(inputs[0])
        wanted = "two or more" if self.count is None else f"{self.count}"
        if len(inputs) < 2 or (self.count is not None and len(inputs) != self.count):
            raise ArgumentError(f"{self.label}: takes {wanted} tensors, one by one or as a list, got {len(inputs)}")
        return self.merge(inputs if self.crop is None else self._cropped(inputs))

    def _cropped(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """Return the inputs without what goes beyond the smallest of them along some axes."""
        shapes = [x.type.shape for x in inputs]
        rank = len(shapes[0])
        crops = (None, None, *(self.crop,) * (rank - 2)) if isinstance(self.crop, str) else self.crop
        if any(len(shape) != rank for shape in shapes) or len(crops) > rank:
            texts = ", ".join(map(shape_text, shapes))
            raise ShapeError(f"{self.label}: crops axes of tensors with one number of axes, got {texts}; crop {crops}")
        keys: list[list[slice]] = [[] for _ in inputs]
        for axis, where in enumerate(crops):
            sizes = [shape[axis] for shape in shapes]
            known = [size for size in sizes if size is not None]
            if where is not None and len(known) < len(sizes):
                raise ShapeError(f"{self.label}: axis {axis} is cropped, so that its size must be known")
            for key, size in zip(keys, sizes, strict=True):
                beyond = 0 if where is None or size is None else size - min(known)
                start = {None: 0, "start": 0, "center": beyond // 2, "end": beyond}[where]
                key.append(slice(None) if not beyond else slice(start, start + min(known)))
        return [x[tuple(key)] for x, key in zip(inputs, keys, strict=True)]

    def extra(self) -> str:
        return "" if self.crop is None else f"crop={self.crop!r}"

    def merge(self, inputs: Sequence[Tensor]) -> Tensor:
        """Return one tensor."""
        raise NotImplementedError

    def check_shapes(self, inputs: Sequence[Tensor]) -> None:
        """Refuse shapes that differ, other than by an axis of size 1."""
        shapes = [x.type.shape for x in inputs]
        for other in shapes[1:]:
            fits = len(other) == len(shapes[0]) and all(
                a == b or a in (1, None) or b in (1, None) for a, b in zip(shapes[0], other, strict=True)
            )
            if not fits:
                texts = ", ".join(map(shape_text, shapes))
                raise ShapeError(
                    f"{self.label}: merges tensors of one shape, got {texts}", hint="axes of size 1 are repeated"
                )


def check_crop(layer: str, crop: Any) -> Any:
    """Return where larger inputs are cropped: one place for all axes in space, or one or None for each axis."""
    each = (crop,) if crop is None or isinstance(crop, str) else tuple(crop)
    if not all(where is None or where in CROPS for where in each):
        raise ArgumentError(
            f"{layer}: crop is one of {', '.join(CROPS)}, or one of them or None per axis, got {crop!r}"
        )
    return crop if crop is None or isinstance(crop, str) else each


class _Elementwise(_Merge):
    """What merges of elements at the same place share."""

    function: Callable[..., Tensor]

    def __init__(self, *, crop: Any = None) -> None:
        self.crop = check_crop(type(self).__name__, crop)

    def merge(self, inputs: Sequence[Tensor]) -> Tensor:
        self.check_shapes(inputs)
        return functools.reduce(type(self).function, inputs)


_CROP = """crop : {"start", "center", "end"} or a sequence of these and None, optional
        Which part of larger inputs is kept, so that all have the size of the smallest: along all axes after the
        channels, or along each axis by itself."""
_SHAPE = """

    Parameters
    ----------
    {crop}

    Shape
    -----
    Tensors (B, ...) of one shape, where axes of size 1 are repeated; result the same.

    Examples
    --------
    >>> import septet as st
    >>> {layer}()(st.tensor([1.0, 5.0]), st.tensor([3.0, 2.0])).tolist()
    {result}

    Elsewhere
    ---------
    {names}
    """


def _doc(doc: str | None, layer: str, result: list[float], names: str) -> str:
    """Return the docstring of a layer: its first line, and what all of them share."""
    return f"{doc}{_SHAPE.format(crop=_CROP, layer=layer, result=result, names=names)}"


class Add(_Elementwise):
    """Add tensors."""

    __doc__ = _doc(__doc__, __qualname__, [4.0, 7.0], "Keras ``Add``, Lasagne ``ElemwiseSumLayer``.")
    function = staticmethod(lambda a, b: a + b)


class Subtract(_Elementwise):
    """Subtract the second tensor from the first."""

    __doc__ = _doc(__doc__, __qualname__, [-2.0, 3.0], "Keras ``Subtract``.")
    count = 2
    function = staticmethod(lambda a, b: a - b)


class Multiply(_Elementwise):
    """Multiply tensors."""

    __doc__ = _doc(__doc__, __qualname__, [3.0, 10.0], "Keras ``Multiply``.")
    function = staticmethod(lambda a, b: a * b)


class Maximum(_Elementwise):
    """Take the largest of the elements at each place."""

    __doc__ = _doc(__doc__, __qualname__, [3.0, 5.0], "Keras ``Maximum``.")
    function = staticmethod(lambda a, b: f.maximum(a, b))


class Minimum(_Elementwise):
    """Take the smallest of the elements at each place."""

    __doc__ = _doc(__doc__, __qualname__, [1.0, 2.0], "Keras ``Minimum``.")
    function = staticmethod(lambda a, b: f.minimum(a, b))


class Average(_Elementwise):
    """Average tensors."""

    __doc__ = _doc(__doc__, __qualname__, [2.0, 3.5], "Keras ``Average``.")
    function = staticmethod(lambda a, b: a + b)

    def merge(self, inputs: Sequence[Tensor]) -> Tensor:
        return super().merge(inputs) / float(len(inputs))


class ElementwiseMerge(_Elementwise):
    """Merge tensors by any function of two, from the first to the last.

    Parameters
    ----------
    function : callable
        From two tensors to one.
    crop : str or sequence, optional
        As in `Add`.

    Shape
    -----
    Tensors (B, ...) of one shape, where axes of size 1 are repeated; result the same.

    Examples
    --------
    >>> import septet as st
    >>> ElementwiseMerge(st.logaddexp)(st.zeros(2), st.zeros(2)).shape
    (2,)

    Elsewhere
    ---------
    Lasagne ``ElemwiseMergeLayer``.
    """

    def __init__(self, function: Callable[[Tensor, Tensor], Tensor], *, crop: Any = None) -> None:
        super().__init__(crop=crop)
        if not callable(function):
            raise ArgumentError(f"ElementwiseMerge: takes a function of two tensors, got {function!r}")
        self.function = function

    def merge(self, inputs: Sequence[Tensor]) -> Tensor:
        self.check_shapes(inputs)
        return functools.reduce(self.function, inputs)

    def extra(self) -> str:
        own = getattr(self.function, "__name__", repr(self.function))
        return ", ".join([own, *([super().extra()] if self.crop is not None else [])])


class Concatenate(_Merge):
    """Join tensors along an axis: by default that of the channels.

    Parameters
    ----------
    axis : int
    crop : str or sequence, optional
        As in `Add`: along the other axes.

    Shape
    -----
    Tensors (B, C, ...) that differ along the axis only, or along those that are cropped.

    Examples
    --------
    >>> import septet as st
    >>> Concatenate()([st.ones((2, 3, 5)), st.ones((2, 4, 5))]).shape
    (2, 7, 5)

    Elsewhere
    ---------
    Keras ``Concatenate``, Lasagne ``ConcatLayer``.
    """

    def __init__(self, axis: int = 1, *, crop: Any = None) -> None:
        self.axis = axis
        self.crop = check_crop("Concatenate", crop)

    def merge(self, inputs: Sequence[Tensor]) -> Tensor:
        return f.concatenate(list(inputs), axis=self.axis)

    def extra(self) -> str:
        return ", ".join([f"axis={self.axis}", *([super().extra()] if self.crop is not None else [])])


class Dot(_Merge):
    """Multiply two tensors and sum, along one axis of each; example by example.

    Parameters
    ----------
    axes : int or (int, int)
        The axis of the first and that of the second.
    normalize : bool
        Whether vectors along the axes are divided by their lengths first: the results are cosines then.

    Shape
    -----
    x (B, ..., K), y (B, ..., K), result (B, axes of x without K, axes of y without K), or (B, 1) where there is none.

    Examples
    --------
    >>> import septet as st
    >>> Dot(1)(st.ones((2, 3)), st.ones((2, 3))).tolist()
    [[3.0], [3.0]]

    Elsewhere
    ---------
    Keras ``Dot``.
    """

    count = 2

    def __init__(self, axes: Any = -1, normalize: bool = False) -> None:
        pair = tuple(axes) if isinstance(axes, (tuple, list)) else (axes, axes)
        if len(pair) != 2 or not all(isinstance(axis, int) for axis in pair):
            raise ArgumentError(f"Dot: axes is an integer or two, got {axes!r}")
        self.axes = pair
        self.normalize = normalize

    def merge(self, inputs: Sequence[Tensor]) -> Tensor:
        letters = iter("abcdefghijklmnopqrstuvw")
        labels = []
        for x, axis in zip(inputs, self.axes, strict=True):
            if x.ndim < 2 or not -x.ndim < axis < x.ndim or axis % x.ndim == 0:
                shape = shape_text(x.type.shape)
                raise ShapeError(f"{self.label}: axis {axis} is no axis of shape {shape} after that of the examples")
            labels.append(["z", *["x" if own == axis % x.ndim else next(letters) for own in range(1, x.ndim)]])
        if self.normalize:
            inputs = [
                x / f.sqrt(f.maximum(x.square().sum(axis=axis, keepdims=True), 1e-12))
                for x, axis in zip(inputs, self.axes, strict=True)
            ]
        rest = [label for own in labels for label in own if label not in "xz"]
        y = f.einsum(f"{''.join(labels[0])},{''.join(labels[1])}->z{''.join(rest)}", *inputs)
        return y if rest else y.reshape(-1, 1)

    def extra(self) -> str:
        return f"{self.axes}" + (", normalize=True" if self.normalize else "")
