"""Padding and cropping of images: layers, and how convolutions pad."""

from __future__ import annotations

from typing import Any

from septet.base.errors import ArgumentError, ShapeError
from septet.base.text import listing, shape_text
from septet.nn.module import Module
from septet.nn.sizes import check_count, check_rank
from septet.ops.windows import Pairs
from septet.tensor.functions import f
from septet.tensor.tensor import Tensor

AXES = {1: "(B, C, T)", 2: "(B, C, H, W)", 3: "(B, C, D, H, W)"}
MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
"""How images are continued beyond their edges, and what `st.pad` calls it."""


def described(doc: str | None, template: str, layer: str, rank: int, elsewhere: str) -> str:
    """Return the docstring of a layer of one of several ranks: its first line, and what they all share.

    Parameters
    ----------
    doc : str
    template : str
        Here ``{axes}`` are those of the input, ``{image}`` is the shape of an example, and ``{sizes[6]}`` the end of
        another one, with 6 along each spatial axis.
    layer, rank, elsewhere
        The name of the class, its spatial axes, and what it is called elsewhere.
    """
    sizes = {size: f", {size}" * rank for size in (4, 6, 8, 10, 16)}
    shared = template.format(axes=AXES[rank], layer=layer, image=f"(2, 4{sizes[8]})", sizes=sizes, elsewhere=elsewhere)
    return f"{doc}{shared}"


def check_mode(layer: str, mode: Any) -> str:
    """Return a mode of padding that exists."""
    if mode not in MODES:
        raise ArgumentError(f"{layer}: padding_mode {mode!r} does not exist; the modes are {listing(MODES)}")
    return str(mode)


def spatial_pairs(layer: str, name: str, value: Any, rank: int) -> Pairs:
    """Return one pair (low, high) for each spatial axis, from an int, one int for each, or pairs."""
    values = tuple(value) if isinstance(value, (tuple, list)) else (value,) * rank
    if len(values) != rank:
        raise ArgumentError(
            f"{layer}: {name} needs one integer, or {rank} integers or pairs (low, high), got {value!r}"
        )
    pairs = []
    for item in values:
        pair = tuple(item) if isinstance(item, (tuple, list)) else (item, item)
        if len(pair) != 2:
            raise ArgumentError(f"{layer}: {name} is made of integers and pairs (low, high), got {item!r}")
        pairs.append((check_count(layer, name, pair[0], 0), check_count(layer, name, pair[1], 0)))
    return tuple(pairs)


def pad_spatial(layer: Module, x: Tensor, pairs: Pairs, mode: str, value: float = 0.0) -> Tensor:
    """Pad the spatial axes of (B, C, spatial ...)."""
    if mode == "zeros":
        return f.pad(x, ((0, 0), (0, 0), *pairs), value=value)
    for axis, (size, pair) in enumerate(zip(x.type.shape[2:], pairs, strict=True)):
        most = None if size is None else size - 1 if mode == "reflect" else size
        if mode in ("reflect", "circular") and most is not None and max(pair) > most:
            raise ShapeError(
                f"{layer.label}: {mode} padding by {pair} needs more than the {size} elements of spatial axis {axis} "
                f"of {shape_text(x.type.shape)}"
            )
    return f.pad(x, ((0, 0), (0, 0), *pairs), mode=MODES[mode])


class _Pad(Module):
    """What the layers that pad share."""

    rank = 0
    mode = "zeros"
    padding: Pairs

    def __init__(self, padding: Any = 1) -> None:
        self.padding = spatial_pairs(type(self).__name__, "padding", padding, self.rank)

    def forward(self, x: Tensor) -> Tensor:
        check_rank(x, self.rank + 2, self, AXES[self.rank])
        return pad_spatial(self, x, self.padding, self.mode)

    def extra(self) -> str:
        return f"{self.padding}"


_PARAMETERS = """

    Parameters
    ----------
    padding : int, or for each spatial axis an int or a pair (low, high)

    Shape
    -----
    x {axes}, result the same with larger spatial sizes.

    Examples
    --------
    >>> import septet as st
    >>> {layer}(1)(st.ones({image})).shape
    (2, 4{sizes[10]})

    Elsewhere
    ---------
    {elsewhere}
    """


