"""Functions of images (B, C, spatial ...): other sizes, patches, sampling at places that are computed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from septet.base import dtypes
from septet.base.errors import ArgumentError, ShapeError
from septet.base.text import shape_text
from septet.graph.node import Node, constant
from septet.graph.op import as_node, explain_call, function, ops
from septet.ops.keys import get_item
from septet.ops.matmul import matmul
from septet.ops.shaping import broadcast_to, reshape, sizes_of, transpose
from septet.ops.windows import output_size, per_axis, resolve_padding, window_slices

MODES = ("nearest", "linear", "cubic")
BORDERS = ("zeros", "border", "reflection")


def _spatial_rank(name: str, x: Node, rank: int | None = None) -> int:
    """Return the number of spatial axes of an image."""
    if x.ndim < 3 or (rank is not None and x.ndim != rank + 2):
        takes = "(B, C, spatial ...)" if rank is None else "(B, C, H, W)"
        raise explain_call(ShapeError(f"takes {takes}, got shape {shape_text(x.shape)}"), name, ("x",), (x,))
    return x.ndim - 2


def _known_size(name: str, x: Node, axis: int) -> int:
    size = x.shape[axis]
    if size is None:
        error = ShapeError(f"the size of axis {axis} must be known", marks=[(0, axis)])
        raise explain_call(error, name, ("x",), (x,))
    return size


@function("interpolate")
def resize(x: Any, size: Any, mode: str = "linear", *, align_corners: bool = False, factors: Any = None) -> Node:
    """Give images another size.

    Parameters
    ----------
    x : tensor
    size : int or one int for each spatial axis
        Of the result.
    mode : str
        "nearest", "linear" (bilinear on images, trilinear on volumes), or "cubic" (bicubic, with a = -0.75).
    align_corners : bool
        Whether the centres of the corner pixels of both images lie on each other; else their outer edges do.
    factors : float or one float for each spatial axis, optional
        What the places are computed with, where it is not exactly the ratio of the sizes.

    Shape
    -----
    x (B, C, spatial ...), result (B, C, *size).

    Raises
    ------
    ShapeError
        If x has no spatial axis, or the size of one is not known.

    Gradient
    --------
    In x, of any order.

    Source
    ------
    The places are those of torch.nn.functional.interpolate. R. G. Keys, Cubic convolution interpolation for digital
    image processing, 1981.

    Examples
    --------
    >>> import septet as st
    >>> st.resize(st.tensor([[[1.0, 2.0]]]), 4).tolist()
    [[[1.0, 1.25, 1.75, 2.0]]]
    """
    x = as_node(x)
    rank = _spatial_rank("resize", x)
    if mode not in MODES:
        raise ArgumentError(f"resize: mode {mode!r} does not exist; the modes are {', '.join(MODES)}")
    wanted = per_axis(size, rank, "resize: size")
    given = factors if isinstance(factors, (tuple, list)) else (factors,) * rank
    if mode != "nearest" and not dtypes.is_differentiable(x.dtype):
        x = ops.cast(x, dtype=dtypes.default_of_kind(dtypes.FLOAT))
    for axis in range(rank):
        own = _known_size("resize", x, axis + 2)
        places = _places(own, wanted[axis], mode, align_corners, given[axis])
        if own == wanted[axis] and np.array_equal(places, np.arange(own)):
            continue
        if mode == "nearest":
            x = ops.take(x, constant(places.astype(np.int64)), axis=axis + 2)
        else:
            x = _along(x, axis + 2, _weights(own, places, mode))
    return x


def _places(size: int, wanted: int, mode: str, align_corners: bool, factor: float | None) -> np.ndarray:
    """Return where in an axis of the old image each element of the new one lies."""
    index = np.arange(wanted, dtype=np.float64)
    step = size / wanted if factor is None else 1.0 / factor
    if mode == "nearest":
        return np.minimum(np.floor(index * step + 1e-9), size - 1)  # rounding must not fall below a whole number
    if align_corners:
        return index * ((size - 1) / (wanted - 1)) if wanted > 1 else index * 0.0
    places = (index + 0.5) * step - 0.5
    return np.maximum(places, 0.0) if mode == "linear" else places


def _weights(size: int, places: np.ndarray, mode: str) -> np.ndarray:
    """Return the matrix (size, wanted) of what each old element contributes to each new one."""
    low = np.floor(places).astype(np.int64)
    part = places - low
    columns = np.arange(len(places))
    weights = np.zeros((size, len(places)))
    if mode == "linear":
        taps = {0: 1.0 - part, 1: part}
    else:
        taps = {offset: _cubic(np.abs(part - offset)) for offset in (-1, 0, 1, 2)}
    for offset, weight in taps.items():
        np.add.at(weights, (np.clip(low + offset, 0, size - 1), columns), weight)
    return weights


def _cubic(distance: np.ndarray, a: float = -0.75) -> np.ndarray:
    near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    far = ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
    return np.where(distance <= 1, near, np.where(distance < 2, far, 0.0))


def _along(x: Node, axis: int, weights: np.ndarray) -> Node:
    """Multiply one axis by a matrix (size, wanted)."""
    axes = list(range(x.ndim))
    axes[axis], axes[-1] = axes[-1], axes[axis]
    is_last = axis == x.ndim - 1
    y = matmul(x if is_last else transpose(x, axes=tuple(axes)), constant(weights.astype(x.dtype)))
    return y if is_last else transpose(y, axes=tuple(axes))


@function("depth_to_space")
def pixel_shuffle(x: Any, factor: int) -> Node:
    """Turn channels into pixels: factor x factor channels become one of a larger image.

    Parameters
    ----------
    x : tensor
    factor : int

    Shape
    -----
    x (B, C * factor^2, H, W), result (B, C, H * factor, W * factor).

    Source
    ------
    W. Shi et al., Real-time single image and video super-resolution using an efficient sub-pixel convolutional neural
    network, 2016, equation 4.
    """
    x = as_node(x)
    _spatial_rank("pixel_shuffle", x, 2)
    factor = per_axis(factor, 1, "pixel_shuffle: factor")[0]
    channels = _known_size("pixel_shuffle", x, 1)
    if channels % factor**2:
        error = ShapeError(f"factor {factor} needs a multiple of {factor**2} channels, got {channels}", marks=[(0, 1)])
        raise explain_call(error, "pixel_shuffle", ("x",), (x,))
    b, _, h, w = sizes_of(x)
    split = reshape(x, (b, channels // factor**2, factor, factor, h, w))
    moved = transpose(split, axes=(0, 1, 4, 2, 5, 3))  # (B, C, H, f, W, f)
    return reshape(moved, (b, channels // factor**2, h * factor, w * factor))


@function("space_to_depth")
def pixel_unshuffle(x: Any, factor: int) -> Node:
    """Turn pixels into channels: the reverse of `pixel_shuffle`.

    Parameters
    ----------
    x : tensor
    factor : int
        It divides height and width.

    Shape
    -----
    x (B, C, H * factor, W * factor), result (B, C * factor^2, H, W).
    """
    x = as_node(x)
    _spatial_rank("pixel_unshuffle", x, 2)
    factor = per_axis(factor, 1, "pixel_unshuffle: factor")[0]
    channels, height, width = (_known_size("pixel_unshuffle", x, axis) for axis in (1, 2, 3))
    if height % factor or width % factor:
        error = ShapeError(f"factor {factor} does not divide {height} x {width}", marks=[(0, 2), (0, 3)])
        raise explain_call(error, "pixel_unshuffle", ("x",), (x,))
    b = sizes_of(x)[0]
    split = reshape(x, (b, channels, height // factor, factor, width // factor, factor))
    moved = transpose(split, axes=(0, 1, 3, 5, 2, 4))  # (B, C, f, f, H, W)
    return reshape(moved, (b, channels * factor**2, height // factor, width // factor))


@function()
def channel_shuffle(x: Any, groups: int) -> Node:
    """Deal the channels of groups out in turn, so that the next grouped convolution sees all of them.

    Parameters
    ----------
    x : tensor
    groups : int
        It divides the channels.

    Shape
    -----
    x (B, C, ...), result the same.

    Source
    ------
    X. Zhang et al., ShuffleNet, 2018, figure 1.
    """
    x = as_node(x)
    groups = per_axis(groups, 1, "channel_shuffle: groups")[0]
    channels = _known_size("channel_shuffle", x, 1)
    if channels % groups:
        error = ShapeError(f"groups={groups} does not divide the {channels} channels", marks=[(0, 1)])
        raise explain_call(error, "channel_shuffle", ("x",), (x,))
    sizes = sizes_of(x)
    split = reshape(x, (sizes[0], groups, channels // groups, *sizes[2:]))
    return reshape(transpose(split, axes=(0, 2, 1, *range(3, split.ndim))), sizes)


@function("im2col")
def unfold(x: Any, window: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1) -> Node:
    """Take images apart into the windows that slide over them.

    Parameters
    ----------
    x : tensor
    window, stride, padding, dilation
        As for `conv`.

    Shape
    -----
    x (B, C, spatial ...), result (B, C, K, L): K elements of each window, and L windows, both in row-major order.

    Raises
    ------
    ShapeError
        If the size of a spatial axis is not known, or no window fits.

    Examples
    --------
    >>> import septet as st
    >>> st.unfold(st.tensor([[[1, 2, 3, 4]]]), 2).tolist()
    [[[[1, 2, 3], [2, 3, 4]]]]
    """
    x = as_node(x)
    rank = _spatial_rank("unfold", x)
    spatial = [_known_size("unfold", x, axis + 2) for axis in range(rank)]
    window = per_axis(window, rank, "unfold: window")
    stride = per_axis(stride, rank, "unfold: stride")
    dilation = per_axis(dilation, rank, "unfold: dilation")
    pairs = resolve_padding(padding, tuple(spatial), window, stride, dilation)
    counts: list[int] = []
    for axis, sizes in enumerate(zip(spatial, window, stride, pairs, dilation, strict=True)):
        found = output_size(*sizes) or 0
        if found < 1:
            error = ShapeError(f"the window {window[axis]} does not fit into size {sizes[0]}", marks=[(0, axis + 2)])
            raise explain_call(error, "unfold", ("x",), (x,))
        counts.append(found)
    if any(pair != (0, 0) for pair in pairs):
        x = ops.pad(x, widths=((0, 0), (0, 0), *pairs), value=0)
    b, c = sizes_of(x)[:2]
    parts = [
        reshape(get_item(x, index), (b, c, 1, math.prod(counts)))
        for index in window_slices(window, counts, stride, dilation)
    ]
    return ops.concatenate(*parts, axis=2)


@function("col2im")
def fold(x: Any, size: Any, window: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1) -> Node:
    """Put windows together to images; where they overlap, they are added: the transpose of `unfold`.

    Parameters
    ----------
    x : tensor
    size : int or one int for each spatial axis
        Of the images.
    window, stride, padding, dilation
        As for `unfold`; one int for each spatial axis says how many axes there are.

    Shape
    -----
    x (B, C, K, L), result (B, C, *size).

    Raises
    ------
    ShapeError
        If an image of that size has not K elements in each of L windows.

    Examples
    --------
    >>> import septet as st
    >>> st.fold(st.unfold(st.ones((1, 1, 4)), 2), (4,), 2).tolist()
    [[[1.0, 2.0, 2.0, 1.0]]]
    """
    x = as_node(x)
    rank = next((len(v) for v in (size, window, stride, dilation) if isinstance(v, (tuple, list))), 2)
    size, window = per_axis(size, rank, "fold: size"), per_axis(window, rank, "fold: window")
    stride, dilation = per_axis(stride, rank, "fold: stride"), per_axis(dilation, rank, "fold: dilation")
    pairs = resolve_padding(padding, size, window, stride, dilation)
    counts = [output_size(*each) or 0 for each in zip(size, window, stride, pairs, dilation, strict=True)]
    elements = math.prod(window)
    if x.ndim != 4 or x.shape[2:] != (elements, math.prod(counts)) or min(counts) < 1:
        takes = f"(B, C, {elements}, {math.prod(counts)})"
        error = ShapeError(f"images of size {shape_text(size)} are made of {takes}, got shape {shape_text(x.shape)}")
        raise explain_call(error, "fold", ("x",), (x,))
    b, channels = sizes_of(x)[0], _known_size("fold", x, 1)
    if not dtypes.is_differentiable(x.dtype):
        x = ops.cast(x, dtype=dtypes.default_of_kind(dtypes.FLOAT))
    # each element of the window is a filter that puts it in its place
    kernel = np.tile(np.eye(elements).reshape(elements, 1, *window), (channels, *(1,) * (rank + 1)))
    words = {"stride": stride, "padding": pairs, "dilation": dilation, "groups": channels, "size": size}
    flat = reshape(x, (b, channels * elements, *counts))
    return ops.conv_input(flat, constant(kernel.astype(x.dtype)), **words)


@function()
def affine_grid(theta: Any, size: Sequence[int], *, align_corners: bool = False) -> Node:
    """Return where an affine map of the result's pixels lies in an image, for `grid_sample`.

    Parameters
    ----------
    theta : tensor
        The maps, from places of the result to places of the image; places go from -1 to 1.
    size : (int, int)
        Height and width of the result.
    align_corners : bool
        Whether -1 and 1 are the centres of the corner pixels, or the edges of the image.

    Shape
    -----
    theta (B, 2, 3), result (B, H, W, 2): x (along the width), then y.

    Source
    ------
    M. Jaderberg et al., Spatial transformer networks, 2015, equation 1.
    """
    theta = as_node(theta)
    if theta.ndim != 3 or theta.shape[1:] != (2, 3):
        error = ShapeError(f"theta is (B, 2, 3), got shape {shape_text(theta.shape)}")
        raise explain_call(error, "affine_grid", ("theta",), (theta,))
    height, width = per_axis(size, 2, "affine_grid: size")
    y, x = (_axis_places(n, align_corners) for n in (height, width))
    grid = np.stack([*np.meshgrid(x, y), np.ones((height, width))], axis=-1)  # (H, W, 3)
    flat = constant(grid.reshape(-1, 3).astype(theta.dtype))
    places = matmul(flat, transpose(theta, axes=(0, 2, 1)))  # (B, H * W, 2)
    return reshape(places, (sizes_of(theta)[0], height, width, 2))


def _axis_places(count: int, align_corners: bool) -> np.ndarray:
    """Return the places of pixels along an axis that goes from -1 to 1."""
    if align_corners:
        return np.linspace(-1.0, 1.0, count) if count > 1 else np.zeros(1)
    return (np.arange(count) * 2.0 + 1.0) / count - 1.0


@function()
def grid_sample(
    x: Any, grid: Any, mode: str = "linear", padding_mode: str = "zeros", *, align_corners: bool = False
) -> Node:
    """Sample images at places that are tensors.

    Parameters
    ----------
    x : tensor
    grid : tensor
        The places: x (along the width), then y, from -1 to 1.
    mode : str
        "linear" (between the four pixels around a place) or "nearest".
    padding_mode : str
        What lies outside of the image: "zeros", "border" (the nearest pixel), "reflection" (the image, mirrored).
    align_corners : bool
        Whether -1 and 1 are the centres of the corner pixels, or the edges of the image.

    Shape
    -----
    x (B, C, H, W), grid (B, H', W', 2), result (B, C, H', W').

    Raises
    ------
    ShapeError
        If the shapes do not fit, or height or width of x is not known.

    Gradient
    --------
    In x, and with "linear" in the grid, except where a place is that of a pixel: there it is the one to the right.

    Source
    ------
    M. Jaderberg et al., Spatial transformer networks, 2015, equations 3 to 7; places as in
    torch.nn.functional.grid_sample.
    """
    x, grid = as_node(x), as_node(grid)
    _spatial_rank("grid_sample", x, 2)
    if mode not in MODES[:2]:
        raise ArgumentError(f"grid_sample: mode {mode!r} does not exist; the modes are {', '.join(MODES[:2])}")
    if padding_mode not in BORDERS:
        raise ArgumentError(
            f"grid_sample: padding_mode {padding_mode!r} does not exist; the modes are {', '.join(BORDERS)}"
        )
    sizes = x.shape[0], grid.shape[0]
    if grid.ndim != 4 or grid.shape[3] != 2 or (None not in sizes and sizes[0] != sizes[1]):
        error = ShapeError(f"the grid is (B, H, W, 2) for the batch of x, got shape {shape_text(grid.shape)}")
        raise explain_call(error, "grid_sample", ("x", "grid"), (x, grid))
    width, height = _known_size("grid_sample", x, 3), _known_size("grid_sample", x, 2)
    places = [
        _to_pixels(get_item(grid, (..., axis)), size, padding_mode, align_corners)
        for axis, size in ((0, width), (1, height))
    ]
    if mode == "nearest":
        columns, rows = (ops.round(place) for place in places)
        return _pick(x, columns, rows, width, height)
    left, top = (ops.floor(place) for place in places)
    right_share, below_share = places[0] - left, places[1] - top
    total: Any = None
    for column, row, share in (
        (left, top, (1.0 - right_share) * (1.0 - below_share)),
        (left + 1.0, top, right_share * (1.0 - below_share)),
        (left, top + 1.0, (1.0 - right_share) * below_share),
        (left + 1.0, top + 1.0, right_share * below_share),
    ):
        part = _pick(x, column, row, width, height) * ops.cast(_with_channel(share), dtype=x.dtype)
        total = part if total is None else total + part
    return total


def _with_channel(x: Node) -> Node:
    """(B, H, W) -> (B, 1, H, W)."""
    b, h, w = sizes_of(x)
    return reshape(x, (b, 1, h, w))


def _to_pixels(place: Node, size: int, padding_mode: str, align_corners: bool) -> Node:
    """Return places from -1 to 1 as numbers of pixels, inside of the image except for "zeros"."""
    pixel = (place + 1.0) * ((size - 1) / 2) if align_corners else ((place + 1.0) * size - 1.0) * 0.5
    if padding_mode == "zeros":
        return pixel
    if padding_mode == "reflection":
        low, span = (0.0, float(size - 1)) if align_corners else (-0.5, float(size))
        if span == 0.0:
            return pixel * 0.0
        offset = ops.remainder(ops.abs(pixel - low), as_node(2.0 * span, pixel.dtype))
        pixel = ops.minimum(offset, 2.0 * span - offset) + low
    return ops.minimum(ops.maximum(pixel, as_node(0.0, pixel.dtype)), as_node(float(size - 1), pixel.dtype))


def _pick(x: Node, columns: Node, rows: Node, width: int, height: int) -> Node:
    """Return the pixels at whole numbers of columns and rows; 0 outside of the image."""
    zero = as_node(0.0, columns.dtype)
    last_column, last_row = as_node(float(width - 1), columns.dtype), as_node(float(height - 1), rows.dtype)
    inside = ops.logical_and(
        ops.logical_and(ops.greater_equal(columns, zero), ops.less_equal(columns, last_column)),
        ops.logical_and(ops.greater_equal(rows, zero), ops.less_equal(rows, last_row)),
    )
    column = ops.cast(ops.minimum(ops.maximum(columns, zero), last_column), dtype=dtypes.int64)
    row = ops.cast(ops.minimum(ops.maximum(rows, zero), last_row), dtype=dtypes.int64)
    b, c = sizes_of(x)[:2]
    _, h, w = sizes_of(columns)
    index = reshape(row * width + column, (b, 1, h * w))
    found = ops.take_along_axis(reshape(x, (b, c, height * width)), broadcast_to(index, (b, c, h * w)), axis=2)
    return ops.where(_with_channel(inside), reshape(found, (b, c, h, w)), as_node(0, x.dtype))
