"""Weights: filters of convolutions as images, and histograms of what layers have learned."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from septet.base.errors import ArgumentError, ShapeError
from septet.nn.module import Module
from septet.tensor.tensor import Tensor
from septet.view.canvas import BLUE, GRAY, INK, LIGHT, Picture, finish, head, new_figure

__all__ = ["plot_filters", "plot_histograms"]

_CELL = 0.62  # inches for one filter
_BINS = 40


def plot_filters(
    source: Any,
    path: str | os.PathLike[str] | None = None,
    *,
    most: int = 64,
    columns: int = 16,
    title: str = "",
) -> Picture:
    """Draw the filters of a convolution as a grid of images.

    Filters of three channels are drawn in colours, others channel by channel: brown below zero, white at zero, violet
    above. All share one scale.

    Parameters
    ----------
    source : Module or array_like
        A kernel, a layer with a kernel, or a model: then its first convolution.
    path : str or os.PathLike, optional
        The PNG, SVG or PDF file to make or to replace.
    most : int
        How many images are drawn.
    columns : int
        How many stand side by side.
    title : str, optional

    Returns
    -------
    Picture

    Shape
    -----
    A kernel is ``(filters, channels, H, W)``.

    Raises
    ------
    ArgumentError
        If a model has no convolution over images, or has not seen an input.
    ShapeError
        If a kernel has another rank.
    """
    name, kernel = _kernel(source)
    if kernel.ndim != 4:
        raise ShapeError(f"plot_filters: expected a kernel (filters, channels, H, W), received shape {kernel.shape}")
    filters, channels = kernel.shape[:2]
    limit = float(np.abs(kernel).max()) or 1.0
    is_colour = channels == 3
    if is_colour:
        tiles = np.moveaxis(0.5 + 0.5 * kernel / limit, 1, -1)  # (filters, H, W, 3)
    else:
        tiles = kernel.reshape(filters * channels, *kernel.shape[2:])  # (filters * channels, H, W)
    count = min(len(tiles), most)
    if not is_colour and channels > 1:  # a row of channels for each filter
        columns = min(channels, columns)
        count = min(max(most // columns, 1), filters) * columns
        tiles = kernel[:, :columns].reshape(-1, *kernel.shape[2:])
    columns = min(columns, count)
    rows = -(-count // columns)
    figure = new_figure("plot_filters", max(columns * _CELL + 1.0, 4.0), max(rows * _CELL, 0.9) + 1.0)
    panels = figure.subplots(rows, columns, squeeze=False)
    shown = None
    for place, panel in enumerate(panels.ravel()):
        panel.set_xticks([])
        panel.set_yticks([])
        if place >= count:
            panel.set_axis_off()
            continue
        panel.spines[:].set(color=LIGHT, linewidth=0.8)
        shown = panel.imshow(tiles[place], cmap=None if is_colour else "PuOr", vmin=-limit, vmax=limit)
    if not is_colour and shown is not None:
        figure.colorbar(shown, ax=panels, shrink=0.9, aspect=30).set_label("weight", color=INK)
    if not is_colour and channels > 1:
        figure.supylabel("filters", color=INK, fontsize=10)
        note = f"{rows} of {filters} filters, {columns} of {channels} channels"
    else:
        note = f"{count} of {filters} filters of {channels} channel{'s' if channels > 1 else ''}"
    head(figure, title or f"Filters of {name}", note)
    return finish(figure, path, f"{title or f'filters of {name}'}: {note}")


def _kernel(source: Any) -> tuple[str, np.ndarray]:
    if not isinstance(source, Module):
        return "a convolution", np.asarray(source, dtype=np.float64)
    for place, module in source.named_modules():
        kernel = vars(module).get("kernel")
        if isinstance(kernel, Tensor) and kernel.node.ndim == 4:
            return module.label if not place else f"{place}: {type(module).__name__}", np.asarray(
                kernel.numpy(), dtype=np.float64
            )
    raise ArgumentError(
        f"plot_filters: {type(source).__name__} has no kernel (filters, channels, H, W)",
        hint="a model has kernels when it has seen an input: model.build_for(images)",
    )


def plot_histograms(
    source: Any, path: str | os.PathLike[str] | None = None, *, columns: int = 4, title: str = "Weights"
) -> Picture:
    """Draw how the numbers of each variable are distributed.

    Parameters
    ----------
    source : Module or mapping of str to array_like
        A model, for its trained variables, or arrays by name: weights, gradients, activations.
    path : str or os.PathLike, optional
        The PNG, SVG or PDF file to make or to replace.
    columns : int
        How many stand side by side.
    title : str

    Returns
    -------
    Picture

    Raises
    ------
    ArgumentError
        If there is nothing to draw.
    """
    pairs = source.named_parameters() if isinstance(source, Module) else source.items()
    if not isinstance(source, Module | Mapping):
        raise ArgumentError(f"plot_histograms: expected a model, or arrays by name, received {type(source).__name__}")
    arrays = {name: np.asarray(value, dtype=np.float64).ravel() for name, value in pairs}
    arrays = {name: array for name, array in arrays.items() if array.size}
    if not arrays:
        raise ArgumentError(
            "plot_histograms: there is no number to draw", hint="a model has variables when it has seen an input"
        )
    columns = min(columns, len(arrays))
    rows = -(-len(arrays) // columns)
    figure = new_figure("plot_histograms", 2.6 * columns + 0.4, 1.9 * rows + 0.8)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel in panels[len(arrays) :]:
        panel.set_axis_off()
    for (name, array), panel in zip(arrays.items(), panels, strict=False):
        finite = array[np.isfinite(array)]
        if finite.size:
            panel.hist(finite, bins=_BINS if finite.size > 30 else 10, color=BLUE)
            if finite.min() < 0 < finite.max():
                panel.axvline(0, color=GRAY, linewidth=0.8, linestyle=":")
            panel.xaxis.get_major_locator().set_params(nbins=4)
        lost = array.size - finite.size
        spread = f"mean {finite.mean():.2g}, deviation {finite.std():.2g}" if finite.size else "no finite number"
        panel.set_title(name, loc="left", fontsize=9, fontweight="bold", color=INK, parse_math=False)
        panel.set_xlabel(spread + (f", {lost} not finite" if lost else ""), fontsize=8, color=INK)
        panel.tick_params(labelsize=7)
        panel.spines[["top", "right"]].set_visible(False)
    figure.supylabel("how many numbers", color=INK, fontsize=10)
    head(figure, title)
    return finish(figure, path, f"{title}: histograms of {len(arrays)} variables")