class ZeroPad1D(_Pad):
    """Put zeros around sequences."""

    __doc__ = described(__doc__, _PARAMETERS, __qualname__, 1, "Keras ``ZeroPadding1D``, PyTorch ``ZeroPad1d``.")
    rank = 1


class ZeroPad2D(_Pad):
    """Put zeros around images."""

    __doc__ = described(
        __doc__, _PARAMETERS, __qualname__, 2, "Keras ``ZeroPadding2D``, Lasagne ``PadLayer``, PyTorch ``ZeroPad2d``."
    )
    rank = 2


class ZeroPad3D(_Pad):
    """Put zeros around volumes."""

    __doc__ = described(__doc__, _PARAMETERS, __qualname__, 3, "Keras ``ZeroPadding3D``, PyTorch ``ZeroPad3d``.")
    rank = 3


class ReflectPad1D(_Pad):
    """Continue sequences as in a mirror at their last element."""

    __doc__ = described(__doc__, _PARAMETERS, __qualname__, 1, "PyTorch ``ReflectionPad1d``.")
    rank, mode = 1, "reflect"


class ReflectPad2D(_Pad):
    """Continue images as in a mirror at their last pixels."""

    __doc__ = described(__doc__, _PARAMETERS, __qualname__, 2, "PyTorch ``ReflectionPad2d``.")
    rank, mode = 2, "reflect"


class ReflectPad3D(_Pad):
    """Continue volumes as in a mirror at their last elements."""

    __doc__ = described(__doc__, _PARAMETERS, __qualname__, 3, "PyTorch ``ReflectionPad3d``.")
    rank, mode = 3, "reflect"


class ReplicatePad1D(_Pad):
    """Repeat the last elements of sequences."""

    __doc__ = described(__doc__, _PARAMETERS, __qualname__, 1, "PyTorch ``ReplicationPad1d``.")
    rank, mode = 1, "replicate"


class ReplicatePad2D(_Pad):
    """Repeat the last pixels of images."""

    __doc__ = described(__doc__, _PARAMETERS, __qualname__, 2, "PyTorch ``ReplicationPad2d``.")
    rank, mode = 2, "replicate"


class ReplicatePad3D(_Pad):
    """Repeat the last elements of volumes."""

    __doc__ = described(__doc__, _PARAMETERS, __qualname__, 3, "PyTorch ``ReplicationPad3d``.")
    rank, mode = 3, "replicate"


class _Crop(Module):
    """What the layers that crop share."""

    rank = 0
    cropping: Pairs

    def __init__(self, cropping: Any = 1) -> None:
        self.cropping = spatial_pairs(type(self).__name__, "cropping", cropping, self.rank)

    def forward(self, x: Tensor) -> Tensor:
        check_rank(x, self.rank + 2, self, AXES[self.rank])
        for axis, (size, (low, high)) in enumerate(zip(x.type.shape[2:], self.cropping, strict=True)):
            if size is not None and low + high >= size:
                raise ShapeError(
                    f"{self.label}: cropping {(low, high)} leaves nothing of spatial axis {axis} of shape "
                    f"{shape_text(x.type.shape)}"
                )
        return f.pad(x, ((0, 0), (0, 0), *[(-low, -high) for low, high in self.cropping]))

    def extra(self) -> str:
        return f"{self.cropping}"


_CROPPING = """

    Parameters
    ----------
    cropping : int, or for each spatial axis an int or a pair (low, high)

    Shape
    -----
    x {axes}, result the same with smaller spatial sizes.

    Raises
    ------
    ShapeError
        If nothing is left.

    Examples
    --------
    >>> import septet as st
    >>> {layer}(1)(st.ones({image})).shape
    (2, 4{sizes[6]})

    Elsewhere
    ---------
    {elsewhere}
    """


class Crop1D(_Crop):
    """Cut elements off the ends of sequences."""

    __doc__ = described(__doc__, _CROPPING, __qualname__, 1, "Keras ``Cropping1D``.")
    rank = 1


class Crop2D(_Crop):
    """Cut pixels off the edges of images."""

    __doc__ = described(__doc__, _CROPPING, __qualname__, 2, "Keras ``Cropping2D``, Lasagne ``SliceLayer``.")
    rank = 2


class Crop3D(_Crop):
    """Cut elements off the edges of volumes."""

    __doc__ = described(__doc__, _CROPPING, __qualname__, 3, "Keras ``Cropping3D``.")
    rank = 3
