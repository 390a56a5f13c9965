"""Activations: what each layer returns for an input, and which positions attend to which."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from threading import get_ident
from typing import Any

import numpy as np

from septet.base.errors import ArgumentError, ShapeError
from septet.nn.module import Module
from septet.nn.summary import WATCHERS
from septet.run.gradients import no_grad
from septet.tensor import tree
from septet.tensor.tensor import Tensor
from septet.view.canvas import GRAY, INK, LIGHT, Picture, finish, head, new_figure

__all__ = ["activations", "plot_activations", "plot_attention"]

_CELL = 0.75  # inches for one channel
_LEFT = 1.7  # inches for the names of layers


def activations(model: Module, *inputs: Any) -> dict[str, np.ndarray]:
    """Return what each layer of a model returns for some inputs, in evaluation mode.

    Parameters
    ----------
    model : Module
    *inputs : array_like
        A batch, as for a call.

    Returns
    -------
    dict of str to ndarray
        By path, in the order of the calls; a layer that is applied more often comes once for each call: ``"cell"``,
        ``"cell (2)"``. The model itself, and results that are no single tensor, are left out.

    Examples
    --------
    >>> import septet as st
    >>> from septet import nn
    >>> model = nn.Sequential(nn.Dense(4), nn.ReLU(), nn.Dense(2))
    >>> {path: array.shape for path, array in activations(model, st.ones((3, 5))).items()}
    {'0': (3, 4), '1': (3, 4), '2': (3, 2)}
    """
    if not inputs:
        raise ArgumentError("activations: what layers return depends on the input; expected one at least")
    paths: dict[int, str] = {}
    found: dict[str, Tensor] = {}
    thread = get_ident()

    def watch(module: Module, given: tuple[Any, ...], words: dict[str, Any]) -> Any:
        result = module.forward(*given, **words)
        path = paths.get(id(module))
        leaves = [leaf for leaf in tree.flatten(result)[0] if isinstance(leaf, Tensor)]
        if path and len(leaves) == 1 and get_ident() == thread:
            count = sum(1 for name in found if name == path or name.startswith(f"{path} (")) + 1
            found[path if count == 1 else f"{path} ({count})"] = leaves[0]
        return result

    if not model.is_built:
        model.build_for(*inputs)
    paths.update({id(module): path for path, module in model.named_modules()})
    WATCHERS.append(watch)
    try:
        with model.evaluating(), no_grad():
            model(*inputs)
    finally:
        WATCHERS.remove(watch)
    return {path: tensor.numpy() for path, tensor in found.items()}


def plot_activations(
    model: Module,
    inputs: Any,
    path: str | os.PathLike[str] | None = None,
    *,
    channels: int = 12,
    layers: Sequence[str] | None = None,
    title: str = "Activations",
) -> Picture:
    """Draw what each layer returns for the first example of a batch.

    Results (C, H, W) are images, one for each channel, others strips of numbers. Each layer has a scale of its own,
    which stands beside it.

    Parameters
    ----------
    model : Module
    inputs : array_like, (N, ...)
    path : str or os.PathLike, optional
        The PNG, SVG or PDF file to make or to replace.
    channels : int
        How many channels of a layer are drawn.
    layers : sequence of str, optional
        Their paths, as `activations` names them; by default all that return something else than the layer before.
    title : str

    Returns
    -------
    Picture

    Raises
    ------
    ArgumentError
        If there is no such layer.
    """
    found = activations(model, inputs)
    if layers is not None:
        missing = [name for name in layers if name not in found]
        if missing:
            raise ArgumentError(f"plot_activations: there is no layer {missing[0]!r}; there are {', '.join(found)}")
        found = {name: found[name] for name in layers}
    rows = {name: array[0].astype(np.float64) for name, array in found.items() if array.ndim >= 2}
    if layers is None:
        all_rows = dict(rows)
        for before, name in itertools.pairwise(all_rows):
            if np.array_equal(all_rows[before], all_rows[name]):  # dropout that drops nothing, say
                del rows[name]
    if not rows:
        raise ArgumentError("plot_activations: no layer returns an axis of examples and another one")
    kinds = dict(model.named_modules())
    heights = [_CELL if array.ndim == 3 else 0.6 * _CELL for array in rows.values()]
    width, above, below = channels * _CELL + _LEFT, 0.55, 0.3
    figure = new_figure("plot_activations", width, sum(heights) + below * len(rows) + above, layout="none")
    top = figure.get_figheight() - above
    for (name, array), tall in zip(rows.items(), heights, strict=True):
        top -= tall
        kind = type(kinds[name.partition(" (")[0]]).__name__
        label = f"{name} {kind}\n{'x'.join(map(str, array.shape))}\n{array.min():.2g} to {array.max():.2g}"
        place = {"transform": figure.dpi_scale_trans, "parse_math": False}
        figure.text(0.1, top + tall / 2, label, fontsize=8, color=INK, va="center", **place)
        if array.ndim == 3:
            for channel, image in enumerate(array[:channels]):
                panel = _panel(figure, _LEFT + channel * _CELL, top, 0.95 * _CELL, tall)
                panel.set_axis_off()
                panel.imshow(image, cmap="gray", vmin=array.min(), vmax=max(array.max(), array.min() + 1e-30))
        else:
            panel = _panel(figure, _LEFT, top, channels * _CELL - 0.1, tall)
            panel.imshow(array.reshape(-1, array.shape[-1]), cmap="gray", aspect="auto", interpolation="nearest")
            panel.set_yticks([])
            panel.xaxis.get_major_locator().set_params(integer=True)
            panel.tick_params(labelsize=7, length=2, color=LIGHT, labelcolor=GRAY)
        top -= below
    head(figure, title)
    return finish(figure, path, f"{title} of {len(rows)} layers")


def _panel(figure: Any, left: float, bottom: float, width: float, height: float) -> Any:
    """Return a panel at a place in inches."""
    whole = figure.get_size_inches()
    return figure.add_axes((left / whole[0], bottom / whole[1], width / whole[0], height / whole[1]))


def plot_attention(
    weights: Any,
    path: str | os.PathLike[str] | None = None,
    *,
    queries: Sequence[str] | None = None,
    keys: Sequence[str] | None = None,
    columns: int = 4,
    title: str = "Attention",
) -> Picture:
    """Draw how much each query attends to each key, a panel for each head.

    Parameters
    ----------
    weights : array_like, (T, S) or (heads, T, S)
        From 0 to 1; each row sums to 1.
    path : str or os.PathLike, optional
        The PNG, SVG or PDF file to make or to replace.
    queries, keys : sequence of str, optional
        What stands at the positions, such as words; keys are by default the queries.
    columns : int
        How many heads stand side by side.
    title : str

    Returns
    -------
    Picture

    Raises
    ------
    ShapeError
        If the weights have another rank, or there are more or fewer texts than positions.
    ArgumentError
        If weights are negative, or greater than 1.
    """
    table = np.asarray(weights, dtype=np.float64)
    table = table[None] if table.ndim == 2 else table
    if table.ndim != 3 or not table.size:
        raise ShapeError(f"plot_attention: expected weights (T, S) or (heads, T, S), received shape {table.shape}")
    if not ((table >= 0) & (table <= 1 + 1e-3)).all():
        raise ArgumentError(
            f"plot_attention: weights must be from 0 to 1, received {table.min():.4g} to {table.max():.4g}",
            hint="take the softmax of scores first",
        )
    keys = queries if keys is None and table.shape[1] == table.shape[2] else keys
    for name, texts, size in (("queries", queries, table.shape[1]), ("keys", keys, table.shape[2])):
        if texts is not None and len(texts) != size:
            raise ShapeError(f"plot_attention: {len(texts)} {name} for {size} positions")
    columns = min(columns, len(table))
    rows = -(-len(table) // columns)
    side = min(max(2.4, 0.24 * max(table.shape[1:])), 6.0)
    figure = new_figure("plot_attention", side * columns + 1.2, side * rows + 0.9)
    panels = figure.subplots(rows, columns, squeeze=False)
    for place, panel in enumerate(panels.ravel()):
        if place >= len(table):
            panel.set_axis_off()
            continue
        shown = panel.imshow(table[place], cmap="Blues", vmin=0, vmax=float(table.max()), aspect="auto")
        panel.set_title(f"head {place + 1}" if len(table) > 1 else "", loc="left", fontsize=9, color=INK)
        if keys is not None:
            panel.set_xticks(range(len(keys)), keys, rotation=90, fontsize=8, parse_math=False)
        if queries is not None:
            panel.set_yticks(range(len(queries)), queries, fontsize=8, parse_math=False)
        panel.tick_params(length=0)
    figure.supxlabel("key: what is attended to", color=INK, fontsize=10)
    figure.supylabel("query: who attends", color=INK, fontsize=10)
    figure.colorbar(shown, ax=panels, shrink=0.8).set_label("weight", color=INK)
    head(figure, title)
    return finish(figure, path, f"{title}: {len(table)} heads, {table.shape[1]} queries, {table.shape[2]} keys")
